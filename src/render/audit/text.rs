//! An audit for a terminal.

use std::fmt::Write;

use crate::audit::Audit;
use crate::render::Style;
use crate::render::layout::{Columns, hanging_marked, hanging_named};
use crate::render::words::ProblemWords;

use super::{Document, GroupPart, List};

/// Returns an audit as text for a terminal.
pub fn audit_text(audit: &Audit, style: &Style) -> String {
    let style = *style;
    let document = Document::of(audit);
    let mut parts = vec![style.lines(
        &hanging_named("", &document.answer, style.width),
        Style::bold,
    )];
    if !document.problems.is_empty() {
        parts.push(problems(&document.problems, style));
    }
    parts.extend(document.groups.iter().map(|group| group_part(group, style)));
    parts.extend(document.lists.iter().map(|list| list_part(list, "", style)));
    parts.push(evidence(&document, style));
    parts.join("\n")
}

fn problems(problems: &[ProblemWords], style: Style) -> String {
    let mut text = style.bold("Problems") + "\n";
    for ProblemWords {
        subject,
        message,
        hint,
    } in problems
    {
        let line = format!("{subject} {message}");
        let block = hanging_marked("  ! ", "    | ", &line, style.width);
        text.push_str(&style.lines(&block, Style::yellow));
        if let Some(hint) = hint {
            text.push_str(&hanging_named("    ", hint, style.width));
        }
    }
    text
}

fn group_part(group: &GroupPart, style: Style) -> String {
    let heading = format!("{}   {}", group.name, group.facts);
    let heading = hanging_named("", &heading, style.width);
    let mut text = style.lines(&heading, Style::bold);
    for list in &group.lists {
        text.push_str(&list_part(list, "  ", style));
    }
    text
}

fn list_part(list: &List, indent: &str, style: Style) -> String {
    let heading = hanging_named(indent, &list.counted_heading(), style.width);
    let mut text = style.lines(&heading, Style::bold);
    let cells: Vec<Vec<String>> = list
        .rows
        .iter()
        .map(|row| row.cells().map(str::to_owned).to_vec())
        .collect();
    let columns = Columns::of(cells.iter().map(Vec::as_slice));
    for (row, cells) in list.rows.iter().zip(&cells) {
        let symbol = if row.to_look_into { "! " } else { "· " };
        let line = hanging_named(
            &format!("{indent}  {symbol}"),
            &columns.line(cells),
            style.width,
        );
        if row.to_look_into {
            text.push_str(&style.lines(&line, Style::yellow));
        } else {
            text.push_str(&line);
        }
    }
    text
}

fn evidence(document: &Document, style: Style) -> String {
    let mut text = style.bold("What was read") + "\n";
    for (label, fact) in &document.evidence {
        let mut beginning = String::new();
        let _ = write!(beginning, "  {label:<10}");
        text.push_str(&hanging_named(&beginning, fact, style.width));
    }
    text
}
