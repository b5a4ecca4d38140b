//! Reports as text for a terminal.

use std::fmt::Write;

use crate::render::Style;
use crate::render::apply::outcome_in_lines;
use crate::render::layout::{hanging, hanging_named};
use crate::render::words::{GroupLabels, place, time_with_seconds};
use crate::report::{Report, ReportedOutcome, Run};

use super::{NO_RUN, SECTIONS, UNSETTLED, facts, outcomes, said_of, unsettled, what};

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
