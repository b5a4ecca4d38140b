//! The tenant's token endpoint: an app shows that it is the app, and gets a token
//! (<https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow>).

use serde_json::Value;

use super::answer::Granted;
use super::hints::hint_for;
use super::{LoginFailure, Shown, without_secret};
use crate::entra::parse_bytes;
use crate::entra::refusal::shortened;
use crate::http::{Class, Http};

/// How much of a reason is shown.
const LONGEST_REASON: usize = 400;

/// The kind of every assertion.
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The token endpoint, as one app asks it.
pub(in crate::entra) struct TokenEndpoint {
    pub(super) http: Http,
    pub(super) url: String,
    pub(super) scope: String,
    pub(super) tenant: String,
    pub(super) client_id: String,
}

/// Why there is no token.
pub(super) struct Refused {
    /// Entra's code, or 0 where there is none.
    code: u64,
    pub(super) failure: LoginFailure,
}

impl Refused {
    /// Whether an assertion was shown before or after its time.
    pub(super) fn is_out_of_date(&self) -> bool {
        matches!(self.code, 700_024 | 500_133)
    }
}

impl From<LoginFailure> for Refused {
    fn from(failure: LoginFailure) -> Self {
        Self { code: 0, failure }
    }
}

impl TokenEndpoint {
    /// Gets a token for what the app shows.
    pub(super) async fn exchange(&self, shown: &Shown) -> Result<Granted, Refused> {
        let mut form = vec![
            ("client_id", self.client_id.as_str()),
            ("scope", &self.scope),
            ("grant_type", "client_credentials"),
        ];
        match shown {
            Shown::Secret(_) => form.push(("client_secret", shown.secret())),
            Shown::Signed(_) | Shown::Vouched(..) => form.extend([
                ("client_assertion_type", ASSERTION_TYPE),
                ("client_assertion", shown.secret()),
            ]),
        }
        let request = self
            .http
            .client()
            .post(&self.url)
            .form(&form)
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
            .map_err(|error| LoginFailure(format!("the login of Entra failed: {error}")))?;
        if !answer.status.is_success() {
            let status = answer.status.as_u16();
            return Err(self.refusal(status, &answer.body, shown));
        }
        Granted::from_answer(&answer.body, answer.sent_at()).ok_or_else(|| {
            let words = format!(
                "{} answered {} without a token: is it the login of Entra?",
                self.url, answer.status
            );
            LoginFailure(words).into()
        })
    }

    fn refusal(&self, status: u16, body: &[u8], shown: &Shown) -> Refused {
        let app = &self.client_id;
        let tenant = &self.tenant;
        let value: Value = parse_bytes(body).unwrap_or_default();
        let code = value
            .pointer("/error_codes/0")
            .and_then(Value::as_u64)
            .unwrap_or_default();
        let Some(description) = value.get("error_description").and_then(Value::as_str) else {
            let words = format!(
                "{} refused the login of the app {app} with {status} and no reason that can be read; \
                 is it the login of Entra (`azure_login_url`, AZURE_AUTHORITY_HOST)?",
                self.url
            );
            return LoginFailure(words).into();
        };
        // The ids and the time after the sentence say nothing to a reader that the time of the log does not.
        let sentence = description.split("Trace ID:").next().unwrap_or(description);
        // In this order, because half a secret would not be found.
        let sentence = shortened(&without_secret(sentence, shown.secret()), LONGEST_REASON);
        let hint = hint_for(code, shown).map_or_else(String::new, |hint| format!(" {hint}"));
        let words = format!(
            "Entra refused the login of the app {app} in the tenant {tenant}: {sentence}{hint}"
        );
        Refused {
            code,
            failure: LoginFailure(words),
        }
    }
}
