//! Reports as a comment on a pull request, in the same Markdown as plans.

use std::fmt::Write;

use crate::render::escape::code_span;
use crate::render::fit::{KeptIn, Part, fit, least, whole};
use crate::render::markdown::MAX_CHARACTERS;
use crate::render::words::{People, counted, grouped, place, time_with_seconds};
use crate::report::{Report, ReportedOutcome};

use super::{
    COMMAND, Facts, NO_RUN, REDACTED, SECTIONS, UNSETTLED, View, facts, is_urgent, outcome_said_of,
    outcomes, said_of, unsettled, what,
};

/// The head of a table of outcomes.
const HEAD: &str =
    "\n| change | outcome | what | when | sent | Graph's request |\n|--:|---|---|---|--:|---|\n";

/// The same where people are tokens.
const HEAD_REDACTED: &str = "\n| outcome | what | sent |\n|---|---|--:|\n";

/// What is the last to be left out.
const URGENT: &str = "failures and removals";

/// What is said at the top of a report that leaves something out.
const SHORTENED: &str = "**This comment is shortened.** Each list says what it leaves out. The report file has everything: \
     `keycloak-to-azure report REPORT`";

/// What may be added at the top of the runs.
const NOTE: usize = 700;

/// Returns a report as Markdown, at most [`MAX_CHARACTERS`] long. What does not fit is left out, older runs as a whole and outcomes in
/// whole lines, and the text says so.
pub fn report_markdown(report: &Report) -> String {
    page(report, People::Named)
}

pub(in crate::render) fn page(report: &Report, people: People) -> String {
    within(report, people, MAX_CHARACTERS)
}

fn within(report: &Report, people: People, limit: usize) -> String {
    if report.runs.is_empty() {
        return format!("{NO_RUN}\n");
    }
    let all: Vec<Part> = redaction(people)
        .into_iter()
        .chain(
            parts_of(report, people, Tables::OnePerSection)
                .into_iter()
                .flatten(),
        )
        .collect();
    let complete = fit(&all, limit);
    if complete.complete {
        return complete.text.trim_start().to_owned();
    }
    let runs = parts_of(report, people, Tables::UrgentApart);
    let shown = number_of_newest(&runs, limit.saturating_sub(NOTE));
    let newest = runs.iter().skip(runs.len() - shown).flatten().cloned();
    let parts: Vec<Part> = redaction(people)
        .into_iter()
        .chain([note(shown, runs.len())])
        .chain(newest)
        .collect();
    fit(&parts, limit).text
}

/// Says that people are tokens.
fn redaction(people: People) -> Option<Part> {
    (people == People::Redacted).then(|| Part {
        heading: format!("> [!NOTE]\n> **Redacted**: {REDACTED} `{COMMAND}`\n"),
        ..Part::default()
    })
}

/// How the outcomes of a section are shown.
#[derive(Debug, Clone, Copy)]
enum Tables {
    /// All in one table.
    OnePerSection,
    /// What is the last to be left out in a table of its own.
    UrgentApart,
}

fn parts_of(report: &Report, people: People, tables: Tables) -> Vec<Vec<Part>> {
    let newest = report.runs.len().saturating_sub(1);
    let runs = report.runs.iter().enumerate();
    runs.map(|(at, run)| run_parts(&View::of(run, people), newest - at, tables))
        .collect()
}

/// Returns how many runs are shown: as many as fit with everything that is in them, or as leave half of the space to their outcomes.
fn number_of_newest(runs: &[Vec<Part>], limit: usize) -> usize {
    let (mut with_all, mut with_least) = (0, 0);
    let fitting = runs.iter().rev().take_while(|parts| {
        with_all += whole(parts);
        with_least += least(parts);
        with_all <= limit || with_least <= limit / 2
    });
    fitting.count().max(1)
}

/// Says that something is left out.
fn note(shown: usize, total: usize) -> Part {
    let older = total - shown;
    let mut heading = format!("> [!IMPORTANT]\n> {SHORTENED}\n");
    if older > 0 {
        let newest = if shown == 1 {
            "Only the newest run is".to_owned()
        } else {
            format!("Only the newest {} runs are", grouped(shown))
        };
        let older = counted(older, "older run", "older runs");
        let _ = write!(heading, ">\n> **{newest} shown here, and not {older}.**\n");
    }
    Part {
        heading,
        ..Part::default()
    }
}

/// The parts of a run. Of what is alike, that of the newest run is kept longest.
fn run_parts(view: &View<'_>, age: usize, tables: Tables) -> Vec<Part> {
    let View { run, people, .. } = view;
    let opening = match people {
        People::Named => HEAD,
        People::Redacted => HEAD_REDACTED,
    };
    let mut parts = vec![head(view)];
    parts.extend(writes_without_outcome(view, age));
    for (at, (heading, belongs)) in SECTIONS.into_iter().enumerate() {
        let heading = said_of(heading, run);
        let outcomes = outcomes(run, belongs);
        let lists = match tables {
            Tables::OnePerSection => vec![(heading, 1 + at, outcomes)],
            Tables::UrgentApart => {
                let (urgent, others) = outcomes.into_iter().partition(|it| is_urgent(it));
                let (first, second) =
                    (format!("{heading}: {URGENT}"), format!("{heading}: others"));
                let after_all_urgent = 1 + SECTIONS.len() + at;
                vec![(first, 1 + at, urgent), (second, after_all_urgent, others)]
            }
        };
        for (heading, class, outcomes) in lists {
            if outcomes.is_empty() {
                continue;
            }
            parts.push(Part {
                heading: format!("\n### {heading} ({})\n", grouped(outcomes.len())),
                opening: opening.to_owned(),
                items: rows(view, &outcomes),
                noun: "outcomes",
                kept_in: KeptIn::Report,
                rank: rank(class, age),
                ..Part::default()
            });
        }
    }
    parts
}

/// What a run was, which is there in any case.
fn head(view: &View<'_>) -> Part {
    let Facts {
        title,
        rows,
        warnings,
        totals,
    } = facts(view.run, view.people);
    let mut heading = format!("\n## {title}\n\n");
    for (label, fact) in &rows {
        let _ = writeln!(heading, "- {label}: {}", code_span(fact));
    }
    for warning in &warnings {
        let _ = write!(heading, "\n> [!WARNING]\n> {warning}\n");
    }
    let _ = writeln!(heading, "\n**{totals}**");
    Part {
        heading,
        ..Part::default()
    }
}

fn writes_without_outcome(view: &View<'_>, age: usize) -> Option<Part> {
    let items: Vec<String> = unsettled(view)
        .iter()
        .map(|line| format!("- {}\n", code_span(line)))
        .collect();
    (!items.is_empty()).then(|| Part {
        heading: format!("\n### {UNSETTLED} ({})\n\n", grouped(items.len())),
        items,
        noun: "writes",
        kept_in: KeptIn::Report,
        rank: rank(0, age),
        ..Part::default()
    })
}

fn rows(view: &View<'_>, outcomes: &[&ReportedOutcome]) -> Vec<String> {
    let rows = outcomes.iter().map(|reported| {
        let outcome = &reported.outcome;
        let became = outcome_said_of(outcome.outcome, view.run);
        let attempts = outcome.attempts;
        let what = code_span(&what(view, reported));
        match view.people {
            People::Named => {
                let request = outcome.request_id.as_deref().map(place);
                format!(
                    "| {} | {became} | {what} | {} | {attempts} | {} |\n",
                    outcome.change,
                    time_with_seconds(outcome.time),
                    request.map(|id| code_span(&id)).unwrap_or_default()
                )
            }
            People::Redacted => format!("| {became} | {what} | {attempts} |\n"),
        }
    });
    rows.collect()
}

/// The class comes before the age: what failed long ago is kept longer than what was done today.
fn rank(class: usize, age: usize) -> usize {
    /// Far fewer runs fit, even without their outcomes.
    const AGES: usize = 10_000;
    class * AGES + age.min(AGES - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Action;
    use crate::render::fit::length;
    use crate::render::samples;
    use crate::report::{Outcome, Run};

    /// The dry run of the samples, over and over, each a minute later.
    fn dry_runs(number: usize) -> Report {
        let report = samples::report();
        let dry = report.runs.last().unwrap();
        let runs = (0..number).map(|at| {
            let mut run = dry.clone();
            let minutes = i64::try_from(at).unwrap();
            run.start.run_id = format!("run-{at}");
            run.start.time += jiff::SignedDuration::from_mins(minutes);
            run
        });
        Report {
            runs: runs.collect(),
        }
    }

    /// A run with so many outcomes of the same kind, but for a removal and a failure at its end.
    fn long_run(number: usize) -> Run {
        let mut run = samples::report().runs.swap_remove(0);
        let of = |action, outcome| {
            let outcomes = run.outcomes.iter().map(|reported| &reported.outcome);
            let at = outcomes
                .clone()
                .position(|it| it.action == action && it.outcome == outcome)
                .unwrap();
            run.outcomes[at].clone()
        };
        let added = of(Action::Add, Outcome::Done);
        let mut outcomes = vec![added; number];
        outcomes.push(of(Action::Remove, Outcome::Done));
        outcomes.push(of(Action::Invite, Outcome::Failed));
        for (at, reported) in outcomes.iter_mut().enumerate() {
            reported.outcome.change = at + 1;
        }
        run.start.changes = outcomes.len();
        run.outcomes = outcomes;
        run.steps.clear();
        run
    }

    #[test]
    fn of_many_runs_the_newest_are_shown_and_the_rest_counted() {
        let report = dry_runs(90);
        let comment = report_markdown(&report);
        let length = length(&comment);
        assert!(length <= MAX_CHARACTERS, "{length}");
        assert!(length > MAX_CHARACTERS - 2_000, "{length}");
        let shown = comment.matches("\n## Dry run of ").count();
        let older = 90 - shown;
        assert!(comment.contains(&format!(
            "**Only the newest {shown} runs are shown here, and not {older} older runs.**"
        )));
        assert!(comment.contains("- Run: `run-89`\n"));
        assert!(comment.contains(&format!("- Run: `run-{older}`\n")));
        assert!(!comment.contains(&format!("- Run: `run-{}`\n", older - 1)));
    }

    #[test]
    fn runs_without_outcomes_for_want_of_space_leave_half_of_it() {
        let mut report = dry_runs(60);
        for run in &mut report.runs {
            let outcomes = long_run(50).outcomes;
            run.outcomes = outcomes;
        }
        let comment = report_markdown(&report);
        assert!(length(&comment) <= MAX_CHARACTERS);
        assert!(comment.matches("\n## Dry run of ").count() > 10);
        assert!(comment.matches("\n| ").count() > 100);
    }

    #[test]
    fn three_thousand_outcomes_leave_the_removal_and_the_failure() {
        let report = Report {
            runs: vec![long_run(3_000)],
        };
        let comment = report_markdown(&report);
        assert!(length(&comment) <= MAX_CHARACTERS);
        assert!(comment.contains("| 3001 | done | `Cyd Cole"), "{comment}");
        assert!(comment.contains("| 3002 | failed | `Dana Diaz"));
        let shown = comment.matches("| done | `Eve Ek").count();
        assert!(shown > 100, "{shown}");
        assert!(comment.contains(&format!(
            "\n**Only {shown} of the 3,000 outcomes are shown here, to keep this comment short; the report file has all of them.**"
        )));
        assert!(comment.starts_with("> [!IMPORTANT]\n> **This comment is shortened.**"));
        assert!(!comment.contains("older run") && !comment.contains("plan file has"));
    }

    #[test]
    fn no_limit_is_exceeded_however_many_runs_and_outcomes_there_are() {
        let mut report = dry_runs(7);
        report.runs.push(long_run(40));
        report.runs.extend(samples::report().runs);
        let all = length(&report_markdown(&report));
        for limit in (4_000..all + 100).step_by(50) {
            let comment = within(&report, People::Named, limit);
            assert!(length(&comment) <= limit, "{limit}");
            let is_complete = !comment.contains("This comment is shortened");
            assert_eq!(is_complete, limit >= all, "{limit}");
        }
    }

    #[test]
    fn what_failed_in_an_old_run_is_kept_longer_than_what_a_new_one_did() {
        let mut newer = long_run(3_000);
        newer.start.time += jiff::SignedDuration::from_hours(1);
        let report = Report {
            runs: vec![long_run(3_000), newer],
        };
        let comment = report_markdown(&report);
        assert_eq!(comment.matches("| 3002 | failed |").count(), 2);
        assert_eq!(comment.matches("| 3001 | done |").count(), 2);
        let (older, newer) = comment.rsplit_once("\n## Run of ").unwrap();
        assert!(older.contains("**None of the outcomes (3,000) is shown here"));
        assert!(newer.contains("of the 3,000 outcomes are shown here"));
    }
}
