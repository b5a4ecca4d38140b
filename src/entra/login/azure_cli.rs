//! The Azure CLI: a token of whoever is logged in on this machine, for trying things out
//! (<https://learn.microsoft.com/cli/azure/account#az-account-get-access-token>).

use std::ffi::OsString;
use std::io;
use std::process::{Output, Stdio};
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::Value;
use tokio::process::Command;

use super::LoginFailure;
use super::answer::{Granted, Seconds, life_until};
use crate::config::SECRET_VARIABLES;
use crate::entra::refusal::shortened;

/// The Azure CLI needs a second or two to start, and longer the first time. It waits for nobody: its standard input is empty.
const LONGEST_RUN: Duration = Duration::from_secs(60);

/// How much of what the Azure CLI says is shown.
const LONGEST_REASON: usize = 400;

/// The program. On Windows it is a batch file, which has to be called by its whole name.
const PROGRAM: &str = if cfg!(windows) { "az.cmd" } else { "az" };

/// The Azure CLI, to be asked for one kind of token.
pub(in crate::entra) struct AzureCli {
    program: OsString,
    scope: String,
    tenant: String,
    longest_run: Duration,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    access_token: String,
    /// Seconds since 1970; newer versions say it.
    #[serde(default, rename = "expires_on")]
    expires_on_epoch: Seconds,
    /// In the time of this machine.
    #[serde(default)]
    expires_on: Value,
}

impl AzureCli {
    /// Prepares to ask; nothing is started.
    pub(super) fn new(graph_url: &str, tenant: &str) -> Self {
        Self {
            program: PROGRAM.into(),
            scope: format!("{graph_url}/.default"),
            tenant: tenant.to_owned(),
            longest_run: LONGEST_RUN,
        }
    }

    /// Another program in place of the Azure CLI.
    #[cfg(test)]
    pub(super) fn with_program(program: impl Into<OsString>, longest_run: Duration) -> Self {
        Self {
            program: program.into(),
            longest_run,
            ..Self::new("https://graph.microsoft.com", "acme.example")
        }
    }

    /// Asks for a token.
    pub(super) async fn ask(&self) -> Result<Granted, LoginFailure> {
        let mut output = self.run(&["--tenant", &self.tenant]).await?;
        if has_one_tenant_only(&output) {
            // Whose tenant it is is looked at once it is read.
            output = self.run(&[]).await?;
        }
        if !output.status.success() {
            return Err(self.refusal(&output));
        }
        granted(&output.stdout, Timestamp::now()).ok_or_else(|| {
            // What is garbled here may be the token itself, so nothing of it is shown.
            LoginFailure(
                "the Azure CLI (`az account get-access-token`) answered without a token".to_owned(),
            )
        })
    }

    async fn run(&self, more: &[&str]) -> Result<Output, LoginFailure> {
        let mut command = Command::new(&self.program);
        command
            .args(["account", "get-access-token", "--output", "json"])
            .args(["--scope", &self.scope])
            .args(more)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        for name in SECRET_VARIABLES {
            command.env_remove(name);
        }
        match tokio::time::timeout(self.longest_run, command.output()).await {
            Ok(Ok(output)) => Ok(output),
            Ok(Err(error)) => Err(not_started(&error)),
            Err(_) => Err(LoginFailure(format!(
                "the Azure CLI (`az account get-access-token`) gave no answer in {} s",
                self.longest_run.as_secs()
            ))),
        }
    }

    fn refusal(&self, output: &Output) -> LoginFailure {
        let said = String::from_utf8_lossy(&output.stderr);
        let tenant = &self.tenant;
        if said.contains("az login") || said.contains("AADSTS") {
            return LoginFailure(format!(
                "the Azure CLI has no login that is good for this: {}. Log in with `az login --tenant {tenant} \
                 --allow-no-subscriptions`.",
                reason(&said)
            ));
        }
        LoginFailure(format!(
            "the Azure CLI (`az account get-access-token`) failed: {}",
            reason(&said)
        ))
    }
}

/// After `az login --identity`, and in Cloud Shell, older versions take no tenant ("Tenant shouldn't be specified for managed identity
/// account", "… for Cloud Shell account").
fn has_one_tenant_only(output: &Output) -> bool {
    let said = String::from_utf8_lossy(&output.stderr);
    !output.status.success() && said.contains("Tenant shouldn't be specified")
}

fn not_started(error: &io::Error) -> LoginFailure {
    if error.kind() == io::ErrorKind::NotFound {
        return LoginFailure(
            "the Azure CLI is not installed here, or `az` is not on the path; AZURE_TOKEN_CREDENTIALS asks for it".to_owned(),
        );
    }
    LoginFailure(format!("the Azure CLI (`az`) cannot be started: {error}"))
}

/// What the Azure CLI said, without what looks like a token: no version should print one there, and none is let through.
fn reason(said: &str) -> String {
    let words = said
        .split_whitespace()
        .map(|word| if word.contains("eyJ") { "…" } else { word });
    let said = words.collect::<Vec<_>>().join(" ");
    let said = said.trim_start_matches("ERROR: ").trim_end_matches('.');
    if said.is_empty() {
        "it does not say why".to_owned()
    } else {
        shortened(said, LONGEST_REASON)
    }
}

fn granted(stdout: &[u8], now: Timestamp) -> Option<Granted> {
    let body: Body = serde_json::from_slice(stdout).ok()?;
    let local = |text: &str| {
        let moment = text.parse::<DateTime>().ok()?;
        let moment = moment.to_zoned_datetime(TimeZone::system()).ok()?;
        let second = moment.timestamp().as_second();
        Some(Duration::from_secs(
            u64::try_from(second).unwrap_or_default(),
        ))
    };
    let Seconds(epoch) = body.expires_on_epoch;
    let end = epoch.or_else(|| body.expires_on.as_str().and_then(local));
    (!body.access_token.is_empty()).then(|| Granted {
        token: SecretString::from(body.access_token),
        life: end.map(|end| life_until(end, now)),
    })
}
