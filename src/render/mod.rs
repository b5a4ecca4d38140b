//! Shows plans, and what became of them, to the people who decide: text for a terminal, Markdown for a pull request, a page for a browser.
//!
//! Pure functions from data to text. They decide nothing, print nothing and know neither clock nor terminal; what the
//! terminal can do comes in as a [`Style`]. Everything from elsewhere goes through [`escape`], without exception.
//! Numbers of changes are counted from the changes themselves, which are what apply carries out, and not taken from a summary.

mod age;
mod apply;
mod audit;
mod before_after;
mod check;
mod comparison;
pub mod escape;
mod explain;
mod fit;
mod flags;
mod html;
mod layout;
mod markdown;
mod redact;
mod report;
mod text;
mod words;

#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;

pub use self::audit::{audit_csv, audit_markdown, audit_text};
pub use age::refusal_of_age;
pub use apply::{apply_header, dry_run, outcomes};
pub use check::{CheckLine, CheckState, check_table};
pub use comparison::{comparison_markdown, comparison_text};
pub use explain::explanation;
pub use html::{audit_html, comparison_html, html, report_html};
pub(crate) use layout::hanging;
pub use markdown::{MAX_CHARACTERS, markdown};
pub use redact::{Redacted, RedactedComparison, RedactedReport, RedactionKey, WeakKey};
pub use report::{report_markdown, report_text};
pub use text::{next_steps, refusal_of_blocked, text};

/// What the place that text goes to can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Whether it understands colours. Nothing depends on them.
    pub colour: bool,
    /// How many columns it has.
    pub width: usize,
}

impl Style {
    fn paint(self, text: &str, paint: console::Style) -> String {
        paint.force_styling(self.colour).apply_to(text).to_string()
    }

    /// Paints each line by itself, so that no colour runs on when lines are cut or taken apart.
    fn lines(self, block: &str, paint: fn(Self, &str) -> String) -> String {
        block
            .lines()
            .flat_map(|line| [paint(self, line), "\n".to_owned()])
            .collect()
    }

    /// For removals, blocks and failures.
    fn red(self, text: &str) -> String {
        self.paint(text, console::Style::new().red())
    }

    /// For additions and invitations.
    fn green(self, text: &str) -> String {
        self.paint(text, console::Style::new().green())
    }

    /// For updates and problems.
    fn yellow(self, text: &str) -> String {
        self.paint(text, console::Style::new().yellow())
    }

    /// For headings and verdicts.
    fn bold(self, text: &str) -> String {
        self.paint(text, console::Style::new().bold())
    }

    /// For what only matters to who looks for it.
    fn dim(self, text: &str) -> String {
        self.paint(text, console::Style::new().dim())
    }
}
