//! What a login answers: a token and how long it is good for, in the spellings of the token endpoint and of managed identities.

use std::time::Duration;

use jiff::Timestamp;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::Value;

use super::super::parse_bytes;

/// A token that was given.
pub(in crate::entra) struct Granted {
    /// The token.
    pub(in crate::entra) token: SecretString,
    /// How long it is good for, if that is said.
    pub(in crate::entra) life: Option<Duration>,
}

impl Granted {
    /// Reads an answer that was sent at a moment of the clock that sent it. `None` if there is no token in it. What is garbled may be
    /// the token itself, so nothing is said about why.
    pub(super) fn from_answer(body: &[u8], sent_at: Timestamp) -> Option<Self> {
        let body: Body = parse_bytes(body).ok()?;
        let Body {
            access_token: token,
            expires_in: Seconds(length),
            expires_on: Seconds(end),
        } = body;
        let until = |moment| life_until(moment, sent_at);
        Some(Self {
            token,
            life: length.map(|life| life.min(LONGEST_LIFE)).or(end.map(until)),
        })
    }
}

/// How long it is until a moment, in time since 1970. Nothing if it is over.
pub(super) fn life_until(moment: Duration, now: Timestamp) -> Duration {
    let now = Duration::from_secs(u64::try_from(now.as_second()).unwrap_or_default());
    moment.saturating_sub(now).min(LONGEST_LIFE)
}

/// A year is as good as forever, and keeps the sums in range.
const LONGEST_LIFE: Duration = Duration::from_secs(365 * 86_400);

/// The later moments are beyond every calendar.
const LATEST: f64 = 1e12;

#[derive(Deserialize)]
struct Body {
    #[serde(deserialize_with = "secret")]
    access_token: SecretString,
    #[serde(default)]
    expires_in: Seconds,
    /// App Service says only this.
    #[serde(default)]
    expires_on: Seconds,
}

fn secret<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<SecretString, D::Error> {
    let token = String::deserialize(deserializer)?;
    if token.is_empty() {
        return Err(serde::de::Error::custom("an empty token"));
    }
    Ok(SecretString::from(token))
}

/// A number of seconds, written as a number or, by older endpoints and managed identities, as a text. Nothing where it cannot be read: a
/// token is good whatever is said of its life.
#[derive(Default)]
pub(super) struct Seconds(pub(super) Option<Duration>);

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let seconds = match &value {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        let duration = |seconds: f64| Duration::try_from_secs_f64(seconds.min(LATEST)).ok();
        Ok(Self(seconds.and_then(duration)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_life_of_a_token_may_be_a_number_or_a_text_and_a_length_or_an_end() {
        let sent_at = Timestamp::from_second(1_767_600_000).unwrap();
        for (rest, life) in [
            (r#""expires_in":3599"#, Some(3599)),
            (r#""expires_in":"3599""#, Some(3599)),
            (r#""expires_on":"1767603600""#, Some(3600)),
            (r#""expires_on":1767603600"#, Some(3600)),
            (r#""expires_in":"60","expires_on":"1767603600""#, Some(60)),
            (r#""expires_on":"1767600000""#, Some(0)),
            (r#""expires_on":5"#, Some(0)),
            (r#""token_type":"Bearer""#, None),
            (r#""expires_in":1e19"#, Some(31_536_000)),
            (r#""expires_on":1e300"#, Some(31_536_000)),
            // The token is none the worse for it.
            (r#""expires_in":-1"#, None),
            (r#""expires_in":"soon""#, None),
            (r#""expires_in":null,"expires_on":"2026-01-05""#, None),
            (r#""expires_in":"soon","expires_on":1767603600"#, Some(3600)),
        ] {
            let body = format!(r#"{{"access_token":"x",{rest}}}"#);
            let granted = Granted::from_answer(body.as_bytes(), sent_at).unwrap();
            assert_eq!(granted.life.map(|life| life.as_secs()), life, "{rest}");
        }
    }

    #[test]
    fn an_answer_without_a_token_is_none() {
        for body in ["", "{}", r#"{"access_token":5}"#, r#"{"access_token":""}"#] {
            let granted = Granted::from_answer(body.as_bytes(), Timestamp::UNIX_EPOCH);
            assert!(granted.is_none(), "{body}");
        }
    }
}
