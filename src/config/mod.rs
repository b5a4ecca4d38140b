//! The configuration file and the credentials from the environment, validated all at once.
//!
//! It reads one file, the certificates that this names, and environment variables, and says everything that is wrong with them. It asks
//! neither service anything.

mod ca_file;
mod characters;
mod credentials;
mod entra_credentials;
mod keys;
mod kind;
mod mistake;
mod notes;
mod schema;
mod table;
mod value;
mod yaml;

#[cfg(test)]
mod entra_credentials_tests;
#[cfg(test)]
mod schema_tests;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::Context;
use secrecy::SecretString;
use sha2::{Digest, Sha256};

use crate::files;
use crate::plan::hex;
use crate::settings::Settings;

pub use ca_file::LARGEST_CA_FILE;
pub use credentials::{
    Credentials, EnvironmentErrors, SECRET_VARIABLES, process_variable, redaction_key,
};
pub use entra_credentials::{EntraCredentials, EntraLogin, IdentityEndpoint};
pub use mistake::ConfigErrors;
pub use schema::schema;

use mistake::Wrong;
use notes::Notes;
use table::Table;
use yaml::{Document, Position};

/// The largest configuration file that is read; ten thousand mappings fit into it.
const MOST_BYTES: u64 = 1024 * 1024;

/// A configuration file, read and validated.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the log goes, if anywhere.
    pub logfile: Option<PathBuf>,
    /// Where people come from.
    pub keycloak: KeycloakConnection,
    /// Where accounts are.
    pub entra: EntraConnection,
    /// What the core decides by.
    pub settings: Settings,
    /// The SHA-256 of the file, in hexadecimal.
    pub sha256: String,
}

impl Config {
    /// Reads a configuration file, and sees whether the file of a private authority that it names can be used; `lookup` returns
    /// environment variables.
    pub fn load(path: &Path, lookup: impl Fn(&str) -> Option<String>) -> anyhow::Result<Self> {
        let bytes = read_bounded(path)?;
        let shown_path = path.display().to_string();
        // Empty for a name alone, which is a file in the folder where the program runs.
        let folder = path.parent().unwrap_or(path);
        let ca_file = |file: PathBuf| ca_file::find(&file, folder);
        Ok(Self::parse_with(&bytes, &shown_path, lookup, ca_file)?)
    }

    /// Parses the bytes of a configuration file, and leaves the files that it names alone; `lookup` returns environment variables.
    pub fn parse(
        bytes: &[u8],
        shown_path: &str,
        lookup: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigErrors> {
        Self::parse_with(bytes, shown_path, lookup, Ok)
    }

    fn parse_with(
        bytes: &[u8],
        shown_path: &str,
        lookup: impl Fn(&str) -> Option<String>,
        ca_file: impl Fn(PathBuf) -> Result<PathBuf, Wrong>,
    ) -> Result<Self, ConfigErrors> {
        let text = decode(bytes)
            .map_err(|(position, message)| ConfigErrors::one(shown_path, position, message))?;
        characters::check(text, shown_path)?;
        let document = Document::parse(text).map_err(|unreadable| {
            ConfigErrors::one(shown_path, unreadable.position, unreadable.message)
        })?;
        let authority_host = lookup(keys::AUTHORITY_HOST)
            .map(|host| host.trim().to_owned())
            .filter(|host| !host.is_empty());

        let notes = Notes::new(&document);
        let contents = Table::read_top(&notes, |top| {
            keys::read(top, authority_host.as_deref(), ca_file)
        });
        if let Some(errors) = notes.into_errors(shown_path) {
            return Err(errors);
        }
        let Some(contents) = contents else {
            let message = "the file cannot be used".to_owned();
            return Err(ConfigErrors::one(shown_path, Position::START, message));
        };
        Ok(Self {
            logfile: contents.logfile,
            keycloak: contents.keycloak,
            entra: contents.entra,
            settings: contents.settings,
            sha256: hex(&Sha256::digest(bytes)),
        })
    }
}

fn read_bounded(path: &Path) -> anyhow::Result<Vec<u8>> {
    let shown = path.display();
    let file = File::open(path).with_context(|| {
        format!(
            "the configuration file {shown} cannot be opened (another is named with --config; \
             keycloak_to_azure.config.yaml.example is one to begin with)"
        )
    })?;
    files::read_bounded(file, MOST_BYTES)
        .with_context(|| format!("the configuration file {shown} cannot be read"))
}

/// Returns the text of a file without the byte order mark that editors on Windows put before it.
fn decode(bytes: &[u8]) -> Result<&str, (Position, String)> {
    if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) {
        let message = "the file is UTF-16; save it as UTF-8".to_owned();
        return Err((Position::START, message));
    }
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    std::str::from_utf8(bytes).map_err(|error| {
        let (valid, _) = bytes.split_at(error.valid_up_to());
        let position = Position::behind(&String::from_utf8_lossy(valid));
        (position, "the file is not UTF-8 from here on".to_owned())
    })
}

/// How to reach Keycloak.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeycloakConnection {
    /// `keycloak_url`, without slashes at its end. With or without `/auth`: which one answers is probed.
    pub url: String,
    /// The realm whose people are read.
    pub realm: String,
    /// The realm in which the sync account lives.
    pub auth_realm: String,
    /// A private certificate authority, PEM. Of a configuration that was read from a file, it counts from the folder of that file.
    pub ca_file: Option<PathBuf>,
}

/// How to reach Entra.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntraConnection {
    /// The login host, without a slash at its end: `https://login.microsoftonline.com`.
    pub login_url: String,
    /// The Graph host, without a slash at its end: `https://graph.microsoft.com`.
    pub graph_url: String,
}

/// How the sync account logs in to Keycloak.
#[derive(Debug, Clone)]
pub enum KeycloakCredentials {
    /// A user with a password, through the client `admin-cli`.
    Password {
        /// `KEYCLOAK_USER`.
        user: String,
        /// `KEYCLOAK_PASSWORD`.
        password: SecretString,
    },
    /// A client's service account.
    Client {
        /// `KEYCLOAK_CLIENT_ID`.
        id: String,
        /// `KEYCLOAK_CLIENT_SECRET`.
        secret: SecretString,
    },
}
