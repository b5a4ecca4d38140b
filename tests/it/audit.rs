//! `audit`, as an auditor files it.

use jiff::Timestamp;
use keycloak_to_azure::sandbox::seed;
use serde_json::Value;

use crate::program::Stage;

fn settings() -> insta::Settings {
    let mut settings = insta::Settings::clone_current();
    let guid = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}";
    settings.add_filter(guid, "GUID");
    settings.add_filter(r"http://127[0-9.:]+", "HOST");
    settings.add_filter(r"[0-9a-f]{64}", "DIGEST");
    settings.add_filter(r"\d+ [A-Z][a-z]+ 20(2[6-9]|[3-9]\d), [0-9:]+ UTC", "NOW");
    // Since March 2024. A smaller number is another sentence, which must not look like this one.
    settings.add_filter(r"\b(\d,)?\d{3} days ago", "N days ago");
    // The style sheet, which others look at.
    settings.add_filter(r"(?s)<head>.*</head>\n", "");
    settings
}

/// The company, with somebody who never accepted, and a former partner.
async fn company() -> Stage {
    let mut world = seed::world();
    for user in world.entra.users.values_mut() {
        if user.mail.as_deref() == Some("tara@partner.example") {
            user.external_user_state = Some("PendingAcceptance".to_owned());
        }
    }
    Stage::with(world).await
}

#[tokio::test]
async fn the_company_is_audited() {
    let stage = company().await;
    for format in ["text", "markdown", "html", "csv"] {
        let ended = stage.run(&format!("audit --format {format}")).await;
        assert_eq!(ended.status, 2, "{}", ended.err);
        settings().bind(|| insta::assert_snapshot!(format!("audit_as_{format}"), ended.out));
    }
    assert_eq!(stage.writes(), Vec::<String>::new());
}

#[tokio::test]
async fn an_audit_is_kept_in_every_format_of_one_reading_and_never_written_over() {
    let stage = company().await;
    let ended = stage.run("audit --save @kept/november --format csv").await;
    assert_eq!(ended.status, 2, "{}", ended.err);
    assert!(ended.err.contains("in 4 files"), "{}", ended.err);
    let read = stage.sandbox.requests().len();
    let kept =
        |name: &str| std::fs::read_to_string(stage.path("kept/november").join(name)).unwrap();
    assert_eq!(kept("audit.csv"), ended.out);
    let audit: Value = serde_json::from_str(&kept("audit.json")).unwrap();
    assert_eq!(audit["findings"]["pending"], 1);
    assert!(kept("audit.html").starts_with("<!DOCTYPE html>"));
    assert!(kept("audit.md").contains("tara@partner.example"));

    std::fs::remove_file(stage.path("kept/november/audit.html")).unwrap();
    let before = kept("audit.csv");
    let again = stage.run("audit --save @kept/november").await;
    assert_eq!(again.status, 1);
    assert!(again.err.contains("is not written over"), "{}", again.err);
    assert_eq!((again.out.as_str(), kept("audit.csv")), ("", before));
    assert!(!stage.path("kept/november/audit.html").exists());
    assert_eq!(stage.sandbox.requests().len(), read, "nobody is asked");
}

#[tokio::test]
async fn what_a_run_did_and_somebody_undid_is_named() {
    let mut stage = company().await;
    stage.set("GITHUB_ACTOR", "ann");
    assert_eq!(stage.run("plan --out @plan.json").await.status, 0);
    assert_eq!(stage.run("apply @plan.json").await.status, 0);
    let line = "audit --since @plan.report.jsonl --format json";
    let as_left: Value = serde_json::from_str(&stage.run(line).await.out).unwrap();
    assert_eq!(as_left["findings"]["changed"], 0);
    assert_eq!(as_left["since"]["unchanged"], 8, "{}", as_left["since"]);
    assert_eq!(as_left["evidence"]["operator"], "ann");

    stage.sandbox.with_world(|world| {
        let bob = seed_account(world.entra, "bob@partner.example");
        let groups = world.entra.groups.values_mut();
        for group in groups.filter(|group| group.display_name == "acme-platform") {
            group.members.insert(bob.clone());
        }
    });
    let undone = stage.run("audit --since @plan.report.jsonl").await;
    assert_eq!(undone.status, 2);
    let (_, since) = undone.out.split_once("Since the report").unwrap();
    assert!(
        since.contains("was removed from acme-platform") && since.contains("is in it again"),
        "{since}"
    );
}

fn seed_account(entra: &keycloak_to_azure::sandbox::graph::EntraWorld, mail: &str) -> String {
    let mut users = entra.users.values();
    let user = users.find(|user| user.mail.as_deref() == Some(mail));
    user.unwrap().id.clone()
}

#[tokio::test]
async fn directories_that_agree_are_in_order() {
    let stage = company().await;
    stage.configure(
        &stage
            .configuration()
            .replace("  - keycloak: partners\n    azure: acme-partners\n", ""),
    );
    stage.sandbox.with_world(|world| {
        let realm = world.keycloak.realm_mut("acme").unwrap();
        realm.people.retain(|person| person.username != "finn-fox");
        // Who is in no group that is mapped now is nobody's business any more.
        let mapped: Vec<String> = world
            .entra
            .groups
            .values()
            .filter(|group| {
                ["acme-platform", "acme-support"].contains(&group.display_name.as_str())
            })
            .flat_map(|group| group.members.clone())
            .collect();
        let keep = ["dana", "eve", "hal"].map(|name| format!("{name}@partner.example"));
        world.entra.users.retain(|id, user| {
            mapped.contains(id) || user.mail.as_ref().is_some_and(|mail| keep.contains(mail))
        });
        for group in world.entra.groups.values_mut() {
            let users = &world.entra.users;
            group.members.retain(|id| users.contains_key(id));
        }
    });
    assert_eq!(stage.run("plan --out @plan.json").await.status, 0);
    let applied = stage.run("apply @plan.json").await;
    assert_eq!(applied.status, 0, "{}{}", applied.out, applied.err);
    stage.sandbox.with_world(|world| {
        let users = &mut world.entra.users;
        users.retain(|_, user| {
            !["bob", "cyd"]
                .iter()
                .any(|name| user.mail.as_deref() == Some(&format!("{name}@partner.example")))
        });
        for user in users.values_mut() {
            user.external_user_state = Some("Accepted".to_owned());
        }
    });
    let audited = stage.run("audit --since @plan.report.jsonl").await;
    assert!(
        audited.out.starts_with("In order: 2 groups"),
        "{}{}",
        audited.out,
        audited.err
    );
    assert_eq!(audited.status, 0);
}

#[tokio::test]
async fn invitations_are_overdue_by_the_days_given() {
    let stage = company().await;
    let overdue = async |days: i64| -> Value {
        let line = format!("audit --pending-days {days} --format json");
        let audited = stage.run(&line).await;
        let audit: Value = serde_json::from_str(&audited.out).unwrap();
        audit["pending"].clone()
    };
    assert_eq!(
        overdue(30).await[0]["account"]["email"],
        "tara@partner.example"
    );
    let invited: Timestamp = "2024-03-05T09:30:00Z".parse().unwrap();
    let age = Timestamp::now().duration_since(invited).as_hours() / 24;
    assert_eq!(overdue(age).await.as_array().unwrap().len(), 1);
    assert_eq!(overdue(age + 1).await.as_array().unwrap().len(), 0);
}

#[tokio::test]
async fn a_report_of_another_tenant_or_no_report_is_refused() {
    let stage = company().await;
    assert_eq!(stage.run("plan --out @plan.json").await.status, 0);
    assert_eq!(stage.run("apply @plan.json").await.status, 0);
    let report = std::fs::read_to_string(stage.path("plan.report.jsonl")).unwrap();
    let tenant = stage.variable("AZURE_TENANT_ID");
    let other = report.replace(tenant, "99999999-9999-4999-8999-999999999999");
    std::fs::write(stage.path("other.report.jsonl"), other).unwrap();
    let refused = stage.run("audit --since @other.report.jsonl").await;
    assert_eq!(refused.status, 1);
    assert!(
        refused.err.contains("it was made for the tenant 99999999"),
        "{}",
        refused.err
    );
    let other = report.replace("\"realm\":\"acme\"", "\"realm\":\"other\"");
    std::fs::write(stage.path("other.report.jsonl"), other).unwrap();
    stage.sandbox.forget_requests();
    let refused = stage.run("audit --since @other.report.jsonl").await;
    assert_eq!(refused.status, 1);
    assert!(
        refused.err.contains("for the realm other"),
        "{}",
        refused.err
    );
    // Without one of its writes.
    let lines: Vec<&str> = report
        .lines()
        .filter(|line| !line.contains("\"write\":\"updated\""))
        .collect();
    std::fs::write(stage.path("other.report.jsonl"), lines.join("\n")).unwrap();
    let refused = stage.run("audit --since @other.report.jsonl").await;
    assert_eq!(refused.status, 1);
    assert!(
        refused.err.contains("do not fit together"),
        "{}",
        refused.err
    );
    std::fs::write(stage.path("other.report.jsonl"), "").unwrap();
    let refused = stage.run("audit --since @other.report.jsonl").await;
    assert_eq!(refused.status, 1);
    assert!(refused.err.contains("holds no run"), "{}", refused.err);
    let refused = stage.run("audit --since @config.yaml").await;
    assert_eq!(refused.status, 1);
    assert!(refused.err.contains("is not a report"), "{}", refused.err);
    assert!(stage.sandbox.requests().is_empty());
}
