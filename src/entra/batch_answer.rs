//! The answer to a batch: what became of each part, in whatever order and shape the parts come.

use std::time::Duration;

use reqwest::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::failure::Failure;
use super::parse_bytes;
use super::refusal::Refusal;
use crate::http::{self, Answer};

/// The answer to a batch.
pub(super) struct BatchAnswer {
    responses: Vec<PartBody>,
    request_id: Option<String>,
    sent_at: jiff::Timestamp,
}

/// What became of a part.
pub(super) struct PartAnswer {
    /// The body of the answer, if the part succeeded.
    pub(super) result: Result<Body, Failure>,
    /// Graph's id of the request.
    pub(super) request_id: Option<String>,
    /// How long to wait before the part is sent again, where the answer says so.
    pub(super) retry_after: Option<Duration>,
}

/// The body of a part, not looked into yet: as text it takes a fraction of the memory that it takes as values of any shape.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Body(Option<Box<RawValue>>);

impl Body {
    /// Reads it as what it should be.
    pub(super) fn parse<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        parse_bytes(self.text().as_bytes())
    }

    /// Reads it whatever it is.
    pub(super) fn value(&self) -> Value {
        self.parse().unwrap_or_default()
    }

    fn text(&self) -> &str {
        self.0.as_deref().map_or("null", RawValue::get)
    }
}

impl PartialEq for Body {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text()
    }
}

impl PartAnswer {
    /// What became of a part of a batch that failed as a whole.
    pub(super) fn of_whole(failure: &Failure) -> Self {
        Self {
            result: Err(failure.clone()),
            request_id: match failure {
                Failure::Refused(refusal) => refusal.request_id.clone(),
                _ => None,
            },
            retry_after: None,
        }
    }
}

impl BatchAnswer {
    /// Reads the body of the answer. The request id of the whole stands in for those of parts without one.
    pub(super) fn parse(answer: &Answer) -> Result<Self, Failure> {
        let BatchBody { responses } = parse_bytes(&answer.body)?;
        Ok(Self {
            responses,
            request_id: answer.header("request-id").map(str::to_owned),
            sent_at: answer.sent_at(),
        })
    }

    /// Takes out what became of a part. One that comes twice tells as little as one that does not come.
    pub(super) fn take(&mut self, at: usize) -> PartAnswer {
        let id = at.to_string();
        let mut own = self
            .responses
            .extract_if(.., |part| part.has_id(&id))
            .collect::<Vec<_>>();
        let (Some(part), true) = (own.pop(), own.is_empty()) else {
            return PartAnswer {
                result: Err(Failure::Missing),
                request_id: self.request_id.clone(),
                retry_after: None,
            };
        };
        let request_id = part
            .header("request-id")
            .or_else(|| self.request_id.clone());
        if (200..300).contains(&part.status) {
            return PartAnswer {
                result: Ok(part.body),
                request_id,
                retry_after: None,
            };
        }
        let refusal = Refusal::from_json(part.status, &part.body.value(), request_id.as_deref());
        PartAnswer {
            request_id: refusal.request_id.clone(),
            retry_after: part
                .header("retry-after")
                .and_then(|text| http::retry_after_text(&text, self.sent_at)),
            result: Err(Failure::Refused(refusal)),
        }
    }

    /// Whether Graph looked at any part, and did not only refuse all for being too many.
    pub(super) fn any_went_through(&self) -> bool {
        let too_many = StatusCode::TOO_MANY_REQUESTS.as_u16();
        self.responses.iter().any(|part| part.status != too_many)
    }

    /// The values that parts have for a header.
    pub(super) fn headers(&self, name: &str) -> Vec<String> {
        self.responses
            .iter()
            .filter_map(|part| part.header(name))
            .collect()
    }
}

#[derive(Deserialize)]
struct BatchBody {
    responses: Vec<PartBody>,
}

#[derive(Deserialize)]
struct PartBody {
    id: Value,
    status: u16,
    #[serde(default)]
    headers: Option<Map<String, Value>>,
    #[serde(default)]
    body: Body,
}

impl PartBody {
    fn has_id(&self, id: &str) -> bool {
        match &self.id {
            Value::String(own) => own == id,
            Value::Number(own) => own.to_string() == id,
            _ => false,
        }
    }

    /// A header by its name in any case: both `Retry-After` and `retry-after` are seen.
    fn header(&self, name: &str) -> Option<String> {
        let headers = self.headers.as_ref()?;
        let (_, value) = headers
            .iter()
            .find(|(own, _)| own.eq_ignore_ascii_case(name))?;
        match value {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_to_come_back_at_goes_by_the_clock_of_the_service() {
        let headers = [("date", "Mon, 05 Jan 2026 08:00:00 GMT")];
        let headers = headers.map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        let mut answer = BatchAnswer::parse(&Answer {
            status: StatusCode::OK,
            headers: headers.into_iter().collect(),
            body: br#"{"responses":[{"id":"0","status":429,"headers":{"retry-after":"Mon, 05 Jan 2026 08:00:07 GMT"}}]}"#.to_vec(),
            attempts: 1,
            after_unknown: false,
            took: Duration::ZERO,
        })
        .unwrap();
        assert_eq!(answer.take(0).retry_after, Some(Duration::from_secs(7)));
    }

    #[test]
    fn a_part_that_comes_twice_or_not_at_all_is_missing() {
        let mut answer = BatchAnswer::parse(&Answer {
            status: StatusCode::OK,
            headers: reqwest::header::HeaderMap::new(),
            body: br#"{"responses":[{"id":"1","status":200},{"id":0,"status":204,"headers":{"Request-Id":"r"}},{"id":"1","status":404}]}"#.to_vec(),
            attempts: 1,
            after_unknown: false,
            took: Duration::ZERO,
        })
        .unwrap();
        let first = answer.take(0);
        assert_eq!(first.result, Ok(Body::default()));
        assert_eq!(first.request_id.as_deref(), Some("r"));
        assert_eq!(answer.take(1).result, Err(Failure::Missing));
        assert_eq!(answer.take(2).result, Err(Failure::Missing));
    }
}
