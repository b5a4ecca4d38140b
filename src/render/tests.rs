//! What the renderings look like, and what no text from elsewhere can make of them.

use proptest::prelude::*;
use secrecy::SecretString;
use unicode_width::UnicodeWidthStr;

use super::markdown::MAX_CHARACTERS;
use super::samples::{self, HOSTILE};
use super::{
    Redacted, RedactedComparison, RedactedReport, RedactionKey, Style, apply_header, audit_csv,
    audit_markdown, audit_text, comparison_markdown, comparison_text, dry_run, markdown,
    next_steps, outcomes, report_html, report_markdown, report_text, text,
};
use crate::compare::Comparison;
use crate::plan::{Change, Plan, RemovalReason};
use crate::report::{ChangeOutcome, Outcome, Report, Totals};

const WIDE: Style = Style {
    colour: false,
    width: 100,
};
const NARROW: Style = Style {
    colour: false,
    width: 60,
};
const COLOURED: Style = Style {
    colour: true,
    width: 100,
};
/// So wide that nothing is wrapped, which makes lines countable.
const ENDLESS: Style = Style {
    colour: false,
    width: 60_000,
};

fn key() -> RedactionKey {
    RedactionKey::new(&SecretString::from("0123456789abcdef0123456789abcdef")).unwrap()
}

#[test]
fn plans_in_a_terminal() {
    for (name, plan) in [
        ("every_kind", samples::every_kind()),
        ("blocked", samples::blocked()),
        ("empty", samples::empty()),
        ("hostile", samples::hostile()),
        ("scoped_with_overrides", samples::scoped_with_overrides()),
        ("mailed", samples::mailed()),
        ("mailed_in_two_ways", samples::mailed_in_two_ways()),
        ("undo", samples::undo()),
    ] {
        insta::assert_snapshot!(format!("text_{name}_100"), text(&plan, &WIDE));
        insta::assert_snapshot!(format!("text_{name}_60"), text(&plan, &NARROW));
    }
}

#[test]
fn plans_in_a_pull_request() {
    for (name, plan) in [
        ("every_kind", samples::every_kind()),
        ("blocked", samples::blocked()),
        ("empty", samples::empty()),
        ("hostile", samples::hostile()),
        ("scoped_with_overrides", samples::scoped_with_overrides()),
        ("mailed", samples::mailed()),
        ("mailed_in_two_ways", samples::mailed_in_two_ways()),
        ("undo", samples::undo()),
    ] {
        insta::assert_snapshot!(format!("markdown_{name}"), markdown(&plan));
    }
}

#[test]
fn plans_without_the_people_in_them() {
    for (name, plan) in [
        ("every_kind", samples::every_kind()),
        ("blocked", samples::blocked()),
        ("empty", samples::empty()),
        ("mailed", samples::mailed()),
        ("mailed_in_two_ways", samples::mailed_in_two_ways()),
        ("undo", samples::undo()),
    ] {
        let redacted = Redacted::new(&plan, &key());
        insta::assert_snapshot!(format!("redacted_text_{name}"), redacted.text(&NARROW));
        insta::assert_snapshot!(format!("redacted_markdown_{name}"), redacted.markdown());
    }
}

#[test]
fn a_plan_against_an_older_one() {
    let (older, newer) = samples::older_and_newer();
    let comparison = Comparison::of(older, newer);
    insta::assert_snapshot!("comparison_text_100", comparison_text(&comparison, &WIDE));
    insta::assert_snapshot!("comparison_text_60", comparison_text(&comparison, &NARROW));
    insta::assert_snapshot!("comparison_markdown", comparison_markdown(&comparison));
    let redacted = RedactedComparison::new(&comparison, &key());
    insta::assert_snapshot!("redacted_comparison_text", redacted.text(&WIDE));
    insta::assert_snapshot!("redacted_comparison_markdown", redacted.markdown());
    for shown in [redacted.text(&WIDE), redacted.markdown()] {
        for somebody in [
            "Dana", "dana@", "Eve", "eve@", "Bob", "Cyd", "Ida", "Gil", "Finn", "Lea",
        ] {
            assert!(!shown.contains(somebody), "{somebody} in {shown}");
        }
    }
}

#[test]
fn a_hostile_plan_against_a_hostile_one() {
    let other = samples::with_text(&format!("{HOSTILE}\u{1b}[31m| `c`"));
    let comparison = Comparison::of(samples::hostile(), other);
    let shown = comparison_text(&comparison, &ENDLESS);
    assert!(
        !shown.contains(|c: char| c != '\n' && (c.is_control() || c == '\u{202e}')),
        "{shown}"
    );
    assert!(
        !shown.lines().any(|line| line.starts_with("- <b>")),
        "{shown}"
    );
    insta::assert_snapshot!("comparison_hostile", shown);
}

#[test]
fn the_same_plan_is_one_sentence() {
    let plan = samples::every_kind();
    let again = Plan {
        created_at: "2026-11-24T08:00:00Z".parse().unwrap(),
        ..plan.clone()
    };
    let same = Comparison::of(plan.clone(), plan.clone());
    let said = comparison_text(&same, &ENDLESS);
    assert_eq!(
        said,
        format!("The same plan, {}: nothing differs.\n", plan.plan_id)
    );
    let twice = comparison_markdown(&Comparison::of(plan.clone(), again));
    assert_eq!(
        twice,
        format!(
            "The same plan, `{}`: nothing differs. It was made on 23 November 2026, 14:02 UTC and again on 24 November 2026, \
             08:00 UTC.\n",
            plan.plan_id
        )
    );
}

#[test]
fn plans_that_cannot_be_compared_say_so_before_anything_else() {
    let (older, mut newer) = samples::older_and_newer();
    newer.target.tenant_id = samples::id(0xbeef);
    newer.target.tenant_name = "Beta".to_owned();
    newer.source.url.push_str("/auth");
    newer.source.realm = "beta".to_owned();
    let newer = newer.sealed();
    let shown = comparison_text(&Comparison::of(older.clone(), newer.clone()), &ENDLESS);
    assert_eq!(
        shown.lines().next().unwrap(),
        "! These are plans of different directories: realm acme → beta, tenant Acme (0000acae-0000-4000-8000-000000000000) → Beta \
         (0000beef-0000-4000-8000-000000000000). That the older one was approved says nothing about this one."
    );
    assert!(
        shown.contains(
            "address of Keycloak: https://auth.acme.example → https://auth.acme.example/auth\n"
        ),
        "{shown}"
    );

    let swapped = comparison_text(&Comparison::of(newer, older.clone()), &ENDLESS);
    assert!(
        swapped.contains("are they the wrong way round?"),
        "{swapped}"
    );
    let undo = comparison_text(&Comparison::of(older, samples::undo()), &ENDLESS);
    assert!(
        undo.starts_with("! This plan takes back a run, and the older one does not.\n"),
        "{undo}"
    );
}

#[test]
fn what_differs_beside_the_changes_is_said() {
    let older = samples::every_kind();
    let mut newer = older.clone();
    newer.config_sha256 = "1a".repeat(32);
    let shown = comparison_text(&Comparison::of(older, newer.sealed()), &ENDLESS);
    assert!(
        shown.starts_with("The 8 changes are the same in both\n"),
        "{shown}"
    );
    assert!(
        shown.ends_with(
            "Otherwise than in the older plan\n  configuration: 9f9f9f9f9f9f → 1a1a1a1a1a1a\n"
        ),
        "{shown}"
    );
    let (empty, mut other) = (samples::empty(), samples::empty());
    other.tool_version = "9".to_owned();
    let shown = comparison_text(&Comparison::of(empty, other.sealed()), &ENDLESS);
    assert!(
        shown.starts_with("Neither plan changes anything\n"),
        "{shown}"
    );
}

#[test]
fn a_report_for_an_auditor() {
    let report = samples::report();
    insta::assert_snapshot!("report_text_100", report_text(&report, &WIDE));
    insta::assert_snapshot!("report_text_60", report_text(&report, &NARROW));
    insta::assert_snapshot!("report_markdown", report_markdown(&report));
    let redacted = RedactedReport::new(&report, &key());
    insta::assert_snapshot!("redacted_report_text", redacted.text(&NARROW));
    insta::assert_snapshot!("redacted_report_markdown", redacted.markdown());
    for shown in [redacted.text(&WIDE), redacted.markdown()] {
        for somebody in [
            "Dana",
            "dana@",
            "Eve",
            "eve@",
            "Bob",
            "bob@",
            "Cyd",
            "Ida",
            "Gil",
            "Finn",
            "olga",
            "Graph refused",
        ] {
            assert!(!shown.contains(somebody), "{somebody} in {shown}");
        }
    }
    assert_eq!(
        report_text(&Report::default(), &WIDE),
        "The report holds no run.\n"
    );
}

fn ends(plan: &Plan, ends: &[(Outcome, &str)]) -> (Vec<ChangeOutcome>, Totals) {
    let mut totals = Totals::default();
    let outcomes = plan
        .changes
        .iter()
        .zip(ends)
        .enumerate()
        .map(|(at, (change, (outcome, message)))| {
            totals.count(*outcome);
            ChangeOutcome {
                run_id: "r".to_owned(),
                change: at + 1,
                action: change.action(),
                outcome: *outcome,
                message: (*message).to_owned(),
                attempts: 1,
                time: plan.created_at,
                request_id: Some("5f1c".to_owned()),
                uncertain: false,
            }
        })
        .collect();
    (outcomes, totals)
}

const ENDS: [(Outcome, &str); 8] = [
    (
        Outcome::Failed,
        "Graph refused it (403, Guest invitations not allowed for your company); an administrator has to allow invitations",
    ),
    (Outcome::Done, ""),
    (Outcome::NotAttempted, "the invitation failed"),
    (Outcome::AlreadyDone, ""),
    (Outcome::Done, ""),
    (
        Outcome::NotWanted,
        "he is in /teams/platform again since the review",
    ),
    (Outcome::Conflict, "another account has the address now"),
    (Outcome::Done, ""),
];

#[test]
fn an_apply_in_a_terminal() {
    let plan = samples::every_kind();
    let (ended, totals) = ends(&plan, &ENDS);
    insta::assert_snapshot!("apply", {
        apply_header(&plan, &totals, 2, false, &WIDE)
            + "\n"
            + &outcomes(&plan, &ended, &totals, 2, &WIDE)
    });
    insta::assert_snapshot!("apply_dry_run", {
        apply_header(&plan, &totals, 1, true, &NARROW)
            + "\n"
            + &dry_run(&plan, &ended, &totals, 1, &NARROW)
    });
}

#[test]
fn an_apply_that_did_everything_is_one_line() {
    let plan = samples::every_kind();
    let (ended, totals) = ends(&plan, &[(Outcome::Done, ""); 8]);
    assert_eq!(outcomes(&plan, &ended, &totals, 0, &WIDE), "8 done\n");
}

#[test]
fn the_next_steps_name_the_file_and_the_plan() {
    let plan = samples::every_kind();
    insta::assert_snapshot!(
        "next_steps",
        next_steps("my plan.json", &plan, &["--config", "other.yaml"], &[])
    );
    let redacted = next_steps("p.json", &samples::blocked(), &[], &["--redact"]);
    assert!(redacted.contains("show p.json --format markdown --redact\n"));
    assert!(
        redacted.contains("--max-removals 7 --redact\n"),
        "{redacted}"
    );
    assert!(!next_steps("p.json", &samples::blocked(), &[], &[]).contains("apply p.json"));
    assert!(!next_steps("p.json", &samples::empty(), &[], &[]).contains("apply"));
}

#[test]
fn removals_are_neither_collapsed_nor_after_additions() {
    let comment = markdown(&samples::every_kind());
    let removals = comment.find("### Remove (3)").unwrap();
    assert!(removals < comment.find("<details").unwrap());
    assert!(comment.contains("| − | `Bob Braun` | `bob@partner.example` | `acme-platform` |"));
}

#[test]
fn nothing_but_our_own_lines_when_there_is_nothing_to_do() {
    assert_eq!(
        text(&samples::empty(), &WIDE),
        "Nothing to do: 3 groups and 44 memberships are as Keycloak has them.\n"
    );
}

#[test]
fn changes_are_counted_from_the_changes_and_not_from_the_summary() {
    let mut plan = samples::every_kind();
    plan.summary.remove = 0;
    assert!(
        text(&plan, &WIDE)
            .starts_with("3 to remove, 1 to invite, 1 to update, 3 to add · 2 problems\n")
    );
}

#[test]
fn no_line_is_wider_than_the_terminal_where_words_allow() {
    for style in [WIDE, NARROW] {
        for plan in [samples::every_kind(), samples::scoped_with_overrides()] {
            for line in text(&plan, &style).lines() {
                assert!(line.width() <= style.width, "{line}");
            }
        }
    }
}

fn removals(number: usize, name: &str) -> Plan {
    let mut plan = samples::every_kind();
    for at in 0..number {
        plan.changes.push(samples::remove(
            samples::group(1, "acme-partners"),
            at,
            name,
            &format!("person{at}@partner.example"),
            RemovalReason::UnknownToKeycloak,
        ));
    }
    plan
}

#[test]
fn what_a_dry_run_says_of_a_change_is_never_that_it_is_done() {
    let mut report = samples::report();
    let mut rehearsal = report.runs.swap_remove(0);
    rehearsal.start.dry_run = true;
    rehearsal.steps.clear();
    report.runs = vec![rehearsal];
    let page = report_markdown(&report);
    assert_eq!(page.matches(" | would be done | ").count(), 3, "{page}");
    assert_eq!(page.matches("| done |").count(), 0, "{page}");
    let page = report_html(&report);
    assert_eq!(page.matches("<td>would be done</td>").count(), 3, "{page}");
    assert_eq!(page.matches("<td>done</td>").count(), 0, "{page}");
}

#[test]
fn sections_of_a_report_stand_apart() {
    let report = report_text(&samples::report(), &WIDE);
    for heading in ["Not done", "Done", "Nothing to do any more"] {
        assert!(report.contains(&format!("\n\n{heading}\n")), "{report}");
    }
}

#[test]
fn fifty_thousand_removals_make_a_bounded_comment_that_says_so() {
    let comment = markdown(&removals(50_000, "😀 Ned"));
    let length = comment.chars().count();
    assert!(length <= MAX_CHARACTERS, "{length}");
    assert!(length > MAX_CHARACTERS - 1_000, "{length}");
    assert!(comment.contains("\"truncated\":true"));
    assert!(comment.contains("**This comment is shortened.**"));
    let rows = comment
        .lines()
        .filter(|line| line.starts_with("| − |"))
        .count();
    let shown = super::words::grouped(rows);
    assert!(comment.contains(&format!(
        "**Only {shown} of the 50,003 removals are shown here"
    )));
    assert!(comment.contains("**None of the additions (3) is shown here"));
    assert!(comment.contains(
        "| `acme-partners` (with 2 members that are not users, never touched) | `/partners` | 8 |"
    ));
    assert_eq!(
        comment.matches("<details").count(),
        comment.matches("</details>").count()
    );
    assert_eq!(comment.matches("```").count() % 2, 0);
}

#[test]
fn each_removal_is_said_to_be_listed_only_where_it_is() {
    const ALL: &str = " in all. Each is listed below with its reason.\n";
    const NOT_ALL: &str =
        " in all. Not all of them are listed below: the plan file has each with its reason.\n";
    let (mut complete, mut shortened, mut cut) = (0, 0, 0);
    for number in (400..700).step_by(4) {
        let comment = markdown(&removals(number, "Ned"));
        let rows = comment.lines().filter(|line| line.starts_with("| − |"));
        let lists_all = rows.count() == number + 3;
        assert_eq!(comment.contains(ALL), lists_all, "{number}");
        assert_eq!(comment.contains(NOT_ALL), !lists_all, "{number}");
        assert_eq!(comment.contains("removals are shown here"), !lists_all);
        match (comment.contains("This comment is shortened"), lists_all) {
            (false, _) => complete += 1,
            (true, true) => shortened += 1,
            (true, false) => cut += 1,
        }
    }
    assert!(complete > 0 && shortened > 0 && cut > 0);
}

#[test]
fn a_comparison_says_of_each_list_where_the_rest_of_it_stands() {
    let (few, many) = (samples::every_kind(), removals(3_000, "Ned").sealed());
    for (older, newer, where_to_look) in [
        (few.clone(), many.clone(), "the plan file has all of them"),
        (many, few, "the file of the older plan has all of them"),
    ] {
        let comment = comparison_markdown(&Comparison::of(older, newer));
        let length = comment.chars().count();
        assert!(length <= MAX_CHARACTERS, "{length}");
        assert!(comment.contains(" removals are shown here, to keep this comment short"));
        assert!(comment.contains("`keycloak-to-azure show PLAN --against OLDER`\n"));
        assert!(!comment.contains("`keycloak-to-azure show PLAN`"));
        assert_eq!(comment.matches(where_to_look).count(), 1, "{comment}");
        assert_eq!(comment.matches(" of them.**").count(), 1, "{comment}");
    }
}

#[test]
fn the_limit_is_in_characters_however_many_bytes_they_take() {
    let base = removals(400, "Ned");
    let short = markdown(&base).chars().count();
    for (over, complete) in [(-1, true), (0, true), (1, false)] {
        let mut plan = base.clone();
        let mut missing = MAX_CHARACTERS.saturating_add_signed(over) - short;
        for change in plan.changes.iter_mut().rev().take(400) {
            let Change::Remove(remove) = change else {
                continue;
            };
            let some = missing.min(27);
            remove.account.display_name = Some(format!("Ned{}", "😀".repeat(some)));
            missing -= some;
        }
        assert_eq!(missing, 0);
        let comment = markdown(&plan);
        let length = comment.chars().count();
        assert_eq!(
            comment.contains("\"truncated\":false"),
            complete,
            "{over}: {length}"
        );
        if complete {
            assert_eq!(length, MAX_CHARACTERS.saturating_add_signed(over));
        }
        assert!(length <= MAX_CHARACTERS, "{length}");
        assert!(comment.len() > MAX_CHARACTERS, "{length}");
    }
}

#[test]
fn no_text_from_elsewhere_is_in_the_marker() {
    let comment = markdown(&samples::hostile());
    let marker = comment.lines().next().unwrap();
    assert!(marker.starts_with("<!-- keycloak-to-azure {\"v\":1,\"plan\":\"unknown\""));
    assert_eq!(marker.find("-->"), Some(marker.len() - 3));
    assert!(!marker.contains("evil"));
}

/// The lines of a comment that are not in a fence.
fn outside_fences(comment: &str) -> Vec<&str> {
    let mut fence = None;
    let mut lines = Vec::new();
    for line in comment.lines() {
        let run = line.len() - line.trim_start_matches('`').len();
        match fence {
            None if run >= 3 => fence = Some(run),
            None => lines.push(line),
            Some(opened) if run >= opened && line.len() == run => fence = None,
            Some(_) => {}
        }
    }
    lines
}

#[test]
fn hostile_text_is_in_code_wherever_it_stands_in_markdown() {
    let comment = markdown(&samples::hostile());
    let (_, below_marker) = comment.split_once('\n').unwrap();
    let other = samples::with_text(&format!("{HOSTILE}\u{1b}[31m| `c`"));
    let (harmless, hostile) = (samples::every_kind(), samples::hostile());
    let comparisons = [
        Comparison::of(harmless.clone(), hostile.clone()),
        Comparison::of(hostile.clone(), harmless),
        Comparison::of(hostile, other),
    ];
    let comparisons = comparisons.map(|comparison| comparison_markdown(&comparison));
    let report = report_markdown(&samples::report_with_text(HOSTILE));
    let audit = audit_markdown(&samples::audit_with_text(HOSTILE));
    let pages = [below_marker, &report, &audit]
        .into_iter()
        .chain(comparisons.iter().map(String::as_str));
    let lines: Vec<&str> = pages.flat_map(outside_fences).collect();
    assert!(lines.len() > 200, "{}", lines.len());
    for line in lines {
        let ours: String = line
            .split("<code>")
            .map(|part| part.rsplit("</code>").next().unwrap_or_default())
            .collect();
        let ours: String = ours.split('`').step_by(2).collect();
        assert!(
            !ours.contains("evil") && !ours.contains("all</b>"),
            "{line}"
        );
        assert!(!ours.contains('@') && !ours.contains('\\'), "{line}");
    }
}

#[test]
fn an_address_of_backticks_does_not_end_its_fence() {
    let mut plan = samples::every_kind();
    plan.changes.push(samples::remove(
        samples::group(1, "acme-partners"),
        30,
        "Ned",
        "`````",
        RemovalReason::Disabled,
    ));
    let comment = markdown(&plan);
    assert!(
        comment.contains("``````text\n`````\nbob@partner.example\n"),
        "{comment}"
    );
    assert!(!outside_fences(&comment).contains(&"bob@partner.example"));
}

/// The lines that a plan has with this text in it.
/// How each line outside of fences begins, and how many cells it has.
fn shape(page: &str) -> Vec<(String, usize)> {
    outside_fences(page)
        .iter()
        .map(|line| {
            let cells = if line.starts_with('|') {
                line.matches('|').count()
            } else {
                0
            };
            (line.chars().take(2).collect(), cells)
        })
        .collect()
}

fn line_count(hostile: &str) -> usize {
    text(&samples::with_text(hostile), &ENDLESS).lines().count()
}

fn without_our_colours(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        plain.push_str(before);
        let end = after.find('m').unwrap();
        assert!(
            after[..end]
                .bytes()
                .all(|b| b.is_ascii_digit() || b == b';'),
            "{after}"
        );
        rest = &after[end + 1..];
    }
    plain + rest
}

#[test]
fn colour_changes_nothing_but_colour() {
    let plan = samples::every_kind();
    let coloured = text(&plan, &COLOURED);
    assert_ne!(coloured, text(&plan, &WIDE));
    assert_eq!(without_our_colours(&coloured), text(&plan, &WIDE));
}

/// Text that is likely to hurt, and any other.
pub(super) fn nasty() -> impl Strategy<Value = String> {
    let bits = prop::sample::select(vec![
        "\n",
        "\r",
        "\t",
        "\u{1b}[31m",
        "\u{9b}",
        "\u{202e}",
        "\u{2066}",
        "\u{200b}",
        "\u{feff}",
        "\u{2028}",
        "\u{2068}",
        "\u{2069}",
        "דנה",
        " دانة",
        "|",
        "\\|",
        "`",
        "```",
        "~~~",
        "<!--",
        "-->",
        "</details>",
        "<b>",
        "&#124;",
        "@all",
        "#1",
        "www.e.example",
        "https://e.example",
        "*",
        "_",
        "[a](b)",
        "![",
        "- ",
        "1. ",
        "  ",
        "---",
        "\u{301}",
        "😀",
        "a",
        "\\",
        "$",
        "\"",
        "'",
    ]);
    prop_oneof![
        prop::collection::vec(bits, 0..8).prop_map(|bits| bits.concat()),
        any::<String>(),
    ]
    // Without any text at all the sample has other words in its places.
    .prop_map(|text| format!("n{text}n"))
}

/// Whether the text holds nothing that a terminal obeys, and everything that is isolated in it ends on its line.
fn is_harmless(text: &str) -> bool {
    let ends_on_its_line = |line: &str| {
        let isolates: String = line.matches(['\u{2068}', '\u{2069}']).collect();
        isolates.replace("\u{2068}\u{2069}", "").is_empty()
    };
    !text.chars().any(|c| c.is_control() && c != '\n') && text.lines().all(ends_on_its_line)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn no_name_adds_a_line_or_controls_the_terminal(name in nasty(), width in 0..120usize) {
        prop_assert_eq!(line_count(&name), line_count("nn"));
        let plan = samples::with_text(&name);
        for style in [NARROW, COLOURED, Style { colour: false, width }] {
            let shown = without_our_colours(&text(&plan, &style));
            prop_assert!(is_harmless(&shown));
        }
        let (mut ended, totals) = ends(&plan, &ENDS);
        for outcome in &mut ended {
            outcome.message.clone_from(&name);
            outcome.request_id = Some(name.clone());
        }
        let (plain_ended, _) = ends(&plan, &ENDS);
        let shown = outcomes(&plan, &ended, &totals, 0, &ENDLESS);
        prop_assert!(is_harmless(&shown));
        prop_assert_eq!(shown.lines().count(), outcomes(&plan, &plain_ended, &totals, 0, &ENDLESS).lines().count());
    }

    #[test]
    fn no_name_adds_a_line_to_a_report_or_changes_its_shape(name in nasty()) {
        let (report, plain) = (samples::report_with_text(&name), samples::report_with_text("nn"));
        let (shown, expected) = (report_text(&report, &ENDLESS), report_text(&plain, &ENDLESS));
        prop_assert!(is_harmless(&shown));
        prop_assert_eq!(shown.lines().count(), expected.lines().count());
        let (shown, expected) = (report_markdown(&report), report_markdown(&plain));
        prop_assert!(is_harmless(&shown));
        prop_assert_eq!(shape(&shown), shape(&expected));
        let [shown, expected] = [&report, &plain].map(|report| RedactedReport::new(report, &key()).markdown());
        prop_assert!(is_harmless(&shown));
        prop_assert_eq!(shape(&shown), shape(&expected));
    }

    #[test]
    fn no_name_adds_a_line_to_an_audit_or_changes_its_shape(name in nasty()) {
        let (audit, plain) = (samples::audit_with_text(&name), samples::audit_with_text("nn"));
        for (shown, expected) in [
            (audit_text(&audit, &ENDLESS), audit_text(&plain, &ENDLESS)),
            (audit_csv(&audit).replace('\r', ""), audit_csv(&plain).replace('\r', "")),
        ] {
            prop_assert!(is_harmless(&shown));
            prop_assert_eq!(shown.lines().count(), expected.lines().count());
        }
        let (shown, expected) = (audit_markdown(&audit), audit_markdown(&plain));
        prop_assert!(is_harmless(&shown));
        prop_assert_eq!(shape(&shown), shape(&expected));
    }

    #[test]
    fn no_text_of_a_mail_passes_for_ours(text_of_mail in nasty()) {
        let (plan, plain) = (samples::with_mail(&text_of_mail), samples::with_mail("nn"));
        let is_ours = |line: &&str| !line.starts_with("    >");
        let (shown, expected) = (text(&plan, &ENDLESS), text(&plain, &ENDLESS));
        prop_assert!(is_harmless(&shown));
        prop_assert!(shown.lines().filter(is_ours).eq(expected.lines().filter(is_ours)));
        prop_assert_eq!(
            shown.lines().count() - expected.lines().count(),
            text_of_mail.matches('\n').count()
        );
        let (comment, expected) = (markdown(&plan), markdown(&plain));
        prop_assert!(is_harmless(&comment));
        prop_assert_eq!(shape(&comment), shape(&expected));
    }

    #[test]
    fn no_name_changes_the_shape_of_a_comment(name in nasty()) {
        let comment = markdown(&samples::with_text(&name));
        let expected = markdown(&samples::with_text("nn"));
        prop_assert!(is_harmless(&comment));
        prop_assert_eq!(comment.lines().count(), expected.lines().count());
        prop_assert_eq!(shape(&comment), shape(&expected));
    }
}

#[test]
fn a_wrapped_name_that_is_written_from_right_to_left_leaves_the_columns_beside_it_alone() {
    let plan = samples::with_text("צוות הפיתוח של החברה בתל אביב");
    let shown = text(&plan, &NARROW);
    assert!(is_harmless(&shown), "{shown}");
    let wrapped = "\n \u{2068}צוות הפיתוח של החברה\u{2069}     \u{2068}/צוות הפיתוח של\u{2069}    8      7  0  1\
                   \n|\u{2068}בתל אביב\u{2069} (00000001-0000  \u{2068}החברה בתל אביב\u{2069}\n";
    assert!(shown.contains(wrapped), "{shown}");
}

#[test]
fn the_hostile_sample_is_shown_and_not_obeyed() {
    let shown = text(&samples::hostile(), &ENDLESS);
    assert!(shown.contains("A|`b`\\u{1b}[2K\\n- <b>@all</b> \\u{202e}#1 --> www.evil.example"));
    assert!(!shown.contains(HOSTILE));
}

#[test]
fn what_is_to_be_asked_is_asked_once_however_many_groups_are_blocked() {
    let mut plan = samples::blocked();
    let block = plan.blocks[0].clone();
    plan.blocks = vec![block.clone(), block.clone(), block];
    for page in [markdown(&plan), text(&plan, &WIDE)] {
        assert_eq!(page.matches("If that is right:").count(), 3, "{page}");
        assert_eq!(page.matches("If it is not:").count(), 1, "{page}");
    }
}
