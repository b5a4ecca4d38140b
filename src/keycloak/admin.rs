//! One reading request to the Admin REST API of the realm, with every answer that is not data told apart.

use anyhow::Context;
use reqwest::StatusCode;
use reqwest::header::{ACCEPT, AUTHORIZATION};
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;

use super::account::SyncAccount;
use super::login::{Pass, Session};
use super::path;
use super::refusal::{
    ErrorBody, Refusal, explain_failure, explain_missing_role, explain_not_exposed,
    explain_redirect, explain_unaccepted_token, one_line, shown_body_kind,
};
use crate::http::{Answer, Class, Http};

/// The requests in flight at most: a Keycloak serves logins of a whole company beside this.
const IN_FLIGHT: usize = 4;

/// How many requests are prepared at a time; they queue for the [`IN_FLIGHT`].
pub(super) const PREPARED: usize = 16;

/// The role that lets an account read people and groups.
pub(super) const VIEW_USERS: &str = "view-users";

/// The role that lets an account see the realm's user federation.
pub(super) const VIEW_REALM: &str = "view-realm";

/// The Admin REST API of one realm. It can only read.
pub(super) struct Admin {
    pub http: Http,
    pub base: String,
    pub account: SyncAccount,
    pub session: Session,
    slots: Semaphore,
}

/// What the API said.
pub(super) enum Reply<T> {
    /// The data.
    Data(T),
    /// Keycloak does not know the object.
    Missing,
    /// Keycloak does not let the account see it.
    Forbidden,
    /// This version of Keycloak, or a proxy in front of it, has nothing at this address.
    NoSuchResource(Refusal),
}

impl Admin {
    pub fn new(http: Http, base: String, account: SyncAccount, session: Session) -> Self {
        Self {
            http,
            base,
            account,
            session,
            slots: Semaphore::new(IN_FLIGHT),
        }
    }

    /// Reads what is at `path` below the realm, which starts with a slash and is encoded.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<Reply<T>> {
        let answer = self.exchange(path).await?;
        let status = answer.status.as_u16();
        if status == 200 {
            return Ok(Reply::Data(read_json(&answer)?));
        }
        match (status, ErrorBody::read(&answer)) {
            (404, Some(body)) if body.error == "Realm not found." => Err(Refusal::without_hint(
                format!("realm {} does not exist any more", self.account.realm),
            )
            .into()),
            (404, Some(body)) if body.is_unknown_resource() => Ok(self.no_such_resource(&answer)),
            (404, Some(_)) => Ok(Reply::Missing),
            (403, Some(_)) => Ok(Reply::Forbidden),
            (403 | 404, None) | (405, _) => Ok(self.no_such_resource(&answer)),
            (401, _) => Err(explain_unaccepted_token(&answer, &self.account, &self.base).into()),
            (300..=399, _) => Err(explain_redirect(&answer, &self.base).into()),
            _ => {
                let is_about_people = path.starts_with("/users") || path.contains("/members");
                Err(explain_failure(&answer, is_about_people).into())
            }
        }
    }

    /// Like [`Self::get`], where not being allowed to (`what`, in words) is an error. `None` if Keycloak does not know the object.
    pub async fn get_allowed<T: DeserializeOwned>(
        &self,
        path: &str,
        what: &str,
    ) -> anyhow::Result<Option<T>> {
        match self.get(path).await? {
            Reply::Data(data) => Ok(Some(data)),
            Reply::Missing => Ok(None),
            Reply::Forbidden => Err(self.missing_role(VIEW_USERS, what).into()),
            Reply::NoSuchResource(refusal) => Err(refusal.into()),
        }
    }

    pub fn missing_role(&self, role: &str, what: &str) -> Refusal {
        explain_missing_role(&self.account, role, what)
    }

    fn no_such_resource<T>(&self, answer: &Answer) -> Reply<T> {
        Reply::NoSuchResource(explain_not_exposed(answer, &self.base))
    }

    /// Sends the request, and once more with a new token if the first one is refused: sessions can be ended from outside.
    async fn exchange(&self, path: &str) -> anyhow::Result<Answer> {
        let _slot = self.slots.acquire().await?;
        let pass = self.session.pass().await?;
        let answer = self.send(path, &pass).await?;
        if answer.status.as_u16() != 401 {
            return Ok(answer);
        }
        let pass = self.session.pass_instead_of(&pass).await?;
        self.send(path, &pass).await
    }

    async fn send(&self, path: &str, pass: &Pass) -> anyhow::Result<Answer> {
        let realm = path::segment(&self.account.realm)?;
        let request = self
            .http
            .client()
            .get(format!("{}/admin/realms/{realm}{path}", self.base))
            // With `text/html` among what is accepted, Keycloak writes its errors as pages.
            .header(ACCEPT, "application/json")
            .header(AUTHORIZATION, pass.bearer.clone())
            .build()
            .context("failed to build a request")?;
        let mut answer = self.http.send(Class::Read, request).await?;
        if answer.status != StatusCode::TOO_MANY_REQUESTS {
            // Keycloak and the proxies before it say nothing of how near their limits are.
            self.http.note_went_through(Class::Read, None, answer.took);
        }
        if let Some(token) = pass.token() {
            answer.strike_out(token);
        }
        Ok(answer)
    }
}

/// Reads a body that must be one whole JSON value: lists are streamed, and a failure half-way ends them with status 200, cut
/// off or with an error object after them.
fn read_json<T: DeserializeOwned>(answer: &Answer) -> anyhow::Result<T> {
    serde_json::from_slice(&answer.body).map_err(|error| {
        let reason = match error.classify() {
            serde_json::error::Category::Eof => "it is cut off".to_owned(),
            _ if answer.body.first().is_none_or(|byte| !b"[{".contains(byte)) => {
                format!("it is {}", shown_body_kind(answer))
            }
            _ => one_line(&error.to_string()),
        };
        Refusal::new(
            format!("Keycloak's answer is not complete JSON: {reason}"),
            "Nothing is concluded from it. If it happens again, look into Keycloak's log (an LDAP server out of order does this).",
        )
        .into()
    })
}
