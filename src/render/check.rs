//! What check prints: for each need of a command whether it is there, and what to do where it is not.

use std::fmt::Write;

use super::Style;
use super::escape::plain;
use super::layout::Columns;

/// One need of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckLine {
    /// Whether it is there.
    pub state: CheckState,
    /// What it is called where it is granted.
    pub name: String,
    /// What it is for.
    pub purpose: String,
    /// The commands that need it.
    pub needed_by: String,
    /// What grants it, where it is not there.
    pub remedy: Option<String>,
    /// What has to follow once all of these are granted.
    pub after: Vec<String>,
}

/// Whether a need is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckState {
    /// It is there.
    Ok,
    /// It is not, and nothing works without it.
    Missing,
    /// It is not, and most things work without it.
    Optional,
    /// It is there, and not needed.
    Excess,
    /// It cannot be told.
    Unknown,
    /// Nothing of Entra fits it.
    NoMatch,
}

impl CheckState {
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Missing => "missing",
            Self::Optional => "optional",
            Self::Excess => "excess",
            Self::Unknown => "unknown",
            Self::NoMatch => "no match",
        }
    }
}

impl CheckLine {
    /// Something that nothing works without, and that is not there.
    pub fn missing(name: &str) -> Self {
        Self {
            state: CheckState::Missing,
            ..Self::ok(name, "", "plan, apply")
        }
    }

    /// Something that works.
    pub fn ok(name: &str, purpose: &str, needed_by: &str) -> Self {
        Self {
            state: CheckState::Ok,
            name: name.to_owned(),
            purpose: purpose.to_owned(),
            needed_by: needed_by.to_owned(),
            remedy: None,
            after: Vec::new(),
        }
    }
}

/// Returns the needs of one side under a heading, which is text that can be shown as it is.
pub fn check_table(heading: &str, lines: &[CheckLine], style: &Style) -> String {
    let style = *style;
    let rows: Vec<Vec<String>> = lines
        .iter()
        .map(|line| {
            let cells = [
                line.state.word(),
                &line.name,
                &line.purpose,
                &line.needed_by,
            ];
            cells.iter().map(|cell| plain(cell)).collect()
        })
        .collect();
    let columns = Columns::of(rows.iter().map(Vec::as_slice));
    let mut text = format!("{}\n", style.bold(heading));
    for (line, row) in lines.iter().zip(&rows) {
        let row = columns.line(row);
        let row = match line.state {
            CheckState::Ok => style.green(row.trim_end()),
            CheckState::Missing => style.red(row.trim_end()),
            CheckState::Optional
            | CheckState::Excess
            | CheckState::Unknown
            | CheckState::NoMatch => style.yellow(row.trim_end()),
        };
        let _ = writeln!(text, "  {row}");
        for command in line.remedy.iter().chain(&line.after) {
            let _ = writeln!(text, "           {}", plain(command));
        }
    }
    text
}
