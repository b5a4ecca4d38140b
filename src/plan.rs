//! The plan as data: what reviewers approve and what apply carries out, and nothing else.
//!
//! These types are the plan file's format (version 1.0). The codes and field names are part of it: whoever changes one changes the format.

mod age;
mod change;
pub(crate) mod consistency;
mod digest;
mod problem;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::model::{GroupPath, KeycloakGroupId, ObjectId, ProviderId};
use crate::settings::Limit;

pub use age::UnfitAge;
pub use change::{
    AccountName, Action, Add, Change, ClearedNames, FieldChange, Fields, Invite, NewAccount,
    NewMember, PersonName, RemovalReason, Remove, Update, movements,
};
pub use digest::is_plan_id;
pub use problem::{About, Problem, ProblemCode};

/// The version of the format that this program writes. It reads every version with the same number before the dot.
pub const FORMAT_VERSION: &str = "1.0";

/// A plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// [`FORMAT_VERSION`].
    pub format_version: String,
    /// What kind of plan it is.
    pub kind: PlanKind,
    /// `sha256:` and the digest of everything but `plan_id` and `created_at` ([`Plan::digest`]).
    pub plan_id: String,
    /// The version of the program that made it.
    pub tool_version: String,
    /// When it was made.
    pub created_at: jiff::Timestamp,
    /// Where people come from.
    pub source: Source,
    /// Where accounts are.
    pub target: Target,
    /// The SHA-256 of the configuration file, in hexadecimal.
    pub config_sha256: String,
    /// The run that the plan takes back, for a plan that does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undoes: Option<UndoneRun>,
    /// What was lifted for this plan on the command line.
    pub overrides: Overrides,
    /// The mappings that `--group` chose, or `None` for all.
    pub scope: Option<Vec<ScopeMapping>>,
    /// The totals.
    pub summary: Summary,
    /// The Azure groups, by name.
    pub groups: Vec<PlannedGroup>,
    /// The changes: invitations, then updates, then additions, then removals.
    pub changes: Vec<Change>,
    /// The safety limits that the plan exceeds.
    pub blocks: Vec<Block>,
    /// What kept the plan from covering somebody or something.
    pub problems: Vec<Problem>,
}

impl Plan {
    /// Returns the plan with the `plan_id` that fits its content.
    #[must_use]
    pub fn sealed(mut self) -> Self {
        self.plan_id = self.digest();
        self
    }

    /// Whether a safety limit keeps it from being applied.
    pub fn is_blocked(&self) -> bool {
        !self.blocks.is_empty()
    }
}

/// Returns bytes in hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

/// What kind of plan it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PlanKind {
    /// It brings Entra to what Keycloak says.
    Sync,
    /// It takes back what one run of apply did, whatever Keycloak says.
    Undo,
}

/// The run that a plan takes back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UndoneRun {
    /// Its id, as its report has it.
    pub run_id: String,
    /// The plan that it carried out.
    pub plan_id: String,
    /// What kind of plan that was.
    pub kind: PlanKind,
    /// When it began.
    pub time: jiff::Timestamp,
}

/// Where people come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The Keycloak, as configured, without a slash at its end.
    pub url: String,
    /// The realm.
    pub realm: String,
    /// What is known of user federation in the realm; `None` where nothing is.
    pub federation: Option<Federation>,
}

impl Source {
    /// Whether a Keycloak is this one. `/auth` at the end of the address makes no other: which form answers is probed.
    pub fn is_at(&self, url: &str) -> bool {
        is_same_keycloak(&self.url, url)
    }
}

/// Whether two addresses are of one Keycloak: `/auth` at the end makes no other one, as which form answers is probed.
pub fn is_same_keycloak(one: &str, other: &str) -> bool {
    let without_prefix = |url: &str| url.strip_suffix("/auth").unwrap_or(url).to_owned();
    without_prefix(one) == without_prefix(other)
}

/// What is known of user federation in the realm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Federation {
    /// How it is known.
    pub known_from: FederationSource,
    /// The providers, by id; empty means that there is none (or, where one is declared, that none was seen).
    pub providers: Vec<Provider>,
}

/// How the user federation of a realm is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FederationSource {
    /// The realm's components were read.
    Components,
    /// People of a provider were among those read.
    Seen,
    /// `keycloak_federation` says so.
    Declared,
}

/// A user federation provider.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// Its id.
    pub id: ProviderId,
    /// Its name, where it is known.
    pub name: Option<String>,
}

/// Where accounts are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// The tenant.
    pub tenant_id: ObjectId,
    /// Its display name.
    pub tenant_name: String,
    /// The Graph host, without a slash at its end.
    pub graph_url: String,
}

/// What was lifted for one plan on the command line, so that its reviewers see it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Overrides {
    /// `--max-removals N`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_removals: Option<Limit>,
    /// `--max-removals N%`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_removals_percent: Option<Limit>,
    /// `--max-invitations N`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_invitations: Option<Limit>,
    /// `--allow-empty NAME`: Azure groups, by the name given.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub allow_empty: BTreeSet<String>,
    /// `--without-witness GROUP`: Azure groups, by the name given.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub without_witness: BTreeSet<String>,
}

/// A mapping that `--group` chose.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScopeMapping {
    /// The Keycloak group.
    pub keycloak: GroupPath,
    /// The Azure group.
    pub azure: GroupName,
}

/// The totals of a plan.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Summary {
    /// Invitations.
    pub invite: usize,
    /// Updates.
    pub update: usize,
    /// Additions.
    pub add: usize,
    /// Removals.
    pub remove: usize,
    /// Memberships that are right already.
    pub unchanged: usize,
    /// Problems.
    pub problems: usize,
    /// Blocks.
    pub blocks: usize,
}

impl Summary {
    /// Counts the changes, by what they do. Nothing else is counted.
    pub fn of(changes: &[Change]) -> Self {
        let mut summary = Self::default();
        for change in changes {
            *match change.action() {
                Action::Invite => &mut summary.invite,
                Action::Update => &mut summary.update,
                Action::Add => &mut summary.add,
                Action::Remove => &mut summary.remove,
            } += 1;
        }
        summary
    }

    /// How many changes there are.
    pub fn changes(&self) -> usize {
        self.invite + self.update + self.add + self.remove
    }
}

/// An Azure group by id and name: the id is what is changed, the name is what is reviewed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupName {
    /// Its object id.
    pub id: ObjectId,
    /// Its display name.
    pub name: String,
}

/// A Keycloak group by path and id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeycloakGroupName {
    /// Its path.
    pub path: GroupPath,
    /// Its id.
    pub id: KeycloakGroupId,
}

/// An Azure group in a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedGroup {
    /// The Keycloak groups that are mapped to it.
    pub keycloak: Vec<KeycloakGroupName>,
    /// The Azure group.
    pub azure: GroupName,
    /// User accounts that are members now.
    pub members_before: usize,
    /// User accounts that are members once the plan is carried out.
    pub members_after: usize,
    /// Members that are not users; never touched.
    pub other_members: usize,
}

/// A safety limit that the plan exceeds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Block {
    /// Which limit.
    pub code: BlockCode,
    /// The group that it concerns, where it concerns one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<GroupName>,
    /// The numbers, the limit and the group, as a sentence.
    pub message: String,
    /// The flag of `plan` that lifts it: `--max-removals 30`.
    pub flag: String,
}

/// Which safety limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BlockCode {
    /// A group would lose more members than one plan may take.
    TooManyRemovals,
    /// A group would lose its last member.
    WouldEmptyGroup,
    /// The Keycloak side of a group came back with nobody in it.
    EmptySource,
    /// More invitations than one plan may hold.
    TooManyInvitations,
}
