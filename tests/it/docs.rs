//! What the documents say is what the program does.

use std::collections::BTreeSet;
use std::path::Path;

use clap::{CommandFactory, Parser};
use keycloak_to_azure::cli::Cli;
use keycloak_to_azure::manual::{ENVIRONMENT, EXAMPLES};
use pulldown_cmark::{CodeBlockKind, Event, Options, Tag, TagEnd};

use crate::program::Stage;

fn readme() -> &'static str {
    include_str!("../../README.md")
}

/// Everything that is written for people who use the program, by its path.
const DOCUMENTS: [(&str, &str); 3] = [
    ("README.md", include_str!("../../README.md")),
    (
        ".github/RUNBOOK.md",
        include_str!("../../.github/RUNBOOK.md"),
    ),
    (
        ".github/SECURITY.md",
        include_str!("../../.github/SECURITY.md"),
    ),
];

fn events(document: &str) -> impl Iterator<Item = Event<'_>> {
    pulldown_cmark::Parser::new_ext(document, Options::ENABLE_TABLES)
}

/// The command lines of this program in a document: those to be copied, and those in running text that are whole.
fn command_lines(document: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut is_shell = false;
    for event in events(document) {
        match event {
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(language))) => {
                is_shell = &*language == "sh";
            }
            Event::End(TagEnd::CodeBlock) => is_shell = false,
            Event::Text(text) if is_shell => {
                lines.extend(text.replace("\\\n", " ").lines().map(str::to_owned));
            }
            Event::Code(text) => lines.push(text.into_string()),
            _ => {}
        }
    }
    lines
        .iter()
        .filter_map(|line| {
            line.strip_prefix("keycloak-to-azure ")
                .or_else(|| line.strip_prefix("cargo run -- "))
        })
        .map(str::to_owned)
        .collect()
}

/// What the headings of a document are linked by.
fn anchors(document: &str) -> BTreeSet<String> {
    let headings = document
        .lines()
        .filter_map(|line| line.strip_prefix('#'))
        .map(|heading| heading.trim_start_matches('#').trim().to_lowercase());
    headings
        .map(|heading| {
            let kept = heading.replace(' ', "-");
            kept.chars()
                .filter(|c| c.is_alphanumeric() || *c == '-')
                .collect()
        })
        .collect()
}

/// The fenced block after a marker in the README.
fn block(marker: &str) -> &'static str {
    let (_, rest) = readme().split_once(marker).unwrap();
    let (_, rest) = rest.split_once("```").unwrap();
    let (_, rest) = rest.split_once('\n').unwrap();
    rest.split_once("```").unwrap().0
}

/// Text without what differs from sandbox to sandbox, and without the spaces that line it up.
fn comparable(text: &str) -> Vec<String> {
    let words = text.split_whitespace().map(|word| {
        let is_id = word.len() >= 36 && word.bytes().filter(|byte| *byte == b'-').count() >= 4;
        if word.starts_with("http://127.") || is_id {
            "…".to_owned()
        } else {
            word.to_owned()
        }
    });
    words.collect()
}

#[tokio::test]
async fn the_picture_in_the_readme_is_what_the_program_prints() {
    let stage = Stage::company().await;
    let planned = stage.run("plan --out @plan.json").await;
    assert_eq!(planned.status, 0, "{}", planned.err);
    assert_eq!(
        comparable(block("<!-- picture -->")),
        comparable(&planned.out)
    );
}

#[test]
fn every_command_and_flag_is_in_the_readme() {
    for command in Cli::command().get_subcommands() {
        let name = command.get_name();
        assert!(readme().contains(&format!("`{name}")), "{name}");
        let flags = command.get_arguments().filter_map(clap::Arg::get_long);
        for flag in flags.filter(|flag| !["help", "version"].contains(flag)) {
            assert!(readme().contains(&format!("--{flag}")), "{name} --{flag}");
        }
    }
}

#[test]
fn every_command_line_in_the_documents_is_one() {
    let of_documents = DOCUMENTS
        .into_iter()
        .flat_map(|(path, document)| {
            let lines = command_lines(document);
            assert!(!lines.is_empty() || path.ends_with("SECURITY.md"), "{path}");
            lines
        })
        .map(|line| format!("keycloak-to-azure {line}"));
    let of_help = EXAMPLES.entries.iter().map(|(line, _)| (*line).to_owned());
    for line in of_documents.chain(of_help) {
        // Where its output goes is the shell's business.
        let words = line.split_whitespace().take_while(|word| *word != ">");
        let parsed = Cli::try_parse_from(words);
        assert!(parsed.is_ok(), "{line}: {}", parsed.unwrap_err());
    }
}

#[test]
fn every_link_of_the_documents_leads_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (path, document) in DOCUMENTS {
        let links = events(document).filter_map(|event| match event {
            Event::Start(Tag::Link { dest_url, .. }) => Some(dest_url.into_string()),
            _ => None,
        });
        for link in links.filter(|link| !link.contains("://")) {
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let folder = root.join(path).parent().unwrap().to_owned();
            let file = match file {
                "" => root.join(path),
                file => folder.join(file),
            };
            assert!(file.exists(), "{path}: {link}");
            if !anchor.is_empty() {
                let headings = anchors(&std::fs::read_to_string(file).unwrap());
                assert!(headings.contains(anchor), "{path}: {link}");
            }
        }
    }
}

#[test]
fn the_variables_of_the_help_are_those_of_the_readme() {
    let of_help: BTreeSet<_> = ENVIRONMENT
        .entries
        .iter()
        .flat_map(|(names, _)| names.split(", "))
        .collect();
    let configuration = readme().split("\n## Commands\n").next().unwrap();
    let (_, tables) = configuration.split_once("| variable | is |").unwrap();
    let of_readme: BTreeSet<_> = tables
        .split(|c: char| !c.is_ascii_uppercase() && c != '_')
        .filter(|word| word.trim_matches('_').contains('_'))
        .collect();
    let missing: Vec<_> = of_help.symmetric_difference(&of_readme).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn every_flag_in_the_documents_is_one() {
    let flags: BTreeSet<String> = Cli::command()
        .get_subcommands()
        .flat_map(clap::Command::get_arguments)
        .chain(Cli::command().get_arguments())
        .filter_map(|argument| argument.get_long().map(str::to_owned))
        .collect();
    // Those of other programs' command lines.
    let others = [
        "server",
        "realm",
        "user",
        "fields",
        "format",
        "noquotes",
        "uusername",
        "cclientid",
        "rolename",
        "open",
        "relative-path",
        "server-only",
        "keep",
        "out",
        "binary",
        "path",
        "locked",
        "test",
        "fuzz-dir",
        "sanitizer",
        "in-diff",
        "bench",
        "repo",
        "rm",
        "read-only",
        "volume",
        "env-file",
        "id",
        "key-id",
        "set",
        "display-name",
        "query",
        "output",
    ];
    let documents = DOCUMENTS.map(|(_, document)| document).concat();
    for rest in documents.split("--").skip(1) {
        let flag: String = rest
            .chars()
            .take_while(|c| c.is_ascii_lowercase() || *c == '-')
            .collect();
        let flag = flag.trim_end_matches('-');
        assert!(
            flag.is_empty() || flags.contains(flag) || others.contains(&flag),
            "--{flag}"
        );
    }
}

#[test]
fn the_exit_codes_of_the_help_are_those_of_the_readme() {
    let help = Cli::command().render_long_help().to_string();
    for line in readme().lines().filter_map(|line| line.strip_prefix("| ")) {
        let Some((code, meaning)) = line.split_once(" | ") else {
            continue;
        };
        if code.len() == 1 && code.bytes().all(|byte| byte.is_ascii_digit()) {
            let first_words: Vec<_> = meaning.split_whitespace().take(3).collect();
            let of_help = help
                .lines()
                .find(|line| line.trim_start().starts_with(&format!("{code}  ")))
                .unwrap();
            assert!(
                of_help.contains(first_words[0].trim_matches([';', ':', '`'])),
                "{code}: {of_help}"
            );
        }
    }
}
