//! A simulated Keycloak: its token endpoint and the part of its admin API that reads people and groups.
//!
//! It is a function of a [`KeycloakWorld`] and a clock, without a transport. It answers as the [`Version`] that its world is
//! set to, wrong answers of user federations in trouble included. It does not write to the world but for what Keycloak itself
//! does while it reads: sessions, caches and the copies of people of providers.

mod admin;
mod answers;
mod export;
mod federation;
mod groups;
mod login;
mod people;
mod provider;
mod version;
mod world;

#[cfg(test)]
mod federation_tests;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use reqwest::{Method, StatusCode};
use serde_json::json;

pub use provider::{Provider, ProviderKind, ProviderState};
pub use version::Version;
pub(super) use world::stable_id;
pub use world::{Cache, Client, Group, KeycloakWorld, Person, Proxy, Realm, Session};

use super::exchange::{Request, Response};

/// The simulated Keycloak.
#[derive(Debug)]
pub struct Keycloak {
    world: KeycloakWorld,
}

/// A response, and how long Keycloak takes for it (an LDAP server behind it may keep it waiting).
#[derive(Debug, Clone)]
pub struct TimedResponse {
    /// The response.
    pub response: Response,
    /// How long it takes.
    pub took: Duration,
}

impl From<Response> for TimedResponse {
    fn from(response: Response) -> Self {
        Self {
            response,
            took: Duration::ZERO,
        }
    }
}

/// The parameters of a query or a form, decoded.
type Parameters = BTreeMap<String, String>;

impl Keycloak {
    /// A Keycloak that holds a world.
    pub fn new(world: KeycloakWorld) -> Self {
        Self { world }
    }

    /// What it holds.
    pub fn world(&self) -> &KeycloakWorld {
        &self.world
    }

    /// What it holds, to change it.
    pub fn world_mut(&mut self) -> &mut KeycloakWorld {
        for realm in &mut self.world.realms {
            realm.roll = world::Roll::default();
        }
        &mut self.world
    }

    /// Answers a request that arrives at `now`, counted from any fixed moment.
    pub fn answer(&mut self, request: &Request, now: Duration) -> TimedResponse {
        let answer = self.route(request, now);
        let wants_html = request
            .header("accept")
            .is_some_and(|accept| accept.contains("text/html"));
        if wants_html && answer.response.status.as_u16() >= 400 {
            let status = answer.response.status;
            return TimedResponse {
                response: answers::html(status, "We are sorry..."),
                took: answer.took,
            };
        }
        answer
    }

    fn route(&mut self, request: &Request, now: Duration) -> TimedResponse {
        let version = self.world.version;
        let host = request.header("host").unwrap_or("localhost");
        if let Some(response) = self.stopped_by_proxy(request, host) {
            return response.into();
        }
        if version.refuses_odd_paths()
            && !self.world.accepts_odd_paths
            && let Some(refusal) = refusal_of_path(&request.path)
        {
            return refusal.into();
        }
        let Some(path) = request.path.strip_prefix(self.world.relative_path.as_str()) else {
            return answers::html(StatusCode::NOT_FOUND, "Resource not found").into();
        };
        let base = format!("http://{host}{}", self.world.relative_path);
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        match segments.as_slice() {
            ["realms", realm, rest @ ..] => {
                let realm = decode(realm);
                self.public(&realm, rest, request, &base, now)
                    .unwrap_or_else(|| self.no_such_resource(request, &base))
                    .into()
            }
            ["admin", "realms", realm, rest @ ..] => {
                let realm = decode(realm);
                if let Some(answer) = self.admin(&realm, rest, request, now) {
                    answer
                } else {
                    self.no_such_resource(request, &base).into()
                }
            }
            _ => self.no_such_resource(request, &base).into(),
        }
    }

    fn stopped_by_proxy(&self, request: &Request, host: &str) -> Option<Response> {
        match self.world.proxy {
            Proxy::None => None,
            Proxy::HidesAdmin => {
                let hidden = format!("{}/admin", self.world.relative_path);
                request
                    .path
                    .starts_with(&hidden)
                    .then(|| answers::html(StatusCode::NOT_FOUND, "404 Not Found"))
            }
            Proxy::RedirectsToHttps => {
                let location = format!("https://{host}{}", request.path);
                let page = answers::html(StatusCode::MOVED_PERMANENTLY, "301 Moved Permanently");
                Some(page.with_header("location", &location))
            }
        }
    }

    fn no_such_resource(&self, request: &Request, base: &str) -> Response {
        let version = self.world.version;
        if version.has_classic_resteasy() {
            let host = base.strip_suffix(&self.world.relative_path).unwrap_or(base);
            let path = &request.path;
            let text =
                format!("RESTEASY003210: Could not find resource for full path: {host}{path}");
            answers::error(version, 404, &text)
        } else {
            answers::error(
                version,
                404,
                "Unable to find matching target resource method",
            )
        }
    }

    /// What anybody may ask of a realm, and the login.
    fn public(
        &mut self,
        realm: &str,
        rest: &[&str],
        request: &Request,
        base: &str,
        now: Duration,
    ) -> Option<Response> {
        let version = self.world.version;
        let missing = || answers::error(version, 404, "Realm does not exist");
        let issuer = format!("{base}/realms/{realm}");
        let openid = format!("{issuer}/protocol/openid-connect");
        Some(match rest {
            [] | [""] => match self.world.realm(realm) {
                Some(_) => answers::ok(&json!({
                    "realm": realm,
                    "public_key": "MIIB",
                    "token-service": openid,
                    "account-service": format!("{issuer}/account"),
                    "tokens-not-before": 0,
                })),
                None => missing(),
            },
            [".well-known", "openid-configuration"] => match self.world.realm(realm) {
                Some(_) => answers::ok(&json!({
                    "issuer": issuer,
                    "token_endpoint": format!("{openid}/token"),
                    "end_session_endpoint": format!("{openid}/logout"),
                })),
                None => missing(),
            },
            ["protocol", "openid-connect", "token"] => {
                login::issue_token(&mut self.world, realm, request, now)
            }
            ["protocol", "openid-connect", "logout"] if request.method == Method::POST => {
                login::log_out(&mut self.world, realm, request)
            }
            _ => return None,
        })
    }

    fn admin(
        &mut self,
        realm: &str,
        rest: &[&str],
        request: &Request,
        now: Duration,
    ) -> Option<TimedResponse> {
        let version = self.world.version;
        let forbidden = || answers::error(version, 403, version.forbidden()).into();
        let rights = match login::rights(&self.world, request, realm, now) {
            Ok(rights) => rights,
            Err(login::Refusal::Unauthorized) => {
                return Some(answers::error(version, 401, "HTTP 401 Unauthorized").into());
            }
            Err(login::Refusal::Forbidden) if self.world.realm(realm).is_some() => {
                return Some(forbidden());
            }
            Err(login::Refusal::Forbidden) => login::Rights::default(),
        };
        let ignores_case = self.world.ignores_case;
        let is_forbidden = self
            .world
            .forbidden_paths
            .iter()
            .any(|text| request.path.contains(text.as_str()));
        let Some(realm) = self.world.realm_mut(realm) else {
            return Some(answers::error(version, 404, "Realm not found.").into());
        };
        if is_forbidden {
            return Some(forbidden());
        }
        admin::Call {
            version,
            ignores_case,
            realm,
            rights: &rights,
            query: parameters(request.query.as_bytes()),
        }
        .answer(&request.method, rest)
    }
}

/// What current versions say to a path that is not what Vert.x would normalise it to, or that holds a raw semicolon.
fn refusal_of_path(path: &str) -> Option<Response> {
    let is_unreserved =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    let encodes_unreserved = path.split('%').skip(1).any(|rest| {
        let byte = rest
            .get(..2)
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        byte.is_some_and(is_unreserved)
    });
    let has_dots = path.split('/').any(|segment| matches!(segment, "." | ".."));
    if path.contains("//") || has_dots || encodes_unreserved {
        let description = "Request path not normalized";
        return Some(answers::oauth_error(
            400,
            "missingNormalization",
            description,
        ));
    }
    path.contains(';').then(|| {
        let description = "Request path contains invalid character ';'";
        answers::oauth_error(400, "invalidCharacter", description)
    })
}

fn decode(segment: &str) -> String {
    percent_decode_str(segment).decode_utf8_lossy().into_owned()
}

/// Decodes a query or a form; the last value of a name counts.
fn parameters(encoded: &[u8]) -> Parameters {
    let encoded = String::from_utf8_lossy(encoded);
    let Ok(url) = reqwest::Url::parse(&format!("http://localhost/?{encoded}")) else {
        return Parameters::new();
    };
    url.query_pairs()
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect()
}
