//! Graph's limits, on a clock on which hours pass at once: nobody presses on, nothing fails for them, and little time is lost.

use std::collections::BTreeMap;
use std::time::Duration;

use keycloak_to_azure::plan::Change;
use keycloak_to_azure::plan_file;
use keycloak_to_azure::report::{Line, Outcome, ReportedOutcome};
use keycloak_to_azure::sandbox::graph::{BindCost, Limit, PerformedCall, PlannedFault, Quotas};
use keycloak_to_azure::sandbox::keycloak::{ProviderKind, Version};
use keycloak_to_azure::sandbox::{Fault, RecordedRequest, Service, When};

use crate::house::{House, LATENCY};
use crate::program::Stage;

/// So many people whom Entra does not know yet, each in three of ten groups.
pub fn newcomers(people: usize) -> House {
    let mut house = House::new(Version::V26_7_4, ProviderKind::ReadOnly);
    "limits: { invitations: off }\n".clone_into(&mut house.settings);
    let groups: Vec<String> = (0..10).map(|number| format!("group-{number}")).collect();
    for group in &groups {
        house.map(group, &format!("acme-{group}"));
    }
    for number in 0..people {
        let of = [0, 1, 3].map(|further| groups[(number + further) % groups.len()].as_str());
        house.person(&format!("person-{number}"), false, &of);
    }
    house
}

/// The stage of such a house, and a plan of it.
pub async fn planned(house: House) -> Stage {
    let stage = house.stage_on_virtual_time().await;
    let planned = stage.run_patiently("plan --out @plan.json").await;
    assert_eq!(planned.status, 0, "{}", planned.err);
    stage.sandbox.forget_requests();
    stage.sandbox.take_calls();
    stage
}

/// What became of the changes of the last run, by outcome.
pub fn outcomes(stage: &Stage) -> BTreeMap<Outcome, usize> {
    let text = std::fs::read_to_string(stage.path("plan.report.jsonl")).unwrap();
    let mut outcomes = BTreeMap::new();
    for line in text.lines() {
        match serde_json::from_str(line).unwrap() {
            Line::Start(_) => outcomes.clear(),
            Line::Outcome(ReportedOutcome { outcome, .. }) => {
                *outcomes.entry(outcome.outcome).or_default() += 1;
            }
            Line::Step(_) | Line::End(_) => {}
        }
    }
    outcomes
}

/// How many invitations Graph accepted.
pub fn invitations(stage: &Stage) -> usize {
    stage
        .sandbox
        .with_world(|world| world.entra.invitations.len())
}

/// What a run took, and what it had to take.
#[derive(Debug)]
struct Measured {
    took: Duration,
    /// By the quotas, with the buckets full at first: `facts/graph-limits.md`.
    floor: Duration,
    writes: u32,
    invitations: u32,
    throttled: usize,
}

impl Measured {
    fn new(took: Duration, calls: &[PerformedCall], quotas: &Quotas) -> Self {
        let went_through = |call: &&PerformedCall| call.status != 429;
        let sum = |cost: fn(&PerformedCall) -> u32| -> u32 {
            calls.iter().filter(went_through).map(cost).sum()
        };
        let time = |cost: u32, limit: Limit| {
            let beyond = cost.saturating_sub(limit.size);
            limit.per.mul_f64(f64::from(beyond) / f64::from(limit.size))
        };
        let (writes, invitations) = (sum(|call| call.writes), sum(|call| call.invitations));
        Self {
            took,
            floor: time(writes, quotas.writes).max(time(invitations, quotas.invitations)),
            writes,
            invitations,
            throttled: calls.iter().filter(|call| call.status == 429).count(),
        }
    }

    fn of_floor(&self) -> f64 {
        self.took.as_secs_f64() / self.floor.as_secs_f64()
    }
}

/// Applies a first sync of so many people, every change of which is done at once.
#[expect(clippy::print_stdout, reason = "the figures are of interest")]
async fn first_sync(people: usize, set: impl FnOnce(&mut House)) -> Measured {
    let mut house = newcomers(people);
    set(&mut house);
    let quotas = house.world.entra.behaviour.quotas.clone();
    let stage = planned(house).await;
    let begun = stage.clock.now();
    let applied = stage.run_patiently("apply @plan.json").await;
    assert_eq!(applied.status, 0, "{}{}", applied.out, applied.err);
    assert_eq!(outcomes(&stage), [(Outcome::Done, 4 * people)].into());
    assert_eq!(invitations(&stage), people);
    let took = stage.clock.now() - begun;
    let measured = Measured::new(took, &stage.sandbox.take_calls(), &quotas);
    let Measured {
        took,
        floor,
        writes,
        invitations,
        throttled,
    } = &measured;
    println!(
        "{people} people: {invitations} invitations and {writes} writes in {:.1} s, {:.3} of the floor of {:.1} s, {throttled} throttled",
        took.as_secs_f64(),
        measured.of_floor(),
        floor.as_secs_f64(),
    );
    measured
}

#[tokio::test]
async fn a_first_sync_takes_little_more_than_the_limits_make_it_take() {
    let measured = first_sync(3_000, |_| {}).await;
    assert!(measured.of_floor() <= 1.15, "{measured:?}");
}

#[tokio::test]
async fn additions_that_cost_what_other_tools_report_take_little_more_than_the_limits_either() {
    let measured = first_sync(3_000, |house| {
        house.world.entra.behaviour.writing.bind_cost = BindCost::ThirdOfMembers;
    })
    .await;
    // Seven for each twenty.
    assert!(measured.writes > 3_000 + 3_000, "{measured:?}");
    assert!(measured.of_floor() <= 1.15, "{measured:?}");
}

#[tokio::test]
async fn a_service_that_says_how_near_its_limits_are_has_to_refuse_less() {
    let told = first_sync(1_000, |_| {}).await;
    let untold = first_sync(1_000, |house| {
        house.world.entra.behaviour.quotas.warn = false;
    })
    .await;
    assert!(
        told.throttled * 4 <= untold.throttled,
        "{told:?} {untold:?}"
    );
    assert!(
        told.took <= untold.took.mul_f64(1.15),
        "{told:?} {untold:?}"
    );
}

/// The batches sent to Graph, in their order.
fn batches(stage: &Stage) -> Vec<RecordedRequest> {
    let requests = stage.sandbox.requests().into_iter();
    requests
        .filter(|request| request.service == Service::Graph && request.path.ends_with("/$batch"))
        .collect()
}

/// The addresses invited by a batch.
fn invited_by(batch: &RecordedRequest) -> Vec<String> {
    let body: serde_json::Value = serde_json::from_slice(&batch.body).unwrap();
    let parts = body["requests"].as_array().unwrap().iter();
    parts
        .filter_map(|part| Some(part["body"]["invitedUserEmailAddress"].as_str()?.to_owned()))
        .collect()
}

/// Refuses the three calls of a kind after the first 45.
fn refused(method: &str, path: &str, retry_after: Option<String>) -> PlannedFault {
    PlannedFault {
        method: Some(method.to_owned()),
        path_contains: path.to_owned(),
        skip: 45,
        times: 3,
        status: 429,
        code: "TooManyRequests".to_owned(),
        message: "Please retry again later.".to_owned(),
        retry_after,
        after_effect: false,
    }
}

/// When the batch with the 46th call of a kind was answered.
fn refused_at(batches: &[RecordedRequest], method: &str, path: &str) -> Duration {
    let call = format!("\"method\":\"{method}\"");
    let mut calls = 0;
    let batch = batches.iter().find(|batch| {
        let body: serde_json::Value = serde_json::from_slice(&batch.body).unwrap();
        let parts = body["requests"].as_array().unwrap().iter();
        let of_kind = parts.filter(|part| {
            part.to_string().contains(&call) && part["url"].as_str().unwrap().contains(path)
        });
        calls += of_kind.count();
        calls > 45
    });
    batch.unwrap().at + LATENCY
}

/// When the first batch arrived that was sent after a moment.
fn next_after(batches: &[RecordedRequest], moment: Duration) -> Duration {
    let later = batches.iter().map(|batch| batch.at);
    later.filter(|at| *at > moment).min().unwrap()
}

#[tokio::test]
async fn after_a_part_was_refused_nobody_sends_anything_until_the_time_is_up_in_whatever_form_it_comes()
 {
    // Updates are refused, and more people are being invited at the same time.
    for form in ["40", "39.5", "date", "none"] {
        let stage = planned(newcomers(600)).await;
        let now = stage.sandbox.now();
        let (retry_after, wait) = stage.sandbox.with_world(|world| {
            let clock_start = world.entra.behaviour.clock_start;
            let date = clock_start
                + jiff::SignedDuration::try_from(now).unwrap()
                + jiff::SignedDuration::from_secs(60);
            let (text, wait) = match form {
                "date" => (
                    Some(date.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()),
                    Duration::from_secs(40),
                ),
                // This program chooses half a second, a quarter more or less.
                "none" => (None, Duration::from_millis(370)),
                text => (
                    Some(text.to_owned()),
                    Duration::from_secs_f64(text.parse().unwrap()),
                ),
            };
            let refused = refused("PATCH", "/users/", text.clone());
            world.entra.faults.push(refused);
            (text, wait)
        });
        let applied = stage.run_patiently("apply @plan.json").await;
        assert_eq!(applied.status, 0, "{}{}", applied.out, applied.err);
        assert_eq!(outcomes(&stage), [(Outcome::Done, 2_400)].into());
        let batches = batches(&stage);
        let told = refused_at(&batches, "PATCH", "/users/");
        let next = next_after(&batches, told);
        assert!(
            next.saturating_sub(told) >= wait,
            "{retry_after:?}: {told:?} {next:?}"
        );
        assert!(
            next.saturating_sub(told) <= wait + Duration::from_secs(20),
            "{retry_after:?}: {told:?} {next:?}"
        );
        if wait > Duration::from_secs(30) {
            assert!(
                applied.err.contains("; Graph is throttling, going on in "),
                "{}",
                applied.err
            );
        }
    }
}

#[tokio::test]
async fn after_a_whole_batch_was_refused_nobody_sends_anything_until_the_time_is_up() {
    let stage = planned(newcomers(600)).await;
    stage.sandbox.faults().add(
        When::to(Service::Graph).body("\"PATCH\"").from(3),
        1,
        Fault::throttled(Some("100")),
    );
    let applied = stage.run_patiently("apply @plan.json").await;
    assert_eq!(applied.status, 0, "{}{}", applied.out, applied.err);
    let batches = batches(&stage);
    let refused = batches.iter().find(|batch| batch.status == Some(429));
    let told = refused.unwrap().at;
    let next = next_after(&batches, told);
    let waited = next.saturating_sub(told).as_secs_f64();
    assert!((100.0..102.0).contains(&waited), "{waited}");
    assert_eq!(invitations(&stage), 600);
}

#[tokio::test]
async fn a_service_that_never_says_when_is_asked_often_enough_to_get_through() {
    let stage = planned(newcomers(20)).await;
    stage.sandbox.faults().add(
        When::to(Service::Graph).body("/invitations"),
        12,
        Fault::throttled(None),
    );
    let applied = stage.run_patiently("apply @plan.json").await;
    assert_eq!(applied.status, 0, "{}{}", applied.out, applied.err);
}

#[tokio::test]
async fn the_parts_that_were_refused_go_again_and_the_others_do_not() {
    let mut house = newcomers(400);
    house.world.entra.behaviour.quotas.enabled = false;
    let stage = planned(house).await;
    stage.sandbox.with_world(|world| {
        world
            .entra
            .faults
            .push(refused("POST", "/invitations", Some("3".to_owned())));
    });
    assert_eq!(stage.run_patiently("apply @plan.json").await.status, 0);
    let batches = batches(&stage);
    let mut sent: BTreeMap<String, usize> = BTreeMap::new();
    for address in batches.iter().flat_map(invited_by) {
        *sent.entry(address).or_default() += 1;
    }
    let twice: Vec<_> = sent.iter().filter(|(_, times)| **times == 2).collect();
    assert_eq!((sent.len(), twice.len()), (400, 3), "{twice:?}");
    assert_eq!(sent.values().sum::<usize>(), 403);
    assert_eq!(invitations(&stage), 400);
}

#[tokio::test]
async fn beyond_the_longest_wait_the_run_ends_and_says_when_to_come_back_and_the_next_one_finishes()
{
    let stage = planned(newcomers(400)).await;
    stage.sandbox.with_world(|world| {
        world
            .entra
            .faults
            .push(refused("POST", "/invitations", Some("301".to_owned())));
    });
    let begun = stage.clock.now();
    let applied = stage.run_patiently("apply @plan.json").await;
    assert_eq!(applied.status, 4, "{}{}", applied.out, applied.err);
    let said = applied.out.replace("\n  | ", " ");
    assert!(
        said.contains("asks to come back in 301 s; run the same command again then"),
        "{said}"
    );
    assert!(stage.clock.now() - begun < Duration::from_secs(300));
    let ended = outcomes(&stage);
    // Those whose parts were refused, and those of the same moment that then were not sent again.
    assert!(ended[&Outcome::Failed] <= 80, "{ended:?}");
    assert!(ended[&Outcome::NotAttempted] >= 1_520, "{ended:?}");
    let sent = batches(&stage);
    let told = refused_at(&sent, "POST", "/invitations");
    let later = sent.iter().filter(|batch| batch.at > told);
    assert_eq!(later.count(), 0, "somebody went on");

    let applied = stage.run_patiently("apply @plan.json").await;
    assert_eq!(applied.status, 0, "{}{}", applied.out, applied.err);
    assert_eq!(invitations(&stage), 400);
    let plan = plan_file::read(&stage.path("plan.json")).unwrap();
    let adds = plan.changes.iter();
    let adds = adds.filter(|change| matches!(change, Change::Add(_)));
    let members: usize = stage.sandbox.with_world(|world| {
        world
            .entra
            .groups
            .values()
            .map(|group| group.members.len())
            .sum()
    });
    assert_eq!(members, adds.count());
}

#[tokio::test]
async fn keycloak_is_soon_asked_as_often_as_before_it_was_throttled() {
    let mut house = newcomers(5);
    for number in 10..100 {
        house.map(&format!("group-{number}"), &format!("acme-group-{number}"));
    }
    let stage = planned(house).await;
    let took = async || {
        let begun = stage.clock.now();
        let planned = stage.run_patiently("plan --out @again.json").await;
        assert_eq!(planned.status, 0, "{}", planned.err);
        stage.clock.now() - begun
    };
    let undisturbed = took().await;
    stage.sandbox.faults().add(
        When::to(Service::Keycloak).path("/members"),
        1,
        Fault::throttled(Some("1")),
    );
    let disturbed = took().await;
    let lost = disturbed.saturating_sub(undisturbed);
    assert!(lost >= Duration::from_secs(1), "it was throttled: {lost:?}");
    assert!(lost < Duration::from_secs(8), "{lost:?}");
}
