//! Makes a report of its lines, one after the other.

use std::collections::BTreeMap;
use std::fmt;

use super::{Line, Report, Run};

/// Why a text is not a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotAReport {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: String,
}

impl fmt::Display for NotAReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.reason)
    }
}

impl std::error::Error for NotAReport {}

/// A report that is read line by line. A line that a killed run did not finish is passed over: the last one of all or before the next
/// run. Every other has to be one of this program.
#[derive(Debug, Default)]
pub struct Reading {
    report: Report,
    /// Where the run of each id is.
    places: BTreeMap<String, usize>,
    lines: usize,
    /// The number of the line before, if that was cut off.
    cut_off: Option<usize>,
}

impl Reading {
    /// Takes the next line, with or without its end.
    pub fn line(&mut self, line: &[u8]) -> Result<(), NotAReport> {
        self.lines += 1;
        // Within a string that is cut off it would be more than an end.
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        if line.trim_ascii().is_empty() {
            return Ok(());
        }
        let line: Line = match serde_json::from_slice(line) {
            Ok(line) => line,
            Err(error) if error.is_eof() && self.cut_off.is_none() => {
                self.cut_off = Some(self.lines);
                return Ok(());
            }
            Err(error) => return Err(self.refused(error.to_string())),
        };
        // Only a run that was killed leaves a line unfinished, and then the next one begins another run.
        if let Some(cut_off) = self.cut_off.take()
            && !matches!(line, Line::Start(_))
        {
            return Err(NotAReport {
                line: cut_off,
                reason: "the line is cut off".to_owned(),
            });
        }
        let run_id = line.run_id().to_owned();
        if let Line::Start(start) = line {
            let place = self.report.runs.len();
            if self.places.insert(run_id, place).is_some() {
                return Err(self.refused("the run began before".to_owned()));
            }
            self.report.runs.push(Run {
                start,
                steps: Vec::new(),
                outcomes: Vec::new(),
                end: None,
            });
            return Ok(());
        }
        let place = self.places.get(&run_id);
        let Some(run) = place.and_then(|&place| self.report.runs.get_mut(place)) else {
            return Err(self.refused("the beginning of its run is missing".to_owned()));
        };
        if run.end.is_some() {
            return Err(self.refused("its run ended before".to_owned()));
        }
        match line {
            Line::Start(_) => {}
            Line::Step(step) => run.steps.push(step),
            Line::Outcome(outcome) => run.outcomes.push(outcome),
            Line::End(end) => run.end = Some(end),
        }
        Ok(())
    }

    fn refused(&self, reason: String) -> NotAReport {
        NotAReport {
            line: self.lines,
            reason,
        }
    }

    /// What is said where the next line is not even taken.
    pub fn refused_next(&self, reason: String) -> NotAReport {
        NotAReport {
            line: self.lines + 1,
            reason,
        }
    }

    /// The report, once every line was taken.
    pub fn end(self) -> Report {
        self.report
    }
}

impl Line {
    fn run_id(&self) -> &str {
        match self {
            Self::Start(start) => &start.run_id,
            Self::Step(step) => &step.run_id,
            Self::Outcome(reported) => &reported.outcome.run_id,
            Self::End(end) => &end.run_id,
        }
    }
}
