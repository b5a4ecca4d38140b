//! What a refusal of Graph means. This is the only place that looks at codes and messages: status and code come first, the
//! wording decides only where these are generic, which for memberships and invitations they are.

use super::refusal::Refusal;
use crate::model::ObjectId;

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    /// Reading anything.
    Read,
    /// An invitation.
    Invite,
    /// An update of an account.
    Update,
    /// An addition to a group.
    Add,
    /// A removal from a group.
    Remove,
}

/// What a refusal means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The token was not accepted; a new one may be.
    TokenRefused,
    /// The tenant does not know the app (any more).
    AppUnknown,
    /// A permission is missing, or does not reach this object.
    PermissionMissing,
    /// The tenant does not let apps invite.
    InvitationsForbidden,
    /// Cross-tenant access settings block the invitation.
    CrossTenantBlocked,
    /// Another account has the address.
    AccountExists(Option<ObjectId>),
    /// The address is at a verified domain of the tenant.
    OwnDomain,
    /// Entra does not take the address.
    AddressRefused,
    /// The account is in the group already.
    AlreadyMember,
    /// The account is not in the group.
    NotMember,
    /// Something does not exist; the message names it.
    NotThere(Vec<ObjectId>),
    /// Something does not exist; the message does not name it. Seen shortly after an invitation.
    NotThereYet,
    /// The object is mastered on premises.
    OnPremises,
    /// The group is a mail-enabled security group or a distribution list.
    MailEnabledGroup,
    /// The group takes no guests.
    GuestsNotAllowed,
    /// The group or the account has reached a limit of the directory.
    QuotaExceeded,
    /// Somebody else wrote at the same moment.
    Concurrent,
    /// Too many requests.
    Throttled,
    /// The service failed; the request may have been carried out.
    Unavailable,
    /// The request was not tried because another one in the batch failed.
    NotTried,
    /// Anything else, for good.
    Other,
}

impl Meaning {
    /// Whether the object may only not have reached the server that was asked (facts collected by Terraform's provider and
    /// microsoft-graph-docs-contrib issue 2465). It means this only for objects that are new.
    pub(super) fn may_be_not_yet(&self, account: &ObjectId) -> bool {
        match self {
            Self::NotThere(named) => named.contains(account),
            Self::NotThereYet => true,
            _ => false,
        }
    }
}

/// Returns what a refusal means.
pub(super) fn meaning(operation: Operation, refusal: &Refusal) -> Meaning {
    use Operation::{Add, Invite, Remove};
    let says = |words| refusal.says(words);
    match (refusal.status, refusal.code.as_str()) {
        (429, _) => Meaning::Throttled,
        (424, _) => Meaning::NotTried,
        // A 500 that is about the address; repeating it does not help (microsoft-graph-docs issue 22397).
        (500, _) if operation == Invite && says("unable to find target address") => {
            Meaning::AddressRefused
        }
        (500 | 502 | 503 | 504, _) => Meaning::Unavailable,
        (401, "Authorization_IdentityNotFound") => Meaning::AppUnknown,
        // Invitations answer 401 where everything else answers 403, and name Graph's own app.
        (401, _) if says("insufficient privileges") => Meaning::PermissionMissing,
        (401, _) => Meaning::TokenRefused,
        // The status of this one is not on record.
        (_, "Directory_ObjectNotFound") => Meaning::NotThereYet,
        (_, "Directory_QuotaExceeded") => Meaning::QuotaExceeded,
        (_, "Directory_ConcurrencyViolation") => Meaning::Concurrent,
        (400 | 409, _) if says("concurrent requests") => Meaning::Concurrent,
        (400 | 403, _) if operation == Invite => meaning_of_invitation(refusal),
        (400 | 403, _) if says("cannot update a mail-enabled") => Meaning::MailEnabledGroup,
        (400 | 403, _) if says("on-premises mastered") => Meaning::OnPremises,
        (403, _) if says("not allowed to join") => Meaning::GuestsNotAllowed,
        (403, _) => permission_or_other(refusal),
        (400, _)
            if operation == Add && says("already exist for the following modified properties") =>
        {
            Meaning::AlreadyMember
        }
        (400 | 404, _) if operation == Remove && says("removed object references do not exist") => {
            Meaning::NotMember
        }
        (400, _) if says("one of the objects being referenced do not exist") => {
            Meaning::NotThereYet
        }
        (404, _) if says("does not exist") => Meaning::NotThere(refusal.named_ids()),
        _ => Meaning::Other,
    }
}

fn meaning_of_invitation(refusal: &Refusal) -> Meaning {
    let says = |words| refusal.says(words);
    if says("already exists in the directory") {
        Meaning::AccountExists(refusal.named_ids().into_iter().next())
    } else if says("non-external user already exists") {
        Meaning::AccountExists(None)
    } else if says("verified domain of this directory") {
        Meaning::OwnDomain
    } else if says("cross-tenant access settings") {
        Meaning::CrossTenantBlocked
    } else if says("guest invitations not allowed") {
        Meaning::InvitationsForbidden
    } else if says("email address is invalid") {
        Meaning::AddressRefused
    } else if refusal.status == 403 {
        permission_or_other(refusal)
    } else {
        Meaning::Other
    }
}

fn permission_or_other(refusal: &Refusal) -> Meaning {
    let is_permission = refusal.code == "Authorization_RequestDenied"
        || refusal.says("insufficient privileges")
        || refusal.says("required roles claim")
        || refusal.says("do not have the required permissions");
    if is_permission {
        Meaning::PermissionMissing
    } else {
        Meaning::Other
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_known_refusal_has_its_meaning() {
        use Operation::{Add, Invite, Read, Remove, Update};
        let id: ObjectId = "5b31c38c-2584-42f0-aa47-657fb3a84230".parse().unwrap();
        let not_there = "Resource '5b31c38c-2584-42f0-aa47-657fb3a84230' does not exist or one of its queried reference-property objects are not present.";
        let already = "One or more added object references already exist for the following modified properties: 'members'.";
        let not_member = "One or more removed object references do not exist for the following modified properties: 'members'.";
        let on_premises = "Unable to update the specified properties for on-premises mastered Directory Sync objects or objects currently undergoing migration.";
        let concurrent = "Error due to concurrent requests being made to the tenant. Please wait briefly and retry.";
        let denied = "Insufficient privileges to complete the operation.";
        let blocked = "This invitation is blocked by cross-tenant access settings. Admins in both your organization and the invited user's organization must configure cross-tenant access settings to allow the invitation.";
        let table = [
            (
                Read,
                401,
                "InvalidAuthenticationToken",
                "Access token is empty.",
                Meaning::TokenRefused,
            ),
            (
                Add,
                401,
                "InvalidAuthenticationToken",
                "Access token has expired or is not yet valid.",
                Meaning::TokenRefused,
            ),
            (
                Read,
                401,
                "Authorization_IdentityNotFound",
                "The identity of the calling application could not be established.",
                Meaning::AppUnknown,
            ),
            (
                Read,
                403,
                "Authorization_RequestDenied",
                denied,
                Meaning::PermissionMissing,
            ),
            (
                Read,
                403,
                "",
                "Required roles claim values are not provided.",
                Meaning::PermissionMissing,
            ),
            (
                Update,
                403,
                "Authorization_RequestDenied",
                denied,
                Meaning::PermissionMissing,
            ),
            (
                Invite,
                401,
                "Unauthorized",
                "Insufficient privileges to perform requested operation by the application '00000003-0000-0000-c000-000000000000'. ControllerName=MSGraphInviteAPI, ActionName=CreateInvite, URL absolute path=/api/x/invites",
                Meaning::PermissionMissing,
            ),
            (
                Invite,
                403,
                "Forbidden",
                "Guest invitations not allowed for your company. Contact your company administrator for more details.",
                Meaning::InvitationsForbidden,
            ),
            (
                Invite,
                400,
                "BadRequest",
                blocked,
                Meaning::CrossTenantBlocked,
            ),
            (
                Invite,
                403,
                "Forbidden",
                blocked,
                Meaning::CrossTenantBlocked,
            ),
            (
                Invite,
                400,
                "BadRequest",
                "The invited user already exists in the directory as object ID: 5b31c38c-2584-42f0-aa47-657fb3a84230. They can use that account to sign in to shared apps and resources.",
                Meaning::AccountExists(Some(id.clone())),
            ),
            (
                Invite,
                400,
                "BadRequest",
                "The invited user already exists in the directory as objectID:5b31c38c-2584-42f0-aa47-657fb3a84230, but the account is blocked from signing in.",
                Meaning::AccountExists(Some(id.clone())),
            ),
            (
                Invite,
                400,
                "BadRequest",
                "Non-external user already exists with the given mail address and can't be invited.",
                Meaning::AccountExists(None),
            ),
            (
                Invite,
                400,
                "BadRequest",
                "This user cannot be invited because the domain of the user's email address is a verified domain of this directory.",
                Meaning::OwnDomain,
            ),
            (
                Invite,
                400,
                "BadRequest",
                "The invited user email address is invalid.",
                Meaning::AddressRefused,
            ),
            (
                Invite,
                500,
                "InternalServerError",
                "Unable to find target address",
                Meaning::AddressRefused,
            ),
            (
                Invite,
                500,
                "InternalServerError",
                "Something else",
                Meaning::Unavailable,
            ),
            (
                Invite,
                400,
                "BadRequest",
                "The domain is on the deny list.",
                Meaning::Other,
            ),
            (
                Add,
                400,
                "Request_BadRequest",
                already,
                Meaning::AlreadyMember,
            ),
            (Update, 400, "Request_BadRequest", already, Meaning::Other),
            (
                Remove,
                400,
                "Request_BadRequest",
                not_member,
                Meaning::NotMember,
            ),
            (Add, 400, "Request_BadRequest", not_member, Meaning::Other),
            (
                Remove,
                404,
                "Request_ResourceNotFound",
                not_there,
                Meaning::NotThere(vec![id.clone()]),
            ),
            (
                Add,
                404,
                "Request_ResourceNotFound",
                not_there,
                Meaning::NotThere(vec![id.clone()]),
            ),
            (
                Update,
                404,
                "Request_ResourceNotFound",
                not_there,
                Meaning::NotThere(vec![id]),
            ),
            (
                Update,
                404,
                "Directory_ObjectNotFound",
                "Unable to read the company information from the directory.",
                Meaning::NotThereYet,
            ),
            (
                Add,
                400,
                "Request_BadRequest",
                "The source resource object or one of the objects being referenced do not exist.",
                Meaning::NotThereYet,
            ),
            (
                Update,
                400,
                "Request_BadRequest",
                on_premises,
                Meaning::OnPremises,
            ),
            (
                Add,
                400,
                "Request_BadRequest",
                "Cannot Update a mail-enabled security groups and or distribution list.",
                Meaning::MailEnabledGroup,
            ),
            (
                Add,
                403,
                "Authorization_RequestDenied",
                "Cannot Update a mail-enabled security groups and or distribution list.",
                Meaning::MailEnabledGroup,
            ),
            (
                Add,
                403,
                "Forbidden",
                "Guests users are not allowed to join this Unified Group",
                Meaning::GuestsNotAllowed,
            ),
            (
                Add,
                403,
                "Directory_QuotaExceeded",
                "Unable to perform operation as '121' would exceed the maximum quota count '100' for forward-link 'members'.",
                Meaning::QuotaExceeded,
            ),
            (
                Add,
                409,
                "Directory_ConcurrencyViolation",
                "",
                Meaning::Concurrent,
            ),
            (
                Add,
                400,
                "Request_BadRequest",
                concurrent,
                Meaning::Concurrent,
            ),
            (Invite, 409, "", concurrent, Meaning::Concurrent),
            (
                Read,
                429,
                "TooManyRequests",
                "Please retry again later.",
                Meaning::Throttled,
            ),
            (
                Add,
                503,
                "Request_ThrottledTemporarily",
                "Your request is throttled temporarily. Please try after 10 seconds.",
                Meaning::Unavailable,
            ),
            (Add, 424, "", "", Meaning::NotTried),
            (
                Add,
                400,
                "BadRequest",
                "Write requests are only supported on contained entities",
                Meaning::Other,
            ),
            (
                Read,
                400,
                "Request_UnsupportedQuery",
                "Unsupported Query.",
                Meaning::Other,
            ),
            (
                Update,
                405,
                "Request_BadRequest",
                "Specified HTTP method is not allowed for the request target.",
                Meaning::Other,
            ),
        ];
        for (operation, status, code, message, expected) in table {
            let refusal = Refusal::from_json(
                status,
                &json!({"error": {"code": code, "message": message}}),
                None,
            );
            assert_eq!(
                meaning(operation, &refusal),
                expected,
                "{operation:?} {status} {message}"
            );
        }
    }
}
