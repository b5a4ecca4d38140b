//! Reports as an auditor reads them, and runs taken back as an operator does it.

use keycloak_to_azure::plan::{Change, GroupName, Plan, PlanKind, ProblemCode};
use keycloak_to_azure::report::{Outcome, Report, Write};
use keycloak_to_azure::report_file;
use keycloak_to_azure::sandbox::graph::EntraWorld;
use keycloak_to_azure::sandbox::{Fault, Service, When, seed};

use crate::house::plan;
use crate::program::{Ended, Stage, deletions};

/// The company with its plan applied, and Entra as it was before.
async fn applied() -> (Stage, EntraWorld) {
    let stage = Stage::company().await;
    let before = entra(&stage);
    assert_eq!(stage.run("plan --out @plan.json").await.status, 0);
    let applied = stage.run("apply @plan.json").await;
    assert_eq!(applied.status, 0, "{}", applied.err);
    (stage, before)
}

fn entra(stage: &Stage) -> EntraWorld {
    stage.sandbox.with_world(|world| world.entra.clone())
}

fn report(stage: &Stage, name: &str) -> Report {
    report_file::read(&stage.path(name)).unwrap()
}

fn undo_plan(stage: &Stage) -> Plan {
    plan_named(stage, "undo.json")
}

fn plan_named(stage: &Stage, name: &str) -> Plan {
    keycloak_to_azure::plan_file::read(&stage.path(name)).unwrap()
}

/// Makes the plan `undo.json` of the run in the report of `plan.json`.
async fn undo(stage: &Stage, flags: &str) -> Ended {
    let line = format!("undo @plan.report.jsonl --out @undo.json {flags}");
    stage.run(&line).await
}

/// Applies a plan as it was approved.
async fn apply(stage: &Stage, name: &str) -> Ended {
    let id = plan_named(stage, name).plan_id;
    stage.run(&format!("apply @{name} --plan-id {id}")).await
}

/// Members of each group, and names and type of each account but those that were invited in between.
fn state(entra: &EntraWorld, without: &[String]) -> Vec<String> {
    let groups = entra.groups.values();
    let members = groups.flat_map(|group| {
        let name = group.display_name.clone();
        group.members.iter().map(move |id| format!("{name}: {id}"))
    });
    let accounts = entra.users.values();
    let accounts = accounts
        .filter(|user| !without.contains(&user.id))
        .map(|user| {
            format!(
                "{}: {:?} {:?} {:?} {:?}",
                user.id, user.user_type, user.display_name, user.given_name, user.surname
            )
        });
    members.chain(accounts).collect()
}

fn with_filters(check: impl FnOnce()) {
    let mut settings = insta::Settings::clone_current();
    for (found, shown) in [
        (r"http://127\.0\.0\.1:\d+", "http://SANDBOX"),
        (
            r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
            "GUID",
        ),
        (r"[0-9a-f]{64}", "DIGEST"),
        (r"\d+ [A-Z][a-z]+ 20\d\d, `?[0-9:]+`? UTC", "DATE"),
        (r"after \d+\.\d s", "after SECONDS"),
    ] {
        settings.add_filter(found, shown);
    }
    settings.bind(check);
}

#[tokio::test]
async fn a_run_is_read_from_its_report_taken_back_and_the_next_plan_wants_it_again() {
    let (mut stage, before) = applied().await;
    stage.set("GITHUB_ACTOR", "olga");
    let invited: Vec<String> = report(&stage, "plan.report.jsonl").runs[0]
        .steps
        .iter()
        .filter(|step| step.write == Write::Invited)
        .map(|step| step.account.id.as_ref().unwrap().to_string())
        .collect();
    assert!(!invited.is_empty());

    let detailed = undo(&stage, "--detailed-exitcode").await;
    assert_eq!(detailed.status, 2, "{}", detailed.err);
    let undone = undo(&stage, "").await;
    assert_eq!(undone.status, 0, "{}", undone.err);
    with_filters(|| insta::assert_snapshot!("undo_of_the_company", undone.out));
    let planned = undo_plan(&stage);
    assert_eq!(planned.kind, PlanKind::Undo);
    assert_eq!(
        planned.problems.len(),
        invited.len(),
        "{:?}",
        planned.problems
    );

    stage.sandbox.forget_requests();
    let rehearsed = stage.run("apply @undo.json --dry-run").await;
    assert_eq!(rehearsed.status, 0, "{}", rehearsed.err);
    assert_eq!(stage.writes(), Vec::<String>::new());
    let unapproved = stage.run("apply @undo.json").await;
    assert_eq!(unapproved.status, 1);
    assert!(unapproved.err.contains("--plan-id"), "{}", unapproved.err);
    let applied = apply(&stage, "undo.json").await;
    assert_eq!(applied.status, 0, "{}{}", applied.out, applied.err);
    // Keycloak has no part in it.
    let asked = stage.sandbox.requests();
    assert!(
        asked
            .iter()
            .all(|request| request.service == Service::Graph)
    );
    assert_eq!(state(&entra(&stage), &invited), state(&before, &invited));
    // Nobody's invitation is taken back, which is a problem of the plan and no change.
    let nothing_left = "undo @plan.report.jsonl --out @again.json --detailed-exitcode";
    let nothing_left = stage.run(nothing_left).await;
    assert_eq!(nothing_left.status, 0, "{}", nothing_left.err);
    assert!(!plan_named(&stage, "again.json").problems.is_empty());

    let shown = stage.run("report @undo.report.jsonl").await;
    assert_eq!(shown.status, 0, "{}", shown.err);
    with_filters(|| insta::assert_snapshot!("report_of_an_undo", shown.out));

    let next = stage.run("plan --out @next.json").await;
    assert_eq!(next.status, 0, "{}", next.err);
    let first = plan(&stage).unwrap();
    let next = keycloak_to_azure::plan_file::read(&stage.path("next.json")).unwrap();
    let not_invited = |plan: &Plan| {
        let changes = plan.changes.iter();
        changes
            .filter(|change| matches!(change, Change::Remove(_) | Change::Update(_)))
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(not_invited(&next), not_invited(&first));
}

#[tokio::test]
async fn an_undo_is_repeated_and_undone_like_any_other_run() {
    let (stage, before) = applied().await;
    let after = entra(&stage);
    assert_eq!(undo(&stage, "").await.status, 0);
    assert_eq!(apply(&stage, "undo.json").await.status, 0);
    stage.sandbox.forget_requests();
    let again = apply(&stage, "undo.json").await;
    assert_eq!(again.status, 0, "{}", again.err);
    assert_eq!(stage.writes(), Vec::<String>::new());
    assert!(again.out.contains("already done"), "{}", again.out);

    // Nothing is left to take back.
    let empty = stage.run("undo @plan.report.jsonl --out @empty.json").await;
    assert_eq!(empty.status, 0, "{}", empty.err);

    let redone = stage.run("undo @undo.report.jsonl --out @redo.json").await;
    assert_eq!(redone.status, 0, "{}", redone.err);
    assert_eq!(apply(&stage, "redo.json").await.status, 0);
    assert_eq!(state(&entra(&stage), &[]), state(&after, &[]));
    assert_ne!(state(&after, &[]), state(&before, &[]));
}

#[tokio::test]
async fn which_run_is_taken_back_is_said_and_can_be_chosen() {
    let (stage, _) = applied().await;
    // A second run that only finds everything done, and a dry run, write nothing that could be taken back.
    assert_eq!(stage.run("apply @plan.json").await.status, 0);
    assert_eq!(stage.run("apply @plan.json --dry-run").await.status, 0);
    let undone = undo(&stage, "").await;
    assert_eq!(undone.status, 0, "{}", undone.err);
    let runs = report(&stage, "plan.report.jsonl").runs;
    let ids: Vec<&str> = runs.iter().map(|run| run.start.run_id.as_str()).collect();
    assert_eq!(undo_plan(&stage).undoes.unwrap().run_id, ids[0]);

    let refused = undo(&stage, &format!("--run {}", ids[2])).await;
    assert_eq!(refused.status, 1);
    assert!(refused.err.contains("was a dry run"), "{}", refused.err);
    let none = undo(&stage, "--run other").await;
    assert!(none.err.contains("holds no run other"), "{}", none.err);
}

#[tokio::test]
async fn a_plan_that_two_runs_carried_out_is_said_to_be_taken_back_in_part() {
    let mut stage = Stage::company().await;
    stage.set(
        "KEYCLOAK_TO_AZURE_REDACT_KEY",
        "0123456789abcdef0123456789abcdef",
    );
    let before = entra(&stage);
    assert_eq!(stage.run("plan --out @plan.json").await.status, 0);
    stage
        .sandbox
        .faults()
        .add(deletions(), 100, Fault::status(403));
    assert_eq!(stage.run("apply @plan.json").await.status, 4);
    stage.sandbox.faults().clear();
    assert_eq!(stage.run("apply @plan.json").await.status, 0);
    // A run of another plan is no part of it.
    stage.sandbox.with_world(|world| {
        let realm = world.keycloak.realm_mut("acme").unwrap();
        realm.person_mut("hal-hill").unwrap().enabled = false;
    });
    let other = "plan --out @other.json --max-removals off";
    assert_eq!(stage.run(other).await.status, 0);
    let other = "apply @other.json --report @plan.report.jsonl";
    assert_eq!(stage.run(other).await.status, 0);
    let runs = report(&stage, "plan.report.jsonl").runs;
    let [first, second, third] = runs.as_slice() else {
        panic!("{runs:?}")
    };

    let undone = undo(&stage, "").await;
    assert_eq!(undone.status, 0, "{}", undone.err);
    let codes = |plan: &Plan| {
        let problems = plan.problems.iter();
        problems
            .filter(|problem| problem.code == ProblemCode::OtherRunNotUndone)
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(undo_plan(&stage).undoes.unwrap().run_id, third.start.run_id);
    assert_eq!(codes(&undo_plan(&stage)), []);
    // As times are said everywhere.
    let time = second.start.time.strftime("%-d %B %Y, %H:%M:%S UTC");
    let said = format!("the run {} of {time}, which", second.start.run_id);
    assert!(undone.err.contains(&said), "{}", undone.err);
    assert_eq!(apply(&stage, "undo.json").await.status, 0);

    for (run, other, when) in [(second, first, "next"), (first, second, "first")] {
        let flags = format!("--redact --format markdown --run {}", run.start.run_id);
        let undone = undo(&stage, &flags).await;
        assert_eq!(undone.status, 0, "{}", undone.err);
        let plan = undo_plan(&stage);
        let problems = codes(&plan);
        let [problem] = problems.as_slice() else {
            panic!("{problems:?}")
        };
        assert!(problem.subject.contains(&other.start.run_id));
        let id = &other.start.run_id;
        let hint = format!("take that run back {when} with `--run` {id}, unless");
        assert!(undone.out.contains(&hint), "{}", undone.out);
        assert_eq!(apply(&stage, "undo.json").await.status, 0);
    }
    let invited: Vec<String> = (first.steps.iter())
        .filter(|step| step.write == Write::Invited)
        .map(|step| step.account.id.as_ref().unwrap().to_string())
        .collect();
    assert_eq!(state(&entra(&stage), &invited), state(&before, &invited));
}

#[tokio::test]
async fn a_report_of_other_directories_and_what_is_no_report_are_refused() {
    let (stage, _) = applied().await;
    let path = stage.path("plan.report.jsonl");
    let text = std::fs::read_to_string(&path).unwrap();
    let tenant = stage
        .sandbox
        .with_world(|world| world.entra.tenant_id.clone());
    let other = text.replace(&tenant, "99999999-9999-4999-8999-999999999999");
    std::fs::write(&path, other).unwrap();
    stage.sandbox.forget_requests();
    let refused = undo(&stage, "").await;
    assert_eq!(refused.status, 1);
    assert!(
        refused.err.contains("it was made for the tenant"),
        "{}",
        refused.err
    );
    assert_eq!(stage.writes(), Vec::<String>::new());
    assert!(!stage.path("undo.json").exists());

    std::fs::write(&path, "hello\n").unwrap();
    for command in [
        "undo @plan.report.jsonl --out @undo.json",
        "report @plan.report.jsonl",
    ] {
        let refused = stage.run(command).await;
        assert_eq!(refused.status, 1);
        assert!(
            refused.err.contains("is not a report of this program"),
            "{}",
            refused.err
        );
    }
}

#[tokio::test]
async fn a_report_that_ends_in_the_middle_of_a_line_is_read_to_its_last_line() {
    let (stage, _) = applied().await;
    let path = stage.path("plan.report.jsonl");
    let bytes = std::fs::read(&path).unwrap();
    let whole = report(&stage, "plan.report.jsonl");
    for kept in 1..bytes.len() {
        std::fs::write(&path, &bytes[..kept]).unwrap();
        let cut = report(&stage, "plan.report.jsonl");
        let lines = bytes[..kept].split(|byte| *byte == b'\n').count() - 1;
        let read: usize = cut
            .runs
            .iter()
            .map(|run| 1 + run.steps.len() + run.outcomes.len() + usize::from(run.end.is_some()))
            .sum();
        // The last line is whole without its end, too.
        assert!(
            read == lines || read == lines + 1,
            "{kept}: {read} of {lines}"
        );
    }
    std::fs::write(&path, &bytes).unwrap();
    assert_eq!(report(&stage, "plan.report.jsonl"), whole);
}

#[tokio::test]
async fn a_report_as_json_is_what_it_holds() {
    let (stage, _) = applied().await;
    let json = stage.run("report @plan.report.jsonl --format json").await;
    let value: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    let whole = report(&stage, "plan.report.jsonl");
    assert_eq!(value, serde_json::to_value(&whole).unwrap());
    let run = &value["runs"][0];
    assert_eq!(run["start"]["app_id"], stage.variable("AZURE_CLIENT_ID"));
    assert!(
        run["outcomes"]
            .as_array()
            .unwrap()
            .iter()
            .all(|outcome| outcome["outcome"] == "done"),
        "{run}"
    );
    let done = whole.runs[0].outcomes.iter();
    for reported in done {
        assert_eq!(reported.outcome.outcome, Outcome::Done);
        assert!(reported.outcome.request_id.is_some() && reported.outcome.attempts > 0);
    }
}

#[tokio::test]
async fn the_limits_hold_and_are_lifted_for_an_undo_by_its_own_flags() {
    let (stage, _) = applied().await;
    let strict = stage.configuration() + "limits: { removals: 0 }\n";
    stage.configure(&strict);
    let blocked = undo(&stage, "--detailed-exitcode").await;
    assert_eq!(blocked.status, 3, "{}{}", blocked.out, blocked.err);
    assert!(
        blocked
            .out
            .contains("undo the run again with --max-removals"),
        "{}",
        blocked.out
    );
    assert_eq!(apply(&stage, "undo.json").await.status, 3);
    let lifted = undo(&stage, "--max-removals 50").await;
    assert_eq!(lifted.status, 0, "{}{}", lifted.out, lifted.err);
    assert_eq!(apply(&stage, "undo.json").await.status, 0);

    // A group is meant by each of its names: those of the mapping, and its id.
    let support = lifted_group(&stage);
    for name in ["/support", "support", "acme-support", support.id.as_str()] {
        let named = stage
            .run(&format!(
                "undo @plan.report.jsonl --out @named.json --allow-empty {name} --max-removals 50"
            ))
            .await;
        assert_eq!(named.status, 0, "{name}: {}", named.err);
        let allowed = plan_named(&stage, "named.json").overrides.allow_empty;
        assert_eq!(allowed, ["acme-support".to_owned()].into(), "{name}");
    }

    let unknown = undo(&stage, "--allow-empty nobody").await;
    assert!(
        unknown
            .err
            .contains("the run changed no group called nobody"),
        "{}",
        unknown.err
    );
}

fn lifted_group(stage: &Stage) -> GroupName {
    let groups = undo_plan(stage).groups.into_iter();
    let mut names = groups.map(|group| group.azure);
    names.find(|azure| azure.name == "acme-support").unwrap()
}

#[tokio::test]
async fn explain_and_a_redacted_page_of_an_undo() {
    let (mut stage, _) = applied().await;
    stage.set(
        "KEYCLOAK_TO_AZURE_REDACT_KEY",
        "0123456789abcdef0123456789abcdef",
    );
    let undone = undo(&stage, "--redact").await;
    assert_eq!(undone.status, 0, "{}", undone.err);
    for person in &seed::world().keycloak.realm("acme").unwrap().people {
        if let Some(address) = &person.email {
            assert!(!undone.out.contains(address.as_str()), "{}", undone.out);
        }
    }
    let invitations = undo_plan(&stage).problems;
    assert!(
        invitations
            .iter()
            .all(|problem| problem.code == ProblemCode::InvitationNotUndone)
    );
    let explained = stage
        .run("explain bob@partner.example --plan @undo.json")
        .await;
    assert_eq!(explained.status, 1);
    assert!(explained.err.contains("--dry-run"), "{}", explained.err);
}

#[tokio::test]
async fn what_a_write_did_whose_answer_was_lost_is_taken_back_as_well() {
    for method in ["PATCH", "POST", "DELETE"] {
        for fault in [Fault::DropAfterEffect, after_effect(503)] {
            let stage = Stage::company().await;
            let before = entra(&stage);
            assert_eq!(stage.run("plan --out @plan.json").await.status, 0);
            let write = When::to(Service::Graph)
                .path("/$batch")
                .body(&format!("\"method\":\"{method}\""));
            stage.sandbox.faults().add(write, 1, fault);
            let applied = stage.run("apply @plan.json").await;
            assert_eq!(stage.sandbox.faults().pending(), 0, "{method}");
            // A lost answer to an invitation is looked for; a failed one is finished by the next run.
            if applied.status != 0 {
                assert_eq!(method, "POST", "{}", applied.err);
                assert_eq!(stage.run("apply @plan.json").await.status, 0);
            }
            let runs = report(&stage, "plan.report.jsonl").runs;
            let outcomes = runs.iter().flat_map(|run| &run.outcomes);
            let already = outcomes.filter(|reported| {
                reported.outcome.outcome == Outcome::AlreadyDone && runs.len() == 1
            });
            assert_eq!(already.count(), 0, "{method}: {}", applied.out);
            let mut invited = Vec::new();
            for run in &runs {
                let steps = run.steps.iter();
                invited.extend(
                    steps
                        .filter(|step| step.write == Write::Invited)
                        .filter_map(|step| Some(step.account.id.as_ref()?.to_string())),
                );
                let id = &run.start.run_id;
                assert_eq!(undo(&stage, &format!("--run {id}")).await.status, 0);
                assert_eq!(apply(&stage, "undo.json").await.status, 0);
            }
            assert_eq!(
                state(&entra(&stage), &invited),
                state(&before, &invited),
                "{method}"
            );
        }
    }
}

fn after_effect(status: u16) -> Fault {
    let Fault::Answer(response) = Fault::status(status) else {
        unreachable!()
    };
    Fault::AnswerAfterEffect(response)
}

/// The lines of the report, as something to tamper with.
fn tampered(stage: &Stage, change: impl FnOnce(&mut Vec<String>)) {
    let path = stage.path("plan.report.jsonl");
    let text = std::fs::read_to_string(&path).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    change(&mut lines);
    std::fs::write(&path, lines.join("\n") + "\n").unwrap();
}

/// The place of the first line with such a word.
fn line_with(lines: &[String], word: &str) -> usize {
    lines.iter().position(|line| line.contains(word)).unwrap()
}

/// Replaces a word in every line that has another one.
fn replace(lines: &mut [String], in_lines_with: &str, word: &str, other: &str) {
    for line in lines.iter_mut().filter(|line| line.contains(in_lines_with)) {
        *line = line.replace(word, other);
    }
}

fn number_of(line: &str, key: &str) -> usize {
    let rest = line.split(key).nth(1).unwrap();
    let digits = rest.split(|c: char| !c.is_ascii_digit()).next();
    digits.unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_line_behind_the_end_of_its_run_is_refused() {
    let (stage, _) = applied().await;
    let path = stage.path("plan.report.jsonl");
    let whole = std::fs::read(&path).unwrap();
    for word in [r#""totals""#, r#""removed""#, r#""action":"add""#] {
        std::fs::write(&path, &whole).unwrap();
        tampered(&stage, |lines| {
            lines.push(lines[line_with(lines, word)].clone());
        });
        for command in [
            "report @plan.report.jsonl",
            "undo @plan.report.jsonl --out @undo.json",
        ] {
            let refused = stage.run(command).await;
            assert_eq!(refused.status, 1, "{word}: {}", refused.out);
            assert!(
                refused.err.contains("its run ended before"),
                "{word}: {}",
                refused.err
            );
        }
    }
}

#[tokio::test]
async fn a_report_may_state_more_changes_than_fit_into_memory() {
    let (stage, _) = applied().await;
    tampered(&stage, |lines| {
        replace(
            lines,
            r#""start""#,
            r#""changes":"#,
            r#""changes":400000000000"#,
        );
        lines.pop();
    });
    let shown = stage.run("report @plan.report.jsonl").await;
    assert_eq!(shown.status, 0, "{}", shown.err);
    assert!(
        shown.out.contains("changes of its plan have no outcome"),
        "{}",
        shown.out
    );
    let undone = undo(&stage, "").await;
    assert!(
        undone.out.contains(" and more)"),
        "{}{}",
        undone.out,
        undone.err
    );
}

#[tokio::test]
async fn a_report_whose_lines_do_not_fit_together_is_refused() {
    const DONE: &str = r#""outcome":"done""#;
    type Tampering = fn(&mut Vec<String>);
    let tamperings: [(&str, Tampering); 14] = [
        ("a write is missing", |lines| {
            lines.remove(line_with(lines, r#""removed""#));
        }),
        ("a write stands there twice", |lines| {
            let at = line_with(lines, r#""added""#);
            lines.insert(at, lines[at].clone());
        }),
        ("an outcome is missing", |lines| {
            lines.remove(line_with(lines, DONE));
        }),
        ("an outcome stands there twice", |lines| {
            let at = line_with(lines, DONE);
            lines.insert(at, lines[at].clone());
        }),
        ("a write lacks its group", |lines| {
            replace(lines, r#""added""#, r#""group""#, r#""other""#);
        }),
        ("a write is of another change", |lines| {
            let update = line_with(lines, r#""fields""#);
            lines[update] = lines[update].replace(r#""change":2"#, r#""change":3"#);
        }),
        ("a write is of no change of the plan", |lines| {
            replace(lines, r#""removed""#, r#""change":"#, r#""change":9"#);
        }),
        ("a write is about another person", |lines| {
            let step = line_with(lines, r#""added""#);
            let name = lines[step].split(r#""display_name":""#).nth(1).unwrap();
            let name = name.split('"').next().unwrap().to_owned();
            lines[step] = lines[step].replace(&name, "Mallory");
        }),
        ("a write is about another account", |lines| {
            let step = line_with(lines, r#""removed""#);
            let account = lines[step].split(r#""account":{"id":""#).nth(1).unwrap();
            let account = account.split('"').next().unwrap().to_owned();
            lines[step] = lines[step].replace(&account, "99999999-9999-4999-8999-999999999999");
        }),
        ("a write is about another group", |lines| {
            let step = line_with(lines, r#""added""#);
            let group = lines[step].split(r#""group":{"id":""#).nth(1).unwrap();
            let group = group.split('"').next().unwrap().to_owned();
            lines[step] = lines[step].replace(&group, "99999999-9999-4999-8999-999999999999");
        }),
        ("an outcome is about another person", |lines| {
            let outcome = line_with(lines, r#""action":"remove""#);
            lines[outcome] = lines[outcome].replace(r#""email":""#, r#""email":"x"#);
        }),
        ("what was written is not wanted", |lines| {
            let outcome = line_with(lines, r#""action":"remove""#);
            lines[outcome] = lines[outcome].replace(DONE, r#""outcome":"not_wanted""#);
            replace(
                lines,
                r#""totals""#,
                r#""not_wanted":0"#,
                r#""not_wanted":1"#,
            );
            let end = line_with(lines, r#""totals""#);
            let done = number_of(&lines[end], r#""done":"#);
            lines[end] = lines[end].replace(
                &format!(r#""done":{done}"#),
                &format!(r#""done":{}"#, done - 1),
            );
        }),
        ("the plan has more changes than fit into memory", |lines| {
            replace(
                lines,
                r#""start""#,
                r#""changes":"#,
                r#""changes":400000000000"#,
            );
        }),
        ("a dry run wrote", |lines| {
            replace(
                lines,
                r#""start""#,
                r#""dry_run":false"#,
                r#""dry_run":true"#,
            );
        }),
    ];
    let (stage, _) = applied().await;
    let path = stage.path("plan.report.jsonl");
    let whole = std::fs::read(&path).unwrap();
    for (what, tampering) in tamperings {
        std::fs::write(&path, &whole).unwrap();
        tampered(&stage, tampering);
        assert_ne!(std::fs::read(&path).unwrap(), whole, "{what}");
        let refused = undo(&stage, "").await;
        assert_eq!(refused.status, 1, "{what}: {}", refused.out);
        assert!(!stage.path("undo.json").exists(), "{what}");
        let shown = stage.run("report @plan.report.jsonl").await;
        assert!(
            shown.out.contains("do not fit together"),
            "{what}: {}",
            shown.out
        );
    }
}

#[tokio::test]
async fn a_run_that_was_killed_before_its_first_write_was_answered_is_named() {
    let (stage, _) = applied().await;
    tampered(&stage, |lines| lines.truncate(1));
    let undone = undo(&stage, "").await;
    assert_eq!(undone.status, 0, "{}", undone.err);
    let planned = undo_plan(&stage);
    assert_eq!(planned.changes, []);
    assert_eq!(planned.problems.len(), 1);
    assert_eq!(planned.problems[0].code, ProblemCode::RunCutOff);
}

#[tokio::test]
async fn a_write_that_never_had_an_answer_is_named() {
    let stage = Stage::company().await;
    assert_eq!(stage.run("plan --out @plan.json").await.status, 0);
    stage
        .sandbox
        .faults()
        .add(deletions(), 100, Fault::DropAfterEffect);
    assert_eq!(stage.run("apply @plan.json").await.status, 4);
    stage.sandbox.faults().clear();
    let undone = undo(&stage, "").await;
    assert_eq!(undone.status, 0, "{}", undone.err);
    let problems = undo_plan(&stage).problems;
    let not_known = problems
        .iter()
        .filter(|problem| problem.code == ProblemCode::OutcomeNotKnown);
    assert_eq!(not_known.count(), 3, "{problems:?}");
}

#[tokio::test]
async fn the_report_is_neither_overwritten_nor_taken_while_a_run_writes_it() {
    let (stage, _) = applied().await;
    let path = stage.path("plan.report.jsonl");
    let whole = std::fs::read(&path).unwrap();
    let refused = stage
        .run("undo @plan.report.jsonl --out @plan.report.jsonl")
        .await;
    assert_eq!(refused.status, 1);
    assert!(
        refused.err.contains("is the report itself"),
        "{}",
        refused.err
    );
    assert_eq!(std::fs::read(&path).unwrap(), whole);

    let held = std::fs::File::open(&path).unwrap();
    held.lock().unwrap();
    let refused = undo(&stage, "").await;
    assert_eq!(refused.status, 1);
    assert!(
        refused.err.contains("another run is using")
            && refused
                .err
                .ends_with("wait until it has ended, or stop it; then run this again\n"),
        "{}",
        refused.err
    );
    // Looking is no harm.
    assert_eq!(stage.run("report @plan.report.jsonl").await.status, 0);
}

#[tokio::test]
async fn a_redacted_undo_names_nobody_in_its_errors() {
    let (mut stage, _) = applied().await;
    stage.set(
        "KEYCLOAK_TO_AZURE_REDACT_KEY",
        "0123456789abcdef0123456789abcdef",
    );
    let path = stage.path("plan.report.jsonl");
    let whole = std::fs::read_to_string(&path).unwrap();
    let run_id = report(&stage, "plan.report.jsonl").runs[0]
        .start
        .run_id
        .clone();
    for (found, shown) in [
        (
            "\"write\":\"removed\"",
            "\"write\":\"dana@partner.example\"",
        ),
        (run_id.as_str(), "dana@partner.example"),
    ] {
        std::fs::write(&path, whole.replace(found, shown)).unwrap();
        let refused = undo(&stage, "--redact").await;
        assert_eq!(refused.status, 1);
        assert!(!refused.err.contains("dana@"), "{}", refused.err);
    }
}

#[tokio::test]
async fn a_new_token_does_not_make_a_run_forget_what_it_may_have_done() {
    let stage = Stage::company().await;
    assert_eq!(stage.run("plan --out @plan.json").await.status, 0);
    let faults = stage.sandbox.faults();
    faults.add(deletions(), 1, Fault::DropAfterEffect);
    faults.add(deletions(), 1, Fault::TokenExpired);
    let applied = stage.run("apply @plan.json").await;
    assert_eq!(applied.status, 0, "{}", applied.err);
    assert_eq!(stage.sandbox.faults().pending(), 0);
    let run = &report(&stage, "plan.report.jsonl").runs[0];
    let removals = run.steps.iter().filter(|step| step.write == Write::Removed);
    assert_eq!(removals.count(), 3);
    let mut outcomes = run.outcomes.iter().map(|reported| &reported.outcome);
    assert!(outcomes.all(|outcome| outcome.outcome == Outcome::Done));
}

#[tokio::test]
async fn a_write_that_was_done_before_the_run_had_to_stop_is_not_called_certain() {
    let stage = Stage::company().await;
    assert_eq!(stage.run("plan --out @plan.json").await.status, 0);
    let Fault::AnswerAfterEffect(response) = after_effect(503) else {
        unreachable!()
    };
    let later = Fault::AnswerAfterEffect(response.with_header("retry-after", "600"));
    stage.sandbox.faults().add(deletions(), 1, later);
    assert_eq!(stage.run("apply @plan.json").await.status, 4);
    let undone = undo(&stage, "").await;
    assert_eq!(undone.status, 0, "{}", undone.err);
    let problems = undo_plan(&stage).problems;
    let not_known = problems
        .iter()
        .filter(|problem| problem.code == ProblemCode::OutcomeNotKnown);
    // Whoever moves to another group was not tried: that waits for the addition there, and the run ended before.
    assert_eq!(not_known.count(), 1, "{problems:?}");
}

#[tokio::test]
async fn what_was_throttled_takes_nothing_from_the_tries_of_what_fails() {
    let stage = Stage::company().await;
    assert_eq!(stage.run("plan --out @plan.json").await.status, 0);
    let faults = stage.sandbox.faults();
    faults.add(deletions(), 6, Fault::throttled(Some("0")));
    faults.add(deletions(), 1, Fault::status(503));
    let applied = stage.run("apply @plan.json").await;
    assert_eq!(applied.status, 0, "{}", applied.err);
    assert_eq!(stage.sandbox.faults().pending(), 0);
}
