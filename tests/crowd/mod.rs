//! Companies of any size, for budgets and benchmarks: everybody is in the same number of groups, and the groups are equally large.

use std::fmt::Write;

use keycloak_to_azure::sandbox::graph::{Group as AzureGroup, User};
use keycloak_to_azure::sandbox::keycloak::{Group, Person};
use keycloak_to_azure::sandbox::{World, seed};

/// How large a company is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crowd {
    pub people: usize,
    pub groups: usize,
    /// How many groups each person is in.
    pub memberships: usize,
}

impl Crowd {
    /// Both directories, agreeing on everybody.
    pub fn settled(self) -> World {
        let mut world = self.newcomers();
        let entra = &mut world.entra;
        for person in 0..self.people {
            let id = guid(0xc, person);
            for group in self.groups_of(person) {
                if let Some(group) = entra.groups.get_mut(&guid(0xa, group)) {
                    group.members.insert(id.clone());
                }
            }
            let display_name = format!("Ann {}", surname(person));
            entra.insert_user(User {
                user_type: Some("Member".to_owned()),
                given_name: Some("Ann".to_owned()),
                surname: Some(surname(person)),
                external_user_state: Some("Accepted".to_owned()),
                ..User::invited(&id, &address(person), "acme.onmicrosoft.com", &display_name)
            });
        }
        world
    }

    /// Keycloak knows everybody, Entra nobody.
    pub fn newcomers(self) -> World {
        let mut world = seed::world();
        world.entra.users.clear();
        world.entra.groups.clear();
        for group in 0..self.groups {
            let azure = AzureGroup::security(&guid(0xa, group), &azure_name(group));
            world.entra.insert_group(azure);
        }
        for realm in &mut world.keycloak.realms {
            realm.groups = (0..self.groups)
                .map(|group| Group::new(&keycloak_name(group), &keycloak_name(group)))
                .collect();
            realm
                .people
                .retain(|person| person.service_account_client_id.is_some());
            realm.people.extend((0..self.people).map(|number| {
                let name = format!("person-{number}");
                let person = Person::new(&guid(0xb, number), &name, "Ann", &surname(number))
                    .with_email(&address(number));
                self.groups_of(number).fold(person, |person, group| {
                    person.in_group(&keycloak_name(group))
                })
            }));
        }
        world
    }

    /// The configuration that maps every group, without a limit on invitations.
    pub fn configuration(self, keycloak_url: &str, graph_url: &str) -> String {
        let small = seed::config_yaml(keycloak_url, graph_url, graph_url);
        let connection = small.split("groups:").next().unwrap_or_default();
        let mut text = format!("{connection}limits: {{ invitations: off }}\ngroups:\n");
        for group in 0..self.groups {
            let (keycloak, azure) = (keycloak_name(group), azure_name(group));
            let _ = writeln!(text, "  - {{ keycloak: {keycloak}, azure: {azure} }}");
        }
        text
    }

    fn groups_of(self, person: usize) -> impl Iterator<Item = usize> {
        let apart = (self.groups / self.memberships).max(1);
        (0..self.memberships).map(move |number| (person + number * apart) % self.groups)
    }
}

fn keycloak_name(group: usize) -> String {
    format!("group-{group:04}")
}

fn azure_name(group: usize) -> String {
    format!("acme-group-{group:04}")
}

fn surname(person: usize) -> String {
    format!("Abel {person}")
}

fn address(person: usize) -> String {
    format!("person-{person}@partner.example")
}

fn guid(kind: usize, number: usize) -> String {
    format!("{kind:08x}-0000-4000-8000-{number:012x}")
}
