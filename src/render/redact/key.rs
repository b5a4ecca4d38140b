//! What tokens are made with.

use std::collections::BTreeSet;
use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

/// What tokens are made with.
#[derive(Clone)]
pub struct RedactionKey(Hmac<Sha256>);

impl RedactionKey {
    /// The characters that a key has at least. A shorter one is found by trying, and then everybody's token is.
    pub const LEAST: usize = 16;

    /// How many of its characters are different ones, at least.
    pub const LEAST_DIFFERENT: usize = 8;

    /// Takes a text for a key.
    pub fn new(secret: &SecretString) -> Result<Self, WeakKey> {
        let secret = secret.expose_secret();
        if secret.chars().count() < Self::LEAST {
            return Err(WeakKey::Short);
        }
        let different: BTreeSet<char> = secret.chars().collect();
        if different.len() < Self::LEAST_DIFFERENT {
            return Err(WeakKey::Repetitive);
        }
        Hmac::new_from_slice(secret.as_bytes())
            .map(Self)
            .map_err(|_| WeakKey::Short)
    }

    /// Returns the digest of a value, in hexadecimal. What the value is goes into it, so that digests of different kinds of values
    /// never meet.
    pub(super) fn digest(&self, kind: &str, value: &str) -> String {
        let hmac = self.0.clone().chain_update(format!("{kind}:{value}"));
        crate::plan::hex(&hmac.finalize().into_bytes())
    }
}

impl fmt::Debug for RedactionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RedactionKey")
    }
}

/// Why a key is easy to guess.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WeakKey {
    /// It is shorter than [`RedactionKey::LEAST`].
    Short,
    /// It has fewer different characters than [`RedactionKey::LEAST_DIFFERENT`].
    Repetitive,
}

impl fmt::Display for WeakKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short => write!(f, "it has fewer than {} characters", RedactionKey::LEAST),
            Self::Repetitive => write!(
                f,
                "fewer than {} of its characters are different ones",
                RedactionKey::LEAST_DIFFERENT
            ),
        }
    }
}

impl std::error::Error for WeakKey {}
