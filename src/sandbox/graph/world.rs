//! The tenant as plain data: its domains, apps, policy, accounts and groups.
//!
//! It can be saved and loaded, and tests set up any world by filling in its fields. It answers nothing.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::behaviour::Behaviour;

/// When an account was deleted.
const DELETED: &str = "deletedDateTime";

/// A tenant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct EntraWorld {
    /// The tenant's id.
    pub tenant_id: String,
    /// Its display name.
    pub tenant_name: String,
    /// Its `….onmicrosoft.com` domain, on which guests get their user principal names.
    pub initial_domain: String,
    /// Its other verified domains; the first of them is the default one. Nobody at any of these can be invited.
    pub verified_domains: Vec<String>,
    /// The app registrations that may log in.
    pub apps: Vec<App>,
    /// Who may be invited.
    pub invitation_policy: InvitationPolicy,
    /// The accounts, by id (lower case, as all ids here).
    pub users: BTreeMap<String, User>,
    /// The accounts deleted in the last 30 days, by id.
    pub deleted_users: BTreeMap<String, User>,
    /// The groups, by id.
    pub groups: BTreeMap<String, Group>,
    /// Devices, contacts and service principals, by id.
    pub other_objects: BTreeMap<String, OtherObject>,
    /// The invitations accepted so far, oldest first.
    pub invitations: Vec<IssuedInvitation>,
    /// Calls that are to go wrong, the first that fits first.
    pub faults: Vec<PlannedFault>,
    /// How many objects and tickets were made, from which the next id follows.
    pub objects_made: u64,
    /// How the service behaves where that is not certain.
    pub behaviour: Behaviour,
}

impl Default for EntraWorld {
    /// An empty tenant: no app, account or group.
    fn default() -> Self {
        Self {
            tenant_id: "6f1c1a52-9d0e-4a57-b1c3-2f5e8d7a9b40".to_owned(),
            tenant_name: "Acme".to_owned(),
            initial_domain: "acme.onmicrosoft.com".to_owned(),
            verified_domains: vec!["acme.example".to_owned()],
            apps: Vec::new(),
            invitation_policy: InvitationPolicy::default(),
            users: BTreeMap::new(),
            deleted_users: BTreeMap::new(),
            groups: BTreeMap::new(),
            other_objects: BTreeMap::new(),
            invitations: Vec::new(),
            faults: Vec::new(),
            objects_made: 0,
            behaviour: Behaviour::default(),
        }
    }
}

impl EntraWorld {
    /// Puts an account in.
    pub fn insert_user(&mut self, user: User) {
        self.users.insert(user.id.clone(), user);
    }

    /// Deletes an account, softly, and with it its memberships. The id goes before the user principal name, without its hyphens.
    pub fn delete_user(&mut self, id: &str, at: &str) {
        if let Some(mut user) = self.users.remove(id) {
            let name = format!("{}{}", id.replace('-', ""), user.user_principal_name);
            user.user_principal_name = name;
            user.other.insert(DELETED.to_owned(), at.into());
            self.deleted_users.insert(id.to_owned(), user);
        }
        for group in self.groups.values_mut() {
            group.members.remove(id);
        }
    }

    /// Brings a deleted account back as it was, but for its memberships.
    pub fn restore_user(&mut self, id: &str) {
        if let Some(mut user) = self.deleted_users.remove(id) {
            let prefix = id.replace('-', "");
            let name = user.user_principal_name.strip_prefix(&prefix);
            if let Some(name) = name.map(str::to_owned) {
                user.user_principal_name = name;
            }
            user.other.remove(DELETED);
            self.insert_user(user);
        }
    }

    /// Puts a group in.
    pub fn insert_group(&mut self, group: Group) {
        self.groups.insert(group.id.clone(), group);
    }

    /// Puts another object in.
    pub fn insert_other(&mut self, object: OtherObject) {
        self.other_objects.insert(object.id.clone(), object);
    }

    /// All verified domains, the default one first.
    pub fn domains(&self) -> impl Iterator<Item = &str> {
        let initial = (!self
            .verified_domains
            .iter()
            .any(|domain| domain.eq_ignore_ascii_case(&self.initial_domain)))
        .then_some(self.initial_domain.as_str());
        self.verified_domains
            .iter()
            .map(String::as_str)
            .chain(initial)
    }

    /// Whether a domain is a verified one. A subdomain is verified only if it is listed itself.
    pub fn has_domain(&self, name: &str) -> bool {
        self.domains()
            .any(|domain| domain.eq_ignore_ascii_case(name))
    }
}

/// An app registration with its service principal in the tenant.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct App {
    /// The client id, a GUID.
    pub client_id: String,
    /// The client secret.
    pub client_secret: String,
    /// The secret is right and too old.
    pub secret_expired: bool,
    /// The certificates whose keys may sign its logins, each as PEM.
    pub certificates: Vec<String>,
    /// Whose tokens vouch for it.
    pub federated_credentials: Vec<FederatedCredential>,
    /// Set for what is no app registration but the identity of a machine, which logs in without any of these.
    pub managed_identity: Option<ManagedIdentity>,
    /// The application permissions granted with consent, which is the `roles` claim of its tokens.
    pub roles: BTreeSet<String>,
    /// The service principal is gone: tokens are still given, and Graph does not know whose they are.
    pub service_principal_missing: bool,
}

/// Somebody whose tokens vouch for an app. All three are compared letter by letter.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FederatedCredential {
    /// `iss` of the tokens.
    pub issuer: String,
    /// `sub` of the tokens.
    pub subject: String,
    /// `aud` of the tokens.
    pub audience: String,
}

/// What makes an app the identity of a machine.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ManagedIdentity {
    /// What the machine knows as `IDENTITY_HEADER`.
    pub header: String,
    /// It was assigned by a user, so that it has to be asked for by its client id.
    pub user_assigned: bool,
}

/// Who may be invited, and by whom.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct InvitationPolicy {
    /// `allowInvitesFrom` of the authorization policy.
    pub allow_invites_from: InvitesFrom,
    /// If not empty, the only domains that people may be invited from.
    pub allowed_domains: BTreeSet<String>,
    /// Domains that nobody may be invited from.
    pub denied_domains: BTreeSet<String>,
    /// Domains that cross-tenant access settings block.
    pub cross_tenant_blocked: BTreeSet<String>,
    /// Addresses for which the service fails with "Unable to find target address".
    pub unreachable: BTreeSet<String>,
}

/// Who may invite.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum InvitesFrom {
    /// Everybody.
    #[default]
    Everyone,
    /// Administrators, guest inviters and members.
    AdminsGuestInvitersAndAllMembers,
    /// Administrators and guest inviters; of the apps, those with `User.Invite.All`.
    AdminsAndGuestInviters,
    /// Nobody, apps included.
    None,
}

/// An account.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct User {
    /// `id`, a GUID in lower case.
    pub id: String,
    /// `userPrincipalName`.
    pub user_principal_name: String,
    /// `displayName`.
    pub display_name: Option<String>,
    /// `givenName`.
    pub given_name: Option<String>,
    /// `surname`.
    pub surname: Option<String>,
    /// `mail`.
    pub mail: Option<String>,
    /// `mailNickname`.
    pub mail_nickname: Option<String>,
    /// `otherMails`.
    pub other_mails: Vec<String>,
    /// `proxyAddresses`, with their prefixes.
    pub proxy_addresses: Vec<String>,
    /// `userType`; accounts of old tenants have none.
    pub user_type: Option<String>,
    /// `creationType`: `Invitation` for invited ones, nothing for ordinary ones.
    pub creation_type: Option<String>,
    /// `externalUserState`: `PendingAcceptance` or `Accepted`.
    pub external_user_state: Option<String>,
    /// `externalUserStateChangeDateTime`.
    pub external_user_state_changed: Option<String>,
    /// `accountEnabled`.
    pub account_enabled: bool,
    /// `onPremisesSyncEnabled`; `false` is formerly synchronised, nothing is never.
    pub on_premises_sync_enabled: Option<bool>,
    /// `createdDateTime`.
    pub created: Option<String>,
    /// `identities`.
    pub identities: Vec<Identity>,
    /// The account is in a restricted management administrative unit.
    pub management_restricted: bool,
    /// The account has an administrator role, which protects its sensitive properties.
    pub has_admin_role: bool,
    /// Whatever other properties it has, by their name in Graph.
    pub other: BTreeMap<String, Value>,
}

impl User {
    /// An ordinary account of the tenant with a mailbox.
    pub fn internal(id: &str, user_principal_name: &str, display_name: &str) -> Self {
        Self {
            id: id.to_ascii_lowercase(),
            user_principal_name: user_principal_name.to_owned(),
            display_name: Some(display_name.to_owned()),
            mail: Some(user_principal_name.to_owned()),
            mail_nickname: user_principal_name.split('@').next().map(str::to_owned),
            proxy_addresses: vec![format!("SMTP:{user_principal_name}")],
            user_type: Some("Member".to_owned()),
            account_enabled: true,
            ..Self::default()
        }
    }

    /// A guest as an invitation leaves it, not yet accepted.
    pub fn invited(id: &str, address: &str, initial_domain: &str, display_name: &str) -> Self {
        let nickname = format!("{}#EXT#", address.replace('@', "_"));
        let user_principal_name = format!("{nickname}@{initial_domain}");
        Self {
            id: id.to_ascii_lowercase(),
            display_name: Some(display_name.to_owned()),
            mail: Some(address.to_owned()),
            mail_nickname: Some(nickname),
            other_mails: vec![address.to_owned()],
            proxy_addresses: vec![format!("SMTP:{address}")],
            user_type: Some("Guest".to_owned()),
            creation_type: Some("Invitation".to_owned()),
            external_user_state: Some("PendingAcceptance".to_owned()),
            account_enabled: true,
            identities: vec![Identity {
                sign_in_type: "userPrincipalName".to_owned(),
                issuer: initial_domain.to_owned(),
                issuer_assigned_id: Some(user_principal_name.clone()),
            }],
            user_principal_name,
            ..Self::default()
        }
    }

    /// Whether the account belongs to somebody from elsewhere.
    pub fn is_external(&self) -> bool {
        self.creation_type.as_deref() == Some("Invitation")
            || self.external_user_state.is_some()
            || self.user_principal_name.contains("#EXT#")
    }

    /// Whether the account is a guest.
    pub fn is_guest(&self) -> bool {
        self.user_type.as_deref() == Some("Guest")
    }
}

/// A way to sign in to an account.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Identity {
    /// `signInType`.
    pub sign_in_type: String,
    /// `issuer`.
    pub issuer: String,
    /// `issuerAssignedId`.
    pub issuer_assigned_id: Option<String>,
}

/// A group.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Group {
    /// `id`, a GUID in lower case.
    pub id: String,
    /// `displayName`; not unique.
    pub display_name: String,
    /// `description`.
    pub description: Option<String>,
    /// `mailNickname`.
    pub mail_nickname: String,
    /// `mail`.
    pub mail: Option<String>,
    /// `groupTypes`: `Unified`, `DynamicMembership`.
    pub group_types: Vec<String>,
    /// `mailEnabled`.
    pub mail_enabled: bool,
    /// `securityEnabled`.
    pub security_enabled: bool,
    /// `membershipRule`.
    pub membership_rule: Option<String>,
    /// `membershipRuleProcessingState`: `On` or `Paused`.
    pub membership_rule_processing_state: Option<String>,
    /// `onPremisesSyncEnabled`; `false` is formerly synchronised, nothing is never.
    pub on_premises_sync_enabled: Option<bool>,
    /// `isAssignableToRole`.
    pub is_assignable_to_role: Option<bool>,
    /// `isManagementRestricted`.
    pub is_management_restricted: Option<bool>,
    /// `visibility`: `Public`, `Private`, `HiddenMembership`.
    pub visibility: Option<String>,
    /// `createdDateTime`.
    pub created: Option<String>,
    /// Guests may not be added.
    pub guests_refused: bool,
    /// The largest number of members, if it has one.
    pub member_quota: Option<usize>,
    /// The ids of its direct members: accounts, groups and other objects.
    pub members: BTreeSet<String>,
}

impl Group {
    /// A security group without members.
    pub fn security(id: &str, display_name: &str) -> Self {
        Self {
            id: id.to_ascii_lowercase(),
            display_name: display_name.to_owned(),
            mail_nickname: display_name
                .chars()
                .filter(char::is_ascii_alphanumeric)
                .collect(),
            security_enabled: true,
            created: Some("2024-01-05T08:00:00Z".to_owned()),
            ..Self::default()
        }
    }

    /// The same group with these members.
    #[must_use]
    pub fn with_members<'a>(mut self, members: impl IntoIterator<Item = &'a str>) -> Self {
        self.members
            .extend(members.into_iter().map(str::to_ascii_lowercase));
        self
    }
}

/// An object that is neither an account nor a group.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct OtherObject {
    /// `id`, a GUID in lower case.
    pub id: String,
    /// What it is.
    pub kind: OtherKind,
    /// `displayName`.
    pub display_name: String,
    /// The address of a contact.
    pub mail: Option<String>,
}

/// What an object is that is neither an account nor a group.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum OtherKind {
    /// A device.
    #[default]
    Device,
    /// A mail contact.
    OrgContact,
    /// A service principal. Graph v1.0 does not list these as members.
    ServicePrincipal,
}

/// An invitation that was accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssuedInvitation {
    /// The address.
    pub address: String,
    /// The account's id.
    pub user: String,
    /// The ticket in its redeem link.
    pub ticket: String,
    /// Whether the redeem link still works: a later invitation of the same account ends it.
    pub valid: bool,
    /// Whether Microsoft sent a mail.
    pub mail_sent: bool,
}

/// A call that is to go wrong, alone or as a part of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedFault {
    /// The method; any if not given.
    pub method: Option<String>,
    /// What the path below `/v1.0` must contain.
    pub path_contains: String,
    /// How many such calls go well first.
    pub skip: u32,
    /// How many such calls go wrong then.
    pub times: u32,
    /// The status that they get.
    pub status: u16,
    /// The code of the error.
    pub code: String,
    /// Its message.
    pub message: String,
    /// Its `Retry-After`.
    pub retry_after: Option<String>,
    /// Whether the call has its effect all the same.
    pub after_effect: bool,
}
