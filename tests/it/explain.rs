//! `explain`, as somebody who approves access uses it.

use std::fmt::Write;

use crate::program::Stage;

#[tokio::test]
async fn people_of_the_company_are_explained() {
    let stage = Stage::company().await;
    let mut text = String::new();
    for name in ["dana", "bob", "cyd", "jon", "gil", "eve", "nobody"] {
        let ended = stage.run(&format!("explain {name}@partner.example")).await;
        assert_eq!(ended.status, 0, "{}", ended.err);
        let _ = writeln!(text, "$ explain {name}@partner.example\n{}", ended.out);
    }
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(
        r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
        "GUID",
    );
    settings.bind(|| insta::assert_snapshot!("people_of_the_company", text));
    assert_eq!(stage.writes(), Vec::<String>::new());
}

#[tokio::test]
async fn of_a_reviewed_plan_it_says_what_would_become_of_it() {
    let stage = Stage::company().await;
    assert_eq!(stage.run("plan --out @plan.json").await.status, 0);
    stage.sandbox.with_world(|world| {
        let realm = world.keycloak.realm_mut("acme").unwrap();
        realm.person_mut("dana-diaz").unwrap().groups.clear();
    });
    let ended = stage
        .run("explain dana@partner.example --plan @plan.json")
        .await;
    assert_eq!(ended.status, 0, "{}", ended.err);
    let (_, conclusion) = ended.out.split_once("So this plan holds").unwrap();
    assert_eq!(
        conclusion.matches("not wanted: ").count(),
        2,
        "{conclusion}"
    );
    let bob = stage
        .run("explain BOB@partner.example --plan @plan.json")
        .await;
    assert!(
        bob.out.contains(
            "is removed from acme-platform: is no longer in /teams/platform\n      would be done"
        ),
        "{}",
        bob.out
    );
    assert_eq!(stage.writes(), Vec::<String>::new());
}

#[tokio::test]
async fn whoever_is_locked_out_is_said_to_be_so() {
    let stage = Stage::company().await;
    stage.sandbox.with_world(|world| {
        let realm = world.keycloak.realm_mut("acme").unwrap();
        let dana = realm.person_mut("dana-diaz").unwrap();
        dana.enabled = false;
        let reason = vec!["permanentLockout".to_owned()];
        dana.attributes.insert("disabledReason".to_owned(), reason);
    });
    let ended = stage.run("explain dana@partner.example").await;
    assert_eq!(ended.status, 0, "{}", ended.err);
    assert!(ended.out.contains("locked out"), "{}", ended.out);
}

#[tokio::test]
async fn what_is_no_plan_of_these_directories_or_no_address_is_refused() {
    let stage = Stage::company().await;
    assert_eq!(stage.run("plan --out @plan.json").await.status, 0);
    let other = stage
        .configuration()
        .replace("keycloak_realm: acme", "keycloak_realm: other");
    stage.configure(&other);
    stage.sandbox.forget_requests();
    let ended = stage
        .run("explain dana@partner.example --plan @plan.json")
        .await;
    assert_eq!(ended.status, 1);
    assert!(
        ended.err.contains("it was made for the realm acme"),
        "{}",
        ended.err
    );
    assert!(stage.sandbox.requests().is_empty());
}
