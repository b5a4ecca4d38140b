//! The changes of a plan once more, by person: everything that happens to somebody in one place.

use crate::plan::Plan;
use crate::render::redact::token_of;
use crate::render::words::{
    ProblemWords, addition_reason, field_changes, invited_as, invited_name, name,
};

use super::markup::Html;
use super::page::{Kind, Section};
use super::people::{self, Everybody, Shown};
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
    let mut say = |name: String, email: &str, kind: Kind, line: Html| {
        let who = || view.who(name, email);
        let (kind, line) = said(kind, line);
        everybody.say(token_of(email), who, kind, line);
    };
    for remove in &changes.remove {
        let reason = labels.removal_reason(remove, str::to_owned);
        let line = about_group("leaves ", &labels.of_group(&remove.group), &reason);
        let (called, email) = (&remove.account.display_name, &remove.account.email);
        say(name(called.as_deref()), email, Kind::Out, line);
    }
    for invite in &changes.invite {
        let line = Html::text(&format!("is invited {}", invited_as(invite)));
        let email = invite.email.as_str();
        say(invited_name(invite), email, Kind::In, line);
    }
    for update in &changes.update {
        let (called, email) = (&update.account.display_name, &update.account.email);
        for field in field_changes(&update.fields, view.people) {
            let line = Html::text(&format!("is updated: {field}"));
            say(name(called.as_deref()), email, Kind::Change, line);
        }
    }
    for add in &changes.add {
        let line = about_group(
            "joins ",
            &labels.of_group(&add.group),
            &addition_reason(add),
        );
        let (called, email) = (&add.account.display_name, add.account.email.as_str());
        say(name(called.as_deref()), email, Kind::In, line);
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
