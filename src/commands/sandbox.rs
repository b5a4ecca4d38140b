//! `sandbox`, and what `--sandbox` starts. The other commands know only that there may be one, which they keep alive.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::cli::SandboxArgs;
use crate::commands::{Context, ExitStatus};
use crate::config::{Config, Credentials, EntraCredentials, KeycloakCredentials};
use crate::sandbox::graph::{EntraWorld, Group};
use crate::sandbox::keycloak::{Realm, Version};
use crate::sandbox::{Options, Sandbox, seed};

/// Where the state of the simulated directories is kept, so that an apply lasts.
const STATE_FILE: &str = "keycloak_to_azure.sandbox.json";

/// Starts the small company, as an earlier run left it, with the configuration and credentials that fit it.
pub async fn start_seeded() -> anyhow::Result<(Sandbox, Config, Credentials)> {
    let sandbox = start(Options::default()).await?;
    let config = Config::parse(
        configuration(&sandbox).as_bytes(),
        "the sandbox's configuration",
        |_| None,
    )?;
    let (keycloak, entra) = credentials(&sandbox)?;
    let credentials = Credentials {
        keycloak,
        entra,
        notices: Vec::new(),
    };
    Ok((sandbox, config, credentials))
}

/// Serves both simulated services until interrupted.
pub async fn run(args: &SandboxArgs, context: &mut Context) -> anyhow::Result<ExitStatus> {
    for address in [args.keycloak, args.graph].into_iter().flatten() {
        anyhow::ensure!(
            address.ip().is_loopback(),
            "{address} is not a loopback address; the simulated services are for this machine only"
        );
    }
    let realms = args
        .realm
        .iter()
        .map(|file| read_realm(file))
        .collect::<anyhow::Result<Vec<Realm>>>()?;
    let version = args.keycloak_version.as_deref().map(Version::of_number);
    let version = version.transpose()?;
    let relative_path = args.keycloak_relative_path.as_deref();
    let relative_path = relative_path.map(|path| path.trim_end_matches('/'));
    anyhow::ensure!(
        relative_path.is_none_or(|path| path.is_empty() || path.starts_with('/')),
        "the relative path has to begin with a slash, as in `/auth`"
    );
    let sandbox = start(Options {
        keycloak: args.keycloak,
        graph: args.graph,
        graph_url: args.graph_url.clone(),
        ..Options::default()
    })
    .await?;
    sandbox.with_world(|world| {
        world.keycloak.version = version.unwrap_or(world.keycloak.version);
        if let Some(path) = relative_path {
            path.clone_into(&mut world.keycloak.relative_path);
        }
        for realm in realms {
            world.keycloak.realms.retain(|own| own.name != realm.name);
            world.keycloak.realms.push(realm);
        }
        for name in &args.azure_group {
            ensure_group(world.entra, name);
        }
    });
    context.ui.result(&introduction(&sandbox)?)?;
    context.ui.say("Serving until interrupted (Ctrl-C)");
    let signals = super::apply::Signals::listen();
    signals
        .context("failed to listen for signals")?
        .next()
        .await
        .context("failed to wait for a signal")?;
    sandbox
        .shut_down()
        .await
        .context("failed to save the state of the sandbox")?;
    Ok(ExitStatus::Done)
}

fn read_realm(file: &Path) -> anyhow::Result<Realm> {
    std::fs::read(file)
        .map_err(anyhow::Error::from)
        .and_then(|export| Realm::from_export(&export))
        .with_context(|| format!("failed to read the realm export {}", file.display()))
}

fn ensure_group(entra: &mut EntraWorld, name: &str) {
    if !entra
        .groups
        .values()
        .any(|group| group.display_name == name)
    {
        entra.insert_group(Group::security(&uuid::Uuid::new_v4().to_string(), name));
    }
}

async fn start(options: Options) -> anyhow::Result<Sandbox> {
    let options = Options {
        state: Some(PathBuf::from(STATE_FILE)),
        ..options
    };
    let sandbox = Sandbox::start(seed::world(), options)
        .await
        .with_context(|| format!("failed to start the sandbox, whose state is in {STATE_FILE}"))?;
    // Whoever tries it out invites people today.
    sandbox.with_world(|world| world.entra.behaviour.clock_start = jiff::Timestamp::now());
    Ok(sandbox)
}

fn configuration(sandbox: &Sandbox) -> String {
    seed::config_yaml(
        &sandbox.keycloak_url(),
        &sandbox.login_url(),
        &sandbox.graph_url(),
    )
}

fn credentials(sandbox: &Sandbox) -> anyhow::Result<(KeycloakCredentials, EntraCredentials)> {
    let keycloak = sandbox
        .keycloak_credentials()
        .context("the sandbox's Keycloak has no sync account")?;
    let entra = sandbox
        .entra_credentials()
        .context("the sandbox's tenant has no app")?;
    Ok((keycloak, entra))
}

/// What is needed to use the two services: variables for a shell, and a configuration as comments.
fn introduction(sandbox: &Sandbox) -> anyhow::Result<String> {
    let variables = sandbox
        .variables()
        .context("the sandbox has no sync account in Keycloak, or no app in the tenant")?;
    let exports = variables.iter();
    let mut lines: Vec<String> = exports
        .map(|(name, value)| format!("export {name}={value}"))
        .collect();
    lines.push("# A configuration for these two:".to_owned());
    lines.extend(
        configuration(sandbox)
            .lines()
            .map(|line| format!("# {line}")),
    );
    Ok(lines.join("\n") + "\n")
}
