//! What apply prints: what it is about to do, and what became of each change.

use crate::plan::{Action, Plan, PlanKind};
use crate::report::{ChangeOutcome, INVITED_ONLY, Outcome, ReportedOutcome, Totals};

use super::Style;
use super::layout::{hanging, hanging_named};
use super::words::{GroupLabels, People, counted, grouped, place, sentence, time};

/// Returns what apply says once both directories are read again: which plan it carries out, and how that differs by now from what
/// was reviewed. In `verdicts`, [`Totals::done`] stands for the changes that are about to be made.
pub fn apply_header(
    plan: &Plan,
    verdicts: &Totals,
    further_changes: usize,
    dry_run: bool,
    style: &Style,
) -> String {
    let headline = format!(
        "{} of {} · {} · {} read again{}",
        match plan.kind {
            PlanKind::Sync => "Plan",
            PlanKind::Undo => "Plan to undo a run",
        },
        time(plan.created_at),
        counted(plan.changes.len(), "change", "changes"),
        match plan.kind {
            PlanKind::Sync => "both directories",
            PlanKind::Undo => "Entra",
        },
        if dry_run {
            " · dry run: nothing is written"
        } else {
            ""
        }
    );
    let mut text = style.lines(&hanging("", &headline, style.width), Style::bold);
    let Totals {
        done: _,
        already_done,
        not_wanted,
        conflict,
        failed: _,
        not_attempted: _,
    } = *verdicts;
    let notes: Vec<String> = [
        (
            already_done,
            "change is made already",
            "changes are made already",
        ),
        (
            not_wanted,
            "change is no longer wanted",
            "changes are no longer wanted",
        ),
        (
            conflict,
            "change is left alone, because of what has changed since the review",
            "changes are left alone, because of what has changed since the review",
        ),
    ]
    .into_iter()
    .filter(|(number, ..)| *number > 0)
    .map(|(number, one, many)| counted(number, one, many))
    .chain((further_changes > 0).then(|| further(further_changes)))
    .collect();
    if !notes.is_empty() {
        text.push_str(&hanging("", &notes.join(", "), style.width));
    }
    text
}

/// Returns the end of an apply: the totals, then a line for every change that is not done, with the reason.
pub fn outcomes(
    plan: &Plan,
    outcomes: &[ChangeOutcome],
    totals: &Totals,
    further_changes: usize,
    style: &Style,
) -> String {
    let labels = GroupLabels::of(plan);
    let mut text = style.lines(
        &hanging("", &total_line(totals, "done"), style.width),
        Style::bold,
    );
    for outcome in outcomes {
        if matches!(outcome.outcome, Outcome::Done | Outcome::AlreadyDone) {
            continue;
        }
        text.push_str(&outcome_line(plan, &labels, outcome, false, *style));
    }
    text.push_str(&further_line(further_changes, *style));
    if totals.is_unfinished() {
        text.push('\n');
        text.push_str(&hanging("", &advice(totals, plan.kind), style.width));
    }
    text
}

/// Returns the end of a dry run: the totals, then the verdict of every change.
pub fn dry_run(
    plan: &Plan,
    outcomes: &[ChangeOutcome],
    totals: &Totals,
    further_changes: usize,
    style: &Style,
) -> String {
    let labels = GroupLabels::of(plan);
    let mut text = style.lines(
        &hanging("", &total_line(totals, "would be done"), style.width),
        Style::bold,
    );
    for outcome in outcomes {
        text.push_str(&outcome_line(plan, &labels, outcome, true, *style));
    }
    text.push_str(&further_line(further_changes, *style));
    text.push_str("\nThis was a dry run: nothing was written.\n");
    text
}

pub(super) fn total_line(totals: &Totals, done: &str) -> String {
    let Totals {
        done: number_done,
        already_done,
        not_wanted,
        conflict,
        failed,
        not_attempted,
    } = *totals;
    let parts: Vec<String> = [
        (number_done, done),
        (already_done, "already done"),
        (not_wanted, "not wanted"),
        (
            conflict,
            if conflict == 1 {
                "conflict"
            } else {
                "conflicts"
            },
        ),
        (failed, "failed"),
        (not_attempted, "not attempted"),
    ]
    .iter()
    .filter(|(number, _)| *number > 0)
    .map(|(number, word)| format!("{} {word}", grouped(*number)))
    .collect();
    if parts.is_empty() {
        "Nothing to do: the plan holds no change.".to_owned()
    } else {
        parts.join(", ")
    }
}

/// Returns a line for what became of a change, or would in a dry run.
pub(super) fn outcome_line(
    plan: &Plan,
    labels: &GroupLabels<'_>,
    outcome: &ChangeOutcome,
    is_dry_run: bool,
    style: Style,
) -> String {
    let change = outcome
        .change
        .checked_sub(1)
        .and_then(|at| plan.changes.get(at));
    match change {
        Some(change) => {
            let reported = ReportedOutcome::new(outcome.clone(), change);
            let line = what_became(&reported, labels, People::Named, is_dry_run);
            let mut text = outcome_in_lines(outcome, &line, style);
            if let (Some(request), Outcome::Failed) = (&outcome.request_id, outcome.outcome) {
                let request = format!("request {}", place(request));
                text.push_str(
                    &style.lines(&hanging_named("    ", &request, style.width), Style::dim),
                );
            }
            text
        }
        None => hanging(
            "  · ",
            &format!("change {} of another plan", outcome.change),
            style.width,
        ),
    }
}

/// Returns what became of a change with the sign and the colour of that.
pub(super) fn outcome_in_lines(outcome: &ChangeOutcome, what: &str, style: Style) -> String {
    let (symbol, paint) = symbol_of(outcome);
    style.lines(
        &hanging_named(&format!("  {symbol} "), what, style.width),
        paint,
    )
}

/// How a line about an outcome begins, and its colour.
fn symbol_of(outcome: &ChangeOutcome) -> (&'static str, fn(Style, &str) -> String) {
    match (outcome.outcome, outcome.action) {
        (Outcome::Done, Action::Invite | Action::Add) => ("+", Style::green),
        (Outcome::Done, Action::Update) => ("~", Style::yellow),
        (Outcome::Done, Action::Remove) => ("-", Style::red),
        (Outcome::AlreadyDone | Outcome::NotWanted, _) => ("·", Style::dim),
        (Outcome::Conflict, _) => ("!", Style::yellow),
        (Outcome::Failed, _) => ("x", Style::red),
        (Outcome::NotAttempted, _) => ("·", Style::yellow),
    }
}

/// Who a change was about, what became of it and why, as a sentence.
pub(super) fn what_became(
    reported: &ReportedOutcome,
    labels: &GroupLabels<'_>,
    people: People,
    is_dry_run: bool,
) -> String {
    let ReportedOutcome {
        outcome,
        account,
        group,
    } = reported;
    let who = people.in_words(account.display_name.as_deref(), &account.email);
    let mut sentence_about = if outcome.message.starts_with(INVITED_ONLY) {
        who
    } else {
        let group = group
            .as_ref()
            .map_or_else(|| "its group".to_owned(), |group| labels.of_group(group));
        format!("{who} {}", became(outcome, &group, is_dry_run))
    };
    if !outcome.message.is_empty() && outcome.outcome != Outcome::Done {
        sentence_about.push_str(": ");
        sentence_about.push_str(&sentence(&outcome.message));
    }
    sentence_about
}

/// What became of a change, of whoever it was about: "was removed from acme-support".
pub(super) fn became(outcome: &ChangeOutcome, group: &str, is_dry_run: bool) -> String {
    if outcome.message.starts_with(INVITED_ONLY) {
        return INVITED_ONLY.to_owned();
    }
    let (done, unwanted, already) = match outcome.action {
        Action::Invite => (
            "invited".to_owned(),
            "is not invited".to_owned(),
            "has an account".to_owned(),
        ),
        Action::Update => (
            "updated".to_owned(),
            "stays as it is".to_owned(),
            "is so already".to_owned(),
        ),
        Action::Add => (
            format!("added to {group}"),
            format!("is not added to {group}"),
            format!("is in {group} already"),
        ),
        Action::Remove => (
            format!("removed from {group}"),
            format!("stays in {group}"),
            format!("is not in {group} any more"),
        ),
    };
    match (outcome.outcome, is_dry_run) {
        (Outcome::Done, true) => format!("would be {done}"),
        (Outcome::Done, false) => format!("was {done}"),
        (Outcome::AlreadyDone, _) => already,
        (Outcome::NotWanted, _) => unwanted,
        (_, true) => format!("would not be {done}"),
        (_, false) => format!("was not {done}"),
    }
}

fn further(number: usize) -> String {
    format!(
        "{} not in this plan (plan again for {})",
        counted(number, "further change is", "further changes are"),
        if number == 1 { "it" } else { "these" }
    )
}

fn further_line(number: usize, style: Style) -> String {
    if number == 0 {
        return String::new();
    }
    style.lines(&hanging("  ", &further(number), style.width), Style::yellow)
}

fn advice(totals: &Totals, kind: PlanKind) -> String {
    let mut advice = String::new();
    if totals.failed > 0 {
        advice.push_str(
            "Run the same command again when that is settled; what is done is not done twice.",
        );
    } else if totals.not_attempted > 0 {
        advice.push_str("Run the same command again to go on; what is done is not done twice.");
    }
    if totals.conflict > 0 {
        if !advice.is_empty() {
            advice.push(' ');
        }
        advice.push_str(match kind {
            PlanKind::Sync => "For what is in conflict, make a new plan and have it reviewed.",
            PlanKind::Undo => "What is in conflict is not as that run left it any more, and is for people to decide.",
        });
    }
    advice
}
