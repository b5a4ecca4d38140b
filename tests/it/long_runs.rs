//! Runs that take longer than a token lives, on a clock on which hours pass at once.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use keycloak_to_azure::execute::{
    AccountUpdate, Assignment, Directory, Invitation, Invited, Membership, Observer, Recorder,
    StopSignal, WriteError, Written, execute,
};
use keycloak_to_azure::model::{Address, ObjectId};
use keycloak_to_azure::plan::{Add, Change, GroupName, NewMember, Plan};
use keycloak_to_azure::report::{ChangeOutcome, Line, Outcome};
use keycloak_to_azure::sandbox::{Fault, Service, When};
use keycloak_to_azure::snapshot::Account;
use keycloak_to_azure::verify::{Member, Task, Verdict, Verification};

use crate::house::guid;
use crate::program::Stage;
use crate::throttling::{invitations, newcomers, outcomes, planned};

/// Lets every batch take so long.
fn slow_down(stage: &Stage, seconds: u64) {
    stage.sandbox.faults().add(
        When::to(Service::Graph).path("$batch"),
        usize::MAX,
        Fault::Latency(Duration::from_secs(seconds)),
    );
}

/// How many logins there were at a service, and how many requests that it refused for their token.
fn logins(stage: &Stage, service: Service) -> (usize, usize) {
    let requests = stage.sandbox.requests();
    let to_it = || requests.iter().filter(|request| request.service == service);
    (
        to_it()
            .filter(|request| request.path.ends_with("/token"))
            .count(),
        to_it()
            .filter(|request| request.status == Some(401))
            .count(),
    )
}

#[tokio::test]
async fn the_token_of_graph_is_renewed_before_it_expires_however_long_a_run_takes() {
    let stage = planned(newcomers(600)).await;
    slow_down(&stage, 300);
    let begun = stage.clock.now();
    let applied = stage.run_patiently("apply @plan.json").await;
    assert_eq!(applied.status, 0, "{}{}", applied.out, applied.err);
    let took = stage.clock.now() - begun;
    assert!(took > Duration::from_secs(5_000), "{took:?}");
    assert_eq!(logins(&stage, Service::Graph), (2, 0));
    assert_eq!(invitations(&stage), 600);
}

#[tokio::test]
async fn the_token_of_keycloak_is_renewed_while_it_is_read() {
    let mut house = newcomers(20);
    house.realm().access_token_lifespan = 60;
    let stage = planned(house).await;
    stage.sandbox.faults().add(
        When::to(Service::Keycloak),
        usize::MAX,
        Fault::Latency(Duration::from_secs(10)),
    );
    let begun = stage.clock.now();
    let planned = stage.run_patiently("plan --out @again.json").await;
    assert_eq!(planned.status, 0, "{}", planned.err);
    let took = stage.clock.now() - begun;
    assert!(took > Duration::from_secs(60), "{took:?}");
    let (fetched, refused) = logins(&stage, Service::Keycloak);
    assert!(fetched > 1, "{fetched} in {took:?}");
    assert_eq!(refused, 0);
}

#[tokio::test]
async fn a_secret_that_is_withdrawn_during_a_run_stops_it_with_a_reason_and_the_next_one_finishes()
{
    let mut house = newcomers(600);
    house.world.entra.behaviour.login.lifetime = Duration::from_secs(1_000);
    let stage = planned(house).await;
    slow_down(&stage, 100);
    stage.sandbox.faults().change_world(
        When::to(Service::Graph).path("$batch").from(20),
        |world| {
            world.entra.apps[0].client_secret = "another".to_owned();
        },
    );
    let applied = stage.run_patiently("apply @plan.json").await;
    assert_eq!(applied.status, 4, "{}{}", applied.out, applied.err);
    assert!(
        applied
            .out
            .contains("AZURE_CLIENT_SECRET must hold the secret's value"),
        "{}",
        applied.out
    );
    let ended = outcomes(&stage);
    // What was on its way: batches of twenty invitations and of a hundred additions at most, and a look at two hundred accounts.
    assert!(ended[&Outcome::Failed] <= 780, "{ended:?}");
    assert!(ended[&Outcome::NotAttempted] > 1_400, "{ended:?}");
    assert_eq!(logins(&stage, Service::Graph).1, logins_refused(&stage));

    let mut stage = stage;
    stage.set("AZURE_CLIENT_SECRET", "another");
    let applied = stage.run_patiently("apply @plan.json").await;
    assert_eq!(applied.status, 0, "{}{}", applied.out, applied.err);
    assert_eq!(invitations(&stage), 600);
}

/// The logins that were refused: the only requests that may be.
fn logins_refused(stage: &Stage) -> usize {
    let requests = stage.sandbox.requests();
    let refused = requests.iter().filter(|request| {
        request.service == Service::Graph
            && request.path.ends_with("/token")
            && request.status == Some(401)
    });
    refused.count()
}

/// A directory that takes everything.
struct Willing;

impl Directory for Willing {
    async fn invite(&self, _: &[Invitation]) -> Vec<Result<Invited, WriteError>> {
        Vec::new()
    }

    async fn look(&self, _: &[(ObjectId, Address)]) -> BTreeMap<ObjectId, Result<Account, String>> {
        BTreeMap::new()
    }

    async fn update(&self, _: &[AccountUpdate]) -> Vec<Result<Written, WriteError>> {
        Vec::new()
    }

    async fn add(&self, memberships: &[Membership]) -> Vec<Result<Written, WriteError>> {
        let written = || Written {
            request_id: Some(guid(0xd, 1)),
            attempts: 1,
            was_so_already: false,
        };
        memberships.iter().map(|_| Ok(written())).collect()
    }

    async fn remove(&self, _: &[Membership]) -> Vec<Result<Written, WriteError>> {
        Vec::new()
    }
}

/// Keeps nothing but how much memory the process had when the first and the last line was written.
#[derive(Default)]
struct Scales {
    first: Option<usize>,
    last: usize,
    lines: usize,
}

impl Recorder for Scales {
    fn record(&mut self, lines: &[Line]) -> anyhow::Result<()> {
        self.lines += lines.len();
        self.last = resident();
        self.first.get_or_insert(self.last);
        Ok(())
    }

    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::UNIX_EPOCH
    }
}

impl Observer for Scales {
    fn begin(&mut self, _: usize) {}
    fn advance(&mut self) {}
    fn wrote(&mut self, _: &str) {}
    fn not_done(&mut self, _: &ChangeOutcome, _: &str) {}
}

/// The resident memory of this process, in KiB.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    line.unwrap()
        .split_whitespace()
        .nth(1)
        .unwrap()
        .parse()
        .unwrap()
}

/// A plan that adds so many accounts to a hundred groups.
fn additions(plan: &Plan, number: usize) -> (Plan, Verification) {
    let id = |kind, number| -> ObjectId { guid(kind, number).parse().unwrap() };
    let add = |at: usize| Add {
        group: GroupName {
            id: id(0xa, at % 100),
            name: format!("acme-group-{}", at % 100),
        },
        account: NewMember {
            id: Some(id(0xc, at)),
            email: format!("person-{at}@partner.example").parse().unwrap(),
            display_name: Some(format!("person-{at} Example")),
        },
        because: Vec::new(),
    };
    let adds: Vec<Add> = (0..number).map(add).collect();
    let verdict = |add: &Add| {
        Verdict::Execute(Task::Add {
            group: add.group.id.clone(),
            member: Member::Account(add.account.id.clone().unwrap()),
        })
    };
    let verification = Verification {
        verdicts: adds.iter().map(verdict).collect(),
        members: BTreeMap::new(),
        further_changes: 0,
    };
    let plan = Plan {
        changes: adds.into_iter().map(Change::Add).collect(),
        ..plan.clone()
    };
    (plan, verification)
}

/// Run alone, in a process of its own, with the number of changes in `CHANGES`.
#[tokio::test]
#[ignore = "measures the memory of the whole process"]
async fn what_a_run_keeps_of_a_change_that_is_done_is_little() {
    let stage = planned(newcomers(1)).await;
    let plan = keycloak_to_azure::plan_file::read(&stage.path("plan.json")).unwrap();
    let number = std::env::var("CHANGES").map_or(20_000, |text| text.parse().unwrap());
    let before_plan = resident();
    let (plan, verification) = additions(&plan, number);
    let before = resident();
    let known_accounts = HashSet::new();
    let assignment = Assignment {
        run_id: "0e6d3c3e-6a0c-4c3c-8a49-0f8a1f4f9d55",
        plan: &plan,
        verification: &verification,
        known_accounts: &known_accounts,
        protected: &[],
    };
    let (mut recorder, mut observer) = (Scales::default(), Scales::default());
    let stop = StopSignal::default();
    let outcomes = execute(assignment, &Willing, &mut recorder, &mut observer, &stop)
        .await
        .unwrap();
    assert_eq!(outcomes.len(), number);
    println!(
        "{number} changes: the plan {} KiB, ready to run {} KiB more, and while running {} KiB more ({} lines)",
        before - before_plan,
        recorder.first.unwrap().saturating_sub(before),
        recorder.last.saturating_sub(recorder.first.unwrap()),
        recorder.lines
    );
}
