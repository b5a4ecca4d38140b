//! Every command from the command line to what is printed, written and sent.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;

use keycloak_to_azure::plan::Plan;
use keycloak_to_azure::plan_file;
use keycloak_to_azure::report::{Line, Outcome, ReportedOutcome};
use keycloak_to_azure::sandbox::exchange::Response;
use keycloak_to_azure::sandbox::graph::User;
use keycloak_to_azure::sandbox::{Fault, Service, When};
use keycloak_to_azure::settings::Limit;
use reqwest::StatusCode;
use serde_json::json;

use crate::program::Stage;

fn read_plan(stage: &Stage, name: &str) -> Plan {
    plan_file::read(&stage.path(name)).unwrap()
}

fn report(stage: &Stage, name: &str) -> Vec<Line> {
    let text = std::fs::read_to_string(stage.path(name)).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn outcomes(stage: &Stage, name: &str) -> Vec<Outcome> {
    report(stage, name)
        .into_iter()
        .filter_map(|line| match line {
            Line::Outcome(ReportedOutcome { outcome, .. }) => Some(outcome.outcome),
            _ => None,
        })
        .collect()
}

#[tokio::test]
async fn plan_apply_and_plan_again_tell_the_story() {
    let stage = Stage::company().await;
    let planned = stage.run("plan --out @plan.json --detailed-exitcode").await;
    assert_eq!(planned.status, 2, "{}", planned.err);
    assert_eq!(stage.writes(), Vec::<String>::new());
    let plan = read_plan(&stage, "plan.json");
    assert_eq!(
        (
            plan.summary.invite,
            plan.summary.update,
            plan.summary.add,
            plan.summary.remove
        ),
        (1, 1, 3, 3)
    );

    let applied = stage
        .run(&format!("apply @plan.json --plan-id {}", plan.plan_id))
        .await;
    assert_eq!(applied.status, 0, "{}{}", applied.out, applied.err);
    assert_eq!(applied.out, "8 done\n");
    assert_eq!(outcomes(&stage, "plan.report.jsonl"), [Outcome::Done; 8]);

    let again = stage
        .run("plan --out @again.json --detailed-exitcode")
        .await;
    assert_eq!(again.status, 0, "{}", again.out);
    assert_eq!(read_plan(&stage, "again.json").summary.changes(), 0);

    stage.sandbox.forget_requests();
    let twice = stage.run("apply @plan.json").await;
    assert_eq!((twice.status, twice.out.as_str()), (0, "8 already done\n"));
    assert_eq!(stage.writes(), Vec::<String>::new());
}

#[tokio::test]
async fn the_plan_of_the_company_in_every_format() {
    let stage = Stage::company().await;
    let planned = stage.run("plan --out @plan.json").await;
    assert_eq!(planned.status, 0, "{}", planned.err);
    let shown = stage.run("show @plan.json").await;
    assert_eq!(shown.out, planned.out);
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"http://127\.0\.0\.1:\d+", "http://SANDBOX");
    settings.add_filter(
        r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
        "GUID",
    );
    settings.add_filter(r"[0-9a-f]{64}", "DIGEST");
    settings.add_filter(r"made on .* UTC", "made on DATE");
    settings.add_filter(r"configuration `[0-9a-f]+`", "configuration `DIGEST`");
    settings.bind(|| insta::assert_snapshot!("company_text", shown.out));
    let markdown = stage.run("show @plan.json --format markdown").await;
    settings.bind(|| insta::assert_snapshot!("company_markdown", markdown.out));
    let page = stage.run("show @plan.json --format html").await;
    assert!(page.out.starts_with("<!DOCTYPE html>") && page.out.ends_with("</html>\n"));
    let planned = stage.run("plan --out @again.json --format html").await;
    let made = |page: &str| {
        page.split_once("<dt>Made</dt>")
            .map(|(before, _)| before.to_owned())
    };
    assert_eq!(made(&planned.out), made(&page.out));
    let json = stage.run("show @plan.json --format json").await;
    assert_eq!(
        json.out.into_bytes(),
        std::fs::read(stage.path("plan.json")).unwrap()
    );
}

#[tokio::test]
async fn the_same_directories_give_the_same_plan() {
    let stage = Stage::company().await;
    for name in ["one.json", "two.json"] {
        assert_eq!(stage.run(&format!("plan --out @{name}")).await.status, 0);
    }
    let [mut one, two] = ["one.json", "two.json"].map(|name| read_plan(&stage, name));
    one.created_at = two.created_at;
    assert_eq!(one, two);
}

#[tokio::test]
async fn show_needs_neither_configuration_nor_network() {
    let mut stage = Stage::company().await;
    assert_eq!(stage.run("plan --out @plan.json").await.status, 0);
    std::fs::remove_file(stage.path("config.yaml")).unwrap();
    stage.variables.clear();
    stage.sandbox.forget_requests();
    assert_eq!(stage.run("show @plan.json").await.status, 0);
    assert_eq!(stage.sandbox.requests(), []);
}

#[tokio::test]
async fn a_dry_run_writes_nothing_and_says_what_would_become_of_each_change() {
    let stage = Stage::company().await;
    assert_eq!(stage.run("plan --out @plan.json").await.status, 0);
    let rehearsed = stage.run("apply @plan.json --dry-run").await;
    assert_eq!(rehearsed.status, 0, "{}", rehearsed.err);
    assert!(
        rehearsed
            .out
            .contains("Bob Braun (bob@partner.example) would be removed from acme-platform"),
        "{}",
        rehearsed.out
    );
    assert_eq!(stage.writes(), Vec::<String>::new());
    let lines = report(&stage, "plan.report.jsonl");
    assert!(matches!(&lines[0], Line::Start(start) if start.dry_run));
    assert!(matches!(lines.last(), Some(Line::End(_))));
    assert_eq!(stage.run("apply @plan.json").await.status, 0);
}

#[tokio::test]
async fn plans_and_reports_are_for_their_owner_only() {
    let stage = Stage::company().await;
    assert_eq!(stage.run("plan --out @plan.json").await.status, 0);
    assert_eq!(stage.run("apply @plan.json").await.status, 0);
    for name in ["plan.json", "plan.report.jsonl"] {
        let mode = std::fs::metadata(stage.path(name))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[tokio::test]
async fn no_secret_token_or_redeem_link_is_written_or_printed() {
    let stage = Stage::company().await;
    let log = format!("logfile: {}\n", stage.path("sync.log").display());
    stage.configure(&(log + &stage.configuration()));
    let planned = stage.run("-v plan --out @plan.json").await;
    let applied = stage.run("-v apply @plan.json").await;
    assert_eq!((planned.status, applied.status), (0, 0));
    let mut texts = vec![planned.out, planned.err, applied.out, applied.err];
    for name in ["plan.json", "plan.report.jsonl", "sync.log"] {
        texts.push(std::fs::read_to_string(stage.path(name)).unwrap());
    }
    let secrets = stage
        .variables
        .iter()
        .filter(|(name, _)| name.ends_with("SECRET"));
    for text in &texts {
        for (_, secret) in secrets.clone() {
            assert!(!text.contains(secret.as_str()), "{text}");
        }
        for mark in ["redeem", "eyJ", "Bearer", "access_token"] {
            assert!(!text.contains(mark), "{mark} in {text}");
        }
    }
}

#[tokio::test]
async fn the_log_has_the_lines_of_the_original() {
    let stage = Stage::company().await;
    let log = format!("logfile: {}\n", stage.path("sync.log").display());
    stage.configure(&(log + &stage.configuration()));
    assert_eq!(stage.run("plan --out @plan.json").await.status, 0);
    assert_eq!(stage.run("apply @plan.json").await.status, 0);
    let text = std::fs::read_to_string(stage.path("sync.log")).unwrap();
    let time = text.split(" [").next().unwrap();
    assert!(
        jiff::civil::DateTime::strptime("%Y-%m-%d %H:%M:%S,%3f", time).is_ok(),
        "{time}"
    );
    let messages: Vec<_> = text
        .lines()
        .filter_map(|line| line.split_once(" [INFO] "))
        .map(|(_, message)| message)
        .collect();
    assert_eq!(
        messages
            .iter()
            .filter(|message| **message == "start run")
            .count(),
        2
    );
    assert_eq!(
        messages
            .iter()
            .filter(|message| **message == "end run")
            .count(),
        2
    );
    assert!(messages.contains(&"invited azure user: dana@partner.example"));
    for (start, times) in [
        ("updated azure user: ", 2),
        ("added user to group: ", 3),
        ("removed user from group: ", 3),
    ] {
        assert_eq!(
            messages
                .iter()
                .filter(|message| message.starts_with(start))
                .count(),
            times,
            "{text}"
        );
    }
}

#[tokio::test]
async fn a_plan_is_refused_before_anything_is_asked() {
    let mut stage = Stage::company().await;
    assert_eq!(stage.run("plan --out @plan.json").await.status, 0);
    let plan = read_plan(&stage, "plan.json");
    let configuration = stage.configuration();
    stage.sandbox.forget_requests();

    let refused = stage.run("apply @plan.json --plan-id sha256:0000").await;
    assert!(
        refused.status == 1 && refused.err.contains("the approved one is sha256:0000"),
        "{}",
        refused.err
    );

    std::fs::write(
        stage.path("edited.json"),
        std::fs::read_to_string(stage.path("plan.json"))
            .unwrap()
            .replace("Bob", "Rob"),
    )
    .unwrap();
    let refused = stage.run("apply @edited.json").await;
    assert!(
        refused.status == 1 && refused.err.contains("it was changed after it was made"),
        "{}",
        refused.err
    );

    let mut other = plan.clone();
    other.overrides.max_removals = Some(Limit::Off);
    other.blocks.push(
        serde_json::from_str(
            r#"{"code":"too_many_invitations","message":"too many","flag":"--max-invitations 3"}"#,
        )
        .unwrap(),
    );
    other.summary.blocks = 1;
    plan_file::write(&stage.path("blocked.json"), &other.sealed()).unwrap();
    let refused = stage.run("apply @blocked.json").await;
    assert!(
        refused.status == 3 && refused.err.contains("blocked"),
        "{}",
        refused.err
    );

    stage.configure(&configuration.replace("keycloak_realm: acme", "keycloak_realm: other"));
    let refused = stage.run("apply @plan.json").await;
    assert!(
        refused.status == 1 && refused.err.contains("made for the realm acme"),
        "{}",
        refused.err
    );

    stage.configure(&configuration.replace(
        "azure_graph_url: http://127.0.0.1",
        "azure_graph_url: http://127.0.0.2",
    ));
    let refused = stage.run("apply @plan.json").await;
    assert!(
        refused.status == 1 && refused.err.contains("made for the Graph host"),
        "{}",
        refused.err
    );

    stage.configure(&configuration);
    stage.set("AZURE_TENANT_ID", "11111111-1111-4111-8111-111111111111");
    let refused = stage.run("apply @plan.json").await;
    assert!(
        refused.status == 1 && refused.err.contains("made for the tenant"),
        "{}",
        refused.err
    );

    assert_eq!(stage.sandbox.requests(), []);
}

#[tokio::test]
async fn no_log_is_written_to_a_file_that_is_something_else() {
    let stage = Stage::company().await;
    let configuration = stage.configuration();
    let with_log = |name: &str| {
        let log = format!("logfile: {}\n", stage.path(name).display());
        stage.configure(&(log + &configuration));
    };
    let refuses = async |command: &str, log: &str, what: &str| {
        with_log(log);
        let before = std::fs::read(stage.path(log)).ok();
        let refused = stage.run(command).await;
        assert_eq!(refused.status, 1, "{command} {log}: {}", refused.out);
        assert!(
            refused.err.contains("refused to write the log to")
                && refused.err.contains(what)
                && refused.err.contains("name another file as `logfile`"),
            "{command} {log}: {}",
            refused.err
        );
        assert_eq!(
            std::fs::read(stage.path(log)).ok(),
            before,
            "{command} {log}"
        );
    };
    refuses("plan --out @plan.json", "plan.json", "it is the plan").await;
    refuses(
        "plan --out @plan.json",
        "config.yaml",
        "it is the configuration",
    )
    .await;
    stage.configure(&configuration);
    assert_eq!(stage.run("plan --out @plan.json").await.status, 0);
    refuses("apply @plan.json", "plan.json", "it is the plan").await;
    refuses("apply @plan.json", "plan.report.jsonl", "it is the report").await;
    refuses("apply @plan.json --report @r", "r", "it is the report").await;
    refuses("check", "plan.json", "it is a plan or a report").await;
    stage.configure(&configuration);
    assert_eq!(stage.run("apply @plan.json").await.status, 0);
    refuses("audit", "plan.report.jsonl", "it is a plan or a report").await;
    refuses("undo @plan.report.jsonl --out @u", "u", "it is the plan").await;

    with_log("sync.log");
    for _ in 0..2 {
        assert_eq!(stage.run("plan --out @plan.json").await.status, 0);
    }
    assert!(stage.path("sync.log").exists());
}

#[tokio::test]
async fn a_plan_that_is_older_than_allowed_is_refused_before_anything_is_asked() {
    let stage = Stage::company().await;
    assert_eq!(stage.run("plan --out @plan.json").await.status, 0);
    stage.sandbox.forget_requests();
    let made_hours_ago = |hours: i64| {
        let mut plan = read_plan(&stage, "plan.json");
        plan.created_at = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(hours);
        plan_file::write(&stage.path("plan.json"), &plan).unwrap();
    };

    made_hours_ago(50);
    for dry_run in ["", " --dry-run"] {
        let refused = stage
            .run(&format!("apply @plan.json --max-age 24h{dry_run}"))
            .await;
        assert!(
            refused.status == 1
                && refused
                    .err
                    .contains("2 days 2 h ago, and --max-age allows 24 h")
                && refused.err.contains("plan again"),
            "{}",
            refused.err
        );
    }
    made_hours_ago(-1);
    let refused = stage.run("apply @plan.json --max-age 24h").await;
    assert!(
        refused.status == 1 && refused.err.contains("its age for --max-age is not known"),
        "{}",
        refused.err
    );
    assert!(!stage.path("plan.report.jsonl").exists());
    assert_eq!(stage.sandbox.requests(), []);

    made_hours_ago(23);
    let applied = stage.run("apply @plan.json --max-age 24h").await;
    assert_eq!(applied.status, 0, "{}", applied.err);
}

#[tokio::test]
async fn a_blocked_plan_is_written_and_refused() {
    let stage = Stage::company().await;
    stage.configure(&(stage.configuration() + "limits: { removals: 0 }\n"));
    let planned = stage.run("plan --out @plan.json").await;
    assert_eq!(planned.status, 3, "{}", planned.err);
    assert!(
        planned.out.contains("blocked: cannot be applied"),
        "{}",
        planned.out
    );
    assert_eq!(stage.run("apply @plan.json").await.status, 3);
    let lifted = stage.run("plan --out @plan.json --max-removals 1").await;
    assert_eq!(lifted.status, 0, "{}", lifted.out);
    assert!(lifted.out.contains("--max-removals 1"), "{}", lifted.out);
    assert_eq!(stage.run("apply @plan.json").await.status, 0);
}

#[tokio::test]
async fn a_plan_for_one_group_leaves_out_the_others() {
    let stage = Stage::company().await;
    for name in ["acme-platform", "/teams/platform", "teams/platform"] {
        let planned = stage
            .run(&format!("plan --out @plan.json --group {name}"))
            .await;
        assert_eq!(planned.status, 0, "{}", planned.err);
        let plan = read_plan(&stage, "plan.json");
        assert_eq!(
            (
                plan.summary.invite,
                plan.summary.update,
                plan.summary.add,
                plan.summary.remove
            ),
            (1, 1, 2, 1),
            "{name}"
        );
        assert_eq!(plan.groups.len(), 1);
    }
    let applied = stage.run("apply @plan.json").await;
    assert_eq!(applied.status, 0, "{}", applied.out);
    assert_eq!(applied.out, "5 done\n");
    let rest = stage.run("plan --out @rest.json").await;
    assert_eq!(rest.status, 0);
    assert_eq!(read_plan(&stage, "rest.json").summary.changes(), 3);
}

#[tokio::test]
async fn names_that_mean_no_mapping_are_refused() {
    let stage = Stage::company().await;
    for flag in ["--group", "--allow-empty", "--without-witness"] {
        let refused = stage
            .run(&format!("plan --out @plan.json {flag} acme-plattform"))
            .await;
        assert!(
            refused.status == 1 && refused.err.contains("acme-plattform"),
            "{flag}: {}",
            refused.err
        );
    }
    assert!(!stage.path("plan.json").exists());
}

#[tokio::test]
async fn mappings_that_cannot_be_used_are_listed_for_both_sides_together() {
    let stage = Stage::company().await;
    let configuration = stage
        .configuration()
        .replace("/teams/platform", "/teams/Platform")
        .replace("azure: acme-support", "azure: acme-suport");
    stage.configure(&configuration);
    let refused = stage.run("plan --out @plan.json").await;
    assert_eq!(refused.status, 1);
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"http://127\.0\.0\.1:\d+", "http://SANDBOX");
    settings.bind(|| insta::assert_snapshot!("unusable_mappings", refused.err));
    assert!(!stage.path("plan.json").exists());
}

#[tokio::test]
async fn a_login_that_is_refused_is_explained_and_not_tried_again() {
    let mut stage = Stage::company().await;
    stage.set("KEYCLOAK_CLIENT_SECRET", "wrong");
    let refused = stage.run("plan --out @plan.json").await;
    assert_eq!(refused.status, 1);
    assert!(refused.err.contains("keycloak-to-azure"), "{}", refused.err);
    let logins = stage
        .sandbox
        .requests()
        .iter()
        .filter(|r| r.service == Service::Keycloak && r.path.ends_with("/token"))
        .count();
    assert_eq!(logins, 1);

    let mut stage = Stage::company().await;
    stage.set("AZURE_CLIENT_SECRET", "wrong");
    let refused = stage.run("plan --out @plan.json").await;
    assert!(
        refused.status == 1 && refused.err.contains("AADSTS7000215"),
        "{}",
        refused.err
    );
    assert!(!refused.err.contains("wrong"), "{}", refused.err);
}

#[tokio::test]
async fn a_read_that_is_cut_short_is_an_error_and_no_plan() {
    let stage = Stage::company().await;
    stage.sandbox.faults().add(
        When::to(Service::Keycloak).path("/members"),
        1_000,
        Fault::Truncate(40),
    );
    let failed = stage.run("plan --out @plan.json").await;
    assert_eq!(failed.status, 1, "{}", failed.out);
    assert!(failed.err.contains("members"), "{}", failed.err);
    assert!(!stage.path("plan.json").exists());
}

#[tokio::test]
async fn every_request_of_a_plan_may_fail_once() {
    let count = {
        let stage = Stage::company().await;
        assert_eq!(stage.run("plan --out @plan.json").await.status, 0);
        stage.sandbox.requests().len()
    };
    let faults: [fn() -> Fault; 5] = [
        || Fault::status(503),
        || Fault::throttled(Some("0")),
        || Fault::DropBeforeEffect,
        || Fault::Truncate(10),
        || Fault::html(502),
    ];
    for fault in faults {
        for number in 1..=count {
            let stage = Stage::company().await;
            stage
                .sandbox
                .faults()
                .add(When::any().from(number), 1, fault());
            let planned = stage.run("plan --out @plan.json").await;
            assert_eq!(planned.status, 0, "request {number}: {}", planned.err);
            assert_eq!(stage.sandbox.faults().pending(), 0);
            assert_eq!(read_plan(&stage, "plan.json").summary.changes(), 8);
        }
    }
}

#[tokio::test]
async fn a_lost_answer_to_an_invitation_makes_no_second_account() {
    for fault in [|| Fault::DropAfterEffect, || Fault::DropBeforeEffect] {
        let stage = Stage::company().await;
        assert_eq!(stage.run("plan --out @plan.json").await.status, 0);
        stage
            .sandbox
            .faults()
            .add(When::to(Service::Graph).body("/invitations"), 1, fault());
        let mut applied = stage.run("apply @plan.json").await;
        if applied.status == 4 {
            applied = stage.run("apply @plan.json").await;
        }
        assert_eq!(applied.status, 0, "{}{}", applied.out, applied.err);
        let accounts = stage.sandbox.with_world(|world| {
            let is_dana = |user: &&User| user.mail.as_deref() == Some("dana@partner.example");
            (
                world.entra.users.values().filter(is_dana).count(),
                world.entra.invitations.len(),
            )
        });
        assert_eq!(accounts, (1, 1));
        assert_eq!(
            stage
                .run("plan --out @again.json --detailed-exitcode")
                .await
                .status,
            0
        );
    }
}

#[tokio::test]
async fn a_failed_invitation_stops_the_additions_of_that_person_only() {
    let stage = Stage::company().await;
    assert_eq!(stage.run("plan --out @plan.json").await.status, 0);
    stage.sandbox.with_world(|world| {
        world
            .entra
            .invitation_policy
            .denied_domains
            .insert("partner.example".to_owned());
    });
    let applied = stage.run("apply @plan.json").await;
    assert_eq!(applied.status, 4, "{}{}", applied.out, applied.err);
    assert!(
        applied
            .out
            .starts_with("6 done, 1 failed, 1 not attempted\n"),
        "{}",
        applied.out
    );
    stage
        .sandbox
        .with_world(|world| world.entra.invitation_policy.denied_domains.clear());
    let applied = stage.run("apply @plan.json").await;
    assert!(
        applied.status == 0 && applied.out == "2 done, 6 already done\n",
        "{}{}",
        applied.out,
        applied.err
    );
}

#[tokio::test]
async fn what_changed_since_the_review_is_respected() {
    let stage = Stage::company().await;
    assert_eq!(stage.run("plan --out @plan.json").await.status, 0);
    stage.sandbox.with_world(|world| {
        let realm = world
            .keycloak
            .realms
            .iter_mut()
            .find(|realm| realm.name == "acme")
            .unwrap();
        let platform = realm.group_mut("/teams/platform").unwrap().id.clone();
        realm
            .person_mut("bob-braun")
            .unwrap()
            .groups
            .insert(platform);
        realm.person_mut("hal-hill").unwrap().enabled = false;
    });
    let applied = stage.run("apply @plan.json").await;
    assert_eq!(applied.status, 0, "{}{}", applied.out, applied.err);
    insta::assert_snapshot!("apply_after_drift", applied.out);
}

#[tokio::test]
async fn check_says_what_is_missing_for_which_command() {
    let stage = Stage::company().await;
    let checked = stage.run("check").await;
    assert_eq!(checked.status, 0, "{}{}", checked.out, checked.err);
    stage.sandbox.with_world(|world| {
        world.entra.apps[0].roles = vec![
            "User.Read.All".to_owned(),
            "GroupMember.Read.All".to_owned(),
            "Mail.Read".to_owned(),
        ]
        .into_iter()
        .collect();
        let realm = world
            .keycloak
            .realms
            .iter_mut()
            .find(|realm| realm.name == "acme")
            .unwrap();
        realm
            .person_mut("service-account-keycloak-to-azure")
            .unwrap()
            .client_roles
            .get_mut("realm-management")
            .unwrap()
            .remove("view-realm");
    });
    let for_plan = stage.run("check --for plan").await;
    assert_eq!(for_plan.status, 0, "{}", for_plan.out);
    let for_apply = stage.run("check").await;
    assert_eq!(for_apply.status, 1, "{}", for_apply.out);
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"http://127\.0\.0\.1:\d+", "http://SANDBOX");
    settings.add_filter(
        r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
        "GUID",
    );
    settings.bind(|| insta::assert_snapshot!("check_with_a_reading_app", for_apply.out));
    assert_eq!(stage.writes(), Vec::<String>::new());
}

#[tokio::test]
async fn check_says_which_entries_of_protected_fit_an_account() {
    let stage = Stage::company().await;
    let (guest, by_id) = stage.sandbox.with_world(|world| {
        let has_mail = |mail| move |user: &&User| user.mail.as_deref() == Some(mail);
        let mut users = world.entra.users.values();
        let guest = users.clone().find(has_mail("bob@partner.example"));
        let by_id = users.find(has_mail("cyd@partner.example"));
        (
            guest.unwrap().user_principal_name.clone(),
            by_id.unwrap().id.clone(),
        )
    });
    let entries = format!(
        "  - gone@acme.example\n  - {guest}\n  - EVE@partner.example\n  - {by_id}\n  - 00000000-0000-4000-8000-00000000dead\n"
    );
    stage.configure(&(stage.configuration() + &entries));
    let checked = stage.run("check").await;
    assert_eq!(checked.status, 0, "{}{}", checked.out, checked.err);
    let (_, protected) = checked.out.split_once("Protected").unwrap();
    let looked_up = stage.sandbox.requests();
    let looked_up = looked_up
        .iter()
        .filter(|request| String::from_utf8_lossy(&request.body).contains("proxyAddresses"));
    assert_eq!(looked_up.count(), 1);
    insta::assert_snapshot!("check_of_protected", protected);
    assert_eq!(stage.writes(), Vec::<String>::new());
}

#[tokio::test]
async fn check_shows_what_is_missing_even_where_nothing_can_be_read() {
    let mut stage = Stage::company().await;
    stage.sandbox.with_world(|world| {
        world.entra.apps[0].roles = ["GroupMember.Read.All".to_owned()].into();
    });
    let checked = stage.run("check --for plan").await;
    assert_eq!(checked.status, 1, "{}{}", checked.out, checked.err);
    assert!(
        checked.out.contains("missing    User.Read.All"),
        "{}",
        checked.out
    );
    assert!(
        checked.out.contains("ok   view-users") || checked.out.contains("ok         view-users"),
        "{}",
        checked.out
    );

    stage.set("KEYCLOAK_CLIENT_SECRET", "wrong");
    let checked = stage.run("check --for plan").await;
    assert_eq!(checked.status, 1, "{}{}", checked.out, checked.err);
    assert!(checked.out.contains("missing   log in"), "{}", checked.out);
    assert!(
        checked.out.contains("GroupMember.Read.All"),
        "{}",
        checked.out
    );
}

#[tokio::test]
async fn mistakes_of_a_configuration_are_printed_as_they_are() {
    let stage = Stage::company().await;
    stage.configure(&(stage.configuration() + "gruops: []\nlimits: { removals: -1 }\n"));
    let refused = stage.run("plan --out @plan.json").await;
    assert_eq!(refused.status, 1);
    assert!(!refused.err.contains("\\u{20}"), "{}", refused.err);
    assert!(
        refused.err.contains("unknown key `gruops`"),
        "{}",
        refused.err
    );
}

#[tokio::test]
async fn a_cut_off_invitation_is_finished_where_accounts_are_not_updated() {
    let stage = Stage::company().await;
    stage.configure(&(stage.configuration() + "users: { update: none }\n"));
    assert_eq!(stage.run("plan --out @plan.json").await.status, 0);
    let update = || When::to(Service::Graph).body("\"PATCH\"").path("batch");
    stage.sandbox.faults().add(update(), 1, Fault::status(403));
    let first = stage.run("apply @plan.json").await;
    assert_eq!(first.status, 4, "{}{}", first.out, first.err);
    let second = stage.run("apply @plan.json").await;
    assert_eq!(second.status, 0, "{}{}", second.out, second.err);
    stage.sandbox.with_world(|world| {
        let dana = world
            .entra
            .users
            .values()
            .find(|user| user.mail.as_deref() == Some("dana@partner.example"))
            .unwrap();
        assert_eq!(dana.surname.as_deref(), Some("Diaz"));
    });
}

#[tokio::test]
async fn a_rule_is_lifted_for_one_group_at_a_time() {
    let stage = Stage::company().await;
    let configuration = stage.configuration().replace(
        "  - keycloak: /support",
        "  - keycloak: partners\n    azure: acme-support\n  - keycloak: /support",
    );
    stage.configure(&configuration);
    let refused = stage
        .run("plan --out @plan.json --allow-empty partners")
        .await;
    assert!(
        refused.status == 1 && refused.err.contains("means several Azure groups"),
        "{}",
        refused.err
    );
    let planned = stage
        .run("plan --out @plan.json --allow-empty teams/platform")
        .await;
    assert_ne!(planned.status, 1, "{}", planned.err);
    let overrides = read_plan(&stage, "plan.json").overrides;
    assert!(
        overrides.allow_empty.contains("acme-platform"),
        "{overrides:?}"
    );
}

#[tokio::test]
async fn the_log_says_whom_what_was_not_done_was_about() {
    let stage = Stage::company().await;
    let log = format!("logfile: {}\n", stage.path("sync.log").display());
    stage.configure(&(log + &stage.configuration()));
    assert_eq!(stage.run("plan --out @plan.json").await.status, 0);
    stage.sandbox.with_world(|world| {
        world
            .entra
            .invitation_policy
            .denied_domains
            .insert("partner.example".to_owned());
    });
    assert_eq!(stage.run("apply @plan.json").await.status, 4);
    let text = std::fs::read_to_string(stage.path("sync.log")).unwrap();
    assert!(
        text.contains("[ERROR] failed invite dana@partner.example: "),
        "{text}"
    );
    assert!(
        text.contains("[WARNING] not attempted add dana@partner.example to "),
        "{text}"
    );
    assert!(text.contains(" - Eve Ek\n"), "{text}");
}

const REDACT_KEY: &str = "KEYCLOAK_TO_AZURE_REDACT_KEY";

/// The company, with a key for redacted renderings.
async fn company_in_public() -> Stage {
    let mut stage = Stage::company().await;
    stage.set(REDACT_KEY, "0123456789abcdef0123456789abcdef");
    stage
}

/// Every name and address of anybody in either directory, in lower case. The account that programs log in with is nobody, and its first
/// name is Azure.
pub fn everybody(stage: &Stage) -> Vec<String> {
    stage.sandbox.with_world(|world| {
        let people = world.keycloak.realm("acme").unwrap().people.iter();
        let people = people.filter(|person| person.username != "azure-sync");
        let people = people.flat_map(|person| {
            let names = [&person.email, &person.first_name, &person.last_name];
            names
                .into_iter()
                .flatten()
                .chain([&person.id, &person.username])
                .cloned()
                .collect::<Vec<_>>()
        });
        let accounts = world.entra.users.values().flat_map(|user| {
            [&user.mail, &user.display_name]
                .into_iter()
                .flatten()
                .chain([&user.id, &user.user_principal_name])
                .cloned()
                .collect::<Vec<_>>()
        });
        people
            .chain(accounts)
            .map(|name| name.to_lowercase())
            .collect()
    })
}

/// Whether anybody is named. Names are short, so whole words count.
pub fn named_in(text: &str, everybody: &[String]) -> Option<String> {
    let words: Vec<String> = text
        .to_lowercase()
        .split(|c: char| !c.is_alphanumeric())
        .map(str::to_owned)
        .collect();
    let is_named = |name: &&String| {
        let name: Vec<&str> = name.split(|c: char| !c.is_alphanumeric()).collect();
        words.windows(name.len()).any(|words| *words == *name)
    };
    everybody.iter().find(is_named).cloned()
}

#[tokio::test]
async fn a_redacted_plan_shows_the_change_and_not_the_people() {
    let stage = company_in_public().await;
    let everybody = everybody(&stage);
    let planned = stage.run("-v plan --out @plan.json --redact").await;
    assert_eq!(planned.status, 0, "{}", planned.err);
    let shown = stage.run("show @plan.json --redact").await;
    assert_eq!(shown.out, planned.out);
    let markdown = stage
        .run("show @plan.json --redact --format markdown")
        .await;
    let page = stage.run("show @plan.json --redact --format html").await;
    // The style sheet has words of its own.
    let (_, page) = page.out.split_once("</head>").unwrap();
    for text in [&planned.out, &planned.err, &markdown.out, page] {
        assert_eq!(named_in(text, &everybody), None, "{text}");
    }
    assert!(
        planned.err.contains("plan.json --format markdown --redact"),
        "{}",
        planned.err
    );
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"http://127\.0\.0\.1:\d+", "http://SANDBOX");
    settings.add_filter(
        r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
        "GUID",
    );
    settings.add_filter(r"[0-9a-f]{64}", "DIGEST");
    settings.add_filter(r"made on .* UTC", "made on DATE");
    settings.add_filter(r"configuration `[0-9a-f]+`", "configuration `DIGEST`");
    settings.bind(|| {
        insta::assert_snapshot!("company_redacted_text", shown.out);
        insta::assert_snapshot!("company_redacted_markdown", markdown.out);
    });

    let complete = stage.run("show @plan.json").await;
    assert!(named_in(&complete.out, &everybody).is_some());
    assert_eq!(stage.run("apply @plan.json").await.out, "8 done\n");
}

#[tokio::test]
async fn a_redacted_report_says_what_became_of_the_tokens_of_the_plan() {
    let mut stage = company_in_public().await;
    stage.set("GITHUB_ACTOR", "olga-operator");
    let everybody = everybody(&stage);
    let planned = stage.run("plan --out @plan.json --redact").await;
    // Every removal fails, with an answer that names somebody.
    let removal = When::to(Service::Graph).path("/$batch").body("\"DELETE\"");
    let refusal = json!({ "error": { "code": "X", "message": "Dana Diaz is protected" } });
    let part = |id: usize| json!({ "id": id.to_string(), "status": 400, "body": refusal });
    let refusals = json!({ "responses": (0..20).map(part).collect::<Vec<_>>() });
    let refused = Fault::Answer(Response::json(StatusCode::OK, &refusals));
    stage.sandbox.faults().add(removal, 1_000, refused);
    assert_eq!(stage.run("apply @plan.json").await.status, 4);
    let complete = stage.run("report @plan.report.jsonl").await;
    assert!(named_in(&complete.out, &everybody).is_some());
    assert!(complete.out.contains("olga-operator"), "{}", complete.out);

    let tokens = |shown: &str| -> BTreeSet<String> {
        let words = shown.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
        let tokens = words.filter(|word| word.starts_with("person-") && word.len() > 7);
        tokens.map(str::to_owned).collect()
    };
    for format in ["text", "markdown", "html"] {
        let line = format!("report @plan.report.jsonl --redact --format {format}");
        let shown = stage.run(&line).await;
        assert_eq!(shown.status, 0, "{}", shown.err);
        let body = shown.out.split_once("</head>");
        let text = body.map_or(shown.out.as_str(), |(_, body)| body);
        assert_eq!(named_in(text, &everybody), None, "{text}");
        assert!(!text.contains("olga"), "{text}");
        assert!(text.contains("was not removed from acme-support"), "{text}");
        assert!(
            !tokens(text).is_empty() && tokens(text).is_subset(&tokens(&planned.out)),
            "{text}"
        );
    }

    std::fs::write(stage.path("torn.jsonl"), "{\"type\":\"Dana Diaz\"}\n{}\n").unwrap();
    let refused = stage.run("report @torn.jsonl --redact").await;
    assert!(
        refused.status == 1 && !refused.err.contains("Dana"),
        "{}",
        refused.err
    );
    let refused = stage.run("report @torn.jsonl").await;
    assert!(refused.err.contains("Dana"), "{}", refused.err);
}

#[tokio::test]
async fn a_redacted_plan_needs_a_key_and_is_no_json() {
    let mut stage = company_in_public().await;
    for json in [
        "plan --out @plan.json --redact --format json",
        "show @plan.json --redact --format json",
        "report @plan.report.jsonl --redact --format json",
    ] {
        let refused = stage.run(json).await;
        assert_eq!(refused.status, 1);
        assert!(
            refused
                .err
                .contains("--redact does not go with --format json"),
            "{}",
            refused.err
        );
    }
    for key in [
        "",
        "\n",
        "a short one",
        &"a".repeat(32),
        "$(KEYCLOAK_TO_AZURE_REDACT_KEY)",
        "${{ secrets.REDACTION_KEY }}",
        "$(redaction-key-of-the-team)",
    ] {
        stage.set(REDACT_KEY, key);
        for command in [
            "plan --out @plan.json --redact",
            "show @plan.json --redact",
            "report @plan.report.jsonl --redact",
        ] {
            let refused = stage.run(command).await;
            assert_eq!((refused.status, refused.out.as_str()), (1, ""));
            assert!(
                refused.err.contains(REDACT_KEY)
                    && refused.err.contains("openssl rand -hex 32")
                    && !refused.err.contains("\\n"),
                "{}",
                refused.err
            );
        }
    }
    assert_eq!(stage.sandbox.requests(), []);
    assert!(!stage.path("plan.json").exists());
}

#[tokio::test]
async fn an_error_that_may_name_people_is_for_the_log_where_they_must_not_be_named() {
    let stage = company_in_public().await;
    let everybody = everybody(&stage);
    let look_ups = || When::to(Service::Keycloak).path("/users?");
    stage
        .sandbox
        .faults()
        .add(look_ups(), 1_000, Fault::status(500));
    let complete = stage.run("plan --out @plan.json").await;
    assert!(
        named_in(&complete.err, &everybody).is_some(),
        "{}",
        complete.err
    );

    let failed = stage.run("plan --out @plan.json --redact").await;
    assert_eq!((failed.status, failed.out.as_str()), (1, ""));
    assert_eq!(named_in(&failed.err, &everybody), None, "{}", failed.err);
    assert!(
        failed.err.contains("asking about single people failed")
            && failed.err.contains("Without --redact it is printed"),
        "{}",
        failed.err
    );

    let log = format!("logfile: {}\n", stage.path("sync.log").display());
    stage.configure(&(log + &stage.configuration()));
    let failed = stage.run("plan --out @plan.json --redact").await;
    assert_eq!(named_in(&failed.err, &everybody), None, "{}", failed.err);
    assert!(failed.err.contains("in the log file"), "{}", failed.err);
    let text = std::fs::read_to_string(stage.path("sync.log")).unwrap();
    assert!(text.contains("[ERROR] failed to look up "), "{text}");

    std::fs::write(
        stage.path("torn.json"),
        r#"{"format_version": "1.0", "changes": [{"action": "invite", "email": "dana"}]}"#,
    )
    .unwrap();
    let refused = stage.run("show @torn.json --redact").await;
    assert!(
        refused.status == 1 && !refused.err.contains("dana"),
        "{}",
        refused.err
    );
}

#[tokio::test]
async fn mappings_that_cannot_be_used_are_listed_whoever_reads_it() {
    let stage = company_in_public().await;
    stage.configure(&stage.configuration().replace("acme-support", "acme-supprt"));
    let failed = stage.run("plan --out @plan.json --redact").await;
    assert!(
        failed.status == 1 && failed.err.contains("azure: acme-supprt"),
        "{}",
        failed.err
    );
}

#[tokio::test]
async fn a_configuration_is_validated_without_credentials_or_network() {
    let mut stage = Stage::company().await;
    stage.variables.clear();
    let log = format!("logfile: {}\n", stage.path("sync.log").display());
    let configuration = log + &stage.configuration();
    stage.configure(&configuration);
    let validated = stage.run("validate").await;
    assert_eq!(validated.status, 0, "{}", validated.err);
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"http://127\.0\.0\.1:\d+", "http://SANDBOX");
    settings.add_filter(r"\S+/config.yaml", "config.yaml");
    settings.bind(|| insta::assert_snapshot!("validated", validated.out));
    assert!(
        validated.err.contains("keycloak-to-azure check"),
        "{}",
        validated.err
    );

    stage.configure(
        &configuration
            .replace("keycloak_realm", "keycloak_raelm")
            .replace("- keycloak: ", "- removals: some\n    keycloak: "),
    );
    let refused = stage.run("validate").await;
    assert_eq!((refused.status, refused.out.as_str()), (1, ""));
    assert_eq!(stage.run("plan --out @plan.json").await.err, refused.err);
    settings.bind(|| insta::assert_snapshot!("validated_with_mistakes", refused.err));

    assert_eq!(stage.sandbox.requests(), []);
    assert!(!stage.path("sync.log").exists());
}

#[tokio::test]
async fn the_schema_of_the_configuration_needs_none() {
    let stage = Stage::company().await;
    let configuration: serde_json::Value = serde_yaml::from_str(&stage.configuration()).unwrap();
    std::fs::remove_file(stage.path("config.yaml")).unwrap();
    let printed = stage.run("validate --schema").await;
    assert_eq!(printed.status, 0, "{}", printed.err);
    let schema = serde_json::from_str(&printed.out).unwrap();
    let schema = jsonschema::draft202012::new(&schema).unwrap();
    schema.validate(&configuration).unwrap();
}

#[tokio::test]
async fn a_plan_is_shown_against_an_older_one() {
    let mut stage = Stage::company().await;
    stage.set(
        "KEYCLOAK_TO_AZURE_REDACT_KEY",
        "0123456789abcdef0123456789abcdef",
    );
    assert_eq!(stage.run("plan --out @older.json").await.status, 0);
    assert_eq!(stage.run("plan --out @again.json").await.status, 0);
    stage.sandbox.with_world(|world| {
        let realm = world.keycloak.realm_mut("acme").unwrap();
        realm.person_mut("bob-braun").unwrap().enabled = false;
        realm.person_mut("hal-hill").unwrap().enabled = false;
    });
    assert_eq!(stage.run("plan --out @newer.json").await.status, 0);
    std::fs::write(stage.path("other.json"), "{}").unwrap();
    std::fs::remove_file(stage.path("config.yaml")).unwrap();
    stage.sandbox.forget_requests();

    let shown = stage.run("show @newer.json --against @older.json").await;
    assert_eq!(shown.status, 0, "{}", shown.err);
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"[0-9a-f]{64}", "DIGEST");
    settings.add_filter(r"made on .* UTC", "made on DATE");
    settings.bind(|| insta::assert_snapshot!("against", shown.out));

    let same = stage.run("show @again.json --against @older.json").await;
    assert_eq!(same.status, 0, "{}", same.err);
    assert!(
        same.out.starts_with("The same plan, sha256:"),
        "{}",
        same.out
    );

    let line = "show @newer.json --against @older.json --redact --format markdown";
    let redacted = stage.run(line).await;
    assert_eq!(redacted.status, 0, "{}", redacted.err);
    assert!(redacted.out.contains("`person-"), "{}", redacted.out);
    for somebody in ["Bob", "bob@", "Hal", "hal@"] {
        assert!(!redacted.out.contains(somebody), "{}", redacted.out);
    }

    let line = "show @newer.json --against @older.json --format html";
    let page = stage.run(line).await;
    assert_eq!(page.status, 0, "{}", page.err);
    for words in [
        "<!DOCTYPE html>",
        "<title>Keycloak → Entra plan, against an older one: ",
        "Remove: in this plan and not in the older one (",
        "<td>bob@partner.example</td>",
    ] {
        assert!(page.out.contains(words), "{words} in {}", page.out);
    }
    let redacted = stage.run(&format!("{line} --redact")).await;
    assert_eq!(redacted.status, 0, "{}", redacted.err);
    assert!(redacted.out.contains(">person-"), "{}", redacted.out);
    for somebody in ["Bob", "bob@", "Hal", "hal@"] {
        assert!(!redacted.out.contains(somebody), "{}", redacted.out);
    }

    for line in [
        "show @newer.json --against @other.json",
        "show @other.json --against @older.json",
        "show @newer.json --against @other.json --redact",
    ] {
        let refused = stage.run(line).await;
        assert!(
            refused.status == 1 && refused.err.contains("other.json"),
            "{}",
            refused.err
        );
    }
    let line = "show @newer.json --against @older.json --format json";
    let refused = stage.run(line).await;
    assert!(
        refused.status == 1
            && refused
                .err
                .contains("--against does not go with --format json"),
        "{}",
        refused.err
    );
    assert_eq!(stage.sandbox.requests(), []);
}

#[tokio::test]
async fn where_there_is_no_file_it_is_said_what_writes_one() {
    let stage = Stage::company().await;
    for (line, writer) in [
        ("show @plan.json", "`keycloak-to-azure plan` writes one"),
        ("apply @plan.json", "`keycloak-to-azure plan` writes one"),
        (
            "report @plan.report.jsonl",
            "`keycloak-to-azure apply` writes one beside its plan",
        ),
        (
            "undo @plan.report.jsonl",
            "`keycloak-to-azure apply` writes one beside its plan",
        ),
    ] {
        let ended = stage.run(line).await;
        assert_eq!(ended.status, 1, "{line}");
        assert!(ended.err.contains(writer), "{line}: {}", ended.err);
    }
}
