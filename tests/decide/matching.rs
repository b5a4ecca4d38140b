//! Who counts, who can be invited, and what is said about whoever is left as they are. Whose account is whose is a table of its own:
//! [`crate::matching_table`].

use std::sync::Arc;

use keycloak_to_azure::diff::draft;
use keycloak_to_azure::mapping::Inputs;
use keycloak_to_azure::matching::{Names, wanted_addresses};
use keycloak_to_azure::plan::{Change, ProblemCode};
use keycloak_to_azure::removal::Proofs;
use keycloak_to_azure::settings::{MatchAttribute, UnverifiedPolicy, UpdatePolicy};
use keycloak_to_azure::snapshot::{Account, Person};
use keycloak_to_azure::wording::first_ten;

use crate::world::{World, changes, codes, empty, id, invited_account, team_of};

/// One person `ann` in `/team`, and nobody in Entra.
fn ann_alone() -> World {
    let mut world = empty();
    world.map("/team", "acme-team");
    world.person("ann");
    world.join("ann", "/team");
    world
}

#[test]
fn an_account_is_not_lost_to_removal_through_rewritten_domains() {
    // ann@partner.example is ann@azure.example in Entra. She has left the list, but Keycloak still knows her in the group.
    let mut world = team_of(3);
    world
        .settings
        .users
        .email_domains
        .insert("partner.example".to_owned(), "azure.example".to_owned());
    for account in world.accounts.values_mut() {
        let address = account.mail.take().unwrap().replace("partner", "azure");
        *account = invited_account(&account.id, &address.parse().unwrap());
    }
    let lost = world.keycloak_without("p0");
    assert_eq!(lost.0, Vec::<String>::new());
    assert_eq!(lost.1, [ProblemCode::RemovalNotConfirmed]);
}

impl World {
    /// Plans as if the first list of members had left one person out.
    fn keycloak_without(&self, username: &str) -> (Vec<String>, Vec<ProblemCode>) {
        let mut list = self.clone();
        list.leave(username, "/team");
        list.settings.users.update = UpdatePolicy::None;
        let plan = list.plan_with(|request| self.proofs(request));
        (changes(&plan), codes(&plan))
    }
}

#[test]
fn addresses_that_entra_refuses_are_problems() {
    let cases = [
        (None, ProblemCode::NoEmail),
        (Some("  "), ProblemCode::NoEmail),
        (Some("ann"), ProblemCode::InvalidEmail),
        (Some("ann@localhost"), ProblemCode::InvalidEmail),
        (Some("ann+x@partner.example"), ProblemCode::InvalidEmail),
        (Some(".ann@partner.example"), ProblemCode::InvalidEmail),
        (Some("ann.@partner.example"), ProblemCode::InvalidEmail),
        (Some("änn@partner.example"), ProblemCode::InvalidEmail),
        (Some("ann @partner.example"), ProblemCode::InvalidEmail),
        (Some("ann@@partner.example"), ProblemCode::InvalidEmail),
        (Some("ann@-partner.example"), ProblemCode::InvalidEmail),
        (Some("ann@acme.example"), ProblemCode::OwnDomain),
    ];
    for (email, code) in cases {
        let mut world = ann_alone();
        world.person("ann").email = email.map(str::to_owned);
        let plan = world.plan();
        assert_eq!(codes(&plan), [code], "{email:?}");
        assert_eq!(changes(&plan), Vec::<String>::new(), "{email:?}");
    }
}

#[test]
fn a_character_that_entra_refuses_is_shown_or_named_where_it_shows_nothing_by_itself() {
    for (email, said) in [
        ("ann+x@partner.example", "`+` in it"),
        ("änn@partner.example", "'ä' in it"),
        ("a\u{308}nn@partner.example", "U+0308 in it"),
        ("a\u{903}nn@partner.example", "U+0903 in it"),
        ("a\u{200b}nn@partner.example", "U+200B in it"),
    ] {
        let mut world = ann_alone();
        world.person("ann").email = Some(email.to_owned());
        let problem = world.plan().problems.remove(0);
        let end = format!("which Entra does not accept: {said}");
        assert!(problem.message.ends_with(&end), "{}", problem.message);
    }
}

#[test]
fn domains_that_are_not_allowed_are_not_invited() {
    let mut world = ann_alone();
    world.settings.invitations.allowed_domains = vec!["other.example".to_owned()];
    assert_eq!(codes(&world.plan()), [ProblemCode::DomainNotAllowed]);
    world
        .settings
        .invitations
        .allowed_domains
        .push("partner.example".to_owned());
    assert_eq!(codes(&world.plan()), []);
}

#[test]
fn an_unverified_address_is_left_alone_where_the_configuration_asks_for_it() {
    let mut world = team_of(3);
    world.person("p0").email_verified = false;
    world.account("p0").surname = Some("Old".to_owned());
    world.settings.users.unverified_email = UnverifiedPolicy::Skip;
    let plan = world.plan();
    assert_eq!(changes(&plan), Vec::<String>::new());
    assert_eq!(codes(&plan), [ProblemCode::UnverifiedEmail]);
}

#[test]
fn a_protected_member_of_one_group_is_not_added_to_another() {
    let mut world = team_of(3);
    world.map("/other", "acme-other");
    world.join("p0", "/other");
    assert_eq!(
        changes(&world.plan()),
        ["add p0@partner.example acme-other"]
    );
    world.settings.protected = vec!["p0@partner.example".to_owned()];
    let plan = world.plan();
    assert_eq!(changes(&plan), Vec::<String>::new());
    assert_eq!(plan.summary.unchanged, 3);
    world.azure.get_mut("acme-team").unwrap().members.clear();
    assert_eq!(world.plan().summary.unchanged, 0);
}

#[test]
fn the_members_after_are_those_before_with_who_comes_and_without_who_goes() {
    let mut world = team_of(8);
    world.leave("p0", "/team");
    for name in ["ann", "bob", "cyd"] {
        world.person(name);
        world.join(name, "/team");
    }
    let plan = world.plan();
    assert_eq!((plan.summary.add, plan.summary.remove), (3, 1));
    let group = &plan.groups[0];
    assert_eq!((group.members_before, group.members_after), (8, 10));
}

#[test]
fn protected_accounts_are_never_touched() {
    for entry in [
        "p0@partner.example",
        "p0_partner.example#ext#@acme.onmicrosoft.com",
    ] {
        let mut world = team_of(3);
        world.settings.protected = vec![entry.to_owned()];
        world.account("p0").surname = Some("Old".to_owned());
        assert_eq!(
            changes(&world.plan()),
            Vec::<String>::new(),
            "update, {entry}"
        );
        world.delete("p0");
        assert_eq!(
            changes(&world.plan()),
            Vec::<String>::new(),
            "remove, {entry}"
        );
    }
}

#[test]
fn whoever_is_protected_is_so_however_the_address_is_written() {
    for (entry, mail) in [
        ("glass@bücher.example", "glass@xn--bcher-kva.example"),
        ("glass@xn--bcher-kva.example", "Glass@Bücher.example"),
        ("gl\u{e4}ss@acme.example", "gla\u{308}ss@acme.example"),
    ] {
        let mut world = team_of(3);
        world.account("p0").mail = Some(mail.to_owned());
        world.person("p0").email = Some(mail.to_owned());
        world.leave("p0", "/team");
        assert_eq!(world.plan().summary.remove, 1, "{entry}");
        world.settings.protected = vec![entry.to_owned()];
        assert_eq!(world.plan().summary.remove, 0, "{entry}");
    }
}

#[test]
fn nobody_protected_is_invited_however_the_address_is_written() {
    let mut world = team_of(3);
    world.person("ann").email = Some("ann@xn--bcher-kva.example".to_owned());
    world.join("ann", "/team");
    assert_eq!(world.plan().summary.invite, 1);
    world.settings.protected = vec!["ann@bücher.example".to_owned()];
    assert_eq!(world.plan().summary.invite, 0);
}

#[test]
fn names_that_are_missing_or_too_long_are_left_alone() {
    let mut world = ann_alone();
    let ann = world.person("ann");
    ann.first_name = None;
    ann.last_name = Some("x".repeat(65));
    world.account("ann");
    let plan = world.plan();
    assert_eq!(codes(&plan), [ProblemCode::NameTooLong]);
    let Change::Update(update) = &plan.changes[0] else {
        panic!("{plan:?}")
    };
    assert!(update.fields.given_name.is_none() && update.fields.surname.is_none());
    assert_eq!(
        update.fields.display_name.as_ref().unwrap().after,
        Some("x".repeat(65))
    );
}

#[test]
fn spaces_and_unicode_forms_are_not_changes() {
    let mut world = ann_alone();
    let ann = world.person("ann");
    ann.first_name = Some(" Ann  Re\u{301}ne\u{301}e ".to_owned());
    let account = world.account("ann");
    account.given_name = Some("Ann R\u{e9}n\u{e9}e".to_owned());
    account.display_name = Some("Ann R\u{e9}n\u{e9}e  Example".to_owned());
    assert_eq!(
        changes(&world.plan()),
        ["add ann@partner.example acme-team"]
    );
}

#[test]
fn service_accounts_never_count() {
    let mut world = ann_alone();
    world.person("service-account-sync");
    world.join("service-account-sync", "/team");
    assert_eq!(changes(&world.plan()).len(), 2);
    assert_eq!(codes(&world.plan()), []);
}

#[test]
fn nobody_is_invited_for_a_group_that_cannot_be_managed() {
    type Obstacle = fn(&mut keycloak_to_azure::snapshot::EntraGroup);
    let cases: [(ProblemCode, Obstacle); 4] = [
        (ProblemCode::GroupDynamic, |group| group.dynamic = true),
        (ProblemCode::GroupOnPremises, |group| {
            group.on_premises = true;
        }),
        (ProblemCode::GroupMailEnabled, |group| {
            group.mail_enabled = true;
        }),
        (ProblemCode::GroupRoleAssignable, |group| {
            group.role_assignable = true;
        }),
    ];
    let said_of = |code| match code {
        ProblemCode::GroupDynamic => "dynamic membership",
        ProblemCode::GroupOnPremises => "synchronised from an on-premises directory",
        ProblemCode::GroupMailEnabled => "mail-enabled",
        _ => "directory roles",
    };
    for (code, set) in cases {
        let mut world = ann_alone();
        world.person("nomail").email = None;
        world.join("nomail", "/team");
        let stranger = world.account("stranger").id.clone();
        world.add_member(&stranger, "acme-team");
        set(world.azure.get_mut("acme-team").unwrap());
        let plan = world.plan();
        assert_eq!(changes(&plan), Vec::<String>::new(), "{code:?}");
        assert_eq!(codes(&plan), [code]);
        let message = &plan.problems[0].message;
        assert!(message.contains(said_of(code)), "{message}");
    }
}

#[test]
fn a_role_assignable_group_is_managed_with_the_permission() {
    let mut world = ann_alone();
    world.azure.get_mut("acme-team").unwrap().role_assignable = true;
    world.may_manage_role_assignable = true;
    assert_eq!(changes(&world.plan()).len(), 2);
}

#[test]
fn two_mappings_to_one_group_are_a_union() {
    let mut world = team_of(3);
    world.map("/guests", "acme-team");
    world.person("ann");
    world.join("ann", "/guests");
    world.join("p0", "/guests");
    assert_eq!(
        changes(&world.plan()),
        [
            "invite ann@partner.example",
            "add ann@partner.example acme-team"
        ]
    );
}

#[test]
fn members_of_subgroups_count_where_the_mapping_says_so() {
    let mut world = ann_alone();
    world.person("deep");
    world.join("deep", "/team/a/b");
    world.groups.entry("/team/a".to_owned()).or_default();
    assert_eq!(changes(&world.plan()).len(), 2);
    world.settings.mappings[0].subgroups = true;
    let plan = world.plan();
    assert_eq!(changes(&plan).len(), 4);
    let because: Vec<_> = plan
        .changes
        .iter()
        .filter_map(|change| match change {
            Change::Add(add) => Some(add.because[0].as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(because, ["/team", "/team/a/b"]);
}

#[test]
fn a_person_in_several_groups_is_invited_once_and_added_to_each() {
    let mut world = ann_alone();
    world.map("/other", "acme-other");
    world.map("/third", "acme-third");
    world.join("ann", "/other");
    world.join("ann", "/third");
    assert_eq!(
        changes(&world.plan()),
        [
            "invite ann@partner.example",
            "add ann@partner.example acme-other",
            "add ann@partner.example acme-team",
            "add ann@partner.example acme-third",
        ]
    );
}

#[test]
fn an_account_that_may_be_that_of_somebody_who_is_not_clear_is_not_taken_out_of_a_group() {
    // ann has left the team for another group; her account has her address in an attribute that is not matched.
    let mut world = team_of(3);
    world.map("/other", "acme-other");
    world.person("ann");
    world.join("ann", "/other");
    let account = world.account("ann");
    account.mail = None;
    account.other_mails.clear();
    account.proxy_addresses.clear();
    let account = account.id.clone();
    world.add_member(&account, "acme-team");
    world.settings.users.match_by = vec![MatchAttribute::Mail];
    let plan = world.plan();
    assert_eq!(changes(&plan), Vec::<String>::new());
    assert_eq!(codes(&plan), [ProblemCode::AmbiguousAccount]);
}

#[test]
fn a_sigma_is_one_letter_wherever_it_stands() {
    // In lower case it would be a final one in `SMTP:Σ@`, and another in `Σ@`.
    let mut world = team_of(3);
    world.person("p0").email = Some("Σ@partner.example".to_owned());
    let account = world.account("p0");
    account.mail = None;
    account.other_mails.clear();
    account.user_principal_name = "u1@acme.onmicrosoft.com".to_owned();
    account.proxy_addresses = vec!["SMTP:Σ@partner.example".to_owned()];
    assert_eq!(changes(&world.plan()), Vec::<String>::new());
}

#[test]
fn a_person_whose_rows_disagree_does_not_count_whichever_comes_first() {
    for disabled_in in ["/team", "/ops"] {
        let mut world = ann_alone();
        world.map("/ops", "acme-ops");
        world.join("ann", "/ops");
        let mut keycloak = world.keycloak();
        let group = keycloak
            .groups
            .get_mut(&disabled_in.parse().unwrap())
            .unwrap();
        let mut row = (*group.members[0]).clone();
        row.enabled = false;
        group.members = vec![Arc::new(row)];
        let entra = world.entra();
        let draft = draft(Inputs {
            settings: &world.settings,
            overrides: &world.overrides,
            scope: None,
            keycloak: &keycloak,
            entra: &entra,
        });
        let decision = draft.decide(&Proofs::default());
        assert_eq!(decision.changes, [], "{disabled_in}");
    }
}

fn has_name_of(account: &Account, person: &Person) -> bool {
    Names::of([person]).first_of(account).is_some()
}

#[test]
fn of_several_people_whose_name_an_account_has_the_first_is_found() {
    let mut world = ann_alone();
    let ann = world.person("ann").clone();
    let mut bob = world.person("bob").clone();
    bob.username = "ben".to_owned();
    let mut account = invited_account(&id(1), &"ben@elsewhere.example".parse().unwrap());
    account.display_name = Some("Ann Example".to_owned());
    let first = |people: &[&Person]| Names::of(people.iter().copied()).first_of(&account);
    assert_eq!(first(&[&ann, &bob]), Some(0));
    assert_eq!(first(&[&bob, &ann]), Some(0));
    let other = world.person("zoe").clone();
    assert_eq!(first(&[&other, &ann, &ann, &bob]), Some(1));
    assert_eq!(first(&[&other, &bob, &bob, &ann]), Some(1));
    assert_eq!(first(&[&other]), None);
}

#[test]
fn an_account_has_the_name_of_a_person_by_its_display_name_by_its_names_and_by_the_username() {
    let mut world = ann_alone();
    let ann = world.person("ann").clone();
    let mut account = invited_account(&id(1), &"other@partner.example".parse().unwrap());
    account.display_name = None;
    assert!(!has_name_of(&account, &ann));
    let named = |change: fn(&mut Account)| {
        let mut account = account.clone();
        change(&mut account);
        has_name_of(&account, &ann)
    };
    assert!(named(
        |account| account.display_name = Some("ann  EXAMPLE".to_owned())
    ));
    assert!(named(|account| {
        account.given_name = Some("Ann".to_owned());
        account.surname = Some("Example".to_owned());
    }));
    assert!(named(
        |account| account.mail = Some("ann@elsewhere.example".to_owned())
    ));
    assert!(!named(|account| account.given_name = Some("Ann".to_owned())));
    // Who has no name at all has not that of an account without one.
    let mut nameless = ann.clone();
    nameless.first_name = None;
    nameless.last_name = Some(" ".to_owned());
    account.user_principal_name = "other@acme.example".to_owned();
    assert!(!has_name_of(&account, &nameless));
}

#[test]
fn everybody_who_counts_in_a_mapped_group_is_looked_for_in_entra() {
    let mut world = ann_alone();
    world
        .groups
        .insert("/other".to_owned(), ["eve".to_owned()].into());
    world.person("eve");
    for (username, disabled) in [("dis", true), ("bob", false)] {
        world.person(username).enabled = !disabled;
        world.join(username, "/team");
    }
    let domains = &mut world.settings.users.email_domains;
    domains.insert("partner.example".to_owned(), "azure.example".to_owned());
    let wanted = |world: &World| -> Vec<String> {
        let wanted = wanted_addresses(&world.settings, &world.keycloak());
        wanted.iter().map(ToString::to_string).collect()
    };
    assert_eq!(wanted(&world), ["ann@azure.example", "bob@azure.example"]);
    world.person("bob").email = Some("bob@xn--bcher-kva.example".to_owned());
    assert_eq!(
        wanted(&world),
        [
            "ann@azure.example",
            "bob@bu\u{308}cher.example",
            "bob@b\u{fc}cher.example",
            "bob@xn--bcher-kva.example"
        ]
    );
}

#[test]
fn a_list_in_a_sentence_names_ten_and_counts_the_rest() {
    let numbers = |count: usize| first_ten((0..count).map(|at| (at + 1).to_string()));
    assert_eq!(numbers(10), "1, 2, 3, 4, 5, 6, 7, 8, 9, 10");
    assert_eq!(numbers(12), "1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 2 more");
}
