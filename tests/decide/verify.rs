//! What apply decides about a reviewed plan when the directories are as they are now.

use keycloak_to_azure::model::UserType;
use keycloak_to_azure::plan::{Change, Plan};
use keycloak_to_azure::report::Outcome;
use keycloak_to_azure::settings::{Limit, UnverifiedPolicy};
use keycloak_to_azure::snapshot::Account;
use keycloak_to_azure::verify::{
    Member, Task, Verdict, Verification, invite_nobody_again, misfit, verify,
};

use crate::world::{World, invited_account, team_of};

/// A team where `ann` is to be invited and added, `p1` updated, `p2` added and `p0` removed.
fn world() -> World {
    let mut world = team_of(10);
    world.person("ann");
    world.join("ann", "/team");
    world.account("p1").surname = Some("Old".to_owned());
    let p2 = world.account("p2").id.clone();
    world
        .azure
        .get_mut("acme-team")
        .unwrap()
        .members
        .remove(&p2);
    world.leave("p0", "/team");
    world
}

const INVITE: usize = 0;
const UPDATE: usize = 1;
const ADD_INVITED: usize = 2;
const ADD: usize = 3;
const REMOVE: usize = 4;

fn verification(plan: &Plan, world: &World) -> Verification {
    let mut now = world.clone();
    now.overrides = plan.overrides.clone();
    now.decide(|fresh| verify(plan, fresh))
}

pub fn in_short(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Execute(Task::Invite(_)) => "invite".to_owned(),
        Verdict::Execute(Task::Update {
            of_invitation: true,
            ..
        }) => "finish the invitation".to_owned(),
        Verdict::Execute(Task::Update { .. }) => "update".to_owned(),
        Verdict::Execute(Task::Add {
            member: Member::Account(_),
            ..
        }) => "add".to_owned(),
        Verdict::Execute(Task::Add {
            member: Member::Invited(_),
            ..
        }) => "add when invited".to_owned(),
        Verdict::Execute(Task::Add {
            member: Member::InvitedBefore(..),
            ..
        }) => "add as invited before".to_owned(),
        Verdict::Execute(Task::Remove { .. }) => "remove".to_owned(),
        Verdict::Settled(outcome, reason) => format!("{outcome:?}: {reason}"),
    }
}

/// The verdict about one change of the plan, after the directories changed.
fn after(change: usize, drift: impl FnOnce(&mut World)) -> String {
    let plan = world().plan();
    let mut now = world();
    drift(&mut now);
    in_short(&verification(&plan, &now).verdicts[change])
}

#[test]
fn without_drift_everything_is_carried_out() {
    let plan = world().plan();
    let verification = verification(&plan, &world());
    let verdicts: Vec<_> = verification.verdicts.iter().map(in_short).collect();
    assert_eq!(
        verdicts,
        ["invite", "update", "add when invited", "add", "remove"]
    );
    assert_eq!(verification.further_changes, 0);
}

#[test]
fn what_is_done_is_not_done_twice() {
    let plan = world().plan();
    let mut now = world();
    now.carry_out(&plan.changes);
    for verdict in verification(&plan, &now).verdicts {
        assert!(
            matches!(verdict, Verdict::Settled(Outcome::AlreadyDone, _)),
            "{verdict:?}"
        );
    }
}

#[test]
fn a_run_that_was_cut_off_is_finished_from_every_point() {
    let plan = world().plan();
    for done in 0..=plan.changes.len() {
        let mut now = world();
        now.carry_out(&plan.changes[..done]);
        let verification = verification(&plan, &now);
        assert_eq!(verification.further_changes, 0, "after {done}");
        for (at, verdict) in verification.verdicts.iter().enumerate() {
            let is_done = matches!(verdict, Verdict::Settled(Outcome::AlreadyDone, _));
            assert_eq!(is_done, at < done, "change {at} after {done}: {verdict:?}");
            assert!(
                is_done || matches!(verdict, Verdict::Execute(_)),
                "change {at} after {done}: {verdict:?}"
            );
        }
    }
}

#[test]
fn an_invitation_without_its_update_is_finished() {
    let half_done = |now: &mut World| {
        let account = invited_account(
            &crate::world::id(0xaaa),
            &"ann@partner.example".parse().unwrap(),
        );
        now.accounts.insert(account.id.clone(), account);
    };
    assert_eq!(after(INVITE, half_done), "finish the invitation");
    assert_eq!(after(ADD_INVITED, half_done), "add as invited before");
}

#[test]
fn an_invitation_does_not_permit_other_values_than_the_reviewed_ones() {
    let verdict = after(INVITE, |now| {
        let account = invited_account(
            &crate::world::id(0xaaa),
            &"ann@partner.example".parse().unwrap(),
        );
        now.accounts.insert(account.id.clone(), account);
        now.person("ann").last_name = Some("Other".to_owned());
    });
    assert_eq!(
        verdict,
        "Conflict: the person is invited, and the account is to get other values than the reviewed ones"
    );
}

#[test]
fn an_account_that_does_not_come_from_an_invitation_is_a_conflict_for_invitation_and_addition() {
    let internal = |now: &mut World| {
        let account = now.account("ann");
        account.created_by_invitation = false;
        account.user_principal_name = "ann@acme.example".to_owned();
    };
    for change in [INVITE, ADD_INVITED] {
        let verdict = after(change, internal);
        assert!(
            verdict.starts_with("Conflict: the person has the account"),
            "{verdict}"
        );
    }
}

#[test]
fn an_older_account_that_was_given_the_address_since_is_a_conflict_for_invitation_and_addition() {
    let mut world = team_of(3);
    world.person("ann");
    world.join("ann", "/team");
    let mallory = world.account("mallory").id.clone();
    let plan = world.plan();
    assert_eq!(plan.changes.len(), 2);
    for place in [
        (|account, mail| account.other_mails.push(mail)) as fn(&mut Account, String),
        |account, mail| account.proxy_addresses.push(format!("smtp:{mail}")),
    ] {
        let mut drifted = world.clone();
        let account = drifted.accounts.get_mut(&mallory).unwrap();
        place(account, "ann@partner.example".to_owned());
        let verdicts = verification(&plan, &drifted).verdicts;
        for verdict in &verdicts {
            assert!(
                matches!(verdict, Verdict::Settled(Outcome::Conflict, _)),
                "{verdicts:?}"
            );
        }
    }
}

#[test]
fn an_update_that_names_another_than_it_changes_is_a_conflict() {
    let mut world = team_of(3);
    world.account("p0").surname = Some("Other".to_owned());
    let mut plan = world.plan();
    let [Change::Update(update)] = &mut plan.changes[..] else {
        panic!("{:?}", plan.changes)
    };
    update.account.email = "p1@partner.example".to_owned();
    let verdicts = verification(&plan, &world).verdicts;
    assert!(
        matches!(verdicts[..], [Verdict::Settled(Outcome::Conflict, _)]),
        "{verdicts:?}"
    );
}

#[test]
fn whoever_left_since_the_review_is_neither_invited_nor_added() {
    for leave in [
        |now: &mut World| now.leave("ann", "/team"),
        |now: &mut World| now.delete("ann"),
        |now: &mut World| now.person("ann").enabled = false,
    ] {
        assert!(after(INVITE, leave).starts_with("NotWanted"));
        assert!(after(ADD_INVITED, leave).starts_with("NotWanted"));
    }
    assert!(after(ADD, |now| now.leave("p2", "/team")).starts_with("NotWanted"));
}

#[test]
fn whoever_has_another_address_since_the_review_is_not_invited_under_the_old_one() {
    let verdict = after(INVITE, |now| {
        now.person("ann").email = Some("ann2@partner.example".to_owned());
    });
    assert_eq!(
        verdict,
        "NotWanted: the person has the address ann2@partner.example in Keycloak since the review"
    );
}

#[test]
fn another_person_with_the_reviewed_address_is_a_conflict() {
    let verdict = after(INVITE, |now| {
        now.delete("ann");
        now.person("eve").email = Some("ann@partner.example".to_owned());
        now.join("eve", "/team");
    });
    assert_eq!(
        verdict,
        "Conflict: the address belongs to another person in Keycloak since the review; plan again"
    );
}

#[test]
fn somebody_who_is_not_clear_any_more_is_a_conflict() {
    let double = |now: &mut World| {
        for name in ["ann", "p1", "p2"] {
            now.person(&format!("{name}-double")).email = Some(format!("{name}@partner.example"));
            now.join(&format!("{name}-double"), "/team");
        }
    };
    for change in [INVITE, UPDATE, ADD_INVITED, ADD] {
        let verdict = after(change, double);
        assert!(verdict.starts_with("Conflict"), "{change}: {verdict}");
    }
}

#[test]
fn an_update_of_another_value_than_the_reviewed_one_is_a_conflict() {
    let verdict = after(UPDATE, |now| {
        now.account("p1").surname = Some("Third".to_owned());
    });
    assert!(verdict.starts_with("Conflict"), "{verdict}");
    let verdict = after(UPDATE, |now| {
        now.person("p1").last_name = Some("Third".to_owned());
    });
    assert!(verdict.starts_with("Conflict"), "{verdict}");
}

#[test]
fn an_update_that_keycloak_does_not_want_any_more_is_not_made() {
    let verdict = after(UPDATE, |now| {
        now.person("p1").last_name = Some("Old".to_owned());
        now.account("p1").display_name = Some("P1 Old".to_owned());
    });
    assert!(verdict.starts_with("NotWanted"), "{verdict}");
}

#[test]
fn only_reviewed_fields_are_updated() {
    let plan = world().plan();
    let mut now = world();
    now.account("p1").user_type = Some(UserType::Guest);
    let verification = verification(&plan, &now);
    let Verdict::Execute(Task::Update { set, .. }) = &verification.verdicts[UPDATE] else {
        panic!()
    };
    assert_eq!(
        (set.user_type, set.surname.as_deref()),
        (None, Some("Example"))
    );
    assert_eq!(verification.further_changes, 1);
}

#[test]
fn a_field_that_nobody_reviewed_is_a_further_change() {
    type Drift = fn(&mut Account);
    let fields: [Drift; 4] = [
        |account| account.surname = Some("Old".to_owned()),
        |account| account.given_name = Some("Old".to_owned()),
        |account| account.display_name = Some("Old".to_owned()),
        |account| account.user_type = Some(UserType::Guest),
    ];
    for (reviewed, further) in [(0, 1), (0, 2), (0, 3), (1, 0)] {
        let mut before = team_of(10);
        fields[reviewed](before.account("p1"));
        let plan = before.plan();
        assert_eq!(plan.changes.len(), 1);
        let mut now = before.clone();
        fields[further](now.account("p1"));
        assert_eq!(verification(&plan, &now).further_changes, 1, "{further}");
    }
}

#[test]
fn a_field_that_is_right_already_is_left_out() {
    let mut before = world();
    before.account("p1").given_name = Some("Old".to_owned());
    let plan = before.plan();
    let verification = verification(&plan, &world());
    let Verdict::Execute(Task::Update { set, .. }) = &verification.verdicts[UPDATE] else {
        panic!()
    };
    assert_eq!(
        (set.given_name.as_deref(), set.surname.as_deref()),
        (None, Some("Example"))
    );
}

#[test]
fn another_account_of_the_person_is_a_conflict() {
    let replaced = |now: &mut World| {
        for name in ["p1", "p2"] {
            let old = now.account(name).id.clone();
            now.accounts.remove(&old);
            now.azure.get_mut("acme-team").unwrap().members.remove(&old);
            now.account(name);
        }
    };
    assert!(after(UPDATE, replaced).starts_with("Conflict: the person has another account"));
    assert!(after(ADD, replaced).starts_with("Conflict: the person has another account"));
}

#[test]
fn an_account_that_is_gone_is_a_conflict() {
    let gone = |now: &mut World| {
        for name in ["p1", "p2"] {
            let old = now.account(name).id.clone();
            now.accounts.remove(&old);
            now.azure.get_mut("acme-team").unwrap().members.remove(&old);
        }
    };
    assert_eq!(
        after(UPDATE, gone),
        "Conflict: the account is gone since the review"
    );
    assert_eq!(
        after(ADD, gone),
        "Conflict: the account is gone since the review"
    );
}

#[test]
fn whoever_is_back_in_the_group_stays() {
    assert_eq!(
        after(REMOVE, |now| now.join("p0", "/team")),
        "NotWanted: the person is in /team again since the review"
    );
}

#[test]
fn a_removal_for_another_reason_is_still_the_reviewed_removal() {
    assert_eq!(after(REMOVE, |now| now.delete("p0")), "remove");
}

#[test]
fn a_removal_of_an_account_that_is_somebody_elses_now_is_a_conflict() {
    let verdict = after(REMOVE, |now| {
        now.delete("p0");
        now.person("eve");
        now.account("p0").other_mails = vec!["eve@partner.example".to_owned()];
    });
    assert_eq!(
        verdict,
        "Conflict: the account is that of eve@partner.example now"
    );
}

#[test]
fn a_removal_that_is_not_proved_any_more_is_a_conflict() {
    let verdict = after(REMOVE, |now| {
        now.delete("p0");
        now.components = None;
    });
    assert!(
        verdict.starts_with("Conflict: it is not proved"),
        "{verdict}"
    );
}

#[test]
fn a_removal_from_a_group_that_is_blocked_now_is_a_conflict() {
    let verdict = after(REMOVE, |now| {
        for number in 3..9 {
            now.leave(&format!("p{number}"), "/team");
        }
    });
    assert!(verdict.starts_with("Conflict: a safety limit"), "{verdict}");
}

#[test]
fn the_overrides_of_the_plan_hold() {
    let mut before = team_of(10);
    before.overrides.max_removals = Some(Limit::AtMost(8));
    for number in 0..8 {
        before.leave(&format!("p{number}"), "/team");
    }
    let plan = before.plan();
    assert_eq!(plan.blocks, []);
    let verification = verification(&plan, &before);
    assert!(
        verification
            .verdicts
            .iter()
            .all(|verdict| in_short(verdict) == "remove")
    );
}

#[test]
fn a_group_that_cannot_be_managed_any_more_is_a_conflict() {
    for change in [INVITE, UPDATE, ADD_INVITED, ADD, REMOVE] {
        let verdict = after(change, |now| {
            now.azure.get_mut("acme-team").unwrap().dynamic = true;
        });
        assert!(verdict.starts_with("Conflict"), "{change}: {verdict}");
    }
}

#[test]
fn a_mapping_that_is_gone_wants_nothing() {
    for change in [INVITE, UPDATE, ADD_INVITED, ADD, REMOVE] {
        let verdict = after(change, |now| now.settings.mappings.clear());
        assert!(verdict.starts_with("NotWanted"), "{change}: {verdict}");
    }
}

#[test]
fn protected_since_the_review_is_a_conflict() {
    let protect = |now: &mut World| {
        now.settings.protected = ["p0", "p1", "p2"]
            .map(|name| format!("{name}@partner.example"))
            .into();
    };
    for change in [UPDATE, ADD, REMOVE] {
        let verdict = after(change, protect);
        assert!(verdict.starts_with("Conflict"), "{change}: {verdict}");
    }
}

#[test]
fn unrelated_drift_spoils_nothing_and_is_counted() {
    let plan = world().plan();
    let mut now = world();
    now.person("new");
    now.join("new", "/team");
    now.leave("p9", "/team");
    now.map("/other", "acme-other");
    now.member_on_both_sides("far", "/other", "acme-other");
    now.account("far").surname = Some("Old".to_owned());
    let verification = verification(&plan, &now);
    let verdicts: Vec<_> = verification.verdicts.iter().map(in_short).collect();
    assert_eq!(
        verdicts,
        ["invite", "update", "add when invited", "add", "remove"]
    );
    assert_eq!(verification.further_changes, 4);
}

#[test]
fn an_addition_waits_for_an_invitation_that_is_not_carried_out() {
    let plan = world().plan();
    let mut now = world();
    now.person("ann").first_name = Some("Anna".to_owned());
    let verification = verification(&plan, &now);
    assert!(in_short(&verification.verdicts[INVITE]).starts_with("Conflict"));
    assert_eq!(
        in_short(&verification.verdicts[ADD_INVITED]),
        "NotAttempted: the invitation is not carried out"
    );
}

/// `mover` is added to one group and removed from another, and `p0` removed from the first one.
fn moving() -> World {
    let mut world = team_of(10);
    world.map("/other", "acme-other");
    for number in 5..10 {
        world.member_on_both_sides(&format!("p{number}"), "/other", "acme-other");
    }
    world.member_on_both_sides("mover", "/other", "acme-other");
    world.leave("mover", "/other");
    world.join("mover", "/team");
    world.leave("p0", "/team");
    world
}

/// The verdicts about the addition and the removal of `mover`, and about the removal of `p0`, after the directories changed.
fn of_the_move(drift: impl FnOnce(&mut World)) -> Vec<String> {
    let plan = moving().plan();
    let mut now = moving();
    drift(&mut now);
    let mut verdicts: Vec<(String, String)> = plan
        .changes
        .iter()
        .zip(&verification(&plan, &now).verdicts)
        .map(|(change, verdict)| (changes_of(change), in_short(verdict)))
        .collect();
    verdicts.sort();
    verdicts.into_iter().map(|(_, verdict)| verdict).collect()
}

fn changes_of(change: &Change) -> String {
    match change {
        Change::Add(add) => format!("1 {}", add.account.email),
        Change::Remove(remove) if remove.account.email.starts_with("mover") => "2".to_owned(),
        _ => "3".to_owned(),
    }
}

#[test]
fn whoever_cannot_be_added_where_they_move_to_is_not_removed_where_they_are() {
    assert_eq!(of_the_move(|_| {}), ["add", "remove", "remove"]);
    let verdicts = of_the_move(|now| {
        // Where they move to takes nobody any more; the removal elsewhere would leave them with nothing.
        now.azure.get_mut("acme-team").unwrap().dynamic = true;
    });
    assert!(verdicts[0].starts_with("Conflict"), "{verdicts:?}");
    assert!(
        verdicts[1].starts_with("NotAttempted: an addition of the same account"),
        "{verdicts:?}"
    );
}

#[test]
fn whoever_has_been_added_already_is_removed_where_they_were() {
    let verdicts = of_the_move(|now| {
        let mover = now.account("mover").id.clone();
        now.add_member(&mover, "acme-team");
    });
    assert!(verdicts[0].starts_with("AlreadyDone"), "{verdicts:?}");
    assert_eq!(verdicts[1..], ["remove", "remove"]);
}

#[test]
fn groups_that_may_not_become_empty_are_named_with_how_many_they_have() {
    let mut world = moving();
    world.settings.mappings[1].allow_empty = true;
    let plan = world.plan();
    let members: Vec<usize> = verification(&plan, &world).members.into_values().collect();
    assert_eq!(members, [10], "the team, and not the other group");
}

#[test]
fn nobody_is_invited_again_whose_invitation_was_answered_with_somebody_elses_account() {
    let plan = world().plan();
    let stranger = crate::world::id(0xbad);
    let answered_for = |address: &str| {
        let mut verification = verification(&plan, &world());
        let invited = [(address.parse().unwrap(), stranger.clone())].into();
        invite_nobody_again(&plan, &mut verification, &invited);
        in_short(&verification.verdicts[INVITE])
    };
    assert_eq!(answered_for("somebody@partner.example"), "invite");
    let verdict = answered_for("ann@partner.example");
    assert!(
        verdict.starts_with("Conflict: an earlier run invited the address")
            && verdict.contains(stranger.as_str()),
        "{verdict}"
    );
}

/// So that a dry run says what a real one would do.
#[test]
fn nobody_is_added_whose_invitation_is_given_up_and_no_group_loses_its_last_member_for_it() {
    // `p0` goes and `ann` comes; nobody else is in the group.
    let mut world = team_of(1);
    world.leave("p0", "/team");
    world.person("ann");
    world.join("ann", "/team");
    let plan = world.plan();
    let mut verification = verification(&plan, &world);
    let in_words = |verification: &Verification| -> Vec<String> {
        verification.verdicts.iter().map(in_short).collect()
    };
    assert_eq!(
        in_words(&verification),
        ["invite", "add when invited", "remove"]
    );
    let invited = [(
        "ann@partner.example".parse().unwrap(),
        crate::world::id(0xbad),
    )]
    .into();
    invite_nobody_again(&plan, &mut verification, &invited);
    assert_eq!(
        in_words(&verification)[1..],
        [
            "NotAttempted: the invitation is not carried out",
            "NotAttempted: an addition to the group did not succeed, and it would lose its last member",
        ]
    );
}

#[test]
fn an_earlier_answer_does_not_stop_what_its_account_finishes() {
    let plan = world().plan();
    let mut now = world();
    let address = "ann@partner.example".parse().unwrap();
    let account = invited_account(&crate::world::id(0xaaa), &address);
    now.accounts.insert(account.id.clone(), account.clone());
    let mut verification = verification(&plan, &now);
    invite_nobody_again(
        &plan,
        &mut verification,
        &[(address, account.id.clone())].into(),
    );
    assert_eq!(
        in_short(&verification.verdicts[INVITE]),
        "finish the invitation"
    );
}

#[test]
fn an_account_from_before_the_plan_is_not_brought_to_what_an_invitation_says() {
    let plan = world().plan();
    let judged = |created: Option<jiff::Timestamp>, change: &dyn Fn(&mut Account)| {
        let mut now = world();
        let address = "ann@partner.example".parse().unwrap();
        let mut account = invited_account(&crate::world::id(0xaaa), &address);
        account.created = created;
        change(&mut account);
        now.accounts.insert(account.id.clone(), account);
        verification(&plan, &now)
            .verdicts
            .iter()
            .map(in_short)
            .collect::<Vec<_>>()
    };
    let minutes = jiff::SignedDuration::from_mins;
    let created = |before: i64| Some(plan.created_at - minutes(before));
    let as_it_is = |_: &mut Account| {};
    assert_eq!(
        judged(created(-1), &as_it_is)[INVITE],
        "finish the invitation"
    );
    // Clocks differ.
    assert_eq!(
        judged(created(5), &as_it_is)[INVITE],
        "finish the invitation"
    );
    for created in [created(6), None] {
        let verdicts = judged(created, &as_it_is);
        assert!(
            verdicts[INVITE].contains("is older than the plan and not from its invitation"),
            "{verdicts:?}"
        );
        assert!(
            verdicts.contains(&"NotAttempted: the invitation is not carried out".to_owned()),
            "{verdicts:?}"
        );
    }
    let complete = |account: &mut Account| {
        account.user_type = Some(UserType::Member);
        account.display_name = Some("Ann Example".to_owned());
        account.given_name = Some("Ann".to_owned());
        account.surname = Some("Example".to_owned());
    };
    assert!(judged(created(6), &complete)[INVITE].starts_with("AlreadyDone"));
}

#[test]
fn what_an_invitation_may_be_answered_with() {
    let address = "ann@partner.example".parse().unwrap();
    let account = invited_account(&crate::world::id(0xaaa), &address);
    assert_eq!(misfit(&account, &address, &[]), None);
    let of_the_tenant = Account {
        created_by_invitation: false,
        user_principal_name: "ann@acme.example".to_owned(),
        ..account.clone()
    };
    assert_eq!(
        misfit(&of_the_tenant, &address, &[]).as_deref(),
        Some("does not come from an invitation")
    );
    assert_eq!(
        misfit(&account, &address, &["ann@partner.example".to_owned()]).as_deref(),
        Some("is protected")
    );
    assert_eq!(
        misfit(&account, &"eve@partner.example".parse().unwrap(), &[]).as_deref(),
        Some("does not have the address eve@partner.example")
    );
    let mut of_somebody_else =
        invited_account(&account.id, &"eve@partner.example".parse().unwrap());
    of_somebody_else.other_mails.push(address.to_string());
    assert_eq!(
        misfit(&of_somebody_else, &address, &[]).as_deref(),
        Some("has ann@partner.example only beside its own address")
    );
}

/// An invited account may be called by its address or by that of the tenant, and may be given its address by `mail` alone.
#[test]
fn an_invited_account_is_known_by_its_mail_or_its_name() {
    let known_by = |change: fn(&mut Account)| {
        after(INVITE, |now| {
            let address = "ann@partner.example".parse().unwrap();
            let mut account = invited_account(&crate::world::id(0xaaa), &address);
            change(&mut account);
            now.accounts.insert(account.id.clone(), account);
        })
    };
    let by_mail = |account: &mut Account| {
        account.user_principal_name = "other_x.example#EXT#@acme.onmicrosoft.com".to_owned();
    };
    let by_name = |account: &mut Account| account.mail = None;
    assert_eq!(known_by(by_mail), "finish the invitation");
    assert_eq!(known_by(by_name), "finish the invitation");
}

#[test]
fn the_order_of_the_changes_is_that_of_the_design() {
    let ranks: Vec<_> = world()
        .plan()
        .changes
        .iter()
        .map(|change| match change {
            Change::Invite(_) => 1,
            Change::Update(_) => 2,
            Change::Add(_) => 3,
            Change::Remove(_) => 4,
        })
        .collect();
    assert_eq!(ranks, [1, 2, 3, 3, 4]);
}

#[test]
fn of_several_who_are_left_as_they_are_the_problem_of_the_first_is_said() {
    let said = after(ADD_INVITED, |world| {
        world.settings.users.unverified_email = UnverifiedPolicy::Skip;
        let address = world.person("ann").email.clone();
        world.person("ann").email_verified = false;
        let zoe = world.person("zoe");
        zoe.email = address;
        zoe.email_verified = false;
        world.join("zoe", "/team");
    });
    assert_eq!(
        said,
        "Conflict: Ann Example (ann) has the address ann@partner.example, which Keycloak has not verified"
    );
}

#[test]
fn whoever_has_an_account_is_found_by_it_whatever_else_stands_about_them() {
    // The account of somebody who is left as they are is nobody's.
    let said = after(UPDATE, |world| {
        let address = world.person("p1").email.clone();
        world.person("zoe").email = address;
        world.join("zoe", "/team");
    });
    assert_eq!(
        said,
        "Conflict: it is not clear any more whose account this is; plan again to see the problem"
    );
}
