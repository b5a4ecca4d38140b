//! An audit as a page: the answer, what is to be looked into, each group with everybody in it, the same by person, and what was read.

mod by_person;

use crate::audit::Audit;
use crate::render::audit::{Document, List};
use crate::render::words::ProblemWords;

use self::by_person::by_person;
use super::markup::{Anchor, Html};
use super::page::{Kind, Page, Section, facts};
use super::plan::problem_item;
use super::table::Table;

/// Returns an audit as a page for a browser, complete in one file.
pub fn audit_html(audit: &Audit) -> String {
    let document = Document::of(audit);
    let heading = "Audit";
    let kind = if document.in_order {
        Kind::Plain
    } else {
        Kind::Warning
    };
    let answer = Html::element("strong", Html::text(&document.answer));
    let groups = document.groups.iter().enumerate().map(|(at, group)| {
        let facts = Html::element("p", Html::text(&group.facts));
        section(
            ("group", at),
            format!("Group {}", group.name),
            &facts,
            &group.lists,
        )
    });
    let lists = document.lists.iter().enumerate().map(|(at, list)| {
        let only = std::slice::from_ref(list);
        section(("list", at), list.counted_heading(), &Html::default(), only)
    });
    let read = document.evidence.iter();
    let read = facts(read.map(|(name, fact)| (*name, Html::text(fact))).collect());
    Page {
        title: format!("{heading}: {}", document.answer),
        head: Html::element("h1", Html::text(heading)).and(&Html::element(kind.notice(), answer)),
        sections: [problems(&document.problems)]
            .into_iter()
            .chain(groups)
            .chain(lists)
            .chain([
                by_person(audit, &document),
                Section {
                    anchor: Anchor::of("read"),
                    link: "What was read".to_owned(),
                    kind: Kind::Plain,
                    heading: "What was read".to_owned(),
                    count: None,
                    body: read,
                },
            ])
            .collect(),
        foot: Html::default(),
    }
    .into_string()
}

fn problems(problems: &[ProblemWords]) -> Section {
    let items: Vec<Html> = problems.iter().map(problem_item).collect();
    Section {
        anchor: Anchor::of("problems"),
        link: "Problems".to_owned(),
        kind: Kind::Warning,
        heading: "Problems".to_owned(),
        count: Some(items.len()),
        body: Html::list("ul class=\"problems\"", items),
    }
}

fn section(
    (what, at): (&'static str, usize),
    heading: String,
    about: &Html,
    lists: &[List],
) -> Section {
    let to_look_into = lists
        .iter()
        .flat_map(|list| &list.rows)
        .any(|row| row.to_look_into);
    let tables = lists.iter().map(table).collect::<Html>();
    let body = about.clone().and(&tables);
    Section {
        anchor: Anchor::numbered(what, at + 1),
        link: heading.clone(),
        kind: if to_look_into {
            Kind::Warning
        } else {
            Kind::Plain
        },
        heading,
        count: None,
        // A list without anybody in it is an answer as well.
        body: if body.is_empty() {
            Html::element("p", Html::text("Nothing to look into."))
        } else {
            body
        },
    }
}

fn table(list: &List) -> Html {
    let mut table = Table::new(
        "table class=\"audit\"",
        &list.counted_heading(),
        &["Who", "Look into", "Address", "Account", "What", "Id"],
    );
    for row in &list.rows {
        let [name, email, account, words] = row.cells();
        let (kind, look) = if row.to_look_into {
            (Kind::Warning, "yes")
        } else {
            (Kind::Plain, "no")
        };
        let cells = [name, look, email, account, words, &row.id];
        table.row_of(kind.row(), cells.map(Html::text).to_vec());
    }
    table.into_html()
}
