//! A plan as a page: the answer, then every change by what it does, removals first, then the same by group and by person.
//!
//! The lists of changes are complete and never folded away, however long. What stands below them says the same again in another
//! order, and is folded where it is long.

use std::collections::BTreeMap;

use crate::model::ObjectId;
use crate::plan::{Plan, PlanKind};
use crate::render::before_after::{GroupDiff, changed_groups};
use crate::render::flags::{lifting_command, override_flags, shell_flag, shell_word};
use crate::render::text::REDACTED;
use crate::render::words::{
    ABOUT_TEXT, Changes, GroupLabels, PROBLEM_HEADINGS, People, ProblemWords, Reception, UndoWords,
    addition_reason, address, addresses_of_removed, again, already_so, blocks_with_questions,
    changed_first, configuration, counted, federation, field_changes, grouped, invited_as,
    invited_name, losses, name, nothing_to_do, other_members, place, sentence, time, totals,
    undo_words,
};

use super::by_group::by_group;
use super::by_person::by_person;
use super::group_list::group_anchor;
use super::markup::{Anchor, Html};
use super::page::{Kind, OPEN, Page, Section, facts, folded};
use super::table::Table;

/// Returns a plan as a page for a browser, complete in one file.
pub fn html(plan: &Plan) -> String {
    page(plan, People::Named)
}

pub(in crate::render) fn page(plan: &Plan, people: People) -> String {
    let view = View::of(plan, people);
    Page {
        title: format!("{}: {}", heading(plan), verdict_and_totals(plan)),
        head: head(&view),
        sections: if nothing_to_do(plan).is_some() {
            Vec::new()
        } else {
            sections(&view)
        },
        foot: foot(plan),
    }
    .into_string()
}

/// A plan, and what most of its page needs of it.
pub(super) struct View<'a> {
    pub plan: &'a Plan,
    pub people: People,
    pub labels: GroupLabels<'a>,
    pub changes: Changes<'a>,
    /// Whether what is said again is folded away.
    pub folds: bool,
}

impl<'a> View<'a> {
    pub fn of(plan: &'a Plan, people: People) -> Self {
        Self {
            plan,
            people,
            labels: GroupLabels::of(plan),
            changes: Changes::of(plan),
            folds: plan.changes.len() > OPEN,
        }
    }

    /// The headings of a table whose first cells say who somebody is.
    pub fn headings(&self, who: &'static str, rest: &[&'static str]) -> Vec<&'static str> {
        let address = (self.people == People::Named).then_some("Address");
        let rest = rest.iter().copied();
        [who].into_iter().chain(address).chain(rest).collect()
    }

    /// The cells that say who somebody is.
    pub fn who(&self, name: String, email: &str) -> Vec<Html> {
        let cells = self.people.who(name, email);
        cells.iter().map(|cell| Html::text(cell)).collect()
    }
}

fn heading(plan: &Plan) -> &'static str {
    match plan.kind {
        PlanKind::Sync => "Keycloak → Entra plan",
        PlanKind::Undo => "Keycloak → Entra undo",
    }
}

fn verdict_and_totals(plan: &Plan) -> String {
    if plan.is_blocked() {
        format!("blocked, {}", totals(plan))
    } else {
        totals(plan)
    }
}

fn head(view: &View<'_>) -> Html {
    let plan = view.plan;
    let nothing = nothing_to_do(plan);
    let answer = nothing.clone().unwrap_or_else(|| totals(plan));
    let parts = [
        Html::element("h1", Html::text(heading(plan))),
        Html::element("p class=\"answer\"", Html::text(&answer)),
        if nothing.is_none() {
            notices(view)
        } else {
            Html::default()
        },
        about(plan),
    ];
    parts.into_iter().collect()
}

/// What to know before anything else.
fn notices(view: &View<'_>) -> Html {
    let plan = view.plan;
    let mut notices = vec![verdict(plan), blocks(plan)];
    if let Some(losses) = losses(&view.changes.remove) {
        let losses = format!("{losses}. Each is listed below with its reason.");
        notices.push(notice(Kind::Out, Html::text(&losses)));
    }
    if let Some(UndoWords { run, warning }) = undo_words(plan) {
        let words = format!("{run}. {warning}");
        notices.push(notice(Kind::Warning, Html::text(&words)));
    }
    notices.push(redaction(view.people));
    notices.push(overrides(plan));
    notices.push(scope(plan));
    notices.into_iter().collect()
}

pub(super) fn notice(kind: Kind, content: Html) -> Html {
    Html::element(kind.notice(), content)
}

/// Says that people are tokens.
pub(super) fn redaction(people: People) -> Html {
    if people == People::Named {
        return Html::default();
    }
    let words = Html::text(&format!("Redacted: {REDACTED} "));
    let command = Html::code("keycloak-to-azure show PLAN");
    notice(Kind::Warning, words.and(&command))
}

fn verdict(plan: &Plan) -> Html {
    let strong = |words: &str| Html::element("strong", Html::text(words));
    if plan.is_blocked() {
        let limits = counted(plan.blocks.len(), "safety limit", "safety limits");
        let words = strong("Blocked: cannot be applied.");
        let why = Html::text(&format!(
            " The plan exceeds {limits}. It can be read, not applied."
        ));
        return notice(Kind::Out, words.and(&why));
    }
    if plan.changes.is_empty() {
        return notice(Kind::Plain, strong("There is nothing to apply."));
    }
    let is_as_usual = override_flags(&plan.overrides).is_empty();
    notice(
        Kind::In,
        strong(if is_as_usual {
            "Within the safety limits: it can be applied."
        } else {
            "Within the safety limits as they are set for this plan: it can be applied."
        }),
    )
}

/// The limits that the plan exceeds, with how to go on.
pub(super) fn blocks(plan: &Plan) -> Html {
    let items = blocks_with_questions(plan).map(|(block, question)| {
        let right = Html::text(&format!("If that is right: {} with ", again(plan.kind)))
            .and(&Html::code(&shell_flag(&block.flag)));
        let not = question.map(|question| Html::text(&format!("If it is not: {question}")));
        let ways = [right].into_iter().chain(not).collect();
        Html::text(&sentence(&block.message)).and(&Html::list("ul", ways))
    });
    Html::list("ul class=\"blocks\"", items.collect())
}

fn overrides(plan: &Plan) -> Html {
    let flags = override_flags(&plan.overrides);
    let items = flags.iter().map(|(flag, meaning)| {
        Html::code(&shell_flag(flag)).and(&Html::text(&format!(": {meaning}")))
    });
    titled_list("Set for this plan", items.collect())
}

fn scope(plan: &Plan) -> Html {
    let mappings = plan.scope.iter().flatten().map(|mapping| {
        Html::name(&place(mapping.keycloak.as_str()))
            .and(&Html::text(" → "))
            .and(&Html::name(&place(&mapping.azure.name)))
    });
    titled_list(
        "Only for some groups. The changes of all other groups are left out",
        mappings.collect(),
    )
}

fn titled_list(title: &str, items: Vec<Html>) -> Html {
    let list = Html::list("ul", items);
    if list.is_empty() {
        return list;
    }
    let title = Html::element("strong", Html::text(&format!("{title}:")));
    Html::element("div class=\"notice warning\"", title.and(&list))
}

/// Which plan this is, and which directories it is about.
fn about(plan: &Plan) -> Html {
    let keycloak = Html::name(&place(&plan.source.url))
        .and(&Html::text(" realm "))
        .and(&Html::name(&place(&plan.source.realm)));
    let entra = Html::name(&place(&plan.target.tenant_name))
        .and(&Html::text(&format!(" (tenant {})", plan.target.tenant_id)));
    let federation = match plan.kind {
        PlanKind::Sync => federation(plan),
        PlanKind::Undo => "Keycloak is not asked for this plan.".to_owned(),
    };
    facts(vec![
        ("Plan", Html::code(&place(&plan.plan_id))),
        ("Made", Html::text(&made(plan))),
        ("Keycloak", keycloak),
        ("People", Html::text(&federation)),
        ("Entra", entra),
        ("Configuration", Html::code(&configuration(plan))),
        ("As it is", Html::text(&already_so(plan))),
    ])
}

fn made(plan: &Plan) -> String {
    format!(
        "on {} by keycloak-to-azure {}",
        time(plan.created_at),
        place(&plan.tool_version)
    )
}

fn sections(view: &View<'_>) -> Vec<Section> {
    let changed = changed_groups(view.plan);
    let mut sections = vec![removals(view)];
    sections.extend(problems(view.plan));
    sections.extend([
        invitations(view),
        updates(view),
        additions(view),
        groups(view, &changed),
        by_group(view, &changed),
        by_person(view),
        who_to_tell(view),
    ]);
    sections.extend(next_step(view.plan));
    sections
}

pub(super) fn removals(view: &View<'_>) -> Section {
    let mut table = Table::new(
        "table class=\"remove\"",
        "Who loses which membership, and why",
        &view.headings("Who is removed", &["From", "Why"]),
    );
    for remove in &view.changes.remove {
        let mut row = view.who(
            name(remove.account.display_name.as_deref()),
            &remove.account.email,
        );
        row.push(Html::text(&view.labels.of_group(&remove.group)));
        let reason = view.labels.removal_reason(remove, str::to_owned);
        row.push(Html::text(&reason));
        table.row(row);
    }
    Section {
        anchor: Anchor::of("remove"),
        link: "Remove".to_owned(),
        kind: Kind::Out,
        heading: "Remove".to_owned(),
        count: Some(view.changes.remove.len()),
        body: table.into_html(),
    }
}

pub(super) fn problems(plan: &Plan) -> Vec<Section> {
    let links = [("problems", "Problems"), ("look", "To look at")];
    let headings = links.into_iter().zip(PROBLEM_HEADINGS);
    let sections = headings.map(|((anchor, link), (heading, belongs))| {
        let problems = plan.problems.iter();
        let items: Vec<Html> = problems
            .filter(|problem| belongs(problem.code))
            .map(|problem| problem_item(&ProblemWords::of(problem)))
            .collect();
        Section {
            anchor: Anchor::of(anchor),
            link: link.to_owned(),
            kind: Kind::Warning,
            heading: heading.to_owned(),
            count: Some(items.len()),
            body: Html::list("ul class=\"problems\"", items),
        }
    });
    sections.collect()
}

/// A problem as an item of a list: who or what it is about, what it is, and what to do.
pub(super) fn problem_item(problem: &ProblemWords) -> Html {
    let ProblemWords {
        subject,
        message,
        hint,
    } = problem;
    let hint = hint
        .iter()
        .map(|hint| Html::text(&format!("What to do: {hint}")));
    Html::element("strong", Html::name(subject))
        .and(&Html::text(&format!(" {message}")))
        .and(&Html::each("div", hint))
}

pub(super) fn invitations(view: &View<'_>) -> Section {
    let invitations = &view.changes.invite;
    let shared = Reception::shared(invitations, view.people);
    let each = shared.is_none().then_some("Reception");
    let rest: Vec<&str> = ["How"].into_iter().chain(each).collect();
    let mut table = Table::new(
        "table class=\"invite\"",
        "Who gets an account",
        &view.headings("Who is invited", &rest),
    );
    for invite in invitations {
        let mut row = view.who(invited_name(invite), invite.email.as_str());
        row.push(Html::text(&invited_as(invite)));
        if shared.is_none() {
            row.push(Html::text(
                &Reception::of(invite, view.people).in_one_line(),
            ));
        }
        table.row(row);
    }
    let about_all = shared
        .as_ref()
        .map(|shared| Html::text(&format!("For all of them: {}.", shared.sentence)));
    Section {
        anchor: Anchor::of("invite"),
        link: "Invite".to_owned(),
        kind: Kind::In,
        heading: "Invite".to_owned(),
        count: Some(invitations.len()),
        body: Html::each("p", about_all)
            .and(&mail_text(shared.as_ref()))
            .and(&table.into_html()),
    }
}

/// The text that is given to all mails: it speaks in the reviewers' name.
fn mail_text(shared: Option<&Reception>) -> Html {
    let lines: Vec<&String> = shared.iter().flat_map(|shared| &shared.text).collect();
    if lines.is_empty() {
        return Html::default();
    }
    let quoted = Html::each("p", lines.into_iter().map(|line| Html::text(line)));
    Html::element("p", Html::text(ABOUT_TEXT)).and(&Html::element("blockquote", quoted))
}

pub(super) fn updates(view: &View<'_>) -> Section {
    let mut table = Table::new(
        "table class=\"update\"",
        "Whose account changes, and how",
        &view.headings("Who is updated", &["What changes"]),
    );
    for update in &view.changes.update {
        let mut row = view.who(
            name(update.account.display_name.as_deref()),
            &update.account.email,
        );
        let fields = field_changes(&update.fields, view.people);
        row.push(Html::each(
            "div",
            fields.iter().map(|field| Html::text(field)),
        ));
        table.row(row);
    }
    Section {
        anchor: Anchor::of("update"),
        link: "Update".to_owned(),
        kind: Kind::Change,
        heading: "Update".to_owned(),
        count: Some(view.changes.update.len()),
        body: table.into_html(),
    }
}

pub(super) fn additions(view: &View<'_>) -> Section {
    let mut table = Table::new(
        "table class=\"add\"",
        "Who joins which group, and why",
        &view.headings("Who is added", &["To", "Why"]),
    );
    for add in &view.changes.add {
        let mut row = view.who(
            name(add.account.display_name.as_deref()),
            add.account.email.as_str(),
        );
        row.push(Html::text(&view.labels.of_group(&add.group)));
        row.push(Html::text(&addition_reason(add)));
        table.row(row);
    }
    Section {
        anchor: Anchor::of("add"),
        link: "Add".to_owned(),
        kind: Kind::In,
        heading: "Add".to_owned(),
        count: Some(view.changes.add.len()),
        body: table.into_html(),
    }
}

/// All groups of the plan; those that change lead to who comes and goes.
fn groups(view: &View<'_>, changed: &[GroupDiff<'_>]) -> Section {
    let anchors: BTreeMap<&ObjectId, Anchor> = changed
        .iter()
        .enumerate()
        .map(|(at, diff)| (&diff.group.azure.id, group_anchor(at)))
        .collect();
    let is_mapped = view.plan.groups.iter().any(|it| !it.keycloak.is_empty());
    let keycloak = is_mapped.then_some("Keycloak group");
    let headings: Vec<&str> = ["Azure group"]
        .into_iter()
        .chain(keycloak)
        .chain(["Now", "After", "Join", "Leave"])
        .collect();
    let mut table = Table::new(
        "table class=\"groups\"",
        "How many members each group has now and after the plan, and how many join and leave",
        &headings,
    );
    for (group, (added, removed)) in changed_first(view.plan) {
        let label = Html::text(&view.labels.of_group(&group.azure));
        let label = match anchors.get(&group.azure.id) {
            Some(anchor) => Html::link(*anchor, label),
            None => label,
        };
        let others = other_members(group).map(|others| Html::text(&format!("with {others}")));
        let mut row = vec![label.and(&Html::each("div class=\"soft\"", others))];
        if is_mapped {
            let paths = view.labels.keycloak_of(&group.azure.id);
            row.push(Html::each("div", paths.iter().map(|path| Html::text(path))));
        }
        let numbers = [group.members_before, group.members_after, added, removed];
        row.extend(numbers.map(|number| Html::text(&grouped(number))));
        table.row(row);
    }
    Section {
        anchor: Anchor::of("groups"),
        link: "Groups".to_owned(),
        kind: Kind::Plain,
        heading: "Groups".to_owned(),
        count: Some(view.plan.groups.len()),
        body: table.into_html(),
    }
}

fn who_to_tell(view: &View<'_>) -> Section {
    // Tokens are nobody's address.
    let emails = match view.people {
        People::Named => addresses_of_removed(&view.changes.remove),
        People::Redacted => [].into(),
    };
    let number = emails.len();
    let items = emails.iter().map(|email| Html::text(&address(email)));
    let list = Html::list("ul class=\"addresses\"", items.collect());
    let body = if view.folds && number > 0 {
        let summary = counted(number, "address", "addresses");
        folded(Html::text(&summary), &list)
    } else {
        list
    };
    Section {
        anchor: Anchor::of("tell"),
        link: "Who to tell".to_owned(),
        kind: Kind::Plain,
        heading: "Who to tell: the addresses of the people removed".to_owned(),
        count: Some(number),
        body,
    }
}

fn next_step(plan: &Plan) -> Option<Section> {
    let (heading, command) = if plan.is_blocked() {
        ("To lift what blocks it", lifting_command(plan))
    } else if plan.changes.is_empty() {
        return None;
    } else {
        (
            "To carry out this plan and no other",
            format!(
                "keycloak-to-azure apply PLAN --plan-id {}",
                shell_word(&plan.plan_id)
            ),
        )
    };
    Some(Section {
        anchor: Anchor::of("next"),
        link: "Next step".to_owned(),
        kind: Kind::Plain,
        heading: heading.to_owned(),
        count: None,
        body: Html::element("pre", Html::code(&command)),
    })
}

fn foot(plan: &Plan) -> Html {
    let plan_id = Html::text("Plan ")
        .and(&Html::code(&place(&plan.plan_id)))
        .and(&Html::text(&format!(", made {}", made(plan))));
    Html::each("p", [plan_id])
}
