//! Accounts that were deleted and can be restored, which Graph lists apart from the others for 30 days.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::accounts::{FIELDS, PAGE, WireAccount, date, has_any};
use super::batch::{Get, Reads};
use super::failure::Failure;
use super::meaning::{Meaning, Operation, meaning};
use super::pages::Entry;
use crate::matching::ALL_ATTRIBUTES;
use crate::model::{Address, ObjectId};
use crate::snapshot::{Account, DeletedAccount};

impl Reads {
    /// Finds the deleted accounts that have one of the addresses anywhere, or `None` where that may not be seen.
    ///
    /// They are listed and not asked for by address: a deletion puts an id before the user principal name, which no filter could know, and
    /// 30 days of deletions are a page or two (<https://learn.microsoft.com/graph/api/directory-deleteditems-list>).
    pub(super) async fn deleted_accounts(
        &self,
        wanted: &BTreeSet<Address>,
    ) -> Result<Option<Vec<DeletedAccount>>, Failure> {
        let list = format!(
            "/directory/deletedItems/microsoft.graph.user?$select={FIELDS},deletedDateTime&$top={PAGE}"
        );
        let entries = match self.list::<WireDeleted>(Get::new(list)).await {
            Ok(entries) => entries,
            Err(failure) if is_forbidden(&failure) => return Ok(None),
            Err(failure) => return Err(failure),
        };
        let mut found = Vec::new();
        for entry in entries.into_values() {
            let deleted = DeletedAccount::try_from(entry)?;
            if has_any(&deleted.account, wanted, &ALL_ATTRIBUTES) {
                found.push(deleted);
            }
        }
        Ok(Some(found))
    }
}

fn is_forbidden(failure: &Failure) -> bool {
    match failure {
        Failure::Refused(refusal) => {
            refusal.status == 403 || meaning(Operation::Read, refusal) == Meaning::PermissionMissing
        }
        _ => false,
    }
}

/// A deleted account as Graph shows it.
#[derive(Deserialize)]
struct WireDeleted {
    #[serde(flatten)]
    account: WireAccount,
    #[serde(rename = "deletedDateTime")]
    deleted: Option<String>,
}

impl Entry for WireDeleted {
    fn id(&self) -> &ObjectId {
        self.account.id()
    }
}

impl TryFrom<WireDeleted> for DeletedAccount {
    type Error = Failure;

    fn try_from(wire: WireDeleted) -> Result<Self, Failure> {
        let mut account = Account::try_from(wire.account)?;
        let id = account.id.as_str().replace('-', "");
        let before = without_prefix(&account.user_principal_name, &id).map(str::to_owned);
        if let Some(before) = before {
            account.user_principal_name = before;
        }
        Ok(Self {
            account,
            deleted: date(wire.deleted),
        })
    }
}

/// The user principal name as it was before the deletion put the id, without its hyphens, before it.
fn without_prefix<'n>(name: &'n str, id: &str) -> Option<&'n str> {
    let (prefix, before) = name.split_at_checked(id.len())?;
    (prefix.eq_ignore_ascii_case(id) && before.contains('@')).then_some(before)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::entra::fixture::{Asked, Fixture, Reply, ok, otherwise, refuse};

    const LIST: &str = "/directory/deletedItems/microsoft.graph.user";
    const ID: &str = "0000abcd-0000-4000-8000-000000000001";

    fn deleted(more: &Value) -> Value {
        let mut account = json!({
            "id": ID, "userPrincipalName": "0000ABCD000040008000000000000001x@acme.onmicrosoft.com",
            "deletedDateTime": "2026-07-01T08:00:00Z",
        });
        for (name, value) in more.as_object().unwrap() {
            account[name] = value.clone();
        }
        account
    }

    async fn asked_about(
        address: &str,
        reply: Reply,
    ) -> (anyhow::Result<Option<Vec<DeletedAccount>>>, Vec<Asked>) {
        let fixture = Fixture::start(move |asked| {
            if asked.is("GET", LIST) {
                reply.clone()
            } else {
                otherwise()
            }
        })
        .await;
        let reader = fixture.connect().await.unwrap();
        let _ = fixture.take_log();
        let wanted = BTreeSet::from([address.parse().unwrap()]);
        let found = reader.deleted_accounts(&wanted).await;
        (found, fixture.take_log())
    }

    #[tokio::test]
    async fn a_deleted_account_is_found_by_any_attribute_in_one_request() {
        for has_it in [
            json!({"mail": "Ann@Partner.example"}),
            json!({"otherMails": ["x@y.example", "ann@partner.example"]}),
            json!({"proxyAddresses": ["smtp:ann@partner.example"]}),
            json!({"userPrincipalName": "0000abcd000040008000000000000001ann@partner.example"}),
            json!({"userPrincipalName": "0000abcd000040008000000000000001ann_partner.example#EXT#@acme.onmicrosoft.com"}),
            // Where the id does not stand before it.
            json!({"userPrincipalName": "ann_partner.example#EXT#@acme.onmicrosoft.com"}),
        ] {
            let others = [deleted(
                &json!({"id": "0000abcd-0000-4000-8000-000000000002"}),
            )];
            let list = others.into_iter().chain([deleted(&has_it)]);
            let list = json!({"value": list.collect::<Vec<_>>()});
            let (found, log) = asked_about("ann@partner.example", ok(list)).await;
            let found = found.unwrap().unwrap();
            let [DeletedAccount { account, deleted }] = found.as_slice() else {
                panic!("{has_it}: {found:?}");
            };
            assert_eq!(account.id.as_str(), ID);
            assert!(!account.user_principal_name.starts_with("0000"), "{has_it}");
            assert_eq!(deleted.unwrap().to_string(), "2026-07-01T08:00:00Z");
            assert_eq!(log.len(), 1);
            assert_eq!(
                log[0].path,
                format!("{LIST}?$select={FIELDS},deletedDateTime&$top=999")
            );
        }
    }

    #[tokio::test]
    async fn a_date_that_cannot_be_read_is_not_known_and_fails_nothing() {
        for odd in [json!("yesterday"), json!(""), json!(null)] {
            let account = deleted(&json!({"mail": "ann@partner.example", "deletedDateTime": odd}));
            let list = ok(json!({"value": [account]}));
            let (found, _) = asked_about("ann@partner.example", list).await;
            let found = found.unwrap().unwrap();
            assert_eq!(found.len(), 1, "{odd}");
            assert_eq!(found[0].deleted, None, "{odd}");
        }
    }

    #[tokio::test]
    async fn whoever_may_not_see_them_does_not_know_and_no_more() {
        for (status, code, message) in [
            (
                403,
                "Authorization_RequestDenied",
                "Insufficient privileges to complete the operation.",
            ),
            (403, "Forbidden", ""),
            (
                401,
                "Unauthorized",
                "Insufficient privileges to perform requested operation",
            ),
        ] {
            let reply = refuse(status, code, message);
            let (found, _) = asked_about("ann@partner.example", reply).await;
            assert_eq!(found.unwrap(), None, "{status} {code}");
        }
    }

    #[tokio::test]
    async fn anything_else_is_an_error_that_says_what_was_read() {
        let list = |more: Value| ok(json!({"value": [deleted(&more)]}));
        for (reply, reason) in [
            (refuse(500, "InternalServerError", "Boom"), "Boom"),
            (
                refuse(400, "Request_UnsupportedQuery", "Unsupported Query."),
                "Unsupported Query",
            ),
            (Reply::Raw(200, "<html>"), "cannot be understood"),
            (ok(json!({})), "value"),
            (list(json!({"id": "../users"})), "object id"),
            (
                list(json!({"userPrincipalName": null})),
                "user principal name",
            ),
            (
                list(json!({"otherMails": "ann@partner.example"})),
                "sequence",
            ),
            (
                ok(json!({"value": [], "@odata.nextLink": "http://evil.example/v1.0/x"})),
                "leads away",
            ),
        ] {
            let (found, _) = asked_about("ann@partner.example", reply).await;
            let error = format!("{:#}", found.unwrap_err());
            assert!(error.contains("read deleted accounts"), "{error}");
            assert!(error.contains(reason), "{error}");
        }
    }
}
