//! Of plans.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{Somebody, WIDE, anything, eight, key, shape, some_key, tokens};
use crate::compare::Comparison;
use crate::model::UserType;
use crate::plan::{
    About, AccountName, Change, FieldChange, Fields, Invite, NewAccount, PersonName, Plan, Problem,
    ProblemCode, RemovalReason, Remove, Summary, Update,
};
use crate::render::redact::problems::general;
use crate::render::redact::tokens::{DIGITS, Tokens};
use crate::render::redact::{Redacted, RedactedComparison};
use crate::render::samples;
use crate::render::words::Changes;

/// A plan with somebody in every place that it has, and every problem in the words that the program has for it.
fn plan_about(people: &[Somebody; 8]) -> Plan {
    let [
        invited,
        renamed,
        joining,
        leaving,
        unknown,
        before,
        after,
        other,
    ] = people;
    let platform = || samples::group(2, "acme-platform");
    let mut plan = samples::empty();
    let account = |somebody: &Somebody, number: usize| AccountName {
        id: samples::id(number),
        email: somebody.email.clone(),
        display_name: Some(somebody.name.clone()),
    };
    let named = |after: &str| {
        Some(FieldChange {
            before: Some(renamed.name.clone()),
            after: Some(after.to_owned()),
        })
    };
    let invite = |somebody: &Somebody| {
        Change::Invite(Invite {
            email: somebody.email.parse().unwrap(),
            person: PersonName {
                id: format!("f:ldap:{}", somebody.username).parse().unwrap(),
                username: somebody.username.clone(),
            },
            set: NewAccount {
                user_type: Some(UserType::Member),
                display_name: Some(somebody.name.clone()),
                given_name: Some(somebody.name.clone()),
                surname: None,
            },
            redirect_url: "https://portal.azure.com/acme".to_owned(),
            send_email: true,
            message: Some(format!("Ask {} ({})", somebody.name, somebody.email)),
            language: Some("de-DE".parse().unwrap()),
            cc: Some(other.email.parse().unwrap()),
        })
    };
    let add = |somebody: &Somebody, number| {
        samples::add(platform(), number, &somebody.name, &somebody.email, "/p")
    };
    let remove = |account: AccountName, because| {
        Change::Remove(Remove {
            group: platform(),
            account,
            because,
        })
    };
    plan.changes = vec![
        invite(invited),
        invite(after),
        Change::Update(Update {
            account: account(renamed, 12),
            fields: Fields {
                user_type: Some(FieldChange {
                    before: Some(UserType::Guest),
                    after: Some(UserType::Member),
                }),
                display_name: named(&other.name),
                given_name: named(&other.username),
                surname: Some(FieldChange {
                    before: None,
                    after: Some(other.name.clone()),
                }),
            },
        }),
        add(invited, None),
        add(joining, Some(13)),
        add(after, None),
        remove(account(leaving, 14), RemovalReason::LeftGroup),
        remove(account(unknown, 15), RemovalReason::UnknownToKeycloak),
        remove(
            AccountName {
                display_name: Some(after.name.clone()),
                ..account(before, 16)
            },
            RemovalReason::UnknownToKeycloak,
        ),
    ];
    let called = format!("{} ({})", other.name, other.username);
    let with_address = format!("{} ({})", other.name, other.email);
    let has_address = format!("has the address {}, which", other.email);
    let about = |emails: &[&str]| About {
        emails: emails.iter().map(|&email| email.to_owned()).collect(),
        people: vec![format!("f:ldap:{}", other.username).parse().unwrap()],
        account: Some(samples::id(17)),
        group: Some(platform()),
    };
    let nobody = About {
        emails: Vec::new(),
        people: Vec::new(),
        ..about(&[])
    };
    let of_group = About::group(&samples::group(3, "acme-support"));
    plan.problems = [
        (ProblemCode::NoEmail, called.as_str(), about(&[])),
        (ProblemCode::InvalidEmail, &called, about(&[])),
        (ProblemCode::OwnDomain, &called, about(&[&other.email])),
        (
            ProblemCode::DomainNotAllowed,
            &called,
            about(&[&other.email]),
        ),
        (
            ProblemCode::DuplicateEmail,
            &other.email,
            about(&[&other.email]),
        ),
        (
            ProblemCode::AmbiguousAccount,
            &other.email,
            about(&[&other.email]),
        ),
        (
            ProblemCode::AmbiguousAccount,
            &with_address,
            about(&[&other.email, &leaving.email]),
        ),
        (
            ProblemCode::DeletedAccount,
            &other.email,
            about(&[&other.email]),
        ),
        (
            ProblemCode::UnverifiedEmail,
            &other.username,
            about(&[&other.email]),
        ),
        (
            ProblemCode::OnPremisesAccount,
            &with_address,
            about(&[&other.email]),
        ),
        (ProblemCode::NameTooLong, &called, about(&[&other.email])),
        (
            ProblemCode::AddressMayHaveChanged,
            &after.name,
            about(&[&before.email, &after.email]),
        ),
        (
            ProblemCode::AddressMayHaveChanged,
            &other.name,
            about(&[&other.email]),
        ),
        (
            ProblemCode::RemovalNotConfirmed,
            &with_address,
            about(&[&other.email]),
        ),
        (ProblemCode::RemovalNotConfirmed, &with_address, nobody),
        (ProblemCode::GroupDynamic, "acme-support", of_group),
    ]
    .map(|(code, subject, about)| Problem {
        code,
        subject: subject.to_owned(),
        message: match code {
            ProblemCode::GroupDynamic => "has a dynamic membership".to_owned(),
            _ => format!("{has_address} {called}"),
        },
        hint: general(code).map(|_| format!("tell {} ({})", other.name, samples::id(17))),
        about,
    })
    .into();
    plan.sealed()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whoever the people are, all that differs is their tokens. So nothing of them is shown, however short it is.
    #[test]
    fn what_is_shown_depends_on_people_only_through_their_tokens(text in anything()) {
        let (plan, stranger) = (plan_about(&eight(&text)), plan_about(&eight("q")));
        let [shown, expected] = [&plan, &stranger].map(|plan| {
            let mut plan = plan.clone();
            plan.plan_id = "sha256:0".to_owned();
            Redacted::new(&plan, &some_key())
        });
        prop_assert_eq!(shape(&shown.text(&WIDE)), shape(&expected.text(&WIDE)));
        prop_assert_eq!(shape(&shown.markdown()), shape(&expected.markdown()));
        // People stand in the order of their tokens, and with the first row of a table stands its beginning.
        let rows = |page: &Redacted| shape(&page.html().replace("<tr", "\n<tr"));
        prop_assert_eq!(rows(&shown), rows(&expected));
    }

    /// Not even what no rendering shows today.
    #[test]
    fn no_value_of_the_plan_is_a_persons(text in "[A-Z]{4,8}") {
        let plan = plan_about(&eight(&text));
        let holds = |plan: &Plan| {
            let json = serde_json::to_string(plan).unwrap();
            (json.contains(&text), json.contains(&text.to_lowercase()), (12..=17).any(|number| json.contains(samples::id(number).as_str())))
        };
        prop_assert_eq!(holds(&plan), (true, true, true));
        prop_assert_eq!(holds(&Redacted::new(&plan, &some_key()).0), (false, false, false));
    }
}

#[test]
fn all_but_people_stays() {
    let plan = plan_about(&eight("q"));
    let Redacted(redacted) = Redacted::new(&plan, &some_key());
    let counted = |plan: &Plan| {
        let changes = Changes::of(plan);
        Summary {
            invite: changes.invite.len(),
            update: changes.update.len(),
            add: changes.add.len(),
            remove: changes.remove.len(),
            problems: plan.problems.len(),
            ..Summary::default()
        }
    };
    assert_eq!(counted(&redacted), counted(&plan));
    assert_eq!(redacted.plan_id, plan.plan_id);
    let without_people = |plan: Plan| Plan {
        changes: Vec::new(),
        problems: Vec::new(),
        ..plan
    };
    assert_eq!(without_people(redacted), without_people(plan));
}

#[test]
fn one_person_has_one_token_in_every_place() {
    let mut plan = plan_about(&eight("q"));
    plan.problems.clear();
    let token = |email: &str| {
        let tokens = Tokens::of_plan(&plan, &some_key()).person(email);
        tokens.trim_start_matches("person-").to_owned()
    };
    // xq0 is invited and added, xq4 leaves.
    let shown = Redacted::new(&plan, &some_key()).text(&WIDE);
    assert_eq!(
        shown.matches(&token("xq0@of0.example")).count(),
        3,
        "{shown}"
    );
    assert_eq!(
        shown.matches(&token(" XQ4@of4.example ")).count(),
        2,
        "{shown}"
    );
}

#[test]
fn whoever_is_called_by_the_address_of_another_has_a_token_of_their_own() {
    let mut plan = samples::every_kind();
    let eve = Tokens::of_plan(&plan, &some_key()).person("eve@partner.example");
    let problem = &mut plan.problems[0];
    problem.subject = "Mal Mott (eve@partner.example)".to_owned();
    problem.about = About {
        people: vec!["mal".parse().unwrap()],
        ..About::default()
    };
    let Redacted(redacted) = Redacted::new(&plan, &some_key());
    let subjects: Vec<&str> = redacted
        .problems
        .iter()
        .map(|it| it.subject.as_str())
        .collect();
    assert!(!subjects.contains(&eve.as_str()), "{subjects:?}");
    plan.problems[0].about = About::account(&samples::id(1), "Eve@partner.example");
    let Redacted(redacted) = Redacted::new(&plan, &some_key());
    assert!(
        redacted
            .problems
            .iter()
            .any(|problem| problem.subject == eve)
    );
}

#[test]
fn nobody_is_somebody_else_where_two_plans_call_them_differently() {
    let problem = |name: &str| Problem {
        code: ProblemCode::AddressMayHaveChanged,
        subject: name.to_owned(),
        message: format!("leaves the group, and {name} is invited to it"),
        hint: None,
        about: About {
            emails: vec!["ann@old.example".to_owned(), "ann@new.example".to_owned()],
            group: Some(samples::group(2, "acme-platform")),
            ..About::default()
        },
    };
    let plan = |name: &str| {
        let mut plan = samples::every_kind();
        plan.problems = vec![problem(name)];
        plan.sealed()
    };
    let comparison = Comparison::of(plan("Ann Low"), plan("Ann Ash"));
    let shown = RedactedComparison::new(&comparison, &some_key()).text(&WIDE);
    let plan = plan("Ann Low");
    let known = [
        &plan.problems[0].about.emails[0],
        &plan.problems[0].about.emails[1],
    ];
    let known = known.map(|email| Tokens::of_plan(&plan, &some_key()).person(email));
    let known: BTreeSet<&str> = known.iter().map(String::as_str).collect();
    assert_eq!(tokens(&shown), known, "{shown}");
}

#[test]
fn a_token_is_what_openssl_makes_of_the_address() {
    // printf 'person:bob@partner.example' | openssl dgst -sha256 -hmac 0123456789abcdef0123456789abcdef
    let plan = samples::every_kind();
    assert_eq!(
        Tokens::of_plan(&plan, &some_key()).person("Bob@Partner.example"),
        "person-fc7a2c"
    );
}

#[test]
fn another_key_makes_other_tokens() {
    let plan = samples::every_kind();
    let one = Redacted::new(&plan, &some_key()).text(&WIDE);
    let other = Redacted::new(&plan, &key("another key of the pipeline")).text(&WIDE);
    assert!(tokens(&one).is_disjoint(&tokens(&other)));
    assert_eq!(shape(&one), shape(&other));
}

#[test]
fn the_order_of_addresses_does_not_show() {
    let mut plan = samples::empty();
    plan.changes = (0..40)
        .map(|at| samples::invite("Ann", &format!("a{at:02}@partner.example")))
        .collect();
    let key = some_key();
    let tokens = Tokens::of_plan(&plan, &key);
    let shown = Redacted::new(&plan, &key).text(&WIDE);
    let rows: Vec<&str> = shown
        .lines()
        .filter(|line| line.starts_with("  + "))
        .collect();
    assert_eq!(rows.len(), 40);
    assert!(rows.is_sorted());
    let by_address = (0..40).map(|at| tokens.person(&format!("a{at:02}@partner.example")));
    assert!(!by_address.is_sorted());
}

#[test]
fn people_who_share_a_beginning_get_more_digits_and_nobody_else_does() {
    let crowd = |number: usize| {
        let mut plan = samples::empty();
        plan.changes = (0..number)
            .map(|at| samples::invite("Ann", &format!("a{at}@partner.example")))
            .collect();
        let tokens = Tokens::of_plan(&plan, &some_key()).people;
        assert_eq!(tokens.values().collect::<BTreeSet<_>>().len(), number);
        tokens
    };
    let (few, many) = (crowd(10), crowd(10_000));
    let usual = "person-".len() + DIGITS;
    assert!(few.values().all(|token| token.len() == usual));
    let longer = many.values().filter(|token| token.len() > usual).count();
    assert!(longer > 0 && longer < 50, "{longer}");
    for (email, token) in few {
        assert!(many[&email].starts_with(&token));
    }
}
