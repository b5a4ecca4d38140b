//! What became of every group, over all runs of a report.

use std::collections::BTreeMap;

use crate::model::ObjectId;
use crate::render::words::{GroupLabels, People, grouped, name};

use super::entries::Entry;
use crate::render::html::group_list::{self, Group};
use crate::render::html::markup::Html;
use crate::render::html::page::{Kind, OPEN, Section};
use crate::render::html::table::Table;

/// Returns the groups: those first where something is not done, then those that somebody left.
pub(super) fn by_group(entries: &[Entry<'_>], labels: &GroupLabels<'_>, people: People) -> Section {
    let mut groups: BTreeMap<&ObjectId, Vec<&Entry<'_>>> = BTreeMap::new();
    for entry in entries {
        if let Some(group) = entry.group {
            groups.entry(&group.id).or_default().push(entry);
        }
    }
    let mut groups: Vec<(String, Vec<&Entry<'_>>)> = groups
        .into_values()
        .map(|mut entries| {
            // Of what is as urgent, the runs stay in their order.
            entries.sort_by_key(|entry| entry.urgency);
            let group = entries.first().and_then(|entry| entry.group);
            (
                group
                    .map(|group| labels.of_group(group))
                    .unwrap_or_default(),
                entries,
            )
        })
        .collect();
    groups.sort_by_cached_key(|(label, entries)| {
        let has = |kind| entries.iter().any(|entry| entry.kind == kind);
        (!has(Kind::Warning), !has(Kind::Out), label.clone())
    });
    let groups = groups.into_iter().map(|(label, entries)| Group {
        about: numbers(&entries),
        table: table(&label, &entries, people),
        label,
        summary: "What became of whom",
        rows: entries.len(),
    });
    group_list::by_group(groups.collect(), entries.len() > OPEN)
}

/// "1 removed, 2 added, 3 not done."
fn numbers(entries: &[&Entry<'_>]) -> String {
    let (rehearsed, real): (Vec<&Entry<'_>>, Vec<&Entry<'_>>) =
        entries.iter().partition(|entry| entry.is_dry_run);
    let count = |is: fn(&Entry<'_>) -> bool| real.iter().filter(|entry| is(entry)).count();
    let removed = count(|entry| entry.is_made() && entry.is_removal());
    let added = count(|entry| entry.is_made() && !entry.is_removal());
    let not_done = count(|entry| entry.kind == Kind::Warning && !entry.is_made());
    let numbers = [
        (removed, "removed"),
        (added, "added"),
        (not_done, "not done"),
        (
            real.len() - removed - added - not_done,
            "with nothing to do any more",
        ),
        (rehearsed.len(), "in dry runs"),
    ];
    let words: Vec<String> = numbers
        .iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, word)| format!("{} {word}", grouped(*number)))
        .collect();
    let where_from = if entries.iter().any(|entry| entry.is_of_several()) {
        "Over all runs: "
    } else {
        ""
    };
    format!("{where_from}{}.", words.join(", "))
}

fn table(label: &str, entries: &[&Entry<'_>], people: People) -> Html {
    let (opening, headings) = match people {
        People::Named => (
            "table class=\"movements entries\"",
            vec!["Who", "Address", "Change", "What became of it"],
        ),
        People::Redacted if entries.iter().any(|entry| entry.is_of_several()) => (
            "table class=\"movements\"",
            vec!["Who", "Run", "What became of it"],
        ),
        People::Redacted => (
            "table class=\"movements\"",
            vec!["Who", "What became of it"],
        ),
    };
    let mut table = Table::new(
        opening,
        &format!("What became of whom in {label}"),
        &headings,
    );
    for entry in entries {
        let account = entry.account;
        let mut cells = people.who(name(account.display_name.as_deref()), &account.email);
        cells.extend(entry.number(people));
        cells.push(entry.words("it"));
        table.row_of(
            entry.kind.row(),
            cells.iter().map(|cell| Html::text(cell)).collect(),
        );
    }
    table.into_html()
}
