//! What is sent when: whatever does not wait for anything is on its way, within bounds.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use super::accounts::{self, Accounts, Newcomer};
use super::additions::{Additions, Awaited};
use super::removals::Removals;
use super::{
    AccountUpdate, Directory, Invitation, Invited, Membership, Observer, Place, Recorder, Run,
    WriteError, WriteErrorKind, Written, done,
};
use crate::model::{Address, ObjectId};
use crate::plan::{Change, ClearedNames};
use crate::report::{INVITED_ONLY, Outcome, Write};
use crate::verify::{Member, NOT_ADDED, Task, WOULD_BE_EMPTY};

/// Batches of invitations on their way at the same time. Together with those below and a look at newcomers they are ten, as many as
/// Microsoft's own group synchronisation has workers.
const INVITING: usize = 4;

/// Batches of other writes on their way at the same time.
const WRITING: usize = 5;

/// Those of them with accounts that may not be there yet. Such a batch may take minutes, which the others are not to wait for.
const WRITING_TO_NEW: usize = 4;

/// What is yet to be done.
#[derive(Default)]
struct Work {
    accounts: Accounts,
    additions: Additions,
    removals: Removals,
    /// The accounts that invitations were answered with.
    newcomers: HashSet<ObjectId>,
    /// The additions of the plan by account, where it existed when the plan was made.
    additions_of: BTreeMap<ObjectId, Vec<usize>>,
    /// The additions of the plan by group.
    additions_to: BTreeMap<ObjectId, Vec<usize>>,
    /// Whether a group would be left without members, once that was asked.
    emptied: BTreeMap<ObjectId, bool>,
}

impl Work {
    /// The next batch. `busy` are those on their way, and how many of these are for new accounts.
    fn next_batch(&mut self, is_inviting: bool, busy: Busy) -> Option<Batch> {
        let Self {
            accounts,
            additions,
            removals,
            ..
        } = self;
        let may_be_late = busy.with_new < WRITING_TO_NEW;
        let of_newcomers = may_be_late
            .then(|| accounts.next_updates_of_newcomers(is_inviting))
            .flatten();
        // Whoever waits for an update waits longest.
        of_newcomers
            .map(Batch::Update)
            .or_else(|| removals.next_batch(busy.all == 0).map(Batch::Remove))
            .or_else(|| accounts.next_updates().map(Batch::Update))
            .or_else(|| additions.next_batch(may_be_late).map(Batch::Add))
    }

    fn drain(&mut self) -> Vec<usize> {
        let mut left = self.accounts.drain();
        left.extend(self.additions.drain());
        left.extend(self.removals.drain());
        left
    }
}

/// How many batches are on their way.
#[derive(Clone, Copy, Default)]
struct Busy {
    all: usize,
    /// Those with accounts that may not be there yet.
    with_new: usize,
}

/// A batch of writes other than invitations.
enum Batch {
    Update(Vec<Place<AccountUpdate>>),
    Add(Vec<Place<Membership>>),
    Remove(Vec<Place<Membership>>),
}

impl Batch {
    /// Whether an account in it may not be there yet.
    fn has_new(&self) -> bool {
        match self {
            Self::Update(updates) => updates.iter().any(|(_, update)| update.is_new),
            Self::Add(additions) => additions.iter().any(|(_, membership)| membership.is_new),
            Self::Remove(_) => false,
        }
    }
}

/// What became of each part of a batch; `None` if it was not begun.
type Answered<T, W> = Vec<(Place<T>, Option<Result<W, WriteError>>)>;

/// What became of a batch of writes other than invitations.
enum Sent {
    Updated(Answered<AccountUpdate, Written>),
    Added(Answered<Membership, Written>),
    Removed(Answered<Membership, Written>),
}

async fn send<D: Directory>(directory: &D, batch: Batch, may_begin: &impl Fn() -> bool) -> Sent {
    match batch {
        Batch::Update(batch) => Sent::Updated(
            answered(batch, may_begin, async |updates: &[AccountUpdate]| {
                directory.update(updates).await
            })
            .await,
        ),
        Batch::Add(batch) => Sent::Added(
            answered(batch, may_begin, async |memberships: &[Membership]| {
                directory.add(memberships).await
            })
            .await,
        ),
        Batch::Remove(batch) => Sent::Removed(
            answered(batch, may_begin, async |memberships: &[Membership]| {
                directory.remove(memberships).await
            })
            .await,
        ),
    }
}

/// Makes a call unless the run has to stop, and puts the answers beside what was asked.
async fn answered<T, W>(
    batch: Vec<Place<T>>,
    may_begin: &impl Fn() -> bool,
    call: impl AsyncFn(&[T]) -> Vec<Result<W, WriteError>>,
) -> Answered<T, W> {
    let (places, items): (Vec<usize>, Vec<T>) = batch.into_iter().unzip();
    let mut results = if may_begin() {
        Some(call(&items).await.into_iter())
    } else {
        None
    };
    places
        .into_iter()
        .zip(items)
        .map(|place| {
            let result = results
                .as_mut()
                .map(|results| results.next().unwrap_or_else(|| Err(unanswered())));
            (place, result)
        })
        .collect()
}

/// What stands in for an answer that did not come.
fn unanswered() -> WriteError {
    WriteError {
        kind: WriteErrorKind::Unknown,
        is_uncertain: true,
        message: "Graph did not answer this part".to_owned(),
        request_id: None,
        attempts: 1,
    }
}

/// The first thing that could not be written down, if anything. What is in flight is finished even then: its effects are there in any case.
#[derive(Default)]
struct Record(Option<anyhow::Error>);

impl Record {
    fn note(&mut self, result: anyhow::Result<()>) {
        if let Err(error) = result {
            self.0.get_or_insert(error);
        }
    }
}

impl<D: Directory, R: Recorder, O: Observer> Run<'_, D, R, O> {
    /// Carries out whatever is not settled yet.
    pub(super) async fn carry_out(&mut self) -> anyhow::Result<()> {
        let mut record = Record::default();
        let mut work = self.begin(&mut record);
        let (assignment, directory, stop) = (self.assignment, self.directory, self.stop);
        // What stands ready to be sent looks here before it is.
        let halt = AtomicBool::new(false);
        let may_begin = || !(stop.is_set() || halt.load(Ordering::SeqCst));
        let may_begin = &may_begin;
        let mut inviting = FuturesUnordered::new();
        let mut looking = FuturesUnordered::new();
        let mut writing = FuturesUnordered::new();
        let mut busy = Busy::default();
        loop {
            self.follow(&mut work, &mut record);
            if self.reason_not_to_begin().is_some() || record.0.is_some() {
                halt.store(true, Ordering::SeqCst);
                for at in work.drain() {
                    record.note(self.leave(at));
                }
            }
            while inviting.len() < INVITING
                && let Some(batch) = work.accounts.next_invitations()
            {
                inviting.push(answered(
                    batch,
                    may_begin,
                    async |invitations: &[Invitation]| directory.invite(invitations).await,
                ));
            }
            let is_inviting = !inviting.is_empty();
            if let Some(newcomers) = work.accounts.next_look(is_inviting) {
                looking.push(accounts::look(assignment, directory, newcomers));
            }
            while busy.all < WRITING
                && let Some(batch) = work.next_batch(is_inviting, busy)
            {
                let has_new = batch.has_new();
                busy.all += 1;
                busy.with_new += usize::from(has_new);
                writing.push(async move { (has_new, send(directory, batch, may_begin).await) });
            }
            tokio::select! {
                biased;
                Some(invited) = inviting.next() => {
                    for ((at, invitation), result) in invited {
                        record.note(self.note_invitation(&mut work, at, invitation, result));
                    }
                }
                Some(looked_at) = looking.next() => {
                    work.accounts.end_look(looked_at.len());
                    for ((at, newcomer), misfit) in looked_at {
                        record.note(self.note_look(&mut work, at, newcomer, misfit));
                    }
                }
                Some((has_new, sent)) = writing.next() => {
                    busy.all -= 1;
                    busy.with_new -= usize::from(has_new);
                    record.note(self.note_sent(sent));
                }
                () = self.observer.next_look(),
                    if !(inviting.is_empty() && looking.is_empty() && writing.is_empty()) => {
                    self.observer.look(self.directory.paused_for());
                }
                else => break,
            }
        }
        self.follow(&mut work, &mut record);
        record.0.map_or(Ok(()), Err)
    }

    /// Puts together what is to be done, and sets aside what cannot be.
    fn begin(&mut self, record: &mut Record) -> Work {
        let mut work = Work {
            accounts: Accounts::of(self.tasks()),
            ..Work::default()
        };
        for (at, change) in self.assignment.plan.changes.iter().enumerate() {
            if let Change::Add(add) = change {
                let to_group = work.additions_to.entry(add.group.id.clone());
                to_group.or_default().push(at);
                if let Some(account) = &add.account.id {
                    work.additions_of
                        .entry(account.clone())
                        .or_default()
                        .push(at);
                }
            }
        }
        let (done, open) = self.invitations();
        let updating: BTreeSet<&ObjectId> = self
            .tasks()
            .filter_map(|(_, task)| match task {
                Task::Update {
                    account,
                    of_invitation: false,
                    ..
                } => Some(account),
                _ => None,
            })
            .collect();
        for account in &updating {
            work.removals.await_update(account);
        }
        let mut total = work.accounts.len();
        let mut without_account = Vec::new();
        for (at, task) in self.tasks() {
            match task {
                Task::Add { group, member } => {
                    total += 1;
                    work.removals.await_addition(group, self.account_of(at));
                    let (email, account) = match member {
                        Member::Account(account) if updating.contains(account) => {
                            let awaited = Awaited::Update(account.clone());
                            let account = Some(account.clone());
                            work.additions.insert_waiting(at, group, awaited, account);
                            continue;
                        }
                        Member::Account(account) => {
                            let membership = Membership {
                                group: group.clone(),
                                account: account.clone(),
                                is_new: false,
                            };
                            work.additions.insert(at, membership);
                            continue;
                        }
                        Member::InvitedBefore(account, email) => (email, Some(account)),
                        Member::Invited(email) => (email, None),
                    };
                    if open.contains(email) {
                        let awaited = Awaited::Invitation(email.clone());
                        let account = account.cloned();
                        work.additions.insert_waiting(at, group, awaited, account);
                    } else if let Some(account) = account.filter(|_| done.contains(email)) {
                        let membership = Membership {
                            group: group.clone(),
                            account: account.clone(),
                            is_new: true,
                        };
                        work.additions.insert(at, membership);
                    } else {
                        without_account.push(at);
                    }
                }
                Task::Remove { group, account } => {
                    total += 1;
                    let membership = Membership {
                        group: group.clone(),
                        account: account.clone(),
                        is_new: false,
                    };
                    work.removals.insert(at, membership);
                }
                Task::Invite(_) | Task::Update { .. } => {}
            }
        }
        self.observer.begin(total);
        self.just_settled.clear();
        work.additions.begin();
        for at in without_account {
            record.note(self.leave_without_account(at));
        }
        for removal in work.removals.begin() {
            record.note(self.release(&mut work, removal));
        }
        self.follow(&mut work, record);
        work
    }

    /// The account of an addition, where it existed when the plan was made.
    fn account_of(&self, at: usize) -> Option<&ObjectId> {
        match self.assignment.plan.changes.get(at) {
            Some(Change::Add(add)) => add.account.id.as_ref(),
            _ => None,
        }
    }

    /// The addresses whose invitations by the plan are done, and those whose invitations are yet to be settled. An invitation is done when
    /// its account is as the plan says.
    fn invitations(&self) -> (BTreeSet<&Address>, BTreeSet<&Address>) {
        let (mut done, mut open) = (BTreeSet::new(), BTreeSet::new());
        for (change, outcome) in self.assignment.plan.changes.iter().zip(&self.outcomes) {
            match (change, outcome) {
                (Change::Invite(invite), None) => open.insert(&invite.email),
                (Change::Invite(invite), Some(outcome)) if !outcome.outcome.is_unfinished() => {
                    done.insert(&invite.email)
                }
                _ => continue,
            };
        }
        (done, open)
    }

    /// Lets go on what waited for the changes that were just settled.
    fn follow(&mut self, work: &mut Work, record: &mut Record) {
        while let Some(at) = self.just_settled.pop() {
            self.observer.advance();
            match self.assignment.plan.changes.get(at) {
                Some(Change::Invite(invite)) => {
                    let is_done = self.is_finished(at);
                    let account = self.invited.get(&invite.email).cloned();
                    let impossible =
                        work.additions
                            .settle_invitation(&invite.email, is_done, account.as_ref());
                    for at in impossible {
                        record.note(self.leave_without_account(at));
                    }
                }
                Some(Change::Add(add)) => {
                    let due = work
                        .removals
                        .settle_addition(&add.group.id, add.account.id.as_ref());
                    for removal in due {
                        record.note(self.release(work, removal));
                    }
                }
                Some(Change::Update(update)) => {
                    work.additions.settle_update(&update.account.id);
                    for removal in work.removals.settle_update(&update.account.id) {
                        record.note(self.release(work, removal));
                    }
                }
                Some(Change::Remove(_)) | None => {}
            }
        }
    }

    fn is_finished(&self, at: usize) -> bool {
        let outcome = self.outcomes.get(at).and_then(Option::as_ref);
        outcome.is_some_and(|outcome| !outcome.outcome.is_unfinished())
    }

    /// Lets a removal be made, unless an addition that it waited for did not succeed.
    fn release(&mut self, work: &mut Work, removal: Place<Membership>) -> anyhow::Result<()> {
        let (at, Membership { group, account, .. }) = &removal;
        let additions = work.additions_of.get(account);
        let is_not_added = additions.is_some_and(|all| !all.iter().all(|at| self.is_finished(*at)));
        let reason = if is_not_added {
            NOT_ADDED
        } else if self.would_be_emptied(work, group) {
            WOULD_BE_EMPTY
        } else {
            work.removals.release(removal);
            return Ok(());
        };
        self.settle(*at, Outcome::NotAttempted, reason, &Written::default())
    }

    /// Whether a group that has to keep a member would lose its last one, because additions did not succeed.
    fn would_be_emptied(&self, work: &mut Work, group: &ObjectId) -> bool {
        if let Some(known) = work.emptied.get(group) {
            return *known;
        }
        let added = work.additions_to.get(group).into_iter().flatten();
        let added = added.filter(|at| {
            let outcome = self.outcomes.get(**at).and_then(Option::as_ref);
            outcome.is_some_and(|outcome| outcome.outcome == Outcome::Done)
        });
        let members = self.assignment.verification.members.get(group);
        let would_be = members
            .is_some_and(|members| work.removals.count_of_group(group) >= members + added.count());
        work.emptied.insert(group.clone(), would_be);
        would_be
    }

    /// Writes an accepted invitation down. The update that belongs to it is next: Graph takes neither given name nor surname with
    /// an invitation, and whether it takes the user type depends on the tenant.
    fn note_invitation(
        &mut self,
        work: &mut Work,
        at: usize,
        invitation: Invitation,
        result: Option<Result<Invited, WriteError>>,
    ) -> anyhow::Result<()> {
        let Invited { account, written } = match result {
            Some(Ok(invited)) => invited,
            Some(Err(error)) => return self.fail(at, "", &error),
            None => return self.leave(at),
        };
        let Invitation { email, set, .. } = invitation;
        if !work.newcomers.insert(account.clone()) {
            // A second address of one home account. Whose names it is to have, a person decides.
            let message = format!(
                "Graph answered with the account {account}, which another invitation of this run was answered with as well: nothing of it was \
                 changed for this address; see whose it is, and plan again"
            );
            return self.settle(at, Outcome::Failed, &message, &written);
        }
        let update = AccountUpdate {
            account: account.clone(),
            set,
            cleared: ClearedNames::default(),
            is_new: true,
        };
        self.invited.insert(email.clone(), account.clone());
        self.accepted.insert(at, written.clone());
        let event = format!("invited azure user: {email}");
        work.accounts
            .insert_newcomer(at, Newcomer { email, update });
        self.write_down(at, Write::Invited, &account, &written, &event)
    }

    fn note_look(
        &mut self,
        work: &mut Work,
        at: usize,
        newcomer: Newcomer,
        misfit: Option<String>,
    ) -> anyhow::Result<()> {
        let Newcomer { email, update } = newcomer;
        let Some(misfit) = misfit else {
            if update.is_empty() {
                return self.settle(at, Outcome::Done, "", &self.sent(at));
            }
            work.accounts.insert_ready(at, update);
            return Ok(());
        };
        self.invited.remove(&email);
        let message = format!(
            "Graph answered with the account {}, which {misfit}: nothing of it was changed; see whose it is, and plan again",
            update.account
        );
        self.settle(at, Outcome::Failed, &message, &self.sent(at))
    }

    fn note_sent(&mut self, sent: Sent) -> anyhow::Result<()> {
        let mut record = Record::default();
        match sent {
            Sent::Updated(updates) => {
                for ((at, update), result) in updates {
                    record.note(self.note_update(at, &update, result));
                }
            }
            Sent::Added(additions) => {
                for ((at, membership), result) in additions {
                    let noted = self.note_membership(at, Write::Added, &membership, result);
                    record.note(noted);
                }
            }
            Sent::Removed(removals) => {
                for ((at, membership), result) in removals {
                    let noted = self.note_membership(at, Write::Removed, &membership, result);
                    record.note(noted);
                }
            }
        }
        record.0.map_or(Ok(()), Err)
    }

    fn note_update(
        &mut self,
        at: usize,
        update: &AccountUpdate,
        result: Option<Result<Written, WriteError>>,
    ) -> anyhow::Result<()> {
        let account = &update.account;
        match result {
            None => self.leave(at),
            Some(Ok(written)) => {
                if !update.is_empty() {
                    let event = format!("updated azure user: {account} - {}", self.name_of(at));
                    self.write_down(at, Write::Updated, account, &written, &event)?;
                }
                self.settle(at, Outcome::Done, "", &written)
            }
            Some(Err(error)) => {
                let what = if update.is_new {
                    format!("{INVITED_ONLY}: ")
                } else {
                    String::new()
                };
                self.fail(at, &what, &error)
            }
        }
    }

    fn note_membership(
        &mut self,
        at: usize,
        write: Write,
        membership: &Membership,
        result: Option<Result<Written, WriteError>>,
    ) -> anyhow::Result<()> {
        let Membership { group, account, .. } = membership;
        match result {
            None => self.leave(at),
            Some(Ok(written)) => {
                let what = match write {
                    Write::Removed => "removed user from group",
                    _ => "added user to group",
                };
                let event = format!("{what}: {account} {group}");
                self.write_down(at, write, account, &written, &event)?;
                self.settle(at, done(&written), "", &written)
            }
            Some(Err(error)) => self.fail(at, "", &error),
        }
    }

    /// An addition of somebody whose invitation came to nothing.
    fn leave_without_account(&mut self, at: usize) -> anyhow::Result<()> {
        let reason = self
            .reason_not_to_begin()
            .unwrap_or_else(|| "the invitation did not succeed".to_owned());
        self.settle(at, Outcome::NotAttempted, &reason, &Written::default())
    }
}
