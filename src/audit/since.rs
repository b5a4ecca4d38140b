//! What the runs of a report wrote, held against what is so now.

use std::collections::{BTreeMap, HashMap};

use super::view::View;
use super::{Deviation, Now, SinceReport};
use crate::model::ObjectId;
use crate::plan::{Action, FieldChange, Fields, GroupName};
use crate::report::{Report, Subject, Write};
use crate::snapshot::{Account, InvitedAccount};

/// Holds what the runs of a report wrote against what is so now.
pub(super) fn since_report(
    report: &Report,
    view: &View<'_, '_>,
    invited: &[InvitedAccount],
) -> SinceReport {
    let mut accounts: HashMap<&ObjectId, &Account> = invited
        .iter()
        .map(|it| (&it.account.id, &it.account))
        .collect();
    let matched = &view.decision.draft.matching.accounts;
    accounts.extend(matched.iter().map(|(id, account)| (*id, *account)));
    let mut since = SinceReport {
        last_run: None,
        unchanged: 0,
        not_read: 0,
        changed: Vec::new(),
    };
    for left in last_states(report) {
        since.last_run = since.last_run.max(Some(left.began));
        match now(&left, view, &accounts) {
            Held::AsLeft => since.unchanged += 1,
            Held::NotRead => since.not_read += 1,
            Held::Differs(now) => since.changed.push(Deviation {
                run_id: left.run_id.to_owned(),
                change: left.change,
                action: left.action,
                time: left.time,
                account: left.account.clone(),
                group: left.group.cloned(),
                now,
            }),
        }
    }
    since
}

fn now(left: &LeftState<'_>, view: &View<'_, '_>, accounts: &HashMap<&ObjectId, &Account>) -> Held {
    let Some(id) = &left.account.id else {
        return Held::NotRead;
    };
    let is_member = left.group.map(|group| {
        let group = view.mapped.get(&group.id)?;
        Some(group.azure.members.contains(id))
    });
    match (left.action, is_member) {
        (Action::Add, Some(Some(false))) => Held::Differs(Now::NotMember),
        (Action::Remove, Some(Some(true))) => Held::Differs(Now::MemberAgain),
        (Action::Add | Action::Remove, Some(Some(_))) => Held::AsLeft,
        (Action::Add | Action::Remove, _) => Held::NotRead,
        (Action::Invite, _) if accounts.contains_key(id) => Held::AsLeft,
        (Action::Invite, _) => Held::Differs(Now::NoAccount),
        (Action::Update, _) => match accounts.get(id) {
            None => Held::Differs(Now::NoAccount),
            Some(account) => {
                let other = other_values(left.fields, account);
                if other.is_empty() {
                    Held::AsLeft
                } else {
                    Held::Differs(Now::OtherValues(other))
                }
            }
        },
    }
}

/// What became of something that a run did.
enum Held {
    AsLeft,
    NotRead,
    Differs(Now),
}

/// What the last run that touched something left.
struct LeftState<'r> {
    run_id: &'r str,
    began: jiff::Timestamp,
    change: usize,
    action: Action,
    time: jiff::Timestamp,
    account: &'r Subject,
    group: Option<&'r GroupName>,
    fields: &'r Fields,
}

/// What the runs of a report wrote: of each object the last. What a run wrote that was killed is among it.
fn last_states(report: &Report) -> Vec<LeftState<'_>> {
    let mut states: BTreeMap<_, LeftState<'_>> = BTreeMap::new();
    for run in report.runs.iter().filter(|run| !run.start.dry_run) {
        for step in &run.steps {
            let action = match step.write {
                Write::Invited => Action::Invite,
                // An account that was just invited gets the values of its invitation, which the person may change.
                Write::Updated if step.is_of_invitation() => continue,
                Write::Updated => Action::Update,
                Write::Added => Action::Add,
                Write::Removed => Action::Remove,
            };
            let state = LeftState {
                run_id: &run.start.run_id,
                began: run.start.time,
                change: step.change,
                action,
                time: step.time,
                account: &step.account,
                group: step.group.as_ref(),
                fields: &step.fields,
            };
            // Adding to a group and removing from it are about one thing.
            let kind = match action {
                Action::Add | Action::Remove => None,
                other => Some(other),
            };
            let object = (
                step.account.id.as_ref(),
                kind,
                step.group.as_ref().map(|group| &group.id),
            );
            states.insert(object, state);
        }
    }
    let mut states: Vec<LeftState<'_>> = states.into_values().collect();
    states.sort_by_key(|state| (state.time, state.change));
    states
}

/// The fields in which an account is not as it was left: what it was given, and what it has.
fn other_values(left: &Fields, account: &Account) -> Fields {
    fn other<T: Clone + PartialEq>(
        left: Option<&FieldChange<T>>,
        has: Option<&T>,
    ) -> Option<FieldChange<T>> {
        let given = left?.after.as_ref();
        (given != has).then(|| FieldChange {
            before: given.cloned(),
            after: has.cloned(),
        })
    }
    Fields {
        user_type: other(left.user_type.as_ref(), account.user_type.as_ref()),
        display_name: other(left.display_name.as_ref(), account.display_name.as_ref()),
        given_name: other(left.given_name.as_ref(), account.given_name.as_ref()),
        surname: other(left.surname.as_ref(), account.surname.as_ref()),
    }
}
