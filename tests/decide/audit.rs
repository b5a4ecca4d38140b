//! What an audit says of two directories.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use keycloak_to_azure::audit::{
    Audit, Evidence, Findings, Happened, Material, Missing, NoMatter, Now, Unreasoned, audit,
};
use keycloak_to_azure::explain::Staying;
use keycloak_to_azure::model::{ObjectId, UserType};
use keycloak_to_azure::plan::{Change, Overrides, ProblemCode, RemovalReason, Target};
use keycloak_to_azure::report::{End, Outcome, Realm, Report, Write};
use keycloak_to_azure::settings::{Limit, RemovalPolicy};
use keycloak_to_azure::snapshot::{Account, DatedAccount, Obstacle};
use proptest::prelude::*;

use crate::carry_out::apply_and_report;
use crate::generate::world;
use crate::properties::config;
use crate::world::{World, id, team_of};

const NOW: &str = "2026-11-27T12:00:00Z";

fn evidence() -> Evidence {
    Evidence {
        tool_version: "0.1.0".to_owned(),
        source: Realm {
            url: "https://auth.acme.example".to_owned(),
            realm: "acme".to_owned(),
        },
        keycloak_account: "service account sync".to_owned(),
        target: Target {
            tenant_id: id(0xacbe),
            tenant_name: "Acme".to_owned(),
            graph_url: "https://graph.microsoft.com".to_owned(),
        },
        app_id: "app".to_owned(),
        operator: None,
        config_sha256: "config".to_owned(),
        began: NOW.parse().unwrap(),
        ended: NOW.parse().unwrap(),
    }
}

/// The accounts of a world, all accepted long ago.
fn dated(world: &World) -> Vec<DatedAccount> {
    let accounts = world.accounts.values();
    accounts
        .map(|account| DatedAccount {
            account: Account {
                pending: false,
                created: "2024-01-01T00:00:00Z".parse().ok(),
                ..account.clone()
            },
            state_changed: "2024-01-02T00:00:00Z".parse().ok(),
        })
        .collect()
}

fn audited(world: &World) -> Audit {
    audited_since(world, None, &dated(world))
}

fn audited_since(world: &World, since: Option<&Report>, accounts: &[DatedAccount]) -> Audit {
    world.decide(|decision| {
        let material = Material {
            accounts,
            since,
            pending_days: 30,
        };
        audit(decision, material, evidence())
    })
}

fn missing(audit: &Audit) -> Vec<(&str, &Missing)> {
    let missing = audit.groups.iter().flat_map(|group| &group.missing);
    missing
        .map(|member| (member.person.username.as_str(), &member.what))
        .collect()
}

fn unreasoned(audit: &Audit) -> Vec<(&str, Unreasoned, bool)> {
    let members = audit.groups.iter().flat_map(|it| &it.without_reason);
    members
        .map(|member| {
            (
                member.account.email.as_str(),
                member.what,
                member.as_configured,
            )
        })
        .collect()
}

#[test]
fn directories_that_agree_are_in_order_and_everybody_has_a_reason() {
    let mut world = team_of(3);
    world.person("sub");
    world.join("sub", "/team/core");
    let account = world.account("sub").id.clone();
    world.add_member(&account, "acme-team");
    world.settings.mappings[0].subgroups = true;
    let audit = audited(&world);
    assert!(audit.in_order, "{:?}", audit.findings);
    let [group] = &audit.groups[..] else {
        panic!("{audit:?}")
    };
    let reasons: Vec<String> = group
        .members
        .iter()
        .map(|member| {
            let [reason] = &member.because[..] else {
                panic!("{member:?}")
            };
            format!(
                "{} {} {}",
                member.person.username, reason.group, reason.mapping
            )
        })
        .collect();
    assert_eq!(
        reasons,
        [
            "p0 /team /team",
            "p1 /team /team",
            "p2 /team /team",
            "sub /team/core /team"
        ]
    );
    assert!(audit.updates.is_empty());
    assert_eq!(audit.read.memberships, 4);
    assert_eq!((audit.read.people, audit.read.keycloak_groups), (4, 2));
}

#[test]
fn who_should_be_in_a_group_and_is_not_is_named_with_what_is_in_the_way() {
    let mut world = team_of(2);
    for (username, has_account) in [
        ("new", false),
        ("out", true),
        ("own", false),
        ("glass", true),
    ] {
        world.person(username);
        world.join(username, "/team");
        if has_account {
            world.account(username);
        }
    }
    world.person("own").email = Some("own@acme.example".to_owned());
    world.person("mute").email = None;
    world.join("mute", "/team");
    world.settings.protected = vec!["glass@partner.example".to_owned()];
    let audit = audited(&world);
    let problem = |code| Missing::Problems(BTreeSet::from([code]));
    assert_eq!(
        missing(&audit),
        [
            ("glass", &Missing::Protected),
            ("mute", &problem(ProblemCode::NoEmail)),
            ("new", &Missing::WouldBeInvited),
            ("out", &Missing::WouldBeAdded),
            ("own", &problem(ProblemCode::OwnDomain)),
        ]
    );
    assert_eq!(
        audit.findings.missing, 4,
        "the protected one is as configured"
    );

    world.azure.get_mut("acme-team").unwrap().dynamic = true;
    let unmanaged = Missing::Unmanaged(Obstacle::Dynamic);
    let audit = audited(&world);
    let others: Vec<_> = missing(&audit)
        .into_iter()
        .filter(|(username, _)| *username != "glass")
        .collect();
    assert!(
        others.iter().all(|(_, what)| **what == unmanaged),
        "{others:?}"
    );
}

#[test]
fn who_is_in_a_group_without_a_reason_is_named_with_what_becomes_of_it() {
    let removed = Unreasoned::WouldBeRemoved(RemovalReason::UnknownToKeycloak);
    let stays = Unreasoned::Stays;
    let cases: [(Unreasoned, bool, crate::world::Happening); 5] = [
        (removed, false, |_| {}),
        (stays(Staying::Protected), true, |world| {
            world.settings.protected = vec!["p0@partner.example".to_owned()];
        }),
        (stays(Staying::RemovesNobody), true, |world| {
            world.settings.mappings[0].removals = RemovalPolicy::None;
        }),
        (stays(Staying::RemovesOnlyKnown), true, |world| {
            world.settings.mappings[0].removals = RemovalPolicy::Known;
        }),
        (stays(Staying::NotConfirmed), false, |world| {
            world.components = None;
        }),
    ];
    for (what, as_configured, happen) in cases {
        let mut world = team_of(8);
        world.delete("p0");
        happen(&mut world);
        let audit = audited(&world);
        assert_eq!(
            unreasoned(&audit),
            [("p0@partner.example", what, as_configured)]
        );
        assert_eq!(audit.in_order, as_configured, "{:?}", audit.findings);
    }
}

#[test]
fn whom_a_limit_keeps_in_a_group_is_told_from_who_stays_for_another_reason() {
    let stranger = (
        "p0@partner.example",
        Unreasoned::Stays(Staying::RemovesOnlyKnown),
        true,
    );
    let mut world = team_of(10);
    world.settings.mappings[0].removals = RemovalPolicy::Known;
    world.settings.limits.removals = Limit::AtMost(1);
    world.settings.limits.removals_percent = Limit::AtMost(0);
    world.delete("p0");
    world.leave("p1", "/team");
    world.leave("p2", "/team");
    let leaves = Unreasoned::WouldBeRemoved(RemovalReason::LeftGroup);
    let audit = audited(&world);
    assert_eq!(audit.findings.blocks, 1);
    assert_eq!(
        unreasoned(&audit),
        [
            stranger,
            ("p1@partner.example", leaves, false),
            ("p2@partner.example", leaves, false),
        ]
    );

    // Of a group whose Keycloak side is empty, a plan shows no removal.
    world.groups.get_mut("/team").unwrap().clear();
    let audit = audited(&world);
    let unreasoned = unreasoned(&audit);
    assert_eq!(unreasoned.len(), 10);
    assert_eq!(unreasoned[0], stranger);
    for member in &unreasoned[1..] {
        let blocked = Unreasoned::Stays(Staying::Blocked);
        assert_eq!((member.1, member.2), (blocked, false));
    }
}

#[test]
fn who_is_not_looked_into_while_a_limit_blocks_the_group_is_said_to_be_so() {
    let mut world = team_of(130);
    for number in 0..120 {
        world.delete(&format!("p{number}"));
    }
    let audit = audited(&world);
    let with = |what: Unreasoned| {
        let unreasoned = unreasoned(&audit);
        unreasoned.iter().filter(|it| it.1 == what).count()
    };
    let unknown = RemovalReason::UnknownToKeycloak;
    assert_eq!(with(Unreasoned::WouldBeRemoved(unknown)), 100);
    assert_eq!(with(Unreasoned::Stays(Staying::Blocked)), 20);
}

#[test]
fn invitations_are_overdue_after_so_many_days_and_where_nobody_knows_since_when() {
    let world = team_of(4);
    let mut invited = dated(&world);
    let dates = [
        Some("2026-10-28T12:00:00Z"),
        Some("2026-10-28T12:00:01Z"),
        None,
        Some("2020-01-01T00:00:00Z"),
    ];
    for (at, date) in dates.into_iter().enumerate() {
        invited[at].account.pending = at < 3;
        invited[at].account.created = None;
        invited[at].state_changed = date.and_then(|date| date.parse().ok());
    }
    let audit = audited_since(&world, None, &invited);
    let overdue: Vec<&str> = audit
        .pending
        .iter()
        .map(|pending| pending.account.email.as_str())
        .collect();
    assert_eq!(overdue, ["p2@partner.example", "p0@partner.example"]);
    assert_eq!(audit.pending[0].groups[0].name, "acme-team");
    assert_eq!(
        audit.findings,
        Findings {
            pending: 2,
            ..Findings::default()
        }
    );
    // Of when it was made, where Entra does not say when it was last invited.
    invited[2].account.created = "2026-11-26T00:00:00Z".parse().ok();
    assert_eq!(audited_since(&world, None, &invited).pending.len(), 1);
}

#[test]
fn invited_accounts_in_no_mapped_group_are_named_unless_somebody_is_about_to_be_added() {
    let mut world = team_of(2);
    for username in ["lost", "off", "glass", "soon"] {
        world.account(username);
    }
    world.account("off").enabled = false;
    world.settings.protected = vec!["glass@partner.example".to_owned()];
    world.person("soon");
    world.join("soon", "/team");
    let audit = audited(&world);
    let unmapped: Vec<_> = audit
        .unmapped
        .iter()
        .map(|it| (it.account.email.as_str(), it.no_matter))
        .collect();
    assert_eq!(
        unmapped,
        [
            ("glass@partner.example", Some(NoMatter::Protected)),
            ("lost@partner.example", None),
            ("off@partner.example", Some(NoMatter::Disabled))
        ]
    );
    assert_eq!(audit.findings.unmapped, 1);
}

#[test]
fn who_was_invited_from_another_domain_than_the_configuration_allows_is_no_matter() {
    let mut world = team_of(2);
    world.account("lost");
    for (username, other_mail) in [("guest", None), ("both", Some("both@partner.example"))] {
        let account = world.account(username);
        account.mail = Some(format!("{username}@elsewhere.example"));
        account.user_principal_name =
            format!("{username}_elsewhere.example#EXT#@acme.onmicrosoft.com");
        account.other_mails = other_mail.map(str::to_owned).into_iter().collect();
        account.proxy_addresses.clear();
    }
    let nameless = world.account("nameless");
    nameless.mail = None;
    nameless.user_principal_name = "nameless".to_owned();
    nameless.other_mails.clear();
    nameless.proxy_addresses.clear();
    let no_matter = |world: &World| -> Vec<_> {
        let unmapped = audited(world).unmapped.into_iter();
        unmapped
            .map(|it| (it.account.display_name, it.no_matter))
            .collect()
    };
    assert!(no_matter(&world).iter().all(|(_, why)| why.is_none()));
    world.settings.invitations.allowed_domains = vec!["partner.example".to_owned()];
    let found = no_matter(&world);
    let of_another: Vec<_> = found
        .iter()
        .filter(|(_, why)| *why == Some(NoMatter::OtherDomain))
        .map(|(name, _)| name.as_deref().unwrap())
        .collect();
    assert_eq!((found.len(), of_another), (4, vec!["Guest Example"]));
    assert_eq!(audited(&world).findings.unmapped, 3);
}

/// A world after a run of every kind of change, and the report of it.
fn after_a_run() -> (World, Report) {
    let mut world = team_of(8);
    world.person("new");
    world.join("new", "/team");
    world.person("back");
    world.join("back", "/team");
    world.account("back");
    world.delete("p0");
    world.account("p1").user_type = Some(UserType::Guest);
    let plan = world.plan();
    let (after, run) = apply_and_report(&plan, &world);
    assert_eq!(run.outcomes.len(), 5, "{:?}", run.outcomes);
    (after, Report { runs: vec![run] })
}

fn since(world: &World, report: &Report) -> (usize, Vec<(String, Now)>) {
    let audit = audited_since(world, Some(report), &dated(world));
    let since = audit.since.unwrap();
    assert_eq!(audit.findings.changed, since.changed.len());
    let changed = since.changed.into_iter();
    (
        since.unchanged,
        changed.map(|it| (it.account.email, it.now)).collect(),
    )
}

#[test]
fn what_became_of_invited_accounts_after_the_last_run_and_by_none_is_named() {
    let (mut world, report) = after_a_run();
    let run = &report.runs[0];
    let made_by_it = run.steps.iter().find(|step| step.write == Write::Invited);
    let made_by_it = made_by_it.unwrap().account.id.clone().unwrap();
    for username in ["early", "late", "open"] {
        world.account(username);
    }
    let [before, after] = [-1, 1].map(|hours| run.start.time + SignedDuration::from_hours(hours));
    let accounts: Vec<DatedAccount> = dated(&world)
        .into_iter()
        .map(|mut it| {
            let name = it.account.display_name.clone().unwrap();
            (it.account.created, it.state_changed) = match name.as_str() {
                "Early Example" | "Open Example" => (Some(before), Some(after)),
                "Late Example" => (Some(after), None),
                _ if it.account.id == made_by_it => (Some(after), Some(before)),
                _ => (it.account.created, it.state_changed),
            };
            it.account.pending = name == "Open Example";
            it
        })
        .collect();
    let since = audited_since(&world, Some(&report), &accounts)
        .since
        .unwrap();
    let happened: Vec<_> = since
        .by_others
        .iter()
        .map(|it| (it.account.email.as_str(), it.what))
        .collect();
    assert_eq!(
        happened,
        [
            ("early@partner.example", Happened::Accepted),
            ("late@partner.example", Happened::Made)
        ]
    );
    // Between the runs of a report others do things too.
    let mut of_two = report.clone();
    let mut second = of_two.runs[0].clone();
    second.start.run_id = "second".to_owned();
    second.start.time = after + SignedDuration::from_hours(1);
    second.steps.clear();
    of_two.runs.push(second);
    let of_two = audited_since(&world, Some(&of_two), &accounts).since;
    assert_eq!(of_two.unwrap().by_others, since.by_others);
    let mut of_dry_run = report;
    of_dry_run.runs[0].start.dry_run = true;
    let since = audited_since(&world, Some(&of_dry_run), &accounts).since;
    assert_eq!(since.unwrap().by_others, []);
}

#[test]
fn what_a_run_did_and_is_not_so_any_more_is_named() {
    let (world, report) = after_a_run();
    let (unchanged, changed) = since(&world, &report);
    assert_eq!((unchanged, &changed[..]), (5, &[][..]));

    let mut later = world.clone();
    let account = |world: &mut World, name: &str| world.account(name).id.clone();
    let (back, gone) = (account(&mut later, "back"), account(&mut later, "p0"));
    let members = &mut later.azure.get_mut("acme-team").unwrap().members;
    members.remove(&back);
    members.insert(gone);
    later.account("p1").user_type = Some(UserType::Guest);
    let new = account(&mut later, "new");
    later.accounts.remove(&new);
    later
        .azure
        .get_mut("acme-team")
        .unwrap()
        .members
        .remove(&new);
    let (unchanged, mut changed) = since(&later, &report);
    changed.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(unchanged, 0);
    let mut changed = changed.into_iter();
    assert_eq!(
        changed.next(),
        Some(("back@partner.example".to_owned(), Now::NotMember))
    );
    let both: Vec<Now> = changed.by_ref().take(2).map(|(_, now)| now).collect();
    assert!(
        both.contains(&Now::NoAccount) && both.contains(&Now::NotMember),
        "{both:?}"
    );
    assert_eq!(
        changed.next(),
        Some(("p0@partner.example".to_owned(), Now::MemberAgain))
    );
    let Some((_, Now::OtherValues(fields))) = changed.next() else {
        panic!("p1 was updated")
    };
    let user_type = fields.user_type.unwrap();
    assert_eq!(user_type.before, Some(UserType::Member));
    assert_eq!(user_type.after, Some(UserType::Guest));
}

#[test]
fn of_several_runs_the_last_word_counts_and_dry_runs_say_nothing() {
    let (world, mut report) = after_a_run();
    // Somebody is taken out again by a second run; what the first one did is no news then.
    let mut gone = world.clone();
    gone.leave("back", "/team");
    let plan = gone.plan();
    let (gone, mut second) = apply_and_report(&plan, &gone);
    second.start.run_id = "second".to_owned();
    report.runs.push(second.clone());
    let (unchanged, changed) = since(&gone, &report);
    assert_eq!((unchanged, &changed[..]), (5, &[][..]));

    report.runs[1].start.dry_run = true;
    let audit = audited_since(&gone, Some(&report), &dated(&gone));
    let [wrote] = &audit.since.as_ref().unwrap().runs[..] else {
        panic!("{audit:?}");
    };
    assert_eq!(wrote.run_id, report.runs[0].start.run_id);
    let (_, changed) = since(&gone, &report);
    assert_eq!(
        changed,
        [("back@partner.example".to_owned(), Now::NotMember)]
    );
}

#[test]
fn what_a_report_leaves_open_is_named_until_a_later_run_of_the_plan_ended() {
    let (world, mut report) = after_a_run();
    let mut whole = report.runs[0].clone();
    whole.end = Some(End {
        run_id: whole.start.run_id.clone(),
        time: NOW.parse().unwrap(),
        interrupted: false,
        totals: whole.totals(),
        further_changes: 0,
    });
    report.runs[0].end = None;
    report.runs[0].outcomes[0].outcome.uncertain = true;
    let doubts = |report: &Report| {
        let audit = audited_since(&world, Some(report), &dated(&world));
        assert_eq!(
            audit.findings.doubts,
            audit.since.as_ref().unwrap().doubts.len()
        );
        audit.findings.doubts
    };
    assert_eq!(doubts(&report), 2);
    let mut later = whole.clone();
    later.start.run_id = "later".to_owned();
    later.start.dry_run = true;
    report.runs.push(later.clone());
    assert_eq!(doubts(&report), 2);
    later.start.dry_run = false;
    report.runs[1] = later.clone();
    assert_eq!(doubts(&report), 0);
    // Interrupted before it came to what is not known.
    report.runs[1].outcomes[0].outcome.outcome = Outcome::NotAttempted;
    assert_eq!(doubts(&report), 1);
    // Said without a look at the object.
    for unseen in [Outcome::Conflict, Outcome::NotWanted, Outcome::Failed] {
        report.runs[1].outcomes[0].outcome.outcome = unseen;
        assert_eq!(doubts(&report), 1, "{unseen}");
    }
    report.runs[1].outcomes[0].outcome.outcome = Outcome::AlreadyDone;
    assert_eq!(doubts(&report), 0);
    // What the first run said nothing of, and the later one neither.
    report.runs[1] = later.clone();
    let left_out = report.runs[0].outcomes.pop().unwrap();
    report.runs[1].outcomes.pop();
    assert_eq!(doubts(&report), 1);
    report.runs[0].outcomes.push(left_out);
    // The same situation at another time, and another plan.
    let mut again = later.clone();
    again.start.plan_created_at = NOW.parse().unwrap();
    assert_ne!(again.start.plan_created_at, later.start.plan_created_at);
    report.runs[1] = again;
    assert_eq!(doubts(&report), 2);
    let mut elsewhere = later.clone();
    elsewhere.start.target.tenant_id = "33333333-3333-4333-8333-333333333333".parse().unwrap();
    report.runs[1] = elsewhere;
    assert_eq!(doubts(&report), 2);
    later.start.plan_id = "another".to_owned();
    report.runs[1] = later;
    assert_eq!(doubts(&report), 2);
}

#[test]
fn of_each_field_the_last_update_counts() {
    let (world, report) = after_a_run();
    // Somebody is called otherwise, which a second run writes; what the first one wrote still is to be so.
    let mut renamed = world.clone();
    renamed.person("p1").last_name = Some("Other".to_owned());
    let plan = renamed.plan();
    let (mut renamed, second) = apply_and_report(&plan, &renamed);
    let mut report = report;
    report.runs.push(second);
    assert_eq!(since(&renamed, &report).1, []);
    renamed.account("p1").user_type = Some(UserType::Guest);
    let (_, changed) = since(&renamed, &report);
    let [(email, Now::OtherValues(fields))] = &changed[..] else {
        panic!("{changed:?}")
    };
    assert_eq!(email, "p1@partner.example");
    assert!(
        fields.user_type.is_some() && fields.surname.is_none(),
        "{fields:?}"
    );
}

#[test]
fn accounts_that_a_plan_would_update_are_not_in_order() {
    let mut world = team_of(2);
    world.account("p0").user_type = Some(UserType::Guest);
    let audit = audited(&world);
    assert_eq!(
        audit.findings,
        Findings {
            updates: 1,
            ..Findings::default()
        }
    );
    assert_eq!(audit.updates[0].account.email, "p0@partner.example");
}

#[test]
fn whoever_is_external_counts_as_invited_whatever_made_the_account() {
    let mut world = team_of(2);
    let lost = world.account("lost");
    lost.created_by_invitation = false;
    lost.user_principal_name = "lost_partner.example#EXT#@acme.onmicrosoft.com".to_owned();
    let own = world.account("own");
    own.created_by_invitation = false;
    own.user_principal_name = "own@acme.example".to_owned();
    let audit = audited(&world);
    let unmapped: Vec<_> = audit
        .unmapped
        .iter()
        .map(|it| it.account.email.as_str())
        .collect();
    assert_eq!(unmapped, ["lost@partner.example"]);
}

#[test]
fn what_a_run_did_in_a_group_that_is_not_mapped_any_more_was_not_read() {
    let (mut world, report) = after_a_run();
    world.map("/other", "acme-other");
    world.settings.mappings.remove(0);
    let audit = audited_since(&world, Some(&report), &dated(&world));
    let since = audit.since.unwrap();
    assert_eq!(since.not_read, 3);
    assert_eq!(since.changed, []);
}

proptest! {
    #![proptest_config(config(500))]

    #[test]
    fn everybody_in_a_group_or_wanted_there_stands_in_one_list_and_a_plan_does_what_it_says(world in world()) {
        let mut world = world;
        world.scope = None;
        let plan = world.plan();
        let audit = audited(&world);
        let (mut to_add, mut to_remove) = (0, 0);
        for group in &audit.groups {
            let azure = world.azure.values().find(|it| it.id == group.azure.id).unwrap();
            let with_reason = group.members.iter().map(|member| &member.account.id);
            let without = group.without_reason.iter().map(|member| &member.account.id);
            let listed: Vec<&ObjectId> = with_reason.chain(without).collect();
            let once: BTreeSet<&ObjectId> = listed.iter().copied().collect();
            prop_assert_eq!(listed.len(), once.len());
            prop_assert_eq!(once, azure.members.iter().collect::<BTreeSet<_>>());
            let is_to_add = |what: &Missing| matches!(what, Missing::WouldBeAdded | Missing::WouldBeInvited);
            to_add += group.missing.iter().filter(|member| is_to_add(&member.what)).count();
            let is_to_remove = |what: &Unreasoned| matches!(what, Unreasoned::WouldBeRemoved(_));
            to_remove += group.without_reason.iter().filter(|member| is_to_remove(&member.what)).count();
        }
        prop_assert_eq!(to_add, plan.summary.add);
        prop_assert_eq!(to_remove, plan.summary.remove);
        let changes_groups = plan.changes.iter().any(|change| !matches!(change, Change::Update(_)));
        prop_assert!(!(audit.in_order && changes_groups), "{:?}", plan.changes);
    }
    #[test]
    fn a_limit_changes_nothing_but_what_is_said_of_who_would_have_to_go(world in world()) {
        let mut lifted = world.clone();
        lifted.settings.limits.removals = Limit::Off;
        lifted.settings.limits.removals_percent = Limit::Off;
        lifted.overrides = Overrides {
            without_witness: world.overrides.without_witness.clone(),
            ..Overrides::default()
        };
        for mapping in &mut lifted.settings.mappings {
            mapping.allow_empty = true;
        }
        let (audit, lifted) = (audited(&world), audited(&lifted));
        let (members, without_limit) = (unreasoned(&audit), unreasoned(&lifted));
        prop_assert_eq!(members.len(), without_limit.len());
        for (member, without_limit) in members.into_iter().zip(without_limit) {
            let would_go = matches!(
                without_limit.1,
                Unreasoned::WouldBeRemoved(_) | Unreasoned::Stays(Staying::NotConfirmed)
            );
            let is_blocked = member.1 == Unreasoned::Stays(Staying::Blocked);
            prop_assert!(
                member == without_limit || would_go && is_blocked,
                "{:?} {:?}", member, without_limit
            );
        }
    }
}
