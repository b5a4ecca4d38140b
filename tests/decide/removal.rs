//! Removals are proved, not inferred.

use std::sync::Arc;

use keycloak_to_azure::model::Address;
use keycloak_to_azure::plan::{Change, FederationSource, Problem, ProblemCode, RemovalReason};
use keycloak_to_azure::removal::{ProofRequest, Proofs};
use keycloak_to_azure::settings::{
    DisabledPolicy, FederationSetting, RemovalPolicy, UnverifiedPolicy, UpdatePolicy,
};
use keycloak_to_azure::snapshot::{FederationProvider, KeycloakGroup};

use crate::world::{Happening, World, changes, codes, invited_account, team_of};

fn removals(world: &World) -> Vec<String> {
    changes(&world.plan())
}

/// The team, of which the first so many people come from the provider `ldap`.
fn team_with_ldap(size: usize, from_ldap: usize) -> World {
    let mut world = team_of(size);
    for number in 0..from_ldap {
        world.person(&format!("p{number}")).provider = Some("ldap".parse().unwrap());
    }
    world.components = Some(vec![FederationProvider {
        id: "ldap".parse().unwrap(),
        name: "Corporate LDAP".to_owned(),
    }]);
    world
}

#[test]
fn whoever_left_the_group_goes() {
    let mut world = team_of(8);
    world.leave("p0", "/team");
    assert_eq!(
        removals(&world),
        ["remove p0@partner.example acme-team LeftGroup"]
    );
}

#[test]
fn whoever_is_disabled_goes_unless_disabled_people_are_kept() {
    let mut world = team_of(8);
    world.person("p0").enabled = false;
    assert_eq!(
        removals(&world),
        ["remove p0@partner.example acme-team Disabled"]
    );
    world.settings.users.disabled = DisabledPolicy::Keep;
    assert_eq!(removals(&world), Vec::<String>::new());
}

#[test]
fn whoever_keycloak_does_not_know_goes() {
    let mut world = team_of(8);
    world.delete("p0");
    assert_eq!(
        removals(&world),
        ["remove p0@partner.example acme-team UnknownToKeycloak"]
    );
}

#[test]
fn the_policy_decides_who_may_go() {
    let mut world = team_of(8);
    world.delete("p0");
    world.leave("p1", "/team");
    world.settings.mappings[0].removals = RemovalPolicy::Known;
    assert_eq!(
        removals(&world),
        ["remove p1@partner.example acme-team LeftGroup"]
    );
    world.settings.mappings[0].removals = RemovalPolicy::None;
    assert_eq!(removals(&world), Vec::<String>::new());
}

#[test]
fn the_most_careful_of_several_mappings_wins() {
    let mut world = team_of(8);
    world.map("/other", "acme-team").removals = RemovalPolicy::None;
    world.leave("p0", "/team");
    assert_eq!(removals(&world), Vec::<String>::new());
}

#[test]
fn members_of_a_subgroup_that_counts_stay() {
    let mut world = team_of(8);
    world.leave("p0", "/team");
    world.join("p0", "/team/core");
    assert_eq!(
        removals(&world),
        ["remove p0@partner.example acme-team LeftGroup"]
    );
    world.settings.mappings[0].subgroups = true;
    assert_eq!(removals(&world), Vec::<String>::new());
}

#[test]
fn somebody_in_another_group_of_the_same_mapping_target_stays() {
    let mut world = team_of(8);
    world.map("/other", "acme-team");
    world.leave("p0", "/team");
    world.join("p0", "/other");
    assert_eq!(removals(&world), Vec::<String>::new());
}

/// Plans on a first reading that lacks `p0`, with proofs from the world as it is, changed by the test.
fn held(world: &World, change: impl FnOnce(&mut Proofs, &ProofRequest)) -> Problem {
    let mut first = world.clone();
    first.leave("p0", "/team");
    let plan = first.plan_with(|request| {
        let mut proofs = world.proofs(request);
        change(&mut proofs, request);
        proofs
    });
    assert_eq!(changes(&plan), Vec::<String>::new());
    assert_eq!(codes(&plan), [ProblemCode::RemovalNotConfirmed]);
    plan.problems[0].clone()
}

#[test]
fn a_list_that_left_somebody_out_removes_nobody() {
    let problem = held(&team_of(8), |_, _| {});
    assert_eq!(problem.subject, "P0 Example (p0@partner.example)");
    assert!(
        problem.message.contains("names /team"),
        "{}",
        problem.message
    );
}

#[test]
fn a_second_account_of_somebody_in_the_group_stays_and_is_called_one() {
    let mut world = team_of(8);
    let second = world.account("second");
    second.other_mails = vec!["p0@partner.example".to_owned()];
    let second = second.id.clone();
    world.add_member(&second, "acme-team");
    let plan = world.plan();
    assert_eq!(changes(&plan), Vec::<String>::new());
    assert_eq!(codes(&plan), [ProblemCode::RemovalNotConfirmed]);
    assert_eq!(
        plan.problems[0].message,
        "seems to have to leave acme-team, but stays: it has an address of P0 Example (p0), who is in /team, but is not the account \
         that is matched with this person"
    );
}

#[test]
fn a_second_account_of_somebody_disabled_or_locked_out_who_counts_is_called_one_too() {
    let changes: [Happening; 2] = [
        |world| {
            world.settings.users.disabled = DisabledPolicy::Keep;
            world.person("p0").enabled = false;
        },
        |world| world.person("p0").locked_out = true,
    ];
    for change in changes {
        let mut world = team_of(8);
        change(&mut world);
        let second = world.account("second");
        second.other_mails = vec!["p0@partner.example".to_owned()];
        let second = second.id.clone();
        world.add_member(&second, "acme-team");
        let message = world.plan().problems.remove(0).message;
        assert!(
            message.ends_with("is not the account that is matched with this person"),
            "{message}"
        );
    }
}

#[test]
fn a_federation_that_falls_silent_between_two_readings_is_said_to() {
    let mut world = team_with_ldap(8, 3);
    world.leave("p0", "/team");
    assert_eq!(world.plan().summary.remove, 1);
    let plan = world.plan_with(|request| {
        let mut proofs = world.proofs(request);
        let team = second_team(&mut proofs);
        team.members.retain(|person| person.provider.is_none());
        proofs
    });
    assert_eq!(changes(&plan), Vec::<String>::new());
    let message = &plan.problems[0].message;
    assert!(
        message.contains("no other enabled person of it was seen"),
        "{message}"
    );
}

#[test]
fn somebody_unknown_stays_if_the_only_witness_was_not_seen_again() {
    let mut world = team_of(8);
    world.map("/far", "acme-far");
    for name in ["lea", "leo"] {
        world.member_on_both_sides(name, "/far", "acme-far");
        world.person(name).provider = Some("ldap".parse().unwrap());
    }
    world.components = Some(vec![FederationProvider {
        id: "ldap".parse().unwrap(),
        name: "Corporate LDAP".to_owned(),
    }]);
    world.delete("p0");
    held_by(&world, |proofs| {
        proofs.second_round.remove(&"/far".parse().unwrap());
    });
}

#[test]
fn somebody_who_vanishes_while_looked_up_stays() {
    let mut world = team_of(8);
    world.leave("p0", "/team");
    held_by(&world, |proofs| {
        for found in proofs.found.values_mut().flatten() {
            found.groups = None;
        }
    });
}

/// Checks that a removal that would be proved is held after a change of the proofs, and returns what is said of it.
fn held_by(world: &World, change: impl FnOnce(&mut Proofs)) -> String {
    assert_eq!(
        world.plan().summary.remove,
        1,
        "the removal is proved without the change"
    );
    let plan = world.plan_with(|request| {
        let mut proofs = world.proofs(request);
        change(&mut proofs);
        proofs
    });
    assert_eq!(changes(&plan), Vec::<String>::new());
    assert_eq!(codes(&plan), [ProblemCode::RemovalNotConfirmed]);
    plan.problems[0].message.clone()
}

fn second_team(proofs: &mut Proofs) -> &mut KeycloakGroup {
    proofs.second_round.values_mut().next().unwrap()
}

#[test]
fn somebody_who_is_back_in_the_second_reading_stays() {
    let mut world = team_of(8);
    world.leave("p0", "/team");
    let person = Arc::new(world.person("p0").clone());
    held_by(&world, |proofs| second_team(proofs).members.push(person));
}

#[test]
fn somebody_disabled_in_one_reading_only_stays() {
    let mut world = team_of(8);
    world.person("p0").enabled = false;
    let mut enabled = world.person("p0").clone();
    enabled.enabled = true;
    held_by(&world, |proofs| {
        let team = second_team(proofs);
        team.members.retain(|person| person.id != enabled.id);
        team.members.push(Arc::new(enabled));
    });
}

#[test]
fn somebody_disabled_who_is_missing_from_the_second_reading_stays() {
    let mut world = team_of(8);
    world.person("p0").enabled = false;
    held_by(&world, |proofs| {
        second_team(proofs)
            .members
            .retain(|person| person.username != "p0");
    });
}

#[test]
fn somebody_unknown_whose_address_shows_up_in_the_second_reading_stays() {
    let mut world = team_of(8);
    let person = Arc::new(world.person("p0").clone());
    world.delete("p0");
    held_by(&world, |proofs| second_team(proofs).members.push(person));
}

#[test]
fn somebody_unknown_whose_address_is_listed_under_the_domain_of_keycloak_stays() {
    // p0@old.example is p0@azure.example in Entra, so that the account is not matched; still Keycloak lists its address.
    let mut world = team_of(8);
    let domains = &mut world.settings.users.email_domains;
    domains.insert("old.example".to_owned(), "azure.example".to_owned());
    world.person("p0").email = Some("p0@old.example".to_owned());
    let account = world.account("p0");
    *account = invited_account(&account.id, &"p0@old.example".parse().unwrap());
    let plan = world.plan_with(|request| {
        let mut proofs = world.proofs(request);
        proofs.found.values_mut().for_each(Vec::clear);
        proofs
    });
    assert_eq!(plan.summary.remove, 0);
    assert_eq!(codes(&plan), [ProblemCode::RemovalNotConfirmed]);
}

#[test]
fn nobody_goes_without_the_second_reading() {
    let mut world = team_of(8);
    world.leave("p0", "/team");
    held_by(&world, |proofs| proofs.second_round.clear());
}

#[test]
fn nobody_goes_without_having_been_looked_up() {
    let mut world = team_of(8);
    world.delete("p0");
    held_by(&world, |proofs| proofs.found.clear());
}

#[test]
fn somebody_unknown_stays_if_asked_again_keycloak_knows_them_or_is_not_asked() {
    let changes: [fn(&mut Proofs); 2] = [
        |proofs| proofs.still_nobody.clear(),
        |proofs| {
            proofs
                .still_nobody
                .values_mut()
                .for_each(|nobody| *nobody = false);
        },
    ];
    for change in changes {
        let mut world = team_of(8);
        world.delete("p0");
        held_by(&world, change);
    }
}

#[test]
fn a_person_of_a_federation_goes_beside_a_witness() {
    let mut world = team_with_ldap(8, 3);
    world.leave("p0", "/team");
    assert_eq!(
        removals(&world),
        ["remove p0@partner.example acme-team LeftGroup"]
    );
    let mut world = team_with_ldap(8, 3);
    world.person("p0").enabled = false;
    assert_eq!(
        removals(&world),
        ["remove p0@partner.example acme-team Disabled"]
    );
}

#[test]
fn the_last_person_of_a_federation_needs_a_person_to_decide() {
    for change in [
        |world: &mut World| world.leave("p0", "/team"),
        |world: &mut World| world.person("p0").enabled = false,
    ] {
        let mut world = team_with_ldap(8, 1);
        change(&mut world);
        let plan = world.plan();
        assert_eq!(changes(&plan), Vec::<String>::new());
        assert_eq!(codes(&plan), [ProblemCode::RemovalNotConfirmed]);
        assert!(
            plan.problems[0].message.contains("Corporate LDAP"),
            "{}",
            plan.problems[0].message
        );
        world
            .overrides
            .without_witness
            .insert("acme-team".to_owned());
        assert_eq!(world.plan().summary.remove, 1);
    }
}

#[test]
fn a_disabled_person_is_no_witness() {
    let mut world = team_with_ldap(8, 2);
    world.leave("p0", "/team");
    world.person("p1").enabled = false;
    assert_eq!(codes(&world.plan()), [ProblemCode::RemovalNotConfirmed; 2]);
}

#[test]
fn a_witness_has_to_be_there_in_both_readings() {
    let mut world = team_with_ldap(8, 2);
    world.leave("p0", "/team");
    held_by(&world, |proofs| {
        second_team(proofs)
            .members
            .retain(|person| person.provider.is_none());
    });
}

/// Two lists feed one group; that of `/crew`, which shows somebody of the provider, stays as it is in both readings.
fn team_and_crew() -> World {
    let mut world = team_with_ldap(8, 2);
    world.map("/crew", "acme-team");
    world.member_on_both_sides("cat", "/crew", "acme-team");
    world.person("cat").provider = Some("ldap".parse().unwrap());
    world
}

/// The account of `p0` has a second address, which is that of a former person.
fn with_a_former_address(world: &mut World) {
    world.person("old").enabled = false;
    world.account("p0").other_mails = vec!["old@partner.example".to_owned()];
    world.delete("p0");
}

#[test]
fn a_former_person_with_a_second_address_vouches_for_nobody_where_nothing_is_known_of_federation() {
    let nothing_known: [Happening; 2] = [
        |world| world.components = None,
        |world| {
            world.components = None;
            world.settings.federation = FederationSetting::Expected;
        },
    ];
    for change in nothing_known {
        let mut world = team_of(8);
        with_a_former_address(&mut world);
        assert_eq!(
            removals(&world),
            ["remove old@partner.example acme-team Disabled"]
        );
        change(&mut world);
        let plan = world.plan();
        assert_eq!(changes(&plan), Vec::<String>::new());
        assert_eq!(codes(&plan), [ProblemCode::RemovalNotConfirmed]);
    }
}

/// The account of `p0`, who left, has an address that nobody has while the federation is silent.
#[test]
fn behind_an_address_that_nobody_has_somebody_of_a_silent_federation_may_hide() {
    let mut world = team_with_ldap(8, 0);
    world.map("/other", "acme-other");
    world.member_on_both_sides("p0", "/other", "acme-other");
    world.account("p0").proxy_addresses = vec!["smtp:p0@acme.onmicrosoft.com".to_owned()];
    world.leave("p0", "/team");
    let is_held = |world: &World| {
        let plan = world.plan();
        plan.summary.remove == 0 && codes(&plan).contains(&ProblemCode::RemovalNotConfirmed)
    };
    assert!(is_held(&world));
    // Whether the account is that of somebody who counts or of somebody who is in no group.
    world.leave("p0", "/other");
    world.join("p1", "/other");
    assert!(is_held(&world));

    world.person("p2").provider = Some("ldap".parse().unwrap());
    let is_removed = |change: &String| change == "remove p0@partner.example acme-team LeftGroup";
    assert!(removals(&world).iter().any(is_removed));
}

/// Two people have one address in Entra because a domain is rewritten; the federation that hides the member shows nobody.
#[test]
fn nobody_goes_for_somebody_else_whose_address_becomes_theirs() {
    for is_elsewhere in [false, true] {
        let mut world = team_with_ldap(8, 0);
        world.settings.users.update = UpdatePolicy::None;
        let domains = &mut world.settings.users.email_domains;
        domains.insert("old.example".to_owned(), "partner.example".to_owned());
        let hidden = world.person("hidden");
        hidden.email = Some("p0@old.example".to_owned());
        hidden.provider = Some("ldap".parse().unwrap());
        world.join("hidden", "/team");
        world.leave("p0", "/team");
        assert_eq!(removals(&world), Vec::<String>::new());
        if is_elsewhere {
            world.map("/other", "acme-other");
            world.member_on_both_sides("p0", "/other", "acme-other");
        }
        world.delete("hidden");
        let plan = world.plan();
        assert_eq!(plan.summary.remove, 0, "{:?}", plan.changes);
        assert_eq!(codes(&plan), [ProblemCode::RemovalNotConfirmed]);
    }
}

/// A second account of a member who is listed both times; while they are asked about, their federation is out of order, and it is
/// somebody else who is found.
#[test]
fn whoever_is_listed_and_not_found_holds_every_account_with_their_address() {
    for address_of_other in ["other@partner.example", "p1@partner.example"] {
        let mut world = team_with_ldap(8, 2);
        world.person("other").email = Some(address_of_other.to_owned());
        let second = world.invited(&"other@partner.example".parse().unwrap());
        let account = world.accounts.get_mut(&second).unwrap();
        account.other_mails.push("p1@partner.example".to_owned());
        world.add_member(&second, "acme-team");
        let mut without = world.clone();
        without.delete("p1");
        assert!(
            removals(&without).contains(&format!("remove {address_of_other} acme-team LeftGroup"))
        );
        let plan = world.plan_with(|request| Proofs {
            second_round: world.proofs(request).second_round,
            ..without.proofs(request)
        });
        assert_eq!(plan.summary.remove, 0, "{:?}", plan.changes);
        assert_eq!(codes(&plan), [ProblemCode::RemovalNotConfirmed]);
    }
}

/// Keycloak takes the two spellings of one address for two, so that two people may have them. The one in the group is hidden.
#[test]
fn nobody_goes_for_somebody_whose_address_is_written_otherwise() {
    let mut world = team_with_ldap(8, 0);
    let account = world.invited(&"ann@m\u{fc}nchen.example".parse().unwrap());
    world.add_member(&account, "acme-team");
    world.person("ann").email = Some("ann@xn--mnchen-3ya.example".to_owned());
    let plan = world.plan();
    assert_eq!(changes(&plan), Vec::<String>::new());
    assert_eq!(codes(&plan), [ProblemCode::RemovalNotConfirmed]);
}

/// Where an LDAP is stopped, its people are shown as disabled; that one of them is locked out says nothing of it.
#[test]
fn whoever_is_locked_out_is_no_witness() {
    let mut world = team_with_ldap(8, 4);
    world.person("p1").locked_out = true;
    for disabled in ["p0", "p2", "p3"] {
        world.person(disabled).enabled = false;
    }
    let plan = world.plan();
    assert_eq!(changes(&plan), Vec::<String>::new());
    assert_eq!(codes(&plan), [ProblemCode::RemovalNotConfirmed; 3]);
    world.delete("p7");
    assert_eq!(removals(&world), Vec::<String>::new());
    world.person("p1").locked_out = false;
    assert_eq!(removals(&world).len(), 4);
}

#[test]
fn whoever_counts_in_another_group_and_is_not_found_keeps_their_account_everywhere() {
    let mut world = team_with_ldap(8, 2);
    world.map("/other", "acme-other");
    world.member_on_both_sides("p0", "/other", "acme-other");
    world.leave("p0", "/team");
    assert_eq!(
        removals(&world),
        ["remove p0@partner.example acme-team LeftGroup"]
    );
    held_by(&world, |proofs| {
        let address: Address = "p0@partner.example".parse().unwrap();
        proofs.found.insert(address.clone(), Vec::new());
        proofs.still_nobody.insert(address, true);
    });
}

/// What is said where `p0` is listed as disabled, and the look-up shows otherwise.
fn held_though_disabled(locked_out: bool) -> String {
    let mut world = team_of(8);
    world.person("p0").enabled = false;
    held_by(&world, |proofs| {
        for found in proofs.found.values_mut().flatten() {
            found.person.enabled = true;
            found.person.locked_out = locked_out;
        }
    })
}

#[test]
fn whoever_is_listed_as_disabled_and_found_enabled_is_not_told_from_their_account() {
    let message = held_though_disabled(false);
    assert!(
        message.ends_with("two readings of Keycloak differ about P0 Example (p0)"),
        "{message}"
    );
}

/// Lists of Keycloak 26.0 and before do not tell them from people who are disabled; a look-up does.
#[test]
fn whoever_is_listed_as_disabled_and_turns_out_to_be_locked_out_stays() {
    let message = held_though_disabled(true);
    assert!(
        message.contains("P0 Example (p0) is in /team and is not disabled, but locked out"),
        "{message}"
    );
}

#[test]
fn a_list_that_shows_a_provider_in_one_reading_only_holds_known_and_unknown_people() {
    let changes: [Happening; 2] = [
        |world| world.leave("p0", "/team"),
        |world| world.delete("p7"),
    ];
    for change in changes {
        for hidden_first in [true, false] {
            let mut world = team_and_crew();
            change(&mut world);
            let mut first = world.clone();
            if hidden_first {
                let team = first.groups.get_mut("/team").unwrap();
                team.retain(|name| !["p0", "p1"].contains(&name.as_str()));
            }
            let plan = first.plan_with(|request| {
                let mut proofs = world.proofs(request);
                if !hidden_first {
                    second_team_of(&mut proofs, "/team")
                        .members
                        .retain(|person| person.provider.is_none());
                }
                proofs
            });
            assert_eq!(plan.summary.remove, 0, "{:?}", plan.changes);
            let says_so = |problem: &Problem| {
                problem.message.contains(
                    "one reading of /team showed people of the user federation Corporate LDAP",
                )
            };
            assert!(plan.problems.iter().any(says_so), "{:?}", plan.problems);
        }
        let mut world = team_and_crew();
        change(&mut world);
        assert_eq!(world.plan().summary.remove, 1);
    }
}

#[test]
fn another_provider_that_comes_and_goes_holds_nobody_known() {
    let mut world = team_and_crew();
    world.person("p5").provider = Some("other".parse().unwrap());
    world.leave("p0", "/team");
    let plan = world.plan_with(|request| {
        let mut proofs = world.proofs(request);
        second_team_of(&mut proofs, "/team")
            .members
            .retain(|person| person.username != "p5");
        proofs
    });
    assert_eq!(
        changes(&plan),
        ["remove p0@partner.example acme-team LeftGroup"]
    );
}

fn second_team_of<'a>(proofs: &'a mut Proofs, path: &str) -> &'a mut KeycloakGroup {
    proofs.second_round.get_mut(&path.parse().unwrap()).unwrap()
}

/// Whose address is gone in Keycloak looks like nobody with the address of their account.
#[test]
fn the_account_of_somebody_in_the_group_whose_address_is_gone_stays() {
    let changes_of_name: [(&str, Happening); 5] = [
        ("the names are those of the account", |_| {}),
        ("in another letter case and form", |world| {
            world.person("p0").first_name = Some(" p0 ".to_owned());
            world.person("p0").last_name = Some("EXAMPLE".to_owned());
        }),
        ("the display name is another", |world| {
            world.account("p0").display_name = Some("Somebody".to_owned());
        }),
        ("only the username tells", |world| {
            world.person("p0").first_name = None;
            world.person("p0").last_name = None;
        }),
        ("the username is the address", |world| {
            let person = world.person("p0");
            person.first_name = None;
            person.last_name = None;
            person.username = "P0@partner.example".to_owned();
        }),
    ];
    for (name, change) in changes_of_name {
        let mut world = team_of(8);
        change(&mut world);
        world.person("p0").email = None;
        let plan = world.plan();
        assert_eq!(changes(&plan), Vec::<String>::new(), "{name}");
        assert_eq!(
            codes(&plan),
            [ProblemCode::NoEmail, ProblemCode::RemovalNotConfirmed],
            "{name}"
        );
        assert!(
            plan.problems[1]
                .message
                .contains("in /team has its name and is not clear"),
            "{}",
            plan.problems[1].message
        );
    }
}

#[test]
fn the_account_of_somebody_in_the_group_who_cannot_be_covered_under_a_new_address_stays() {
    let new_addresses: [(&str, Happening); 6] = [
        ("refused by Entra", |world| {
            world.person("p0").email = Some("p0+x@partner.example".to_owned());
        }),
        ("at a domain of the tenant", |world| {
            world.person("p0").email = Some("p0@acme.example".to_owned());
        }),
        ("at a domain that is not allowed", |world| {
            world.person("p0").email = Some("p0@other.example".to_owned());
            world.settings.invitations.allowed_domains = vec!["partner.example".to_owned()];
        }),
        ("protected", |world| {
            world.person("p0").email = Some("p0@other.example".to_owned());
            world.settings.protected = vec!["p0@other.example".to_owned()];
        }),
        ("of somebody else", |world| {
            world.person("p0").email = Some("p1@partner.example".to_owned());
        }),
        ("not verified", |world| {
            world.person("p0").email = Some("p0@other.example".to_owned());
            world.person("p0").email_verified = false;
            world.settings.users.unverified_email = UnverifiedPolicy::Skip;
        }),
    ];
    for (name, change) in new_addresses {
        let mut world = team_of(8);
        change(&mut world);
        let plan = world.plan();
        assert_eq!(changes(&plan), Vec::<String>::new(), "{name}");
        assert!(
            codes(&plan).contains(&ProblemCode::RemovalNotConfirmed),
            "{name} {:?}",
            plan.problems
        );
    }
    let mut world = team_of(8);
    world.person("p0").email = Some("p0@other.example".to_owned());
    assert_eq!(
        removals(&world),
        [
            "invite p0@other.example",
            "add p0@other.example acme-team",
            "remove p0@partner.example acme-team UnknownToKeycloak"
        ]
    );
}

#[test]
fn a_second_address_that_somebody_else_has_does_not_take_the_account_of_somebody_without_one() {
    let mut world = team_of(8);
    world.person("p0").email = None;
    world.person("otto").email = Some("old@partner.example".to_owned());
    world.account("p0").other_mails = vec!["old@partner.example".to_owned()];
    let plan = world.plan();
    assert_eq!(changes(&plan), Vec::<String>::new());
    assert_eq!(
        codes(&plan),
        [ProblemCode::NoEmail, ProblemCode::RemovalNotConfirmed]
    );
}

#[test]
fn somebody_without_an_address_holds_only_the_account_of_their_name() {
    let somebody: [(&str, Happening); 3] = [
        ("has another name", |world| {
            world.delete("p0");
            world.person("nameless").email = None;
            world.join("nameless", "/team");
        }),
        ("does not count", |world| {
            world.person("p0").email = None;
            world.person("p0").enabled = false;
        }),
        ("is in another group", |world| {
            world.person("p0").email = None;
            world.leave("p0", "/team");
        }),
    ];
    for (name, change) in somebody {
        let mut world = team_of(8);
        change(&mut world);
        let removed = changes(&world.plan());
        assert_eq!(
            removed,
            ["remove p0@partner.example acme-team UnknownToKeycloak"],
            "{name}"
        );
    }
}

#[test]
fn a_witness_elsewhere_does_not_help_a_known_person() {
    let mut world = team_with_ldap(8, 1);
    world.map("/other", "acme-other");
    world.member_on_both_sides("far", "/other", "acme-other");
    world.person("far").provider = Some("ldap".parse().unwrap());
    world.leave("p0", "/team");
    assert_eq!(codes(&world.plan()), [ProblemCode::RemovalNotConfirmed]);
}

#[test]
fn a_witness_elsewhere_helps_with_somebody_unknown() {
    let mut world = team_with_ldap(8, 0);
    world.delete("p0");
    assert_eq!(codes(&world.plan()), [ProblemCode::RemovalNotConfirmed]);
    world.map("/other", "acme-other");
    world.member_on_both_sides("far", "/other", "acme-other");
    world.person("far").provider = Some("ldap".parse().unwrap());
    assert_eq!(
        removals(&world),
        ["remove p0@partner.example acme-team UnknownToKeycloak"]
    );
}

#[test]
fn somebody_unknown_needs_a_witness_of_every_provider() {
    let mut world = team_with_ldap(8, 2);
    world.delete("p7");
    assert_eq!(world.plan().summary.remove, 1);
    world.components.as_mut().unwrap().push(FederationProvider {
        id: "other".parse().unwrap(),
        name: "Other".to_owned(),
    });
    assert_eq!(codes(&world.plan()), [ProblemCode::RemovalNotConfirmed]);
}

#[test]
fn where_nothing_is_known_of_federation_nobody_unknown_goes() {
    let mut world = team_of(8);
    world.components = None;
    world.delete("p0");
    let plan = world.plan();
    assert_eq!(plan.source.federation, None);
    assert_eq!(codes(&plan), [ProblemCode::RemovalNotConfirmed]);
    let hint = plan.problems[0].hint.as_deref().unwrap();
    assert!(
        hint.contains("view-realm") && hint.contains("keycloak_federation: none"),
        "{hint}"
    );
    world.settings.federation = FederationSetting::None;
    let plan = world.plan();
    assert_eq!(
        plan.source.federation.unwrap().known_from,
        FederationSource::Declared
    );
    assert_eq!(plan.summary.remove, 1);
}

#[test]
fn where_a_federation_is_expected_and_none_is_seen_nobody_unknown_goes() {
    for components in [None, Some(Vec::new())] {
        let mut world = team_of(8);
        world.components = components;
        world.settings.federation = FederationSetting::Expected;
        world.delete("p0");
        assert_eq!(codes(&world.plan()), [ProblemCode::RemovalNotConfirmed]);
    }
}

#[test]
fn a_provider_that_is_seen_counts_even_if_the_configuration_says_there_is_none() {
    let mut world = team_of(8);
    world.components = None;
    world.settings.federation = FederationSetting::None;
    let ldap = world.person("p1");
    ldap.provider = Some("ldap".parse().unwrap());
    ldap.enabled = false;
    world.delete("p0");
    assert_eq!(codes(&world.plan()), [ProblemCode::RemovalNotConfirmed; 2]);
}

#[test]
fn everybody_with_the_address_has_to_be_gone() {
    let mut world = team_of(8);
    world.person("p0").enabled = false;
    let other = world.person("again");
    other.email = Some("p0@partner.example".to_owned());
    assert_eq!(
        removals(&world),
        ["remove p0@partner.example acme-team LeftGroup"]
    );
    world.person("again").enabled = false;
    assert_eq!(
        removals(&world),
        ["remove p0@partner.example acme-team Disabled"]
    );
}

#[test]
fn any_address_of_the_account_leads_to_the_person() {
    let mut world = team_of(8);
    world.delete("p0");
    world
        .account("p0")
        .other_mails
        .push("old-name@partner.example".to_owned());
    let person = world.person("renamed");
    person.email = Some("old-name@partner.example".to_owned());
    world.settings.mappings[0].removals = RemovalPolicy::Known;
    assert_eq!(
        removals(&world),
        ["remove old-name@partner.example acme-team LeftGroup"]
    );
}

#[test]
fn no_more_is_asked_of_a_blocked_group_than_is_shown() {
    let mut world = team_of(300);
    for number in 0..150 {
        world.delete(&format!("p{number}"));
    }
    let mut asked = 0;
    let plan = world.plan_with(|request| {
        asked = request.addresses.len();
        world.proofs(request)
    });
    assert_eq!((asked, plan.summary.remove), (100, 100));
    assert!(
        plan.blocks[0]
            .message
            .ends_with("the first 100 are looked into and shown")
    );
}

#[test]
fn nothing_is_asked_where_nobody_goes() {
    let world = team_with_ldap(8, 3);
    world.plan_with(|request| {
        assert_eq!(*request, ProofRequest::default());
        Proofs::default()
    });
}

#[test]
fn nobody_else_of_the_name_of_somebody_unknown_is_pointed_out() {
    let nobody_else: [(&str, Happening); 3] = [
        ("is added with an account of their own", |world| {
            world.join("p0-new", "/team");
            world.account("p0-new");
        }),
        ("is invited to another group", |world| {
            world.map("/other", "acme-other");
            world.join("p0-new", "/other");
        }),
        ("has another name", |world| {
            world.join("p0-new", "/team");
            world.person("p0-new").first_name = Some("Q0".to_owned());
        }),
    ];
    for (name, change) in nobody_else {
        let mut world = team_of(8);
        world.delete("p0");
        world.person("p0-new").first_name = Some("P0".to_owned());
        change(&mut world);
        world
            .accounts
            .values_mut()
            .filter(|account| account.mail.as_deref() == Some("p0-new@partner.example"))
            .for_each(|account| account.display_name = Some("P0 Example".to_owned()));
        let plan = world.plan();
        assert_eq!(plan.summary.remove, 1, "{name}");
        assert!(
            !codes(&plan).contains(&ProblemCode::AddressMayHaveChanged),
            "{name}"
        );
    }
}

#[test]
fn how_a_federation_is_known_is_said() {
    let ldap = || {
        vec![FederationProvider {
            id: "ldap".parse().unwrap(),
            name: "Corporate LDAP".to_owned(),
        }]
    };
    let cases = [
        (Some(ldap()), 3, Some((FederationSource::Components, 1))),
        (Some(ldap()), 0, Some((FederationSource::Components, 1))),
        (Some(Vec::new()), 3, Some((FederationSource::Components, 1))),
        (Some(Vec::new()), 0, Some((FederationSource::Components, 0))),
        (None, 3, Some((FederationSource::Seen, 1))),
        (None, 0, None),
    ];
    for (components, from_ldap, known) in cases {
        let mut world = team_with_ldap(8, from_ldap);
        world.components.clone_from(&components);
        let federation = world.plan().source.federation;
        let found = federation.map(|found| (found.known_from, found.providers.len()));
        assert_eq!(found, known, "{components:?} {from_ldap}");
    }
}

#[test]
fn an_address_is_the_same_however_it_is_written() {
    for (in_keycloak, in_entra) in [
        (
            "m.mueller@münchen.example",
            "m.mueller@xn--mnchen-3ya.example",
        ),
        (
            "m.mueller@XN--MNCHEN-3YA.example",
            "m.mueller@münchen.example",
        ),
        (
            "m.mueller@mu\u{308}nchen.example",
            "m.mueller@xn--mnchen-3ya.example",
        ),
        (
            "m.mu\u{308}ller@partner.example",
            "m.m\u{fc}ller@partner.example",
        ),
    ] {
        let mut world = team_of(8);
        let person = world.person("marie");
        person.email = Some(in_keycloak.to_owned());
        person.first_name = Some("Marie".to_owned());
        person.last_name = Some("Müller".to_owned());
        world.join("marie", "/team");
        // Of another name, so that it is the address alone by which they are known to be one.
        let id = world.invited(&in_entra.parse().unwrap());
        world.accounts.get_mut(&id).unwrap().display_name = Some("M. Schmidt".to_owned());
        world.add_member(&id, "acme-team");
        let plan = world.plan();
        assert_eq!(changes(&plan), Vec::<String>::new(), "{in_keycloak}");
        assert_eq!(codes(&plan), [ProblemCode::AmbiguousAccount]);
        assert!(
            plan.problems[0].message.contains("in another way"),
            "{:?}",
            plan.problems
        );
    }
}

#[test]
fn a_domain_that_is_rewritten_is_so_however_it_is_written() {
    let spellings = ["bücher.example", "xn--bcher-kva.example"];
    for (in_settings, in_keycloak) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        let mut world = team_of(8);
        let domains = &mut world.settings.users.email_domains;
        let rewritten = spellings[in_settings].to_owned();
        domains.insert(rewritten, "partner.example".to_owned());
        let person = world.person("bob");
        let domain = spellings[in_keycloak];
        person.email = Some(format!("bob@{domain}"));
        person.enabled = false;
        world.join("bob", "/team");
        let account = world.invited(&"bob@partner.example".parse().unwrap());
        world.add_member(&account, "acme-team");
        let plan = world.plan();
        let [Change::Remove(remove)] = &plan.changes[..] else {
            panic!("{domain}: {:?}", plan.changes);
        };
        assert_eq!(remove.because, RemovalReason::Disabled, "{domain}");
    }
}

#[test]
fn a_letter_that_only_looks_like_another_is_another() {
    for address in [
        "\u{212a}im@partner.example",
        "kim@\u{ff50}artner.example",
        "kim@partner.e\u{212a}ample",
    ] {
        let address: Address = address.parse().unwrap();
        let kim: Address = "kim@partner.example".parse().unwrap();
        assert!(!address.spellings().contains(&kim), "{address}");
    }
}

#[test]
fn all_spellings_of_an_address_are_those_of_each() {
    for address in [
        "jürgen@bücher.example",
        "ju\u{308}rgen@xn--bcher-kva.example",
        "bob@partner.example",
    ] {
        let address: Address = address.parse().unwrap();
        for spelling in address.spellings() {
            assert_eq!(spelling.spellings(), address.spellings(), "{spelling}");
        }
    }
}

#[test]
fn a_removal_is_called_by_its_owners_address_and_never_by_another_persons() {
    // Zoe's account also has the address of Adam, who has an account of his own.
    let mut world = team_of(8);
    world.map("/other", "acme-other");
    for username in ["zoe", "adam"] {
        world.person(username);
        world.account(username);
        world.join(username, "/other");
    }
    let adams = "adam@partner.example".to_owned();
    let zoe = world.account("zoe");
    zoe.other_mails.push(adams);
    let zoe = zoe.id.clone();
    world.add_member(&zoe, "acme-team");
    let named = |world: &World| -> Vec<String> {
        let plan = world.plan();
        let removes = plan.changes.iter().filter_map(|change| match change {
            Change::Remove(remove) => Some(remove.account.email.clone()),
            _ => None,
        });
        removes.collect()
    };
    assert_eq!(named(&world), ["zoe@partner.example"]);
    // Nobody in the mapped groups any more.
    world.leave("zoe", "/other");
    assert_eq!(named(&world), ["zoe@partner.example"]);
}

#[test]
fn somebody_invited_under_the_name_of_somebody_unknown_is_pointed_out() {
    let mut world = team_of(8);
    world.delete("p0");
    let person = world.person("p0-new");
    person.first_name = Some("P0".to_owned());
    world.join("p0-new", "/team");
    let plan = world.plan();
    assert_eq!(codes(&plan), [ProblemCode::AddressMayHaveChanged]);
    assert_eq!(plan.summary.remove, 1);
    assert!(plan.changes.iter().any(|change| matches!(change, Change::Remove(remove) if remove.because == RemovalReason::UnknownToKeycloak)));
}
