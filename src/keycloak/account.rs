//! The account that this program logs in to Keycloak with, as messages name it, and what grants it a role.

use crate::config::{KeycloakConnection, KeycloakCredentials};

/// The account and the realms it is used in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SyncAccount {
    /// Which account it is.
    pub kind: AccountKind,
    /// The realm it lives in.
    pub auth_realm: String,
    /// The realm whose people it reads.
    pub realm: String,
}

/// Which account it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum AccountKind {
    /// A user, by username.
    User(String),
    /// The service account of a client, by the client's id.
    Client(String),
}

impl SyncAccount {
    pub fn new(connection: &KeycloakConnection, credentials: &KeycloakCredentials) -> Self {
        Self {
            kind: match credentials {
                KeycloakCredentials::Password { user, .. } => AccountKind::User(user.clone()),
                KeycloakCredentials::Client { id, .. } => AccountKind::Client(id.clone()),
            },
            auth_realm: connection.auth_realm.clone(),
            realm: connection.realm.clone(),
        }
    }

    /// Its name in messages.
    pub fn who(&self) -> String {
        match &self.kind {
            AccountKind::User(user) => user.clone(),
            AccountKind::Client(id) => format!("service account {id}"),
        }
    }

    /// The client that it logs in through, in messages.
    pub fn client(&self) -> String {
        match &self.kind {
            AccountKind::User(_) => "The client admin-cli".to_owned(),
            AccountKind::Client(id) => format!("The client {id}"),
        }
    }

    /// The client whose roles count for the realm read. `None` if no role can: tokens are good for their own realm, and
    /// those of master for every realm.
    pub fn role_client(&self) -> Option<String> {
        if self.auth_realm == self.realm {
            Some("realm-management".to_owned())
        } else if self.auth_realm == "master" {
            Some(format!("{}-realm", self.realm))
        } else {
            None
        }
    }

    /// The command that grants the role to the account.
    pub fn grant_command(&self, role: &str) -> Option<String> {
        let username = match &self.kind {
            AccountKind::User(user) => user.clone(),
            // The username of a service account is lower-cased like every other.
            AccountKind::Client(id) => format!("service-account-{}", id.to_lowercase()),
        };
        Some(format!(
            "kcadm.sh add-roles -r {} --uusername {} --cclientid {} --rolename {role}",
            quoted(&self.auth_realm),
            quoted(&username),
            quoted(&self.role_client()?)
        ))
    }
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let is_plain = !word.is_empty()
        && word
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._@".contains(&byte));
    if is_plain {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(kind: AccountKind, auth_realm: &str) -> Option<String> {
        SyncAccount {
            kind,
            auth_realm: auth_realm.to_owned(),
            realm: "acme".to_owned(),
        }
        .grant_command("view-users")
    }

    #[test]
    fn a_role_is_granted_where_the_account_lives() {
        let user = || AccountKind::User("o'neil sync".to_owned());
        assert_eq!(
            command(user(), "acme").unwrap(),
            r"kcadm.sh add-roles -r acme --uusername 'o'\''neil sync' --cclientid realm-management --rolename view-users"
        );
        assert_eq!(
            command(user(), "master").unwrap(),
            r"kcadm.sh add-roles -r master --uusername 'o'\''neil sync' --cclientid acme-realm --rolename view-users"
        );
        assert_eq!(command(user(), "other"), None);
    }
}
