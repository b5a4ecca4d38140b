//! What the configuration asks of the core: mappings, rules and limits, already validated.
//!
//! [`crate::config`] reads these from the configuration file; the core takes them as they are.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::{Address, GroupPath, Language, UserType};

/// Everything in the configuration that the core decides by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The mappings, in the order of the file.
    pub mappings: Vec<Mapping>,
    /// What the operator says about user federation in the realm.
    pub federation: FederationSetting,
    /// How people become accounts.
    pub users: UserRules,
    /// How people are invited.
    pub invitations: InvitationRules,
    /// The safety limits.
    pub limits: Limits,
    /// Object ids, addresses or user principal names of accounts that are never touched, case folded.
    pub protected: Vec<String>,
}

/// One entry of `groups`: a Keycloak group and the Azure group that mirrors it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    /// The Keycloak group.
    pub keycloak: GroupPath,
    /// The Azure group: a display name, or an object id.
    pub azure: String,
    /// Whether members of its sub-groups count too.
    pub subgroups: bool,
    /// Who may be removed.
    pub removals: RemovalPolicy,
    /// Whether the Azure group may end up without members.
    pub allow_empty: bool,
    /// The line of the configuration file that `keycloak` stands on, counted from 1 (0 where there is no file).
    pub keycloak_line: usize,
    /// The line that `azure` stands on.
    pub azure_line: usize,
}

/// Who may be removed from an Azure group. The order is from the most careful on, so that the smallest of several wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RemovalPolicy {
    /// Nobody: members are only ever added.
    None,
    /// Only people whom Keycloak knows.
    Known,
    /// Everyone whom the mapping does not want.
    All,
}

/// What the operator says about user federation (LDAP and the like) in the realm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FederationSetting {
    /// Find out.
    Auto,
    /// There is none.
    None,
    /// There is one, even if none is seen.
    Expected,
}

/// How people become accounts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserRules {
    /// The user type that accounts get; `None` keeps what they have.
    pub user_type: Option<UserType>,
    /// Which accounts are updated.
    pub update: UpdatePolicy,
    /// The template of display names.
    pub display_name: DisplayNameTemplate,
    /// The attributes by which accounts are found, in their order.
    pub match_by: Vec<MatchAttribute>,
    /// Domain in Keycloak → domain in Entra, both case folded.
    pub email_domains: BTreeMap<String, String>,
    /// What becomes of disabled people.
    pub disabled: DisabledPolicy,
    /// What becomes of people whose address Keycloak has not verified.
    pub unverified_email: UnverifiedPolicy,
}

/// Which accounts are updated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UpdatePolicy {
    /// Accounts that came from an invitation.
    Invited,
    /// Every account that is matched.
    All,
    /// None.
    None,
}

/// An attribute of accounts that is compared with a person's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MatchAttribute {
    /// `mail`.
    Mail,
    /// `userPrincipalName`; of a guest also the address inside `…#EXT#@…`.
    UserPrincipalName,
    /// `otherMails`.
    OtherMails,
    /// `proxyAddresses`, without their `smtp:`.
    ProxyAddresses,
}

/// What becomes of the memberships of disabled people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DisabledPolicy {
    /// They do not count.
    Remove,
    /// They count like everybody else.
    Keep,
}

/// What becomes of people whose address Keycloak has not verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UnverifiedPolicy {
    /// They count like everybody else.
    Allow,
    /// They are left exactly as they are, and the plan says so.
    Skip,
}

/// The template of display names: text with the placeholders `{first_name}`, `{last_name}`, `{username}` and `{email}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DisplayNameTemplate(Vec<TemplatePart>);

/// A part of a [`DisplayNameTemplate`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TemplatePart {
    /// Text that stands as it is.
    Text(String),
    /// `{first_name}`.
    FirstName,
    /// `{last_name}`.
    LastName,
    /// `{username}`.
    Username,
    /// `{email}`.
    Email,
}

impl DisplayNameTemplate {
    /// Parses a template; the error says what is allowed.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(open) = rest.find('{') {
            let Some(length) = rest[open..].find('}') else {
                return Err(format!("`{text}` has a `{{` without its `}}`"));
            };
            if open > 0 {
                parts.push(TemplatePart::Text(rest[..open].to_owned()));
            }
            parts.push(match &rest[open + 1..open + length] {
                "first_name" => TemplatePart::FirstName,
                "last_name" => TemplatePart::LastName,
                "username" => TemplatePart::Username,
                "email" => TemplatePart::Email,
                other => {
                    return Err(format!(
                        "`{{{other}}}` is not one of {{first_name}}, {{last_name}}, {{username}}, {{email}}"
                    ));
                }
            });
            rest = &rest[open + length + 1..];
        }
        if !rest.is_empty() {
            parts.push(TemplatePart::Text(rest.to_owned()));
        }
        if parts
            .iter()
            .all(|part| matches!(part, TemplatePart::Text(_)))
        {
            return Err(format!(
                "`{text}` would give everybody the same name: use {{first_name}}, {{last_name}}, {{username}} or {{email}}"
            ));
        }
        Ok(Self(parts))
    }

    /// The parts in their order.
    pub fn parts(&self) -> &[TemplatePart] {
        &self.0
    }
}

/// How people are invited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvitationRules {
    /// Where an invited person lands after accepting; `{tenant_id}` stands for the tenant.
    pub redirect_url: String,
    /// Whether Microsoft sends the person a mail.
    pub send_email: bool,
    /// What the mail says besides Microsoft's own words, if anything.
    pub message: Option<String>,
    /// The language of Microsoft's own words; `None` leaves it to Microsoft.
    pub language: Option<Language>,
    /// Who gets a copy of each mail, if anybody.
    pub cc: Option<Address>,
    /// The domains that may be invited, case folded; empty means any.
    pub allowed_domains: Vec<String>,
}

impl InvitationRules {
    /// Whether people of a domain, case folded, may be invited.
    pub fn allows(&self, domain: &str) -> bool {
        self.allowed_domains.is_empty()
            || self.allowed_domains.iter().any(|allowed| allowed == domain)
    }
}

/// The safety limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Members that one group may lose in one plan.
    pub removals: Limit,
    /// The same as a share of the group's members, in percent; whichever of the two allows more counts, and where one is off, the other alone.
    pub removals_percent: Limit,
    /// Invitations in one plan.
    pub invitations: Limit,
}

/// A safety limit: a number, where 0 forbids, or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "LimitText", into = "LimitText")]
pub enum Limit {
    /// Up to so many.
    AtMost(u32),
    /// Any number.
    Off,
}

/// A [`Limit`] as it is written: a number, or the word `off`.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum LimitText {
    Number(u32),
    Word(String),
}

impl TryFrom<LimitText> for Limit {
    type Error = String;

    fn try_from(text: LimitText) -> Result<Self, String> {
        match text {
            LimitText::Number(number) => Ok(Self::AtMost(number)),
            LimitText::Word(word) if word == "off" => Ok(Self::Off),
            LimitText::Word(word) => {
                Err(format!("`{word}` is neither a number from 0 on nor `off`"))
            }
        }
    }
}

impl From<Limit> for LimitText {
    fn from(limit: Limit) -> Self {
        match limit {
            Limit::AtMost(number) => Self::Number(number),
            Limit::Off => Self::Word("off".to_owned()),
        }
    }
}

impl std::fmt::Display for Limit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::AtMost(number) => write!(f, "{number}"),
            Self::Off => f.write_str("off"),
        }
    }
}
