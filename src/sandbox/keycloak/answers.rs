//! The bodies of Keycloak's answers: errors in their several shapes, people and groups as its JSON shows them.

use std::collections::BTreeMap;

use reqwest::StatusCode;
use serde_json::{Map, Value, json};

use super::provider::ProviderKind;
use super::version::Version;
use super::world::{Group, Person, PlacedGroup, Realm};
use crate::sandbox::exchange::Response;

/// An error of the admin API or of Keycloak's own routing.
pub(super) fn error(version: Version, status: u16, error: &str) -> Response {
    let mut body = json!({ "error": error });
    if version.describes_errors() {
        body["error_description"] =
            json!("For more on this error consult the server log at the debug level.");
    }
    Response::json(status_of(status), &body)
}

/// An error of the token endpoint.
pub(super) fn oauth_error(status: u16, error: &str, description: &str) -> Response {
    let body = json!({ "error": error, "error_description": description });
    Response::json(status_of(status), &body)
}

/// The page that a browser gets instead of a JSON error, and that a server with a relative path shows outside of it.
pub(super) fn html(status: StatusCode, text: &str) -> Response {
    Response {
        body: format!("<html><body><h1>{text}</h1></body></html>").into_bytes(),
        ..Response::empty(status)
    }
    .with_header("content-type", "text/html; charset=UTF-8")
}

pub(super) fn ok(body: &Value) -> Response {
    Response::json(StatusCode::OK, body)
}

fn status_of(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// A person as lists and look-ups show them. Fields that are not set are absent.
pub(super) fn person(realm: &Realm, version: Version, person: &Person, brief: bool) -> Value {
    let is_local = person.provider.is_none();
    // Keycloak lower-cases what it stores itself; a directory's own spelling comes through.
    let stored = |text: &str| {
        if is_local {
            text.to_lowercase()
        } else {
            text.to_owned()
        }
    };
    let mut row = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            row.insert(name.to_owned(), value);
        }
    };
    let filled = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
    put("id", Some(json!(person.id)));
    put("username", Some(json!(stored(&person.username))));
    put("firstName", person.first_name.clone().map(Value::from));
    put("lastName", person.last_name.clone().map(Value::from));
    put(
        "email",
        filled(&person.email).map(|email| json!(stored(&email))),
    );
    put("emailVerified", Some(json!(person.email_verified)));
    put("enabled", Some(json!(person.enabled)));
    if !brief || version.brief_rows_are_dated() {
        put("createdTimestamp", Some(json!(person.created_timestamp)));
    }
    if let Some(provider) = &person.provider {
        let kind = realm.provider(provider).map(|provider| provider.kind);
        let is_copied = kind != Some(ProviderKind::NoImport);
        if is_copied || version.names_origins() {
            put("federationLink", Some(json!(provider)));
        }
        if version.names_origins() || !(is_copied || brief) {
            put("origin", Some(json!(provider)));
        }
    }
    let is_shown = |name: &str| {
        !brief
            || version.brief_rows_have_marks()
                && ["disabledReason", "is_temporary_admin"].contains(&name)
    };
    let attributes: BTreeMap<_, _> = person
        .attributes
        .iter()
        .filter(|(name, _)| is_shown(name))
        .collect();
    if !attributes.is_empty() {
        put("attributes", Some(json!(attributes)));
    }
    if !brief {
        put("totp", Some(json!(person.otp.is_some())));
        put("disableableCredentialTypes", Some(json!([])));
        put("requiredActions", Some(json!(person.required_actions)));
        put("notBefore", Some(json!(0)));
    }
    Value::Object(row)
}

/// What a representation of a group holds besides its name.
#[derive(Debug, Clone, Copy)]
pub(super) struct GroupShape {
    pub brief: bool,
    pub counts_subgroups: bool,
    /// The whole tree of sub-groups, as versions without an endpoint for them gave it.
    pub tree: bool,
}

impl GroupShape {
    pub(super) fn of(version: Version, brief: bool) -> Self {
        Self {
            brief,
            counts_subgroups: version.has_children_endpoint(),
            tree: !version.has_children_endpoint(),
        }
    }
}

/// A group.
pub(super) fn group(placed: &PlacedGroup<'_>, shape: GroupShape, version: Version) -> Value {
    let subgroups = if shape.tree {
        let below = |subgroup: &Group| {
            let path = format!("{}/{}", placed.path, subgroup.name);
            let placed = PlacedGroup {
                group: subgroup,
                path,
                parent: Some(&placed.group.id),
            };
            group(&placed, shape, version)
        };
        let mut subgroups: Vec<&Group> = placed.group.subgroups.iter().collect();
        subgroups.sort_by(|one, other| one.name.cmp(&other.name));
        subgroups.into_iter().map(below).collect()
    } else {
        Vec::new()
    };
    let mut body = json!({
        "id": placed.group.id,
        "name": placed.group.name,
        "path": placed.path,
        "subGroups": subgroups,
    });
    if version.has_children_endpoint() {
        if let Some(parent) = placed.parent {
            body["parentId"] = json!(parent);
        }
        if shape.counts_subgroups {
            body["subGroupCount"] = json!(placed.group.subgroups.len());
        }
    }
    if !shape.brief {
        body["attributes"] = json!(placed.group.attributes);
        body["realmRoles"] = json!([]);
        body["clientRoles"] = json!({});
    }
    body
}
