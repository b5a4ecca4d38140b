//! Takes back what one run of apply did: decides what a plan for that holds, and judges it against Entra as it is when it is applied.
//!
//! What Keycloak wants does not count here. A change is taken back if its object is still as that run left it, is done already if it is
//! as before the run, and is left alone otherwise. Invitations are listed and not taken back.

mod choice;
mod present;
mod problems;
mod reversal;

use std::collections::BTreeSet;

pub use self::choice::{Choice, NoRun, choose_run};
pub use self::present::Present;
use self::present::State;
use self::problems::{
    changed_since, cut_off, group_not_mapped, not_known, other_run_not_undone, value_not_restorable,
};
use self::reversal::{as_due, reversed};
use crate::model::ObjectId;
use crate::plan::{
    Action, Add, Block, Change, Overrides, Plan, PlannedGroup, Problem, ProblemCode, Remove,
    Summary, UndoneRun,
};
use crate::report::{Outcome, Run};
use crate::verify::{Task, Verdict, Verification, hold_back_removals, settled};

/// What a plan that takes a run back is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undoing {
    /// The totals. What is as before the run already counts as unchanged.
    pub summary: Summary,
    /// The groups, by name.
    pub groups: Vec<PlannedGroup>,
    /// The changes: invitations, then updates, then additions, then removals.
    pub changes: Vec<Change>,
    /// The limits that they exceed.
    pub blocks: Vec<Block>,
    /// What is not taken back, and why.
    pub problems: Vec<Problem>,
}

impl Undoing {
    /// Returns a plan with what was decided in it, whatever it held before.
    #[must_use]
    pub fn in_plan(self, plan: Plan, overrides: Overrides) -> Plan {
        let Self {
            summary,
            groups,
            changes,
            blocks,
            problems,
        } = self;
        Plan {
            overrides,
            summary,
            groups,
            changes,
            blocks,
            problems,
            ..plan
        }
        .sealed()
    }
}

/// Returns how a plan names the run that it takes back.
pub fn undone(run: &Run) -> UndoneRun {
    UndoneRun {
        run_id: run.start.run_id.clone(),
        plan_id: run.start.plan_id.clone(),
        kind: run.start.kind,
        time: run.start.time,
    }
}

/// Decides how to take back what a run did. Its lines have to fit together ([`Run::contradiction`]).
pub fn undo(choice: &Choice<'_>, present: &Present<'_>) -> Undoing {
    let run = choice.run;
    let by_change = run.by_change();
    let is_invited = |number: usize| {
        let mut steps = by_change.steps(number).iter();
        steps.any(|step| step.is_of_invitation())
    };
    let open = run
        .outcomes
        .iter()
        .filter(|reported| !is_invited(reported.outcome.change));
    let mut problems: Vec<Problem> = open.filter_map(not_known).collect();
    problems.extend(cut_off(run));
    problems.extend(other_run_not_undone(choice));
    let mut changes = Vec::new();
    let mut unchanged = 0;
    for step in &run.steps {
        problems.extend(value_not_restorable(step));
        let change = match reversed(step, &by_change, present) {
            Ok(Some(change)) => change,
            Ok(None) => continue,
            Err(problem) => {
                problems.push(*problem);
                continue;
            }
        };
        match present.state(&change) {
            State::AsTheRunLeftIt(task) => changes.push(as_due(change, &task)),
            State::AsBefore => unchanged += 1,
            State::Otherwise(reason) => problems.push(changed_since(&change, &reason)),
        }
    }
    changes.sort_by(|a, b| order(a).cmp(&order(b)));
    let groups = present.planned_groups(run, &changes);
    problems.extend(
        present
            .groups_not_mapped(&changes)
            .into_iter()
            .map(group_not_mapped),
    );
    problems.sort();
    problems.dedup();
    let blocks = present.blocks(&changes);
    let summary = Summary {
        unchanged,
        problems: problems.len(),
        blocks: blocks.len(),
        ..Summary::of(&changes)
    };
    Undoing {
        summary,
        groups,
        changes,
        blocks,
        problems,
    }
}

/// Judges every change of a reviewed plan that takes a run back.
pub fn verify(reviewed: &Plan, present: &Present<'_>) -> Verification {
    let blocked: BTreeSet<ObjectId> = present
        .blocks(&reviewed.changes)
        .into_iter()
        .filter_map(|block| Some(block.group?.id))
        .collect();
    // Its readers were told of each group that no mapping led to.
    let told: BTreeSet<&ObjectId> = reviewed
        .problems
        .iter()
        .filter(|problem| problem.code == ProblemCode::GroupNotMapped)
        .filter_map(|problem| Some(&problem.about.group.as_ref()?.id))
        .collect();
    let not_mapped = present.groups_not_mapped(&reviewed.changes);
    let is_untold = |change: &Change| match change {
        Change::Add(Add { group, .. }) | Change::Remove(Remove { group, .. }) => {
            not_mapped.contains(group) && !told.contains(&group.id)
        }
        Change::Invite(_) | Change::Update(_) => false,
    };
    let judge = |change: &Change| match present.state(change) {
        State::AsTheRunLeftIt(_) if is_untold(change) => settled(
            Outcome::Conflict,
            "no mapping leads to the group, and the plan does not say so; undo the run again",
        ),
        State::AsTheRunLeftIt(Task::Remove { group, .. }) if blocked.contains(&group) => settled(
            Outcome::Conflict,
            "a safety limit blocks this group now; undo the run again to see it",
        ),
        State::AsTheRunLeftIt(task) => Verdict::Execute(task),
        State::AsBefore => settled(Outcome::AlreadyDone, ""),
        State::Otherwise(reason) => settled(Outcome::Conflict, reason),
    };
    let mut verification = Verification {
        verdicts: reviewed.changes.iter().map(judge).collect(),
        members: present.groups_that_keep_a_member(),
        further_changes: 0,
    };
    hold_back_removals(&reviewed.changes, &mut verification);
    verification
}

/// The groups that a run wrote to.
pub fn groups_of_run(run: &Run) -> BTreeSet<&ObjectId> {
    let groups = run.steps.iter().filter_map(|step| step.group.as_ref());
    groups.map(|group| &group.id).collect()
}

/// The accounts that a run wrote to.
pub fn accounts_of_run(run: &Run) -> BTreeSet<&ObjectId> {
    let accounts = run.steps.iter();
    accounts
        .filter_map(|step| step.account.id.as_ref())
        .collect()
}

/// The groups that a plan changes.
pub fn groups_of_plan(plan: &Plan) -> BTreeSet<&ObjectId> {
    plan.groups.iter().map(|group| &group.azure.id).collect()
}

/// The accounts that a plan changes.
pub fn accounts_of_plan(plan: &Plan) -> BTreeSet<&ObjectId> {
    let accounts = plan.changes.iter().filter_map(|change| match change {
        Change::Invite(_) => None,
        Change::Update(update) => Some(&update.account.id),
        Change::Add(add) => add.account.id.as_ref(),
        Change::Remove(remove) => Some(&remove.account.id),
    });
    accounts.collect()
}

/// By what changes are sorted: as in every plan, by what they do, then by group and address.
fn order(change: &Change) -> (Action, &str, &str, &str) {
    let (group, email) = match change {
        Change::Invite(invite) => (None, invite.email.as_str()),
        Change::Update(update) => (None, update.account.email.as_str()),
        Change::Add(add) => (Some(&add.group), add.account.email.as_str()),
        Change::Remove(remove) => (Some(&remove.group), remove.account.email.as_str()),
    };
    let (name, id) = group.map_or(("", ""), |group| (group.name.as_str(), group.id.as_str()));
    (change.action(), name, id, email)
}
