//! Text from elsewhere, hostile in every way that is known, in every place where it can come in; looked at in every place where
//! it comes out.

use std::collections::BTreeSet;

use html5gum::{Token, Tokenizer};
use keycloak_to_azure::http::Timing;
use keycloak_to_azure::model::fold;
use keycloak_to_azure::plan::{Action, Change, Plan};
use keycloak_to_azure::plan_file;
use keycloak_to_azure::report::{Line, object_of};
use keycloak_to_azure::sandbox::exchange::Response;
use keycloak_to_azure::sandbox::keycloak::{Group, Provider, ProviderKind};
use keycloak_to_azure::sandbox::{Fault, Service, When, seed};
use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};
use reqwest::StatusCode;
use reqwest::header::HeaderValue;
use serde_json::{Value, json};

use crate::house::guid;
use crate::program::{Ended, Stage, quick};

/// Stands in every hostile text where its attack would put it at the beginning of a line.
const FORGED: &str = "FORGED";

/// Texts by what they try. Each begins with a letter, as names do, but for those that try what a beginning can do.
fn attacks() -> Vec<(&'static str, String)> {
    let words = |word: &str, number: usize| vec![word; number].join(" ");
    let attack = |what, text: &str| (what, text.to_owned());
    vec![
        attack(
            "terminal escapes",
            "Q\u{1b}[2K\u{1b}[1AFORGED\u{9b}31mFORGED\u{1b}]8;;http://evil.example\u{1b}\\FORGED\u{1b}]8;;\u{7}\u{90}FORGED\u{9c}\u{8}\u{7f}\0Q",
        ),
        attack(
            "ends of lines",
            "Q\nFORGED\r\nFORGED\rFORGED\u{b}FORGED\u{c}FORGED\u{85}FORGED\u{2028}FORGED\u{2029}FORGED\tFORGED\n  - FORGED\n\nFORGED",
        ),
        attack(
            "another order of reading",
            "Q\u{202a}\u{202b}\u{202d}\u{202e}FORGED\u{202c}\u{2066}\u{2067}\u{2068}FORGED\u{2069}\u{200e}\u{200f}\u{61c}FORGED",
        ),
        attack(
            "nothing to see",
            "Q\u{200b}\u{200c}\u{200d}\u{2060}\u{feff}\u{ad}\u{34f}\u{180e}\u{115f}\u{3164}\u{ffa0}\u{fe0f}\u{e0001}\u{e0046}\u{e007f}\u{2800}\u{fff9}FORGED\u{a0}\u{3000}FORGED",
        ),
        attack(
            "Markdown within a line",
            "Q *FORGED* **FORGED** _FORGED_ ~~FORGED~~ `FORGED` ``FORGED`` [FORGED](http://evil.example) ![FORGED](http://evil.example/x.png) <http://evil.example> [^1] $FORGED$ $`FORGED`$ [[FORGED]] ==FORGED== \\*FORGED\\* \\",
        ),
        attack(
            "Markdown at the beginning",
            "# forged ## forged > forged - forged - [ ] forged 1. forged ``` forged ~~~ --- *** === | forged | [^1]: forged [a]: http://evil.example",
        ),
        attack(
            "Markdown in lines",
            "Q\n# FORGED\n> FORGED\n- FORGED\n1. FORGED\n```\nFORGED\n``````\n~~~\n    FORGED\n| a |\n|---|\n| FORGED |\n\n---\nFORGED\n===\n[a]: http://evil.example",
        ),
        attack(
            "HTML",
            "Q<b>FORGED</b></code></summary></details><!-- FORGED --> --> <img src=x onerror=FORGED><script>FORGED</script><![CDATA[FORGED]]><?FORGED?> &lt;b&gt; &#124; &#x60; <a href='http://evil.example'>FORGED</a>",
        ),
        attack(
            "cells of a table",
            "Q | FORGED | `FORGED | FORGED` \\| FORGED \\\\| FORGED || FORGED |",
        ),
        attack(
            "mentions and links",
            "Q @FORGED @org/FORGED #12 GH-12 org/repo#12 !12 %1 :FORGED: /close http://evil.example https://evil.example www.evil.example FORGED@evil.example mailto:a@evil.example xmpp:a@evil.example",
        ),
        attack(
            "what shells and formats obey",
            "Q'\"$(FORGED)`FORGED`;FORGED&&FORGED\\u{1b}[2K\\nFORGED\"}\n{\"type\":\"end\"} %s%n{0}{{FORGED}}\\",
        ),
        ("one long word", format!("Q{}", FORGED.repeat(900))),
        ("many words", format!("Q {}", words(FORGED, 800))),
        (
            "characters of four bytes",
            format!("Q {}FORGED", "😀🦀𝕏".repeat(700)),
        ),
        (
            "towers of accents",
            format!(
                "Q{}FORGED {}FORGED",
                "\u{301}".repeat(100),
                "\u{20dd}\u{323}".repeat(50)
            ),
        ),
    ]
}

/// Whether a character is obeyed by what shows it, shows nothing, or changes how its neighbours are shown. Written down a second time
/// and in other words than the program's.
fn is_hidden(c: char) -> bool {
    matches!(c,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// Asserts that text shows what is hostile in it and obeys none of it: nothing hidden, and no line that begins with what an attack
/// wants there. Where sentences are wrapped, `|` marks that a line goes on.
fn assert_shown(what: &str, text: &str) {
    let hidden = text.chars().find(|c| *c != '\n' && is_hidden(*c));
    assert_eq!(hidden, None, "{what}: {text}");
    for line in text.lines() {
        let start =
            line.trim_start_matches([' ', '-', '+', '~', '!', '·', '#', '>', '*', '@', '`']);
        assert!(!start.starts_with(FORGED), "{what}: {line:?}\n{text}");
    }
}

/// Asserts that a file or a stream of JSON holds nothing that whatever shows it would obey.
fn assert_plain_json(what: &str, text: &str) {
    let hidden = text.chars().find(|c| *c != '\n' && is_hidden(*c));
    assert_eq!(hidden, None, "{what}: {text}");
}

fn assert_shown_by(what: &str, ended: &Ended) {
    assert_shown(&format!("{what}, stdout"), &ended.out);
    assert_shown(&format!("{what}, stderr"), &ended.err);
}

// Names and addresses in the directories

/// Whom the plan of the company is about. The others keep their names, so that the whole plan fits into a comment.
const CONCERNED: [&str; 9] = [
    "bob", "cyd", "dana", "eve", "hal", "jon", "finn", "gil", "kim",
];

/// The company, with a text in every name and address that others may choose.
async fn company_called(text: &str) -> Stage {
    let mut world = seed::world();
    world.entra.tenant_name = text.to_owned();
    let concerned = |name: &str| CONCERNED.iter().any(|first| name.starts_with(first));
    for user in world.entra.users.values_mut() {
        if !user.mail.as_deref().is_some_and(concerned) {
            continue;
        }
        user.display_name = Some(text.to_owned());
        user.given_name = Some(text.to_owned());
        user.surname = Some(text.to_owned());
        // Unknown to Keycloak.
        if user.mail.as_deref() == Some("jon@partner.example") {
            user.mail = Some(format!("{text}@partner.example"));
            user.user_principal_name = format!("{text}#EXT#@acme.onmicrosoft.com");
            user.other_mails = Vec::new();
            user.proxy_addresses = Vec::new();
        }
    }
    for group in world.entra.groups.values_mut() {
        group.display_name = format!("{text} {}", group.display_name);
    }
    let realm = world.keycloak.realm_mut("acme").unwrap();
    realm.display_name = Some(text.to_owned());
    let mut provider = Provider::new(
        "4c0ffee0-0000-4000-8000-000000000001",
        text,
        ProviderKind::ReadOnly,
    );
    provider.name = text.to_owned();
    realm.providers.push(provider);
    let platform = realm.group_mut("/teams/platform").unwrap();
    platform
        .subgroups
        .push(Group::new("11111111-0000-4000-8000-000000000009", text));
    for person in &mut realm.people {
        if !concerned(&person.username) {
            continue;
        }
        // No longer than Entra takes them: who has a longer name keeps it.
        let name: String = text.chars().take(60).collect();
        (person.first_name, person.last_name) = (Some(name.clone()), Some(name));
        match person.username.as_str() {
            "finn-fox" => person.email = Some(text.to_owned()),
            "kim-kaya" => person.email = Some(format!("{text}+@partner.example")),
            "hal-hill" => {
                person
                    .groups
                    .insert("11111111-0000-4000-8000-000000000009".to_owned());
            }
            "gil-gray" => person.last_name = Some(text.to_owned()),
            // Somebody to invite whose name is left to Entra.
            "dana-diaz" => (person.first_name, person.last_name) = (None, None),
            _ => {}
        }
        person.username = format!("{}{text}", person.username);
    }
    // Somebody of the provider in every group, as its witness.
    let groups = ["/partners", "/teams/platform", "/support"]
        .map(|path| realm.group_mut(path).unwrap().id.clone());
    let mut witness = realm
        .people
        .iter()
        .find(|person| person.username.starts_with("ada-abel"))
        .unwrap()
        .clone();
    witness.id = guid(0xb, 99);
    "witness".clone_into(&mut witness.username);
    witness.email = Some("wit@partner.example".to_owned());
    witness.groups = groups.into();
    witness.provider = Some("4c0ffee0-0000-4000-8000-000000000001".to_owned());
    realm.people.push(witness);
    let ids: Vec<(String, String)> = world
        .entra
        .groups
        .values()
        .map(|group| {
            (
                group.display_name.rsplit(' ').next().unwrap().to_owned(),
                group.id.clone(),
            )
        })
        .collect();
    let stage = Stage::with(world).await;
    let mut configuration = format!(
        "logfile: {}\n{}",
        stage.path("sync.log").display(),
        stage.configuration()
    );
    for (name, id) in ids {
        configuration =
            configuration.replace(&format!("azure: {name}\n"), &format!("azure: {id}\n"));
    }
    stage.configure(&configuration);
    stage
}

#[tokio::test]
async fn no_name_or_address_is_obeyed_wherever_it_is_shown() {
    for (what, text) in attacks() {
        let mut stage = company_called(&text).await;
        let planned = stage.run("-v plan --out @plan.json").await;
        assert_eq!(planned.status, 0, "{what}: {}", planned.err);
        assert_shown_by(what, &planned);
        let plan = plan_file::read(&stage.path("plan.json")).unwrap();
        let summary = plan.summary;
        // Of those who have to go, two have the name of somebody in their group who is not clear, and stay.
        assert!(
            summary.invite > 0 && summary.update > 0 && summary.add > 0 && summary.remove > 0,
            "{what}: {summary:?}"
        );
        assert!(summary.problems >= 3, "{what}: {summary:?}");

        for name in ["bob", "gil", "dana", "jon", "wit"] {
            let line = format!("explain {name}@partner.example --plan @plan.json");
            assert_shown_by(what, &stage.run(&line).await);
        }
        let markdown = stage.run("show @plan.json --format markdown").await;
        assert_shown_by(what, &markdown);
        assert_nothing_but_ours(what, &markdown.out, &plan);
        let page = stage.run("show @plan.json --format html").await;
        assert_shown_by(what, &page);
        let rows = assert_no_markup_but_ours(what, &page.out);
        assert_eq!(rows, rows_of(&plan), "{what}: {}", page.out);
        let shown = stage.run("show @plan.json --format json").await;
        assert_plain_json(what, &shown.out);

        let checked = stage.run("check").await;
        assert_eq!(checked.status, 0, "{what}: {}", checked.err);
        assert_shown_by(what, &checked);
        let rehearsed = stage.run("-v apply @plan.json --dry-run").await;
        assert_shown_by(what, &rehearsed);
        let applied = stage.run("-v apply @plan.json").await;
        assert_eq!(applied.status, 0, "{what}: {}{}", applied.out, applied.err);
        assert_shown_by(what, &applied);
        let report = stage.run("report @plan.report.jsonl --format html").await;
        assert_shown_by(what, &report);
        assert_no_markup_but_ours(what, &report.out);
        let report = stage
            .run("report @plan.report.jsonl --format markdown")
            .await;
        assert_shown_by(what, &report);
        let read = read_markdown(what, &report.out, &HEADINGS_OF_REPORTS);
        // The dry run settled each change as well.
        assert_eq!(read.rows, 2 * plan.changes.len(), "{what}: {}", report.out);
        assert_redacted_report(what, &mut stage, 2 * plan.changes.len()).await;
        assert_files(what, &stage);
        let again = stage
            .run("plan --out @again.json --detailed-exitcode")
            .await;
        assert_eq!(again.status, 0, "{what}: {}", again.out);
        assert_audited(what, &stage).await;
    }
}

/// Asserts the same of a report without people, in which nothing that somebody wrote is left at all.
async fn assert_redacted_report(what: &str, stage: &mut Stage, rows: usize) {
    let key = "0123456789abcdef0123456789abcdef".to_owned();
    stage
        .variables
        .push(("KEYCLOAK_TO_AZURE_REDACT_KEY".to_owned(), key));
    let page = stage
        .run("report @plan.report.jsonl --redact --format html")
        .await;
    assert_shown_by(what, &page);
    assert_no_markup_but_ours(what, &page.out);
    let report = stage
        .run("report @plan.report.jsonl --redact --format markdown")
        .await;
    assert_shown_by(what, &report);
    let read = read_markdown(what, &report.out, &HEADINGS_OF_REPORTS);
    assert_eq!(read.rows, rows, "{what}: {}", report.out);
    for shown in [&page.out, &report.out] {
        assert!(!shown.contains("@partner.example"), "{what}: {shown}");
    }
}

/// Asserts the same of an audit, however it is shown.
async fn assert_audited(what: &str, stage: &Stage) {
    stage.sandbox.with_world(|world| {
        let changed = world.entra.users.values_mut();
        for user in changed.filter(|user| user.mail.as_deref() == Some("hal@partner.example")) {
            user.user_type = Some("Guest".to_owned());
        }
    });
    let line = "audit --since @plan.report.jsonl --pending-days 0 --format";
    let audited = stage.run(&format!("{line} json")).await;
    assert_plain_json(what, &audited.out);
    let audit: Value = serde_json::from_str(&audited.out).unwrap();
    for format in ["text", "markdown", "html", "csv"] {
        let audited = stage.run(&format!("{line} {format}")).await;
        assert_eq!(audited.status, 2, "{what}: {}", audited.err);
        let out = audited.out.replace('\r', "");
        assert_shown(&format!("{what}, audit as {format}"), &out);
        match format {
            "csv" => assert_table(what, &out),
            "html" => drop(assert_no_markup_but_ours(what, &out)),
            "markdown" => assert_audit_of_ours(what, &out, &audit),
            _ => {}
        }
    }
}

/// Asserts that every line of a CSV file has its eight fields, none of which is a formula.
fn assert_table(what: &str, text: &str) {
    for line in text.lines() {
        let fields: Vec<&str> = line
            .strip_prefix('"')
            .and_then(|line| line.strip_suffix('"'))
            .unwrap_or_else(|| panic!("{what}: {line:?}"))
            .split("\",\"")
            .collect();
        assert_eq!(fields.len(), 8, "{what}: {line:?}");
        let is_formula = |field: &str| field.starts_with(['=', '+', '-', '@']);
        assert!(
            !fields.iter().any(|field| is_formula(field)),
            "{what}: {line:?}"
        );
    }
}

/// Asserts the same of the log and the report, each line of which is one record of it.
fn assert_files(what: &str, stage: &Stage) {
    let log = std::fs::read_to_string(stage.path("sync.log")).unwrap();
    assert_shown(&format!("{what}, log"), &log);
    for line in log.lines() {
        let is_record = ["[INFO]", "[WARNING]", "[ERROR]"]
            .iter()
            .any(|level| line.get(24..).is_some_and(|rest| rest.starts_with(level)));
        assert!(is_record, "{what}: {line:?}");
    }
    let report = std::fs::read_to_string(stage.path("plan.report.jsonl")).unwrap();
    assert_plain_json(&format!("{what}, report"), &report);
    for line in report.lines() {
        assert!(
            serde_json::from_str::<Line>(line).is_ok(),
            "{what}: {line:?}"
        );
    }
    assert_plain_json(
        &format!("{what}, plan"),
        &std::fs::read_to_string(stage.path("plan.json")).unwrap(),
    );
}

// Markdown as a parser of CommonMark reads it

const HEADINGS: [&str; 9] = [
    "Keycloak → Entra plan: ",
    "Set for this plan",
    "Only for some groups",
    "Blocked",
    "Problems: left exactly as they are",
    "To look at, beside what the plan does",
    "Groups",
    "Remove (",
    "Add (",
];

/// Asserts that a comment is what the program makes of a plan and nothing else: its own headings, lists, tables and fences, as many
/// rows as there are changes, and nothing that means something outside of code.
fn assert_nothing_but_ours(what: &str, comment: &str, plan: &Plan) {
    assert!(
        comment.starts_with("<!-- keycloak-to-azure {")
            && comment.lines().next().unwrap().ends_with("} -->"),
        "{what}: {comment}"
    );
    let ReadMarkdown { rows, fenced } = read_markdown(what, comment, &HEADINGS);
    let count = |is: fn(&Change) -> bool| plan.changes.iter().filter(|change| is(change)).count();
    assert_eq!(
        rows,
        plan.groups.len() + count(|change| matches!(change, Change::Remove(_))),
        "{what}: {comment}"
    );
    let begin_with = |symbol: &str| {
        fenced
            .lines()
            .filter(|line| line.starts_with(symbol))
            .count()
    };
    assert_eq!(
        begin_with("! "),
        count(|change| matches!(change, Change::Update(_))),
        "{what}"
    );
    assert!(
        begin_with("+ ") >= count(|change| matches!(change, Change::Add(_) | Change::Invite(_))),
        "{what}"
    );
}

const HEADINGS_OF_REPORTS: [&str; 4] = ["Run of ", "Dry run of ", "Done (", "Would be done ("];

const HEADINGS_OF_AUDITS: [&str; 10] = [
    "Not in order: ",
    "Problems",
    "Group ",
    "In it without a reason (",
    "Should be in it and is not (",
    "In it, and why (",
    "Invitations not accepted after 0 days (",
    "Invited accounts in no mapped group (",
    "Accounts that a plan made now updates (",
    "Since the report: of what its runs wrote, ",
];

/// Asserts the same of an audit, which has as many rows as it has findings and members, and no fence and no HTML but that of code.
fn assert_audit_of_ours(what: &str, page: &str, audit: &Value) {
    let headings = [&HEADINGS_OF_AUDITS[..], &["What was read"]].concat();
    let ReadMarkdown { rows, fenced } = read_markdown(what, page, &headings);
    assert_eq!(fenced, "", "{what}: {page}");
    let number = |place: &Value| place.as_array().map_or(0, Vec::len);
    let of_groups = audit["groups"].as_array().unwrap().iter().map(|group| {
        let lists = ["without_reason", "missing", "members"];
        lists.map(|list| number(&group[list])).iter().sum::<usize>()
    });
    let of_lists = ["pending", "unmapped", "updates"].map(|list| number(&audit[list]));
    let of_report = ["doubts", "changed"].map(|list| number(&audit["since"][list]));
    let expected = of_groups.chain(of_lists).chain(of_report).sum::<usize>();
    assert_eq!(rows, expected, "{what}: {page}");
}

/// What a parser finds in Markdown.
struct ReadMarkdown {
    /// The rows of its tables, without their heads.
    rows: usize,
    /// What stands in fences.
    fenced: String,
}

/// Reads Markdown and asserts that nothing in it is from elsewhere but what stands in code: headings, lists, tables, fences and HTML are the
/// program's, and every row of a table has the columns of its head.
fn read_markdown(what: &str, comment: &str, headings: &[&str]) -> ReadMarkdown {
    let mut inside = Vec::new();
    let (mut in_code, mut in_fence) = (false, false);
    let mut rows = 0;
    let mut fenced = String::new();
    let options =
        Options::all() - Options::ENABLE_SMART_PUNCTUATION - Options::ENABLE_OLD_FOOTNOTES;
    for event in Parser::new_ext(comment, options) {
        match event {
            Event::Start(Tag::CodeBlock(kind)) => {
                assert!(
                    matches!(&kind, CodeBlockKind::Fenced(language) if matches!(&**language, "diff" | "text")),
                    "{what}: {kind:?}"
                );
                in_fence = true;
            }
            Event::End(TagEnd::CodeBlock) => in_fence = false,
            Event::Text(text) if in_fence => fenced.push_str(&text),
            Event::Start(tag) => {
                let ours = matches!(
                    tag,
                    Tag::Paragraph
                        | Tag::Heading { .. }
                        | Tag::BlockQuote(Some(_))
                        | Tag::HtmlBlock
                        | Tag::List(None)
                        | Tag::Item
                        | Tag::Table(_)
                        | Tag::TableHead
                        | Tag::TableRow
                        | Tag::TableCell
                        | Tag::Strong
                );
                assert!(ours, "{what}: {tag:?} in {comment}");
                rows += usize::from(matches!(tag, Tag::TableRow));
                inside.push(String::new());
            }
            Event::End(tag) => {
                let text = inside.pop().unwrap();
                match tag {
                    TagEnd::Heading(_) => {
                        assert!(
                            headings.iter().any(|heading| text.starts_with(*heading)),
                            "{what}: {text}"
                        );
                    }
                    TagEnd::Strong => {
                        assert!(!text.to_uppercase().contains(FORGED), "{what}: {text}");
                    }
                    TagEnd::Paragraph | TagEnd::Item | TagEnd::TableCell => {
                        assert_means_nothing(what, &text);
                    }
                    _ => {}
                }
            }
            Event::InlineHtml(tag) => {
                assert_eq!(
                    &*tag,
                    if in_code { "</code>" } else { "<code>" },
                    "{what}: {comment}"
                );
                in_code = !in_code;
            }
            Event::Html(html) => assert!(is_our_html(html.trim()), "{what}: {html}"),
            Event::Text(text) => {
                if let (false, Some(text_of)) = (in_code, inside.last_mut()) {
                    text_of.push_str(&text);
                }
            }
            Event::Code(_) | Event::SoftBreak | Event::HardBreak | Event::Rule => {}
            other => panic!("{what}: {other:?} in {comment}"),
        }
    }
    assert!(!in_code, "{what}");
    // Rows of tables, before a parser forgives what does not fit.
    let mut columns = 0;
    for line in outside_of_fences(comment) {
        let bars = line.matches('|').count();
        match columns {
            0 => columns = bars,
            _ if !line.starts_with('|') => columns = 0,
            _ => assert_eq!(bars, columns, "{what}: {line}"),
        }
        if !line.starts_with('|') {
            assert_eq!(bars, 0, "{what}: {line}");
        }
    }
    ReadMarkdown { rows, fenced }
}

/// The words outside of code are ours, or so ordinary that no dialect of Markdown makes anything of them.
fn assert_means_nothing(what: &str, text: &str) {
    let special = text.find([
        '@', '#', '<', '>', '[', ']', '`', '*', '_', '~', '$', '\\', '|', '^', '&', '{', '}', '=',
    ]);
    assert_eq!(special, None, "{what}: {text}");
    for link in ["http", "www.", "mailto", ":FORGED:", "GH-"] {
        assert!(!text.contains(link), "{what}: {text}");
    }
}

fn is_our_html(html: &str) -> bool {
    let is_marker = html.starts_with("<!-- keycloak-to-azure {")
        && html.find("-->") == Some(html.len() - 3)
        && !html.contains(FORGED);
    let is_summary = ["<details><summary><b>", "<details open><summary><b>"]
        .iter()
        .any(|start| {
            let rest = html
                .strip_prefix(start)
                .and_then(|rest| rest.strip_suffix("</b></summary>"));
            rest.is_some_and(|summary| !summary.contains(['<', '&']) && !summary.contains(FORGED))
        });
    is_marker || is_summary || html == "</details>"
}

fn outside_of_fences(comment: &str) -> Vec<&str> {
    let mut fence: Option<usize> = None;
    let mut lines = Vec::new();
    for line in comment.lines() {
        let run = line.len() - line.trim_start_matches('`').len();
        match fence {
            None if run >= 3 => fence = Some(run),
            None => lines.push(line),
            Some(opened) if run >= opened && run == line.len() => fence = None,
            Some(_) => {}
        }
    }
    lines
}

// Pages as a parser of HTML reads them

/// Every element that a page is made of.
const ELEMENTS: [&str; 36] = [
    "a",
    "b",
    "bdi",
    "blockquote",
    "body",
    "caption",
    "code",
    "dd",
    "details",
    "div",
    "dl",
    "dt",
    "footer",
    "h1",
    "h2",
    "h3",
    "head",
    "html",
    "li",
    "main",
    "meta",
    "nav",
    "p",
    "pre",
    "section",
    "strong",
    "style",
    "summary",
    "table",
    "tbody",
    "td",
    "th",
    "thead",
    "title",
    "tr",
    "ul",
];

/// Asserts that a page has no element and no attribute but those of the program, that nothing in an attribute is from elsewhere, and that
/// a parser has nothing to forgive. Returns how many rows its tables have.
fn assert_no_markup_but_ours(what: &str, page: &str) -> usize {
    let shown = |text: &[u8]| String::from_utf8_lossy(text).into_owned();
    let mut open = Vec::new();
    let mut rows = 0;
    for Ok(token) in Tokenizer::new(page) {
        match token {
            Token::StartTag(tag) => {
                let name = shown(&tag.name);
                assert!(ELEMENTS.contains(&name.as_str()), "{what}: {name}");
                for (attribute, value) in &tag.attributes {
                    let (attribute, value) = (shown(attribute), shown(value));
                    assert!(!attribute.starts_with("on"), "{what}: {attribute}");
                    assert!(
                        !value.contains(FORGED) && !value.contains("evil"),
                        "{what}: {value}"
                    );
                    let is_link_of_ours = value.starts_with('#') && !value.contains(':');
                    assert!(attribute != "href" || is_link_of_ours, "{what}: {value}");
                }
                rows += usize::from(name == "tr");
                if name != "meta" {
                    open.push(name);
                }
            }
            Token::EndTag(tag) => assert_eq!(open.pop(), Some(shown(&tag.name)), "{what}"),
            Token::String(_) | Token::Doctype(_) => {}
            other => panic!("{what}: {other:?} in {page}"),
        }
    }
    assert_eq!(open, Vec::<String>::new(), "{what}");
    rows
}

/// The rows of a plan's tables: each change by what it does, the groups, each movement by its group, and people. Each table has one more.
fn rows_of(plan: &Plan) -> usize {
    let mut people = BTreeSet::new();
    let mut groups = BTreeSet::new();
    let mut movements = 0;
    for change in &plan.changes {
        let (subject, group) = object_of(change);
        people.insert(fold(&subject.email));
        movements += usize::from(group.is_some());
        groups.extend(group.map(|group| group.id));
    }
    let kinds: BTreeSet<Action> = plan.changes.iter().map(Change::action).collect();
    let tables = kinds.len() + 1 + groups.len() + 1;
    plan.changes.len() + plan.groups.len() + movements + people.len() + tables
}

// Errors

/// One text for what shows plain text, short enough to be shown whole, and one that is wrapped or cut.
fn attacks_on_terminals() -> [(&'static str, String); 2] {
    let all = "Q\u{1b}[2KFORGED\nFORGED\r\nFORGED\rFORGED\u{9b}31mFORGED\u{202e}FORGED\u{2066}\u{200b}\u{feff}\u{ad}FORGED\u{85}FORGED\u{2028}FORGED\tFORGED\u{e0041}FORGED\u{7f}\0FORGED\"}\\nFORGED";
    [
        ("everything", all.to_owned()),
        ("many words", format!("Q {}", vec![FORGED; 800].join(" "))),
    ]
}

/// An answer with a body, and a text in every header that is looked at. What cannot stand in a header is left out.
fn answer(status: u16, body: &Value, text: &str) -> Fault {
    let mut response = Response::json(StatusCode::from_u16(status).unwrap(), body);
    let possible: String = text.chars().filter(|c| !c.is_ascii_control()).collect();
    for name in [
        "request-id",
        "client-request-id",
        "retry-after",
        "www-authenticate",
        "x-ms-throttle-limit-percentage",
        "date",
        "location",
    ] {
        let value = HeaderValue::from_bytes(possible.as_bytes()).unwrap();
        response.headers.insert(name, value);
    }
    Fault::Answer(response)
}

/// Everything that Keycloak and its login can say instead of an answer.
fn refusals_of_keycloak(text: &str) -> Vec<(When, Fault)> {
    let at = |path: &str| When::to(Service::Keycloak).path(path);
    let error = json!({ "error": text, "error_description": text });
    let mut refusals = Vec::new();
    for path in [
        "/realms/acme",
        "/token",
        "/group-by-path/",
        "/children",
        "/members",
        "/users?",
        "/components",
        "/attack-detection/",
    ] {
        for status in [302, 400, 401, 403, 404, 500] {
            refusals.push((at(path), answer(status, &error, text)));
        }
        refusals.push((
            at(path),
            answer(500, &json!({ "errorMessage": text }), text),
        ));
        refusals.push((at(path), answer(200, &json!(text), text)));
        refusals.push((
            at(path),
            answer(
                200,
                &json!([{ "id": text, "username": text, "path": text, text: text }]),
                text,
            ),
        ));
    }
    refusals.push((
        at("/token"),
        answer(200, &json!({ "access_token": text }), text),
    ));
    refusals.push((
        at("/token"),
        answer(
            400,
            &json!({ "error": "invalid_grant", "error_description": text }),
            text,
        ),
    ));
    refusals.push((
        at("/group-by-path/"),
        answer(200, &json!({ "id": "1", "name": text, "path": text }), text),
    ));
    refusals
}

/// Everything that Graph and its login can say instead of an answer.
fn refusals_of_graph(text: &str) -> Vec<(When, Fault)> {
    let at = |path: &str| When::to(Service::Graph).path(path);
    let error =
        json!({ "error": { "code": text, "message": text, "innerError": { "request-id": text } } });
    let denied = json!({ "error": { "code": "Authorization_RequestDenied", "message": text } });
    let page = json!({ "value": [], "@odata.nextLink": text });
    let mut refusals = Vec::new();
    for path in ["/organization", "/$batch", "/users", "/token"] {
        for status in [302, 400, 401, 403, 404, 500] {
            refusals.push((at(path), answer(status, &error, text)));
        }
        refusals.push((at(path), answer(403, &denied, text)));
        refusals.push((at(path), answer(200, &page, text)));
        refusals.push((at(path), answer(200, &json!(text), text)));
    }
    let login =
        |code: u64| json!({ "error": text, "error_description": text, "error_codes": [code] });
    refusals.push((at("/token"), answer(401, &login(7_000_215), text)));
    refusals.push((at("/token"), answer(400, &login(0), text)));
    refusals.push((
        at("/token"),
        answer(
            200,
            &json!({ "access_token": text, "expires_in": text }),
            text,
        ),
    ));
    for (status, body) in [
        (200, page),
        (400, error),
        (403, denied),
        (200, json!({ "id": text, text: text })),
    ] {
        refusals.push((
            at("/$batch"),
            answer(200, &parts(status, &body, text), text),
        ));
    }
    refusals
}

/// The same answer for every part of a batch.
fn parts(status: u16, body: &Value, text: &str) -> Value {
    let headers =
        json!({ "request-id": text, "Retry-After": text, "x-ms-throttle-limit-percentage": text });
    let part = |id: usize| json!({ "id": id.to_string(), "status": status, "headers": headers, "body": body });
    json!({ "responses": (0..20).map(part).collect::<Vec<_>>() })
}

async fn stage_with_log() -> Stage {
    let stage = Stage::company().await;
    let log = format!("logfile: {}\n", stage.path("sync.log").display());
    stage.configure(&(log + &stage.configuration()));
    stage
}

fn impatient() -> Timing {
    Timing {
        tries: 1,
        ..quick()
    }
}

#[tokio::test]
async fn no_error_of_either_service_is_obeyed() {
    let stage = stage_with_log().await;
    for (what, text) in attacks_on_terminals() {
        let refusals = [refusals_of_keycloak(&text), refusals_of_graph(&text)].concat();
        for (number, (when, fault)) in refusals.into_iter().enumerate() {
            let what = format!("{what}: {when:?}");
            stage.sandbox.faults().clear();
            stage.sandbox.faults().add(when, 1_000, fault);
            let planned = stage
                .run_with("-v plan --out @plan.json", impatient())
                .await;
            assert_shown_by(&what, &planned);
            if number % 4 == 0 {
                assert_shown_by(&what, &stage.run_with("check", impatient()).await);
            }
        }
    }
    let log = std::fs::read_to_string(stage.path("sync.log")).unwrap();
    assert!(log.contains("[ERROR]"));
    assert_shown("log", &log);
}

#[tokio::test]
async fn no_refusal_of_a_write_is_obeyed_in_what_is_said_of_its_change() {
    for (what, text) in attacks_on_terminals() {
        let stage = stage_with_log().await;
        assert_eq!(stage.run("plan --out @plan.json").await.status, 0);
        let error = json!({ "error": { "code": text, "message": text, "innerError": { "request-id": text } } });
        for method in ["POST", "PATCH", "DELETE"] {
            let write = When::to(Service::Graph)
                .path("/$batch")
                .body(&format!("\"{method}\""));
            stage.sandbox.faults().add(
                write,
                1_000,
                answer(200, &parts(400, &error, &text), &text),
            );
        }
        let applied = stage.run_with("-v apply @plan.json", impatient()).await;
        assert_eq!(applied.status, 4, "{what}: {}", applied.err);
        assert!(
            applied.out.contains("Graph refused it"),
            "{what}: {}",
            applied.out
        );
        assert_shown_by(what, &applied);
        let report = stage.run("report @plan.report.jsonl --format html").await;
        assert_shown_by(what, &report);
        assert_no_markup_but_ours(what, &report.out);
        assert_files(what, &stage);
    }
}

#[tokio::test]
async fn an_error_about_a_name_with_the_end_of_a_line_is_one_line() {
    let name = "Q\nFORGED: everything is well";
    // The tenant that was logged in to, which is not the configured one.
    let mut stage = stage_with_log().await;
    stage
        .sandbox
        .with_world(|world| world.entra.tenant_name = name.to_owned());
    let tenant = std::mem::take(&mut stage.variables);
    let other = |(variable, value): (String, String)| match variable.as_str() {
        "AZURE_TENANT_ID" => (variable, "acme.example".to_owned()),
        _ => (variable, value),
    };
    stage.variables = tenant.into_iter().map(other).collect();
    stage
        .sandbox
        .with_world(|world| world.entra.verified_domains.clear());
    stage
        .sandbox
        .faults()
        .change_world(When::to(Service::Graph).path("/token"), |world| {
            world.entra.verified_domains.push("acme.example".to_owned());
        });
    stage
        .sandbox
        .faults()
        .change_world(When::to(Service::Graph).path("/organization"), |world| {
            world.entra.verified_domains.clear();
        });
    let refused = stage.run("plan --out @plan.json").await;
    assert!(
        refused.status == 1 && refused.err.contains("everything is well"),
        "{}",
        refused.err
    );
    assert_shown_by("tenant", &refused);

    // A group whose members cannot be read, by its display name, and by the path that Keycloak gives a sub-group.
    let stage = company_called(name).await;
    for path in ["/$batch", "/members"] {
        stage.sandbox.faults().clear();
        let members = match path {
            "/$batch" => When::to(Service::Graph).body("/members?"),
            _ => When::to(Service::Keycloak).path("11111111-0000-4000-8000-000000000009/members"),
        };
        let body = match path {
            "/$batch" => parts(
                403,
                &json!({ "error": { "code": "Authorization_RequestDenied", "message": "No." } }),
                "x",
            ),
            _ => json!({ "error": "unknown_error" }),
        };
        stage.sandbox.faults().add(
            members,
            1_000,
            answer(if path == "/$batch" { 200 } else { 500 }, &body, "x"),
        );
        let refused = stage.run_with("plan --out @plan.json", impatient()).await;
        assert!(
            refused.status == 1 && refused.err.contains("everything is well"),
            "{path}: {}",
            refused.err
        );
        assert_shown_by(path, &refused);
    }
}

#[tokio::test]
async fn a_plan_from_elsewhere_forges_no_line_of_the_error_that_refuses_it() {
    let stage = stage_with_log().await;
    assert_eq!(stage.run("plan --out @plan.json").await.status, 0);
    let plan = plan_file::read(&stage.path("plan.json")).unwrap();
    let name = "Q\nFORGED\u{1b}[2K";
    let mut plans = vec![
        json!({ "format_version": name }),
        json!({ "format_version": "1.0", name: 1 }),
    ];
    let mut whole = serde_json::to_value(&plan).unwrap();
    whole["plan_id"] = name.into();
    plans.push(whole.clone());
    whole["changes"][0]["action"] = name.into();
    plans.push(whole);
    for change in [
        |plan: &mut Plan, name: &str| plan.source.url = name.to_owned(),
        |plan: &mut Plan, name: &str| plan.source.realm = name.to_owned(),
        |plan: &mut Plan, name: &str| plan.target.graph_url = name.to_owned(),
        |plan: &mut Plan, name: &str| {
            plan.target.tenant_id = "11111111-1111-4111-8111-111111111111".parse().unwrap();
            plan.target.tenant_name = name.to_owned();
        },
    ] {
        let mut other = plan.clone();
        change(&mut other, name);
        plans.push(serde_json::to_value(other.sealed()).unwrap());
    }
    stage.sandbox.forget_requests();
    for (number, plan) in plans.iter().enumerate() {
        std::fs::write(stage.path("forged.json"), plan.to_string()).unwrap();
        let refused = stage.run("apply @forged.json").await;
        assert_eq!(refused.status, 1, "{number}");
        assert_shown_by(&format!("plan {number}"), &refused);
    }
    assert_eq!(stage.sandbox.requests(), []);
}
