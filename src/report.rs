//! The record of an apply, one line for each thing that happened. The types are the report's format.

mod contradiction;
mod reading;

use std::collections::{BTreeSet, HashMap};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::model::ObjectId;
use crate::plan::{
    AccountName, Action, Add, Change, Fields, GroupName, Invite, Plan, PlanKind, Remove, Target,
    Update,
};

pub use reading::{NotAReport, Reading};

/// How the message of an invitation begins that went through and whose account is not yet as the plan says.
pub const INVITED_ONLY: &str = "is invited, but the account is not yet as the plan says";

/// A line of a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Line {
    /// A run began.
    Start(Start),
    /// A write went through.
    Step(Step),
    /// What became of a change.
    Outcome(ReportedOutcome),
    /// A run ended.
    End(End),
}

/// A run began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    /// A fresh id for each run.
    pub run_id: String,
    /// The plan that it carries out.
    pub plan_id: String,
    /// When that plan was made. The same situation gives the same id again.
    pub plan_created_at: jiff::Timestamp,
    /// What kind of plan that is.
    pub kind: PlanKind,
    /// How many changes the plan holds.
    pub changes: usize,
    /// The version of the program.
    pub tool_version: String,
    /// The Keycloak that the plan was made from.
    pub source: Realm,
    /// The tenant that is written to.
    pub target: Target,
    /// The app that is logged in to Entra, by its client id. Entra's own audit log names it too.
    pub app_id: String,
    /// Who started the run, as the environment says; nobody has checked it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
    /// When.
    pub time: jiff::Timestamp,
    /// Whether nothing is written.
    pub dry_run: bool,
}

impl Start {
    /// A run of a plan that writes, by this version of the program; who started it is not known.
    pub fn of(plan: &Plan, run_id: &str, app_id: &str, time: jiff::Timestamp) -> Self {
        Self {
            run_id: run_id.to_owned(),
            plan_id: plan.plan_id.clone(),
            plan_created_at: plan.created_at,
            kind: plan.kind,
            changes: plan.changes.len(),
            tool_version: env!("CARGO_PKG_VERSION").to_owned(),
            source: Realm {
                url: plan.source.url.clone(),
                realm: plan.source.realm.clone(),
            },
            target: plan.target.clone(),
            app_id: app_id.to_owned(),
            operator: None,
            time,
            dry_run: false,
        }
    }
}

/// A realm of a Keycloak.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Realm {
    /// The Keycloak, as configured, without a slash at its end.
    pub url: String,
    /// The realm.
    pub realm: String,
}

/// Whom a line is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// The account; `None` where an invitation was to make it and did not.
    pub id: Option<ObjectId>,
    /// The person's address, or the account's own where Keycloak does not know it.
    pub email: String,
    /// The display name.
    pub display_name: Option<String>,
}

/// A write went through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// The run.
    pub run_id: String,
    /// The number of the change in the plan, counted from 1.
    pub change: usize,
    /// What was written.
    pub write: Write,
    /// The account that was written to, or that the invitation made.
    pub account: Subject,
    /// The group, where it was added to one or removed from one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<GroupName>,
    /// What an update of the plan changed. That of an account that was just invited is part of its invitation.
    #[serde(default, skip_serializing_if = "Fields::is_empty")]
    pub fields: Fields,
    /// When.
    pub time: jiff::Timestamp,
    /// Graph's id of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

/// What kind of write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Write {
    /// An invitation was accepted by Graph.
    Invited,
    /// An account was updated.
    Updated,
    /// An account was added to a group.
    Added,
    /// An account was removed from a group.
    Removed,
}

/// What became of a change, and whom it was about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportedOutcome {
    /// What became of it.
    #[serde(flatten)]
    pub outcome: ChangeOutcome,
    /// Whom it was about.
    pub account: Subject,
    /// The group, for an addition or a removal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<GroupName>,
}

impl ReportedOutcome {
    /// Says of an outcome whom its change was about.
    pub fn new(outcome: ChangeOutcome, change: &Change) -> Self {
        let (account, group) = object_of(change);
        Self {
            outcome,
            account,
            group,
        }
    }
}

/// Returns whom a change is about, and which group.
pub fn object_of(change: &Change) -> (Subject, Option<GroupName>) {
    let of_account = |account: &AccountName| Subject {
        id: Some(account.id.clone()),
        email: account.email.clone(),
        display_name: account.display_name.clone(),
    };
    match change {
        Change::Invite(Invite {
            email, set, person, ..
        }) => {
            let display_name = set.display_name.as_ref().unwrap_or(&person.username);
            let invited = Subject {
                id: None,
                email: email.to_string(),
                display_name: Some(display_name.clone()),
            };
            (invited, None)
        }
        Change::Update(Update { account, .. }) => (of_account(account), None),
        Change::Add(Add { group, account, .. }) => {
            let added = Subject {
                id: account.id.clone(),
                email: account.email.to_string(),
                display_name: account.display_name.clone(),
            };
            (added, Some(group.clone()))
        }
        Change::Remove(Remove { group, account, .. }) => (of_account(account), Some(group.clone())),
    }
}

/// What became of a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeOutcome {
    /// The run.
    pub run_id: String,
    /// The number of the change in the plan, counted from 1.
    pub change: usize,
    /// What the change does.
    pub action: Action,
    /// What became of it.
    pub outcome: Outcome,
    /// What there is to say about it: the reason, or Graph's own message.
    pub message: String,
    /// How often it was tried.
    pub attempts: u32,
    /// When.
    pub time: jiff::Timestamp,
    /// Graph's id of the last request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// Of one that failed: whether it may have been carried out all the same, because no answer told.
    #[serde(default, skip_serializing_if = "is_false")]
    pub uncertain: bool,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde gives it a reference"
)]
fn is_false(value: &bool) -> bool {
    !value
}

/// What became of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was carried out. In a dry run: it would be.
    Done,
    /// Entra is so already.
    AlreadyDone,
    /// Keycloak has changed its mind since the review.
    NotWanted,
    /// Its object has changed in another way since the review.
    Conflict,
    /// It was tried and did not succeed.
    Failed,
    /// It was not tried, because something before it failed or the run was interrupted.
    NotAttempted,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Done => "done",
            Self::AlreadyDone => "already done",
            Self::NotWanted => "not wanted",
            Self::Conflict => "conflict",
            Self::Failed => "failed",
            Self::NotAttempted => "not attempted",
        })
    }
}

impl Outcome {
    /// Whether running the same command again may bring more.
    pub fn is_unfinished(self) -> bool {
        matches!(self, Self::Conflict | Self::Failed | Self::NotAttempted)
    }
}

/// A run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// The run.
    pub run_id: String,
    /// When.
    pub time: jiff::Timestamp,
    /// Whether somebody interrupted it.
    pub interrupted: bool,
    /// The totals of the outcomes.
    pub totals: Totals,
    /// Changes that the directories want now and the plan does not hold.
    pub further_changes: usize,
}

/// How many changes had which outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// [`Outcome::Done`].
    pub done: usize,
    /// [`Outcome::AlreadyDone`].
    pub already_done: usize,
    /// [`Outcome::NotWanted`].
    pub not_wanted: usize,
    /// [`Outcome::Conflict`].
    pub conflict: usize,
    /// [`Outcome::Failed`].
    pub failed: usize,
    /// [`Outcome::NotAttempted`].
    pub not_attempted: usize,
}

impl FromIterator<Outcome> for Totals {
    fn from_iter<I: IntoIterator<Item = Outcome>>(outcomes: I) -> Self {
        let mut totals = Self::default();
        for outcome in outcomes {
            totals.count(outcome);
        }
        totals
    }
}

impl Totals {
    /// Counts one outcome more.
    pub fn count(&mut self, outcome: Outcome) {
        *match outcome {
            Outcome::Done => &mut self.done,
            Outcome::AlreadyDone => &mut self.already_done,
            Outcome::NotWanted => &mut self.not_wanted,
            Outcome::Conflict => &mut self.conflict,
            Outcome::Failed => &mut self.failed,
            Outcome::NotAttempted => &mut self.not_attempted,
        } += 1;
    }

    /// Whether running the same command again may bring more.
    pub fn is_unfinished(&self) -> bool {
        self.conflict + self.failed + self.not_attempted > 0
    }
}

/// A report, read: what is known of each run in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The runs, in the order in which they began.
    pub runs: Vec<Run>,
}

/// What a report says of one run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Run {
    /// How it began.
    pub start: Start,
    /// The writes that went through.
    pub steps: Vec<Step>,
    /// What became of the changes.
    pub outcomes: Vec<ReportedOutcome>,
    /// How it ended; `None` if it was killed, or is still going.
    pub end: Option<End>,
}

/// What a run wrote and said of each change, by the change's number.
#[derive(Debug, Default)]
pub struct ByChange<'r> {
    steps: HashMap<usize, Vec<&'r Step>>,
    outcomes: HashMap<usize, &'r ChangeOutcome>,
}

impl<'r> ByChange<'r> {
    /// The writes for a change, in their order.
    pub fn steps(&self, change: usize) -> &[&'r Step] {
        self.steps.get(&change).map_or(&[], Vec::as_slice)
    }

    /// What became of a change, if that was said.
    pub fn outcome(&self, change: usize) -> Option<&'r ChangeOutcome> {
        self.outcomes.get(&change).copied()
    }
}

/// What tells a plan from others in a report. The same situation gives the same id again, and is another plan then: an account that was
/// invited for the one may be gone since. The clocks of who plans and who applies need not agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlanOfRun<'a> {
    plan_id: &'a str,
    tenant: &'a ObjectId,
    created_at: jiff::Timestamp,
}

impl<'a> PlanOfRun<'a> {
    /// A plan that is to be applied.
    pub fn of(plan: &'a Plan) -> Self {
        Self {
            plan_id: &plan.plan_id,
            tenant: &plan.target.tenant_id,
            created_at: plan.created_at,
        }
    }
}

impl Run {
    /// The plan that it carried out, or tried in a dry run.
    pub fn plan(&self) -> PlanOfRun<'_> {
        PlanOfRun {
            plan_id: &self.start.plan_id,
            tenant: &self.start.target.tenant_id,
            created_at: self.start.plan_created_at,
        }
    }

    /// Whether it is a run of the plan that wrote.
    pub fn wrote_for(&self, plan: PlanOfRun<'_>) -> bool {
        self.plan() == plan && !self.start.dry_run
    }

    /// The totals of the outcomes that are written down.
    pub fn totals(&self) -> Totals {
        let outcomes = self.outcomes.iter();
        outcomes.map(|reported| reported.outcome.outcome).collect()
    }

    /// Whether it wrote, or may have: what had no answer, and what was on its way when it was killed, is not among its steps.
    pub fn may_have_written(&self) -> bool {
        let is_uncertain = |reported: &ReportedOutcome| reported.outcome.uncertain;
        let wrote = !self.steps.is_empty() || self.end.is_none();
        !self.start.dry_run && (wrote || self.outcomes.iter().any(is_uncertain))
    }

    /// What it wrote and said of each change.
    pub fn by_change(&self) -> ByChange<'_> {
        let mut by_change = ByChange::default();
        for step in &self.steps {
            by_change.steps.entry(step.change).or_default().push(step);
        }
        for ReportedOutcome { outcome, .. } in &self.outcomes {
            by_change.outcomes.entry(outcome.change).or_insert(outcome);
        }
        by_change
    }

    /// The numbers of the changes of the plan that have no outcome.
    pub fn without_outcome(&self) -> WithoutOutcome {
        let changes = self.start.changes;
        let numbers = self.outcomes.iter().map(|it| it.outcome.change);
        WithoutOutcome {
            changes,
            settled: numbers
                .filter(|number| (1..=changes).contains(number))
                .collect(),
        }
    }
}

/// The numbers of the changes of a plan that have no outcome. A report may state any number of changes, so they are never listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WithoutOutcome {
    changes: usize,
    settled: BTreeSet<usize>,
}

impl WithoutOutcome {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.changes.saturating_sub(self.settled.len())
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the change with this number has no outcome.
    pub fn contains(&self, number: &usize) -> bool {
        (1..=self.changes).contains(number) && !self.settled.contains(number)
    }

    /// The numbers, in their order and as they are asked for.
    pub fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        (1..=self.changes).filter(|number| !self.settled.contains(number))
    }
}

impl Step {
    /// Whether it belongs to an invitation: only the updates of a plan name their fields.
    pub fn is_of_invitation(&self) -> bool {
        match self.write {
            Write::Invited => true,
            Write::Updated => self.fields.is_empty(),
            Write::Added | Write::Removed => false,
        }
    }
}
