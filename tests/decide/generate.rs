//! Generated worlds: people, accounts, groups and settings of every kind that the design speaks of, the odd ones more often than in
//! life.

use keycloak_to_azure::group_names::{GroupNames, choose_scope, with_azure};
use keycloak_to_azure::model::{Address, ObjectId, UserType, fold};
use keycloak_to_azure::settings::{
    DisabledPolicy, DisplayNameTemplate, FederationSetting, Limit, Limits, MatchAttribute,
    RemovalPolicy, UnverifiedPolicy, UpdatePolicy,
};
use keycloak_to_azure::snapshot::{Account, FederationProvider, Person};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use crate::world::{World, empty, id};

/// Some of them are mapped, each alone or with its sub-groups.
const KEYCLOAK_GROUPS: [&str; 5] = ["/a", "/a/sub", "/a/sub/deep", "/b", "/c"];
/// Some of them are mapped to, each by one Keycloak group or by several.
const AZURE_GROUPS: [&str; 3] = ["A", "B", "C"];
const PROVIDERS: [&str; 2] = ["ldap", "ad"];
const MOST_PEOPLE: usize = 9;

/// Mailbox names; few, so that people and accounts meet in them.
const ORDINARY_NAMES: [&str; 8] = ["ann", "bob", "cyd", "dee", "eve", "finn", "gil", "hal"];
/// Names whose letters fold oddly, that have two Unicode forms, or that Entra does not invite.
const ODD_NAMES: [&str; 20] = [
    "ann+acme",
    "straße",
    "strasse",
    "İnci",
    "inci",
    "ınci",
    "ΣΑΣ",
    "σας",
    "σασ",
    "Σ",
    "ren\u{e9}",
    "rene\u{301}",
    "\u{212a}im",
    "kim",
    "\u{17f}am",
    ".dot",
    "a b",
    "o'neil",
    "under_score",
    "two@ats",
];
const DOMAINS: [&str; 9] = [
    "partner.example",
    "partner.example",
    "other.example",
    "old.example",
    "new.example",
    "acme.example",
    "bücher.example",
    "xn--bcher-kva.example",
    "localhost",
];
/// No domain is another one in most worlds; then plain ones, a swap, a chain, and several that become one.
const EMAIL_DOMAINS: [&[(&str, &str)]; 8] = [
    &[],
    &[],
    &[],
    &[("old.example", "partner.example")],
    &[("partner.example", "new.example")],
    &[
        ("partner.example", "other.example"),
        ("other.example", "partner.example"),
    ],
    &[
        ("old.example", "partner.example"),
        ("partner.example", "new.example"),
    ],
    &[
        ("old.example", "partner.example"),
        ("other.example", "partner.example"),
        ("bücher.example", "acme.example"),
    ],
];

/// A number that is taken apart into choices. That is much faster than a strategy for each of them, and shrinks as well: 0 is
/// the first of every choice.
struct Dice(u128);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        let end = end as u128;
        let choice = self.0 % end;
        self.0 /= end;
        usize::try_from(choice).unwrap()
    }

    fn one_of<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())].clone()
    }

    /// True once in so many times.
    fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == times - 1
    }

    /// Something, once in so many times.
    fn rarely<T>(&mut self, times: usize, some: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.one_in(times).then(|| some(self))
    }

    /// Up to two of a list.
    fn some_of<T: Clone>(&mut self, choices: &[T]) -> Vec<T> {
        let count = self.below(3);
        (0..count).map(|_| self.one_of(choices)).collect()
    }

    /// An address as somebody may have typed it.
    fn address(&mut self) -> String {
        let name = if self.below(5) < 3 {
            self.one_of(&ORDINARY_NAMES)
        } else {
            self.one_of(&ODD_NAMES)
        };
        let domain = self.one_of(&DOMAINS);
        self.typed(&format!("{name}@{domain}"))
    }

    /// The same in another letter case, or with spaces around it.
    fn typed(&mut self, address: &str) -> String {
        match (self.below(8), address.rsplit_once('@')) {
            (5, _) => address.to_uppercase(),
            (6, Some((name, domain))) => format!("{name}@{}", domain.to_uppercase()),
            (7, _) => format!(" {address}\t"),
            _ => address.to_owned(),
        }
    }

    fn name(&mut self) -> Option<String> {
        let names = [
            "Ann",
            "Bob",
            "Cyd",
            "Dee",
            "e\u{301}",
            "\u{e9}",
            "a  b",
            " A B ",
            "\u{200b}x",
            "x\u{202e}y",
        ];
        match self.below(12) {
            10 => None,
            11 => Some("x".repeat(self.one_of(&[65, 300]))),
            at => Some(names[at].to_owned()),
        }
    }

    fn limit(&mut self, numbers: &[u32]) -> Limit {
        match self.below(4) {
            3 => Limit::Off,
            _ => Limit::AtMost(self.one_of(numbers)),
        }
    }
}

/// Both directories and the settings.
pub fn world() -> impl Strategy<Value = World> {
    let dice = any::<u128>;
    (
        vec(dice(), 0..MOST_PEOPLE),
        vec(dice(), 0..3),
        vec(dice(), 1..5),
        (dice(), dice(), dice()),
    )
        .prop_map(|(people, strangers, mappings, (rules, lifted, odd))| {
            let mut world = empty();
            for path in KEYCLOAK_GROUPS {
                world.groups.entry(path.to_owned()).or_default();
            }
            for mapping in mappings {
                map_groups(&mut world, &mut Dice(mapping));
            }
            set_rules(&mut world, &mut Dice(rules));
            set_overrides(&mut world, &mut Dice(lifted));
            for (number, person) in people.into_iter().enumerate() {
                add_person(&mut world, number, &mut Dice(person));
            }
            for (number, stranger) in strangers.into_iter().enumerate() {
                let mut dice = Dice(stranger);
                let address = dice.address();
                add_account(&mut world, id(0x900 + number), &address, &mut dice);
            }
            be_odd(&mut world, &mut Dice(odd));
            world
        })
}

fn map_groups(world: &mut World, dice: &mut Dice) {
    let (keycloak, azure) = (dice.one_of(&KEYCLOAK_GROUPS), dice.one_of(&AZURE_GROUPS));
    let mappings = &world.settings.mappings;
    if mappings
        .iter()
        .any(|mapping| mapping.keycloak.as_str() == keycloak && mapping.azure == azure)
    {
        return;
    }
    let mapping = world.map(keycloak, azure);
    mapping.subgroups = dice.one_in(2);
    mapping.removals = match dice.below(7) {
        0..=3 => RemovalPolicy::All,
        4 | 5 => RemovalPolicy::Known,
        _ => RemovalPolicy::None,
    };
    mapping.allow_empty = dice.one_in(2);
}

fn set_rules(world: &mut World, dice: &mut Dice) {
    use MatchAttribute::{Mail, OtherMails, ProxyAddresses, UserPrincipalName};
    let settings = &mut world.settings;
    let users = &mut settings.users;
    users.match_by = match dice.below(9) {
        0..=3 => vec![Mail, UserPrincipalName, OtherMails, ProxyAddresses],
        4 => vec![ProxyAddresses, OtherMails, UserPrincipalName, Mail],
        5 => vec![UserPrincipalName, OtherMails],
        6 => vec![OtherMails, Mail],
        7 => vec![Mail],
        _ => vec![OtherMails],
    };
    users.email_domains = dice
        .one_of(&EMAIL_DOMAINS)
        .iter()
        .map(|(keycloak, azure)| ((*keycloak).to_owned(), (*azure).to_owned()))
        .collect();
    users.user_type = dice.one_of(&[Some(UserType::Member), Some(UserType::Guest), None]);
    users.update = dice.one_of(&[UpdatePolicy::Invited, UpdatePolicy::All, UpdatePolicy::None]);
    let template = dice.one_of(&[
        "{first_name} {last_name}",
        "{last_name}, {first_name}",
        "{username}",
        "{email} (Acme)",
    ]);
    users.display_name = DisplayNameTemplate::parse(template).unwrap();
    if dice.one_in(3) {
        users.disabled = DisabledPolicy::Keep;
    }
    if dice.one_in(3) {
        users.unverified_email = UnverifiedPolicy::Skip;
    }
    if dice.one_in(6) {
        settings.invitations.allowed_domains =
            vec!["partner.example".to_owned(), "new.example".to_owned()];
    }
    settings.federation = match dice.below(5) {
        0..=2 => FederationSetting::Auto,
        3 => FederationSetting::None,
        _ => FederationSetting::Expected,
    };
    settings.limits = Limits {
        removals: dice.limit(&[5, 2, 1, 0, 50]),
        removals_percent: dice.limit(&[20, 50, 100, 0]),
        invitations: dice.limit(&[100, 1, 0]),
    };
}

fn set_overrides(world: &mut World, dice: &mut Dice) {
    let overrides = &mut world.overrides;
    overrides.max_removals = dice.rarely(7, |dice| dice.limit(&[3, 1, 0]));
    overrides.max_removals_percent = dice.rarely(7, |dice| dice.limit(&[50, 0]));
    overrides.max_invitations = dice.rarely(7, |dice| dice.limit(&[3, 0]));
    for names in [&mut overrides.allow_empty, &mut overrides.without_witness] {
        let name = dice.rarely(7, |dice| dice.one_of(&AZURE_GROUPS).to_owned());
        names.extend(name);
    }
}

/// The id of the account of the person with this number.
fn account_of(number: usize) -> ObjectId {
    id(0x800 + number)
}

fn add_person(world: &mut World, number: usize, dice: &mut Dice) {
    let own = format!("p{number}@partner.example");
    let email = match dice.below(14) {
        0..=5 => Some(own.clone()),
        6..=11 => Some(dice.address()),
        12 => Some(
            dice.one_of(&["x", "@partner.example", "ann@", "@"])
                .to_owned(),
        ),
        _ => None,
    };
    let username = if dice.one_in(20) {
        format!("service-account-p{number}")
    } else {
        format!("p{number}")
    };
    let person = world.person(&username);
    person.email.clone_from(&email);
    person.enabled = !dice.one_in(5);
    person.email_verified = !dice.one_in(6);
    person.provider = dice.rarely(3, |dice| dice.one_of(&PROVIDERS).parse().unwrap());
    person.locked_out = person.enabled && dice.one_in(8);
    person.first_name = dice.name();
    person.last_name = dice.name();
    for path in dice.some_of(&KEYCLOAK_GROUPS) {
        world.join(&username, path);
    }
    if dice.below(4) < 3 {
        let mut address = email.as_deref().unwrap_or(&own).trim().to_owned();
        if dice.below(5) < 4
            && let Some((name, domain)) = address.rsplit_once('@')
            && let Some(domain) = world.settings.users.email_domains.get(domain)
        {
            address = format!("{name}@{domain}");
        }
        add_account(world, account_of(number), &address, dice);
    }
}

/// Where an account carries an address.
#[derive(Debug, Clone, Copy)]
pub enum Place {
    Mail,
    OtherMails,
    Name,
    GuestName,
    PrimaryProxyAddress,
    ProxyAddress,
    /// An address of a kind that is no mail.
    X500,
}

const PLACES: [Place; 8] = [
    Place::Mail,
    Place::Mail,
    Place::OtherMails,
    Place::Name,
    Place::GuestName,
    Place::PrimaryProxyAddress,
    Place::ProxyAddress,
    Place::X500,
];

fn add_account(world: &mut World, id: ObjectId, address: &str, dice: &mut Dice) {
    let mut account = Account {
        id: id.clone(),
        user_principal_name: format!("u{id}@acme.onmicrosoft.com"),
        mail: None,
        other_mails: Vec::new(),
        proxy_addresses: Vec::new(),
        display_name: dice.name(),
        given_name: None,
        surname: dice.name(),
        user_type: dice.one_of(&[Some(UserType::Member), Some(UserType::Guest), None]),
        created_by_invitation: !dice.one_in(4),
        created: None,
        pending: dice.one_in(2),
        enabled: true,
        on_premises: dice.one_in(10),
    };
    let address = dice.typed(address);
    for group in dice.some_of(&AZURE_GROUPS) {
        if let Some(group) = world.azure.get_mut(group) {
            group.members.insert(id.clone());
        }
    }
    if dice.one_in(4) {
        carry(&mut account, dice.one_of(&PLACES), &dice.address());
    }
    let mut places = dice.some_of(&PLACES);
    if places.is_empty() {
        // As Entra does for an invitation.
        places = vec![
            Place::Mail,
            Place::OtherMails,
            Place::GuestName,
            Place::PrimaryProxyAddress,
        ];
    }
    for place in places {
        carry(&mut account, place, &address);
    }
    world.accounts.insert(id, account);
}

fn carry(account: &mut Account, place: Place, address: &str) {
    let bare = address.trim();
    match place {
        Place::Mail => account.mail = Some(address.to_owned()),
        Place::OtherMails => account.other_mails.push(address.to_owned()),
        Place::Name => bare.clone_into(&mut account.user_principal_name),
        Place::GuestName => {
            account.user_principal_name =
                format!("{}#EXT#@acme.onmicrosoft.com", bare.replace('@', "_"));
        }
        Place::PrimaryProxyAddress => account.proxy_addresses.push(format!("SMTP:{bare}")),
        Place::ProxyAddress => account.proxy_addresses.push(format!("smtp:{bare}")),
        Place::X500 => account.proxy_addresses.push(format!("X500:{bare}")),
    }
}

/// What is rare: protected accounts, groups that cannot be managed, names that collide, a chosen scope, silent providers.
fn be_odd(world: &mut World, dice: &mut Dice) {
    let number = dice.below(MOST_PEOPLE);
    let name_of = |world: &World| {
        let account = world.accounts.get(&account_of(number));
        account.map(|account| account.user_principal_name.clone())
    };
    let protected = match dice.below(12) {
        8 => Some(dice.address()),
        9 => Some(format!("p{number}@partner.example")),
        10 => name_of(world),
        11 => Some(account_of(number).to_string()),
        _ => None,
    };
    // As the configuration reads them, and no others than it takes.
    let is_taken =
        |entry: &String| entry.parse::<Address>().is_ok() || entry.parse::<ObjectId>().is_ok();
    world.settings.protected = protected
        .iter()
        .filter(|entry| is_taken(entry))
        .map(|entry| fold(entry))
        .collect();
    world.may_manage_role_assignable = dice.one_in(2);
    let is_hampered = dice.one_in(5);
    if let Some(group) = world.azure.get_mut(dice.one_of(&AZURE_GROUPS)) {
        group.other_members = dice.one_of(&[0, 0, 3]);
        match dice.below(4) {
            _ if !is_hampered => {}
            0 => group.dynamic = true,
            1 => group.on_premises = true,
            2 => group.mail_enabled = true,
            _ => group.role_assignable = true,
        }
    }
    if dice.one_in(10) {
        world.call("C", "A");
    }
    if dice.one_in(10) {
        // As the Keycloak group of a mapping is called.
        world.call("B", "c");
    }
    world.components = dice.one_in(2).then(|| {
        let people = world.people.values();
        let seen = people.filter_map(|person| person.provider.clone());
        let silent = dice.rarely(10, |_| "silent".parse().unwrap());
        let providers: std::collections::BTreeSet<_> = seen.chain(silent).collect();
        let named = providers.into_iter().map(|id| FederationProvider {
            name: id.as_str().to_uppercase(),
            id,
        });
        named.collect()
    });
    if dice.one_in(5) {
        choose(world, &dice.some_of(&AZURE_GROUPS));
    }
}

/// Sets the scope that `--group` sets for those of these words that mean a group.
fn choose(world: &mut World, words: &[&str]) {
    let entra = world.entra();
    let mapped = with_azure(&world.settings.mappings, &entra);
    let names = GroupNames::of_mappings(&mapped);
    let meaning = words.iter().filter(|word| !names.meant(word).is_empty());
    let words: Vec<String> = meaning.map(ToString::to_string).collect();
    world.scope = choose_scope(&words, &world.settings, &entra).unwrap();
}

/// What happens to the directories between a review and an apply.
#[derive(Debug, Clone)]
pub enum Drift {
    Join(usize, usize),
    Leave(usize, usize),
    Delete(usize),
    SwitchOffOrOn(usize),
    AnotherAddress(usize, String),
    AnotherName(usize),
    AccountGone(usize),
    AccountRenamed(usize),
    AccountGets(usize, Place, String),
    /// Somebody else invited the person.
    Invited(usize),
    Added(usize, usize),
    Removed(usize, usize),
    Protected(usize),
    Unmanageable(usize),
    RemovalsForbidden,
    Unmapped(usize),
    NewPerson(String, usize),
}

/// Some of what can happen.
pub fn drift() -> impl Strategy<Value = Vec<Drift>> {
    let number = || any::<prop::sample::Index>().prop_map(|index| index.index(1000));
    let group = || 0..KEYCLOAK_GROUPS.len();
    let address = || any::<u128>().prop_map(|number| Dice(number).address());
    let place = || select(&PLACES[..]);
    let one = prop_oneof![
        2 => (number(), group()).prop_map(|(person, group)| Drift::Join(person, group)),
        2 => (number(), group()).prop_map(|(person, group)| Drift::Leave(person, group)),
        1 => number().prop_map(Drift::Delete),
        2 => number().prop_map(Drift::SwitchOffOrOn),
        2 => (number(), address()).prop_map(|(person, address)| Drift::AnotherAddress(person, address)),
        1 => number().prop_map(Drift::AnotherName),
        1 => number().prop_map(Drift::AccountGone),
        1 => number().prop_map(Drift::AccountRenamed),
        2 => (number(), place(), address()).prop_map(|(account, place, address)| Drift::AccountGets(account, place, address)),
        2 => number().prop_map(Drift::Invited),
        1 => (number(), number()).prop_map(|(account, group)| Drift::Added(account, group)),
        1 => (number(), number()).prop_map(|(account, group)| Drift::Removed(account, group)),
        1 => number().prop_map(Drift::Protected),
        1 => number().prop_map(Drift::Unmanageable),
        1 => Just(Drift::RemovalsForbidden),
        1 => number().prop_map(Drift::Unmapped),
        1 => (address(), group()).prop_map(|(address, group)| Drift::NewPerson(address, group)),
    ];
    vec(one, 0..5)
}

impl Drift {
    /// Lets it happen, if there is anybody it can happen to.
    pub fn happen(&self, world: &mut World) {
        let pick = |count: usize, number: usize| (count > 0).then(|| number % count);
        let person = |world: &World, number| {
            let at = pick(world.people.len(), number)?;
            world.people.keys().nth(at).cloned()
        };
        let account = |world: &World, number| {
            let at = pick(world.accounts.len(), number)?;
            world.accounts.keys().nth(at).cloned()
        };
        let azure = |world: &World, number| {
            let at = pick(world.azure.len(), number).unwrap();
            world.azure.keys().nth(at).cloned().unwrap()
        };
        match self {
            Self::Join(number, group) => {
                if let Some(person) = person(world, *number) {
                    world.join(&person, KEYCLOAK_GROUPS[*group]);
                }
            }
            Self::Leave(number, group) => {
                if let Some(person) = person(world, *number) {
                    world.leave(&person, KEYCLOAK_GROUPS[*group]);
                }
            }
            Self::Delete(number) => {
                if let Some(person) = person(world, *number) {
                    world.delete(&person);
                }
            }
            Self::SwitchOffOrOn(number) => {
                if let Some(person) = person(world, *number) {
                    world.person(&person).enabled ^= true;
                }
            }
            Self::AnotherAddress(number, address) => {
                if let Some(person) = person(world, *number) {
                    world.person(&person).email = Some(address.clone());
                }
            }
            Self::AnotherName(number) => {
                if let Some(person) = person(world, *number) {
                    world.person(&person).last_name = Some("Another".to_owned());
                }
            }
            Self::AccountGone(number) => {
                if let Some(account) = account(world, *number) {
                    world.delete_account(&account);
                }
            }
            Self::AccountRenamed(number) => {
                if let Some(account) = account(world, *number) {
                    world.accounts.get_mut(&account).unwrap().surname = Some("Renamed".to_owned());
                }
            }
            Self::AccountGets(number, place, address) => {
                if let Some(account) = account(world, *number) {
                    carry(world.accounts.get_mut(&account).unwrap(), *place, address);
                }
            }
            Self::Invited(number) => {
                let email = person(world, *number)
                    .and_then(|person| world.people[&person].email.clone())
                    .and_then(|email| email.parse().ok());
                if let Some(email) = email {
                    world.invited(&email);
                }
            }
            Self::Added(number, group) => {
                if let Some(account) = account(world, *number) {
                    world.add_member(&account, &azure(world, *group));
                }
            }
            Self::Removed(number, group) => {
                if let Some(account) = account(world, *number) {
                    let group = azure(world, *group);
                    world
                        .azure
                        .get_mut(&group)
                        .unwrap()
                        .members
                        .remove(&account);
                }
            }
            Self::Protected(number) => {
                if let Some(account) = account(world, *number) {
                    world.settings.protected.push(account.to_string());
                }
            }
            Self::Unmanageable(group) => {
                let group = azure(world, *group);
                world.azure.get_mut(&group).unwrap().dynamic = true;
            }
            Self::RemovalsForbidden => {
                for mapping in &mut world.settings.mappings {
                    mapping.removals = RemovalPolicy::None;
                }
            }
            Self::Unmapped(number) => {
                let mappings = &mut world.settings.mappings;
                if !mappings.is_empty() {
                    mappings.remove(number % mappings.len());
                }
                if mappings.is_empty() {
                    world.scope = None;
                }
            }
            Self::NewPerson(address, group) => {
                world.person("new").email = Some(address.clone());
                world.join("new", KEYCLOAK_GROUPS[*group]);
            }
        }
    }
}

/// What Keycloak may answer instead of the truth.
#[derive(Debug, Clone)]
pub struct Trouble {
    /// A provider that is out of order, and in which of the three phases: the first reading, the look-ups, the second reading.
    pub outage: Option<(usize, Outage, [bool; 3])>,
    /// Whose rows are missing from the first reading, and whose from the second: a size limit, fine-grained permissions.
    pub missing: [Vec<usize>; 2],
}

/// How a provider that is out of order looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outage {
    /// Lists lack its people, and asked about one, Keycloak knows nobody.
    Unknown,
    /// Lists lack its people, and asked about one, Keycloak names no group.
    InNoGroup,
    /// Lists lack its people, and asked about one, Keycloak finds them and then does not.
    Vanishing,
    /// Its people are shown as disabled, in lists and when asked about.
    Disabled,
}

/// Answers that are not the truth.
pub fn trouble() -> impl Strategy<Value = Trouble> {
    let kind = select(
        &[
            Outage::Unknown,
            Outage::InNoGroup,
            Outage::Vanishing,
            Outage::Disabled,
        ][..],
    );
    let phases = prop_oneof![
        Just([true; 3]),
        Just([false, true, false]),
        any::<[bool; 3]>()
    ];
    let outage = option::weighted(0.7, (0..PROVIDERS.len(), kind, phases));
    let missing = || vec(0..MOST_PEOPLE, 0..4);
    (outage, missing(), missing()).prop_map(|(outage, first, second)| Trouble {
        outage,
        missing: [first, second],
    })
}

/// Who is locked out keeps the mark of it, and counts as enabled.
fn show_as_disabled(person: &mut Person) {
    person.enabled = person.locked_out;
}

impl Trouble {
    /// Whether the person is one of those whom an outage hides in one of the phases.
    pub fn hides(&self, world: &World, username: &str, phase: usize) -> bool {
        let provider = world.people[username].provider.as_ref();
        self.outage.is_some_and(|(number, _, phases)| {
            phases[phase] && provider.is_some_and(|id| id.as_str() == PROVIDERS[number])
        })
    }

    /// The world as a reading of the lists shows it.
    pub fn as_listed(&self, world: &World, is_second: bool) -> World {
        let mut shown = world.clone();
        let disabled = matches!(self.outage, Some((_, Outage::Disabled, _)));
        for username in world.people.keys() {
            let number = username.trim_start_matches(|letter: char| !letter.is_ascii_digit());
            let lost = self.missing[usize::from(is_second)]
                .iter()
                .any(|missing| number == missing.to_string());
            // No proof can stand against answers that are all wrong about one person and show everybody else.
            let is_lost = lost && !(is_second && self.hides(world, username, 1));
            let is_hidden = self.hides(world, username, if is_second { 2 } else { 0 });
            if is_hidden && disabled {
                show_as_disabled(shown.person(username));
            }
            if is_lost || is_hidden && !disabled {
                for members in shown.groups.values_mut() {
                    members.remove(username);
                }
            }
        }
        shown
    }

    /// The world as the look-ups show it, and who vanishes while asked about.
    pub fn as_looked_up(&self, world: &World) -> (World, Vec<String>) {
        let mut shown = world.clone();
        let mut vanishing = Vec::new();
        for username in world.people.keys() {
            let Some((_, outage, _)) = self.outage.filter(|_| self.hides(world, username, 1))
            else {
                continue;
            };
            match outage {
                Outage::Unknown => shown.delete(username),
                Outage::InNoGroup => {
                    for members in shown.groups.values_mut() {
                        members.remove(username);
                    }
                }
                Outage::Vanishing => vanishing.push(username.clone()),
                Outage::Disabled => show_as_disabled(shown.person(username)),
            }
        }
        (shown, vanishing)
    }
}
