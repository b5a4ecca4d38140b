//! The app's login: a token by client secret, kept until shortly before it expires.

use std::collections::BTreeSet;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::odata::encoded;
use super::parse_bytes;
use super::refusal::shortened;
use crate::config::{EntraConnection, EntraCredentials};
use crate::http::{self, Class, Http};

/// A token is renewed so long before it expires, or after four fifths of its life if that is later. Microsoft's own libraries
/// take 300 s as well.
const RENEWAL_MARGIN: Duration = Duration::from_secs(300);

/// The app's login at the tenant's token endpoint.
pub(super) struct Login {
    http: Http,
    url: String,
    scope: String,
    credentials: EntraCredentials,
    /// Held while a token is fetched, so that many requests at once fetch one.
    cached: Mutex<Cached>,
}

#[derive(Default)]
struct Cached {
    token: Option<Token>,
    fetched: u64,
}

/// A token, as good as a password until it expires.
#[derive(Clone)]
pub(super) struct Token {
    value: SecretString,
    renew_at: Instant,
    number: u64,
    roles: Option<BTreeSet<String>>,
}

impl Token {
    /// The `Authorization` header, which no debug output shows.
    pub(super) fn header(&self) -> Result<HeaderValue, LoginFailure> {
        let mut header = HeaderValue::from_str(&format!("Bearer {}", self.value.expose_secret()))
            .map_err(|_| {
            LoginFailure("the login answered with a token that cannot be sent".to_owned())
        })?;
        header.set_sensitive(true);
        Ok(header)
    }

    /// The token itself, to strike it out of what comes back.
    pub(super) fn value(&self) -> &str {
        self.value.expose_secret()
    }

    /// The application permissions that the token carries, or `None` if it cannot be looked into: Microsoft reserves the
    /// right to make tokens opaque.
    pub(super) fn roles(&self) -> Option<&BTreeSet<String>> {
        self.roles.as_ref()
    }
}

/// Why there is no token, with what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LoginFailure(pub(super) String);

impl Login {
    /// Prepares the login; nothing is sent.
    pub(super) fn new(
        connection: &EntraConnection,
        credentials: EntraCredentials,
        http: Http,
    ) -> Self {
        Self {
            http,
            url: format!(
                "{}/{}/oauth2/v2.0/token",
                connection.login_url,
                encoded(&credentials.tenant)
            ),
            scope: format!("{}/.default", connection.graph_url),
            credentials,
            cached: Mutex::default(),
        }
    }

    /// The app's client id.
    pub(super) fn app(&self) -> &str {
        &self.credentials.client_id
    }

    /// The tenant as it was configured.
    pub(super) fn tenant(&self) -> &str {
        &self.credentials.tenant
    }

    /// Returns a token that is good for a while.
    pub(super) async fn token(&self) -> Result<Token, LoginFailure> {
        let mut cached = self.cached.lock().await;
        if let Some(token) = &cached.token
            && token.renew_at > self.http.timing().clock.now()
        {
            return Ok(token.clone());
        }
        cached.fetched += 1;
        let token = self.fetch(cached.fetched).await?;
        cached.token = Some(token.clone());
        Ok(token)
    }

    /// Forgets a token that Graph did not accept, unless it has been replaced since.
    pub(super) async fn forget(&self, refused: &Token) {
        let mut cached = self.cached.lock().await;
        if cached
            .token
            .as_ref()
            .is_some_and(|token| token.number == refused.number)
        {
            cached.token = None;
        }
    }

    async fn fetch(&self, number: u64) -> Result<Token, LoginFailure> {
        let asked_at = self.http.timing().clock.now();
        let request = self
            .http
            .client()
            .post(&self.url)
            .form(&[
                ("client_id", self.credentials.client_id.as_str()),
                ("scope", &self.scope),
                (
                    "client_secret",
                    self.credentials.client_secret.expose_secret(),
                ),
                ("grant_type", "client_credentials"),
            ])
            .build()
            .map_err(|error| {
                LoginFailure(format!(
                    "the login cannot be asked: {}",
                    error.without_url()
                ))
            })?;
        let answer = self
            .http
            .send(Class::Login, request)
            .await
            .map_err(|error| LoginFailure(unreachable_sentence(&error)))?;
        if !answer.status.is_success() {
            return Err(LoginFailure(
                self.refusal_sentence(answer.status.as_u16(), &answer.body),
            ));
        }
        // What is garbled here may be the token itself, so nothing of the body is shown.
        let body: TokenBody = parse_bytes(&answer.body).map_err(|_| {
            LoginFailure(format!(
                "{} answered {} without a token: is it the login of Entra?",
                self.url, answer.status
            ))
        })?;
        let life = body.expires_in.map_or(RENEWAL_MARGIN, |Seconds(life)| life);
        Ok(Token {
            renew_at: asked_at + life.saturating_sub(RENEWAL_MARGIN.min(life / 5)),
            roles: roles_in(body.access_token.expose_secret()),
            value: body.access_token,
            number,
        })
    }

    fn refusal_sentence(&self, status: u16, body: &[u8]) -> String {
        let app = &self.credentials.client_id;
        let tenant = &self.credentials.tenant;
        let value: Value = parse_bytes(body).unwrap_or_default();
        let code = value
            .pointer("/error_codes/0")
            .and_then(Value::as_u64)
            .unwrap_or_default();
        let Some(description) = value.get("error_description").and_then(Value::as_str) else {
            return format!(
                "{} refused the login of the app {app} with {status} and no reason that can be read; \
                 is it the login of Entra (`azure_login_url`, AZURE_AUTHORITY_HOST)?",
                self.url
            );
        };
        // The ids and the time after the sentence say nothing to a reader that the time of the log does not.
        let sentence = description.split("Trace ID:").next().unwrap_or(description);
        let sentence = self.without_secret(&shortened(sentence, 400));
        match hint_for(code) {
            Some(hint) => format!(
                "Entra refused the login of the app {app} in the tenant {tenant}: {sentence} {hint}"
            ),
            None => format!(
                "Entra refused the login of the app {app} in the tenant {tenant}: {sentence}"
            ),
        }
    }

    /// A proxy that echoes what it was sent must not bring the secret into a message.
    fn without_secret(&self, text: &str) -> String {
        let secret = self.credentials.client_secret.expose_secret();
        if secret.is_empty() {
            text.to_owned()
        } else {
            text.replace(secret, "…").replace(&encoded(secret), "…")
        }
    }
}

fn unreachable_sentence(error: &http::Error) -> String {
    format!("the login of Entra failed: {error}")
}

/// What to do about a refused login. The codes are not a contract (Microsoft's reference says so), so they only add a hint to
/// the text.
fn hint_for(code: u64) -> Option<&'static str> {
    Some(match code {
        7_000_215 => {
            "AZURE_CLIENT_SECRET must hold the secret's value, not its id; the value is shown only when the secret is made."
        }
        7_000_222 => {
            "The secret has expired: make a new one (App registrations, Certificates & secrets) and put its value into AZURE_CLIENT_SECRET."
        }
        90_002 | 900_023 => {
            "AZURE_TENANT_ID is wrong, or the tenant is in another cloud (`azure_cloud`)."
        }
        700_016 => {
            "AZURE_CLIENT_ID is wrong, or AZURE_TENANT_ID names another tenant than the one where the app is registered, or another cloud is meant (`azure_cloud`)."
        }
        700_038 => "AZURE_CLIENT_ID must hold the application (client) id, a GUID.",
        500_011 | 70_011 | 500_014 => {
            "The Graph of another cloud is meant: look at `azure_cloud` and `azure_graph_url`."
        }
        7_000_112 | 7_000_111 => {
            "The app is disabled in this tenant: an administrator has to enable it."
        }
        53_003 | 530_003 => "A conditional access policy for workload identities blocks the app.",
        _ => return None,
    })
}

/// Returns the `roles` claim. A token that can be read and has none belongs to an app without any permission.
fn roles_in(token: &str) -> Option<BTreeSet<String>> {
    let payload = token.split('.').nth(1)?;
    let json = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    let claims: Claims = serde_json::from_slice(&json).ok()?;
    Some(claims.roles)
}

#[derive(Deserialize)]
struct Claims {
    #[serde(default)]
    roles: BTreeSet<String>,
}

#[derive(Deserialize)]
struct TokenBody {
    #[serde(deserialize_with = "secret")]
    access_token: SecretString,
    #[serde(default)]
    expires_in: Option<Seconds>,
}

fn secret<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<SecretString, D::Error> {
    String::deserialize(deserializer).map(SecretString::from)
}

/// A number of seconds, written as a number or, by older endpoints, as a text.
struct Seconds(Duration);

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let seconds = match &value {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        seconds
            // A year is as good as forever, and keeps the sums in range.
            .and_then(|seconds| Duration::try_from_secs_f64(seconds.min(365.0 * 86_400.0)).ok())
            .map(Self)
            .ok_or_else(|| serde::de::Error::custom("not a number of seconds"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token_with(payload: &str) -> String {
        format!("e30.{}.sig", URL_SAFE_NO_PAD.encode(payload))
    }

    #[test]
    fn the_roles_of_a_token_are_read_and_an_opaque_token_has_none_to_read() {
        let roles = roles_in(&token_with(r#"{"roles":["User.Read.All"],"aud":"x"}"#));
        assert_eq!(roles, Some(BTreeSet::from(["User.Read.All".to_owned()])));
        assert_eq!(
            roles_in(&token_with(r#"{"aud":"x"}"#)),
            Some(BTreeSet::new())
        );
        for opaque in ["", "opaque", "a.b.c", "a.!!.c", &token_with("5")] {
            assert_eq!(roles_in(opaque), None, "{opaque}");
        }
    }

    #[test]
    fn the_life_of_a_token_may_be_a_number_or_a_text() {
        for (text, life) in [
            (r#"{"access_token":"x","expires_in":3599}"#, Some(3599)),
            (r#"{"access_token":"x","expires_in":"3599"}"#, Some(3599)),
            (r#"{"access_token":"x"}"#, None),
            (
                r#"{"access_token":"x","expires_in":1e19}"#,
                Some(31_536_000),
            ),
        ] {
            let body: TokenBody = serde_json::from_str(text).unwrap();
            assert_eq!(body.expires_in.map(|Seconds(life)| life.as_secs()), life);
        }
        assert!(
            serde_json::from_str::<TokenBody>(r#"{"access_token":"x","expires_in":-1}"#).is_err()
        );
    }
}
