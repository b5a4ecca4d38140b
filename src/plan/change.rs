//! What a plan does: invitations, updates, additions and removals.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{GroupName, PlanKind};
use crate::model::{Address, GroupPath, Language, ObjectId, PersonId, UserType};

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "lowercase")]
pub enum Change {
    /// Invite a person without an account.
    Invite(Invite),
    /// Update an account.
    Update(Update),
    /// Add an account to a group.
    Add(Add),
    /// Remove an account from a group.
    Remove(Remove),
}

impl Change {
    /// Returns what it does.
    pub fn action(&self) -> Action {
        match self {
            Self::Invite(_) => Action::Invite,
            Self::Update(_) => Action::Update,
            Self::Add(_) => Action::Add,
            Self::Remove(_) => Action::Remove,
        }
    }

    /// By what its object is told from others: no two changes of a plan do the same to one. Who is added is a person, who may not have an
    /// account yet; where Keycloak is not asked, it is an account.
    pub fn identity(&self, kind: PlanKind) -> (&str, &str) {
        match self {
            Self::Invite(invite) => ("", invite.email.as_str()),
            Self::Update(update) => ("", update.account.id.as_str()),
            Self::Add(Add { group, account, .. }) => {
                let by_account = account.id.as_ref().filter(|_| kind == PlanKind::Undo);
                let member = by_account.map_or(account.email.as_str(), ObjectId::as_str);
                (group.id.as_str(), member)
            }
            Self::Remove(remove) => (remove.group.id.as_str(), remove.account.id.as_str()),
        }
    }
}

/// What a change does, as the plan writes it. The order is that in which the changes of one person are carried out: invitations, then
/// updates, then additions, then removals, so that nobody who moves between groups is ever without access.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Invite a person.
    Invite,
    /// Update an account.
    Update,
    /// Add an account to a group.
    Add,
    /// Remove an account from a group.
    Remove,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Invite => "invite",
            Self::Update => "update",
            Self::Add => "add",
            Self::Remove => "remove",
        })
    }
}

/// Returns how many changes add to each group, and how many remove from it.
pub fn movements(changes: &[Change]) -> BTreeMap<&ObjectId, (usize, usize)> {
    let mut movements: BTreeMap<&ObjectId, (usize, usize)> = BTreeMap::new();
    for change in changes {
        match change {
            Change::Add(add) => movements.entry(&add.group.id).or_default().0 += 1,
            Change::Remove(remove) => movements.entry(&remove.group.id).or_default().1 += 1,
            Change::Invite(_) | Change::Update(_) => {}
        }
    }
    movements
}

/// An invitation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Invite {
    /// The person's address.
    pub email: Address,
    /// Who in Keycloak it is.
    pub person: PersonName,
    /// What the new account gets.
    pub set: NewAccount,
    /// Where the person lands after accepting.
    pub redirect_url: String,
    /// Whether Microsoft sends the person a mail.
    pub send_email: bool,
    /// What the mail says besides Microsoft's own words, if anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The language of Microsoft's own words; `None` leaves it to Microsoft.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<Language>,
    /// Who gets a copy of the mail, if anybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cc: Option<Address>,
}

/// A person by id and username.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PersonName {
    /// The id in Keycloak.
    pub id: PersonId,
    /// The username.
    pub username: String,
}

/// What a new account gets; `None` is left to Entra.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewAccount {
    /// The user type.
    pub user_type: Option<UserType>,
    /// The display name, at most 256 characters.
    pub display_name: Option<String>,
    /// The given name, at most 64 characters.
    pub given_name: Option<String>,
    /// The surname, at most 64 characters.
    pub surname: Option<String>,
}

impl NewAccount {
    /// Whether everything is left as it is.
    pub fn is_empty(&self) -> bool {
        let Self {
            user_type,
            display_name,
            given_name,
            surname,
        } = self;
        user_type.is_none() && display_name.is_none() && given_name.is_none() && surname.is_none()
    }
}

/// Names that an update takes away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ClearedNames {
    /// The given name.
    pub given_name: bool,
    /// The surname.
    pub surname: bool,
}

/// An update of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Update {
    /// The account.
    pub account: AccountName,
    /// What changes; at least one field.
    pub fields: Fields,
}

/// An account by id, with what a reviewer knows it by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountName {
    /// Its object id.
    pub id: ObjectId,
    /// The person's address; where Keycloak does not know the account, its own mail or user principal name.
    pub email: String,
    /// Its display name.
    pub display_name: Option<String>,
}

/// The account of an addition.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewMember {
    /// Its object id; `None` means the account that the plan's invitation of this address makes.
    pub id: Option<ObjectId>,
    /// The person's address.
    pub email: Address,
    /// The display name it has, or is to get.
    pub display_name: Option<String>,
}

/// The fields of an update; those that do not change are absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Fields {
    /// The user type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_type: Option<FieldChange<UserType>>,
    /// The display name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<FieldChange<String>>,
    /// The given name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub given_name: Option<FieldChange<String>>,
    /// The surname.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub surname: Option<FieldChange<String>>,
}

impl Fields {
    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        let Self {
            user_type,
            display_name,
            given_name,
            surname,
        } = self;
        user_type.is_none() && display_name.is_none() && given_name.is_none() && surname.is_none()
    }

    /// Returns the fields that get a value, or lose it.
    #[must_use]
    pub fn only(&self, set: &NewAccount, cleared: ClearedNames) -> Self {
        let Self {
            user_type,
            display_name,
            given_name,
            surname,
        } = self;
        let kept = |change: &Option<FieldChange<String>>, is_written: bool| {
            change.clone().filter(|_| is_written)
        };
        Self {
            user_type: user_type.clone().filter(|_| set.user_type.is_some()),
            display_name: kept(display_name, set.display_name.is_some()),
            given_name: kept(given_name, set.given_name.is_some() || cleared.given_name),
            surname: kept(surname, set.surname.is_some() || cleared.surname),
        }
    }
}

/// A value before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldChange<T> {
    /// What the account has.
    pub before: Option<T>,
    /// What it gets. `None` takes the value away, which only the undoing of an update does, and only with names that Entra lets be
    /// absent.
    pub after: Option<T>,
}

/// An addition to a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Add {
    /// The group.
    pub group: GroupName,
    /// Who is added.
    pub account: NewMember,
    /// The Keycloak groups that the person is in.
    pub because: Vec<GroupPath>,
}

/// A removal from a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Remove {
    /// The group.
    pub group: GroupName,
    /// Who is removed.
    pub account: AccountName,
    /// Why.
    pub because: RemovalReason,
}

/// Why somebody is removed. What Keycloak is the reason for is proved ([`crate::removal`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RemovalReason {
    /// The person is disabled in Keycloak.
    Disabled,
    /// The person is in none of the Keycloak groups of the mapping any more.
    LeftGroup,
    /// Nobody in Keycloak has one of the account's addresses.
    UnknownToKeycloak,
    /// The run that is taken back added the account.
    Undo,
}
