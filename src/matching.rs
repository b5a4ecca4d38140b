//! Whose account is whose: people who count, their addresses, and the one account that each address leads to.
//!
//! Nothing is guessed. Whoever is not clear is left exactly as they are, with everybody involved, and the answer does not
//! depend on the order in which anything was read.

mod left_alone;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use self::left_alone::{BY_ANOTHER_ATTRIBUTE, WRITTEN_IN_ANOTHER_WAY};
use crate::mapping::{Inputs, MappedGroup};
use crate::model::{Address, ObjectId, PersonId, fold};
use crate::plan::{Problem, ProblemCode};
use crate::settings::{
    DisabledPolicy, InvitationRules, MatchAttribute, Settings, UnverifiedPolicy,
};
use crate::snapshot::{Account, KeycloakSnapshot, Person, Tenant};

/// The people who count in any mapped group, and which accounts they have.
#[derive(Debug, Clone)]
pub struct Matching<'a> {
    /// Everybody who counts.
    pub people: HashMap<&'a PersonId, Matched<'a>>,
    /// Every account, by id.
    pub accounts: HashMap<&'a ObjectId, &'a Account>,
    /// Whose account is whose, the other way round.
    pub owners: HashMap<&'a ObjectId, &'a PersonId>,
    /// Accounts that are left exactly as they are, because it is not clear whose they are.
    pub left_alone: BTreeSet<&'a ObjectId>,
    /// Accounts that the configuration protects.
    pub protected: BTreeSet<&'a ObjectId>,
    /// What was not clear, about people.
    pub problems: Vec<Problem>,
}

/// A person who counts.
#[derive(Debug, Clone)]
pub struct Matched<'a> {
    /// The person.
    pub person: &'a Person,
    /// What is clear about them.
    pub standing: Standing<'a>,
}

/// What is clear about a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing<'a> {
    /// The account is theirs.
    HasAccount(Address, &'a Account),
    /// Nobody in Entra has the address, however it is written.
    HasNone(Address),
    /// A problem says why this person is left as they are.
    LeftAlone,
}

/// Returns the address of a person as Entra should know it: trimmed, case folded, its domain rewritten. `None` if Keycloak
/// has none that could be one.
pub fn address_of(person: &Person, settings: &Settings) -> Option<Address> {
    Some(in_entra(&person.email.as_deref()?.parse().ok()?, settings))
}

/// Returns an address of Keycloak as Entra should know it: its domain rewritten.
pub fn in_entra(address: &Address, settings: &Settings) -> Address {
    match settings.users.email_domains.get(address.domain()) {
        Some(domain) => address.at_domain(domain),
        None => address.clone(),
    }
}

/// Returns the addresses of Keycloak that [`in_entra`] turns into one of Entra's, apart from itself.
pub fn addresses_in_keycloak(
    address: &Address,
    settings: &Settings,
) -> impl Iterator<Item = Address> {
    let domains = settings.users.email_domains.iter();
    domains
        .filter(|(_, azure)| azure.as_str() == address.domain())
        .map(|(keycloak, _)| address.at_domain(keycloak))
}

/// Returns how a person is called in problems: `Finn Fox (finn)`.
pub fn name_of(person: &Person) -> String {
    let names = [person.first_name.as_deref(), person.last_name.as_deref()];
    let name = names
        .iter()
        .flatten()
        .flat_map(|part| part.split_whitespace())
        .collect::<Vec<_>>()
        .join(" ");
    if name.is_empty() {
        person.username.clone()
    } else {
        format!("{name} ({})", person.username)
    }
}

/// Returns how an account is called in problems: its display name, or what it logs in with.
pub fn name_of_account(account: &Account) -> &str {
    account
        .display_name
        .as_deref()
        .filter(|name| !name.trim().is_empty())
        .unwrap_or(&account.user_principal_name)
}

/// People by their names: their first and last name, and their username. Names tell nobody's account; they only say that an account may
/// be somebody's.
#[derive(Debug)]
pub struct Names {
    /// Where the first of each name is.
    full: HashMap<String, usize>,
    /// Where the first of each username is.
    usernames: HashMap<String, usize>,
}

impl Names {
    /// The names of some people, in their order.
    pub fn of<'p>(people: impl IntoIterator<Item = &'p Person>) -> Self {
        let (mut full, mut usernames) = (HashMap::new(), HashMap::new());
        for (at, person) in people.into_iter().enumerate() {
            let name = full_name(person.first_name.as_deref(), person.last_name.as_deref());
            if !name.is_empty() {
                full.entry(name).or_insert(at);
            }
            usernames.entry(fold(&person.username)).or_insert(at);
        }
        Self { full, usernames }
    }

    /// Where the first is whose name an account has: as a whole, or the username as (the first part of) an address.
    pub fn first_of(&self, account: &Account) -> Option<usize> {
        let by_name = [
            folded_name(name_of_account(account)),
            full_name(account.given_name.as_deref(), account.surname.as_deref()),
        ];
        let by_name = by_name.iter().filter_map(|name| self.full.get(name));
        let addresses = addresses_of(account);
        let by_username = addresses
            .iter()
            .flat_map(|address| [address.as_str(), address.local_part()])
            .filter_map(|name| self.usernames.get(name));
        by_name.chain(by_username).min().copied()
    }
}

fn folded_name(name: &str) -> String {
    comparable(name).to_lowercase()
}

fn full_name(first: Option<&str>, last: Option<&str>) -> String {
    folded_name(&[first, last].map(Option::unwrap_or_default).join(" "))
}

/// A name as two of them are compared: Entra may store another Unicode form and other spaces than it was given, and that must not
/// become an update in every plan.
pub fn comparable(name: &str) -> String {
    name.split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .nfc()
        .collect()
}

/// Returns the addresses of everybody who counts in any of the mapped groups, however they are written: what the Entra side is searched for.
pub fn wanted_addresses(settings: &Settings, keycloak: &KeycloakSnapshot) -> BTreeSet<Address> {
    // Somebody in many groups has one and the same row in all of them.
    let mut seen: HashSet<*const Person> = HashSet::new();
    settings
        .mappings
        .iter()
        .filter_map(|mapping| Some((mapping, keycloak.groups.get(&mapping.keycloak)?)))
        .flat_map(|(mapping, group)| group.tree(mapping.subgroups))
        .flat_map(|group| &group.members)
        .filter(|person| seen.insert(Arc::as_ptr(person)))
        .filter(|person| counts(person, person.enabled, settings))
        .filter_map(|person| address_of(person, settings))
        .flat_map(|address| address.spellings())
        .collect()
}

/// Whether somebody counts, if they are enabled or not.
pub fn counts(person: &Person, enabled: bool, settings: &Settings) -> bool {
    !person.is_service_account() && (enabled || settings.users.disabled == DisabledPolicy::Keep)
}

/// Returns the values of one attribute that an address is compared with, case folded.
pub fn values(account: &Account, attribute: MatchAttribute) -> Vec<String> {
    match attribute {
        MatchAttribute::Mail => account.mail.iter().map(|mail| fold(mail)).collect(),
        MatchAttribute::UserPrincipalName => home_address(account)
            .into_iter()
            .chain([fold(&account.user_principal_name)])
            .collect(),
        MatchAttribute::OtherMails => account.other_mails.iter().map(|mail| fold(mail)).collect(),
        MatchAttribute::ProxyAddresses => account
            .proxy_addresses
            .iter()
            .filter_map(|address| fold(address).strip_prefix("smtp:").map(fold))
            .collect(),
    }
}

/// Returns the address inside a guest's user principal name: `pat@fabrikam.com` of `pat_fabrikam.com#ext#@contoso…`. Which of several
/// underscores stands for the `@`, the account's own mail tells; without it the last one, as a domain has none.
fn home_address(account: &Account) -> Option<String> {
    let name = fold(&account.user_principal_name);
    let (home, _) = name.split_once("#ext#@")?;
    let mail = account.mail.as_deref().map(fold);
    mail.filter(|mail| mail.replace('@', "_") == home)
        .or_else(|| {
            let (local, domain) = home.rsplit_once('_')?;
            Some(format!("{local}@{domain}"))
        })
}

/// Every attribute, in the order of the default.
pub const ALL_ATTRIBUTES: [MatchAttribute; 4] = [
    MatchAttribute::Mail,
    MatchAttribute::UserPrincipalName,
    MatchAttribute::OtherMails,
    MatchAttribute::ProxyAddresses,
];

/// Returns every address that an account is known by, in any attribute.
pub fn addresses_of(account: &Account) -> BTreeSet<Address> {
    let is_guest_name = |value: &str| value.contains("#ext#@");
    ALL_ATTRIBUTES
        .iter()
        .flat_map(|attribute| values(account, *attribute))
        .filter(|value| !is_guest_name(value))
        .filter_map(|value| value.parse().ok())
        .collect()
}

/// Whether the configuration protects an account: by its id or by any of its names and addresses, however they are written.
pub fn is_protected(account: &Account, protected: &[String]) -> bool {
    !protected.is_empty()
        && (protected.iter().any(|entry| entry == account.id.as_str())
            || ALL_ATTRIBUTES
                .iter()
                .flat_map(|attribute| values(account, *attribute))
                .filter_map(|value| value.parse().ok())
                .any(|address| is_among(&address, protected)))
}

fn is_among(address: &Address, protected: &[String]) -> bool {
    address
        .spellings()
        .iter()
        .any(|spelling| protected.iter().any(|entry| entry == spelling.as_str()))
}

/// Finds out who counts and whose account is whose. Everybody in any mapped group takes part, in scope or not, because who is
/// ambiguous depends on everybody.
pub fn match_people<'a>(inputs: &Inputs<'a>, groups: &[MappedGroup<'a>]) -> Matching<'a> {
    let settings = inputs.settings;
    let match_by = settings.users.match_by.as_slice();
    let index = AccountIndex::new(&inputs.entra.accounts);
    let mut matching = Matching {
        people: HashMap::new(),
        accounts: inputs
            .entra
            .accounts
            .iter()
            .map(|account| (&account.id, account))
            .collect(),
        owners: HashMap::new(),
        left_alone: BTreeSet::new(),
        protected: inputs
            .entra
            .accounts
            .iter()
            .filter(|account| is_protected(account, &settings.protected))
            .map(|account| &account.id)
            .collect(),
        problems: Vec::new(),
    };
    // The addresses of people who are left as they are.
    let mut unclear: BTreeSet<Address> = BTreeSet::new();
    let mut by_address: BTreeMap<Address, Vec<&'a Person>> = BTreeMap::new();
    let mut unverified: Vec<(&'a Person, Address)> = Vec::new();
    for person in people_who_count(settings, groups) {
        match address_of(person, settings) {
            None => matching.leave_without_address(person),
            Some(address)
                if !person.email_verified
                    && settings.users.unverified_email == UnverifiedPolicy::Skip =>
            {
                unverified.push((person, address));
            }
            Some(address) => by_address.entry(address).or_default().push(person),
        }
    }
    for (person, address) in unverified {
        // An unverified address of somebody else's must not keep that person's account from being managed.
        if !by_address.contains_key(&address) {
            matching.left_alone.extend(
                index
                    .all_with(&address, match_by)
                    .map(|account| &account.id),
            );
            unclear.insert(address.clone());
        }
        matching.leave_unverified(person, &address);
    }
    let mut owners: BTreeMap<&'a ObjectId, Vec<(&'a Person, Address, &'a Account)>> =
        BTreeMap::new();
    for (address, people) in by_address {
        let [person] = people[..] else {
            matching.left_alone.extend(
                index
                    .all_with(&address, match_by)
                    .map(|account| &account.id),
            );
            matching.leave_duplicates(&people, &address);
            unclear.insert(address);
            continue;
        };
        match index.deciding(&address, match_by)[..] {
            // Graph answers an invitation with the account that has the address in whatever attribute.
            [] => {
                let accounts: BTreeSet<&Account> =
                    index.all_with(&address, &ALL_ATTRIBUTES).collect();
                let written_otherwise: BTreeSet<&Account> =
                    index.all_with_spelling_of(&address).collect();
                if written_otherwise.is_empty() {
                    matching.stand(person, Standing::HasNone(address));
                    continue;
                }
                let (accounts, how) = if accounts.is_empty() {
                    (written_otherwise, WRITTEN_IN_ANOTHER_WAY)
                } else {
                    (accounts, BY_ANOTHER_ATTRIBUTE)
                };
                matching.leave_unmatched(person, &address, &accounts, how);
                unclear.insert(address);
            }
            [account] => owners
                .entry(&account.id)
                .or_default()
                .push((person, address, account)),
            ref several => {
                matching
                    .left_alone
                    .extend(several.iter().map(|account| &account.id));
                matching.leave_ambiguous(person, &address, several);
                unclear.insert(address);
            }
        }
    }
    for (id, owners) in owners {
        match &owners[..] {
            [(person, address, account)] if !matching.left_alone.contains(id) => {
                matching.stand(person, Standing::HasAccount(address.clone(), account));
            }
            _ => {
                matching.left_alone.insert(id);
                matching.leave_shared_account(&owners);
                unclear.extend(owners.into_iter().map(|(_, address, _)| address));
            }
        }
    }
    // An account that is nobody else's may be that of somebody who is left as they are, by whatever attribute it has the address.
    for address in &unclear {
        let accounts = index
            .all_with_spelling_of(address)
            .map(|account| &account.id);
        let nobodys = accounts.filter(|id| !matching.owners.contains_key(id));
        matching.left_alone.extend(nobodys);
    }
    matching
}

/// Returns everybody who counts in any mapped group, by id.
///
/// The rows of one person can differ where Keycloak changed while it was read. Then one that says disabled decides, which adds
/// nobody, and proves nothing for a removal either.
fn people_who_count<'a>(
    settings: &Settings,
    groups: &[MappedGroup<'a>],
) -> impl Iterator<Item = &'a Person> {
    let mut people: HashMap<&'a PersonId, (&'a Person, bool)> = HashMap::new();
    for row in groups.iter().flat_map(MappedGroup::source_rows) {
        people
            .entry(&row.id)
            .and_modify(|(person, enabled)| {
                *person = row.min(person);
                *enabled &= row.enabled;
            })
            .or_insert((row, row.enabled));
    }
    let mut people: Vec<&'a Person> = people
        .into_values()
        .filter(|(person, enabled)| counts(person, *enabled, settings))
        .map(|(person, _)| person)
        .collect();
    people.sort_unstable_by_key(|person| &person.id);
    people.into_iter()
}

impl<'a> Matching<'a> {
    fn stand(&mut self, person: &'a Person, standing: Standing<'a>) {
        if let Standing::HasAccount(_, account) = &standing {
            self.owners.insert(&account.id, &person.id);
        }
        self.people.insert(&person.id, Matched { person, standing });
    }
}

/// The accounts by the values of their attributes.
struct AccountIndex<'a>(BTreeMap<MatchAttribute, HashMap<String, Holders<'a>>>);

/// The accounts that have a value. Nearly always it is one.
#[derive(Clone)]
struct Holders<'a> {
    first: &'a Account,
    others: Vec<&'a Account>,
}

impl<'a> AccountIndex<'a> {
    fn new(accounts: &'a [Account]) -> Self {
        let by_attribute = ALL_ATTRIBUTES.into_iter().map(|attribute| {
            let mut index: HashMap<String, Holders<'a>> = HashMap::new();
            for account in accounts {
                for value in values(account, attribute) {
                    index
                        .entry(value)
                        .and_modify(|holders| holders.add(account))
                        .or_insert_with(|| Holders {
                            first: account,
                            others: Vec::new(),
                        });
                }
            }
            (attribute, index)
        });
        Self(by_attribute.collect())
    }

    /// The accounts on the first of the attributes on which any account matches, by id.
    fn deciding(&self, address: &Address, attributes: &[MatchAttribute]) -> Vec<&'a Account> {
        let mut accounts: Vec<&'a Account> = attributes
            .iter()
            .find_map(|attribute| self.holders(*attribute, address))
            .map(|holders| holders.all().collect())
            .unwrap_or_default();
        accounts.sort_unstable_by_key(|account| &account.id);
        accounts
    }

    /// The accounts that match on any of the attributes.
    fn all_with(
        &self,
        address: &Address,
        attributes: &[MatchAttribute],
    ) -> impl Iterator<Item = &'a Account> {
        attributes
            .iter()
            .filter_map(|attribute| self.holders(*attribute, address))
            .flat_map(Holders::all)
    }

    /// The accounts that have the address in any attribute, however it is written.
    fn all_with_spelling_of(&self, address: &Address) -> impl Iterator<Item = &'a Account> {
        address.spellings().into_iter().flat_map(|spelling| {
            self.all_with(&spelling, &ALL_ATTRIBUTES)
                .collect::<Vec<_>>()
        })
    }

    fn holders(&self, attribute: MatchAttribute, address: &Address) -> Option<&Holders<'a>> {
        self.0.get(&attribute)?.get(address.as_str())
    }
}

impl<'a> Holders<'a> {
    fn add(&mut self, account: &'a Account) {
        if self.all().last() != Some(account) {
            self.others.push(account);
        }
    }

    fn all(&self) -> impl Iterator<Item = &'a Account> {
        std::iter::once(self.first).chain(self.others.iter().copied())
    }
}

/// Whether the configuration protects whoever gets an account with this address.
pub fn is_protected_address(address: &Address, inputs: &Inputs<'_>) -> bool {
    is_among(address, &inputs.settings.protected)
}

/// Whether somebody without an account is invited under their address.
pub fn can_be_invited(address: &Address, inputs: &Inputs<'_>) -> bool {
    let Inputs {
        settings, entra, ..
    } = inputs;
    !is_protected_address(address, inputs)
        && invitation_obstacle(address, &entra.tenant, &settings.invitations).is_none()
}

/// Returns why nobody can be invited under an address, with a hint, if so. All of these are knowable without asking.
pub fn invitation_obstacle(
    address: &Address,
    tenant: &Tenant,
    rules: &InvitationRules,
) -> Option<(ProblemCode, String, String)> {
    if let Some(reason) = refused_by_entra(address) {
        return Some((
            ProblemCode::InvalidEmail,
            format!("has the address {address}, which Entra does not accept: {reason}"),
            "give them another address in Keycloak".to_owned(),
        ));
    }
    let domain = address.domain();
    if tenant.verified_domains.contains(domain) {
        return Some((
            ProblemCode::OwnDomain,
            format!(
                "has the address {address}, and {domain} is a domain of this tenant: nobody there can be invited"
            ),
            "create the account in Entra, or correct the address in Keycloak".to_owned(),
        ));
    }
    if !rules.allows(domain) {
        return Some((
            ProblemCode::DomainNotAllowed,
            format!(
                "has the address {address}, and {domain} is not among `invitations.allowed_domains`"
            ),
            "add the domain there if these people may be invited".to_owned(),
        ));
    }
    None
}

/// Returns what Entra does not accept about an address in an invitation.
///
/// The characters are those of <https://learn.microsoft.com/en-us/graph/api/resources/invitation>; plus-addressing is among them.
fn refused_by_entra(address: &Address) -> Option<String> {
    const REFUSED: &str = "~!#$%^&*()+=[]{}\\/|;:\"<>?,";
    let (local, domain) = (address.local_part(), address.domain());
    if let Some(character) = address
        .as_str()
        .chars()
        .find(|character| !character.is_ascii_graphic())
    {
        // By itself it shows nothing, or stands on what is before it.
        let is_named = character.escape_debug().count() > 1 || is_combining_mark(character);
        return Some(if is_named {
            format!("U+{:04X} in it", u32::from(character))
        } else {
            format!("'{character}' in it")
        });
    }
    if let Some(character) = address
        .as_str()
        .chars()
        .find(|character| REFUSED.contains(*character))
    {
        return Some(format!("`{character}` in it"));
    }
    if local.contains('@') {
        return Some("more than one `@`".to_owned());
    }
    if local.starts_with(['.', '-']) || local.ends_with(['.', '-']) || local.contains("..") {
        return Some("a `.` or `-` where none may be".to_owned());
    }
    if local.len() > 64 || address.as_str().len() > 254 {
        return Some("too long".to_owned());
    }
    let is_label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    if !domain.contains('.') || !domain.split('.').all(is_label) {
        return Some(format!("`{domain}` is not a domain"));
    }
    None
}
