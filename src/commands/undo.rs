//! `undo`: writes a plan that takes back what one run of apply did.

use std::path::Path;

use anyhow::Context as _;

use crate::cli::UndoArgs;
use crate::commands::plan::{finish, flags_of_directories, withhold};
use crate::commands::session::{
    Setup, name_run_groups, refuse_other_directories, refuse_other_tenant, survey_objects,
};
use crate::commands::show::Presentation;
use crate::commands::{Context, ExitStatus};
use crate::plan::{FORMAT_VERSION, Overrides, Plan, PlanKind, Source, Summary, UndoneRun};
use crate::report::{Report, ReportedOutcome, Run, Start};
use crate::undo::{Present, Undoing, accounts_of_run, groups_of_run, undo};
use crate::{plan_file, report_file};

pub async fn run(
    config: &Path,
    args: &UndoArgs,
    context: &mut Context,
) -> anyhow::Result<ExitStatus> {
    let overrides = args.limits.overrides()?;
    let presentation = Presentation::of(args.format, args.redact, context)?;
    refuse_own_report(args)?;
    plan_file::check_writable(&args.out)?;
    let report = report_file::read_ended(&args.report)
        .map_err(|error| withhold("reading the report failed", error, &presentation))?;
    let run = choose_run(&report, args)?;
    let setup = Setup::prepare(config, args.directories, context).await?;
    let plan = empty_plan(run, &setup.config.sha256);
    refuse_other_directories("report", &plan, &setup.config, setup.tenant_id().as_ref())?;
    context.ui.event("start run");
    let entra = setup.connect_entra(context).await?;
    refuse_other_tenant("report", &plan, &entra.tenant().id)?;
    say_which_others(&report, run, args, context);
    let (groups, accounts) = (groups_of_run(run), accounts_of_run(run));
    let snapshot = survey_objects(&entra, &groups, &accounts, context)
        .await
        .map_err(|error| withhold("reading Entra failed", error, &presentation))?;
    let settings = &setup.config.settings;
    let overrides = name_run_groups(&overrides, settings, &snapshot)?;
    let undoing = undo(run, &Present::new(&snapshot, settings, &overrides));
    let plan = complete(plan, undoing, overrides);
    let flags = flags_of_directories(config, args.directories);
    let status = finish(&args.out, &plan, &presentation, &flags, context)?;
    setup.finish().await?;
    Ok(status)
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

/// The run that is meant: the last that wrote or may have written, or the one that is named.
fn choose_run<'r>(report: &'r Report, args: &UndoArgs) -> anyhow::Result<&'r Run> {
    let shown = args.report.display();
    let run = match &args.run {
        Some(id) => report
            .runs
            .iter()
            .find(|run| run.start.run_id == *id)
            .with_context(|| format!("{shown} holds no run {id}"))?,
        None => report
            .runs
            .iter()
            .rfind(|run| may_have_written(run) && !run.steps.is_empty())
            .or_else(|| report.runs.iter().rfind(|run| may_have_written(run)))
            .with_context(|| {
                format!(
                    "{shown} holds no run that wrote anything, so there is nothing to take back"
                )
            })?,
    };
    let Start {
        run_id,
        plan_id,
        dry_run,
        ..
    } = &run.start;
    if run_id.parse::<uuid::Uuid>().is_err() || !plan_id.starts_with("sha256:") {
        anyhow::bail!(
            "the run in {shown} has no id of a run and a plan, so this program did not write it"
        );
    }
    anyhow::ensure!(
        !dry_run,
        "the run {run_id} was a dry run: it wrote nothing that could be taken back"
    );
    if let Some(contradiction) = run.contradiction() {
        anyhow::bail!(
            "the lines of run {run_id} in {shown} do not fit together: {contradiction}. Lines are missing or were changed, so it is \
             not clear what the run did; see Entra's audit log"
        );
    }
    Ok(run)
}

fn may_have_written(run: &Run) -> bool {
    let is_uncertain = |reported: &ReportedOutcome| reported.outcome.uncertain;
    let wrote = !run.steps.is_empty() || run.end.is_none();
    !run.start.dry_run && (wrote || run.outcomes.iter().any(is_uncertain))
}

fn say_which_others(report: &Report, chosen: &Run, args: &UndoArgs, context: &mut Context) {
    let others = report.runs.iter().filter(|run| may_have_written(run));
    for other in others.filter(|run| run.start.run_id != chosen.start.run_id) {
        let Start { run_id, time, .. } = &other.start;
        // Whatever else stands in its place would be repeated here.
        if run_id.parse::<uuid::Uuid>().is_ok() {
            context.ui.warn(&format!(
                "{} also holds the run {run_id} of {time}, which is not taken back; name it with --run",
                args.report.display()
            ));
        }
    }
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
            kind: start.kind,
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
