//! The groups of a page, each with who comes to it and who leaves.

use crate::render::words::grouped;

use super::markup::{Anchor, Html};
use super::page::{Kind, Section, folded};

/// A group and what happens to it.
pub(super) struct Group {
    /// What it is called.
    pub label: String,
    /// What is to be said of it as a whole.
    pub about: String,
    /// Who comes and goes.
    pub table: Html,
    /// What the table is, where it is folded away.
    pub summary: &'static str,
    /// How many rows it has.
    pub rows: usize,
}

/// Returns the section with the groups in it, whose tables are folded away if there is much.
pub(super) fn by_group(groups: Vec<Group>, folds: bool) -> Section {
    let number = groups.len();
    let groups = groups.into_iter().enumerate().map(|(at, group)| {
        Html::anchored("h3", group_anchor(at), Html::text(&group.label))
            .and(&Html::element("p", Html::text(&group.about)))
            .and(&if folds {
                let summary = format!("{} ({})", group.summary, grouped(group.rows));
                folded(Html::text(&summary), &group.table)
            } else {
                group.table
            })
    });
    Section {
        anchor: Anchor::of("by-group"),
        link: "By group".to_owned(),
        kind: Kind::Plain,
        heading: "By group".to_owned(),
        count: Some(number),
        body: groups.collect(),
    }
}

/// Where a group stands among the groups.
pub(super) fn group_anchor(at: usize) -> Anchor {
    Anchor::numbered("group", at + 1)
}
