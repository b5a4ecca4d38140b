//! What went wrong with comparable programs, told against this one. Who was removed, let in or forgotten there is not here.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use keycloak_to_azure::http::Timing;
use keycloak_to_azure::plan::Change;
use keycloak_to_azure::report::{Line, Outcome, ReportedOutcome};
use keycloak_to_azure::sandbox::graph::{NotYet, OtherKind, OtherObject, Replication};
use keycloak_to_azure::sandbox::keycloak::{Group, ProviderKind, Version};
use keycloak_to_azure::sandbox::{Fault, Service, When};

use crate::house::{House, guid, plan, removals};
use crate::program::{Stage, quick};

const DANA: &str = "dana@partner.example";

fn impatient() -> Timing {
    Timing {
        tries: 1,
        idle: Duration::from_millis(200),
        ..quick()
    }
}

/// Every change of the plan of the last run in a line, or nothing if there is no plan.
fn changes(stage: &Stage) -> BTreeSet<String> {
    let changes = plan(stage).map(|plan| plan.changes).unwrap_or_default();
    changes
        .iter()
        .map(|change| match change {
            Change::Invite(invite) => format!("invite {}", invite.email),
            Change::Update(update) => format!("update {}", update.account.email),
            Change::Add(add) => format!("add {} to {}", add.account.email, add.group.name),
            Change::Remove(remove) => {
                format!("remove {} from {}", remove.account.email, remove.group.name)
            }
        })
        .collect()
}

// Reads that fail

#[tokio::test]
async fn no_request_of_a_plan_that_fails_for_good_changes_what_is_planned() {
    let (count, agreed) = {
        let stage = Stage::company().await;
        assert_eq!(stage.run("plan --out @plan.json").await.status, 0);
        (stage.sandbox.requests().len(), changes(&stage))
    };
    let faults: [fn() -> Fault; 5] = [
        || Fault::status(500),
        || Fault::status(403),
        || Fault::status(404),
        || Fault::DropBeforeEffect,
        || Fault::Truncate(10),
    ];
    for (kind, fault) in faults.iter().enumerate() {
        for number in 1..=count {
            for times in [1, 10_000] {
                if times > 1 && kind != 1 {
                    continue;
                }
                let stage = Stage::company().await;
                stage
                    .sandbox
                    .faults()
                    .add(When::any().from(number), times, fault());
                let ended = stage.run_with("plan --out @plan.json", impatient()).await;
                let planned = changes(&stage);
                let further: Vec<_> = planned.difference(&agreed).collect();
                assert_eq!(
                    further,
                    Vec::<&String>::new(),
                    "fault {kind} of request {number}"
                );
                assert_eq!(
                    ended.status == 1,
                    !stage.path("plan.json").exists(),
                    "fault {kind} of request {number}"
                );
                // Some of what is not allowed, or not there, does without.
                if !matches!(kind, 1 | 2) {
                    assert_eq!(
                        ended.status, 1,
                        "fault {kind} of request {number}: {}",
                        ended.err
                    );
                }
            }
        }
    }
}

#[tokio::test]
async fn an_account_that_lost_its_right_to_see_people_removes_nobody() {
    for version in [Version::V21_1_2, Version::V24_0_5, Version::V26_7_4] {
        let mut house = House::new(version, ProviderKind::ReadOnly);
        house.map("staff", "acme-staff");
        for name in ["ada", "bea", "cyd"] {
            house.both(name, false, &["staff"], &["acme-staff"]);
        }
        let account = house
            .realm()
            .person_mut("service-account-keycloak-to-azure")
            .unwrap();
        let roles: BTreeSet<String> = ["query-groups", "query-users", "view-realm"]
            .map(str::to_owned)
            .into();
        account.client_roles = BTreeMap::from([("realm-management".to_owned(), roles)]);
        let stage = house.stage().await;
        let planned = stage.run("plan --out @plan.json").await;
        assert_eq!(
            removals(&stage),
            [],
            "{version:?} {}{}",
            planned.out,
            planned.err
        );
        let checked = stage.run("check").await;
        assert!(
            checked.status == 1
                && checked.out.contains("missing")
                && checked.out.contains("view-users"),
            "{version:?} {}",
            checked.out
        );
    }
}

#[tokio::test]
async fn a_service_that_never_answers_ends_the_run_with_an_error() {
    for service in [Service::Keycloak, Service::Graph] {
        let stage = Stage::company().await;
        stage
            .sandbox
            .faults()
            .add(When::to(service), 10_000, Fault::Hang);
        let run = stage.run_with("plan --out @plan.json", impatient());
        let ended = tokio::time::timeout(Duration::from_secs(30), run).await;
        let ended = ended.unwrap();
        assert!(
            ended.status == 1 && ended.err.contains("no answer in time"),
            "{service:?}: {}",
            ended.err
        );
    }
}

// Sizes

#[tokio::test]
async fn groups_around_the_sizes_of_pages_are_read_whole() {
    // Besides the witness.
    for size in [0, 1, 98, 99, 100, 101, 200, 250, 999, 1_000] {
        let mut house = House::new(Version::V26_7_4, ProviderKind::ReadOnly);
        house.map("staff", "acme-staff");
        house.both("wit", true, &["staff"], &["acme-staff"]);
        let (mut to_add, mut members) = (BTreeSet::new(), 1);
        for number in 0..size {
            let name = format!("p{number}");
            house.person(&name, false, &["staff"]);
            // Every seventh is missing on the other side, the last one too.
            let is_missing = number % 7 == 6 || number + 1 == size;
            house.account(&name, if is_missing { &[] } else { &["acme-staff"] });
            if is_missing {
                to_add.insert(format!("add {name}@partner.example to acme-staff"));
            } else {
                members += 1;
            }
        }
        let mut expected = to_add;
        for name in ["gone", "former"] {
            house.account(name, &["acme-staff"]);
            expected.insert(format!("remove {name}@partner.example from acme-staff"));
        }
        let stage = house.stage().await;
        let ended = stage.run("plan --out @plan.json").await;
        assert_eq!(ended.status, 0, "{size}: {}", ended.err);
        assert_eq!(changes(&stage), expected, "{size}");
        let plan = plan(&stage).unwrap();
        assert_eq!(
            (plan.groups[0].members_before, plan.summary.unchanged),
            (members + 2, members),
            "{size}"
        );
        // All who have left go at once.
        assert_eq!(stage.run("apply @plan.json").await.status, 0, "{size}");
        assert_eq!(
            stage
                .run("plan --out @again.json --detailed-exitcode")
                .await
                .status,
            0,
            "{size}"
        );
    }
}

#[tokio::test]
async fn sub_groups_count_at_every_depth_and_in_every_number() {
    for version in [Version::V21_1_2, Version::V26_7_4] {
        let mut house = House::new(version, ProviderKind::ReadOnly);
        house.map("staff", "acme-staff");
        let deep = Group::new("d1", "deep")
            .with(Group::new("d2", "deeper").with(Group::new("d3", "deepest")));
        let staff = house.realm().group_mut("/staff").unwrap();
        staff.subgroups.push(deep);
        for number in 0..25 {
            staff
                .subgroups
                .push(Group::new(&format!("w{number}"), &format!("wide {number}")));
        }
        house.both("ada", false, &["d3"], &["acme-staff"]);
        for number in 0..25 {
            house.both(
                &format!("p{number}"),
                false,
                &[&format!("w{number}")],
                &["acme-staff"],
            );
        }
        let stage = house.stage().await;
        assert_eq!(
            stage
                .run("plan --out @plan.json --detailed-exitcode")
                .await
                .status,
            0,
            "{version:?}"
        );
    }
}

// Invitations

#[tokio::test]
async fn a_leaver_who_never_accepted_the_invitation_goes() {
    let mut house = House::new(Version::V26_7_4, ProviderKind::ReadOnly);
    house.map("staff", "acme-staff");
    house.both("wit", true, &["staff"], &["acme-staff"]);
    let moe = house.account("moe", &["acme-staff"]);
    house
        .world
        .entra
        .users
        .get_mut(&moe)
        .unwrap()
        .external_user_state = Some("PendingAcceptance".to_owned());
    let stage = house.stage().await;
    assert_eq!(stage.run("plan --out @plan.json").await.status, 0);
    assert_eq!(
        changes(&stage),
        ["remove moe@partner.example from acme-staff".to_owned()].into()
    );
}

#[tokio::test]
async fn the_address_of_a_contact_is_invited_once() {
    let stage = Stage::company().await;
    stage.sandbox.with_world(|world| {
        world.entra.insert_other(OtherObject {
            id: guid(0xd, 1),
            kind: OtherKind::OrgContact,
            display_name: "Dana (contact)".to_owned(),
            mail: Some(DANA.to_owned()),
        });
    });
    assert_eq!(stage.run("plan --out @plan.json").await.status, 0);
    let applied = stage.run("apply @plan.json").await;
    assert_eq!(applied.status, 0, "{}{}", applied.out, applied.err);
    let again = stage
        .run("plan --out @again.json --detailed-exitcode")
        .await;
    assert_eq!(again.status, 0, "{}", again.out);
    let invitations = stage
        .sandbox
        .with_world(|world| world.entra.invitations.len());
    assert_eq!(invitations, 1);
}

// Writes that fail

#[tokio::test]
async fn a_group_that_takes_no_guests_is_said_so_once_and_the_others_go_on() {
    let stage = Stage::company().await;
    assert_eq!(stage.run("plan --out @plan.json").await.status, 0);
    stage.sandbox.with_world(|world| {
        let mut groups = world.entra.groups.values_mut();
        groups
            .find(|group| group.display_name == "acme-support")
            .unwrap()
            .guests_refused = true;
        // Hal is added there.
        let hal = world
            .entra
            .users
            .values_mut()
            .find(|user| user.mail.as_deref() == Some("hal@partner.example"));
        hal.unwrap().user_type = Some("Guest".to_owned());
    });
    let report = |stage: &Stage| -> Vec<Line> {
        let text = std::fs::read_to_string(stage.path("plan.report.jsonl")).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    };
    let applied = stage.run("apply @plan.json").await;
    assert_eq!(applied.status, 4, "{}", applied.err);
    let failed: Vec<_> = report(&stage)
        .into_iter()
        .filter_map(|line| match line {
            Line::Outcome(ReportedOutcome { outcome, .. }) if outcome.outcome != Outcome::Done => {
                Some((outcome.outcome, outcome.attempts, outcome.message))
            }
            _ => None,
        })
        .collect();
    let [(Outcome::Failed, attempts, message)] = &failed[..] else {
        panic!("{failed:?}");
    };
    assert!(
        *attempts <= 2 && message.contains("takes no guests"),
        "{failed:?}"
    );
}

#[tokio::test]
async fn every_change_has_an_outcome_whatever_fails() {
    for method in ["POST", "PATCH", "DELETE"] {
        for fault in [
            Fault::status(503),
            Fault::status(400),
            Fault::DropBeforeEffect,
            Fault::EmptyBody,
        ] {
            let stage = Stage::company().await;
            assert_eq!(stage.run("plan --out @plan.json").await.status, 0);
            let number = plan(&stage).unwrap().changes.len();
            let write = When::to(Service::Graph)
                .path("/$batch")
                .body(&format!("\"method\":\"{method}\""));
            stage.sandbox.faults().add(write, 10_000, fault);
            let applied = stage.run_with("apply @plan.json", impatient()).await;
            assert_eq!(
                applied.status, 4,
                "{method}: {}{}",
                applied.out, applied.err
            );
            let text = std::fs::read_to_string(stage.path("plan.report.jsonl")).unwrap();
            let lines: Vec<Line> = text
                .lines()
                .map(|line| serde_json::from_str(line).unwrap())
                .collect();
            let settled: BTreeSet<usize> = lines
                .iter()
                .filter_map(|line| match line {
                    Line::Outcome(ReportedOutcome { outcome, .. }) => Some(outcome.change),
                    _ => None,
                })
                .collect();
            assert_eq!(settled, (1..=number).collect(), "{method}");
            let Some(Line::End(end)) = lines.last() else {
                panic!("{text}");
            };
            let totals = serde_json::to_value(end.totals).unwrap();
            let sum: u64 = totals
                .as_object()
                .unwrap()
                .values()
                .filter_map(serde_json::Value::as_u64)
                .sum();
            assert_eq!(sum, number as u64, "{method}: {totals}");
        }
    }
}

// Rights and files

#[tokio::test]
async fn a_plan_needs_no_right_to_write() {
    let stage = Stage::company().await;
    stage.sandbox.with_world(|world| {
        let roles = ["GroupMember.Read.All", "User.Read.All"];
        world.entra.apps[0].roles = roles.map(str::to_owned).into();
    });
    let planned = stage.run("plan --out @plan.json").await;
    assert_eq!(planned.status, 0, "{}", planned.err);
    assert_eq!(changes(&stage).len(), 8);
    for request in stage.sandbox.requests() {
        assert!(!request.path.contains("//"), "{}", request.path);
    }
    assert_eq!(stage.writes(), Vec::<String>::new());
}

#[tokio::test]
async fn the_log_is_for_its_owner_only_and_a_folder_that_is_missing_is_named() {
    let stage = Stage::company().await;
    let configuration = stage.configuration();
    let log = stage.path("sync.log");
    stage.configure(&format!("logfile: {}\n{configuration}", log.display()));
    assert_eq!(stage.run("plan --out @plan.json").await.status, 0);
    let mode = std::fs::metadata(log).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    stage.sandbox.forget_requests();
    stage.configure(&format!(
        "logfile: {}\n{configuration}",
        stage.path("missing/sync.log").display()
    ));
    let refused = stage.run("plan --out @plan.json").await;
    assert!(
        refused.status == 1 && refused.err.contains("missing/sync.log"),
        "{}",
        refused.err
    );
    assert_eq!(stage.sandbox.requests(), []);
}

// Accounts that are not what they will be

#[tokio::test]
async fn an_account_that_lists_do_not_show_yet_is_added_at_once_and_invited_once() {
    let stage = Stage::company().await;
    assert_eq!(stage.run("plan --out @plan.json").await.status, 0);
    stage.sandbox.with_world(|world| {
        world.entra.behaviour.replication = Replication {
            object: Duration::from_millis(20),
            write: Duration::from_millis(40),
            list: Duration::from_secs(3_600),
            not_yet: NotYet::Mixed,
        };
    });
    let patient = Timing {
        first_wait: Duration::from_millis(20),
        longest_wait: Duration::from_millis(100),
        ..quick()
    };
    for words in ["8 done\n", "8 already done\n"] {
        let applied = stage.run_with("apply @plan.json", patient.clone()).await;
        assert_eq!(
            (applied.status, applied.out.as_str()),
            (0, words),
            "{}",
            applied.err
        );
    }
    let (invitations, memberships) = stage.sandbox.with_world(|world| {
        let dana = world
            .entra
            .users
            .values()
            .find(|user| user.mail.as_deref() == Some(DANA))
            .unwrap()
            .id
            .clone();
        let groups = world
            .entra
            .groups
            .values()
            .filter(|group| group.members.contains(&dana));
        (world.entra.invitations.len(), groups.count())
    });
    assert_eq!((invitations, memberships), (1, 1));
}

#[tokio::test]
async fn a_guest_whose_names_are_right_becomes_a_member_all_the_same() {
    let mut house = House::new(Version::V26_7_4, ProviderKind::ReadOnly);
    house.map("staff", "acme-staff");
    house.both("ada", false, &["staff"], &["acme-staff"]);
    let bea = house.account("bea", &["acme-staff"]);
    house.person("bea", false, &["staff"]);
    house.world.entra.users.get_mut(&bea).unwrap().user_type = Some("Guest".to_owned());
    let stage = house.stage().await;
    assert_eq!(stage.run("plan --out @plan.json").await.status, 0);
    assert_eq!(
        changes(&stage),
        ["update bea@partner.example".to_owned()].into()
    );
    assert_eq!(stage.run("apply @plan.json").await.status, 0);
    let user_type = stage
        .sandbox
        .with_world(|world| world.entra.users[&bea].user_type.clone());
    assert_eq!(user_type.as_deref(), Some("Member"));
}

// Limits

#[tokio::test]
async fn the_groups_beside_one_that_exceeds_its_limit_can_be_planned_and_applied() {
    let mut house = House::new(Version::V26_7_4, ProviderKind::ReadOnly);
    house.settings = "limits: { removals: 2, removals_percent: 0 }\n".to_owned();
    for (group, azure) in [("staff", "acme-staff"), ("all", "acme-all")] {
        house.map(group, azure);
        house.both(&format!("{group}-wit"), true, &[group], &[azure]);
    }
    for name in ["amy", "ben", "cal"] {
        house.account(name, &["acme-staff"]);
    }
    house.person("dee", false, &["all"]);
    house.account("dee", &[]);
    let stage = house.stage().await;
    assert_eq!(stage.run("plan --out @plan.json").await.status, 3);
    assert_eq!(stage.run("apply @plan.json").await.status, 3);
    assert_eq!(stage.writes(), Vec::<String>::new());
    assert_eq!(
        stage
            .run("plan --out @plan.json --group acme-all")
            .await
            .status,
        0
    );
    assert_eq!(
        changes(&stage),
        ["add dee@partner.example to acme-all".to_owned()].into()
    );
    assert_eq!(stage.run("apply @plan.json").await.status, 0);
}
