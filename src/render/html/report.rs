//! The report of apply as a page: each run with who, what and when, what is not done before what is, and the totals; then the same of all
//! runs by group and by person.

mod by_group;
mod by_person;
mod entries;

use crate::plan::Action;
use crate::render::report::{
    COMMAND, Facts, NO_RUN, REDACTED, SECTIONS, UNSETTLED, View, facts as facts_of,
    outcome_said_of, outcomes, said_of, unsettled, what,
};
use crate::render::words::{GroupLabels, People, counted, grouped, place, time_with_seconds};
use crate::report::{Outcome, Report, ReportedOutcome};

use self::by_group::by_group;
use self::by_person::by_person;
use self::entries::entries;
use super::markup::{Anchor, Html};
use super::page::{Kind, Page, Section, facts};
use super::table::Table;

/// Returns a report as a page for a browser, complete in one file.
pub fn report_html(report: &Report) -> String {
    page(report, People::Named)
}

pub(in crate::render) fn page(report: &Report, people: People) -> String {
    let heading = "Report of apply";
    let answer = match report.runs.as_slice() {
        [] => NO_RUN.to_owned(),
        [run] => facts_of(run, people).totals,
        runs => counted(runs.len(), "run", "runs"),
    };
    let (entries, labels) = (entries(report), GroupLabels::of_runs(&report.runs));
    let runs = report.runs.iter().enumerate();
    Page {
        title: format!("{heading}: {answer}"),
        head: Html::element("h1", Html::text(heading))
            .and(&Html::element("p class=\"answer\"", Html::text(&answer)))
            .and(&redaction(people)),
        sections: runs
            .map(|(at, run)| section(&View::of(run, people), (at + 1, report.runs.len())))
            .chain([
                by_group(&entries, &labels, people),
                by_person(&entries, &labels, people),
            ])
            .collect(),
        foot: Html::default(),
    }
    .into_string()
}

/// Says that people are tokens.
fn redaction(people: People) -> Html {
    if people == People::Named {
        return Html::default();
    }
    let words = Html::text(&format!("Redacted: {REDACTED} "));
    Html::element(Kind::Warning.notice(), words.and(&Html::code(COMMAND)))
}

fn section(view: &View<'_>, (number, of): (usize, usize)) -> Section {
    let Facts {
        title,
        rows,
        warnings,
        totals,
    } = facts_of(view.run, view.people);
    let run = view.run;
    let title = match of {
        1 => title,
        _ => format!("{title} (run {} of {})", grouped(number), grouped(of)),
    };
    let is_unfinished = run.end.is_none() || run.totals().is_unfinished();
    let kind = if is_unfinished {
        Kind::Out
    } else {
        Kind::Plain
    };
    let warnings = warnings
        .iter()
        .map(|warning| Html::element(Kind::Warning.notice(), Html::text(warning)));
    let rows = rows
        .into_iter()
        .map(|(name, fact)| (name, Html::text(&fact)));
    let head = [
        Html::element(kind.notice(), Html::element("strong", Html::text(&totals))),
        warnings.collect(),
        facts(rows.collect()),
    ];
    Section {
        anchor: Anchor::numbered("run", number),
        link: format!("{title}: {totals}"),
        kind,
        heading: title,
        count: None,
        body: head
            .into_iter()
            .chain([writes_without_outcome(view)])
            .chain(SECTIONS.map(|(heading, belongs)| {
                let heading = said_of(heading, run);
                table(view, &heading, &outcomes(run, belongs))
            }))
            .collect(),
    }
}

fn writes_without_outcome(view: &View<'_>) -> Html {
    let lines = unsettled(view);
    if lines.is_empty() {
        return Html::default();
    }
    let heading = counted_heading(UNSETTLED, lines.len());
    let items = lines.iter().map(|line| Html::text(line)).collect();
    heading.and(&Html::list("ul class=\"problems\"", items))
}

fn counted_heading(heading: &str, number: usize) -> Html {
    let heading = format!("{heading} ({})", grouped(number));
    Html::element("h3", Html::text(&heading))
}

/// What became of changes.
fn table(view: &View<'_>, heading: &str, outcomes: &[&ReportedOutcome]) -> Html {
    if outcomes.is_empty() {
        return Html::default();
    }
    let mut table = match view.people {
        People::Named => Table::new(
            "table class=\"outcomes\"",
            &format!("{heading}: what became of each change, when, and by which request"),
            &[
                "What",
                "Outcome",
                "Change",
                "When",
                "Sent",
                "Graph's request",
            ],
        ),
        People::Redacted => Table::new(
            "table class=\"tokens\"",
            &format!("{heading}: what became of each change"),
            &["What", "Outcome", "Sent"],
        ),
    };
    for reported in outcomes {
        let outcome = &reported.outcome;
        let became = outcome_said_of(outcome.outcome, view.run);
        let attempts = outcome.attempts.to_string();
        let row = match view.people {
            People::Named => vec![
                what(view, reported),
                became,
                grouped(outcome.change),
                time_with_seconds(outcome.time),
                attempts,
                outcome
                    .request_id
                    .as_deref()
                    .map_or("none".to_owned(), place),
            ],
            People::Redacted => vec![what(view, reported), became, attempts],
        };
        let row = row.iter().map(|cell| Html::text(cell)).collect();
        table.row_of(kind_of(reported).row(), row);
    }
    let part = counted_heading(heading, outcomes.len()).and(&table.into_html());
    Html::element("section", part)
}

fn kind_of(reported: &ReportedOutcome) -> Kind {
    let outcome = &reported.outcome;
    match (outcome.outcome, outcome.action) {
        (Outcome::Done, Action::Invite | Action::Add) => Kind::In,
        (Outcome::Done, Action::Update) => Kind::Change,
        (Outcome::Done, Action::Remove) => Kind::Out,
        (Outcome::Conflict | Outcome::Failed | Outcome::NotAttempted, _) => Kind::Warning,
        (Outcome::AlreadyDone | Outcome::NotWanted, _) => Kind::Plain,
    }
}
