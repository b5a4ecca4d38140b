//! The user federation providers of a realm as plain data: which there are, how they bring people in, and how they are.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A user federation provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// The id of its component, which `federationLink` and the middle of `f:…` ids hold.
    pub id: String,
    /// Its name in the admin console.
    pub name: String,
    /// How it brings people in.
    pub kind: ProviderKind,
    /// How it is.
    pub state: ProviderState,
    /// How long one question may take before it counts as failed (`readTimeout`), on versions that obey it.
    #[serde(default = "five_seconds")]
    pub patience: Duration,
    /// The settings that Keycloak last read people under, where they are others than those of a provider that is well. With other
    /// settings it begins with an empty user cache.
    #[serde(default)]
    pub read_under: Option<ProviderState>,
}

/// What current versions were seen to wait without a setting.
fn five_seconds() -> Duration {
    Duration::from_secs(5)
}

impl Provider {
    /// A provider that is well.
    pub fn new(id: &str, name: &str, kind: ProviderKind) -> Self {
        Self {
            id: id.to_owned(),
            name: name.to_owned(),
            kind,
            state: ProviderState::Healthy,
            patience: five_seconds(),
            read_under: None,
        }
    }
}

/// How a provider brings people in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProviderKind {
    /// People are copied into Keycloak, memberships stay in the directory (`importEnabled`, a `READ_ONLY` group mapper): the
    /// usual way.
    ReadOnly,
    /// Nothing is copied (`importEnabled=false`).
    NoImport,
    /// People and memberships are copied (an `IMPORT` group mapper).
    Import,
}

/// How a provider is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProviderState {
    /// Well.
    Healthy,
    /// The LDAP server refuses connections.
    Stopped,
    /// The LDAP server accepts connections and never answers.
    Frozen,
    /// Switched off in Keycloak.
    Disabled,
    /// Deleted in Keycloak.
    Deleted,
    /// The LDAP server refuses the bind.
    WrongBindPassword,
    /// `usersDn` does not exist.
    UsersDnMissing,
    /// `usersDn` exists and holds nobody of these people.
    UsersDnWrong,
    /// The base of the groups exists and holds no groups.
    GroupsDnWrong,
    /// An ACL of the LDAP server hides the members of groups.
    GroupsUnreadable,
    /// The LDAP server returns at most so many entries.
    SizeLimit(usize),
}

impl ProviderState {
    /// What of it is a setting in Keycloak, other than those of a provider that is well. The rest happens to the LDAP server.
    pub(super) fn settings(self) -> Option<Self> {
        match self {
            Self::Disabled
            | Self::Deleted
            | Self::WrongBindPassword
            | Self::UsersDnMissing
            | Self::UsersDnWrong
            | Self::GroupsDnWrong => Some(self),
            Self::Healthy
            | Self::Stopped
            | Self::Frozen
            | Self::GroupsUnreadable
            | Self::SizeLimit(_) => None,
        }
    }
}
