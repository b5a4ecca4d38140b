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

/// The run of a report that is taken back, and the others that wrote or may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice<'r> {
    /// The run.
    pub run: &'r Run,
    /// Those that began before it.
    pub earlier: Vec<&'r Run>,
    /// Those that began after it.
    pub later: Vec<&'r Run>,
}

/// Chooses the run that is meant: the one that is named, or the last that wrote, or else the last that may have.
pub fn choose_run<'r>(report: &'r Report, named: Option<&str>) -> Result<Choice<'r>, NoRun> {
    let runs = report.runs.as_slice();
    let last = |fits: fn(&Run) -> bool| runs.iter().rposition(fits);
    let at = match named {
        Some(id) => runs
            .iter()
            .position(|run| run.start.run_id == id)
            .ok_or_else(|| NoRun::NotThere(id.to_owned()))?,
        None => last(|run| run.may_have_written() && !run.steps.is_empty())
            .or_else(|| last(Run::may_have_written))
            .ok_or(NoRun::NothingWritten)?,
    };
    let (earlier, rest) = runs.split_at(at);
    let Some((run, later)) = rest.split_first() else {
        return Err(NoRun::NothingWritten);
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
    let that_wrote = |runs: &'r [Run]| {
        let others = runs.iter().filter(|other| {
            other.start.run_id != *id && other.may_have_written() && has_ids(other)
        });
        others.collect()
    };
    Ok(Choice {
        run,
        earlier: that_wrote(earlier),
        later: that_wrote(later),
    })
}

impl<'r> From<&'r Run> for Choice<'r> {
    /// A run that is alone in its report.
    fn from(run: &'r Run) -> Self {
        Self {
            run,
            earlier: Vec::new(),
            later: Vec::new(),
        }
    }
}

fn has_ids(run: &Run) -> bool {
    run.start.run_id.parse::<ObjectId>().is_ok() && is_plan_id(&run.start.plan_id)
}
