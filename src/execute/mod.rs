//! Carries out verified changes in their order, and writes down what became of each.

mod accounts;
mod directory;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::StreamExt;

pub use self::directory::{
    AccountUpdate, Directory, Invitation, Invited, Membership, WriteError, WriteErrorKind, Written,
};
use crate::model::{Address, ObjectId};
use crate::plan::{Add, Change, Fields, Invite, Plan, Remove, Update};
use crate::report::{
    ChangeOutcome, INVITED_ONLY, Line, Outcome, ReportedOutcome, Step, Totals, Write, object_of,
};
use crate::verify::{Member, NOT_ADDED, Task, Verdict, Verification};

/// Batches on their way to Graph at the same time. Microsoft's own group synchronisation uses ten workers; four keep the write
/// quota busy at usual latencies and leave room for the retries of one batch.
const BATCHES_IN_FLIGHT: usize = 4;
/// Parts of one batch, Graph's limit.
const PARTS_PER_BATCH: usize = 20;
/// Members of one `members@odata.bind`, Graph's limit.
const MEMBERS_PER_SET: usize = 20;
/// Sets of members in one batch: beyond five, Graph was seen to answer "Service Unavailable".
const SETS_PER_BATCH: usize = 5;

/// Where a run is written down. What was given to it has left this process when the call returns, so that a kill loses none of it.
pub trait Recorder {
    /// Writes lines down.
    fn record(&mut self, lines: &[Line]) -> anyhow::Result<()>;
    /// The time, for the lines.
    fn now(&self) -> jiff::Timestamp;
}

/// Somebody who watches a run.
pub trait Observer {
    /// So many changes of a kind are about to be made.
    fn begin(&mut self, what: &'static str, total: usize);
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

/// Carries out what was verified, in its order: invitations, updates, additions, removals. Returns the outcome of every change, in
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
        outcomes: vec![None; assignment.plan.changes.len()],
    };
    run.settle_what_is_decided()?;
    run.invite_and_update().await?;
    run.add().await?;
    run.remove().await?;
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
    outcomes: Vec<Option<ChangeOutcome>>,
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

    async fn add(&mut self) -> anyhow::Result<()> {
        let mut work = Vec::new();
        let mut without_account = Vec::new();
        let is_invited = self.invitations_done();
        for (at, task) in self.tasks() {
            let Task::Add { group, member } = task else {
                continue;
            };
            let (account, is_new) = match member {
                Member::Account(id) => (Some(id.clone()), false),
                // An invitation is done when its account is as the plan says. What is not there cannot be brought into a group.
                Member::InvitedBefore(id, email) => {
                    (is_invited.contains(email).then(|| id.clone()), true)
                }
                Member::Invited(email) => (
                    self.invited
                        .get(email)
                        .filter(|_| is_invited.contains(email))
                        .cloned(),
                    true,
                ),
            };
            let Some(account) = account else {
                without_account.push(at);
                continue;
            };
            work.push((
                at,
                Membership {
                    group: group.clone(),
                    account,
                    is_new,
                },
            ));
        }
        for at in without_account {
            let reason = self
                .reason_not_to_begin()
                .unwrap_or_else(|| "the invitation did not succeed".to_owned());
            self.settle(at, Outcome::NotAttempted, &reason, &Written::default())?;
        }
        self.observer.begin("Adding", work.len());
        let directory = self.directory;
        let call = async |items: &[Membership]| directory.add(items).await;
        let handle = |run: &mut Self,
                      at: usize,
                      membership: &Membership,
                      result: Result<Written, WriteError>| match result {
            Ok(written) => {
                let event = format!(
                    "added user to group: {} {}",
                    membership.account, membership.group
                );
                run.write_down(at, Write::Added, &membership.account, &written, &event)?;
                run.settle(at, done(&written), "", &written)
            }
            Err(error) => run.fail(at, "", &error),
        };
        self.carry_out(member_batches(work), call, handle).await
    }

    async fn remove(&mut self) -> anyhow::Result<()> {
        let not_added = self.accounts_with_failed_additions();
        let emptied = self.groups_that_would_be_emptied();
        let mut work = Vec::new();
        let mut held_back = Vec::new();
        for (at, task) in self.tasks() {
            let Task::Remove { group, account } = task else {
                continue;
            };
            if not_added.contains(account) {
                held_back.push((at, NOT_ADDED));
            } else if emptied.contains(group) {
                held_back.push((
                    at,
                    "an addition to the group did not succeed, and it would lose its last member",
                ));
            } else {
                work.push((
                    at,
                    Membership {
                        group: group.clone(),
                        account: account.clone(),
                        is_new: false,
                    },
                ));
            }
        }
        for (at, reason) in held_back {
            self.settle(at, Outcome::NotAttempted, reason, &Written::default())?;
        }
        self.observer.begin("Removing", work.len());
        let directory = self.directory;
        let call = async |items: &[Membership]| directory.remove(items).await;
        let handle = |run: &mut Self,
                      at: usize,
                      membership: &Membership,
                      result: Result<Written, WriteError>| match result {
            Ok(written) => {
                let event = format!(
                    "removed user from group: {} {}",
                    membership.account, membership.group
                );
                run.write_down(at, Write::Removed, &membership.account, &written, &event)?;
                run.settle(at, done(&written), "", &written)
            }
            Err(error) => run.fail(at, "", &error),
        };
        self.carry_out(batches(work, PARTS_PER_BATCH), call, handle)
            .await
    }

    /// The addresses whose invitations by the plan are done.
    fn invitations_done(&self) -> BTreeSet<&Address> {
        let changes = self.assignment.plan.changes.iter().zip(&self.outcomes);
        changes
            .filter_map(|(change, outcome)| match (change, outcome) {
                (Change::Invite(invite), Some(outcome)) if !outcome.outcome.is_unfinished() => {
                    Some(&invite.email)
                }
                _ => None,
            })
            .collect()
    }

    /// The accounts of additions that should have been carried out and were not.
    fn accounts_with_failed_additions(&self) -> BTreeSet<ObjectId> {
        let changes = self.assignment.plan.changes.iter().zip(&self.outcomes);
        changes
            .filter_map(|(change, outcome)| match change {
                Change::Add(add) if outcome.as_ref().is_none_or(|o| o.outcome.is_unfinished()) => {
                    add.account.id.clone()
                }
                _ => None,
            })
            .collect()
    }

    /// The groups that have to keep a member, and whose removals would leave none because additions did not succeed.
    fn groups_that_would_be_emptied(&self) -> BTreeSet<ObjectId> {
        let keep_a_member = self.assignment.verification.members.iter();
        let mut members: BTreeMap<&ObjectId, usize> = keep_a_member
            .map(|(group, members)| (group, *members))
            .collect();
        for (change, outcome) in self.assignment.plan.changes.iter().zip(&self.outcomes) {
            if let (Change::Add(add), Some(outcome)) = (change, outcome)
                && outcome.outcome == Outcome::Done
                && let Some(members) = members.get_mut(&add.group.id)
            {
                *members += 1;
            }
        }
        let mut emptied = BTreeSet::new();
        for (_, task) in self.tasks() {
            if let Task::Remove { group, .. } = task
                && let Some(members) = members.get_mut(group)
            {
                *members = members.saturating_sub(1);
                if *members == 0 {
                    emptied.insert(group.clone());
                }
            }
        }
        emptied
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

    /// Sends batches, several at a time, and writes down what became of each before the next results are looked at.
    async fn carry_out<T, W>(
        &mut self,
        batches: Vec<Vec<(usize, T)>>,
        call: impl AsyncFn(&[T]) -> Vec<Result<W, WriteError>>,
        mut handle: impl FnMut(&mut Self, usize, &T, Result<W, WriteError>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let stop = self.stop;
        let halt = AtomicBool::new(self.halted.is_some());
        let call = &call;
        let halt_requested = &halt;
        let mut answers = futures_util::stream::iter(batches)
            .map(|batch| async move {
                let (places, items): (Vec<usize>, Vec<T>) = batch.into_iter().unzip();
                if stop.is_set() || halt_requested.load(Ordering::SeqCst) {
                    return (places, items, None);
                }
                let results = call(&items).await;
                (places, items, Some(results))
            })
            .buffer_unordered(BATCHES_IN_FLIGHT);
        let mut record_error = None;
        loop {
            let answer = tokio::select! {
                biased;
                answer = answers.next() => answer,
                () = self.observer.next_look() => {
                    self.observer.look(self.directory.paused_for());
                    continue;
                }
            };
            let Some((places, items, results)) = answer else {
                break;
            };
            let Some(results) = results else {
                for at in places {
                    let reason = self.reason_not_to_begin().unwrap_or_default();
                    if let Err(error) = self.leave(at, &reason) {
                        record_error.get_or_insert(error);
                    }
                }
                continue;
            };
            let mut results = results.into_iter();
            for (at, item) in places.into_iter().zip(&items) {
                let result = results
                    .next()
                    .unwrap_or_else(|| Err(accounts::unanswered()));
                // What is in flight is finished even if the record cannot be kept: its effects are there in any case.
                if let Err(error) = handle(self, at, item, result) {
                    halt.store(true, Ordering::SeqCst);
                    record_error.get_or_insert(error);
                }
                self.observer.advance();
            }
            if self.halted.is_some() {
                halt.store(true, Ordering::SeqCst);
            }
        }
        record_error.map_or(Ok(()), Err)
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
    fn leave(&mut self, at: usize, reason: &str) -> anyhow::Result<()> {
        let was_invited = match self.assignment.plan.changes.get(at) {
            Some(Change::Invite(invite)) => self.invited.contains_key(&invite.email),
            _ => false,
        };
        let message = if was_invited {
            format!("{INVITED_ONLY}: {reason}")
        } else {
            reason.to_owned()
        };
        self.settle(at, Outcome::NotAttempted, &message, &Written::default())
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

fn batches<T>(work: Vec<(usize, T)>, size: usize) -> Vec<Vec<(usize, T)>> {
    let mut batches = Vec::new();
    let mut work = work.into_iter().peekable();
    while work.peek().is_some() {
        batches.push(work.by_ref().take(size).collect());
    }
    batches
}

/// Batches of at most five sets of at most twenty members of one group.
fn member_batches(mut work: Vec<(usize, Membership)>) -> Vec<Vec<(usize, Membership)>> {
    work.sort_by(|(at, a), (bt, b)| (&a.group, at).cmp(&(&b.group, bt)));
    let sets: Vec<Vec<(usize, Membership)>> = work
        .chunk_by(|(_, a), (_, b)| a.group == b.group)
        .flat_map(|of_group| of_group.chunks(MEMBERS_PER_SET))
        .map(<[_]>::to_vec)
        .collect();
    sets.chunks(SETS_PER_BATCH).map(<[_]>::concat).collect()
}
