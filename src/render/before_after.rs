//! The members of a group before and after, as a unified diff: where people come and go in one group, it puts side by side
//! what the lists of additions and removals keep apart, such as one person under two addresses.

use std::collections::BTreeMap;

use similar::{Algorithm, DiffOp, capture_diff_slices_by_key};

use crate::model::{ObjectId, fold};
use crate::plan::{Add, Plan, PlannedGroup, Remove};

use super::words::{Changes, GroupLabels, People, address, counted, grouped, name};

/// Changed members up to which a diff is read at a glance; beyond, the lists read better.
const MAX_MEMBERS: usize = 20;

/// A group that gains or loses members.
pub(super) struct GroupDiff<'a> {
    /// The group.
    pub group: &'a PlannedGroup,
    /// Those who go and those who come. Up to [`MAX_MEMBERS`] stand by their names, beyond that whoever goes stands first.
    pub lines: Vec<DiffLine<'a>>,
}

/// A line of a [`GroupDiff`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DiffLine<'a> {
    /// Somebody who goes.
    Gone(&'a Remove),
    /// Somebody who comes.
    New(&'a Add),
}

impl GroupDiff<'_> {
    /// The group and its numbers, as a heading.
    pub fn heading(&self, labels: &GroupLabels<'_>) -> String {
        format!(
            "{}: {}",
            labels.of_group(&self.group.azure),
            self.before_and_after()
        )
    }

    /// Its numbers: "18 members before, 19 after".
    pub fn before_and_after(&self) -> String {
        format!(
            "{} before, {} after",
            counted(self.group.members_before, "member", "members"),
            grouped(self.group.members_after)
        )
    }

    /// Says how many stay; `None` if nobody does.
    pub fn staying(&self) -> Option<String> {
        let staying = self.group.members_before.saturating_sub(self.gone());
        (staying > 0).then(|| counted(staying, "member stays", "members stay"))
    }

    fn gone(&self) -> usize {
        let is_gone = |line: &&DiffLine<'_>| matches!(line, DiffLine::Gone(_));
        self.lines.iter().filter(is_gone).count()
    }

    fn is_read_at_a_glance(&self) -> bool {
        (1..self.lines.len()).contains(&self.gone()) && self.lines.len() <= MAX_MEMBERS
    }
}

impl DiffLine<'_> {
    /// Returns the cells that say who it is.
    pub fn who(&self, people: People) -> Vec<String> {
        let (display_name, email) = self.display_name_and_email();
        people.who(name(display_name), email)
    }

    fn display_name_and_email(&self) -> (Option<&str>, &str) {
        match self {
            Self::Gone(Remove { account, .. }) => (account.display_name.as_deref(), &account.email),
            Self::New(Add { account, .. }) => {
                (account.display_name.as_deref(), account.email.as_str())
            }
        }
    }

    /// Somebody without a name is only the same person as somebody with the same address.
    fn sort_key(&self) -> String {
        let (display_name, email) = self.display_name_and_email();
        fold(display_name.unwrap_or(email))
    }
}

/// Returns the diff of each group of a plan that both gains and loses members, and not more of them than a diff is good for.
pub(super) fn group_diffs(plan: &Plan) -> Vec<GroupDiff<'_>> {
    let mut diffs = changed_groups(plan);
    diffs.retain(GroupDiff::is_read_at_a_glance);
    diffs
}

/// Returns each group of a plan that gains or loses members, with all of them.
pub(super) fn changed_groups(plan: &Plan) -> Vec<GroupDiff<'_>> {
    let changes = Changes::of(plan);
    let mut gone: BTreeMap<&ObjectId, Vec<DiffLine<'_>>> = BTreeMap::new();
    let mut new: BTreeMap<&ObjectId, Vec<DiffLine<'_>>> = BTreeMap::new();
    for remove in changes.remove {
        let lines = gone.entry(&remove.group.id).or_default();
        lines.push(DiffLine::Gone(remove));
    }
    for add in changes.add {
        let lines = new.entry(&add.group.id).or_default();
        lines.push(DiffLine::New(add));
    }
    let diffs = plan.groups.iter().filter_map(|group| {
        let gone = gone.remove(&group.azure.id).unwrap_or_default();
        let new = new.remove(&group.azure.id).unwrap_or_default();
        let lines = side_by_side(gone, new);
        (!lines.is_empty()).then_some(GroupDiff { group, lines })
    });
    diffs.collect()
}

fn side_by_side<'a>(
    mut before: Vec<DiffLine<'a>>,
    mut after: Vec<DiffLine<'a>>,
) -> Vec<DiffLine<'a>> {
    for members in [&mut before, &mut after] {
        members.sort_by_cached_key(|line| {
            let (_, email) = line.display_name_and_email();
            (line.sort_key(), address(email))
        });
    }
    if before.len() + after.len() > MAX_MEMBERS {
        return [before, after].concat();
    }
    let mut lines = Vec::new();
    let operations =
        capture_diff_slices_by_key(Algorithm::Myers, &before, &after, DiffLine::sort_key);
    for operation in operations {
        let gone = before.get(operation.old_range()).unwrap_or_default();
        let new = after.get(operation.new_range()).unwrap_or_default();
        if matches!(operation, DiffOp::Equal { .. }) {
            // One name on both sides: the same person under another address, most likely.
            for (gone, new) in gone.iter().zip(new) {
                lines.extend([*gone, *new]);
            }
        } else {
            lines.extend(gone);
            lines.extend(new);
        }
    }
    lines
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
        let diffs = group_diffs(&plan);
        assert_eq!(diffs.len(), 1);
        assert_eq!(diffs[0].staying().as_deref(), Some("16 members stay"));
        let lines = diffs[0].lines.iter().map(|line| {
            let sign = match line {
                DiffLine::Gone(_) => "-",
                DiffLine::New(_) => "+",
            };
            format!("{sign} {}", line.who(People::Named).join(" "))
        });
        assert_eq!(
            lines.collect::<Vec<_>>(),
            [
                "+ Ann Ash ann@new.example",
                "- DANA Diaz dana@old.example",
                "+ Dana Diaz dana@new.example",
                "- Zoe Zorn zoe@old.example",
            ]
        );
    }

    #[test]
    fn a_group_that_only_grows_has_no_diff() {
        let mut plan = samples::every_kind();
        plan.changes
            .retain(|change| !matches!(change, Change::Remove(_)));
        assert!(group_diffs(&plan).is_empty());
        assert_eq!(changed_groups(&plan).len(), 2);
    }

    #[test]
    fn of_many_members_those_who_go_stand_first() {
        let group = || samples::group(2, "acme-platform");
        let mut plan = samples::empty();
        for at in 0..MAX_MEMBERS {
            let email = format!("a{at}@new.example");
            let name = format!("Ann {at}");
            plan.changes
                .push(samples::add(group(), None, &name, &email, "/p"));
        }
        plan.changes.push(samples::remove(
            group(),
            1,
            "Zoe Zorn",
            "zoe@old.example",
            RemovalReason::LeftGroup,
        ));
        assert!(group_diffs(&plan).is_empty());
        let diffs = changed_groups(&plan);
        assert_eq!(diffs[0].lines.len(), MAX_MEMBERS + 1);
        assert!(matches!(diffs[0].lines[0], DiffLine::Gone(_)));
    }
}
