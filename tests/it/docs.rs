//! What the documents say is what the program does.

use std::collections::BTreeSet;

use clap::CommandFactory;
use keycloak_to_azure::cli::Cli;

use crate::program::Stage;

fn readme() -> &'static str {
    include_str!("../../README.md")
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
fn every_flag_in_the_readme_is_one() {
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
        "fuzz-dir",
        "sanitizer",
        "in-diff",
        "bench",
    ];
    for rest in readme().split("--").skip(1) {
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
