//! The record of an apply, one line for each thing that happened. The types are the report's format.

use serde::{Deserialize, Serialize};

use crate::model::{Address, ObjectId};
use crate::plan::Change;

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
    Outcome(ChangeOutcome),
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
    /// The version of the program.
    pub tool_version: String,
    /// The tenant.
    pub tenant_id: ObjectId,
    /// When.
    pub time: jiff::Timestamp,
    /// Whether nothing is written.
    pub dry_run: bool,
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
    /// The address, for an accepted invitation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<Address>,
    /// The account that was written to, or that the invitation made.
    pub account: ObjectId,
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

/// What became of a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeOutcome {
    /// The run.
    pub run_id: String,
    /// The number of the change in the plan, counted from 1.
    pub change: usize,
    /// The change's action: `invite`, `update`, `add` or `remove`.
    pub action: String,
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

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
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

/// Returns the word for a change's action, as the plan writes it.
pub fn action(change: &Change) -> &'static str {
    match change {
        Change::Invite(_) => "invite",
        Change::Update(_) => "update",
        Change::Add(_) => "add",
        Change::Remove(_) => "remove",
    }
}
