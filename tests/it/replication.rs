//! Accounts that Graph has made and does not show yet, on a clock on which minutes pass at once.

use std::time::Duration;

use keycloak_to_azure::report::Outcome;
use keycloak_to_azure::sandbox::When;
use keycloak_to_azure::sandbox::graph::{NotYet, PlannedFault, Replication};

use crate::program::Stage;
use crate::throttling::{invitations, newcomers, outcomes, planned};

const ANSWERS: [NotYet; 4] = [
    NotYet::ResourceNotFound,
    NotYet::CompanyInformation,
    NotYet::SourceResource,
    NotYet::Mixed,
];

const NEVER: Duration = Duration::from_secs(7 * 86_400);

fn set_lag(stage: &Stage, lag: Duration, not_yet: NotYet) {
    stage.sandbox.with_world(|world| {
        world.entra.behaviour.replication = Replication {
            object: lag,
            list: lag,
            write: lag,
            not_yet,
        };
    });
}

#[tokio::test]
async fn accounts_that_appear_within_five_minutes_are_updated_and_added_whatever_graph_says_until_then()
 {
    for not_yet in ANSWERS {
        for seconds in [1, 60, 299] {
            let stage = planned(newcomers(3)).await;
            set_lag(&stage, Duration::from_secs(seconds), not_yet);
            let applied = stage.run_patiently("apply @plan.json").await;
            assert_eq!(
                (applied.status, applied.out.as_str()),
                (0, "12 done\n"),
                "{not_yet:?} {seconds} {}",
                applied.err
            );
            assert_eq!(invitations(&stage), 3);
        }
    }
}

#[tokio::test]
async fn accounts_that_do_not_appear_fail_after_five_minutes_and_are_not_invited_again() {
    for not_yet in ANSWERS {
        let stage = planned(newcomers(3)).await;
        set_lag(&stage, NEVER, not_yet);
        for _ in 0..2 {
            let begun = stage.clock.now();
            let applied = stage.run_patiently("apply @plan.json").await;
            let took = (stage.clock.now() - begun).as_secs();
            assert_eq!(applied.status, 4, "{not_yet:?} {}", applied.err);
            assert!((300..330).contains(&took), "{not_yet:?} {took}");
            let said: Vec<_> = applied.out.split_whitespace().collect();
            let said = said.join(" ").replace(" | ", " ");
            assert!(
                said.contains(
                    "does not show the account yet; run the same command again in some minutes"
                ),
                "{not_yet:?} {}",
                applied.out
            );
            assert_eq!(
                outcomes(&stage),
                [(Outcome::Failed, 3), (Outcome::NotAttempted, 9)].into(),
                "{not_yet:?}"
            );
            assert_eq!(invitations(&stage), 3);
        }
        stage.clock.sleep(NEVER).await;
        let applied = stage.run_patiently("apply @plan.json").await;
        assert_eq!(
            applied.status, 0,
            "{not_yet:?} {}{}",
            applied.out, applied.err
        );
        assert_eq!(invitations(&stage), 3);
        let members: usize = stage.sandbox.with_world(|world| {
            let groups = world.entra.groups.values();
            groups.map(|group| group.members.len()).sum()
        });
        assert_eq!(members, 9);
    }
}

#[tokio::test]
async fn one_account_that_does_not_appear_holds_up_nobody_else() {
    let stage = planned(newcomers(60)).await;
    stage
        .sandbox
        .faults()
        .change_world(When::any().body("\"PATCH\""), |world| {
            let id = world.entra.users.keys().next().unwrap().clone();
            world.entra.faults.push(PlannedFault {
                method: Some("PATCH".to_owned()),
                path_contains: format!("/users/{id}"),
                skip: 0,
                times: u32::MAX,
                status: 404,
                code: "Request_ResourceNotFound".to_owned(),
                message: format!(
                    "Resource '{id}' does not exist or one of its queried reference-property objects are not present."
                ),
                retry_after: None,
                after_effect: false,
            });
        });
    let applied = stage.run_patiently("apply @plan.json").await;
    assert_eq!(applied.status, 4, "{}", applied.err);
    assert_eq!(
        outcomes(&stage),
        [
            (Outcome::Done, 59 * 4),
            (Outcome::Failed, 1),
            (Outcome::NotAttempted, 3)
        ]
        .into()
    );
    stage.sandbox.with_world(|world| world.entra.faults.clear());
    let applied = stage.run_patiently("apply @plan.json").await;
    assert_eq!(applied.status, 0, "{}{}", applied.out, applied.err);
    assert_eq!(invitations(&stage), 60);
}
