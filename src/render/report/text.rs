//! Reports as text for a terminal.

use std::fmt::Write;

use crate::render::Style;
use crate::render::apply::outcome_in_lines;
use crate::render::layout::{hanging, hanging_named};
use crate::render::text::redaction_note;
use crate::render::words::{People, place, time_with_seconds};
use crate::report::{Report, ReportedOutcome};

use super::{
    COMMAND, NO_RUN, REDACTED, SECTIONS, UNSETTLED, View, facts, outcomes, said_of, unsettled, what,
};

/// Returns a report as text for a terminal.
pub fn report_text(report: &Report, style: &Style) -> String {
    page(report, People::Named, *style)
}

pub(in crate::render) fn page(report: &Report, people: People, style: Style) -> String {
    if report.runs.is_empty() {
        return format!("{NO_RUN}\n");
    }
    let runs: Vec<String> = report
        .runs
        .iter()
        .map(|run| run_text(&View::of(run, people), style))
        .collect();
    let note = match people {
        People::Named => String::new(),
        People::Redacted => redaction_note(REDACTED, COMMAND, style) + "\n",
    };
    note + &runs.join("\n")
}

fn run_text(view: &View<'_>, style: Style) -> String {
    let View { run, people, .. } = view;
    let facts = facts(run, *people);
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
    let unsettled = unsettled(view);
    if !unsettled.is_empty() {
        let _ = writeln!(text, "\n{}", style.bold(UNSETTLED));
    }
    for line in unsettled {
        text.push_str(&style.lines(&hanging_named("  ? ", &line, style.width), Style::yellow));
    }
    for (heading, belongs) in SECTIONS {
        let outcomes = outcomes(run, belongs);
        if outcomes.is_empty() {
            continue;
        }
        let _ = writeln!(text, "\n{}", style.bold(&said_of(heading, run)));
        for reported in outcomes {
            let what = what(view, reported);
            text.push_str(&outcome_in_lines(&reported.outcome, &what, style));
            let evidence = evidence(reported, *people).join(" · ");
            text.push_str(&style.lines(&hanging_named("    ", &evidence, style.width), Style::dim));
        }
    }
    text
}

/// The number of the change, when it was settled, how often it was tried, and Graph's id of the request. All but how often tell in which order
/// addresses stand: one request is about people whose addresses follow each other.
fn evidence(reported: &ReportedOutcome, people: People) -> Vec<String> {
    let outcome = &reported.outcome;
    let sent = match outcome.attempts {
        0 => "not sent".to_owned(),
        1 => "sent once".to_owned(),
        number => format!("sent {number} times"),
    };
    match people {
        People::Named => vec![
            format!("change {}", outcome.change),
            time_with_seconds(outcome.time),
            sent,
            outcome.request_id.as_ref().map_or_else(
                || "no request".to_owned(),
                |id| format!("request {}", place(id)),
            ),
        ],
        People::Redacted => vec![sent],
    }
}
