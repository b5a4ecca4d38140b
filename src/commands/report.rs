//! `report`: what became of plans, from the report of apply, without configuration, credentials or network.

use crate::cli::{Format, ReportArgs};
use crate::commands::{Context, ExitStatus};
use crate::render::escape;
use crate::{render, report_file};

pub fn run(args: &ReportArgs, context: &mut Context) -> anyhow::Result<ExitStatus> {
    let report = report_file::read(&args.report)?;
    let text = match args.format {
        Format::Text => render::report_text(&report, &context.ui.out_style()),
        Format::Markdown => render::report_markdown(&report),
        Format::Html => render::report_html(&report),
        Format::Json => escape::json(&serde_json::to_string_pretty(&report)?) + "\n",
    };
    context.ui.result(&text)?;
    Ok(ExitStatus::Done)
}
