//! `undo`: writes a plan that takes back what one run of apply did.

use std::path::Path;

use crate::cli::UndoArgs;
use crate::commands::made_elsewhere::{refuse_other_directories, refuse_other_tenant};
use crate::commands::plan::{detailed, finish, flags_of_directories, withhold};
use crate::commands::session::survey_objects;
use crate::commands::setup::Setup;
use crate::commands::show::Presentation;
use crate::commands::{Context, ExitStatus};
use crate::group_names::name_run_groups;
use crate::plan::{FORMAT_VERSION, Overrides, Plan, PlanKind, Source, Summary};
use crate::report::Run;
use crate::undo::{Present, accounts_of_run, choose_run, groups_of_run, undo, undone};
use crate::wording::time_with_seconds;
use crate::{plan_file, report_file};

pub async fn run(
    config: &Path,
    args: &UndoArgs,
    context: &mut Context,
) -> anyhow::Result<ExitStatus> {
    let overrides = args.limits.overrides()?;
    let presentation = Presentation::of_plan(args.presentation, context)?;
    refuse_own_report(args)?;
    plan_file::check_writable(&args.out)?;
    let report = report_file::read_ended(&args.report)
        .map_err(|error| withhold("reading the report failed", error, &presentation))?;
    let shown = args.report.display();
    let choice = choose_run(&report, args.run.as_deref())
        .map_err(|no_run| anyhow::anyhow!("{shown} {no_run}"))?;
    let run = choice.run;
    let setup = Setup::prepare(config, args.directories, context).await?;
    let plan = empty_plan(run, &setup.config.sha256);
    refuse_other_directories("report", &plan, &setup.config, setup.tenant_id().as_ref())?;
    context.ui.event("start run");
    let entra = setup.connect_entra(context).await?;
    refuse_other_tenant("report", &plan, &entra.tenant().id)?;
    for Run { start, .. } in choice.earlier.iter().chain(&choice.later) {
        context.ui.warn(&format!(
            "{shown} also holds the run {} of {}, which is not taken back; name it with --run",
            start.run_id,
            time_with_seconds(start.time)
        ));
    }
    let (groups, accounts) = (groups_of_run(run), accounts_of_run(run));
    let snapshot = survey_objects(&entra, &groups, &accounts, context)
        .await
        .map_err(|error| withhold("reading Entra failed", error, &presentation))?;
    let settings = &setup.config.settings;
    let overrides = name_run_groups(&overrides, settings, &snapshot)?;
    let undoing = undo(&choice, &Present::new(&snapshot, settings, &overrides));
    let plan = undoing.in_plan(plan, overrides);
    let flags = flags_of_directories(config, args.directories);
    let status = finish(&args.out, &plan, &presentation, &flags, context)?;
    setup.finish().await?;
    Ok(detailed(status, &plan, args.detailed_exitcode))
}

/// The report is evidence, and the memory of who was invited.
fn refuse_own_report(args: &UndoArgs) -> anyhow::Result<()> {
    let resolved = |path: &Path| path.canonicalize().ok();
    let is_report =
        resolved(&args.report).is_some_and(|report| resolved(&args.out) == Some(report));
    anyhow::ensure!(
        !is_report,
        "{} is the report itself; name another file for the plan with --out",
        args.out.display()
    );
    Ok(())
}

fn empty_plan(run: &Run, config_sha256: &str) -> Plan {
    let start = &run.start;
    Plan {
        format_version: FORMAT_VERSION.to_owned(),
        kind: PlanKind::Undo,
        plan_id: String::new(),
        tool_version: env!("CARGO_PKG_VERSION").to_owned(),
        created_at: jiff::Timestamp::now(),
        source: Source {
            url: start.source.url.clone(),
            realm: start.source.realm.clone(),
            federation: None,
        },
        target: start.target.clone(),
        config_sha256: config_sha256.to_owned(),
        undoes: Some(undone(run)),
        overrides: Overrides::default(),
        scope: None,
        summary: Summary::default(),
        groups: Vec::new(),
        changes: Vec::new(),
        blocks: Vec::new(),
        problems: Vec::new(),
    }
}
