//! In what changes, blocks, problems and groups differ that both plans hold, in words.

use crate::compare::{Comparison, Detail, Differing, GroupDifference};
use crate::model::GroupPath;
use crate::plan::{Block, Change, Problem};
use crate::render::flags::shell_flag;
use crate::render::redact::token_of;
use crate::render::words::{
    GroupLabels, People, ProblemWords, Reception, addition_reason, address, field_changes, grouped,
    invited_as, name, place, quoted, sentence,
};
use crate::report::object_of;

use super::settings::list_difference;

/// What the groups of both plans are called.
pub(in crate::render) struct Labels<'c> {
    pub older: GroupLabels<'c>,
    pub newer: GroupLabels<'c>,
}

impl<'c> Labels<'c> {
    pub fn of(comparison: &'c Comparison) -> Self {
        Self {
            older: GroupLabels::of(&comparison.went),
            newer: GroupLabels::of(&comparison.came),
        }
    }

    /// Returns what a change does to whom, in cells.
    pub fn subject(&self, change: &Change, people: People) -> Vec<String> {
        let (account, _) = object_of(change);
        let who = name(account.display_name.as_deref());
        let mut cells = people.who(who, &account.email);
        cells.push(match change {
            Change::Invite(_) => "to invite".to_owned(),
            Change::Update(_) => "to update".to_owned(),
            Change::Add(add) => format!("to {}", self.newer.of_group(&add.group)),
            Change::Remove(remove) => format!("from {}", self.newer.of_group(&remove.group)),
        });
        cells
    }
}

/// What differs, as the older plan has it and as the newer one has it.
pub(in crate::render) struct ThenAndNow {
    pub then: Option<String>,
    pub now: Option<String>,
}

impl ThenAndNow {
    fn new(detail: Detail, then: String, now: String) -> Self {
        if then == now {
            // What tells the two apart is not shown of people who are tokens.
            Self {
                then: None,
                now: Some(format!("another {}", noun(detail))),
            }
        } else {
            Self {
                then: Some(then),
                now: Some(now),
            }
        }
    }
}

fn noun(detail: Detail) -> &'static str {
    match detail {
        Detail::Reason => "reason",
        Detail::KeycloakGroups => "Keycloak group",
        Detail::Account => "account",
        Detail::Person => "person in Keycloak",
        Detail::Address => "address",
        Detail::DisplayName => "display name",
        Detail::GivenName => "given name",
        Detail::Surname => "surname",
        Detail::UserType => "user type",
        Detail::Reception => "reception",
        Detail::Fields => "value in the same place",
        Detail::GroupName => "name of the group",
        Detail::Message => "message",
        Detail::Hint => "hint",
        Detail::Flag => "flag",
    }
}

impl ThenAndNow {
    /// Returns when what is said, for what is said at all.
    pub fn lines(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let lines = [("then", &self.then), ("now", &self.now)];
        let lines = lines.into_iter();
        lines.filter_map(|(when, words)| words.as_deref().map(|words| (when, words)))
    }
}

pub(in crate::render) fn change_details(
    differing: &Differing<Change>,
    labels: &Labels<'_>,
    people: People,
) -> Vec<ThenAndNow> {
    let Differing {
        older,
        newer,
        details,
    } = differing;
    details
        .iter()
        .map(|detail| match (detail, older, newer) {
            (Detail::KeycloakGroups, Change::Add(then), Change::Add(now)) => {
                let shown = |paths: &[GroupPath]| -> Vec<String> {
                    paths.iter().map(|path| place(path.as_str())).collect()
                };
                let (went, came) = list_difference(&shown(&then.because), &shown(&now.because));
                let also = |paths: Vec<String>| {
                    (!paths.is_empty()).then(|| format!("is also in {}", paths.join(", ")))
                };
                if went.len() == then.because.len() {
                    // Not one of them is the same.
                    ThenAndNow::new(*detail, addition_reason(then), addition_reason(now))
                } else {
                    ThenAndNow {
                        then: also(went),
                        now: also(came),
                    }
                }
            }
            // A token says nothing of these.
            (Detail::Person | Detail::Account, ..) if people == People::Redacted => {
                ThenAndNow::new(*detail, String::new(), String::new())
            }
            _ => ThenAndNow::new(
                *detail,
                said_of_change(*detail, older, &labels.older, people),
                said_of_change(*detail, newer, &labels.newer, people),
            ),
        })
        .collect()
}

fn said_of_change(
    detail: Detail,
    change: &Change,
    labels: &GroupLabels<'_>,
    people: People,
) -> String {
    let named = |what: &str, value: &Option<String>| match value {
        Some(value) => format!("{what} {}", quoted(value)),
        None => format!("no {what}"),
    };
    let (account, group) = object_of(change);
    let display_name = match change {
        // What it is called without one is no name that it gets.
        Change::Invite(invite) => &invite.set.display_name,
        Change::Update(_) | Change::Add(_) | Change::Remove(_) => &account.display_name,
    };
    match (detail, change) {
        (Detail::Reason, Change::Remove(remove)) => labels.removal_reason(remove, str::to_owned),
        (Detail::Account, Change::Add(add)) => match &add.account.id {
            Some(id) => format!("account {id}"),
            None => "the account that the invitation makes".to_owned(),
        },
        (Detail::Person, Change::Invite(invite)) => format!(
            "{} in Keycloak (id {})",
            place(&invite.person.username),
            place(invite.person.id.as_str())
        ),
        (Detail::UserType, Change::Invite(invite)) => invited_as(invite),
        (Detail::Reception, Change::Invite(invite)) => Reception::of(invite, people).in_one_line(),
        (Detail::GivenName, Change::Invite(invite)) => named("given name", &invite.set.given_name),
        (Detail::Surname, Change::Invite(invite)) => named("surname", &invite.set.surname),
        (Detail::Fields, Change::Update(update)) => {
            field_changes(&update.fields, people).join(", ")
        }
        (Detail::DisplayName, _) => named("display name", display_name),
        (Detail::Address, _) => address(match people {
            People::Named => &account.email,
            People::Redacted => token_of(&account.email),
        }),
        (Detail::GroupName, _) => {
            let called = group.map_or(String::new(), |group| labels.of_group(&group));
            format!("the group is called {called}")
        }
        _ => String::new(),
    }
}

pub(in crate::render) fn block_details(differing: &Differing<Block>) -> Vec<ThenAndNow> {
    let said = |detail: Detail, block: &Block| match detail {
        Detail::Flag => format!("lifted by {}", shell_flag(&block.flag)),
        Detail::GroupName => {
            let called = block.group.as_ref().map(|group| place(&group.name));
            format!("the group is called {}", called.unwrap_or_default())
        }
        _ => sentence(&block.message),
    };
    details_of(differing, said)
}

pub(in crate::render) fn problem_details(differing: &Differing<Problem>) -> Vec<ThenAndNow> {
    let said = |detail: Detail, problem: &Problem| {
        let words = ProblemWords::of(problem);
        match detail {
            Detail::Hint => words.hint.unwrap_or_else(|| "no hint".to_owned()),
            _ => words.message,
        }
    };
    details_of(differing, said)
}

fn details_of<T>(differing: &Differing<T>, said: impl Fn(Detail, &T) -> String) -> Vec<ThenAndNow> {
    let Differing {
        older,
        newer,
        details,
    } = differing;
    details
        .iter()
        .map(|detail| ThenAndNow::new(*detail, said(*detail, older), said(*detail, newer)))
        .collect()
}

/// Returns what the plans say differently of a group, and what it is called.
pub(in crate::render) fn group_words(
    difference: &GroupDifference<'_>,
    labels: &Labels<'_>,
) -> (String, String) {
    let (older, newer) = match (difference.older, difference.newer) {
        (Some(older), Some(newer)) => (older, newer),
        (Some(older), None) => {
            return (
                labels.older.of_group(&older.azure),
                "is in the older plan alone".to_owned(),
            );
        }
        (None, Some(newer)) => {
            return (
                labels.newer.of_group(&newer.azure),
                "is in this plan alone".to_owned(),
            );
        }
        (None, None) => return (String::new(), String::new()),
    };
    let mut words = Vec::new();
    for (what, then, now) in [
        ("members now", older.members_before, newer.members_before),
        ("members after", older.members_after, newer.members_after),
        (
            "members that are not users",
            older.other_members,
            newer.other_members,
        ),
    ] {
        if then != now {
            words.push(format!("{what} {} → {}", grouped(then), grouped(now)));
        }
    }
    let (then, now) = (
        labels.older.keycloak_of(&older.azure.id),
        labels.newer.keycloak_of(&newer.azure.id),
    );
    let (went, came) = list_difference(&then, &now);
    if !went.is_empty() {
        words.push(format!("no longer mapped from {}", went.join(", ")));
    }
    if !came.is_empty() {
        words.push(format!("now mapped from {}", came.join(", ")));
    }
    if then == now && older.keycloak != newer.keycloak {
        words.push("a Keycloak group was made anew".to_owned());
    }
    if older.azure.name != newer.azure.name {
        words.push(format!("was called {}", quoted(&older.azure.name)));
    }
    (labels.newer.of_group(&newer.azure), words.join(", "))
}

/// Returns the changes that differ, removals first.
pub(in crate::render) fn removals_first(comparison: &Comparison) -> Vec<&Differing<Change>> {
    let mut changes: Vec<&Differing<Change>> = comparison.changes.iter().collect();
    changes.sort_by_key(|differing| !matches!(differing.newer, Change::Remove(_)));
    changes
}
