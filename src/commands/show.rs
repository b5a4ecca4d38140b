//! `show`: a saved plan again, without configuration, credentials or network.

use crate::cli::{Format, ShowArgs};
use crate::commands::{Context, ExitStatus};
use crate::plan::Plan;
use crate::{plan_file, render};

pub fn run(args: &ShowArgs, context: &mut Context) -> anyhow::Result<ExitStatus> {
    let plan = plan_file::read(&args.plan)?;
    present(&plan, args.format, context)?;
    Ok(ExitStatus::Done)
}

/// Prints a plan to stdout.
pub fn present(plan: &Plan, format: Format, context: &mut Context) -> anyhow::Result<()> {
    let text = match format {
        Format::Text => render::text(plan, &context.ui.out_style()),
        Format::Markdown => render::markdown(plan),
        Format::Json => String::from_utf8_lossy(&plan_file::to_bytes(plan)?).into_owned(),
    };
    context.ui.result(&text)
}
