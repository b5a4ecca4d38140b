//! Finding accounts: by a list of everybody or by filters, whichever takes fewer requests. Both give the same accounts.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde_json::Value;

use super::batch::{BATCH_SIZE, Get, Reads};
use super::batch_answer::Body;
use super::failure::Failure;
use super::odata::{MOST_VALUES, Property, encoded, filters_for, filters_for_beginnings};
use super::pages::{Entries, Entry};
use super::parse_bytes;
use crate::matching::{ALL_ATTRIBUTES, values};
use crate::model::{Address, ObjectId, UserType};
use crate::settings::MatchAttribute;
use crate::snapshot::Account;

/// Every field that is read. Most of them are not there unless they are selected.
pub(super) const FIELDS: &str = "id,userPrincipalName,mail,otherMails,proxyAddresses,displayName,givenName,surname,userType,\
    creationType,createdDateTime,externalUserState,accountEnabled,onPremisesSyncEnabled";

/// The longest page that Graph gives.
pub(super) const PAGE: usize = 999;

/// Accounts by id.
pub(super) type Accounts = BTreeMap<ObjectId, Account>;

/// How accounts are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Strategy {
    /// Everybody is listed, page after page.
    List,
    /// The wanted addresses are asked for, many at once.
    Filters,
}

impl Reads {
    /// Finds every account that has one of the addresses in one of the attributes, and every member. `total` is how many accounts
    /// there are, if that is known. The addresses may still be on their way; where a list is the cheapest way whoever is wanted, it does
    /// not wait for them.
    pub(super) async fn find_accounts(
        &self,
        total: Option<usize>,
        wanted: impl Future<Output = BTreeSet<Address>>,
        attributes: &[MatchAttribute],
        members: &BTreeSet<ObjectId>,
    ) -> Result<Accounts, Failure> {
        let (wanted, found) = if is_list_cheapest(total, attributes, members.len()) {
            let wanted = async { Ok(wanted.await) };
            tokio::try_join!(wanted, self.list_accounts())?
        } else {
            let wanted = wanted.await;
            let filters = filters(&wanted, attributes);
            let found = match cheaper(total, filters.len(), wanted.len(), members.len()) {
                Strategy::List => self.list_accounts().await?,
                Strategy::Filters => self.filter_accounts(filters).await?,
            };
            (wanted, found)
        };
        // Where everybody is a member already, nobody has to be compared.
        let mut accounts: Accounts = found
            .into_iter()
            .filter(|(id, account)| members.contains(id) || has_any(account, &wanted, attributes))
            .collect();
        let unseen: Vec<&ObjectId> = members
            .iter()
            .filter(|id| !accounts.contains_key(*id))
            .collect();
        accounts.extend(self.read_members(&unseen).await?);
        Ok(accounts)
    }

    /// Finds every account that has one of the addresses anywhere.
    pub(super) async fn look_up(&self, addresses: &BTreeSet<Address>) -> Result<Accounts, Failure> {
        let found = self
            .filter_accounts(filters(addresses, &ALL_ATTRIBUTES))
            .await?;
        Ok(found
            .into_iter()
            .filter(|(_, account)| has_any(account, addresses, &ALL_ATTRIBUTES))
            .collect())
    }

    /// Finds every account that has one of the ids, or one of the addresses anywhere, all of them in the same batches.
    pub(super) async fn look_up_either(
        &self,
        ids: &[&ObjectId],
        addresses: &BTreeSet<Address>,
    ) -> Result<Accounts, Failure> {
        let filters = filters(addresses, &ALL_ATTRIBUTES);
        let by_filters = filters.iter().map(|filter| by_filter(filter)).collect();
        let by_ids: Vec<Get> = ids.iter().map(|id| by_id(id)).collect();
        let (lists, answers) = self.list_all_beside(by_filters, &by_ids).await;
        let mut accounts = Accounts::new();
        for found in lists {
            accounts.extend(accounts_in(found?)?);
        }
        accounts.retain(|_, account| has_any(account, addresses, &ALL_ATTRIBUTES));
        for (id, account) in those_there(ids, answers) {
            accounts.insert(id, account?);
        }
        Ok(accounts)
    }

    /// Finds accounts by what their `mail` is, with the fewest requests.
    pub(super) async fn with_mail(
        &self,
        addresses: &BTreeSet<Address>,
    ) -> Result<Accounts, Failure> {
        self.filter_accounts(filters(addresses, &[MatchAttribute::Mail]))
            .await
    }

    /// Reads one account. Lists lag behind more than this does.
    pub(super) async fn account(&self, id: &ObjectId) -> Result<Option<Account>, Failure> {
        match self.get(&by_id(id)).await {
            Ok(answer) => Account::try_from(parse_bytes::<WireAccount>(&answer.body)?).map(Some),
            Err(Failure::Refused(refusal)) if refusal.status == 404 => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Reads accounts by id. Those that do not exist are left out.
    pub(super) async fn accounts(&self, ids: &[&ObjectId]) -> Result<Accounts, Failure> {
        let read = self.each_account(ids).await;
        read.map(|(id, account)| Ok((id, account?))).collect()
    }

    /// Reads accounts that may not be there yet, which are left out. Of those that cannot be read, it says why.
    pub(super) async fn accounts_there(
        &self,
        ids: &[&ObjectId],
    ) -> BTreeMap<ObjectId, Result<Account, String>> {
        let read = self.each_account(ids).await;
        read.map(|(id, account)| (id, account.map_err(|failure| failure.to_string())))
            .collect()
    }

    /// Each of the accounts that exists, or why it cannot be read.
    async fn each_account(
        &self,
        ids: &[&ObjectId],
    ) -> impl Iterator<Item = (ObjectId, Result<Account, Failure>)> {
        let gets: Vec<Get> = ids.iter().map(|id| by_id(id)).collect();
        those_there(ids, self.get_all(&gets).await)
    }

    async fn list_accounts(&self) -> Result<Accounts, Failure> {
        let list = format!("/users?$select={FIELDS}&$top={PAGE}");
        accounts_in(self.list(Get::new(list)).await?)
    }

    async fn filter_accounts(&self, filters: Vec<String>) -> Result<Accounts, Failure> {
        let gets = filters.iter().map(|filter| by_filter(filter)).collect();
        let mut accounts = Accounts::new();
        for found in self.list_all(gets).await {
            accounts.extend(accounts_in(found?)?);
        }
        Ok(accounts)
    }

    /// Reads members that no list showed. Lists lag, so a new account can be a member before it is listed.
    async fn read_members(&self, ids: &[&ObjectId]) -> Result<Accounts, Failure> {
        let accounts = self.accounts(ids).await?;
        match ids.iter().find(|id| !accounts.contains_key(**id)) {
            Some(gone) => Err(Failure::MemberGone((*gone).clone())),
            None => Ok(accounts),
        }
    }
}

/// Asks how many accounts there are. Only with this header does Graph count.
pub(super) fn count_of_accounts() -> Get {
    Get {
        path: "/users/$count".to_owned(),
        eventual: true,
    }
}

/// How many accounts there are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum AccountCount {
    /// So many.
    Known(usize),
    /// Graph does not tell.
    #[default]
    Unknown,
    /// It could not be asked.
    Failed(Failure),
}

impl AccountCount {
    /// Reads the answer, a number as text. In a batch, what is not JSON comes in Base64, or as it is.
    pub(super) fn of(answer: Result<Body, Failure>) -> Self {
        match answer {
            Ok(body) => count_in(&body.value()).map_or(Self::Unknown, Self::Known),
            Err(Failure::Refused(refusal)) if refusal.status == 400 => Self::Unknown,
            Err(failure) => Self::Failed(failure),
        }
    }

    /// The number, if it is known.
    pub(super) fn total(&self) -> Result<Option<usize>, Failure> {
        match self {
            Self::Known(total) => Ok(Some(*total)),
            Self::Unknown => Ok(None),
            Self::Failed(failure) => Err(failure.clone()),
        }
    }
}

fn count_in(body: &Value) -> Option<usize> {
    let number = |text: &str| text.trim_start_matches('\u{feff}').trim().parse().ok();
    match body {
        Value::Number(count) => count.as_u64()?.try_into().ok(),
        // Four digits are Base64 too, of three bytes that are no digits.
        Value::String(text) => {
            let decoded = BASE64_STANDARD.decode(text).ok();
            let decoded = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
            decoded
                .and_then(|decoded| number(&decoded))
                .or_else(|| number(text))
        }
        _ => None,
    }
}

/// Each of the accounts that exists, or why it cannot be read, by what was answered to [`by_id`] of each.
fn those_there(
    ids: &[&ObjectId],
    answers: Vec<Result<Body, Failure>>,
) -> impl Iterator<Item = (ObjectId, Result<Account, Failure>)> {
    ids.iter().zip(answers).filter_map(|(id, answer)| {
        let account = match answer {
            Err(Failure::Refused(refusal)) if refusal.status == 404 => return None,
            answer => answer
                .and_then(|body| body.parse::<WireAccount>())
                .and_then(Account::try_from)
                .and_then(|account| asked_for(id, account)),
        };
        Some(((*id).clone(), account))
    })
}

fn asked_for(id: &ObjectId, account: Account) -> Result<Account, Failure> {
    if account.id == *id {
        Ok(account)
    } else {
        Err(Failure::Garbled(format!(
            "account {id} was asked for and {} came",
            account.id
        )))
    }
}

fn by_id(id: &ObjectId) -> Get {
    Get::new(format!("/users/{id}?$select={FIELDS}"))
}

fn by_filter(filter: &str) -> Get {
    let filter = encoded(filter);
    Get::new(format!(
        "/users?$filter={filter}&$select={FIELDS}&$top={PAGE}"
    ))
}

/// Which strategy takes fewer requests. Members whom nobody wants are not found by filters and cost a part of a batch each.
/// With equal cost, or an unknown number of accounts, the list: what it shows does not depend on how Graph compares.
fn cheaper(total: Option<usize>, filters: usize, wanted: usize, members: usize) -> Strategy {
    let Some(total) = total else {
        return Strategy::List;
    };
    let unwanted_members = members.saturating_sub(wanted);
    let batches = filters.div_ceil(BATCH_SIZE) + unwanted_members.div_ceil(BATCH_SIZE);
    if batches < total.div_ceil(PAGE) {
        Strategy::Filters
    } else {
        Strategy::List
    }
}

/// Whether a list takes no more requests than filters, whoever is wanted: every member who is wanted takes a fifteenth of what fifteen
/// take, and every other member a part of their own.
fn is_list_cheapest(total: Option<usize>, attributes: &[MatchAttribute], members: usize) -> bool {
    let Some(total) = total else { return true };
    let for_fifteen: usize = attributes
        .iter()
        .map(|attribute| filters_for_fifteen(*attribute))
        .sum();
    let parts = (members * for_fifteen.min(MOST_VALUES)).div_ceil(MOST_VALUES);
    total.div_ceil(PAGE) <= parts.div_ceil(BATCH_SIZE)
}

/// How many filters fifteen addresses take to be found in an attribute.
fn filters_for_fifteen(attribute: MatchAttribute) -> usize {
    match attribute {
        MatchAttribute::Mail | MatchAttribute::OtherMails => 1,
        MatchAttribute::UserPrincipalName | MatchAttribute::ProxyAddresses => 2,
    }
}

/// The filters that find every account with one of the addresses in one of the attributes.
fn filters(wanted: &BTreeSet<Address>, attributes: &[MatchAttribute]) -> Vec<String> {
    let addresses = || wanted.iter().map(Address::as_str);
    let attributes: BTreeSet<MatchAttribute> = attributes.iter().copied().collect();
    let mut filters = Vec::new();
    for attribute in attributes {
        match attribute {
            MatchAttribute::Mail => {
                filters.extend(filters_for(Property::Text("mail"), addresses()));
            }
            MatchAttribute::UserPrincipalName => {
                let name = Property::Text("userPrincipalName");
                filters.extend(filters_for(name, addresses()));
                // What follows is a domain of the tenant, usually but not certainly its first one.
                let guests: Vec<String> = wanted.iter().map(guest_name).collect();
                filters.extend(filters_for_beginnings(
                    name,
                    guests.iter().map(String::as_str),
                ));
            }
            MatchAttribute::OtherMails => {
                filters.extend(filters_for(Property::List("otherMails"), addresses()));
            }
            MatchAttribute::ProxyAddresses => {
                // The main address has the prefix in capitals. Whether Graph tells them apart is not documented.
                let both: Vec<String> = addresses()
                    .flat_map(|address| [format!("SMTP:{address}"), format!("smtp:{address}")])
                    .collect();
                filters.extend(filters_for(
                    Property::ListByEquality("proxyAddresses"),
                    both.iter().map(String::as_str),
                ));
            }
        }
    }
    filters
}

/// How the user principal name of an invited account begins: the address with `_` for `@`.
fn guest_name(address: &Address) -> String {
    format!("{}#EXT#@", address.as_str().replace('@', "_"))
}

/// Whether an account has one of the addresses in one of the attributes.
pub(super) fn has_any(
    account: &Account,
    wanted: &BTreeSet<Address>,
    attributes: &[MatchAttribute],
) -> bool {
    attributes
        .iter()
        .flat_map(|attribute| values(account, *attribute))
        .any(|value| wanted.contains(value.as_str()))
}

/// Whether this is the account that an invitation of the address makes.
pub(super) fn is_invited_as(account: &Account, address: &Address) -> bool {
    let attributes = [MatchAttribute::Mail, MatchAttribute::UserPrincipalName];
    account.is_invited() && has_any(account, &BTreeSet::from([address.clone()]), &attributes)
}

fn accounts_in(entries: Entries<WireAccount>) -> Result<Accounts, Failure> {
    entries
        .into_iter()
        .map(|(id, entry)| Ok((id, Account::try_from(entry)?)))
        .collect()
}

/// An account as Graph shows it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WireAccount {
    id: ObjectId,
    user_principal_name: Option<String>,
    mail: Option<String>,
    other_mails: Option<Vec<String>>,
    proxy_addresses: Option<Vec<String>>,
    display_name: Option<String>,
    given_name: Option<String>,
    surname: Option<String>,
    user_type: Option<String>,
    creation_type: Option<String>,
    created_date_time: Option<String>,
    external_user_state: Option<String>,
    account_enabled: Option<bool>,
    on_premises_sync_enabled: Option<bool>,
}

impl Entry for WireAccount {
    fn id(&self) -> &ObjectId {
        &self.id
    }
}

impl TryFrom<WireAccount> for Account {
    type Error = Failure;

    fn try_from(wire: WireAccount) -> Result<Self, Failure> {
        let present = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
        // Every account has one. An app that may not read accounts gets ids with nothing else, and whoever believed that
        // would invite everybody again.
        let Some(user_principal_name) = present(wire.user_principal_name) else {
            return Err(Failure::Garbled(format!(
                "account {} came without its user principal name; may the app read accounts (User.Read.All)?",
                wire.id
            )));
        };
        Ok(Self {
            id: wire.id,
            user_principal_name,
            mail: present(wire.mail),
            other_mails: wire.other_mails.unwrap_or_default(),
            proxy_addresses: wire.proxy_addresses.unwrap_or_default(),
            display_name: present(wire.display_name),
            given_name: present(wire.given_name),
            surname: present(wire.surname),
            user_type: match wire.user_type.as_deref() {
                Some("Member") => Some(UserType::Member),
                Some("Guest") => Some(UserType::Guest),
                _ => None,
            },
            created_by_invitation: wire.creation_type.as_deref() == Some("Invitation"),
            created: date(wire.created_date_time),
            pending: wire.external_user_state.as_deref() == Some("PendingAcceptance"),
            enabled: wire.account_enabled.unwrap_or(true),
            on_premises: wire.on_premises_sync_enabled == Some(true),
        })
    }
}

/// A date that cannot be read is one that is not known, which counts as long ago.
pub(super) fn date(text: Option<String>) -> Option<jiff::Timestamp> {
    text.and_then(|text| text.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strategy_with_fewer_requests_is_taken_and_the_list_on_a_tie() {
        // Ten thousand wanted: 667 filters of `mail`, 34 batches.
        assert_eq!(cheaper(Some(10_000), 667, 10_000, 0), Strategy::List);
        assert_eq!(cheaper(Some(33_966), 667, 10_000, 0), Strategy::List);
        assert_eq!(cheaper(Some(33_967), 667, 10_000, 0), Strategy::Filters);
        assert_eq!(cheaper(None, 1, 1, 0), Strategy::List);
        assert_eq!(cheaper(Some(0), 0, 0, 0), Strategy::List);
        // Members whom nobody wants are read one by one.
        assert_eq!(cheaper(Some(100_000), 1, 5, 50_000), Strategy::List);
    }

    #[test]
    fn only_the_attributes_that_are_matched_are_asked_for() {
        let wanted = BTreeSet::from(["o'neil@partner.example".parse().unwrap()]);
        assert_eq!(
            filters(&wanted, &[MatchAttribute::Mail]),
            ["mail in ('o''neil@partner.example')"]
        );
        assert_eq!(
            filters(&wanted, &ALL_ATTRIBUTES),
            [
                "mail in ('o''neil@partner.example')",
                "userPrincipalName in ('o''neil@partner.example')",
                "startsWith(userPrincipalName,'o''neil_partner.example#EXT#@')",
                "otherMails/any(x:x in ('o''neil@partner.example'))",
                "proxyAddresses/any(x:x eq 'SMTP:o''neil@partner.example') or proxyAddresses/any(x:x eq 'smtp:o''neil@partner.example')",
            ]
        );
    }

    #[test]
    fn a_list_that_waits_for_nobody_is_the_one_that_would_be_taken_whoever_is_wanted() {
        let addresses = |number: usize| -> BTreeSet<Address> {
            let address = |it| format!("p{it}@fabrikam.example").parse().unwrap();
            (0..number).map(address).collect()
        };
        let mut early = 0;
        for (total, members) in [
            (0, 0),
            (999, 0),
            (1_000, 0),
            (1_000, 1),
            (1_998, 49),
            (1_998, 51),
            (5_000, 240),
            (5_000, 260),
            (20_000, 900),
            (20_000, 1_100),
        ] {
            if !is_list_cheapest(Some(total), &ALL_ATTRIBUTES, members) {
                continue;
            }
            early += 1;
            for wanted in [0, 1, 14, 15, 16, 100, members, 2 * members] {
                let filters = filters(&addresses(wanted), &ALL_ATTRIBUTES).len();
                let strategy = cheaper(Some(total), filters, wanted, members);
                assert_eq!(strategy, Strategy::List, "{total} {members} {wanted}");
            }
        }
        assert!((3..10).contains(&early), "{early}");
        assert!(is_list_cheapest(None, &ALL_ATTRIBUTES, 0));
        for attribute in ALL_ATTRIBUTES {
            let filters = filters(&addresses(15), &[attribute]).len();
            assert_eq!(filters_for_fifteen(attribute), filters, "{attribute:?}");
        }
    }

    #[test]
    fn the_count_is_read_in_every_form_in_which_a_batch_brings_it() {
        for (body, count) in [
            ("1234", Some(1_234)),
            ("\"1234\"", Some(1_234)),
            ("\"12345678\"", Some(12_345_678)),
            ("\"\u{feff}17\\n\"", Some(17)),
            ("\"MTIzNA==\"", Some(1_234)),
            ("\"77u/MTc=\"", Some(17)),
            ("-1", None),
            ("\"many\"", None),
            ("{}", None),
            ("null", None),
        ] {
            assert_eq!(
                count_in(&serde_json::from_str(body).unwrap()),
                count,
                "{body}"
            );
        }
    }

    #[test]
    fn an_account_is_recognised_by_each_attribute_and_only_by_those_asked_for() {
        let address: Address = "pat@fabrikam.example".parse().unwrap();
        let wanted = BTreeSet::from([address]);
        let account = |json: Value| {
            Account::try_from(serde_json::from_value::<WireAccount>(json).unwrap()).unwrap()
        };
        let id = "00000000-0000-4000-8000-000000000001";
        let by = [
            (
                MatchAttribute::Mail,
                serde_json::json!({"id": id, "userPrincipalName": "x@y", "mail": "Pat@Fabrikam.Example"}),
            ),
            (
                MatchAttribute::UserPrincipalName,
                serde_json::json!({"id": id, "userPrincipalName": "PAT@fabrikam.example"}),
            ),
            (
                MatchAttribute::UserPrincipalName,
                serde_json::json!({"id": id, "userPrincipalName": "pat_fabrikam.example#EXT#@acme.onmicrosoft.com"}),
            ),
            (
                MatchAttribute::OtherMails,
                serde_json::json!({"id": id, "userPrincipalName": "x@y", "otherMails": ["a@b", "pat@fabrikam.example"]}),
            ),
            (
                MatchAttribute::ProxyAddresses,
                serde_json::json!({"id": id, "userPrincipalName": "x@y", "proxyAddresses": ["smtp:Pat@fabrikam.example"]}),
            ),
        ];
        for (attribute, json) in by {
            let account = account(json);
            assert!(has_any(&account, &wanted, &[attribute]), "{attribute:?}");
            let others: Vec<MatchAttribute> = ALL_ATTRIBUTES
                .into_iter()
                .filter(|other| *other != attribute)
                .collect();
            assert!(!has_any(&account, &wanted, &others), "{attribute:?}");
        }
    }

    #[test]
    fn an_account_without_its_name_is_not_believed() {
        let bare: WireAccount = serde_json::from_value(serde_json::json!({
            "@odata.type": "#microsoft.graph.user",
            "id": "00000000-0000-4000-8000-000000000001",
            "userPrincipalName": null,
        }))
        .unwrap();
        assert!(Account::try_from(bare).is_err());
    }
}
