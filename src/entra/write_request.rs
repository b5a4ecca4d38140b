//! The writes that there are, as requests. Nothing else can be asked of Graph than what is here.

use reqwest::Method;
use serde_json::{Map, Value, json};

use super::batch::Part;
use super::meaning::Operation;
use crate::execute::Invitation;
use crate::model::{Language, ObjectId, UserType};
use crate::plan::{ClearedNames, NewAccount};

/// A write.
#[derive(Debug, Clone, Copy)]
pub(super) enum Write<'a> {
    /// Invites a person.
    Invite(&'a Invitation),
    /// Sets the fields of an account that are `Some`, and takes names away.
    Update {
        account: &'a ObjectId,
        set: &'a NewAccount,
        cleared: ClearedNames,
    },
    /// Adds accounts to a group, all of them or none.
    AddAll {
        group: &'a ObjectId,
        accounts: &'a [&'a ObjectId],
    },
    /// Adds an account to a group.
    AddOne {
        group: &'a ObjectId,
        account: &'a ObjectId,
    },
    /// Removes an account from a group.
    Remove {
        group: &'a ObjectId,
        account: &'a ObjectId,
    },
}

impl Write<'_> {
    /// What is asked for.
    pub(super) fn operation(&self) -> Operation {
        match self {
            Self::Invite(_) => Operation::Invite,
            Self::Update { .. } => Operation::Update,
            Self::AddAll { .. } | Self::AddOne { .. } => Operation::Add,
            Self::Remove { .. } => Operation::Remove,
        }
    }

    /// The request. `base` is the address of Graph with its version, for the references to accounts.
    pub(super) fn part(&self, base: &str) -> Part {
        let (method, path, body) = match self {
            Self::Invite(invitation) => (
                Method::POST,
                "/invitations".to_owned(),
                Some(invitation_body(invitation)),
            ),
            Self::Update {
                account,
                set,
                cleared,
            } => (
                Method::PATCH,
                format!("/users/{account}"),
                Some(Value::Object(account_fields(set, *cleared))),
            ),
            Self::AddAll { group, accounts } => {
                let references: Vec<String> = accounts
                    .iter()
                    .map(|account| reference(base, account))
                    .collect();
                (
                    Method::PATCH,
                    format!("/groups/{group}"),
                    Some(json!({ "members@odata.bind": references })),
                )
            }
            Self::AddOne { group, account } => (
                Method::POST,
                format!("/groups/{group}/members/$ref"),
                Some(json!({ "@odata.id": reference(base, account) })),
            ),
            Self::Remove { group, account } => (Method::DELETE, removal_path(group, account), None),
        };
        Part {
            method,
            path,
            eventual: false,
            body,
            operation: self.operation(),
        }
    }
}

/// The path that stands for a membership. Without its end it would stand for the account, and removing somebody from a group
/// would delete them.
fn removal_path(group: &ObjectId, account: &ObjectId) -> String {
    format!("/groups/{group}/members/{account}/$ref")
}

fn reference(base: &str, account: &ObjectId) -> String {
    format!("{base}/directoryObjects/{account}")
}

fn invitation_body(invitation: &Invitation) -> Value {
    let mut body = Map::new();
    body.insert(
        "invitedUserEmailAddress".to_owned(),
        invitation.email.as_str().into(),
    );
    body.insert(
        "inviteRedirectUrl".to_owned(),
        invitation.redirect_url.as_str().into(),
    );
    body.insert(
        "sendInvitationMessage".to_owned(),
        invitation.send_email.into(),
    );
    if let Some(user_type) = invitation.set.user_type {
        body.insert("invitedUserType".to_owned(), user_type.as_str().into());
    }
    if let Some(name) = &invitation.set.display_name {
        body.insert("invitedUserDisplayName".to_owned(), name.as_str().into());
    }
    if let Some(message) = message_info(invitation) {
        body.insert("invitedUserMessageInfo".to_owned(), message);
    }
    Value::Object(body)
}

/// What the mail is to be like, where that is not left to Microsoft
/// (<https://learn.microsoft.com/graph/api/resources/invitedusermessageinfo>).
fn message_info(invitation: &Invitation) -> Option<Value> {
    let Invitation {
        message,
        language,
        cc,
        ..
    } = invitation;
    let texts = [
        ("customizedMessageBody", message.as_deref()),
        ("messageLanguage", language.as_ref().map(Language::as_str)),
    ];
    let mut info: Map<String, Value> = texts
        .into_iter()
        .filter_map(|(name, text)| Some((name.to_owned(), text?.into())))
        .collect();
    if let Some(address) = cc {
        let recipients = json!([{ "emailAddress": { "address": address } }]);
        info.insert("ccRecipients".to_owned(), recipients);
    }
    (!info.is_empty()).then_some(Value::Object(info))
}

/// The fields of an account that are to be set.
fn account_fields(set: &NewAccount, cleared: ClearedNames) -> Map<String, Value> {
    let NewAccount {
        user_type,
        display_name,
        given_name,
        surname,
    } = set;
    let mut fields: Map<String, Value> = [
        ("userType", user_type.map(UserType::as_str)),
        ("displayName", display_name.as_deref()),
        ("givenName", given_name.as_deref()),
        ("surname", surname.as_deref()),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name.to_owned(), value?.into())))
    .collect();
    for (name, is_cleared) in [
        ("givenName", cleared.given_name),
        ("surname", cleared.surname),
    ] {
        if is_cleared {
            fields.insert(name.to_owned(), Value::Null);
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_removal_takes_the_membership_and_not_the_account() {
        let group: ObjectId = "00000000-0000-4000-8000-00000000000a".parse().unwrap();
        let account: ObjectId = "00000000-0000-4000-8000-00000000000b".parse().unwrap();
        assert_eq!(
            removal_path(&group, &account),
            "/groups/00000000-0000-4000-8000-00000000000a/members/00000000-0000-4000-8000-00000000000b/$ref"
        );
        let part = Write::Remove {
            group: &group,
            account: &account,
        }
        .part("https://graph.example/v1.0");
        assert_eq!(part.method, Method::DELETE);
        assert!(part.path.ends_with("/$ref"));
    }
}
