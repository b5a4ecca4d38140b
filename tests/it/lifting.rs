//! The command that a blocked plan is shown with, as somebody runs it who copies it: it makes the same plan, with the limit lifted.

use std::path::Path;

use keycloak_to_azure::plan::Plan;
use keycloak_to_azure::plan_file;
use tokio::process::Command;

use crate::program::{Ended, Stage};

const PLAN: &str = "keycloak_to_azure.plan.json";
const UNDO: &str = "keycloak_to_azure.undo.json";

/// The company, with its group acme-platform called otherwise and mapped by its id. Another mapping has the Keycloak group /support.
async fn platform_is_called(name: &str) -> (Stage, String) {
    let stage = Stage::company().await;
    let id = stage.sandbox.with_world(|world| {
        let mut groups = world.entra.groups.values_mut();
        let group = groups
            .find(|group| group.display_name == "acme-platform")
            .unwrap();
        name.clone_into(&mut group.display_name);
        group.id.clone()
    });
    let configuration = stage.configuration();
    stage.configure(&configuration.replace("azure: acme-platform", &format!("azure: {id}")));
    (stage, id)
}

fn plan(stage: &Stage, name: &str) -> Plan {
    plan_file::read(&stage.path(name)).unwrap()
}

/// The command that was printed.
fn lifting_command(ended: &Ended) -> &str {
    assert_eq!(ended.status, 3, "{}{}", ended.out, ended.err);
    let mut lines = ended.err.lines();
    let command = lines.find_map(|line| line.strip_prefix("To lift what blocks it:"));
    command.unwrap().trim_start()
}

/// Has a shell run a command in the folder of the stage.
async fn run(stage: &Stage, command: &str) -> Ended {
    let program = Path::new(assert_cmd::cargo::cargo_bin!("keycloak-to-azure"));
    let output = Command::new("/bin/sh")
        .args(["-c", command])
        .current_dir(stage.folder.path())
        .env_clear()
        .envs(stage.variables.iter().cloned())
        .env("PATH", program.parent().unwrap())
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    Ended::of(output)
}

/// What was blocked, once the command that was printed has made it again.
async fn lifted(stage: &Stage, flags: &str) -> (Plan, Plan) {
    let planned = stage.run(&format!("plan --out @{PLAN} {flags}")).await;
    let command = lifting_command(&planned);
    let blocked = plan(stage, PLAN);
    let ended = run(stage, command).await;
    assert_eq!(ended.status, 0, "{command}: {}{}", ended.out, ended.err);
    (blocked, plan(stage, PLAN))
}

fn is_the_same_but_for_the_limits(lifted: &Plan, blocked: &Plan) {
    assert!(blocked.is_blocked() && !lifted.is_blocked());
    assert_eq!(lifted.scope, blocked.scope);
    assert_eq!(lifted.groups, blocked.groups);
    assert_eq!(lifted.changes, blocked.changes);
    let (now, before) = (&lifted.overrides, &blocked.overrides);
    assert!(now.allow_empty.is_superset(&before.allow_empty), "{now:?}");
    assert_eq!(now.without_witness, before.without_witness);
}

#[tokio::test]
async fn a_scope_is_the_same_one_whatever_its_group_is_called() {
    for name in [
        "acme-platform",
        "Acme $(touch pwn) it's `x`",
        "support",
        "/support",
        "-p",
        "a\u{200b}b",
    ] {
        let (stage, id) = platform_is_called(name).await;
        let (blocked, lifted) = lifted(&stage, &format!("--group {id} --max-invitations 0")).await;
        let scope = blocked.scope.iter().flatten();
        assert_eq!(
            scope.map(|mapping| &mapping.azure.name).collect::<Vec<_>>(),
            [name]
        );
        is_the_same_but_for_the_limits(&lifted, &blocked);
        assert!(!stage.path("pwn").exists());
    }
}

#[tokio::test]
async fn a_group_that_a_rule_is_lifted_for_is_the_same_one_whatever_it_is_called() {
    for (name, by_name) in [
        ("acme-platform", true),
        ("Acme $(touch pwn) it's `x`", true),
        ("support", false),
        ("-p", false),
        ("a\u{200b}b", false),
    ] {
        for flag in ["--allow-empty", "--without-witness"] {
            let (stage, id) = platform_is_called(name).await;
            let (blocked, lifted) = lifted(&stage, &format!("{flag} {id} --max-removals 0")).await;
            let set = [
                &blocked.overrides.allow_empty,
                &blocked.overrides.without_witness,
            ];
            let called: Vec<&String> = set.into_iter().flatten().collect();
            assert_eq!(called, [if by_name { name } else { &id }], "{flag}");
            is_the_same_but_for_the_limits(&lifted, &blocked);
            assert!(!stage.path("pwn").exists());
        }
    }
}

#[tokio::test]
async fn what_a_block_says_lifts_it_whatever_its_group_is_called() {
    for (name, by_name) in [("acme-platform", true), ("support", false)] {
        let (stage, id) = platform_is_called(name).await;
        stage.sandbox.with_world(|world| {
            let realm = world.keycloak.realm_mut("acme").unwrap();
            let platform = realm.group_mut("/teams/platform").unwrap();
            let below = platform.subgroups.iter().map(|group| &group.id);
            let emptied: Vec<String> = below.chain([&platform.id]).cloned().collect();
            for person in &mut realm.people {
                person.groups.retain(|group| !emptied.contains(group));
            }
        });
        // With nobody in its Keycloak group, the plan shows no removal.
        let (blocked, lifted) = lifted(&stage, "--max-removals off").await;
        assert!(blocked.is_blocked() && !lifted.is_blocked());
        let called = if by_name { name.to_owned() } else { id };
        assert_eq!(lifted.overrides.allow_empty, [called].into());
    }
}

#[tokio::test]
async fn an_undo_is_the_same_one_whatever_its_groups_are_called() {
    for (name, by_name) in [("acme-platform", true), ("support", false), ("-p", false)] {
        let (stage, id) = platform_is_called(name).await;
        assert_eq!(stage.run(&format!("plan --out @{PLAN}")).await.status, 0);
        let applied = stage
            .run(&format!("apply @{PLAN} --report @run.jsonl"))
            .await;
        assert_eq!(applied.status, 0, "{}{}", applied.out, applied.err);
        let line = format!("undo @run.jsonl --out @{UNDO} --allow-empty {id} --max-removals 0");
        let undone = stage.run(&line).await;
        let command = lifting_command(&undone).replace(" REPORT ", " run.jsonl ");
        let blocked = plan(&stage, UNDO);
        assert_eq!(
            blocked.overrides.allow_empty,
            [if by_name { name.to_owned() } else { id }].into()
        );
        let ended = run(&stage, &command).await;
        assert_eq!(ended.status, 0, "{command}: {}{}", ended.out, ended.err);
        is_the_same_but_for_the_limits(&plan(&stage, UNDO), &blocked);
    }
}
