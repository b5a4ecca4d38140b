//! The binary itself: exit codes of the process, streams, colours, the sandbox's files.

use assert_cmd::Command;
use tempfile::TempDir;

fn program(folder: &TempDir) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("keycloak-to-azure"));
    command.current_dir(folder.path()).env_clear();
    command
}

fn status(folder: &TempDir, words: &str) -> i32 {
    let output = program(folder)
        .args(words.split_whitespace())
        .output()
        .unwrap();
    output.status.code().unwrap()
}

#[test]
fn the_sandbox_tells_its_story_with_exit_codes() {
    let folder = TempDir::new().unwrap();
    assert_eq!(status(&folder, "plan --sandbox --detailed-exitcode"), 2);
    assert_eq!(status(&folder, "apply --sandbox"), 0);
    assert_eq!(status(&folder, "plan --sandbox --detailed-exitcode"), 0);
    for name in ["plan.json", "plan.report.jsonl", "sandbox.json"] {
        assert!(
            folder
                .path()
                .join(format!("keycloak_to_azure.{name}"))
                .exists(),
            "{name}"
        );
    }
}

#[test]
fn a_plan_of_one_sandbox_is_not_applied_in_another() {
    let (one, other) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    assert_eq!(status(&one, "plan --sandbox"), 0);
    let plan = "keycloak_to_azure.plan.json";
    std::fs::copy(one.path().join(plan), other.path().join(plan)).unwrap();
    assert_eq!(status(&other, "apply --sandbox"), 1);
}

#[test]
fn usage_errors_are_errors_and_help_is_not() {
    let folder = TempDir::new().unwrap();
    for words in [
        "",
        "plann",
        "plan --nonsense",
        "show --format nonsense",
        "plan --max-removals -1",
    ] {
        assert_eq!(status(&folder, words), 1, "{words}");
    }
    for words in [
        "--help",
        "help plan",
        "plan --help",
        "--version",
        "completions bash",
    ] {
        assert_eq!(status(&folder, words), 0, "{words}");
    }
}

#[test]
fn what_is_missing_is_named_on_stderr() {
    let folder = TempDir::new().unwrap();
    let output = program(&folder).arg("plan").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(output.stdout, b"");
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("keycloak_to_azure.config.yaml"), "{text}");

    std::fs::copy(
        concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/keycloak_to_azure.config.yaml.example"
        ),
        folder.path().join("keycloak_to_azure.config.yaml"),
    )
    .unwrap();
    let output = program(&folder).arg("plan").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).unwrap();
    for name in [
        "KEYCLOAK_",
        "AZURE_TENANT_ID",
        "AZURE_CLIENT_ID",
        "AZURE_CLIENT_SECRET",
    ] {
        assert!(text.contains(name), "{name}: {text}");
    }
}

#[test]
fn colours_are_used_where_they_are_asked_for() {
    let folder = TempDir::new().unwrap();
    assert_eq!(status(&folder, "plan --sandbox"), 0);
    let shown = |words: &str, variables: &[(&str, &str)]| {
        let mut command = program(&folder);
        command
            .args(words.split_whitespace())
            .envs(variables.iter().copied());
        command.output().unwrap().stdout.contains(&0x1b)
    };
    assert!(!shown("show", &[]));
    assert!(shown("show --color always", &[("NO_COLOR", "1")]));
    assert!(shown("show", &[("CLICOLOR_FORCE", "1")]));
    assert!(!shown(
        "show",
        &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]
    ));
    assert!(!shown("--color never show", &[("CLICOLOR_FORCE", "1")]));
}
