//! Says in a sentence or two why a write did not go through and what to do next, and what it means for the rest of a run.

use super::batch::Outcome;
use super::failure::Failure;
use super::meaning::{Meaning, Operation, meaning};
use super::permissions::{CHANGE_MEMBERS, INVITE, Permission, UPDATE_ACCOUNTS};
use super::refusal::Refusal;
use super::token::Who;
use crate::execute::{WriteError, WriteErrorKind};
use crate::http::{self, ErrorKind};
use crate::model::ObjectId;

/// What a failed write was about.
#[derive(Debug, Clone, Copy)]
pub(super) struct About<'a> {
    /// What was asked for.
    pub(super) operation: Operation,
    /// The account, where there is one already.
    pub(super) account: Option<&'a ObjectId>,
    /// The group, where there is one.
    pub(super) group: Option<&'a ObjectId>,
    /// The account was made for this plan.
    pub(super) is_new: bool,
}

/// Who writes.
#[derive(Debug, Clone, Copy)]
pub(super) struct By<'a> {
    /// An app or a person.
    pub(super) who: Who<'a>,
    /// Whether an app has the permission for what was asked, where that is known.
    pub(super) has_permission: Option<bool>,
}

/// The permission that a write needs.
pub(super) fn permission_for(operation: Operation) -> Option<&'static Permission> {
    match operation {
        Operation::Invite => Some(&INVITE),
        Operation::Update => Some(&UPDATE_ACCOUNTS),
        Operation::Add | Operation::Remove => Some(&CHANGE_MEMBERS),
        // What it needs depends on what is read, which whoever reads knows.
        Operation::Read => None,
    }
}

/// Turns the outcome of a write that did not go through into an error to report.
pub(super) fn write_error(
    about: About<'_>,
    by: By<'_>,
    outcome: &Outcome,
    failure: &Failure,
) -> WriteError {
    let (kind, message) = match failure {
        Failure::Refused(refusal) => refused(about, by, refusal),
        Failure::Login(_) => (WriteErrorKind::StopsTheRun, failure.to_string()),
        Failure::NoAnswer(error) => unanswered(error),
        Failure::Garbled(_) | Failure::Missing => (
            WriteErrorKind::Unknown,
            format!(
                "{failure}, so whether it was carried out is not known; running the same command again is safe"
            ),
        ),
        Failure::MemberGone(_) | Failure::Withheld => {
            (WriteErrorKind::Refused, failure.to_string())
        }
    };
    let is_uncertain = kind == WriteErrorKind::Unknown || outcome.after_unknown;
    let message = if is_uncertain && kind != WriteErrorKind::Unknown {
        format!("{message} (whether an earlier try was carried out is not known)")
    } else {
        message
    };
    WriteError {
        kind,
        is_uncertain,
        message,
        request_id: outcome.request_id.clone(),
        attempts: outcome.attempts,
    }
}

fn unanswered(error: &http::Error) -> (WriteErrorKind, String) {
    match error.kind {
        ErrorKind::NotSent => (WriteErrorKind::StopsTheRun, error.to_string()),
        ErrorKind::ComeBackLater(_) => (
            WriteErrorKind::StopsTheRun,
            format!("{error}; run the same command again then"),
        ),
        ErrorKind::AnswerLost | ErrorKind::TooLarge => (
            WriteErrorKind::Unknown,
            format!(
                "{error}; whether it was carried out is not known, and running the same command again is safe"
            ),
        ),
    }
}

fn refused(about: About<'_>, by: By<'_>, refusal: &Refusal) -> (WriteErrorKind, String) {
    let meaning = meaning(about.operation, refusal);
    let kind = match &meaning {
        Meaning::TokenRefused | Meaning::AppUnknown | Meaning::Throttled => {
            WriteErrorKind::StopsTheRun
        }
        Meaning::PermissionMissing if is_for_everything(about.operation, by) => {
            WriteErrorKind::StopsTheRun
        }
        Meaning::Unavailable | Meaning::NotTried => WriteErrorKind::Unknown,
        _ => WriteErrorKind::Refused,
    };
    let advice = advice(about, by, &meaning);
    let message = match (&meaning, advice) {
        (Meaning::Unavailable | Meaning::NotTried, _) => format!(
            "Graph failed ({refusal}), so whether it was carried out is not known; running the same command again is safe"
        ),
        (Meaning::Throttled, _) => {
            format!(
                "Graph keeps throttling ({refusal}); run the same command again in some minutes"
            )
        }
        (_, Some(advice)) => format!("Graph refused it ({refusal}); {advice}"),
        (_, None) => format!("Graph refused it ({refusal})"),
    };
    (kind, message)
}

/// Without the permission nothing of the kind goes through. An app that has it, or whose token is opaque, may have met one
/// object that needs more; only invitations have no object.
fn is_for_everything(operation: Operation, by: By<'_>) -> bool {
    match by.has_permission {
        Some(has) => !has || operation == Operation::Invite,
        None => operation == Operation::Invite,
    }
}

fn advice(about: About<'_>, by: By<'_>, meaning: &Meaning) -> Option<String> {
    let who = by.who;
    let advice = match meaning {
        Meaning::TokenRefused => "a new token was not accepted either".to_owned(),
        Meaning::AppUnknown => {
            format!("the tenant has no enterprise application of {who} any more")
        }
        Meaning::PermissionMissing if by.has_permission != Some(true) || about.operation == Operation::Invite => {
            who.needs(permission_for(about.operation)?)
        }
        Meaning::PermissionMissing if about.operation == Operation::Update => {
            "the app has the permission, so the account may hold an administrator role or be in a restricted management \
             administrative unit; an administrator has to change it"
                .to_owned()
        }
        Meaning::PermissionMissing => {
            "the app has the permission, so the group may be role-assignable or in a restricted management administrative \
             unit; an administrator has to change it"
                .to_owned()
        }
        Meaning::InvitationsForbidden => {
            "an administrator has to allow invitations (External Identities, collaboration settings); where only inviters may \
             invite, the permission User.Invite.All is enough"
                .to_owned()
        }
        Meaning::CrossTenantBlocked => {
            "administrators of both organisations have to allow it (External Identities, cross-tenant access settings)".to_owned()
        }
        Meaning::AccountExists(Some(id)) => format!(
            "the address belongs to account {id}; let `users.match` find that account by it, or take the address off it"
        ),
        Meaning::AccountExists(None) => {
            "an account of the tenant has this address; let `users.match` find it, or take the address off it".to_owned()
        }
        Meaning::OwnDomain => {
            "people at the tenant's own domains need an account of the tenant and cannot be invited".to_owned()
        }
        Meaning::AddressRefused => "Entra does not take this address; correct it in Keycloak".to_owned(),
        Meaning::NotThere(named) => return not_there(about, named),
        Meaning::NotThereYet if about.is_new => late(),
        Meaning::OnPremises => {
            "it is synchronised from an on-premises directory, where it has to be changed".to_owned()
        }
        Meaning::MailEnabledGroup => {
            "members of mail-enabled security groups and distribution lists are changed in Exchange only".to_owned()
        }
        Meaning::GuestsNotAllowed => {
            "the group takes no guests; make the account a member of the tenant (`users.user_type: Member`) or let the group take guests".to_owned()
        }
        Meaning::QuotaExceeded => "a limit of the directory is reached".to_owned(),
        Meaning::Concurrent => {
            "others kept writing to the tenant at the same moment; run the same command again".to_owned()
        }
        Meaning::NotThereYet
        | Meaning::AlreadyMember
        | Meaning::NotMember
        | Meaning::Throttled
        | Meaning::Unavailable
        | Meaning::NotTried
        | Meaning::Other => return None,
    };
    Some(advice)
}

fn not_there(about: About<'_>, named: &[ObjectId]) -> Option<String> {
    let names = |id: Option<&ObjectId>| id.is_some_and(|id| named.contains(id));
    if names(about.group) {
        Some("the group does not exist any more; plan again".to_owned())
    } else if names(about.account) && about.is_new {
        Some(late())
    } else if names(about.account) {
        Some("the account does not exist any more; plan again".to_owned())
    } else {
        None
    }
}

fn late() -> String {
    "Graph accepted the invitation and does not show the account yet; run the same command again in some minutes, or plan again if somebody has \
     deleted it".to_owned()
}
