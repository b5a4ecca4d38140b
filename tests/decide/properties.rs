//! Laws that hold in every world, shown on generated ones.

use std::collections::BTreeSet;

use keycloak_to_azure::model::UserType;
use keycloak_to_azure::plan::{Change, Plan};
use keycloak_to_azure::settings::{
    DisabledPolicy, Limit, RemovalPolicy, UnverifiedPolicy, UpdatePolicy,
};
use keycloak_to_azure::snapshot::FederationProvider;
use keycloak_to_azure::verify::{Verdict, verify};
use proptest::prelude::*;

use crate::world::{World, empty};

/// What a generated person is like.
#[derive(Debug, Clone)]
struct Somebody {
    email: Option<String>,
    first_name: Option<String>,
    enabled: bool,
    verified: bool,
    from_ldap: bool,
    groups: Vec<usize>,
    /// What their account is like, if there is one: which groups, invited, user type, on premises.
    account: Option<(Vec<usize>, bool, bool, bool)>,
    other_mail: Option<usize>,
}

const KEYCLOAK_GROUPS: [&str; 4] = ["/a", "/a/sub", "/b", "/c"];
const AZURE_GROUPS: [&str; 3] = ["A", "B", "C"];

fn somebody() -> impl Strategy<Value = Somebody> {
    let email = prop_oneof![
        6 => "[a-f]{1,2}@(partner|other)\\.example".prop_map(Some),
        1 => "[A-F]{1,2}@PARTNER\\.example".prop_map(Some),
        1 => prop::sample::select(vec!["", "  ", "x", "a+b@partner.example", "é@partner.example", "a@acme.example"]).prop_map(|e| Some(e.to_owned())),
        1 => Just(None),
    ];
    let name = prop_oneof![
        4 => "[A-Z][a-z]{0,8}".prop_map(Some),
        1 => prop::sample::select(vec![" ", "e\u{301}", "é", "a  b", "\u{200b}x", "x\u{202e}y"]).prop_map(|n| Some(n.to_owned())),
        1 => Just(None),
        1 => Just(Some("x".repeat(300))),
    ];
    let groups = prop::collection::vec(0..KEYCLOAK_GROUPS.len(), 0..3);
    let memberships = prop::collection::vec(0..AZURE_GROUPS.len(), 0..3);
    let account = prop::option::of((
        memberships,
        prop::bool::weighted(0.8),
        any::<bool>(),
        prop::bool::weighted(0.1),
    ));
    (
        email,
        name,
        prop::bool::weighted(0.8),
        prop::bool::weighted(0.8),
        prop::bool::weighted(0.3),
        groups,
        account,
        prop::option::weighted(0.1, 0..12_usize),
    )
        .prop_map(
            |(email, first_name, enabled, verified, from_ldap, groups, account, other_mail)| {
                Somebody {
                    email,
                    first_name,
                    enabled,
                    verified,
                    from_ldap,
                    groups,
                    account,
                    other_mail,
                }
            },
        )
}

prop_compose! {
    fn world()(
        people in prop::collection::vec(somebody(), 0..12),
        mappings in prop::collection::vec((0..KEYCLOAK_GROUPS.len(), 0..AZURE_GROUPS.len(), any::<bool>(), 0..3_usize, any::<bool>()), 1..5),
        known_federation in any::<bool>(),
        (disabled_kept, unverified_skipped, update_all, lifted) in (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>()),
        obstacle in prop::option::weighted(0.2, 0..4_usize),
        protected in prop::option::weighted(0.3, 0..12_usize),
    ) -> World {
        let mut world = empty();
        for path in KEYCLOAK_GROUPS {
            world.groups.entry(path.to_owned()).or_default();
        }
        let mut mapped = BTreeSet::new();
        for (keycloak, azure, subgroups, removals, allow_empty) in mappings {
            if mapped.insert((keycloak, azure)) {
                let mapping = world.map(KEYCLOAK_GROUPS[keycloak], AZURE_GROUPS[azure]);
                mapping.subgroups = subgroups;
                mapping.removals = [RemovalPolicy::All, RemovalPolicy::Known, RemovalPolicy::None][removals];
                mapping.allow_empty = allow_empty;
            }
        }
        let settings = &mut world.settings;
        settings.users.disabled = if disabled_kept { DisabledPolicy::Keep } else { DisabledPolicy::Remove };
        settings.users.unverified_email = if unverified_skipped { UnverifiedPolicy::Skip } else { UnverifiedPolicy::Allow };
        settings.users.update = if update_all { UpdatePolicy::All } else { UpdatePolicy::Invited };
        if lifted {
            settings.limits.removals = Limit::Off;
        }
        if let Some(number) = protected {
            settings.protected = vec![format!("p{number}@partner.example")];
        }
        let ldap = FederationProvider { id: "ldap".parse().unwrap(), name: "LDAP".to_owned() };
        world.components = if people.iter().any(|person| person.from_ldap) {
            known_federation.then(|| vec![ldap])
        } else {
            known_federation.then(Vec::new)
        };
        for (number, somebody) in people.into_iter().enumerate() {
            let name = format!("p{number}");
            let person = world.person(&name);
            person.email = somebody.email.clone().filter(|email| !email.trim().is_empty());
            person.first_name = somebody.first_name;
            person.enabled = somebody.enabled;
            person.email_verified = somebody.verified;
            person.provider = somebody.from_ldap.then(|| "ldap".parse().unwrap());
            for group in somebody.groups {
                world.join(&name, KEYCLOAK_GROUPS[group]);
            }
            if let Some((memberships, invited, member, on_premises)) = somebody.account {
                let account = world.account(&name);
                if let Some(email) = somebody.email {
                    account.mail = Some(email);
                }
                if let Some(other) = somebody.other_mail {
                    account.other_mails = vec![format!("p{other}@partner.example")];
                }
                account.created_by_invitation = invited;
                account.user_type = Some(if member { UserType::Member } else { UserType::Guest });
                account.on_premises = on_premises;
                let id = account.id.clone();
                for group in memberships {
                    if world.azure.contains_key(AZURE_GROUPS[group]) {
                        world.add_member(&id, AZURE_GROUPS[group]);
                    }
                }
            }
        }
        if let (Some(kind), Some(group)) = (obstacle, world.azure.values_mut().next()) {
            match kind {
                0 => group.dynamic = true,
                1 => group.on_premises = true,
                2 => group.mail_enabled = true,
                _ => group.role_assignable = true,
            }
        }
        world
    }
}

fn removed(plan: &Plan) -> impl Iterator<Item = &keycloak_to_azure::plan::Remove> {
    plan.changes.iter().filter_map(|change| match change {
        Change::Remove(remove) => Some(remove),
        _ => None,
    })
}

/// Enough for a law to be tried on rare worlds too. `PROPTEST_CASES` sets another number, as the mutation tests do.
fn config() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok();
    ProptestConfig {
        cases: cases.and_then(|cases| cases.parse().ok()).unwrap_or(2_000),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn after_a_plan_is_carried_out_the_next_one_is_empty(world in world()) {
        let plan = world.plan();
        if !plan.is_blocked() {
            let mut after = world.clone();
            after.carry_out(&plan.changes);
            let next = after.plan();
            prop_assert_eq!(&next.changes, &Vec::new());
            prop_assert!(!next.is_blocked());
        }
    }

    #[test]
    fn a_plan_does_not_depend_on_the_order_of_what_is_read(world in world(), seed in any::<usize>()) {
        let plan = world.plan();
        let shuffled = shuffled_plan(&world, seed);
        prop_assert_eq!(plan, shuffled);
    }

    #[test]
    fn nobody_is_removed_who_must_not_be(world in world()) {
        let plan = world.plan();
        for remove in removed(&plan) {
            let account = &world.accounts[&remove.account.id];
            let group = world.azure.values().find(|group| group.id == remove.group.id).unwrap();
            prop_assert!(group.members.contains(&account.id));
            prop_assert!(group.obstacle(false).is_none());
            let addresses = keycloak_to_azure::matching::addresses_of(account);
            prop_assert!(!addresses.iter().any(|address| world.settings.protected.contains(&address.to_string())));
            let mappings: Vec<_> = world.settings.mappings.iter().filter(|mapping| mapping.azure == group.name).collect();
            let policy = mappings.iter().map(|mapping| mapping.removals).min().unwrap();
            prop_assert!(policy != RemovalPolicy::None);
            // Nobody enabled who has one of the account's addresses is in a group that feeds this one.
            for person in world.people.values() {
                let has_address = person.email.as_deref().and_then(|email| email.parse().ok()).is_some_and(|address| addresses.contains(&address));
                let counts = person.enabled || world.settings.users.disabled == DisabledPolicy::Keep;
                let is_in = mappings.iter().any(|mapping| {
                    world.groups.iter().any(|(path, members)| {
                        let within = path == mapping.keycloak.as_str()
                            || mapping.subgroups && path.starts_with(&format!("{}/", mapping.keycloak));
                        within && members.contains(&person.username)
                    })
                });
                prop_assert!(!(has_address && counts && is_in), "{} is removed from {}", person.username, group.name);
                if policy == RemovalPolicy::Known && has_address {
                    prop_assert!(remove.because != keycloak_to_azure::plan::RemovalReason::UnknownToKeycloak);
                }
            }
        }
    }

    #[test]
    fn nobody_is_added_whom_no_mapping_wants(world in world()) {
        let plan = world.plan();
        for change in &plan.changes {
            let Change::Add(add) = change else { continue };
            for path in &add.because {
                let wanted = world.groups[path.as_str()].iter().any(|username| {
                    let person = &world.people[username];
                    person.email.as_deref().and_then(|email| email.parse().ok()).as_ref() == Some(&add.account.email)
                });
                prop_assert!(wanted);
                let mapped = world.settings.mappings.iter().any(|mapping| {
                    mapping.azure == add.group.name
                        && (mapping.keycloak == *path || mapping.subgroups && path.as_str().starts_with(&format!("{}/", mapping.keycloak)))
                });
                prop_assert!(mapped);
            }
            prop_assert!(!add.because.is_empty());
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
                prop_assert!(matches!(verdict, Verdict::Settled(keycloak_to_azure::report::Outcome::AlreadyDone, _)), "{:?}", verdict);
            }
        }
    }

    #[test]
    fn a_plan_survives_being_written_and_read(world in world()) {
        let plan = world.plan();
        let bytes = keycloak_to_azure::plan_file::to_bytes(&plan).unwrap();
        prop_assert_eq!(keycloak_to_azure::plan_file::from_bytes(&bytes), Ok(plan));
    }
}

fn shuffled_plan(world: &World, seed: usize) -> Plan {
    let mut shuffled = world.clone();
    shuffled
        .settings
        .mappings
        .rotate_left(seed % world.settings.mappings.len());
    shuffled.settings.mappings.reverse();
    shuffled.plan_shuffled(seed)
}
