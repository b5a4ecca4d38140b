//! The session of the sync account: logs in, renews the token before it expires, and logs out.
//!
//! However many requests need a token, one of them fetches it and the others wait. A login that Keycloak refused is never
//! repeated, because repeating it may lock the account.

use std::time::Duration;

use anyhow::Context;
use reqwest::header::{ACCEPT, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::account::SyncAccount;
use super::path;
use super::refusal::{Refusal, explain_login};
use crate::config::KeycloakCredentials;
use crate::encoding::bearer;
use crate::http::{Answer, Class, Http};

/// The client for logins by password, which every realm has.
const PASSWORD_CLIENT: &str = "admin-cli";

/// The session of the sync account.
pub(super) struct Session {
    http: Http,
    base: String,
    account: SyncAccount,
    credentials: KeycloakCredentials,
    state: Mutex<State>,
}

enum State {
    LoggedOut,
    LoggedIn(Token),
    Refused(Refusal),
}

struct Token {
    pass: Pass,
    refresh: Option<SecretString>,
    renew_at: Instant,
}

/// What a request carries to be let in.
#[derive(Clone)]
pub(super) struct Pass {
    /// The value of `Authorization`, marked as sensitive.
    pub bearer: HeaderValue,
    /// Tells tokens apart without looking at them.
    number: u64,
}

impl Pass {
    /// The token itself, to strike it out of what comes back.
    pub fn token(&self) -> Option<&str> {
        self.bearer.to_str().ok()?.strip_prefix("Bearer ")
    }
}

/// Why there is no token.
enum LoginError {
    /// Keycloak said no: asking again would be another failed login.
    Refused(Refusal),
    /// There was no usable answer.
    Failed(anyhow::Error),
}

impl Session {
    pub fn new(
        http: Http,
        base: String,
        account: SyncAccount,
        credentials: KeycloakCredentials,
    ) -> Self {
        Self {
            http,
            base,
            account,
            credentials,
            state: Mutex::new(State::LoggedOut),
        }
    }

    /// A token that is good for a while yet.
    pub async fn pass(&self) -> anyhow::Result<Pass> {
        let mut state = self.state.lock().await;
        match &*state {
            State::LoggedIn(token) if self.http.timing().clock.now() < token.renew_at => {
                Ok(token.pass.clone())
            }
            _ => self.renew(&mut state).await,
        }
    }

    /// A token other than the one that was just refused.
    pub async fn pass_instead_of(&self, refused: &Pass) -> anyhow::Result<Pass> {
        let mut state = self.state.lock().await;
        match &*state {
            State::LoggedIn(token) if token.pass.number != refused.number => Ok(token.pass.clone()),
            _ => self.renew(&mut state).await,
        }
    }

    /// Ends the session of a password login, so that it does not linger in Keycloak. A failure changes nothing.
    pub async fn log_out(&self) {
        let State::LoggedIn(token) =
            std::mem::replace(&mut *self.state.lock().await, State::LoggedOut)
        else {
            return;
        };
        let (Some(refresh), Ok(url)) = (token.refresh, self.endpoint("logout")) else {
            return;
        };
        let request = self
            .http
            .client()
            .post(url)
            .form(&[
                ("client_id", PASSWORD_CLIENT),
                ("refresh_token", refresh.expose_secret()),
            ])
            .timeout(self.http.timing().connect);
        let _busy = self.http.timing().clock.busy();
        let _ = request.send().await;
    }

    async fn renew(&self, state: &mut State) -> anyhow::Result<Pass> {
        let (number, refresh) = match state {
            State::Refused(refusal) => return Err(refusal.clone().into()),
            State::LoggedIn(token) => (token.pass.number + 1, token.refresh.clone()),
            State::LoggedOut => (0, None),
        };
        let mut granted = None;
        if let Some(refresh) = refresh {
            match self.ask(&refresh_form(&refresh), number).await {
                Ok(token) => granted = Some(token),
                // The session behind it is over; the account may well log in again.
                Err(LoginError::Refused(_)) => {}
                Err(LoginError::Failed(error)) => return Err(error),
            }
        }
        let token = match granted {
            Some(token) => token,
            None => match self.ask(&login_form(&self.credentials), number).await {
                Ok(token) => token,
                Err(LoginError::Refused(refusal)) => {
                    *state = State::Refused(refusal.clone());
                    return Err(refusal.into());
                }
                Err(LoginError::Failed(error)) => return Err(error),
            },
        };
        let pass = token.pass.clone();
        *state = State::LoggedIn(token);
        Ok(pass)
    }

    async fn ask(&self, form: &[(&str, &str)], number: u64) -> Result<Token, LoginError> {
        let asked_at = self.http.timing().clock.now();
        let answer = self.exchange(form).await.map_err(LoginError::Failed)?;
        match answer.status.as_u16() {
            200 => read_token(&answer, asked_at, number).map_err(LoginError::Failed),
            status => {
                let refusal = explain_login(&answer, &self.account, &self.base);
                Err(if status >= 500 {
                    LoginError::Failed(refusal.into())
                } else {
                    LoginError::Refused(refusal)
                })
            }
        }
    }

    async fn exchange(&self, form: &[(&str, &str)]) -> anyhow::Result<Answer> {
        let request = self
            .http
            .client()
            .post(self.endpoint("token")?)
            .header(ACCEPT, "application/json")
            .form(form)
            .build()
            .context("failed to build the login request")?;
        let mut answer = self.http.send(Class::Login, request).await?;
        if answer.status.as_u16() != 200 {
            for (field, value) in form {
                if matches!(*field, "password" | "client_secret" | "refresh_token") {
                    answer.strike_out(value);
                }
            }
        }
        Ok(answer)
    }

    /// Composed and not discovered: discovery names the host that browsers see, and a token of another host is refused.
    fn endpoint(&self, name: &str) -> anyhow::Result<String> {
        let realm = path::segment(&self.account.auth_realm)?;
        Ok(format!(
            "{}/realms/{realm}/protocol/openid-connect/{name}",
            self.base
        ))
    }
}

/// The secret of a client travels in the form: what HTTP Basic makes of a `%` or `+` in it depends on the version.
fn login_form(credentials: &KeycloakCredentials) -> Vec<(&str, &str)> {
    match credentials {
        KeycloakCredentials::Password { user, password } => vec![
            ("grant_type", "password"),
            ("client_id", PASSWORD_CLIENT),
            ("username", user),
            ("password", password.expose_secret()),
        ],
        KeycloakCredentials::Client { id, secret } => vec![
            ("grant_type", "client_credentials"),
            ("client_id", id),
            ("client_secret", secret.expose_secret()),
        ],
    }
}

/// Only logins by password get a refresh token.
fn refresh_form(refresh: &SecretString) -> [(&str, &str); 3] {
    [
        ("grant_type", "refresh_token"),
        ("client_id", PASSWORD_CLIENT),
        ("refresh_token", refresh.expose_secret()),
    ]
}

/// Reads a token. What is wrong with the answer is not quoted, as the token may be in it.
fn read_token(answer: &Answer, asked_at: Instant, number: u64) -> anyhow::Result<Token> {
    #[derive(Deserialize)]
    struct Wire {
        access_token: String,
        expires_in: Option<u64>,
        refresh_token: Option<String>,
    }
    let wire: Wire = serde_json::from_slice(&answer.body).map_err(|_| not_a_token())?;
    let bearer = bearer(&wire.access_token)
        .filter(|_| !wire.access_token.is_empty())
        .ok_or_else(not_a_token)?;
    Ok(Token {
        pass: Pass { bearer, number },
        refresh: wire.refresh_token.map(SecretString::from),
        renew_at: asked_at + usable_for(wire.expires_in),
    })
}

fn not_a_token() -> Refusal {
    Refusal::new(
        "the login was accepted, but what came back holds no token",
        "Is there a login page of something else in front of Keycloak?",
    )
}

/// How long a token is used: until 30 s or a fifth of its life are left, whichever is more, but half its life at least
/// (tokens of master live 60 s).
fn usable_for(expires_in: Option<u64>) -> Duration {
    // A year is as good as forever, and keeps the sums in range.
    let life = Duration::from_secs(expires_in.unwrap_or(60).min(365 * 24 * 3600));
    let margin = Duration::from_secs(30).max(life / 5).min(life / 2);
    life.saturating_sub(margin)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_renewed_before_it_expires_and_used_for_half_its_life_at_least() {
        for (life, used) in [(300, 240), (60, 30), (10, 5), (100, 70), (0, 0)] {
            assert_eq!(usable_for(Some(life)), Duration::from_secs(used), "{life}");
        }
        assert_eq!(usable_for(None), Duration::from_secs(30));
        assert!(usable_for(Some(u64::MAX)) > Duration::from_secs(3600));
    }
}
