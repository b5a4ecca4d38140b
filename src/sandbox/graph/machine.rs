//! The services of a machine in Azure that give tokens for its managed identity: that of App Service, and the instance metadata
//! service of virtual machines.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::Graph;
use super::clock::{http_date, moment};
use super::world::App;
use crate::sandbox::exchange::{Request, Response};

/// Where `IDENTITY_ENDPOINT` leads to.
const APP_SERVICE: &str = "/msi/token";

/// Where virtual machines ask.
const IMDS: &str = "/metadata/identity/oauth2/token";

/// Which of the two services is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Service {
    AppService,
    Imds,
}

impl Service {
    /// A refusal in its own words. Those of App Service are from memory.
    fn refuse(self, status: StatusCode, message: &str) -> Response {
        let body = match self {
            Self::AppService => json!({"statusCode": status.as_u16(), "message": message}),
            Self::Imds => json!({"error": "invalid_request", "error_description": message}),
        };
        Response::json(status, &body)
    }
}

impl Graph {
    /// Answers a request for the token of a managed identity; `None` if it is another request.
    pub(super) fn answer_machine(&mut self, request: &Request, now: Duration) -> Option<Response> {
        let service = match request.path.as_str() {
            APP_SERVICE => Service::AppService,
            IMDS => Service::Imds,
            _ => return None,
        };
        let at = moment(self.world.behaviour.clock_start, now);
        let answer = self.give_machine_token(service, request, now);
        let response = match answer {
            Ok(body) => Response::json(StatusCode::OK, &body),
            Err((status, message)) => service.refuse(status, message),
        };
        Some(response.with_header("date", &http_date(at)))
    }

    fn give_machine_token(
        &mut self,
        service: Service,
        request: &Request,
        now: Duration,
    ) -> Result<Value, (StatusCode, &'static str)> {
        let bad = |message| (StatusCode::BAD_REQUEST, message);
        if request.method != Method::GET {
            return Err((StatusCode::METHOD_NOT_ALLOWED, "Method not allowed"));
        }
        let query = |name: &str| {
            let mut pairs = request
                .query
                .split('&')
                .filter_map(|pair| pair.split_once('='));
            let (_, value) = pairs.find(|(own, _)| *own == name)?;
            let value = percent_encoding::percent_decode_str(value);
            Some(value.decode_utf8_lossy().into_owned())
        };
        let version = match service {
            Service::AppService => "2019-08-01",
            Service::Imds => "2018-02-01",
        };
        if query("api-version").as_deref() != Some(version) {
            return Err(bad("Invalid api-version"));
        }
        let header = match service {
            Service::AppService => request.header("x-identity-header"),
            Service::Imds if request.header("metadata") != Some("true") => {
                return Err(bad("Required metadata header not specified"));
            }
            Service::Imds => None,
        };
        let knows_header = |app: &&App| {
            let identity = app.managed_identity.as_ref();
            identity.is_some_and(|own| service == Service::Imds || header == Some(&own.header))
        };
        let identities: Vec<&App> = self.world.apps.iter().filter(knows_header).collect();
        if service == Service::AppService && identities.is_empty() {
            return Err((StatusCode::UNAUTHORIZED, "Invalid X-IDENTITY-HEADER"));
        }
        if !query("resource").is_some_and(|resource| self.is_known_resource(&resource)) {
            return Err(bad("The resource principal was not found in the tenant"));
        }
        let asked_for = query("client_id");
        let app = identities
            .into_iter()
            .find(|app| match (&asked_for, &app.managed_identity) {
                (Some(id), _) => app.client_id.eq_ignore_ascii_case(id),
                (None, Some(own)) => !own.user_assigned,
                (None, None) => false,
            })
            .cloned();
        let Some(app) = app else {
            return Err(bad(match service {
                Service::AppService => {
                    "No User Assigned or Delegated Managed Identity found for specified ClientId/ResourceId/PrincipalId."
                }
                Service::Imds => "Identity not found",
            }));
        };
        let token = self.token_for(&app, now);
        let until = now.saturating_add(self.world.behaviour.login.lifetime);
        let expires_on = moment(self.world.behaviour.clock_start, until).as_second();
        // Every number is a text here, and App Service does not say how long the token is good for.
        let mut body = json!({
            "access_token": token["access_token"],
            "client_id": app.client_id,
            "expires_on": expires_on.to_string(),
            "resource": query("resource"),
            "token_type": "Bearer",
        });
        if service == Service::Imds {
            let lifetime = self.world.behaviour.login.lifetime.as_secs();
            body["expires_in"] = json!(lifetime.to_string());
        }
        Ok(body)
    }
}
