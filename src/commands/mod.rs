//! The commands: each wires the shell to the core, and is the only kind of place that does.

mod apply;
mod audit;
mod check;
mod explain;
mod made_elsewhere;
mod man;
mod plan;
mod report;
#[cfg(feature = "sandbox")]
mod sandbox;
mod session;
mod setup;
mod show;
mod undo;
mod unusable_mappings;
mod validate;

pub use unusable_mappings::UnusableMappings;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::CommandFactory;

use crate::cli::{Cli, Command};
use crate::http::Timing;
use crate::ui::Ui;

/// How an invocation ended, other than with an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitStatus {
    /// Everything was done; for `plan` and `undo` with `--detailed-exitcode`, there is nothing to change.
    Done,
    /// `plan` or `undo` with `--detailed-exitcode`: there are changes.
    Changes,
    /// `audit` found something to look into.
    NotInOrder,
    /// The plan is blocked by a safety limit.
    Blocked,
    /// Apply ended with changes failed, in conflict or not attempted.
    Unfinished,
    /// `check` found something missing.
    Missing,
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        Self::from(match status {
            ExitStatus::Done => 0,
            ExitStatus::Missing => 1,
            ExitStatus::Changes | ExitStatus::NotInOrder => 2,
            ExitStatus::Blocked => 3,
            ExitStatus::Unfinished => 4,
        })
    }
}

/// Looks up an environment variable.
pub type Variables = Box<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// Who runs this, as the environment says: in the pipelines of GitHub, GitLab and Azure DevOps whoever set them off, else the user of
/// the machine.
fn operator(variable: &Variables) -> Option<String> {
    [
        "GITHUB_ACTOR",
        "GITLAB_USER_LOGIN",
        "BUILD_REQUESTEDFOR",
        "USER",
        "LOGNAME",
        "USERNAME",
    ]
    .into_iter()
    .filter_map(variable)
    .find(|name| !name.trim().is_empty())
}

/// What an invocation runs in.
pub struct Context {
    /// The streams.
    pub ui: Ui,
    /// The environment variables.
    pub variable: Variables,
    /// How long to wait for what.
    pub timing: Timing,
}

/// Runs a command.
pub async fn run(cli: Cli, context: &mut Context) -> anyhow::Result<ExitStatus> {
    context.ui.keep_log_out_of(files_of(&cli));
    match cli.command {
        Command::Plan(args) => plan::run(&cli.config, &args, context).await,
        Command::Show(args) => show::run(&args, context),
        Command::Apply(args) => apply::run(&cli.config, &args, context).await,
        Command::Check(args) => check::run(&cli.config, &args, context).await,
        Command::Report(args) => report::run(&args, context),
        Command::Undo(args) => undo::run(&cli.config, &args, context).await,
        Command::Validate(args) => validate::run(&cli.config, &args, context),
        Command::Explain(args) => explain::run(&cli.config, &args, context).await,
        Command::Audit(args) => audit::run(&cli.config, &args, context).await,
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(
                shell,
                &mut Cli::command(),
                env!("CARGO_PKG_NAME"),
                &mut script,
            );
            context.ui.result(&String::from_utf8_lossy(&script))?;
            Ok(ExitStatus::Done)
        }
        Command::Man { directory } => man::run(&directory, context),
        #[cfg(feature = "sandbox")]
        Command::Sandbox(args) => sandbox::run(&args, context).await,
    }
}

/// The files that an invocation reads or writes, with what each is to it.
fn files_of(cli: &Cli) -> Vec<(&'static str, PathBuf)> {
    const PLAN: &str = "the plan";
    const REPORT: &str = "the report";
    let mut files = vec![("the configuration", cli.config.clone())];
    match &cli.command {
        Command::Plan(args) => files.push((PLAN, args.out.clone())),
        Command::Apply(args) => {
            let report = args.report.clone();
            files.push((PLAN, args.plan.clone()));
            files.push((REPORT, report.unwrap_or_else(|| apply::beside(&args.plan))));
        }
        Command::Undo(args) => {
            files.push((REPORT, args.report.clone()));
            files.push((PLAN, args.out.clone()));
        }
        Command::Explain(args) => files.extend(args.plan.clone().map(|plan| (PLAN, plan))),
        Command::Audit(args) => files.extend(args.since.clone().map(|report| (REPORT, report))),
        _ => {}
    }
    files
}
