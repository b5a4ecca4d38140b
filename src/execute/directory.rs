//! What may write to Entra, and what goes in and comes out of it. It carries out single steps and knows nothing of plans.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::model::{Address, Language, ObjectId};
use crate::plan::{ClearedNames, NewAccount};
use crate::snapshot::Account;

/// How many things one call may ask for, if it says nothing else: the parts that Graph takes in a batch.
pub const PARTS_PER_BATCH: usize = 20;

/// How many accounts of one group are added together: the members that Graph takes in one `members@odata.bind`, and
/// answers 400 above.
pub const MEMBERS_PER_SET: usize = 20;

/// How many such sets one call may ask for: beyond five in a batch, Graph was seen to answer "Service Unavailable",
/// and Microsoft's own group synchronisation stays at five.
pub const SETS_PER_BATCH: usize = 5;

/// What may write to Entra. Each call is one step of work: the results come in the order of what was asked, one for each.
pub trait Directory {
    /// Invites people, at most [`PARTS_PER_BATCH`].
    fn invite(
        &self,
        invitations: &[Invitation],
    ) -> impl Future<Output = Vec<Result<Invited, WriteError>>> + Send;
    /// Shows accounts that invitations of these addresses were answered with, at most 200. Those that are not there yet are left out; of
    /// those that cannot be shown, it says why.
    fn look(
        &self,
        invited: &[(ObjectId, Address)],
    ) -> impl Future<Output = BTreeMap<ObjectId, Result<Account, String>>> + Send;
    /// Updates accounts, at most [`PARTS_PER_BATCH`].
    fn update(
        &self,
        updates: &[AccountUpdate],
    ) -> impl Future<Output = Vec<Result<Written, WriteError>>> + Send;
    /// Adds accounts to groups: at most [`SETS_PER_BATCH`] sets of at most [`MEMBERS_PER_SET`] of one group.
    fn add(
        &self,
        memberships: &[Membership],
    ) -> impl Future<Output = Vec<Result<Written, WriteError>>> + Send;
    /// Removes accounts from groups, at most [`PARTS_PER_BATCH`].
    fn remove(
        &self,
        memberships: &[Membership],
    ) -> impl Future<Output = Vec<Result<Written, WriteError>>> + Send;
    /// How much longer it asked to be left alone, if it did.
    fn paused_for(&self) -> Option<Duration> {
        None
    }
}

/// Somebody to invite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// The address.
    pub email: Address,
    /// What the account is to get. Graph takes the display name and the user type with the invitation; the other names
    /// need an update afterwards.
    pub set: NewAccount,
    /// Where the person lands after accepting.
    pub redirect_url: String,
    /// Whether Microsoft sends a mail.
    pub send_email: bool,
    /// What the mail says besides Microsoft's own words, if anything.
    pub message: Option<String>,
    /// The language of Microsoft's own words; `None` leaves it to Microsoft.
    pub language: Option<Language>,
    /// Who gets a copy of the mail, if anybody.
    pub cc: Option<Address>,
}

/// An accepted invitation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invited {
    /// The account that it made, or that existed.
    pub account: ObjectId,
    /// How it went through.
    pub written: Written,
}

/// An account to update; fields that are `None` stay as they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountUpdate {
    /// The account.
    pub account: ObjectId,
    /// The new values.
    pub set: NewAccount,
    /// The names that the account has no longer.
    pub cleared: ClearedNames,
    /// The account was made for this plan, so that "does not exist" may mean "not yet".
    pub is_new: bool,
}

impl AccountUpdate {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.set.is_empty() && self.cleared == ClearedNames::default()
    }
}

/// An account and a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// The group.
    pub group: ObjectId,
    /// The account.
    pub account: ObjectId,
    /// The account was made for this plan, so that "does not exist" may mean "not yet".
    pub is_new: bool,
}

/// A write that went through.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Written {
    /// Graph's id of the request.
    pub request_id: Option<String>,
    /// How often it was tried.
    pub attempts: u32,
    /// Entra was so already.
    pub was_so_already: bool,
}

/// A write that did not go through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteError {
    /// What that means for the rest.
    pub kind: WriteErrorKind,
    /// Whether it may have been carried out all the same, by this try or an earlier one.
    pub is_uncertain: bool,
    /// What Graph answered and what to do next, as a sentence or two.
    pub message: String,
    /// Graph's id of the request.
    pub request_id: Option<String>,
    /// How often it was tried.
    pub attempts: u32,
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// What a failed write means for the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteErrorKind {
    /// This change cannot be made; others can.
    Refused,
    /// Whether it was made is not known, and a look-up did not tell.
    Unknown,
    /// Nothing else would go through either: the login or a permission for everything is gone, or Graph asks to come back
    /// much later.
    StopsTheRun,
}
