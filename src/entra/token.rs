//! The token: fetched once for many requests, kept until shortly before it expires, and what it says of who has it.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::OnceLock;
use std::time::Duration;

use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::jwt;
use super::login::{LoginFailure, Way};
use super::permissions::Permission;
use crate::clock::Clock;
use crate::config::{EntraConnection, EntraCredentials};
use crate::encoding::bearer;
use crate::http::Timing;

/// A token is renewed so long before it expires, or after four fifths of its life if that is later. Microsoft's own libraries
/// take 300 s as well.
const RENEWAL_MARGIN: Duration = Duration::from_secs(300);

/// A token is used for so long at least, whatever is said of its life: by a clock that is wrong it is over at once, and one that really is
/// gets replaced when Graph refuses it.
const SHORTEST_USE: Duration = Duration::from_secs(30);

/// The login to the tenant, whichever way.
pub(super) struct Login {
    way: Way,
    clock: Clock,
    tenant: String,
    /// The client id: as it was configured, or else as the first token has it.
    app: OnceLock<String>,
    /// Whether a person is logged in, as the first token says.
    is_person: OnceLock<bool>,
    /// Held while a token is fetched, so that many requests at once fetch one.
    cached: Mutex<Cached>,
}

#[derive(Default)]
struct Cached {
    token: Option<Token>,
    fetched: u64,
}

/// Who is logged in.
#[derive(Debug, Clone, Copy)]
pub(super) enum Who<'a> {
    /// An app, with its client id.
    App(&'a str),
    /// A person, by way of the Azure CLI.
    Person,
}

impl fmt::Display for Who<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::App(id) => write!(f, "the app {id}"),
            Self::Person => f.write_str("whoever is logged in to the Azure CLI"),
        }
    }
}

impl Who<'_> {
    /// Says that a permission is missing, and how to get it.
    pub(super) fn needs(self, permission: &Permission) -> String {
        let Permission { name, allows, .. } = permission;
        match self {
            Self::App(_) => format!(
                "{self} needs the application permission {name} with an administrator's consent; `keycloak-to-azure check` prints the \
                 command"
            ),
            Self::Person => format!(
                "{self} needs a directory role to {allows}, and in the Azure CLI's token the delegated permission {name} or a wider one; \
                 what the app was granted does not count here"
            ),
        }
    }
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
        bearer(self.value.expose_secret()).ok_or_else(|| {
            LoginFailure("the login answered with a token that cannot be sent".to_owned())
        })
    }

    /// The token itself, to strike it out of what comes back.
    pub(super) fn value(&self) -> &str {
        self.value.expose_secret()
    }

    /// The application permissions that the token carries, or `None` if they are not known: Microsoft reserves the right to make
    /// tokens opaque, and what a person may do does not stand in a token.
    pub(super) fn roles(&self) -> Option<&BTreeSet<String>> {
        self.roles.as_ref()
    }
}

impl Login {
    /// Prepares the login; nothing is sent. Fails if what is to be logged in with cannot be used.
    pub(super) fn new(
        connection: &EntraConnection,
        credentials: EntraCredentials,
        timing: &Timing,
    ) -> anyhow::Result<Self> {
        let configured = credentials.login.client_id().map(str::to_owned);
        Ok(Self {
            clock: timing.clock.clone(),
            tenant: credentials.tenant.clone(),
            app: configured.map_or_else(OnceLock::new, OnceLock::from),
            is_person: OnceLock::new(),
            way: Way::new(connection, credentials, timing)?,
            cached: Mutex::default(),
        })
    }

    /// The app's client id. Where it is not configured, that is known from the first token on.
    pub(super) fn app(&self) -> &str {
        self.known_app().unwrap_or("(unknown)")
    }

    /// The app's client id, where it is known.
    pub(super) fn known_app(&self) -> Option<&str> {
        self.app.get().map(String::as_str)
    }

    /// Who is logged in.
    pub(super) fn who(&self) -> Who<'_> {
        if self.is_person.get() == Some(&true) {
            Who::Person
        } else {
            Who::App(self.app())
        }
    }

    /// The tenant as it was configured.
    pub(super) fn tenant(&self) -> &str {
        &self.tenant
    }

    /// Returns a token that is good for a while.
    pub(super) async fn token(&self) -> Result<Token, LoginFailure> {
        let mut cached = self.cached.lock().await;
        if let Some(token) = &cached.token
            && token.renew_at > self.clock.now()
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
        let asked_at = self.clock.now();
        // Boxed, because it is large and stands inside of every request that is waited for.
        let granted = Box::pin(self.way.ask()).await?;
        let claims: Option<Claims> = jwt::claims(granted.token.expose_secret());
        let app = claims.as_ref().and_then(Claims::app);
        if let Some(app) = app {
            // Kept from the configuration, or from the first token.
            self.app.get_or_init(|| app.to_owned());
        }
        let is_person = match &claims {
            Some(claims) => claims.scp.is_some(),
            None => matches!(self.way, Way::AzureCli(_)),
        };
        self.is_person.get_or_init(|| is_person);
        let life = granted.life.unwrap_or(RENEWAL_MARGIN);
        Ok(Token {
            renew_at: asked_at
                + life
                    .saturating_sub(RENEWAL_MARGIN.min(life / 5))
                    .max(SHORTEST_USE),
            roles: claims.and_then(Claims::into_roles),
            value: granted.token,
            number,
        })
    }
}

/// What a token says of who has it (<https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference>).
#[derive(Deserialize)]
struct Claims {
    #[serde(default)]
    roles: BTreeSet<String>,
    /// What the app may do for the person who is logged in, in the token of a person.
    scp: Option<String>,
    /// The app, in tokens of the first version.
    appid: Option<String>,
    /// The app, in those of the second.
    azp: Option<String>,
}

impl Claims {
    fn app(&self) -> Option<&str> {
        self.appid.as_deref().or(self.azp.as_deref())
    }

    /// A token of an app that can be read and has none belongs to one without any permission.
    fn into_roles(self) -> Option<BTreeSet<String>> {
        self.scp.is_none().then_some(self.roles)
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;

    fn token_with(payload: &str) -> String {
        format!("e30.{}.sig", URL_SAFE_NO_PAD.encode(payload))
    }

    fn roles_in(token: &str) -> Option<BTreeSet<String>> {
        jwt::claims(token).and_then(Claims::into_roles)
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
    fn what_a_person_may_do_is_not_known_from_their_token() {
        for token in [
            r#"{"scp":"User.Read.All","appid":"x"}"#,
            // Those of directory roles, which people have as well.
            r#"{"scp":"","roles":["User.Read.All"]}"#,
        ] {
            assert_eq!(roles_in(&token_with(token)), None, "{token}");
        }
    }
}
