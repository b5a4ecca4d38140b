//! What became of every group, over all runs of a report.

use std::collections::BTreeMap;

use crate::model::ObjectId;
use crate::render::words::{GroupLabels, address, grouped, name};

use super::fates::Fate;
use crate::render::html::group_list::{self, Group};
use crate::render::html::markup::Html;
use crate::render::html::page::{Kind, OPEN, Section};
use crate::render::html::table::Table;

/// Returns the groups: those first where something is not done, then those that somebody left.
pub(super) fn by_group(fates: &[Fate<'_>], labels: &GroupLabels<'_>) -> Section {
    let mut groups: BTreeMap<&ObjectId, Vec<&Fate<'_>>> = BTreeMap::new();
    for fate in fates {
        if let Some(group) = fate.group {
            groups.entry(&group.id).or_default().push(fate);
        }
    }
    let mut groups: Vec<(String, Vec<&Fate<'_>>)> = groups
        .into_values()
        .map(|mut fates| {
            // Of what is as urgent, the runs stay in their order.
            fates.sort_by_key(|fate| fate.urgency);
            let group = fates.first().and_then(|fate| fate.group);
            (
                group
                    .map(|group| labels.of_group(group))
                    .unwrap_or_default(),
                fates,
            )
        })
        .collect();
    groups.sort_by_cached_key(|(label, fates)| {
        let has = |kind| fates.iter().any(|fate| fate.kind == kind);
        (!has(Kind::Warning), !has(Kind::Out), label.clone())
    });
    let groups = groups.into_iter().map(|(label, fates)| Group {
        about: numbers(&fates),
        table: table(&label, &fates),
        label,
        summary: "What became of whom",
        rows: fates.len(),
    });
    group_list::by_group(groups.collect(), fates.len() > OPEN)
}

/// "1 removed, 2 added, 3 not done."
fn numbers(fates: &[&Fate<'_>]) -> String {
    let count = |is: &dyn Fn(&Fate<'_>) -> bool| fates.iter().filter(|fate| is(fate)).count();
    let removed = count(&|fate| fate.is_made() && fate.is_removal());
    let added = count(&|fate| fate.is_made() && !fate.is_removal());
    let not_done = count(&|fate| fate.kind == Kind::Warning && !fate.is_made());
    let numbers = [
        (removed, "removed"),
        (added, "added"),
        (not_done, "not done"),
        (fates.len() - removed - added - not_done, "nothing done"),
    ];
    let words: Vec<String> = numbers
        .iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, word)| format!("{} {word}", grouped(*number)))
        .collect();
    let where_from = if fates.iter().any(|fate| fate.is_of_several()) {
        "Over all runs: "
    } else {
        ""
    };
    format!("{where_from}{}.", words.join(", "))
}

fn table(label: &str, fates: &[&Fate<'_>]) -> Html {
    let mut table = Table::new(
        "table class=\"movements fates\"",
        &format!("What became of whom in {label}"),
        &["Who", "Address", "Change", "What became of it"],
    );
    for fate in fates {
        let cells = [
            name(fate.account.display_name.as_deref()),
            address(&fate.account.email),
            fate.number(),
            fate.words("it"),
        ];
        table.row_of(
            fate.kind.row(),
            cells.iter().map(|cell| Html::text(cell)).collect(),
        );
    }
    table.into_html()
}
