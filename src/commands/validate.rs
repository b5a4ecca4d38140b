//! `validate`: checks the configuration, without network or credentials.

use std::collections::BTreeSet;
use std::path::Path;

use crate::cli::ValidateArgs;
use crate::commands::{Context, ExitStatus};
use crate::config::{Config, schema};
use crate::model::fold;
use crate::render::escape::plain;
use crate::wording::counted;

pub fn run(
    config: &Path,
    args: &ValidateArgs,
    context: &mut Context,
) -> anyhow::Result<ExitStatus> {
    if args.schema {
        context.ui.result(&format!("{:#}\n", schema()))?;
        return Ok(ExitStatus::Done);
    }
    let contents = Config::load(config, &context.variable)?;
    let shown = plain(&config.display().to_string());
    context
        .ui
        .result(&format!("{shown} is in order\n{}", summary(&contents)))?;
    context.ui.say(
        "`keycloak-to-azure check` says whether its groups exist and the permissions are there.",
    );
    Ok(ExitStatus::Done)
}

/// What is in it: how many groups, and where they are.
fn summary(config: &Config) -> String {
    let mappings = &config.settings.mappings;
    let azure: BTreeSet<String> = mappings
        .iter()
        .map(|mapping| fold(&mapping.azure))
        .collect();
    format!(
        "  {} to {}\n  from Keycloak {}, realm {}, to Entra through {}\n",
        counted(mappings.len(), "mapping", "mappings"),
        counted(azure.len(), "Azure group", "Azure groups"),
        plain(&config.keycloak.url),
        plain(&config.keycloak.realm),
        plain(&config.entra.graph_url)
    )
}
