//! GitHub Actions: GitHub vouches for the job that this program runs in
//! (<https://docs.github.com/actions/reference/security/oidc>).

use reqwest::header::AUTHORIZATION;
use reqwest::{StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::federated::vouched;
use super::{LoginFailure, Shown};
use crate::encoding::bearer;
use crate::entra::parse_bytes;
use crate::http::{Class, Http};

/// Who gives tokens to this job.
pub(in crate::entra) struct GitHubActions {
    http: Http,
    /// With the audience.
    url: Url,
    token: SecretString,
}

#[derive(Deserialize)]
struct Body {
    value: String,
}

impl GitHubActions {
    /// Prepares to ask for tokens that the login at `login_url` takes; nothing is sent.
    pub(super) fn new(http: Http, mut url: Url, token: SecretString, login_url: &str) -> Self {
        url.query_pairs_mut()
            .append_pair("audience", audience(login_url));
        Self { http, url, token }
    }

    /// Asks for a token. It is good for some minutes only.
    pub(super) async fn ask(&self) -> Result<Shown, LoginFailure> {
        let bearer = bearer(self.token.expose_secret()).ok_or_else(|| {
            LoginFailure("ACTIONS_ID_TOKEN_REQUEST_TOKEN cannot be sent".to_owned())
        })?;
        let request = self
            .http
            .client()
            .get(self.url.clone())
            .header(AUTHORIZATION, bearer)
            .build()
            .map_err(|error| {
                LoginFailure(format!("GitHub cannot be asked: {}", error.without_url()))
            })?;
        let answer = self
            .http
            .send(Class::Login, request)
            .await
            .map_err(|error| LoginFailure(format!("GitHub gave no token for this job: {error}")))?;
        let status = answer.status;
        if !status.is_success() {
            let hint = match status {
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                    "; ACTIONS_ID_TOKEN_REQUEST_TOKEN is good only while its own job runs"
                }
                _ => "",
            };
            return Err(LoginFailure(format!(
                "GitHub refused a token for this job with {status}{hint}"
            )));
        }
        // What is garbled here may be the token itself, so nothing of the body is shown.
        parse_bytes::<Body>(&answer.body)
            .ok()
            .and_then(|body| vouched(&body.value))
            .ok_or_else(|| {
                LoginFailure(
                    "the address in ACTIONS_ID_TOKEN_REQUEST_URL answered without a token: is it that of GitHub?"
                        .to_owned(),
                )
            })
    }
}

/// The audience that Entra asks for, which differs from cloud to cloud
/// (<https://learn.microsoft.com/graph/api/resources/federatedidentitycredential>).
fn audience(login_url: &str) -> &'static str {
    match login_url.rsplit('.').next() {
        Some("us") => "api://AzureADTokenExchangeUSGov",
        Some("cn") => "api://AzureADTokenExchangeChina",
        _ => "api://AzureADTokenExchange",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cloud_has_an_audience_of_its_own() {
        for (login_url, expected) in [
            (
                "https://login.microsoftonline.com",
                "api://AzureADTokenExchange",
            ),
            (
                "https://login.microsoftonline.us",
                "api://AzureADTokenExchangeUSGov",
            ),
            (
                "https://login.partner.microsoftonline.cn",
                "api://AzureADTokenExchangeChina",
            ),
            (
                "https://login.chinacloudapi.cn",
                "api://AzureADTokenExchangeChina",
            ),
            ("http://127.0.0.1:8080", "api://AzureADTokenExchange"),
        ] {
            assert_eq!(audience(login_url), expected, "{login_url}");
        }
    }
}
