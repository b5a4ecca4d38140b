//! The man pages, as the program writes them.

use std::collections::BTreeMap;
use std::process::Command;

use clap::CommandFactory;
use keycloak_to_azure::cli::Cli;
use keycloak_to_azure::manual::{ENVIRONMENT, EXAMPLES, EXIT_CODES, FILES};
use tempfile::TempDir;

fn written() -> (TempDir, BTreeMap<String, String>) {
    let folder = TempDir::new().unwrap();
    let output = Command::new(assert_cmd::cargo::cargo_bin!("keycloak-to-azure"))
        .current_dir(folder.path())
        .args(["man", "share/man1"])
        .env_clear()
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(output.stdout, b"");
    let pages = std::fs::read_dir(folder.path().join("share/man1"))
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            (name, std::fs::read_to_string(entry.path()).unwrap())
        })
        .collect();
    (folder, pages)
}

/// A page as it is read, without the marks of fonts and the strokes before its hyphens.
fn words(page: &str) -> String {
    let mut text = page.replace("\\-", "-");
    for mark in ["\\fB", "\\fI", "\\fR"] {
        text = text.replace(mark, "");
    }
    text.replace("\\*(Aq", "'")
}

#[test]
fn the_program_and_each_command_have_a_page_with_every_flag() {
    let (_folder, pages) = written();
    let mut program = Cli::command().disable_help_subcommand(true);
    program.build();
    let commands = program.get_subcommands().map(|command| {
        (
            format!("keycloak-to-azure-{}.1", command.get_name()),
            command,
        )
    });
    let mut expected: BTreeMap<_, _> = commands.collect();
    expected.insert("keycloak-to-azure.1".to_owned(), &program);
    assert!(pages.keys().eq(expected.keys()), "{:?}", pages.keys());

    for (name, command) in expected {
        let page = words(&pages[&name]);
        let title = format!(
            ".TH {} 1 \" \" \"keycloak-to-azure {}\" \"User Commands\"\n",
            name.strip_suffix(".1").unwrap(),
            env!("CARGO_PKG_VERSION")
        );
        assert!(page.contains(&title), "{name}: {page}");
        for flag in command.get_arguments().filter_map(clap::Arg::get_long) {
            assert!(page.contains(&format!("--{flag}")), "{name}: --{flag}");
        }
        for heading in command
            .get_arguments()
            .filter_map(clap::Arg::get_help_heading)
        {
            let heading = heading.to_uppercase();
            assert!(page.contains(&heading), "{name}: {heading}");
        }
        for command in command.get_subcommands() {
            let reference = format!("keycloak-to-azure-{}(1)", command.get_name());
            assert!(page.contains(&reference), "{name}: {reference}");
        }
    }
}

#[test]
fn the_page_of_the_program_has_what_its_help_has() {
    let (_folder, pages) = written();
    let page = words(&pages["keycloak-to-azure.1"]);
    let help = Cli::command().render_long_help().to_string();
    for section in [EXIT_CODES, ENVIRONMENT, FILES, EXAMPLES] {
        assert!(page.contains(section.man_heading));
        assert!(help.contains(&format!("{}:\n", section.heading)));
        for (name, meaning) in section.entries {
            assert!(page.contains(name) && page.contains(meaning), "{name}");
            assert!(help.contains(&format!("  {name}")), "{name}");
        }
    }
}

#[test]
fn the_pages_are_the_same_each_time() {
    assert_eq!(written().1, written().1);
}

/// Where there is a `groff`: what a page says that it does not understand would be missing for readers.
#[test]
fn the_pages_are_understood() {
    let (folder, pages) = written();
    for name in pages.keys() {
        let output = Command::new("groff")
            .current_dir(folder.path().join("share/man1"))
            .args(["-man", "-ww", "-K", "utf8", "-T", "utf8", name])
            .output();
        let Ok(output) = output else {
            eprintln!("skipped: there is no groff here");
            return;
        };
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.is_empty(), "{name}: {said}");
    }
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("taken"), "").unwrap();
    let output = Command::new(assert_cmd::cargo::cargo_bin!("keycloak-to-azure"))
        .current_dir(folder.path())
        .args(["man", "taken"])
        .env_clear()
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("taken"), "{said}");
}
