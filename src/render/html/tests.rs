//! What the pages look like as files, and what no text from elsewhere can make of them. How they look and behave in a browser is for
//! `tests/browser`.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use html5gum::{Token, Tokenizer};
use proptest::prelude::*;
use secrecy::SecretString;
use sha2::{Digest, Sha256};

use crate::compare::Comparison;
use crate::plan::{About, Change, Plan, RemovalReason};
use crate::render::samples::{self, HOSTILE};
use crate::render::tests::nasty;
use crate::render::words::{Changes, losses};
use crate::render::{
    Redacted, RedactedComparison, RedactedReport, RedactionKey, audit_html, comparison_html, html,
    report_html,
};
use crate::report::Report;

/// A page as a parser of HTML reads it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Read {
    /// The tags in their order, with all attributes.
    tags: Vec<String>,
    /// Every attribute's name and value.
    attributes: Vec<(String, String)>,
    /// The text of everything but the style sheet, element by element.
    texts: Vec<String>,
    style: String,
}

impl Read {
    /// Reads a page and asserts that a parser has nothing to forgive: no error, and every element closed where it has to be.
    fn of(page: &str) -> Self {
        let mut read = Self::default();
        let mut open: Vec<String> = Vec::new();
        let decoded = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        for Ok(token) in Tokenizer::new(page) {
            match token {
                Token::StartTag(tag) => {
                    let name = decoded(&tag.name);
                    read.tags.push(format!("<{name} {:?}>", tag.attributes));
                    for (attribute, value) in &tag.attributes {
                        read.attributes.push((decoded(attribute), decoded(value)));
                    }
                    if name != "meta" {
                        open.push(name);
                    }
                }
                Token::EndTag(tag) => {
                    let name = decoded(&tag.name);
                    assert_eq!(open.pop().as_ref(), Some(&name));
                    read.tags.push(format!("</{name}>"));
                }
                Token::String(text) if open.last().is_some_and(|name| name == "style") => {
                    read.style.push_str(&decoded(&text));
                }
                Token::String(text) => read.texts.push(decoded(&text)),
                Token::Doctype(_) => assert!(open.is_empty()),
                other => panic!("{other:?} in {page}"),
            }
        }
        assert_eq!(open, Vec::<String>::new());
        read
    }

    fn values(&self, name: &str) -> Vec<&str> {
        let attributes = self.attributes.iter();
        let values = attributes.filter(|(attribute, _)| attribute == name);
        values.map(|(_, value)| value.as_str()).collect()
    }

    fn holds(&self, text: &str) -> bool {
        self.texts.iter().any(|held| held == text)
    }
}

/// A page without its head, which is the same for all.
fn body(page: &str) -> &str {
    page.split_once("</head>\n").unwrap().1
}

fn key() -> RedactionKey {
    RedactionKey::new(&SecretString::from("0123456789abcdef0123456789abcdef")).unwrap()
}

fn plans() -> [(&'static str, Plan); 6] {
    [
        ("every_kind", samples::every_kind()),
        ("blocked", samples::blocked()),
        ("empty", samples::empty()),
        ("hostile", samples::hostile()),
        ("scoped_with_overrides", samples::scoped_with_overrides()),
        ("undo", samples::undo()),
    ]
}

fn many_removals(number: usize) -> Plan {
    let mut plan = samples::empty();
    plan.changes = (0..number)
        .map(|at| {
            samples::remove(
                samples::group(2, "acme-platform"),
                at,
                &format!("Ned {at}"),
                &format!("ned{at:03}@partner.example"),
                RemovalReason::Disabled,
            )
        })
        .collect();
    plan.groups[1].members_before = number + 1;
    plan.groups[1].members_after = 1;
    plan.sealed()
}

#[test]
fn plans_as_pages() {
    for (name, plan) in plans() {
        insta::assert_snapshot!(format!("plan_{name}"), body(&html(&plan)));
    }
    insta::assert_snapshot!(
        "redacted_every_kind",
        body(&Redacted::new(&samples::every_kind(), &key()).html())
    );
}

#[test]
fn a_report_as_a_page() {
    let report = samples::report();
    insta::assert_snapshot!("report", body(&report_html(&report)));
    insta::assert_snapshot!(
        "redacted_report",
        body(&RedactedReport::new(&report, &key()).html())
    );
    let [first, ..] = report.runs.as_slice() else {
        unreachable!()
    };
    let of_one_run = Report {
        runs: vec![first.clone()],
    };
    let page = report_html(&of_one_run);
    assert!(
        page.contains("<title>Report of apply: 3 done, 1 already done"),
        "{page}"
    );
    let without_a_run = Read::of(&report_html(&Report::default()));
    assert!(without_a_run.holds("The report holds no run."));
}

fn of_samples() -> Comparison {
    let (older, newer) = samples::older_and_newer();
    Comparison::of(older, newer)
}

#[test]
fn a_plan_against_an_older_one_as_a_page() {
    let comparison = of_samples();
    insta::assert_snapshot!("comparison", body(&comparison_html(&comparison)));
    let redacted = RedactedComparison::new(&comparison, &key()).html();
    insta::assert_snapshot!("redacted_comparison", body(&redacted));
    for somebody in [
        "Dana",
        "dana@",
        "Eve Ek",
        "eve@",
        "Bob",
        "Cyd",
        "Ida",
        "Gil",
        "Finn",
        "Lea",
        "@redacted",
    ] {
        assert!(!redacted.contains(somebody), "{somebody} in {redacted}");
    }
    let other = samples::with_text(&format!("{HOSTILE}\u{1b}[31m| `c`"));
    let hostile = comparison_html(&Comparison::of(samples::hostile(), other));
    insta::assert_snapshot!("comparison_hostile", body(&hostile));
}

#[test]
fn a_page_of_the_same_plan_is_one_sentence() {
    let plan = samples::every_kind();
    let page = comparison_html(&Comparison::of(plan.clone(), plan.clone()));
    let said = format!("The same plan, {}: nothing differs.", plan.plan_id);
    assert!(Read::of(&page).holds(&said), "{page}");
    assert!(!page.contains("<h2") && !page.contains("<nav"), "{page}");
}

#[test]
fn plans_that_cannot_be_compared_say_so_before_the_answer() {
    let (older, mut newer) = samples::older_and_newer();
    newer.source.realm = "beta".to_owned();
    let page = comparison_html(&Comparison::of(newer.sealed(), older));
    in_order(
        &page,
        &[
            "<h1>",
            "<p class=\"notice out\">These are plans of different directories: realm beta → acme.",
            "are they the wrong way round?",
            "<p class=\"answer\">",
            "This plan is blocked now, cannot be applied.",
        ],
    );
}

#[test]
fn who_is_to_be_removed_now_and_was_not_comes_first() {
    let (older, newer) = (samples::blocked(), samples::every_kind());
    let page = comparison_html(&Comparison::of(older.clone(), newer.clone()));
    in_order(
        &page,
        &[
            "<h2 id=\"remove\">Remove: in this plan and not in the older one (",
            "<h2 id=\"invite\">Invite: in this plan and not in the older one (",
            "<h2 id=\"went\">Went: in the older plan and not in this one (",
            "<h2 id=\"blocks-went\">Blocks that went (",
            "<h2 id=\"problems-came\">Problems that came (",
            "<h2 id=\"by-person\">",
            ">A removal came (",
            ">Everybody else (",
        ],
    );
    let back = comparison_html(&Comparison::of(newer, older));
    in_order(
        &back,
        &[
            "This plan is blocked now, cannot be applied.",
            "<h2 id=\"blocks-came\">Blocks that came (",
            "If that is right: plan again with <code>",
        ],
    );
}

#[test]
fn what_differs_of_one_person_stands_in_one_place() {
    let page = comparison_html(&of_samples());
    assert_eq!(
        row_by_person(&page, "eve@partner.example"),
        "Eve Ek eve@partner.example \
         differs: to update then: surname \"Ekk\" → \"Ek\" now: user type Guest → Member, surname \"Ekk\" → \"Ek\" \
         differs: to add to acme-platform then: is also in /teams/core then: no display name now: display name \"Eve Ek\""
    );
}

#[test]
fn a_long_comparison_is_folded_where_it_says_again_what_stands_open() {
    let comparison = Comparison::of(samples::empty(), many_removals(250));
    let page = comparison_html(&comparison);
    let (open, folded) = page.split_once("id=\"by-person\"").unwrap();
    assert!(!open.contains("<details"));
    assert_eq!(folded.matches("<details").count(), 3);
    for at in 0..250 {
        assert!(open.contains(&format!(">ned{at:03}@partner.example<")));
    }
}

/// The row of somebody in the section with everybody, as text.
fn row_by_person(page: &str, email: &str) -> String {
    let (_, by_person) = page.split_once("id=\"by-person\"").unwrap();
    let mut rows = by_person.split("<tr>").filter(|row| row.contains(email));
    let (row, none) = (rows.next(), rows.next());
    assert_eq!(none, None, "{email} has two rows");
    let read = Read::of(
        &format!("<tr>{}", row.unwrap().split("</tr>").next().unwrap()).replace("<tr>", ""),
    );
    let words: Vec<&str> = read
        .texts
        .iter()
        .flat_map(|text| text.split_whitespace())
        .collect();
    words.join(" ")
}

#[test]
fn what_became_of_one_person_in_all_runs_stands_in_one_place() {
    let page = report_html(&samples::report());
    assert_eq!(
        row_by_person(&page, "cyd@partner.example"),
        "Cyd Cole cyd@partner.example was removed from acme-support (change 7 of run 1) \
         was removed from acme-support: written, and nothing said of it after that (change 7 of run 2)"
    );
    assert_eq!(
        row_by_person(&page, "dana@partner.example"),
        "Dana Diaz dana@partner.example was not invited: failed (change 1 of run 1) \
         was not added to acme-platform: not attempted (change 3 of run 1) would be invited (change 1 of run 3)"
    );
}

fn in_order(text: &str, words: &[&str]) {
    let places: Vec<usize> = words
        .iter()
        .map(|words| {
            text.find(words)
                .unwrap_or_else(|| panic!("{words} in {text}"))
        })
        .collect();
    assert!(places.is_sorted(), "{words:?} in {text}");
}

#[test]
fn what_failed_and_who_lost_something_come_first_by_group_and_by_person() {
    let mut report = samples::report();
    report.runs.truncate(1);
    let page = report_html(&report);
    let (page, by_person) = page.split_once("id=\"by-person\"").unwrap();
    let (_, by_group) = page.split_once("id=\"by-group\"").unwrap();
    in_order(
        by_person,
        &[
            "Something is not done or not known (2)",
            "dana@partner.example",
            "ned@old-partner.example",
            "Removal from a group (1)",
            "cyd@partner.example",
            "Everybody else (3)",
            "bob@partner.example",
        ],
    );
    in_order(
        by_group,
        &[
            ">acme-partners<",
            "<p>1 not done.</p>",
            "was not removed from it: conflict",
            ">acme-platform<",
            "<p>1 added, 1 not done, 1 with nothing to do any more.</p>",
            "stays in it",
            "was not added to it: not attempted",
            "was added to it",
            ">acme-support<",
            "<p>1 removed, 1 with nothing to do any more.</p>",
            "was removed from it",
            "is in it already",
        ],
    );
}

#[test]
fn what_a_dry_run_says_of_a_group_is_not_counted_as_done() {
    let mut report = samples::report();
    let mut rehearsal = report.runs.swap_remove(0);
    rehearsal.start.dry_run = true;
    rehearsal.steps.clear();
    report.runs = vec![rehearsal];
    let page = report_html(&report);
    assert!(page.contains("<p>3 in dry runs.</p>"), "{page}");
    assert!(!page.contains("<p>1 removed") && !page.contains("was removed from"));
}

/// A run with so many outcomes, each of somebody else, but for a removal and a failure at its end.
fn long_report(number: usize) -> Report {
    let mut report = samples::report();
    report.runs.truncate(1);
    let run = &mut report.runs[0];
    let of = |number: usize| {
        let outcomes = run.outcomes.iter();
        let mut outcomes = outcomes.filter(|reported| reported.outcome.change == number);
        outcomes.next().unwrap().clone()
    };
    let (added, removed, failed) = (of(4), of(7), of(1));
    let mut outcomes = vec![added; number];
    for (at, reported) in outcomes.iter_mut().enumerate() {
        reported.account.id = Some(samples::id(10_000 + at));
        reported.account.email = format!("person{at}@partner.example");
        reported.account.display_name = Some(format!("Person {at}"));
    }
    outcomes.extend([removed, failed]);
    for (at, reported) in outcomes.iter_mut().enumerate() {
        reported.outcome.change = at + 1;
    }
    run.start.changes = outcomes.len();
    run.outcomes = outcomes;
    run.steps.clear();
    report
}

#[test]
fn an_audit_as_a_page() {
    insta::assert_snapshot!("audit", body(&audit_html(&samples::audit())));
}

#[test]
fn what_is_so_of_one_person_stands_in_one_place() {
    let page = audit_html(&samples::audit());
    assert_eq!(
        row_by_person(&page, "<td>bob@partner.example</td>"),
        "Bob Braun bob@partner.example in acme-platform without a reason: is no longer in /teams/platform; a plan made now removes it \
         in acme-support : bob is in /support since the report: was removed from acme-platform on 24 November 2026, 08:00:00 UTC \
         (change 6) and is in it again"
    );
    assert_eq!(
        row_by_person(&page, "Finn Fox"),
        "Finn Fox (finn) – missing from acme-platform : is in /teams/platform/core (below /teams/platform); left exactly as is; \
         see the problems Problem: has no e-mail address in Keycloak · /support"
    );
    // By the account, whose own address is another one.
    assert!(
        row_by_person(&page, "<td>tara@partner.example</td>")
            .contains("has not accepted the invitation: open since 1 October 2026")
    );
    let (_, by_person) = page.split_once("id=\"by-person\"").unwrap();
    assert!(!by_person.contains("tara@old.example"));
    let (to_look_into, others) = by_person.split_once("Nothing to look into (2)").unwrap();
    assert!(to_look_into.contains("To look into (6)"), "{to_look_into}");
    assert!(others.contains("glass@acme.example"));
}

#[test]
fn two_people_who_share_an_address_are_two_people() {
    let mut audit = samples::audit();
    for (group, name) in audit.groups.iter_mut().zip(["Ann Ash", "Bob Bay"]) {
        let mut missing = samples::audit().groups[0].missing[0].clone();
        missing.person.id = format!("kc-{name}").parse().unwrap();
        missing.name = name.to_owned();
        missing.email = "both@partner.example".parse().ok();
        group.missing = vec![missing];
    }
    let page = audit_html(&audit);
    for (name, group, other) in [
        ("Ann Ash", "acme-platform", "acme-support"),
        ("Bob Bay", "acme-support", "acme-platform"),
    ] {
        let row = row_by_person(&page, name);
        assert!(row.contains(&format!("missing from {group}")), "{row}");
        assert!(!row.contains(other), "{row}");
    }
}

#[test]
fn a_long_audit_has_one_row_for_each_person_folded_away() {
    let page = audit_html(&samples::audit_of_many(2_000));
    let (open, folded) = page.split_once("id=\"by-person\"").unwrap();
    assert!(!open.contains("<details"));
    assert_eq!(folded.matches("<details").count(), 1 + 20 + 1);
    for at in [0, 1_234, 1_999] {
        let person = format!("<td>person{at}@partner.example</td>");
        assert_eq!(open.matches(&person).count(), 2, "{at}");
        assert_eq!(folded.matches(&person).count(), 1, "{at}");
    }
    assert!(
        folded.len() < open.len(),
        "{} and {}",
        folded.len(),
        open.len()
    );
}

#[test]
fn a_long_report_is_folded_where_it_says_again_what_stands_open() {
    assert!(!report_html(&long_report(98)).contains("<details"));
    let page = report_html(&long_report(3_000));
    let (open, folded) = page.split_once("id=\"by-group\"").unwrap();
    assert!(!open.contains("<details"));
    // Two groups, thirty tables of people, one for who failed and one for who was removed.
    assert_eq!(folded.matches("<details").count(), 2 + 30 + 1 + 1);
    for at in [0, 1_234, 2_999] {
        let person = format!("<td>person{at}@partner.example</td>");
        assert!(open.contains(&format!("(person{at}@partner.example) was added to")));
        assert_eq!(folded.matches(&person).count(), 2, "{at}");
    }
    // Saying it again takes no more than saying it.
    assert!(
        folded.len() < 2 * open.len(),
        "{} and {}",
        folded.len(),
        open.len()
    );
}

#[test]
fn the_head_of_every_page_forbids_whatever_is_not_in_it() {
    let page = html(&samples::every_kind());
    let read = Read::of(&page);
    let digest = STANDARD.encode(Sha256::digest(&read.style));
    let contents = read.values("content");
    assert_eq!(
        contents.first().copied(),
        Some(
            format!("default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'")
                .as_str()
        )
    );
    assert!(contents.contains(&"no-referrer"));
    assert!(contents.contains(&"light dark"));
    assert_eq!(read.values("lang"), ["en"]);
    // Before any text: from there on the policy holds.
    assert!(page.find("Content-Security-Policy") < page.find("<title>"));
    assert!(!read.style.contains("url(") && !read.style.contains("@import"));
}

#[test]
fn pages_are_made_of_what_needs_no_script_and_no_network() {
    let pages = plans().map(|(name, plan)| (name, html(&plan)));
    let against = |(name, plan)| {
        let comparison = Comparison::of(samples::every_kind(), plan);
        (name, comparison_html(&comparison))
    };
    for (name, page) in pages.into_iter().chain(plans().map(against)) {
        let read = Read::of(&page);
        let elements = read.tags.iter().filter_map(|tag| tag.strip_prefix('<'));
        for element in elements {
            let element = element.split([' ', '>']).next().unwrap();
            let loads = ["script", "img", "link", "iframe", "object", "form", "base"];
            assert!(!loads.contains(&element), "{name}: {element}");
        }
        let known = [
            "aria-label",
            "charset",
            "class",
            "content",
            "href",
            "http-equiv",
            "id",
            "lang",
            "name",
            "scope",
            "tabindex",
        ];
        for (attribute, value) in &read.attributes {
            assert!(known.contains(&attribute.as_str()), "{name}: {attribute}");
            assert!(!value.contains("evil"), "{name}: {value}");
        }
    }
}

#[test]
fn every_link_leads_to_a_place_that_there_is_once() {
    let pages = plans().map(|(_, plan)| html(&plan));
    let others = [
        report_html(&samples::report()),
        audit_html(&samples::audit()),
        report_html(&long_report(200)),
        audit_html(&samples::audit_of_many(200)),
        RedactedReport::new(&long_report(200), &key()).html(),
        comparison_html(&of_samples()),
        comparison_html(&Comparison::of(samples::blocked(), samples::every_kind())),
        comparison_html(&Comparison::of(many_removals(250), samples::undo())),
    ];
    for page in pages.iter().chain(&others) {
        let read = Read::of(page);
        let ids = read.values("id");
        let places: BTreeSet<&str> = ids.iter().copied().collect();
        assert_eq!(places.len(), ids.len());
        for link in read.values("href") {
            let place = link.strip_prefix('#').unwrap();
            assert!(places.contains(place), "{link}");
        }
    }
}

#[test]
fn every_change_is_on_the_page_by_what_it_does_and_by_person() {
    for plan in [samples::every_kind(), samples::undo(), many_removals(250)] {
        let read = Read::of(&html(&plan));
        for change in &plan.changes {
            let email = match change {
                Change::Invite(invite) => invite.email.as_str(),
                Change::Update(update) => &update.account.email,
                Change::Add(add) => add.account.email.as_str(),
                Change::Remove(remove) => &remove.account.email,
            };
            let shown = read.texts.iter().filter(|text| *text == email).count();
            assert!(shown >= 2, "{email} is there {shown} times");
        }
    }
}

#[test]
fn what_happens_to_one_person_stands_in_one_place() {
    let page = html(&samples::every_kind());
    let (_, by_person) = page.split_once("id=\"by-person\"").unwrap();
    let row = by_person
        .split("<tr>")
        .find(|row| row.contains("eve@partner.example"));
    let read = Read::of(&format!("<tr>{}", row.unwrap()));
    let said: Vec<&str> = read.texts.iter().map(|text| text.trim()).collect();
    assert_eq!(
        said.join(" ")
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" "),
        "Eve Ek eve@partner.example is updated: user type Guest → Member is updated: surname \"Ekk\" → \"Ek\" joins acme-platform : is in /teams/platform"
    );
}

#[test]
fn the_problem_of_somebody_stands_beside_what_happens_to_them() {
    let mut plan = samples::every_kind();
    plan.problems[0].about = About::account(&samples::id(1), "EVE@partner.example");
    // Who is called as she is, is somebody else.
    plan.problems[1].subject = "Eve Ek (eve@partner.example)".to_owned();
    let shown = Read::of(&html(&plan));
    assert!(shown.holds(&format!("Problem: {}", plan.problems[0].message)));
    assert!(!shown.holds(&format!("Problem: {}", plan.problems[1].message)));
}

#[test]
fn two_accounts_with_one_address_are_two_people() {
    let mut plan = samples::every_kind();
    let removes = [(71, "Dup One"), (72, "Dup Two")].map(|(number, name)| {
        let group = samples::group(number, "acme-platform");
        samples::remove(
            group,
            number,
            name,
            "dup@gone.example",
            RemovalReason::UnknownToKeycloak,
        )
    });
    plan.changes = removes.into();
    let mut problem = plan.problems[0].clone();
    "stays in acme-platform".clone_into(&mut problem.message);
    problem.about = About::account(&samples::id(72), "dup@gone.example");
    plan.problems.push(problem);
    let page = html(&plan);
    let (_, by_person) = page.split_once("id=\"by-person\"").unwrap();
    in_order(
        by_person,
        &["Dup One", "Dup Two", "Problem: stays in acme-platform"],
    );
    assert!(
        losses(&Changes::of(&plan).remove)
            .unwrap()
            .starts_with("2 people lose")
    );
}

#[test]
fn the_problem_of_an_account_that_fits_several_stands_beside_each_of_them() {
    let mut plan = samples::every_kind();
    let group = samples::group(2, "acme-platform");
    plan.changes = vec![
        samples::invite("Ann Ash", "ann@partner.example"),
        samples::remove(
            group,
            71,
            "Bob Ash",
            "bob@partner.example",
            RemovalReason::LeftGroup,
        ),
    ];
    plan.problems.truncate(1);
    plan.problems[0].about = About {
        emails: vec![
            "ann@partner.example".to_owned(),
            "bob@partner.example".to_owned(),
        ],
        people: vec!["ann".parse().unwrap(), "bob".parse().unwrap()],
        account: Some(samples::id(71)),
        group: None,
    };
    let page = html(&plan);
    let (_, by_person) = page.split_once("id=\"by-person\"").unwrap();
    assert_eq!(by_person.matches("Problem: ").count(), 2, "{by_person}");
}

#[test]
fn what_is_folded_stands_open_elsewhere() {
    let short = html(&many_removals(100));
    assert!(!short.contains("<details"));
    let long = html(&many_removals(101));
    let (open, folded) = long.split_once("id=\"by-group\"").unwrap();
    assert!(!open.contains("<details"));
    assert!(folded.contains("<details"));
    for at in 0..101 {
        assert!(open.contains(&format!(">ned{at:03}@partner.example<")));
    }
}

#[test]
fn a_long_list_of_people_is_found_through_by_its_summaries() {
    let page = html(&many_removals(250));
    let read = Read::of(&page);
    for summary in ["1 to 100: ", "101 to 200: ", "201 to 250: "] {
        assert!(read.holds(summary), "{summary}");
    }
    assert_eq!(page.matches("<summary>").count(), 1 + 3 + 1);
}

#[test]
fn tokens_are_nobodys_address() {
    let page = Redacted::new(&samples::every_kind(), &key()).html();
    assert!(!page.contains("partner.example") && !page.contains("Who to tell"));
    assert!(page.contains("person-fc7a2c") && !page.contains("@redacted"));
    let page = RedactedReport::new(&long_report(200), &key()).html();
    assert!(!page.contains("partner.example") && !page.contains("@redacted"));
    assert!(page.contains("200 people, in the order of their tokens"));
}

#[test]
fn the_hostile_sample_is_shown_and_not_obeyed() {
    let against = |older, newer| comparison_html(&Comparison::of(older, newer));
    for page in [
        html(&samples::hostile()),
        against(samples::every_kind(), samples::hostile()),
        against(samples::hostile(), samples::every_kind()),
        report_html(&samples::report_with_text(HOSTILE)),
        audit_html(&samples::audit_with_text(HOSTILE)),
    ] {
        let read = Read::of(&page);
        let shown = "A|`b`\\u{1b}[2K\\n- <b>@all</b> \\u{202e}#1 --> www.evil.example";
        assert!(read.holds(shown));
        assert!(!read.holds(HOSTILE));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn no_name_changes_what_a_page_is_made_of(name in nasty()) {
        let pages = |name: &str| {
            let (plan, report) = (samples::with_text(name), samples::report_with_text(name));
            let redacted = RedactedReport::new(&report, &key()).html();
            [html(&plan), report_html(&report), redacted, audit_html(&samples::audit_with_text(name))]
        };
        for (page, expected) in pages(&name).iter().zip(pages("nn")) {
            prop_assert!(!page.chars().any(|c| c.is_control() && c != '\n'));
            let (read, expected) = (Read::of(page), Read::of(&expected));
            prop_assert_eq!(in_one_direction(read.tags), in_one_direction(expected.tags));
            prop_assert_eq!(read.attributes, expected.attributes);
        }
    }

    #[test]
    fn no_name_changes_what_a_comparison_is_made_of(name in nasty()) {
        for (page, expected) in comparisons_with(&name).iter().zip(comparisons_with("nn")) {
            prop_assert!(!page.chars().any(|c| c.is_control() && c != '\n'));
            let (read, expected) = (Read::of(page), Read::of(&expected));
            // People stand in the order of their addresses, or of what stands for these.
            prop_assert_eq!(sorted(in_one_direction(read.tags)), sorted(in_one_direction(expected.tags)));
            prop_assert_eq!(sorted(read.attributes), sorted(expected.attributes));
        }
    }
}

fn sorted<T: Ord>(mut list: Vec<T>) -> Vec<T> {
    list.sort();
    list
}

/// Pages of plans with a name in them, each against another one.
fn comparisons_with(name: &str) -> [String; 4] {
    let (plan, harmless) = (samples::with_text(name), samples::every_kind());
    let others = [
        Comparison::of(harmless.clone(), plan.clone()),
        Comparison::of(plan.clone(), harmless),
        Comparison::of(plan, samples::with_text(&format!("{name}x"))),
    ];
    let [came, went, differs] = others.each_ref().map(comparison_html);
    let redacted = RedactedComparison::new(&others[2], &key()).html();
    [came, went, differs, redacted]
}

/// The tags without those that isolate what is written from right to left. A name decides whether there are any.
fn in_one_direction(mut tags: Vec<String>) -> Vec<String> {
    let begin = tags.extract_if(.., |tag| tag.starts_with("<bdi ")).count();
    let end = tags.extract_if(.., |tag| tag == "</bdi>").count();
    assert_eq!(begin, end);
    tags
}
