//! An audit once more, by person: which groups somebody is in and why, and which they are missing from.

use crate::audit::Audit;
use crate::model::ObjectId;
use crate::render::audit::{Document, Finding, List, Row};
use crate::render::html::markup::Html;
use crate::render::html::page::{Kind, OPEN, Section};
use crate::render::html::people::{self, Everybody, Shown, Whom};
use crate::render::words::{People, ProblemWords};

/// Returns everybody, those first of whom there is something to look into.
pub(super) fn by_person(audit: &Audit, document: &Document) -> Section {
    let mut everybody = Everybody::default();
    for group in &document.groups {
        for (row, finding) in rows_of(&group.lists) {
            say(&mut everybody, row, &in_group(finding, &group.name));
        }
    }
    for (row, finding) in rows_of(&document.lists) {
        say(&mut everybody, row, &Html::text(beside_groups(finding)));
    }
    for problem in &audit.problems {
        let words = ProblemWords::of(problem);
        let line = Html::text(&format!("Problem: {}", words.message));
        everybody.say_problem(&problem.about, Kind::Warning, &line);
    }
    let groups = document.groups.iter().map(|group| &group.lists);
    let lists = groups.chain([&document.lists]).flatten();
    let shown = Shown {
        caption: "Who is in which groups and why, and is missing from which",
        headings: vec!["Who", "Address", "What is so"],
        first: &[("To look into", Kind::Warning)],
        others: "Nothing to look into",
        folds: lists.map(|list| list.rows.len()).sum::<usize>() > OPEN,
        people: People::Named,
    };
    people::by_person(&everybody, &shown)
}

fn rows_of(lists: &[List]) -> impl Iterator<Item = (&Row, Finding)> {
    lists
        .iter()
        .flat_map(|list| list.rows.iter().map(|row| (row, list.finding)))
}

fn say(everybody: &mut Everybody, row: &Row, what: &Html) {
    let Some(email) = &row.whom else {
        return;
    };
    let account = row.id.parse::<ObjectId>().ok();
    let whom = Whom {
        email,
        account: account.as_ref(),
        person: row.person.as_ref(),
    };
    let kind = if row.to_look_into {
        Kind::Warning
    } else {
        Kind::Plain
    };
    let who = || vec![Html::text(&row.name), Html::text(&row.email)];
    let line = what.clone().and(&Html::text(&format!(": {}", row.words)));
    everybody.say(whom, who, kind, line);
}

fn in_group(finding: Finding, group: &str) -> Html {
    let (before, after) = match finding {
        Finding::Missing => ("missing from ", ""),
        Finding::Unreasoned => ("in ", " without a reason"),
        _ => ("in ", ""),
    };
    Html::text(before)
        .and(&Html::name(group))
        .and(&Html::text(after))
}

fn beside_groups(finding: Finding) -> &'static str {
    match finding {
        Finding::Pending => "has not accepted the invitation",
        Finding::Unmapped => "has an invited account and is in no mapped group",
        Finding::Updated => "a plan made now updates the account",
        Finding::Changed | Finding::Happened => "since the report",
        Finding::Unreasoned | Finding::Missing | Finding::Reasoned => "in a group",
    }
}
