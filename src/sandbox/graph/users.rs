//! Accounts: lists, counts, single ones, updates and deletion.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::Graph;
use super::account_index::AccountIndex;
use super::call::{Call, Reply};
use super::clock::property_date;
use super::filter::holds;
use super::filter_rules::{Filter, filter_of};
use super::properties::{Object, READ_USERS, Resource, Selection};
use super::refusal::{
    Refusal, directory_bad_request, insufficient_privileges, invalid_value, mastered_on_premises,
    no_such_object,
};
use super::replication::{View, Wish};
use super::world::{Identity, User};

/// What deletes accounts.
pub(super) const DELETE_USERS: &[&str] = &["User.DeleteRestore.All", "User.ReadWrite.All"];

/// What updates any property of an account.
const UPDATE_USERS: &[&str] = &["User.ReadWrite.All", "Directory.ReadWrite.All"];

/// The properties that protect accounts with administrator roles from ordinary apps.
const SENSITIVE: &[&str] = &[
    "accountEnabled",
    "businessPhones",
    "deletedDateTime",
    "identities",
    "mobilePhone",
    "onPremisesImmutableId",
    "otherMails",
    "passwordProfile",
    "userPrincipalName",
];

fn require_read(call: &Call) -> Result<(), Refusal> {
    if call.may(&["User.ReadBasic.All"]) {
        Ok(())
    } else {
        call.require(READ_USERS)
    }
}

impl Graph {
    pub(super) fn list_users(&mut self, call: &Call) -> Result<Reply, Refusal> {
        require_read(call)?;
        let filter = self.user_filter(call)?;
        if filter.is_some() && self.accounts.is_none() {
            self.accounts = Some(AccountIndex::of(&self.world));
        }
        let search = self.accounts.as_ref().zip(filter.as_ref());
        match search.and_then(|(index, filter)| index.candidates(&filter.condition)) {
            None => self.list(call, filter.as_ref(), entries(&self.world.users)),
            Some(ids) => {
                let users = &self.world.users;
                let found = ids.into_iter().filter_map(|id| users.get_key_value(id));
                self.list(call, filter.as_ref(), found.map(entry))
            }
        }
    }

    /// <https://learn.microsoft.com/graph/api/directory-deleteditems-list>: it takes what a list of accounts takes.
    pub(super) fn list_deleted_users(&self, call: &Call) -> Result<Reply, Refusal> {
        call.require(READ_USERS)?;
        let filter = self.user_filter(call)?;
        self.list(call, filter.as_ref(), entries(&self.world.deleted_users))
    }

    fn list<'a>(
        &'a self,
        call: &Call,
        filter: Option<&Filter>,
        users: impl Iterator<Item = (&'a str, &'a User)>,
    ) -> Result<Reply, Refusal> {
        let selection = Selection::of(call, Resource::User)?;
        let context = format!("users{}", Selection::in_context(selection.as_ref()));
        let fits = |user: &User| self.is_listed(call, filter, user);
        self.page(call, &context, users, fits, |user| {
            Object::User(user).render(call, selection.as_ref())
        })
    }

    pub(super) fn count_users(&self, call: &Call) -> Result<Reply, Refusal> {
        require_read(call)?;
        let filter = self.user_filter(call)?;
        let users = self.world.users.values();
        let listed = users.filter(|user| self.is_listed(call, filter.as_ref(), user));
        count_reply(call, listed.count())
    }

    fn user_filter(&self, call: &Call) -> Result<Option<Filter>, Refusal> {
        filter_of(call, Resource::User, &self.world.behaviour.reading)
    }

    fn is_listed(&self, call: &Call, filter: Option<&Filter>, user: &User) -> bool {
        self.has_arrived(&user.id, View::List, call.now)
            && filter.is_none_or(|filter| {
                !filter.matches_nothing
                    && holds(
                        &filter.condition,
                        &|name| Object::User(user).property(name),
                        self.world.behaviour.reading.filters_ignore_case,
                    )
            })
    }

    pub(super) fn get_user(&self, call: &Call, key: &str) -> Result<Reply, Refusal> {
        require_read(call)?;
        let selection = Selection::of(call, Resource::User)?;
        let user = self
            .user_by_key(key)
            .filter(|user| self.has_arrived(&user.id, View::Object, call.now))
            .ok_or_else(|| no_such_object(key))?;
        let mut body = Object::User(user).render(call, selection.as_ref());
        body.insert(
            "@odata.context".to_owned(),
            json!(format!(
                "{}/v1.0/$metadata#users{}/$entity",
                self.base_url,
                Selection::in_context(selection.as_ref())
            )),
        );
        Ok(Reply::json(Value::Object(body)))
    }

    /// The account with this id or user principal name.
    fn user_by_key(&self, key: &str) -> Option<&User> {
        self.world.users.get(&key.to_ascii_lowercase()).or_else(|| {
            self.world
                .users
                .values()
                .find(|user| user.user_principal_name.eq_ignore_ascii_case(key))
        })
    }

    pub(super) fn update_user(&mut self, call: &Call, key: &str) -> Result<Reply, Refusal> {
        let changes = call.object()?;
        require_update(call, &changes)?;
        let user = self.user_by_key(key).ok_or_else(|| no_such_object(key))?;
        let (id, before) = (user.id.clone(), user.clone());
        self.require_arrived(&id, Wish::Update, call.now)?;
        let touches_sensitive = changes
            .keys()
            .any(|name| SENSITIVE.contains(&name.as_str()));
        if before.management_restricted || (before.has_admin_role && touches_sensitive) {
            return Err(insufficient_privileges());
        }
        if before.on_premises_sync_enabled == Some(true) {
            return Err(mastered_on_premises());
        }
        let mut after = before.clone();
        for (name, value) in &changes {
            set_property(&mut after, name, value)?;
        }
        if let Some(index) = &mut self.accounts {
            index.forget(&before);
            index.note(&after);
        }
        self.world.users.insert(id, after);
        Ok(Reply::no_content())
    }

    pub(super) fn delete_user_by_key(&mut self, call: &Call, key: &str) -> Result<Reply, Refusal> {
        call.require(DELETE_USERS)?;
        let user = self.user_by_key(key).ok_or_else(|| no_such_object(key))?;
        let id = user.id.clone();
        self.require_arrived(&id, Wish::Update, call.now)?;
        self.delete_user(call, &id)
    }

    /// Deletes an account, softly, and with it its memberships.
    pub(super) fn delete_user(&mut self, call: &Call, id: &str) -> Result<Reply, Refusal> {
        call.require(DELETE_USERS)?;
        let user = self.world.users.get(id).ok_or_else(|| no_such_object(id))?;
        if user.management_restricted || user.has_admin_role {
            return Err(insufficient_privileges());
        }
        let at = property_date(self.moment(call.now));
        self.world.delete_user(id, &at);
        self.accounts = None;
        Ok(Reply::no_content())
    }
}

fn entries(users: &BTreeMap<String, User>) -> impl Iterator<Item = (&str, &User)> {
    users.iter().map(entry)
}

fn entry<'a>((id, user): (&'a String, &'a User)) -> (&'a str, &'a User) {
    (id, user)
}

/// A count as text, for which the header is needed.
pub(super) fn count_reply(call: &Call, count: usize) -> Result<Reply, Refusal> {
    if call.eventual {
        Ok(Reply::text(count.to_string()))
    } else {
        Err(directory_bad_request("$count is not currently supported."))
    }
}

fn require_update(call: &Call, changes: &Map<String, Value>) -> Result<(), Refusal> {
    let only = |name: &str| !changes.is_empty() && changes.keys().all(|change| change == name);
    let special = [
        ("accountEnabled", "User.EnableDisableAccount.All"),
        ("otherMails", "User-Mail.ReadWrite.All"),
        ("identities", "User.ManageIdentities.All"),
    ];
    if special
        .iter()
        .any(|(name, permission)| only(name) && call.may(&[*permission]))
    {
        return Ok(());
    }
    call.require(UPDATE_USERS)
}

fn set_property(user: &mut User, name: &str, value: &Value) -> Result<(), Refusal> {
    let invalid = || invalid_value(name, "User");
    match name {
        "displayName" => {
            // It cannot be cleared.
            let text = optional_text(name, value, 256)?;
            user.display_name = Some(text.ok_or_else(invalid)?);
        }
        "givenName" => user.given_name = optional_text(name, value, 64)?,
        "surname" => user.surname = optional_text(name, value, 64)?,
        "mailNickname" => user.mail_nickname = optional_text(name, value, 64)?,
        "userType" => {
            user.user_type = match value.as_str() {
                Some(kind @ ("Member" | "Guest")) => Some(kind.to_owned()),
                _ => return Err(invalid()),
            };
        }
        "accountEnabled" => user.account_enabled = value.as_bool().ok_or_else(invalid)?,
        "mail" => {
            let mail = optional_text(name, value, 256)?;
            if !mail.as_deref().is_none_or(str::is_ascii) {
                return Err(invalid());
            }
            set_mail(user, mail);
        }
        "otherMails" => {
            user.other_mails = texts(value)
                .filter(|mails| mails.iter().all(|mail| mail.is_ascii()))
                .ok_or_else(invalid)?;
        }
        "userPrincipalName" => {
            user.user_principal_name = optional_text(name, value, 113)?
                .filter(|name| name.contains('@'))
                .ok_or_else(invalid)?;
        }
        "identities" => {
            user.identities =
                serde_json::from_value::<Vec<Identity>>(value.clone()).map_err(|_| invalid())?;
        }
        _ if READ_ONLY.contains(&name) => {
            return Err(directory_bad_request(format!(
                "Property '{name}' is read-only and cannot be set."
            )));
        }
        _ if Resource::User.has(name) => {
            user.other.insert(name.to_owned(), value.clone());
        }
        _ => {
            // The words are from memory.
            return Err(directory_bad_request(format!(
                "Property '{name}' does not exist as a declared property or extension property."
            )));
        }
    }
    Ok(())
}

const READ_ONLY: &[&str] = &[
    "createdDateTime",
    "creationType",
    "deletedDateTime",
    "externalUserState",
    "externalUserStateChangeDateTime",
    "id",
    "isManagementRestricted",
    "onPremisesSyncEnabled",
    "proxyAddresses",
];

/// A text of at most so many characters, or null. An empty text counts as neither.
fn optional_text(name: &str, value: &Value, longest: usize) -> Result<Option<String>, Refusal> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) if !text.is_empty() && text.chars().count() <= longest => {
            Ok(Some(text.clone()))
        }
        _ => Err(invalid_value(name, "User")),
    }
}

fn texts(value: &Value) -> Option<Vec<String>> {
    value
        .as_array()?
        .iter()
        .map(|item| item.as_str().map(str::to_owned))
        .collect()
}

/// Sets `mail`, and with it the primary one of the proxy addresses.
fn set_mail(user: &mut User, mail: Option<String>) {
    if let Some(mail) = &mail {
        let mut others: BTreeSet<String> = user
            .proxy_addresses
            .iter()
            .map(|address| match address.strip_prefix("SMTP:") {
                Some(former) => format!("smtp:{former}"),
                None => address.clone(),
            })
            .collect();
        others.retain(|address| !address.eq_ignore_ascii_case(&format!("smtp:{mail}")));
        user.proxy_addresses = std::iter::once(format!("SMTP:{mail}"))
            .chain(others)
            .collect();
    }
    user.mail = mail;
}
