//! Runs that are asked to stop while a write is under way: by whoever sits in front of them, by what started them, by a terminal that
//! goes away.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Arc;

use anyhow::{Context as _, bail, ensure};
use keycloak_to_azure::plan_file;
use keycloak_to_azure::report::{Line, Outcome, Totals};
use keycloak_to_azure::sandbox::Fault;
use tokio::sync::{Notify, mpsc, oneshot};

use crate::crew::{APPLY, Crew, Model, as_it_is, brief, on_both_cores, shown, writes};
use crate::kills::{PATIENCE, Process, REPORT, ended_well, lines, outcomes, reached};
use crate::program::Stage;

/// A write that is under way, and what the run is told then: several words in one text at once, one text after the other once the run
/// has heard of the one before.
struct Interruption {
    at: usize,
    signals: &'static [&'static str],
}

impl Interruption {
    /// Each of them at every write.
    fn all(model: &Model, signals: &[&'static [&'static str]]) -> Vec<Self> {
        let at_all = |signals: &&'static [&'static str]| {
            let signals = *signals;
            let at = writes(&model.of_apply).into_iter();
            at.map(move |at| Self { at, signals })
        };
        signals.iter().flat_map(at_all).collect()
    }

    fn shown(&self, model: &Model) -> String {
        format!(
            "{} at {}",
            self.signals.join(", "),
            shown(&model.of_apply[self.at])
        )
    }

    /// Keeps the answer to the write until it is to come. The receiver hears when it was carried out.
    fn hold(&self, model: &Model, stage: &Stage) -> (oneshot::Receiver<()>, Arc<Notify>) {
        let when = || model.when(&model.of_apply, self.at, stage);
        let (reached, has_reached) = oneshot::channel();
        let release = Arc::new(Notify::new());
        stage
            .sandbox
            .faults()
            .change_world(when(), |_| {
                let _ = reached.send(());
            })
            .add(when(), 1, Fault::AnswerHeld(Arc::clone(&release)));
        (has_reached, release)
    }
}

/// A run, and what it says.
struct Run {
    process: Process,
    said: mpsc::UnboundedReceiver<String>,
}

impl Run {
    fn start(stage: &Stage) -> Self {
        let mut process = Process::start(stage, APPLY, Stdio::piped());
        let err = BufReader::new(process.0.stderr.take().unwrap());
        let (say, said) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            err.lines()
                .map_while(Result::ok)
                .try_for_each(|line| say.send(line))
        });
        Self { process, said }
    }

    fn is_told(&self, signals: &str) {
        let id = self.process.0.id();
        let script = format!("for signal in {signals}; do kill -s $signal {id}; done");
        let told = Command::new("sh").args(["-c", &script]).status();
        assert!(told.unwrap().success());
    }

    async fn says(&mut self, beginning: &str) -> anyhow::Result<()> {
        let mut before = Vec::new();
        loop {
            let next = tokio::time::timeout(PATIENCE, self.said.recv()).await;
            match next.with_context(|| format!("it only said {before:?}"))? {
                Some(line) if line.starts_with(beginning) => return Ok(()),
                Some(line) => before.push(line),
                None => bail!(
                    "it ended with {} and said {before:?}",
                    self.process.0.wait()?
                ),
            }
        }
    }

    /// Waits until it has ended, which is when nobody can say anything more.
    async fn ends(&mut self) -> anyhow::Result<ExitStatus> {
        let end = async { while self.said.recv().await.is_some() {} };
        tokio::time::timeout(PATIENCE, end)
            .await
            .context("it did not end")?;
        Ok(self.process.0.wait()?)
    }
}

/// Lets a run be interrupted at a write, and runs it again. Returns how many changes were not attempted, and not settled.
async fn interrupt_at(
    interruption: &Interruption,
    crew: &Crew,
    model: &Model,
) -> anyhow::Result<(usize, usize)> {
    let stage = &crew.stage;
    crew.begin_anew(true);
    let (has_reached, release) = interruption.hold(model, stage);
    let mut run = Run::start(stage);
    reached(stage, has_reached).await?;
    let [first, further @ ..] = interruption.signals else {
        bail!("it is not told anything");
    };
    run.is_told(first);
    run.says("interrupted: finishing what is in flight").await?;
    let is_ended_at_once = first.contains(' ') || !further.is_empty();
    for signal in further {
        run.is_told(signal);
    }
    if !is_ended_at_once {
        release.notify_one();
    }
    let status = run.ends().await?;

    let plan = plan_file::read(&stage.path("plan.json"))?;
    let (of_interrupted, is_cut_off) = lines(stage, REPORT)?;
    ensure!(!is_cut_off, "the report ends within a line");
    let [interrupted] = &outcomes(&of_interrupted)[..] else {
        bail!("not one run in {of_interrupted:?}");
    };
    let is_unfinished = interrupted.len() < plan.changes.len()
        || interrupted
            .values()
            .any(|outcome| *outcome != Outcome::Done);
    let expected = if is_unfinished { 4 } else { 0 };
    ensure!(status.code() == Some(expected), "ended with {status}");
    match of_interrupted.last() {
        Some(Line::End(end)) if !is_ended_at_once => {
            ensure!(interrupted.len() == plan.changes.len(), "{interrupted:?}");
            let totals: Totals = interrupted.values().copied().collect();
            ensure!(end.interrupted && end.totals == totals, "{end:?}");
        }
        last => ensure!(is_ended_at_once, "the report ends with {last:?}"),
    }
    model.nothing_else_was_done(stage)?;

    release.notify_one();
    ended_well(&stage.run_with(APPLY, brief()).await)?;
    model.holds(stage, 1)?;
    let (all, _) = lines(stage, REPORT)?;
    let [_, finished] = &outcomes(&all)[..] else {
        bail!("not two runs in {all:?}");
    };
    is_complete(interrupted, finished, is_ended_at_once)?;
    let not_attempted = interrupted
        .values()
        .filter(|outcome| **outcome == Outcome::NotAttempted);
    Ok((
        not_attempted.count(),
        plan.changes.len() - interrupted.len(),
    ))
}

/// That a report says of each change what became of it: what the next run found done, and what was left to do. Of a run that was
/// ended at once the last write may be missing.
fn is_complete(
    interrupted: &BTreeMap<usize, Outcome>,
    finished: &BTreeMap<usize, Outcome>,
    is_ended_at_once: bool,
) -> anyhow::Result<()> {
    for (change, outcome) in finished {
        let expected: &[_] = match interrupted.get(change) {
            Some(Outcome::Done) => &[Outcome::AlreadyDone],
            Some(Outcome::NotAttempted) => &[Outcome::Done],
            None if is_ended_at_once => &[Outcome::Done, Outcome::AlreadyDone],
            other => bail!("change {change} was {other:?}"),
        };
        ensure!(
            expected.contains(outcome),
            "change {change} was {outcome} then"
        );
    }
    Ok(())
}

#[test]
fn a_run_that_is_interrupted_at_any_write_finishes_what_is_in_flight_and_the_next_does_the_rest() {
    let model = Model::of(as_it_is);
    let interruptions = Interruption::all(&model, &[&["INT"], &["TERM"], &["HUP"]]);
    let played = on_both_cores(&interruptions, as_it_is, async |crew, interruption| {
        let played = interrupt_at(interruption, crew, &model).await;
        played.with_context(|| interruption.shown(&model))
    });
    let left: Vec<usize> = played.into_iter().map(|played| played.unwrap().0).collect();
    assert!(left.iter().any(|left| *left > 0), "{left:?}");
}

#[test]
fn a_run_that_is_interrupted_twice_ends_at_once_and_the_next_does_the_rest() {
    let model = Model::of(as_it_is);
    let interruptions = Interruption::all(&model, &[&["INT", "INT"], &["TERM HUP"]]);
    let played = on_both_cores(&interruptions, as_it_is, async |crew, interruption| {
        let played = interrupt_at(interruption, crew, &model).await;
        played.with_context(|| interruption.shown(&model))
    });
    for played in played {
        let (_, unsettled) = played.unwrap();
        assert!(unsettled > 0, "what was in flight was waited for");
    }
}
