//! `apply`: carries out a reviewed plan, and nothing else. With `--dry-run` it never makes the type that can write.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::cli::ApplyArgs;
use crate::commands::made_elsewhere::{refuse_other_directories, refuse_other_tenant};
use crate::commands::session::{Session, survey_objects};
use crate::commands::setup::Setup;
use crate::commands::{Context, ExitStatus, operator};
use crate::entra::{Reader, Writer};
use crate::execute::{Assignment, Recorder, StopSignal, execute, rehearse, totals};
use crate::model::ObjectId;
use crate::plan::{Plan, PlanKind, Problem, ProblemCode};
use crate::report::{ChangeOutcome, End, Line, ReportedOutcome, Start, Totals};
use crate::report_file::ReportFile;
use crate::run_lock::{Asked, Holder, RunLock};
use crate::settings::Settings;
use crate::ui::{Progress, Ui};
use crate::verify::{Verification, invite_nobody_again, verify};
use crate::{plan_file, render, run_lock, undo};

pub async fn run(
    config: &Path,
    args: &ApplyArgs,
    context: &mut Context,
) -> anyhow::Result<ExitStatus> {
    let plan = plan_file::read(&args.plan)?;
    refuse_unapproved(&plan, args)?;
    refuse_old(&plan, args, jiff::Timestamp::now())?;
    if plan.is_blocked() {
        let style = context.ui.err_style();
        context.ui.say(&render::refusal_of_blocked(&plan, &style));
        return Ok(ExitStatus::Blocked);
    }
    let setup = Setup::prepare(config, args.directories, context).await?;
    refuse_other_directories("plan", &plan, &setup.config, setup.tenant_id().as_ref())?;
    let _lock = if args.dry_run {
        None
    } else {
        lock_out_others(&plan, &setup, context)?
    };
    context.ui.event("start run");
    if setup.config.sha256 != plan.config_sha256 {
        context.ui.warn(match plan.kind {
            PlanKind::Sync => "the configuration has changed since the plan was made; what it does not ask for any more is not done",
            PlanKind::Undo => "the configuration has changed since the plan was made; its limits and protected accounts are those of now",
        });
    }
    let totals = carry_out(&plan, &setup, args, context).await?;
    context.ui.event("end run");
    setup.finish().await?;
    Ok(if totals.is_unfinished() {
        ExitStatus::Unfinished
    } else {
        ExitStatus::Done
    })
}

/// Sees to it that no other run on this machine writes to the same groups meanwhile. Where there can be no lock, both do no harm.
fn lock_out_others(
    plan: &Plan,
    setup: &Setup,
    context: &mut Context,
) -> anyhow::Result<Option<RunLock>> {
    let variable = &context.variable;
    let holder = Holder::this_process(&plan.plan_id, operator(variable), variable);
    let name = run_lock::name(&plan.target, &setup.config.settings);
    let asked = run_lock::folder(variable).map(|folder| run_lock::ask(&folder, &name, &holder));
    match asked.unwrap_or_else(Asked::Impossible) {
        Asked::Taken(lock) => Ok(Some(lock)),
        Asked::Impossible(reason) => {
            context.ui.warn(&format!(
                "whether another run writes to the same groups is not known: {reason}; two at once do no harm, but get in each other's way"
            ));
            Ok(None)
        }
        Asked::HeldBy(holder) => {
            let holder = holder.map_or("another process".to_owned(), |it| it.to_string());
            anyhow::bail!(
                "refused: another run of apply is writing to the same groups of {}: {holder}; wait until it has ended, then run this \
                 again, and what it did is not done twice",
                plan.target.tenant_name
            )
        }
    }
}

/// What a plan is judged against: both directories, or Entra alone for a plan that takes a run back.
enum Directories {
    Both(Session),
    Entra(Reader),
}

/// A plan that was judged again, with what it takes to carry it out.
struct Judged {
    verification: Verification,
    /// The accounts that were there before.
    known_accounts: HashSet<ObjectId>,
    report: ReportFile,
    /// Keycloak is not needed any more.
    entra: Reader,
}

impl Directories {
    fn entra(&self) -> &Reader {
        match self {
            Self::Both(session) => &session.entra,
            Self::Entra(entra) => entra,
        }
    }

    /// Opens the report, reads again, and judges every change of the plan.
    async fn judge(
        self,
        plan: &Plan,
        settings: &Settings,
        report: &Path,
        context: &mut Context,
    ) -> anyhow::Result<Judged> {
        refuse_other_tenant("plan", plan, &self.entra().tenant().id)?;
        let (report, invited) = ReportFile::open(report, plan)?;
        let (verification, snapshot) = match &self {
            Self::Both(session) => {
                let survey = session.survey(settings, &invited, context).await?;
                let scope = plan.scope.as_deref();
                let fresh = session
                    .decide(&survey, settings, &plan.overrides, scope)
                    .await?;
                warn_of_what_is_hidden(plan, &fresh.problems, &mut context.ui);
                let mut verification = verify(plan, &fresh);
                invite_nobody_again(plan, &mut verification, &invited);
                (verification, survey.entra)
            }
            Self::Entra(entra) => {
                let (groups, accounts) = (undo::groups_of_plan(plan), undo::accounts_of_plan(plan));
                let snapshot = survey_objects(entra, &groups, &accounts, context).await?;
                let present = undo::Present::new(&snapshot, settings, &plan.overrides);
                (undo::verify(plan, &present), snapshot)
            }
        };
        Ok(Judged {
            verification,
            known_accounts: snapshot.accounts.into_iter().map(|it| it.id).collect(),
            report,
            entra: match self {
                Self::Both(session) => session.entra,
                Self::Entra(entra) => entra,
            },
        })
    }
}

/// Says what Entra hides now and did not when the plan was made: whoever approved it knew nothing of that.
fn warn_of_what_is_hidden(plan: &Plan, fresh: &[Problem], ui: &mut Ui) {
    let is_new = |problem: &&Problem| {
        problem.code == ProblemCode::DeletedAccountsHidden && !plan.problems.contains(problem)
    };
    for problem in fresh.iter().filter(is_new) {
        let hint = problem.hint.as_deref().unwrap_or_default();
        ui.warn(&format!("{} {}; {hint}", problem.subject, problem.message));
    }
}

/// Judges the plan again, does what it permits and is still wanted, and writes down what became of each change.
async fn carry_out(
    plan: &Plan,
    setup: &Setup,
    args: &ApplyArgs,
    context: &mut Context,
) -> anyhow::Result<Totals> {
    let report_path = args.report.clone().unwrap_or_else(|| beside(&args.plan));
    let Judged {
        verification,
        known_accounts,
        mut report,
        entra,
    } = judge(plan, setup, &report_path, context).await?;

    let run_id = uuid::Uuid::new_v4().to_string();
    let rehearsed = rehearse(&run_id, plan, &verification, report.now());
    let further = verification.further_changes;
    let style = context.ui.err_style();
    let header = render::apply_header(plan, &totals(&rehearsed), further, args.dry_run, &style);
    context.ui.say(&format!("\n{}", header.trim_end()));
    report.record(&[Line::Start(Start {
        operator: operator(&context.variable),
        dry_run: args.dry_run,
        ..Start::of(plan, &run_id, entra.app(), report.now())
    })])?;
    let stop = Arc::new(StopSignal::default());
    let outcomes = if args.dry_run {
        let reported = rehearsed.iter().zip(&plan.changes);
        let lines: Vec<_> = reported
            .map(|(outcome, change)| Line::Outcome(ReportedOutcome::new(outcome.clone(), change)))
            .collect();
        report.record(&lines)?;
        rehearsed
    } else {
        let assignment = Assignment {
            run_id: &run_id,
            plan,
            verification: &verification,
            known_accounts: &known_accounts,
            protected: &setup.config.settings.protected,
        };
        let writer = Writer::new(&entra);
        let watch = stop_on_signal(Arc::clone(&stop));
        if let Err(error) = &watch {
            let warning = format!("an interruption ends this run at once: {error}");
            context.ui.warn(&warning);
        }
        let clock = context.timing.clock.clone();
        let mut progress = Progress::new(&mut context.ui, clock);
        let outcomes = execute(assignment, &writer, &mut report, &mut progress, &stop).await;
        if let Ok(watch) = watch {
            watch.abort();
        }
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

/// Logs in to whatever the plan is judged against, and judges it.
async fn judge(
    plan: &Plan,
    setup: &Setup,
    report: &Path,
    context: &mut Context,
) -> anyhow::Result<Judged> {
    let settings = &setup.config.settings;
    match plan.kind {
        PlanKind::Sync => {
            setup
                .with_session(context, async |session, context| {
                    let both = Directories::Both(session);
                    both.judge(plan, settings, report, context).await
                })
                .await
        }
        PlanKind::Undo => {
            let entra = Directories::Entra(setup.connect_entra(context).await?);
            entra.judge(plan, settings, report, context).await
        }
    }
}

fn refuse_unapproved(plan: &Plan, args: &ApplyArgs) -> anyhow::Result<()> {
    let Some(approved) = &args.plan_id else {
        // Every other plan is held against Keycloak as well, so that one that was tampered with can do little.
        anyhow::ensure!(
            plan.kind == PlanKind::Sync || args.dry_run,
            "refused {}: it takes back a run and is not held against Keycloak, so it is applied only with --plan-id, the id that was \
             approved",
            args.plan.display()
        );
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

fn refuse_old(plan: &Plan, args: &ApplyArgs, now: jiff::Timestamp) -> anyhow::Result<()> {
    let Some(most) = args.max_age else {
        return Ok(());
    };
    plan.check_age(most, now).map_err(|unfit| {
        let why = render::refusal_of_age(plan, most, unfit);
        anyhow::anyhow!("refused {}: {why}", args.plan.display())
    })
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
pub(super) fn beside(plan: &Path) -> PathBuf {
    plan.with_extension("report.jsonl")
}

/// The first Ctrl-C (or a request to terminate) lets the run finish what is in flight; the second ends the process, and the
/// report is complete up to its last line all the same.
fn stop_on_signal(stop: Arc<StopSignal>) -> std::io::Result<tokio::task::JoinHandle<()>> {
    let mut signals = Signals::listen()?;
    Ok(tokio::spawn(async move {
        if signals.next().await.is_err() {
            return;
        }
        stop.stop();
        crate::ui::say_while_running(
            "interrupted: finishing what is in flight; interrupt again to end at once",
        );
        if signals.next().await.is_ok() {
            crate::ui::end_at_once();
        }
    }))
}

/// What asks the program to end. None that comes while nobody waits is lost.
#[cfg(unix)]
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

#[cfg(unix)]
impl Signals {
    /// From here on, none of them ends the process by itself.
    pub fn listen() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            // A terminal that goes away is no reason to leave a run half recorded.
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for the next one.
    pub async fn next(&mut self) -> std::io::Result<()> {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hang_up.recv() => {}
        }
        Ok(())
    }
}

/// What asks the program to end. None that comes while nobody waits is lost.
#[cfg(windows)]
pub struct Signals(tokio::signal::windows::CtrlC);

#[cfg(windows)]
impl Signals {
    /// From here on, Ctrl-C does not end the process by itself.
    pub fn listen() -> std::io::Result<Self> {
        Ok(Self(tokio::signal::windows::ctrl_c()?))
    }

    /// Waits for the next one.
    pub async fn next(&mut self) -> std::io::Result<()> {
        self.0.recv().await;
        Ok(())
    }
}
