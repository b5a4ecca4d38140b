//! `audit`: who is in the mapped groups and why, and what is not in order. What it holds can only read.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{bail, ensure};

use crate::audit::{Audit, Evidence, Material, audit};
use crate::cli::{AuditArgs, AuditFormat};
use crate::commands::made_elsewhere::refuse_other_places;
use crate::commands::setup::Setup;
use crate::commands::{Context, ExitStatus, operator};
use crate::config::Config;
use crate::model::ObjectId;
use crate::plan::{Overrides, Target};
use crate::render::escape;
use crate::report::{Realm, Report, Start};
use crate::{render, report_file};

pub async fn run(
    config: &Path,
    args: &AuditArgs,
    context: &mut Context,
) -> anyhow::Result<ExitStatus> {
    let since = args.since.as_deref().map(read_report).transpose()?;
    let began = jiff::Timestamp::now();
    let setup = Setup::prepare(config, args.directories, context).await?;
    context.ui.event("start run");
    if let Some(report) = &since {
        refuse_of_elsewhere(report, &setup.config, setup.tenant_id().as_ref())?;
    }
    let session = setup.connect(context).await?;
    let tenant = session.entra.tenant();
    if let Some(report) = &since {
        refuse_of_elsewhere(report, &setup.config, Some(&tenant.id))?;
    }
    let settings = &setup.config.settings;
    let survey = session.survey(settings, &BTreeMap::new(), context).await?;
    let overrides = Overrides::default();
    let decision = session.decide(&survey, settings, &overrides, None).await?;
    let accounts = session.entra.dated_accounts().await?;
    let evidence = Evidence {
        tool_version: env!("CARGO_PKG_VERSION").to_owned(),
        source: Realm {
            url: session.keycloak.base_url().to_owned(),
            realm: setup.config.keycloak.realm.clone(),
        },
        keycloak_account: session.keycloak.who(),
        target: Target {
            tenant_id: tenant.id.clone(),
            tenant_name: tenant.name.clone(),
            graph_url: setup.config.entra.graph_url.clone(),
        },
        app_id: session.entra.app().to_owned(),
        operator: operator(&context.variable),
        config_sha256: setup.config.sha256.clone(),
        began,
        ended: jiff::Timestamp::now(),
    };
    session.keycloak.log_out().await;
    let material = Material {
        accounts: &accounts,
        since: since.as_ref(),
        pending_days: args.pending_days,
    };
    let audit = audit(&decision, material, evidence);
    context.ui.say("");
    show(&audit, args.format, context)?;
    context.ui.event("end run");
    setup.finish().await?;
    Ok(if audit.in_order {
        ExitStatus::Done
    } else {
        ExitStatus::NotInOrder
    })
}

fn show(audit: &Audit, format: AuditFormat, context: &mut Context) -> anyhow::Result<()> {
    let text = match format {
        AuditFormat::Text => render::audit_text(audit, &context.ui.out_style()),
        AuditFormat::Markdown => render::audit_markdown(audit),
        AuditFormat::Json => escape::json(&serde_json::to_string_pretty(audit)?) + "\n",
        AuditFormat::Html => render::audit_html(audit),
        AuditFormat::Csv => render::audit_csv(audit),
    };
    context.ui.result(&text)
}

/// Reads a report that says something, and whose lines fit together: what is missing would be missing in the audit as well.
fn read_report(path: &Path) -> anyhow::Result<Report> {
    let report = report_file::read(path)?;
    let shown = path.display();
    ensure!(
        !report.runs.is_empty(),
        "the report {shown} holds no run; name one that apply has written"
    );
    for run in &report.runs {
        if let Some(contradiction) = run.contradiction() {
            bail!(
                "refused the report {shown}: the lines of its run {} do not fit together, so some are missing or were changed: \
                 {contradiction}; take the report as apply wrote it, or audit without --since",
                run.start.run_id
            );
        }
    }
    Ok(report)
}

/// Every run of the report was in these directories.
fn refuse_of_elsewhere(
    report: &Report,
    config: &Config,
    tenant: Option<&ObjectId>,
) -> anyhow::Result<()> {
    for Start { source, target, .. } in report.runs.iter().map(|run| &run.start) {
        refuse_other_places(
            "report",
            (&source.url, &source.realm),
            target,
            config,
            tenant,
        )?;
    }
    Ok(())
}
