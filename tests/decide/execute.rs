//! How changes are carried out, against a directory that does what a test says.

use std::collections::{BTreeMap, HashSet};
use std::sync::Mutex;

use keycloak_to_azure::execute::{
    AccountUpdate, Assignment, Directory, Invitation, Invited, Membership, Observer, Recorder,
    StopSignal, WriteError, WriteErrorKind, Written, execute,
};
use keycloak_to_azure::model::{Address, ObjectId};
use keycloak_to_azure::plan::Plan;
use keycloak_to_azure::report::{ChangeOutcome, Line, Outcome, Write};
use keycloak_to_azure::snapshot::Account;
use keycloak_to_azure::verify::verify;

use crate::world::{World, id, invited_account, team_of};

/// A directory that writes down what it is asked, and fails where a test says so.
#[derive(Default)]
struct Scripted {
    calls: Mutex<Vec<String>>,
    failures: BTreeMap<String, WriteErrorKind>,
    /// What an account is like that is looked at, or that it cannot be.
    shown: Option<Result<Account, String>>,
    /// The account that an invitation is answered with.
    invited: Option<ObjectId>,
    /// Stops the run when this is asked.
    stop_at: Option<(String, std::sync::Arc<StopSignal>)>,
}

impl Scripted {
    fn answer(&self, call: String) -> Result<Written, WriteError> {
        if let Some((at, stop)) = &self.stop_at
            && *at == call
        {
            stop.stop();
        }
        let failure = self.failures.get(&call).copied();
        self.calls.lock().unwrap().push(call);
        match failure {
            None => Ok(Written {
                attempts: 1,
                request_id: Some("accepted".to_owned()),
                was_so_already: false,
            }),
            Some(kind) => Err(WriteError {
                kind,
                is_uncertain: kind == WriteErrorKind::Unknown,
                message: "Graph refused it".to_owned(),
                request_id: Some("r1".to_owned()),
                attempts: 2,
            }),
        }
    }
}

impl Directory for Scripted {
    async fn invite(&self, invitations: &[Invitation]) -> Vec<Result<Invited, WriteError>> {
        let account = self.invited.clone().unwrap_or_else(|| id(0xf00));
        let invite = |invitation: &Invitation| {
            self.answer(format!("invite {}", invitation.email))
                .map(|written| Invited {
                    account: account.clone(),
                    written,
                })
        };
        invitations.iter().map(invite).collect()
    }

    async fn look(
        &self,
        invited: &[(ObjectId, Address)],
    ) -> BTreeMap<ObjectId, Result<Account, String>> {
        let shown = invited.iter().zip(self.shown.iter().cycle());
        shown
            .map(|((id, _), shown)| {
                let with_id = |account| Account {
                    id: id.clone(),
                    ..account
                };
                (id.clone(), shown.clone().map(with_id))
            })
            .collect()
    }

    async fn update(&self, updates: &[AccountUpdate]) -> Vec<Result<Written, WriteError>> {
        updates
            .iter()
            .map(|update| self.answer(format!("update {}", short(&update.account))))
            .collect()
    }

    async fn add(&self, memberships: &[Membership]) -> Vec<Result<Written, WriteError>> {
        let add =
            |membership: &Membership| self.answer(format!("add {}", short(&membership.account)));
        memberships.iter().map(add).collect()
    }

    async fn remove(&self, memberships: &[Membership]) -> Vec<Result<Written, WriteError>> {
        let remove =
            |membership: &Membership| self.answer(format!("remove {}", short(&membership.account)));
        memberships.iter().map(remove).collect()
    }
}

fn short(account: &ObjectId) -> String {
    account
        .as_str()
        .rsplit('-')
        .next()
        .unwrap()
        .trim_start_matches('0')
        .to_owned()
}

/// What a run writes down.
#[derive(Default)]
pub struct Kept {
    pub lines: Vec<Line>,
    /// After so many lines, nothing can be written any more.
    room: Option<usize>,
}

impl Recorder for Kept {
    fn record(&mut self, lines: &[Line]) -> anyhow::Result<()> {
        anyhow::ensure!(
            self.room.is_none_or(|room| self.lines.len() < room),
            "no space left"
        );
        self.lines.extend(lines.iter().cloned());
        Ok(())
    }

    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::UNIX_EPOCH
    }
}

/// Nobody watches.
pub struct Nobody;

impl Observer for Nobody {
    fn begin(&mut self, _: usize) {}
    fn advance(&mut self) {}
    fn wrote(&mut self, _: &str) {}
    fn not_done(&mut self, _: &ChangeOutcome, _: &str) {}
}

struct Ran {
    outcomes: anyhow::Result<Vec<ChangeOutcome>>,
    calls: Vec<String>,
    lines: Vec<Line>,
}

impl Ran {
    fn outcomes(&self) -> Vec<Outcome> {
        self.outcomes
            .as_ref()
            .unwrap()
            .iter()
            .map(|outcome| outcome.outcome)
            .collect()
    }

    fn message(&self, change: usize) -> &str {
        &self.outcomes.as_ref().unwrap()[change].message
    }
}

/// `ann` is invited and added, `p1` updated, `mover` added to the team and removed from the other group.
fn world() -> World {
    let mut world = team_of(8);
    world.map("/other", "acme-other");
    for number in 3..8 {
        world.member_on_both_sides(&format!("p{number}"), "/other", "acme-other");
    }
    world.person("ann");
    world.join("ann", "/team");
    world.account("p1").surname = Some("Old".to_owned());
    world.member_on_both_sides("mover", "/other", "acme-other");
    world.leave("mover", "/other");
    world.join("mover", "/team");
    world
}

async fn run(scripted: Scripted, recorder: Kept, stop: &StopSignal) -> Ran {
    run_in(world(), scripted, recorder, stop).await
}

async fn run_in(world: World, scripted: Scripted, recorder: Kept, stop: &StopSignal) -> Ran {
    let plan: Plan = world.plan();
    let verification = world.decide(|fresh| verify(&plan, fresh));
    let known_accounts: HashSet<ObjectId> = world.accounts.keys().cloned().collect();
    let assignment = Assignment {
        run_id: "run",
        plan: &plan,
        verification: &verification,
        known_accounts: &known_accounts,
        protected: &[],
    };
    let mut recorder = recorder;
    let outcomes = execute(assignment, &scripted, &mut recorder, &mut Nobody, stop).await;
    Ran {
        outcomes,
        calls: scripted.calls.into_inner().unwrap(),
        lines: recorder.lines,
    }
}

/// Nothing fails, and nobody interrupts.
async fn run_well(world: World) -> Ran {
    let (scripted, recorder) = (Scripted::default(), Kept::default());
    run_in(world, scripted, recorder, &StopSignal::default()).await
}

async fn run_with_failure(call: &str, kind: WriteErrorKind) -> Ran {
    let failures = [(call.to_owned(), kind)].into();
    let scripted = Scripted {
        failures,
        ..Scripted::default()
    };
    run(scripted, Kept::default(), &StopSignal::default()).await
}

const INVITE: usize = 0;
const UPDATE: usize = 1;
const ADD_INVITED: usize = 2;
const ADD_MOVER: usize = 3;
const REMOVE_MOVER: usize = 4;

fn mover() -> String {
    let mut world = world();
    short(&world.account("mover").id)
}

#[tokio::test]
async fn invitations_come_before_updates_before_additions_before_removals() {
    let ran = run_well(world()).await;
    let kinds: Vec<_> = ran
        .calls
        .iter()
        .map(|call| call.split(' ').next().unwrap())
        .collect();
    assert_eq!(
        kinds,
        ["invite", "update", "update", "add", "add", "remove"]
    );
    assert_eq!(ran.outcomes(), [Outcome::Done; 5]);
}

#[tokio::test]
async fn whoever_is_updated_added_and_removed_is_so_in_this_order() {
    let mut world = world();
    let account = world.account("mover");
    account.surname = Some("Old".to_owned());
    let mover = short(&account.id);
    let ran = run_well(world).await;
    let of_mover: Vec<&String> = ran
        .calls
        .iter()
        .filter(|call| call.ends_with(&format!(" {mover}")))
        .collect();
    let expected = ["update", "add", "remove"].map(|call| format!("{call} {mover}"));
    assert_eq!(of_mover, expected.iter().collect::<Vec<_>>());
}

#[tokio::test]
async fn a_failed_update_keeps_neither_an_addition_nor_a_removal_of_that_account_back() {
    let mut world = world();
    let account = world.account("mover");
    account.surname = Some("Old".to_owned());
    let update = format!("update {}", short(&account.id));
    let scripted = Scripted {
        failures: [(update, WriteErrorKind::Refused)].into(),
        ..Scripted::default()
    };
    let ran = run_in(world, scripted, Kept::default(), &StopSignal::default()).await;
    let mut outcomes = ran.outcomes();
    outcomes.sort();
    assert_eq!(
        outcomes.iter().filter(|it| **it == Outcome::Done).count(),
        5
    );
    assert_eq!(outcomes.len(), 6);
}

#[tokio::test]
async fn two_invitations_answered_with_one_account_give_it_to_the_first_alone() {
    let mut world = world();
    world.person("zoe");
    world.join("zoe", "/team");
    let ran = run_well(world).await;
    let outcomes = ran.outcomes.as_ref().unwrap();
    let of = |outcome: Outcome| -> Vec<&ChangeOutcome> {
        outcomes.iter().filter(|it| it.outcome == outcome).collect()
    };
    let [failed] = of(Outcome::Failed)[..] else {
        panic!("{outcomes:?}")
    };
    assert!(
        failed.message.contains("another invitation of this run"),
        "{}",
        failed.message
    );
    assert_eq!(of(Outcome::NotAttempted).len(), 1);
    let updates = ran.calls.iter().filter(|call| *call == "update f00");
    assert_eq!(updates.count(), 1);
    let additions = ran.calls.iter().filter(|call| *call == "add f00");
    assert_eq!(additions.count(), 1);
}

#[tokio::test]
async fn an_accepted_invitation_is_written_down_before_anything_depends_on_it() {
    let ran = run_well(world()).await;
    let Line::Step(step) = &ran.lines[0] else {
        panic!("{:?}", ran.lines)
    };
    assert_eq!(step.write, Write::Invited);
    assert_eq!(step.account.email, "ann@partner.example");
    assert_eq!(step.account.id, Some(id(0xf00)));
}

#[tokio::test]
async fn a_failed_invitation_stops_the_additions_of_that_person_and_nothing_else() {
    let ran = run_with_failure("invite ann@partner.example", WriteErrorKind::Refused).await;
    let mut expected = [Outcome::Done; 5];
    expected[INVITE] = Outcome::Failed;
    expected[ADD_INVITED] = Outcome::NotAttempted;
    assert_eq!(ran.outcomes(), expected);
    assert_eq!(ran.message(ADD_INVITED), "the invitation did not succeed");
}

#[tokio::test]
async fn an_invitation_is_done_only_with_its_update() {
    let ran = run_with_failure("update f00", WriteErrorKind::Refused).await;
    let mut expected = [Outcome::Done; 5];
    expected[INVITE] = Outcome::Failed;
    expected[ADD_INVITED] = Outcome::NotAttempted;
    assert_eq!(ran.outcomes(), expected);
    assert!(
        ran.message(INVITE).starts_with("is invited, but"),
        "{}",
        ran.message(INVITE)
    );
}

#[tokio::test]
async fn a_failed_update_stops_nothing_else() {
    let p1 = {
        let mut world = world();
        short(&world.account("p1").id)
    };
    let ran = run_with_failure(&format!("update {p1}"), WriteErrorKind::Refused).await;
    let mut expected = [Outcome::Done; 5];
    expected[UPDATE] = Outcome::Failed;
    assert_eq!(ran.outcomes(), expected);
}

#[tokio::test]
async fn a_failed_addition_stops_the_removals_of_that_person() {
    let ran = run_with_failure(&format!("add {}", mover()), WriteErrorKind::Refused).await;
    let mut expected = [Outcome::Done; 5];
    expected[ADD_MOVER] = Outcome::Failed;
    expected[REMOVE_MOVER] = Outcome::NotAttempted;
    assert_eq!(ran.outcomes(), expected);
    assert!(!ran.calls.iter().any(|call| call.starts_with("remove")));
}

#[tokio::test]
async fn a_refusal_of_everything_stops_the_run() {
    let ran = run_with_failure("invite ann@partner.example", WriteErrorKind::StopsTheRun).await;
    let mut expected = [Outcome::NotAttempted; 5];
    expected[INVITE] = Outcome::Failed;
    assert_eq!(ran.outcomes(), expected);
    assert_eq!(ran.calls.len(), 1);
    assert_eq!(ran.message(UPDATE), "the run had to stop: Graph refused it");
}

#[tokio::test]
async fn an_interrupted_run_finishes_what_is_in_flight_and_begins_nothing_more() {
    let stop = std::sync::Arc::new(StopSignal::default());
    let scripted = Scripted {
        stop_at: Some((
            "invite ann@partner.example".to_owned(),
            std::sync::Arc::clone(&stop),
        )),
        ..Scripted::default()
    };
    let ran = run(scripted, Kept::default(), &stop).await;
    assert_eq!(ran.outcomes(), [Outcome::NotAttempted; 5]);
    assert_eq!(ran.calls, ["invite ann@partner.example"]);
    assert!(
        ran.message(INVITE).starts_with("is invited, but"),
        "{}",
        ran.message(INVITE)
    );
    assert!(
        ran.lines
            .iter()
            .any(|line| matches!(line, Line::Step(step) if step.write == Write::Invited))
    );
}

#[tokio::test]
async fn an_invited_account_that_cannot_be_looked_at_is_not_written_to() {
    let scripted = Scripted {
        shown: Some(Err("Graph failed".to_owned())),
        ..Scripted::default()
    };
    let ran = run(scripted, Kept::default(), &StopSignal::default()).await;
    assert_eq!(ran.outcomes()[INVITE], Outcome::Failed);
    assert!(
        ran.message(INVITE)
            .contains("cannot be looked at (Graph failed)"),
        "{}",
        ran.message(INVITE)
    );
    let of_invited = |call: &&String| call.ends_with("f00");
    assert_eq!(
        ran.calls.iter().filter(of_invited).count(),
        0,
        "{:?}",
        ran.calls
    );
}

/// Graph answers an invitation of another address of somebody who has an account with that account, which nobody need have read before.
#[tokio::test]
async fn an_invitation_answered_with_the_older_account_of_another_address_changes_nothing_of_it() {
    let account = |email: &str, created: &str| {
        let mut account = invited_account(&id(0xf00), &email.parse().unwrap());
        account.other_mails.push("ann@partner.example".to_owned());
        account.created = created.parse().ok();
        account
    };
    for (account, misfit) in [
        (
            account("boss@partner.example", "2030-01-01T00:00:00Z"),
            Some("has ann@partner.example only beside its own address"),
        ),
        (
            account("ann@partner.example", "2020-01-01T00:00:00Z"),
            Some("is older than the plan"),
        ),
        (
            account("ann@partner.example", "unknown"),
            Some("is older than the plan"),
        ),
        (account("ann@partner.example", "2030-01-01T00:00:00Z"), None),
    ] {
        let scripted = Scripted {
            shown: Some(Ok(account)),
            ..Scripted::default()
        };
        let ran = run(scripted, Kept::default(), &StopSignal::default()).await;
        let is_written_to = ran.calls.iter().any(|call| call.ends_with(" f00"));
        assert_eq!(is_written_to, misfit.is_none(), "{:?}", ran.calls);
        match misfit {
            None => assert_eq!(ran.outcomes()[ADD_INVITED], Outcome::Done),
            Some(misfit) => {
                assert_eq!(ran.outcomes()[INVITE], Outcome::Failed);
                assert_eq!(ran.outcomes()[ADD_INVITED], Outcome::NotAttempted);
                assert!(
                    ran.message(INVITE).contains(misfit),
                    "{}",
                    ran.message(INVITE)
                );
            }
        }
    }
}

#[tokio::test]
async fn an_invitation_answered_with_an_account_that_was_there_before_changes_nothing_of_it() {
    let existing = {
        let mut world = world();
        world.account("p5").id.clone()
    };
    let scripted = Scripted {
        invited: Some(existing.clone()),
        ..Scripted::default()
    };
    let ran = run(scripted, Kept::default(), &StopSignal::default()).await;
    assert_eq!(ran.outcomes()[INVITE], Outcome::Failed);
    assert_eq!(ran.outcomes()[ADD_INVITED], Outcome::NotAttempted);
    let touched = format!(" {}", short(&existing));
    assert!(
        !ran.calls.iter().any(|call| call.ends_with(&touched)),
        "{:?}",
        ran.calls
    );
}

#[tokio::test]
async fn an_invitation_that_was_accepted_is_said_to_have_been_sent_whatever_became_of_it() {
    let sent = |ran: &Ran, outcome| {
        let invited = &ran.outcomes.as_ref().unwrap()[INVITE];
        assert_eq!(invited.outcome, outcome, "{invited:?}");
        (invited.attempts, invited.request_id.clone())
    };
    let accepted = (1, Some("accepted".to_owned()));

    let stop = std::sync::Arc::new(StopSignal::default());
    let invite = "invite ann@partner.example".to_owned();
    let stopping = Scripted {
        stop_at: Some((invite.clone(), std::sync::Arc::clone(&stop))),
        ..Scripted::default()
    };
    let ran = run(stopping, Kept::default(), &stop).await;
    assert_eq!(sent(&ran, Outcome::NotAttempted), accepted);

    let misfit = Scripted {
        shown: Some(Err("Graph failed".to_owned())),
        ..Scripted::default()
    };
    let ran = run(misfit, Kept::default(), &StopSignal::default()).await;
    assert_eq!(sent(&ran, Outcome::Failed), accepted);

    let mut nothing_to_update = world();
    nothing_to_update.settings.users.user_type = None;
    let ann = nothing_to_update.person("ann");
    (ann.first_name, ann.last_name) = (None, None);
    let ran = run_well(nothing_to_update).await;
    assert!(!ran.calls.contains(&"update f00".to_owned()));
    assert_eq!(sent(&ran, Outcome::Done), accepted);

    // One that nobody got to send was not.
    let stopped = StopSignal::default();
    stopped.stop();
    let ran = run(Scripted::default(), Kept::default(), &stopped).await;
    assert_eq!(sent(&ran, Outcome::NotAttempted), (0, None));
}

#[tokio::test]
async fn a_run_that_cannot_be_written_down_begins_nothing_more() {
    let recorder = Kept {
        room: Some(0),
        ..Kept::default()
    };
    let ran = run(Scripted::default(), recorder, &StopSignal::default()).await;
    assert!(ran.outcomes.is_err());
    assert_eq!(ran.calls, ["invite ann@partner.example"]);
}
