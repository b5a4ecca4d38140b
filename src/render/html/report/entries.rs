//! What became of everybody and of every group, over all runs of a report.

use crate::plan::{Action, GroupName};
use crate::render::apply::became;
use crate::render::report::{UNSETTLED, unsettled_steps, urgency, written};
use crate::render::words::{People, grouped};
use crate::report::{Outcome, Report, ReportedOutcome, Run, Step, Subject, Write};

use super::kind_of;
use crate::render::html::page::Kind;

/// What became of one change in one run, or what a write did of which a run could not say more.
pub(super) struct Entry<'r> {
    /// Whom it is about.
    pub account: &'r Subject,
    /// Which group, if it is about one.
    pub group: Option<&'r GroupName>,
    /// What it comes to.
    pub kind: Kind,
    /// How soon it has to be read: the smallest number first.
    pub urgency: u8,
    /// Whether nothing was written.
    pub is_dry_run: bool,
    event: Event<'r>,
    /// The number of the run, where there are several.
    run: Option<usize>,
}

enum Event<'r> {
    Outcome(&'r ReportedOutcome),
    Write(&'r Step),
}

/// Returns the entries of a report, run by run.
pub(super) fn entries(report: &Report) -> Vec<Entry<'_>> {
    let runs = report.runs.iter().enumerate();
    runs.flat_map(|(at, run)| {
        let number = (report.runs.len() > 1).then_some(at + 1);
        entries_of(run, number)
    })
    .collect()
}

fn entries_of(run: &Run, number: Option<usize>) -> Vec<Entry<'_>> {
    let is_dry_run = run.start.dry_run;
    let mut reported: Vec<&ReportedOutcome> = run.outcomes.iter().collect();
    reported.sort_by_key(|reported| reported.outcome.change);
    let outcomes = reported.into_iter().map(|reported| Entry {
        account: &reported.account,
        group: reported.group.as_ref(),
        kind: kind_of(reported),
        urgency: urgency(reported),
        event: Event::Outcome(reported),
        is_dry_run,
        run: number,
    });
    let writes = unsettled_steps(run).into_iter().map(|step| Entry {
        account: &step.account,
        group: step.group.as_ref(),
        kind: Kind::Warning,
        urgency: 0,
        event: Event::Write(step),
        is_dry_run,
        run: number,
    });
    outcomes.chain(writes).collect()
}

impl Entry<'_> {
    /// What became of it, in words: "was not removed from acme-support: failed".
    pub fn words(&self, group: &str) -> String {
        match self.event {
            Event::Outcome(ReportedOutcome { outcome, .. }) => {
                let became = became(outcome, group, self.is_dry_run);
                if outcome.outcome.is_unfinished() {
                    format!("{became}: {}", outcome.outcome)
                } else {
                    became
                }
            }
            Event::Write(step) => {
                let unsettled = UNSETTLED.to_lowercase();
                format!("{}: {unsettled}", written(step, group))
            }
        }
    }

    /// By which it is found among the outcomes of its run: "7", "7 of run 2". Where people are tokens, the number of the change is not
    /// shown, and it is the run alone, if there are several: "run 2".
    pub fn number(&self, people: People) -> Option<String> {
        let run = self.run.map(|run| format!("run {}", grouped(run)));
        if people == People::Redacted {
            return run;
        }
        let change = grouped(match self.event {
            Event::Outcome(reported) => reported.outcome.change,
            Event::Write(step) => step.change,
        });
        Some(match run {
            Some(run) => format!("{change} of {run}"),
            None => change,
        })
    }

    /// Whether it is one of several runs.
    pub fn is_of_several(&self) -> bool {
        self.run.is_some()
    }

    /// Whether it was carried out: in a dry run, would be.
    pub fn is_made(&self) -> bool {
        match self.event {
            Event::Outcome(reported) => reported.outcome.outcome == Outcome::Done,
            Event::Write(_) => true,
        }
    }

    /// Whether it takes somebody out of a group.
    pub fn is_removal(&self) -> bool {
        match self.event {
            Event::Outcome(reported) => reported.outcome.action == Action::Remove,
            Event::Write(step) => step.write == Write::Removed,
        }
    }
}
