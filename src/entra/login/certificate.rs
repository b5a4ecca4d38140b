//! A certificate of the app: it signs what the app says of itself
//! (<https://learn.microsoft.com/entra/identity-platform/certificate-credentials>).

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail, ensure};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::pem::{PemObject, SectionKind};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::SigningKey;
use rustls::{SignatureAlgorithm, SignatureScheme};
use secrecy::SecretString;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::LoginFailure;
use crate::files;

/// The largest file that is read; a long chain is some kilobytes.
const LARGEST_FILE: u64 = 1024 * 1024;

/// How long an assertion is good for: as long as in Microsoft's own libraries.
const LIFE: SignedDuration = SignedDuration::from_mins(10);

/// Says how to make a file of the kind that is read here out of what `openssl` calls a PKCS#12 file.
const CONVERT_PFX: &str = "convert it with `openssl pkcs12 -nodes -in FILE -out certificate.pem`";

/// A certificate of the app with its key.
pub(in crate::entra) struct Certificate {
    key: Arc<dyn SigningKey>,
    leaf: CertificateDer<'static>,
    /// What else stands in the file, if it is to be sent.
    chain: Option<Vec<CertificateDer<'static>>>,
}

impl Certificate {
    /// Reads the file of `AZURE_CLIENT_CERTIFICATE_PATH`.
    pub(super) fn read(file: &Path, sends_chain: bool) -> anyhow::Result<Self> {
        let read = || -> anyhow::Result<Self> {
            let bytes = files::read_regular(file, LARGEST_FILE)?;
            Self::parse(&bytes, sends_chain)
        };
        read().with_context(|| {
            format!(
                "the certificate {} (AZURE_CLIENT_CERTIFICATE_PATH) cannot be used",
                file.display()
            )
        })
    }

    /// Parses a PEM file with a private key and its certificate, and perhaps the certificates above that, in any order.
    fn parse(bytes: &[u8], sends_chain: bool) -> anyhow::Result<Self> {
        refuse_other_formats(bytes)?;
        let mut keys = Vec::new();
        let mut certificates = Vec::new();
        for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(bytes) {
            // What is wrong with it may quote it, and it may be the key.
            let (kind, der) = section
                .ok()
                .context("it is not a PEM file: a section of it is damaged")?;
            if kind == SectionKind::Certificate {
                certificates.push(CertificateDer::from(der));
            } else if let Some(key) = PrivateKeyDer::from_pem(kind, der) {
                keys.push(key);
            }
        }
        let key = match keys.as_slice() {
            [key] => key,
            [] => bail!(
                "it holds no private key; put the certificate and its key into one file (PEM)"
            ),
            several => bail!("it holds {} private keys; leave one", several.len()),
        };
        ensure!(
            !certificates.is_empty(),
            "it holds no certificate; put the certificate and its key into one file (PEM)"
        );
        let key = any_supported_type(key)
            .ok()
            .context("its private key cannot be used; RSA keys of 2048 to 4096 bits can")?;
        ensure!(
            key.algorithm() == SignatureAlgorithm::RSA,
            "its private key is not an RSA key, and Entra takes signatures of RSA keys only"
        );
        let public_key = key
            .public_key()
            .context("its private key has no public key")?;
        // A certificate holds its public key as it is (RFC 5280, 4.1), whatever its version.
        let is_of_key = |certificate: &CertificateDer<'_>| {
            let mut windows = certificate.windows(public_key.len());
            windows.any(|window| window == public_key.as_ref())
        };
        let at = certificates
            .iter()
            .position(is_of_key)
            .context("none of its certificates is the one of its private key")?;
        let leaf = certificates.remove(at);
        Ok(Self {
            key,
            leaf,
            chain: sends_chain.then_some(certificates),
        })
    }

    /// Makes an assertion that the app is the app, for one token endpoint.
    pub(super) fn assertion(
        &self,
        client_id: &str,
        audience: &str,
        now: Timestamp,
    ) -> Result<SecretString, LoginFailure> {
        let mut header = json!({
            "alg": "PS256",
            "typ": "JWT",
            "x5t#S256": URL_SAFE_NO_PAD.encode(Sha256::digest(&self.leaf)),
        });
        if let Some(chain) = &self.chain {
            let sent = std::iter::once(&self.leaf).chain(chain);
            header["x5c"] = sent
                .map(|certificate| STANDARD.encode(certificate))
                .collect();
        }
        let claims = json!({
            "aud": audience,
            "iss": client_id,
            "sub": client_id,
            "jti": uuid::Uuid::new_v4().to_string(),
            "iat": now.as_second(),
            "nbf": now.as_second(),
            "exp": now.saturating_add(LIFE).unwrap_or(now).as_second(),
        });
        let encode = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", encode(&header), encode(&claims));
        let signature = self
            .key
            .choose_scheme(&[SignatureScheme::RSA_PSS_SHA256])
            .and_then(|signer| signer.sign(signed.as_bytes()).ok())
            .ok_or_else(|| {
                LoginFailure(
                    "the key in AZURE_CLIENT_CERTIFICATE_PATH cannot sign the login".to_owned(),
                )
            })?;
        let signature = URL_SAFE_NO_PAD.encode(signature);
        Ok(SecretString::from(format!("{signed}.{signature}")))
    }
}

/// Refuses what is not PEM, or takes a password, with the command that makes it readable.
fn refuse_other_formats(bytes: &[u8]) -> anyhow::Result<()> {
    // A DER sequence with a length of several bytes, as of PKCS#12 and of single certificates.
    if bytes.starts_with(&[0x30]) {
        bail!("it is not PEM but perhaps a PFX file (PKCS#12); {CONVERT_PFX}");
    }
    let holds = |words: &[u8]| bytes.windows(words.len()).any(|window| window == words);
    if holds(b"BEGIN ENCRYPTED PRIVATE KEY") || holds(b"Proc-Type: 4,ENCRYPTED") {
        bail!(
            "its private key has a password; take it off with `openssl pkey -in FILE -out key.pem` and put the certificate into the \
             same file: `openssl x509 -in FILE >> key.pem`"
        );
    }
    ensure!(holds(b"-----BEGIN "), "it is not a PEM file");
    Ok(())
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;
    use serde_json::Value;

    use super::*;

    fn fixture(name: &str) -> std::path::PathBuf {
        [env!("CARGO_MANIFEST_DIR"), "fixtures/certificates", name]
            .iter()
            .collect()
    }

    fn certificates(name: &str) -> Vec<CertificateDer<'static>> {
        let pem = std::fs::read(fixture(name)).unwrap();
        CertificateDer::pem_slice_iter(&pem)
            .map(Result::unwrap)
            .collect()
    }

    /// Header, claims, what is signed, and the signature.
    fn taken_apart(assertion: &SecretString) -> (Value, Value, String, Vec<u8>) {
        let (signed, signature) = assertion.expose_secret().rsplit_once('.').unwrap();
        let parts: Vec<Value> = signed
            .split('.')
            .map(|part| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap())
            .collect();
        let [header, claims] = parts.try_into().unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        (header, claims, signed.to_owned(), signature)
    }

    fn thumbprint(certificate: &CertificateDer<'_>) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(certificate))
    }

    #[test]
    fn what_the_app_says_of_itself_is_signed_with_the_key_of_its_certificate() {
        let now = Timestamp::from_second(1_767_600_000).unwrap();
        for name in ["app.pem", "app-pkcs1.pem"] {
            let certificate = Certificate::read(&fixture(name), false).unwrap();
            let assertion = certificate
                .assertion("the-app", "https://login.example/t", now)
                .unwrap();
            let (header, claims, signed, signature) = taken_apart(&assertion);
            let of_app = certificates("app-certificate.pem").remove(0);
            let expected = json!({"alg": "PS256", "typ": "JWT", "x5t#S256": thumbprint(&of_app)});
            assert_eq!(header, expected, "{name}");
            let mut claims = claims;
            let id = claims["jti"].take();
            assert!(uuid::Uuid::parse_str(id.as_str().unwrap()).is_ok());
            let expected = json!({
                "aud": "https://login.example/t", "iss": "the-app", "sub": "the-app", "jti": null,
                "iat": 1_767_600_000, "nbf": 1_767_600_000, "exp": 1_767_600_600,
            });
            assert_eq!(claims, expected);
            let public = webpki::EndEntityCert::try_from(&of_app).unwrap();
            let algorithm = webpki::ring::RSA_PSS_2048_8192_SHA256_LEGACY_KEY;
            let verified = public.verify_signature(algorithm, signed.as_bytes(), &signature);
            assert!(verified.is_ok(), "{name}");
        }
    }

    #[test]
    fn the_certificate_of_the_key_is_found_among_several_and_the_others_are_sent_behind_it() {
        let now = Timestamp::UNIX_EPOCH;
        let [authority, leaf] = certificates("chain.pem").try_into().unwrap();
        for (sends_chain, sent) in [
            (false, Value::Null),
            (
                true,
                json!([STANDARD.encode(&leaf), STANDARD.encode(&authority)]),
            ),
        ] {
            let certificate = Certificate::read(&fixture("chain.pem"), sends_chain).unwrap();
            let assertion = certificate.assertion("the-app", "x", now).unwrap();
            let (header, ..) = taken_apart(&assertion);
            assert_eq!(header["x5t#S256"], thumbprint(&leaf));
            assert_eq!(header["x5c"], sent);
        }
    }

    #[test]
    fn a_file_that_cannot_be_used_is_named_with_the_reason_and_what_to_do() {
        for (name, words) in [
            (
                "nowhere.pem",
                &[
                    "nowhere.pem",
                    "AZURE_CLIENT_CERTIFICATE_PATH",
                    "No such file",
                ][..],
            ),
            ("", &["it is not a regular file"]),
            ("elliptic.pem", &["not an RSA key"]),
            ("encrypted.pem", &["has a password", "openssl pkey -in"]),
            (
                "encrypted-pkcs1.pem",
                &["has a password", "openssl pkey -in"],
            ),
            ("app.pfx", &["PFX", "openssl pkcs12 -nodes -in FILE"]),
            ("app-key.pem", &["holds no certificate"]),
            ("app-certificate.pem", &["holds no private key"]),
            (
                "mismatch.pem",
                &["none of its certificates is the one of its private key"],
            ),
        ] {
            let error = Certificate::read(&fixture(name), false).err().unwrap();
            let shown = format!("{error:#}");
            for word in words {
                assert!(shown.contains(word), "{name}: {word:?} in {shown}");
            }
        }
    }

    #[test]
    fn what_is_no_pem_file_is_refused_and_not_quoted() {
        let app = std::fs::read_to_string(fixture("app.pem")).unwrap();
        let leaf = std::fs::read_to_string(fixture("chain.pem")).unwrap();
        let damaged = app.replacen("MII", "!!!hunter2", 1);
        let other_key = "-----BEGIN PRIVATE KEY-----\naHVudGVyMg==\n-----END PRIVATE KEY-----\n";
        let of_app = std::fs::read_to_string(fixture("app-certificate.pem")).unwrap();
        for (text, words) in [
            (String::new(), "not a PEM file"),
            ("hunter2".to_owned(), "not a PEM file"),
            (damaged, "damaged"),
            (
                format!("{other_key}{of_app}"),
                "cannot be used; RSA keys of 2048 to 4096 bits can",
            ),
            (format!("{app}{leaf}"), "holds 2 private keys"),
        ] {
            let error = Certificate::parse(text.as_bytes(), false).err().unwrap();
            let shown = format!("{error:#}");
            assert!(shown.contains(words), "{words:?} in {shown}");
            assert!(
                !shown.contains("hunter2") && !shown.contains("MII"),
                "{shown}"
            );
        }
    }
}
