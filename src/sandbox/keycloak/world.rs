//! What the simulated Keycloak holds: plain data that tests, the seed and the state file write and read.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::OnceLock;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::provider::{Provider, ProviderKind, ProviderState};
use super::version::Version;

/// A whole Keycloak.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KeycloakWorld {
    /// The version it answers as.
    pub version: Version,
    /// `http-relative-path`: empty, or `/auth`.
    pub relative_path: String,
    /// What stands in front of it.
    pub proxy: Proxy,
    /// `http-accept-non-normalized-paths`, which undoes the refusals of 26.4.3 and later.
    pub accepts_odd_paths: bool,
    /// The database compares names without regard to letter case (`MySQL` and SQL Server by default).
    pub ignores_case: bool,
    /// Admin calls whose path holds one of these texts are 403, whatever the roles.
    pub forbidden_paths: Vec<String>,
    /// The realms.
    pub realms: Vec<Realm>,
    /// Who is logged in. Not part of the saved state: a restart ends all sessions.
    #[serde(skip)]
    pub sessions: Vec<Session>,
    /// How many sessions there have been, so that no token is issued twice.
    #[serde(skip)]
    pub sessions_begun: u64,
}

impl KeycloakWorld {
    /// The realm of a name.
    pub fn realm(&self, name: &str) -> Option<&Realm> {
        self.realms.iter().find(|realm| realm.name == name)
    }

    /// The realm of a name, to change it.
    pub fn realm_mut(&mut self, name: &str) -> Option<&mut Realm> {
        self.realms.iter_mut().find(|realm| realm.name == name)
    }
}

/// What stands in front of a Keycloak.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proxy {
    /// Nothing.
    #[default]
    None,
    /// A proxy that lets `/realms/` through and answers its own 404 page for `/admin/`, as Keycloak's documentation advises.
    HidesAdmin,
    /// A proxy that redirects everything to https.
    RedirectsToHttps,
}

/// A realm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one that Keycloak has"
)]
pub struct Realm {
    /// Its name, which stands in paths.
    pub name: String,
    /// Whether anybody can log in.
    pub enabled: bool,
    /// `displayName`.
    pub display_name: Option<String>,
    /// Plain HTTP is refused by the token endpoint.
    pub requires_https: bool,
    /// Two people may share an address.
    pub duplicate_emails_allowed: bool,
    /// How long an access token lives, in seconds.
    pub access_token_lifespan: u64,
    /// How long a session lives without being used, in seconds.
    pub session_idle: u64,
    /// Whether Keycloak keeps what it has read of people of a provider (`userCacheEnabled`).
    pub user_cache: bool,
    /// The groups at the top level.
    pub groups: Vec<Group>,
    /// The people, service accounts and people of providers among them.
    pub people: Vec<Person>,
    /// The user federation providers.
    pub providers: Vec<Provider>,
    /// The clients; `admin-cli` exists without being named.
    pub clients: Vec<Client>,
    /// Who is in which group, found when it is first asked for.
    #[serde(skip)]
    pub(super) roll: Roll,
}

/// The places in [`Realm::people`] of the members of each group, by its id. It follows from these: realms are equal whether they have it
/// or not, a copy of a realm finds it anew, and whoever may change who is in which group drops it.
#[derive(Debug, Default)]
pub(super) struct Roll(OnceLock<HashMap<String, Vec<usize>>>);

impl Clone for Roll {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl PartialEq for Roll {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Roll {}

impl Default for Realm {
    fn default() -> Self {
        Self {
            name: String::new(),
            enabled: true,
            display_name: None,
            requires_https: false,
            duplicate_emails_allowed: false,
            access_token_lifespan: 300,
            session_idle: 1800,
            user_cache: true,
            groups: Vec::new(),
            people: Vec::new(),
            providers: Vec::new(),
            clients: Vec::new(),
            roll: Roll::default(),
        }
    }
}

impl Realm {
    /// An empty realm.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..Self::default()
        }
    }

    /// The group of an id, at any depth, and the names from the top level down to it.
    pub(super) fn placed_group(&self, id: &str) -> Option<PlacedGroup<'_>> {
        self.placed_groups()
            .into_iter()
            .find(|placed| placed.group.id == id)
    }

    /// Where in [`Self::people`] those stand who are in the group of an id.
    pub(super) fn places_in(&self, group: &str) -> &[usize] {
        let roll = self.roll.0.get_or_init(|| {
            let mut roll: HashMap<String, Vec<usize>> = HashMap::new();
            for (at, person) in self.people.iter().enumerate() {
                for group in &person.groups {
                    roll.entry(group.clone()).or_default().push(at);
                }
            }
            roll
        });
        roll.get(group).map(Vec::as_slice).unwrap_or_default()
    }

    /// Every group, each before its sub-groups.
    pub(super) fn placed_groups(&self) -> Vec<PlacedGroup<'_>> {
        let mut placed = Vec::new();
        place(&self.groups, None, &mut placed);
        placed
    }

    /// The group of a path (`/teams/platform`), to change it.
    pub fn group_mut(&mut self, path: &str) -> Option<&mut Group> {
        fn find<'a>(groups: &'a mut [Group], path: &str) -> Option<&'a mut Group> {
            for group in groups {
                let Some(rest) = path
                    .strip_prefix('/')
                    .and_then(|path| path.strip_prefix(group.name.as_str()))
                else {
                    continue;
                };
                if rest.is_empty() {
                    return Some(group);
                }
                if let Some(found) = find(&mut group.subgroups, rest) {
                    return Some(found);
                }
            }
            None
        }
        find(&mut self.groups, path)
    }

    /// The id of the group of a path.
    pub fn group_id(&self, path: &str) -> Option<String> {
        self.placed_groups()
            .into_iter()
            .find(|placed| placed.path == path)
            .map(|placed| placed.group.id.clone())
    }

    /// The person of a username.
    pub fn person(&self, username: &str) -> Option<&Person> {
        self.people
            .iter()
            .find(|person| person.username == username)
    }

    /// The person of a username, to change them.
    pub fn person_mut(&mut self, username: &str) -> Option<&mut Person> {
        self.people
            .iter_mut()
            .find(|person| person.username == username)
    }

    /// The provider of an id.
    pub fn provider(&self, id: &str) -> Option<&Provider> {
        self.providers.iter().find(|provider| provider.id == id)
    }

    /// The provider of an id, to change its state.
    pub fn provider_mut(&mut self, id: &str) -> Option<&mut Provider> {
        self.providers.iter_mut().find(|provider| provider.id == id)
    }

    /// Forgets what was kept of people of providers (`POST clear-user-cache`).
    pub fn clear_user_cache(&mut self) {
        for person in &mut self.people {
            person.cache = Cache::default();
        }
    }

    /// Empties the user cache if the settings of a provider are no longer those that people were read under.
    pub(super) fn notice_changed_settings(&mut self) {
        let mut changed = false;
        for provider in &mut self.providers {
            let settings = provider.state.settings();
            changed |= settings != provider.read_under;
            provider.read_under = settings;
        }
        if changed {
            self.clear_user_cache();
        }
    }

    /// Deletes a provider and makes it again: its groups keep their ids, every person gets a new one.
    pub fn make_provider_again(&mut self, id: &str) {
        if let Some(provider) = self.provider_mut(id) {
            provider.state = ProviderState::Healthy;
            if provider.kind == ProviderKind::NoImport {
                return;
            }
        }
        for person in &mut self.people {
            if person.provider.as_deref() == Some(id) {
                person.import_again();
            }
        }
    }
}

/// A group and where it stands.
#[derive(Debug, Clone)]
pub(super) struct PlacedGroup<'a> {
    pub group: &'a Group,
    pub path: String,
    pub parent: Option<&'a str>,
}

fn place<'a>(
    groups: &'a [Group],
    parent: Option<(&'a str, &str)>,
    placed: &mut Vec<PlacedGroup<'a>>,
) {
    for group in groups {
        let path = format!("{}/{}", parent.map_or("", |(_, path)| path), group.name);
        placed.push(PlacedGroup {
            group,
            path: path.clone(),
            parent: parent.map(|(id, _)| id),
        });
        place(&group.subgroups, Some((&group.id, &path)), placed);
    }
}

/// A group.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Group {
    /// Its id.
    pub id: String,
    /// Its name, which may hold anything, slashes too.
    pub name: String,
    /// Its sub-groups.
    pub subgroups: Vec<Group>,
    /// `attributes`.
    pub attributes: BTreeMap<String, Vec<String>>,
    /// Ids of members that its list of members leaves out, as fine-grained permissions do; asked about one of them,
    /// Keycloak still says that they are in the group.
    pub left_out: BTreeSet<String>,
    /// Ids of members that its list of members shows twice (Keycloak issue 19370).
    pub listed_twice: BTreeSet<String>,
}

impl Group {
    /// A group without members.
    pub fn new(id: &str, name: &str) -> Self {
        Self {
            id: id.to_owned(),
            name: name.to_owned(),
            ..Self::default()
        }
    }

    /// The same group with one sub-group more.
    #[must_use]
    pub fn with(mut self, subgroup: Group) -> Self {
        self.subgroups.push(subgroup);
        self
    }
}

/// A user of a realm: of the realm itself or of a provider, or of a client's service account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one that Keycloak has"
)]
pub struct Person {
    /// The id; for people of a [`ProviderKind::NoImport`] provider it is `f:PROVIDER:EXTERNAL-ID`.
    pub id: String,
    /// The name they log in with.
    pub username: String,
    /// The address.
    pub email: Option<String>,
    /// `emailVerified`.
    pub email_verified: bool,
    /// `firstName`.
    pub first_name: Option<String>,
    /// `lastName`.
    pub last_name: Option<String>,
    /// Whether they may log in.
    pub enabled: bool,
    /// When they were made, in milliseconds.
    pub created_timestamp: i64,
    /// `attributes`.
    pub attributes: BTreeMap<String, Vec<String>>,
    /// `requiredActions`.
    pub required_actions: Vec<String>,
    /// The ids of the groups that they are directly in. For people of a [`ProviderKind::Import`] provider that is the copy in
    /// Keycloak's database, which nothing that happens to the LDAP group changes.
    pub groups: BTreeSet<String>,
    /// The id of the provider they come from; `None` for people of the realm itself.
    pub provider: Option<String>,
    /// Whether the provider's directory still holds them.
    pub in_directory: bool,
    /// Whether Keycloak's database holds its copy of them; only for people of a provider that imports.
    pub imported: bool,
    /// How often they were imported anew, each time under a new id.
    pub imports: u32,
    /// What Keycloak has kept of them.
    pub cache: Cache,
    /// The client whose service account this is, by its client id.
    pub service_account_client_id: Option<String>,
    /// The password, for those who log in here.
    pub password: Option<String>,
    /// The one-time code that the next login needs.
    pub otp: Option<String>,
    /// Locked after too many failed logins.
    pub locked: bool,
    /// Roles by the client that they belong to: `realm-management` → `view-users`.
    pub client_roles: BTreeMap<String, BTreeSet<String>>,
    /// Roles of the realm.
    pub realm_roles: BTreeSet<String>,
}

impl Default for Person {
    fn default() -> Self {
        Self {
            id: String::new(),
            username: String::new(),
            email: None,
            email_verified: false,
            first_name: None,
            last_name: None,
            enabled: true,
            created_timestamp: 1_700_000_000_000,
            attributes: BTreeMap::new(),
            required_actions: Vec::new(),
            groups: BTreeSet::new(),
            provider: None,
            in_directory: true,
            imported: true,
            imports: 0,
            cache: Cache::default(),
            service_account_client_id: None,
            password: None,
            otp: None,
            locked: false,
            client_roles: BTreeMap::new(),
            realm_roles: BTreeSet::new(),
        }
    }
}

impl Person {
    /// An enabled person with names and without an address.
    pub fn new(id: &str, username: &str, first_name: &str, last_name: &str) -> Self {
        Self {
            id: id.to_owned(),
            username: username.to_owned(),
            first_name: Some(first_name.to_owned()),
            last_name: Some(last_name.to_owned()),
            ..Self::default()
        }
    }

    /// The user of a client's service account.
    pub fn service_account(id: &str, client_id: &str) -> Self {
        Self {
            id: id.to_owned(),
            username: format!("service-account-{client_id}"),
            service_account_client_id: Some(client_id.to_owned()),
            ..Self::default()
        }
    }

    /// The same person with a verified address.
    #[must_use]
    pub fn with_email(mut self, email: &str) -> Self {
        self.email = Some(email.to_owned());
        self.email_verified = true;
        self
    }

    /// The same person in one group more.
    #[must_use]
    pub fn in_group(mut self, id: &str) -> Self {
        self.groups.insert(id.to_owned());
        self
    }

    /// The same person, coming from a provider.
    #[must_use]
    pub fn from_provider(mut self, id: &str) -> Self {
        self.provider = Some(id.to_owned());
        self
    }

    /// The same person with a password.
    #[must_use]
    pub fn with_password(mut self, password: &str) -> Self {
        self.password = Some(password.to_owned());
        self
    }

    /// The same person with one role more of a client.
    #[must_use]
    pub fn with_role(mut self, client: &str, role: &str) -> Self {
        self.client_roles
            .entry(client.to_owned())
            .or_default()
            .insert(role.to_owned());
        self
    }

    /// Deletes Keycloak's copy of the person.
    pub(super) fn lose_copy(&mut self) {
        self.imported = false;
        self.cache = Cache::default();
    }

    /// Makes Keycloak's copy of the person anew, under a new id.
    pub(super) fn import_again(&mut self) {
        self.imports += 1;
        let seed = format!("{}/{}", self.username, self.imports);
        self.id = stable_id(&seed);
        self.imported = true;
        self.cache = Cache::default();
    }
}

/// What Keycloak has kept of a person of a provider. It outlives an outage, and what was computed in one outlives that too, but no
/// change of a provider's settings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Cache {
    /// Whether the person is kept, so that nobody has to ask the provider about them.
    pub person: bool,
    /// The ids of their groups, as they were computed.
    pub groups: Option<BTreeSet<String>>,
}

/// A client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one that Keycloak has"
)]
pub struct Client {
    /// `clientId`.
    pub client_id: String,
    /// Its secret; `None` is a public client.
    pub secret: Option<String>,
    /// Whether it may be used.
    pub enabled: bool,
    /// Whether it may log in as its service account.
    pub service_accounts_enabled: bool,
    /// Whether people may log in through it with their password.
    pub direct_access_grants_enabled: bool,
    /// Whether people have to consent first.
    pub consent_required: bool,
    /// Whether its tokens carry every role of whom they are for.
    pub full_scope_allowed: bool,
    /// How long its access tokens live, in seconds, where that differs from the realm.
    pub access_token_lifespan: Option<u64>,
}

impl Default for Client {
    fn default() -> Self {
        Self {
            client_id: String::new(),
            secret: None,
            enabled: true,
            service_accounts_enabled: false,
            direct_access_grants_enabled: false,
            consent_required: false,
            full_scope_allowed: true,
            access_token_lifespan: None,
        }
    }
}

impl Client {
    /// A confidential client with a service account.
    pub fn with_service_account(client_id: &str, secret: &str) -> Self {
        Self {
            client_id: client_id.to_owned(),
            secret: Some(secret.to_owned()),
            service_accounts_enabled: true,
            ..Self::default()
        }
    }

    /// The client `admin-cli`, which every realm has.
    pub fn admin_cli() -> Self {
        Self {
            client_id: "admin-cli".to_owned(),
            direct_access_grants_enabled: true,
            ..Self::default()
        }
    }
}

/// Somebody who is logged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The realm.
    pub realm: String,
    /// The id of the person.
    pub person: String,
    /// The client they came through.
    pub client: String,
    /// The tokens that admin calls may carry, and until when.
    pub access_tokens: Vec<(String, Duration)>,
    /// The token that begins the next one, and until when. Service accounts have none.
    pub refresh_token: Option<(String, Duration)>,
    /// The roles that the tokens carry. Through `admin-cli` the person's roles count as they are.
    pub client_roles: BTreeMap<String, BTreeSet<String>>,
    /// The realm roles that the tokens carry.
    pub realm_roles: BTreeSet<String>,
}

/// An id that looks like Keycloak's and depends on nothing but the text.
pub(in crate::sandbox) fn stable_id(text: &str) -> String {
    use sha2::Digest;
    let digest = sha2::Sha256::digest(text.as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    uuid::Builder::from_random_bytes(bytes)
        .into_uuid()
        .to_string()
}
