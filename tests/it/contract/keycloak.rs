//! Keycloak, by its own description.

use std::sync::LazyLock;

use keycloak_to_azure::sandbox::exchange::{Request, Response};
use serde_json::{Value, json};

use super::description::{Asked, Description, Undescribed, header};
use super::{Misfits, contract, form_body, headers_of, json_body, read_json};

static DESCRIPTION: LazyLock<Option<Description>> = LazyLock::new(|| {
    let mut document = read_json(&contract()?.join("keycloak-26.8.1.openapi.json"));
    let paths = document["paths"].as_object_mut().unwrap();
    paths.extend(not_in_the_slice().as_object().unwrap().clone());
    document["components"]["responses"] = json!({});
    Some(Description::new(document, Undescribed::Refused))
});

pub fn request(request: &Request, misfits: &mut Misfits) {
    let description = DESCRIPTION.as_ref().unwrap();
    let Some(asked) = asked(request) else {
        misfits.add(&request.path, "is neither below /realms nor below /admin");
        return;
    };
    if asked.path.starts_with("/admin/") && header(&asked.headers, "authorization").is_none() {
        misfits.add(asked.path, "there is no token");
    }
    match description.operation(asked.method, asked.path) {
        Some(operation) => misfits.of_request(asked.path, operation, &asked, &[]),
        None => misfits.add(asked.path, &format!("{} is not described", asked.method)),
    }
}

pub fn answer(request: &Request, answer: &Response, misfits: &mut Misfits) {
    let description = DESCRIPTION.as_ref().unwrap();
    let Some(asked) = asked(request) else { return };
    let Some(operation) = description.operation(asked.method, asked.path) else {
        return;
    };
    let headers = headers_of(&answer.headers);
    let media_type = header(&headers, "content-type");
    let status = answer.status.as_u16();
    let body = json_body(&answer.body);
    if answer.status.is_success() {
        misfits.of_answer(asked.path, operation, status, media_type, body.as_ref());
    } else if !is_refusal(answer, body.as_ref()) {
        misfits.add(
            asked.path,
            &format!("answers {status} in no form of Keycloak's"),
        );
    }
}

/// Refusals are hardly described. They are JSON with a sentence, or a page where a relative path is missing.
fn is_refusal(answer: &Response, body: Option<&Value>) -> bool {
    let said = body.is_some_and(|body| {
        ["error", "errorMessage"]
            .iter()
            // Versions before 26.7 put it behind what they had sent already.
            .any(|name| body[name].is_string() || is_behind_something(body, name))
    });
    said || answer.body.starts_with(b"<html>") || answer.body.is_empty()
}

fn is_behind_something(body: &Value, name: &str) -> bool {
    body.as_str()
        .is_some_and(|text| text.contains(&format!("{{\"{name}\":\"")))
}

/// The same request without the relative path that the server may have.
fn asked(request: &Request) -> Option<Asked<'_>> {
    let at = ["/admin/", "/realms/"]
        .iter()
        .filter_map(|start| request.path.find(start))
        .min()?;
    let is_form = request
        .header("content-type")
        .is_some_and(|media_type| media_type.contains("form-urlencoded"));
    Some(Asked {
        method: request.method.as_str(),
        path: &request.path[at..],
        query: &request.query,
        headers: headers_of(&request.headers),
        body: if is_form {
            Some(form_body(&request.body))
        } else {
            json_body(&request.body)
        },
    })
}

/// The operations that Keycloak has and the slice of its description leaves out, as in <https://www.keycloak.org/docs-api/latest/rest-api/>
/// and, for what is not below `/admin`, as `OpenID` Connect has them.
fn not_in_the_slice() -> Value {
    let option =
        |name: &str, kind: &str| json!({"name": name, "in": "query", "schema": {"type": kind}});
    let json_of =
        |schema: Value| json!({"200": {"content": {"application/json": {"schema": schema}}}});
    let anything = json!({"type": "object"});
    let text = json!({"type": "string", "minLength": 1});
    let form = |properties: Value, required: Value| {
        json!({"content": {"application/x-www-form-urlencoded": {"schema": {
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": false,
        }}}})
    };
    json!({
        "/realms/{realm}": {"get": {"responses": json_of(anything.clone())}},
        "/realms/{realm}/protocol/openid-connect/token": {"post": {
            "requestBody": form(
                json!({
                    "grant_type": {"enum": ["client_credentials", "password", "refresh_token"]},
                    "client_id": text, "client_secret": text, "username": text, "password": text,
                    "refresh_token": text,
                }),
                json!(["grant_type", "client_id"]),
            ),
            "responses": json_of(json!({
                "type": "object",
                "properties": {
                    "access_token": text, "refresh_token": text, "token_type": {"const": "Bearer"},
                    "expires_in": {"type": "integer"}, "refresh_expires_in": {"type": "integer"},
                    "not-before-policy": {"type": "integer"}, "scope": {"type": "string"},
                    "session_state": text,
                },
                "required": ["access_token", "expires_in", "token_type"],
            })),
        }},
        "/realms/{realm}/protocol/openid-connect/logout": {"post": {
            "requestBody": form(
                json!({"client_id": text, "client_secret": text, "refresh_token": text}),
                json!(["client_id", "refresh_token"]),
            ),
            "responses": {"204": {}},
        }},
        "/admin/realms/{realm}/users": {"get": {
            "parameters": [
                option("briefRepresentation", "boolean"), option("email", "string"), option("emailVerified", "boolean"),
                option("enabled", "boolean"), option("exact", "boolean"), option("first", "integer"),
                option("firstName", "string"), option("idpAlias", "string"), option("idpUserId", "string"),
                option("lastName", "string"), option("max", "integer"), option("q", "string"),
                option("search", "string"), option("username", "string"),
            ],
            "responses": json_of(json!({"type": "array", "items": {"$ref": "#/components/schemas/UserRepresentation"}})),
        }},
        "/admin/realms/{realm}/components": {"get": {
            "parameters": [option("name", "string"), option("parent", "string"), option("type", "string")],
            "responses": json_of(json!({"type": "array", "items": {
                "type": "object",
                "properties": {
                    "id": text, "name": text, "providerId": text, "providerType": text, "parentId": text,
                    "subType": text,
                    "config": {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "string"}}},
                },
                "required": ["id", "providerId", "providerType"],
            }})),
        }},
        "/admin/realms/{realm}/attack-detection/brute-force/users/{userId}": {"get": {
            "responses": json_of(anything),
        }},
    })
}
