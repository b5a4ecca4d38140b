//! Carries out verified changes, each as soon as what it waits for is settled, and writes down what became of each.

mod accounts;
mod additions;
mod directory;
mod removals;
mod schedule;

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

pub use self::directory::{
    AccountUpdate, Directory, Invitation, Invited, MEMBERS_PER_SET, Membership, PARTS_PER_BATCH,
    SETS_PER_BATCH, WriteError, WriteErrorKind, Written,
};
use crate::model::{Address, ObjectId};
use crate::plan::{Add, Change, Fields, Invite, Plan, Remove, Update};
use crate::report::{
    ChangeOutcome, INVITED_ONLY, Line, Outcome, ReportedOutcome, Step, Totals, Write, object_of,
};
use crate::verify::{Task, Verdict, Verification};

/// Something to do, with its place in the plan.
type Place<T> = (usize, T);

/// Where a run is written down. What was given to it has left this process when the call returns, so that a kill loses none of it.
pub trait Recorder {
    /// Writes lines down.
    fn record(&mut self, lines: &[Line]) -> anyhow::Result<()>;
    /// The time, for the lines.
    fn now(&self) -> jiff::Timestamp;
}

/// Somebody who watches a run.
pub trait Observer {
    /// So many changes are about to be made.
    fn begin(&mut self, total: usize);
    /// One more of them is settled.
    fn advance(&mut self);
    /// A write went through, in the words of the log file.
    fn wrote(&mut self, message: &str);
    /// A change was not made.
    fn not_done(&mut self, outcome: &ChangeOutcome, object: &str);
    /// Waits until it is time to say how far the run is.
    fn next_look(&self) -> impl Future<Output = ()> + Send {
        std::future::pending()
    }
    /// It is time, whether anything was settled or not. `paused` is how much longer the directory asked to be left alone.
    fn look(&mut self, _paused: Option<Duration>) {}
}

/// A request to stop: what is in flight is finished, nothing new is begun.
#[derive(Debug, Default)]
pub struct StopSignal(AtomicBool);

impl StopSignal {
    /// Asks the run to stop.
    pub fn stop(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Whether it was asked to.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// What a run is about.
#[derive(Debug, Clone, Copy)]
pub struct Assignment<'a> {
    /// The id of the run, for the lines of the report.
    pub run_id: &'a str,
    /// The reviewed plan.
    pub plan: &'a Plan,
    /// What was decided about its changes.
    pub verification: &'a Verification,
    /// The accounts that were there before. An invitation that is answered with one of them did not make it.
    pub known_accounts: &'a HashSet<ObjectId>,
    /// What the configuration protects.
    pub protected: &'a [String],
}

/// Carries out what was verified. Nobody is added before their invitation is done, and nobody is removed before the additions of the
/// account and of the group are settled; what does not wait for each other overlaps. Returns the outcome of every change, in
/// the order of the plan. An error means that the record could not be kept; nothing more was begun then.
pub async fn execute<D: Directory, R: Recorder, O: Observer>(
    assignment: Assignment<'_>,
    directory: &D,
    recorder: &mut R,
    observer: &mut O,
    stop: &StopSignal,
) -> anyhow::Result<Vec<ChangeOutcome>> {
    let mut run = Run {
        assignment,
        directory,
        recorder,
        observer,
        stop,
        halted: None,
        invited: BTreeMap::new(),
        accepted: BTreeMap::new(),
        outcomes: vec![None; assignment.plan.changes.len()],
        just_settled: Vec::new(),
    };
    run.settle_what_is_decided()?;
    // Boxed, because it is large and stands inside of everything that a command waits for.
    Box::pin(run.carry_out()).await?;
    Ok(run.outcomes.into_iter().flatten().collect())
}

/// Returns what a dry run says: the verdict of every change, nothing written.
pub fn rehearse(
    run_id: &str,
    plan: &Plan,
    verification: &Verification,
    now: jiff::Timestamp,
) -> Vec<ChangeOutcome> {
    let verdicts = plan.changes.iter().zip(&verification.verdicts).enumerate();
    verdicts
        .map(|(at, (change, verdict))| {
            let (outcome, message) = match verdict {
                Verdict::Execute(_) => (Outcome::Done, String::new()),
                Verdict::Settled(outcome, reason) => (*outcome, reason.clone()),
            };
            ChangeOutcome {
                run_id: run_id.to_owned(),
                change: at + 1,
                action: change.action(),
                outcome,
                message,
                attempts: 0,
                time: now,
                request_id: None,
                uncertain: false,
            }
        })
        .collect()
}

/// Returns the totals of some outcomes.
pub fn totals(outcomes: &[ChangeOutcome]) -> Totals {
    outcomes.iter().map(|outcome| outcome.outcome).collect()
}

struct Run<'a, D, R, O> {
    assignment: Assignment<'a>,
    directory: &'a D,
    recorder: &'a mut R,
    observer: &'a mut O,
    stop: &'a StopSignal,
    /// Why nothing else would go through, if so.
    halted: Option<String>,
    /// The accounts that invitations of this run made.
    invited: BTreeMap<Address, ObjectId>,
    /// How the invitations that Graph accepted were sent, by the places of their changes.
    accepted: BTreeMap<usize, Written>,
    outcomes: Vec<Option<ChangeOutcome>>,
    /// The changes that others may have waited for.
    just_settled: Vec<usize>,
}

impl<D: Directory, R: Recorder, O: Observer> Run<'_, D, R, O> {
    fn settle_what_is_decided(&mut self) -> anyhow::Result<()> {
        for (at, verdict) in self.assignment.verification.verdicts.iter().enumerate() {
            if let Verdict::Settled(outcome, reason) = verdict {
                self.settle(at, *outcome, reason, &Written::default())?;
            }
        }
        Ok(())
    }

    /// The changes that are to be carried out, by their place in the plan.
    fn tasks(&self) -> impl Iterator<Item = (usize, &Task)> {
        let verdicts = self.assignment.verification.verdicts.iter().enumerate();
        verdicts.filter_map(|(at, verdict)| match verdict {
            Verdict::Execute(task) if self.outcomes.get(at).is_some_and(Option::is_none) => {
                Some((at, task))
            }
            _ => None,
        })
    }

    fn reason_not_to_begin(&self) -> Option<String> {
        match &self.halted {
            Some(reason) => Some(format!("the run had to stop: {reason}")),
            None if self.stop.is_set() => Some("the run was interrupted".to_owned()),
            None => None,
        }
    }

    /// Writes down a write that went through. What was so already, was not written.
    fn write_down(
        &mut self,
        at: usize,
        write: Write,
        account: &ObjectId,
        written: &Written,
        event: &str,
    ) -> anyhow::Result<()> {
        let Some(change) = self.assignment.plan.changes.get(at) else {
            return Ok(());
        };
        if written.was_so_already {
            return Ok(());
        }
        let (mut subject, group) = object_of(change);
        subject.id = Some(account.clone());
        self.recorder.record(&[Line::Step(Step {
            run_id: self.assignment.run_id.to_owned(),
            change: at + 1,
            write,
            account: subject,
            group,
            fields: self.fields_written(at),
            time: self.recorder.now(),
            request_id: written.request_id.clone(),
        })])?;
        self.observer.wrote(event);
        Ok(())
    }

    /// What an update of the plan changes, without what was so already.
    fn fields_written(&self, at: usize) -> Fields {
        let verdict = self.assignment.verification.verdicts.get(at);
        match (self.assignment.plan.changes.get(at), verdict) {
            (
                Some(Change::Update(Update { fields, .. })),
                Some(Verdict::Execute(Task::Update { set, cleared, .. })),
            ) => fields.only(set, *cleared),
            _ => Fields::default(),
        }
    }

    /// The name of whom a change is about, as the plan has it.
    fn name_of(&self, at: usize) -> &str {
        match self.assignment.plan.changes.get(at) {
            Some(Change::Invite(Invite { set, email, .. })) => {
                set.display_name.as_deref().unwrap_or(email.as_str())
            }
            Some(Change::Update(Update { account, fields })) => fields
                .display_name
                .as_ref()
                .and_then(|change| change.after.as_deref())
                .or(account.display_name.as_deref())
                .unwrap_or(&account.email),
            Some(Change::Add(_) | Change::Remove(_)) | None => "",
        }
    }

    fn fail(&mut self, at: usize, what: &str, error: &WriteError) -> anyhow::Result<()> {
        if error.kind == WriteErrorKind::StopsTheRun {
            self.halted.get_or_insert_with(|| error.message.clone());
        }
        let message = format!("{what}{}", error.message);
        let written = Written {
            request_id: error.request_id.clone(),
            attempts: error.attempts,
            was_so_already: false,
        };
        self.settle_as(at, Outcome::Failed, error.is_uncertain, &message, &written)
    }

    /// A change that was not begun. An invitation may already be accepted by then, and only its update is missing.
    fn leave(&mut self, at: usize) -> anyhow::Result<()> {
        let reason = self.reason_not_to_begin().unwrap_or_default();
        let was_invited = match self.assignment.plan.changes.get(at) {
            Some(Change::Invite(invite)) => self.invited.contains_key(&invite.email),
            _ => false,
        };
        let message = if was_invited {
            format!("{INVITED_ONLY}: {reason}")
        } else {
            reason
        };
        self.settle(at, Outcome::NotAttempted, &message, &self.sent(at))
    }

    /// How a change was sent of which nothing but an invitation can have been.
    fn sent(&self, at: usize) -> Written {
        self.accepted.get(&at).cloned().unwrap_or_default()
    }

    fn settle(
        &mut self,
        at: usize,
        outcome: Outcome,
        message: &str,
        written: &Written,
    ) -> anyhow::Result<()> {
        self.settle_as(at, outcome, false, message, written)
    }

    fn settle_as(
        &mut self,
        at: usize,
        outcome: Outcome,
        uncertain: bool,
        message: &str,
        written: &Written,
    ) -> anyhow::Result<()> {
        let Some(change) = self.assignment.plan.changes.get(at) else {
            return Ok(());
        };
        let line = ChangeOutcome {
            run_id: self.assignment.run_id.to_owned(),
            change: at + 1,
            action: change.action(),
            outcome,
            message: message.to_owned(),
            attempts: written.attempts,
            time: self.recorder.now(),
            request_id: written.request_id.clone(),
            uncertain,
        };
        if let Some(place) = self.outcomes.get_mut(at) {
            *place = Some(line.clone());
        }
        self.just_settled.push(at);
        if !matches!(outcome, Outcome::Done | Outcome::AlreadyDone) {
            self.observer.not_done(&line, &object_in_words(change));
        }
        let reported = ReportedOutcome::new(line, change);
        self.recorder.record(&[Line::Outcome(reported)])
    }
}

/// Whom and what a change is about, for the log.
fn object_in_words(change: &Change) -> String {
    match change {
        Change::Invite(Invite { email, .. }) => email.to_string(),
        Change::Update(Update { account, .. }) => format!("{} ({})", account.id, account.email),
        Change::Add(Add { group, account, .. }) => {
            format!("{} to {} ({})", account.email, group.id, group.name)
        }
        Change::Remove(Remove { group, account, .. }) => {
            format!(
                "{} ({}) from {} ({})",
                account.id, account.email, group.id, group.name
            )
        }
    }
}

fn done(written: &Written) -> Outcome {
    if written.was_so_already {
        Outcome::AlreadyDone
    } else {
        Outcome::Done
    }
}

#[cfg(test)]
mod tests {
    use crate::model::ObjectId;

    /// An object id made of a number.
    pub(super) fn id(number: usize) -> ObjectId {
        format!("00000000-0000-4000-8000-{number:012x}")
            .parse()
            .unwrap()
    }
}
