//! The login service: gives tokens to apps, and says whose a token is.
//!
//! It knows apps and time, and nothing of the directory.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::Graph;
use super::assertion::Expected;
use super::behaviour::TokenForm;
use super::call::Caller;
use super::clock::{guid, http_date, login_date, moment};
use super::refusal::{Refusal, invalid_token};
use super::world::App;
use crate::sandbox::exchange::{Request, Response};

/// The resources for which a token for Graph is given, beside the address of the simulated one.
const GRAPH_RESOURCES: &[&str] = &[
    "https://graph.microsoft.com",
    "https://graph.microsoft.us",
    "https://dod-graph.microsoft.us",
    "https://microsoftgraph.chinacloudapi.cn",
];

/// The kind of every assertion (RFC 7523).
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The tokens given so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Tokens {
    given: BTreeMap<String, Given>,
}

#[derive(Debug, Clone)]
struct Given {
    client_id: String,
    roles: BTreeSet<String>,
    expires: Duration,
}

/// Why the login service gives no token.
pub(super) struct NoToken {
    status: StatusCode,
    error: &'static str,
    number: u32,
    text: String,
    has_uri: bool,
}

impl NoToken {
    fn new(status: StatusCode, error: &'static str, number: u32, text: String) -> Self {
        Self {
            status,
            error,
            number,
            text,
            has_uri: true,
        }
    }

    /// What the app shows does not prove that it is the app.
    pub(super) fn not_proved(number: u32, text: impl Into<String>) -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "invalid_client",
            number,
            text.into(),
        )
    }

    fn without_uri(mut self) -> Self {
        self.has_uri = false;
        self
    }
}

impl Graph {
    /// Answers `POST /{tenant}/oauth2/v2.0/token`.
    pub(super) fn answer_login(
        &mut self,
        tenant: &str,
        request: &Request,
        now: Duration,
    ) -> Response {
        let (trace, correlation) = (self.next_request_id(), self.next_request_id());
        let at = moment(self.world.behaviour.clock_start, now);
        let answer = if request.method == Method::POST {
            self.give_token(tenant, request, now)
        } else {
            Err(NoToken::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "invalid_request",
                900_561,
                format!(
                    "The endpoint only accepts POST requests. Received a {} request.",
                    request.method
                ),
            ))
        };
        let response = match answer {
            Ok(body) => Response::json(StatusCode::OK, &body),
            Err(refused) => {
                let time = login_date(at);
                let number = refused.number;
                let mut body = json!({
                    "error": refused.error,
                    "error_description": format!(
                        "AADSTS{number}: {} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {time}",
                        refused.text
                    ),
                    "error_codes": [number],
                    "timestamp": time,
                    "trace_id": trace,
                    "correlation_id": correlation,
                });
                if refused.has_uri {
                    body["error_uri"] = json!(format!(
                        "https://login.microsoftonline.com/error?code={number}"
                    ));
                }
                Response::json(refused.status, &body)
            }
        };
        response
            .with_header("content-type", "application/json; charset=utf-8")
            .with_header("cache-control", "no-store, no-cache")
            .with_header("date", &http_date(at))
            .with_header("x-ms-request-id", &trace)
    }

    fn give_token(
        &mut self,
        tenant: &str,
        request: &Request,
        now: Duration,
    ) -> Result<Value, NoToken> {
        let is_this =
            tenant.eq_ignore_ascii_case(&self.world.tenant_id) || self.world.has_domain(tenant);
        if !is_this {
            return Err(NoToken::new(
                StatusCode::BAD_REQUEST,
                "invalid_request",
                90_002,
                format!(
                    "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the \
                     correct cloud. Check with your subscription administrator, this may happen if there are no active \
                     subscriptions for the tenant."
                ),
            ));
        }
        let form = Form::of(request);
        let grant = form.required("grant_type")?;
        if grant != "client_credentials" {
            let error = NoToken::new(
                StatusCode::BAD_REQUEST,
                "unsupported_grant_type",
                70_003,
                format!("The app requested an unsupported grant type '{grant}'."),
            );
            return Err(error.without_uri());
        }
        let client_id = form.required("client_id")?.to_ascii_lowercase();
        let is_app_id = uuid::Uuid::parse_str(&client_id).is_ok_and(|id| !id.is_nil());
        if !is_app_id {
            let error = NoToken::new(
                StatusCode::BAD_REQUEST,
                "unauthorized_client",
                700_038,
                format!("{client_id} is not a valid application identifier."),
            );
            return Err(error.without_uri());
        }
        let Some(app) = self
            .world
            .apps
            .iter()
            .find(|app| app.client_id.eq_ignore_ascii_case(&client_id))
            .cloned()
        else {
            return Err(NoToken::new(
                StatusCode::BAD_REQUEST,
                "unauthorized_client",
                700_016,
                format!(
                    "Application with identifier '{client_id}' was not found in the directory '{}'. This can happen if the \
                     application has not been installed by the administrator of the tenant or consented to by any user in the \
                     tenant. You may have sent your authentication request to the wrong tenant.",
                    self.world.tenant_name
                ),
            ));
        };
        self.check_scope(form.required("scope")?)?;
        match form.get("client_assertion") {
            Some(assertion) => {
                let kind = form.required("client_assertion_type")?;
                if kind != ASSERTION_TYPE {
                    // The number and the words are from memory.
                    return Err(NoToken::not_proved(
                        50_027,
                        format!("The client assertion type '{kind}' is not supported."),
                    ));
                }
                let time = self.world.behaviour.login.assertion_time;
                let expected = Expected {
                    app: &app,
                    tenant,
                    host: &self.base_url,
                    time: time.unwrap_or_else(jiff::Timestamp::now),
                };
                expected.check(assertion)?;
            }
            None => check_secret(&app, form.get("client_secret"))?,
        }
        Ok(self.token_for(&app, now))
    }

    /// Whether tokens are given for a resource.
    pub(super) fn is_known_resource(&self, resource: &str) -> bool {
        resource == self.base_url || GRAPH_RESOURCES.contains(&resource)
    }

    fn check_scope(&self, scope: &str) -> Result<(), NoToken> {
        let Some(resource) = scope.strip_suffix("/.default") else {
            return Err(NoToken::new(
                StatusCode::BAD_REQUEST,
                "invalid_scope",
                70_011,
                format!(
                    "The provided value for the input parameter 'scope' is not valid. The scope {scope} is not valid."
                ),
            ));
        };
        if self.is_known_resource(resource) {
            return Ok(());
        }
        Err(NoToken::new(
            StatusCode::BAD_REQUEST,
            "invalid_resource",
            500_011,
            format!(
                "The resource principal named {resource} was not found in the tenant named {}. This can happen if the application \
                 has not been installed by the administrator of the tenant or consented to by any user in the tenant. You might \
                 have sent your authentication request to the wrong tenant.",
                self.world.tenant_name
            ),
        ))
    }

    pub(super) fn token_for(&mut self, app: &App, now: Duration) -> Value {
        let login = self.world.behaviour.login.clone();
        let at = moment(self.world.behaviour.clock_start, now).as_second();
        let lifetime = login.lifetime.as_secs();
        let number = self.next_request_id();
        let mut claims = json!({
            "aud": "https://graph.microsoft.com",
            "iss": format!("https://sts.windows.net/{}/", self.world.tenant_id),
            "iat": at,
            "nbf": at,
            "exp": at.saturating_add(i64::try_from(lifetime).unwrap_or(i64::MAX)),
            "appid": app.client_id,
            "appidacr": "1",
            "idtyp": "app",
            "tid": self.world.tenant_id,
            "uti": number,
            "ver": "1.0",
        });
        if login.token == TokenForm::Readable && !app.roles.is_empty() {
            claims["roles"] = json!(app.roles);
        }
        if login.token == TokenForm::OfPerson {
            claims["idtyp"] = json!("user");
            claims["scp"] = json!("User.Read.All GroupMember.Read.All");
        }
        let encode = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let header = json!({"typ": "JWT", "alg": "RS256", "kid": "sandbox"});
        let signature = BASE64_URL_SAFE_NO_PAD.encode(guid(0, &claims.to_string(), 0));
        let token = match login.token {
            TokenForm::Opaque => format!("EwB{signature}"),
            TokenForm::Readable | TokenForm::WithoutRoles | TokenForm::OfPerson => {
                format!("{}.{}.{signature}", encode(&header), encode(&claims))
            }
        };
        self.tokens.given.insert(
            token.clone(),
            Given {
                client_id: app.client_id.clone(),
                roles: app.roles.clone(),
                expires: now.saturating_add(login.lifetime),
            },
        );
        let seconds = if login.expires_in_as_text {
            json!(lifetime.to_string())
        } else {
            json!(lifetime)
        };
        json!({
            "token_type": "Bearer",
            "expires_in": seconds,
            "ext_expires_in": seconds,
            "access_token": token,
        })
    }

    /// Whose token a request carries. Roles are those of the moment the token was given.
    pub(super) fn caller(&self, request: &Request, now: Duration) -> Result<Caller, Refusal> {
        let token = request
            .header("authorization")
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim())
            .filter(|token| !token.is_empty())
            .ok_or_else(|| invalid_token("Access token is empty."))?;
        let Some(given) = self.tokens.given.get(token) else {
            // The words are from memory.
            return Err(invalid_token(
                "CompactToken parsing failed with error code: 80049217",
            ));
        };
        if now >= given.expires {
            return Err(invalid_token(
                "Access token has expired or is not yet valid.",
            ));
        }
        let app = self
            .world
            .apps
            .iter()
            .find(|app| app.client_id == given.client_id);
        if app.is_none_or(|app| app.service_principal_missing) {
            return Err(Refusal::new(
                StatusCode::UNAUTHORIZED,
                "Authorization_IdentityNotFound",
                "The identity of the calling application could not be established.",
            ));
        }
        Ok(Caller {
            client_id: given.client_id.clone(),
            roles: given.roles.clone(),
        })
    }

    /// Makes every token given so far invalid, as a revocation does.
    pub fn revoke_tokens(&mut self) {
        self.tokens.given.clear();
    }
}

fn check_secret(app: &App, secret: Option<&str>) -> Result<(), NoToken> {
    let refused = |number, text: String| Err(NoToken::not_proved(number, text));
    let id = &app.client_id;
    match secret {
        // The words are from memory.
        None => refused(
            7_000_218,
            "The request body must contain the following parameter: 'client_assertion' or 'client_secret'."
                .to_owned(),
        ),
        Some(secret) if secret != app.client_secret || secret.is_empty() => refused(
            7_000_215,
            format!(
                "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the \
                 client secret ID, for a secret added to app '{id}'."
            ),
        ),
        Some(_) if app.secret_expired => refused(
            7_000_222,
            format!(
                "The provided client secret keys for app '{id}' are expired. Visit the Azure portal to create new keys for your \
                 app: https://aka.ms/NewClientSecret, or consider using certificate credentials for added security: \
                 https://aka.ms/certCreds."
            ),
        ),
        Some(_) => Ok(()),
    }
}

/// The fields of a login, those of HTTP Basic (RFC 6749) among them.
struct Form {
    fields: BTreeMap<String, String>,
}

impl Form {
    fn of(request: &Request) -> Self {
        let decode = |text: &str| {
            percent_encoding::percent_decode_str(&text.replace('+', " "))
                .decode_utf8_lossy()
                .into_owned()
        };
        let body = String::from_utf8_lossy(&request.body);
        let mut fields: BTreeMap<String, String> = body
            .split('&')
            .filter_map(|field| field.split_once('='))
            .map(|(name, value)| (decode(name), decode(value)))
            .collect();
        let basic = request
            .header("authorization")
            .and_then(|value| value.strip_prefix("Basic "))
            .and_then(|encoded| BASE64_STANDARD.decode(encoded.trim()).ok())
            .and_then(|decoded| String::from_utf8(decoded).ok());
        if let Some((id, secret)) = basic.as_deref().and_then(|pair| pair.split_once(':')) {
            fields.insert("client_id".to_owned(), decode(id));
            fields.insert("client_secret".to_owned(), decode(secret));
        }
        Self { fields }
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str)
    }

    fn required(&self, name: &str) -> Result<&str, NoToken> {
        self.get(name)
            .filter(|value| !value.is_empty())
            .ok_or_else(|| {
                // The words are from memory.
                NoToken::new(
                    StatusCode::BAD_REQUEST,
                    "invalid_request",
                    900_144,
                    format!("The request body must contain the following parameter: '{name}'."),
                )
            })
    }
}
