//! Laws that hold in every world, shown on generated ones.

use std::collections::BTreeSet;

use clap::Parser;
use keycloak_to_azure::cli::{Cli, Command};
use keycloak_to_azure::group_names::name_groups;
use keycloak_to_azure::matching::invitation_obstacle;
use keycloak_to_azure::model::{Address, ObjectId};
use keycloak_to_azure::plan::{
    Add, BlockCode, Change, FederationSource, Invite, Overrides, Plan, ProblemCode, RemovalReason,
    Remove, Update,
};
use keycloak_to_azure::plan_file::{from_bytes, to_bytes};
use keycloak_to_azure::removal::Proofs;
use keycloak_to_azure::report::Outcome;
use keycloak_to_azure::settings::{FederationSetting, Limit, Limits, RemovalPolicy, UpdatePolicy};
use keycloak_to_azure::snapshot::{EntraGroup, Person};
use keycloak_to_azure::verify::{Verdict, verify};
use proptest::prelude::*;

use crate::carry_out::apply;
use crate::generate::{Trouble, drift, trouble, world};
use crate::oracle::{self, Clarity};
use crate::world::{World, turn};

/// Whether a plan knows of fewer user federations than an earlier one. Only of those that the realm itself names none is forgotten.
fn knows_fewer_providers(next: &Plan, earlier: &Plan) -> bool {
    let providers = |plan: &Plan| {
        let federation = plan.source.federation.as_ref();
        federation.map_or(0, |federation| federation.providers.len())
    };
    let is_fewer = providers(next) < providers(earlier);
    let known_from = |plan: &Plan| Some(plan.source.federation.as_ref()?.known_from);
    assert!(!is_fewer || known_from(earlier) == Some(FederationSource::Seen));
    is_fewer
}

/// Whether a change is a removal that an earlier plan held. Of a federation that nobody but somebody who has gone told of, nothing is known
/// any more: what waited for a witness of it waits no longer.
fn has_waited(change: &Change, earlier: &Plan) -> bool {
    let Change::Remove(remove) = change else {
        return false;
    };
    earlier.problems.iter().any(|problem| {
        problem.code == ProblemCode::RemovalNotConfirmed
            && problem.about.account.as_ref() == Some(&remove.account.id)
            && problem.about.group.as_ref() == Some(&remove.group)
    })
}

/// Enough for a law to be tried on rare worlds too. `PROPTEST_CASES` sets another number, as the mutation tests do.
pub fn config(cases: u32) -> ProptestConfig {
    let set = std::env::var("PROPTEST_CASES").ok();
    ProptestConfig {
        cases: set.and_then(|cases| cases.parse().ok()).unwrap_or(cases),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config(2_000))]

    #[test]
    fn after_a_plan_is_carried_out_the_next_one_is_empty(world in world()) {
        let plan = world.plan();
        if !plan.is_blocked() {
            let mut after = world.clone();
            after.carry_out(&plan.changes);
            let next = after.plan();
            if knows_fewer_providers(&next, &plan) {
                prop_assert!(next.changes.iter().all(|change| has_waited(change, &plan)), "{:?}", next.changes);
                return Ok(());
            }
            prop_assert_eq!(&next.changes, &Vec::new());
            prop_assert!(!next.is_blocked());
            let wanted: usize = plan.groups.iter().map(|group| group.members_after).sum();
            let reached: usize = next.groups.iter().map(|group| group.members_before).sum();
            prop_assert_eq!(wanted, reached);
        }
    }

    #[test]
    fn a_plan_depends_neither_on_the_order_of_what_is_read_nor_on_that_of_the_mappings_nor_on_what_is_said_twice(
        world in world(),
        seed in any::<usize>(),
    ) {
        let mut shuffled = world.clone();
        let mappings = &mut shuffled.settings.mappings;
        turn(mappings, seed);
        mappings.extend(mappings.first().cloned());
        turn(&mut shuffled.settings.protected, seed);
        if let Some(scope) = &mut shuffled.scope {
            turn(scope, seed);
        }
        let mut plan = shuffled.plan_shuffled(seed);
        plan.scope.clone_from(&world.scope);
        prop_assert_eq!(plan, world.plan());
    }

    #[test]
    fn exactly_those_are_invited_and_added_whom_a_mapping_wants(world in world()) {
        let plan = world.plan();
        let clarity = oracle::clarity(&world);
        let wanted = Wanted::of(&world, &clarity);
        let invited: BTreeSet<_> = invites(&plan).map(|invite| invite.email.to_string()).collect();
        let added: BTreeSet<_> = adds(&plan)
            .map(|add| (add.group.id.clone(), add.account.email.to_string(), add.account.id.clone()))
            .collect();
        prop_assert!(invited.is_subset(&wanted.invitations), "{:?} of {:?}", invited, wanted.invitations);
        prop_assert!(added.is_subset(&wanted.additions), "{:?} of {:?}", added, wanted.additions);
        for email in wanted.invitations.difference(&invited) {
            prop_assert!(wanted.unsure.contains(email), "{} is not invited", email);
        }
        for add in wanted.additions.difference(&added) {
            prop_assert!(wanted.unsure.contains(&add.1), "{:?} is not added", add);
        }
        // Each once, and for the reason that is given.
        prop_assert_eq!(added.len(), plan.summary.add);
        prop_assert_eq!(invited.len(), plan.summary.invite);
        for add in adds(&plan) {
            let because: BTreeSet<_> = add.because.iter().map(ToString::to_string).collect();
            let person = world.people.values().find(|person| {
                oracle::counts(&world, person)
                    && !clarity.people.contains(&person.username)
                    && oracle::address_in_entra(&world, person).as_deref() == Some(add.account.email.as_str())
                    && oracle::is_in(&world, &person.username, &add.group.id)
            }).unwrap();
            let paths: BTreeSet<_> = oracle::paths_of(&world, &person.username, &add.group.id).map(str::to_owned).collect();
            prop_assert_eq!(because, paths);
        }
    }

    #[test]
    fn nobody_is_removed_who_must_not_be(world in world()) {
        let plan = world.plan();
        for remove in removes(&plan) {
            let account = &world.accounts[&remove.account.id];
            let group = group_with(&world, &remove.group.id);
            prop_assert!(group.members.contains(&account.id));
            prop_assert!(oracle::is_managed(&world, group));
            let policy = policy_of(&world, group);
            prop_assert!(policy != RemovalPolicy::None);
            let known: Vec<&Person> = people_behind(&world, &remove.account.id).collect();
            for person in &known {
                prop_assert!(
                    !(oracle::counts(&world, person) && oracle::is_in(&world, &person.username, &group.id)),
                    "{} is removed from {}", person.username, group.name
                );
                prop_assert!(!person.is_service_account());
            }
            match remove.because {
                RemovalReason::UnknownToKeycloak => prop_assert!(known.is_empty() && policy == RemovalPolicy::All),
                RemovalReason::Disabled => prop_assert!(!known.is_empty() && known.iter().all(|person| !person.enabled)),
                RemovalReason::Undo => prop_assert!(false, "{:?}", remove),
                RemovalReason::LeftGroup => prop_assert!(known.iter().any(|person| !oracle::is_in(&world, &person.username, &group.id))),
            }
        }
    }

    #[test]
    fn whoever_nobody_knows_goes_where_there_is_no_federation(mut world in world()) {
        for person in world.people.values_mut() {
            person.provider = None;
        }
        world.components = Some(Vec::new());
        world.settings.federation = FederationSetting::Auto;
        let plan = world.plan();
        let clarity = oracle::clarity(&world);
        for group in world.azure.values() {
            let is_blocked = plan.blocks.iter().any(|block| block.group.as_ref().is_some_and(|name| name.id == group.id));
            if is_blocked || !oracle::is_managed(&world, group) || policy_of(&world, group) != RemovalPolicy::All {
                continue;
            }
            // Who is neither matched nor invited cannot be told from somebody who is not known, and may be a member under their name.
            let is_invited = |person: &Person| {
                plan.changes
                    .iter()
                    .any(|change| matches!(change, Change::Invite(invite) if invite.person.id == person.id))
            };
            let lacks_cover = |person: &Person| {
                oracle::counts(&world, person)
                    && oracle::is_in(&world, &person.username, &group.id)
                    && !clarity.owners.contains_key(&person.username)
                    && !is_invited(person)
            };
            if world.people.values().any(lacks_cover) {
                continue;
            }
            for id in &group.members {
                let account = &world.accounts[id];
                let can_be_asked_about = oracle::addresses_of(account)
                    .iter()
                    .any(|address| !address.contains("#ext#@") && address.parse::<Address>().is_ok());
                let has_to_go = can_be_asked_about
                    && people_behind(&world, id).next().is_none()
                    && !clarity.accounts.contains(id)
                    && !oracle::is_protected(&world, account);
                let goes = removes(&plan).any(|remove| remove.group.id == group.id && remove.account.id == *id);
                prop_assert!(goes || !has_to_go, "{} stays in {}", id, group.name);
            }
        }
    }

    #[test]
    fn an_account_is_changed_only_as_the_rules_say(world in world()) {
        let plan = world.plan();
        let clarity = oracle::clarity(&world);
        for update in updates(&plan) {
            let account = &world.accounts[&update.account.id];
            match world.settings.users.update {
                UpdatePolicy::None => prop_assert!(false, "{:?}", update),
                UpdatePolicy::Invited => prop_assert!(account.is_invited()),
                UpdatePolicy::All => {}
            }
            prop_assert!(!account.on_premises && !update.fields.is_empty());
            let owner = clarity.owners.iter().find(|(_, owned)| **owned == account.id);
            prop_assert!(owner.is_some_and(|(person, _)| is_wanted_in_managed_group(&world, person)));
            if let Some(change) = &update.fields.user_type {
                prop_assert_eq!(change.after, world.settings.users.user_type);
                prop_assert_eq!(change.before, account.user_type);
            }
        }
    }

    #[test]
    fn people_and_accounts_that_are_ambiguous_are_untouched_and_said(world in world()) {
        let plan = world.plan();
        let clarity = oracle::clarity(&world);
        for change in &plan.changes {
            let (email, account) = match change {
                Change::Invite(invite) => {
                    let person = world.people.values().find(|person| person.id == invite.person.id).unwrap();
                    prop_assert!(!clarity.people.contains(&person.username), "{:?}", change);
                    (invite.email.as_str(), None)
                }
                Change::Update(update) => (update.account.email.as_str(), Some(&update.account.id)),
                Change::Add(add) => (add.account.email.as_str(), add.account.id.as_ref()),
                Change::Remove(remove) => ("", Some(&remove.account.id)),
            };
            prop_assert!(!clarity.addresses.contains(email), "{:?}", change);
            prop_assert!(!account.is_some_and(|id| clarity.accounts.contains(id)), "{:?}", change);
        }
        let concerned = clarity.people.iter().filter(|person| is_wanted_in_managed_group(&world, person));
        for person in concerned {
            let person = &world.people[person];
            let address = oracle::address_in_entra(&world, person).unwrap();
            let is_said = plan.problems.iter().any(|problem| {
                let is_of_matching = matches!(
                    problem.code,
                    ProblemCode::AmbiguousAccount | ProblemCode::DuplicateEmail | ProblemCode::UnverifiedEmail
                );
                let text = oracle::folded(&format!("{} {}", problem.subject, problem.message));
                is_of_matching && (text.contains(&address) || text.contains(&person.username))
            });
            prop_assert!(is_said, "{} is not among {:?}", person.username, plan.problems);
        }
    }

    #[test]
    fn whoever_is_protected_is_untouched(world in world()) {
        let plan = world.plan();
        for change in &plan.changes {
            let account = match change {
                Change::Invite(invite) => {
                    prop_assert!(!world.settings.protected.contains(&invite.email.to_string()));
                    None
                }
                Change::Update(update) => Some(&update.account.id),
                Change::Add(add) => add.account.id.as_ref(),
                Change::Remove(remove) => Some(&remove.account.id),
            };
            prop_assert!(!account.is_some_and(|id| oracle::is_protected(&world, &world.accounts[id])), "{:?}", change);
        }
    }

    #[test]
    fn members_that_are_not_users_are_never_named(mut world in world(), number in 0..5_usize) {
        // Entra names a device or a nested group among the members, and nothing of it is among the accounts.
        let others: Vec<ObjectId> = (0..number).map(|number| crate::world::id(0xd00 + number)).collect();
        for group in world.azure.values_mut() {
            group.members.extend(others.iter().cloned());
        }
        let plan = world.plan();
        let named = serde_json::to_string(&(&plan.changes, &plan.problems)).unwrap();
        for other in &others {
            prop_assert!(!named.contains(other.as_str()));
        }
        for group in &plan.groups {
            prop_assert_eq!(group.other_members, group_with(&world, &group.azure.id).other_members);
        }
    }

    #[test]
    fn nobody_is_removed_because_answers_are_wrong(world in world(), trouble in trouble()) {
        let world = settled(world);
        let (first, second) = (trouble.as_listed(&world, false), trouble.as_listed(&world, true));
        let (looked_up, vanishing) = trouble.as_looked_up(&world);
        let mut first = first;
        first.components.clone_from(&world.components);
        let plan = first.plan_with(|request| {
            let Proofs { mut found, still_nobody, .. } = looked_up.proofs(request);
            for found in found.values_mut().flatten() {
                if vanishing.contains(&found.person.username) {
                    found.groups = None;
                }
            }
            Proofs { found, second_round: second.proofs(request).second_round, still_nobody }
        });
        for remove in removes(&plan).filter(|_| is_proof_possible(&world)) {
            for person in people_behind(&world, &remove.account.id) {
                let is_listed = [&first, &second].map(|world| oracle::is_in(world, &person.username, &remove.group.id));
                let is_shadowed = is_listed == [false; 2]
                    && !looked_up.people.contains_key(&person.username)
                    && has_visible_double(&world, person, &trouble);
                prop_assert!(
                    is_shadowed
                        || !(oracle::counts(&world, person) && oracle::is_in(&world, &person.username, &remove.group.id)),
                    "{} is removed from {}", person.username, remove.group.name
                );
            }
        }
    }

    #[test]
    fn no_group_loses_more_than_its_limit_allows_and_none_is_blocked_below_it(world in world()) {
        let plan = world.plan();
        for group in world.azure.values() {
            let removed = removes(&plan).filter(|remove| remove.group.id == group.id).count();
            let allowed = most_removals(&world, group.members.len());
            let blocked = |code| plan.blocks.iter().any(|block| {
                block.code == code && block.group.as_ref().is_some_and(|name| name.id == group.id)
            });
            let is_over = allowed.is_some_and(|allowed| removed > allowed);
            prop_assert!(!is_over || blocked(BlockCode::TooManyRemovals));
            let members: usize = group.members.len() - removed + adds(&plan).filter(|add| add.group.id == group.id).count();
            let is_emptied = removed > 0 && members == 0 && !may_be_empty(&world, group);
            prop_assert!(!is_emptied || blocked(BlockCode::WouldEmptyGroup));
            prop_assert!(!blocked(BlockCode::EmptySource) || removed == 0);
        }
        let most = world.overrides.max_invitations.unwrap_or(world.settings.limits.invitations);
        prop_assert_eq!(
            plan.blocks.iter().any(|block| block.code == BlockCode::TooManyInvitations),
            matches!(most, Limit::AtMost(most) if plan.summary.invite > most as usize)
        );
    }

    #[test]
    fn the_flag_that_a_block_names_lifts_that_block_and_nothing_else(world in world()) {
        let plan = world.plan();
        for block in &plan.blocks {
            let mut lifted = world.clone();
            lift(&mut lifted, &block.flag);
            let left = lifted.plan().blocks;
            for other in &plan.blocks {
                let is_lifted = match (block.code, other.code, &other.group) {
                    // A number holds for every group.
                    (BlockCode::TooManyRemovals, BlockCode::TooManyRemovals, Some(group)) => {
                        let members = group_with(&world, &group.id).members.len();
                        most_removals(&lifted, members).is_none_or(|most| number_in(&other.flag) <= most)
                    }
                    _ => (other.code, &other.group) == (block.code, &block.group),
                };
                let is_left = left.iter().any(|left| (left.code, &left.group) == (other.code, &other.group));
                prop_assert_eq!(is_left, !is_lifted, "{} and {:?}", block.flag, other);
                prop_assert!(is_lifted || other != block);
            }
            prop_assert!(left.len() < plan.blocks.len());
        }
    }

    #[test]
    fn a_plan_for_some_groups_holds_what_the_whole_plan_says_of_them(mut world in world()) {
        let plan = world.plan();
        if let Some(scope) = world.scope.take() {
            let whole = world.plan();
            let is_chosen = |id: &ObjectId| scope.iter().any(|mapping| mapping.azure.id == *id);
            prop_assert!(plan.groups.iter().all(|group| is_chosen(&group.azure.id)));
            for change in &plan.changes {
                match change {
                    Change::Invite(_) | Change::Update(_) | Change::Add(_) => prop_assert!(whole.changes.contains(change), "{:?}", change),
                    Change::Remove(remove) => prop_assert!(is_chosen(&remove.group.id)),
                }
            }
            for change in &whole.changes {
                let is_of_chosen = match change {
                    Change::Add(add) => is_chosen(&add.group.id),
                    Change::Remove(remove) => is_chosen(&remove.group.id),
                    Change::Invite(_) | Change::Update(_) => false,
                };
                prop_assert!(!is_of_chosen || plan.changes.contains(change), "{:?}", change);
            }
        }
    }

    #[test]
    fn a_plan_is_verified_whole_against_the_world_it_was_made_for(world in world()) {
        let plan = world.plan();
        if !plan.is_blocked() {
            let verification = world.decide(|fresh| verify(&plan, fresh));
            prop_assert!(verification.verdicts.iter().all(|verdict| matches!(verdict, Verdict::Execute(_))));
            prop_assert_eq!(verification.further_changes, 0);
        }
    }

    #[test]
    fn a_run_cut_off_anywhere_is_finished_by_the_same_plan(world in world(), cut in any::<prop::sample::Index>()) {
        let plan = world.plan();
        if !plan.is_blocked() && !plan.changes.is_empty() {
            let done = cut.index(plan.changes.len());
            let mut after = world.clone();
            after.carry_out(&plan.changes[..done]);
            let verification = after.decide(|fresh| verify(&plan, fresh));
            for verdict in &verification.verdicts[done..] {
                prop_assert!(matches!(verdict, Verdict::Execute(_)), "{:?}", verdict);
            }
            for verdict in &verification.verdicts[..done] {
                prop_assert!(matches!(verdict, Verdict::Settled(Outcome::AlreadyDone, _)), "{:?}", verdict);
            }
        }
    }

    #[test]
    fn an_apply_does_what_was_reviewed_and_is_still_wanted_and_nothing_else(world in world(), drift in drift()) {
        let plan = world.plan();
        if plan.is_blocked() {
            return Ok(());
        }
        let mut now = world;
        for event in &drift {
            event.happen(&mut now);
        }
        let fresh = now.plan();
        let (after, outcomes) = apply(&plan, &now);
        prop_assert_eq!(outcomes.len(), plan.changes.len());
        only_what_both_plans_hold(&plan, &fresh, &now, &after)?;

        let clarity = oracle::clarity(&now);
        for (id, account) in &now.accounts {
            if clarity.accounts.contains(id) || oracle::is_protected(&now, account) {
                prop_assert_eq!(account, &after.accounts[id]);
                prop_assert_eq!(groups_of(&now, id), groups_of(&after, id));
            }
        }

        let next = after.plan();
        let (again, _) = apply(&plan, &after);
        prop_assert_eq!(&again.accounts, &after.accounts);
        if knows_fewer_providers(&next, &fresh) {
            for (name, group) in &again.azure {
                prop_assert!(group.members.is_subset(&after.azure[name].members));
            }
        } else {
            prop_assert_eq!(&again.azure, &after.azure);
        }

        if !next.is_blocked() {
            let mut at_last = after;
            at_last.carry_out(&next.changes);
            let last = at_last.plan();
            if knows_fewer_providers(&last, &next) {
                prop_assert!(last.changes.iter().all(|change| has_waited(change, &next)), "{:?}", last.changes);
            } else {
                prop_assert_eq!(last.changes, Vec::new());
            }
        }
    }
}

proptest! {
    // Digests and JSON take longer than all the rest.
    #![proptest_config(config(500))]

    #[test]
    fn a_plan_survives_being_written_and_read(world in world()) {
        let plan = world.plan().sealed();
        prop_assert_eq!(from_bytes(&to_bytes(&plan).unwrap()), Ok(plan));
    }
}

fn invites(plan: &Plan) -> impl Iterator<Item = &Invite> {
    plan.changes.iter().filter_map(|change| match change {
        Change::Invite(invite) => Some(invite),
        _ => None,
    })
}

fn updates(plan: &Plan) -> impl Iterator<Item = &Update> {
    plan.changes.iter().filter_map(|change| match change {
        Change::Update(update) => Some(update),
        _ => None,
    })
}

fn adds(plan: &Plan) -> impl Iterator<Item = &Add> {
    plan.changes.iter().filter_map(|change| match change {
        Change::Add(add) => Some(add),
        _ => None,
    })
}

fn removes(plan: &Plan) -> impl Iterator<Item = &Remove> {
    plan.changes.iter().filter_map(|change| match change {
        Change::Remove(remove) => Some(remove),
        _ => None,
    })
}

fn group_with<'w>(world: &'w World, id: &ObjectId) -> &'w EntraGroup {
    world.azure.values().find(|group| group.id == *id).unwrap()
}

fn groups_of(world: &World, account: &ObjectId) -> Vec<ObjectId> {
    let groups = world.azure.values();
    groups
        .filter(|group| group.members.contains(account))
        .map(|group| group.id.clone())
        .collect()
}

/// "Where mappings of one Azure group disagree, the most careful wins."
fn policy_of(world: &World, group: &EntraGroup) -> RemovalPolicy {
    let mappings = world.settings.mappings.iter();
    let of_group = mappings.filter(|mapping| world.group_of(mapping).id == group.id);
    of_group.map(|mapping| mapping.removals).min().unwrap()
}

/// "`allow_empty` only if all say so", or an override does.
fn may_be_empty(world: &World, group: &EntraGroup) -> bool {
    let mut mappings = world.settings.mappings.iter();
    world.overrides.allow_empty.contains(&group.name)
        || world.overrides.allow_empty.contains(group.id.as_str())
        || mappings.all(|mapping| world.group_of(mapping).id != group.id || mapping.allow_empty)
}

/// "Up to `limits.removals` members or `limits.removals_percent` of them, whichever is more; a plain `0` for the first forbids both; one
/// that is `off` leaves the other to hold alone, unless it is set for the plan and the other is not."
fn most_removals(world: &World, members: usize) -> Option<usize> {
    use Limit::{AtMost, Off};
    let (limits, overrides) = (&world.settings.limits, &world.overrides);
    let (set_count, set_percent) = (overrides.max_removals, overrides.max_removals_percent);
    let count = set_count.unwrap_or(limits.removals);
    let percent = set_percent.unwrap_or(limits.removals_percent);
    let share = |percent: u32| percent as usize * members / 100;
    match (count, percent) {
        (AtMost(0), _) => Some(0),
        (Off, Off) => None,
        (Off, _) if set_count.is_some() && set_percent.is_none() => None,
        (_, Off) if set_count.is_none() && set_percent.is_some() => None,
        (AtMost(count), Off) => Some(count as usize),
        (Off, AtMost(percent)) => Some(share(percent)),
        (AtMost(count), AtMost(percent)) => Some((count as usize).max(share(percent))),
    }
}

fn is_wanted_in_managed_group(world: &World, username: &str) -> bool {
    world
        .azure
        .values()
        .any(|group| oracle::is_managed(world, group) && oracle::is_in(world, username, &group.id))
}

/// Everybody in Keycloak who has one of the account's addresses, as Keycloak or as Entra knows it, however it is written.
fn people_behind<'w>(world: &'w World, account: &ObjectId) -> impl Iterator<Item = &'w Person> {
    let addresses = oracle::addresses_of(&world.accounts[account]);
    let addresses: BTreeSet<String> = addresses
        .iter()
        .map(|address| oracle::composed(address))
        .collect();
    let rewritten = |address: &str| {
        let (name, domain) = address.rsplit_once('@')?;
        let domains = world.settings.users.email_domains.iter();
        let at = |domain: &str| oracle::composed(&format!("@{domain}"));
        let mut of_domain = domains.filter(|(written, _)| at(written) == at(domain));
        Some(format!("{name}@{}", of_domain.next()?.1))
    };
    world.people.values().filter(move |person| {
        let address = oracle::address_in_keycloak(person);
        let known = [address.as_deref().and_then(rewritten), address.clone()];
        known
            .iter()
            .flatten()
            .any(|address| addresses.contains(&oracle::composed(address)))
    })
}

/// The phase of an outage in which people are asked about.
const ASKED: usize = 1;

/// Whether Keycloak shows somebody else with the person's very address. It lets two people have one only if the realm allows
/// that, or a provider does not import; whoever is found then is taken for the owner of the account, as the README says.
fn has_visible_double(world: &World, person: &Person, trouble: &Trouble) -> bool {
    let address = oracle::address_in_keycloak(person);
    world.people.values().any(|other| {
        other.username != person.username
            && oracle::address_in_keycloak(other) == address
            && !trouble.hides(world, &other.username, ASKED)
    })
}

/// The world with everybody where they belong and no limit in the way, so that whoever is removed is removed for a wrong answer.
fn settled(mut world: World) -> World {
    world.scope = None;
    world.overrides = Overrides::default();
    world.settings.limits = Limits {
        removals: Limit::Off,
        removals_percent: Limit::Off,
        invitations: Limit::Off,
    };
    for mapping in &mut world.settings.mappings {
        mapping.allow_empty = true;
    }
    let plan = world.plan();
    world.carry_out(&plan.changes);
    world
}

/// Whether the rules of proof can stand against trouble: which providers there are is known.
fn is_proof_possible(world: &World) -> bool {
    let providers: BTreeSet<_> = world
        .people
        .values()
        .filter_map(|person| person.provider.as_ref())
        .collect();
    world.components.is_some()
        || providers.is_empty()
        || providers.len() == 1 && world.settings.federation != FederationSetting::None
}

/// What the mappings want of Entra that is not there, by the design's text.
#[derive(Default)]
struct Wanted {
    invitations: BTreeSet<String>,
    additions: BTreeSet<(ObjectId, String, Option<ObjectId>)>,
    /// The addresses of people whose account also has the address of somebody who is not clear, by an attribute that does not
    /// decide: they may be left out as well.
    unsure: BTreeSet<String>,
}

impl Wanted {
    fn of(world: &World, clarity: &Clarity) -> Self {
        let mut wanted = Self::default();
        let groups: Vec<_> = world
            .azure
            .values()
            .filter(|group| oracle::is_managed(world, group))
            .collect();
        let wants = |username: &str| {
            let groups = groups.iter();
            groups
                .filter(move |group| oracle::is_in(world, username, &group.id))
                .collect::<Vec<_>>()
        };
        for (username, id) in &clarity.owners {
            let account = &world.accounts[id];
            let email = oracle::address_in_entra(world, &world.people[username]).unwrap();
            if !oracle::addresses_of(account).is_disjoint(&clarity.addresses) {
                wanted.unsure.insert(email.clone());
            }
            for group in wants(username) {
                if !group.members.contains(id) && !oracle::is_protected(world, account) {
                    wanted
                        .additions
                        .insert((group.id.clone(), email.clone(), Some(id.clone())));
                }
            }
        }
        let tenant = world.entra().tenant;
        for (username, email) in &clarity.without_account {
            let obstacle = invitation_obstacle(
                &email.parse().unwrap(),
                &tenant,
                &world.settings.invitations,
            );
            let mut protected = world.settings.protected.iter();
            let is_protected =
                protected.any(|entry| oracle::composed(entry) == oracle::composed(email));
            if obstacle.is_some() || is_protected {
                continue;
            }
            for group in wants(username) {
                wanted.invitations.insert(email.clone());
                wanted
                    .additions
                    .insert((group.id.clone(), email.clone(), None));
            }
        }
        wanted
    }
}

/// The number that a flag sets.
fn number_in(flag: &str) -> usize {
    flag.rsplit_once(' ').unwrap().1.parse().unwrap()
}

/// Sets what a flag says, as the command line takes it. A group has to be named so that it is the only one that is meant.
fn lift(world: &mut World, flag: &str) {
    let (name, value) = flag.split_once(' ').unwrap();
    let words = ["keycloak-to-azure", "plan", name, value];
    let Command::Plan(args) = Cli::try_parse_from(words).unwrap().command else {
        panic!("{flag}")
    };
    let Overrides {
        max_removals,
        max_removals_percent,
        max_invitations,
        allow_empty,
        without_witness,
    } = name_groups(
        &args.limits.overrides().unwrap(),
        &world.settings,
        &world.entra(),
    )
    .unwrap();
    let overrides = &mut world.overrides;
    overrides.max_removals = max_removals.or(overrides.max_removals);
    overrides.max_removals_percent = max_removals_percent.or(overrides.max_removals_percent);
    overrides.max_invitations = max_invitations.or(overrides.max_invitations);
    overrides.allow_empty.extend(allow_empty);
    overrides.without_witness.extend(without_witness);
}

/// Whatever a run did to Entra, the reviewed plan and the fresh one both hold it.
fn only_what_both_plans_hold(
    reviewed: &Plan,
    fresh: &Plan,
    before: &World,
    after: &World,
) -> Result<(), TestCaseError> {
    let has_address = |id: &ObjectId, email: &Address| {
        oracle::addresses_of(&after.accounts[id]).contains(email.as_str())
    };
    for (name, group) in &after.azure {
        let members = &before.azure[name].members;
        for new in group.members.difference(members) {
            let is_reviewed = |add: &&Add| {
                add.group.id == group.id
                    && match &add.account.id {
                        Some(id) => id == new,
                        None => {
                            after.accounts[new].is_invited() && has_address(new, &add.account.email)
                        }
                    }
            };
            // An account that has got the address of somebody who was to be invited may have been added for its own owner.
            let reviewed: Vec<&Add> = adds(reviewed).filter(is_reviewed).collect();
            prop_assert!(
                !reviewed.is_empty(),
                "{} was not to be added to {}",
                new,
                name
            );
            let is_wanted = |add: &Add| {
                add.group.id == group.id
                    && reviewed
                        .iter()
                        .any(|reviewed| reviewed.account.email == add.account.email)
                    && add.account.id.as_ref().is_none_or(|id| id == new)
            };
            prop_assert!(
                adds(fresh).any(is_wanted),
                "{} is not to be added to {} any more",
                new,
                name
            );
        }
        for gone in members.difference(&group.members) {
            let of = |plan: &Plan| {
                let mut removes = removes(plan);
                let remove = removes
                    .find(|remove| remove.group.id == group.id && remove.account.id == *gone)?;
                Some(remove.account.email.clone())
            };
            prop_assert!(
                of(reviewed).is_some(),
                "{} was not to be removed from {}",
                gone,
                name
            );
            prop_assert_eq!(
                of(reviewed),
                of(fresh),
                "{} is not to be removed from {} any more",
                gone,
                name
            );
        }
        let is_blocked = fresh
            .blocks
            .iter()
            .any(|block| block.group.as_ref().is_some_and(|name| name.id == group.id));
        prop_assert!(
            !is_blocked || group.members == *members,
            "{} is blocked",
            name
        );
    }
    for (id, account) in &after.accounts {
        let Some(was) = before.accounts.get(id) else {
            let invited = |plan: &Plan| {
                invites(plan)
                    .find(|invite| has_address(id, &invite.email))
                    .cloned()
            };
            prop_assert!(invited(reviewed).is_some() && invited(reviewed) == invited(fresh));
            continue;
        };
        if account == was {
            continue;
        }
        let mut expected = was.clone();
        let of_update = updates(reviewed).find(|update| update.account.id == *id);
        let of_invitation = invites(reviewed).find(|invite| has_address(id, &invite.email));
        if let Some(update) = of_update {
            let wanted = updates(fresh).find(|update| update.account.id == *id);
            prop_assert!(wanted.is_some(), "{:?} is not wanted any more", update);
            let (reviewed, wanted) = (&update.fields, &wanted.unwrap().fields);
            macro_rules! expect {
                ($($field:ident),*) => {$(
                    if let (Some(reviewed), Some(wanted)) = (&reviewed.$field, &wanted.$field) {
                        prop_assert_eq!(reviewed, wanted);
                        expected.$field = reviewed.after.clone();
                    }
                )*};
            }
            expect!(user_type, display_name, given_name, surname);
        } else if let Some(invite) = of_invitation {
            prop_assert!(was.is_invited());
            let set = invite.set.clone();
            expected.user_type = set.user_type.or(expected.user_type);
            for (set, place) in [
                (set.display_name, &mut expected.display_name),
                (set.given_name, &mut expected.given_name),
                (set.surname, &mut expected.surname),
            ] {
                // A name that only looks different is left as it is.
                let is_same = |set: &String| {
                    place.as_deref().is_some_and(|has| {
                        keycloak_to_azure::matching::comparable(has)
                            == keycloak_to_azure::matching::comparable(set)
                    })
                };
                if let Some(set) = set.filter(|set| !is_same(set)) {
                    *place = Some(set);
                }
            }
        }
        prop_assert_eq!(&expected, account);
    }
    Ok(())
}
