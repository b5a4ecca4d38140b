//! What several verdicts say.

use crate::model::ObjectId;

pub(super) const NOT_CLEAR: &str =
    "it is not clear any more whose account this is; plan again to see the problem";

pub(super) const PROTECTED: &str = "the account is protected since the review";

pub(super) const GONE: &str = "the account is gone since the review";

pub(super) const BLOCKED: &str = "a safety limit blocks this group now; plan again to see it";

pub(super) fn account_of(address: &str) -> String {
    format!("the account is that of {address} now")
}

pub(super) fn another_account(id: &ObjectId) -> String {
    format!("the person has another account since the review: {id}")
}

pub(super) fn not_of_invitation(id: &ObjectId) -> String {
    format!(
        "the person has the account {id} since the review, which does not come from an invitation of this address"
    )
}

pub(super) fn unmanageable(group: &str) -> String {
    format!("the members of {group} cannot be managed any more; plan again to see the problem")
}
