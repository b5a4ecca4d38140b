//! A plan held against an older one, for those who approved that one: the answer first, then what came, what went, and what differs in a
//! detail.

pub(super) mod details;
pub(super) mod markdown;
pub(super) mod settings;
pub(super) mod text;

use crate::compare::Comparison;
use crate::plan::PlanKind;

use self::settings::{Otherwise, other_directories};
use super::Style;
use super::words::{Changes, People, counted, grouped, place, time};

/// What every page of a comparison is called that is not of a terminal.
pub(super) const HEADING: &str = "Keycloak → Entra plan, against an older one";

/// What is said of what came.
pub(super) const CAME: &str = "in this plan and not in the older one";

/// What is said of what went.
pub(super) const WENT: &str = "in the older plan and not in this one";

/// What is said of what differs in a detail.
pub(super) const DIFFERS: &str = "in both plans, and not the same";

/// What is said of a block that differs, for it has no name.
pub(super) const BLOCK: &str = "a limit that both plans exceed";

/// What is said of groups that differ.
pub(super) const GROUPS: &str = "of which the plans say different things";

/// What is said of everything beside the lists.
pub(super) const OTHERWISE: &str = "Otherwise than in the older plan";

/// Returns a comparison as text for a terminal.
pub fn comparison_text(comparison: &Comparison, style: &Style) -> String {
    text::page(comparison, People::Named, *style)
}

/// Returns a comparison as Markdown, at most [`MAX_CHARACTERS`](super::MAX_CHARACTERS) long.
pub fn comparison_markdown(comparison: &Comparison) -> String {
    markdown::page(comparison, People::Named)
}

/// Returns the answer where both are one plan.
pub(super) fn same_plan(comparison: &Comparison) -> Option<String> {
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
pub(super) fn answer(comparison: &Comparison) -> String {
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
pub(super) fn verdict(comparison: &Comparison) -> Option<&'static str> {
    match (comparison.was_blocked, comparison.is_blocked) {
        (false, false) => None,
        (false, true) => Some("blocked now, cannot be applied"),
        (true, true) => Some("still blocked, cannot be applied"),
        (true, false) => Some("no longer blocked"),
    }
}

/// What has to be known before anything else: that the two are not to be compared, or are the wrong way round.
pub(super) fn warnings(comparison: &Comparison) -> Vec<String> {
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
