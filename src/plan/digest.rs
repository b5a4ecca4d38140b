//! The digest of a plan, by which people approve it.

use std::io;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use sha2::{Digest, Sha256};

use super::{Plan, hex};

impl Plan {
    /// Returns the digest that `plan_id` must hold: SHA-256 over the canonical JSON (RFC 8785) of the plan without
    /// `plan_id` and `created_at`, so that the same plan made twice has one id.
    pub fn digest(&self) -> String {
        let mut digest = DigestWriter(Sha256::new());
        // Nothing in a plan has no JSON, and hashing does not fail.
        let _ = serde_json_canonicalizer::to_writer(&Digested(self), &mut digest);
        format!("sha256:{}", hex(&digest.0.finalize()))
    }
}

/// Whether a text has the form of [`Plan::digest`].
pub fn is_plan_id(text: &str) -> bool {
    text.strip_prefix("sha256:").is_some_and(|digits| {
        digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

/// What the digest of a plan is over. The plan is taken apart field by field, so that no new one is forgotten.
struct Digested<'p>(&'p Plan);

impl Serialize for Digested<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Plan {
            format_version,
            kind,
            plan_id: _,
            tool_version,
            created_at: _,
            source,
            target,
            config_sha256,
            undoes,
            overrides,
            scope,
            summary,
            groups,
            changes,
            blocks,
            problems,
        } = self.0;
        let mut fields = serializer.serialize_map(None)?;
        fields.serialize_entry("format_version", format_version)?;
        fields.serialize_entry("kind", kind)?;
        fields.serialize_entry("tool_version", tool_version)?;
        fields.serialize_entry("source", source)?;
        fields.serialize_entry("target", target)?;
        fields.serialize_entry("config_sha256", config_sha256)?;
        if undoes.is_some() {
            fields.serialize_entry("undoes", undoes)?;
        }
        fields.serialize_entry("overrides", overrides)?;
        fields.serialize_entry("scope", scope)?;
        fields.serialize_entry("summary", summary)?;
        fields.serialize_entry("groups", groups)?;
        fields.serialize_entry("changes", changes)?;
        fields.serialize_entry("blocks", blocks)?;
        fields.serialize_entry("problems", problems)?;
        fields.end()
    }
}

/// Takes a digest of what is written to it.
struct DigestWriter(Sha256);

impl io::Write for DigestWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
