//! A report of apply without the people in it: what became of a change, of which kind and in which group, and whose it was as a token.
//!
//! The message of an outcome is a sentence with people in it, and the answer of a service may name anybody. So nothing of it is kept
//! but whether it says that somebody is invited and no more: it becomes the general one of its outcome.
//!
//! Changes are numbered in the order of the plan, which is by address, and carried out in it. So they get the numbers of another order, and
//! the time of their run; neither is shown. One request is about people whose addresses follow each other, so requests are not named.

use std::collections::BTreeMap;

use crate::model::ObjectId;
use crate::plan::{Action, GroupName};
use crate::render::words::People;
use crate::render::{Style, html, report};
use crate::report::{
    ChangeOutcome, End, INVITED_ONLY, Outcome, Report, ReportedOutcome, Run, Start, Step, Subject,
    Write,
};

use super::RedactionKey;
use super::tokens::{NAME, Tokens, without_names};

/// A report without the people in it. It can be shown, and nothing else: no run goes on from it, and none is taken back by it.
#[derive(Debug, Clone)]
pub struct RedactedReport(pub(super) Report);

impl RedactedReport {
    /// Replaces everybody in a report by tokens. With one key, they are those of [`Redacted`](super::Redacted).
    pub fn new(report: &Report, key: &RedactionKey) -> Self {
        let Report { runs } = report;
        let subjects = runs.iter().flat_map(|run| {
            let steps = run.steps.iter().map(|step| &step.account);
            steps.chain(run.outcomes.iter().map(|reported| &reported.account))
        });
        let tokens = Tokens::of(subjects.map(|subject| subject.email.as_str()), key);
        Self(Report {
            runs: runs.iter().map(|run| tokens.run(run)).collect(),
        })
    }

    /// Returns it as text for a terminal.
    pub fn text(&self, style: &Style) -> String {
        report::text::page(&self.0, People::Redacted, *style)
    }

    /// Returns it as Markdown, like [`report_markdown`](crate::render::report_markdown()).
    pub fn markdown(&self) -> String {
        report::markdown::page(&self.0, People::Redacted)
    }

    /// Returns it as a page for a browser, like [`report_html`](crate::render::report_html()).
    pub fn html(&self) -> String {
        html::report_page(&self.0, People::Redacted)
    }
}

impl Tokens<'_> {
    fn run(&self, run: &Run) -> Run {
        let Run {
            start,
            steps,
            outcomes,
            end,
        } = run;
        let mut steps: Vec<Step> = steps.iter().map(|step| self.step(step, start)).collect();
        let mut outcomes: Vec<ReportedOutcome> = outcomes
            .iter()
            .map(|reported| self.outcome(reported, start))
            .collect();
        let numbers = other_numbers(&steps, &outcomes, start.changes);
        let renumber = |number: &mut usize| {
            if let Some(other) = numbers.get(number) {
                *number = *other;
            }
        };
        for step in &mut steps {
            renumber(&mut step.change);
        }
        for reported in &mut outcomes {
            renumber(&mut reported.outcome.change);
        }
        // The writes for one change stay in their order.
        steps.sort_by_key(|step| step.change);
        outcomes.sort_by_key(|reported| reported.outcome.change);
        Run {
            start: without_operator(start),
            steps,
            outcomes,
            end: end.as_ref().map(without_anybody),
        }
    }

    fn step(&self, step: &Step, start: &Start) -> Step {
        let Step {
            run_id,
            change,
            write,
            account,
            group,
            fields,
            time: _,
            request_id: _,
        } = step;
        Step {
            run_id: made_of_digits(run_id),
            change: *change,
            write: *write,
            account: self.subject(account),
            group: group.clone(),
            fields: without_names(fields),
            time: start.time,
            request_id: None,
        }
    }

    fn outcome(&self, reported: &ReportedOutcome, start: &Start) -> ReportedOutcome {
        let ReportedOutcome {
            outcome,
            account,
            group,
        } = reported;
        let ChangeOutcome {
            run_id,
            change,
            action,
            outcome,
            message,
            attempts,
            time: _,
            request_id: _,
            uncertain,
        } = outcome;
        let general = general(*outcome, *action, *uncertain);
        let message = match (message.starts_with(INVITED_ONLY), general.as_str()) {
            (true, "") => INVITED_ONLY.to_owned(),
            (true, general) => format!("{INVITED_ONLY}: {general}"),
            (false, general) => general.to_owned(),
        };
        ReportedOutcome {
            outcome: ChangeOutcome {
                run_id: made_of_digits(run_id),
                change: *change,
                action: *action,
                outcome: *outcome,
                message,
                attempts: *attempts,
                time: start.time,
                request_id: None,
                uncertain: *uncertain,
            },
            account: self.subject(account),
            group: group.clone(),
        }
    }

    /// Nobody has a name here, and none is shown. But whether two lines say the same of somebody tells whether they fit together.
    fn subject(&self, subject: &Subject) -> Subject {
        let Subject {
            id,
            email,
            display_name,
        } = subject;
        let said = format!("{email} {display_name:?}");
        Subject {
            id: id.as_ref().map(|id| self.account_id(id)),
            email: self.email(email),
            display_name: Some(self.key.digest("subject", &said)),
        }
    }
}

/// Returns what the program makes of digits alone, and nothing of what somebody else has put in its place.
fn made_of_digits(text: &str) -> String {
    let digest = text.strip_prefix("sha256:").map(str::as_bytes);
    let is_digest = digest.is_some_and(|digest| digest.iter().all(u8::is_ascii_hexdigit));
    if is_digest || is_id(text) {
        text.to_owned()
    } else {
        NAME.to_owned()
    }
}

fn is_id(text: &str) -> bool {
    text.parse::<ObjectId>().is_ok()
}

/// The operator is a person as well.
fn without_operator(start: &Start) -> Start {
    let Start {
        run_id,
        plan_id,
        plan_created_at,
        kind,
        changes,
        tool_version,
        source,
        target,
        app_id,
        operator: _,
        time,
        dry_run,
    } = start;
    Start {
        run_id: made_of_digits(run_id),
        plan_id: made_of_digits(plan_id),
        plan_created_at: *plan_created_at,
        kind: *kind,
        changes: *changes,
        tool_version: tool_version.clone(),
        source: source.clone(),
        target: target.clone(),
        app_id: made_of_digits(app_id),
        operator: None,
        time: *time,
        dry_run: *dry_run,
    }
}

/// The end of a run is numbers alone.
fn without_anybody(end: &End) -> End {
    let End {
        run_id,
        time,
        interrupted,
        totals,
        further_changes,
    } = end;
    End {
        run_id: made_of_digits(run_id),
        time: *time,
        interrupted: *interrupted,
        totals: *totals,
        further_changes: *further_changes,
    }
}

/// Returns for the number of each change of the plan that lines are about its place in the order of actions, groups and tokens. A number
/// that no change of the plan has stays what it is.
fn other_numbers(
    steps: &[Step],
    outcomes: &[ReportedOutcome],
    changes: usize,
) -> BTreeMap<usize, usize> {
    let of_outcomes = outcomes.iter().map(|reported| {
        let ReportedOutcome {
            outcome,
            account,
            group,
        } = reported;
        (outcome.change, outcome.action, group, account)
    });
    let of_steps = steps
        .iter()
        .map(|step| (step.change, action_of(step), &step.group, &step.account));
    let mut places = BTreeMap::new();
    for (number, action, group, account) in of_outcomes.chain(of_steps) {
        if (1..=changes).contains(&number) {
            let group = group.as_ref().map(|GroupName { id, name }| (name, id));
            places
                .entry(number)
                .or_insert((action, group, &account.email));
        }
    }
    let mut numbers: Vec<_> = places
        .into_iter()
        .map(|(number, at)| (at, number))
        .collect();
    numbers.sort();
    let numbers = numbers.into_iter().map(|(_, number)| number);
    numbers.zip(1..).collect()
}

fn action_of(step: &Step) -> Action {
    match step.write {
        Write::Invited => Action::Invite,
        Write::Updated => Action::Update,
        Write::Added => Action::Add,
        Write::Removed => Action::Remove,
    }
}

/// What is said of every change with this outcome. Nothing, where the outcome says it all.
fn general(outcome: Outcome, action: Action, is_uncertain: bool) -> String {
    match outcome {
        Outcome::Done | Outcome::AlreadyDone => String::new(),
        Outcome::NotWanted => {
            let change = match action {
                Action::Invite => "invitation",
                Action::Update => "update",
                Action::Add => "addition",
                Action::Remove => "removal",
            };
            format!("the {change} is not wanted any more")
        }
        Outcome::Conflict => "something has changed since the review".to_owned(),
        Outcome::Failed if is_uncertain => "whether it was carried out is not known".to_owned(),
        Outcome::Failed => "it did not go through".to_owned(),
        Outcome::NotAttempted => {
            "something before it did not succeed, or the run was stopped".to_owned()
        }
    }
}
