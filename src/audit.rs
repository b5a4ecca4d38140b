//! What an auditor asks of the mapped groups: who is in them and why, who is without a reason, who should be and is not, which invitations
//! nobody accepted, and what a run did that is not so any more.
//!
//! It decides nothing: whatever it says was decided for a plan made at the same moment, and is put together here as a record. It changes
//! nothing either.

mod since;
mod view;

use std::collections::BTreeSet;

use serde::Serialize;

use self::since::since_report;
use self::view::View;
use crate::diff::Decision;
use crate::explain::Staying;
use crate::model::{Address, GroupPath, ObjectId, UserType};
use crate::plan::{
    Action, Block, Change, Federation, Fields, GroupName, KeycloakGroupName, PersonName, Problem,
    ProblemCode, RemovalReason, Target, Update,
};
use crate::removal::own_address;
use crate::report::{Realm, Report, Subject};
use crate::snapshot::{Account, DatedAccount, Obstacle};

/// The format of an audit as JSON.
pub const FORMAT_VERSION: &str = "1.0";

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Audit {
    /// [`FORMAT_VERSION`].
    pub format_version: &'static str,
    /// Whether nothing is left to look into.
    pub in_order: bool,
    /// How much there is to look into.
    pub findings: Findings,
    /// After how many days an invitation that nobody accepted is to be looked into.
    pub pending_days: u32,
    /// The mapped Azure groups, by name.
    pub groups: Vec<AuditedGroup>,
    /// Invitations that have not been accepted for so long, the oldest first.
    pub pending: Vec<PendingInvitation>,
    /// Invited accounts in no mapped group that nobody is about to be added by, by address.
    pub unmapped: Vec<UnmappedAccount>,
    /// Accounts whose user type or names a plan made now updates.
    pub updates: Vec<Update>,
    /// What became of what a report says; `None` where none was given.
    pub since: Option<SinceReport>,
    /// The limits that a plan made now would exceed.
    pub blocks: Vec<Block>,
    /// What a plan made now could not cover.
    pub problems: Vec<Problem>,
    /// How much was read.
    pub read: Extent,
    /// What is known of user federation in the realm; `None` where nothing is.
    pub federation: Option<Federation>,
    /// Where it was read, when, and by whom.
    pub evidence: Evidence,
}

/// How much there is to look into, by kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Findings {
    /// Members without a reason, where the configuration does not ask for them to be left.
    pub without_reason: usize,
    /// Memberships that should be and are not.
    pub missing: usize,
    /// Invitations that were not accepted in time.
    pub pending: usize,
    /// Invited accounts in no mapped group that can still be used and are not protected.
    pub unmapped: usize,
    /// Accounts with another user type or other names than they should have.
    pub updates: usize,
    /// What a run did and is not so any more.
    pub changed: usize,
    /// What a report leaves open.
    pub doubts: usize,
    /// Limits that would be exceeded.
    pub blocks: usize,
    /// Problems.
    pub problems: usize,
}

impl Findings {
    fn total(self) -> usize {
        let Self {
            without_reason,
            missing,
            pending,
            unmapped,
            updates,
            changed,
            doubts,
            blocks,
            problems,
        } = self;
        without_reason
            + missing
            + pending
            + unmapped
            + updates
            + changed
            + doubts
            + blocks
            + problems
    }
}

/// Where it was read, when, and by whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// The version of the program.
    pub tool_version: String,
    /// The Keycloak.
    pub source: Realm,
    /// The account that read Keycloak, in words.
    pub keycloak_account: String,
    /// The tenant.
    pub target: Target,
    /// The app that read Entra, by its client id.
    pub app_id: String,
    /// Who ran it, as the environment says; nobody has checked it.
    pub operator: Option<String>,
    /// The digest of the configuration.
    pub config_sha256: String,
    /// When reading began.
    pub began: jiff::Timestamp,
    /// When it had ended.
    pub ended: jiff::Timestamp,
}

/// How much was read, completely.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Extent {
    /// Keycloak groups, with their sub-groups where a mapping asks for them.
    pub keycloak_groups: usize,
    /// People in them.
    pub people: usize,
    /// Azure groups.
    pub azure_groups: usize,
    /// User accounts in them, once for each group.
    pub memberships: usize,
    /// Members that are not users, once for each group. Who is in these was not read.
    pub other_members: usize,
    /// Accounts of the tenant.
    pub accounts: usize,
    /// Those of them that were invited.
    pub invited_accounts: usize,
}

/// An Azure group with everybody who is in it or should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditedGroup {
    /// The group.
    pub azure: GroupName,
    /// The Keycloak groups that are mapped to it.
    pub keycloak: Vec<KeycloakGroupName>,
    /// Why its members cannot be managed, if so.
    pub obstacle: Option<Obstacle>,
    /// Members that are not users; never touched.
    pub other_members: usize,
    /// Who is in it without a reason, by address.
    pub without_reason: Vec<UnreasonedMember>,
    /// Who should be in it and is not, by name.
    pub missing: Vec<MissingMember>,
    /// Who is in it, and why, by address.
    pub members: Vec<ReasonedMember>,
}

/// An account, as far as an auditor knows it by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct AuditedAccount {
    /// The address of its person, or its own.
    pub email: String,
    /// Its object id.
    pub id: ObjectId,
    /// Its display name.
    pub display_name: Option<String>,
    /// Its user type.
    pub user_type: Option<UserType>,
    /// Whether somebody can sign in with it.
    pub enabled: bool,
    /// Whether its invitation has not been accepted.
    pub pending: bool,
}

impl AuditedAccount {
    fn new(account: &Account, email: Option<&Address>) -> Self {
        Self {
            email: email.map_or_else(|| own_address(account), ToString::to_string),
            id: account.id.clone(),
            display_name: account.display_name.clone(),
            user_type: account.user_type,
            enabled: account.enabled,
            pending: account.pending,
        }
    }
}

/// A Keycloak group that somebody is directly in, and the mapping that it counts by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Reason {
    /// The Keycloak group of the mapping.
    pub mapping: GroupPath,
    /// The group that the person is directly in: the same, or one of its sub-groups.
    pub group: GroupPath,
}

/// Somebody who is in the group and should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReasonedMember {
    /// The account.
    pub account: AuditedAccount,
    /// Whose it is.
    pub person: PersonName,
    /// Why.
    pub because: Vec<Reason>,
}

/// Somebody who is in the group and whom no mapping wants there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnreasonedMember {
    /// The account.
    pub account: AuditedAccount,
    /// What becomes of it.
    pub what: Unreasoned,
    /// Whether the configuration asks for it to be left there, so that there is nothing to look into.
    pub as_configured: bool,
}

/// What becomes of a member without a reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unreasoned {
    /// A plan made now removes it, for this reason.
    WouldBeRemoved(RemovalReason),
    /// It stays.
    Stays(Staying),
}

/// Somebody who should be in the group and is not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MissingMember {
    /// What the person is called.
    pub name: String,
    /// The person.
    pub person: PersonName,
    /// Their address as Entra should know it; `None` where they have none that could be used.
    pub email: Option<Address>,
    /// Why they should be.
    pub because: Vec<Reason>,
    /// Why they are not.
    pub what: Missing,
    /// Whether the configuration asks for it, so that there is nothing to look into.
    pub as_configured: bool,
}

/// Why somebody is not in a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Missing {
    /// A plan made now adds them.
    WouldBeAdded,
    /// A plan made now invites them first.
    WouldBeInvited,
    /// Their account is protected, so it is not touched.
    Protected,
    /// The members of the group cannot be managed.
    Unmanaged(Obstacle),
    /// These problems keep the plan from it.
    Problems(BTreeSet<ProblemCode>),
}

/// An invitation that nobody has accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PendingInvitation {
    /// The account.
    pub account: AuditedAccount,
    /// Since when; `None` where Entra does not say.
    pub since: Option<jiff::Timestamp>,
    /// The mapped groups that it is in.
    pub groups: Vec<GroupName>,
}

/// An invited account in no mapped group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnmappedAccount {
    /// The account.
    pub account: AuditedAccount,
    /// When it was made; `None` where Entra does not say.
    pub created: Option<jiff::Timestamp>,
    /// Whether there is nothing to look into.
    pub as_configured: bool,
    /// Why there is nothing to look into; `None` if there is.
    pub no_matter: Option<NoMatter>,
}

/// Why an invited account in no mapped group is no matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NoMatter {
    /// Nobody can sign in with it.
    Disabled,
    /// It is protected.
    Protected,
    /// `invitations.allowed_domains` leaves out every domain that it has an address at: nobody is invited from there, or not any more.
    OtherDomain,
}

/// What became of what the runs of a report did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SinceReport {
    /// The runs that were no dry runs, in their order.
    pub runs: Vec<ReportedRun>,
    /// What the report leaves open.
    pub doubts: Vec<Doubt>,
    /// How much is as the runs left it.
    pub unchanged: usize,
    /// How much is not covered by what was read: groups that are not mapped any more.
    pub not_read: usize,
    /// What is not as the runs left it, in their order.
    pub changed: Vec<Deviation>,
    /// What became of invited accounts after the first of the runs began and by none of them, in the order of time. Entra does not say when
    /// somebody came into a group.
    pub by_others: Vec<Happening>,
}

/// Something that became of an invited account.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Happening {
    /// When.
    pub time: jiff::Timestamp,
    /// Which account.
    pub account: AuditedAccount,
    /// What.
    pub what: Happened,
}

/// What became of an invited account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Happened {
    /// It was made.
    Made,
    /// Its invitation was accepted.
    Accepted,
}

/// A run of a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReportedRun {
    /// Its id.
    pub run_id: String,
    /// The plan that it carried out.
    pub plan_id: String,
    /// When it began.
    pub began: jiff::Timestamp,
}

/// Something that a report leaves open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Doubt {
    /// The run has no end, and no later run of its plan came to one: what was on its way is not in the report.
    NoEnd(ReportedRun),
    /// Whether the run made this change is not known.
    Uncertain(ReportedRun, usize),
}

/// Something that a run did and that is not so any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Deviation {
    /// The run.
    pub run_id: String,
    /// The number of the change in its plan.
    pub change: usize,
    /// What it did.
    pub action: Action,
    /// When.
    pub time: jiff::Timestamp,
    /// Whom it was about.
    pub account: Subject,
    /// The group, for an addition or a removal.
    pub group: Option<GroupName>,
    /// What is so now.
    pub now: Now,
}

/// What is so instead of what a run did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Now {
    /// The account that was added is not in the group.
    NotMember,
    /// The account that was removed is in the group again.
    MemberAgain,
    /// The account is not there.
    NoAccount,
    /// The account has other values than it was given: each as it was given, and as it is.
    OtherValues(Fields),
}

/// What the audit is made from, beside the decision.
#[derive(Debug, Clone, Copy)]
pub struct Material<'a> {
    /// Every account of the tenant.
    pub accounts: &'a [DatedAccount],
    /// The report whose runs are held against what is so now.
    pub since: Option<&'a Report>,
    /// After how many days an invitation that nobody accepted is to be looked into.
    pub pending_days: u32,
}

/// Puts an audit together.
pub fn audit(decision: &Decision<'_>, material: Material<'_>, evidence: Evidence) -> Audit {
    let Material {
        accounts,
        since,
        pending_days,
    } = material;
    let view = View::new(decision);
    let groups: Vec<AuditedGroup> = decision
        .draft
        .groups
        .iter()
        .map(|group| view.audited(group))
        .collect();
    let pending = view.pending(accounts, pending_days, evidence.ended);
    let unmapped = view.unmapped(accounts);
    let since = since.map(|report| since_report(report, &view, accounts));
    let updates: Vec<Update> = decision
        .changes
        .iter()
        .filter_map(|change| match change {
            Change::Update(update) => Some(update.clone()),
            _ => None,
        })
        .collect();
    let findings = Findings {
        without_reason: groups
            .iter()
            .flat_map(|group| &group.without_reason)
            .filter(|member| !member.as_configured)
            .count(),
        missing: groups
            .iter()
            .flat_map(|group| &group.missing)
            .filter(|member| !member.as_configured)
            .count(),
        pending: pending.len(),
        unmapped: unmapped.iter().filter(|it| !it.as_configured).count(),
        updates: updates.len(),
        changed: since.as_ref().map_or(0, |since| since.changed.len()),
        doubts: since.as_ref().map_or(0, |since| since.doubts.len()),
        blocks: decision.blocks.len(),
        problems: decision.problems.len(),
    };
    Audit {
        format_version: FORMAT_VERSION,
        in_order: findings.total() == 0,
        findings,
        pending_days,
        groups,
        pending,
        unmapped,
        updates,
        since,
        blocks: decision.blocks.clone(),
        problems: decision.problems.clone(),
        read: view.extent(accounts),
        federation: decision.federation.clone(),
        evidence,
    }
}
