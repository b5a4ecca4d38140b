//! Two people who apply at the same time: on one machine the second is told so, on two machines they do no harm.

use std::collections::BTreeMap;
use std::time::Duration;

use keycloak_to_azure::config::Config;
use keycloak_to_azure::http::Timing;
use keycloak_to_azure::report::Outcome;
use keycloak_to_azure::report_file;
use keycloak_to_azure::run_lock::{self, Asked, Holder, RunLock};
use keycloak_to_azure::sandbox::{Fault, When};
use tokio::sync::oneshot;

use crate::house::plan;
use crate::program::{Stage, quick};

/// Holds the lock of the configuration, as a run of some plan would.
fn hold(stage: &Stage) -> RunLock {
    let config = Config::load(&stage.path("config.yaml"), |_| None).unwrap();
    let target = plan(stage).unwrap().target;
    let folder = stage.state.path().join("keycloak-to-azure");
    let name = run_lock::name(&target, &config.settings);
    let holder = Holder {
        process: 4711,
        host: Some("build-7".to_owned()),
        operator: Some("ann\u{1b}[2K".to_owned()),
        plan_id: "sha256:4f1c".to_owned(),
        since: "2026-11-27T03:01:05Z".parse().unwrap(),
    };
    match run_lock::ask(&folder, &name, &holder) {
        Asked::Taken(lock) => lock,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_second_apply_on_one_machine_is_told_who_is_at_it() {
    let stage = Stage::company().await;
    assert_eq!(stage.run("plan --out @plan.json").await.status, 0);
    let line = "plan --out @some.json --group acme-support";
    assert_eq!(stage.run(line).await.status, 0);
    assert_eq!(stage.run("apply @some.json").await.status, 0);
    let line = "undo @some.report.jsonl --out @undo.json";
    assert_eq!(stage.run(line).await.status, 0);
    let undo_id = keycloak_to_azure::plan_file::read(&stage.path("undo.json"))
        .unwrap()
        .plan_id;

    let lock = hold(&stage);
    stage.sandbox.forget_requests();
    for line in [
        "apply @plan.json",
        "apply @some.json",
        &format!("apply @undo.json --plan-id {undo_id}"),
    ] {
        let refused = stage.run(line).await;
        assert_eq!(refused.status, 1, "{line}: {}", refused.err);
        assert_eq!(
            refused.err,
            "error: refused: another run of apply is writing to the same groups of Acme: process 4711 on build-7, started by \
             ann\\u{1b}[2K, with plan sha256:4f1c, since 27 November 2026, 03:01:05 UTC; wait until it has ended, then run this \
             again, and what it did is not done twice\n"
        );
    }
    assert_eq!(stage.sandbox.requests(), []);
    assert!(!stage.path("plan.report.jsonl").exists());

    let rehearsed = stage.run("apply @plan.json --dry-run").await;
    assert_eq!(rehearsed.status, 0, "{}", rehearsed.err);

    drop(lock);
    let applied = stage.run("apply @plan.json").await;
    assert_eq!(applied.status, 0, "{}", applied.err);
    assert!(!applied.err.contains("warning"), "{}", applied.err);
}

#[tokio::test]
async fn where_there_can_be_no_lock_that_is_said_and_the_plan_is_applied() {
    let mut stage = Stage::company().await;
    assert_eq!(stage.run("plan --out @plan.json").await.status, 0);
    let no_folder = stage.path("plan.json").display().to_string();
    stage.set("XDG_STATE_HOME", &no_folder);
    let applied = stage.run("apply @plan.json").await;
    assert_eq!(applied.status, 0, "{}", applied.err);
    assert!(
        applied.err.contains(
            "warning: whether another run writes to the same groups is not known: the folder"
        ),
        "{}",
        applied.err
    );
    stage.variables.retain(|(name, _)| name != "XDG_STATE_HOME");
    let applied = stage.run("apply @plan.json").await;
    assert_eq!(applied.status, 0, "{}", applied.err);
    assert!(
        applied
            .err
            .contains("neither XDG_STATE_HOME nor HOME names a folder"),
        "{}",
        applied.err
    );
}

/// The second begins and ends while the first waits for the answer to its first write.
#[tokio::test]
async fn two_applies_on_two_machines_do_everything_once() {
    let stage = Stage::company().await;
    assert_eq!(stage.run("plan --out @plan.json").await.status, 0);
    let (reached, has_reached) = oneshot::channel();
    let first_write = || When::any().body("/invitations");
    stage
        .sandbox
        .faults()
        .change_world(first_write(), |_| {
            let _ = reached.send(());
        })
        .add(first_write(), 1, Fault::HangAfterParts(0));
    let first = async {
        let halted = Timing {
            idle: Duration::from_secs(2),
            ..quick()
        };
        stage.run_with("apply @plan.json", halted).await
    };
    let second = async {
        has_reached.await.unwrap();
        let line = "apply @plan.json --report @second.jsonl";
        stage.run_elsewhere(line, quick()).await
    };
    let (first, second) = tokio::join!(first, second);
    assert_eq!(second.status, 0, "{}{}", second.out, second.err);
    assert!(matches!(first.status, 0 | 4), "{}{}", first.out, first.err);
    for name in ["plan.report.jsonl", "second.jsonl"] {
        let report = report_file::read(&stage.path(name)).unwrap();
        let outcomes = report.runs[0].outcomes.iter().map(|it| &it.outcome);
        assert_eq!(outcomes.len(), 8, "{name}");
        for outcome in outcomes {
            assert!(
                matches!(
                    outcome.outcome,
                    Outcome::Done | Outcome::AlreadyDone | Outcome::Conflict
                ),
                "{name}: {outcome:?}"
            );
        }
    }

    stage.sandbox.with_world(|world| {
        let mut accounts: BTreeMap<&str, usize> = BTreeMap::new();
        for mail in world
            .entra
            .users
            .values()
            .filter_map(|user| user.mail.as_deref())
        {
            *accounts.entry(mail).or_default() += 1;
        }
        assert_eq!(accounts["dana@partner.example"], 1);
        assert_eq!(world.entra.invitations.len(), 1);
    });
    let again = stage
        .run("plan --out @again.json --detailed-exitcode")
        .await;
    assert_eq!(again.status, 0, "{}", again.out);
    let finished = stage.run("apply @plan.json").await;
    assert_eq!(finished.status, 0, "{}{}", finished.out, finished.err);
}
