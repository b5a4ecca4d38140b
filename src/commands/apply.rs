//! `apply`: carries out a reviewed plan, and nothing else. With `--dry-run` it never makes the type that can write.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::cli::ApplyArgs;
use crate::commands::session::{Session, Setup, refuse_other_directories, refuse_other_tenant};
use crate::commands::{Context, ExitStatus};
use crate::entra::Writer;
use crate::execute::{Assignment, Recorder, StopSignal, execute, rehearse, totals};
use crate::model::ObjectId;
use crate::plan::Plan;
use crate::report::{ChangeOutcome, End, Line, Start, Totals};
use crate::report_file::ReportFile;
use crate::ui::Progress;
use crate::verify::verify;
use crate::{plan_file, render};

pub async fn run(
    config: &Path,
    args: &ApplyArgs,
    context: &mut Context,
) -> anyhow::Result<ExitStatus> {
    let plan = plan_file::read(&args.plan)?;
    refuse_unapproved(&plan, args)?;
    if plan.is_blocked() {
        let style = context.ui.err_style();
        context.ui.say(&render::refusal_of_blocked(&plan, &style));
        return Ok(ExitStatus::Blocked);
    }
    let setup = Setup::prepare(config, args.directories, context).await?;
    refuse_other_directories(&plan, &setup.config, setup.tenant_id().as_ref())?;
    context.ui.event("start run");
    if setup.config.sha256 != plan.config_sha256 {
        context.ui.warn("the configuration has changed since the plan was made; what it does not ask for any more is not done");
    }
    let session = setup.connect(context).await?;
    refuse_other_tenant(&plan, &session.entra.tenant().id)?;
    let totals = carry_out(&plan, &setup, &session, args, context).await?;
    context.ui.event("end run");
    setup.finish().await?;
    Ok(if totals.is_unfinished() {
        ExitStatus::Unfinished
    } else {
        ExitStatus::Done
    })
}

/// Reads both directories again, does what the plan permits and they still want, and writes down what became of each change.
async fn carry_out(
    plan: &Plan,
    setup: &Setup,
    session: &Session,
    args: &ApplyArgs,
    context: &mut Context,
) -> anyhow::Result<Totals> {
    let report_path = args.report.clone().unwrap_or_else(|| beside(&args.plan));
    let tenant = &plan.target.tenant_id;
    let (mut report, earlier) = ReportFile::open(&report_path, plan)?;
    let settings = &setup.config.settings;
    let survey = session.survey(settings, &earlier.invited, context).await?;
    let scope = plan.scope.as_deref();
    let fresh = session
        .decide(&survey, settings, &plan.overrides, scope)
        .await?;
    session.keycloak.log_out().await;
    let verification = verify(plan, &fresh);

    let run_id = uuid::Uuid::new_v4().to_string();
    let rehearsed = rehearse(&run_id, plan, &verification, report.now());
    let further = verification.further_changes;
    let style = context.ui.err_style();
    let header = render::apply_header(plan, &totals(&rehearsed), further, args.dry_run, &style);
    context.ui.say(&format!("\n{}", header.trim_end()));
    report.record(&[Line::Start(Start {
        run_id: run_id.clone(),
        plan_id: plan.plan_id.clone(),
        tool_version: env!("CARGO_PKG_VERSION").to_owned(),
        tenant_id: tenant.clone(),
        time: report.now(),
        dry_run: args.dry_run,
    })])?;
    let stop = Arc::new(StopSignal::default());
    let outcomes = if args.dry_run {
        let lines: Vec<_> = rehearsed.iter().cloned().map(Line::Outcome).collect();
        report.record(&lines)?;
        rehearsed
    } else {
        let accounts = survey.entra.accounts.iter();
        let known_accounts: HashSet<ObjectId> =
            accounts.map(|account| account.id.clone()).collect();
        let assignment = Assignment {
            run_id: &run_id,
            plan,
            verification: &verification,
            known_accounts: &known_accounts,
            protected: &settings.protected,
        };
        let writer = Writer::new(&session.entra);
        let watch = stop_on_signal(Arc::clone(&stop));
        let mut progress = Progress::new(&mut context.ui);
        let outcomes = execute(assignment, &writer, &mut report, &mut progress, &stop).await;
        watch.abort();
        outcomes?
    };
    let totals = totals(&outcomes);
    report.record(&[Line::End(End {
        run_id,
        time: report.now(),
        interrupted: stop.is_set(),
        totals,
        further_changes: further,
    })])?;
    print_outcomes(plan, &outcomes, args.dry_run, further, context)?;
    context
        .ui
        .say(&format!("Report: {}", report_path.display()));
    Ok(totals)
}

fn refuse_unapproved(plan: &Plan, args: &ApplyArgs) -> anyhow::Result<()> {
    let Some(approved) = &args.plan_id else {
        return Ok(());
    };
    anyhow::ensure!(
        *approved == plan.plan_id,
        "refused {}: its id is {}, and the approved one is {approved}",
        args.plan.display(),
        plan.plan_id
    );
    Ok(())
}

fn print_outcomes(
    plan: &Plan,
    outcomes: &[ChangeOutcome],
    dry_run: bool,
    further: usize,
    context: &mut Context,
) -> anyhow::Result<()> {
    let style = context.ui.out_style();
    let totals = totals(outcomes);
    let text = if dry_run {
        render::dry_run(plan, outcomes, &totals, further, &style)
    } else {
        render::outcomes(plan, outcomes, &totals, further, &style)
    };
    context.ui.result(&text)
}

/// `plan.json` → `plan.report.jsonl`.
fn beside(plan: &Path) -> PathBuf {
    plan.with_extension("report.jsonl")
}

/// The first Ctrl-C (or a request to terminate) lets the run finish what is in flight; the second ends the process, and the
/// report is complete up to its last line all the same.
fn stop_on_signal(stop: Arc<StopSignal>) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        if wait_for_signal().await.is_err() {
            return;
        }
        stop.stop();
        crate::ui::say_while_running(
            "interrupted: finishing what is in flight; interrupt again to end at once",
        );
        if wait_for_signal().await.is_ok() {
            crate::ui::end_at_once();
        }
    })
}

pub async fn wait_for_signal() -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        // A terminal that goes away (SIGHUP) is no reason to leave a run half recorded.
        let mut terminate = signal(SignalKind::terminate())?;
        let mut hang_up = signal(SignalKind::hangup())?;
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => interrupted,
            _ = terminate.recv() => Ok(()),
            _ = hang_up.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await
}
