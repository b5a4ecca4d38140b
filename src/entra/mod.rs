//! Reads a tenant of Microsoft Entra through Graph v1.0, and writes to it.
//!
//! [`Reader`] can only send GETs, [`Writer`] is the one type that can send anything else. Neither decides anything: what is
//! wanted and what may be written is said by the caller. Every request is made in `batch`, every answer that is a refusal
//! gets its meaning in `meaning`.

mod accounts;
mod advice;
mod batch;
mod batch_answer;
mod dated;
mod deleted;
mod failure;
mod jwt;
mod login;
mod meaning;
pub mod odata;
mod pages;
pub mod permissions;
mod read;
mod refusal;
mod resolve;
mod token;
mod write;
mod write_request;

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod read_tests;
#[cfg(test)]
mod recorded_tests;
#[cfg(test)]
mod write_tests;

pub use read::{Bearer, NotAllowed, Reader, bearer};
pub use resolve::Resolution;
pub use write::Writer;

use failure::Failure;

/// Reads the bytes of an answer as JSON. Gateways between here and Graph have been seen to put a byte order mark first.
fn parse_bytes<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, Failure> {
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if let Ok(value) = serde_json::from_slice(text) {
        return Ok(value);
    }
    // Once more, to find out where it is not as it should be: that takes twice as long.
    let mut json = serde_json::Deserializer::from_slice(text);
    let garbled = |error: String| Failure::Garbled(error);
    let value =
        serde_path_to_error::deserialize(&mut json).map_err(|error| garbled(error.to_string()))?;
    json.end().map_err(|error| garbled(error.to_string()))?;
    Ok(value)
}
