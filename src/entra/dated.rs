//! Every account of the tenant, with since when.

use serde::Deserialize;

use super::accounts::{FIELDS, PAGE, WireAccount, date};
use super::batch::{Get, Reads};
use super::failure::Failure;
use super::pages::Entry;
use crate::model::ObjectId;
use crate::snapshot::DatedAccount;

impl Reads {
    /// Lists every account, by id. Which of them came from an invitation no filter tells: cross-tenant synchronisation leaves another
    /// creation type, and names cannot be searched for what is in their middle.
    pub(super) async fn dated_accounts(&self) -> Result<Vec<DatedAccount>, Failure> {
        let list = format!("/users?$select={FIELDS},externalUserStateChangeDateTime&$top={PAGE}");
        let entries = self.list::<WireDated>(Get::new(list)).await?;
        entries.into_values().map(DatedAccount::try_from).collect()
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireDated {
    #[serde(flatten)]
    account: WireAccount,
    external_user_state_change_date_time: Option<String>,
}

impl Entry for WireDated {
    fn id(&self) -> &ObjectId {
        self.account.id()
    }
}

impl TryFrom<WireDated> for DatedAccount {
    type Error = Failure;

    fn try_from(wire: WireDated) -> Result<Self, Failure> {
        Ok(Self {
            account: wire.account.try_into()?,
            state_changed: date(wire.external_user_state_change_date_time),
        })
    }
}
