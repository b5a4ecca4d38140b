//! What apply decides when the directories are not as they were when the plan was reviewed, as a table that can be read alone: the snapshot
//! beside this file.
//!
//! The reviewed plan holds a change of every kind for the team `/team` → `acme-team`: Ann is invited and added, Una is updated, Adi is added,
//! Lea has left, Dis is disabled and Old is nobody whom Keycloak knows. Each thing that can have happened since happens to one of them at a
//! time. The table shows what becomes of this one's changes, and how many changes somebody would have to review anew. Everybody else's
//! have to be carried out as if nothing had happened, and that is tested for each.

use std::fmt::Write;

use keycloak_to_azure::model::{ObjectId, UserType};
use keycloak_to_azure::plan::{Change, Plan};
use keycloak_to_azure::report::object_of;
use keycloak_to_azure::settings::{
    DisabledPolicy, Limit, RemovalPolicy, UnverifiedPolicy, UpdatePolicy,
};
use keycloak_to_azure::snapshot::Account;
use keycloak_to_azure::verify::{Verdict, verify};

use crate::verify::in_short;
use crate::world::{World, id, invited_account, team_of};

const PEOPLE: [&str; 6] = ["ann", "una", "adi", "lea", "dis", "old"];

/// The world in which the plan is made.
fn reviewed() -> World {
    let mut world = team_of(14);
    world.map("/ops", "acme-ops");
    world.member_on_both_sides("olga", "/ops", "acme-ops");
    for username in ["ann", "adi", "dis"] {
        world.person(username);
        world.join(username, "/team");
    }
    world.account("adi");
    world.member_on_both_sides("una", "/team", "acme-team");
    world.account("una").surname = Some("Earlier".to_owned());
    world.person("lea");
    world.person("dis").enabled = false;
    for username in ["lea", "dis", "old"] {
        let account = world.account(username).id.clone();
        world.add_member(&account, "acme-team");
    }
    world
}

type Event = fn(&mut World, &str);

/// What happens to one of them: its name, and what it does.
const EVENTS: &[(&str, &[(&str, Event)])] = &[
    (
        "In Keycloak",
        &[
            ("is in the group", |world, who| {
                world.person(who);
                world.join(who, "/team");
            }),
            ("is not in the group", |world, who| {
                world.groups.get_mut("/team").unwrap().remove(who);
            }),
            ("is in another mapped group instead", |world, who| {
                world.groups.get_mut("/team").unwrap().remove(who);
                world.person(who);
                world.join(who, "/ops");
            }),
            ("is disabled", |world, who| {
                world.person(who).enabled = false;
            }),
            ("is enabled", |world, who| world.person(who).enabled = true),
            ("does not exist", |world, who| world.delete(who)),
            ("has another address", |world, who| {
                world.person(who).email = Some("new@partner.example".to_owned());
            }),
            ("has no address", |world, who| {
                world.person(who).email = None;
            }),
            ("has another surname", |world, who| {
                world.person(who).last_name = Some("Newer".to_owned());
            }),
            ("has a name that is too long", |world, who| {
                world.person(who).last_name = Some("x".repeat(65));
            }),
            ("has the address of another person as well", |world, who| {
                let email = world.person(who).email.clone();
                world.person("twin").email = email;
                world.join("twin", "/team");
            }),
            ("is another person with the same address", |world, who| {
                world.person(who).id = "kc-another".parse().unwrap();
            }),
        ],
    ),
    (
        "In Entra",
        &[
            ("the account does not exist", |world, who| {
                let account = account_of(world, who);
                world.accounts.remove(&account);
                for group in world.azure.values_mut() {
                    group.members.remove(&account);
                }
            }),
            (
                "an account with the address was deleted and can be restored",
                |world, who| {
                    let account = world.account(who).id.clone();
                    world.delete_account(&account);
                },
            ),
            ("somebody invited the address", |world, who| {
                if who == "ann" {
                    let account = invited_account(&id(0xaaa), &address(who).parse().unwrap());
                    world.accounts.insert(account.id.clone(), account);
                }
            }),
            ("the account is as Keycloak wants it", |world, who| {
                let last_name = world.person(who).last_name.clone();
                world.account(who).surname = last_name;
            }),
            ("the account has a third surname", |world, who| {
                world.account(who).surname = Some("Third".to_owned());
            }),
            ("the account is a Guest", |world, who| {
                world.account(who).user_type = Some(UserType::Guest);
            }),
            ("the account was not invited", |world, who| {
                let account = world.account(who);
                account.created_by_invitation = false;
                account.user_principal_name = address(who);
            }),
            (
                "the account is synchronised from on premises",
                |world, who| {
                    world.account(who).on_premises = true;
                },
            ),
            ("the account is a member", |world, who| {
                let account = world.account(who).id.clone();
                world.add_member(&account, "acme-team");
            }),
            ("the account is no member", |world, who| {
                let account = account_of(world, who);
                world
                    .azure
                    .get_mut("acme-team")
                    .unwrap()
                    .members
                    .remove(&account);
            }),
            ("the account has another address", |world, who| {
                rename(world.account(who), "new@partner.example");
            }),
            ("another account has the address as well", |world, who| {
                let account = invited_account(&id(0xbbb), &address(who).parse().unwrap());
                world.account(who);
                world.accounts.insert(account.id.clone(), account);
            }),
            ("the address is that of another account", |world, who| {
                rename(world.account(who), "gone@partner.example");
                let account = invited_account(&id(0xbbb), &address(who).parse().unwrap());
                world.accounts.insert(account.id.clone(), account);
            }),
        ],
    ),
    (
        "In the configuration",
        &[("the account is protected", |world, who| {
            world.settings.protected = vec![address(who)];
        })],
    ),
];

/// What happens to all of them at once.
const GENERAL: &[(&str, Event)] = &[
    ("the group is called otherwise", |world, _| {
        world.call("acme-team", "acme-crew");
    }),
    ("a rule decides who is in the group", |world, _| {
        world.azure.get_mut("acme-team").unwrap().dynamic = true;
    }),
    ("the mapping is gone", |world, _| {
        world
            .settings
            .mappings
            .retain(|mapping| mapping.azure != "acme-team");
    }),
    ("Keycloak names nobody in the group", |world, _| {
        world.groups.get_mut("/team").unwrap().clear();
    }),
    ("`removals: known`", |world, _| {
        world.settings.mappings[0].removals = RemovalPolicy::Known;
    }),
    ("`removals: none`", |world, _| {
        world.settings.mappings[0].removals = RemovalPolicy::None;
    }),
    ("`limits.removals: 0`", |world, _| {
        world.settings.limits.removals = Limit::AtMost(0);
    }),
    ("`limits.invitations: 0`", |world, _| {
        world.settings.limits.invitations = Limit::AtMost(0);
    }),
    ("`users.update: none`", |world, _| {
        world.settings.users.update = UpdatePolicy::None;
    }),
    ("`users.user_type: Guest`", |world, _| {
        world.settings.users.user_type = Some(UserType::Guest);
    }),
    ("`users.disabled: keep`", |world, _| {
        world.settings.users.disabled = DisabledPolicy::Keep;
    }),
    (
        "`users.unverified_email: skip`, and nobody is verified",
        |world, _| {
            world.settings.users.unverified_email = UnverifiedPolicy::Skip;
            for person in world.people.values_mut() {
                person.email_verified = false;
            }
        },
    ),
    ("mails are sent", |world, _| {
        world.settings.invitations.send_email = true;
    }),
    ("mails are sent, and have a text", |world, _| {
        world.settings.invitations.send_email = true;
        world.settings.invitations.message = Some("Welcome".to_owned());
    }),
    (
        "those who go come from a federation without a witness",
        |world, _| {
            for who in ["lea", "dis"] {
                world.person(who).provider = Some("ldap".parse().unwrap());
            }
        },
    ),
    ("nothing is known of federation", |world, _| {
        world.components = None;
    }),
    ("the whole plan is carried out", |world, _| {
        let changes = reviewed().plan().changes;
        world.carry_out(&changes);
    }),
];

fn address(who: &str) -> String {
    format!("{who}@partner.example")
}

fn account_of(world: &World, who: &str) -> ObjectId {
    let mut accounts = world.accounts.values();
    let account = accounts.find(|account| account.mail.as_deref() == Some(&address(who)));
    account.map_or_else(|| id(0xfff), |account| account.id.clone())
}

fn rename(account: &mut Account, address: &str) {
    let renamed = invited_account(&account.id, &address.parse().unwrap());
    account.mail = renamed.mail;
    account.other_mails = renamed.other_mails;
    account.proxy_addresses = renamed.proxy_addresses;
    account.user_principal_name = renamed.user_principal_name;
}

/// The verdicts about each change, with whom it is about, and the number of further changes.
fn judged(plan: &Plan, now: &World) -> (Vec<(String, String)>, usize) {
    now.decide(|fresh| {
        let verification = verify(plan, fresh);
        let verdicts = plan.changes.iter().zip(&verification.verdicts);
        let lines = verdicts.map(|(change, verdict)| {
            let (subject, _) = object_of(change);
            let who = subject.email.split('@').next().unwrap().to_owned();
            (who, format!("{} → {}", kind(change), in_short(verdict)))
        });
        (lines.collect(), verification.further_changes)
    })
}

fn kind(change: &Change) -> &'static str {
    match change {
        Change::Invite(_) => "invite",
        Change::Update(_) => "update",
        Change::Add(_) => "add",
        Change::Remove(_) => "remove",
    }
}

fn table() -> String {
    let world = reviewed();
    let plan = world.plan();
    assert_eq!(plan.summary.changes(), 7, "{:?}", plan.changes);
    let (undisturbed, further) = judged(&plan, &world);
    assert_eq!(further, 0);
    let mut table = String::from("Nothing happened\n");
    for (who, line) in &undisturbed {
        let _ = writeln!(table, "    {who}  {line}");
    }
    for (heading, events) in EVENTS {
        let _ = writeln!(table, "\n{heading}");
        for (name, event) in *events {
            let _ = writeln!(table, "\n  {name}");
            for who in PEOPLE {
                let mut now = world.clone();
                event(&mut now, who);
                let (verdicts, further) = judged(&plan, &now);
                for (at, (whose, line)) in verdicts.iter().enumerate() {
                    if whose == who {
                        let further = match further {
                            0 => String::new(),
                            number => format!("   [{number} further]"),
                        };
                        let _ = writeln!(table, "    {who}  {line}{further}");
                    } else {
                        assert_eq!(
                            line, &undisturbed[at].1,
                            "{whose} has nothing to do with it: {who} {name}"
                        );
                    }
                }
            }
        }
    }
    let _ = writeln!(table, "\nTo all of them");
    for (name, event) in GENERAL {
        let mut now = world.clone();
        event(&mut now, "");
        let (verdicts, further) = judged(&plan, &now);
        let _ = writeln!(table, "\n  {name}   [{further} further]");
        for (who, line) in verdicts {
            let _ = writeln!(table, "    {who}  {line}");
        }
    }
    table
}

#[test]
fn what_becomes_of_every_change_whatever_happened_since_the_review() {
    insta::assert_snapshot!(table());
}

/// What is carried out, the fresh plan wants as well, or it is the rest of an invitation.
#[test]
fn nothing_is_carried_out_that_the_directories_do_not_want() {
    let world = reviewed();
    let plan = world.plan();
    let general = GENERAL.iter().map(|(_, event)| (*event, ""));
    let each = EVENTS.iter().flat_map(|(_, events)| *events);
    let each = each.flat_map(|(_, event)| PEOPLE.map(|who| (*event, who)));
    for (event, who) in general.chain(each) {
        let mut now = world.clone();
        event(&mut now, who);
        let fresh = now.plan();
        let wanted: Vec<_> = fresh.changes.iter().map(key).collect();
        let verdicts = now.decide(|fresh| verify(&plan, fresh).verdicts);
        for (change, verdict) in plan.changes.iter().zip(verdicts) {
            let is_rest = matches!(change, Change::Invite(_)) && {
                let (subject, _) = object_of(change);
                wanted.contains(&("update", subject.email, None))
            };
            assert!(
                !matches!(verdict, Verdict::Execute(_)) || wanted.contains(&key(change)) || is_rest,
                "{who}: {change:?}"
            );
        }
    }
}

fn key(change: &Change) -> (&'static str, String, Option<String>) {
    let (subject, group) = object_of(change);
    (
        kind(change),
        subject.email,
        group.map(|group| group.id.to_string()),
    )
}
