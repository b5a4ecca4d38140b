//! What a plan says of those whom it does not cover, or not as they would expect.

use serde::{Deserialize, Serialize};

use super::GroupName;
use crate::model::{Address, ObjectId, PersonId};
use crate::snapshot::Obstacle;

/// Something that kept the plan from covering a person, an account or a group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Problem {
    /// What kind of problem.
    pub code: ProblemCode,
    /// Whom or what it is about, recognisable to a person.
    pub subject: String,
    /// What is the matter, as a sentence that reads on from the subject.
    pub message: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The same for whoever looks it up: two people can be called the same, and choose what they are called.
    #[serde(default, skip_serializing_if = "About::is_nothing")]
    pub about: About,
}

/// Whom and what a problem is about, by what nobody else has.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    /// Addresses, as the changes of the same people have them. What the subject says is about the first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub emails: Vec<String>,
    /// People in Keycloak.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub people: Vec<PersonId>,
    /// An account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<ObjectId>,
    /// The group, or the one that the account is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<GroupName>,
}

impl About {
    /// A person in Keycloak who has an address.
    pub fn person(person: &PersonId, email: &Address) -> Self {
        Self {
            emails: vec![email.to_string()],
            people: vec![person.clone()],
            ..Self::default()
        }
    }

    /// An account that is called by an address.
    pub fn account(account: &ObjectId, email: &str) -> Self {
        Self {
            emails: vec![email.to_owned()],
            account: Some(account.clone()),
            ..Self::default()
        }
    }

    /// A group, and nobody in particular.
    pub fn group(group: &GroupName) -> Self {
        Self {
            group: Some(group.clone()),
            ..Self::default()
        }
    }

    fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

impl ProblemCode {
    /// Whether everybody concerned is left exactly as they are. The others are something to look at beside what the plan
    /// does.
    pub fn leaves_as_is(self) -> bool {
        !matches!(
            self,
            Self::DeletedAccountsHidden
                | Self::OnPremisesAccount
                | Self::NameTooLong
                | Self::AddressMayHaveChanged
                | Self::GroupNotMapped
                | Self::InvitationNotUndone
                | Self::ValueNotRestorable
                | Self::RunCutOff
                | Self::OutcomeNotKnown
                | Self::OtherRunNotUndone
        )
    }
}

impl From<Obstacle> for ProblemCode {
    fn from(obstacle: Obstacle) -> Self {
        match obstacle {
            Obstacle::Dynamic => Self::GroupDynamic,
            Obstacle::OnPremises => Self::GroupOnPremises,
            Obstacle::MailEnabled => Self::GroupMailEnabled,
            Obstacle::RoleAssignable => Self::GroupRoleAssignable,
        }
    }
}

/// What kind of problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProblemCode {
    /// A person has no address.
    NoEmail,
    /// An address that Entra would refuse.
    InvalidEmail,
    /// An address at one of the tenant's own domains, which cannot be invited.
    OwnDomain,
    /// A domain that `invitations.allowed_domains` leaves out.
    DomainNotAllowed,
    /// Two people who count have one address.
    DuplicateEmail,
    /// Two accounts fit one person, or one account fits two people.
    AmbiguousAccount,
    /// The account with the address was deleted and can be restored.
    DeletedAccount,
    /// Entra does not show which accounts were deleted, while somebody is to be invited.
    DeletedAccountsHidden,
    /// Keycloak has not verified the address, and the configuration asks for it.
    UnverifiedEmail,
    /// The account's attributes are mastered on premises.
    OnPremisesAccount,
    /// A name that is longer than Entra allows.
    NameTooLong,
    /// One group invites somebody and loses somebody unknown to Keycloak of the same name.
    AddressMayHaveChanged,
    /// A removal that could not be proved.
    RemovalNotConfirmed,
    /// A rule decides who is in the group.
    GroupDynamic,
    /// The group is synchronised from an on-premises directory.
    GroupOnPremises,
    /// The group is a mail-enabled security group or a distribution list.
    GroupMailEnabled,
    /// Roles can be assigned to the group, and the app may not change such groups.
    GroupRoleAssignable,
    /// The run that is taken back invited somebody.
    InvitationNotUndone,
    /// Something is neither as the run that is taken back left it nor as it was before.
    ChangedSinceRun,
    /// An account had no value where Entra requires one.
    ValueNotRestorable,
    /// The run that is taken back did not come to its end, or has not yet.
    RunCutOff,
    /// Whether the run that is taken back made a change is not known.
    OutcomeNotKnown,
    /// The run that is taken back changed a group that no mapping leads to any more.
    GroupNotMapped,
    /// Another run wrote for the same plan as the run that is taken back.
    OtherRunNotUndone,
}
