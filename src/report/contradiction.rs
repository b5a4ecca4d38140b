//! Whether the lines of a run fit together: what is not so may lack a line, or have been changed, and nothing is taken back by it.

use std::collections::{BTreeMap, BTreeSet};

use super::{ChangeOutcome, Outcome, ReportedOutcome, Run, Step, Subject, Write};
use crate::plan::Action;

impl Run {
    /// Returns why the lines of the run do not fit together, if so: some are missing, or were changed. A run that was killed has fewer
    /// lines, and those fit.
    pub fn contradiction(&self) -> Option<String> {
        self.check().err()
    }

    fn check(&self) -> Result<(), String> {
        let written = self.check_steps()?;
        let settled = self.check_outcomes(&written)?;
        let Some(end) = &self.end else {
            return Ok(());
        };
        if end.totals != self.totals() || settled.len() != self.start.changes {
            return Err("its lines are not those that it counted at its end".to_owned());
        }
        Ok(())
    }

    fn check_steps(&self) -> Result<BTreeMap<usize, Vec<&Step>>, String> {
        let changes = self.start.changes;
        let mut written: BTreeMap<usize, Vec<&Step>> = BTreeMap::new();
        for step in &self.steps {
            let number = step.change;
            if !(1..=changes).contains(&number) {
                return Err(format!("it wrote change {number} of {changes}"));
            }
            if !step.is_complete() {
                return Err(format!("a write for change {number} lacks its object"));
            }
            let steps = written.entry(number).or_default();
            if steps.iter().any(|earlier| earlier.write == step.write) {
                return Err(format!("it wrote change {number} twice"));
            }
            if !steps.iter().all(|earlier| step.is_about_object_of(earlier)) {
                return Err(format!(
                    "the writes for change {number} are about different accounts"
                ));
            }
            steps.push(step);
        }
        if self.start.dry_run && !self.steps.is_empty() {
            return Err("it was a dry run, and wrote".to_owned());
        }
        Ok(written)
    }

    fn check_outcomes(
        &self,
        written: &BTreeMap<usize, Vec<&Step>>,
    ) -> Result<BTreeSet<usize>, String> {
        let mut settled = BTreeSet::new();
        for reported in &self.outcomes {
            let outcome = &reported.outcome;
            let number = outcome.change;
            if !(1..=self.start.changes).contains(&number) || !settled.insert(number) {
                return Err(format!("change {number} has an outcome too many"));
            }
            let steps = written.get(&number).map_or(&[][..], Vec::as_slice);
            let is_done = outcome.outcome == Outcome::Done && !self.start.dry_run;
            if is_done && steps.is_empty() || !steps.iter().all(|step| step.leads_to(outcome)) {
                return Err(format!(
                    "what it wrote for change {number} is not its outcome"
                ));
            }
            if !steps
                .iter()
                .all(|step| step.is_about_object_of_outcome(reported))
            {
                return Err(format!(
                    "what it wrote for change {number} is about another account or group than its outcome"
                ));
            }
        }
        Ok(settled)
    }
}

impl Step {
    /// Whether it says what it was about.
    fn is_complete(&self) -> bool {
        let has_group = match self.write {
            Write::Invited | Write::Updated => true,
            Write::Added | Write::Removed => self.group.is_some(),
        };
        self.account.id.is_some() && has_group
    }

    /// Whether it is about the same object as another write.
    fn is_about_object_of(&self, other: &Self) -> bool {
        self.account == other.account && self.group == other.group
    }

    /// Whether it is about the object of an outcome. An outcome does not name the account that an invitation made.
    fn is_about_object_of_outcome(&self, reported: &ReportedOutcome) -> bool {
        let Subject {
            id,
            email,
            display_name,
        } = &reported.account;
        self.account.email == *email
            && self.account.display_name == *display_name
            && self.group == reported.group
            && (id.is_none() || self.account.id == *id)
    }

    /// Whether a change for which it was written can have an outcome. Only an invitation can have gone through and its change have
    /// failed, or have been left: the account was not yet as the plan says.
    fn leads_to(&self, outcome: &ChangeOutcome) -> bool {
        let is_possible = match outcome.outcome {
            Outcome::Done => true,
            Outcome::Failed | Outcome::NotAttempted => self.write == Write::Invited,
            Outcome::AlreadyDone | Outcome::NotWanted | Outcome::Conflict => false,
        };
        is_possible && self.write.belongs_to(outcome.action)
    }
}

impl Write {
    fn belongs_to(self, action: Action) -> bool {
        match self {
            Self::Invited => action == Action::Invite,
            Self::Updated => matches!(action, Action::Invite | Action::Update),
            Self::Added => action == Action::Add,
            Self::Removed => action == Action::Remove,
        }
    }
}
