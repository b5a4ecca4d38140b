//! How many requests a run may take: within a twentieth of what the best strategy takes, at any size.

use std::collections::BTreeMap;

use keycloak_to_azure::sandbox::{RecordedRequest, Service};

use crate::budget::Budget;
use crate::crowd::Crowd;
use crate::program::Stage;

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
