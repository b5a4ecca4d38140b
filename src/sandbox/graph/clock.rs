//! The service's clock as text, and ids drawn from its seed. No real time, no real randomness.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};

/// The moment that the clock shows.
pub(super) fn moment(start: Timestamp, now: Duration) -> Timestamp {
    SignedDuration::try_from(now)
        .ok()
        .and_then(|passed| start.checked_add(passed).ok())
        .unwrap_or(Timestamp::MAX)
}

/// As in the header `Date`.
pub(super) fn http_date(moment: Timestamp) -> String {
    moment.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// As in `innerError`.
pub(super) fn error_date(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%dT%H:%M:%S").to_string()
}

/// As in the properties of objects.
pub(super) fn property_date(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// As in the errors of the login service.
pub(super) fn login_date(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// A number that follows from the seed, a purpose and a count.
pub(super) fn draw(seed: u64, purpose: &str, count: u64) -> u64 {
    let digest = digest(seed, purpose, count);
    digest
        .iter()
        .take(8)
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// A GUID that follows from the seed, a purpose and a count.
pub(super) fn guid(seed: u64, purpose: &str, count: u64) -> String {
    let mut bytes = [0; 16];
    for (byte, drawn) in bytes.iter_mut().zip(digest(seed, purpose, count)) {
        *byte = drawn;
    }
    uuid::Builder::from_random_bytes(bytes)
        .into_uuid()
        .to_string()
}

fn digest(seed: u64, purpose: &str, count: u64) -> [u8; 32] {
    Sha256::new()
        .chain_update(seed.to_be_bytes())
        .chain_update(purpose)
        .chain_update(count.to_be_bytes())
        .finalize()
        .into()
}
