//! `report`: what became of plans, from the report of apply, without configuration, credentials or network.

use std::path::Path;

use crate::cli::{Format, ReportArgs};
use crate::commands::show::{Page, Presentation};
use crate::commands::{Context, ExitStatus};
use crate::render::{RedactedReport, escape};
use crate::report::{NotAReport, Report};
use crate::ui::Withheld;
use crate::{render, report_file};

pub fn run(args: &ReportArgs, context: &mut Context) -> anyhow::Result<ExitStatus> {
    let json = "the report itself, which is complete or proves nothing";
    let presentation = Presentation::of(args.format, args.redact, json, context)?;
    let report = read(&args.report, &presentation)?;
    let style = context.ui.out_style();
    let text = match &presentation {
        Presentation::Complete(Format::Text) => render::report_text(&report, &style),
        Presentation::Complete(Format::Markdown) => render::report_markdown(&report),
        Presentation::Complete(Format::Html) => render::report_html(&report),
        Presentation::Complete(Format::Json) => {
            escape::json(&serde_json::to_string_pretty(&report)?) + "\n"
        }
        Presentation::Redacted { page, key } => {
            let redacted = RedactedReport::new(&report, key);
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

fn read(path: &Path, presentation: &Presentation) -> anyhow::Result<Report> {
    report_file::read(path).map_err(|error| {
        // What is wrong with a line may be a word in it.
        if presentation.is_redacted() && error.downcast_ref::<NotAReport>().is_some() {
            let what = format!("{} is not a report that this program wrote", path.display());
            Withheld::new(what, error).into()
        } else {
            error
        }
    })
}
