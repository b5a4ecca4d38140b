//! A request and a response as the two simulated services see them: plain data, without a transport.

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

/// A request as it arrived. Nothing is decoded: the services look at paths byte for byte, as the real ones do.
#[derive(Debug, Clone)]
pub struct Request {
    /// The method.
    pub method: reqwest::Method,
    /// The path as sent, percent-encoding and all.
    pub path: String,
    /// The query as sent, without its question mark; empty if there is none.
    pub query: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
}

impl Request {
    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// A response to send.
#[derive(Debug, Clone)]
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
}

impl Response {
    /// A response with a status and no body.
    pub fn empty(status: StatusCode) -> Self {
        Self {
            status,
            headers: HeaderMap::new(),
            body: Vec::new(),
        }
    }

    /// A response with a JSON body.
    pub fn json(status: StatusCode, body: &serde_json::Value) -> Self {
        Self {
            body: body.to_string().into_bytes(),
            ..Self::empty(status)
        }
        .with_header("content-type", "application/json")
    }

    /// The same response with one header more. Values that cannot stand in a header are left out.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(HeaderName::from_static(name), value);
        }
        self
    }
}
