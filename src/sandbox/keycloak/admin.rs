//! The calls of the admin API about one realm: which there are, and those about the realm itself.

use reqwest::Method;
use serde_json::{Value, json};

use super::answers;
use super::login::Rights;
use super::provider::{ProviderKind, ProviderState};
use super::version::Version;
use super::world::Realm;
use super::{Parameters, TimedResponse, decode};
use crate::sandbox::exchange::Response;

/// What lists give where nobody says how many.
pub(super) const DEFAULT_MAX: usize = 100;

/// One call by somebody who is logged in.
pub(super) struct Call<'a> {
    pub version: Version,
    pub ignores_case: bool,
    pub realm: &'a mut Realm,
    pub rights: &'a Rights,
    pub query: Parameters,
}

impl Call<'_> {
    /// Answers the call, or `None` if there is no such resource.
    pub(super) fn answer(mut self, method: &Method, path: &[&str]) -> Option<TimedResponse> {
        let answer = match path {
            [] | [""] => self.realm_info().into(),
            ["components"] => self.components().into(),
            ["groups"] => self.groups().into(),
            ["groups", "count"] => self.count_groups().into(),
            ["groups", id] => self.group(&decode(id)).into(),
            ["groups", id, "children"] => self.children(&decode(id)).into(),
            ["groups", id, "members"] => self.members(&decode(id)),
            ["group-by-path", path @ ..] => self.group_by_path(path).into(),
            ["users"] => self.people(),
            ["users", "count"] => self.count_people().into(),
            ["users", id] => self.person(&decode(id)),
            ["users", id, "groups"] => self.groups_of_person(&decode(id)),
            ["attack-detection", "brute-force", "users", _] => self.login_failures().into(),
            _ => return None,
        };
        if method == Method::GET {
            Some(answer)
        } else {
            Some(self.error(405, "HTTP 405 Method Not Allowed").into())
        }
    }

    pub(super) fn error(&self, status: u16, text: &str) -> Response {
        answers::error(self.version, status, text)
    }

    pub(super) fn forbidden(&self) -> Response {
        self.error(403, self.version.forbidden())
    }

    pub(super) fn asks(&self, name: &str, by_default: bool) -> bool {
        self.query
            .get(name)
            .map_or(by_default, |value| value == "true")
    }

    fn realm_info(&self) -> Response {
        if !self.rights.any() {
            return self.forbidden();
        }
        let realm = &*self.realm;
        let mut info = json!({ "realm": realm.name, "registrationEmailAsUsername": false });
        if let Some(name) = &realm.display_name {
            info["displayName"] = json!(name);
        }
        if self.rights.view_realm() {
            info["id"] = json!(realm.name);
            info["enabled"] = json!(realm.enabled);
            info["accessTokenLifespan"] = json!(realm.access_token_lifespan);
            info["ssoSessionIdleTimeout"] = json!(realm.session_idle);
            info["duplicateEmailsAllowed"] = json!(realm.duplicate_emails_allowed);
            info["loginWithEmailAllowed"] = json!(!realm.duplicate_emails_allowed);
            info["adminEventsEnabled"] = json!(false);
        }
        answers::ok(&info)
    }

    /// The login failures of a person. Of somebody who does not exist, whoever may see everybody is told that there are none.
    fn login_failures(&self) -> Response {
        if !self.rights.view_users() {
            return self.forbidden();
        }
        answers::ok(
            &json!({ "numFailures": 0, "disabled": false, "lastFailure": 0, "lastIPFailure": "n/a" }),
        )
    }

    fn components(&self) -> Response {
        const STORAGE: &str = "org.keycloak.storage.UserStorageProvider";
        if !self.rights.view_realm() {
            return self.forbidden();
        }
        let wanted = self.query.get("type").is_none_or(|kind| kind == STORAGE);
        let list: Vec<Value> = self
            .realm
            .providers
            .iter()
            .filter(|provider| wanted && provider.state != ProviderState::Deleted)
            .map(|provider| {
                let enabled = provider.state != ProviderState::Disabled;
                let imports = provider.kind != ProviderKind::NoImport;
                json!({
                    "id": provider.id,
                    "name": provider.name,
                    "providerId": "ldap",
                    "providerType": STORAGE,
                    "parentId": self.realm.name,
                    "config": {
                        "enabled": [enabled.to_string()],
                        "importEnabled": [imports.to_string()],
                        "bindCredential": ["**********"],
                    },
                })
            })
            .collect();
        answers::ok(&json!(list))
    }

    /// The part of a list that `first` and `max` ask for; a negative `max` means all.
    pub(super) fn page<T>(&self, all: Vec<T>, default_max: usize) -> Vec<T> {
        let number = |name: &str| self.query.get(name)?.parse::<i64>().ok();
        let first = number("first").map_or(0, |first| usize::try_from(first).unwrap_or(0));
        let max = number("max").map_or(default_max, |max| {
            usize::try_from(max).unwrap_or(usize::MAX)
        });
        all.into_iter().skip(first).take(max).collect()
    }
}
