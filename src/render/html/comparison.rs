//! A plan held against an older one as a page: the answer, who is to be removed now and was not, what else came, what differs, what went;
//! then limits, problems, groups and settings, and the changes once more by person.
//!
//! As on the page of a plan, lists are complete and never folded away, and only what is said again is.

mod blocks_and_problems;
mod by_person;

use crate::compare::Comparison;
use crate::plan::{Change, Plan};
use crate::render::comparison::details::{
    Labels, ThenAndNow, change_details, group_words, removals_first,
};
use crate::render::comparison::settings::{Otherwise, settings};
use crate::render::comparison::{
    CAME, DIFFERS, GROUPS, HEADING, OTHERWISE, WENT, answer, same_plan, verdict, warnings,
};
use crate::render::words::{People, place, time};

use self::blocks_and_problems::{blocks, problems};
use self::by_person::by_person;
use super::markup::{Anchor, Html};
use super::page::{Kind, Page, Section, facts};
use super::plan::{View as PlanView, additions, invitations, notice, redaction, removals, updates};
use super::table::Table;

/// Returns a comparison as a page for a browser, complete in one file.
pub fn comparison_html(comparison: &Comparison) -> String {
    page(comparison, People::Named)
}

pub(in crate::render) fn page(comparison: &Comparison, people: People) -> String {
    let page = match same_plan(comparison) {
        Some(answer) => Page {
            title: format!("{HEADING}: the same plan"),
            head: heading(&[]).and(&answered(&answer)),
            sections: Vec::new(),
            foot: Html::default(),
        },
        None => of_two(&View::of(comparison, people)),
    };
    page.into_string()
}

/// A comparison, and what most of its page needs of it.
struct View<'c> {
    comparison: &'c Comparison,
    people: People,
    labels: Labels<'c>,
    came: PlanView<'c>,
    went: PlanView<'c>,
}

impl<'c> View<'c> {
    fn of(comparison: &'c Comparison, people: People) -> Self {
        Self {
            comparison,
            people,
            labels: Labels::of(comparison),
            came: PlanView::of(&comparison.came, people),
            went: PlanView::of(&comparison.went, people),
        }
    }

    /// Returns whom a change is about, in cells, and what it does.
    fn subject(&self, change: &Change) -> (Vec<Html>, String) {
        let mut cells = self.labels.subject(change, self.people);
        let what = cells.pop().unwrap_or_default();
        let what = match change {
            Change::Add(_) => format!("to add {what}"),
            Change::Remove(_) => format!("to remove {what}"),
            Change::Invite(_) | Change::Update(_) => what,
        };
        (cells.iter().map(|cell| Html::text(cell)).collect(), what)
    }
}

fn of_two(view: &View<'_>) -> Page {
    let comparison = view.comparison;
    let answer = answer(comparison);
    let verdict = verdict(comparison);
    let title = verdict.map_or(String::new(), |words| format!("{words}, "));
    let kind = if comparison.is_blocked {
        Kind::Out
    } else {
        Kind::Warning
    };
    let verdict = verdict.map(|words| {
        let words = Html::text(&format!("This plan is {words}."));
        notice(kind, Html::element("strong", words))
    });
    let plans = [
        ("This plan", &comparison.came),
        ("The older one", &comparison.went),
    ];
    let head = [
        heading(&warnings(comparison)),
        answered(&answer),
        verdict.unwrap_or_default(),
        redaction(view.people),
        facts(plans.map(|(name, plan)| (name, made(plan))).into()),
    ];
    Page {
        title: format!("{HEADING}: {title}{answer}"),
        head: head.into_iter().collect(),
        sections: sections(view),
        foot: Html::default(),
    }
}

/// What it is, and what has to be known before the answer.
fn heading(warnings: &[String]) -> Html {
    let warnings = warnings.iter().map(|words| Html::text(words));
    Html::element("h1", Html::text(HEADING)).and(&Html::each(Kind::Out.notice(), warnings))
}

fn answered(answer: &str) -> Html {
    Html::element("p class=\"answer\"", Html::text(answer))
}

fn made(plan: &Plan) -> Html {
    Html::text(&format!("made on {}, ", time(plan.created_at)))
        .and(&Html::code(&place(&plan.plan_id)))
}

fn sections(view: &View<'_>) -> Vec<Section> {
    let came = changes(&view.came).map(|section| Section {
        link: format!("Came: {}", section.link.to_lowercase()),
        heading: format!("{}: {CAME}", section.heading),
        ..section
    });
    let mut sections = Vec::from(came);
    sections.extend([
        differs(view),
        Section {
            anchor: Anchor::of("went"),
            link: "Went".to_owned(),
            kind: Kind::Plain,
            heading: format!("Went: {WENT}"),
            count: Some(view.went.plan.changes.len()),
            body: parts(changes(&view.went)),
        },
    ]);
    sections.extend(blocks(view.comparison));
    sections.extend(problems(view.comparison));
    sections.extend([groups(view), otherwise(view.comparison), by_person(view)]);
    sections
}

/// The changes of a plan, as its page shows them.
fn changes(view: &PlanView<'_>) -> [Section; 4] {
    [
        removals(view),
        invitations(view),
        updates(view),
        additions(view),
    ]
}

fn parts(sections: impl IntoIterator<Item = Section>) -> Html {
    sections.into_iter().map(Section::into_part).collect()
}

fn differs(view: &View<'_>) -> Section {
    let mut table = Table::new(
        "table class=\"differences\"",
        "What the older plan said of each change then, and what this one says now",
        &view.came.headings("Who", &["Change", "What differs"]),
    );
    for differing in removals_first(view.comparison) {
        let (mut row, what) = view.subject(&differing.newer);
        let details = change_details(differing, &view.labels, view.people);
        row.extend([Html::text(&what), then_and_now(&details)]);
        table.row_of(kind_of(&differing.newer).row(), row);
    }
    Section {
        anchor: Anchor::of("differs"),
        link: "Differs".to_owned(),
        kind: Kind::Change,
        heading: format!("Differs: {DIFFERS}"),
        count: Some(view.comparison.changes.len()),
        body: table.into_html(),
    }
}

fn kind_of(change: &Change) -> Kind {
    match change {
        Change::Remove(_) => Kind::Out,
        Change::Update(_) => Kind::Change,
        Change::Invite(_) | Change::Add(_) => Kind::In,
    }
}

fn then_and_now(details: &[ThenAndNow]) -> Html {
    let lines = details.iter().flat_map(ThenAndNow::lines);
    let lines = lines.map(|(when, words)| Html::text(&format!("{when}: {words}")));
    Html::each("div", lines)
}

fn groups(view: &View<'_>) -> Section {
    let groups = view.comparison.groups();
    let mut table = Table::new(
        "table class=\"differences\"",
        "What the plans say differently of each group",
        &["Azure group", "What differs"],
    );
    for difference in &groups {
        let (group, words) = group_words(difference, &view.labels);
        table.row(vec![Html::text(&group), Html::text(&words)]);
    }
    Section {
        anchor: Anchor::of("groups"),
        link: "Groups".to_owned(),
        kind: Kind::Plain,
        heading: format!("Groups {GROUPS}"),
        count: Some(groups.len()),
        body: table.into_html(),
    }
}

fn otherwise(comparison: &Comparison) -> Section {
    let settings = settings(comparison);
    let items = settings.iter().map(Otherwise::words);
    let items: Vec<Html> = items.map(|words| Html::text(&words)).collect();
    Section {
        anchor: Anchor::of("otherwise"),
        link: "Settings".to_owned(),
        kind: Kind::Plain,
        heading: OTHERWISE.to_owned(),
        count: Some(items.len()),
        body: Html::list("ul", items),
    }
}
