//! Attacks with what stands in the two directories, in reports and in hand-edited plans.

use keycloak_to_azure::model::{Address, ObjectId};
use keycloak_to_azure::plan::{Action, Change, Fields, Plan, Summary};
use keycloak_to_azure::plan_file;
use keycloak_to_azure::report::{Line, Outcome, ReportedOutcome, Start, Step, Subject, Write};
use keycloak_to_azure::sandbox::graph::User;
use keycloak_to_azure::sandbox::keycloak::{Group, Person, ProviderKind, Version};
use keycloak_to_azure::sandbox::{Fault, Service, When};

use crate::house::{Cached, House, guid, plan, removals};
use crate::program::{Stage, quick};

const DANA: &str = "dana@partner.example";

async fn planned(stage: &Stage) -> Plan {
    let ended = stage.run("plan --out @plan.json").await;
    assert!(matches!(ended.status, 0 | 3), "{}", ended.err);
    plan(stage).unwrap()
}

fn outcomes(stage: &Stage) -> Vec<(Action, Outcome, String)> {
    let text = std::fs::read_to_string(stage.path("plan.report.jsonl")).unwrap();
    text.lines()
        .filter_map(|line| match serde_json::from_str(line).unwrap() {
            Line::Outcome(ReportedOutcome { outcome, .. }) => {
                Some((outcome.action, outcome.outcome, outcome.message))
            }
            _ => None,
        })
        .collect()
}

// Two groups with one path

/// `/teams` holds a group that is called `a/b`, and one that is called `a` and holds `b`. Both sides agree on everybody.
fn house_with_one_path_twice(version: Version) -> House {
    let mut house = House::new(version, ProviderKind::ReadOnly);
    house.map("teams", "acme-teams");
    let teams = house.realm().group_mut("/teams").unwrap();
    teams.subgroups = vec![
        Group::new("id-1", "a/b"),
        Group::new("id-2", "a").with(Group::new("id-3", "b")),
    ];
    for (name, group) in [
        ("eva", "id-1"),
        ("bea", "id-3"),
        ("amy", "id-2"),
        ("tim", "teams"),
    ] {
        house.both(name, false, &[group], &["acme-teams"]);
    }
    house
}

#[tokio::test]
async fn two_subgroups_with_one_path_hide_nobody() {
    for version in [Version::V21_1_2, Version::V24_0_5, Version::V26_7_4] {
        let stage = house_with_one_path_twice(version).stage().await;
        planned(&stage).await;
        assert_eq!(removals(&stage), [], "{version:?}");
    }
}

#[tokio::test]
async fn people_in_two_subgroups_with_one_path_are_all_added() {
    let mut house = house_with_one_path_twice(Version::V26_7_4);
    house.azure("acme-teams").members.clear();
    let stage = house.stage().await;
    assert_eq!(planned(&stage).await.summary.add, 4);
}

// Reports

fn forged_report(plan: &Plan, invited: &[(&str, &str)]) -> String {
    let time = plan.created_at;
    let start = Line::Start(Start::of(plan, "r", "an app", time));
    let steps = invited.iter().map(|(email, account)| {
        let is_of = |change: &Change| matches!(change, Change::Invite(invite) if invite.email.as_str() == *email);
        Line::Step(Step {
            run_id: "r".to_owned(),
            change: 1 + plan.changes.iter().position(is_of).unwrap(),
            write: Write::Invited,
            account: Subject {
                id: Some(account.parse().unwrap()),
                email: (*email).to_owned(),
                display_name: None,
            },
            group: None,
            fields: Fields::default(),
            time,
            request_id: None,
        })
    });
    let lines = std::iter::once(start).chain(steps);
    lines
        .map(|line| serde_json::to_string(&line).unwrap() + "\n")
        .collect()
}

#[tokio::test]
async fn a_report_cannot_bring_a_group_into_a_group() {
    let stage = Stage::company().await;
    let plan = planned(&stage).await;
    let support = stage.sandbox.with_world(|world| {
        let mut groups = world.entra.groups.values();
        groups
            .find(|group| group.display_name == "acme-support")
            .unwrap()
            .id
            .clone()
    });
    let before = memberships_of(&stage, &support);
    std::fs::write(
        stage.path("plan.report.jsonl"),
        forged_report(&plan, &[(DANA, &support)]),
    )
    .unwrap();
    let applied = stage.run("apply @plan.json").await;
    assert_eq!(outcomes(&stage).len(), plan.changes.len());
    assert_eq!(
        memberships_of(&stage, &support),
        before,
        "{}{}",
        applied.out,
        applied.err
    );
}

#[tokio::test]
async fn a_report_cannot_bring_another_account_into_a_group() {
    let stage = Stage::company().await;
    let plan = planned(&stage).await;
    let mut ids: Vec<String> = stage
        .sandbox
        .with_world(|world| world.entra.users.keys().cloned().collect());
    ids.push(guid(0xf, 1));
    for id in ids {
        let before = memberships_of(&stage, &id);
        let name = name_of(&stage, &id);
        std::fs::write(
            stage.path("forged.jsonl"),
            forged_report(&plan, &[(DANA, &id)]),
        )
        .unwrap();
        let _ = stage
            .run("apply @plan.json --report @forged.jsonl --dry-run")
            .await;
        let text = std::fs::read_to_string(stage.path("forged.jsonl")).unwrap();
        let lines = text.lines().filter(|line| line.contains("outcome")).count();
        assert_eq!(lines, plan.changes.len(), "{text}");
        assert_eq!(
            (memberships_of(&stage, &id), name_of(&stage, &id)),
            (before, name)
        );
    }
}

#[tokio::test]
async fn one_account_that_a_report_has_under_two_addresses_is_the_first_ones() {
    let mut house = House::new(Version::V26_7_4, ProviderKind::ReadOnly);
    house.map("staff", "acme-staff");
    for name in ["ann", "zoe"] {
        house.person(name, false, &["staff"]);
    }
    let stage = house.stage().await;
    let plan = planned(&stage).await;
    // Nothing shows it yet.
    let account = guid(0xf, 1);
    let invited = ["ann", "zoe"].map(|name| format!("{name}@partner.example"));
    let report = forged_report(&plan, &[(&invited[0], &account), (&invited[1], &account)]);
    std::fs::write(stage.path("plan.report.jsonl"), report).unwrap();
    let _ = stage.run("apply @plan.json --dry-run").await;
    let outcomes = outcomes(&stage);
    let [(_, of_ann, _), (_, of_zoe, reason), ..] = &outcomes[..] else {
        panic!("{outcomes:?}")
    };
    assert_eq!((*of_ann, *of_zoe), (Outcome::Done, Outcome::Conflict));
    assert!(reason.contains("which is not the person's"), "{reason}");
}

/// In which groups an object is.
fn memberships_of(stage: &Stage, id: &str) -> Vec<String> {
    stage.sandbox.with_world(|world| {
        let groups = world.entra.groups.values();
        groups
            .filter(|group| group.members.contains(id))
            .map(|group| group.display_name.clone())
            .collect()
    })
}

fn name_of(stage: &Stage, id: &str) -> Option<String> {
    stage.sandbox.with_world(|world| {
        world
            .entra
            .users
            .get(id)
            .and_then(|user| user.display_name.clone())
    })
}

// An invitation that is answered with somebody else's account

fn victim() -> User {
    User {
        user_type: Some("Guest".to_owned()),
        ..User::invited(
            &guid(0xe, 1),
            "victim@elsewhere.example",
            "acme.onmicrosoft.com",
            "Victim Vance",
        )
    }
}

#[tokio::test]
async fn an_invitation_answered_with_an_account_that_nobody_asked_for_changes_nothing_of_it() {
    for is_protected in [false, true] {
        let stage = Stage::company().await;
        let victim = victim();
        stage
            .sandbox
            .with_world(|world| world.entra.insert_user(victim.clone()));
        if is_protected {
            stage.configure(&format!("{}  - {}\n", stage.configuration(), victim.id));
        }
        planned(&stage).await;
        // The address is another one of the victim's home account: Graph answers with the account that there is.
        let answer = serde_json::json!({ "responses": [{
            "id": "0", "status": 201,
            "body": { "invitedUserEmailAddress": DANA, "status": "PendingAcceptance", "invitedUser": { "id": victim.id } },
        }]});
        let mut answers = Vec::new();
        for id in ["0", "1"] {
            let mut answer = answer.clone();
            answer["responses"][0]["id"] = id.into();
            answers.push(answer);
        }
        let answer = serde_json::json!({ "responses": answers.iter().map(|a| a["responses"][0].clone()).collect::<Vec<_>>() });
        let answer =
            keycloak_to_azure::sandbox::exchange::Response::json(reqwest::StatusCode::OK, &answer);
        stage.sandbox.faults().add(
            When::to(Service::Graph).body("/invitations"),
            1,
            Fault::Answer(answer),
        );
        let applied = stage.run("apply @plan.json").await;
        assert_eq!(stage.sandbox.faults().pending(), 0);
        assert_eq!(
            (
                name_of(&stage, &victim.id).as_deref(),
                memberships_of(&stage, &victim.id)
            ),
            (Some("Victim Vance"), Vec::new()),
            "protected: {is_protected} {}{}",
            applied.out,
            applied.err
        );
        // Another invitation would be answered with the same account, and kill the first link. What a dry run says is what a real one does.
        let rehearsed = stage.run("apply @plan.json --dry-run").await;
        assert_eq!(rehearsed.status, 4, "{}", rehearsed.out);
        assert!(
            rehearsed
                .out
                .contains("would not be added to acme-platform: the invitation is not"),
            "{}",
            rehearsed.out
        );
        stage.sandbox.forget_requests();
        let again = stage.run("apply @plan.json").await;
        assert_eq!(again.status, 4, "{}", again.out);
        let mut writes = stage.writes().into_iter();
        assert!(!writes.any(|write| write.contains("/invitations")));
        assert!(
            again.out.contains("an earlier run invited"),
            "{}",
            again.out
        );
    }
}

#[tokio::test]
async fn an_account_that_is_not_looked_for_by_its_second_address_is_not_taken_over_by_an_invitation()
 {
    let stage = Stage::company().await;
    let mut victim = victim();
    victim.other_mails.push(DANA.to_owned());
    stage
        .sandbox
        .with_world(|world| world.entra.insert_user(victim.clone()));
    let settings = format!(
        "{}  - {}\nusers: {{ match: [mail] }}\n",
        stage.configuration(),
        victim.id
    );
    stage.configure(&settings);
    planned(&stage).await;
    let applied = stage.run("apply @plan.json").await;
    assert_eq!(
        (
            name_of(&stage, &victim.id).as_deref(),
            memberships_of(&stage, &victim.id)
        ),
        (Some("Victim Vance"), Vec::new()),
        "{}{}",
        applied.out,
        applied.err
    );
}

// Drift

#[tokio::test]
async fn an_addition_reviewed_for_one_person_is_not_carried_out_for_another_with_the_same_address()
{
    let stage = Stage::company().await;
    planned(&stage).await;
    let id = guid(0xe, 2);
    stage.sandbox.with_world(|world| {
        let realm = world.keycloak.realm_mut("acme").unwrap();
        let dana = realm
            .people
            .iter()
            .find(|p| p.username == "dana-diaz")
            .unwrap()
            .clone();
        realm.people.retain(|person| person.username != "dana-diaz");
        realm.people.push(Person {
            id: guid(0xb, 99),
            username: "mallory".to_owned(),
            first_name: Some("Mallory".to_owned()),
            last_name: Some("Malone".to_owned()),
            ..dana
        });
        world.entra.insert_user(User::invited(
            &id,
            DANA,
            "acme.onmicrosoft.com",
            "Mallory Malone",
        ));
    });
    let applied = stage.run("apply @plan.json").await;
    assert_eq!(
        memberships_of(&stage, &id),
        Vec::<String>::new(),
        "{}",
        applied.out
    );
}

// Hand-edited plans

#[tokio::test]
async fn a_block_that_was_taken_out_of_a_plan_by_hand_still_blocks() {
    for (limits, what) in [("removals: 0", "remove"), ("invitations: 0", "invite")] {
        let stage = Stage::company().await;
        let full = planned(&stage).await;
        stage.configure(&format!(
            "{}limits: {{ {limits} }}\n",
            stage.configuration()
        ));
        let blocked = planned(&stage).await;
        assert!(blocked.is_blocked());
        let unblocked = Plan {
            blocks: Vec::new(),
            summary: Summary {
                blocks: 0,
                ..full.summary
            },
            ..full
        };
        plan_file::write(&stage.path("plan.json"), &unblocked.sealed()).unwrap();
        let applied = stage.run("apply @plan.json").await;
        let done = outcomes(&stage)
            .into_iter()
            .filter(|(action, outcome, _)| action.to_string() == what && *outcome == Outcome::Done)
            .count();
        assert_eq!(done, 0, "{what}: {}{}", applied.out, applied.err);
    }
}

#[tokio::test]
async fn a_plan_that_names_other_people_than_it_removes_is_not_carried_out() {
    let stage = Stage::company().await;
    let mut plan = planned(&stage).await;
    let mut forged = None;
    for change in &mut plan.changes {
        if let Change::Remove(remove) = change {
            remove.account.email = "retired@partner.example".to_owned();
            remove.account.display_name = Some("Retired Contractor".to_owned());
            forged = Some((remove.group.id.clone(), remove.account.id.clone()));
        }
    }
    let (group, account) = forged.unwrap();
    plan_file::write(&stage.path("plan.json"), &plan.sealed()).unwrap();
    let applied = stage.run("apply @plan.json").await;
    let is_member = stage.sandbox.with_world(|world| {
        world.entra.groups[group.as_str()]
            .members
            .contains(account.as_str())
    });
    assert!(is_member, "{}{}", applied.out, applied.err);
}

#[tokio::test]
async fn a_plan_that_names_another_group_than_it_changes_is_not_carried_out() {
    let stage = Stage::company().await;
    let mut plan = planned(&stage).await;
    let forge = |group: &mut keycloak_to_azure::plan::GroupName| {
        if group.name == "acme-platform" {
            group.name = "acme-harmless".to_owned();
        }
    };
    for change in &mut plan.changes {
        match change {
            Change::Add(add) => forge(&mut add.group),
            Change::Remove(remove) => forge(&mut remove.group),
            _ => {}
        }
    }
    plan.groups
        .iter_mut()
        .for_each(|group| forge(&mut group.azure));
    plan_file::write(&stage.path("plan.json"), &plan.sealed()).unwrap();
    let applied = stage.run("apply @plan.json").await;
    let touched: Vec<String> = stage
        .writes()
        .into_iter()
        .filter(|write| write.contains("/groups/"))
        .filter(|write| {
            let platform = stage.sandbox.with_world(|world| {
                let mut groups = world.entra.groups.values();
                groups
                    .find(|group| group.display_name == "acme-platform")
                    .unwrap()
                    .id
                    .clone()
            });
            write.contains(&platform)
        })
        .collect();
    assert_eq!(touched, Vec::<String>::new(), "{}", applied.err);
}

#[tokio::test]
async fn a_change_that_no_directory_wants_is_never_carried_out() {
    let stage = Stage::company().await;
    let plan = planned(&stage).await;
    let (users, groups) = stage.sandbox.with_world(|world| {
        let users: Vec<User> = world.entra.users.values().cloned().collect();
        let groups: Vec<(String, String)> = world
            .entra
            .groups
            .values()
            .map(|group| (group.id.clone(), group.display_name.clone()))
            .collect();
        (users, groups)
    });
    // Everybody out of every group.
    let mut greedy = plan.clone();
    greedy.changes.clear();
    for (id, name) in &groups {
        let group = keycloak_to_azure::plan::GroupName {
            id: id.parse().unwrap(),
            name: name.clone(),
        };
        for user in &users {
            greedy
                .changes
                .push(Change::Remove(keycloak_to_azure::plan::Remove {
                    group: group.clone(),
                    account: keycloak_to_azure::plan::AccountName {
                        id: user.id.parse::<ObjectId>().unwrap(),
                        email: user.mail.clone().unwrap(),
                        display_name: user.display_name.clone(),
                    },
                    because: keycloak_to_azure::plan::RemovalReason::LeftGroup,
                }));
        }
        if !greedy
            .groups
            .iter()
            .any(|planned| planned.azure.id == group.id)
        {
            let mut more = greedy.groups[0].clone();
            more.azure = group;
            greedy.groups.push(more);
        }
    }
    for group in &mut greedy.groups {
        (group.members_before, group.members_after) = (users.len(), 0);
    }
    greedy.summary = Summary {
        remove: greedy.changes.len(),
        problems: greedy.problems.len(),
        ..Summary::default()
    };
    plan_file::write(&stage.path("plan.json"), &greedy.sealed()).unwrap();
    let applied = stage.run("apply @plan.json").await;
    assert!(matches!(applied.status, 0 | 4), "{}", applied.err);
    assert_eq!(
        stage.writes().len(),
        plan.summary.remove,
        "{:?}",
        stage.writes()
    );
}

// Normalisation

#[tokio::test]
async fn addresses_in_odd_forms_do_not_make_anybody_leave() {
    for address in [
        "Zoë@partner.example",
        "ZOË@PARTNER.EXAMPLE",
        "zoe\u{308}@partner.example",
        "\u{212a}im@partner.example",
        "İpek@partner.example",
        "straße@partner.example",
        "o'brien@partner.example",
        "a%b@partner.example",
        "a&b=c@partner.example",
        "\u{202e}moc@partner.example",
        "x#ext#@partner.example",
        "a_b@partner.example",
        "a@b@partner.example",
        "line\nbreak@partner.example",
        "日本@partner.example",
        "🦀@partner.example",
    ] {
        let mut house = House::new(Version::V26_7_4, ProviderKind::ReadOnly);
        house.map("staff", "acme-staff");
        house.both("moe", false, &["staff"], &["acme-staff"]);
        house.both("max", false, &["staff"], &["acme-staff"]);
        house.cache(Cached::Cold);
        house.realm().person_mut("moe").unwrap().email = Some(address.to_owned());
        let users = &mut house.world.entra.users;
        let moe = users
            .values_mut()
            .find(|user| user.mail.as_deref() == Some("moe@partner.example"))
            .unwrap();
        moe.mail = Some(address.to_owned());
        moe.user_principal_name = "moe_partner.example#EXT#@acme.onmicrosoft.com".to_owned();
        moe.other_mails.clear();
        moe.proxy_addresses.clear();
        let stage = house.stage().await;
        let plan = planned(&stage).await;
        // Keycloak keeps k for the Kelvin sign, and an account that has the sign in its address is nobody's here.
        let invited = usize::from(address.contains('\u{212a}'));
        assert_eq!(
            (plan.summary.remove, plan.summary.invite),
            (0, invited),
            "{address:?} {:?}",
            plan.changes
        );
    }
}

// Interruptions

#[tokio::test]
async fn a_run_whose_services_die_at_any_request_is_finished_by_running_it_again() {
    let total = {
        let stage = Stage::company().await;
        planned(&stage).await;
        stage.sandbox.forget_requests();
        assert_eq!(stage.run("apply @plan.json").await.status, 0);
        stage.sandbox.requests().len()
    };
    for fault in [
        || Fault::DropBeforeEffect,
        || Fault::DropAfterEffect,
        || Fault::EmptyBody,
        || Fault::html(502),
    ] {
        for number in 1..=total {
            let stage = Stage::company().await;
            let plan = planned(&stage).await;
            stage
                .sandbox
                .faults()
                .add(When::any().from(number), 10_000, fault());
            let broken = stage.run("apply @plan.json").await;
            assert_ne!(broken.status, 0, "{number}");
            stage.sandbox.faults().clear();
            let finished = stage.run("apply @plan.json").await;
            assert_eq!(
                finished.status, 0,
                "{number}: {}{}",
                finished.out, finished.err
            );
            let guests = stage.sandbox.with_world(|world| {
                let is_dana = |user: &&User| user.mail.as_deref() == Some(DANA);
                world.entra.users.values().filter(is_dana).count()
            });
            assert_eq!(guests, 1, "{number}");
            let again = stage
                .run("plan --out @again.json --detailed-exitcode")
                .await;
            assert_eq!(again.status, 0, "{number}: {}", again.out);
            let _ = plan;
        }
    }
}

#[tokio::test]
async fn two_runs_of_one_plan_at_once_do_it_once() {
    for _ in 0..5 {
        let stage = Stage::company().await;
        planned(&stage).await;
        // On one machine or with one report the second is refused; otherwise nobody keeps them apart.
        let (one, other) = tokio::join!(
            stage.run("apply @plan.json --report @one.jsonl"),
            stage.run_elsewhere("apply @plan.json --report @other.jsonl", quick())
        );
        assert!(
            one.status != 1 && other.status != 1,
            "{}{}\n{}{}",
            one.out,
            one.err,
            other.out,
            other.err
        );
        let guests = stage.sandbox.with_world(|world| {
            let is_dana = |user: &&User| user.mail.as_deref() == Some(DANA);
            world.entra.users.values().filter(is_dana).count()
        });
        assert_eq!(guests, 1);
        let again = stage
            .run("plan --out @again.json --detailed-exitcode")
            .await;
        assert_eq!(again.status, 0, "{}", again.out);
        let applied = stage.run("apply @plan.json").await;
        assert_eq!(applied.status, 0, "{}{}", applied.out, applied.err);
    }
}

// Text that forges

const FORGERY: &str = "x\nFORGED y\r\nFORGED\u{1b}[2K\u{1b}[1AFORGED \u{202e}\u{2066}\u{200b}\u{feff}\u{85}FORGED\u{2028}FORGED | a | `b` ``` <!-- --> <details> [l](http://e) @all #1 :x: \u{7}\u{8}\u{ad}";

#[tokio::test]
async fn no_text_from_either_directory_forges_a_line() {
    let stage = Stage::company().await;
    let log = format!("logfile: {}\n", stage.path("sync.log").display());
    stage.configure(&(log + &stage.configuration()));
    stage.sandbox.with_world(|world| {
        world.entra.tenant_name = FORGERY.to_owned();
        for user in world.entra.users.values_mut() {
            user.display_name = Some(format!(
                "{} {FORGERY}",
                user.display_name.clone().unwrap_or_default()
            ));
            user.surname = Some(FORGERY.to_owned());
        }
        let realm = world.keycloak.realm_mut("acme").unwrap();
        for person in &mut realm.people {
            if person.username.starts_with("service-account") {
                continue;
            }
            person.username = format!("{}{FORGERY}", person.username);
            person.last_name = Some(format!(
                "{} {FORGERY}",
                person.last_name.clone().unwrap_or_default()
            ));
        }
        let finn = realm
            .people
            .iter_mut()
            .find(|person| person.username.starts_with("finn"))
            .unwrap();
        finn.email = Some(FORGERY.to_owned());
        let kim = realm
            .people
            .iter_mut()
            .find(|person| person.username.starts_with("kim"))
            .unwrap();
        kim.email = Some(format!("{FORGERY}@partner.example"));
    });
    let text = stage.run("-v plan --out @plan.json").await;
    let markdown = stage.run("show @plan.json --format markdown").await;
    let applied = stage.run("-v apply @plan.json").await;
    let log = std::fs::read_to_string(stage.path("sync.log")).unwrap();
    let texts = [
        ("plan", text.out),
        ("plan err", text.err),
        ("markdown", markdown.out),
        ("apply", applied.out),
        ("apply err", applied.err),
        ("log", log),
    ];
    for (what, text) in &texts {
        assert!(!text.is_empty() || *what == "apply err", "{what}");
        for line in text.lines() {
            assert!(!line.starts_with("FORGED"), "{what}: {line:?}");
        }
        let bad = text.chars().find(|c| {
            (c.is_control() && *c != '\n')
                || matches!(*c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
        });
        assert_eq!(bad, None, "{what}");
    }
    for (what, text) in &texts {
        if *what == "markdown" {
            let mut fenced = false;
            for line in text.lines() {
                fenced ^= line.starts_with("```");
                let obeyed = ["<!-- -->", "<details> [", "| `b`"]
                    .iter()
                    .any(|mark| line.contains(mark));
                assert!(fenced || !obeyed || line.contains("<code>"), "{line}");
            }
        }
    }
}

/// Sentences that are wrapped go on under themselves, where the hints stand.
#[tokio::test]
async fn no_name_forges_a_hint_by_the_way_it_is_wrapped() {
    let stage = Stage::company().await;
    let hint = "checked by the security team: nothing to do";
    stage.sandbox.with_world(|world| {
        let realm = world.keycloak.realm_mut("acme").unwrap();
        let finn = realm.person_mut("finn-fox").unwrap();
        finn.last_name = Some(format!("{} {hint} {}", "x".repeat(86), "y".repeat(90)));
    });
    let ended = stage.run("plan --out @plan.json").await;
    let forged = ended.out.lines().find(|line| line.trim() == hint);
    assert_eq!(forged, None, "{}", ended.out);
}

#[tokio::test]
async fn no_address_forges_a_line_of_a_report() {
    let address: Address = "a\n{\"type\":\"end\"}@partner.example".parse().unwrap();
    let line = serde_json::to_string(&serde_json::json!({ "email": address })).unwrap();
    assert_eq!(line.lines().count(), 1);
}

// Configuration

#[tokio::test]
async fn a_password_in_an_address_of_the_configuration_is_not_shown() {
    let stage = Stage::company().await;
    let configuration = stage.configuration();
    for key in ["keycloak_url", "azure_login_url", "azure_graph_url"] {
        let text = configuration.replace(
            &format!("{key}: http://"),
            &format!("{key}: http://admin:hunter2@"),
        );
        stage.configure(&text);
        let ended = stage.run("plan --out @plan.json").await;
        assert!(
            !ended.err.contains("hunter2") && !ended.out.contains("hunter2"),
            "{key}: {}",
            ended.err
        );
        if let Some(plan) = plan(&stage) {
            assert!(
                !serde_json::to_string(&plan).unwrap().contains("hunter2"),
                "{key}"
            );
        }
    }
}

// Answers that are not what was asked for

#[tokio::test]
async fn every_request_of_a_plan_may_be_answered_with_something_else() {
    let bodies = [
        "null",
        "[]",
        "{}",
        "[null]",
        "\"\"",
        "{\"value\":null}",
        "{\"value\":[null]}",
        "{\"value\":[]}{\"error\":1}",
        "[{}]",
        "[{\"id\":null}]",
        "{\"responses\":[]}",
        "{\"responses\":null}",
        "0",
    ];
    let agreed = {
        let stage = Stage::company().await;
        planned(&stage).await;
        (stage.sandbox.requests().len(), removals(&stage))
    };
    for body in bodies {
        for number in 1..=agreed.0 {
            let stage = Stage::company().await;
            let answer = keycloak_to_azure::sandbox::exchange::Response {
                body: body.as_bytes().to_vec(),
                ..keycloak_to_azure::sandbox::exchange::Response::empty(reqwest::StatusCode::OK)
            }
            .with_header("content-type", "application/json");
            stage
                .sandbox
                .faults()
                .add(When::any().from(number), 1, Fault::Answer(answer));
            let ended = stage.run("plan --out @plan.json").await;
            assert!(matches!(ended.status, 0 | 1 | 3), "{body} {number}");
            // Those who are really gone may go for another reason.
            for (group, email, _) in removals(&stage) {
                let is_gone = agreed
                    .1
                    .iter()
                    .any(|gone| gone.0 == group && gone.1 == email);
                assert!(is_gone, "{body} {number}: {email}");
            }
        }
    }
}

// The last member

/// Moe has left, and nobody else is in the group on the Azure side.
fn house_of_a_last_member() -> House {
    let mut house = House::new(Version::V26_7_4, ProviderKind::ReadOnly);
    house.allow_empty = false;
    house.map("staff", "acme-staff");
    house.map("all", "acme-all");
    house.both("ada", true, &["all"], &["acme-all"]);
    house.both("moe", false, &[], &["acme-staff"]);
    house
}

#[tokio::test]
async fn somebody_who_cannot_be_invited_does_not_replace_the_last_member() {
    let mut house = house_of_a_last_member();
    house.person("kim", false, &["staff"]);
    house.realm().person_mut("kim").unwrap().email = Some("kim+acme@partner.example".to_owned());
    let stage = house.stage().await;
    let plan = planned(&stage).await;
    let after: Vec<_> = plan
        .groups
        .iter()
        .map(|group| group.members_after)
        .collect();
    assert!(
        plan.is_blocked() || plan.summary.remove == 0,
        "members after: {after:?}"
    );
}

#[tokio::test]
async fn an_invitation_that_fails_does_not_leave_a_group_without_members() {
    let mut house = house_of_a_last_member();
    house.person("kim", false, &["staff"]);
    house
        .world
        .entra
        .invitation_policy
        .denied_domains
        .insert("partner.example".to_owned());
    let stage = house.stage().await;
    let plan = planned(&stage).await;
    assert_eq!(
        (plan.summary.invite, plan.summary.add, plan.summary.remove),
        (1, 1, 1)
    );
    let applied = stage.run("apply @plan.json").await;
    let members = stage.sandbox.with_world(|world| {
        let mut groups = world.entra.groups.values();
        groups
            .find(|group| group.display_name == "acme-staff")
            .unwrap()
            .members
            .len()
    });
    assert_eq!(members, 1, "{}", applied.out);
}

// Digests
