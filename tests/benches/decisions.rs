//! The decisions alone, by the number of people: no network and no files. The baseline is a copy of the data.

#![allow(missing_docs, reason = "a benchmark has no callers")]
#![expect(
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "it prints figures, which need not be exact to the last place"
)]

#[path = "../crowd/mod.rs"]
mod crowd;

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput};
use keycloak_to_azure::config::Config;
use keycloak_to_azure::diff::draft;
use keycloak_to_azure::mapping::{Inputs, mapped_groups};
use keycloak_to_azure::matching::match_people;
use keycloak_to_azure::model::UserType;
use keycloak_to_azure::plan::Overrides;
use keycloak_to_azure::removal::Proofs;
use keycloak_to_azure::sandbox::World;
use keycloak_to_azure::settings::Settings;
use keycloak_to_azure::snapshot::{
    Account, EntraGroup, EntraSnapshot, KeycloakGroup, KeycloakSnapshot, Person, Tenant,
};
use serde::Deserialize;

use crowd::Crowd;

const SIZES: [Crowd; 3] = [crowd(1_000, 10), crowd(10_000, 100), crowd(100_000, 1_000)];

const fn crowd(people: usize, groups: usize) -> Crowd {
    Crowd {
        people,
        groups,
        memberships: 5,
    }
}

/// Both directories, as they look once they are read.
#[derive(Clone)]
struct Snapshots {
    keycloak: KeycloakSnapshot,
    entra: EntraSnapshot,
}

impl Snapshots {
    fn of(world: &World) -> Self {
        let realm = world.keycloak.realms.first().expect("there is a realm");
        let mut members: BTreeMap<&str, Vec<Arc<Person>>> = BTreeMap::new();
        for person in &realm.people {
            let row = Arc::new(Person {
                id: person.id.parse().expect("an id"),
                username: person.username.clone(),
                email: person.email.clone(),
                email_verified: person.email_verified,
                first_name: person.first_name.clone(),
                last_name: person.last_name.clone(),
                enabled: person.enabled,
                locked_out: false,
                provider: None,
            });
            for group in &person.groups {
                members.entry(group).or_default().push(Arc::clone(&row));
            }
        }
        let groups = realm.groups.iter().map(|group| {
            let path = format!("/{}", group.name).parse().expect("a path");
            let members = members.remove(group.id.as_str()).unwrap_or_default();
            let group = KeycloakGroup {
                id: group.id.parse().expect("an id"),
                path,
                members,
                subgroups: Vec::new(),
            };
            (group.path.clone(), group)
        });
        let keycloak = KeycloakSnapshot {
            groups: groups.collect(),
            components: Some(Vec::new()),
        };
        let groups: Vec<EntraGroup> = world
            .entra
            .groups
            .values()
            .map(|group| EntraGroup {
                id: group.id.parse().expect("an id"),
                name: group.display_name.clone(),
                dynamic: false,
                on_premises: false,
                mail_enabled: false,
                role_assignable: false,
                members: group
                    .members
                    .iter()
                    .map(|id| id.parse().expect("an id"))
                    .collect(),
                other_members: 0,
            })
            .collect();
        let accounts = world.entra.users.values().map(|user| Account {
            id: user.id.parse().expect("an id"),
            user_principal_name: user.user_principal_name.clone(),
            mail: user.mail.clone(),
            other_mails: user.other_mails.clone(),
            proxy_addresses: user.proxy_addresses.clone(),
            display_name: user.display_name.clone(),
            given_name: user.given_name.clone(),
            surname: user.surname.clone(),
            user_type: Some(UserType::Member),
            created_by_invitation: true,
            created: None,
            pending: false,
            enabled: true,
            on_premises: false,
        });
        let entra = EntraSnapshot {
            tenant: Tenant {
                id: world.entra.tenant_id.parse().expect("an id"),
                name: world.entra.tenant_name.clone(),
                verified_domains: world.entra.verified_domains.iter().cloned().collect(),
            },
            resolved: groups
                .iter()
                .map(|group| (group.name.clone(), group.id.clone()))
                .collect(),
            accounts: accounts.collect(),
            groups,
            may_manage_role_assignable: false,
        };
        Self { keycloak, entra }
    }
}

fn settings(crowd: Crowd) -> Settings {
    let text = crowd.configuration("http://127.0.0.1:1", "http://127.0.0.1:2");
    let config = Config::parse(text.as_bytes(), "config.yaml", |_| None);
    config.expect("a configuration").settings
}

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .configure_from_args();
    let overrides = Overrides::default();
    for crowd in SIZES {
        let (snapshots, settings) = (Snapshots::of(&crowd.settled()), settings(crowd));
        let inputs = || Inputs {
            settings: &settings,
            overrides: &overrides,
            scope: None,
            keycloak: &snapshots.keycloak,
            entra: &snapshots.entra,
        };
        let mut measure = |name: &str, what: &dyn Fn()| {
            let mut group = criterion.benchmark_group(name);
            group.throughput(Throughput::Elements(crowd.people as u64));
            let id = BenchmarkId::from_parameter(crowd.people);
            group.bench_function(id, |bencher| bencher.iter(what));
            group.finish();
        };
        measure("copying the snapshots", &|| {
            black_box(snapshots.clone());
        });
        let groups = mapped_groups(&inputs());
        measure("matching", &|| {
            black_box(match_people(&inputs(), &groups));
        });
        measure("matching and diff", &|| {
            black_box(draft(inputs()).decide(&Proofs::default()));
        });
    }
    criterion.final_summary();
    for name in ["copying the snapshots", "matching", "matching and diff"] {
        summarize(name);
    }
}

/// Prints how the time grows, and how it compares with the baseline.
fn summarize(name: &str) {
    let time = |name: &str, crowd: &Crowd| mean(name, crowd.people);
    let [_, middle, large] = &SIZES;
    let (Some(before), Some(after)) = (time(name, middle), time(name, large)) else {
        return;
    };
    let power = (after / before).ln() / (large.people as f64 / middle.people as f64).ln();
    let ratio = time("copying the snapshots", large).map_or(0.0, |baseline| after / baseline);
    println!(
        "{name}: {:.0} ms for {} people, {ratio:.1} of a copy; from {} on it grows with the power {power:.2}",
        after / 1e6,
        large.people,
        middle.people
    );
}

/// The mean that criterion has written down, in nanoseconds.
fn mean(name: &str, people: usize) -> Option<f64> {
    #[derive(Deserialize)]
    struct Estimates {
        mean: Estimate,
    }
    #[derive(Deserialize)]
    struct Estimate {
        point_estimate: f64,
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    let file = Path::new(&target)
        .join("criterion")
        .join(name)
        .join(people.to_string())
        .join("new/estimates.json");
    let estimates: Estimates = serde_json::from_slice(&std::fs::read(file).ok()?).ok()?;
    Some(estimates.mean.point_estimate)
}
