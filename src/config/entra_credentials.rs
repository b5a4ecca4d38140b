//! How to log in to Entra, from the environment variables of the Azure SDKs.
//!
//! It says which variables mean which way to log in, which way goes before which, and what is missing. It opens no file and asks
//! nobody.

use std::path::PathBuf;

use reqwest::Url;
use secrecy::SecretString;

use super::credentials::{EnvironmentErrors, plain, secret};
use super::value;
use crate::model::ObjectId;

const TENANT: &str = "AZURE_TENANT_ID";
const CLIENT_ID: &str = "AZURE_CLIENT_ID";
pub(super) const SECRET: &str = "AZURE_CLIENT_SECRET";
const CERTIFICATE: &str = "AZURE_CLIENT_CERTIFICATE_PATH";
pub(super) const CERTIFICATE_PASSWORD: &str = "AZURE_CLIENT_CERTIFICATE_PASSWORD";
const SEND_CHAIN: &str = "AZURE_CLIENT_SEND_CERTIFICATE_CHAIN";
const FEDERATED_FILE: &str = "AZURE_FEDERATED_TOKEN_FILE";
const CHOICE: &str = "AZURE_TOKEN_CREDENTIALS";
const GITHUB_URL: &str = "ACTIONS_ID_TOKEN_REQUEST_URL";
pub(super) const GITHUB_TOKEN: &str = "ACTIONS_ID_TOKEN_REQUEST_TOKEN";
const IDENTITY_ENDPOINT: &str = "IDENTITY_ENDPOINT";
const IDENTITY_HEADER: &str = "IDENTITY_HEADER";
const IMDS_HOST: &str = "AZURE_POD_IDENTITY_AUTHORITY_HOST";

/// The address of the instance metadata service, the same on every virtual machine
/// (<https://learn.microsoft.com/azure/virtual-machines/instance-metadata-service>).
const IMDS: &str = "http://169.254.169.254";

/// The longest path that is taken for one.
const LONGEST_PATH: usize = 1000;

/// What certificates and keys begin with.
const PEM: &str = "-----BEGIN";

/// What they begin with in base64, and what tokens and their parts do.
const ENCODED: [&str; 2] = ["LS0tLS1C", "eyJ"];

/// The variables that a configuration file may be mistaken for the place of.
pub(super) const VARIABLES: [&str; 8] = [
    TENANT,
    CLIENT_ID,
    SECRET,
    CERTIFICATE,
    CERTIFICATE_PASSWORD,
    SEND_CHAIN,
    FEDERATED_FILE,
    CHOICE,
];

/// How to log in to Entra.
#[derive(Debug, Clone)]
pub struct EntraCredentials {
    /// `AZURE_TENANT_ID`: a GUID, or a verified domain of the tenant.
    pub tenant: String,
    /// What to log in with.
    pub login: EntraLogin,
}

/// What to log in to Entra with.
#[derive(Debug, Clone)]
pub enum EntraLogin {
    /// A client secret of an app registration.
    Secret {
        /// `AZURE_CLIENT_ID`.
        client_id: String,
        /// `AZURE_CLIENT_SECRET`.
        secret: SecretString,
    },
    /// A certificate of an app registration.
    Certificate {
        /// `AZURE_CLIENT_ID`.
        client_id: String,
        /// `AZURE_CLIENT_CERTIFICATE_PATH`: PEM, the certificate and its key.
        file: PathBuf,
        /// `AZURE_CLIENT_SEND_CERTIFICATE_CHAIN`.
        sends_chain: bool,
    },
    /// A token of somebody whom the app trusts, in a file that they keep fresh: workload identity.
    FederatedFile {
        /// `AZURE_CLIENT_ID`.
        client_id: String,
        /// `AZURE_FEDERATED_TOKEN_FILE`.
        file: PathBuf,
    },
    /// GitHub, which vouches for the job that this program runs in.
    GitHubActions {
        /// `AZURE_CLIENT_ID`.
        client_id: String,
        /// `ACTIONS_ID_TOKEN_REQUEST_URL`.
        url: Url,
        /// `ACTIONS_ID_TOKEN_REQUEST_TOKEN`.
        token: SecretString,
    },
    /// The identity that Azure gives to the machine.
    ManagedIdentity {
        /// `AZURE_CLIENT_ID`, for one that was assigned by a user; the machine's own if not given.
        client_id: Option<String>,
        /// Who gives tokens for it.
        endpoint: IdentityEndpoint,
    },
    /// Whoever is logged in to the Azure CLI.
    AzureCli,
}

/// Who gives tokens for a managed identity.
#[derive(Debug, Clone)]
pub enum IdentityEndpoint {
    /// App Service, Functions and Container Apps.
    AppService {
        /// `IDENTITY_ENDPOINT`.
        url: Url,
        /// `IDENTITY_HEADER`, which shows that the request comes from the app.
        header: SecretString,
    },
    /// The instance metadata service of a virtual machine.
    Imds {
        /// Its fixed address, or what `AZURE_POD_IDENTITY_AUTHORITY_HOST` says.
        url: Url,
    },
}

impl EntraLogin {
    /// The client id, where the environment names it.
    pub fn client_id(&self) -> Option<&str> {
        match self {
            Self::Secret { client_id, .. }
            | Self::Certificate { client_id, .. }
            | Self::FederatedFile { client_id, .. }
            | Self::GitHubActions { client_id, .. } => Some(client_id),
            Self::ManagedIdentity { client_id, .. } => client_id.as_deref(),
            Self::AzureCli => None,
        }
    }
}

/// A way to log in, in the order in which they are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Secret,
    Certificate,
    FederatedFile,
    GitHubActions,
    ManagedIdentity,
    AzureCli,
}

/// The ways that are used if their variables are set. The other two are used only if they are named: a secret that is missing must
/// not turn into somebody's own login, who may do more.
const FOUND: [Way; 4] = [
    Way::Secret,
    Way::Certificate,
    Way::FederatedFile,
    Way::GitHubActions,
];

/// What `AZURE_TOKEN_CREDENTIALS` may name, and the ways that it means: the names of the Azure SDKs' classes
/// (<https://learn.microsoft.com/dotnet/azure/sdk/authentication/credential-chains>), in any letter case.
const NAMED: [(&str, &[Way]); 4] = [
    ("EnvironmentCredential", &[Way::Secret, Way::Certificate]),
    (
        "WorkloadIdentityCredential",
        &[Way::FederatedFile, Way::GitHubActions],
    ),
    ("ManagedIdentityCredential", &[Way::ManagedIdentity]),
    ("AzureCliCredential", &[Way::AzureCli]),
];

impl Way {
    /// The variable that stands for it, and what that holds.
    fn variable(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Secret => Some((SECRET, "a client secret of that app registration")),
            Self::Certificate => Some((
                CERTIFICATE,
                "a file with a certificate of it and the key (PEM)",
            )),
            Self::FederatedFile => Some((
                FEDERATED_FILE,
                "a file with a token that it trusts (workload identity)",
            )),
            Self::GitHubActions | Self::ManagedIdentity | Self::AzureCli => None,
        }
    }

    fn is_set(self, lookup: &impl Fn(&str) -> Option<String>) -> bool {
        let both = |one, other| plain(lookup, one).is_some() && plain(lookup, other).is_some();
        match self {
            Self::GitHubActions => both(GITHUB_URL, GITHUB_TOKEN),
            Self::ManagedIdentity | Self::AzureCli => true,
            Self::Secret | Self::Certificate | Self::FederatedFile => self
                .variable()
                .is_some_and(|(name, _)| secret(lookup, name).is_some()),
        }
    }
}

/// Returns the ways to look for, the first that is set first.
fn ways(lookup: &impl Fn(&str) -> Option<String>) -> Result<&'static [Way], String> {
    let Some(choice) = plain(lookup, CHOICE) else {
        return Ok(&FOUND);
    };
    let named = NAMED
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(&choice));
    named.map(|(_, ways)| *ways).ok_or_else(|| {
        let names: Vec<&str> = NAMED.iter().map(|(name, _)| *name).collect();
        format!(
            "{CHOICE} is {}; this program understands {}",
            shown(&choice),
            names.join(", ")
        )
    })
}

impl EntraCredentials {
    /// An app registration with a client secret.
    pub fn with_secret(tenant: &str, client_id: &str, secret: SecretString) -> Self {
        Self {
            tenant: tenant.to_owned(),
            login: EntraLogin::Secret {
                client_id: client_id.to_owned(),
                secret,
            },
        }
    }

    /// Reads the credentials for Entra.
    pub fn from_env(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, EnvironmentErrors> {
        let mut wrong = Vec::new();
        let tenant = read_tenant(&lookup, &mut wrong);
        let login = match ways(&lookup) {
            Ok(ways) => read_login(ways, &lookup, &mut wrong),
            Err(message) => {
                wrong.push(message);
                None
            }
        };
        match (tenant, login) {
            (Some(tenant), Some(login)) if wrong.is_empty() => Ok(Self { tenant, login }),
            _ => Err(EnvironmentErrors::new(wrong)),
        }
    }

    /// Says what the operator should know about the way that was chosen.
    pub(super) fn notice(&self, lookup: impl Fn(&str) -> Option<String>) -> Option<String> {
        let (used, how) = match &self.login {
            EntraLogin::Secret { .. } => (Way::Secret, "with AZURE_CLIENT_SECRET"),
            EntraLogin::Certificate { .. } => {
                (Way::Certificate, "with AZURE_CLIENT_CERTIFICATE_PATH")
            }
            EntraLogin::FederatedFile { .. } => {
                (Way::FederatedFile, "with AZURE_FEDERATED_TOKEN_FILE")
            }
            EntraLogin::GitHubActions { .. } => {
                (Way::GitHubActions, "with a token of GitHub Actions")
            }
            EntraLogin::ManagedIdentity { .. } => {
                (Way::ManagedIdentity, "with the identity of this machine")
            }
            EntraLogin::AzureCli => (
                Way::AzureCli,
                "as whoever is logged in to the Azure CLI, who may be allowed more or less than the app",
            ),
        };
        let unused: Vec<&str> = FOUND
            .iter()
            .filter(|way| **way != used && way.is_set(&lookup))
            .filter_map(|way| way.variable())
            .map(|(name, _)| name)
            .collect();
        let unused = match unused.as_slice() {
            [] if used == Way::AzureCli => String::new(),
            [] => return None,
            [one] => format!("; {one} is set too and not used"),
            several => format!("; {} are set too and not used", several.join(" and ")),
        };
        Some(format!("logging in to Entra {how}{unused}"))
    }
}

fn read_tenant(
    lookup: &impl Fn(&str) -> Option<String>,
    wrong: &mut Vec<String>,
) -> Option<String> {
    match plain(lookup, TENANT) {
        None => wrong.push(format!(
            "{TENANT}: the id (a GUID) or a verified domain of the Entra tenant"
        )),
        Some(tenant) if !is_tenant(&tenant) => wrong.push(format!(
            "{TENANT} is neither the id of a tenant (a GUID) nor a domain: {}",
            shown(&tenant)
        )),
        Some(tenant) => return Some(tenant),
    }
    None
}

/// A value that is wrong, if it cannot be a secret that stands in the wrong variable: one of a single word of letters.
fn shown(value: &str) -> String {
    const LONGEST_WORD: usize = 30;
    let is_word =
        value.len() <= LONGEST_WORD && value.bytes().all(|byte| byte.is_ascii_alphabetic());
    if is_word {
        format!("`{value}`")
    } else {
        "(not shown, because it may be a secret)".to_owned()
    }
}

/// Reads the client id. It goes into addresses and messages, so nothing but a GUID is let through.
fn read_client_id(
    is_needed: bool,
    lookup: &impl Fn(&str) -> Option<String>,
    wrong: &mut Vec<String>,
) -> Option<String> {
    match plain(lookup, CLIENT_ID) {
        None if is_needed => wrong.push(format!(
            "{CLIENT_ID}: the application (client) id of the app registration in Entra"
        )),
        None => {}
        Some(id) if id.parse::<ObjectId>().is_err() => wrong.push(format!(
            "{CLIENT_ID} must hold the application (client) id, a GUID; what it holds is not shown, because it may be a secret"
        )),
        Some(id) => return Some(id),
    }
    None
}

/// Reads the path of a file. Whoever puts the content there instead must not find it in the message that there is no such file.
fn read_path(
    name: &str,
    lookup: &impl Fn(&str) -> Option<String>,
    wrong: &mut Vec<String>,
) -> Option<PathBuf> {
    let path = plain(lookup, name)?;
    let mut words = path.split(|character: char| !character.is_alphanumeric());
    let is_content = path.len() > LONGEST_PATH
        || path.contains(PEM)
        || path.chars().any(char::is_control)
        || words.any(|word| ENCODED.iter().any(|begin| word.starts_with(begin)));
    if is_content {
        wrong.push(format!(
            "{name} holds the content of a file, and must hold its path: write the content to a file that only this program's user can \
             read, and name that"
        ));
        return None;
    }
    Some(path.into())
}

/// The tenant becomes a part of a path. `common` and its like are not tenants.
fn is_tenant(text: &str) -> bool {
    text.parse::<ObjectId>().is_ok()
        || (text.is_ascii() && text.contains('.') && value::is_domain(text))
}

fn read_login(
    ways: &[Way],
    lookup: &impl Fn(&str) -> Option<String>,
    wrong: &mut Vec<String>,
) -> Option<EntraLogin> {
    let chosen = ways.iter().find(|way| way.is_set(lookup));
    let client_id = match chosen {
        Some(Way::AzureCli) => None,
        _ => read_client_id(chosen != Some(&Way::ManagedIdentity), lookup, wrong),
    };
    let Some(chosen) = chosen else {
        wrong.push(missing(ways, lookup));
        return None;
    };
    match chosen {
        Way::Secret => Some(EntraLogin::Secret {
            client_id: client_id?,
            secret: secret(lookup, SECRET)?,
        }),
        Way::Certificate => {
            if secret(lookup, CERTIFICATE_PASSWORD).is_some() {
                wrong.push(format!(
                    "{CERTIFICATE_PASSWORD} is set, and files with a password are not read here: take the password off the file \
                     (`openssl pkcs12 -nodes -in FILE -out certificate.pem`), protect the new file, and unset the variable"
                ));
            }
            let sends_chain = read_switch(SEND_CHAIN, lookup, wrong);
            let file = read_path(CERTIFICATE, lookup, wrong);
            Some(EntraLogin::Certificate {
                client_id: client_id?,
                file: file?,
                sends_chain,
            })
        }
        Way::FederatedFile => {
            let file = read_path(FEDERATED_FILE, lookup, wrong);
            Some(EntraLogin::FederatedFile {
                client_id: client_id?,
                file: file?,
            })
        }
        Way::GitHubActions => {
            let url = value::encrypted_url(&plain(lookup, GITHUB_URL)?)
                .map_err(|predicate| wrong.push(format!("{GITHUB_URL} {predicate}")))
                .ok()?;
            Some(EntraLogin::GitHubActions {
                client_id: client_id?,
                url,
                token: secret(lookup, GITHUB_TOKEN)?,
            })
        }
        Way::ManagedIdentity => Some(EntraLogin::ManagedIdentity {
            client_id,
            endpoint: read_identity_endpoint(lookup, wrong)?,
        }),
        Way::AzureCli => Some(EntraLogin::AzureCli),
    }
}

/// Says what could be set for one of the ways.
fn missing(ways: &[Way], lookup: &impl Fn(&str) -> Option<String>) -> String {
    let mut choices: Vec<String> = ways
        .iter()
        .filter_map(|way| way.variable())
        .map(|(name, holds)| format!("{name}: {holds}"))
        .collect();
    if ways == FOUND {
        choices.push(format!(
            "{CHOICE}=ManagedIdentityCredential (the identity of this machine in Azure) or {CHOICE}=AzureCliCredential (whoever is \
             logged in to the Azure CLI)"
        ));
    }
    let is_github = plain(lookup, "GITHUB_ACTIONS").is_some_and(|is| is == "true");
    if is_github && ways.contains(&Way::GitHubActions) {
        choices.push(
            "in a workflow of GitHub, as here, `permissions: id-token: write` for the job (which GitHub does not give to pull \
             requests from forks)"
                .to_owned(),
        );
    }
    choices.join("; or ")
}

/// `true` or `false`, in the ways that the Azure SDKs read them.
fn read_switch(
    name: &str,
    lookup: &impl Fn(&str) -> Option<String>,
    wrong: &mut Vec<String>,
) -> bool {
    let text = plain(lookup, name).unwrap_or_default();
    match text.to_ascii_lowercase().as_str() {
        "1" | "true" => true,
        "" | "0" | "false" => false,
        _ => {
            wrong.push(format!("{name} is neither true nor false"));
            false
        }
    }
}

fn read_identity_endpoint(
    lookup: &impl Fn(&str) -> Option<String>,
    wrong: &mut Vec<String>,
) -> Option<IdentityEndpoint> {
    let mut read = |name: &str, address: &str| {
        value::machine_url(address)
            .map_err(|predicate| wrong.push(format!("{name} {predicate}")))
            .ok()
    };
    match (
        plain(lookup, IDENTITY_ENDPOINT),
        secret(lookup, IDENTITY_HEADER),
    ) {
        (Some(address), Some(header)) => Some(IdentityEndpoint::AppService {
            url: read(IDENTITY_ENDPOINT, &address)?,
            header,
        }),
        (Some(_), None) => {
            wrong.push(format!(
                "{IDENTITY_HEADER} is missing, but {IDENTITY_ENDPOINT} is set: App Service, Functions and Container Apps set both, and \
                 the managed identities of Azure Arc are not supported"
            ));
            None
        }
        (None, _) => {
            let host = plain(lookup, IMDS_HOST).unwrap_or_else(|| IMDS.to_owned());
            let mut url = read(IMDS_HOST, &host)?;
            url.set_path("/metadata/identity/oauth2/token");
            Some(IdentityEndpoint::Imds { url })
        }
    }
}
