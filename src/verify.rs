//! Judges each change of a reviewed plan against a fresh decision: carried out is what the reviewed plan permits and the fresh one
//! still wants, and nothing else.

mod accounts;
mod fields;
mod further;
mod held_back;
mod members;
mod present;
mod sentences;

pub(crate) use self::held_back::hold_back_removals;
pub use self::held_back::{NOT_ADDED, WOULD_BE_EMPTY, invite_nobody_again};

use std::collections::BTreeMap;

use self::further::count_further;
use self::present::Present;
use crate::diff::Decision;
use crate::guard::{check_invitations, limits_in_force};
use crate::matching::{addresses_of, is_protected, values};
use crate::model::{Address, ObjectId};
use crate::plan::{Change, ClearedNames, Invite, NewAccount, Plan};
use crate::report::Outcome;
use crate::settings::MatchAttribute;
use crate::snapshot::Account;

/// What apply decides about the changes of a reviewed plan.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Verification {
    /// One for each change of the plan, in its order.
    pub verdicts: Vec<Verdict>,
    /// The groups that have to keep a member, with how many they have now.
    pub members: BTreeMap<ObjectId, usize>,
    /// How many changes the directories want now that the plan does not hold. They are never carried out.
    pub further_changes: usize,
}

/// What apply decides about one change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is carried out.
    Execute(Task),
    /// It is not, with the outcome that stands already and the reason as the end of a sentence about its object.
    Settled(Outcome, String),
}

/// What is to be written for one change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Task {
    /// Invite a person, then bring the new account to what the invitation says.
    Invite(Box<Invite>),
    /// Update an account. For an invitation: one that an earlier run had accepted, and that lacks the rest.
    Update {
        /// The account.
        account: ObjectId,
        /// The values that change.
        set: NewAccount,
        /// The names that are taken away.
        cleared: ClearedNames,
        /// Whether the account comes from this plan's invitation.
        of_invitation: bool,
    },
    /// Add an account to a group.
    Add {
        /// The group.
        group: ObjectId,
        /// Who.
        member: Member,
    },
    /// Remove an account from a group.
    Remove {
        /// The group.
        group: ObjectId,
        /// The account.
        account: ObjectId,
    },
}

/// Who is added to a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Member {
    /// An account that was there when the plan was made.
    Account(ObjectId),
    /// An account that this plan's invitation made in an earlier run.
    InvitedBefore(ObjectId, Address),
    /// The account that this plan's invitation of the address makes in this run.
    Invited(Address),
}

/// Judges every change of a reviewed plan.
pub fn verify(reviewed: &Plan, fresh: &Decision<'_>) -> Verification {
    let present = Present::new(reviewed, fresh);
    let limits = limits_in_force(&fresh.draft.inputs.settings.limits, &reviewed.overrides);
    let too_many_invitations = check_invitations(reviewed.summary.invite, &limits).is_some();
    let mut invitations = BTreeMap::new();
    let verdicts: Vec<Verdict> = reviewed
        .changes
        .iter()
        .map(|change| match change {
            Change::Invite(invite) => {
                let verdict = match present.judge_invite(invite) {
                    Verdict::Execute(Task::Invite(_)) if too_many_invitations => settled(
                        Outcome::Conflict,
                        "the plan holds more invitations than the configuration allows",
                    ),
                    verdict => verdict,
                };
                invitations.insert(invite.email.clone(), verdict.clone());
                verdict
            }
            Change::Update(update) => present.judge_update(update),
            Change::Add(add) => present.judge_add(add, &invitations),
            Change::Remove(remove) => present.judge_remove(remove),
        })
        .collect();
    let keep_a_member = fresh.draft.groups.iter().filter(|group| !group.allow_empty);
    let members = keep_a_member.map(|group| (group.azure.id.clone(), group.azure.members.len()));
    let mut verification = Verification {
        verdicts,
        members: members.collect(),
        further_changes: count_further(reviewed, fresh),
    };
    hold_back_removals(&reviewed.changes, &mut verification);
    verification
}

/// Returns why the account that an invitation was answered with is not the one that it should have made, if so. Who already has an
/// account under another address gets the new one in addition, and the answer is that account.
pub fn misfit(account: &Account, email: &Address, protected: &[String]) -> Option<String> {
    if !account.is_invited() {
        Some("does not come from an invitation".to_owned())
    } else if is_protected(account, protected) {
        Some("is protected".to_owned())
    } else if !addresses_of(account).contains(email) {
        Some(format!("does not have the address {email}"))
    } else if !is_of_invitation(account, email) {
        Some(format!("has {email} only beside its own address"))
    } else {
        None
    }
}

/// The same of an account that an invitation of a plan was answered with a moment ago: it has to be new as well.
pub fn misfit_of_newcomer(
    account: &Account,
    email: &Address,
    protected: &[String],
    plan: &Plan,
) -> Option<String> {
    let is_older = || !is_since(plan, account);
    misfit(account, email, protected)
        .or_else(|| is_older().then(|| "is older than the plan".to_owned()))
}

/// Whether an account was made after a plan. One that does not say when may be any.
fn is_since(plan: &Plan, account: &Account) -> bool {
    let created = account.created;
    created.is_some_and(|created| plan.is_before(created))
}

/// The account that an invitation made and that Entra does not show yet, as it is going to be.
pub fn account_to_come(email: &Address, id: &ObjectId, now: jiff::Timestamp) -> Account {
    Account {
        id: id.clone(),
        user_principal_name: String::new(),
        mail: Some(email.to_string()),
        other_mails: vec![email.to_string()],
        proxy_addresses: Vec::new(),
        display_name: None,
        given_name: None,
        surname: None,
        user_type: None,
        created_by_invitation: true,
        created: Some(now),
        pending: true,
        enabled: true,
        on_premises: false,
    }
}

/// Whether an account is what an invitation of the address makes: an invitation gives its address to `mail` and the user principal name. An
/// older account that has only been given it as another address since is not the one that was approved.
fn is_of_invitation(account: &Account, address: &Address) -> bool {
    let has_address = |attribute| {
        values(account, attribute)
            .iter()
            .any(|value| value == address.as_str())
    };
    account.is_invited()
        && (has_address(MatchAttribute::Mail) || has_address(MatchAttribute::UserPrincipalName))
}

pub(crate) fn settled(outcome: Outcome, reason: impl Into<String>) -> Verdict {
    Verdict::Settled(outcome, reason.into())
}
