//! What goes into requests to either service, encoded so that nothing in it can leave its place or be seen by whoever may not.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::HeaderValue;

/// Everything but the unreserved characters. Keycloak from 26.4.3 on refuses paths in which these are encoded
/// (CVE-2025-10939, keycloak issue 43763).
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Returns the text percent-encoded for a path segment or the value of a query parameter.
pub fn encoded(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// Returns the `Authorization` header with a token, which no debug output shows. `None` if the token cannot be sent.
pub fn bearer(token: &str) -> Option<HeaderValue> {
    let mut header = HeaderValue::from_str(&format!("Bearer {token}")).ok()?;
    header.set_sensitive(true);
    Some(header)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_unreserved_characters_stay_as_they_are() {
        assert_eq!(encoded("aZ9-._~/?#%& ü"), "aZ9-._~%2F%3F%23%25%26%20%C3%BC");
    }

    #[test]
    fn a_token_is_not_shown() {
        assert!(!format!("{:?}", bearer("hunter2").unwrap()).contains("hunter2"));
        assert_eq!(bearer("hun\nter2"), None);
    }
}
