//! `plan`: reads both directories, decides, writes the plan and shows it.

use std::collections::BTreeMap;
use std::path::Path;

use crate::cli::{DEFAULT_CONFIG, DirectoryArgs, PlanArgs};
use crate::commands::setup::Setup;
use crate::commands::show::Presentation;
use crate::commands::unusable_mappings::UnusableMappings;
use crate::commands::{Context, ExitStatus};
use crate::config::Config;
use crate::diff::Decision;
use crate::group_names::{choose_scope, name_groups};
use crate::plan::{FORMAT_VERSION, Overrides, Plan, PlanKind, ScopeMapping, Source, Target};
use crate::ui::Withheld;
use crate::{plan_file, render};

pub async fn run(
    config: &Path,
    args: &PlanArgs,
    context: &mut Context,
) -> anyhow::Result<ExitStatus> {
    let overrides = args.limits.overrides()?;
    let presentation = Presentation::of_plan(args.presentation, context)?;
    plan_file::check_writable(&args.out)?;
    let setup = Setup::prepare(config, args.directories, context).await?;
    context.ui.event("start run");
    let settings = &setup.config.settings;
    let plan = setup
        .with_session(context, async |session, context| {
            let survey = session
                .survey(settings, &BTreeMap::new(), context)
                .await
                .map_err(|error| {
                    withhold("reading the directories failed", error, &presentation)
                })?;
            let overrides = name_groups(&overrides, settings, &survey.entra)?;
            let scope = choose_scope(&args.groups, settings, &survey.entra)?;
            let decision = session
                .decide(&survey, settings, &overrides, scope.as_deref())
                .await
                .map_err(|error| {
                    withhold("asking about single people failed", error, &presentation)
                })?;
            Ok(assemble(
                &setup,
                &decision,
                overrides.clone(),
                scope.clone(),
            ))
        })
        .await?;
    let flags = flags_of_directories(config, args.directories);
    let status = finish(&args.out, &plan, &presentation, &flags, context)?;
    setup.finish().await?;
    Ok(detailed(status, &plan, args.detailed_exitcode))
}

/// Says by the exit status whether a plan that can be applied holds changes, where that is asked for.
pub fn detailed(status: ExitStatus, plan: &Plan, is_asked_for: bool) -> ExitStatus {
    match status {
        ExitStatus::Done if is_asked_for && !plan.changes.is_empty() => ExitStatus::Changes,
        status => status,
    }
}

/// Writes a plan, shows it, and says what to do with it.
pub fn finish(
    out: &Path,
    plan: &Plan,
    presentation: &Presentation,
    flags: &[String],
    context: &mut Context,
) -> anyhow::Result<ExitStatus> {
    plan_file::write(out, plan)?;
    context
        .ui
        .event(&format!("wrote plan {} to {}", plan.plan_id, out.display()));
    context.ui.say("");
    presentation.show(plan, context)?;
    context.ui.say("");
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let path = out.display().to_string();
    let review = if presentation.is_redacted() {
        &["--redact"][..]
    } else {
        &[]
    };
    context
        .ui
        .say(render::next_steps(&path, plan, &flags, review).trim_end());
    context.ui.event("end run");
    Ok(if plan.is_blocked() {
        ExitStatus::Blocked
    } else {
        ExitStatus::Done
    })
}

/// Keeps an error to the log where people must not be named: what services say about people may name them.
pub fn withhold(what: &str, error: anyhow::Error, presentation: &Presentation) -> anyhow::Error {
    if presentation.is_redacted() && !error.is::<UnusableMappings>() {
        Withheld::new(what.to_owned(), error).into()
    } else {
        error
    }
}

/// The flags that lead another command to the directories of this one.
pub fn flags_of_directories(config: &Path, directories: DirectoryArgs) -> Vec<String> {
    #[cfg(feature = "sandbox")]
    if directories.sandbox {
        return vec!["--sandbox".to_owned()];
    }
    let _ = directories;
    if config == Path::new(DEFAULT_CONFIG) {
        return Vec::new();
    }
    vec!["--config".to_owned(), config.display().to_string()]
}

/// Puts a plan together from what was decided.
pub fn assemble(
    setup: &Setup,
    decision: &Decision<'_>,
    overrides: Overrides,
    scope: Option<Vec<ScopeMapping>>,
) -> Plan {
    let Config {
        keycloak,
        entra,
        sha256,
        ..
    } = &setup.config;
    let tenant = &decision.draft.inputs.entra.tenant;
    Plan {
        format_version: FORMAT_VERSION.to_owned(),
        kind: PlanKind::Sync,
        plan_id: String::new(),
        tool_version: env!("CARGO_PKG_VERSION").to_owned(),
        created_at: jiff::Timestamp::now(),
        source: Source {
            url: keycloak.url.clone(),
            realm: keycloak.realm.clone(),
            federation: decision.federation.clone(),
        },
        target: Target {
            tenant_id: tenant.id.clone(),
            tenant_name: tenant.name.clone(),
            graph_url: entra.graph_url.clone(),
        },
        config_sha256: sha256.clone(),
        undoes: None,
        overrides,
        scope,
        summary: decision.summary,
        groups: decision.groups.clone(),
        changes: decision.changes.clone(),
        blocks: decision.blocks.clone(),
        problems: decision.problems.clone(),
    }
    .sealed()
}
