//! `audit`: who is in the mapped groups and why, and what is not in order. What it holds can only read.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, bail, ensure};

use crate::audit::{Audit, Evidence, Material, audit};
use crate::cli::{AuditArgs, AuditFormat};
use crate::commands::made_elsewhere::refuse_other_places;
use crate::commands::session::Session;
use crate::commands::setup::Setup;
use crate::commands::{Context, ExitStatus, operator};
use crate::config::Config;
use crate::model::ObjectId;
use crate::plan::{Overrides, Target};
use crate::render::{Style, escape};
use crate::report::{Realm, Report, Start};
use crate::{files, render, report_file};

pub async fn run(
    config: &Path,
    args: &AuditArgs,
    context: &mut Context,
) -> anyhow::Result<ExitStatus> {
    let since = args.since.as_deref().map(read_report).transpose()?;
    if let Some(folder) = &args.save {
        check_folder(folder)?;
    }
    let began = jiff::Timestamp::now();
    let setup = Setup::prepare(config, args.directories, context).await?;
    context.ui.event("start run");
    if let Some(report) = &since {
        refuse_of_elsewhere(report, &setup.config, setup.tenant_id().as_ref())?;
    }
    let audit = setup
        .with_session(context, async |session, context| {
            audited(&session, args, since.as_ref(), began, &setup, context).await
        })
        .await?;
    context.ui.say("");
    let text = rendered(&audit, args.format, &context.ui.out_style())?;
    context.ui.result(&text)?;
    if let Some(folder) = &args.save {
        save(&audit, folder, context)?;
    }
    context.ui.event("end run");
    setup.finish().await?;
    Ok(if audit.in_order {
        ExitStatus::Done
    } else {
        ExitStatus::NotInOrder
    })
}

/// Reads both sides, and puts the audit together.
async fn audited(
    session: &Session,
    args: &AuditArgs,
    since: Option<&Report>,
    began: jiff::Timestamp,
    setup: &Setup,
    context: &mut Context,
) -> anyhow::Result<Audit> {
    let tenant = session.entra.tenant();
    if let Some(report) = since {
        refuse_of_elsewhere(report, &setup.config, Some(&tenant.id))?;
    }
    let settings = &setup.config.settings;
    // A large directory is a list of many pages, one after the other, twice.
    let nobody_invited = BTreeMap::new();
    let (survey, accounts) = tokio::try_join!(
        session.survey(settings, &nobody_invited, context),
        session.entra.dated_accounts()
    )?;
    let overrides = Overrides::default();
    let decision = session.decide(&survey, settings, &overrides, None).await?;
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
    let material = Material {
        accounts: &accounts,
        since,
        pending_days: args.pending_days,
    };
    Ok(audit(&decision, material, evidence))
}

fn rendered(audit: &Audit, format: AuditFormat, style: &Style) -> anyhow::Result<String> {
    Ok(match format {
        AuditFormat::Text => render::audit_text(audit, style),
        AuditFormat::Markdown => render::audit_markdown(audit),
        AuditFormat::Json => escape::json(&serde_json::to_string_pretty(audit)?) + "\n",
        AuditFormat::Html => render::audit_html(audit),
        AuditFormat::Csv => render::audit_csv(audit),
    })
}

/// The files that an audit is kept as.
const KEPT: [(&str, AuditFormat); 4] = [
    ("audit.html", AuditFormat::Html),
    ("audit.md", AuditFormat::Markdown),
    ("audit.csv", AuditFormat::Csv),
    ("audit.json", AuditFormat::Json),
];

/// Finds out whether an audit can be kept in a folder, before anything is read for it. What is evidence is not written over.
fn check_folder(folder: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder)
        .with_context(|| format!("failed to create the folder {}", folder.display()))?;
    for (name, _) in KEPT {
        let file = folder.join(name);
        ensure!(
            file.symlink_metadata().is_err(),
            "{} is there already, and an audit is not written over; name another folder for --save",
            file.display()
        );
        files::check_writable(&file)
            .with_context(|| format!("no audit can be kept in {}", folder.display()))?;
    }
    Ok(())
}

fn save(audit: &Audit, folder: &Path, context: &mut Context) -> anyhow::Result<()> {
    let mut written = Vec::new();
    for (name, format) in KEPT {
        let file = folder.join(name);
        let text = rendered(audit, format, &context.ui.out_style())?;
        if let Err(error) = files::write_new_private(&file, text.as_bytes()) {
            // A part of an audit is none, and would be in the way of the next one.
            for part in written {
                let _ = std::fs::remove_file(part);
            }
            return Err(error).with_context(|| format!("failed to write {}", file.display()));
        }
        written.push(file);
    }
    let folder = folder.display();
    context
        .ui
        .say(&format!("Kept in {folder}, in {} files", KEPT.len()));
    Ok(())
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
