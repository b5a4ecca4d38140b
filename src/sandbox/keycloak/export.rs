//! Realm exports, as `kc.sh export` and the admin console write them and `--import-realm` reads them: what of them the simulated
//! Keycloak holds.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use serde::Deserialize;
use serde_json::Value;

use super::world::{Client, Group, Person, Realm, stable_id};

impl Realm {
    /// Reads a realm export. What the simulated Keycloak does not have is left out; fails where a person is in a group that the export
    /// does not hold. Ids that are missing are made of names, the same ones each time.
    pub fn from_export(export: &[u8]) -> anyhow::Result<Self> {
        let mut json = serde_json::Deserializer::from_slice(export);
        let RealmExport {
            realm: name,
            enabled,
            display_name,
            ssl_required,
            duplicate_emails_allowed,
            access_token_lifespan,
            sso_session_idle_timeout,
            groups,
            clients,
            users,
        } = serde_path_to_error::deserialize(&mut json).map_err(|error| unreadable(&error))?;
        json.end().ok().context("more stands after the realm")?;
        let default = Self::default();
        let mut realm = Self {
            enabled,
            display_name,
            requires_https: ssl_required.as_deref() == Some("all"),
            duplicate_emails_allowed,
            access_token_lifespan: access_token_lifespan.unwrap_or(default.access_token_lifespan),
            session_idle: sso_session_idle_timeout.unwrap_or(default.session_idle),
            groups: groups
                .into_iter()
                .map(|group| group.read(&name, ""))
                .collect(),
            clients: clients.into_iter().map(ClientExport::read).collect(),
            name,
            ..default
        };
        for user in users {
            let person = user.read(&realm)?;
            realm.people.push(person);
        }
        Ok(realm)
    }
}

/// Says where an export cannot be read. Passwords stand in it, and what is wrong with a value may quote it; what is missing has no value.
fn unreadable(error: &serde_path_to_error::Error<serde_json::Error>) -> anyhow::Error {
    let (path, inner) = (error.path(), error.inner());
    let words = inner.to_string();
    let reason = if words.starts_with("missing field") {
        words
    } else {
        let (line, column) = (inner.line(), inner.column());
        format!("not what stands there in an export, at line {line} column {column}")
    };
    anyhow::anyhow!("{path}: {reason}")
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RealmExport {
    realm: String,
    #[serde(default)]
    enabled: bool,
    display_name: Option<String>,
    ssl_required: Option<String>,
    #[serde(default)]
    duplicate_emails_allowed: bool,
    access_token_lifespan: Option<u64>,
    sso_session_idle_timeout: Option<u64>,
    #[serde(default)]
    groups: Vec<GroupExport>,
    #[serde(default)]
    clients: Vec<ClientExport>,
    #[serde(default)]
    users: Vec<UserExport>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GroupExport {
    id: Option<String>,
    name: String,
    #[serde(default)]
    sub_groups: Vec<GroupExport>,
    #[serde(default)]
    attributes: BTreeMap<String, Vec<String>>,
}

impl GroupExport {
    fn read(self, realm: &str, above: &str) -> Group {
        let path = format!("{above}/{}", self.name);
        let subgroups = self.sub_groups.into_iter();
        Group {
            subgroups: subgroups.map(|group| group.read(realm, &path)).collect(),
            id: self
                .id
                .unwrap_or_else(|| stable_id(&format!("group {realm} {path}"))),
            name: self.name,
            attributes: self.attributes,
            ..Group::default()
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one that Keycloak has"
)]
struct ClientExport {
    client_id: String,
    secret: Option<String>,
    #[serde(default = "yes")]
    enabled: bool,
    #[serde(default)]
    public_client: bool,
    #[serde(default)]
    service_accounts_enabled: bool,
    #[serde(default)]
    direct_access_grants_enabled: bool,
    #[serde(default)]
    consent_required: bool,
    #[serde(default = "yes")]
    full_scope_allowed: bool,
}

fn yes() -> bool {
    true
}

impl ClientExport {
    fn read(self) -> Client {
        Client {
            client_id: self.client_id,
            secret: self.secret.filter(|_| !self.public_client),
            enabled: self.enabled,
            service_accounts_enabled: self.service_accounts_enabled,
            direct_access_grants_enabled: self.direct_access_grants_enabled,
            consent_required: self.consent_required,
            full_scope_allowed: self.full_scope_allowed,
            access_token_lifespan: None,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct UserExport {
    id: Option<String>,
    username: String,
    email: Option<String>,
    #[serde(default)]
    email_verified: bool,
    first_name: Option<String>,
    last_name: Option<String>,
    #[serde(default)]
    enabled: bool,
    created_timestamp: Option<i64>,
    #[serde(default)]
    attributes: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    required_actions: Vec<String>,
    #[serde(default)]
    groups: Vec<String>,
    service_account_client_id: Option<String>,
    #[serde(default)]
    credentials: Vec<Value>,
    #[serde(default)]
    realm_roles: BTreeSet<String>,
    #[serde(default)]
    client_roles: BTreeMap<String, BTreeSet<String>>,
}

impl UserExport {
    fn read(self, realm: &Realm) -> anyhow::Result<Person> {
        let username = self.username;
        let groups = self.groups.iter().map(|path| {
            realm.group_id(path).ok_or_else(|| {
                anyhow::anyhow!("{username} is in {path}, and there is no such group")
            })
        });
        let default = Person::default();
        Ok(Person {
            groups: groups.collect::<anyhow::Result<_>>()?,
            id: self
                .id
                .unwrap_or_else(|| stable_id(&format!("user {} {username}", realm.name))),
            username,
            email: self.email,
            email_verified: self.email_verified,
            first_name: self.first_name,
            last_name: self.last_name,
            enabled: self.enabled,
            created_timestamp: self.created_timestamp.unwrap_or(default.created_timestamp),
            attributes: self.attributes,
            required_actions: self.required_actions,
            service_account_client_id: self.service_account_client_id,
            password: password_in(&self.credentials),
            client_roles: self.client_roles,
            realm_roles: self.realm_roles,
            ..default
        })
    }
}

/// A password that stands there as it is. Exports hold digests, which nobody can log in with here; files written by hand hold passwords.
fn password_in(credentials: &[Value]) -> Option<String> {
    credentials
        .iter()
        .find(|credential| credential["type"] == "password")
        .and_then(|credential| credential["value"].as_str())
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_realm_is_read_with_its_groups_people_and_clients() {
        let export = br#"{
            "realm": "acme", "enabled": true, "browserFlow": "browser", "accessTokenLifespan": 60,
            "groups": [{"id": "g1", "name": "teams", "subGroups": [{"name": "a/b"}]}],
            "clients": [{"clientId": "sync", "secret": "s", "serviceAccountsEnabled": true},
                        {"clientId": "open", "secret": "s", "publicClient": true}],
            "users": [
                {"username": "ann", "enabled": true, "email": "ann@x.example", "groups": ["/teams", "/teams/a/b"],
                 "credentials": [{"type": "password", "value": "p"}], "clientRoles": {"realm-management": ["view-users"]}},
                {"username": "off", "credentials": [{"type": "password", "credentialData": "{}", "secretData": "{}"}]}
            ]}"#;
        let realm = Realm::from_export(export).unwrap();
        assert_eq!(
            (realm.name.as_str(), realm.access_token_lifespan),
            ("acme", 60)
        );
        let ann = realm.person("ann").unwrap();
        let below = realm.group_id("/teams/a/b").unwrap();
        assert_eq!(ann.groups, ["g1".to_owned(), below].into());
        assert_eq!(ann.password.as_deref(), Some("p"));
        assert!(ann.client_roles["realm-management"].contains("view-users"));
        let off = realm.person("off").unwrap();
        assert!(!off.enabled && off.password.is_none() && !off.id.is_empty());
        let secrets: Vec<_> = realm
            .clients
            .iter()
            .map(|client| client.secret.is_some())
            .collect();
        assert_eq!(secrets, [true, false]);
        assert_eq!(Realm::from_export(export).unwrap(), realm);
    }

    #[test]
    fn what_is_no_realm_is_refused() {
        for (export, said) in [
            ("5", "not what stands there in an export, at line 1"),
            ("{}", "missing field `realm`"),
            (r#"{"realm": "x"} hunter2"#, "more stands after the realm"),
            (
                r#"{"realm": "x", "users": [{"username": "ann", "credentials": "hunter2"}]}"#,
                "users[0].credentials: not what stands there",
            ),
            (
                r#"{"realm": "x", "clients": [{"clientId": "x", "enabled": "hunter2"}]}"#,
                "clients[0].enabled: not what stands there",
            ),
            (
                r#"{"realm": "x", "users": [{"username": "ann", "groups": ["/none"]}]}"#,
                "ann is in /none, and there is no such group",
            ),
        ] {
            let error = Realm::from_export(export.as_bytes()).unwrap_err();
            assert!(error.to_string().contains(said), "{error}");
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
    }
}
