//! What the directories want now that a reviewed plan does not hold.

use std::collections::{BTreeMap, BTreeSet};

use crate::diff::Decision;
use crate::plan::{Change, Fields, Plan, Update};

/// Counts the changes of a fresh decision that the reviewed plan does not hold.
pub(super) fn count_further(reviewed: &Plan, fresh: &Decision<'_>) -> usize {
    let mut invites = BTreeSet::new();
    let mut updates = BTreeMap::new();
    let mut adds = BTreeSet::new();
    let mut removes = BTreeSet::new();
    for change in &reviewed.changes {
        match change {
            Change::Invite(invite) => {
                invites.insert(invite.email.as_str());
            }
            Change::Update(update) => {
                updates.insert(&update.account.id, &update.fields);
            }
            Change::Add(add) => {
                adds.insert((&add.group.id, &add.account.email));
            }
            Change::Remove(remove) => {
                removes.insert((&remove.group.id, &remove.account.id));
            }
        }
    }
    let is_further_update = |update: &Update| match updates.get(&update.account.id) {
        // What an invitation of the plan left to do is covered by the invitation.
        None => !invites.contains(update.account.email.as_str()),
        Some(reviewed) => {
            let Fields {
                user_type,
                display_name,
                given_name,
                surname,
            } = &update.fields;
            (user_type.is_some() && reviewed.user_type.is_none())
                || (display_name.is_some() && reviewed.display_name.is_none())
                || (given_name.is_some() && reviewed.given_name.is_none())
                || (surname.is_some() && reviewed.surname.is_none())
        }
    };
    let is_further = |change: &&Change| match change {
        Change::Invite(invite) => !invites.contains(invite.email.as_str()),
        Change::Update(update) => is_further_update(update),
        Change::Add(add) => !adds.contains(&(&add.group.id, &add.account.email)),
        Change::Remove(remove) => !removes.contains(&(&remove.group.id, &remove.account.id)),
    };
    fresh.changes.iter().filter(is_further).count()
}
