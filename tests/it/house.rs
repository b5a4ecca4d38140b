//! Worlds for attacks: a realm with a user federation, a tenant that agrees with it, and limits that hide nothing.

use std::fmt::Write;
use std::time::Duration;

use keycloak_to_azure::clock::Clock;
use keycloak_to_azure::plan::{Change, Plan, RemovalReason};
use keycloak_to_azure::plan_file;
use keycloak_to_azure::sandbox::graph::{Group as AzureGroup, User};
use keycloak_to_azure::sandbox::keycloak::{
    Cache, Group, Person, Provider, ProviderKind, ProviderState, Realm, Version,
};
use keycloak_to_azure::sandbox::{Options, World, seed};

use crate::program::Stage;

/// How long every answer takes on virtual time.
pub const LATENCY: Duration = Duration::from_millis(200);

pub const LDAP: &str = "4c0ffee0-0000-4000-8000-000000000001";

/// A world in the making.
pub struct House {
    pub world: World,
    mappings: Vec<(String, String)>,
    /// Lines of the configuration besides the mappings.
    pub settings: String,
    /// `removals` of every mapping.
    pub removals: &'static str,
    /// `allow_empty` of every mapping.
    pub allow_empty: bool,
    people: usize,
    accounts: usize,
}

impl House {
    /// No groups and nobody but the sync account, and a provider that is well.
    pub fn new(version: Version, kind: ProviderKind) -> Self {
        let mut world = seed::world();
        world.keycloak.version = version;
        let realm = world.keycloak.realm_mut("acme").unwrap();
        realm
            .people
            .retain(|person| person.username == "service-account-keycloak-to-azure");
        realm.groups.clear();
        realm.providers.push(Provider {
            patience: Duration::ZERO,
            ..Provider::new(LDAP, "ldap", kind)
        });
        world.entra.users.clear();
        world.entra.groups.clear();
        Self {
            world,
            mappings: Vec::new(),
            settings: "limits: { removals: 1000, removals_percent: 100 }\n".to_owned(),
            removals: "all",
            allow_empty: true,
            people: 0,
            accounts: 0,
        }
    }

    pub fn realm(&mut self) -> &mut Realm {
        self.world.keycloak.realm_mut("acme").unwrap()
    }

    fn kind(&self) -> ProviderKind {
        let realm = self.world.keycloak.realm("acme").unwrap();
        realm.providers.first().unwrap().kind
    }

    /// A group at the top level on the one side, one on the other if there is none yet, and a mapping. The id of the Keycloak
    /// group decides when it is read.
    pub fn map(&mut self, id: &str, azure: &str) {
        self.realm().groups.push(Group::new(id, id));
        self.mapping(id, azure);
    }

    pub fn mapping(&mut self, keycloak: &str, azure: &str) {
        self.mappings.push((keycloak.to_owned(), azure.to_owned()));
        let entra = &mut self.world.entra;
        if !entra
            .groups
            .values()
            .any(|group| group.display_name == azure)
        {
            let id = guid(0xa, entra.groups.len());
            entra.insert_group(AzureGroup::security(&id, azure));
        }
    }

    /// Somebody in Keycloak, with the address `NAME@partner.example`.
    pub fn person(&mut self, name: &str, from_ldap: bool, groups: &[&str]) {
        self.people += 1;
        let id = if from_ldap && self.kind() == ProviderKind::NoImport {
            format!("f:{LDAP}:{name}")
        } else {
            guid(0xb, self.people)
        };
        let mut person =
            Person::new(&id, name, name, "Example").with_email(&format!("{name}@partner.example"));
        for group in groups {
            person = person.in_group(group);
        }
        if from_ldap {
            person = person.from_provider(LDAP);
        }
        self.realm().people.push(person);
    }

    /// The invited account of `NAME@partner.example`, in some groups.
    pub fn account(&mut self, name: &str, groups: &[&str]) -> String {
        self.accounts += 1;
        let id = guid(0xc, self.accounts);
        let address = format!("{name}@partner.example");
        let display_name = format!("{name} Example");
        self.world.entra.insert_user(User {
            user_type: Some("Member".to_owned()),
            given_name: Some(name.to_owned()),
            surname: Some("Example".to_owned()),
            external_user_state: Some("Accepted".to_owned()),
            ..User::invited(&id, &address, "acme.onmicrosoft.com", &display_name)
        });
        for azure in groups {
            self.azure(azure).members.insert(id.clone());
        }
        id
    }

    pub fn azure(&mut self, name: &str) -> &mut AzureGroup {
        let groups = &mut self.world.entra.groups;
        groups
            .values_mut()
            .find(|group| group.display_name == name)
            .unwrap()
    }

    /// A person on whom both sides agree.
    pub fn both(&mut self, name: &str, from_ldap: bool, keycloak: &[&str], azure: &[&str]) {
        self.person(name, from_ldap, keycloak);
        self.account(name, azure);
    }

    pub fn state(&mut self, state: ProviderState) {
        self.realm().provider_mut(LDAP).unwrap().state = state;
    }

    /// What Keycloak's user cache holds of people of the provider.
    pub fn cache(&mut self, cache: Cached) {
        for person in &mut self.realm().people {
            if person.provider.is_some() {
                person.cache = match cached(cache) {
                    (kept, None) => Cache {
                        person: kept,
                        groups: None,
                    },
                    (kept, Some(true)) => Cache {
                        person: kept,
                        groups: Some(person.groups.clone()),
                    },
                    (kept, Some(false)) => Cache {
                        person: kept,
                        groups: Some([].into()),
                    },
                };
            }
        }
    }

    pub async fn stage(self) -> Stage {
        self.stage_with(Options::default()).await
    }

    /// The same on a clock on which hours pass at once, with answers that take a fifth of a second.
    pub async fn stage_on_virtual_time(self) -> Stage {
        let options = Options {
            clock: Clock::of_waits(),
            latency: LATENCY,
            ..Options::default()
        };
        self.stage_with(options).await
    }

    async fn stage_with(self, options: Options) -> Stage {
        let Self {
            world,
            mappings,
            settings,
            removals,
            allow_empty,
            ..
        } = self;
        let stage = Stage::with_options(world, options).await;
        let start = stage.configuration();
        let (connection, _) = start.split_once("groups:").unwrap();
        let mut text = format!("{connection}groups:\n");
        for (keycloak, azure) in mappings {
            let _ = writeln!(
                text,
                "  - {{ keycloak: {keycloak:?}, azure: {azure:?}, subgroups: true, allow_empty: {allow_empty}, removals: {removals} }}"
            );
        }
        stage.configure(&(text + &settings));
        stage
    }
}

/// What Keycloak keeps of people of a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cached {
    /// Nothing.
    Cold,
    /// The people, and not their groups.
    People,
    /// Everything as it is.
    Warm,
    /// The people, and that they are in no group: computed in an earlier outage.
    Poisoned,
}

impl Cached {
    pub const ALL: [Self; 4] = [Self::Cold, Self::People, Self::Warm, Self::Poisoned];
}

fn cached(cache: Cached) -> (bool, Option<bool>) {
    match cache {
        Cached::Cold => (false, None),
        Cached::People => (true, None),
        Cached::Warm => (true, Some(true)),
        Cached::Poisoned => (true, Some(false)),
    }
}

pub fn guid(kind: usize, number: usize) -> String {
    format!("{kind:08x}-0000-4000-8000-{number:012x}")
}

/// The plan of the last run, if it wrote one.
pub fn plan(stage: &Stage) -> Option<Plan> {
    let path = stage.path("plan.json");
    path.exists().then(|| plan_file::read(&path).unwrap())
}

/// Whom the plan of the last run removes from where, and why. Nobody if there is no plan.
pub fn removals(stage: &Stage) -> Vec<(String, String, RemovalReason)> {
    let changes = plan(stage).map(|plan| plan.changes).unwrap_or_default();
    changes
        .into_iter()
        .filter_map(|change| match change {
            Change::Remove(remove) => {
                Some((remove.group.name, remove.account.email, remove.because))
            }
            _ => None,
        })
        .collect()
}
