//! The credentials of both services, and the key of redacted renderings, from environment variables only.
//!
//! Every variable that is missing is named at once. An empty variable counts as missing, as in shells and in CI systems that set
//! undefined secrets to nothing.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

use super::{EntraCredentials, KeycloakCredentials, entra_credentials};
use crate::render::RedactionKey;

/// The variable with the key of redacted renderings.
const REDACT_KEY: &str = "KEYCLOAK_TO_AZURE_REDACT_KEY";

/// The variables with secrets, of which other programs need none. `IDENTITY_HEADER` is not among them: on a machine of Azure the Azure
/// CLI needs it as well.
pub const SECRET_VARIABLES: [&str; 6] = [
    "KEYCLOAK_PASSWORD",
    "KEYCLOAK_CLIENT_SECRET",
    REDACT_KEY,
    entra_credentials::SECRET,
    entra_credentials::CERTIFICATE_PASSWORD,
    entra_credentials::GITHUB_TOKEN,
];

/// The variables that hold secrets and what goes with them.
pub(super) fn variables() -> impl Iterator<Item = &'static str> {
    let others = [
        "KEYCLOAK_USER",
        "KEYCLOAK_PASSWORD",
        "KEYCLOAK_CLIENT_ID",
        "KEYCLOAK_CLIENT_SECRET",
        REDACT_KEY,
    ];
    others.into_iter().chain(entra_credentials::VARIABLES)
}

/// Everything that is wrong with the credentials in the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvironmentErrors(Vec<String>);

impl EnvironmentErrors {
    pub(super) fn new(messages: Vec<String>) -> Self {
        Self(messages)
    }
}

impl fmt::Display for EnvironmentErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the credentials in the environment are not complete")?;
        for message in &self.0 {
            write!(f, "\n  {message}")?;
        }
        Ok(())
    }
}

impl std::error::Error for EnvironmentErrors {}

/// The credentials of both services.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// For Keycloak.
    pub keycloak: KeycloakCredentials,
    /// For Entra.
    pub entra: EntraCredentials,
    /// What the operator should know about the choices made.
    pub notices: Vec<String>,
}

impl Credentials {
    /// Reads the credentials of both services, and names everything that is missing for either.
    pub fn from_env(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, EnvironmentErrors> {
        let keycloak = KeycloakCredentials::from_env(&lookup);
        let entra = EntraCredentials::from_env(&lookup);
        match (keycloak, entra) {
            (Ok(keycloak), Ok(entra)) => Ok(Self {
                notices: notice(&keycloak, &lookup)
                    .into_iter()
                    .chain(entra.notice(&lookup))
                    .collect(),
                keycloak,
                entra,
            }),
            (Err(mut keycloak), Err(entra)) => {
                keycloak.0.extend(entra.0);
                Err(keycloak)
            }
            (Err(errors), Ok(_)) | (Ok(_), Err(errors)) => Err(errors),
        }
    }
}

/// Reads the key that `--redact` makes tokens with. There is no default: tokens that everybody can make hide nobody.
pub fn redaction_key(lookup: impl Fn(&str) -> Option<String>) -> anyhow::Result<RedactionKey> {
    const HOW: &str = "set it to a long random text, for instance from `openssl rand -hex 32`, and keep it as a secret of the pipeline";
    let Some(secret) = secret(lookup, REDACT_KEY) else {
        anyhow::bail!("--redact needs a key, and {REDACT_KEY} is not set: {HOW}");
    };
    anyhow::ensure!(
        !is_unexpanded(secret.expose_secret()),
        "--redact needs a key, and {REDACT_KEY} holds the name of a variable that the pipeline did not replace, which everybody can read: \
         give the job that variable, and {HOW}"
    );
    RedactionKey::new(&secret)
        .map_err(|weak| anyhow::anyhow!("the key in {REDACT_KEY} is easy to guess: {weak}; {HOW}"))
}

/// Whether a pipeline left the reference to a secret as it is: `$(NAME)` where the variable is not there, or `${NAME}` in quotes that
/// no shell reads.
fn is_unexpanded(key: &str) -> bool {
    let key = key.trim();
    let is_reference = |open: &str, close: &str| key.starts_with(open) && key.ends_with(close);
    key.contains(REDACT_KEY)
        || is_reference("$(", ")")
        || is_reference("${", "}")
        || is_reference("%", "%")
}

/// Returns a variable of this process, if it is set to text.
pub fn process_variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

impl KeycloakCredentials {
    /// Reads the credentials for Keycloak: of a client if both its variables are set, otherwise of a user.
    ///
    /// A pair of which only one half is set is an error even beside a complete one: whose login was meant is not guessed.
    pub fn from_env(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, EnvironmentErrors> {
        let user = plain(&lookup, "KEYCLOAK_USER");
        let password = secret(&lookup, "KEYCLOAK_PASSWORD");
        let id = plain(&lookup, "KEYCLOAK_CLIENT_ID");
        let client_secret = secret(&lookup, "KEYCLOAK_CLIENT_SECRET");

        let halves = [
            half_set(
                "KEYCLOAK_CLIENT_ID",
                id.is_some(),
                "KEYCLOAK_CLIENT_SECRET",
                client_secret.is_some(),
            ),
            half_set(
                "KEYCLOAK_USER",
                user.is_some(),
                "KEYCLOAK_PASSWORD",
                password.is_some(),
            ),
        ];
        let halves: Vec<String> = halves.into_iter().flatten().collect();
        if !halves.is_empty() {
            return Err(EnvironmentErrors(halves));
        }
        match (id.zip(client_secret), user.zip(password)) {
            (Some((id, secret)), _) => Ok(Self::Client { id, secret }),
            (None, Some((user, password))) => Ok(Self::Password { user, password }),
            (None, None) => Err(EnvironmentErrors(vec![
                "KEYCLOAK_CLIENT_ID and KEYCLOAK_CLIENT_SECRET (a client with a service account), or KEYCLOAK_USER and \
                 KEYCLOAK_PASSWORD (a user): the login to Keycloak"
                    .to_owned(),
            ])),
        }
    }
}

fn half_set(one: &str, one_is_set: bool, other: &str, other_is_set: bool) -> Option<String> {
    let (set, missing) = match (one_is_set, other_is_set) {
        (true, false) => (one, other),
        (false, true) => (other, one),
        _ => return None,
    };
    Some(format!(
        "{missing} is missing, but {set} is set: set both for the login to Keycloak, or neither"
    ))
}

/// Says which credentials are used where there are two.
fn notice(chosen: &KeycloakCredentials, lookup: impl Fn(&str) -> Option<String>) -> Option<String> {
    let is_client = matches!(chosen, KeycloakCredentials::Client { .. });
    (is_client && plain(&lookup, "KEYCLOAK_USER").is_some()).then(|| {
        "logging in to Keycloak with KEYCLOAK_CLIENT_ID; KEYCLOAK_USER is set too and not used"
            .to_owned()
    })
}

/// A variable without spaces around it.
pub(super) fn plain(lookup: impl Fn(&str) -> Option<String>, name: &str) -> Option<String> {
    lookup(name)
        .map(|text| text.trim().to_owned())
        .filter(|text| !text.is_empty())
}

/// Secrets that are mounted from files often end with the newline of the file; no password does.
pub(super) fn secret(lookup: impl Fn(&str) -> Option<String>, name: &str) -> Option<SecretString> {
    lookup(name)
        .map(|text| text.trim_end_matches(['\r', '\n']).to_owned())
        .filter(|text| !text.trim().is_empty())
        .map(SecretString::from)
}
