//! `undo`: writes a plan that takes back what one run of apply did.

use std::path::Path;

use crate::cli::UndoArgs;
use crate::commands::plan::{finish, flags_of_directories};
use crate::commands::session::{
    Setup, name_groups_among, refuse_other_directories, refuse_other_tenant, survey_objects,
};
use crate::commands::show::Presentation;
use crate::commands::{Context, ExitStatus};
use crate::plan::{FORMAT_VERSION, Overrides, Plan, PlanKind, Source, Summary, UndoneRun};
use crate::report::{Report, Run};
use crate::undo::{Present, Undoing, accounts_of_run, groups_of_run, undo};
use crate::{plan_file, report_file};

pub async fn run(
    config: &Path,
    args: &UndoArgs,
    context: &mut Context,
) -> anyhow::Result<ExitStatus> {
    let overrides = args.limits.overrides()?;
    let presentation = Presentation::of(args.format, args.redact, context)?;
    plan_file::check_writable(&args.out)?;
    let report = report_file::read(&args.report)?;
    let run = choose_run(&report, args, context)?;
    let setup = Setup::prepare(config, args.directories, context).await?;
    let plan = empty_plan(run, &setup.config.sha256);
    refuse_other_directories(&plan, &setup.config, setup.tenant_id().as_ref())?;
    context.ui.event("start run");
    let entra = setup.connect_entra(context).await?;
    refuse_other_tenant(&plan, &entra.tenant().id)?;
    let (groups, accounts) = (groups_of_run(run), accounts_of_run(run));
    let snapshot = survey_objects(&entra, &groups, &accounts, context).await?;
    let settings = &setup.config.settings;
    let overrides = name_groups_among(&overrides, settings, &snapshot)?;
    let undoing = undo(run, &Present::new(&snapshot, settings, &overrides));
    let plan = complete(plan, undoing, overrides);
    let flags = flags_of_directories(config, args.directories);
    let status = finish(&args.out, &plan, &presentation, &flags, context)?;
    setup.finish().await?;
    Ok(status)
}

/// The run that is meant: the last that wrote, or the one that is named.
fn choose_run<'r>(
    report: &'r Report,
    args: &UndoArgs,
    context: &mut Context,
) -> anyhow::Result<&'r Run> {
    let shown = args.report.display();
    if let Some(id) = &args.run {
        let run = report.runs.iter().find(|run| run.start.run_id == *id);
        let run = run.ok_or_else(|| anyhow::anyhow!("{shown} holds no run {id}"))?;
        anyhow::ensure!(
            !run.start.dry_run,
            "the run {id} was a dry run: it wrote nothing that could be taken back"
        );
        return Ok(run);
    }
    let wrote: Vec<&Run> = report
        .runs
        .iter()
        .filter(|run| !run.steps.is_empty())
        .collect();
    let Some((last, others)) = wrote.split_last() else {
        anyhow::bail!("{shown} holds no run that wrote anything, so there is nothing to take back");
    };
    for other in others {
        context.ui.warn(&format!(
            "{shown} also holds the run {} of {}, which is not taken back; name it with --run",
            other.start.run_id, other.start.time
        ));
    }
    Ok(last)
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
        undoes: Some(UndoneRun {
            run_id: start.run_id.clone(),
            plan_id: start.plan_id.clone(),
            time: start.time,
        }),
        overrides: Overrides::default(),
        scope: None,
        summary: Summary::default(),
        groups: Vec::new(),
        changes: Vec::new(),
        blocks: Vec::new(),
        problems: Vec::new(),
    }
}

fn complete(plan: Plan, undoing: Undoing, overrides: Overrides) -> Plan {
    let Undoing {
        summary,
        groups,
        changes,
        blocks,
        problems,
    } = undoing;
    Plan {
        overrides,
        summary,
        groups,
        changes,
        blocks,
        problems,
        ..plan
    }
    .sealed()
}
