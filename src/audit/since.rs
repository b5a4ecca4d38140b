//! What the runs of a report wrote, held against what is so now.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::view::{View, invited};
use super::{AuditedAccount, Deviation, Doubt, Happened, Happening, Now, ReportedRun, SinceReport};
use crate::model::ObjectId;
use crate::plan::{Action, FieldChange, Fields, GroupName};
use crate::report::{Outcome, Report, Run, Subject, Write};
use crate::snapshot::{Account, DatedAccount};

/// Holds what the runs of a report wrote against what is so now.
pub(super) fn since_report(
    report: &Report,
    view: &View<'_, '_>,
    dated: &[DatedAccount],
) -> SinceReport {
    let listed = dated.iter().map(|it| (&it.account.id, &it.account));
    // Lists lag, so a member need not be among them.
    let matched = &view.decision.draft.matching.accounts;
    let accounts: HashMap<&ObjectId, &Account> = listed
        .chain(matched.iter().map(|(id, account)| (*id, *account)))
        .collect();
    let mut since = SinceReport {
        runs: runs_that_wrote(report).map(reported).collect(),
        doubts: doubts(report),
        unchanged: 0,
        not_read: 0,
        changed: Vec::new(),
        by_others: by_others(report, dated),
    };
    for left in last_states(report) {
        match now(&left, view, &accounts) {
            Held::AsLeft => since.unchanged += 1,
            Held::NotRead => since.not_read += 1,
            Held::Differs(now) => since.changed.push(Deviation {
                run_id: left.run_id.to_owned(),
                change: left.change,
                action: left.action,
                time: left.time,
                account: left.account.clone(),
                group: left.group.cloned(),
                now,
            }),
        }
    }
    since
}

fn runs_that_wrote(report: &Report) -> impl Iterator<Item = &Run> {
    report.runs.iter().filter(|run| !run.start.dry_run)
}

/// What became of invited accounts after the first run began, but for those that a run made.
fn by_others(report: &Report, accounts: &[DatedAccount]) -> Vec<Happening> {
    let Some(began) = runs_that_wrote(report).map(|run| run.start.time).min() else {
        return Vec::new();
    };
    let made_by_runs: HashSet<&ObjectId> = runs_that_wrote(report)
        .flat_map(|run| &run.steps)
        .filter(|step| step.write == Write::Invited)
        .filter_map(|step| step.account.id.as_ref())
        .collect();
    let mut happened = Vec::new();
    for dated in invited(accounts) {
        let account = &dated.account;
        let made = account
            .created
            .filter(|_| !made_by_runs.contains(&account.id));
        let accepted = dated.state_changed.filter(|_| !account.pending);
        for (time, what) in [(made, Happened::Made), (accepted, Happened::Accepted)] {
            happened.extend(time.filter(|time| *time > began).map(|time| Happening {
                time,
                account: AuditedAccount::new(account, None),
                what,
            }));
        }
    }
    happened.sort();
    happened
}

fn reported(run: &Run) -> ReportedRun {
    ReportedRun {
        run_id: run.start.run_id.clone(),
        plan_id: run.start.plan_id.clone(),
        began: run.start.time,
    }
}

/// What the report does not tell about the runs that wrote, and no later run of the same plan has settled.
fn doubts(report: &Report) -> Vec<Doubt> {
    let mut doubts = Vec::new();
    for (at, run) in report.runs.iter().enumerate() {
        if run.start.dry_run {
            continue;
        }
        let later = report.runs.iter().skip(at + 1);
        let later: Vec<&Run> = later.filter(|later| later.wrote_for(run.plan())).collect();
        let settled: BTreeSet<usize> = later
            .iter()
            .flat_map(|later| &later.outcomes)
            .filter(|it| is_settling(it.outcome.outcome))
            .map(|it| it.outcome.change)
            .collect();
        let is_finished = later.iter().any(|later| later.end.is_some())
            && run
                .without_outcome()
                .iter()
                .all(|change| settled.contains(&change));
        if run.end.is_none() && !is_finished {
            doubts.push(Doubt::NoEnd(reported(run)));
        }
        let uncertain = run.outcomes.iter().map(|it| &it.outcome);
        let uncertain = uncertain.filter(|it| it.uncertain && !settled.contains(&it.change));
        doubts.extend(uncertain.map(|it| Doubt::Uncertain(reported(run), it.change)));
    }
    doubts
}

/// Whether a later run that says this of a change has seen to it that its object is as the plan says. A change that is not wanted, or in
/// conflict, may be so for a reason that comes before its object: no mapping leads to the group any more.
fn is_settling(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Done | Outcome::AlreadyDone)
}

/// What became of something that a run did.
enum Held {
    AsLeft,
    NotRead,
    Differs(Now),
}

fn now(left: &LeftState<'_>, view: &View<'_, '_>, accounts: &HashMap<&ObjectId, &Account>) -> Held {
    let Some(id) = &left.account.id else {
        return Held::NotRead;
    };
    let is_member = left.group.and_then(|group| {
        let group = view.mapped.get(&group.id)?;
        Some(group.azure.members.contains(id))
    });
    match (left.action, is_member) {
        (Action::Add, Some(false)) => Held::Differs(Now::NotMember),
        (Action::Remove, Some(true)) => Held::Differs(Now::MemberAgain),
        (Action::Add | Action::Remove, Some(_)) => Held::AsLeft,
        (Action::Add | Action::Remove, None) => Held::NotRead,
        (Action::Invite | Action::Update, _) => {
            let Some(account) = accounts.get(id) else {
                return Held::Differs(Now::NoAccount);
            };
            let other = other_values(&left.fields, account);
            if other.is_empty() {
                Held::AsLeft
            } else {
                Held::Differs(Now::OtherValues(other))
            }
        }
    }
}

/// What the last run that touched something left.
struct LeftState<'r> {
    run_id: &'r str,
    change: usize,
    action: Action,
    time: jiff::Timestamp,
    account: &'r Subject,
    group: Option<&'r GroupName>,
    /// What updates wrote: of each field the last.
    fields: Fields,
}

/// What the runs of a report wrote: of each object the last. What a run wrote that was killed is among it.
fn last_states(report: &Report) -> Vec<LeftState<'_>> {
    let mut states: BTreeMap<_, LeftState<'_>> = BTreeMap::new();
    for run in runs_that_wrote(report) {
        for step in &run.steps {
            let action = match step.write {
                Write::Invited => Action::Invite,
                // An account that was just invited gets the values of its invitation, which the person may change.
                Write::Updated if step.is_of_invitation() => continue,
                Write::Updated => Action::Update,
                Write::Added => Action::Add,
                Write::Removed => Action::Remove,
            };
            // Adding to a group and removing from it are about one thing.
            let kind = match action {
                Action::Add | Action::Remove => None,
                other => Some(other),
            };
            let object = (
                step.account.id.as_ref(),
                kind,
                step.group.as_ref().map(|group| &group.id),
            );
            let earlier = states.remove(&object).map(|earlier| earlier.fields);
            let state = LeftState {
                run_id: &run.start.run_id,
                change: step.change,
                action,
                time: step.time,
                account: &step.account,
                group: step.group.as_ref(),
                fields: written_over(earlier.unwrap_or_default(), &step.fields),
            };
            states.insert(object, state);
        }
    }
    let mut states: Vec<LeftState<'_>> = states.into_values().collect();
    states.sort_by_key(|state| (state.time, state.change));
    states
}

/// What two updates wrote, the later one over the earlier one.
fn written_over(earlier: Fields, later: &Fields) -> Fields {
    let later = later.clone();
    Fields {
        user_type: later.user_type.or(earlier.user_type),
        display_name: later.display_name.or(earlier.display_name),
        given_name: later.given_name.or(earlier.given_name),
        surname: later.surname.or(earlier.surname),
    }
}

/// The fields in which an account is not as it was left: what it was given, and what it has.
fn other_values(left: &Fields, account: &Account) -> Fields {
    fn other<T: Clone + PartialEq>(
        left: Option<&FieldChange<T>>,
        has: Option<&T>,
    ) -> Option<FieldChange<T>> {
        let given = left?.after.as_ref();
        (given != has).then(|| FieldChange {
            before: given.cloned(),
            after: has.cloned(),
        })
    }
    Fields {
        user_type: other(left.user_type.as_ref(), account.user_type.as_ref()),
        display_name: other(left.display_name.as_ref(), account.display_name.as_ref()),
        given_name: other(left.given_name.as_ref(), account.given_name.as_ref()),
        surname: other(left.surname.as_ref(), account.surname.as_ref()),
    }
}
