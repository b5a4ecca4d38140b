//! The changes of a plan once more, by person: everything that happens to somebody in one place.

use std::collections::BTreeMap;

use crate::render::redact::{identity, token_of};
use crate::render::words::{
    ProblemWords, addition_reason, address, counted, field_changes, grouped, invited_as,
    invited_name, name,
};

use super::markup::{Anchor, Html};
use super::page::{Kind, Section, folded};
use super::plan::View;
use super::table::Table;

/// People that stand in one table where all of it is folded away.
const TABLE: usize = 100;

/// What happens to somebody.
struct Person {
    who: Vec<Html>,
    address: String,
    lines: Vec<(Kind, Html)>,
}

/// Everybody in a plan, by [`identity`].
#[derive(Default)]
struct Everybody(BTreeMap<String, Person>);

impl Everybody {
    fn say(&mut self, view: &View<'_>, name: String, email: &str, kind: Kind, line: Html) {
        let shown = token_of(email);
        let person = self.0.entry(identity(shown)).or_insert_with(|| Person {
            who: view.who(name, email),
            address: address(shown),
            lines: Vec::new(),
        });
        person.lines.push((kind, line));
    }
}

/// Returns everybody to whom something happens, in the order of their addresses.
pub(super) fn by_person(view: &View<'_>) -> Section {
    let everybody = everybody(view);
    let people: Vec<&Person> = everybody.0.values().collect();
    let body = if view.folds {
        tables(view, &people)
    } else {
        table(view, &people, "What happens to whom")
    };
    Section {
        anchor: Anchor::of("by-person"),
        link: "By person".to_owned(),
        kind: Kind::Plain,
        heading: "By person".to_owned(),
        count: Some(people.len()),
        body,
    }
}

fn everybody(view: &View<'_>) -> Everybody {
    let (changes, labels) = (&view.changes, &view.labels);
    let mut everybody = Everybody::default();
    for remove in &changes.remove {
        let reason = labels.removal_reason(remove, str::to_owned);
        let line = about_group("leaves ", &labels.of_group(&remove.group), &reason);
        let (called, email) = (&remove.account.display_name, &remove.account.email);
        everybody.say(view, name(called.as_deref()), email, Kind::Out, line);
    }
    for invite in &changes.invite {
        let line = Html::text(&format!("is invited {}", invited_as(invite)));
        let email = invite.email.as_str();
        everybody.say(view, invited_name(invite), email, Kind::In, line);
    }
    for update in &changes.update {
        let (called, email) = (&update.account.display_name, &update.account.email);
        for field in field_changes(&update.fields, view.people) {
            let line = Html::text(&format!("is updated: {field}"));
            everybody.say(view, name(called.as_deref()), email, Kind::Change, line);
        }
    }
    for add in &changes.add {
        let line = about_group(
            "joins ",
            &labels.of_group(&add.group),
            &addition_reason(add),
        );
        let (called, email) = (&add.account.display_name, add.account.email.as_str());
        everybody.say(view, name(called.as_deref()), email, Kind::In, line);
    }
    for problem in &view.plan.problems {
        if let Some(person) = everybody.0.get_mut(&identity(&problem.subject)) {
            let words = ProblemWords::of(problem);
            let line = Html::text(&format!("Problem: {}", words.message));
            person.lines.push((Kind::Warning, line));
        }
    }
    everybody
}

fn about_group(verb: &str, group: &str, reason: &str) -> Html {
    Html::text(verb)
        .and(&Html::name(group))
        .and(&Html::text(&format!(": {reason}")))
}

/// Folded tables, by whose summaries somebody is found.
fn tables(view: &View<'_>, people: &[&Person]) -> Html {
    let mut before = 0;
    let tables = people.chunks(TABLE).map(|people| {
        let numbers = format!(
            "{} to {}",
            grouped(before + 1),
            grouped(before + people.len())
        );
        before += people.len();
        let ends = [people.first(), people.last()].map(|end| {
            let address = end.map_or("", |person| person.address.as_str());
            Html::name(address)
        });
        let [first, last] = &ends;
        let summary = Html::text(&format!("{numbers}: "))
            .and(first)
            .and(&Html::text(" to "))
            .and(last);
        let caption = format!("What happens to the people {numbers}");
        folded(summary, &table(view, people, &caption))
    });
    let tables: Html = tables.collect();
    let total = counted(people.len(), "person", "people");
    let order = format!("{total}, in the order of their addresses");
    Html::element("p", Html::text(&order)).and(&tables)
}

fn table(view: &View<'_>, people: &[&Person], caption: &str) -> Html {
    let headings = view.headings("Who", &["What happens"]);
    let mut table = Table::new("table class=\"people\"", caption, &headings);
    for Person { who, lines, .. } in people {
        let lines = lines
            .iter()
            .map(|(kind, line)| Html::element(kind.item(), line.clone()));
        let mut row = who.clone();
        row.push(Html::element("ul", lines.collect()));
        table.row(row);
    }
    table.into_html()
}
