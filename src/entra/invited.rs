//! Every account of the tenant that came from an invitation, with since when.

use serde::Deserialize;

use super::accounts::{FIELDS, PAGE, WireAccount};
use super::batch::{Get, Reads};
use super::failure::Failure;
use super::odata::encoded;
use super::pages::Entry;
use crate::model::ObjectId;
use crate::snapshot::InvitedAccount;

impl Reads {
    /// Lists the accounts whose `creationType` is `Invitation`, by id.
    pub(super) async fn invited_accounts(&self) -> Result<Vec<InvitedAccount>, Failure> {
        let filter = encoded("creationType eq 'Invitation'");
        let list = format!(
            "/users?$filter={filter}&$select={FIELDS},createdDateTime,externalUserStateChangeDateTime&$top={PAGE}"
        );
        let entries = self.list::<WireInvited>(Get::new(list)).await?;
        entries
            .into_values()
            .map(InvitedAccount::try_from)
            .collect()
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireInvited {
    #[serde(flatten)]
    account: WireAccount,
    created_date_time: Option<String>,
    external_user_state_change_date_time: Option<String>,
}

impl Entry for WireInvited {
    fn id(&self) -> &ObjectId {
        self.account.id()
    }
}

impl TryFrom<WireInvited> for InvitedAccount {
    type Error = Failure;

    fn try_from(wire: WireInvited) -> Result<Self, Failure> {
        // A date that cannot be read is one that is not known, which counts as long ago.
        let date = |text: Option<String>| text.and_then(|text| text.parse().ok());
        Ok(Self {
            account: wire.account.try_into()?,
            created: date(wire.created_date_time),
            state_changed: date(wire.external_user_state_change_date_time),
        })
    }
}
