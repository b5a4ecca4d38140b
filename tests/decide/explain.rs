//! What is said about one address.

use std::collections::{BTreeMap, BTreeSet};

use keycloak_to_azure::execute::rehearse;
use keycloak_to_azure::explain::{
    Answers, Belonging, Explanation, KnownPerson, NotCounting, Staying, addresses_to_ask,
    addresses_to_find, explain,
};
use keycloak_to_azure::matching::{address_of, addresses_of};
use keycloak_to_azure::model::Address;
use keycloak_to_azure::plan::{Change, GroupName, Plan, ProblemCode, ScopeMapping};
use keycloak_to_azure::report::Outcome;
use keycloak_to_azure::settings::{DisabledPolicy, MatchAttribute, RemovalPolicy};
use keycloak_to_azure::verify::verify;

use crate::world::{Happening, World, changes, team_of};

/// What both sides of a world answer about an address.
fn answers(world: &World, address: &str) -> Answers {
    let address: Address = address.parse().unwrap();
    let asked = addresses_to_ask(&address, &world.settings);
    let has_address = |email: &Option<String>| {
        let email = email.as_deref().and_then(|email| email.parse().ok());
        email.is_some_and(|email: Address| asked.contains(&email))
    };
    let people: Vec<KnownPerson> = world
        .people
        .values()
        .filter(|person| has_address(&person.email))
        .map(|person| {
            let is_in =
                |(_, members): &(&String, &BTreeSet<String>)| members.contains(&person.username);
            let groups = world.groups.iter().filter(is_in).map(|(path, _)| {
                let id = format!("group:{path}").parse().unwrap();
                (id, path.clone())
            });
            KnownPerson {
                groups: Some(groups.collect()),
                person: person.clone(),
            }
        })
        .collect();
    let of_people = people
        .iter()
        .filter_map(|known| address_of(&known.person, &world.settings));
    let wanted: BTreeSet<Address> = of_people
        .flat_map(|address| address.spellings())
        .chain(addresses_to_find(&address, &world.settings))
        .collect();
    let accounts = world.accounts.values();
    Answers {
        accounts: accounts
            .filter(|account| !addresses_of(account).is_disjoint(&wanted))
            .cloned()
            .collect(),
        people,
        address,
    }
}

fn explained(world: &World, address: &str) -> (Explanation, Plan) {
    let (answers, plan) = (answers(world, address), world.plan());
    let explanation = world.decide(|fresh| explain(&answers, fresh, &plan, None));
    (explanation, plan)
}

/// The changes that an explanation names, in short.
fn named(explanation: &Explanation, plan: &Plan) -> Vec<String> {
    let all = changes(plan);
    let at = |number: &usize| all[number - 1].clone();
    explanation.changes.iter().map(at).collect()
}

fn reviewed(world: &World, plan: &Plan, address: &str) -> Explanation {
    let answers = answers(world, address);
    world.decide(|fresh| {
        let outcomes = rehearse("", plan, &verify(plan, fresh), plan.created_at);
        explain(&answers, fresh, plan, Some(&outcomes))
    })
}

#[test]
fn somebody_to_invite_is_followed_from_group_to_change() {
    let mut world = team_of(3);
    world.map("/other", "acme-other").subgroups = true;
    world.person("ann");
    world
        .groups
        .insert("/other/deep".to_owned(), BTreeSet::new());
    world.groups.insert("/club".to_owned(), BTreeSet::new());
    for path in ["/team", "/other/deep", "/club"] {
        world.join("ann", path);
    }
    let (explanation, plan) = explained(&world, "ANN@partner.example");
    let [ann] = &explanation.people[..] else {
        panic!("{explanation:?}")
    };
    let mapped: Vec<_> = ann
        .mapped
        .iter()
        .map(|found| {
            (
                found.mapping.as_str(),
                found.source.as_str(),
                found.azure.name.as_str(),
            )
        })
        .collect();
    assert_eq!(
        mapped,
        [
            ("/other", "/other/deep", "acme-other"),
            ("/team", "/team", "acme-team"),
        ]
    );
    assert_eq!(ann.not_mapped, ["/club"]);
    assert_eq!(ann.missing_from, Vec::<String>::new());
    assert_eq!(explanation.accounts, Vec::new());
    assert_eq!(
        named(&explanation, &plan),
        [
            "invite ann@partner.example",
            "add ann@partner.example acme-other",
            "add ann@partner.example acme-team",
        ]
    );
    assert_eq!(explanation.further, Vec::new());
}

#[test]
fn only_what_concerns_the_address_is_named() {
    let mut world = team_of(3);
    world.person("ann");
    world.join("ann", "/team");
    world.person("bob").email = None;
    world.join("bob", "/team");
    let (explanation, plan) = explained(&world, "p1@partner.example");
    assert_eq!(plan.changes.len(), 2);
    assert_eq!(plan.problems.len(), 1);
    assert_eq!(explanation.changes, Vec::<usize>::new());
    assert_eq!(explanation.problems, Vec::new());
    let [account] = &explanation.accounts[..] else {
        panic!("{explanation:?}")
    };
    assert_eq!(
        account.belongs_to,
        Belonging::To("P1 Example (p1)".to_owned())
    );
    assert_eq!(account.member_of.len(), 1);
    assert_eq!(account.member_of[0].1, None);
    assert_eq!(
        account.has_address_in,
        [
            MatchAttribute::Mail,
            MatchAttribute::UserPrincipalName,
            MatchAttribute::OtherMails,
            MatchAttribute::ProxyAddresses
        ]
    );
    assert_eq!(explanation.deciding, Some(MatchAttribute::Mail));
}

#[test]
fn what_concerns_somebody_does_not_concern_whoever_has_their_name() {
    let mut world = team_of(8);
    world.delete("p0");
    world.person("p0-new").first_name = Some("P0".to_owned());
    world.join("p0-new", "/team");
    // In the group as well, and called the same.
    world.account("p1").display_name = Some("P0 Example".to_owned());
    let codes_for = |address: &str| {
        let (explanation, _) = explained(&world, address);
        explanation
            .problems
            .iter()
            .map(|problem| problem.code)
            .collect::<Vec<_>>()
    };
    for address in ["p0@partner.example", "p0-new@partner.example"] {
        assert_eq!(
            codes_for(address),
            [ProblemCode::AddressMayHaveChanged],
            "{address}"
        );
    }
    assert_eq!(codes_for("p1@partner.example"), []);
}

#[test]
fn who_does_not_count_is_said_with_the_reason() {
    let mut world = team_of(8);
    world.person("p0").enabled = false;
    let (explanation, plan) = explained(&world, "p0@partner.example");
    assert_eq!(
        explanation.people[0].does_not_count,
        Some(NotCounting::Disabled)
    );
    assert_eq!(explanation.accounts[0].belongs_to, Belonging::Nobody);
    assert_eq!(explanation.accounts[0].member_of[0].1, None);
    assert_eq!(
        named(&explanation, &plan),
        ["remove p0@partner.example acme-team Disabled"]
    );
    world.settings.users.disabled = DisabledPolicy::Keep;
    let (explanation, _) = explained(&world, "p0@partner.example");
    assert_eq!(explanation.people[0].does_not_count, None);

    world.person("service-account-ci");
    world.join("service-account-ci", "/team");
    let (explanation, _) = explained(&world, "service-account-ci@partner.example");
    assert_eq!(
        explanation.people[0].does_not_count,
        Some(NotCounting::ServiceAccount)
    );
    assert_eq!(explanation.people[0].mapped.len(), 1);
}

#[test]
fn why_an_account_stays_is_said() {
    let stays: [(Staying, Happening); 5] = [
        (Staying::Protected, |world| {
            world.settings.protected = vec!["p0@partner.example".to_owned()];
        }),
        (Staying::RemovesNobody, |world| {
            world.settings.mappings[0].removals = RemovalPolicy::None;
        }),
        (Staying::Unmanaged, |world| {
            world.azure.get_mut("acme-team").unwrap().dynamic = true;
        }),
        (Staying::RemovesOnlyKnown, |world| {
            world.settings.mappings[0].removals = RemovalPolicy::Known;
        }),
        (Staying::NotConfirmed, |world| {
            world.components = None;
        }),
    ];
    for (staying, change) in stays {
        let mut world = team_of(8);
        world.delete("p0");
        change(&mut world);
        let (explanation, plan) = explained(&world, "p0@partner.example");
        assert_eq!(explanation.people, Vec::new());
        let [account] = &explanation.accounts[..] else {
            panic!("{explanation:?}")
        };
        assert_eq!(account.member_of.len(), 1);
        assert_eq!(account.member_of[0].1, Some(staying));
        assert_eq!(account.protected, staying == Staying::Protected);
        assert_eq!(named(&explanation, &plan), Vec::<String>::new());
        let says_why = !explanation.problems.is_empty();
        let should = matches!(staying, Staying::Unmanaged | Staying::NotConfirmed);
        assert_eq!(says_why, should, "{staying:?} {:?}", explanation.problems);
    }
}

#[test]
fn accounts_that_are_not_clear_are_shown_with_the_attribute_and_the_problem() {
    let mut world = team_of(3);
    let twin = world.account("twin");
    twin.other_mails = vec!["p0@partner.example".to_owned()];
    let (explanation, _) = explained(&world, "p0@partner.example");
    let [first, second] = &explanation.accounts[..] else {
        panic!("{explanation:?}")
    };
    assert_eq!(
        first.belongs_to,
        Belonging::To("P0 Example (p0)".to_owned())
    );
    assert_eq!(second.belongs_to, Belonging::Nobody);
    assert_eq!(second.has_address_in, [MatchAttribute::OtherMails]);
    assert_eq!(explanation.deciding, Some(MatchAttribute::Mail));

    world.account("twin").mail = Some("p0@partner.example".to_owned());
    let (explanation, _) = explained(&world, "p0@partner.example");
    let unclear = explanation
        .accounts
        .iter()
        .all(|account| account.belongs_to == Belonging::Unclear);
    assert!(unclear, "{:?}", explanation.accounts);
    assert_eq!(
        explanation.accounts[0].member_of[0].1,
        Some(Staying::Unclear)
    );
    let codes: Vec<_> = explanation
        .problems
        .iter()
        .map(|problem| problem.code)
        .collect();
    assert_eq!(codes, [ProblemCode::AmbiguousAccount]);
}

#[test]
fn an_address_is_found_under_every_domain_that_is_rewritten_to_its_own() {
    let mut world = team_of(3);
    world.settings.users.email_domains =
        BTreeMap::from([("corp.example".to_owned(), "partner.example".to_owned())]);
    world.person("p0").email = Some("p0@corp.example".to_owned());
    for address in ["p0@corp.example", "p0@partner.example"] {
        let (explanation, _) = explained(&world, address);
        assert_eq!(explanation.people.len(), 1, "{address}");
        assert_eq!(explanation.accounts.len(), 1, "{address}");
        let in_entra = explanation.in_entra.map(|address| address.to_string());
        let other = (address == "p0@corp.example").then(|| "p0@partner.example".to_owned());
        assert_eq!(in_entra, other);
    }
}

#[test]
fn an_address_is_found_however_it_is_written() {
    let mut world = team_of(8);
    world.person("marie").email = Some("m@münchen.example".to_owned());
    world.join("marie", "/team");
    let account = world.invited(&"m@xn--mnchen-3ya.example".parse().unwrap());
    world.add_member(&account, "acme-team");
    for address in ["m@münchen.example", "m@xn--mnchen-3ya.example"] {
        let (explanation, _) = explained(&world, address);
        assert_eq!(
            (explanation.people.len(), explanation.accounts.len()),
            (1, 1),
            "{address}"
        );
        let codes: BTreeSet<ProblemCode> = explanation
            .problems
            .iter()
            .map(|problem| problem.code)
            .collect();
        assert_eq!(
            codes,
            BTreeSet::from([ProblemCode::AmbiguousAccount]),
            "{address}"
        );
    }
}

#[test]
fn a_list_that_lacked_somebody_is_named() {
    let mut world = team_of(8);
    let known = answers(&world, "p0@partner.example");
    world.leave("p0", "/team");
    let plan = world.plan();
    let explanation = world.decide(|fresh| explain(&known, fresh, &plan, None));
    assert_eq!(explanation.people[0].mapped, Vec::new());
    assert_eq!(explanation.people[0].missing_from, ["/team"]);
}

#[test]
fn of_a_reviewed_plan_it_says_what_would_become_of_each_change_now() {
    let mut world = team_of(8);
    world.person("ann");
    world.join("ann", "/team");
    let plan = world.plan();
    assert_eq!(plan.changes.len(), 2);
    let outcomes = |explanation: &Explanation| {
        let outcomes = explanation.outcomes.as_ref().unwrap();
        outcomes
            .iter()
            .map(|outcome| outcome.outcome)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        outcomes(&reviewed(&world, &plan, "ann@partner.example")),
        [Outcome::Done, Outcome::Done]
    );
    assert_eq!(
        outcomes(&reviewed(&world, &plan, "p1@partner.example")),
        Vec::<Outcome>::new()
    );
    world.map("/later", "acme-later");
    world.join("ann", "/later");
    world.leave("ann", "/team");
    let explanation = reviewed(&world, &plan, "ann@partner.example");
    assert_eq!(outcomes(&explanation), [Outcome::Done, Outcome::NotWanted]);
    let [Change::Add(further)] = &explanation.further[..] else {
        panic!("{:?}", explanation.further)
    };
    assert_eq!(further.group.name, "acme-later");
}

#[test]
fn a_group_that_the_plan_leaves_out_is_said_to_be_so() {
    let mut world = team_of(8);
    world.map("/other", "acme-other");
    world.member_on_both_sides("far", "/other", "acme-other");
    world.leave("p0", "/team");
    let other = &world.azure["acme-other"];
    world.scope = Some(vec![ScopeMapping {
        keycloak: "/other".parse().unwrap(),
        azure: GroupName {
            id: other.id.clone(),
            name: other.name.clone(),
        },
    }]);
    let (explanation, plan) = explained(&world, "p0@partner.example");
    assert_eq!(plan.changes, Vec::new());
    assert_eq!(
        explanation.accounts[0].member_of[0].1,
        Some(Staying::OutOfScope)
    );
    let (explanation, _) = explained(&world, "p1@partner.example");
    assert!(!explanation.people[0].mapped[0].in_scope);
}
