//! What each command needs to be allowed to do: with exactly that it works, and without any one of it it says what is missing.

use std::collections::{BTreeMap, BTreeSet};

use crate::crew::{APPLY, Crew, PLAN, as_it_is};
use crate::program::Stage;

const READ: [&str; 2] = ["User.Read.All", "GroupMember.Read.All"];
const WRITE: [&str; 5] = [
    "User.Read.All",
    "GroupMember.Read.All",
    "User.Invite.All",
    "User.ReadWrite.All",
    "GroupMember.ReadWrite.All",
];
/// An undo invites nobody.
const TAKE_BACK: [&str; 4] = [
    "User.Read.All",
    "GroupMember.Read.All",
    "User.ReadWrite.All",
    "GroupMember.ReadWrite.All",
];

/// A command, and what the README's table says that it needs.
struct Need {
    /// As the table calls it.
    name: &'static str,
    line: &'static str,
    graph: &'static [&'static str],
    keycloak: &'static [&'static str],
}

const NEEDS: [Need; 9] = [
    Need {
        name: "plan",
        line: PLAN,
        graph: &READ,
        keycloak: &["view-users"],
    },
    Need {
        name: "apply --dry-run",
        line: "apply @plan.json --dry-run",
        graph: &READ,
        keycloak: &["view-users"],
    },
    Need {
        name: "check --for plan",
        line: "check --for plan",
        graph: &READ,
        keycloak: &["view-users"],
    },
    Need {
        name: "explain",
        line: "explain ann@partner.example",
        graph: &READ,
        keycloak: &["view-users"],
    },
    Need {
        name: "audit",
        line: "audit",
        graph: &READ,
        keycloak: &["view-users"],
    },
    Need {
        name: "apply",
        line: APPLY,
        graph: &WRITE,
        keycloak: &["view-users"],
    },
    Need {
        name: "check",
        line: "check",
        graph: &WRITE,
        keycloak: &["view-users"],
    },
    Need {
        name: "undo",
        line: "undo @plan.report.jsonl --out @undo.json",
        graph: &READ,
        keycloak: &[],
    },
    Need {
        name: "apply of an undo",
        line: "apply @undo.json --plan-id @id",
        graph: &TAKE_BACK,
        keycloak: &[],
    },
];

/// Gives the app and the sync account exactly these rights.
fn grant(stage: &Stage, graph: &BTreeSet<&str>, keycloak: &BTreeSet<&str>) {
    stage.sandbox.with_world(|world| {
        world.entra.apps[0].roles = graph.iter().map(ToString::to_string).collect();
        let realm = world.keycloak.realm_mut("acme").unwrap();
        let roles = keycloak.iter().map(ToString::to_string).collect();
        realm.person_mut("azure-sync").unwrap().client_roles =
            BTreeMap::from([("realm-management".to_owned(), roles)]);
    });
}

/// A crew whose sync account need not ask the realm where people come from, which would take a role more.
async fn crew() -> Crew {
    let crew = Crew::new(as_it_is).await;
    let configuration = crew.stage.configuration();
    crew.stage
        .configure(&(configuration + "keycloak_federation: none\n"));
    crew
}

/// Does what the command builds on, with every right, and then runs it with these.
async fn run_with(
    crew: &Crew,
    need: &Need,
    graph: &BTreeSet<&str>,
    keycloak: &BTreeSet<&str>,
) -> (u8, String) {
    crew.begin_anew(false);
    let stage = &crew.stage;
    let planned = stage.run(PLAN).await;
    assert_eq!(planned.status, 0, "{}", planned.err);
    let mut line = need.line.to_owned();
    if need.name.contains("undo") {
        let applied = stage.run(APPLY).await;
        assert_eq!(applied.status, 0, "{}", applied.err);
    }
    if need.name == "apply of an undo" {
        let undone = stage.run("undo @plan.report.jsonl --out @undo.json").await;
        assert_eq!(undone.status, 0, "{}", undone.err);
        let plan: serde_json::Value =
            serde_json::from_slice(&std::fs::read(stage.path("undo.json")).unwrap()).unwrap();
        line = line.replace("@id", plan["plan_id"].as_str().unwrap());
    }
    grant(stage, graph, keycloak);
    let ended = stage.run(&line).await;
    (ended.status, format!("{}{}", ended.out, ended.err))
}

#[tokio::test]
async fn each_command_works_with_exactly_what_it_needs() {
    let crew = crew().await;
    for need in &NEEDS {
        let (graph, keycloak) = (set(need.graph), set(need.keycloak));
        let (status, said) = run_with(&crew, need, &graph, &keycloak).await;
        // An audit of directories that have yet to be brought together finds something.
        let worked = if need.name == "audit" { 2 } else { 0 };
        assert_eq!(status, worked, "{}: {said}", need.name);
    }
}

#[tokio::test]
async fn each_command_says_what_is_missing() {
    let crew = crew().await;
    for need in &NEEDS {
        for missing in need.graph {
            let graph: BTreeSet<&str> = set(need.graph)
                .difference(&[*missing].into())
                .copied()
                .collect();
            let (status, said) = run_with(&crew, need, &graph, &set(need.keycloak)).await;
            // Microsoft lets whoever may write accounts invite people, too.
            if *missing == "User.Invite.All" {
                assert_eq!(status, 0, "{} without {missing}: {said}", need.name);
            } else {
                assert!(
                    status == 1 || status == 4,
                    "{} without {missing}: {status} {said}",
                    need.name
                );
                assert!(
                    said.contains(missing),
                    "{} without {missing}: {said}",
                    need.name
                );
            }
        }
        for missing in need.keycloak {
            let (status, said) = run_with(&crew, need, &set(need.graph), &BTreeSet::new()).await;
            assert_eq!(status, 1, "{} without {missing}: {said}", need.name);
            assert!(
                said.contains(missing),
                "{} without {missing}: {said}",
                need.name
            );
        }
    }
}

#[test]
fn the_readme_says_what_each_command_needs() {
    let readme = std::fs::read_to_string("README.md").unwrap();
    for need in &NEEDS {
        let code = |names: &[&str]| match names {
            [] => "–".to_owned(),
            names => names
                .iter()
                .map(|name| format!("`{name}`"))
                .collect::<Vec<_>>()
                .join(", "),
        };
        let row = format!(
            "| `{}` | {} | {} |",
            need.name,
            code(need.graph),
            code(need.keycloak)
        );
        let row = row.replace("`apply of an undo`", "`apply` of an undo");
        assert!(readme.contains(&row), "the README lacks the line\n{row}");
    }
}

fn set<'a>(names: &[&'a str]) -> BTreeSet<&'a str> {
    names.iter().copied().collect()
}
