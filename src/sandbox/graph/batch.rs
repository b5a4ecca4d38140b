//! `$batch`: takes it apart, has each part answered for itself, and puts the answers together.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Graph;
use super::behaviour::TextBody;
use super::call::{Body, Call, Caller, Query, Reply, split_path};
use super::clock::draw;
use super::memberships::count_links;
use super::refusal::{Refusal, bad_request};

/// The most parts of one batch.
const MOST_PARTS: usize = 20;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Batch {
    requests: Vec<Part>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Part {
    id: String,
    method: String,
    url: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: Option<Value>,
    #[serde(default)]
    depends_on: Vec<String>,
}

impl Part {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(header, _)| header.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

impl Graph {
    /// Answers a whole batch. `caller` is whom the token of the whole belongs to, or why it is refused.
    pub(super) fn answer_batch(
        &mut self,
        whole: &Call,
        caller: &Result<Caller, Refusal>,
        dress: impl Fn(&Refusal) -> Value,
    ) -> Result<Reply, Refusal> {
        let parts = read_parts(whole)?;
        self.written_in_batch = Some(BTreeSet::new());
        let mut failed: BTreeSet<&str> = BTreeSet::new();
        let mut links = 0;
        let mut throttled = false;
        let mut responses = Vec::with_capacity(parts.len());
        for part in &parts {
            let answer = if part
                .depends_on
                .iter()
                .any(|id| failed.contains(id.as_str()))
            {
                Err(Refusal::new(
                    StatusCode::FAILED_DEPENDENCY,
                    "FailedDependency",
                    "A request that this request depends on failed.",
                ))
            } else {
                self.answer_part(part, whole.now, caller, &mut links)
            };
            if let Err(refusal) = &answer {
                failed.insert(&part.id);
                throttled |= refusal.status == StatusCode::TOO_MANY_REQUESTS;
            }
            responses.push(self.part_response(&part.id, answer, &dress));
        }
        self.written_in_batch = None;
        if self.world.behaviour.batching.shuffled {
            self.shuffle(&mut responses);
        }
        let status = if throttled && self.world.behaviour.batching.throttled_is_424 {
            StatusCode::FAILED_DEPENDENCY
        } else {
            StatusCode::OK
        };
        Ok(Reply::of(
            status,
            Body::Json(json!({"responses": responses})),
        ))
    }

    fn answer_part(
        &mut self,
        part: &Part,
        now: Duration,
        caller: &Result<Caller, Refusal>,
        links: &mut usize,
    ) -> Result<Reply, Refusal> {
        let call = part_call(part, now, caller.clone()?)?;
        if let Some(most) = self.world.behaviour.batching.most_links {
            *links += count_links(&call.body);
            if *links > most {
                return Err(Refusal::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "ServiceUnavailable",
                    "The service is temporarily unavailable. Please try again later.",
                ));
            }
        }
        self.perform(&call)
    }

    fn part_response(
        &self,
        id: &str,
        answer: Result<Reply, Refusal>,
        dress: impl Fn(&Refusal) -> Value,
    ) -> Value {
        let (status, body, extra) = match answer {
            Ok(reply) => (reply.status, reply.body, reply.headers),
            Err(refusal) => {
                let body = Body::Json(dress(&refusal));
                (refusal.status, body, refusal.headers)
            }
        };
        let mut headers = Map::new();
        headers.insert("Cache-Control".to_owned(), json!("no-cache"));
        for (name, value) in extra {
            headers.insert(self.part_header(name), json!(value));
        }
        let mut response = json!({"id": id, "status": status.as_u16()});
        match body {
            Body::None => {}
            Body::Json(body) => {
                headers.insert("Content-Type".to_owned(), json!("application/json"));
                response["body"] = body;
            }
            Body::Text(text) => {
                headers.insert("Content-Type".to_owned(), json!("text/plain"));
                response["body"] = match self.world.behaviour.batching.text_body {
                    TextBody::Base64 => json!(BASE64_STANDARD.encode(text)),
                    TextBody::Value => serde_json::from_str(&text).unwrap_or(json!(text)),
                    TextBody::Text => json!(text),
                };
            }
        }
        response["headers"] = Value::Object(headers);
        response
    }

    fn part_header(&self, name: &str) -> String {
        match name {
            "retry-after" if !self.world.behaviour.batching.lower_case_retry_after => "Retry-After",
            "location" => "Location",
            "www-authenticate" => "WWW-Authenticate",
            other => other,
        }
        .to_owned()
    }

    fn shuffle(&self, responses: &mut [Value]) {
        let seed = self.world.behaviour.seed;
        for at in (1..responses.len()).rev() {
            let count = self.requests.wrapping_mul(64).wrapping_add(at as u64);
            let choices = at as u64 + 1;
            let other = draw(seed, "shuffle", count) % choices;
            responses.swap(at, usize::try_from(other).unwrap_or(at));
        }
    }
}

/// Reads a batch. What is wrong with its form fails it as a whole; the words are from memory where not documented.
fn read_parts(whole: &Call) -> Result<Vec<Part>, Refusal> {
    let body = whole.object()?;
    let Ok(Batch { requests }) = serde_json::from_value(Value::Object(body)) else {
        return Err(bad_request("Invalid batch payload format."));
    };
    if requests.is_empty() {
        return Err(bad_request("Invalid batch payload format."));
    }
    if requests.len() > MOST_PARTS {
        return Err(bad_request(format!(
            "Number of batch request steps exceeds the maximum value of {MOST_PARTS}."
        )));
    }
    let mut ids = BTreeSet::new();
    for part in &requests {
        let id = &part.id;
        if let Some(unknown) = part
            .depends_on
            .iter()
            .find(|other| !ids.contains(other.as_str()))
        {
            return Err(bad_request(format!(
                "Request id : {id} depends on '{unknown}', which is not an earlier request of this batch."
            )));
        }
        if id.is_empty() || !ids.insert(id.as_str()) {
            return Err(bad_request(format!(
                "Request Id {id} has to be unique in a batch."
            )));
        }
        if part.url.contains("://") && !part.url.starts_with('/') {
            return Err(bad_request(format!(
                "Request id : {id} does not have a relative url."
            )));
        }
        let is_write = matches!(part.method.as_str(), "POST" | "PATCH" | "PUT");
        let lacks_type = part.header("content-type").is_none();
        if (is_write || part.body.is_some()) && (lacks_type || part.body.is_none()) {
            return Err(bad_request(format!(
                "Write request id : {id} does not contain Content-Type header or body."
            )));
        }
    }
    Ok(requests)
}

fn part_call(part: &Part, now: Duration, caller: Caller) -> Result<Call, Refusal> {
    let url = part.url.split('#').next().unwrap_or_default();
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    let path = if path.starts_with('/') {
        path.to_owned()
    } else {
        format!("/{path}")
    };
    if path.starts_with("/$batch") {
        return Err(bad_request("Batch requests cannot be nested."));
    }
    let method = Method::from_bytes(part.method.as_bytes())
        .map_err(|_| bad_request("The method of the request is not valid."))?;
    Ok(Call {
        method,
        segments: split_path(&path)?,
        path,
        query: Query::parse(query)?.without_length(),
        eventual: part
            .header("consistencylevel")
            .is_some_and(|level| level.eq_ignore_ascii_case("eventual")),
        content_type: part.header("content-type").map(str::to_owned),
        body: part
            .body
            .as_ref()
            .map(|body| body.to_string().into_bytes())
            .unwrap_or_default(),
        caller,
        now,
    })
}
