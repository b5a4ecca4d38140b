//! Graph, by Microsoft's description, and its login, by what a real one was seen to answer.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use keycloak_to_azure::sandbox::exchange::{Request, Response};
use serde_json::{Value, json};

use super::description::{Asked, Description, Operation, Undescribed, header};
use super::{Misfits, contract, headers_of, json_body, read_json};

/// Where Graph's own operations begin.
const VERSION: &str = "/v1.0";

static DESCRIPTION: LazyLock<Option<Description>> = LazyLock::new(|| {
    let mut document = read_json(&contract()?.join("graph-v1.0.strict.openapi.json"));
    // The slice lacks it. It takes and gives what the list of accounts does: https://learn.microsoft.com/graph/api/directory-deleteditems-list
    document["paths"]["/directory/deletedItems/microsoft.graph.user"] =
        json!({"get": document["paths"]["/users"]["get"]});
    Some(Description::new(document, Undescribed::Allowed))
});

static LOGIN: LazyLock<Option<Description>> =
    LazyLock::new(|| Some(login(&contract()?.join("real-responses/entra-token"))));

/// What passes between the program and Graph.
#[derive(Default)]
pub struct Graph {
    /// The paths and queries that Graph gave as links to further pages.
    links: BTreeSet<String>,
}

impl Graph {
    pub fn request(&mut self, request: &Request, misfits: &mut Misfits) {
        if let Some((operation, asked)) = asked_of_login(request) {
            misfits.of_request(&request.path, operation, &asked, &[]);
            return;
        }
        if !request
            .header("authorization")
            .is_some_and(|value| value.starts_with("Bearer "))
        {
            misfits.add(&request.path, "there is no token");
        }
        let Some(asked) = asked_of_graph(request) else {
            misfits.add(&request.path, "is not below /v1.0");
            return;
        };
        self.single_request(&asked, misfits);
        for part in parts_of_request(&asked) {
            self.single_request(&part.asked(), misfits);
        }
    }

    pub fn answer(&mut self, request: &Request, answer: &Response, misfits: &mut Misfits) {
        let headers = headers_of(&answer.headers);
        let media_type = header(&headers, "content-type");
        let status = answer.status.as_u16();
        let body = body_of(&answer.body, media_type);
        if let Some((operation, _)) = asked_of_login(request) {
            misfits.of_answer(&request.path, operation, status, media_type, body.as_ref());
            return;
        }
        let Some(asked) = asked_of_graph(request) else {
            return;
        };
        self.single_answer(&asked, status, media_type, body.as_ref(), misfits);
        let answered = body.as_ref().map(|body| &body["responses"]);
        let Some(answered) = answered.and_then(Value::as_array) else {
            return;
        };
        let parts = parts_of_request(&asked);
        if answered.len() != parts.len() {
            misfits.add("/$batch", "has another number of answers than of requests");
        }
        for one in answered {
            match parts.iter().find(|part| one["id"] == part.id) {
                Some(part) => self.part_answer(part, one, misfits),
                None => misfits.add("/$batch", "answers what was not asked"),
            }
        }
    }

    fn single_request(&self, asked: &Asked<'_>, misfits: &mut Misfits) {
        let Some(operation) = operation(asked) else {
            misfits.add(asked.path, &format!("{} is not described", asked.method));
            return;
        };
        let target = format!("{}?{}", asked.path, asked.query);
        let given: &[&str] = if self.links.contains(&target) {
            &["$skiptoken"]
        } else {
            &[]
        };
        misfits.of_request(asked.path, operation, asked, given);
        // https://learn.microsoft.com/graph/aad-advanced-queries, which the description does not say in a way to be checked.
        let counts = asked.path.ends_with("/$count")
            || asked.query.contains("$count=true")
            || asked.query.contains("$search=");
        if counts && header(&asked.headers, "consistencylevel") != Some("eventual") {
            misfits.add(asked.path, "counting takes ConsistencyLevel: eventual");
        }
    }

    fn single_answer(
        &mut self,
        asked: &Asked<'_>,
        status: u16,
        media_type: Option<&str>,
        body: Option<&Value>,
        misfits: &mut Misfits,
    ) {
        if let Some(link) = body.and_then(|body| body["@odata.nextLink"].as_str())
            && let Some((_, target)) = link.split_once(VERSION)
        {
            self.links.insert(target.to_owned());
        }
        if let Some(operation) = operation(asked) {
            misfits.of_answer(asked.path, operation, status, media_type, body);
        }
    }

    fn part_answer(&mut self, part: &Part, answer: &Value, misfits: &mut Misfits) {
        let headers = headers_in(&answer["headers"]);
        let status =
            u16::try_from(answer["status"].as_u64().unwrap_or_default()).unwrap_or_default();
        let media_type = header(&headers, "content-type");
        let body = match &answer["body"] {
            Value::Null => None,
            // A text may come as it is, as a JSON value, or in Base64.
            Value::String(text) if media_type == Some("text/plain") => Some(text_body(text)),
            body => Some(body.clone()),
        };
        self.single_answer(&part.asked(), status, media_type, body.as_ref(), misfits);
    }
}

/// A part of a batch, taken out of it.
struct Part {
    id: Value,
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body: Option<Value>,
}

impl Part {
    fn asked(&self) -> Asked<'_> {
        Asked {
            method: &self.method,
            path: &self.path,
            query: &self.query,
            headers: self.headers.clone(),
            body: self.body.clone(),
        }
    }
}

fn parts_of_request(asked: &Asked<'_>) -> Vec<Part> {
    if asked.path != "/$batch" {
        return Vec::new();
    }
    let parts = asked
        .body
        .as_ref()
        .and_then(|body| body["requests"].as_array());
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    parts
        .into_iter()
        .flatten()
        .map(|part| {
            let url = text(&part["url"]);
            let (path, query) = url.split_once('?').unwrap_or((&url, ""));
            Part {
                id: part["id"].clone(),
                method: text(&part["method"]),
                path: path.to_owned(),
                query: query.to_owned(),
                headers: headers_in(&part["headers"]),
                body: part.get("body").cloned(),
            }
        })
        .collect()
}

fn headers_in(headers: &Value) -> Vec<(String, String)> {
    headers
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| {
            let value = value.as_str().unwrap_or_default();
            (name.to_lowercase(), value.to_owned())
        })
        .collect()
}

fn operation(asked: &Asked<'_>) -> Option<&'static Operation> {
    let description = DESCRIPTION.as_ref().unwrap();
    description.operation(asked.method, asked.path)
}

fn asked_of_graph(request: &Request) -> Option<Asked<'_>> {
    let path = request.path.strip_prefix(VERSION)?;
    path.starts_with('/').then(|| Asked {
        method: request.method.as_str(),
        path,
        query: &request.query,
        headers: headers_of(&request.headers),
        body: json_body(&request.body),
    })
}

fn body_of(body: &[u8], media_type: Option<&str>) -> Option<Value> {
    match std::str::from_utf8(body) {
        Ok(text) if media_type == Some("text/plain") => Some(text_body(text)),
        _ => json_body(body),
    }
}

fn text_body(text: &str) -> Value {
    let decoded = BASE64_STANDARD
        .decode(text)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .and_then(|text| serde_json::from_str(&text).ok());
    serde_json::from_str(text)
        .ok()
        .or(decoded)
        .unwrap_or_else(|| json!(text))
}

fn asked_of_login(request: &Request) -> Option<(&'static Operation, Asked<'_>)> {
    let description = LOGIN.as_ref().unwrap();
    let operation = description.operation(request.method.as_str(), &request.path)?;
    let asked = Asked {
        method: request.method.as_str(),
        path: &request.path,
        query: &request.query,
        headers: headers_of(&request.headers),
        body: (!request.body.is_empty()).then(|| super::form_body(&request.body)),
    };
    Some((operation, asked))
}

/// Describes the token endpoint by what a real one was seen to answer: the same fields, and no other. The request is that of
/// <https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow>.
fn login(recorded: &Path) -> Description {
    let answer = |name: &str| read_json(&recorded.join(name))["response"]["body"].clone();
    let token = answer("token-client-credentials.json");
    let refusal = answer("token-error-invalid-client.json");
    let text = json!({"type": "string", "minLength": 1});
    let form = json!({
        "type": "object",
        "properties": {
            "client_id": text,
            "scope": {"type": "string", "pattern": "/\\.default$"},
            "grant_type": {"const": "client_credentials"},
            "client_secret": text,
            "client_assertion": text,
            "client_assertion_type": {"const": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
        },
        "required": ["client_id", "scope", "grant_type"],
        "oneOf": [
            {"required": ["client_secret"]},
            {"required": ["client_assertion", "client_assertion_type"]},
        ],
        "additionalProperties": false,
    });
    let answers = |schema: Value| json!({"content": {"application/json": {"schema": schema}}});
    let document = json!({
        "components": {"schemas": {}, "responses": {}},
        "paths": {
            "/{tenant}/oauth2/v2.0/token": {"post": {
                "requestBody": {"content": {"application/x-www-form-urlencoded": {"schema": form}}},
                "responses": {
                    "200": answers(alike(&token, &["ext_expires_in"])),
                    // Some refusals have no address to read more at (token-error-unknown-client.json).
                    "4XX": answers(alike(&refusal, &["error_uri"])),
                    "5XX": answers(json!({"type": "object"})),
                },
            }},
            // https://learn.microsoft.com/azure/app-service/overview-managed-identity#rest-endpoint-reference
            "/msi/token": {"get": machine("x-identity-header")},
            // https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token
            "/metadata/identity/oauth2/token": {"get": machine("metadata")},
        },
    });
    Description::new(document, Undescribed::Allowed)
}

/// A service of a machine in Azure that gives tokens of its identity, and knows whom it talks to by a header.
fn machine(header: &str) -> Value {
    let option = |name: &str| json!({"name": name, "in": "query", "schema": {"type": "string"}});
    let text = json!({"type": "string"});
    let number = json!({"type": ["integer", "string"]});
    json!({
        "parameters": [
            option("api-version"), option("resource"), option("client_id"),
            {"name": header, "in": "header", "schema": text},
        ],
        "responses": {
            "200": {"content": {"application/json": {"schema": {
                "type": "object",
                "properties": {
                    "access_token": text, "client_id": text, "expires_in": number, "expires_on": number,
                    "not_before": number, "resource": text, "token_type": {"const": "Bearer"},
                },
                "required": ["access_token", "expires_on", "resource", "token_type"],
                "additionalProperties": false,
            }}}},
            "4XX": {"content": {"application/json": {"schema": {"type": "object"}}}},
        },
    })
}

/// A schema of objects with the same fields as a recorded one. What differs from time to time was recorded as a text, numbers too.
fn alike(recorded: &Value, optional: &[&str]) -> Value {
    let fields = recorded.as_object().unwrap();
    let kind = |value: &Value| match value {
        Value::Array(_) => json!({"type": "array", "items": {"type": "integer"}}),
        _ => json!({"type": ["integer", "string"]}),
    };
    json!({
        "type": "object",
        "properties": fields
            .iter()
            .map(|(name, value)| (name.clone(), kind(value)))
            .collect::<serde_json::Map<_, _>>(),
        "required": fields
            .keys()
            .filter(|name| !optional.contains(&name.as_str()))
            .collect::<Vec<_>>(),
        "additionalProperties": false,
    })
}
