//! An answer of Graph or its login that is not a success: what its body says, whatever shape it has.

use std::fmt;

use serde_json::Value;

use crate::model::ObjectId;

/// How much of a message is kept. Some gateways send a whole page.
const LONGEST_MESSAGE: usize = 600;

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    /// The status of the answer, or of the part of a batch.
    pub(super) status: u16,
    /// Graph's code; empty where there is none. Many are generic (`BadRequest`).
    pub(super) code: String,
    /// Graph's message on one line, shortened; empty where there is none.
    pub(super) message: String,
    /// Graph's id of the request.
    pub(super) request_id: Option<String>,
}

impl Refusal {
    /// Reads the body of an answer.
    pub(super) fn from_bytes(status: u16, body: &[u8], request_id: Option<&str>) -> Self {
        let text = String::from_utf8_lossy(body);
        let text = text.trim_start_matches('\u{feff}');
        match serde_json::from_str(text) {
            Ok(value) => Self::from_json(status, &value, request_id),
            Err(_) => Self::from_json(status, &Value::String(text.to_owned()), request_id),
        }
    }

    /// Reads the body of a part of a batch. Graph's shape is `{"error": {"code", "message", "innerError"}}`; older services
    /// behind it wrap it as `odata.error`, spell `innererror`, and make the message an object.
    pub(super) fn from_json(status: u16, body: &Value, request_id: Option<&str>) -> Self {
        let error = body.get("error").or_else(|| body.get("odata.error"));
        let inner =
            error.and_then(|error| error.get("innerError").or_else(|| error.get("innererror")));
        let message = match (error.and_then(|error| error.get("message")), body) {
            (Some(Value::String(message)), _) => message.clone(),
            (Some(message), _) => text_of(message.get("value")),
            (None, Value::String(page)) => words_of_page(page),
            (None, _) => String::new(),
        };
        Self {
            status,
            code: shortened(&text_of(error.and_then(|error| error.get("code"))), 80),
            message: shortened(&message, LONGEST_MESSAGE),
            request_id: inner
                .and_then(|inner| inner.get("request-id"))
                .and_then(Value::as_str)
                .or(request_id)
                .map(|id| shortened(id, 80)),
        }
    }

    /// Whether the message holds these words, in any case.
    pub(super) fn says(&self, words: &str) -> bool {
        self.message.to_lowercase().contains(words)
    }

    /// The object ids that the message names.
    pub(super) fn named_ids(&self) -> Vec<ObjectId> {
        self.message
            .split(|character: char| !character.is_ascii_hexdigit() && character != '-')
            .filter_map(|word| word.parse().ok())
            .collect()
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.status)?;
        match (self.message.as_str(), self.code.as_str()) {
            ("", "") => write!(f, ", without a reason"),
            ("", code) => write!(f, ", {code}"),
            (message, _) => write!(f, ", {}", message.trim_end_matches('.')),
        }
    }
}

fn text_of(value: Option<&Value>) -> String {
    value.and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// The title of an HTML page, or any other text as it is.
fn words_of_page(page: &str) -> String {
    let lower = page.to_ascii_lowercase();
    if !lower.contains("<html") && !lower.contains("<!doctype") {
        return page.to_owned();
    }
    let title = lower
        .find("<title>")
        .map(|at| at + "<title>".len())
        .zip(lower.find("</title>"))
        .and_then(|(from, to)| page.get(from..to))
        .unwrap_or_default()
        .trim();
    if title.is_empty() {
        "an HTML page".to_owned()
    } else {
        format!("an HTML page, {title}")
    }
}

/// Returns the text on one line, cut if it is longer than so many characters.
pub(super) fn shortened(text: &str, longest: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(longest) {
        Some((at, _)) => format!("{}…", line.get(..at).unwrap_or_default()),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Refusal {
        Refusal::from_bytes(400, body.as_bytes(), Some("from-header"))
    }

    #[test]
    fn every_shape_of_an_error_body_is_read() {
        let graph = read(
            r#"{"error":{"code":"Request_BadRequest","message":"No.","innerError":{"request-id":"abc"}}}"#,
        );
        assert_eq!(
            (
                graph.code.as_str(),
                graph.message.as_str(),
                graph.request_id.as_deref()
            ),
            ("Request_BadRequest", "No.", Some("abc"))
        );
        let legacy = read(
            "\u{feff}{\"odata.error\":{\"code\":\"X\",\"message\":{\"lang\":\"en\",\"value\":\"No.\"},\"innererror\":{\"request-id\":\"abc\"}}}",
        );
        assert_eq!(
            (legacy.code.as_str(), legacy.message.as_str()),
            ("X", "No.")
        );
        assert_eq!(legacy.request_id.as_deref(), Some("abc"));
        assert_eq!(
            read("<html><head><TITLE>502 Bad\nGateway</TITLE></head></html>").message,
            "an HTML page, 502 Bad Gateway"
        );
        assert_eq!(read("").to_string(), "400, without a reason");
        assert_eq!(read("[1]").request_id.as_deref(), Some("from-header"));
        assert_eq!(read(r#"{"error":"text"}"#).message, "");
        assert!(read(&"x ".repeat(5000)).message.chars().count() <= LONGEST_MESSAGE + 1);
    }

    #[test]
    fn ids_are_found_in_a_message_however_they_are_set_off() {
        let refusal = read(
            r#"{"error":{"code":"","message":"The invited user already exists in the directory as objectID:CBB896F9-8306-49d0-b56b-b8e39cd28825. Resource '00000000-0000-4000-8000-000000000001' too."}}"#,
        );
        let ids: Vec<String> = refusal
            .named_ids()
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            ids,
            [
                "cbb896f9-8306-49d0-b56b-b8e39cd28825",
                "00000000-0000-4000-8000-000000000001"
            ]
        );
    }
}
