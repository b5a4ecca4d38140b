//! What became of everybody, over all runs of a report.

use crate::render::words::{GroupLabels, People, name};

use super::entries::Entry;
use crate::render::html::markup::Html;
use crate::render::html::page::{Kind, OPEN, Section};
use crate::render::html::people::{self as list, Everybody, Shown, Whom};

/// Returns everybody, those first of whom something is not done, then those who left a group.
pub(super) fn by_person(
    entries: &[Entry<'_>],
    labels: &GroupLabels<'_>,
    people: People,
) -> Section {
    let mut everybody = Everybody::default();
    for entry in entries {
        let account = entry.account;
        let who = || {
            let cells = people.who(name(account.display_name.as_deref()), &account.email);
            cells.iter().map(|cell| Html::text(cell)).collect()
        };
        let group = entry.group.map(|group| labels.of_group(group));
        let words = entry.words(&group.unwrap_or_default());
        let line = Html::text(&match (entry.number(people), people) {
            (Some(number), People::Named) => format!("{words} (change {number})"),
            (Some(run), People::Redacted) => format!("{words} ({run})"),
            (None, _) => words,
        });
        let whom = Whom::new(&account.email, account.id.as_ref());
        everybody.say(whom, who, entry.kind, line);
    }
    let shown = Shown {
        caption: "What became of whom",
        headings: match people {
            People::Named => vec!["Who", "Address", "What became of it"],
            People::Redacted => vec!["Who", "What became of it"],
        },
        first: &[
            ("Something is not done or not known", Kind::Warning),
            ("Removal from a group", Kind::Out),
        ],
        others: "Everybody else",
        folds: entries.len() > OPEN,
        people,
    };
    list::by_person(&everybody, &shown)
}
