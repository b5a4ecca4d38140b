//! Reports of apply for whoever looks into them later: each run with who, what, when, every outcome, and the totals.

pub(super) mod markdown;
pub(super) mod text;

pub use markdown::report_markdown;
pub use text::report_text;

use crate::plan::{Action, PlanKind};
use crate::report::{ByChange, End, Outcome, ReportedOutcome, Run, Step, Write as Written};

use super::apply::{total_line, what_became};
use super::words::{
    GroupLabels, People, counted, field_changes, place, seconds_of, started_by, time_with_seconds,
};

pub(super) const UNSETTLED: &str = "Written, and nothing said of it after that";

pub(super) const NO_RUN: &str = "The report holds no run.";

/// What is said of a report in which people are tokens, before the command that shows it with everything.
pub(super) const REDACTED: &str = "each person-… stands for one person, as in the plan; numbers of changes, times, requests, reasons and who started a run are left \
     out. With everything, for whoever may read the report file:";

/// Shows a report with everything that is in it.
pub(super) const COMMAND: &str = "keycloak-to-azure report REPORT";

/// A run, and what its renderings need of it.
pub(super) struct View<'r> {
    pub run: &'r Run,
    pub people: People,
    pub labels: GroupLabels<'r>,
    by_change: ByChange<'r>,
}

impl<'r> View<'r> {
    pub fn of(run: &'r Run, people: People) -> Self {
        Self {
            run,
            people,
            labels: GroupLabels::of_run(run),
            by_change: run.by_change(),
        }
    }
}

/// A heading, and which outcomes stand below it.
type Section = (&'static str, fn(Outcome) -> bool);

/// What did not end as the plan wanted comes first.
pub(super) const SECTIONS: [Section; 3] = [
    ("Not done", Outcome::is_unfinished),
    ("Done", |outcome| outcome == Outcome::Done),
    ("Nothing to do any more", |outcome| {
        matches!(outcome, Outcome::AlreadyDone | Outcome::NotWanted)
    }),
];

/// What is known of a run as a whole.
pub(super) struct Facts {
    /// Nothing in it is from elsewhere.
    pub title: String,
    pub rows: Vec<(&'static str, String)>,
    /// Nothing in them is from elsewhere.
    pub warnings: Vec<String>,
    pub totals: String,
}

pub(super) fn facts(run: &Run, people: People) -> Facts {
    let start = &run.start;
    let kind = match (start.kind, start.dry_run) {
        (PlanKind::Sync, false) => "Run",
        (PlanKind::Sync, true) => "Dry run",
        (PlanKind::Undo, false) => "Run that undoes another",
        (PlanKind::Undo, true) => "Dry run of undoing another",
    };
    let mut rows = vec![
        ("Run", place(&start.run_id)),
        (
            "Plan",
            format!(
                "{}, {}",
                place(&start.plan_id),
                counted(start.changes, "change", "changes")
            ),
        ),
        ("App", place(&start.app_id)),
        (
            "Version",
            format!("keycloak-to-azure {}", place(&start.tool_version)),
        ),
        (
            "Keycloak",
            format!(
                "{} realm {}",
                place(&start.source.url),
                place(&start.source.realm)
            ),
        ),
        (
            "Entra",
            format!(
                "{} (tenant {}) at {}",
                place(&start.target.tenant_name),
                start.target.tenant_id,
                place(&start.target.graph_url)
            ),
        ),
        ("Began", time_with_seconds(start.time)),
        (
            "Ended",
            match &run.end {
                Some(end) => format!(
                    "{}, after {}{}",
                    time_with_seconds(end.time),
                    seconds_of(
                        end.time
                            .duration_since(start.time)
                            .max(jiff::SignedDuration::ZERO)
                    ),
                    if end.interrupted { ", interrupted" } else { "" }
                ),
                None => "not: there is no end of it in the report".to_owned(),
            },
        ),
    ];
    if people == People::Named {
        rows.insert(2, ("By", started_by(start.operator.as_deref())));
    }
    Facts {
        title: format!("{kind} of {}", time_with_seconds(start.time)),
        rows,
        warnings: warnings(run, people),
        totals: total_line(
            &run.totals(),
            if start.dry_run {
                "would be done"
            } else {
                "done"
            },
        ),
    }
}

fn warnings(run: &Run, people: People) -> Vec<String> {
    let mut warnings = Vec::new();
    let missing = run.without_outcome().len();
    if run.end.is_none() {
        warnings.push(format!(
            "The run was killed, or is still going: {} of its plan {} no outcome, and a write that was on its way is not in the report.",
            counted(missing, "change", "changes"),
            if missing == 1 { "has" } else { "have" }
        ));
    }
    if let Some(contradiction) = run.contradiction() {
        warnings.push(format!(
            "The lines of the run do not fit together, so some are missing or were changed{}.",
            match people {
                People::Named => format!(": {contradiction}"),
                // It names a change by its number.
                People::Redacted => String::new(),
            }
        ));
    }
    if let Some(End {
        further_changes, ..
    }) = &run.end
        && *further_changes > 0
    {
        warnings.push(format!(
            "{} not in the plan and {} left alone.",
            counted(
                *further_changes,
                "further change was",
                "further changes were"
            ),
            if *further_changes == 1 { "was" } else { "were" }
        ));
    }
    warnings
}

pub(super) fn said_of(heading: &str, run: &Run) -> String {
    match (heading, run.start.dry_run) {
        ("Done", true) => "Would be done".to_owned(),
        ("Not done", true) => "Would not be done".to_owned(),
        _ => heading.to_owned(),
    }
}

/// Returns what became of a change in a word or two. In a dry run nothing is done.
pub(super) fn outcome_said_of(outcome: Outcome, run: &Run) -> String {
    match (outcome, run.start.dry_run) {
        (Outcome::Done, true) => "would be done".to_owned(),
        _ => outcome.to_string(),
    }
}

/// Returns the outcomes of a section: failures first, then removals, then the rest, each in the order of the plan.
pub(super) fn outcomes(run: &Run, belongs: fn(Outcome) -> bool) -> Vec<&ReportedOutcome> {
    let mut outcomes: Vec<&ReportedOutcome> = run
        .outcomes
        .iter()
        .filter(|reported| belongs(reported.outcome.outcome))
        .collect();
    outcomes.sort_by_key(|reported| (urgency(reported), reported.outcome.change));
    outcomes
}

/// How soon an outcome has to be read: what failed, who lost something or should have, the rest.
pub(super) fn urgency(reported: &ReportedOutcome) -> u8 {
    match (reported.outcome.outcome, reported.outcome.action) {
        (Outcome::Failed, Action::Remove) => 0,
        (Outcome::Failed, _) => 1,
        (_, Action::Remove) => 2,
        _ => 3,
    }
}

/// Whether something failed or is about a removal, so that it is the last to be left out.
fn is_urgent(reported: &ReportedOutcome) -> bool {
    urgency(reported) < 3
}

/// Whom a change was about, what became of it and why; of an update also what was written.
pub(super) fn what(view: &View<'_>, reported: &ReportedOutcome) -> String {
    let View {
        run,
        people,
        labels,
        by_change,
    } = view;
    let became = what_became(reported, labels, *people, run.start.dry_run);
    let steps = by_change.steps(reported.outcome.change);
    let is_updated =
        reported.outcome.action == Action::Update && reported.outcome.outcome == Outcome::Done;
    let invited = steps.iter().find(|step| step.write == Written::Invited);
    if let Some(Step { account, .. }) = invited
        && let Some(id) = &account.id
        // A token of an id would pass for an id.
        && *people == People::Named
    {
        return format!("{became} (account {id})");
    }
    let written = steps.first().filter(|_| is_updated);
    match written.map(|step| field_changes(&step.fields, *people)) {
        Some(fields) if !fields.is_empty() => format!("{became}: {}", fields.join(", ")),
        _ => became,
    }
}

/// The writes of changes that have no outcome, in lines.
pub(super) fn unsettled(view: &View<'_>) -> Vec<String> {
    let View {
        run,
        people,
        labels,
        ..
    } = view;
    let steps = unsettled_steps(run).into_iter();
    steps
        .map(|step| {
            let Step {
                change,
                account,
                group,
                time,
                request_id,
                ..
            } = step;
            let group = group.as_ref().map(|group| labels.of_group(group));
            let done = written(step, &group.unwrap_or_default());
            let who = people.in_words(account.display_name.as_deref(), &account.email);
            let request = request_id.as_ref().map_or_else(
                || "no request".to_owned(),
                |id| format!("request {}", place(id)),
            );
            match people {
                People::Named => format!(
                    "{who} {done} as account {}: change {change} · {} · {request}",
                    account
                        .id
                        .as_ref()
                        .map(ToString::to_string)
                        .unwrap_or_default(),
                    time_with_seconds(*time),
                ),
                People::Redacted => format!("{who} {done}"),
            }
        })
        .collect()
}

/// The writes of changes that have no outcome: what a run did that was killed before it could say what became of them.
pub(super) fn unsettled_steps(run: &Run) -> Vec<&Step> {
    let missing = run.without_outcome();
    run.steps
        .iter()
        .filter(|step| missing.contains(&step.change))
        .collect()
}

/// What a write did to whoever it was about: "was removed from acme-support".
pub(super) fn written(step: &Step, group: &str) -> String {
    match step.write {
        Written::Invited => "was invited".to_owned(),
        Written::Updated => "was updated".to_owned(),
        Written::Added => format!("was added to {group}"),
        Written::Removed => format!("was removed from {group}"),
    }
}
