//! The safety limits, at every size.

use keycloak_to_azure::guard::allowed_removals;
use keycloak_to_azure::plan::BlockCode;
use keycloak_to_azure::settings::{Limit, Limits, RemovalPolicy};

use crate::world::{changes, team_of};

fn limits(removals: Limit, percent: Limit) -> Limits {
    Limits {
        removals,
        removals_percent: percent,
        invitations: Limit::AtMost(100),
    }
}

#[test]
fn whichever_allows_more_counts() {
    let default = limits(Limit::AtMost(5), Limit::AtMost(20));
    for (members, allowed) in [
        (0, 5),
        (1, 5),
        (5, 5),
        (25, 5),
        (29, 5),
        (30, 6),
        (100, 20),
        (104, 20),
        (105, 21),
    ] {
        assert_eq!(
            allowed_removals(members, &default),
            Some(allowed),
            "{members}"
        );
    }
}

#[test]
fn a_plain_zero_forbids_both_and_off_lifts() {
    assert_eq!(
        allowed_removals(100, &limits(Limit::AtMost(0), Limit::AtMost(20))),
        Some(0)
    );
    assert_eq!(
        allowed_removals(100, &limits(Limit::AtMost(0), Limit::Off)),
        Some(0)
    );
    assert_eq!(
        allowed_removals(100, &limits(Limit::Off, Limit::AtMost(20))),
        None
    );
    assert_eq!(
        allowed_removals(100, &limits(Limit::AtMost(5), Limit::Off)),
        None
    );
    assert_eq!(
        allowed_removals(100, &limits(Limit::AtMost(5), Limit::AtMost(0))),
        Some(5)
    );
}

#[test]
fn every_number_of_leavers_of_every_small_team_is_judged_by_the_rule() {
    for members in 1..=50_usize {
        for leaving in 0..=members {
            let mut world = team_of(members);
            for number in 0..leaving {
                world.delete(&format!("p{number}"));
            }
            let plan = world.plan();
            let allowed = (members * 20 / 100).max(5);
            let codes: Vec<_> = plan.blocks.iter().map(|block| block.code).collect();
            let mut expected = Vec::new();
            if leaving > allowed {
                expected.push(BlockCode::TooManyRemovals);
            }
            if leaving == members {
                expected.push(BlockCode::EmptySource);
            }
            assert_eq!(codes, expected, "{leaving} of {members}");
            let removed = plan.summary.remove;
            match leaving {
                _ if leaving == members => assert_eq!(removed, 0, "{leaving} of {members}"),
                _ => assert_eq!(removed, leaving, "{leaving} of {members}"),
            }
        }
    }
}

#[test]
fn the_message_names_group_numbers_limit_and_flag() {
    let mut world = team_of(100);
    for number in 0..30 {
        world.delete(&format!("p{number}"));
    }
    let plan = world.plan();
    assert_eq!(
        plan.blocks[0].message,
        "acme-team would lose 30 of 100 members; at most 20 (20 %) may go in one plan"
    );
    assert_eq!(plan.blocks[0].flag, "--max-removals 30");
    world.overrides.max_removals = Some(Limit::AtMost(30));
    let plan = world.plan();
    assert_eq!((plan.blocks.len(), plan.summary.remove), (0, 30));
}

#[test]
fn a_group_keeps_its_last_member() {
    let mut world = team_of(2);
    world.person("p0").enabled = false;
    world.person("p1").enabled = false;
    let plan = world.plan();
    assert_eq!(plan.blocks[0].code, BlockCode::WouldEmptyGroup);
    world.overrides.allow_empty.insert("acme-team".to_owned());
    let plan = world.plan();
    assert_eq!((plan.blocks.len(), plan.summary.remove), (0, 2));
}

#[test]
fn a_group_whose_people_are_all_replaced_is_not_emptied() {
    let mut world = team_of(2);
    world.delete("p0");
    world.delete("p1");
    world.person("new");
    world.join("new", "/team");
    let plan = world.plan();
    assert_eq!(plan.blocks, []);
    assert_eq!(plan.summary.remove, 2);
}

#[test]
fn an_empty_source_removes_nobody_even_if_the_limits_would_allow_it() {
    let mut world = team_of(2);
    let colleague = world.account("colleague").id.clone();
    world.add_member(&colleague, "acme-team");
    world.leave("p0", "/team");
    world.leave("p1", "/team");
    let plan = world.plan();
    assert_eq!(plan.blocks[0].code, BlockCode::EmptySource);
    assert_eq!(changes(&plan), Vec::<String>::new());
    world.settings.mappings[0].allow_empty = true;
    assert_eq!(world.plan().summary.remove, 3);
}

#[test]
fn an_empty_source_of_an_empty_group_is_no_matter() {
    let world = team_of(0);
    assert!(!world.plan().is_blocked());
}

#[test]
fn strangers_do_not_count_against_the_limit_where_only_known_people_may_go() {
    let mut world = team_of(10);
    world.settings.mappings[0].removals = RemovalPolicy::Known;
    for number in 0..40 {
        let stranger = world.account(&format!("stranger{number}")).id.clone();
        world.add_member(&stranger, "acme-team");
    }
    world.leave("p0", "/team");
    let plan = world.plan();
    assert_eq!(
        changes(&plan),
        ["remove p0@partner.example acme-team LeftGroup"]
    );
    assert_eq!((plan.blocks.len(), plan.problems.len()), (0, 0));

    for number in 1..9 {
        world.leave(&format!("p{number}"), "/team");
    }
    world.settings.limits.removals = Limit::AtMost(3);
    world.settings.limits.removals_percent = Limit::AtMost(0);
    assert_eq!(world.plan().blocks[0].code, BlockCode::TooManyRemovals);
}

#[test]
fn a_plan_holds_so_many_invitations() {
    let mut world = team_of(1);
    world.settings.limits.invitations = Limit::AtMost(3);
    for number in 0..4 {
        world.person(&format!("new{number}"));
        world.join(&format!("new{number}"), "/team");
    }
    let plan = world.plan();
    assert_eq!(plan.blocks[0].code, BlockCode::TooManyInvitations);
    assert_eq!(plan.blocks[0].flag, "--max-invitations 4");
    world.overrides.max_invitations = Some(Limit::Off);
    assert_eq!(world.plan().blocks, []);
}

#[test]
fn the_flag_of_a_block_names_the_group_so_that_no_other_is_meant() {
    // Two Azure groups of one name, and one that is called like the Keycloak group of another mapping.
    let mut world = team_of(2);
    world.map("/twins", "acme-twins");
    world.map("/other", "acme-other");
    for (username, azure) in [("twin", "acme-twins"), ("other", "acme-other")] {
        let account = world.account(username).id.clone();
        world.add_member(&account, azure);
    }
    world.call("acme-twins", "acme-team");
    world.call("acme-other", "team");
    let plan = world.plan();
    let flags: Vec<_> = plan.blocks.iter().map(|block| &block.flag).collect();
    let id_of = |name: &str, account: &str| {
        let mut world = world.clone();
        let account = world.account(account).id.clone();
        let mut groups = world.azure.values();
        let group = groups.find(|group| group.name == name && group.members.contains(&account));
        group.unwrap().id.clone()
    };
    assert_eq!(
        flags,
        [
            &format!("--allow-empty {}", id_of("acme-team", "twin")),
            &format!("--allow-empty {}", id_of("team", "other")),
        ]
    );
}

#[test]
fn a_number_that_is_set_for_a_plan_holds_where_the_configuration_lifts_the_share() {
    let mut world = team_of(20);
    world.settings.limits.removals = Limit::AtMost(0);
    world.settings.limits.removals_percent = Limit::Off;
    for number in 0..10 {
        world.leave(&format!("p{number}"), "/team");
    }
    world.overrides.max_removals = Some(Limit::AtMost(9));
    assert_eq!(world.plan().blocks[0].flag, "--max-removals 10");
    world.overrides.max_removals = Some(Limit::AtMost(10));
    assert_eq!(world.plan().blocks, []);

    world.settings.limits.removals = Limit::Off;
    world.overrides.max_removals = None;
    world.overrides.max_removals_percent = Some(Limit::AtMost(40));
    assert_eq!(world.plan().blocks[0].code, BlockCode::TooManyRemovals);
    world.overrides.max_removals_percent = Some(Limit::AtMost(50));
    assert_eq!(world.plan().blocks, []);
}
