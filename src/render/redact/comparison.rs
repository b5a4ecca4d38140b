//! A comparison of two plans without the people in them.

use crate::compare::{Comparison, Differing};
use crate::plan::{Change, Problem};
use crate::render::words::People;
use crate::render::{Style, comparison, html};

use super::RedactionKey;
use super::plan::place;
use super::tokens::Tokens;

/// A comparison of two plans without the people in them. Whoever is in both has one token.
#[derive(Debug, Clone)]
pub struct RedactedComparison(Comparison);

impl RedactedComparison {
    /// Replaces everybody in a comparison by tokens.
    pub fn new(comparison: &Comparison, key: &RedactionKey) -> Self {
        let Comparison {
            came,
            went,
            changes,
            blocks,
            problems,
            staying,
            is_blocked,
            was_blocked,
        } = comparison;
        let changes_of_all = came
            .changes
            .iter()
            .chain(&went.changes)
            .chain(changes.iter().flat_map(|it| [&it.older, &it.newer]));
        let problems_of_all = came
            .problems
            .iter()
            .chain(&went.problems)
            .chain(problems.iter().flat_map(|it| [&it.older, &it.newer]));
        let tokens = Tokens::of_changes(changes_of_all, problems_of_all, key);
        let mut changes: Vec<Differing<Change>> = changes
            .iter()
            .map(|differing| Differing {
                older: tokens.change(&differing.older),
                newer: tokens.change(&differing.newer),
                details: differing.details.clone(),
            })
            .collect();
        changes.sort_by_cached_key(|differing| place(&differing.newer));
        let mut problems: Vec<Differing<Problem>> = problems
            .iter()
            .map(|differing| Differing {
                older: tokens.problem(&differing.older),
                newer: tokens.problem(&differing.newer),
                details: differing.details.clone(),
            })
            .collect();
        problems.sort_by(|one, other| one.newer.cmp(&other.newer));
        Self(Comparison {
            came: tokens.plan(came),
            went: tokens.plan(went),
            changes,
            blocks: blocks.clone(),
            problems,
            staying: *staying,
            is_blocked: *is_blocked,
            was_blocked: *was_blocked,
        })
    }

    /// Returns it as text for a terminal.
    pub fn text(&self, style: &Style) -> String {
        comparison::text::page(&self.0, People::Redacted, *style)
    }

    /// Returns it as Markdown, like [`comparison_markdown`](crate::render::comparison_markdown()).
    pub fn markdown(&self) -> String {
        comparison::markdown::page(&self.0, People::Redacted)
    }

    /// Returns it as a page for a browser, like [`comparison_html`](crate::render::comparison_html()).
    pub fn html(&self) -> String {
        html::comparison_page(&self.0, People::Redacted)
    }
}
