//! The safety limits, at every size.

use keycloak_to_azure::group_names::{GroupNames, is_among, with_azure};
use keycloak_to_azure::guard::allowed_removals;
use keycloak_to_azure::plan::{BlockCode, Overrides};
use keycloak_to_azure::render::{Style, html, markdown, text};
use keycloak_to_azure::settings::{Limit, Limits, RemovalPolicy};

use crate::world::{Happening, World, changes, team_of};

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
fn a_plain_zero_forbids_both_and_off_leaves_the_other_alone() {
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
        Some(20)
    );
    assert_eq!(
        allowed_removals(100, &limits(Limit::AtMost(5), Limit::Off)),
        Some(5)
    );
    assert_eq!(
        allowed_removals(100, &limits(Limit::Off, Limit::AtMost(0))),
        Some(0)
    );
    assert_eq!(allowed_removals(100, &limits(Limit::Off, Limit::Off)), None);
    assert_eq!(
        allowed_removals(100, &limits(Limit::AtMost(5), Limit::AtMost(0))),
        Some(5)
    );
}

#[test]
fn a_block_names_the_limit_that_allowed_the_most() {
    let message = |members, losing| {
        let mut world = team_of(members);
        for number in 0..losing {
            world.leave(&format!("p{number}"), "/team");
        }
        let blocks = world.plan().blocks;
        let is_number = |code| code == BlockCode::TooManyRemovals;
        let mut blocks = blocks.into_iter().filter(|block| is_number(block.code));
        blocks.next().unwrap().message
    };
    for (members, losing, expected) in [
        (10, 6, "at most 5 (limits.removals is 5) may go in one plan"),
        // A fifth of them is as many.
        (25, 6, "at most 5 (limits.removals is 5) may go in one plan"),
        (30, 7, "at most 6 (20 %) may go in one plan"),
        (300, 100, "at most 60 (20 %) may go in one plan"),
        (
            300,
            101,
            "at most 60 (20 %) may go in one plan; the first 100 are looked into and shown",
        ),
    ] {
        let message = message(members, losing);
        assert!(message.ends_with(expected), "{members}: {message}");
    }
}

/// "Up to `limits.removals` members or `limits.removals_percent` of them, whichever is more; a plain `0` for the first forbids both;
/// one that is `off` leaves the other to hold alone", counted one by one.
fn most(members: usize, removals: Limit, percent: Limit) -> usize {
    let within = |leaving: &usize| match (removals, percent) {
        (Limit::AtMost(0), _) => *leaving == 0,
        (Limit::Off, Limit::Off) => true,
        (Limit::AtMost(count), Limit::Off) => *leaving <= count as usize,
        (Limit::Off, Limit::AtMost(percent)) => *leaving * 100 <= members * percent as usize,
        (Limit::AtMost(count), Limit::AtMost(percent)) => {
            *leaving <= count as usize || *leaving * 100 <= members * percent as usize
        }
    };
    (0..=members).rev().find(within).unwrap()
}

const NUMBERS: [Limit; 6] = [
    Limit::AtMost(0),
    Limit::AtMost(1),
    Limit::AtMost(5),
    Limit::AtMost(12),
    Limit::AtMost(50),
    Limit::Off,
];
const PERCENTAGES: [Limit; 6] = [
    Limit::AtMost(0),
    Limit::AtMost(1),
    Limit::AtMost(20),
    Limit::AtMost(33),
    Limit::AtMost(100),
    Limit::Off,
];

#[test]
fn the_arithmetic_is_right_at_every_size_for_every_limit() {
    for members in 0..=50 {
        for removals in NUMBERS {
            for percent in PERCENTAGES {
                let allowed = allowed_removals(members, &limits(removals, percent));
                assert_eq!(
                    allowed.map_or(members, |allowed| allowed.min(members)),
                    most(members, removals, percent),
                    "{members} members, {removals}, {percent} %"
                );
            }
        }
    }
}

#[test]
fn a_percentage_of_a_small_group_is_rounded_down() {
    for (members, percent, allowed) in [
        (1, 20, 1),
        (4, 49, 1),
        (4, 50, 2),
        (5, 20, 1),
        (9, 20, 1),
        (10, 20, 2),
        (3, 99, 2),
        (3, 100, 3),
        (50, 1, 1),
    ] {
        let limits = limits(Limit::AtMost(1), Limit::AtMost(percent));
        assert_eq!(
            allowed_removals(members, &limits),
            Some(allowed),
            "{percent} % of {members}"
        );
    }
}

/// Checks a team of so many, of whom so many leave: blocked exactly when that is over the limit, and never more removed than it allows.
fn check(members: usize, leaving: usize, removals: Limit, percent: Limit, known_only: bool) {
    let mut world = team_of(members);
    world.settings.limits.removals = removals;
    world.settings.limits.removals_percent = percent;
    if known_only {
        world.settings.mappings[0].removals = RemovalPolicy::Known;
    }
    for number in 0..leaving {
        match number % 3 {
            0 => world.leave(&format!("p{number}"), "/team"),
            1 => world.person(&format!("p{number}")).enabled = false,
            // Whom nobody knows does not go where only known people may.
            _ if known_only => world.leave(&format!("p{number}"), "/team"),
            _ => world.delete(&format!("p{number}")),
        }
    }
    let plan = world.plan();
    let case = format!("{leaving} of {members}, {removals}, {percent} %, known only: {known_only}");
    let is_over = leaving > most(members, removals, percent);
    // The list still names whoever is disabled, so that only a team of one can be left without anybody.
    let names_nobody = leaving == members && leaving < 2;
    let mut expected = Vec::new();
    if is_over {
        expected.push(BlockCode::TooManyRemovals);
    }
    if leaving == members && leaving > 0 {
        expected.push(if names_nobody {
            BlockCode::EmptySource
        } else {
            BlockCode::WouldEmptyGroup
        });
    }
    let codes: Vec<_> = plan.blocks.iter().map(|block| block.code).collect();
    assert_eq!(codes, expected, "{case}");
    // A blocked plan shows what it would do, as far as that is looked into.
    let shown = match (names_nobody && leaving > 0, is_over) {
        (true, _) => 0,
        (false, true) => leaving.min(100),
        (false, false) => leaving,
    };
    assert_eq!(plan.summary.remove, shown, "{case}");
    assert_eq!(plan.summary.problems, 0, "{case}");
}

#[test]
fn every_number_of_leavers_of_every_small_team_is_judged_by_the_rule() {
    for members in 0..=24 {
        for leaving in 0..=members {
            // With each of the limits in turn, so that all meet all sizes.
            let turn = members + leaving;
            let (removals, percent) = (NUMBERS[turn % 6], PERCENTAGES[turn / 6 % 6]);
            check(members, leaving, removals, percent, turn.is_multiple_of(5));
        }
    }
}

#[test]
fn blocks_hold_at_every_size() {
    for members in 0..=200_usize {
        let (removals, percent) = if members.is_multiple_of(2) {
            (Limit::AtMost(5), Limit::AtMost(20))
        } else {
            (NUMBERS[members / 2 % 6], PERCENTAGES[members / 12 % 6])
        };
        // At the edges of what they allow.
        let most = most(members, removals, percent);
        let mut leavers = vec![most, most + 1];
        if members.is_multiple_of(10) {
            leavers.extend([members.saturating_sub(1), members]);
        }
        leavers.retain(|leaving| *leaving <= members);
        leavers.sort_unstable();
        leavers.dedup();
        for leaving in leavers {
            check(members, leaving, removals, percent, leaving % 2 == 1);
        }
    }
}

#[test]
fn the_limits_of_a_first_run_are_those_of_every_run() {
    // A group that was just made: whoever is in Keycloak is invited and added, and nothing is there to be lost.
    for people in 0..=50_usize {
        let mut world = team_of(0);
        world.settings.limits.invitations = Limit::AtMost(25);
        for number in 0..people {
            world.person(&format!("p{number}"));
            world.join(&format!("p{number}"), "/team");
        }
        let plan = world.plan();
        assert_eq!((plan.summary.add, plan.summary.remove), (people, 0));
        let codes: Vec<_> = plan.blocks.iter().map(|block| block.code).collect();
        let expected = [BlockCode::TooManyInvitations];
        assert_eq!(codes, expected[..usize::from(people > 25)], "{people}");
    }
    // A group that people were in before it was mapped: it loses no more than any other.
    for strangers in 0..=50_usize {
        let mut world = team_of(1);
        for number in 0..strangers {
            let stranger = world.account(&format!("stranger{number}")).id.clone();
            world.add_member(&stranger, "acme-team");
        }
        let plan = world.plan();
        let is_over = strangers > 5.max((strangers + 1) / 5);
        assert_eq!(plan.is_blocked(), is_over, "{strangers}");
        assert_eq!(plan.summary.remove, strangers);
    }
}

#[test]
fn zero_forbids_and_off_lifts() {
    for members in [2, 10, 50] {
        let mut world = team_of(members);
        world.settings.limits.removals = Limit::AtMost(0);
        world.settings.limits.removals_percent = Limit::AtMost(100);
        world.leave("p0", "/team");
        let plan = world.plan();
        assert_eq!(
            plan.blocks[0].message,
            format!(
                "acme-team would lose 1 of {members} members; at most 0 (removals are forbidden) may go in one plan"
            )
        );
        world.overrides.max_removals = Some(Limit::Off);
        for number in 0..members - 1 {
            world.leave(&format!("p{number}"), "/team");
        }
        assert_eq!(world.plan().blocks, []);
    }
}

#[test]
fn what_is_set_for_a_plan_is_recorded_in_it_and_shown_in_every_rendering() {
    let mut world = team_of(2);
    world.overrides = Overrides {
        max_removals: Some(Limit::AtMost(12)),
        max_removals_percent: Some(Limit::AtMost(40)),
        max_invitations: Some(Limit::Off),
        allow_empty: ["acme-team".to_owned()].into(),
        without_witness: ["acme-team".to_owned()].into(),
    };
    world.leave("p0", "/team");
    let plan = world.plan().sealed();
    assert_eq!(plan.overrides, world.overrides);
    let style = Style {
        colour: false,
        width: 200,
    };
    for shown in [text(&plan, &style), markdown(&plan), html(&plan)] {
        for flag in [
            "--max-removals 12",
            "--max-removals 40%",
            "--max-invitations off",
            "--allow-empty acme-team",
            "--without-witness acme-team",
        ] {
            assert!(shown.contains(flag), "{flag} is not in {shown}");
        }
    }
    // Another override is another plan.
    world.overrides.max_removals = Some(Limit::AtMost(13));
    assert_ne!(world.plan().sealed().plan_id, plan.plan_id);
}

#[test]
fn every_block_is_shown_with_its_numbers_and_its_flag() {
    let mut world = team_of(40);
    world.settings.limits.invitations = Limit::AtMost(2);
    for number in 0..9 {
        world.leave(&format!("p{number}"), "/team");
        if number < 3 {
            world.person(&format!("new{number}"));
            world.join(&format!("new{number}"), "/team");
        }
    }
    world.map("/empty", "acme-empty");
    world.map("/last", "acme-last");
    let stranger = world.account("stranger").id.clone();
    world.add_member(&stranger, "acme-empty");
    world.member_on_both_sides("last", "/last", "acme-last");
    world.person("last").enabled = false;
    let plan = world.plan();
    let blocks = plan.blocks.iter();
    let blocks: Vec<_> = blocks
        .map(|block| format!("{} | {}", block.message, block.flag))
        .collect();
    assert_eq!(
        blocks,
        [
            "3 people would be invited; at most 2 may be in one plan | --max-invitations 3",
            "Keycloak names nobody in /empty, and acme-empty would lose 1 of its 1 members | --allow-empty acme-empty",
            "acme-last would lose the last of its 1 members | --allow-empty acme-last",
            "acme-team would lose 9 of 40 members; at most 8 (20 %) may go in one plan | --max-removals 9",
        ]
    );
    let style = Style {
        colour: false,
        width: 200,
    };
    for shown in [text(&plan, &style), markdown(&plan), html(&plan)] {
        for block in &plan.blocks {
            assert!(
                shown.contains(&block.flag),
                "{} is not in {shown}",
                block.flag
            );
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
fn who_names_a_group_by_its_id_does_not_mean_another_that_is_called_so() {
    let mut world = team_of(1);
    world.map("/ops", "acme-ops");
    world.member_on_both_sides("olga", "/ops", "acme-ops");
    world.person("p0").enabled = false;
    world.person("olga").enabled = false;
    let [team, ops] = ["acme-team", "acme-ops"].map(|name| world.azure[name].id.clone());
    world.azure.get_mut("acme-ops").unwrap().name = team.to_string();
    world.overrides.allow_empty.insert(team.to_string());
    world.overrides.without_witness.insert(team.to_string());
    let plan = world.plan();
    let blocks = plan.blocks.iter();
    let blocked: Vec<_> = blocks
        .map(|block| (block.group.as_ref().unwrap().id.clone(), block.flag.clone()))
        .collect();
    assert_eq!(blocked, [(ops.clone(), format!("--allow-empty {ops}"))]);
    let entra = world.entra();
    let names = GroupNames::of_mappings(&with_azure(&world.settings.mappings, &entra));
    for id in [&team, &ops] {
        let meant = names.meant(id.as_str()).into_iter();
        assert_eq!(meant.map(|group| &group.id).collect::<Vec<_>>(), [id]);
    }
    let group = world.group_of(&world.settings.mappings[1]);
    assert!(!is_among(&world.overrides.without_witness, group));
}

/// Two members have to go; somebody with an account of their own is in the Keycloak group and no member.
fn replaced_by_somebody_with_an_account() -> World {
    let mut world = team_of(2);
    world.delete("p0");
    world.delete("p1");
    world.person("new");
    world.join("new", "/team");
    world.account("new");
    world
}

#[test]
fn only_who_can_be_added_keeps_a_group_from_being_emptied() {
    let world = replaced_by_somebody_with_an_account();
    assert_eq!(world.plan().blocks, []);
    let not_added: [Happening; 3] = [
        |world| world.settings.protected = vec!["new@partner.example".to_owned()],
        |world| {
            world.settings.protected = vec!["new@partner.example".to_owned()];
            world
                .accounts
                .retain(|_, account| account.mail.as_deref() != Some("new@partner.example"));
        },
        |world| world.account("twin").mail = Some("new@partner.example".to_owned()),
    ];
    for change in not_added {
        let mut world = replaced_by_somebody_with_an_account();
        change(&mut world);
        let codes: Vec<_> = world.plan().blocks.iter().map(|block| block.code).collect();
        assert_eq!(codes, [BlockCode::WouldEmptyGroup]);
    }
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

#[test]
fn an_off_that_is_set_for_a_plan_lifts_whatever_the_configuration_says_beside_it() {
    let mut world = team_of(38);
    for number in 0..34 {
        world.leave(&format!("p{number}"), "/team");
    }
    assert_eq!(world.plan().blocks[0].code, BlockCode::TooManyRemovals);
    world.overrides.max_removals = Some(Limit::Off);
    assert_eq!(world.plan().blocks, []);
    world.overrides.max_removals = None;
    world.overrides.max_removals_percent = Some(Limit::Off);
    assert_eq!(world.plan().blocks, []);
    // A plain 0 forbids both, and a number that is set beside it holds.
    world.settings.limits.removals = Limit::AtMost(0);
    assert_eq!(world.plan().blocks[0].code, BlockCode::TooManyRemovals);
    world.overrides.max_removals = Some(Limit::AtMost(33));
    assert_eq!(world.plan().blocks[0].code, BlockCode::TooManyRemovals);
    world.overrides.max_removals = Some(Limit::AtMost(34));
    assert_eq!(world.plan().blocks, []);
}

#[test]
fn a_block_names_the_limit_that_holds_alone() {
    let mut world = team_of(38);
    for number in 0..34 {
        world.leave(&format!("p{number}"), "/team");
    }
    for (removals, percent, expected) in [
        (
            Limit::AtMost(2),
            Limit::Off,
            "at most 2 (limits.removals is 2)",
        ),
        (Limit::Off, Limit::AtMost(20), "at most 7 (20 %)"),
        (
            Limit::Off,
            Limit::AtMost(0),
            "at most 0 (removals are forbidden)",
        ),
    ] {
        world.settings.limits.removals = removals;
        world.settings.limits.removals_percent = percent;
        let message = &world.plan().blocks[0].message;
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn an_off_beside_a_number_of_the_same_plan_is_not_shown_as_no_limit() {
    let mut world = team_of(2);
    for (count, percent) in [
        (Limit::Off, Limit::AtMost(40)),
        (Limit::AtMost(12), Limit::Off),
    ] {
        world.overrides.max_removals = Some(count);
        world.overrides.max_removals_percent = Some(percent);
        let shown = markdown(&world.plan().sealed());
        assert!(!shown.contains("may lose any"), "{shown}");
    }
}
