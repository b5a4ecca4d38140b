//! Invites people, and updates accounts: those just invited as soon as they had some time to appear, the others after that.

use std::collections::{BTreeSet, VecDeque};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use super::{
    AccountUpdate, Assignment, BATCHES_IN_FLIGHT, Directory, Invitation, Invited, Observer,
    PARTS_PER_BATCH, Recorder, Run, WriteError, WriteErrorKind, Written, batches,
};
use crate::model::{Address, ObjectId};
use crate::plan::ClearedNames;
use crate::report::{INVITED_ONLY, Outcome, Write};
use crate::verify::{Task, misfit};

/// How many people are invited before the first of them is updated. Graph counts invitations and updates against different limits, so
/// that neither need wait for the other to end; and an account is not there at once. At its pace this is ten seconds.
const INVITED_AHEAD: usize = 300;

/// An account to update, with the address if it was invited a moment ago.
type Due = (usize, AccountUpdate, Option<Address>);

/// What became of an account that was to be updated.
enum Updated {
    Answered(Result<Written, WriteError>),
    /// It is not for this run to change.
    Misfit(String),
}

impl<D: Directory, R: Recorder, O: Observer> Run<'_, D, R, O> {
    /// Carries out the invitations, the updates that belong to them, and the other updates.
    pub(super) async fn invite_and_update(&mut self) -> anyhow::Result<()> {
        let invitations = self.invitations();
        let mut updates = self.updates();
        let what = match (invitations.is_empty(), updates.is_empty()) {
            (_, true) => "Inviting",
            (true, false) => "Updating",
            (false, false) => "Inviting and updating",
        };
        self.observer.begin(what, invitations.len() + updates.len());
        let mut invitations = VecDeque::from(batches(invitations, PARTS_PER_BATCH));
        let mut due: VecDeque<Due> = VecDeque::new();
        let mut inviting = FuturesUnordered::new();
        let mut updating = FuturesUnordered::new();
        let (assignment, directory) = (self.assignment, self.directory);
        let mut record_error = None;
        loop {
            if self.reason_not_to_begin().is_some() || record_error.is_some() {
                let left = invitations.drain(..).flatten().map(|(at, _)| at);
                let left = left.chain(due.drain(..).map(|(at, ..)| at));
                for at in left.chain(updates.drain(..).map(|(at, ..)| at)) {
                    let reason = self.reason_not_to_begin().unwrap_or_default();
                    if let Err(error) = self.leave(at, &reason) {
                        record_error.get_or_insert(error);
                    }
                }
            }
            while inviting.len() < BATCHES_IN_FLIGHT
                && let Some(batch) = invitations.pop_front()
            {
                inviting.push(async move {
                    let (places, items): (Vec<usize>, Vec<Invitation>) = batch.into_iter().unzip();
                    let results = directory.invite(&items).await;
                    (places, items, results)
                });
            }
            let is_ahead = if inviting.is_empty() {
                due.extend(updates.drain(..));
                0
            } else {
                INVITED_AHEAD
            };
            while updating.len() < BATCHES_IN_FLIGHT && due.len() > is_ahead {
                let batch: Vec<Due> = due.drain(..due.len().min(PARTS_PER_BATCH)).collect();
                updating.push(update(assignment, directory, batch));
            }
            tokio::select! {
                biased;
                Some((places, items, results)) = inviting.next() => {
                    let mut results = results.into_iter();
                    for (at, invitation) in places.into_iter().zip(items) {
                        let result = results.next().unwrap_or_else(|| Err(unanswered()));
                        // What is in flight is finished even if the record cannot be kept: its effects are there in any case.
                        match self.accept_invitation(at, invitation, result) {
                            Ok(accepted) => due.extend(accepted),
                            Err(error) => {
                                record_error.get_or_insert(error);
                            }
                        }
                    }
                }
                Some(batch) = updating.next() => {
                    for ((at, update, email), updated) in batch {
                        if let Err(error) = self.note_update(at, &update, email, updated) {
                            record_error.get_or_insert(error);
                        }
                        self.observer.advance();
                    }
                }
                () = self.observer.next_look(), if !(inviting.is_empty() && updating.is_empty()) => {
                    self.observer.look(self.directory.paused_for());
                }
                else => break,
            }
        }
        record_error.map_or(Ok(()), Err)
    }

    fn invitations(&self) -> Vec<(usize, Invitation)> {
        let tasks = self.tasks().filter_map(|(at, task)| match task {
            Task::Invite(invite) => {
                let invitation = Invitation {
                    email: invite.email.clone(),
                    set: invite.set.clone(),
                    redirect_url: invite.redirect_url.clone(),
                    send_email: invite.send_email,
                };
                Some((at, invitation))
            }
            _ => None,
        });
        tasks.collect()
    }

    /// The updates of accounts that were there before this run.
    fn updates(&self) -> Vec<Due> {
        let tasks = self.tasks().filter_map(|(at, task)| match task {
            Task::Update {
                account,
                set,
                cleared,
                of_invitation,
            } => {
                let update = AccountUpdate {
                    account: account.clone(),
                    set: set.clone(),
                    cleared: *cleared,
                    is_new: *of_invitation,
                };
                Some((at, update, None))
            }
            _ => None,
        });
        tasks.collect()
    }

    /// Writes an accepted invitation down, and returns the update that belongs to it: Graph takes neither given name nor surname with
    /// an invitation, and whether it takes the user type depends on the tenant.
    fn accept_invitation(
        &mut self,
        at: usize,
        invitation: Invitation,
        result: Result<Invited, WriteError>,
    ) -> anyhow::Result<Option<Due>> {
        let Invited { account, written } = match result {
            Ok(invited) => invited,
            Err(error) => {
                self.observer.advance();
                self.fail(at, "", &error)?;
                return Ok(None);
            }
        };
        let Invitation { email, set, .. } = invitation;
        let event = format!("invited azure user: {email}");
        self.write_down(at, Write::Invited, &account, &written, &event)?;
        self.invited.insert(email.clone(), account.clone());
        let update = AccountUpdate {
            account,
            set,
            cleared: ClearedNames::default(),
            is_new: true,
        };
        Ok(Some((at, update, Some(email))))
    }

    fn note_update(
        &mut self,
        at: usize,
        update: &AccountUpdate,
        email: Option<Address>,
        updated: Updated,
    ) -> anyhow::Result<()> {
        let account = &update.account;
        match updated {
            Updated::Misfit(misfit) => {
                if let Some(email) = email {
                    self.invited.remove(&email);
                }
                let message = format!(
                    "Graph answered with the account {account}, which {misfit}: nothing of it was changed; see whose it is, and plan again"
                );
                self.settle(at, Outcome::Failed, &message, &Written::default())
            }
            Updated::Answered(Ok(written)) => {
                if !update.is_empty() {
                    let event = format!("updated azure user: {account} - {}", self.name_of(at));
                    self.write_down(at, Write::Updated, account, &written, &event)?;
                }
                self.settle(at, Outcome::Done, "", &written)
            }
            Updated::Answered(Err(error)) => {
                let what = if update.is_new {
                    format!("{INVITED_ONLY}: ")
                } else {
                    String::new()
                };
                self.fail(at, &what, &error)
            }
        }
    }
}

/// Updates accounts, but for those that an invitation of this run was answered with and that are not for it to change: Graph answers
/// with the one that exists if a second address of the same home account is invited.
async fn update<D: Directory>(
    assignment: Assignment<'_>,
    directory: &D,
    batch: Vec<Due>,
) -> Vec<(Due, Updated)> {
    let is_known = |account: &ObjectId| assignment.known_accounts.contains(account);
    let invited: Vec<ObjectId> = batch
        .iter()
        .filter(|(_, update, email)| email.is_some() && !is_known(&update.account))
        .map(|(_, update, _)| update.account.clone())
        .collect();
    let there = directory.look(&invited).await;
    let misfit_of = |update: &AccountUpdate, email: &Option<Address>| {
        let email = email.as_ref()?;
        if is_known(&update.account) {
            return Some("was there before".to_owned());
        }
        match there.get(&update.account)? {
            Ok(account) => misfit(account, email, assignment.protected),
            Err(reason) => Some(format!("cannot be looked at ({reason})")),
        }
    };
    let misfits: Vec<Option<String>> = batch
        .iter()
        .map(|(_, update, email)| misfit_of(update, email))
        .collect();
    let (places, updates): (BTreeSet<usize>, Vec<AccountUpdate>) = batch
        .iter()
        .zip(&misfits)
        .filter(|((_, update, _), misfit)| misfit.is_none() && !update.is_empty())
        .map(|((at, update, _), _)| (*at, update.clone()))
        .unzip();
    let mut results = directory.update(&updates).await.into_iter();
    batch
        .into_iter()
        .zip(misfits)
        .map(|(due, misfit)| {
            let updated = match misfit {
                Some(misfit) => Updated::Misfit(misfit),
                None if places.contains(&due.0) => {
                    Updated::Answered(results.next().unwrap_or_else(|| Err(unanswered())))
                }
                None => Updated::Answered(Ok(Written::default())),
            };
            (due, updated)
        })
        .collect()
}

/// What stands in for an answer that did not come.
pub(super) fn unanswered() -> WriteError {
    WriteError {
        kind: WriteErrorKind::Unknown,
        is_uncertain: true,
        message: "Graph did not answer this part".to_owned(),
        request_id: None,
        attempts: 1,
    }
}
