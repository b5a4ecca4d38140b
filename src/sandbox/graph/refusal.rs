//! The errors of Graph: status, code and words, as the service writes them.
//!
//! It decides nothing; each function is one answer that several modules give.

use reqwest::StatusCode;
use serde_json::{Value, json};

/// An error to answer with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) code: String,
    pub(super) message: String,
    /// What stands in `innerError` before the date and the ids.
    pub(super) inner: Vec<(&'static str, String)>,
    pub(super) headers: Vec<(&'static str, String)>,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        Self {
            status,
            code: code.to_owned(),
            message: message.into(),
            inner: Vec::new(),
            headers: Vec::new(),
        }
    }

    pub(super) fn with_header(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The body, with the ids that support asks for.
    pub(super) fn body(&self, date: &str, request_id: &str, client_request_id: &str) -> Value {
        let mut inner = json!({
            "date": date,
            "request-id": request_id,
            "client-request-id": client_request_id,
        });
        for (name, value) in &self.inner {
            inner[*name] = json!(value);
        }
        json!({"error": {"code": self.code, "message": self.message, "innerError": inner}})
    }
}

/// 400 `BadRequest`, from the layers that read the request.
pub(super) fn bad_request(message: impl Into<String>) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, "BadRequest", message)
}

/// 400 `Request_BadRequest`, from the directory.
pub(super) fn directory_bad_request(message: impl Into<String>) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, "Request_BadRequest", message)
}

/// 400 `Request_UnsupportedQuery`.
pub(super) fn unsupported_query(message: impl Into<String>) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, "Request_UnsupportedQuery", message)
}

/// 400 for what takes `ConsistencyLevel: eventual` and `$count=true`.
pub(super) fn needs_advanced_query() -> Refusal {
    unsupported_query("Unsupported Query.")
}

/// 404 for an object that is missing, or cannot be seen yet.
pub(super) fn no_such_object(id: &str) -> Refusal {
    Refusal::new(
        StatusCode::NOT_FOUND,
        "Request_ResourceNotFound",
        format!(
            "Resource '{id}' does not exist or one of its queried reference-property objects are not present."
        ),
    )
}

/// 403 for a permission that the token lacks.
pub(super) fn insufficient_privileges() -> Refusal {
    Refusal::new(
        StatusCode::FORBIDDEN,
        "Authorization_RequestDenied",
        "Insufficient privileges to complete the operation.",
    )
}

/// 401 for a token that is missing, unknown or too old.
pub(super) fn invalid_token(message: &str) -> Refusal {
    Refusal::new(
        StatusCode::UNAUTHORIZED,
        "InvalidAuthenticationToken",
        message,
    )
    .with_header("www-authenticate", "Bearer realm=\"\"".to_owned())
}

/// 405.
pub(super) fn method_not_allowed() -> Refusal {
    Refusal::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "Request_BadRequest",
        "Specified HTTP method is not allowed for the request target.",
    )
}

/// 400 for a path that leads nowhere.
pub(super) fn no_such_segment(segment: &str) -> Refusal {
    bad_request(format!("Resource not found for the segment '{segment}'."))
}

/// 400 for a value that a property does not take.
pub(super) fn invalid_value(property: &str, resource: &str) -> Refusal {
    directory_bad_request(format!(
        "Invalid value specified for property '{property}' of resource '{resource}'."
    ))
}

/// 400 for a write to something that an on-premises directory masters.
pub(super) fn mastered_on_premises() -> Refusal {
    directory_bad_request(
        "Unable to update the specified properties for on-premises mastered Directory Sync objects or objects currently \
         undergoing migration.",
    )
}
