//! Logging in: the token endpoint with its many refusals, logging out, and whose token an admin call carries.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Method, StatusCode};
use serde_json::json;

use super::answers::{self, oauth_error};
use super::world::{Client, KeycloakWorld, Person, Realm, Session};
use super::{Parameters, parameters};
use crate::sandbox::exchange::{Request, Response};

const BAD_CLIENT: &str = "Invalid client or Invalid client credentials";

/// What somebody may do in the admin API of one realm.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Rights {
    roles: BTreeSet<String>,
}

impl Rights {
    /// Whether they have any admin role at all.
    pub(super) fn any(&self) -> bool {
        !self.roles.is_empty()
    }

    /// May read people and groups.
    pub(super) fn view_users(&self) -> bool {
        self.has(&["view-users", "manage-users"])
    }

    /// May ask for groups, of which they see those that they may view.
    pub(super) fn query_groups(&self) -> bool {
        self.view_users() || self.has(&["query-groups"])
    }

    /// May search people, of whom they see those that they may view.
    pub(super) fn query_users(&self) -> bool {
        self.view_users() || self.has(&["query-users"])
    }

    /// May read the realm's settings.
    pub(super) fn view_realm(&self) -> bool {
        self.has(&["view-realm", "manage-realm"])
    }

    fn has(&self, any_of: &[&str]) -> bool {
        any_of.iter().any(|role| self.roles.contains(*role))
    }
}

/// Why an admin call is refused before it is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// No token, or none that counts any more.
    Unauthorized,
    /// A token of a realm that has no say in this one.
    Forbidden,
}

/// Whose token the request carries, and what it allows in the realm.
pub(super) fn rights(
    world: &KeycloakWorld,
    request: &Request,
    realm: &str,
    now: Duration,
) -> Result<Rights, Refusal> {
    let token = request
        .header("authorization")
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim())
        .ok_or(Refusal::Unauthorized)?;
    let session = world
        .sessions
        .iter()
        .find(|session| {
            let mut tokens = session.access_tokens.iter();
            tokens.any(|(issued, until)| issued == token && *until > now)
        })
        .ok_or(Refusal::Unauthorized)?;
    let person = world
        .realm(&session.realm)
        .and_then(|realm| {
            realm
                .people
                .iter()
                .find(|person| person.id == session.person)
        })
        .filter(|person| person.enabled)
        .ok_or(Refusal::Unauthorized)?;
    // The roles of whom comes through admin-cli are looked up at each call, all others stand in the token.
    let (client_roles, realm_roles) = if session.client == "admin-cli" {
        (&person.client_roles, &person.realm_roles)
    } else {
        (&session.client_roles, &session.realm_roles)
    };
    let client = if session.realm == realm {
        "realm-management".to_owned()
    } else if session.realm == "master" {
        format!("{realm}-realm")
    } else {
        return Err(Refusal::Forbidden);
    };
    let mut roles = client_roles.get(&client).cloned().unwrap_or_default();
    if session.realm == "master" && realm_roles.contains("admin") {
        roles.extend(["view-users", "view-realm"].map(str::to_owned));
    }
    Ok(Rights { roles })
}

/// `POST …/protocol/openid-connect/token`.
pub(super) fn issue_token(
    world: &mut KeycloakWorld,
    realm_name: &str,
    request: &Request,
    now: Duration,
) -> Response {
    let version = world.version;
    if request.method != Method::POST {
        return answers::error(version, 405, "HTTP 405 Method Not Allowed");
    }
    let Some(realm) = world.realm(realm_name) else {
        return answers::error(version, 404, "Realm does not exist");
    };
    if realm.requires_https {
        return oauth_error(403, "invalid_request", "HTTPS required");
    }
    if !realm.enabled {
        return oauth_error(403, "access_denied", "Realm not enabled");
    }
    let form = parameters(&request.body);
    let Some(grant_type) = form.get("grant_type") else {
        return oauth_error(400, "invalid_request", "Missing form parameter: grant_type");
    };
    let client = match authenticate_client(realm, request, &form) {
        Ok(client) => client,
        Err(refusal) => return *refusal.0,
    };
    let granted = match grant_type.as_str() {
        "password" => by_password(world, realm, &client, &form).cloned(),
        "client_credentials" => by_service_account(realm, &client).cloned(),
        "refresh_token" => return refresh(world, realm_name, &client, &form, now),
        _ => Err(refused(
            400,
            "unsupported_grant_type",
            "Unsupported grant_type",
        )),
    };
    match granted {
        Ok(person) => begin_session(world, realm_name, &client, &person, now),
        Err(refusal) => *refusal.0,
    }
}

/// `POST …/protocol/openid-connect/logout`.
pub(super) fn log_out(world: &mut KeycloakWorld, realm_name: &str, request: &Request) -> Response {
    let version = world.version;
    let Some(realm) = world.realm(realm_name) else {
        return answers::error(version, 404, "Realm does not exist");
    };
    let form = parameters(&request.body);
    if let Err(refusal) = authenticate_client(realm, request, &form) {
        return *refusal.0;
    }
    let Some(token) = form.get("refresh_token") else {
        return oauth_error(400, "invalid_request", "No refresh token");
    };
    let before = world.sessions.len();
    world.sessions.retain(|session| {
        session
            .refresh_token
            .as_ref()
            .is_none_or(|(held, _)| held != token)
    });
    if world.sessions.len() == before {
        return oauth_error(400, "invalid_grant", "Invalid refresh token");
    }
    Response::empty(StatusCode::NO_CONTENT)
}

/// What somebody who may not log in is told.
struct Refused(Box<Response>);

fn refused(status: u16, error: &str, description: &str) -> Refused {
    Refused(Box::new(oauth_error(status, error, description)))
}

fn authenticate_client(
    realm: &Realm,
    request: &Request,
    form: &Parameters,
) -> Result<Client, Refused> {
    let (id, secret) = match basic_credentials(request) {
        Some((id, secret)) => (Some(id), Some(secret)),
        None => (
            form.get("client_id").cloned(),
            form.get("client_secret").cloned(),
        ),
    };
    let unknown = || refused(401, "invalid_client", BAD_CLIENT);
    let id = id.ok_or_else(unknown)?;
    let client = realm
        .clients
        .iter()
        .find(|client| client.client_id == id)
        .cloned()
        .or_else(|| (id == "admin-cli").then(Client::admin_cli))
        .filter(|client| client.enabled)
        .ok_or_else(unknown)?;
    if client.secret.is_some() && client.secret != secret {
        return Err(refused(401, "unauthorized_client", BAD_CLIENT));
    }
    Ok(client)
}

/// The client's id and secret from an `Authorization: Basic` header, both form-encoded inside it (RFC 6749, since Keycloak 21).
fn basic_credentials(request: &Request) -> Option<(String, String)> {
    let (scheme, encoded) = request.header("authorization")?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    let decode = |text: &str| {
        let form = parameters(format!("value={text}").as_bytes());
        form.get("value").cloned()
    };
    Some((decode(id)?, decode(secret)?))
}

fn by_password<'a>(
    world: &KeycloakWorld,
    realm: &'a Realm,
    client: &Client,
    form: &Parameters,
) -> Result<&'a Person, Refused> {
    if client.consent_required {
        return Err(refused(
            400,
            "invalid_client",
            "Client requires user consent",
        ));
    }
    if !client.direct_access_grants_enabled {
        return Err(refused(
            400,
            "unauthorized_client",
            "Client not allowed for direct access grants",
        ));
    }
    let wrong = || {
        let status = world.version.wrong_password_status();
        refused(status, "invalid_grant", "Invalid user credentials")
    };
    let Some(name) = form.get("username").map(|name| name.to_lowercase()) else {
        return Err(refused(
            401,
            "invalid_request",
            "Missing parameter: username",
        ));
    };
    let has_name = |person: &&Person| {
        person.username.to_lowercase() == name
            || person
                .email
                .as_ref()
                .is_some_and(|email| email.to_lowercase() == name)
    };
    let person = realm.people.iter().find(has_name).ok_or_else(wrong)?;
    if !person.enabled {
        return Err(refused(400, "invalid_grant", "Account disabled"));
    }
    let code = form.get("totp").or_else(|| form.get("otp"));
    if person.locked
        || person.password.is_none()
        || person.password.as_ref() != form.get("password")
        || (person.otp.is_some() && person.otp.as_ref() != code)
    {
        return Err(wrong());
    }
    let profile_is_complete =
        person.email.is_some() && person.first_name.is_some() && person.last_name.is_some();
    if !person.required_actions.is_empty()
        || (world.version.needs_a_complete_profile() && !profile_is_complete)
    {
        return Err(refused(400, "invalid_grant", "Account is not fully set up"));
    }
    Ok(person)
}

fn by_service_account<'a>(realm: &'a Realm, client: &Client) -> Result<&'a Person, Refused> {
    if client.secret.is_none() {
        return Err(refused(
            401,
            "unauthorized_client",
            "Public client not allowed to retrieve service account",
        ));
    }
    let account = realm.people.iter().find(|person| {
        person.service_account_client_id.as_deref() == Some(client.client_id.as_str())
    });
    match account {
        Some(person) if client.service_accounts_enabled => {
            if person.enabled {
                Ok(person)
            } else {
                let description = format!("User '{}' disabled", person.username);
                Err(refused(401, "invalid_request", &description))
            }
        }
        _ => Err(refused(
            401,
            "unauthorized_client",
            "Client not enabled to retrieve service account",
        )),
    }
}

fn begin_session(
    world: &mut KeycloakWorld,
    realm: &str,
    client: &Client,
    person: &Person,
    now: Duration,
) -> Response {
    let (client_roles, realm_roles) = if client.full_scope_allowed {
        (person.client_roles.clone(), person.realm_roles.clone())
    } else {
        (BTreeMap::new(), BTreeSet::new())
    };
    world.sessions.push(Session {
        realm: realm.to_owned(),
        person: person.id.clone(),
        client: client.client_id.clone(),
        access_tokens: Vec::new(),
        refresh_token: None,
        client_roles,
        realm_roles,
    });
    let at = world.sessions.len() - 1;
    let is_transient = person.service_account_client_id.is_some();
    issue_tokens(world, at, client, is_transient, now)
}

fn refresh(
    world: &mut KeycloakWorld,
    realm: &str,
    client: &Client,
    form: &Parameters,
    now: Duration,
) -> Response {
    let refused = |description| oauth_error(400, "invalid_grant", description);
    let Some(token) = form.get("refresh_token") else {
        return oauth_error(400, "invalid_request", "No refresh token");
    };
    let held = world.sessions.iter().position(|session| {
        let refresh_token = session.refresh_token.as_ref();
        session.realm == realm && refresh_token.is_some_and(|(held, _)| held == token)
    });
    let Some(at) = held else {
        let description = if token.starts_with("refresh-") {
            "Session not active"
        } else {
            "Invalid refresh token"
        };
        return refused(description);
    };
    let session = &world.sessions[at];
    if session.client != client.client_id {
        return refused("Invalid refresh token. Token client and authorized client don't match");
    }
    let is_over = session
        .refresh_token
        .as_ref()
        .is_some_and(|(_, until)| *until <= now);
    if is_over {
        return refused("Token is not active");
    }
    issue_tokens(world, at, client, false, now)
}

fn issue_tokens(
    world: &mut KeycloakWorld,
    at: usize,
    client: &Client,
    is_transient: bool,
    now: Duration,
) -> Response {
    world.sessions_begun += 1;
    let number = world.sessions_begun;
    let Some(realm) = world.realm(&world.sessions[at].realm) else {
        return answers::error(world.version, 404, "Realm does not exist");
    };
    let lifespan = client
        .access_token_lifespan
        .unwrap_or(realm.access_token_lifespan);
    let idle = realm.session_idle;
    // Random, so that a token of an earlier start of the same sandbox is worth nothing.
    let secret = uuid::Uuid::new_v4().simple();
    let access_token = format!("access-{number}-{secret}");
    let session = &mut world.sessions[at];
    session.access_tokens.retain(|(_, until)| *until > now);
    session.access_tokens.push((
        access_token.clone(),
        now.saturating_add(Duration::from_secs(lifespan)),
    ));
    let mut body = json!({
        "access_token": access_token,
        "expires_in": lifespan,
        "refresh_expires_in": 0,
        "token_type": "Bearer",
        "not-before-policy": 0,
        "scope": "email profile",
    });
    if !is_transient {
        let refresh_token = format!("refresh-{number}-{secret}");
        session.refresh_token = Some((
            refresh_token.clone(),
            now.saturating_add(Duration::from_secs(idle)),
        ));
        body["refresh_expires_in"] = json!(idle);
        body["refresh_token"] = json!(refresh_token);
        body["session_state"] = json!(secret.to_string());
    }
    answers::ok(&body)
}
