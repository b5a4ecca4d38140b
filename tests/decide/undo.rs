//! How a run is taken back: exactly what it did, as far as nobody has changed it since.

use std::collections::BTreeMap;

use keycloak_to_azure::model::{ObjectId, UserType};
use keycloak_to_azure::plan::{
    Add, BlockCode, Change, Federation, FederationSource, FieldChange, Fields, Plan, PlanKind,
    Problem, ProblemCode, RemovalReason, Remove,
};
use keycloak_to_azure::plan_file::{from_bytes, to_bytes};
use keycloak_to_azure::report::{Outcome, Report, Run, Write};
use keycloak_to_azure::settings::{Limit, Limits};
use keycloak_to_azure::snapshot::Account;
use keycloak_to_azure::undo::{Present, choose_run, undo};
use proptest::prelude::*;

use crate::carry_out::apply_and_report;
use crate::generate::world;
use crate::properties::config;
use crate::world::{World, changes, codes, empty, team_of};

/// Carries out the plan of a world, and returns the world then and the report of the run.
fn carried_out(world: &World) -> (World, Run) {
    let plan = world.plan();
    assert!(!plan.is_blocked(), "{:?}", plan.blocks);
    apply_and_report(&plan, world)
}

fn outcomes(run: &Run) -> Vec<(Outcome, &str)> {
    let outcomes = run.outcomes.iter().map(|reported| &reported.outcome);
    outcomes
        .map(|outcome| (outcome.outcome, outcome.message.as_str()))
        .collect()
}

/// One who joins, one who leaves, one whose names and type are updated, one who is invited.
fn every_kind() -> World {
    let mut world = team_of(6);
    for username in ["ann", "ivo"] {
        world.person(username);
        world.join(username, "/team");
    }
    world.account("ann");
    world.leave("p0", "/team");
    let account = world.account("p1");
    account.surname = Some("Old".to_owned());
    account.given_name = None;
    account.user_type = Some(UserType::Guest);
    world
}

/// Everybody who is in the groups, and the accounts, without one that was invited in between.
fn entra_without(
    world: &World,
    invited: &[ObjectId],
) -> (BTreeMap<ObjectId, Account>, Vec<Vec<ObjectId>>) {
    let accounts = world.accounts.iter();
    let accounts = accounts
        .filter(|(id, _)| !invited.contains(id))
        .map(|(id, account)| (id.clone(), account.clone()));
    let groups = world.azure.values();
    let members = groups.map(|group| group.members.iter().cloned().collect());
    (accounts.collect(), members.collect())
}

fn invited_by(run: &Run) -> Vec<ObjectId> {
    let steps = run.steps.iter();
    steps
        .filter(|step| step.write == Write::Invited)
        .filter_map(|step| step.account.id.clone())
        .collect()
}

#[test]
fn what_a_run_did_is_taken_back_and_its_invitation_is_listed() {
    let before = every_kind();
    let (after, run) = carried_out(&before);
    let plan = after.undo(&run);
    assert_eq!(
        changes(&plan),
        [
            "update p1@partner.example",
            "add p0@partner.example acme-team",
            "remove ann@partner.example acme-team Undo",
            "remove ivo@partner.example acme-team Undo",
        ]
    );
    assert_eq!(codes(&plan), [ProblemCode::InvitationNotUndone]);
    let Change::Update(update) = &plan.changes[0] else {
        panic!("{plan:?}")
    };
    let Fields {
        given_name,
        surname,
        ..
    } = &update.fields;
    assert_eq!(given_name.as_ref().unwrap().after, None);
    assert_eq!(surname.as_ref().unwrap().after.as_deref(), Some("Old"));
    let (undone, of_undo) = apply_and_report(&plan, &after);
    assert!(
        outcomes(&of_undo)
            .iter()
            .all(|(outcome, _)| *outcome == Outcome::Done),
        "{:?}",
        outcomes(&of_undo)
    );
    let invited = invited_by(&run);
    assert_eq!(invited.len(), 1);
    assert_eq!(
        entra_without(&undone, &invited),
        entra_without(&before, &invited)
    );
    // The next plan wants it all again, but for the invitation.
    let again = undone.plan();
    assert_eq!(again.summary.invite, 0);
    assert_eq!(
        (
            again.summary.update,
            again.summary.add,
            again.summary.remove
        ),
        (1, 2, 1)
    );
}

#[test]
fn what_is_as_before_already_is_done_and_what_is_otherwise_is_left_alone() {
    let (after, run) = carried_out(&every_kind());
    let plan = after.undo(&run);

    let mut drifted = after.clone();
    // p0 is back already, and p1 got another name; ann is out already.
    let p0 = id_of(&after, "p0");
    let ann = id_of(&after, "ann");
    let p1 = id_of(&after, "p1");
    let group = drifted.azure.values_mut().next().unwrap();
    group.members.insert(p0);
    group.members.remove(&ann);
    drifted.accounts.get_mut(&p1).unwrap().surname = Some("Third".to_owned());

    let (_, of_undo) = apply_and_report(&plan, &drifted);
    let mut outcomes: Vec<_> = of_undo
        .outcomes
        .iter()
        .map(|reported| (reported.outcome.change, reported.outcome.outcome))
        .collect();
    outcomes.sort_unstable();
    assert_eq!(
        outcomes,
        [
            (1, Outcome::Conflict),
            (2, Outcome::AlreadyDone),
            (3, Outcome::AlreadyDone),
            (4, Outcome::Done),
        ]
    );
    // A plan made then leaves out what is so, and says what it leaves alone.
    let fresh = drifted.undo(&run);
    assert_eq!(
        changes(&fresh),
        ["remove ivo@partner.example acme-team Undo"]
    );
    assert_eq!(fresh.summary.unchanged, 2);
    assert_eq!(
        codes(&fresh),
        [
            ProblemCode::InvitationNotUndone,
            ProblemCode::ChangedSinceRun
        ]
    );
}

#[test]
fn an_account_that_is_gone_protected_another_s_or_mastered_elsewhere_is_left_alone() {
    type Drift = fn(&mut World, &ObjectId);
    let drifts: [(&str, Drift); 4] = [
        ("does not exist any more", |world, id| {
            world.accounts.remove(id);
        }),
        ("is protected", |world, id| {
            world.settings.protected = vec![id.to_string()];
        }),
        ("does not have the address", |world, id| {
            let account = world.accounts.get_mut(id).unwrap();
            let other = "other@partner.example".to_owned();
            account.mail = Some(other.clone());
            account.other_mails.clear();
            account.proxy_addresses.clear();
            account.user_principal_name = "other_partner.example#EXT#@acme.example".to_owned();
        }),
        ("on-premises", |world, id| {
            world.accounts.get_mut(id).unwrap().on_premises = true;
        }),
    ];
    for (reason, drift) in drifts {
        let (after, run) = carried_out(&every_kind());
        let plan = after.undo(&run);
        let mut drifted = after.clone();
        let p1 = id_of(&after, "p1");
        drift(&mut drifted, &p1);
        let (end, of_undo) = apply_and_report(&plan, &drifted);
        let update = outcomes(&of_undo)
            .into_iter()
            .find(|(outcome, _)| *outcome == Outcome::Conflict);
        let (_, message) = update.unwrap_or_else(|| panic!("{reason}: {of_undo:?}"));
        assert!(message.contains(reason), "{message}");
        assert_eq!(end.accounts.get(&p1), drifted.accounts.get(&p1));
        // A plan made then says so, or names the account as it is known now.
        let fresh = drifted.undo(&run);
        let of_p1 = |problem: &&Problem| problem.code == ProblemCode::ChangedSinceRun;
        match fresh.problems.iter().find(of_p1) {
            Some(problem) => assert!(problem.message.contains(reason), "{problem:?}"),
            None => assert_eq!(changes(&fresh)[0], "update other@partner.example"),
        }
    }
}

#[test]
fn a_group_that_is_gone_renamed_or_not_managed_any_more_is_left_alone() {
    type Drift = fn(&mut World);
    let drifts: [(&str, Drift); 3] = [
        ("does not exist any more", |world| world.azure.clear()),
        ("is called", |world| {
            world.azure.values_mut().next().unwrap().name = "other".to_owned();
        }),
        ("cannot be managed", |world| {
            world.azure.values_mut().next().unwrap().dynamic = true;
        }),
    ];
    for (reason, drift) in drifts {
        let (after, run) = carried_out(&every_kind());
        let plan = after.undo(&run);
        let mut drifted = after.clone();
        drift(&mut drifted);
        let (end, of_undo) = apply_and_report(&plan, &drifted);
        let conflicts: Vec<_> = outcomes(&of_undo)
            .into_iter()
            .filter(|(outcome, message)| *outcome == Outcome::Conflict && message.contains(reason))
            .collect();
        assert_eq!(conflicts.len(), 3, "{reason}: {of_undo:?}");
        assert!(of_undo.steps.iter().all(|step| step.group.is_none()));
        assert_eq!(end.azure, drifted.azure);
    }
}

#[test]
fn the_limits_hold_for_what_is_taken_back() {
    let mut world = team_of(10);
    for number in 0..6 {
        let username = format!("new{number}");
        world.person(&username);
        world.join(&username, "/team");
        world.account(&username);
    }
    let (mut after, run) = carried_out(&world);
    after.settings.limits = Limits {
        removals: Limit::AtMost(5),
        removals_percent: Limit::AtMost(20),
        invitations: Limit::Off,
    };
    let plan = after.undo(&run);
    assert_eq!(plan.summary.remove, 6);
    assert_eq!(plan.blocks.len(), 1);
    assert_eq!(plan.blocks[0].code, BlockCode::TooManyRemovals);
    assert_eq!(plan.blocks[0].flag, "--max-removals 6");
    // One that holds the block back by hand does not get it past a stricter configuration.
    let unblocked = Plan {
        blocks: Vec::new(),
        ..plan
    };
    let (end, of_undo) = apply_and_report(&unblocked, &after);
    assert_eq!(end.azure, after.azure);
    assert!(
        outcomes(&of_undo)
            .iter()
            .all(|(outcome, _)| *outcome == Outcome::Conflict)
    );

    after.overrides.max_removals = Some(Limit::AtMost(6));
    let lifted = after.undo(&run);
    assert!(lifted.blocks.is_empty());
    let (end, _) = apply_and_report(&lifted, &after);
    assert_eq!(end.azure, world.azure);
}

#[test]
fn a_group_keeps_its_last_member_unless_its_mappings_allow_otherwise() {
    let mut world = team_of(0);
    world.person("ann");
    world.join("ann", "/team");
    world.account("ann");
    let (mut after, run) = carried_out(&world);
    let blocked = after.undo(&run);
    assert_eq!(blocked.blocks[0].code, BlockCode::WouldEmptyGroup);
    assert_eq!(blocked.blocks[0].flag, "--allow-empty acme-team");
    let mut allowed = after.clone();
    allowed.settings.mappings[0].allow_empty = true;
    assert!(allowed.undo(&run).blocks.is_empty());
    after.overrides.allow_empty.insert("acme-team".to_owned());
    assert!(after.undo(&run).blocks.is_empty());
}

#[test]
fn who_names_a_group_by_its_id_does_not_mean_one_that_is_called_so_when_a_run_is_taken_back() {
    let id_of_another = "00000000-0000-4000-8000-0000000000ff";
    let mut world = empty();
    world.map("/team", id_of_another);
    world.person("ann");
    world.join("ann", "/team");
    world.account("ann");
    let (mut after, run) = carried_out(&world);
    after.settings.mappings[0].allow_empty = true;
    after.overrides.allow_empty = [id_of_another.to_owned()].into();
    let blocked = after.undo(&run);
    let id = &after.azure[id_of_another].id;
    assert_eq!(blocked.blocks[0].flag, format!("--allow-empty {id}"));
    after.overrides.allow_empty = [id.to_string()].into();
    assert!(after.undo(&run).blocks.is_empty());
}

#[test]
fn who_is_not_added_back_is_not_removed_elsewhere() {
    // Ann moved from one group to the other; the first is dynamic now, so she cannot move back.
    let mut world = team_of(3);
    world.map("/ops", "acme-ops");
    world.member_on_both_sides("olga", "/ops", "acme-ops");
    world.person("ann");
    world.join("ann", "/ops");
    world.account("ann");
    let ann = id_of(&world, "ann");
    world.add_member(&ann, "acme-team");
    let (mut after, run) = carried_out(&world);
    let plan = after.undo(&run);
    assert_eq!((plan.summary.add, plan.summary.remove), (1, 1));
    for group in after.azure.values_mut() {
        group.dynamic = group.name == "acme-team";
    }
    let (end, of_undo) = apply_and_report(&plan, &after);
    assert_eq!(end.azure, after.azure);
    assert!(
        outcomes(&of_undo)
            .iter()
            .any(|(outcome, _)| *outcome == Outcome::NotAttempted)
    );
}

#[test]
fn a_group_that_is_not_mapped_any_more_is_taken_back_and_pointed_out() {
    let (mut after, run) = carried_out(&every_kind());
    let before = after.undo(&run);
    after.settings.mappings.clear();
    let plan = after.undo(&run);
    assert_eq!(plan.changes, before.changes);
    assert_eq!(
        codes(&plan),
        [
            ProblemCode::InvitationNotUndone,
            ProblemCode::GroupNotMapped
        ]
    );
}

#[test]
fn a_group_is_pointed_out_for_itself_and_not_for_another_of_its_name() {
    let mut world = team_of(3);
    for (path, handle) in [("/a", "a"), ("/b", "b")] {
        world.map(path, handle);
        world.member_on_both_sides("olga", path, handle);
        world.call(handle, "acme");
        world.join("p0", path);
    }
    let (mut after, run) = carried_out(&world);
    after
        .settings
        .mappings
        .retain(|mapping| mapping.keycloak.as_str() != "/a");
    let plan = after.undo(&run);
    assert_eq!(codes(&plan), [ProblemCode::GroupNotMapped]);
    after
        .settings
        .mappings
        .retain(|mapping| mapping.keycloak.as_str() != "/b");
    assert_eq!(codes(&after.undo(&run)), [ProblemCode::GroupNotMapped; 2]);
    let (_, of_undo) = apply_and_report(&plan, &after);
    for reported in &of_undo.outcomes {
        let told = &plan.problems[0].about.group;
        let is_told = &reported.group == told;
        let expected = if is_told {
            Outcome::Done
        } else {
            Outcome::Conflict
        };
        assert_eq!(reported.outcome.outcome, expected);
    }
    assert_eq!(of_undo.outcomes.len(), 2);
}

#[test]
fn a_run_that_was_cut_off_is_said_to_be() {
    let (after, mut run) = carried_out(&every_kind());
    run.end = None;
    run.outcomes.pop();
    assert!(codes(&after.undo(&run)).contains(&ProblemCode::RunCutOff));
}

#[test]
fn a_plan_that_was_carried_out_in_several_attempts_is_taken_back_in_as_many() {
    let (after, run) = carried_out(&every_kind());
    let called = |digit: char, edit: fn(&mut Run)| {
        let mut other = run.clone();
        let id = &mut other.start.run_id;
        id.replace_range(..8, &digit.to_string().repeat(8));
        edit(&mut other);
        other
    };
    let attempts = [
        called('1', |_| {}),
        called('2', |other| other.start.dry_run = true),
        called('3', |other| {
            other.start.plan_id = format!("sha256:{}", "0".repeat(64));
        }),
        called('4', |_| {}),
        called('5', |other| {
            other.end = None;
            other.steps.clear();
            other.outcomes.clear();
        }),
    ];
    let report = Report {
        runs: attempts.to_vec(),
    };
    let said = |named: Option<&str>| {
        let choice = choose_run(&report, named).unwrap();
        let entra = after.entra();
        let overrides = after.overrides.clone();
        let undoing = undo(&choice, &Present::new(&entra, &after.settings, &overrides));
        let problems = undoing.problems.iter();
        let others = problems.filter(|problem| problem.code == ProblemCode::OtherRunNotUndone);
        let others: Vec<String> = others
            .map(|problem| {
                let id = problem.subject.split(['-', ' ']).nth(1).unwrap();
                let hint = problem.hint.as_deref().unwrap();
                let when = hint.split(" with ").next().unwrap();
                format!("{id}: {}; {when}", problem.message)
            })
            .collect();
        (choice.run.start.run_id[..8].to_owned(), others)
    };
    let wrote = "wrote for the same plan, which is not taken back here";
    let may_have = format!("may have {}", wrote.replace("wrote", "written"));
    let (first, last) = ("take that run back first", "take that run back next");
    // The last one was killed before anything was answered.
    assert_eq!(
        said(None),
        (
            "44444444".to_owned(),
            vec![
                format!("11111111: {wrote}; {last}"),
                format!("55555555: {may_have}; {first}"),
            ]
        )
    );
    assert_eq!(
        said(Some(&attempts[0].start.run_id)).1,
        [
            format!("44444444: {wrote}; {first}"),
            format!("55555555: {may_have}; {first}"),
        ]
    );
    assert_eq!(
        said(Some(&attempts[2].start.run_id)).1,
        Vec::<String>::new()
    );
    assert!(choose_run(&report, Some(&attempts[1].start.run_id)).is_err());
}

/// Edits by somebody who can seal a plan again: what only another kind of plan can say.
#[test]
fn a_plan_that_says_what_its_kind_cannot_is_refused() {
    type Edit = fn(&mut Plan);
    let (after, run) = carried_out(&every_kind());
    let undo = after.undo(&run);
    let sync = every_kind().plan();
    let is_accepted = |plan: &Plan, edit: Edit| {
        let mut plan = plan.clone();
        edit(&mut plan);
        from_bytes(&to_bytes(&plan.sealed()).unwrap()).is_ok()
    };
    assert!(is_accepted(&undo, |_| {}) && is_accepted(&sync, |_| {}));
    let of_undo: [Edit; 15] = [
        |plan| plan.undoes = None,
        |plan| plan.kind = PlanKind::Sync,
        |plan| plan.undoes.as_mut().unwrap().run_id = "run".to_owned(),
        |plan| plan.undoes.as_mut().unwrap().plan_id = "sha256:abc".to_owned(),
        |plan| plan.undoes.as_mut().unwrap().plan_id = format!("sha256:{}", "g".repeat(64)),
        |plan| plan.undoes.as_mut().unwrap().plan_id = "a".repeat(64),
        |plan| plan.scope = Some(Vec::new()),
        |plan| {
            plan.source.federation = Some(Federation {
                known_from: FederationSource::Declared,
                providers: Vec::new(),
            });
        },
        |plan| plan.overrides.max_invitations = Some(Limit::Off),
        |plan| plan.overrides.without_witness = ["acme-team".to_owned()].into(),
        |plan| added(plan).because = vec!["/team".parse().unwrap()],
        |plan| added(plan).account.id = None,
        |plan| removed(plan).because = RemovalReason::Disabled,
        |plan| updated(plan).display_name = updated(plan).surname.clone().map(taken_away),
        // Who is added back is an account.
        |plan| {
            add_again(plan, |again| {
                again.account.email = "eve@evil.example".parse().unwrap();
            });
        },
    ];
    for (number, edit) in of_undo.into_iter().enumerate() {
        assert!(!is_accepted(&undo, edit), "edit {number} of an undo");
    }
    let of_sync: [Edit; 7] = [
        |plan| plan.kind = PlanKind::Undo,
        |plan| added(plan).because.clear(),
        |plan| removed(plan).because = RemovalReason::Undo,
        |plan| updated(plan).given_name = updated(plan).surname.clone().map(taken_away),
        |plan| updated(plan).surname = updated(plan).surname.clone().map(taken_away),
        |plan| updated(plan).user_type.as_mut().unwrap().after = None,
        // Who is added is a person.
        |plan| {
            add_again(plan, |again| {
                again.account.id = Some(crate::world::id(0xbad));
            });
        },
    ];
    for (number, edit) in of_sync.into_iter().enumerate() {
        assert!(!is_accepted(&sync, edit), "edit {number} of a plan");
    }
    // What Entra lets be absent, an undo may take away.
    assert!(is_accepted(&undo, |plan| updated(plan).surname =
        updated(plan).surname.clone().map(taken_away)));
}

/// Adds somebody a second time, called differently.
fn add_again(plan: &mut Plan, call: fn(&mut Add)) {
    let mut again = added(plan).clone();
    call(&mut again);
    let is_addition = |change: &Change| matches!(change, Change::Add(_));
    let at = plan.changes.iter().position(is_addition).unwrap();
    plan.changes.insert(at, Change::Add(again));
    plan.summary.add += 1;
}

fn taken_away(change: FieldChange<String>) -> FieldChange<String> {
    FieldChange {
        after: None,
        ..change
    }
}

fn added(plan: &mut Plan) -> &mut Add {
    let mut changes = plan.changes.iter_mut();
    changes
        .find_map(|change| match change {
            Change::Add(add) if add.account.id.is_some() => Some(add),
            _ => None,
        })
        .unwrap()
}

fn removed(plan: &mut Plan) -> &mut Remove {
    let mut changes = plan.changes.iter_mut();
    changes
        .find_map(|change| match change {
            Change::Remove(remove) => Some(remove),
            _ => None,
        })
        .unwrap()
}

fn updated(plan: &mut Plan) -> &mut Fields {
    let mut changes = plan.changes.iter_mut();
    changes
        .find_map(|change| match change {
            Change::Update(update) => Some(&mut update.fields),
            _ => None,
        })
        .unwrap()
}

fn id_of(world: &World, username: &str) -> ObjectId {
    let address = format!("{username}@partner.example");
    let mut accounts = world.accounts.values();
    let account = accounts.find(|account| account.mail.as_deref() == Some(&address));
    account.unwrap().id.clone()
}

proptest! {
    #![proptest_config(config(1_000))]

    #[test]
    fn undoing_a_run_brings_back_what_was_and_undoing_that_brings_back_what_is(world in world()) {
        let mut world = world;
        world.settings.limits = Limits {
            removals: Limit::Off,
            removals_percent: Limit::Off,
            invitations: Limit::Off,
        };
        world.overrides.max_removals = None;
        world.overrides.max_removals_percent = None;
        world.overrides.max_invitations = None;
        for mapping in &mut world.settings.mappings {
            mapping.allow_empty = true;
        }
        let plan = world.plan();
        prop_assert!(!plan.is_blocked());
        let (after, run) = apply_and_report(&plan, &world);
        let undo = after.undo(&run);
        prop_assert!(!undo.is_blocked(), "{:?}", undo.blocks);
        prop_assert_eq!(from_bytes(&to_bytes(&undo).unwrap()), Ok(undo.clone()));
        let restorable = !codes(&undo).contains(&ProblemCode::ValueNotRestorable);
        // Nobody drifted; only whom no address names is left to be added by hand.
        let changed = undo.problems.iter().filter(|problem| problem.code == ProblemCode::ChangedSinceRun);
        let mut nameless = changed.clone().map(|problem| problem.message.as_str());
        prop_assert!(nameless.all(|message| message == "has no address that the plan could name"), "{:?}", undo.problems);
        let restorable = restorable && changed.count() == 0;
        let (undone, of_undo) = apply_and_report(&undo, &after);
        for (outcome, message) in outcomes(&of_undo) {
            prop_assert_eq!(outcome, Outcome::Done, "{}", message);
        }
        let invited = invited_by(&run);
        if restorable {
            prop_assert_eq!(entra_without(&undone, &invited), entra_without(&world, &invited));
        }
        // Applied again, it finds everything done.
        let (same, again) = apply_and_report(&undo, &undone);
        prop_assert_eq!(entra_without(&same, &[]), entra_without(&undone, &[]));
        prop_assert!(again.steps.is_empty());
        // The undo is undone like any other run.
        let redo = undone.undo(&of_undo);
        let (redone, _) = apply_and_report(&redo, &undone);
        if restorable {
            prop_assert_eq!(entra_without(&redone, &[]), entra_without(&after, &[]));
        }
    }
}
