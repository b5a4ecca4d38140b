//! Plain data: what the two directories looked like when they were read.
//!
//! A snapshot only exists if its directory was read completely; a read that fails or is cut short is an error of the reader
//! and never an emptier snapshot. So whatever is missing here was missing in the answers, which for Keycloak still proves
//! nothing about a person ([`crate::removal`]).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Serialize;

use crate::model::{GroupPath, KeycloakGroupId, ObjectId, PersonId, ProviderId, UserType};

/// What Keycloak looked like.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeycloakSnapshot {
    /// The mapped groups, by the path that the mappings give.
    pub groups: BTreeMap<GroupPath, KeycloakGroup>,
    /// The user federation providers of the realm (disabled ones too), or `None` where the account may not see them.
    pub components: Option<Vec<FederationProvider>>,
}

/// A group in Keycloak with its direct members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeycloakGroup {
    /// Its id.
    pub id: KeycloakGroupId,
    /// Its path as Keycloak spells it.
    pub path: GroupPath,
    /// Its direct members, each once. Disabled people and service accounts are among them.
    pub members: Vec<Arc<Person>>,
    /// Its sub-groups, read only where a mapping of this group asks for them (empty otherwise).
    pub subgroups: Vec<KeycloakGroup>,
}

impl KeycloakGroup {
    /// The group itself, and below it its sub-groups at every depth where `subgroups` asks for them.
    pub fn tree(&self, subgroups: bool) -> Vec<&KeycloakGroup> {
        let mut tree = vec![self];
        let mut next = 0;
        while subgroups && next < tree.len() {
            tree.extend(&tree[next].subgroups);
            next += 1;
        }
        tree
    }
}

/// A user in Keycloak, as one row of one answer showed them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Person {
    /// The id.
    pub id: PersonId,
    /// The name they log in with.
    pub username: String,
    /// The address as Keycloak has it, if it has one that is not blank.
    pub email: Option<String>,
    /// Whether Keycloak has verified the address.
    pub email_verified: bool,
    /// The first name, if there is one that is not blank.
    pub first_name: Option<String>,
    /// The last name, if there is one that is not blank.
    pub last_name: Option<String>,
    /// Whether they may log in, or could if they were not locked out. People of a federation in trouble can read `false`.
    pub enabled: bool,
    /// Whether Keycloak shows them as disabled because it locked them out after too many failed logins.
    pub locked_out: bool,
    /// The user federation provider they come from (`federationLink`, or the middle of an id `f:PROVIDER:…`).
    pub provider: Option<ProviderId>,
}

impl Person {
    /// Whether this is the user of a client's service account. Keycloak gives these no other mark in a list of members than
    /// their username.
    pub fn is_service_account(&self) -> bool {
        self.username.starts_with("service-account-")
    }

    /// The provider that this row shows at work, if it does. Where a federation is in trouble, all its people can read disabled, and of
    /// somebody who is locked out that is not known.
    pub fn witnessed_provider(&self) -> Option<&ProviderId> {
        let is_witness = self.enabled && !self.locked_out;
        self.provider.as_ref().filter(|_| is_witness)
    }
}

/// A user federation provider of the realm.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FederationProvider {
    /// Its id.
    pub id: ProviderId,
    /// Its name in the admin console.
    pub name: String,
}

/// What Entra looked like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntraSnapshot {
    /// The tenant.
    pub tenant: Tenant,
    /// The mapped groups, each once.
    pub groups: Vec<EntraGroup>,
    /// Which group each mapping's `azure` means.
    pub resolved: BTreeMap<String, ObjectId>,
    /// Every account that has one of the wanted addresses in any attribute that is matched, and every member of the
    /// groups; possibly more. Each once.
    pub accounts: Vec<Account>,
    /// Whether the app may change role-assignable groups (`RoleManagement.ReadWrite.Directory` in its token).
    pub may_manage_role_assignable: bool,
}

impl EntraSnapshot {
    /// The group that a mapping's `azure` means.
    pub fn group(&self, azure: &str) -> Option<&EntraGroup> {
        let id = self.resolved.get(azure)?;
        self.groups.iter().find(|group| group.id == *id)
    }
}

/// The tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant {
    /// Its id.
    pub id: ObjectId,
    /// Its display name.
    pub name: String,
    /// Its verified domains, case folded. Nobody at one of them can be invited.
    pub verified_domains: BTreeSet<String>,
}

/// A group in Entra.
#[expect(
    clippy::struct_excessive_bools,
    reason = "they are Graph's own, and independent of each other"
)]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntraGroup {
    /// Its id.
    pub id: ObjectId,
    /// Its display name.
    pub name: String,
    /// `groupTypes` holds `DynamicMembership`: a rule decides who is a member.
    pub dynamic: bool,
    /// Synchronised from an on-premises directory.
    pub on_premises: bool,
    /// A mail-enabled security group or a distribution list, whose members Graph cannot change.
    pub mail_enabled: bool,
    /// Roles can be assigned to it.
    pub role_assignable: bool,
    /// The user accounts that are direct members.
    pub members: BTreeSet<ObjectId>,
    /// How many members are something else: nested groups, devices, contacts, service principals. Graph v1.0 does not list
    /// all of these.
    pub other_members: usize,
}

/// Why the members of a group cannot be managed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Obstacle {
    /// A rule decides who is in it.
    #[serde(rename = "group_dynamic")]
    Dynamic,
    /// It is synchronised from an on-premises directory.
    #[serde(rename = "group_on_premises")]
    OnPremises,
    /// It is a mail-enabled security group or a distribution list.
    #[serde(rename = "group_mail_enabled")]
    MailEnabled,
    /// Roles can be assigned to it, and the app may not change such groups.
    #[serde(rename = "group_role_assignable")]
    RoleAssignable,
}

impl EntraGroup {
    /// Why the members of this group cannot be managed, if so.
    pub fn obstacle(&self, may_manage_role_assignable: bool) -> Option<Obstacle> {
        if self.dynamic {
            Some(Obstacle::Dynamic)
        } else if self.on_premises {
            Some(Obstacle::OnPremises)
        } else if self.mail_enabled {
            Some(Obstacle::MailEnabled)
        } else if self.role_assignable && !may_manage_role_assignable {
            Some(Obstacle::RoleAssignable)
        } else {
            None
        }
    }
}

/// A user object in Entra.
#[expect(
    clippy::struct_excessive_bools,
    reason = "they are Graph's own, and independent of each other"
)]
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Account {
    /// Its object id.
    pub id: ObjectId,
    /// `userPrincipalName`.
    pub user_principal_name: String,
    /// `mail`.
    pub mail: Option<String>,
    /// `otherMails`.
    pub other_mails: Vec<String>,
    /// `proxyAddresses`, as they come (`SMTP:ann@acme.example`).
    pub proxy_addresses: Vec<String>,
    /// `displayName`.
    pub display_name: Option<String>,
    /// `givenName`.
    pub given_name: Option<String>,
    /// `surname`.
    pub surname: Option<String>,
    /// `userType`, where it is one of the two this program knows.
    pub user_type: Option<UserType>,
    /// `creationType` is `Invitation`.
    pub created_by_invitation: bool,
    /// `createdDateTime`, if it can be read.
    pub created: Option<jiff::Timestamp>,
    /// `externalUserState` is `PendingAcceptance`.
    pub pending: bool,
    /// `accountEnabled`.
    pub enabled: bool,
    /// `onPremisesSyncEnabled`: its attributes are mastered in an on-premises directory.
    pub on_premises: bool,
}

/// An account that was deleted and can be restored, for 30 days.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeletedAccount {
    /// The account as it was before.
    pub account: Account,
    /// When it was deleted, if that is known.
    pub deleted: Option<jiff::Timestamp>,
}

impl Account {
    /// Whether the account came from an invitation. Cross-tenant synchronisation and conversions leave other creation types,
    /// hence the second mark.
    pub fn is_invited(&self) -> bool {
        self.created_by_invitation || self.user_principal_name.to_uppercase().contains("#EXT#")
    }
}

/// An account, with a date that only an audit asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatedAccount {
    /// The account.
    pub account: Account,
    /// `externalUserStateChangeDateTime`: when it was invited, or accepted.
    pub state_changed: Option<jiff::Timestamp>,
}
