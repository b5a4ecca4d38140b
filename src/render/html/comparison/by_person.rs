//! What came, what differs and what went once more, by person.

use crate::render::comparison::details::{change_details, problem_details, removals_first};
use crate::render::html::by_person::{say_changes, say_problems};
use crate::render::html::markup::Html;
use crate::render::html::page::{Kind, OPEN, Section};
use crate::render::html::people::{self, Everybody, Shown, Whom};
use crate::report::object_of;

use super::{View, then_and_now};

/// Returns everybody of whom the plans say different things, those first for whom a removal came.
pub(super) fn by_person(view: &View<'_>) -> Section {
    let comparison = view.comparison;
    let lists = [&comparison.came.changes, &comparison.went.changes];
    let number = lists.map(Vec::len).iter().sum::<usize>() + comparison.changes.len();
    let shown = Shown {
        caption: "What came, what differs and what went, of whom",
        headings: view.came.headings("Who", &["Against the older plan"]),
        first: &[("A removal came", Kind::Out)],
        others: "Everybody else",
        folds: number > OPEN,
        people: view.people,
    };
    people::by_person(&everybody(view), &shown)
}

fn everybody(view: &View<'_>) -> Everybody {
    let mut everybody = Everybody::default();
    let came = |kind, line| (kind, Html::text("came: ").and(&line));
    let went = |_, line| (Kind::Plain, Html::text("went: ").and(&line));
    say_changes(&mut everybody, &view.came, came);
    for differing in removals_first(view.comparison) {
        let (account, _) = object_of(&differing.newer);
        let (who, what) = view.subject(&differing.newer);
        let details = change_details(differing, &view.labels, view.people);
        let line = Html::text(&format!("differs: {what}")).and(&then_and_now(&details));
        let whom = Whom::new(&account.email, account.id.as_ref());
        everybody.say(whom, || who, Kind::Change, line);
    }
    say_changes(&mut everybody, &view.went, went);
    say_problems(&mut everybody, view.came.plan, came);
    for problem in &view.comparison.problems {
        let details = then_and_now(&problem_details(problem));
        let line = Html::text("differs: Problem").and(&details);
        everybody.say_problem(&problem.newer.about, Kind::Warning, &line);
    }
    say_problems(&mut everybody, view.went.plan, went);
    everybody
}
