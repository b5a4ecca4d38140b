//! One call of Graph, alone or as a part of a batch, taken apart; and what it is answered with.
//!
//! It knows how requests are written, and nothing of the directory.

use std::collections::BTreeSet;
use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use reqwest::{Method, StatusCode};
use serde_json::Value;

use super::refusal::{Refusal, bad_request, insufficient_privileges, no_such_segment};

/// Who calls, as the token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Caller {
    pub(super) client_id: String,
    pub(super) roles: BTreeSet<String>,
}

/// A call.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) method: Method,
    /// The path below `/v1.0`, decoded, in segments.
    pub(super) segments: Vec<String>,
    /// The path below `/v1.0` as sent.
    pub(super) path: String,
    pub(super) query: Query,
    /// `ConsistencyLevel: eventual` was sent.
    pub(super) eventual: bool,
    pub(super) content_type: Option<String>,
    pub(super) body: Vec<u8>,
    pub(super) caller: Caller,
    pub(super) now: Duration,
}

impl Call {
    /// Whether any of these permissions is granted.
    pub(super) fn may(&self, permissions: &[&str]) -> bool {
        permissions
            .iter()
            .any(|permission| self.caller.roles.contains(*permission))
    }

    /// Refuses the call unless one of these permissions is granted.
    pub(super) fn require(&self, permissions: &[&str]) -> Result<(), Refusal> {
        if self.may(permissions) {
            Ok(())
        } else {
            Err(insufficient_privileges())
        }
    }

    /// Whether the call asks for advanced query capabilities: the header, and `$count=true` in the query.
    pub(super) fn is_advanced(&self) -> bool {
        self.eventual && self.query.counts()
    }

    /// The body of a write, which has to be a JSON object and to say so.
    pub(super) fn object(&self) -> Result<serde_json::Map<String, Value>, Refusal> {
        let is_json = self.content_type.as_deref().is_some_and(|content_type| {
            content_type
                .trim_start()
                .to_ascii_lowercase()
                .starts_with("application/json")
        });
        if !is_json {
            // The words are from memory.
            return Err(bad_request(
                "Write requests (excluding DELETE) must contain the Content-Type header declaration.",
            ));
        }
        match serde_json::from_slice(&self.body) {
            Ok(Value::Object(object)) => Ok(object),
            _ => Err(bad_request(
                "Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of valid JSON format.",
            )),
        }
    }
}

/// Takes a path below `/v1.0` apart.
pub(super) fn split_path(path: &str) -> Result<Vec<String>, Refusal> {
    let inner = path.strip_prefix('/').unwrap_or(path);
    inner
        .split('/')
        .map(|segment| {
            if segment.is_empty() {
                // The old script's `/v1.0//groups`, among others.
                return Err(no_such_segment(""));
            }
            percent_decode_str(segment)
                .decode_utf8()
                .map(std::borrow::Cow::into_owned)
                .map_err(|_| bad_request("The request URI is not valid UTF-8."))
        })
        .collect()
}

/// The options of a query, decoded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Query {
    options: Vec<(String, String)>,
    /// How many characters were sent.
    pub(super) length: usize,
}

/// What may stand in a query as it is. Dollar signs and commas do, as in the real service's links.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'$')
    .remove(b',')
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

impl Query {
    pub(super) fn parse(text: &str) -> Result<Self, Refusal> {
        let decode = |part: &str| {
            percent_decode_str(&part.replace('+', " "))
                .decode_utf8()
                .map(std::borrow::Cow::into_owned)
                .map_err(|_| bad_request("The request URI is not valid UTF-8."))
        };
        let mut options: Vec<(String, String)> = Vec::new();
        for part in text.split('&').filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let (name, value) = (decode(name)?, decode(value)?);
            if options.iter().any(|(other, _)| *other == name) {
                return Err(bad_request(format!(
                    "Query option '{name}' was specified more than once, but it must be specified at most once."
                )));
            }
            options.push((name, value));
        }
        Ok(Self {
            options,
            length: text.len(),
        })
    }

    /// The same query as a part of a batch, where the limit on the length of URLs does not hold.
    pub(super) fn without_length(self) -> Self {
        Self { length: 0, ..self }
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.options
            .iter()
            .find(|(option, _)| option == name)
            .map(|(_, value)| value.as_str())
    }

    pub(super) fn counts(&self) -> bool {
        self.get("$count")
            .is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// The same query for the next page.
    pub(super) fn with_skip_token(&self, token: &str) -> String {
        self.options
            .iter()
            .filter(|(name, _)| name != "$skiptoken")
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .chain([("$skiptoken", token)])
            .map(|(name, value)| {
                format!(
                    "{}={}",
                    utf8_percent_encode(name, QUERY),
                    utf8_percent_encode(value, QUERY)
                )
            })
            .collect::<Vec<_>>()
            .join("&")
    }
}

/// What a call is answered with when all went well.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) body: Body,
    pub(super) headers: Vec<(&'static str, String)>,
}

/// The body of an answer.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Body {
    None,
    Json(Value),
    Text(String),
}

impl Reply {
    pub(super) fn json(body: Value) -> Self {
        Self::of(StatusCode::OK, Body::Json(body))
    }

    pub(super) fn text(body: String) -> Self {
        Self::of(StatusCode::OK, Body::Text(body))
    }

    pub(super) fn no_content() -> Self {
        Self::of(StatusCode::NO_CONTENT, Body::None)
    }

    pub(super) fn of(status: StatusCode, body: Body) -> Self {
        Self {
            status,
            body,
            headers: Vec::new(),
        }
    }
}
