//! `show`: a saved plan again, without configuration, credentials or network.

use std::path::Path;

use crate::cli::{Format, PresentationArgs, ShowArgs};
use crate::commands::{Context, ExitStatus};
use crate::compare::Comparison;
use crate::config::redaction_key;
use crate::plan::Plan;
use crate::plan_file::Refusal;
use crate::render::{
    Redacted, RedactedComparison, RedactionKey, comparison_html, comparison_markdown,
    comparison_text,
};
use crate::ui::Withheld;
use crate::{plan_file, render};

pub fn run(args: &ShowArgs, context: &mut Context) -> anyhow::Result<ExitStatus> {
    let presentation = Presentation::of_plan(args.presentation, context)?;
    let Some(older) = &args.against else {
        let plan = read(&args.plan, &presentation)?;
        presentation.show(&plan, context)?;
        return Ok(ExitStatus::Done);
    };
    let style = context.ui.out_style();
    let Some(page) = Page::of(args.presentation.format) else {
        anyhow::bail!(
            "--against does not go with --format json: how two plans differ is shown for people to read; use --format text, markdown \
             or html."
        );
    };
    let plan = read(&args.plan, &presentation)?;
    let comparison = Comparison::of(read(older, &presentation)?, plan);
    let text = match &presentation {
        Presentation::Complete(_) => match page {
            Page::Text => comparison_text(&comparison, &style),
            Page::Markdown => comparison_markdown(&comparison),
            Page::Html => comparison_html(&comparison),
        },
        Presentation::Redacted { key, .. } => {
            let redacted = RedactedComparison::new(&comparison, key);
            match page {
                Page::Text => redacted.text(&style),
                Page::Markdown => redacted.markdown(),
                Page::Html => redacted.html(),
            }
        }
    };
    context.ui.result(&text)?;
    Ok(ExitStatus::Done)
}

fn read(path: &Path, presentation: &Presentation) -> anyhow::Result<Plan> {
    plan_file::read(path).map_err(|error| {
        // Whatever a file says of itself may name people, its version and its id as well.
        let may_name_people = error.downcast_ref::<Refusal>().is_some();
        if presentation.is_redacted() && may_name_people {
            let what = format!("{} is not a plan that this program made", path.display());
            Withheld::new(what, error).into()
        } else {
            error
        }
    })
}

/// How a plan is shown, or a report.
pub enum Presentation {
    /// All of it.
    Complete(Format),
    /// Without the people in it.
    Redacted {
        /// As what.
        page: Page,
        /// What tokens are made with.
        key: RedactionKey,
    },
}

/// The formats that are made for people to read.
#[derive(Debug, Clone, Copy)]
pub enum Page {
    /// [`Format::Text`].
    Text,
    /// [`Format::Markdown`].
    Markdown,
    /// [`Format::Html`].
    Html,
}

impl Page {
    /// Returns what a format is for people to read, if it is made for them.
    fn of(format: Format) -> Option<Self> {
        match format {
            Format::Text => Some(Self::Text),
            Format::Markdown => Some(Self::Markdown),
            Format::Html => Some(Self::Html),
            Format::Json => None,
        }
    }
}

impl Presentation {
    /// Checks that a plan can be shown as the flags say, before anything is read or asked.
    pub fn of_plan(args: PresentationArgs, context: &Context) -> anyhow::Result<Self> {
        let PresentationArgs { format, redact } = args;
        let json = "the plan itself, which is complete or cannot be applied";
        Self::of(format, redact, json, context)
    }

    /// Checks the same of anything that can be shown with tokens. `json` says what it is as JSON, and why that is not redacted.
    pub fn of(format: Format, redact: bool, json: &str, context: &Context) -> anyhow::Result<Self> {
        if !redact {
            return Ok(Self::Complete(format));
        }
        let Some(page) = Page::of(format) else {
            anyhow::bail!(
                "--redact does not go with --format json: JSON is {json}; use --format text, markdown or html."
            );
        };
        let key = redaction_key(&context.variable)?;
        Ok(Self::Redacted { page, key })
    }

    pub fn is_redacted(&self) -> bool {
        matches!(self, Self::Redacted { .. })
    }

    /// Prints a plan to stdout.
    pub fn show(&self, plan: &Plan, context: &mut Context) -> anyhow::Result<()> {
        let style = context.ui.out_style();
        let text = match self {
            Self::Complete(Format::Text) => render::text(plan, &style),
            Self::Complete(Format::Markdown) => render::markdown(plan),
            Self::Complete(Format::Html) => render::html(plan),
            Self::Complete(Format::Json) => {
                String::from_utf8_lossy(&plan_file::to_bytes(plan)?).into_owned()
            }
            Self::Redacted { page, key } => {
                let redacted = Redacted::new(plan, key);
                match page {
                    Page::Text => redacted.text(&style),
                    Page::Markdown => redacted.markdown(),
                    Page::Html => redacted.html(),
                }
            }
        };
        context.ui.result(&text)
    }
}
