//! Whoever would be invited, while an account with the address was deleted and can be restored.

use keycloak_to_azure::model::Address;
use keycloak_to_azure::plan::{Plan, Problem, ProblemCode};
use keycloak_to_azure::report::Outcome;
use keycloak_to_azure::settings::{Limit, MatchAttribute};
use keycloak_to_azure::snapshot::Account;
use keycloak_to_azure::verify::{Verdict, verify};

use crate::world::{World, changes, codes, empty, id, invited_account, team_of};

/// A team of three, and `ann` in it on the side of Keycloak, whose account was deleted.
fn ann_deleted() -> World {
    let mut world = team_of(3);
    world.person("ann");
    world.join("ann", "/team");
    let account = world.account("ann").id.clone();
    world.delete_account(&account);
    world
}

fn problem(plan: &Plan) -> &Problem {
    let [problem] = plan.problems.as_slice() else {
        panic!("{:?}", plan.problems);
    };
    problem
}

#[test]
fn nobody_is_invited_whose_account_can_be_restored() {
    let plan = ann_deleted().plan();
    assert_eq!(changes(&plan), Vec::<String>::new());
    let Problem {
        code,
        subject,
        message,
        hint,
        about,
    } = problem(&plan);
    assert_eq!(about.emails, ["ann@partner.example"]);
    assert_eq!(*code, ProblemCode::DeletedAccount);
    assert!(code.leaves_as_is());
    assert_eq!(subject, "ann@partner.example");
    let account = id(6);
    assert_eq!(
        *message,
        format!(
            "is the address of an account that was deleted: {account} (Ann Example, deleted on 1 July 2026)"
        )
    );
    assert_eq!(
        hint.as_deref(),
        Some(
            "restore the account in Entra (Users, Deleted users; for 30 days) or delete it there for good, and plan again"
        )
    );
}

#[test]
fn a_deleted_account_is_found_however_its_address_is_written() {
    let mut world = ann_deleted();
    let account = &mut world.deleted[0].account;
    *account = invited_account(&account.id, &"ann@m\u{fc}nchen.example".parse().unwrap());
    world.person("ann").email = Some("ann@xn--mnchen-3ya.example".to_owned());
    assert_eq!(codes(&world.plan()), [ProblemCode::DeletedAccount]);
    world.deleted.clear();
    assert_eq!(world.plan().summary.invite, 1);
}

#[test]
fn every_account_that_could_be_restored_is_named() {
    let mut world = ann_deleted();
    let second = world.account("ann");
    second.display_name = None;
    let second = second.id.clone();
    world.delete_account(&second);
    world.deleted[1].deleted = None;
    let plan = world.plan();
    let (first, second) = (id(6), id(7));
    assert_eq!(
        problem(&plan).message,
        format!(
            "is the address of 2 accounts that were deleted: {first} (Ann Example, deleted on 1 July 2026), {second} \
             (ann_partner.example#EXT#@acme.onmicrosoft.com)"
        )
    );
    world.deleted.reverse();
    assert_eq!(world.plan(), plan);
}

#[test]
fn a_deleted_account_is_known_by_every_attribute_whatever_is_matched() {
    let has_nothing = |account: &mut Account| {
        account.user_principal_name = "other@acme.onmicrosoft.com".to_owned();
        account.mail = None;
        account.other_mails.clear();
        account.proxy_addresses.clear();
    };
    let attributes: [fn(&mut Account); 5] = [
        |account| account.mail = Some("Ann@Partner.example".to_owned()),
        |account| account.user_principal_name = "ann@partner.example".to_owned(),
        |account| {
            account.user_principal_name =
                "Ann_partner.example#EXT#@acme.onmicrosoft.com".to_owned();
        },
        |account| account.other_mails = vec!["ann@partner.example".to_owned()],
        |account| account.proxy_addresses = vec!["smtp:ANN@partner.example".to_owned()],
    ];
    let mut world = ann_deleted();
    world.settings.users.match_by = vec![MatchAttribute::Mail];
    has_nothing(&mut world.deleted[0].account);
    assert_eq!(codes(&world.plan()), []);
    for give in attributes {
        has_nothing(&mut world.deleted[0].account);
        give(&mut world.deleted[0].account);
        let plan = world.plan();
        assert_eq!(changes(&plan), Vec::<String>::new());
        assert_eq!(codes(&plan), [ProblemCode::DeletedAccount]);
    }
}

#[test]
fn others_are_invited_and_whoever_has_an_account_is_not_concerned() {
    let mut world = ann_deleted();
    world.person("eve");
    world.join("eve", "/team");
    // An account was deleted that had the address of somebody who has one.
    let mut twin = world.deleted[0].clone();
    twin.account.id = id(0xbad);
    twin.account.mail = Some("p0@partner.example".to_owned());
    world.deleted.push(twin);
    let plan = world.plan();
    assert_eq!(
        changes(&plan),
        [
            "invite eve@partner.example",
            "add eve@partner.example acme-team"
        ]
    );
    assert_eq!(codes(&plan), [ProblemCode::DeletedAccount]);
}

#[test]
fn only_whom_the_plan_would_invite_is_asked_about() {
    let asked = |world: &World| -> Vec<String> {
        world.decide(|decision| {
            let invitees = decision.draft.invitees();
            invitees.iter().map(Address::to_string).collect()
        })
    };
    let mut world = team_of(3);
    assert_eq!(asked(&world), Vec::<String>::new());
    world.person("ann");
    world.join("ann", "/team");
    assert_eq!(asked(&world), ["ann@partner.example"]);
    world.settings.protected = vec!["ann@partner.example".to_owned()];
    assert_eq!(asked(&world), Vec::<String>::new());
    world.settings.protected.clear();
    world.person("ann").email = Some("ann@acme.example".to_owned());
    assert_eq!(
        asked(&world),
        Vec::<String>::new(),
        "a domain of the tenant"
    );
    world.person("ann").email = Some("ann@partner.example".to_owned());
    world.azure.get_mut("acme-team").unwrap().dynamic = true;
    assert_eq!(asked(&world), Vec::<String>::new(), "nobody is managed");
}

#[test]
fn whoever_cannot_be_invited_keeps_the_problem_that_says_so() {
    let mut world = ann_deleted();
    world.settings.invitations.allowed_domains = vec!["elsewhere.example".to_owned()];
    // Somebody has to be invited, as deleted accounts are asked about for those only.
    world.person("eve").email = Some("eve@elsewhere.example".to_owned());
    world.join("eve", "/team");
    assert_eq!(codes(&world.plan()), [ProblemCode::DomainNotAllowed]);
}

#[test]
fn nobody_counts_for_who_joins_whose_account_was_deleted() {
    // The last member leaves, and whoever was to come cannot.
    let mut world = empty();
    world.map("/team", "acme-team");
    world.member_on_both_sides("old", "/team", "acme-team");
    world.leave("old", "/team");
    world.person("new");
    world.join("new", "/team");
    assert_eq!(world.plan().blocks, []);
    let account = world.account("new").id.clone();
    world.delete_account(&account);
    let plan = world.plan();
    let flags: Vec<&str> = plan
        .blocks
        .iter()
        .map(|block| block.flag.as_str())
        .collect();
    assert_eq!(flags, ["--allow-empty acme-team"]);
    world.settings.limits.removals = Limit::Off;
    assert!(world.plan().is_blocked());
}

#[test]
fn whoever_has_the_name_of_somebody_left_alone_is_not_removed() {
    let mut world = ann_deleted();
    let other = world.account("other");
    other.display_name = Some("Ann Example".to_owned());
    let other = other.id.clone();
    world.add_member(&other, "acme-team");
    let plan = world.plan();
    assert_eq!(changes(&plan), Vec::<String>::new());
    assert_eq!(
        codes(&plan),
        [
            ProblemCode::DeletedAccount,
            ProblemCode::RemovalNotConfirmed
        ]
    );
}

#[test]
fn an_account_that_was_deleted_since_the_review_is_a_conflict() {
    let mut world = team_of(3);
    world.person("ann");
    world.join("ann", "/team");
    let plan = world.plan();
    let account = world.account("ann").id.clone();
    world.delete_account(&account);
    let verdicts = world.decide(|fresh| verify(&plan, fresh).verdicts);
    assert_eq!(verdicts.len(), 2);
    for verdict in verdicts {
        let Verdict::Settled(Outcome::Conflict, reason) = &verdict else {
            panic!("{verdict:?}");
        };
        assert!(
            reason
                .starts_with("ann@partner.example is the address of an account that was deleted: "),
            "{reason}"
        );
    }
}

#[test]
fn a_plan_says_so_where_deleted_accounts_are_hidden() {
    let mut world = ann_deleted();
    world.hides_deleted = true;
    let plan = world.plan();
    assert_eq!(codes(&plan), [ProblemCode::DeletedAccountsHidden]);
    assert_eq!(
        changes(&plan),
        [
            "invite ann@partner.example",
            "add ann@partner.example acme-team"
        ]
    );
    let verdicts = world.decide(|fresh| verify(&plan, fresh).verdicts);
    assert!(
        matches!(verdicts[..], [Verdict::Execute(_), Verdict::Execute(_)]),
        "{verdicts:?}"
    );
}
