//! Reports of apply for whoever looks into them later: each run with who, what, when, every outcome, and the totals.

use std::fmt::Write;

use crate::plan::{Action, PlanKind};
use crate::report::{ByChange, End, Outcome, Report, ReportedOutcome, Run, Step, Write as Written};

use super::Style;
use super::apply::{outcome_in_lines, total_line, what_became};
use super::escape::code_span;
use super::fit::{Part, fit};
use super::layout::{hanging, hanging_named};
use super::markdown::MAX_CHARACTERS;
use super::words::{
    GroupLabels, People, address, counted, field_changes, grouped, name, place, seconds_of,
    started_by, time_with_seconds,
};

pub(super) const UNSETTLED: &str = "Written, and nothing said of it after that";

pub(super) const NO_RUN: &str = "The report holds no run.";

/// A heading, and which outcomes stand below it.
type Section = (&'static str, fn(Outcome) -> bool);

/// What did not end as the plan wanted comes first, then the rest in the order of the plan.
pub(super) const SECTIONS: [Section; 3] = [
    ("Not done", Outcome::is_unfinished),
    ("Done", |outcome| outcome == Outcome::Done),
    ("Nothing to do any more", |outcome| {
        matches!(outcome, Outcome::AlreadyDone | Outcome::NotWanted)
    }),
];

/// Returns a report as text for a terminal.
pub fn report_text(report: &Report, style: &Style) -> String {
    if report.runs.is_empty() {
        return format!("{NO_RUN}\n");
    }
    let runs: Vec<String> = report
        .runs
        .iter()
        .map(|run| run_text(run, *style))
        .collect();
    runs.join("\n")
}

fn run_text(run: &Run, style: Style) -> String {
    let facts = facts(run);
    let mut text = style.lines(&hanging_named("", &facts.title, style.width), Style::bold);
    for (label, fact) in &facts.rows {
        text.push_str(&hanging_named(&format!("  {label:<10}"), fact, style.width));
    }
    for warning in &facts.warnings {
        text.push_str(&style.lines(&hanging_named("  ! ", warning, style.width), Style::yellow));
    }
    let _ = write!(
        text,
        "\n{}",
        style.lines(&hanging("", &facts.totals, style.width), Style::bold)
    );
    let labels = GroupLabels::of_run(run);
    let unsettled = unsettled(run, &labels);
    let by_change = run.by_change();
    if !unsettled.is_empty() {
        let _ = writeln!(text, "{}", style.bold(UNSETTLED));
    }
    for line in unsettled {
        text.push_str(&style.lines(&hanging_named("  ? ", &line, style.width), Style::yellow));
    }
    for (heading, belongs) in SECTIONS {
        let outcomes = outcomes(run, belongs);
        if outcomes.is_empty() {
            continue;
        }
        let _ = writeln!(text, "{}", style.bold(&said_of(heading, run)));
        for reported in outcomes {
            let what = what(run, &by_change, reported, &labels);
            text.push_str(&outcome_in_lines(&reported.outcome, &what, style));
            let evidence = evidence(reported).join(" · ");
            text.push_str(&style.lines(&hanging_named("    ", &evidence, style.width), Style::dim));
        }
    }
    text
}

/// Returns a report as Markdown. What does not fit is left out in whole lines, and the text says so.
pub fn report_markdown(report: &Report) -> String {
    if report.runs.is_empty() {
        return format!("{NO_RUN}\n");
    }
    let mut parts = Vec::new();
    for (at, run) in report.runs.iter().enumerate() {
        parts.extend(run_parts(run, at == 0));
    }
    fit(&parts, MAX_CHARACTERS).text
}

fn run_parts(run: &Run, is_first: bool) -> Vec<Part> {
    let facts = facts(run);
    let mut heading = if is_first {
        String::new()
    } else {
        "\n".to_owned()
    };
    let _ = writeln!(heading, "## {}\n", facts.title);
    for (label, fact) in &facts.rows {
        let _ = writeln!(heading, "- {label}: {}", code_span(fact));
    }
    for warning in &facts.warnings {
        let _ = write!(heading, "\n> [!WARNING]\n> {warning}\n");
    }
    let _ = writeln!(heading, "\n**{}**", facts.totals);
    let labels = GroupLabels::of_run(run);
    let mut parts = vec![Part {
        heading,
        ..Part::default()
    }];
    let items: Vec<String> = unsettled(run, &labels)
        .iter()
        .map(|line| format!("- {}\n", code_span(line)))
        .collect();
    if !items.is_empty() {
        parts.push(Part {
            heading: format!("\n### {UNSETTLED} ({})\n\n", grouped(items.len())),
            items,
            noun: "writes",
            ..Part::default()
        });
    }
    let by_change = run.by_change();
    for (at, (heading, belongs)) in SECTIONS.into_iter().enumerate() {
        let items: Vec<String> = outcomes(run, belongs)
            .into_iter()
            .map(|reported| {
                let outcome = &reported.outcome;
                let request = outcome.request_id.as_deref().map(place);
                format!(
                    "| {} | {} | {} | {} | {} | {} |\n",
                    outcome.change,
                    outcome.outcome,
                    code_span(&what(run, &by_change, reported, &labels)),
                    time_with_seconds(outcome.time),
                    outcome.attempts,
                    request.map(|id| code_span(&id)).unwrap_or_default()
                )
            })
            .collect();
        if items.is_empty() {
            continue;
        }
        parts.push(Part {
            heading: format!(
                "\n### {} ({})\n\n| change | outcome | what | when | sent | Graph's request |\n|--:|---|---|---|--:|---|\n",
                said_of(heading, run),
                grouped(items.len())
            ),
            items,
            noun: "outcomes",
            rank: u8::try_from(at).unwrap_or(u8::MAX),
            ..Part::default()
        });
    }
    parts
}

/// What is known of a run as a whole.
pub(super) struct Facts {
    /// Nothing in it is from elsewhere.
    pub title: String,
    pub rows: Vec<(&'static str, String)>,
    /// Nothing in them is from elsewhere.
    pub warnings: Vec<String>,
    pub totals: String,
}

pub(super) fn facts(run: &Run) -> Facts {
    let start = &run.start;
    let kind = match (start.kind, start.dry_run) {
        (PlanKind::Sync, false) => "Run",
        (PlanKind::Sync, true) => "Dry run",
        (PlanKind::Undo, false) => "Run that undoes another",
        (PlanKind::Undo, true) => "Dry run of undoing another",
    };
    let rows = vec![
        ("Run", place(&start.run_id)),
        (
            "Plan",
            format!(
                "{}, {}",
                place(&start.plan_id),
                counted(start.changes, "change", "changes")
            ),
        ),
        ("By", started_by(start.operator.as_deref())),
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
    Facts {
        title: format!("{kind} of {}", time_with_seconds(start.time)),
        rows,
        warnings: warnings(run),
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

fn warnings(run: &Run) -> Vec<String> {
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
            "The lines of the run do not fit together, so some are missing or were changed: {contradiction}."
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

pub(super) fn outcomes(run: &Run, belongs: fn(Outcome) -> bool) -> Vec<&ReportedOutcome> {
    let mut outcomes: Vec<&ReportedOutcome> = run
        .outcomes
        .iter()
        .filter(|reported| belongs(reported.outcome.outcome))
        .collect();
    outcomes.sort_by_key(|reported| reported.outcome.change);
    outcomes
}

/// Whom a change was about, what became of it and why; of an update also what was written.
pub(super) fn what(
    run: &Run,
    by_change: &ByChange<'_>,
    reported: &ReportedOutcome,
    labels: &GroupLabels<'_>,
) -> String {
    let became = what_became(reported, labels, run.start.dry_run);
    let steps = by_change.steps(reported.outcome.change);
    let is_updated =
        reported.outcome.action == Action::Update && reported.outcome.outcome == Outcome::Done;
    let invited = steps.iter().find(|step| step.write == Written::Invited);
    if let Some(Step { account, .. }) = invited
        && let Some(id) = &account.id
    {
        return format!("{became} (account {id})");
    }
    let written = steps.first().filter(|_| is_updated);
    match written.map(|step| field_changes(&step.fields, People::Named)) {
        Some(fields) if !fields.is_empty() => format!("{became}: {}", fields.join(", ")),
        _ => became,
    }
}

/// The writes of changes that have no outcome: what a run did that was killed before it could say what became of them.
pub(super) fn unsettled(run: &Run, labels: &GroupLabels<'_>) -> Vec<String> {
    let missing = run.without_outcome();
    let open = run
        .steps
        .iter()
        .filter(|step| missing.contains(&step.change));
    open.map(|step| {
        let Step {
            change,
            write,
            account,
            group,
            time,
            request_id,
            ..
        } = step;
        let group = group.as_ref().map(|group| labels.of_group(group));
        let group = group.unwrap_or_default();
        let done = match write {
            Written::Invited => "was invited".to_owned(),
            Written::Updated => "was updated".to_owned(),
            Written::Added => format!("was added to {group}"),
            Written::Removed => format!("was removed from {group}"),
        };
        let id = account.id.as_ref().map(ToString::to_string);
        format!(
            "{} ({}) {done} as account {}: change {change} · {} · {}",
            name(account.display_name.as_deref()),
            address(&account.email),
            id.unwrap_or_default(),
            time_with_seconds(*time),
            request_id.as_ref().map_or_else(
                || "no request".to_owned(),
                |id| format!("request {}", place(id))
            )
        )
    })
    .collect()
}

/// The number of the change, when it was settled, how often it was tried, and Graph's id of the request.
fn evidence(reported: &ReportedOutcome) -> [String; 4] {
    let outcome = &reported.outcome;
    [
        format!("change {}", outcome.change),
        time_with_seconds(outcome.time),
        match outcome.attempts {
            0 => "not sent".to_owned(),
            1 => "sent once".to_owned(),
            number => format!("sent {number} times"),
        },
        outcome.request_id.as_ref().map_or_else(
            || "no request".to_owned(),
            |id| format!("request {}", place(id)),
        ),
    ]
}
