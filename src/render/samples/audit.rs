//! Audits for the tests of the renderings.

use crate::audit::{
    Audit, AuditedAccount, AuditedGroup, Deviation, Doubt, Evidence, Extent, FORMAT_VERSION,
    Findings, Happened, Happening, Missing, MissingMember, Now, PendingInvitation, Reason,
    ReasonedMember, ReportedRun, SinceReport, UnmappedAccount, Unreasoned, UnreasonedMember,
};
use crate::explain::Staying;
use crate::model::UserType;
use crate::plan::{
    Action, FieldChange, Fields, GroupName, KeycloakGroupName, PersonName, ProblemCode,
    RemovalReason, Update,
};
use crate::report::{Realm, Subject};
use crate::snapshot::Obstacle;

use super::{blocked, every_kind, group, id};

fn account(number: usize, name: &str, email: &str) -> AuditedAccount {
    AuditedAccount {
        email: email.to_owned(),
        id: id(number),
        display_name: Some(name.to_owned()),
        user_type: Some(UserType::Member),
        enabled: true,
        pending: false,
    }
}

fn person(username: &str) -> PersonName {
    PersonName {
        id: username.parse().unwrap(),
        username: username.to_owned(),
    }
}

fn reason(mapping: &str, group: &str) -> Vec<Reason> {
    vec![Reason {
        mapping: mapping.parse().unwrap(),
        group: group.parse().unwrap(),
    }]
}

fn member(account: AuditedAccount, username: &str, because: Vec<Reason>) -> ReasonedMember {
    ReasonedMember {
        account,
        person: person(username),
        because,
    }
}

fn audited(azure: GroupName, path: &str) -> AuditedGroup {
    AuditedGroup {
        azure,
        keycloak: vec![KeycloakGroupName {
            path: path.parse().unwrap(),
            id: "k".parse().unwrap(),
        }],
        obstacle: None,
        other_members: 0,
        without_reason: Vec::new(),
        missing: Vec::new(),
        members: Vec::new(),
    }
}

/// An audit that found something of everything there is to find.
pub(in crate::render) fn audit() -> Audit {
    let began: jiff::Timestamp = "2026-11-24T08:00:00Z".parse().unwrap();
    let plan = every_kind();
    let platform = || group(2, "acme-platform");
    let bob = account(14, "Bob Braun", "bob@partner.example");
    let eve = account(12, "Eve Ek", "eve@partner.example");
    let tara = AuditedAccount {
        pending: true,
        ..account(18, "Tara Toth", "tara@partner.example")
    };
    let run = ReportedRun {
        run_id: "0b7c6f0e-5d0c-4a59-9d0e-5e6a9f1f2a11".to_owned(),
        plan_id: plan.plan_id.clone(),
        began,
    };
    let first = AuditedGroup {
        other_members: 1,
        without_reason: vec![
            UnreasonedMember {
                account: bob.clone(),
                what: Unreasoned::WouldBeRemoved(RemovalReason::LeftGroup),
                as_configured: false,
            },
            UnreasonedMember {
                account: account(19, "Break Glass", "glass@acme.example"),
                what: Unreasoned::Stays(Staying::Protected),
                as_configured: true,
            },
        ],
        missing: vec![
            MissingMember {
                name: "Dana Diaz (dana)".to_owned(),
                person: person("dana"),
                email: Some("dana@partner.example".parse().unwrap()),
                because: reason("/teams/platform", "/teams/platform"),
                what: Missing::WouldBeInvited,
                as_configured: false,
            },
            MissingMember {
                name: "Finn Fox (finn)".to_owned(),
                person: person("finn"),
                email: None,
                because: reason("/teams/platform", "/teams/platform/core"),
                what: Missing::Problems([ProblemCode::NoEmail].into()),
                as_configured: false,
            },
        ],
        members: vec![
            member(
                eve.clone(),
                "eve",
                reason("/teams/platform", "/teams/platform/core"),
            ),
            member(
                tara.clone(),
                "tara",
                reason("/teams/platform", "/teams/platform"),
            ),
        ],
        ..audited(platform(), "/teams/platform")
    };
    let second = AuditedGroup {
        obstacle: Some(Obstacle::Dynamic),
        members: vec![
            member(bob, "bob", reason("/support", "/support")),
            member(eve, "eve", reason("/support", "/support")),
        ],
        ..audited(group(3, "acme-support"), "/support")
    };
    Audit {
        format_version: FORMAT_VERSION,
        in_order: false,
        findings: Findings {
            without_reason: 1,
            missing: 2,
            pending: 1,
            unmapped: 1,
            updates: 1,
            changed: 1,
            doubts: 1,
            blocks: 1,
            problems: 2,
        },
        pending_days: 30,
        groups: vec![first, second],
        pending: vec![PendingInvitation {
            // Its own address, which is another than that of its person.
            account: AuditedAccount {
                email: "tara@old.example".to_owned(),
                ..tara
            },
            since: Some("2026-10-01T08:00:00Z".parse().unwrap()),
            groups: vec![platform()],
        }],
        unmapped: vec![UnmappedAccount {
            account: account(21, "Ned North", "ned@old-partner.example"),
            created: None,
            as_configured: false,
            no_matter: None,
        }],
        updates: vec![match &plan.changes[1] {
            crate::plan::Change::Update(update) => update.clone(),
            _ => unreachable!(),
        }],
        since: Some(SinceReport {
            runs: vec![run.clone()],
            doubts: vec![Doubt::NoEnd(run.clone())],
            unchanged: 7,
            not_read: 0,
            changed: vec![Deviation {
                run_id: run.run_id,
                change: 6,
                action: Action::Remove,
                time: began,
                account: Subject {
                    id: Some(id(14)),
                    email: "bob@partner.example".to_owned(),
                    display_name: Some("Bob Braun".to_owned()),
                },
                group: Some(platform()),
                now: Now::MemberAgain,
            }],
            by_others: vec![Happening {
                time: began,
                account: account(22, "Olga Other", "olga@partner.example"),
                what: Happened::Made,
            }],
        }),
        blocks: blocked().blocks,
        problems: plan.problems,
        read: Extent {
            keycloak_groups: 3,
            people: 6,
            azure_groups: 2,
            memberships: 6,
            other_members: 1,
            accounts: 40,
            invited_accounts: 12,
        },
        federation: plan.source.federation,
        evidence: Evidence {
            tool_version: "0.1.0".to_owned(),
            source: Realm {
                url: plan.source.url,
                realm: plan.source.realm,
            },
            keycloak_account: "the service account of sync".to_owned(),
            target: plan.target,
            app_id: "6d1f0000-0000-4000-8000-000000000001".to_owned(),
            operator: Some("olga".to_owned()),
            config_sha256: "9f".repeat(32),
            began,
            ended: began,
        },
    }
}

/// The same with so many people, each of whom is in both groups.
pub(in crate::render) fn audit_of_many(number: usize) -> Audit {
    let mut audit = audit();
    for group in &mut audit.groups {
        group.members = (0..number)
            .map(|at| {
                member(
                    account(
                        100 + at,
                        &format!("Person {at}"),
                        &format!("person{at}@partner.example"),
                    ),
                    &format!("person{at}"),
                    reason("/teams/platform", "/teams/platform"),
                )
            })
            .collect();
    }
    audit
}

/// [`audit`] with this text in every place that others may write to.
pub(in crate::render) fn audit_with_text(text: &str) -> Audit {
    let mut audit = audit();
    let path = text.replace('/', "");
    let path = || path.parse().unwrap_or_else(|_| "/p".parse().unwrap());
    let call = |account: &mut AuditedAccount| {
        account.email = text.to_owned();
        account.display_name = Some(text.to_owned());
    };
    for group in &mut audit.groups {
        group.azure.name = text.to_owned();
        group.keycloak[0].path = path();
        for member in &mut group.without_reason {
            call(&mut member.account);
        }
        for member in &mut group.missing {
            member.name = text.to_owned();
            member.person.username = text.to_owned();
            if member.email.is_some() {
                member.email = Some(format!("a{text}@b").parse().unwrap());
            }
            member.because[0].group = path();
        }
        for member in &mut group.members {
            call(&mut member.account);
            member.person.username = text.to_owned();
            member.because[0].mapping = path();
        }
    }
    for pending in &mut audit.pending {
        call(&mut pending.account);
        pending.groups[0].name = text.to_owned();
    }
    for unmapped in &mut audit.unmapped {
        call(&mut unmapped.account);
    }
    for Update { account, fields } in &mut audit.updates {
        account.email = text.to_owned();
        account.display_name = Some(text.to_owned());
        *fields = with_surname(text);
    }
    if let Some(since) = &mut audit.since {
        let doubted = since.doubts.iter_mut().map(|doubt| match doubt {
            Doubt::NoEnd(run) | Doubt::Uncertain(run, _) => run,
        });
        for run in since.runs.iter_mut().chain(doubted) {
            run.run_id = text.to_owned();
            run.plan_id = text.to_owned();
        }
        for deviation in &mut since.changed {
            deviation.account.email = text.to_owned();
            deviation.account.display_name = Some(text.to_owned());
            deviation.now = Now::OtherValues(with_surname(text));
            if let Some(group) = &mut deviation.group {
                group.name = text.to_owned();
            }
        }
    }
    for block in &mut audit.blocks {
        block.message = text.to_owned();
    }
    for problem in &mut audit.problems {
        problem.subject = text.to_owned();
        problem.message = text.to_owned();
        problem.hint = Some(text.to_owned());
    }
    if let Some(federation) = &mut audit.federation {
        federation.providers[0].name = Some(text.to_owned());
    }
    let evidence = &mut audit.evidence;
    for place in [
        &mut evidence.tool_version,
        &mut evidence.source.url,
        &mut evidence.source.realm,
        &mut evidence.keycloak_account,
        &mut evidence.target.tenant_name,
        &mut evidence.target.graph_url,
        &mut evidence.app_id,
        &mut evidence.config_sha256,
    ] {
        place.replace_range(.., text);
    }
    evidence.operator = Some(text.to_owned());
    audit
}

fn with_surname(text: &str) -> Fields {
    Fields {
        surname: Some(FieldChange {
            before: Some(text.to_owned()),
            after: Some(text.to_owned()),
        }),
        ..Fields::default()
    }
}
