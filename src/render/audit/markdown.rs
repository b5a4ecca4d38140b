//! An audit as Markdown. It is filed, and so complete, however long.

use std::fmt::Write;

use crate::audit::Audit;
use crate::render::escape::{code_span, sentence};

use super::{Document, List};

/// Returns an audit as Markdown.
pub fn audit_markdown(audit: &Audit) -> String {
    let document = Document::of(audit);
    let mut text = format!("## {}\n", sentence(&document.answer));
    if !document.problems.is_empty() {
        text.push_str("\n### Problems\n\n");
        for problem in &document.problems {
            let _ = write!(
                text,
                "- {} {}",
                code_span(&problem.subject),
                sentence(&problem.message)
            );
            if let Some(hint) = &problem.hint {
                let _ = write!(text, "  \n  {}", sentence(hint));
            }
            text.push('\n');
        }
    }
    for group in &document.groups {
        let _ = write!(
            text,
            "\n### Group {}\n\n{}\n",
            code_span(&group.name),
            sentence(&group.facts)
        );
        for list in &group.lists {
            text.push_str(&table(list, "####"));
        }
    }
    for list in &document.lists {
        text.push_str(&table(list, "###"));
    }
    text.push_str("\n### What was read\n\n");
    for (label, fact) in &document.evidence {
        let _ = writeln!(text, "- {label}: {}", code_span(fact));
    }
    text
}

fn table(list: &List, level: &str) -> String {
    let mut text = format!("\n{level} {}\n", sentence(&list.counted_heading()));
    if list.rows.is_empty() {
        return text;
    }
    text.push_str(
        "\n| look into | name | address | account | what | id |\n|---|---|---|---|---|---|\n",
    );
    for row in &list.rows {
        let cells = row.cells().map(code_span).join(" | ");
        let _ = writeln!(
            text,
            "| {} | {cells} | {} |",
            if row.to_look_into { "yes" } else { "" },
            code_span(&row.id)
        );
    }
    text
}
