//! What the real service has left open: one switch for every fact that could not be verified, or that differs from tenant
//! to tenant. The defaults are the likeliest answers.
//!
//! It holds settings only; the modules that answer ask it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How this tenant and its service behave where that is not certain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Behaviour {
    /// What ids, shuffles and mixed answers are drawn from.
    pub seed: u64,
    /// The moment at which the service's clock reads zero; `Date` headers count from it.
    pub clock_start: jiff::Timestamp,
    /// The login service.
    pub login: LoginBehaviour,
    /// Reads.
    pub reading: ReadingBehaviour,
    /// Writes to accounts and groups.
    pub writing: WritingBehaviour,
    /// Invitations.
    pub inviting: InvitingBehaviour,
    /// `$batch`.
    pub batching: BatchingBehaviour,
    /// How late new objects appear.
    pub replication: Replication,
    /// How much may be asked in which time.
    pub quotas: Quotas,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            seed: 1,
            clock_start: jiff::Timestamp::constant(1_767_600_000, 0),
            login: LoginBehaviour::default(),
            reading: ReadingBehaviour::default(),
            writing: WritingBehaviour::default(),
            inviting: InvitingBehaviour::default(),
            batching: BatchingBehaviour::default(),
            replication: Replication::default(),
            quotas: Quotas::default(),
        }
    }
}

/// How the login service behaves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LoginBehaviour {
    /// What a token looks like from outside.
    pub token: TokenForm,
    /// How long a token is valid.
    pub lifetime: Duration,
    /// Whether `expires_in` comes as a text, as in answers of the older endpoint.
    pub expires_in_as_text: bool,
    /// What time it is for whoever dates an assertion; the time of the machine if not given, because that is what they date it by.
    pub assertion_time: Option<jiff::Timestamp>,
}

impl Default for LoginBehaviour {
    fn default() -> Self {
        Self {
            token: TokenForm::default(),
            lifetime: Duration::from_secs(3599),
            expires_in_as_text: false,
            assertion_time: None,
        }
    }
}

/// What a token looks like from outside. Microsoft documents the tokens for Graph as opaque.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum TokenForm {
    /// A JWT whose claims can be read; `roles` is missing only if the app has none.
    #[default]
    Readable,
    /// A JWT that never has `roles`.
    WithoutRoles,
    /// That of a person for whom an app acts: it has `scp` and not the app's `roles`.
    OfPerson,
    /// Nothing that can be decoded.
    Opaque,
}

/// How reads behave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReadingBehaviour {
    /// Whether texts in filters are compared without regard to case.
    pub filters_ignore_case: bool,
    /// What becomes of a comparison with more than 120 characters.
    pub long_comparison: LongComparison,
    /// How many objects a page holds if `$top` does not say.
    pub default_page: usize,
    /// The largest `$top` that is accepted.
    pub largest_page: usize,
    /// How many objects a page really holds at most, whatever was asked.
    pub page_at_most: Option<usize>,
    /// Whether an empty page with a link to the next comes between any two pages.
    pub empty_pages: bool,
    /// What an app without `Member.Read.Hidden` sees of a group with hidden membership.
    pub hidden_membership: HiddenMembership,
}

impl Default for ReadingBehaviour {
    fn default() -> Self {
        Self {
            filters_ignore_case: true,
            long_comparison: LongComparison::default(),
            default_page: 100,
            largest_page: 999,
            page_at_most: None,
            empty_pages: false,
            hidden_membership: HiddenMembership::default(),
        }
    }
}

/// What becomes of a comparison with more than 120 characters; Microsoft documents the limit and not the answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum LongComparison {
    /// It is refused with 400.
    #[default]
    Refused,
    /// It matches nothing.
    MatchesNothing,
}

/// What an app without `Member.Read.Hidden` sees of a group with hidden membership.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum HiddenMembership {
    /// A refusal with 403.
    #[default]
    Refused,
    /// An empty list, which looks like an empty group.
    Empty,
}

/// How writes to accounts and groups behave.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct WritingBehaviour {
    /// Which right the addition of several members at once needs.
    pub bind_right: BindRight,
    /// What the addition of several members at once costs.
    pub bind_cost: BindCost,
    /// What the removal of somebody who is not a member answers.
    pub not_a_member: NotAMember,
    /// The status with which writes to groups with dynamic membership are refused.
    pub dynamic_group: RefusalStatus,
    /// The status with which writes to mail-enabled groups are refused.
    pub mail_enabled_group: RefusalStatus,
    /// Which writes to one group come too close together.
    pub concurrency: Concurrency,
    /// What these are answered with.
    pub conflict: Conflict,
}

/// Which right `PATCH /groups/{id}` with `members@odata.bind` needs. The documentation page and the permission list contradict
/// each other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum BindRight {
    /// `GroupMember.ReadWrite.All` is enough.
    #[default]
    GroupMember,
    /// It takes `Group.ReadWrite.All` or more.
    Group,
}

/// What `members@odata.bind` costs of the write quota.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum BindCost {
    /// One write, as in Microsoft's table.
    #[default]
    Table,
    /// A third of the members, rounded up, as other tools report.
    ThirdOfMembers,
}

/// What the removal of somebody who is not a member answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum NotAMember {
    /// 404, in the same words as for a missing group.
    #[default]
    NotFound,
    /// 400, "removed object references do not exist".
    BadRequest,
}

/// A status that reports disagree about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum RefusalStatus {
    /// 400.
    #[default]
    BadRequest,
    /// 403.
    Forbidden,
}

/// Which membership writes are refused for coming too close together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Concurrency {
    /// None.
    #[default]
    Accepted,
    /// Every write to a group but the first in one batch.
    OncePerBatch,
    /// Every so many-th membership write.
    EveryNth(u32),
}

/// What writes that came too close together are answered with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Conflict {
    /// 409 `Directory_ConcurrencyViolation`.
    #[default]
    Conflict,
    /// 400 `Request_BadRequest`, with the same words.
    BadRequest,
}

/// How invitations behave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct InvitingBehaviour {
    /// What an app gets that invites somebody as a member.
    pub as_member: MemberInvitation,
    /// What becomes of the address of a guest that was deleted less than 30 days ago.
    pub deleted_guest: DeletedGuest,
    /// What becomes of an address that a contact or another object has.
    pub address_of_contact: ContactAddress,
    /// The status of an invitation that cross-tenant access settings block.
    pub cross_tenant: RefusalStatus,
}

impl Default for InvitingBehaviour {
    fn default() -> Self {
        Self {
            as_member: MemberInvitation::default(),
            deleted_guest: DeletedGuest::default(),
            address_of_contact: ContactAddress::default(),
            cross_tenant: RefusalStatus::Forbidden,
        }
    }
}

/// What an app gets that sends `invitedUserType: Member`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum MemberInvitation {
    /// A member.
    #[default]
    Honoured,
    /// A guest, without a word.
    MakesGuest,
    /// A refusal with 403.
    Refused,
}

/// What becomes of an invitation for the address of a deleted guest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeletedGuest {
    /// A new account.
    #[default]
    NewAccount,
    /// The deleted account comes back.
    Restored,
}

/// What becomes of an invitation for an address that a contact has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ContactAddress {
    /// An account without `proxyAddresses`.
    #[default]
    NoProxyAddresses,
    /// A refusal with 400.
    Refused,
}

/// How `$batch` behaves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "four independent facts, each of them a switch"
)]
pub struct BatchingBehaviour {
    /// Whether the parts of an answer come in another order than they were asked.
    pub shuffled: bool,
    /// Whether the whole answers 424 if a part was throttled, as older documentation says.
    pub throttled_is_424: bool,
    /// Whether the parts spell it `retry-after`.
    pub lower_case_retry_after: bool,
    /// Whether a bad token fails the whole, and not each part for itself.
    pub token_fails_whole: bool,
    /// How a part shows a body that is text.
    pub text_body: TextBody,
    /// How many members the parts of one batch may add before further parts are answered with 503. Microsoft's own service
    /// keeps to 100 and saw 503 at 400; another tool sends 400.
    pub most_links: Option<usize>,
}

impl Default for BatchingBehaviour {
    fn default() -> Self {
        Self {
            shuffled: true,
            throttled_is_424: false,
            lower_case_retry_after: true,
            token_fails_whole: true,
            text_body: TextBody::default(),
            most_links: None,
        }
    }
}

/// How a part of a batch shows a body that is text, such as that of `/users/$count`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum TextBody {
    /// As base64 in a JSON string, as documented for bodies that are not JSON.
    #[default]
    Base64,
    /// As a JSON value if it happens to be one (a count is a number).
    Value,
    /// As a JSON string.
    Text,
}

/// How late new objects appear. Zero is at once.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Replication {
    /// Until an object can be read by its id.
    pub object: Duration,
    /// Until it is in lists and filters, members of groups included.
    pub list: Duration,
    /// Until it can be written to, or added to a group.
    pub write: Duration,
    /// What a write that comes too early is answered with.
    pub not_yet: NotYet,
}

/// What a write to a new object that comes too early is answered with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum NotYet {
    /// 404 `Request_ResourceNotFound`.
    #[default]
    ResourceNotFound,
    /// 404 `Directory_ObjectNotFound`, "unable to read the company information".
    CompanyInformation,
    /// 400, "the source resource object or one of the objects being referenced do not exist".
    SourceResource,
    /// Now this, now that.
    Mixed,
}

/// How much may be asked in which time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Quotas {
    /// Whether there are limits at all.
    pub enabled: bool,
    /// Resource units for this app in this tenant; by the size of the tenant if not given (3,500, 5,000 or 8,000 in 10 s).
    pub resource_units: Option<Limit>,
    /// Writes of this app in this tenant.
    pub writes: Limit,
    /// Writes of all apps in this tenant.
    pub tenant_writes: Limit,
    /// Invitations of all apps in this tenant.
    pub invitations: Limit,
    /// Whether an invitation is a write as well.
    pub invitations_are_writes: bool,
    /// How `Retry-After` says when to come back.
    pub retry_after: RetryAfter,
    /// Whether `x-ms-throttle-limit-percentage` warns from 80 % on.
    pub warn: bool,
}

impl Default for Quotas {
    fn default() -> Self {
        Self {
            enabled: true,
            resource_units: None,
            writes: Limit::new(3_000, 150),
            tenant_writes: Limit::new(18_000, 300),
            invitations: Limit::new(150, 5),
            invitations_are_writes: false,
            retry_after: RetryAfter::default(),
            warn: true,
        }
    }
}

/// So much in such a time: a bucket that is full at first and fills again evenly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    /// What the bucket holds.
    pub size: u32,
    /// The time in which it fills from empty to full.
    pub per: Duration,
}

impl Limit {
    /// So much in so many seconds.
    pub const fn new(size: u32, seconds: u64) -> Self {
        Self {
            size,
            per: Duration::from_secs(seconds),
        }
    }
}

/// How `Retry-After` says when to come back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum RetryAfter {
    /// In whole seconds.
    #[default]
    Seconds,
    /// With a fraction of a second, as in Microsoft's own sample.
    Fraction,
    /// As a date.
    Date,
    /// Not at all.
    Missing,
}
