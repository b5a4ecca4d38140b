//! Managed identity: a service of the machine gives tokens for the identity that Azure gave to the machine
//! (<https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token>,
//! <https://learn.microsoft.com/azure/app-service/overview-managed-identity#rest-endpoint-reference>).

use std::time::Duration;

use reqwest::header::HeaderValue;
use reqwest::{StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::answer::Granted;
use super::{LoginFailure, without_secret};
use crate::config::IdentityEndpoint;
use crate::entra::parse_bytes;
use crate::entra::refusal::shortened;
use crate::http::{Answer, Class, Http, Options, Timing};

/// A service of the machine answers at once or not at all; where there is none, nobody answers.
const CONNECT: Duration = Duration::from_secs(2);

/// How long the next byte of an answer is waited for, and a whole one. Something that swallows what is sent to the metadata address may
/// well take the connection.
const IDLE: Duration = Duration::from_secs(10);
const WHOLE: Duration = Duration::from_secs(30);

/// How many times as long as usual is waited between two tries. With the usual half a second these are the waits of Microsoft's own
/// libraries: 1.6, 3.2, 6.4 and 12.8 s.
const SLOWER: f64 = 3.2;

/// How much of a reason is shown.
const LONGEST_REASON: usize = 300;

/// Who gives tokens to this machine.
pub(in crate::entra) struct Machine {
    http: Http,
    url: Url,
    /// Shows that the request comes from the machine.
    header: (&'static str, SecretString),
    client_id: Option<String>,
}

impl Machine {
    /// Prepares to ask; nothing is sent.
    pub(super) fn new(
        endpoint: IdentityEndpoint,
        client_id: Option<String>,
        graph_url: &str,
        timing: &Timing,
    ) -> anyhow::Result<Self> {
        let (mut url, version, header) = match endpoint {
            IdentityEndpoint::AppService { url, header } => {
                (url, "2019-08-01", ("x-identity-header", header))
            }
            IdentityEndpoint::Imds { url } => {
                (url, "2018-02-01", ("metadata", SecretString::from("true")))
            }
        };
        url.query_pairs_mut()
            .append_pair("api-version", version)
            .append_pair("resource", graph_url)
            .extend_pairs(client_id.as_deref().map(|id| ("client_id", id)));
        let http = Http::new(&Options {
            ca_pem: None,
            // Not through a proxy: the service is on this machine, and it answers unencrypted.
            loopback: true,
            timing: Timing {
                connect: timing.connect.min(CONNECT),
                idle: timing.idle.min(IDLE),
                whole: timing.whole.min(WHOLE),
                first_wait: timing.first_wait.mul_f64(SLOWER),
                ..timing.clone()
            },
        })?;
        Ok(Self {
            http,
            url,
            header,
            client_id,
        })
    }

    /// Asks for a token.
    pub(super) async fn ask(&self) -> Result<Granted, LoginFailure> {
        let (name, value) = &self.header;
        let mut value = HeaderValue::from_str(value.expose_secret())
            .map_err(|_| LoginFailure("IDENTITY_HEADER cannot be sent".to_owned()))?;
        value.set_sensitive(true);
        let request = self
            .http
            .client()
            .get(self.url.clone())
            .header(*name, value)
            .build()
            .map_err(|error| {
                LoginFailure(format!(
                    "the managed identity cannot be asked for: {}",
                    error.without_url()
                ))
            })?;
        let answer = self
            .http
            .send(Class::MachineLogin, request)
            .await
            .map_err(|error| {
                LoginFailure(format!(
                    "the managed identity gave no token: {error}. AZURE_TOKEN_CREDENTIALS asks for it, and only machines of Azure \
                     have one."
                ))
            })?;
        if !answer.status.is_success() {
            return Err(self.refusal(&answer));
        }
        // What is garbled here may be the token itself, so nothing of the body is shown.
        Granted::from_answer(&answer.body, answer.sent_at()).ok_or_else(|| {
            LoginFailure(format!(
                "the managed identity's service answered {} without a token",
                answer.status
            ))
        })
    }

    fn refusal(&self, answer: &Answer) -> LoginFailure {
        let value: Value = parse_bytes(&answer.body).unwrap_or_default();
        let reason = ["error_description", "message"]
            .into_iter()
            .find_map(|name| value.get(name)?.as_str())
            .unwrap_or("no reason that can be read");
        let (_, secret) = &self.header;
        let reason = shortened(
            &without_secret(reason, secret.expose_secret()),
            LONGEST_REASON,
        );
        let hint = self.hint(answer.status, &reason).unwrap_or_default();
        LoginFailure(format!(
            "the managed identity was refused with {}: {}{hint}",
            answer.status.as_u16(),
            reason.trim_end_matches('.')
        ))
    }

    /// What to do about a reason. Those of missing identities speak of resources as well.
    fn hint(&self, status: StatusCode, reason: &str) -> Option<String> {
        if status != StatusCode::BAD_REQUEST {
            return None;
        }
        let reason = reason.to_lowercase();
        if reason.contains("identity") {
            return Some(match &self.client_id {
                Some(id) => format!(
                    ". Assign the identity {id} to this machine, or unset AZURE_CLIENT_ID to use the machine's own."
                ),
                None => {
                    ". Give this machine an identity of its own (Identity, System assigned), or name one that is assigned to it in \
                     AZURE_CLIENT_ID."
                        .to_owned()
                }
            });
        }
        reason.contains("resource").then(|| {
            ". The Graph of another cloud is meant: look at `azure_cloud` and `azure_graph_url`.".to_owned()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_that_is_mute_is_not_waited_for_as_long_as_one_far_away() {
        let endpoint = IdentityEndpoint::Imds {
            url: Url::parse("http://169.254.169.254/").unwrap(),
        };
        let machine = Machine::new(endpoint, None, "https://graph.example", &Timing::default());
        let machine = machine.unwrap();
        let timing = machine.http.timing();
        let longest = timing.connect + timing.whole;
        assert!(timing.idle <= Duration::from_secs(10), "{timing:?}");
        assert!(longest <= Duration::from_secs(32), "{timing:?}");
    }
}
