//! How many requests a run may take: within a twentieth of what the best strategy takes, at any size, and so many at once.

use std::collections::{BTreeMap, BTreeSet};

use keycloak_to_azure::plan::Change;
use keycloak_to_azure::plan_file;
use keycloak_to_azure::sandbox::keycloak::{ProviderKind, Version};
use keycloak_to_azure::sandbox::{RecordedRequest, Service};

use crate::budget::Budget;
use crate::crowd::Crowd;
use crate::house::{House, LATENCY};
use crate::program::Stage;
use crate::throttling::{newcomers, planned};

/// Requests to Keycloak for whatever the number of groups: where it answers, the login, how many groups there are, the list of them, and
/// the providers.
const HANDFUL: usize = 6;

async fn stage(crowd: Crowd, is_settled: bool) -> Stage {
    let mut world = if is_settled {
        crowd.settled()
    } else {
        crowd.newcomers()
    };
    world.entra.behaviour.quotas.enabled = false;
    let stage = Stage::with(world).await;
    stage
        .configure(&crowd.configuration(&stage.sandbox.keycloak_url(), &stage.sandbox.graph_url()));
    stage
}

/// How many requests arrived at each service since this was last asked.
fn counted(stage: &Stage) -> BTreeMap<Service, usize> {
    let mut counts = BTreeMap::new();
    for RecordedRequest { service, .. } in stage.sandbox.requests() {
        *counts.entry(service).or_default() += 1;
    }
    stage.sandbox.forget_requests();
    counts
}

#[expect(clippy::print_stdout, reason = "the figures are of interest")]
fn assert_within(what: &str, actual: usize, budget: usize) {
    println!("{what}: {actual} requests, of {budget}");
    assert!(
        actual * 20 <= budget * 21,
        "{what}: {actual} requests of {budget}"
    );
}

async fn plans_within_budget(budget: Budget) {
    let Budget { people, groups, .. } = budget;
    let stage = stage(budget.crowd(), true).await;
    let planned = stage.run("plan --out @plan.json --detailed-exitcode").await;
    assert_eq!(planned.status, 0, "{}{}", planned.out, planned.err);
    let counts = counted(&stage);
    let what = format!("plan of {people} people in {groups} groups");
    let in_graph = format!("{what}, Graph");
    assert_within(&in_graph, counts[&Service::Graph], budget.plan);
    let in_keycloak = format!("{what}, Keycloak");
    assert_within(&in_keycloak, counts[&Service::Keycloak], groups + HANDFUL);
}

async fn syncs_within_budget(budget: Budget) {
    let Budget { people, groups, .. } = budget;
    let stage = stage(budget.crowd(), false).await;
    let planned = stage.run("plan --out @plan.json").await;
    assert_eq!(planned.status, 0, "{}", planned.err);
    let planning = counted(&stage);
    let applied = stage.run("apply @plan.json").await;
    assert_eq!(applied.status, 0, "{}{}", applied.out, applied.err);
    let applying = counted(&stage);
    // An apply reads what a plan reads, and then writes.
    let writing = applying[&Service::Graph] - planning[&Service::Graph];
    let what = format!("first sync of {people} people in {groups} groups, Graph");
    assert_within(&what, writing, budget.first_sync);
}

fn of_up_to(people: usize) -> impl Iterator<Item = Budget> {
    Budget::ALL
        .into_iter()
        .filter(move |budget| budget.people <= people)
}

/// The largest are left to the benchmark, for the time that they take without optimisation.
#[tokio::test]
async fn a_plan_without_changes_takes_the_requests_that_it_has_to() {
    for budget in of_up_to(10_000) {
        plans_within_budget(budget).await;
    }
}

#[tokio::test]
async fn a_first_sync_takes_the_requests_that_it_has_to() {
    for budget in of_up_to(1_000) {
        syncs_within_budget(budget).await;
    }
}

#[tokio::test]
async fn a_plan_asks_keycloak_twice_about_whom_it_removes_and_once_more_for_each_group_that_loses_somebody()
 {
    let crowd = Crowd {
        people: 300,
        groups: 10,
        memberships: 3,
    };
    let mut world = crowd.settled();
    for realm in &mut world.keycloak.realms {
        let people = &mut realm.people;
        people.retain(|person| !matches!(person.username.as_str(), "person-1" | "person-2"));
        for person in people {
            match person.username.as_str() {
                "person-0" => person.groups.clear(),
                "person-3" => person.enabled = false,
                _ => {}
            }
        }
    }
    let stage = Stage::with(world).await;
    stage
        .configure(&crowd.configuration(&stage.sandbox.keycloak_url(), &stage.sandbox.graph_url()));
    let planned = stage
        .run("plan --out @plan.json --max-removals off --max-removals off%")
        .await;
    assert_eq!(planned.status, 0, "{}{}", planned.out, planned.err);
    let plan = plan_file::read(&stage.path("plan.json")).unwrap();
    let removals = || {
        plan.changes.iter().filter_map(|change| match change {
            Change::Remove(remove) => Some(remove),
            _ => None,
        })
    };
    let leaving: BTreeSet<_> = removals().map(|remove| &remove.account.id).collect();
    let losing: BTreeSet<_> = removals().map(|remove| &remove.group).collect();
    assert_eq!((leaving.len(), removals().count()), (4, 12));
    let needed = crowd.groups + HANDFUL + losing.len() + 2 * leaving.len();
    assert_eq!(counted(&stage)[&Service::Keycloak], needed);
}

/// How many requests to a service were under way at once, where each takes as long as the others.
fn most_at_once(stage: &Stage, service: Service) -> usize {
    let requests = stage.sandbox.requests();
    let begun = || {
        let to_it = requests.iter().filter(|request| request.service == service);
        to_it.map(|request| request.at)
    };
    let under_way = |moment| {
        let others = begun().filter(|at| *at <= moment && moment < *at + LATENCY);
        others.count()
    };
    begun().map(under_way).max().unwrap_or_default()
}

#[tokio::test]
async fn no_more_requests_are_under_way_at_once_than_are_good_for_the_services() {
    let mut house = House::new(Version::V26_7_4, ProviderKind::ReadOnly);
    for number in 0..300 {
        house.map(&format!("group-{number}"), &format!("acme-group-{number}"));
    }
    let stage = planned(house).await;
    let again = stage.run_patiently("plan --out @again.json").await;
    assert_eq!(again.status, 0, "{}", again.err);
    assert_eq!(most_at_once(&stage, Service::Keycloak), 4);
    assert_eq!(most_at_once(&stage, Service::Graph), 10);

    let stage = planned(newcomers(600)).await;
    let applied = stage.run_patiently("apply @plan.json").await;
    assert_eq!(applied.status, 0, "{}", applied.err);
    let writing = most_at_once(&stage, Service::Graph);
    assert!((2..=10).contains(&writing), "{writing}");
}
