//! Everybody a page tells of, each once, with everything that there is to say of them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::model::{PersonId, fold};
use crate::plan::About;
use crate::render::redact::token_of;
use crate::render::words::{People, address, counted, grouped};

use super::markup::{Anchor, Html};
use super::page::{Kind, Section, folded};
use super::table::Table;

/// People that stand in one table where all of it is folded away.
const TABLE: usize = 100;

/// Somebody.
struct Person {
    who: Vec<Html>,
    address: String,
    lines: Vec<(Kind, Html)>,
}

impl Person {
    fn has(&self, kind: Kind) -> bool {
        self.lines.iter().any(|(of_line, _)| *of_line == kind)
    }
}

/// Everybody.
#[derive(Default)]
pub(super) struct Everybody {
    /// By their address, or what stands for it, in lower case.
    people: BTreeMap<String, Person>,
    /// What people in Keycloak are here.
    in_keycloak: HashMap<PersonId, String>,
}

impl Everybody {
    /// Says something of somebody who is known by an address, or by whatever stands for it. What is said of them first also says in
    /// cells who they are.
    pub fn say(&mut self, email: &str, who: impl FnOnce() -> Vec<Html>, kind: Kind, line: Html) {
        let person = self.people.entry(fold(email)).or_insert_with(|| Person {
            who: who(),
            address: address(email),
            lines: Vec::new(),
        });
        person.lines.push((kind, line));
    }

    /// The same of those whom a problem is about and of whom something is said already; of others, nothing.
    pub fn say_problem(&mut self, about: &About, kind: Kind, line: &Html) {
        let by_address = about.emails.iter().map(|email| fold(token_of(email)));
        let in_keycloak = about.people.iter();
        let in_keycloak = in_keycloak.filter_map(|person| self.in_keycloak.get(person).cloned());
        for whom in by_address.chain(in_keycloak).collect::<BTreeSet<_>>() {
            if let Some(person) = self.people.get_mut(&whom) {
                person.lines.push((kind, line.clone()));
            }
        }
    }

    /// Says who somebody is in Keycloak.
    pub fn identify(&mut self, person: &PersonId, email: &str) {
        self.in_keycloak.insert(person.clone(), fold(email));
    }
}

/// How people are shown.
pub(super) struct Shown {
    /// What the tables say of them.
    pub caption: &'static str,
    /// The headings of the tables, the last of which is that of the lines.
    pub headings: Vec<&'static str>,
    /// Who comes first: everybody with a line of a kind, below a heading.
    pub first: &'static [(&'static str, Kind)],
    /// The heading of all others, if anybody comes first.
    pub others: &'static str,
    /// Whether the tables are folded away.
    pub folds: bool,
    /// How people are called.
    pub people: People,
}

/// Returns the section with everybody in it. Below each heading they stand in the order of their addresses, or
/// of what stands for these.
pub(super) fn by_person(everybody: &Everybody, shown: &Shown) -> Section {
    let mut rest: Vec<&Person> = everybody.people.values().collect();
    let mut body = Html::default();
    for (heading, kind) in shown.first {
        let (these, others): (Vec<&Person>, Vec<&Person>) =
            rest.into_iter().partition(|person| person.has(*kind));
        body = body.and(&part(heading, &these, shown));
        rest = others;
    }
    let others = if body.is_empty() {
        tables(&rest, shown)
    } else {
        part(shown.others, &rest, shown)
    };
    Section {
        anchor: Anchor::of("by-person"),
        link: "By person".to_owned(),
        kind: Kind::Plain,
        heading: "By person".to_owned(),
        count: Some(everybody.people.len()),
        body: body.and(&others),
    }
}

fn part(heading: &str, people: &[&Person], shown: &Shown) -> Html {
    if people.is_empty() {
        return Html::default();
    }
    let heading = format!("{heading} ({})", grouped(people.len()));
    Html::element("h3", Html::text(&heading)).and(&tables(people, shown))
}

fn tables(people: &[&Person], shown: &Shown) -> Html {
    if !shown.folds {
        return table(people, shown, shown.caption);
    }
    let mut before = 0;
    let tables = people.chunks(TABLE).map(|people| {
        let numbers = format!(
            "{} to {}",
            grouped(before + 1),
            grouped(before + people.len())
        );
        before += people.len();
        let caption = format!("{}, {numbers}", shown.caption);
        folded(summary(&numbers, people), &table(people, shown, &caption))
    });
    let tables: Html = tables.collect();
    let total = counted(people.len(), "person", "people");
    let by = match shown.people {
        People::Named => "addresses",
        People::Redacted => "tokens",
    };
    let order = format!("{total}, in the order of their {by}");
    Html::element("p", Html::text(&order)).and(&tables)
}

/// By which somebody is found who is folded away.
fn summary(numbers: &str, people: &[&Person]) -> Html {
    let ends = [people.first(), people.last()];
    let [first, last] = ends.map(|end| Html::name(end.map_or("", |person| &person.address)));
    Html::text(&format!("{numbers}: "))
        .and(&first)
        .and(&Html::text(" to "))
        .and(&last)
}

fn table(people: &[&Person], shown: &Shown, caption: &str) -> Html {
    let mut table = Table::new("table class=\"people\"", caption, &shown.headings);
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
