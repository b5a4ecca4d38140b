//! The ways to log in to Entra, a file for each, and what all of them come to: a token, or the reason why there is none.
//!
//! They are our own because Microsoft's crate for them (`azure_identity` 1.0) takes a certificate only with OpenSSL, a second TLS stack,
//! refuses login services without TLS even on loopback, where the tests have theirs, and repeats requests for more than a minute without
//! saying what it was answered. What signs and what reads certificates is rustls.
//!
//! Nothing is kept here but what is read once; [`super::token`] decides when a token is asked for.

mod answer;
mod azure_cli;
mod certificate;
mod federated;
mod github;
mod hints;
mod machine;
mod token_endpoint;

#[cfg(test)]
mod tests;

use std::fmt;

use anyhow::Context;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};

use self::answer::Granted;
use self::azure_cli::AzureCli;
use self::certificate::Certificate;
use self::federated::FederatedFile;
use self::github::GitHubActions;
use self::machine::Machine;
use self::token_endpoint::TokenEndpoint;
use super::odata::encoded;
use crate::config::{EntraConnection, EntraCredentials, EntraLogin};
use crate::http::{self, Http, Timing};

/// Why there is no token, with what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LoginFailure(pub(super) String);

impl fmt::Display for LoginFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A way to log in, ready to be gone again and again.
pub(super) enum Way {
    /// An app shows at the tenant's token endpoint that it is the app.
    App(TokenEndpoint, Proof),
    /// The machine has an identity.
    Machine(Machine),
    /// Somebody is logged in on this machine.
    AzureCli(AzureCli),
}

/// Where an app gets what it shows.
pub(super) enum Proof {
    Secret(SecretString),
    Certificate(Certificate),
    FederatedFile(FederatedFile),
    GitHubActions(GitHubActions),
}

/// What an app shows to prove that it is the app.
enum Shown {
    /// A secret.
    Secret(SecretString),
    /// An assertion that the app has signed itself.
    Signed(SecretString),
    /// An assertion of somebody else whom the app trusts.
    Vouched(SecretString, federated::Claims),
}

impl Shown {
    /// What must not come back in a message.
    fn secret(&self) -> &str {
        match self {
            Self::Secret(secret) | Self::Signed(secret) | Self::Vouched(secret, _) => {
                secret.expose_secret()
            }
        }
    }
}

impl Way {
    /// Prepares a way; nothing is sent. Fails if a certificate cannot be used.
    pub(super) fn new(
        connection: &EntraConnection,
        credentials: EntraCredentials,
        timing: &Timing,
    ) -> anyhow::Result<Self> {
        let EntraCredentials { tenant, login } = credentials;
        let graph_url = &connection.graph_url;
        let app = |client_id| -> anyhow::Result<TokenEndpoint> {
            let login_url = &connection.login_url;
            Ok(TokenEndpoint {
                http: client(&address(login_url)?, timing)?,
                url: format!("{login_url}/{}/oauth2/v2.0/token", encoded(&tenant)),
                scope: format!("{graph_url}/.default"),
                tenant: tenant.clone(),
                client_id,
            })
        };
        Ok(match login {
            EntraLogin::Secret { client_id, secret } => {
                Self::App(app(client_id)?, Proof::Secret(secret))
            }
            EntraLogin::Certificate {
                client_id,
                file,
                sends_chain,
            } => {
                let certificate = Certificate::read(&file, sends_chain)?;
                Self::App(app(client_id)?, Proof::Certificate(certificate))
            }
            EntraLogin::FederatedFile { client_id, file } => {
                Self::App(app(client_id)?, Proof::FederatedFile(FederatedFile(file)))
            }
            EntraLogin::GitHubActions {
                client_id,
                url,
                token,
            } => {
                let http = client(&url, timing)?;
                let github = GitHubActions::new(http, url, token, &connection.login_url);
                Self::App(app(client_id)?, Proof::GitHubActions(github))
            }
            EntraLogin::ManagedIdentity {
                client_id,
                endpoint,
            } => Self::Machine(Machine::new(endpoint, client_id, graph_url, timing)?),
            EntraLogin::AzureCli => Self::AzureCli(AzureCli::new(graph_url, &tenant)),
        })
    }

    /// Asks for a new token. What an app shows is fetched or signed anew each time; secrets and certificates were read at the beginning.
    pub(super) async fn ask(&self) -> Result<Granted, LoginFailure> {
        match self {
            Self::App(endpoint, proof) => {
                let shown = proof.show(endpoint).await?;
                let answer = match endpoint.exchange(&shown).await {
                    // It may have run out while an Entra that failed was asked again and again.
                    Err(refused) if refused.is_out_of_date() => {
                        endpoint.exchange(&proof.show(endpoint).await?).await
                    }
                    answer => answer,
                };
                answer.map_err(|refused| refused.failure)
            }
            Self::Machine(machine) => machine.ask().await,
            Self::AzureCli(cli) => cli.ask().await,
        }
    }
}

impl Proof {
    async fn show(&self, endpoint: &TokenEndpoint) -> Result<Shown, LoginFailure> {
        match self {
            Self::Secret(secret) => Ok(Shown::Secret(secret.clone())),
            Self::Certificate(certificate) => {
                let now = jiff::Timestamp::now();
                certificate
                    .assertion(&endpoint.client_id, &endpoint.url, now)
                    .map(Shown::Signed)
            }
            Self::FederatedFile(file) => file.read().await,
            Self::GitHubActions(github) => github.ask().await,
        }
    }
}

fn address(url: &str) -> anyhow::Result<Url> {
    Url::parse(url).with_context(|| format!("{url} is not an address"))
}

fn client(url: &Url, timing: &Timing) -> anyhow::Result<Http> {
    Http::new(&http::Options {
        ca_pem: None,
        loopback: http::is_loopback(url),
        timing: timing.clone(),
    })
}

/// What stands as it is in a form (<https://url.spec.whatwg.org/#application-x-www-form-urlencoded-percent-encode-set>), but for the
/// space.
const FORM: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'*')
    .remove(b'-')
    .remove(b'.')
    .remove(b'_');

/// Returns a text without a secret that somebody may have quoted in it, as it is, as a form carries it or as a path would. A proxy
/// that echoes what it was sent must not bring the secret into a message.
fn without_secret(text: &str, secret: &str) -> String {
    if secret.is_empty() {
        return text.to_owned();
    }
    let in_form = utf8_percent_encode(secret, FORM).to_string();
    text.replace(secret, "…")
        .replace(&encoded(secret), "…")
        .replace(&in_form.replace("%20", "+"), "…")
}
