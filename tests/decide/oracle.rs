//! The design's text once more, in the plainest words: who counts, whose account is whose, and who is not clear.
//!
//! It shares nothing with the program but the data, so that a law that is held against it does not hold because both are wrong.

use std::collections::{BTreeMap, BTreeSet};

use keycloak_to_azure::model::ObjectId;
use keycloak_to_azure::settings::{DisabledPolicy, MatchAttribute, UnverifiedPolicy};
use keycloak_to_azure::snapshot::{Account, EntraGroup, Person};

use crate::world::World;

/// "Trimmed, case folded": letter by letter, whatever stands beside it, and none to a letter of ASCII that is not one itself.
pub fn folded(text: &str) -> String {
    let lower = |letter: char| match letter.to_lowercase().collect::<Vec<char>>()[..] {
        [folded] if folded.is_ascii() && !letter.is_ascii() => vec![letter],
        ['ς'] => vec!['σ'],
        ref folded => folded.to_vec(),
    };
    text.trim().chars().flat_map(lower).collect()
}

/// A person's address as Keycloak has it.
pub fn address_in_keycloak(person: &Person) -> Option<String> {
    let address = folded(person.email.as_deref()?);
    let (name, domain) = address.rsplit_once('@')?;
    (!name.is_empty() && !domain.is_empty()).then_some(address)
}

/// "As Entra should know it: … its domain rewritten by `email_domains`."
pub fn address_in_entra(world: &World, person: &Person) -> Option<String> {
    let address = address_in_keycloak(person)?;
    let (name, domain) = address.rsplit_once('@')?;
    Some(match world.settings.users.email_domains.get(domain) {
        Some(domain) => format!("{name}@{domain}"),
        None => address,
    })
}

/// What an address is compared with.
fn values(account: &Account, attribute: MatchAttribute) -> BTreeSet<String> {
    match attribute {
        MatchAttribute::Mail => account.mail.iter().map(|mail| folded(mail)).collect(),
        MatchAttribute::OtherMails => account
            .other_mails
            .iter()
            .map(|mail| folded(mail))
            .collect(),
        MatchAttribute::ProxyAddresses => account
            .proxy_addresses
            .iter()
            .filter(|address| {
                address
                    .get(..5)
                    .is_some_and(|kind| kind.eq_ignore_ascii_case("smtp:"))
            })
            .map(|address| folded(&address[5..]))
            .collect(),
        MatchAttribute::UserPrincipalName => {
            let name = folded(&account.user_principal_name);
            let home = name.find("#ext#@").and_then(|end| {
                let mail = account.mail.as_deref().map(folded).unwrap_or_default();
                if mail.split('@').collect::<Vec<_>>().join("_") == name[..end] {
                    return Some(mail);
                }
                let at = name[..end].rfind('_')?;
                let (local, domain) = (&name[..at], &name[at + 1..end]);
                (!local.is_empty() && !domain.is_empty()).then(|| format!("{local}@{domain}"))
            });
            home.into_iter().chain([name]).collect()
        }
    }
}

/// Every address of an account.
pub fn addresses_of(account: &Account) -> BTreeSet<String> {
    [
        MatchAttribute::Mail,
        MatchAttribute::UserPrincipalName,
        MatchAttribute::OtherMails,
        MatchAttribute::ProxyAddresses,
    ]
    .into_iter()
    .flat_map(|attribute| values(account, attribute))
    .collect()
}

/// "The first attribute on which any account matches decides."
fn accounts_that_fit(world: &World, address: &str) -> BTreeSet<ObjectId> {
    for attribute in &world.settings.users.match_by {
        let fitting: BTreeSet<ObjectId> = world
            .accounts
            .values()
            .filter(|account| values(account, *attribute).contains(address))
            .map(|account| account.id.clone())
            .collect();
        if !fitting.is_empty() {
            return fitting;
        }
    }
    BTreeSet::new()
}

/// "Disabled people do not count unless `users.disabled: keep`; service accounts never count."
pub fn counts(world: &World, person: &Person) -> bool {
    !person.username.starts_with("service-account-")
        && (person.enabled || world.settings.users.disabled == DisabledPolicy::Keep)
}

/// Whether a person is in a Keycloak group that is mapped to the Azure group: "direct members; those of sub-groups too when the
/// mapping says `subgroups: true`".
pub fn is_in(world: &World, username: &str, azure: &ObjectId) -> bool {
    paths_of(world, username, azure).next().is_some()
}

/// By which Keycloak groups a person is.
pub fn paths_of<'w>(
    world: &'w World,
    username: &str,
    azure: &ObjectId,
) -> impl Iterator<Item = &'w str> {
    let feeds = move |path: &str| {
        world.settings.mappings.iter().any(|mapping| {
            let below = format!("{}/", mapping.keycloak);
            world.group_of(mapping).id == *azure
                && (path == mapping.keycloak.as_str()
                    || mapping.subgroups && path.starts_with(&below))
        })
    };
    world
        .groups
        .iter()
        .filter(move |(path, members)| members.contains(username) && feeds(path))
        .map(|(path, _)| path.as_str())
}

/// Whether a plan may change the group.
pub fn is_managed(world: &World, group: &EntraGroup) -> bool {
    let is_in_scope = match &world.scope {
        None => true,
        Some(scope) => scope.iter().any(|chosen| chosen.azure.id == group.id),
    };
    let is_mapped = world
        .settings
        .mappings
        .iter()
        .any(|mapping| world.group_of(mapping).id == group.id);
    let cannot_be = group.dynamic
        || group.on_premises
        || group.mail_enabled
        || group.role_assignable && !world.may_manage_role_assignable;
    is_mapped && is_in_scope && !cannot_be
}

/// An address in one form, however it is written: an accent by itself or on its letter, the domain as DNS has it or in its letters.
pub fn composed(address: &str) -> String {
    folded(address)
        .replace("e\u{301}", "\u{e9}")
        .replace("@xn--bcher-kva.example", "@b\u{fc}cher.example")
}

/// Whether an account has an address, however it is written.
fn is_known_by(account: &Account, address: &str) -> bool {
    let addresses = addresses_of(account);
    addresses
        .iter()
        .any(|own| composed(own) == composed(address))
}

/// Whether the configuration protects an account.
pub fn is_protected(world: &World, account: &Account) -> bool {
    let protected = &world.settings.protected;
    protected
        .iter()
        .any(|entry| *entry == account.id.to_string() || is_known_by(account, entry))
}

/// What is clear about people and accounts, and what is not.
#[derive(Debug, Default)]
pub struct Clarity {
    /// People who count and whose one account is theirs alone, by username.
    pub owners: BTreeMap<String, ObjectId>,
    /// People who count, without any account that has their address, by username.
    pub without_account: BTreeMap<String, String>,
    /// People who are left exactly as they are.
    pub people: BTreeSet<String>,
    /// Their addresses.
    pub addresses: BTreeSet<String>,
    /// Accounts that are left exactly as they are.
    pub accounts: BTreeSet<ObjectId>,
}

/// "Two accounts on that attribute, two people who count with one address, or one account that fits two people are a problem, and
/// everybody involved is left exactly as is."
pub fn clarity(world: &World) -> Clarity {
    let mut clarity = Clarity::default();
    let is_in_any_group = |person: &&Person| {
        world
            .azure
            .values()
            .any(|group| is_in(world, &person.username, &group.id))
    };
    let mut by_address: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    let mut unverified = Vec::new();
    for person in world.people.values().filter(is_in_any_group) {
        let Some(address) = address_in_entra(world, person).filter(|_| counts(world, person))
        else {
            continue;
        };
        if !person.email_verified && world.settings.users.unverified_email == UnverifiedPolicy::Skip
        {
            unverified.push((person.username.as_str(), address));
        } else {
            by_address
                .entry(address)
                .or_default()
                .push(&person.username);
        }
    }
    for (username, address) in unverified {
        clarity.people.insert(username.to_owned());
        if !by_address.contains_key(&address) {
            clarity.accounts.extend(accounts_that_fit(world, &address));
            clarity.addresses.insert(address);
        }
    }
    let mut fitted: BTreeMap<ObjectId, Vec<&str>> = BTreeMap::new();
    for (address, people) in &by_address {
        let accounts = accounts_that_fit(world, address);
        let is_known_elsewhere = || {
            world
                .accounts
                .values()
                .any(|account| is_known_by(account, address))
        };
        match (&people[..], accounts.len()) {
            ([person], 1) => {
                let account = accounts.into_iter().next().unwrap();
                fitted.entry(account).or_default().push(person);
            }
            ([person], 0) if !is_known_elsewhere() => {
                clarity
                    .without_account
                    .insert((*person).to_owned(), address.clone());
            }
            (people, _) => {
                clarity.accounts.extend(accounts);
                clarity.addresses.insert(address.clone());
                clarity
                    .people
                    .extend(people.iter().map(|person| (*person).to_owned()));
            }
        }
    }
    for (account, people) in fitted {
        match &people[..] {
            [person] if !clarity.accounts.contains(&account) => {
                clarity.owners.insert((*person).to_owned(), account);
            }
            people => {
                clarity.accounts.insert(account);
                for person in people {
                    let address = address_in_entra(world, &world.people[*person]);
                    clarity.people.insert((*person).to_owned());
                    clarity.addresses.extend(address);
                }
            }
        }
    }
    // An account that nobody owns and that has the address of somebody who is not clear may be theirs.
    let owned: BTreeSet<&ObjectId> = clarity.owners.values().collect();
    for account in world.accounts.values() {
        let mut unclear = clarity.addresses.iter();
        let may_be_theirs = unclear.any(|address| is_known_by(account, address));
        if may_be_theirs && !owned.contains(&account.id) {
            clarity.accounts.insert(account.id.clone());
        }
    }
    clarity
}
