//! The changes of a plan once more, by person: everything that happens to somebody in one place.

use crate::plan::{AccountName, NewMember, Plan};
use crate::render::words::{
    ProblemWords, addition_reason, field_changes, invited_as, invited_name, name,
};

use super::markup::Html;
use super::page::{Kind, Section};
use super::people::{self, Everybody, Shown, Whom};
use super::plan::View;

/// Returns everybody to whom something happens, in the order of their addresses.
pub(super) fn by_person(view: &View<'_>) -> Section {
    let shown = Shown {
        caption: "What happens to whom",
        headings: view.headings("Who", &["What happens"]),
        first: &[],
        others: "",
        folds: view.folds,
        people: view.people,
    };
    let mut everybody = Everybody::default();
    say_changes(&mut everybody, view, |kind, line| (kind, line));
    say_problems(&mut everybody, view.plan, |kind, line| (kind, line));
    people::by_person(&everybody, &shown)
}

/// Says of everybody in a plan what happens to them, as the page has it said.
pub(super) fn say_changes(
    everybody: &mut Everybody,
    view: &View<'_>,
    said: impl Fn(Kind, Html) -> (Kind, Html),
) {
    let (changes, labels) = (&view.changes, &view.labels);
    let mut say = |name: String, whom: Whom<'_>, kind: Kind, line: Html| {
        let who = || view.who(name, whom.email);
        let (kind, line) = said(kind, line);
        everybody.say(whom, who, kind, line);
    };
    for remove in &changes.remove {
        let reason = labels.removal_reason(remove, str::to_owned);
        let line = about_group("leaves ", &labels.of_group(&remove.group), &reason);
        let AccountName {
            id,
            email,
            display_name,
        } = &remove.account;
        let whom = Whom::new(email, Some(id));
        say(name(display_name.as_deref()), whom, Kind::Out, line);
    }
    for invite in &changes.invite {
        let line = Html::text(&format!("is invited {}", invited_as(invite)));
        let whom = Whom::new(invite.email.as_str(), None);
        say(invited_name(invite), whom, Kind::In, line);
    }
    for update in &changes.update {
        let AccountName {
            id,
            email,
            display_name,
        } = &update.account;
        for field in field_changes(&update.fields, view.people) {
            let line = Html::text(&format!("is updated: {field}"));
            let whom = Whom::new(email, Some(id));
            say(name(display_name.as_deref()), whom, Kind::Change, line);
        }
    }
    for add in &changes.add {
        let line = about_group(
            "joins ",
            &labels.of_group(&add.group),
            &addition_reason(add),
        );
        let NewMember {
            id,
            email,
            display_name,
        } = &add.account;
        let whom = Whom::new(email.as_str(), id.as_ref());
        say(name(display_name.as_deref()), whom, Kind::In, line);
    }
}

/// Says the problems of those of whom something is said already.
pub(super) fn say_problems(
    everybody: &mut Everybody,
    plan: &Plan,
    said: impl Fn(Kind, Html) -> (Kind, Html),
) {
    for problem in &plan.problems {
        let words = ProblemWords::of(problem);
        let line = Html::text(&format!("Problem: {}", words.message));
        let (kind, line) = said(Kind::Warning, line);
        everybody.say_problem(&problem.about, kind, &line);
    }
}

fn about_group(verb: &str, group: &str, reason: &str) -> Html {
    Html::text(verb)
        .and(&Html::name(group))
        .and(&Html::text(&format!(": {reason}")))
}
