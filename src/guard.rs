//! The safety limits: how much one plan may take away or bring in, and what is said when it would be more.

use std::collections::BTreeSet;

use crate::mapping::MappedGroup;
use crate::plan::{Block, BlockCode, GroupName, Overrides};
use crate::settings::{Limit, Limits};
use crate::wording::{counted, grouped};

/// The limits that hold for one plan: those of the configuration, with what was lifted on the command line.
pub fn limits_in_force(limits: &Limits, overrides: &Overrides) -> Limits {
    let Overrides {
        max_removals,
        max_removals_percent,
        max_invitations,
        allow_empty: _,
        without_witness: _,
    } = overrides;
    let (removals, removals_percent) = match (*max_removals, *max_removals_percent) {
        // Who lifts the limit on removals means all of it: a number of the configuration beside it would hold alone.
        (Some(Limit::Off), None) => (Limit::Off, Limit::Off),
        (None, Some(Limit::Off)) if limits.removals != Limit::AtMost(0) => (Limit::Off, Limit::Off),
        (count, percent) => (
            count.unwrap_or(limits.removals),
            percent.unwrap_or(limits.removals_percent),
        ),
    };
    Limits {
        removals,
        removals_percent,
        invitations: max_invitations.unwrap_or(limits.invitations),
    }
}

/// Returns how many of its members a group may lose: `limits.removals` of them or `limits.removals_percent`, whichever is more; `None`
/// means any number. A plain 0 for the first forbids both. One that is off leaves the other to hold alone.
pub fn allowed_removals(members: usize, limits: &Limits) -> Option<usize> {
    match (limits.removals, limits.removals_percent) {
        (Limit::AtMost(0), _) => Some(0),
        (Limit::AtMost(count), Limit::AtMost(percent)) => {
            Some(share(percent, members).max(count as usize))
        }
        (Limit::AtMost(count), Limit::Off) => Some(count as usize),
        (Limit::Off, Limit::AtMost(percent)) => Some(share(percent, members)),
        (Limit::Off, Limit::Off) => None,
    }
}

fn share(percent: u32, members: usize) -> usize {
    members * percent as usize / 100
}

/// How many removals of a blocked group are proved and shown, for people to judge whether to lift the limit. Proving takes Keycloak two
/// requests each, and a user federation that is out of order can make candidates of thousands.
const SHOWN_OF_BLOCKED: usize = 100;

/// What the limits say about the removals of one group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RemovalVerdict {
    /// The limits that are exceeded.
    pub blocks: Vec<Block>,
    /// How many removals may stand in the plan all the same, for its readers; `None` means all.
    pub shown: Option<usize>,
}

/// Checks how many members a group would lose, and that it keeps one.
pub fn check_removals(
    group: &MappedGroup<'_>,
    losing: usize,
    joining: usize,
    limits: &Limits,
) -> RemovalVerdict {
    let mut verdict = RemovalVerdict::default();
    if losing == 0 {
        return verdict;
    }
    let members = group.azure.members.len();
    let name = &group.azure.name;
    if group.rows.is_empty() && !group.allow_empty {
        verdict.shown = Some(0);
        verdict.blocks.push(Block {
            code: BlockCode::EmptySource,
            group: Some(group.name()),
            message: format!(
                "Keycloak names nobody in {}, and {name} would lose {} of its {} members",
                sources_of(group),
                grouped(losing),
                grouped(members)
            ),
            flag: format!("--allow-empty {}", group.flag_name),
        });
    } else if joining == 0 && !group.allow_empty {
        let block = check_last_member(&group.name(), members, losing, group.flag_name);
        verdict.blocks.extend(block);
    }
    let is_shortened = verdict.shown.is_none() && losing > SHOWN_OF_BLOCKED;
    let note = if is_shortened {
        format!("; the first {SHOWN_OF_BLOCKED} are looked into and shown")
    } else {
        String::new()
    };
    if let Some(block) = check_number_of_removals(&group.name(), members, losing, limits, &note) {
        verdict.blocks.push(block);
        if is_shortened {
            verdict.shown = Some(SHOWN_OF_BLOCKED);
        }
    }
    verdict
}

/// Checks that a group which nobody joins keeps a member.
pub fn check_last_member(
    group: &GroupName,
    members: usize,
    losing: usize,
    flag_name: &str,
) -> Option<Block> {
    (losing >= members).then(|| Block {
        code: BlockCode::WouldEmptyGroup,
        group: Some(group.clone()),
        message: format!(
            "{} would lose the last of its {} members",
            group.name,
            grouped(members)
        ),
        flag: format!("--allow-empty {flag_name}"),
    })
}

/// Checks how many members a group would lose. A note ends the message.
pub fn check_number_of_removals(
    group: &GroupName,
    members: usize,
    losing: usize,
    limits: &Limits,
    note: &str,
) -> Option<Block> {
    let allowed = allowed_removals(members, limits)?;
    (losing > allowed).then(|| Block {
        code: BlockCode::TooManyRemovals,
        group: Some(group.clone()),
        message: format!(
            "{} would lose {} of {} members; at most {} ({}) may go in one plan{note}",
            group.name,
            grouped(losing),
            grouped(members),
            grouped(allowed),
            limit_in_words(members, limits)
        ),
        flag: format!("--max-removals {losing}"),
    })
}

/// Checks how many people are invited.
pub fn check_invitations(invitations: usize, limits: &Limits) -> Option<Block> {
    let Limit::AtMost(allowed) = limits.invitations else {
        return None;
    };
    (invitations > allowed as usize).then(|| Block {
        code: BlockCode::TooManyInvitations,
        group: None,
        message: format!(
            "{} would be invited; at most {} may be in one plan",
            counted(invitations, "person", "people"),
            grouped(allowed as usize)
        ),
        flag: format!("--max-invitations {invitations}"),
    })
}

fn limit_in_words(members: usize, limits: &Limits) -> String {
    match (limits.removals, limits.removals_percent) {
        (Limit::AtMost(0), _) | (Limit::Off, Limit::AtMost(0)) => {
            "removals are forbidden".to_owned()
        }
        (Limit::AtMost(count), Limit::AtMost(percent))
            if share(percent, members) > count as usize =>
        {
            format!("{percent} %")
        }
        (Limit::Off, Limit::AtMost(percent)) => format!("{percent} %"),
        (count, _) => format!("limits.removals is {count}"),
    }
}

fn sources_of(group: &MappedGroup<'_>) -> String {
    let paths: BTreeSet<&str> = group
        .mappings
        .iter()
        .map(|mapping| mapping.keycloak.as_str())
        .collect();
    paths.into_iter().collect::<Vec<_>>().join(", ")
}
