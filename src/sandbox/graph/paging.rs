//! Pages: `$top`, `$skiptoken`, `@odata.nextLink`, `@odata.count`.
//!
//! A page is remembered by the id after which it begins, so that objects that come or go between two pages neither repeat
//! nor hide others.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use reqwest::StatusCode;
use serde_json::{Map, Value, json};

use super::Graph;
use super::call::{Call, Reply};
use super::refusal::{Refusal, needs_advanced_query, unsupported_query};

/// What a skip token says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Position {
    /// The last id of the page before.
    after: Option<String>,
    /// This page is an empty one in between.
    is_gap: bool,
}

/// What a real skip token of the directory begins with.
const TOKEN_START: &str = "RFNwdAoAAQ";

impl Position {
    fn of(call: &Call) -> Result<Self, Refusal> {
        let Some(token) = call.query.get("$skiptoken") else {
            return Ok(Self::default());
        };
        let position = token
            .strip_prefix(TOKEN_START)
            .and_then(|token| BASE64_URL_SAFE_NO_PAD.decode(token).ok())
            .and_then(|decoded| String::from_utf8(decoded).ok());
        match position
            .as_deref()
            .and_then(|position| position.split_once(' '))
        {
            Some((gap @ ("0" | "1"), after)) => Ok(Self {
                after: Some(after.to_owned()),
                is_gap: gap == "1",
            }),
            _ => Err(Refusal::new(
                StatusCode::BAD_REQUEST,
                "Directory_ExpiredPageToken",
                "The specified page token value has expired and can no longer be included in your request.",
            )),
        }
    }

    fn token(after: &str, is_gap: bool) -> String {
        let position = format!("{} {after}", u8::from(is_gap));
        format!("{TOKEN_START}{}", BASE64_URL_SAFE_NO_PAD.encode(position))
    }
}

/// The options that the simulated directory does not offer. They are refused, because ignoring them would answer another
/// question than the one asked.
const NOT_OFFERED: &[&str] = &[
    "$search", "$orderby", "$expand", "$skip", "$apply", "$format",
];

/// Refuses options that this directory does not offer.
pub(super) fn refuse_other_options(call: &Call) -> Result<(), Refusal> {
    if NOT_OFFERED
        .iter()
        .any(|name| call.query.get(name).is_some())
    {
        Err(needs_advanced_query())
    } else {
        Ok(())
    }
}

impl Graph {
    fn page_size(&self, call: &Call) -> Result<usize, Refusal> {
        let reading = &self.world.behaviour.reading;
        let size = match call.query.get("$top") {
            None => reading.default_page,
            Some(top) => match top.parse() {
                Ok(size) if (1..=reading.largest_page).contains(&size) => size,
                _ => {
                    return Err(unsupported_query(format!(
                        "Invalid page size specified: '{top}'. Must be between 1 and {} inclusive.",
                        reading.largest_page
                    )));
                }
            },
        };
        Ok(reading
            .page_at_most
            .map_or(size, |most| size.min(most))
            .max(1))
    }

    /// One page of a list whose items come in the order of their ids. `fits` says which of them are in the list.
    pub(super) fn page<'a, T: Copy>(
        &self,
        call: &Call,
        context: &str,
        items: impl Iterator<Item = (&'a str, T)>,
        fits: impl Fn(T) -> bool,
        render: impl Fn(T) -> Map<String, Value>,
    ) -> Result<Reply, Refusal> {
        refuse_other_options(call)?;
        let size = self.page_size(call)?;
        let position = Position::of(call)?;
        let mut count = None;
        let mut value = Vec::new();
        let mut next = None;
        let mut last_id = None;
        let count_all = call.is_advanced() && position.after.is_none();
        let mut counted = 0_usize;
        for (id, item) in items {
            let before = position.after.as_deref().is_some_and(|after| id <= after);
            if before || !fits(item) {
                continue;
            }
            counted += 1;
            if value.len() < size {
                if !position.is_gap {
                    value.push(render(item));
                    last_id = Some(id);
                    continue;
                }
                next = position.after.as_deref().map(|after| (after, false));
                break;
            }
            if next.is_none() {
                next = last_id.map(|id| (id, self.world.behaviour.reading.empty_pages));
            }
            if !count_all {
                break;
            }
        }
        if count_all {
            count = Some(counted);
        }
        let mut body = json!({
            "@odata.context": format!("{}/v1.0/$metadata#{context}", self.base_url),
            "value": value,
        });
        if let Some(count) = count {
            body["@odata.count"] = json!(count);
        }
        if let Some((after, is_gap)) = next {
            let query = call.query.with_skip_token(&Position::token(after, is_gap));
            body["@odata.nextLink"] = json!(format!("{}/v1.0{}?{query}", self.base_url, call.path));
        }
        Ok(Reply::json(body))
    }
}
