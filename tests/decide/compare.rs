//! How two plans differ: whatever is in either is said once, and as what it is.

use std::collections::BTreeMap;

use keycloak_to_azure::compare::{Comparison, Detail};
use keycloak_to_azure::model::UserType;
use keycloak_to_azure::plan::{
    About, Add, Block, BlockCode, Change, Invite, NewAccount, Plan, PlanKind, Problem, ProblemCode,
    RemovalReason, Remove, Update,
};
use proptest::prelude::*;

use crate::generate::{drift, world};
use crate::properties::config;
use crate::world::team_of;

/// One to invite, one to update, two to add and two to remove.
fn plan() -> Plan {
    let mut world = team_of(8);
    for username in ["ann", "ivo"] {
        world.person(username);
        world.join(username, "/team");
    }
    world.account("ann");
    world.leave("p0", "/team");
    world.leave("p2", "/team");
    world.account("p1").surname = Some("Old".to_owned());
    let plan = world.plan().sealed();
    assert_eq!(plan.changes.len(), 6, "{:?}", plan.changes);
    plan
}

fn compare(older: &Plan, newer: &Plan) -> Comparison {
    Comparison::of(older.clone(), newer.clone())
}

/// The details of the one change of a kind that differs once the first of the kind is edited.
macro_rules! details {
    ($kind:ident, $edit:expr) => {{
        let older = plan();
        let mut newer = older.clone();
        let first = newer.changes.iter_mut().find_map(|change| match change {
            Change::$kind(it) => Some(it),
            _ => None,
        });
        $edit(first.unwrap());
        let comparison = compare(&older, &newer.sealed());
        let [differing] = &comparison.changes[..] else {
            panic!("{comparison:?}");
        };
        assert_eq!(comparison.staying, 5);
        assert_eq!(comparison.came.changes, []);
        assert_eq!(comparison.went.changes, []);
        differing.details.clone()
    }};
}

#[test]
fn a_change_of_the_same_object_differs_in_what_was_edited() {
    assert_eq!(
        details!(Remove, |it: &mut Remove| it.because =
            RemovalReason::Disabled),
        [Detail::Reason]
    );
    assert_eq!(
        details!(Remove, |it: &mut Remove| {
            it.account.display_name = None;
            it.account.email.push('x');
            it.group.name.push('x');
        }),
        [Detail::Address, Detail::DisplayName, Detail::GroupName]
    );
    assert_eq!(
        details!(Add, |it: &mut Add| {
            it.because.clear();
            it.account.id = Some("00000000-0000-4000-8000-00000000beef".parse().unwrap());
            it.account.display_name = None;
            it.group.name.push('x');
        }),
        [
            Detail::KeycloakGroups,
            Detail::Account,
            Detail::DisplayName,
            Detail::GroupName
        ]
    );
    assert_eq!(
        details!(Update, |it: &mut Update| {
            it.fields.surname = None;
            it.account.display_name = None;
        }),
        [Detail::Fields, Detail::DisplayName]
    );
    assert_eq!(
        details!(Invite, |it: &mut Invite| {
            it.person.username.push('x');
            it.set = NewAccount {
                user_type: Some(UserType::Guest),
                display_name: None,
                given_name: None,
                surname: None,
            };
        }),
        [
            Detail::Person,
            Detail::UserType,
            Detail::DisplayName,
            Detail::GivenName,
            Detail::Surname
        ]
    );
    assert_eq!(
        details!(Invite, |it: &mut Invite| it.send_email = true),
        [Detail::Reception]
    );
    assert_eq!(
        details!(Invite, |it: &mut Invite| it.redirect_url.push('x')),
        [Detail::Reception]
    );
}

#[test]
fn who_is_invited_in_the_meantime_is_added_all_the_same() {
    let older = plan();
    let mut newer = older.clone();
    newer
        .changes
        .retain(|change| !matches!(change, Change::Invite(_)));
    let of_another = newer.changes.iter().find_map(|change| match change {
        Change::Update(update) => Some(update.account.id.clone()),
        _ => None,
    });
    for change in &mut newer.changes {
        if let Change::Add(add) = change
            && add.account.id.is_none()
        {
            add.account.id.clone_from(&of_another);
        }
    }
    let comparison = compare(&older, &newer.sealed());
    assert!(matches!(&comparison.went.changes[..], [Change::Invite(_)]));
    assert_eq!(comparison.changes[0].details, [Detail::Account]);
    assert_eq!((comparison.changes.len(), comparison.staying), (1, 4));
}

#[test]
fn blocks_and_problems_are_the_same_by_what_they_are_about() {
    let block = |message: &str, flag: &str| Block {
        code: BlockCode::TooManyInvitations,
        group: None,
        message: message.to_owned(),
        flag: flag.to_owned(),
    };
    let problem = |subject: &str, message: &str| Problem {
        code: ProblemCode::RemovalNotConfirmed,
        subject: subject.to_owned(),
        message: message.to_owned(),
        hint: None,
        about: About::default(),
    };
    let (mut older, mut newer) = (plan(), plan());
    older.blocks = vec![block("7", "--max-invitations 7")];
    newer.blocks = vec![block("8", "--max-invitations 8")];
    // Of one subject there can be several problems of one kind.
    older.problems = vec![
        problem("ann", "stays in a"),
        problem("ann", "stays in b"),
        problem("bob", "stays in a"),
    ];
    newer.problems = vec![
        problem("ann", "stays in b"),
        problem("ann", "stays in c"),
        problem("cyd", "stays in a"),
    ];
    let comparison = compare(&older.sealed(), &newer.sealed());
    assert_eq!(
        comparison.blocks[0].details,
        [Detail::Message, Detail::Flag]
    );
    assert!(comparison.was_blocked && comparison.is_blocked);
    let [differing] = &comparison.problems[..] else {
        panic!("{comparison:?}");
    };
    assert_eq!(
        (
            differing.older.message.as_str(),
            differing.newer.message.as_str()
        ),
        ("stays in a", "stays in c")
    );
    assert_eq!(differing.details, [Detail::Message]);
    let subjects = |plan: &Plan| -> Vec<String> {
        plan.problems.iter().map(|it| it.subject.clone()).collect()
    };
    assert_eq!(subjects(&comparison.went), ["bob"]);
    assert_eq!(subjects(&comparison.came), ["cyd"]);
    assert_eq!(comparison.staying, 6);
}

#[test]
fn groups_are_told_by_their_ids() {
    let (older, mut newer) = (plan(), plan());
    newer.groups[0].members_after += 1;
    let comparison = compare(&older, &newer);
    let [group] = &comparison.groups()[..] else {
        panic!("{comparison:?}");
    };
    assert_eq!(group.older, Some(&older.groups[0]));
    assert_eq!(group.newer, Some(&newer.groups[0]));

    newer.groups[0].azure.id = "00000000-0000-4000-8000-00000000beef".parse().unwrap();
    let comparison = compare(&older, &newer);
    let groups = comparison.groups();
    assert_eq!(groups.len(), 2);
    assert!(
        groups
            .iter()
            .all(|it| it.older.is_none() != it.newer.is_none())
    );
    assert_eq!(compare(&older, &older).groups(), []);
}

#[test]
fn a_hundred_thousand_changes_are_merged_and_not_searched() {
    let sample = plan();
    let add = sample.changes.iter().find_map(|change| match change {
        Change::Add(add) => Some(add),
        _ => None,
    });
    let many = |range: std::ops::Range<u32>| {
        let changes = range.map(|number| {
            let mut add = add.unwrap().clone();
            add.account.email = format!("p{number}@partner.example").parse().unwrap();
            Change::Add(add)
        });
        Plan {
            changes: changes.collect(),
            ..sample.clone()
        }
    };
    let comparison = Comparison::of(many(0..100_000), many(99_000..199_000));
    assert_eq!(comparison.went.changes.len(), 99_000);
    assert_eq!(comparison.came.changes.len(), 99_000);
    assert_eq!(comparison.staying, 1_000);
}

fn counted<'c>(changes: impl IntoIterator<Item = &'c Change>) -> BTreeMap<String, usize> {
    let mut counted = BTreeMap::new();
    for change in changes {
        *counted.entry(format!("{change:?}")).or_default() += 1;
    }
    counted
}

proptest! {
    #![proptest_config(config(1_000))]

    #[test]
    fn every_change_of_either_plan_is_in_one_place(world in world(), drifts in drift()) {
        let older = world.plan().sealed();
        let mut later = world;
        for drift in &drifts {
            drift.happen(&mut later);
        }
        let newer = later.plan().sealed();
        let comparison = compare(&older, &newer);
        let Comparison { came, went, changes, .. } = &comparison;

        let stays: Vec<&Change> = newer
            .changes
            .iter()
            .filter(|change| older.changes.contains(change))
            .collect();
        prop_assert_eq!(stays.len(), comparison.staying);
        let of_newer = came.changes.iter().chain(changes.iter().map(|it| &it.newer));
        prop_assert_eq!(
            counted(of_newer.chain(stays.iter().copied())),
            counted(&newer.changes)
        );
        let of_older = went.changes.iter().chain(changes.iter().map(|it| &it.older));
        prop_assert_eq!(
            counted(of_older.chain(stays.iter().copied())),
            counted(&older.changes)
        );
        for differing in changes {
            prop_assert_eq!(
                differing.older.identity(PlanKind::Sync),
                differing.newer.identity(PlanKind::Sync)
            );
            prop_assert_ne!(&differing.details, &Vec::new());
        }

        let back = compare(&newer, &older);
        prop_assert_eq!(&back.came.changes, &went.changes);
        prop_assert_eq!(&back.went.problems, &came.problems);

        let same = compare(&newer, &newer);
        prop_assert!(same.is_same_plan());
        prop_assert_eq!(same.staying, newer.changes.len());
        prop_assert_eq!(same.changes.len() + same.problems.len() + same.blocks.len(), 0);
    }
}
