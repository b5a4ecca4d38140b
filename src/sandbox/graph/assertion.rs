//! What an app shows at its login instead of a secret: an assertion that it has signed itself with the key of a certificate, or the
//! token of somebody who vouches for it.
//!
//! The app's own signature is checked. Of other people's tokens only the content is: the keys of their issuers are out of reach here.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::login::NoToken;
use super::world::App;

/// The login hosts of Microsoft, any of which may stand in an assertion.
const LOGIN_HOSTS: &[&str] = &[
    "https://login.microsoftonline.com",
    "https://login.microsoftonline.us",
    "https://login.partner.microsoftonline.cn",
];

/// How far the clock of whoever dated an assertion may be off.
const TOLERANCE: SignedDuration = SignedDuration::from_mins(5);

/// What an assertion has to fit.
pub(super) struct Expected<'a> {
    pub(super) app: &'a App,
    pub(super) tenant: &'a str,
    /// The address of this login.
    pub(super) host: &'a str,
    pub(super) time: Timestamp,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    #[serde(rename = "x5t#S256")]
    thumbprint: Option<String>,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Value,
    nbf: Option<i64>,
    exp: i64,
}

impl Claims {
    fn is_for(&self, audience: &str) -> bool {
        match &self.aud {
            Value::String(text) => text == audience,
            Value::Array(items) => items.iter().any(|item| item == audience),
            _ => false,
        }
    }

    fn audience(&self) -> String {
        match &self.aud {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        }
    }
}

impl Expected<'_> {
    /// Checks an assertion as Entra does, as far as what is known of its order goes.
    pub(super) fn check(&self, assertion: &str) -> Result<(), NoToken> {
        // The words are from memory.
        let malformed = || NoToken::not_proved(50_027, "JWT token is invalid or malformed.");
        let (signed, signature) = assertion.rsplit_once('.').ok_or_else(malformed)?;
        let (header, claims) = signed.split_once('.').ok_or_else(malformed)?;
        let signature = BASE64_URL_SAFE_NO_PAD
            .decode(signature)
            .map_err(|_| malformed())?;
        let header: Header = part(header).ok_or_else(malformed)?;
        let claims: Claims = part(claims).ok_or_else(malformed)?;
        if claims.iss.eq_ignore_ascii_case(&self.app.client_id) {
            self.check_own(&header, &claims, signed, &signature)?;
        } else if let Some(mismatch) = self.mismatch(&claims) {
            return Err(mismatch);
        }
        self.check_time(&claims)
    }

    fn check_own(
        &self,
        header: &Header,
        claims: &Claims,
        signed: &str,
        signature: &[u8],
    ) -> Result<(), NoToken> {
        // The words of this one and the next are from memory.
        if !claims.sub.eq_ignore_ascii_case(&self.app.client_id) {
            return Err(NoToken::not_proved(
                700_021,
                "Client assertion application identifier doesn't match 'client_id' parameter.",
            ));
        }
        let mut hosts = LOGIN_HOSTS.iter().chain([&self.host]);
        if !hosts.any(|host| claims.is_for(&format!("{host}/{}/oauth2/v2.0/token", self.tenant))) {
            return Err(NoToken::not_proved(
                700_023,
                "Client assertion audience claim does not match Realm issuer.",
            ));
        }
        let thumbprint = header.thumbprint.as_deref().unwrap_or_default();
        let registered = self.certificates();
        let certificate = registered
            .iter()
            .find(|der| BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(der)) == thumbprint)
            .ok_or_else(|| self.not_registered(thumbprint))?;
        let is_good = header.alg == "PS256"
            && webpki::EndEntityCert::try_from(certificate).is_ok_and(|certificate| {
                certificate
                    .verify_signature(
                        webpki::ring::RSA_PSS_2048_8192_SHA256_LEGACY_KEY,
                        signed.as_bytes(),
                        signature,
                    )
                    .is_ok()
            });
        if is_good {
            Ok(())
        } else {
            // The words are from memory.
            Err(NoToken::not_proved(
                700_027,
                format!(
                    "Client assertion failed signature validation. [Reason - The provided signature value did not match the expected \
                     signature value., Thumbprint of key used by client: '{thumbprint}']"
                ),
            ))
        }
    }

    fn certificates(&self) -> Vec<CertificateDer<'static>> {
        let texts = self.app.certificates.iter();
        texts
            .flat_map(|text| CertificateDer::pem_slice_iter(text.as_bytes()))
            .flatten()
            .collect()
    }

    fn not_registered(&self, thumbprint: &str) -> NoToken {
        NoToken::not_proved(
            700_027,
            format!(
                "The certificate with identifier used to sign the client assertion is not registered on application. [Reason - The key was \
                 not found., Thumbprint of key used by client: '{thumbprint}', Please visit the Azure Portal, Graph Explorer or directly \
                 use MS Graph to see configured keys for app Id '{}'.]",
                self.app.client_id
            ),
        )
    }

    /// Says which part of a token fits no federated credential of the app.
    fn mismatch(&self, claims: &Claims) -> Option<NoToken> {
        let credentials = &self.app.federated_credentials;
        let from_issuer: Vec<_> = credentials
            .iter()
            .filter(|credential| credential.issuer == claims.iss)
            .collect();
        let of_subject: Vec<_> = from_issuer
            .iter()
            .filter(|credential| credential.subject == claims.sub)
            .collect();
        let refused = |number, what: &str, value: &str, more: &str| {
            Some(NoToken::not_proved(
                number,
                format!(
                    "No matching federated identity record found for presented assertion {what} '{value}'.{more} Check your federated \
                     identity credential Subject, Audience and Issuer against the presented assertion. \
                     https://learn.microsoft.com/entra/workload-id/workload-identity-federation"
                ),
            ))
        };
        if from_issuer.is_empty() {
            return refused(700_211, "issuer", &claims.iss, "");
        }
        if of_subject.is_empty() {
            let differs_in_case = from_issuer
                .iter()
                .any(|credential| credential.subject.eq_ignore_ascii_case(&claims.sub));
            return if differs_in_case {
                let more = " The subject matches with case-insensitive comparison, but not with case-sensitive comparison.";
                refused(7_002_138, "subject", &claims.sub, more)
            } else {
                refused(700_213, "subject", &claims.sub, "")
            };
        }
        if of_subject
            .iter()
            .any(|credential| claims.is_for(&credential.audience))
        {
            return None;
        }
        refused(700_212, "audience", &claims.audience(), "")
    }

    fn check_time(&self, claims: &Claims) -> Result<(), NoToken> {
        let now = self.time.as_second();
        let tolerance = TOLERANCE.as_secs();
        let has_begun = claims
            .nbf
            .is_none_or(|begin| begin.saturating_sub(tolerance) <= now);
        if has_begun && now < claims.exp.saturating_add(tolerance) {
            return Ok(());
        }
        let shown = |second| Timestamp::from_second(second).unwrap_or_default();
        Err(NoToken::not_proved(
            700_024,
            format!(
                "Client assertion is not within its valid time range. Current time: {}, expiry time of assertion {}.",
                shown(now),
                shown(claims.exp)
            ),
        ))
    }
}

fn part<T: serde::de::DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(text).ok()?).ok()
}
