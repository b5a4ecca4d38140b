//! Finds the address under which a Keycloak answers.
//!
//! Up to 16 Keycloak lived under `/auth`, from 17 on it lives at the root. The original script dropped a final `/auth`
//! without a slash after it, so configurations exist that name one and never meant it: what is configured is tried first,
//! and the other form only if no Keycloak answers there.

use anyhow::Context;
use reqwest::header::ACCEPT;
use serde::Deserialize;

use super::path;
use super::refusal::{ErrorBody, Refusal, explain_redirect, one_line, shown_answer};
use crate::http::{Answer, Class, Error, ErrorKind, Http};

/// What answers at a candidate for the address.
enum Finding {
    /// Keycloak, and it has the realm.
    Keycloak,
    /// Keycloak, and it does not have the realm.
    RealmMissing,
    /// Something else.
    Other(Answer),
}

/// Returns the address, without a slash at its end, under which Keycloak has the realm.
pub(super) async fn find(http: &Http, url: &str, realm: &str) -> anyhow::Result<String> {
    let configured = url.trim_end_matches('/');
    let first = match ask(http, configured, realm).await? {
        Finding::Keycloak => return Ok(configured.to_owned()),
        // A second Keycloak at the other address would not be the one that is configured.
        Finding::RealmMissing => return Err(realm_missing(configured, realm).into()),
        Finding::Other(answer) => answer,
    };
    let other = match configured.strip_suffix("/auth") {
        Some(root) => root.trim_end_matches('/').to_owned(),
        None => format!("{configured}/auth"),
    };
    match ask(http, &other, realm).await {
        Ok(Finding::Keycloak) => Ok(other),
        Ok(Finding::RealmMissing) => Err(realm_missing(&other, realm).into()),
        _ if first.status.is_redirection() => Err(explain_redirect(&first, configured).into()),
        Ok(Finding::Other(second)) => Err(Refusal::new(
            format!(
                "no Keycloak answers at {configured} (/realms/{}: {}), nor at {other} ({})",
                one_line(realm),
                shown_answer(&first),
                shown_answer(&second)
            ),
            "Set keycloak_url to the address of Keycloak: what stands before /realms/ in the address of its login page.",
        )
        .into()),
        Err(error) => Err(error),
    }
}

fn realm_missing(base: &str, realm: &str) -> Refusal {
    Refusal::new(
        format!("realm {realm} does not exist at {base}"),
        "Check keycloak_realm: it is the name in the address of the realm's login page, and upper and lower case differ.",
    )
}

async fn ask(http: &Http, base: &str, realm: &str) -> anyhow::Result<Finding> {
    let url = format!("{base}/realms/{}", path::segment(realm)?);
    let request = http
        .client()
        .get(&url)
        .header(ACCEPT, "application/json")
        .build()
        .with_context(|| format!("{url} is not an address"))?;
    let answer = http
        .send(Class::Read, request)
        .await
        .map_err(explain_silence)?;
    Ok(judge(answer, realm))
}

fn judge(answer: Answer, realm: &str) -> Finding {
    #[derive(Deserialize)]
    struct Realm {
        realm: String,
    }
    if answer.status.as_u16() == 200
        && let Ok(found) = serde_json::from_slice::<Realm>(&answer.body)
        && found.realm.eq_ignore_ascii_case(realm)
    {
        return Finding::Keycloak;
    }
    match ErrorBody::read(&answer) {
        Some(body) if answer.status.as_u16() == 404 && body.error == "Realm does not exist" => {
            Finding::RealmMissing
        }
        _ => Finding::Other(answer),
    }
}

/// Says what to do where nothing answered.
fn explain_silence(error: Error) -> anyhow::Error {
    let hint = if error.reason.contains("certificate") {
        "Its certificate is not trusted here: keycloak_ca_file names the certificate of a private authority."
    } else if error.reason.contains("corrupt message") {
        "It does not speak TLS on this port: check the port, and http:// or https://, in keycloak_url."
    } else if matches!(error.kind, ErrorKind::NotSent | ErrorKind::AnswerLost) {
        "Check keycloak_url, the network and the proxy (HTTPS_PROXY, NO_PROXY)."
    } else {
        return error.into();
    };
    Refusal::new(error.to_string(), hint).into()
}
