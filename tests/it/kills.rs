//! Runs that are killed in the middle of a write, and runs that are started while another one is still going.

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Child, Stdio};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use comfy_table::{Table, presets};
use keycloak_to_azure::http::Timing;
use keycloak_to_azure::report::{Line, Outcome, ReportedOutcome};
use keycloak_to_azure::sandbox::{Fault, RecordedRequest, When};
use tokio::sync::oneshot;

use crate::crew::{
    APPLY, Crew, Model, as_it_is, brief, lagging, on_both_cores, parts, shown, writes,
};
use crate::program::{Ended, Stage};

pub const REPORT: &str = "plan.report.jsonl";

/// How long something may take that takes milliseconds: on a machine that is busy with other things.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A moment in a run: a batch of writes is on its way, and so many of its parts are carried out.
struct Point {
    at: usize,
    parts: usize,
    of: usize,
}

impl Point {
    /// Every moment there is, from "nothing of the batch is done" to "all of it is, and the answer is not yet here".
    fn all(model: &Model) -> Vec<Self> {
        let points = |at: usize| {
            let of = parts(&model.of_apply[at]).len();
            (0..=of).map(move |parts| Self { at, parts, of })
        };
        writes(&model.of_apply)
            .into_iter()
            .flat_map(points)
            .collect()
    }

    fn shown(&self, model: &Model) -> String {
        let Self { at, parts, of } = self;
        let request = shown(&model.of_apply[*at]);
        format!("{parts} of {of} parts of {request}")
    }

    fn is_invitation(&self, model: &Model) -> bool {
        shown(&model.of_apply[self.at]).contains("/invitations")
    }

    /// Lets the next run come to a standstill here. The receiver hears of it.
    fn halt(&self, model: &Model, stage: &Stage) -> oneshot::Receiver<()> {
        let when = || -> When { model.when(&model.of_apply, self.at, stage) };
        let (reached, has_reached) = oneshot::channel();
        stage
            .sandbox
            .faults()
            .change_world(when(), |_| {
                let _ = reached.send(());
            })
            .add(when(), 1, Fault::HangAfterParts(self.parts));
        has_reached
    }
}

/// The program as a process of its own, which is killed if nobody waits for it.
pub struct Process(pub Child);

impl Process {
    /// Starts the program. What it says goes there.
    pub fn start(stage: &Stage, line: &str, err: Stdio) -> Self {
        let child = stage
            .command(line)
            .stdout(Stdio::null())
            .stderr(err)
            .spawn()
            .unwrap();
        Self(child)
    }

    /// SIGKILL: nothing of the program runs any more.
    fn kill(&mut self) {
        self.0.kill().unwrap();
        let status = self.0.wait().unwrap();
        assert_eq!(status.code(), None, "it had ended before");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits until a run has come to a standstill and its parts are carried out.
pub async fn reached(stage: &Stage, has_reached: oneshot::Receiver<()>) -> anyhow::Result<()> {
    tokio::time::timeout(PATIENCE, has_reached)
        .await
        .context("the run did not come to the point")??;
    // The request is being answered under the lock that this waits for.
    stage.sandbox.with_world(|_| ());
    Ok(())
}

/// The lines of a report, and whether the last one was left unfinished.
pub fn lines(stage: &Stage, name: &str) -> anyhow::Result<(Vec<Line>, bool)> {
    let text = std::fs::read_to_string(stage.path(name))?;
    let is_cut_off = !text.is_empty() && !text.ends_with('\n');
    let whole = text.lines().count() - usize::from(is_cut_off);
    let lines = text
        .lines()
        .take(whole)
        .map(|line| serde_json::from_str(line).with_context(|| line.to_owned()));
    Ok((lines.collect::<anyhow::Result<_>>()?, is_cut_off))
}

/// What became of each change in each run, in the order of the runs.
pub fn outcomes(lines: &[Line]) -> Vec<BTreeMap<usize, Outcome>> {
    let mut runs = Vec::new();
    for line in lines {
        match line {
            Line::Start(_) => runs.push(BTreeMap::new()),
            Line::Outcome(ReportedOutcome { outcome, .. }) => {
                let run = runs.last_mut().unwrap();
                run.insert(outcome.change, outcome.outcome);
            }
            Line::Step(_) | Line::End(_) => {}
        }
    }
    runs
}

pub fn ended_well(ended: &Ended) -> anyhow::Result<()> {
    let Ended { status, out, err } = ended;
    ensure!(*status == 0, "ended with {status}: {out}{err}");
    Ok(())
}

/// Prints a line for each batch, and fails with the points at which something went wrong.
#[expect(clippy::print_stdout, reason = "the summary is what is looked at")]
fn summary(title: &str, points: &[Point], model: &Model, played: Vec<anyhow::Result<()>>) {
    let mut table = Table::new();
    table
        .load_style(presets::ASCII_MARKDOWN)
        .set_header(["writes", "parts", "points"]);
    for at in writes(&model.of_apply) {
        let request = &model.of_apply[at];
        let number = points.iter().filter(|point| point.at == at).count();
        table.add_row([
            kinds(request),
            parts(request).len().to_string(),
            number.to_string(),
        ]);
    }
    println!("{title}: {} points\n{table}\n", points.len());
    let failed: Vec<String> = played
        .into_iter()
        .filter_map(|played| Some(format!("{:#}", played.err()?)))
        .collect();
    assert!(
        failed.is_empty(),
        "at {} of {} points: {}",
        failed.len(),
        points.len(),
        failed.join("\n\n")
    );
}

/// The writes of a batch without their ids.
fn kinds(request: &RecordedRequest) -> String {
    let kinds: BTreeSet<String> = parts(request)
        .iter()
        .map(|part| {
            let url = part["url"].as_str().unwrap();
            let words = url.split('/').filter(|word| word.len() != 36);
            let path: Vec<&str> = words.collect();
            format!("{} {}", part["method"].as_str().unwrap(), path.join("/"))
        })
        .collect();
    kinds.into_iter().collect::<Vec<_>>().join(", ")
}

/// Kills a run at a point and runs it again. A run that is started meanwhile ends before it does anything.
async fn kill_at(
    point: &Point,
    crew: &Crew,
    model: &Model,
    most_invitations: usize,
) -> anyhow::Result<()> {
    let stage = &crew.stage;
    crew.begin_anew(true);
    let has_reached = point.halt(model, stage);
    let mut process = Process::start(stage, APPLY, Stdio::null());
    reached(stage, has_reached).await?;
    if point.is_invitation(model) {
        let invited = stage
            .sandbox
            .with_world(|world| world.entra.invitations.len());
        ensure!(invited == point.parts, "{invited} were invited");
    }

    let beside = stage.run_with(APPLY, brief()).await;
    ensure!(
        beside.status == 1 && beside.err.contains("another run of apply is writing"),
        "beside the run that was still going: {beside:?}"
    );
    let elsewhere = stage.run_elsewhere(APPLY, brief()).await;
    ensure!(
        elsewhere.status == 1 && elsewhere.err.contains("another run is using the report"),
        "elsewhere, with the report of the run that was still going: {elsewhere:?}"
    );

    process.kill();
    let (of_killed, _) = lines(stage, REPORT)?;
    let [killed] = &outcomes(&of_killed)[..] else {
        bail!("not one run in {of_killed:?}");
    };
    model.nothing_else_was_done(stage)?;

    ended_well(&stage.run_with(APPLY, brief()).await)?;
    model.holds(stage, most_invitations)?;
    let (all, is_cut_off) = lines(stage, REPORT)?;
    ensure!(!is_cut_off && matches!(all.last(), Some(Line::End(_))));
    let [_, finished] = &outcomes(&all)[..] else {
        bail!("not two runs in {all:?}");
    };
    for (change, outcome) in killed {
        ensure!(
            *outcome == Outcome::Done && finished[change] == Outcome::AlreadyDone,
            "change {change} was {outcome} and then {}",
            finished[change]
        );
    }
    Ok(())
}

#[test]
fn a_run_that_is_killed_at_any_write_is_finished_by_the_next() {
    let model = Model::of(as_it_is);
    let points = Point::all(&model);
    let played = on_both_cores(&points, as_it_is, async |crew, point| {
        let played = kill_at(point, crew, &model, 1).await;
        played.with_context(|| point.shown(&model))
    });
    summary("Killed", &points, &model, played);
}

#[test]
fn a_run_that_is_killed_while_no_list_shows_new_accounts_makes_no_second_one() {
    let model = Model::of(lagging);
    let points = Point::all(&model);
    let played = on_both_cores(&points, lagging, async |crew, point| {
        // What was answered is in the report. What was not may have been carried out.
        let is_lost = point.is_invitation(&model) && point.parts > 0;
        let most_invitations = 1 + usize::from(is_lost);
        let played = kill_at(point, crew, &model, most_invitations).await;
        played.with_context(|| point.shown(&model))
    });
    summary(
        "Killed while lists do not show new accounts",
        &points,
        &model,
        played,
    );
}

#[test]
fn a_run_beside_one_at_a_standstill_and_the_rest_of_that_one_do_no_harm() {
    let model = Model::of(as_it_is);
    let points = Point::all(&model);
    let played = on_both_cores(&points, as_it_is, async |crew, point| {
        let played = Box::pin(overtake_at(point, crew, &model)).await;
        played.with_context(|| point.shown(&model))
    });
    summary("Overtaken while at a standstill", &points, &model, played);
}

/// Lets a run with a report of its own overtake one that waits for an answer, and that then goes on with what it had in mind.
async fn overtake_at(point: &Point, crew: &Crew, model: &Model) -> anyhow::Result<()> {
    let stage = &crew.stage;
    crew.begin_anew(true);
    let has_reached = point.halt(model, stage);
    let halted = Timing {
        idle: Duration::from_millis(500),
        ..brief()
    };
    let beside = async {
        reached(stage, has_reached).await?;
        let line = format!("{APPLY} --report @other.jsonl");
        anyhow::Ok(stage.run_elsewhere(&line, brief()).await)
    };
    let (first, beside) = tokio::join!(stage.run_with(APPLY, halted), beside);
    for ended in [&first, &beside?] {
        ensure!(matches!(ended.status, 0 | 4), "{ended:?}");
    }
    model.nothing_else_was_done(stage)?;
    ended_well(&stage.run_with(APPLY, brief()).await)?;
    model.holds(stage, 2)
}

#[test]
fn two_runs_in_step_do_no_harm() {
    let model = Model::of(as_it_is);
    let latencies: Vec<u64> = (0..12).collect();
    let played = on_both_cores(&latencies, as_it_is, async |crew, latency| {
        let played = Box::pin(run_in_step(*latency, crew, &model)).await;
        played.with_context(|| format!("{latency} ms"))
    });
    for played in played {
        played.unwrap();
    }
}

/// Starts two runs with reports of their own at once. Every answer takes a while, and two of three longer, so that now the one is
/// ahead and now the other.
async fn run_in_step(latency: u64, crew: &Crew, model: &Model) -> anyhow::Result<()> {
    let stage = &crew.stage;
    crew.begin_anew(true);
    let faults = stage.sandbox.faults();
    for (at, number) in (1..=2 * model.of_apply.len()).zip(0..) {
        let latency = Duration::from_millis(1 + latency * (number % 3));
        faults.add(When::any().from(at), 1, Fault::Latency(latency));
    }
    let other = format!("{APPLY} --report @other.jsonl");
    let (one, other) = tokio::join!(
        stage.run_with(APPLY, brief()),
        stage.run_elsewhere(&other, brief())
    );
    for ended in [&one, &other] {
        ensure!(matches!(ended.status, 0 | 4), "{ended:?}");
    }
    stage.sandbox.faults().clear();
    model.nothing_else_was_done(stage)?;
    ended_well(&stage.run_with(APPLY, brief()).await)?;
    model.holds(stage, 2)
}

/// A kill between two lines leaves the report at the first of them, and Entra as it is or a little further.
#[tokio::test]
async fn a_run_that_is_killed_between_any_two_lines_of_its_report_is_finished_by_the_next() {
    let stage = Stage::company().await;
    assert_eq!(stage.run("plan --out @plan.json").await.status, 0);
    assert_eq!(stage.run("apply @plan.json").await.status, 0);
    let whole = std::fs::read_to_string(stage.path(REPORT)).unwrap();
    let lines: Vec<&str> = whole.split_inclusive('\n').collect();
    for kept in 0..lines.len() {
        // The last line whole, and cut off in the middle.
        let next = lines[kept];
        for cut in [0, next.len() / 2] {
            let killed = lines[..kept].concat() + &next[..cut];
            std::fs::write(stage.path(REPORT), killed).unwrap();
            stage.sandbox.forget_requests();
            let applied = stage.run("apply @plan.json").await;
            assert_eq!(applied.status, 0, "{kept} {cut}: {}", applied.err);
            assert_eq!(stage.writes(), Vec::<String>::new(), "{kept} {cut}");
            let runs = outcomes(&whole_lines(&stage));
            let last = runs.last().unwrap();
            assert!(
                last.values()
                    .all(|outcome| *outcome == Outcome::AlreadyDone)
            );
        }
    }
}

/// The whole lines of a report, some of which may be cut off.
fn whole_lines(stage: &Stage) -> Vec<Line> {
    let text = std::fs::read_to_string(stage.path(REPORT)).unwrap();
    text.lines().flat_map(serde_json::from_str).collect()
}
