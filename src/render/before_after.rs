//! The members of a group before and after, as a unified diff: where people come and go in one group, it puts side by side
//! what the lists of additions and removals keep apart, such as one person under two addresses.

use std::collections::BTreeMap;

use similar::{Algorithm, DiffOp, capture_diff_slices_by_key};

use crate::model::{ObjectId, fold};
use crate::plan::{Add, Plan, PlannedGroup, Remove};

use super::words::{Changes, GroupLabels, People, address, counted, grouped, name};

/// Changed members up to which a diff is read at a glance; beyond, the lists read better.
const MAX_MEMBERS: usize = 20;

/// A group that gains and loses members.
pub(super) struct GroupDiff {
    /// The group and its numbers, as a heading.
    pub heading: String,
    /// Its lines.
    pub lines: Vec<DiffLine>,
}

/// A line of a [`GroupDiff`].
#[derive(Debug, PartialEq, Eq)]
pub(super) enum DiffLine {
    /// The members that stay.
    Same(String),
    /// Somebody who goes: name and address.
    Gone(Vec<String>),
    /// Somebody who comes: name and address.
    New(Vec<String>),
}

/// Returns the diff of each group of a plan that both gains and loses members, and not more of them than a diff is good for.
pub(super) fn group_diffs(plan: &Plan, people: People) -> Vec<GroupDiff> {
    let changes = Changes::of(plan);
    let mut gone: BTreeMap<&ObjectId, Vec<Member>> = BTreeMap::new();
    let mut new: BTreeMap<&ObjectId, Vec<Member>> = BTreeMap::new();
    for Remove { group, account, .. } in changes.remove {
        gone.entry(&group.id).or_default().push(Member::of(
            account.display_name.as_deref(),
            &account.email,
            people,
        ));
    }
    for Add { group, account, .. } in changes.add {
        new.entry(&group.id).or_default().push(Member::of(
            account.display_name.as_deref(),
            account.email.as_str(),
            people,
        ));
    }
    let labels = GroupLabels::of(plan);
    plan.groups
        .iter()
        .filter_map(|group| {
            let gone = gone.remove(&group.azure.id)?;
            let new = new.remove(&group.azure.id)?;
            (gone.len() + new.len() <= MAX_MEMBERS).then(|| diff(group, &labels, gone, new))
        })
        .collect()
}

struct Member {
    cells: Vec<String>,
    address: String,
    sort_key: String,
}

impl Member {
    fn of(display_name: Option<&str>, email: &str, people: People) -> Self {
        Self {
            cells: people.who(name(display_name), email),
            address: address(email),
            // Somebody without a name is only the same person as somebody with the same address.
            sort_key: fold(display_name.unwrap_or(email)),
        }
    }
}

fn diff(
    group: &PlannedGroup,
    labels: &GroupLabels<'_>,
    mut before: Vec<Member>,
    mut after: Vec<Member>,
) -> GroupDiff {
    for members in [&mut before, &mut after] {
        members.sort_by(|one, other| {
            (&one.sort_key, &one.address).cmp(&(&other.sort_key, &other.address))
        });
    }
    let mut lines = Vec::new();
    let staying = group.members_before.saturating_sub(before.len());
    if staying > 0 {
        lines.push(DiffLine::Same(counted(
            staying,
            "member stays",
            "members stay",
        )));
    }
    let operations = capture_diff_slices_by_key(Algorithm::Myers, &before, &after, |member| {
        member.sort_key.clone()
    });
    for operation in operations {
        let gone = before.get(operation.old_range()).unwrap_or_default();
        let new = after.get(operation.new_range()).unwrap_or_default();
        if matches!(operation, DiffOp::Equal { .. }) {
            // One name on both sides: the same person under another address, most likely.
            for (gone, new) in gone.iter().zip(new) {
                lines.push(DiffLine::Gone(gone.cells.clone()));
                lines.push(DiffLine::New(new.cells.clone()));
            }
        } else {
            lines.extend(
                gone.iter()
                    .map(|member| DiffLine::Gone(member.cells.clone())),
            );
            lines.extend(new.iter().map(|member| DiffLine::New(member.cells.clone())));
        }
    }
    GroupDiff {
        heading: format!(
            "{}: {} before, {} after",
            labels.of_group(&group.azure),
            counted(group.members_before, "member", "members"),
            grouped(group.members_after)
        ),
        lines,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Change, RemovalReason};
    use crate::render::samples;

    #[test]
    fn one_name_under_two_addresses_stands_together() {
        let group = || samples::group(2, "acme-platform");
        let left = RemovalReason::LeftGroup;
        let mut plan = samples::empty();
        plan.changes = vec![
            samples::add(group(), None, "Ann Ash", "ann@new.example", "/p"),
            samples::add(group(), None, "Dana Diaz", "dana@new.example", "/p"),
            samples::remove(group(), 1, "DANA Diaz", "dana@old.example", left),
            samples::remove(group(), 2, "Zoe Zorn", "zoe@old.example", left),
        ];
        let cells = |name: &str, address: &str| vec![name.to_owned(), address.to_owned()];
        let diffs = group_diffs(&plan, People::Named);
        assert_eq!(diffs.len(), 1);
        assert_eq!(
            diffs[0].lines,
            [
                DiffLine::Same("16 members stay".to_owned()),
                DiffLine::New(cells("Ann Ash", "ann@new.example")),
                DiffLine::Gone(cells("DANA Diaz", "dana@old.example")),
                DiffLine::New(cells("Dana Diaz", "dana@new.example")),
                DiffLine::Gone(cells("Zoe Zorn", "zoe@old.example")),
            ]
        );
    }

    #[test]
    fn a_group_that_only_grows_has_no_diff() {
        let mut plan = samples::every_kind();
        plan.changes
            .retain(|change| !matches!(change, Change::Remove(_)));
        assert!(group_diffs(&plan, People::Named).is_empty());
    }
}
