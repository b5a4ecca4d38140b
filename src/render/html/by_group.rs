//! The changes of a plan once more, by group: how many members it has before and after, who leaves, and who joins.

use std::collections::BTreeSet;

use crate::model::ObjectId;
use crate::plan::{Add, Remove};
use crate::render::before_after::{DiffLine, GroupDiff};
use crate::render::words::{addition_reason, listed, other_members};

use super::group_list::{self, Group};
use super::markup::Html;
use super::page::{Kind, Section};
use super::plan::View;
use super::table::Table;

/// Returns the groups that change, each with everybody who leaves or joins it.
pub(super) fn by_group(view: &View<'_>, changed: &[GroupDiff<'_>]) -> Section {
    let updated: BTreeSet<&ObjectId> = view
        .changes
        .update
        .iter()
        .map(|update| &update.account.id)
        .collect();
    let groups = changed.iter().map(|diff| Group {
        label: view.labels.of_group(&diff.group.azure),
        about: numbers(view, diff),
        table: movements(view, diff, &updated),
        summary: "Who leaves and who joins",
        rows: diff.lines.len(),
    });
    group_list::by_group(groups.collect(), view.folds)
}

fn numbers(view: &View<'_>, diff: &GroupDiff<'_>) -> String {
    let keycloak = view.labels.keycloak_of(&diff.group.azure.id);
    let sentences = [
        Some(diff.before_and_after()),
        diff.staying(),
        (!keycloak.is_empty()).then(|| format!("Keycloak: {}", listed(&keycloak, "and"))),
        other_members(diff.group).map(|others| format!("Besides, {others}")),
    ];
    let sentences: Vec<String> = sentences.into_iter().flatten().collect();
    sentences.join(". ") + "."
}

fn movements(view: &View<'_>, diff: &GroupDiff<'_>, updated: &BTreeSet<&ObjectId>) -> Html {
    let label = view.labels.of_group(&diff.group.azure);
    let mut table = Table::new(
        "table class=\"movements\"",
        &format!("Who leaves and who joins {label}"),
        &view.headings("Who", &["Change", "Why"]),
    );
    for line in &diff.lines {
        let mut row: Vec<Html> = line
            .who(view.people)
            .iter()
            .map(|cell| Html::text(cell))
            .collect();
        let (kind, movement, reason) = match line {
            DiffLine::Gone(remove) => (Kind::Out, "leaves", leaving(view, remove)),
            DiffLine::New(add) => (Kind::In, joining(add, updated), addition_reason(add)),
        };
        row.extend([Html::text(movement), Html::text(&reason)]);
        table.row_of(kind.row(), row);
    }
    table.into_html()
}

fn leaving(view: &View<'_>, remove: &Remove) -> String {
    view.labels.removal_reason(remove, str::to_owned)
}

fn joining(add: &Add, updated: &BTreeSet<&ObjectId>) -> &'static str {
    match &add.account.id {
        None => "is invited and joins",
        Some(id) if updated.contains(id) => "is updated and joins",
        Some(_) => "joins",
    }
}
