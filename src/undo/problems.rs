//! What is said of what is not taken back, and why.

use super::Choice;
use crate::plan::{About, Change, Fields, GroupName, Problem, ProblemCode};
use crate::report::{ByChange, Outcome, ReportedOutcome, Run, Step, Subject, Write, object_of};
use crate::wording::time_with_seconds;

/// How many changes of a run that was cut off are named one by one.
const SHOWN_CHANGES: usize = 20;

/// What somebody is told whose account had no value where Entra requires one.
pub(super) fn value_not_restorable(step: &Step) -> Option<Problem> {
    let Fields {
        user_type,
        display_name,
        given_name: _,
        surname: _,
    } = &step.fields;
    let had_no_type = user_type
        .as_ref()
        .is_some_and(|change| change.before.is_none());
    let had_no_name = display_name
        .as_ref()
        .is_some_and(|change| change.before.is_none());
    let what = match (had_no_type, had_no_name) {
        (true, true) => "user type and no display name",
        (true, false) => "user type",
        (false, true) => "display name",
        (false, false) => return None,
    };
    Some(Problem {
        code: ProblemCode::ValueNotRestorable,
        subject: named(&step.account),
        message: format!("had no {what} before the run, which Entra does not allow to be restored"),
        hint: Some("see whether the account is to keep what the run gave it".to_owned()),
        about: about(&step.account),
    })
}

/// What is said of what belongs to an invitation, which is not taken back.
pub(super) fn invitation_not_undone(step: &Step, run: &ByChange<'_>) -> Problem {
    let account = step.account.id.as_ref().map(ToString::to_string);
    let account = account.unwrap_or_default();
    let of_change = run.outcome(step.change);
    let failed = of_change.filter(|outcome| outcome.outcome == Outcome::Failed);
    let (message, hint) = match (step.write, failed) {
        // It may be an account that was there before.
        (_, Some(failed)) => (
            format!(
                "was invited as account {account}; the run says of it: {}",
                failed.message
            ),
            "see whose account it is before anything is done about it",
        ),
        (Write::Invited, None) => (
            format!("was invited as account {account}; an invitation is not taken back"),
            "delete the account in Entra if nobody needs it",
        ),
        (_, None) => (
            format!(
                "was invited earlier as account {account}, and got its values by this run; an invitation is not taken back"
            ),
            "delete the account in Entra if nobody needs it",
        ),
    };
    Problem {
        code: ProblemCode::InvitationNotUndone,
        subject: named(&step.account),
        message,
        hint: Some(hint.to_owned()),
        about: about(&step.account),
    }
}

/// A change of which it is not known whether it was made is not taken back, and has to be looked at.
pub(super) fn not_known(reported: &ReportedOutcome) -> Option<Problem> {
    let ReportedOutcome {
        outcome,
        account,
        group,
    } = reported;
    let of_group = group.as_ref().map(|group| format!(" ({})", group.name));
    outcome.uncertain.then(|| Problem {
        code: ProblemCode::OutcomeNotKnown,
        subject: named(account),
        message: format!(
            "{} of change {}{} had no answer: whether the run made it is not known, and it is not taken back",
            outcome.action,
            outcome.change,
            of_group.unwrap_or_default()
        ),
        hint: Some("compare with Entra's audit log".to_owned()),
        about: about(account),
    })
}

/// What is to be known of a run that did not come to its end, or has not yet.
pub(super) fn cut_off(run: &Run) -> Option<Problem> {
    let missing = run.without_outcome();
    let shown: Vec<String> = missing
        .iter()
        .take(SHOWN_CHANGES)
        .map(|number| number.to_string())
        .collect();
    let more = if missing.len() > SHOWN_CHANGES {
        " and more"
    } else {
        ""
    };
    (run.end.is_none() && !missing.is_empty()).then(|| Problem {
        code: ProblemCode::RunCutOff,
        subject: format!("run {}", run.start.run_id),
        message: format!(
            "was killed, or is still going: {} of its {} changes have no outcome ({}{more}), and a write that was on its way is not recorded",
            missing.len(),
            run.start.changes,
            shown.join(", ")
        ),
        hint: Some(
            "compare these with Entra's audit log: what is not in the report is not taken back"
                .to_owned(),
        ),
        about: About::default(),
    })
}

/// What is said of the other runs that wrote for the same plan: a plan that was carried out in several attempts is taken back in as many.
pub(super) fn other_run_not_undone(choice: &Choice<'_>) -> impl Iterator<Item = Problem> {
    let Choice {
        run,
        earlier,
        later,
    } = choice;
    let earlier = earlier.iter().map(|other| (other, "next"));
    let later = later.iter().map(|other| (other, "first"));
    let of_plan = earlier
        .chain(later)
        .filter(|(other, _)| other.plan() == run.plan());
    of_plan.map(|(other, when)| {
        let id = &other.start.run_id;
        let wrote = if other.steps.is_empty() {
            "may have written"
        } else {
            "wrote"
        };
        Problem {
            code: ProblemCode::OtherRunNotUndone,
            subject: format!("run {id} of {}", time_with_seconds(other.start.time)),
            message: format!("{wrote} for the same plan, which is not taken back here"),
            hint: Some(format!(
                "take that run back {when} with --run {id}, unless it is already"
            )),
            about: About::default(),
        }
    })
}

/// What is said of a write for which no plan can hold a change.
pub(super) fn not_to_be_planned(step: &Step, message: String) -> Problem {
    Problem {
        code: ProblemCode::ChangedSinceRun,
        subject: named(&step.account),
        message,
        hint: Some("take it back by hand if need be".to_owned()),
        about: about(&step.account),
    }
}

/// What is said of a change whose object is neither as the run left it nor as before.
pub(super) fn changed_since(change: &Change, reason: &str) -> Problem {
    let (subject, group) = object_of(change);
    let what = match (change, group) {
        (Change::Add(_), Some(group)) => format!("is not added to {} again", group.name),
        (Change::Remove(_), Some(group)) => format!("is not removed from {}", group.name),
        _ => "is not updated back".to_owned(),
    };
    Problem {
        code: ProblemCode::ChangedSinceRun,
        subject: named(&subject),
        message: format!("{what}: {reason}"),
        hint: None,
        about: about(&subject),
    }
}

/// Whoever reads the plan has to know that it changes a group that no mapping leads to.
pub(super) fn group_not_mapped(group: &GroupName) -> Problem {
    Problem {
        code: ProblemCode::GroupNotMapped,
        subject: group.name.clone(),
        message: "is in no mapping of this configuration, and this plan changes it all the same"
            .to_owned(),
        hint: None,
        about: About::group(group),
    }
}

fn named(subject: &Subject) -> String {
    let Subject {
        email,
        display_name,
        ..
    } = subject;
    display_name
        .as_ref()
        .map_or_else(|| email.clone(), |name| format!("{name} ({email})"))
}

fn about(subject: &Subject) -> About {
    About {
        emails: vec![subject.email.clone()],
        account: subject.id.clone(),
        ..About::default()
    }
}
