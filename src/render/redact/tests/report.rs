//! Of reports.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{Somebody, WIDE, anything, eight, shape, some_key, tokens};
use crate::model::ObjectId;
use crate::plan::{Action, FieldChange};
use crate::render::redact::{Redacted, RedactedReport};
use crate::render::samples;
use crate::report::{INVITED_ONLY, Outcome, Report, Run, Subject};

/// A report with somebody in every place that it has, and with an id of their own for everybody.
fn report_about(people: &[Somebody; 8]) -> Report {
    let mut report = samples::report();
    let subject = |subject: &mut Subject, change: usize| {
        let somebody = &people[change - 1];
        // As an address is written in a plan.
        subject.email = somebody.email.to_lowercase();
        subject.display_name = Some(somebody.name.clone());
        if let Some(id) = &mut subject.id {
            *id = id_of(change);
        }
    };
    let other = &people[7];
    for run in &mut report.runs {
        run.start.operator = Some(other.username.clone());
        for step in &mut run.steps {
            subject(&mut step.account, step.change);
            if !step.fields.is_empty() {
                step.fields.surname = Some(FieldChange {
                    before: None,
                    after: Some(other.name.clone()),
                });
            }
        }
        for reported in &mut run.outcomes {
            let outcome = &mut reported.outcome;
            subject(&mut reported.account, outcome.change);
            outcome.message = format!(
                "{} ({}) has changed as {} did: {}",
                people[outcome.change - 1].name,
                people[outcome.change - 1].email,
                other.username,
                other.name
            );
            match outcome.outcome {
                Outcome::Failed => {
                    outcome.uncertain = true;
                    outcome.message = format!("{INVITED_ONLY}: {}", outcome.message);
                }
                Outcome::NotAttempted => {
                    outcome.message = format!("{INVITED_ONLY}: {}", outcome.message);
                }
                _ => {}
            }
        }
    }
    report
}

fn id_of(change: usize) -> ObjectId {
    samples::id(700 + change)
}

fn contradicts(report: &Report) -> Vec<bool> {
    let runs = report.runs.iter();
    runs.map(|run| run.contradiction().is_some()).collect()
}

/// Everything that is said of an outcome but whose it is, what it said and when it was settled.
fn outcomes(report: &Report) -> Vec<String> {
    let outcomes = report.runs.iter().flat_map(|run| &run.outcomes);
    let mut outcomes: Vec<String> = outcomes
        .map(|reported| {
            let outcome = &reported.outcome;
            format!(
                "{:?} {:?} {} {} {} {:?}",
                outcome.action,
                outcome.outcome,
                outcome.attempts,
                outcome.uncertain,
                outcome.message.starts_with(INVITED_ONLY),
                reported.group
            )
        })
        .collect();
    outcomes.sort();
    outcomes
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whoever the people are, all that differs is their tokens.
    #[test]
    fn what_is_shown_depends_on_people_only_through_their_tokens(text in anything()) {
        let [shown, expected] = [&text, "q"].map(|text| {
            RedactedReport::new(&report_about(&eight(text)), &some_key())
        });
        prop_assert_eq!(shape(&shown.text(&WIDE)), shape(&expected.text(&WIDE)));
        prop_assert_eq!(shape(&shown.markdown()), shape(&expected.markdown()));
        let rows = |page: &RedactedReport| shape(&page.html().replace("<tr", "\n<tr"));
        prop_assert_eq!(rows(&shown), rows(&expected));
    }

    /// Not even what no rendering shows today: no name, no address, no object id.
    #[test]
    fn no_value_of_the_report_is_a_persons(text in "[A-Z]{4,8}") {
        let report = report_about(&eight(&text));
        let holds = |report: &Report| {
            let json = serde_json::to_string(report).unwrap();
            (json.contains(&text), json.contains(&text.to_lowercase()), (1..=8).any(|change| json.contains(id_of(change).as_str())))
        };
        prop_assert_eq!(holds(&report), (true, true, true));
        prop_assert_eq!(holds(&RedactedReport::new(&report, &some_key()).0), (false, false, false));
    }

    /// Lines that say different things of one object do so without its name as well.
    #[test]
    fn what_does_not_fit_together_does_not_without_people_either(run in 0..3usize, line in 0..9usize, text in anything()) {
        let mut report = samples::report();
        let steps = &mut report.runs[run].steps;
        if let Some(step) = steps.get_mut(line) {
            step.account.display_name = Some(text.clone());
        }
        if let Some(reported) = report.runs[run].outcomes.get_mut(line) {
            reported.account.email = text;
        }
        let redacted = RedactedReport::new(&report, &some_key()).0;
        prop_assert_eq!(contradicts(&redacted), contradicts(&report));
    }
}

#[test]
fn all_but_people_stays() {
    let report = report_about(&eight("q"));
    let RedactedReport(redacted) = RedactedReport::new(&report, &some_key());
    assert_eq!(outcomes(&redacted), outcomes(&report));
    assert_eq!(contradicts(&redacted), contradicts(&report));
    for (redacted, run) in redacted.runs.iter().zip(&report.runs) {
        let mut start = run.start.clone();
        assert!(start.operator.take().is_some());
        assert_eq!(redacted.start, start);
        let ends = [redacted, run].map(|run| {
            run.end
                .as_ref()
                .map(|end| (end.time, end.interrupted, end.totals, end.further_changes))
        });
        assert_eq!(ends[0], ends[1]);
        assert_eq!(redacted.totals(), run.totals());
        assert_eq!(redacted.steps.len(), run.steps.len());
        assert_eq!(
            redacted.without_outcome().len(),
            run.without_outcome().len()
        );
    }
}

#[test]
fn everybody_has_the_token_of_the_plan() {
    let (plan, report) = (samples::every_kind(), samples::report());
    let of_plan = Redacted::new(&plan, &some_key()).text(&WIDE);
    let redacted = RedactedReport::new(&report, &some_key());
    for shown in [redacted.text(&WIDE), redacted.markdown(), redacted.html()] {
        let of_report = tokens(&shown);
        assert!(of_report.len() > 3, "{shown}");
        assert!(of_report.is_subset(&tokens(&of_plan)), "{shown}");
    }
}

/// An invitation that went through and whose account is not yet as the plan says is told by the beginning of the message alone.
#[test]
fn that_somebody_is_invited_and_no_more_stays() {
    let report = report_about(&eight("q"));
    let shown = RedactedReport::new(&report, &some_key()).markdown();
    let line = shown.lines().find(|line| line.starts_with("| failed |"));
    let line = line.unwrap();
    assert!(
        line.contains(&format!(
            "{INVITED_ONLY}: whether it was carried out is not known"
        )),
        "{line}"
    );
    assert!(!shown.contains("xq"), "{shown}");
}

#[test]
fn what_should_be_an_id_and_is_none_is_left_out() {
    let mut report = samples::report();
    for run in &mut report.runs {
        for id in [
            &mut run.start.run_id,
            &mut run.start.plan_id,
            &mut run.start.app_id,
        ] {
            *id = "dana@partner.example".to_owned();
        }
    }
    let redacted = RedactedReport::new(&report, &some_key());
    for shown in [redacted.text(&WIDE), redacted.markdown(), redacted.html()] {
        assert!(!shown.contains("dana"), "{shown}");
    }
}

/// One request is about several people, whose addresses follow each other.
#[test]
fn no_request_is_named() {
    let report = samples::report();
    let RedactedReport(redacted) = &RedactedReport::new(&report, &some_key());
    for run in &redacted.runs {
        assert!(
            run.outcomes
                .iter()
                .all(|it| it.outcome.request_id.is_none())
        );
        assert!(run.steps.iter().all(|step| step.request_id.is_none()));
    }
    let redacted = RedactedReport::new(&report, &some_key());
    for shown in [redacted.text(&WIDE), redacted.markdown(), redacted.html()] {
        assert!(
            !shown.contains("5f1c0000-0000-4000-8000-000000000002"),
            "{shown}"
        );
        assert!(!shown.contains("no request"), "{shown}");
    }
}

/// Neither by the order of lines, nor by numbers of changes, nor by the times at which they were settled.
#[test]
fn the_order_of_addresses_does_not_show() {
    let mut report = samples::report();
    report.runs.truncate(1);
    let run: &mut Run = &mut report.runs[0];
    let mut added = run.outcomes.clone();
    added.retain(|reported| {
        reported.outcome.action == Action::Add && reported.outcome.outcome == Outcome::Done
    });
    added.truncate(1);
    run.outcomes = (0..40)
        .map(|at| {
            let mut reported = added[0].clone();
            reported.account.email = format!("a{at:02}@partner.example");
            reported.outcome.change = at + 1;
            reported.outcome.time += jiff::SignedDuration::from_secs(i64::try_from(at).unwrap());
            reported.outcome.request_id = None;
            reported
        })
        .collect();
    run.start.changes = 40;
    run.steps.clear();
    let redacted = RedactedReport::new(&report, &some_key());
    let shown = redacted.text(&WIDE);
    let rows: Vec<&str> = shown
        .lines()
        .filter(|line| line.starts_with("  + "))
        .collect();
    assert_eq!(rows.len(), 40);
    assert!(rows.is_sorted());
    let RedactedReport(redacted) = &redacted;
    let times: BTreeSet<_> = redacted.runs[0]
        .outcomes
        .iter()
        .map(|reported| reported.outcome.time)
        .collect();
    assert_eq!(times.len(), 1);
    assert!(!shown.contains("change "), "{shown}");
}
