//! A comparison for a terminal. Lists are complete, however long.

use crate::compare::Comparison;
use crate::plan::{Change, Plan};

use super::super::layout::{Columns, hanging, hanging_marked, hanging_named};
use super::super::text::{additions, blocks, invitations, problems, redaction, removals, updates};
use super::super::words::{People, ProblemWords, place, sentence, time};
use super::details::{
    Labels, ThenAndNow, block_details, change_details, group_words, problem_details, removals_first,
};
use super::settings::{Otherwise, settings};
use super::{
    BLOCK, CAME, DIFFERS, GROUPS, OTHERWISE, Style, WENT, answer, same_plan, verdict, warnings,
};

pub fn page(comparison: &Comparison, people: People, style: Style) -> String {
    if let Some(answer) = same_plan(comparison) {
        return hanging("", &answer, style.width);
    }
    let labels = Labels::of(comparison);
    let parts = [
        head(comparison, people, style),
        otherwise(comparison, style),
        side(
            &format!("CAME: {CAME}"),
            &comparison.came,
            people,
            style,
            blocks(&comparison.came, style),
        ),
        side(
            &format!("WENT: {WENT}"),
            &comparison.went,
            people,
            style,
            blocks_that_went(&comparison.went, style),
        ),
        differing(comparison, &labels, people, style),
        groups(comparison, &labels, style),
    ];
    let written: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    written.join("\n")
}

fn head(comparison: &Comparison, people: People, style: Style) -> String {
    let answer = hanging("", &answer(comparison), style.width);
    let mut head = String::new();
    for warning in warnings(comparison) {
        let lines = hanging_named("! ", &warning, style.width);
        head.push_str(&style.lines(&lines, Style::red));
    }
    head.push_str(&style.lines(&answer, Style::bold));
    if let Some(verdict) = verdict(comparison) {
        let paint = if comparison.is_blocked {
            Style::red
        } else {
            Style::yellow
        };
        head.push_str(&style.lines(&format!("This plan is {verdict}\n"), paint));
    }
    head.push_str(&redaction(people, style));
    for (label, plan) in [
        ("This plan      ", &comparison.came),
        ("The older one  ", &comparison.went),
    ] {
        let made = format!(
            "made on {}, {}",
            time(plan.created_at),
            place(&plan.plan_id)
        );
        head.push_str(&hanging_named(label, &made, style.width));
    }
    head
}

fn otherwise(comparison: &Comparison, style: Style) -> String {
    let settings = settings(comparison);
    if settings.is_empty() {
        return String::new();
    }
    let mut text = style.bold(OTHERWISE) + "\n";
    for line in settings.iter().map(Otherwise::words) {
        text.push_str(&hanging_marked("  ", "    | ", &line, style.width));
    }
    text
}

/// What is in one of the plans alone, as the page of a plan shows it.
fn side(heading: &str, plan: &Plan, people: People, style: Style, blocks: String) -> String {
    let parts = [
        blocks,
        removals(plan, people, style),
        invitations(plan, people, style),
        updates(plan, people, style),
        additions(plan, people, style),
        problems(plan, style),
    ];
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    if parts.is_empty() {
        return String::new();
    }
    format!("{}\n\n{}", style.bold(heading), parts.join("\n"))
}

/// Nobody needs to know how to lift these.
fn blocks_that_went(plan: &Plan, style: Style) -> String {
    plan.blocks
        .iter()
        .map(|block| hanging_named("x ", &sentence(&block.message), style.width))
        .collect()
}

fn differing(comparison: &Comparison, labels: &Labels<'_>, people: People, style: Style) -> String {
    let mut text = String::new();
    for block in &comparison.blocks {
        text.push_str(&style.lines(&format!("  x {BLOCK}\n"), Style::red));
        text.push_str(&details(&block_details(block), style));
    }
    let changes = removals_first(comparison);
    let rows: Vec<Vec<String>> = changes
        .iter()
        .map(|differing| labels.subject(&differing.newer, people))
        .collect();
    let columns = Columns::of(rows.iter().map(Vec::as_slice));
    for (differing, row) in changes.iter().zip(&rows) {
        let (symbol, paint): (_, fn(Style, &str) -> String) = match differing.newer {
            Change::Remove(_) => ("- ", Style::red),
            Change::Update(_) => ("~ ", Style::yellow),
            Change::Invite(_) | Change::Add(_) => ("+ ", Style::green),
        };
        let line = columns.line(row);
        let lines = hanging_named(&format!("  {symbol}"), &line, style.width);
        text.push_str(&style.lines(&lines, paint));
        text.push_str(&details(&change_details(differing, labels, people), style));
    }
    for problem in &comparison.problems {
        let subject = ProblemWords::of(&problem.newer).subject;
        let lines = hanging_named("  ! ", &subject, style.width);
        text.push_str(&style.lines(&lines, Style::yellow));
        text.push_str(&details(&problem_details(problem), style));
    }
    if text.is_empty() {
        return text;
    }
    style.bold(&format!("DIFFERS: {DIFFERS}")) + "\n\n" + &text
}

fn details(details: &[ThenAndNow], style: Style) -> String {
    let mut text = String::new();
    for (when, words) in details.iter().flat_map(ThenAndNow::lines) {
        let label = format!("      {when:<4}  ");
        text.push_str(&hanging_named(&label, words, style.width));
    }
    text
}

fn groups(comparison: &Comparison, labels: &Labels<'_>, style: Style) -> String {
    let rows: Vec<[String; 2]> = comparison
        .groups()
        .iter()
        .map(|difference| group_words(difference, labels).into())
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    let columns = Columns::of(rows.iter().map(<[String; 2]>::as_slice));
    let mut text = style.bold(&format!("GROUPS: {GROUPS}")) + "\n\n";
    for row in &rows {
        text.push_str(&hanging_marked(
            "  ",
            "    | ",
            &columns.line(row),
            style.width,
        ));
    }
    text
}
