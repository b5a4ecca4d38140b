//! Plans, reports and audits for the tests of this folder.

mod audit;

pub(super) use audit::{audit, audit_of_many, audit_with_text};

use crate::model::{ObjectId, UserType};
use crate::plan::{
    About, AccountName, Add, Block, BlockCode, Change, FORMAT_VERSION, Federation,
    FederationSource, FieldChange, Fields, GroupName, Invite, KeycloakGroupName, NewAccount,
    NewMember, Overrides, PersonName, Plan, PlanKind, PlannedGroup, Problem, ProblemCode, Provider,
    RemovalReason, Remove, ScopeMapping, Source, Summary, Target, UndoneRun, Update,
};
use crate::report::{
    ChangeOutcome, End, Outcome, Report, ReportedOutcome, Run, Start, Step, Write,
};
use crate::settings::Limit;

pub(super) fn id(number: usize) -> ObjectId {
    format!("{number:08x}-0000-4000-8000-000000000000")
        .parse()
        .unwrap()
}

pub(super) fn group(number: usize, name: &str) -> GroupName {
    GroupName {
        id: id(number),
        name: name.to_owned(),
    }
}

fn planned(azure: GroupName, path: &str, before: usize, after: usize) -> PlannedGroup {
    PlannedGroup {
        keycloak: vec![KeycloakGroupName {
            path: path.parse().unwrap(),
            id: "k".parse().unwrap(),
        }],
        azure,
        members_before: before,
        members_after: after,
        other_members: 0,
    }
}

pub(super) fn remove(
    group: GroupName,
    number: usize,
    name: &str,
    email: &str,
    because: RemovalReason,
) -> Change {
    Change::Remove(Remove {
        group,
        account: AccountName {
            id: id(number),
            email: email.to_owned(),
            display_name: Some(name.to_owned()),
        },
        because,
    })
}

pub(super) fn add(
    group: GroupName,
    number: Option<usize>,
    name: &str,
    email: &str,
    path: &str,
) -> Change {
    Change::Add(Add {
        group,
        account: NewMember {
            id: number.map(id),
            email: email.parse().unwrap(),
            display_name: Some(name.to_owned()),
        },
        because: vec![path.parse().unwrap()],
    })
}

pub(super) fn invite(name: &str, email: &str) -> Change {
    Change::Invite(Invite {
        email: email.parse().unwrap(),
        person: PersonName {
            id: "p".parse().unwrap(),
            username: "dana".to_owned(),
        },
        set: NewAccount {
            user_type: Some(UserType::Member),
            display_name: Some(name.to_owned()),
            given_name: None,
            surname: None,
        },
        redirect_url: "https://portal.azure.com/acme".to_owned(),
        send_email: false,
        message: None,
        language: None,
        cc: None,
    })
}

/// [`every_kind`] with mails that have a text, a language and a copy.
pub(super) fn mailed() -> Plan {
    with_mail(
        "Welcome to Acme!\n\nYou will find what you need at https://wiki.acme.example, and whoever can help you in people@acme.example.",
    )
}

/// The same with another text.
pub(super) fn with_mail(text: &str) -> Plan {
    let mut plan = every_kind();
    plan.changes
        .insert(1, invite("Ida Iver", "ida@partner.example"));
    plan.summary.invite += 1;
    for change in &mut plan.changes {
        if let Change::Invite(invite) = change {
            invite.send_email = true;
            invite.message = Some(text.to_owned());
            invite.language = Some("de-DE".parse().unwrap());
            invite.cc = Some("people@acme.example".parse().unwrap());
        }
    }
    plan.sealed()
}

/// The same, where each invitation is another one.
pub(super) fn mailed_in_two_ways() -> Plan {
    let mut plan = mailed();
    if let Some(Change::Invite(invite)) = plan.changes.first_mut() {
        invite.message = Some("Hello \"Dana\"\nand welcome".to_owned());
        invite.language = None;
    }
    if let Some(Change::Invite(invite)) = plan.changes.get_mut(1) {
        invite.message = None;
        invite.cc = None;
    }
    plan.sealed()
}

fn problem(code: ProblemCode, subject: &str, message: &str, hint: &str, about: About) -> Problem {
    Problem {
        code,
        subject: subject.to_owned(),
        message: message.to_owned(),
        hint: Some(hint.to_owned()),
        about,
    }
}

/// About somebody in Keycloak, with an address or without.
fn about(username: &str, email: Option<&str>) -> About {
    About {
        emails: email.into_iter().map(str::to_owned).collect(),
        people: vec![username.parse().unwrap()],
        ..About::default()
    }
}

pub(super) fn empty() -> Plan {
    Plan {
        format_version: FORMAT_VERSION.to_owned(),
        kind: PlanKind::Sync,
        plan_id: String::new(),
        tool_version: "0.1.0".to_owned(),
        created_at: "2026-11-23T14:02:00Z".parse().unwrap(),
        source: Source {
            url: "https://auth.acme.example".to_owned(),
            realm: "acme".to_owned(),
            federation: Some(Federation {
                known_from: FederationSource::Components,
                providers: vec![Provider {
                    id: "c1".parse().unwrap(),
                    name: Some("ldap-main".to_owned()),
                }],
            }),
        },
        target: Target {
            tenant_id: id(0xacae),
            tenant_name: "Acme".to_owned(),
            graph_url: "https://graph.microsoft.com".to_owned(),
        },
        config_sha256: "9f".repeat(32),
        undoes: None,
        overrides: Overrides::default(),
        scope: None,
        summary: Summary {
            unchanged: 44,
            ..Summary::default()
        },
        groups: vec![
            planned(group(1, "acme-partners"), "/partners", 8, 8),
            planned(group(2, "acme-platform"), "/teams/platform", 18, 18),
            planned(group(3, "acme-support"), "/support", 21, 21),
        ],
        changes: Vec::new(),
        blocks: Vec::new(),
        problems: Vec::new(),
    }
    .sealed()
}

pub(super) fn every_kind() -> Plan {
    let platform = || group(2, "acme-platform");
    let support = || group(3, "acme-support");
    let mut plan = empty();
    plan.groups = vec![
        PlannedGroup {
            other_members: 2,
            ..planned(group(1, "acme-partners"), "/partners", 8, 7)
        },
        planned(platform(), "/teams/platform", 18, 19),
        planned(support(), "/support", 21, 21),
    ];
    plan.changes = vec![
        invite("Dana Diaz", "dana@partner.example"),
        Change::Update(Update {
            account: AccountName {
                id: id(12),
                email: "eve@partner.example".to_owned(),
                display_name: Some("Eve Ek".to_owned()),
            },
            fields: Fields {
                user_type: Some(FieldChange {
                    before: Some(UserType::Guest),
                    after: Some(UserType::Member),
                }),
                surname: Some(FieldChange {
                    before: Some("Ekk".to_owned()),
                    after: Some("Ek".to_owned()),
                }),
                ..Fields::default()
            },
        }),
        add(
            platform(),
            None,
            "Dana Diaz",
            "dana@partner.example",
            "/teams/platform",
        ),
        add(
            platform(),
            Some(12),
            "Eve Ek",
            "eve@partner.example",
            "/teams/platform",
        ),
        add(
            support(),
            Some(13),
            "Hal Hill",
            "hal@partner.example",
            "/support",
        ),
        remove(
            platform(),
            14,
            "Bob Braun",
            "bob@partner.example",
            RemovalReason::LeftGroup,
        ),
        remove(
            support(),
            15,
            "Cyd Cole",
            "cyd@partner.example",
            RemovalReason::Disabled,
        ),
        remove(
            group(1, "acme-partners"),
            16,
            "Ned North",
            "ned@old-partner.example",
            RemovalReason::UnknownToKeycloak,
        ),
    ];
    plan.problems = vec![
        problem(
            ProblemCode::NoEmail,
            "Finn Fox (finn)",
            "has no e-mail address in Keycloak · /support",
            "Give him an address there; he is not invited until then.",
            about("finn", None),
        ),
        problem(
            ProblemCode::AmbiguousAccount,
            "gil@partner.example",
            "fits two accounts: 3f2a0c1e… (Gil Gray), 9c1b77d0… (G. Gray)",
            "Delete one of them in Entra, or take the address off it.",
            about("gil", Some("gil@partner.example")),
        ),
    ];
    plan.sealed()
}

pub(super) fn blocked() -> Plan {
    let mut plan = empty();
    plan.changes = (0..7)
        .map(|at| {
            remove(
                group(2, "acme-platform"),
                20 + at,
                &format!("Person {at}"),
                &format!("person{at}@partner.example"),
                RemovalReason::UnknownToKeycloak,
            )
        })
        .collect();
    plan.groups[1].members_after = 11;
    plan.blocks = vec![Block {
        code: BlockCode::TooManyRemovals,
        group: Some(group(2, "acme-platform")),
        message:
            "acme-platform would lose 7 of 18 members; at most 5 (or 20 %) may go in one plan."
                .to_owned(),
        flag: "--max-removals 7".to_owned(),
    }];
    plan.sealed()
}

pub(super) fn scoped_with_overrides() -> Plan {
    let mut plan = every_kind();
    let platform = group(2, "acme-platform");
    plan.scope = Some(vec![ScopeMapping {
        keycloak: "/teams/platform".parse().unwrap(),
        azure: platform.clone(),
    }]);
    plan.overrides = Overrides {
        max_removals: Some(Limit::AtMost(12)),
        max_removals_percent: Some(Limit::AtMost(25)),
        allow_empty: ["acme-platform".to_owned()].into(),
        ..Overrides::default()
    };
    plan.groups.retain(|group| group.azure == platform);
    plan.changes.retain(|change| match change {
        Change::Add(Add { group, .. }) | Change::Remove(Remove { group, .. }) => *group == platform,
        Change::Invite(_) | Change::Update(_) => true,
    });
    plan.problems.clear();
    plan.sealed()
}

/// [`every_kind`] and [`blocked`] in one, with this text in every place that others may write to.
pub(super) fn with_text(text: &str) -> Plan {
    let mut plan = every_kind();
    plan.blocks = blocked().blocks;
    plan.scope = scoped_with_overrides().scope;
    plan.overrides.without_witness = [text.to_owned()].into();
    plan.source.url = text.to_owned();
    plan.source.realm = text.to_owned();
    plan.target.tenant_name = text.to_owned();
    plan.tool_version = text.to_owned();
    plan.plan_id = text.to_owned();
    plan.config_sha256 = text.to_owned();
    if let Some(federation) = &mut plan.source.federation {
        federation.providers[0].name = Some(text.to_owned());
    }
    for mapping in plan.scope.iter_mut().flatten() {
        mapping.azure.name = text.to_owned();
    }
    let path = text.replace('/', "");
    let path = || path.parse().unwrap_or_else(|_| "/p".parse().unwrap());
    for group in &mut plan.groups {
        group.azure.name = text.to_owned();
        group.keycloak[0].path = path();
    }
    for block in &mut plan.blocks {
        block.message = text.to_owned();
        block.flag = format!("--allow-empty {text}");
    }
    for problem in &mut plan.problems {
        problem.subject = text.to_owned();
        problem.message = text.to_owned();
        problem.hint = Some(text.to_owned());
    }
    for change in &mut plan.changes {
        match change {
            Change::Invite(invite) => {
                invite.email = format!("a{text}@b").parse().unwrap();
                invite.person.username = text.to_owned();
                invite.set.display_name = Some(text.to_owned());
                invite.redirect_url = text.to_owned();
                invite.send_email = true;
                // It may have lines of its own, and these are ours to mark.
                invite.message = Some(text.replace('\n', " "));
                invite.cc = Some(format!("c{text}@d").parse().unwrap());
            }
            Change::Update(update) => {
                update.account.email = text.to_owned();
                update.account.display_name = Some(text.to_owned());
                update.fields.surname = Some(FieldChange {
                    before: Some(text.to_owned()),
                    after: Some(text.to_owned()),
                });
            }
            Change::Add(add) => {
                add.group.name = text.to_owned();
                add.account.email = format!("a{text}@b").parse().unwrap();
                add.account.display_name = Some(text.to_owned());
                add.because = vec![path()];
            }
            Change::Remove(remove) => {
                remove.group.name = text.to_owned();
                remove.account.email = text.to_owned();
                remove.account.display_name = Some(text.to_owned());
            }
        }
    }
    plan
}

/// The kind of name that this folder is written against.
pub(super) const HOSTILE: &str = "A|`b`\u{1b}[2K\n- <b>@all</b> \u{202e}#1 --> www.evil.example";

pub(super) fn hostile() -> Plan {
    with_text(HOSTILE)
}

/// [`every_kind`] as it was planned some days before, when nearly everything was a little different, and as it is planned now.
pub(super) fn older_and_newer() -> (Plan, Plan) {
    let platform = || group(2, "acme-platform");
    let newer = every_kind();
    let mut older = scoped_with_overrides();
    older.created_at = "2026-11-20T09:15:00Z".parse().unwrap();
    older.tool_version = "0.0.9".to_owned();
    older.config_sha256 = "1a".repeat(32);
    older.groups = newer.groups.clone();
    older.groups[1].members_before = 17;
    older.groups[1].keycloak[0].path = "/teams/old".parse().unwrap();
    older.summary.unchanged = 43;
    older.changes.clone_from(&newer.changes);
    for change in &mut older.changes {
        match change {
            Change::Invite(invite) => {
                invite.send_email = true;
                invite.set.user_type = Some(UserType::Guest);
            }
            Change::Update(update) => update.fields.user_type = None,
            Change::Add(add) if add.account.email.as_str() == "eve@partner.example" => {
                add.because.insert(0, "/teams/core".parse().unwrap());
                add.account.display_name = None;
            }
            Change::Remove(remove) if remove.because == RemovalReason::Disabled => {
                remove.because = RemovalReason::UnknownToKeycloak;
            }
            Change::Add(_) | Change::Remove(_) => {}
        }
    }
    older.changes.retain(|change| match change {
        Change::Remove(remove) => remove.because != RemovalReason::LeftGroup,
        _ => true,
    });
    older.changes.push(remove(
        platform(),
        18,
        "Ida Ives",
        "ida@partner.example",
        RemovalReason::LeftGroup,
    ));
    older.blocks = blocked().blocks;
    older.problems = vec![
        problem(
            ProblemCode::AmbiguousAccount,
            "gil@partner.example",
            "fits two accounts: 3f2a0c1e… (Gil Gray), 77777777… (Gilbert Gray)",
            "Delete one of them in Entra, or take the address off it.",
            about("gil", Some("gil@partner.example")),
        ),
        problem(
            ProblemCode::NoEmail,
            "Lea Lund (lea)",
            "has no e-mail address in Keycloak · /support",
            "Give her an address there; she is not invited until then.",
            about("lea", None),
        ),
    ];
    (older.sealed(), newer)
}

/// A plan that takes a run back.
pub(super) fn undo() -> Plan {
    let platform = || group(2, "acme-platform");
    let mut plan = empty();
    plan.kind = PlanKind::Undo;
    plan.source.federation = None;
    plan.undoes = Some(UndoneRun {
        run_id: "0b7c6f0e-5d0c-4a59-9d0e-5e6a9f1f2a11".to_owned(),
        plan_id: format!("sha256:{}", "4f".repeat(32)),
        kind: PlanKind::Sync,
        time: "2026-11-23T15:10:00Z".parse().unwrap(),
    });
    plan.groups = vec![PlannedGroup {
        keycloak: Vec::new(),
        ..planned(platform(), "/teams/platform", 19, 18)
    }];
    let mut back = add(
        platform(),
        Some(14),
        "Bob Braun",
        "bob@partner.example",
        "/x",
    );
    if let Change::Add(add) = &mut back {
        add.because.clear();
    }
    plan.changes = vec![
        Change::Update(Update {
            account: AccountName {
                id: id(12),
                email: "eve@partner.example".to_owned(),
                display_name: Some("Eve Ek".to_owned()),
            },
            fields: Fields {
                given_name: Some(FieldChange {
                    before: Some("Eve".to_owned()),
                    after: None,
                }),
                surname: Some(FieldChange {
                    before: Some("Ek".to_owned()),
                    after: Some("Ekk".to_owned()),
                }),
                ..Fields::default()
            },
        }),
        back,
        remove(
            platform(),
            12,
            "Eve Ek",
            "eve@partner.example",
            RemovalReason::Undo,
        ),
        remove(
            platform(),
            17,
            "Dana Diaz",
            "dana@partner.example",
            RemovalReason::Undo,
        ),
    ];
    plan.problems = vec![
        problem(
            ProblemCode::InvitationNotUndone,
            "Dana Diaz (dana@partner.example)",
            "was invited as account 00000000-0000-4000-8000-000000000017; an invitation is not taken back",
            "delete the account in Entra if nobody needs it",
            About::account(&id(17), "dana@partner.example"),
        ),
        Problem {
            hint: None,
            ..problem(
                ProblemCode::ChangedSinceRun,
                "Hal Hill (hal@partner.example)",
                "is not removed from acme-support: the group does not exist any more",
                "",
                About::account(&id(18), "hal@partner.example"),
            )
        },
    ];
    plan.sealed()
}

/// [`report`] with this text in every place that others may write to.
pub(super) fn report_with_text(text: &str) -> Report {
    let mut report = report();
    for run in &mut report.runs {
        let start = &mut run.start;
        for place in [
            &mut start.run_id,
            &mut start.plan_id,
            &mut start.tool_version,
            &mut start.source.url,
            &mut start.source.realm,
            &mut start.target.tenant_name,
            &mut start.target.graph_url,
            &mut start.app_id,
        ] {
            place.replace_range(.., text);
        }
        start.operator = Some(text.to_owned());
        for step in &mut run.steps {
            step.account.email = text.to_owned();
            step.account.display_name = Some(text.to_owned());
            step.request_id = Some(text.to_owned());
            if let Some(group) = &mut step.group {
                group.name = text.to_owned();
            }
            step.fields.surname = Some(FieldChange {
                before: Some(text.to_owned()),
                after: Some(text.to_owned()),
            });
        }
        for reported in &mut run.outcomes {
            reported.outcome.message = text.to_owned();
            reported.outcome.request_id = Some(text.to_owned());
            reported.account.email = text.to_owned();
            reported.account.display_name = Some(text.to_owned());
            if let Some(group) = &mut reported.group {
                group.name = text.to_owned();
            }
        }
    }
    report
}

/// What is read from the report of three runs: one that failed in part, one that was killed, and a dry run.
pub(super) fn report() -> Report {
    let plan = every_kind();
    let began: jiff::Timestamp = "2026-11-23T15:10:00Z".parse().unwrap();
    let at = |seconds: i64| began + jiff::SignedDuration::from_secs(seconds);
    let start = |run_id: &str, dry_run| Start {
        plan_id: format!("sha256:{}", "4f".repeat(32)),
        tool_version: "0.1.0".to_owned(),
        operator: Some("olga".to_owned()),
        dry_run,
        ..Start::of(&plan, run_id, "6d1f0000-0000-4000-8000-000000000001", began)
    };
    let outcome = |number: usize, outcome, message: &str| {
        let change = &plan.changes[number - 1];
        let settled = ChangeOutcome {
            run_id: String::new(),
            change: number,
            action: change.action(),
            outcome,
            message: message.to_owned(),
            attempts: match outcome {
                Outcome::Done => 1,
                Outcome::Failed => 3,
                _ => 0,
            },
            time: at(i64::try_from(number).unwrap()),
            request_id: (outcome == Outcome::Done || outcome == Outcome::Failed)
                .then(|| format!("5f1c0000-0000-4000-8000-{number:012}")),
            uncertain: false,
        };
        ReportedOutcome::new(settled, change)
    };
    let all = vec![
        outcome(
            1,
            Outcome::Failed,
            "Graph refused it (403, Guest invitations not allowed for your company)",
        ),
        outcome(3, Outcome::NotAttempted, "the invitation did not succeed"),
        outcome(2, Outcome::Done, ""),
        outcome(4, Outcome::Done, ""),
        outcome(5, Outcome::AlreadyDone, ""),
        outcome(
            6,
            Outcome::NotWanted,
            "the person is in /teams/platform again since the review",
        ),
        outcome(7, Outcome::Done, ""),
        outcome(
            8,
            Outcome::Conflict,
            "it is not proved any more that this account has to go; plan again to see what is missing",
        ),
    ];
    let steps = |outcomes: &[ReportedOutcome]| {
        let done = outcomes
            .iter()
            .filter(|reported| reported.outcome.outcome == Outcome::Done);
        done.map(|reported| {
            let change = &plan.changes[reported.outcome.change - 1];
            Step {
                run_id: String::new(),
                change: reported.outcome.change,
                write: match change {
                    Change::Invite(_) => Write::Invited,
                    Change::Update(_) => Write::Updated,
                    Change::Add(_) => Write::Added,
                    Change::Remove(_) => Write::Removed,
                },
                account: reported.account.clone(),
                group: reported.group.clone(),
                fields: match change {
                    Change::Update(update) => update.fields.clone(),
                    _ => Fields::default(),
                },
                time: reported.outcome.time,
                request_id: None,
            }
        })
        .collect::<Vec<_>>()
    };
    let mut first = Run {
        start: start("0b7c6f0e-5d0c-4a59-9d0e-5e6a9f1f2a11", false),
        steps: steps(&all),
        outcomes: all.clone(),
        end: None,
    };
    first.end = Some(End {
        run_id: String::new(),
        time: at(9),
        interrupted: false,
        totals: first.totals(),
        further_changes: 2,
    });
    let killed = Run {
        start: Start {
            operator: None,
            ..start("1c7c6f0e-5d0c-4a59-9d0e-5e6a9f1f2a12", false)
        },
        // One more write, of which the run could not say more.
        steps: steps(&[&all[2..4], &all[6..7]].concat()),
        outcomes: all[2..4].to_vec(),
        end: None,
    };
    let rehearsed = vec![outcome(1, Outcome::Done, ""), outcome(2, Outcome::Done, "")];
    let mut dry = Run {
        start: Start {
            changes: 2,
            ..start("2d7c6f0e-5d0c-4a59-9d0e-5e6a9f1f2a13", true)
        },
        steps: Vec::new(),
        outcomes: rehearsed,
        end: None,
    };
    dry.end = Some(End {
        run_id: String::new(),
        time: at(1),
        interrupted: true,
        totals: dry.totals(),
        further_changes: 0,
    });
    Report {
        runs: vec![first, killed, dry],
    }
}
