//! The small company that `--sandbox` shows: a realm and a tenant that agree on most people, and differ in one instance of
//! everything that a plan can say.
//!
//! Everybody else is there so that groups have believable sizes and the default limits hold.

use super::World;
use super::graph::{App, EntraWorld, Group as AzureGroup, User};
use super::keycloak::{Client, Group, KeycloakWorld, Person, Realm, Version, stable_id};

const REALM: &str = "acme";
const SYNC_CLIENT: &str = "keycloak-to-azure";
const INITIAL_DOMAIN: &str = "acme.onmicrosoft.com";
const BREAK_GLASS: &str = "break-glass@acme.onmicrosoft.com";

/// Partners on whom both directories agree.
const PARTNERS: [&str; 5] = [
    "Ada Abel",
    "Ben Bauer",
    "Cleo Costa",
    "Dirk Dahl",
    "Ella Egger",
];
/// The same for the platform team, the last three in its core.
const PLATFORM: [&str; 14] = [
    "Fay Fischer",
    "Gus Garcia",
    "Hana Haas",
    "Igor Ivanov",
    "Jana Jung",
    "Karl Keller",
    "Lena Lang",
    "Max Meier",
    "Nora Novak",
    "Otto Olsen",
    "Pia Peters",
    "Quinn Quist",
    "Rosa Rossi",
    "Sven Sand",
];
/// The same for support.
const SUPPORT: [&str; 18] = [
    "Tara Thiel",
    "Udo Ulrich",
    "Vera Vogel",
    "Willem Wolf",
    "Xenia Xu",
    "Yuri Yilmaz",
    "Zita Zimmer",
    "Alma Adler",
    "Boris Berg",
    "Clara Conti",
    "David Duval",
    "Elif Esen",
    "Frida Falk",
    "Gwen Gallo",
    "Hugo Horn",
    "Iris Imhof",
    "Joel Jansson",
    "Kira Kohl",
];

/// Both directories of the company.
pub fn world() -> World {
    World {
        keycloak: keycloak(),
        entra: entra(),
    }
}

/// The configuration that fits the company, for the addresses that a sandbox serves it under.
pub fn config_yaml(keycloak_url: &str, login_url: &str, graph_url: &str) -> String {
    format!(
        "keycloak_url: {keycloak_url}
keycloak_realm: {REALM}
azure_login_url: {login_url}
azure_graph_url: {graph_url}
groups:
  - keycloak: partners
    azure: acme-partners
  - keycloak: /teams/platform
    azure: acme-platform
    subgroups: true
  - keycloak: /support
    azure: acme-support
protected:
  - {BREAK_GLASS}
"
    )
}

fn keycloak() -> KeycloakWorld {
    let mut realm = Realm::new(REALM);
    realm.display_name = Some("Acme".to_owned());
    let group = |name: &str| Group::new(&stable_id(&format!("keycloak group {name}")), name);
    let (partners, platform, core, support) = (
        group("partners"),
        group("platform"),
        group("core"),
        group("support"),
    );
    let ids = [&partners, &platform, &core, &support].map(|group| group.id.clone());
    let [in_partners, in_platform, in_core, in_support] = ids.each_ref().map(String::as_str);
    realm.groups = vec![
        partners,
        group("teams").with(platform.with(core)),
        support,
        group("alumni"),
    ];

    realm.clients = vec![Client::with_service_account(
        SYNC_CLIENT,
        "sandbox-keycloak-secret",
    )];
    let service_account = |client: &str| Person::service_account(&person_id(client), client);
    let sync_roles = |person: Person| {
        person
            .with_role("realm-management", "view-users")
            .with_role("realm-management", "view-realm")
    };
    realm.people = vec![
        sync_roles(service_account(SYNC_CLIENT)),
        sync_roles(person("Azure Sync").with_email("azure-sync@acme.example"))
            .with_password("sandbox-keycloak-password"),
        service_account("ci").in_group(in_platform),
    ];

    let agreed = |names: &[&str], group: &str| -> Vec<Person> {
        let partner = |name: &&str| partner(name).in_group(group);
        names.iter().map(partner).collect()
    };
    realm.people.extend(agreed(&PARTNERS, in_partners));
    let (team, its_core) = PLATFORM.split_at(PLATFORM.len() - 3);
    realm.people.extend(agreed(team, in_platform));
    realm.people.extend(agreed(its_core, in_core));
    realm.people.extend(agreed(&SUPPORT, in_support));

    realm.people.extend([
        // To remove: has left the platform team and is still a partner.
        partner("Bob Braun").in_group(in_partners),
        // To remove: disabled, and not taken out of the group.
        Person {
            enabled: false,
            ..partner("Cyd Cole").in_group(in_support)
        },
        // To invite and to add.
        partner("Dana Diaz").in_group(in_core),
        // To update and to add.
        partner("Eve Ek").in_group(in_platform),
        // To add.
        partner("Hal Hill").in_group(in_support),
        // A problem: no address.
        person("Finn Fox").in_group(in_support),
        // A problem: two accounts have this address.
        partner("Gil Gray").in_group(in_partners),
        // A problem: Entra invites no address with a plus.
        person("Kim Kaya")
            .with_email("kim+acme@partner.example")
            .in_group(in_partners),
        // A colleague with an account of the tenant's own.
        person("Mona Moser")
            .with_email("mona@acme.example")
            .in_group(in_platform),
    ]);

    KeycloakWorld {
        version: Version::default(),
        realms: vec![Realm::new("master"), realm],
        ..KeycloakWorld::default()
    }
}

fn entra() -> EntraWorld {
    let roles = |names: &[&str]| names.iter().map(|&role| role.to_owned()).collect();
    let mut tenant = EntraWorld {
        tenant_id: stable_id("tenant"),
        tenant_name: "Acme".to_owned(),
        initial_domain: INITIAL_DOMAIN.to_owned(),
        verified_domains: vec!["acme.example".to_owned()],
        apps: vec![App {
            client_id: stable_id("app"),
            client_secret: "sandbox-azure-secret".to_owned(),
            roles: roles(&[
                "GroupMember.Read.All",
                "GroupMember.ReadWrite.All",
                "User.Invite.All",
                "User.Read.All",
                "User.ReadWrite.All",
            ]),
            ..App::default()
        }],
        ..EntraWorld::default()
    };

    let agreed = PARTNERS.iter().chain(&PLATFORM).chain(&SUPPORT).copied();
    for name in agreed.chain(["Bob Braun", "Cyd Cole", "Hal Hill", "Gil Gray", "Jon Juhl"]) {
        tenant.insert_user(member(name, &address(name)));
    }
    tenant.insert_user(User {
        user_type: Some("Guest".to_owned()),
        display_name: Some("Eve Ekk".to_owned()),
        surname: Some("Ekk".to_owned()),
        ..member("Eve Ek", &address("Eve Ek"))
    });
    // The second account with the address of Gil Gray, invited from elsewhere and given his address later.
    tenant.insert_user(User {
        mail: Some(address("Gil Gray")),
        ..member("G. Gray", "g.gray@former-partner.example")
    });
    tenant.insert_user(User {
        given_name: Some("Mona".to_owned()),
        surname: Some("Moser".to_owned()),
        ..User::internal(&account_id("Mona Moser"), "mona@acme.example", "Mona Moser")
    });
    tenant.insert_user(User::internal(
        &account_id("break glass"),
        BREAK_GLASS,
        "Break Glass",
    ));

    let ids =
        |names: &[&str]| -> Vec<String> { names.iter().map(|name| account_id(name)).collect() };
    let contractors = AzureGroup::security(
        &stable_id("azure group acme-contractors"),
        "acme-contractors",
    );
    // Jon Juhl is unknown to Keycloak.
    let in_partners = [ids(&PARTNERS), ids(&["Bob Braun", "Gil Gray", "Jon Juhl"])].concat();
    let in_platform = [
        ids(&PLATFORM),
        ids(&["Bob Braun", "Mona Moser", "break glass"]),
        vec![contractors.id.clone()],
    ]
    .concat();
    let in_support = [ids(&SUPPORT), ids(&["Cyd Cole"])].concat();
    tenant.insert_group(contractors);
    for (name, members) in [
        ("acme-partners", in_partners),
        ("acme-platform", in_platform),
        ("acme-support", in_support),
    ] {
        let group = AzureGroup::security(&stable_id(&format!("azure group {name}")), name);
        tenant.insert_group(group.with_members(members.iter().map(String::as_str)));
    }
    tenant
}

/// Somebody in Keycloak who has no address yet.
fn person(name: &str) -> Person {
    let (first_name, last_name) = name.split_once(' ').unwrap_or((name, ""));
    let username = name.to_lowercase().replace(' ', "-");
    Person::new(&person_id(name), &username, first_name, last_name)
}

/// Somebody in Keycloak with an address at the partner company.
fn partner(name: &str) -> Person {
    person(name).with_email(&address(name))
}

/// An invited account that has accepted, is a member and has its person's names.
fn member(name: &str, address: &str) -> User {
    let (given_name, surname) = name.split_once(' ').unwrap_or((name, ""));
    User {
        user_type: Some("Member".to_owned()),
        given_name: Some(given_name.to_owned()),
        surname: Some(surname.to_owned()),
        external_user_state: Some("Accepted".to_owned()),
        external_user_state_changed: Some("2024-03-05T09:30:00Z".to_owned()),
        created: Some("2024-03-04T08:00:00Z".to_owned()),
        ..User::invited(&account_id(name), address, INITIAL_DOMAIN, name)
    }
}

fn address(name: &str) -> String {
    let first_name = name.split(' ').next().unwrap_or(name).to_lowercase();
    format!("{first_name}@partner.example")
}

fn person_id(name: &str) -> String {
    stable_id(&format!("person {name}"))
}

fn account_id(name: &str) -> String {
    stable_id(&format!("account {name}"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn every_mapping_of_its_configuration_exists_on_both_sides() {
        let yaml = config_yaml(
            "http://127.0.0.1:1",
            "http://127.0.0.1:2",
            "http://127.0.0.1:2",
        );
        let config: serde_yaml::Value = serde_yaml::from_str(&yaml).unwrap();
        let World { keycloak, entra } = world();
        let realm = keycloak
            .realm(config["keycloak_realm"].as_str().unwrap())
            .unwrap();
        let mappings = config["groups"].as_sequence().unwrap();
        assert_eq!(mappings.len(), 3);
        for mapping in mappings {
            let path = format!(
                "/{}",
                mapping["keycloak"]
                    .as_str()
                    .unwrap()
                    .trim_start_matches('/')
            );
            assert!(realm.group_id(&path).is_some(), "{path}");
            let name = mapping["azure"].as_str().unwrap();
            let fitting = entra
                .groups
                .values()
                .filter(|group| group.display_name == name);
            assert_eq!(fitting.count(), 1, "{name}");
        }
    }

    #[test]
    fn only_gil_has_an_address_that_two_accounts_have() {
        let mut accounts: BTreeMap<String, usize> = BTreeMap::new();
        for user in world().entra.users.values() {
            *accounts.entry(user.mail.clone().unwrap()).or_default() += 1;
        }
        let doubled: Vec<_> = accounts
            .into_iter()
            .filter(|(_, count)| *count > 1)
            .collect();
        assert_eq!(doubled, [("gil@partner.example".to_owned(), 2)]);
    }

    #[test]
    fn every_member_of_a_group_is_an_object_of_the_tenant() {
        let entra = world().entra;
        for group in entra.groups.values() {
            for id in &group.members {
                assert!(
                    entra.users.contains_key(id) || entra.groups.contains_key(id),
                    "{id}"
                );
            }
        }
    }

    #[test]
    fn no_two_people_share_an_id_or_an_address() {
        let keycloak = world().keycloak;
        let people = &keycloak.realm(REALM).unwrap().people;
        let mut seen = std::collections::BTreeSet::new();
        for person in people {
            assert!(seen.insert(person.id.clone()), "{}", person.username);
            if let Some(email) = &person.email {
                assert!(seen.insert(email.clone()), "{email}");
            }
        }
    }
}
