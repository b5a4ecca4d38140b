//! The writer: the only type of the program that can change anything in Entra.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::accounts::is_invited_as;
use super::advice::{About, By, permission_for, write_error};
use super::batch::{BATCH_SIZE, Outcome, Reads, Writes};
use super::failure::Failure;
use super::meaning::{Meaning, Operation, meaning};
use super::read::Reader;
use super::write_request::Write;
use crate::clock::Clock;
use crate::execute::{
    AccountUpdate, Directory, Invitation, Invited, MEMBERS_PER_SET, Membership, SETS_PER_BATCH,
    WriteError, WriteErrorKind, Written,
};
use crate::http::{Class, ErrorKind, Timing};
use crate::model::{Address, ObjectId};
use crate::snapshot::Account;

/// Writes to the tenant that a [`Reader`] reads.
pub struct Writer {
    reader: Reader,
    reads: Reads,
    writes: Writes,
    /// Additions of twenty are refused where single ones are not. Whether `GroupMember.ReadWrite.All` suffices for both is
    /// not documented, so it is tried.
    binds_refused: AtomicBool,
}

impl Directory for Writer {
    async fn invite(&self, invitations: &[Invitation]) -> Vec<Result<Invited, WriteError>> {
        let writes: Vec<Write<'_>> = invitations.iter().map(Write::Invite).collect();
        let outcomes = self
            .writes
            .send(Class::Invitation, &writes, BATCH_SIZE)
            .await;
        let lost: BTreeSet<Address> = invitations
            .iter()
            .zip(&outcomes)
            .filter(|(_, outcome)| matches!(invited_in(outcome), Invitee::Unknown))
            .map(|(invitation, _)| invitation.email.clone())
            .collect();
        let found = self.look_up_until_found(lost).await;
        invitations
            .iter()
            .zip(outcomes)
            .map(|(invitation, outcome)| {
                let account = match invited_in(&outcome) {
                    Invitee::Account(account) => Some(account),
                    Invitee::Unknown => found.get(&invitation.email).cloned(),
                    Invitee::Refused(failure) => {
                        let about = About {
                            operation: Operation::Invite,
                            account: None,
                            group: None,
                            is_new: true,
                        };
                        return Err(self.error(about, &outcome, &failure));
                    }
                };
                let Some(account) = account else {
                    return Err(unknown_invitation(&outcome));
                };
                Ok(Invited {
                    account,
                    written: written(&outcome, false),
                })
            })
            .collect()
    }

    async fn look(
        &self,
        invited: &[(ObjectId, Address)],
    ) -> BTreeMap<ObjectId, Result<Account, String>> {
        let addresses: BTreeSet<Address> = invited.iter().map(|(_, email)| email.clone()).collect();
        // Fifteen at a time. Whoever is not found that way has another address, or lists do not show them yet.
        let listed = self.reads.with_mail(&addresses).await.unwrap_or_default();
        let (seen, unseen): (Vec<&ObjectId>, Vec<&ObjectId>) = invited
            .iter()
            .map(|(account, _)| account)
            .partition(|account| listed.contains_key(*account));
        let mut there = self.reads.accounts_there(&unseen).await;
        for account in seen {
            if let Some(shown) = listed.get(account) {
                there.insert(account.clone(), Ok(shown.clone()));
            }
        }
        there
    }

    async fn update(&self, updates: &[AccountUpdate]) -> Vec<Result<Written, WriteError>> {
        // A request without a field is an error to Graph, and there is nothing to ask for.
        let (sent, writes): (Vec<usize>, Vec<NewOrOld<'_>>) = updates
            .iter()
            .enumerate()
            .filter(|(_, update)| !update.is_empty())
            .map(
                |(
                    at,
                    AccountUpdate {
                        account,
                        set,
                        cleared,
                        is_new,
                    },
                )| {
                    let write = Write::Update {
                        account,
                        set,
                        cleared: *cleared,
                    };
                    (at, NewOrOld::new(write, account, *is_new))
                },
            )
            .unzip();
        let outcomes = self.send_until_there(&writes).await;
        let mut results: Vec<Result<Written, WriteError>> = updates
            .iter()
            .map(|_| {
                Ok(Written {
                    was_so_already: true,
                    ..Written::default()
                })
            })
            .collect();
        for ((at, write), outcome) in sent.into_iter().zip(&writes).zip(outcomes) {
            let result = match &outcome.result {
                Ok(_) => Ok(written(&outcome, false)),
                Err(failure) => Err(self.error(write.about(None), &outcome, failure)),
            };
            if let Some(slot) = results.get_mut(at) {
                *slot = result;
            }
        }
        results
    }

    async fn add(&self, memberships: &[Membership]) -> Vec<Result<Written, WriteError>> {
        let Together {
            mut added,
            perhaps_added,
        } = self.add_together(memberships).await;
        let is_added = |membership: &&Membership| {
            added.contains_key(&(&membership.group, &membership.account))
        };
        // Asked for twice, it is still one membership.
        let rest: BTreeMap<(&ObjectId, &ObjectId), &Membership> = memberships
            .iter()
            .filter(|membership| !is_added(membership))
            .map(|membership| ((&membership.group, &membership.account), membership))
            .collect();
        added.extend(self.add_singly(&rest, &perhaps_added).await);
        memberships
            .iter()
            .map(|membership| {
                let key = (&membership.group, &membership.account);
                added.get(&key).cloned().unwrap_or_else(|| {
                    Err(WriteError {
                        kind: WriteErrorKind::Unknown,
                        is_uncertain: false,
                        message: "the addition was not tried".to_owned(),
                        request_id: None,
                        attempts: 0,
                    })
                })
            })
            .collect()
    }

    async fn remove(&self, memberships: &[Membership]) -> Vec<Result<Written, WriteError>> {
        let writes: Vec<Write<'_>> = memberships
            .iter()
            .map(|Membership { group, account, .. }| Write::Remove { group, account })
            .collect();
        let outcomes = self
            .writes
            .send(Class::RepeatableWrite, &writes, BATCH_SIZE)
            .await;
        memberships
            .iter()
            .zip(outcomes)
            .map(|(membership, outcome)| match &outcome.result {
                Ok(_) => Ok(written(&outcome, false)),
                Err(failure) if was_no_member(failure, membership) => Ok(written(&outcome, true)),
                Err(failure) => {
                    let about = About {
                        operation: Operation::Remove,
                        account: Some(&membership.account),
                        group: Some(&membership.group),
                        is_new: false,
                    };
                    Err(self.error(about, &outcome, failure))
                }
            })
            .collect()
    }

    fn paused_for(&self) -> Option<Duration> {
        self.reads.paused_for()
    }
}

/// What became of additions that were tried together.
#[derive(Default)]
struct Together<'a> {
    /// Those that were answered for good.
    added: Additions<'a>,
    /// Of the others, those that a try without an answer may have added.
    perhaps_added: BTreeSet<(&'a ObjectId, &'a ObjectId)>,
}

type Additions<'a> = BTreeMap<(&'a ObjectId, &'a ObjectId), Result<Written, WriteError>>;

impl Writer {
    /// Makes a writer for the tenant that a reader reads. This is the moment from which the program can write.
    pub fn new(reader: &Reader) -> Self {
        Self {
            reads: reader.reads().clone(),
            writes: Writes::beside(reader.reads()),
            reader: reader.clone(),
            binds_refused: AtomicBool::new(false),
        }
    }

    /// Adds the members of each group twenty at a time. What is not in the result has to be added singly: one account in
    /// twenty that cannot be added, or is in the group already, refuses all.
    async fn add_together<'a>(&self, memberships: &'a [Membership]) -> Together<'a> {
        let mut added = Additions::new();
        let mut perhaps_added = BTreeSet::new();
        if self.binds_refused.load(Ordering::Relaxed) {
            return Together::default();
        }
        let mut by_group: BTreeMap<&ObjectId, BTreeSet<&ObjectId>> = BTreeMap::new();
        for membership in memberships {
            by_group
                .entry(&membership.group)
                .or_default()
                .insert(&membership.account);
        }
        let by_group: Vec<(&ObjectId, Vec<&ObjectId>)> = by_group
            .into_iter()
            .map(|(group, accounts)| (group, accounts.into_iter().collect()))
            .collect();
        let chunks: Vec<(&ObjectId, &[&ObjectId])> = by_group
            .iter()
            .flat_map(|(group, accounts)| {
                accounts
                    .chunks(MEMBERS_PER_SET)
                    .map(move |chunk| (*group, chunk))
            })
            // One alone gets a clearer answer singly.
            .filter(|(_, accounts)| accounts.len() > 1)
            .collect();
        let writes: Vec<Write<'_>> = chunks
            .iter()
            .map(|&(group, accounts)| Write::AddAll { group, accounts })
            .collect();
        let outcomes = self
            .writes
            .send(Class::RepeatableWrite, &writes, SETS_PER_BATCH)
            .await;
        let mut refused_for_permission = false;
        for ((group, accounts), outcome) in chunks.iter().zip(outcomes) {
            let is_for_single_ones = matches!(
                &outcome.result,
                Err(Failure::Refused(refusal)) if matches!(refusal.status, 400 | 403 | 404)
            );
            if is_for_single_ones {
                refused_for_permission |= is_permission_missing(&outcome);
                if outcome.after_unknown {
                    perhaps_added.extend(accounts.iter().map(|&account| (*group, account)));
                }
                continue;
            }
            for &account in *accounts {
                let result = match &outcome.result {
                    Ok(_) => Ok(written(&outcome, false)),
                    Err(failure) => {
                        let about = About {
                            operation: Operation::Add,
                            account: Some(account),
                            group: Some(group),
                            is_new: false,
                        };
                        Err(self.error(about, &outcome, failure))
                    }
                };
                added.insert((group, account), result);
            }
        }
        if refused_for_permission {
            self.binds_refused.store(true, Ordering::Relaxed);
        }
        Together {
            added,
            perhaps_added,
        }
    }

    async fn add_singly<'a>(
        &self,
        memberships: &BTreeMap<(&'a ObjectId, &'a ObjectId), &'a Membership>,
        perhaps_added: &BTreeSet<(&'a ObjectId, &'a ObjectId)>,
    ) -> Additions<'a> {
        let writes: Vec<NewOrOld<'a>> = memberships
            .iter()
            .map(|(&(group, account), membership)| {
                NewOrOld::new(Write::AddOne { group, account }, account, membership.is_new)
            })
            .collect();
        let outcomes = self.send_until_there(&writes).await;
        let mut added = Additions::new();
        for ((&(group, account), write), outcome) in memberships.keys().zip(&writes).zip(outcomes) {
            let result = match &outcome.result {
                Ok(_) => Ok(written(&outcome, false)),
                Err(Failure::Refused(refusal))
                    if meaning(Operation::Add, refusal) == Meaning::AlreadyMember =>
                {
                    let was_so = !perhaps_added.contains(&(group, account));
                    Ok(written(&outcome, was_so))
                }
                Err(failure) => Err(self.error(write.about(Some(group)), &outcome, failure)),
            };
            added.insert((group, account), result);
        }
        added
    }

    /// Sends writes, and those to new accounts again for some minutes while Graph says that these do not exist: an invitation
    /// is answered before all servers know of the account.
    async fn send_until_there(&self, writes: &[NewOrOld<'_>]) -> Vec<Outcome> {
        let mut outcomes: Vec<Option<Outcome>> = vec![None; writes.len()];
        let mut pending: Vec<usize> = (0..writes.len()).collect();
        let mut waits = Waits::for_new_accounts(self.reads.timing());
        loop {
            let requests: Vec<Write<'_>> = pending
                .iter()
                .filter_map(|&at| Some(writes.get(at)?.write))
                .collect();
            let sent = self
                .writes
                .send(Class::RepeatableWrite, &requests, BATCH_SIZE)
                .await;
            let mut again = Vec::new();
            for (at, mut outcome) in pending.into_iter().zip(sent) {
                let (Some(write), Some(slot)) = (writes.get(at), outcomes.get_mut(at)) else {
                    continue;
                };
                if let Some(earlier) = slot {
                    outcome.attempts += earlier.attempts;
                    outcome.after_unknown |= earlier.after_unknown;
                }
                if write.may_be_not_yet(&outcome) {
                    again.push(at);
                }
                *slot = Some(outcome);
            }
            pending = again;
            if pending.is_empty() || !waits.wait().await {
                break;
            }
        }
        outcomes.into_iter().flatten().collect()
    }

    /// Looks for the accounts of invitations whose answer was lost, for about a minute. To invite again instead would kill
    /// the first redeem link.
    async fn look_up_until_found(
        &self,
        mut lost: BTreeSet<Address>,
    ) -> BTreeMap<Address, ObjectId> {
        let mut found = BTreeMap::new();
        let mut waits = Waits::for_look_ups(self.reads.timing());
        while !lost.is_empty() && waits.wait().await {
            // A look-up that fails has told nothing; the next one may.
            let Ok(accounts) = self.reads.look_up(&lost).await else {
                continue;
            };
            for address in lost.clone() {
                let mut fitting = accounts
                    .values()
                    .filter(|account| is_invited_as(account, &address));
                if let (Some(account), None) = (fitting.next(), fitting.next()) {
                    lost.remove(&address);
                    found.insert(address, account.id.clone());
                }
            }
        }
        found
    }

    fn error(&self, about: About<'_>, outcome: &Outcome, failure: &Failure) -> WriteError {
        let by = By {
            who: self.reader.who(),
            has_permission: permission_for(about.operation)
                .and_then(|permission| self.reader.has(permission)),
        };
        write_error(about, by, outcome, failure)
    }
}

/// A write to an account that may have been made a moment ago.
#[derive(Clone, Copy)]
struct NewOrOld<'a> {
    write: Write<'a>,
    account: &'a ObjectId,
    is_new: bool,
}

impl<'a> NewOrOld<'a> {
    fn new(write: Write<'a>, account: &'a ObjectId, is_new: bool) -> Self {
        Self {
            write,
            account,
            is_new,
        }
    }

    fn may_be_not_yet(&self, outcome: &Outcome) -> bool {
        self.is_new
            && matches!(
                &outcome.result,
                Err(Failure::Refused(refusal))
                    if meaning(self.write.operation(), refusal).may_be_not_yet(self.account)
            )
    }

    fn about(&self, group: Option<&'a ObjectId>) -> About<'a> {
        About {
            operation: self.write.operation(),
            account: Some(self.account),
            group,
            is_new: self.is_new,
        }
    }
}

/// Waits that double up to a longest one, for so long altogether. They follow the timing of the connection, so that whoever
/// shortens that, shortens these.
struct Waits {
    clock: Clock,
    next: Duration,
    longest: Duration,
    left: Duration,
}

impl Waits {
    /// 1, 2, 4, 8, 16, 30 s and so on, up to 5 minutes: as long as Terraform's provider waits for a new account.
    fn for_new_accounts(timing: &Timing) -> Self {
        Self {
            clock: timing.clock.clone(),
            next: timing.first_wait.saturating_mul(2),
            longest: timing.longest_wait,
            left: timing.longest_retry_after,
        }
    }

    /// 1, 2, 4, 8, 16, 29 s: a minute.
    fn for_look_ups(timing: &Timing) -> Self {
        Self {
            left: timing.longest_retry_after / 5,
            ..Self::for_new_accounts(timing)
        }
    }

    /// Waits once, or returns `false` if the time is up.
    async fn wait(&mut self) -> bool {
        let wait = self.next.min(self.left);
        if wait.is_zero() {
            return false;
        }
        self.left -= wait;
        self.next = self.next.saturating_mul(2).min(self.longest);
        self.clock.sleep(wait).await;
        true
    }
}

/// What the answer to an invitation says.
enum Invitee {
    /// It was accepted.
    Account(ObjectId),
    /// It may have been accepted.
    Unknown,
    /// It was refused.
    Refused(Failure),
}

fn invited_in(outcome: &Outcome) -> Invitee {
    let failure = match &outcome.result {
        Ok(body) => {
            return match account_in(&body.value()) {
                Some(account) => Invitee::Account(account),
                None => Invitee::Unknown,
            };
        }
        Err(failure) => failure,
    };
    let is_unknown = match failure {
        Failure::NoAnswer(error) => {
            matches!(error.kind, ErrorKind::AnswerLost | ErrorKind::TooLarge)
        }
        Failure::Refused(refusal) => meaning(Operation::Invite, refusal) == Meaning::Unavailable,
        Failure::Garbled(_) | Failure::Missing => true,
        Failure::Login(_) | Failure::MemberGone(_) | Failure::Withheld => false,
    };
    if is_unknown {
        Invitee::Unknown
    } else {
        Invitee::Refused(failure.clone())
    }
}

/// Only the id is read: the redeem link beside it is as good as a credential.
pub(super) fn account_in(body: &Value) -> Option<ObjectId> {
    #[derive(Deserialize)]
    struct Id {
        id: ObjectId,
    }
    let user = body.get("invitedUser")?;
    Id::deserialize(user).ok().map(|Id { id }| id)
}

fn unknown_invitation(outcome: &Outcome) -> WriteError {
    let reason = match &outcome.result {
        Ok(_) => "Graph accepted the invitation without naming its account".to_owned(),
        Err(failure) => format!("the answer to the invitation was lost ({failure})"),
    };
    WriteError {
        kind: WriteErrorKind::Unknown,
        is_uncertain: true,
        message: format!(
            "{reason}, and the address was not to be found for a minute; it is not invited a second time, because that would \
             kill the first invitation's link. Plan again in some minutes"
        ),
        request_id: outcome.request_id.clone(),
        attempts: outcome.attempts,
    }
}

/// Whether the refusal of a removal says that the account was not in the group. The same words are used of a group that does
/// not exist, so it has to be the account that they name.
fn was_no_member(failure: &Failure, membership: &Membership) -> bool {
    let Failure::Refused(refusal) = failure else {
        return false;
    };
    match meaning(Operation::Remove, refusal) {
        Meaning::NotMember => true,
        Meaning::NotThere(named) => {
            named.contains(&membership.account) && !named.contains(&membership.group)
        }
        _ => false,
    }
}

fn is_permission_missing(outcome: &Outcome) -> bool {
    matches!(
        &outcome.result,
        Err(Failure::Refused(refusal))
            if meaning(Operation::Add, refusal) == Meaning::PermissionMissing
    )
}

fn written(outcome: &Outcome, was_so_already: bool) -> Written {
    Written {
        request_id: outcome.request_id.clone(),
        attempts: outcome.attempts,
        // What a try of this run may have done, whose answer was lost, was not so before it.
        was_so_already: was_so_already && !outcome.after_unknown,
    }
}
