//! `audit`: who is in the mapped groups and why, and what is not in order. What it holds can only read.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::ensure;

use crate::audit::{Audit, Evidence, Material, audit};
use crate::cli::{AuditArgs, AuditFormat};
use crate::commands::session::Setup;
use crate::commands::{Context, ExitStatus, operator};
use crate::model::ObjectId;
use crate::plan::{Overrides, Target};
use crate::render::escape;
use crate::report::{Realm, Report};
use crate::{render, report_file};

pub async fn run(
    config: &Path,
    args: &AuditArgs,
    context: &mut Context,
) -> anyhow::Result<ExitStatus> {
    let since = args.since.as_deref().map(report_file::read).transpose()?;
    let began = jiff::Timestamp::now();
    let setup = Setup::prepare(config, args.directories, context).await?;
    context.ui.event("start run");
    let session = setup.connect(context).await?;
    let tenant = session.entra.tenant();
    if let (Some(report), Some(path)) = (&since, &args.since) {
        refuse_other_tenant(path, report, &tenant.id)?;
    }
    let settings = &setup.config.settings;
    let survey = session.survey(settings, &BTreeMap::new(), context).await?;
    let overrides = Overrides::default();
    let decision = session.decide(&survey, settings, &overrides, None).await?;
    let invited = session.entra.invited_accounts().await?;
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
        invited: &invited,
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
        AuditFormat::Csv => render::audit_csv(audit),
    };
    context.ui.result(&text)
}

fn refuse_other_tenant(path: &Path, report: &Report, tenant: &ObjectId) -> anyhow::Result<()> {
    for target in report.runs.iter().map(|run| &run.start.target) {
        ensure!(
            target.tenant_id == *tenant,
            "refused the report {}: a run of it was in the tenant {} ({}), and the credentials are for {tenant}",
            path.display(),
            target.tenant_id,
            target.tenant_name
        );
    }
    Ok(())
}
