//! What is not done because something before it is not: of what was judged change by change, what one verdict says of others.

use std::collections::{BTreeMap, BTreeSet};

use super::{Member, Task, Verdict, Verification, settled};
use crate::model::{Address, ObjectId};
use crate::plan::{Change, Plan};
use crate::report::Outcome;

/// Why somebody is not removed who should have been added elsewhere and was not.
pub const NOT_ADDED: &str = "an addition of the same account does not succeed, and nobody who moves is to be without access";

/// Why somebody is not removed where others should have been added and were not.
pub const WOULD_BE_EMPTY: &str =
    "an addition to the group did not succeed, and it would lose its last member";

/// Why somebody is not added who was to be invited.
pub(super) const NOT_INVITED: &str = "the invitation is not carried out";

/// Nobody who moves between groups is to be without access: who is not added, is not removed either. And no group that has to keep a
/// member loses its last one because others are not added.
pub(crate) fn hold_back_removals(changes: &[Change], verification: &mut Verification) {
    let Verification {
        verdicts, members, ..
    } = verification;
    let not_added: BTreeSet<&ObjectId> = changes
        .iter()
        .zip(verdicts.iter())
        .filter_map(|(change, verdict)| match (change, verdict) {
            (Change::Add(add), Verdict::Settled(outcome, _)) if outcome.is_unfinished() => {
                add.account.id.as_ref()
            }
            _ => None,
        })
        .collect();
    for (change, verdict) in changes.iter().zip(verdicts.iter_mut()) {
        if let Change::Remove(remove) = change
            && matches!(verdict, Verdict::Execute(_))
            && not_added.contains(&remove.account.id)
        {
            *verdict = settled(Outcome::NotAttempted, NOT_ADDED);
        }
    }
    // What is left in each group, and how many go.
    let mut left: BTreeMap<ObjectId, (usize, usize)> = members
        .iter()
        .map(|(group, members)| (group.clone(), (*members, 0)))
        .collect();
    for verdict in verdicts.iter() {
        let Verdict::Execute(Task::Add { group, .. } | Task::Remove { group, .. }) = verdict else {
            continue;
        };
        if let Some((members, going)) = left.get_mut(group) {
            match verdict {
                Verdict::Execute(Task::Add { .. }) => *members += 1,
                _ => *going += 1,
            }
        }
    }
    for verdict in verdicts {
        if let Verdict::Execute(Task::Remove { group, .. }) = verdict
            && left
                .get(group)
                .is_some_and(|(members, going)| going >= members)
        {
            *verdict = settled(Outcome::NotAttempted, WOULD_BE_EMPTY);
        }
    }
}

/// Keeps people from being invited again whom an earlier run of the plan invited: as long as the account that it was answered with is one
/// of theirs, they have an account, and if not, another invitation would be answered with the same one and kill the first link.
pub fn invite_nobody_again(
    reviewed: &Plan,
    verification: &mut Verification,
    invited: &BTreeMap<Address, ObjectId>,
) {
    let mut given_up = BTreeSet::new();
    for (change, verdict) in reviewed.changes.iter().zip(&mut verification.verdicts) {
        if let Change::Invite(invite) = change
            && matches!(verdict, Verdict::Execute(Task::Invite(_)))
            && let Some(account) = invited.get(&invite.email)
        {
            *verdict = settled(
                Outcome::Conflict,
                format!(
                    "an earlier run invited the address, and Graph answered with the account {account}, which is not the person's; see \
                     whose it is, and plan again"
                ),
            );
            given_up.insert(&invite.email);
        }
    }
    for verdict in &mut verification.verdicts {
        if let Verdict::Execute(Task::Add {
            member: Member::Invited(email),
            ..
        }) = verdict
            && given_up.contains(email)
        {
            *verdict = settled(Outcome::NotAttempted, NOT_INVITED);
        }
    }
    hold_back_removals(&reviewed.changes, verification);
}
