//! Reports, whatever is in them, and those of two runs whose lines somebody edited. What is read is written back as the same report, can be
//! shown, to everybody too, and audited; and what takes a run back is a plan that apply accepts.

#![no_main]

use std::sync::LazyLock;

use keycloak_to_azure::audit::{Evidence, Material, audit};
use keycloak_to_azure::plan::{Change, Plan};
use keycloak_to_azure::render::{
    RedactedReport, RedactionKey, Style, audit_csv, audit_html, audit_markdown, audit_text, escape,
    report_html, report_markdown, report_text,
};
use keycloak_to_azure::report::{
    ChangeOutcome, End, Line, NotAReport, Outcome, Reading, Realm, Report, ReportedOutcome, Run,
    Start, Step, Totals, Write, object_of,
};
use keycloak_to_azure::snapshot::DatedAccount;
use keycloak_to_azure::undo::choose_run;
use keycloak_to_azure_fuzz::edits::{self, edit};
use keycloak_to_azure_fuzz::plans::{self, assert_harmless};
use keycloak_to_azure_fuzz::seeds;
use keycloak_to_azure_fuzz::world::{World, id};
use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use secrecy::SecretString;
use serde_json::Value;

/// The lines of two runs, the second of which was killed, and the directories after them.
struct Sample {
    lines: Value,
    world: World,
    evidence: Evidence,
}

static SAMPLE: LazyLock<Sample> = LazyLock::new(|| {
    let mut world = plans::company();
    let plan = world.plan().sealed();
    let lines: Vec<Line> = [(1, true), (2, false)]
        .into_iter()
        .flat_map(|(run, is_finished)| run_of(&plan, &mut world.clone(), run, is_finished))
        .collect();
    world.carry_out(&plan.changes);
    Sample {
        lines: serde_json::to_value(lines).unwrap(),
        world,
        evidence: Evidence {
            tool_version: "0.1.0".to_owned(),
            source: Realm {
                url: plan.source.url,
                realm: plan.source.realm,
            },
            keycloak_account: "service account sync".to_owned(),
            target: plan.target,
            app_id: "app".to_owned(),
            operator: None,
            config_sha256: plan.config_sha256,
            began: plan.created_at,
            ended: plan.created_at,
        },
    }
});

static KEY: LazyLock<RedactionKey> = LazyLock::new(|| {
    RedactionKey::new(&SecretString::from("correct horse battery staple")).unwrap()
});

fuzz_target!(init: plant(), |bytes: &[u8]| {
    check(bytes, 100);
    let _ = run(&mut Unstructured::new(bytes));
});

fn plant() {
    let whole = text_of(&SAMPLE.lines).into_bytes();
    let report = parse(&whole).unwrap();
    let said: Vec<_> = report.runs.iter().map(Run::contradiction).collect();
    assert_eq!(said, [None, None], "nothing would be undone or audited");
    assert!(choose_run(&report, None).is_ok());
    seeds::plant("report", edits::thrown().chain([whole]));
}

fn run(choices: &mut Unstructured<'_>) -> Result<()> {
    let width = choices.int_in_range(0..=300)?;
    let mut lines = SAMPLE.lines.clone();
    for _ in 0..choices.int_in_range(0..=12)? {
        edit(&mut lines, choices)?;
    }
    let mut bytes = text_of(&lines).into_bytes();
    if choices.ratio(1, 8)? {
        bytes.truncate(choices.int_in_range(0..=bytes.len())?);
    }
    check(&bytes, width);
    Ok(())
}

fn parse(bytes: &[u8]) -> std::result::Result<Report, NotAReport> {
    let mut reading = Reading::default();
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        reading.line(line)?;
    }
    Ok(reading.end())
}

fn text_of(lines: &Value) -> String {
    let lines = lines.as_array().map(Vec::as_slice).unwrap_or_default();
    let lines: Vec<String> = lines.iter().map(Value::to_string).collect();
    lines.join("\n") + "\n"
}

/// What a run wrote that carried out a plan, or was killed at its end.
fn run_of(plan: &Plan, world: &mut World, run: usize, is_finished: bool) -> Vec<Line> {
    let run_id = id(run).to_string();
    let time = plan.created_at;
    let mut lines = vec![Line::Start(Start {
        run_id: run_id.clone(),
        plan_id: plan.plan_id.clone(),
        plan_created_at: time,
        kind: plan.kind,
        changes: plan.changes.len(),
        tool_version: "0.1.0".to_owned(),
        source: Realm {
            url: plan.source.url.clone(),
            realm: plan.source.realm.clone(),
        },
        target: plan.target.clone(),
        app_id: "app".to_owned(),
        operator: Some("alex".to_owned()),
        time,
        dry_run: false,
    })];
    let mut totals = Totals::default();
    for (at, change) in plan.changes.iter().enumerate() {
        let (mut account, group) = object_of(change);
        if account.id.is_none() {
            account.id = Some(world.invited(&account.email.parse().unwrap()));
        }
        let (write, fields) = match change {
            Change::Invite(_) => (Write::Invited, None),
            Change::Update(update) => (Write::Updated, Some(update.fields.clone())),
            Change::Add(_) => (Write::Added, None),
            Change::Remove(_) => (Write::Removed, None),
        };
        lines.push(Line::Step(Step {
            run_id: run_id.clone(),
            change: at + 1,
            write,
            account,
            group,
            fields: fields.unwrap_or_default(),
            time,
            request_id: Some("request".to_owned()),
        }));
        let outcome = ChangeOutcome {
            run_id: run_id.clone(),
            change: at + 1,
            action: change.action(),
            outcome: Outcome::Done,
            message: String::new(),
            attempts: 1,
            time,
            request_id: Some("request".to_owned()),
            uncertain: false,
        };
        totals.count(outcome.outcome);
        lines.push(Line::Outcome(ReportedOutcome::new(outcome, change)));
    }
    if is_finished {
        lines.push(Line::End(End {
            run_id,
            time,
            interrupted: false,
            totals,
            further_changes: 2,
        }));
    }
    lines
}

fn check(bytes: &[u8], width: usize) {
    let report = match parse(bytes) {
        Ok(report) => report,
        Err(refusal) => {
            assert!(!refusal.to_string().is_empty());
            return;
        }
    };
    let lines: Vec<Line> = report.runs.iter().flat_map(lines_of).collect();
    let written = text_of(&serde_json::to_value(lines).unwrap());
    assert_eq!(parse(written.as_bytes()).as_ref(), Ok(&report));
    is_shown(&report, width);
    can_be_undone(&report, width);
    can_be_audited(&report, width);
}

fn lines_of(run: &Run) -> impl Iterator<Item = Line> {
    let start = [Line::Start(run.start.clone())];
    let steps = run.steps.iter().cloned().map(Line::Step);
    let outcomes = run.outcomes.iter().cloned().map(Line::Outcome);
    let end = run.end.clone().map(Line::End);
    start.into_iter().chain(steps).chain(outcomes).chain(end)
}

fn is_shown(report: &Report, width: usize) {
    let redacted = RedactedReport::new(report, &KEY);
    for colour in [false, true] {
        let style = Style { colour, width };
        for shown in [report_text(report, &style), redacted.text(&style)] {
            if !colour {
                assert_harmless(&shown);
            }
        }
    }
    for shown in [
        report_markdown(report),
        redacted.markdown(),
        report_html(report),
        redacted.html(),
        escape::json(&serde_json::to_string_pretty(report).unwrap()),
    ] {
        assert_harmless(&shown);
    }
}

fn can_be_undone(report: &Report, width: usize) {
    let Ok(choice) = choose_run(report, None) else {
        return;
    };
    let run = choice.run;
    let mut plan = SAMPLE.world.undo(run);
    plan.target
        .tenant_name
        .clone_from(&run.start.target.tenant_name);
    assert!(
        plans::check(&plan.sealed(), width),
        "apply refuses to undo it"
    );
}

fn can_be_audited(report: &Report, width: usize) {
    let is_sound = |run: &Run| run.contradiction().is_none();
    if report.runs.is_empty() || !report.runs.iter().all(is_sound) {
        return;
    }
    let Sample {
        world, evidence, ..
    } = &*SAMPLE;
    let dated = |account: &_| DatedAccount {
        account: Clone::clone(account),
        state_changed: None,
    };
    let accounts: Vec<DatedAccount> = world.accounts.values().map(dated).collect();
    let material = Material {
        accounts: &accounts,
        since: Some(report),
        pending_days: 30,
    };
    let audit = world.decide(|decision| audit(decision, material, evidence.clone()));
    let style = Style {
        colour: false,
        width,
    };
    for shown in [
        audit_text(&audit, &style),
        audit_markdown(&audit),
        audit_html(&audit),
        // Its lines end as those of CSV do (RFC 4180).
        audit_csv(&audit).replace("\r\n", "\n"),
        escape::json(&serde_json::to_string_pretty(&audit).unwrap()),
    ] {
        assert_harmless(&shown);
    }
}
