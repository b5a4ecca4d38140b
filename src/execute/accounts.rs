//! The order of invitations and updates: an account that was just invited has some time to appear, is looked at, and is updated then.

use std::collections::{BTreeMap, VecDeque};

use super::{AccountUpdate, Assignment, Directory, Invitation, PARTS_PER_BATCH, Place};
use crate::model::{Address, ObjectId};
use crate::snapshot::Account;
use crate::verify::{Task, misfit_of_newcomer};

/// How many people are invited after somebody before that account is looked at. Graph counts invitations and updates against different
/// limits, so that neither need wait for the other to end; and an account is not there at once. At its pace this is seven seconds.
const INVITED_AHEAD: usize = 200;

/// How many accounts are looked at together, fifteen by each filter: enough for the looks to be few beside the writes.
const LOOKED_AT_TOGETHER: usize = 200;

/// An account that was just invited, under which address, and what it is to be like.
#[derive(Debug)]
pub(super) struct Newcomer {
    pub email: Address,
    pub update: AccountUpdate,
}

/// Invitations and updates that are yet to be made.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    invitations: VecDeque<Place<Invitation>>,
    newcomers: VecDeque<Place<Newcomer>>,
    /// How many newcomers are being looked at.
    looked_at: usize,
    /// Updates of newcomers who turned out to be who they should.
    ready: VecDeque<Place<AccountUpdate>>,
    /// Updates of accounts that were there before.
    updates: VecDeque<Place<AccountUpdate>>,
}

impl Accounts {
    /// The invitations and updates among what is to be carried out.
    pub(super) fn of<'t>(tasks: impl Iterator<Item = Place<&'t Task>>) -> Self {
        let mut accounts = Self::default();
        for (at, task) in tasks {
            match task {
                Task::Invite(invite) => {
                    let invitation = Invitation {
                        email: invite.email.clone(),
                        set: invite.set.clone(),
                        redirect_url: invite.redirect_url.clone(),
                        send_email: invite.send_email,
                        message: invite.message.clone(),
                        language: invite.language.clone(),
                        cc: invite.cc.clone(),
                    };
                    accounts.invitations.push_back((at, invitation));
                }
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
                    accounts.updates.push_back((at, update));
                }
                Task::Add { .. } | Task::Remove { .. } => {}
            }
        }
        accounts
    }

    /// How many changes these are.
    pub(super) fn len(&self) -> usize {
        self.invitations.len() + self.updates.len()
    }

    /// An invitation was accepted.
    pub(super) fn insert_newcomer(&mut self, at: usize, newcomer: Newcomer) {
        self.newcomers.push_back((at, newcomer));
    }

    /// A newcomer who was looked at is who they should be.
    pub(super) fn insert_ready(&mut self, at: usize, update: AccountUpdate) {
        self.ready.push_back((at, update));
    }

    /// So many newcomers were looked at.
    pub(super) fn end_look(&mut self, newcomers: usize) {
        self.looked_at = self.looked_at.saturating_sub(newcomers);
    }

    /// The next invitations.
    pub(super) fn next_invitations(&mut self) -> Option<Vec<Place<Invitation>>> {
        taken(&mut self.invitations, PARTS_PER_BATCH)
    }

    /// The next newcomers to look at, if it is time. `is_inviting` tells whether more may come.
    pub(super) fn next_look(&mut self, is_inviting: bool) -> Option<Vec<Place<Newcomer>>> {
        let had_time = if is_inviting {
            self.newcomers.len().saturating_sub(INVITED_AHEAD)
        } else {
            self.newcomers.len()
        };
        if self.looked_at > 0 || (had_time < LOOKED_AT_TOGETHER && is_inviting) {
            return None;
        }
        let newcomers = taken(&mut self.newcomers, had_time.min(LOOKED_AT_TOGETHER))?;
        self.looked_at = newcomers.len();
        Some(newcomers)
    }

    /// The next updates of newcomers, if it is time.
    pub(super) fn next_updates_of_newcomers(
        &mut self,
        is_inviting: bool,
    ) -> Option<Vec<Place<AccountUpdate>>> {
        let may_more_come = is_inviting || self.looked_at > 0 || !self.newcomers.is_empty();
        if self.ready.len() < PARTS_PER_BATCH && may_more_come {
            return None;
        }
        taken(&mut self.ready, PARTS_PER_BATCH)
    }

    /// The next updates of accounts that were there before.
    pub(super) fn next_updates(&mut self) -> Option<Vec<Place<AccountUpdate>>> {
        taken(&mut self.updates, PARTS_PER_BATCH)
    }

    /// Takes out whatever is left.
    pub(super) fn drain(&mut self) -> Vec<usize> {
        let Self {
            invitations,
            newcomers,
            ready,
            updates,
            looked_at: _,
        } = std::mem::take(self);
        let invitations = invitations.into_iter().map(|(at, _)| at);
        let newcomers = newcomers.into_iter().map(|(at, _)| at);
        let updates = ready.into_iter().chain(updates).map(|(at, _)| at);
        invitations.chain(newcomers).chain(updates).collect()
    }
}

fn taken<T>(queue: &mut VecDeque<T>, most: usize) -> Option<Vec<T>> {
    let size = queue.len().min(most);
    (size > 0).then(|| queue.drain(..size).collect())
}

/// Looks at newcomers, and says of each what makes it an account that is not for this run to change: Graph answers with the one that exists if
/// a second address of the same home account is invited.
pub(super) async fn look<D: Directory>(
    assignment: Assignment<'_>,
    directory: &D,
    newcomers: Vec<Place<Newcomer>>,
) -> Vec<(Place<Newcomer>, Option<String>)> {
    let is_known =
        |newcomer: &Newcomer| assignment.known_accounts.contains(&newcomer.update.account);
    let unknown: Vec<(ObjectId, Address)> = newcomers
        .iter()
        .filter(|(_, newcomer)| !is_known(newcomer))
        .map(|(_, newcomer)| (newcomer.update.account.clone(), newcomer.email.clone()))
        .collect();
    let there: BTreeMap<ObjectId, Result<Account, String>> = if unknown.is_empty() {
        BTreeMap::new()
    } else {
        directory.look(&unknown).await
    };
    let misfit_of = |newcomer: &Newcomer| {
        if is_known(newcomer) {
            return Some("was there before".to_owned());
        }
        match there.get(&newcomer.update.account)? {
            Ok(account) => misfit_of_newcomer(
                account,
                &newcomer.email,
                assignment.protected,
                assignment.plan,
            ),
            Err(reason) => Some(format!("cannot be looked at ({reason})")),
        }
    };
    newcomers
        .into_iter()
        .map(|(at, newcomer)| {
            let misfit = misfit_of(&newcomer);
            ((at, newcomer), misfit)
        })
        .collect()
}
