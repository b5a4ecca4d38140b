//! Everybody a page tells of, each once, with everything that there is to say of them.

use std::collections::{BTreeSet, HashMap};

use crate::model::{ObjectId, PersonId, fold};
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
    /// What they are called: their address, or what stands for it.
    called: String,
    has_account: bool,
    lines: Vec<(Kind, Html)>,
}

impl Person {
    fn has(&self, kind: Kind) -> bool {
        self.lines.iter().any(|(of_line, _)| *of_line == kind)
    }
}

/// By what somebody is known.
#[derive(Clone, Copy)]
pub(super) struct Whom<'w> {
    /// The address, or whatever stands for it.
    pub email: &'w str,
    /// The account, if there is one already. Two accounts with one address are two.
    pub account: Option<&'w ObjectId>,
    /// Who it is in Keycloak, where that is known.
    pub person: Option<&'w PersonId>,
}

impl<'w> Whom<'w> {
    pub fn new(email: &'w str, account: Option<&'w ObjectId>) -> Self {
        Self {
            email,
            account,
            person: None,
        }
    }
}

/// Everybody.
#[derive(Default)]
pub(super) struct Everybody {
    people: Vec<Person>,
    by_account: HashMap<ObjectId, usize>,
    by_person: HashMap<PersonId, usize>,
    /// By what they are called first.
    by_address: HashMap<String, Vec<usize>>,
}

impl Everybody {
    /// Says something of somebody. What is said of them first also says in cells who they are.
    pub fn say(&mut self, whom: Whom<'_>, who: impl FnOnce() -> Vec<Html>, kind: Kind, line: Html) {
        let at = self.place_of(whom).unwrap_or_else(|| {
            self.people.push(Person {
                who: who(),
                called: fold(token_of(whom.email)),
                has_account: false,
                lines: Vec::new(),
            });
            let at = self.people.len() - 1;
            self.by_address
                .entry(fold(whom.email))
                .or_default()
                .push(at);
            at
        });
        if let Some(account) = whom.account {
            self.by_account.insert(account.clone(), at);
        }
        if let Some(person) = whom.person {
            self.by_person.insert(person.clone(), at);
        }
        let person = &mut self.people[at];
        person.has_account |= whom.account.is_some();
        person.lines.push((kind, line));
    }

    fn place_of(&self, whom: Whom<'_>) -> Option<usize> {
        let called_so = self.by_address.get(&fold(whom.email)).into_iter().flatten();
        let mut called_so = called_so.copied();
        match whom.account {
            None => called_so.next(),
            Some(account) => {
                let known = self.by_account.get(account).copied();
                known.or_else(|| called_so.find(|at| !self.people[*at].has_account))
            }
        }
    }

    /// Says a problem of those whom it is about and of whom something is said already; of others, nothing.
    pub fn say_problem(&mut self, about: &About, kind: Kind, line: &Html) {
        let account = about
            .account
            .as_ref()
            .and_then(|id| self.by_account.get(id));
        // The first address is that of the account, but where several people fit it.
        let is_accounts = account.is_some() && about.people.len() < 2;
        let emails = about.emails.iter().skip(usize::from(is_accounts));
        let by_address = emails
            .filter_map(|email| self.by_address.get(&fold(email)))
            .flatten();
        let by_person = about
            .people
            .iter()
            .filter_map(|person| self.by_person.get(person));
        let places: BTreeSet<usize> = by_address
            .chain(by_person)
            .chain(account)
            .copied()
            .collect();
        for at in places {
            self.people[at].lines.push((kind, line.clone()));
        }
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
    let mut rest: Vec<&Person> = everybody.people.iter().collect();
    rest.sort_by(|one, other| one.called.cmp(&other.called));
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
    let [first, last] =
        ends.map(|end| Html::name(&end.map_or_else(String::new, |person| address(&person.called))));
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
