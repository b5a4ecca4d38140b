//! Which run of a report is taken back.

use std::fmt;

use crate::model::ObjectId;
use crate::plan::is_plan_id;
use crate::report::{Report, Run};

/// Why no run of a report can be taken back, as a sentence that reads on from the report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoRun {
    /// There is none of this id.
    NotThere(String),
    /// None wrote anything.
    NothingWritten,
    /// The run does not name itself and its plan as this program does. What it says instead is not repeated: it may name people.
    WithoutIds,
    /// The run was a dry run.
    DryRun(String),
    /// The lines of the run do not fit together ([`Run::contradiction`]).
    Contradiction(String, String),
}

impl fmt::Display for NoRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotThere(id) => write!(f, "holds no run {id}"),
            Self::NothingWritten => {
                f.write_str("holds no run that wrote anything, so there is nothing to take back")
            }
            Self::WithoutIds => f.write_str(
                "holds a run without the id of a run and of a plan, so this program did not write it",
            ),
            Self::DryRun(id) => write!(
                f,
                "says that the run {id} was a dry run: it wrote nothing that could be taken back"
            ),
            Self::Contradiction(id, contradiction) => write!(
                f,
                "has lines of the run {id} that do not fit together: {contradiction}. Lines are missing or were changed, so it is not \
                 clear what the run did; see Entra's audit log"
            ),
        }
    }
}

impl std::error::Error for NoRun {}

/// Returns the run that is meant, and which others wrote or may have: the one that is named, or the last that wrote, or else the last that
/// may have.
pub fn choose_run<'r>(
    report: &'r Report,
    named: Option<&str>,
) -> Result<(&'r Run, Vec<&'r Run>), NoRun> {
    let runs = || report.runs.iter();
    let run = match named {
        Some(id) => runs()
            .find(|run| run.start.run_id == id)
            .ok_or_else(|| NoRun::NotThere(id.to_owned()))?,
        None => runs()
            .rfind(|run| run.may_have_written() && !run.steps.is_empty())
            .or_else(|| runs().rfind(|run| run.may_have_written()))
            .ok_or(NoRun::NothingWritten)?,
    };
    if !has_ids(run) {
        return Err(NoRun::WithoutIds);
    }
    let id = &run.start.run_id;
    if run.start.dry_run {
        return Err(NoRun::DryRun(id.clone()));
    }
    if let Some(contradiction) = run.contradiction() {
        return Err(NoRun::Contradiction(id.clone(), contradiction));
    }
    let others = runs()
        .filter(|other| other.start.run_id != *id && other.may_have_written() && has_ids(other));
    Ok((run, others.collect()))
}

fn has_ids(run: &Run) -> bool {
    run.start.run_id.parse::<ObjectId>().is_ok() && is_plan_id(&run.start.plan_id)
}
