//! A plan held against an older one, for those who approved that one: the answer first, then what came, what went, and what differs in a
//! detail.

pub(super) mod markdown;
pub(super) mod text;

use similar::{Algorithm, DiffOp, capture_diff_slices};

use crate::compare::{Comparison, Detail, Differing, GroupDifference};
use crate::model::GroupPath;
use crate::plan::{Block, Change, Overrides, Plan, PlanKind, Problem, ScopeMapping};
use crate::report::object_of;

use super::Style;
use super::flags::{override_flags, shell_flag};
use super::redact::token_of;
use super::words::{
    Changes, GroupLabels, People, ProblemWords, Reception, addition_reason, address, configuration,
    counted, federation, field_changes, grouped, invited_as, name, place, quoted, sentence, time,
};

/// Returns a comparison as text for a terminal.
pub fn comparison_text(comparison: &Comparison, style: &Style) -> String {
    text::page(comparison, People::Named, *style)
}

/// Returns a comparison as Markdown, at most [`MAX_CHARACTERS`](super::MAX_CHARACTERS) long.
pub fn comparison_markdown(comparison: &Comparison) -> String {
    markdown::page(comparison, People::Named)
}

/// Returns the answer where both are one plan.
fn same_plan(comparison: &Comparison) -> Option<String> {
    let Comparison { came, went, .. } = comparison;
    let made = if came.created_at == went.created_at {
        String::new()
    } else {
        format!(
            " It was made on {} and again on {}.",
            time(went.created_at),
            time(came.created_at)
        )
    };
    comparison.is_same_plan().then(|| {
        format!(
            "The same plan, {}: nothing differs.{made}",
            place(&came.plan_id)
        )
    })
}

/// Returns the answer: "2 changes came (1 to remove), 1 went, 14 stay · 1 problem came".
fn answer(comparison: &Comparison) -> String {
    let Comparison {
        came,
        went,
        changes,
        problems,
        staying,
        ..
    } = comparison;
    let removals = Changes::of(came).remove.len();
    let came_words = match removals {
        0 => "came".to_owned(),
        number => format!("came ({} to remove)", grouped(number)),
    };
    let differs = ("differs in a detail", "differ in a detail");
    let mut numbers = vec![
        (came.changes.len(), came_words.as_str(), came_words.as_str()),
        (went.changes.len(), "went", "went"),
        (changes.len(), differs.0, differs.1),
    ];
    let is_all_the_same = numbers.iter().all(|(number, ..)| *number == 0);
    let of_changes = match staying {
        0 if is_all_the_same => "Neither plan changes anything".to_owned(),
        1 if is_all_the_same => "The 1 change is the same in both".to_owned(),
        number if is_all_the_same => {
            format!("The {} changes are the same in both", grouped(*number))
        }
        number => {
            numbers.push((*number, "stays", "stay"));
            tally(&numbers, "change", "changes")
        }
    };
    let of_problems = tally(
        &[
            (came.problems.len(), "came", "came"),
            (went.problems.len(), "went", "went"),
            (problems.len(), differs.0, differs.1),
        ],
        "problem",
        "problems",
    );
    if of_problems.is_empty() {
        of_changes
    } else {
        format!("{of_changes} · {of_problems}")
    }
}

/// Numbers with what is said of one and of many, the first of which has its noun.
fn tally(numbers: &[(usize, &str, &str)], one: &str, many: &str) -> String {
    let mut parts: Vec<String> = Vec::new();
    for (number, of_one, of_many) in numbers.iter().filter(|(number, ..)| *number > 0) {
        let shown = if parts.is_empty() {
            counted(*number, one, many)
        } else {
            grouped(*number)
        };
        let words = if *number == 1 { of_one } else { of_many };
        parts.push(format!("{shown} {words}"));
    }
    parts.join(", ")
}

/// What is said of the limits at the top.
fn verdict(comparison: &Comparison) -> Option<&'static str> {
    match (comparison.was_blocked, comparison.is_blocked) {
        (false, false) => None,
        (false, true) => Some("blocked now, cannot be applied"),
        (true, true) => Some("still blocked, cannot be applied"),
        (true, false) => Some("no longer blocked"),
    }
}

/// What has to be known before anything else: that the two are not to be compared, or are the wrong way round.
fn warnings(comparison: &Comparison) -> Vec<String> {
    let Comparison { came, went, .. } = comparison;
    let mut warnings = Vec::new();
    let directories: Vec<String> = other_directories(went, came)
        .iter()
        .map(Otherwise::words)
        .collect();
    if !directories.is_empty() {
        warnings.push(format!(
            "These are plans of different directories: {}. That the older one was approved says nothing about this one.",
            directories.join(", ")
        ));
    }
    match (went.kind, came.kind) {
        (PlanKind::Sync, PlanKind::Undo) => {
            warnings.push("This plan takes back a run, and the older one does not.".to_owned());
        }
        (PlanKind::Undo, PlanKind::Sync) => {
            warnings.push("The older plan takes back a run, and this one does not.".to_owned());
        }
        (PlanKind::Sync, PlanKind::Sync) | (PlanKind::Undo, PlanKind::Undo) => {}
    }
    if came.created_at < went.created_at {
        warnings.push(
            "The plan that this one is held against was made later: are they the wrong way round?"
                .to_owned(),
        );
    }
    warnings
}

/// Something that the plans say differently.
struct Otherwise {
    name: &'static str,
    then: Option<String>,
    now: Option<String>,
}

impl Otherwise {
    /// Returns it if it is the case. What differs and looks the same is another one all the same.
    fn new(name: &'static str, differs: bool, then: String, now: String) -> Option<Self> {
        let now = if then == now {
            "another one that looks the same".to_owned()
        } else {
            now
        };
        differs.then_some(Self {
            name,
            then: Some(then),
            now: Some(now),
        })
    }

    /// Returns what of a list is only in the older plan, and what only in the newer one.
    fn in_lists(name: &'static str, older: &[String], newer: &[String]) -> Vec<Self> {
        let (went, came) = list_difference(older, newer);
        let went = went.into_iter().map(|then| (Some(then), None));
        let came = came.into_iter().map(|now| (None, Some(now)));
        went.chain(came)
            .map(|(then, now)| Self { name, then, now })
            .collect()
    }

    fn words(&self) -> String {
        let Self { name, then, now } = self;
        match (then, now) {
            (Some(then), Some(now)) => format!("{name} {then} → {now}"),
            (Some(then), None) => format!("{name} no longer {then}"),
            (None, Some(now)) => format!("{name} now {now}"),
            (None, None) => (*name).to_owned(),
        }
    }
}

/// Returns what is in the older list alone and what in the newer one alone. For lists that people read, not for changes.
fn list_difference(older: &[String], newer: &[String]) -> (Vec<String>, Vec<String>) {
    let (mut went, mut came) = (Vec::new(), Vec::new());
    for operation in capture_diff_slices(Algorithm::Myers, older, newer) {
        if !matches!(operation, DiffOp::Equal { .. }) {
            went.extend_from_slice(older.get(operation.old_range()).unwrap_or_default());
            came.extend_from_slice(newer.get(operation.new_range()).unwrap_or_default());
        }
    }
    (went, came)
}

fn other_directories(older: &Plan, newer: &Plan) -> Vec<Otherwise> {
    let (source, target) = (&older.source, &older.target);
    let tenant = |plan: &Plan| {
        format!(
            "{} ({})",
            place(&plan.target.tenant_name),
            plan.target.tenant_id
        )
    };
    [
        Otherwise::new(
            "Keycloak",
            !source.is_at(&newer.source.url),
            place(&source.url),
            place(&newer.source.url),
        ),
        Otherwise::new(
            "realm",
            source.realm != newer.source.realm,
            place(&source.realm),
            place(&newer.source.realm),
        ),
        Otherwise::new(
            "tenant",
            target.tenant_id != newer.target.tenant_id,
            tenant(older),
            tenant(newer),
        ),
        Otherwise::new(
            "Graph host",
            target.graph_url != newer.target.graph_url,
            place(&target.graph_url),
            place(&newer.target.graph_url),
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Returns everything that the plans say differently beside their lists. The older one is taken apart field by field, so that no new
/// one is forgotten.
fn settings(comparison: &Comparison) -> Vec<Otherwise> {
    let Comparison { came, went, .. } = comparison;
    let Plan {
        format_version,
        kind: _,
        plan_id: _,
        tool_version,
        created_at: _,
        source,
        target,
        config_sha256,
        undoes,
        overrides,
        scope,
        summary,
        groups: _,
        changes: _,
        blocks: _,
        problems: _,
    } = went;
    let run = |plan: &Plan| {
        plan.undoes
            .as_ref()
            .map_or("none".to_owned(), |run| place(&run.run_id))
    };
    let mut settings: Vec<Otherwise> = [
        Otherwise::new(
            "configuration:",
            *config_sha256 != came.config_sha256,
            configuration(went),
            configuration(came),
        ),
        Otherwise::new(
            "version of the program:",
            *tool_version != came.tool_version,
            place(tool_version),
            place(&came.tool_version),
        ),
        Otherwise::new(
            "format of the plan:",
            *format_version != came.format_version,
            place(format_version),
            place(&came.format_version),
        ),
        Otherwise::new(
            "address of Keycloak:",
            source.url != came.source.url && source.is_at(&came.source.url),
            place(&source.url),
            place(&came.source.url),
        ),
        Otherwise::new(
            "name of the tenant:",
            target.tenant_name != came.target.tenant_name
                && target.tenant_id == came.target.tenant_id,
            place(&target.tenant_name),
            place(&came.target.tenant_name),
        ),
        Otherwise::new(
            "user federation:",
            source.federation != came.source.federation && went.kind == came.kind,
            federation(went),
            federation(came),
        ),
        Otherwise::new(
            "run that is taken back:",
            *undoes != came.undoes,
            run(went),
            run(came),
        ),
        Otherwise::new(
            match came.kind {
                PlanKind::Sync => "memberships that are right already:",
                PlanKind::Undo => "changes that are taken back already:",
            },
            summary.unchanged != came.summary.unchanged,
            grouped(summary.unchanged),
            grouped(came.summary.unchanged),
        ),
    ]
    .into_iter()
    .flatten()
    .collect();
    settings.extend(Otherwise::in_lists(
        "set for the plan:",
        &flags(overrides),
        &flags(&came.overrides),
    ));
    settings.extend(Otherwise::in_lists(
        "scope:",
        &mappings(scope.as_deref()),
        &mappings(came.scope.as_deref()),
    ));
    settings
}

fn flags(overrides: &Overrides) -> Vec<String> {
    override_flags(overrides)
        .iter()
        .map(|(flag, meaning)| format!("{} ({meaning})", shell_flag(flag)))
        .collect()
}

fn mappings(scope: Option<&[ScopeMapping]>) -> Vec<String> {
    let Some(mappings) = scope else {
        return vec!["all groups".to_owned()];
    };
    mappings
        .iter()
        .map(|mapping| {
            format!(
                "{} → {}",
                place(mapping.keycloak.as_str()),
                place(&mapping.azure.name)
            )
        })
        .collect()
}

/// What the groups of both plans are called.
struct Labels<'c> {
    older: GroupLabels<'c>,
    newer: GroupLabels<'c>,
}

impl<'c> Labels<'c> {
    fn of(comparison: &'c Comparison) -> Self {
        Self {
            older: GroupLabels::of(&comparison.went),
            newer: GroupLabels::of(&comparison.came),
        }
    }

    /// Returns what a change does to whom, in cells.
    fn subject(&self, change: &Change, people: People) -> Vec<String> {
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
struct ThenAndNow {
    then: Option<String>,
    now: Option<String>,
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

fn change_details(
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

fn block_details(differing: &Differing<Block>) -> Vec<ThenAndNow> {
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

fn problem_details(differing: &Differing<Problem>) -> Vec<ThenAndNow> {
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
fn group_words(difference: &GroupDifference<'_>, labels: &Labels<'_>) -> (String, String) {
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
fn removals_first(comparison: &Comparison) -> Vec<&Differing<Change>> {
    let mut changes: Vec<&Differing<Change>> = comparison.changes.iter().collect();
    changes.sort_by_key(|differing| !matches!(differing.newer, Change::Remove(_)));
    changes
}
