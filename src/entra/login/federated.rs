//! Workload identity: a token of somebody whom the app trusts, which others keep fresh in a file
//! (<https://learn.microsoft.com/entra/workload-id/workload-identity-federation>).

use std::fmt;
use std::path::PathBuf;

use anyhow::Context;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::Value;

use super::{LoginFailure, Shown};
use crate::entra::jwt;
use crate::entra::refusal::shortened;
use crate::files;

/// The largest token that is read. Those of Kubernetes are about a kilobyte.
const LARGEST_TOKEN: u64 = 64 * 1024;

/// How much of a claim is shown.
const LONGEST_CLAIM: usize = 200;

/// The file of `AZURE_FEDERATED_TOKEN_FILE`.
pub(in crate::entra) struct FederatedFile(pub(super) PathBuf);

impl FederatedFile {
    /// Reads the token, every time anew: those of Kubernetes are good for an hour, and then another one is in the file.
    pub(super) async fn read(&self) -> Result<Shown, LoginFailure> {
        let failure = |reason: String| {
            LoginFailure(format!(
                "the federated token file {} (AZURE_FEDERATED_TOKEN_FILE) {reason}",
                self.0.display()
            ))
        };
        let text = self
            .text()
            .await
            .map_err(|error| failure(format!("cannot be read: {error:#}")))?;
        vouched(text.trim()).ok_or_else(|| failure("does not hold a token (a JWT)".to_owned()))
    }

    async fn text(&self) -> anyhow::Result<String> {
        let bytes = files::read_regular_aside(&self.0, LARGEST_TOKEN).await?;
        // Neither the bytes nor what is wrong with them is of use to anybody, and they may be a token all the same.
        String::from_utf8(bytes).ok().context("it is not text")
    }
}

/// Makes a token of somebody else ready to be shown. `None` if it is none.
pub(super) fn vouched(token: &str) -> Option<Shown> {
    let claims: Claims = jwt::claims(token)?;
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.=".contains(&byte);
    token
        .bytes()
        .all(is_token)
        .then(|| Shown::Vouched(SecretString::from(token), claims))
}

/// What a federated credential of the app is compared with. None of it is secret.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Claims {
    #[serde(default)]
    iss: Value,
    #[serde(default)]
    sub: Value,
    #[serde(default)]
    aud: Value,
}

impl fmt::Display for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "issuer {}, the subject {} and the audience {}",
            shown(&self.iss),
            shown(&self.sub),
            shown(&self.aud)
        )
    }
}

/// A claim as it is to be entered; an audience may be a list.
fn shown(claim: &Value) -> String {
    let texts: Vec<&str> = match claim {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    match texts.as_slice() {
        [] => "(none)".to_owned(),
        texts => format!("`{}`", shortened(&texts.join("`, `"), LONGEST_CLAIM)),
    }
}
