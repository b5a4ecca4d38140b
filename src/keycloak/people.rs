//! People as Keycloak shows them: the members of a group, whoever has an address, and the groups somebody is in.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use anyhow::{Context, anyhow, bail, ensure};
use serde::Deserialize;

use super::admin::{Admin, Reply, VIEW_USERS};
use super::path;
use super::refusal::{Refusal, one_line};
use crate::explain::KnownPerson;
use crate::model::{Address, KeycloakGroupId, PersonId, ProviderId, fold};
use crate::removal::FoundPerson;
use crate::snapshot::{FederationProvider, Person};

/// The rows of a look-up at most. So many people with one address is a list that was not filtered.
const LOOK_UP_ROWS: usize = 100;

/// The type of the components that are user federation providers.
const PROVIDER_TYPE: &str = "org.keycloak.storage.UserStorageProvider";

/// A user in an answer. Fields without a value are absent.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PersonRow {
    id: PersonId,
    username: String,
    email: Option<String>,
    email_verified: Option<bool>,
    first_name: Option<String>,
    last_name: Option<String>,
    enabled: bool,
    federation_link: Option<String>,
    attributes: Option<BTreeMap<String, Vec<String>>>,
}

impl PersonRow {
    /// Whether Keycloak locked the person out after too many failed logins, and nobody decided anything.
    ///
    /// It shows such a person as disabled. Whoever knows a name could take its owner's memberships away by failing to log in with
    /// it. And where a realm has brute-force protection with permanent lockout, 26.7.4 shows people as locked out who are
    /// not, in lists that are read at the same time.
    fn is_locked_out(&self) -> bool {
        let reasons = self
            .attributes
            .as_ref()
            .and_then(|attributes| attributes.get("disabledReason"));
        reasons.is_some_and(|reasons| reasons.iter().any(|reason| reason == "permanentLockout"))
    }
}

impl From<PersonRow> for Person {
    fn from(row: PersonRow) -> Self {
        let locked_out = !row.enabled && row.is_locked_out();
        let linked = row.federation_link.filter(|link| !link.is_empty());
        let provider = linked
            .as_deref()
            .or_else(|| provider_in_id(row.id.as_str()))
            .and_then(|id| id.parse::<ProviderId>().ok());
        Self {
            id: row.id,
            username: row.username,
            email: not_blank(row.email),
            email_verified: row.email_verified.unwrap_or(false),
            first_name: not_blank(row.first_name),
            last_name: not_blank(row.last_name),
            enabled: row.enabled || locked_out,
            locked_out,
            provider,
        }
    }
}

fn not_blank(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.trim().is_empty())
}

/// The provider in an id `f:PROVIDER:EXTERNAL-ID`.
fn provider_in_id(id: &str) -> Option<&str> {
    let (provider, _) = id.strip_prefix("f:")?.split_once(':')?;
    Some(provider)
}

/// Keeps each row once, so that identical rows of one person in many groups share memory.
#[derive(Default)]
struct Rows(HashSet<Arc<Person>>);

impl Rows {
    fn shared(&mut self, person: Person) -> Arc<Person> {
        if let Some(known) = self.0.get(&person) {
            return Arc::clone(known);
        }
        let person = Arc::new(person);
        self.0.insert(Arc::clone(&person));
        person
    }
}

/// Returns each person once, by id. Where one is shown twice (with LDAP, keycloak issue 19370), the enabled row counts.
fn each_once(rows: Vec<PersonRow>) -> Vec<Person> {
    let mut people: Vec<Person> = rows.into_iter().map(Person::from).collect();
    people.sort_unstable_by(|a, b| (&a.id, b.enabled, a).cmp(&(&b.id, a.enabled, b)));
    people.dedup_by(|later, first| later.id == first.id);
    people
}

impl Admin {
    /// The direct members of each group, by its id. One list after the other: read at the same time, Keycloak shows wrong people
    /// as disabled ([`PersonRow::is_locked_out`]). Always in the order of their ids: an outage that hides a person from a list
    /// in both rounds of reads then also falls on one of the readings of any other list that is to vouch for the provider.
    pub async fn members_of(
        &self,
        groups: BTreeMap<KeycloakGroupId, String>,
    ) -> anyhow::Result<BTreeMap<KeycloakGroupId, Vec<Arc<Person>>>> {
        let mut rows = Rows::default();
        let mut members_of = BTreeMap::new();
        for (id, shown) in groups {
            let members = self
                .members(&id)
                .await
                .with_context(|| format!("failed to read the members of group {shown}"))?;
            let shared = members.into_iter().map(|person| rows.shared(person));
            members_of.insert(id, shared.collect());
        }
        Ok(members_of)
    }

    /// The direct members, in one request: pages overlap, come short without being the last, and shift when somebody joins
    /// (keycloak issues 17193 and 23966).
    async fn members(&self, id: &KeycloakGroupId) -> anyhow::Result<Vec<Person>> {
        let path = format!(
            "/groups/{}/members?first=0&max=-1&briefRepresentation=true",
            path::segment(id.as_str())?
        );
        match self
            .get_allowed::<Vec<PersonRow>>(&path, "read the members of groups")
            .await?
        {
            Some(rows) => Ok(each_once(rows)),
            None => Err(gone()),
        }
    }

    /// Whoever has each address, with the groups they are in. One after the other, as [`Self::members_of`].
    pub async fn look_up_all(
        &self,
        addresses: &BTreeSet<Address>,
    ) -> anyhow::Result<BTreeMap<Address, Vec<FoundPerson>>> {
        let mut found = BTreeMap::new();
        for (address, known) in self.know(addresses).await? {
            let people = known
                .into_iter()
                .map(|KnownPerson { person, groups }| FoundPerson {
                    person,
                    groups: groups.map(|groups| groups.into_keys().collect()),
                });
            found.insert(address, people.collect());
        }
        Ok(found)
    }

    /// Whoever has each address, with the groups they are in by path.
    pub async fn know(
        &self,
        addresses: &BTreeSet<Address>,
    ) -> anyhow::Result<BTreeMap<Address, Vec<KnownPerson>>> {
        if addresses.is_empty() {
            return Ok(BTreeMap::new());
        }
        if !self.may_view_everybody().await? {
            return Err(self.missing_role(VIEW_USERS, "look people up").into());
        }
        let mut known = BTreeMap::new();
        for address in addresses {
            let people = self
                .look_up(address)
                .await
                .with_context(|| format!("failed to look up {address}"))?;
            known.insert(address.clone(), people);
        }
        Ok(known)
    }

    /// Whether each address has nobody. One after the other, as [`Self::members_of`].
    pub async fn have_nobody(
        &self,
        addresses: impl Iterator<Item = &Address>,
    ) -> anyhow::Result<BTreeMap<Address, bool>> {
        let mut have_nobody = BTreeMap::new();
        for address in addresses {
            let people = self
                .people_with(address)
                .await
                .with_context(|| format!("failed to look up {address} once more"))?;
            have_nobody.insert(address.clone(), people.is_empty());
        }
        Ok(have_nobody)
    }

    async fn look_up(&self, address: &Address) -> anyhow::Result<Vec<KnownPerson>> {
        let mut known = Vec::new();
        for person in self.people_with(address).await? {
            let groups = self.groups_of(&person.id).await?;
            known.push(KnownPerson { person, groups });
        }
        Ok(known)
    }

    /// In full, because the brief rows of 26.0 and before do not tell who was locked out from who was disabled.
    async fn people_with(&self, address: &Address) -> anyhow::Result<Vec<Person>> {
        let path = format!(
            "/users?email={}&exact=true&first=0&max={LOOK_UP_ROWS}&briefRepresentation=false",
            path::value(address.as_str())
        );
        let rows: Vec<PersonRow> = self
            .get_allowed(&path, "look people up")
            .await?
            .ok_or_else(|| anyhow!("Keycloak answered 404"))?;
        people_with(address, rows)
    }

    /// The paths of the groups that a person is directly in, by id, or `None` if Keycloak does not know the person.
    async fn groups_of(
        &self,
        id: &PersonId,
    ) -> anyhow::Result<Option<BTreeMap<KeycloakGroupId, String>>> {
        #[derive(Deserialize)]
        struct Row {
            id: KeycloakGroupId,
            path: Option<String>,
        }
        let path = format!(
            "/users/{}/groups?briefRepresentation=true",
            path::segment(id.as_str())?
        );
        let rows: Option<Vec<Row>> = self.get_allowed(&path, "read the groups of people").await?;
        let named = |Row { id, path }: Row| {
            let path = path.unwrap_or_else(|| id.to_string());
            (id, path)
        };
        Ok(rows.map(|rows| rows.into_iter().map(named).collect()))
    }

    /// Whether the account may see every person of the realm. With less (`query-users`, fine-grained permissions) a look-up
    /// answers 200 with an empty list for whom it may not see, which looks like a person whom Keycloak does not know.
    ///
    /// The login failures of somebody who does not exist are the one thing that is shown to whom may see everybody and
    /// refused to everyone else (`AttackDetectionResource`).
    pub async fn may_view_everybody(&self) -> anyhow::Result<bool> {
        let path = format!(
            "/attack-detection/brute-force/users/{}",
            uuid::Uuid::new_v4()
        );
        let reply = self
            .get::<serde_json::Map<String, serde_json::Value>>(&path)
            .await
            .context("failed to find out whether the account may see everybody")?;
        match reply {
            Reply::Data(_) => Ok(true),
            Reply::Forbidden => Ok(false),
            Reply::Missing => bail!("failed to find out whether the account may see everybody: Keycloak answered 404"),
            Reply::NoSuchResource(refusal) => Err(anyhow::Error::from(refusal).context(
                "failed to find out whether the account may see everybody (admin/realms/REALM/attack-detection)",
            )),
        }
    }

    /// The user federation providers of the realm, disabled ones too, or `None` if the account may not see them.
    pub async fn federation_providers(&self) -> anyhow::Result<Option<Vec<FederationProvider>>> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Row {
            id: ProviderId,
            name: Option<String>,
            provider_type: Option<String>,
        }
        let reply = self
            .get::<Vec<Row>>(&format!("/components?type={PROVIDER_TYPE}"))
            .await
            .context("failed to read the user federation providers of the realm")?;
        let Reply::Data(rows) = reply else {
            return Ok(None);
        };
        let mut providers: Vec<FederationProvider> = rows
            .into_iter()
            .filter(|row| {
                row.provider_type
                    .as_deref()
                    .is_none_or(|kind| kind == PROVIDER_TYPE)
            })
            .map(|row| FederationProvider {
                id: row.id,
                name: row.name.unwrap_or_default(),
            })
            .collect();
        providers.sort();
        Ok(Some(providers))
    }
}

/// Returns the people of a look-up. A server or proxy that ignored the question must not look as if it had answered it.
fn people_with(address: &Address, rows: Vec<PersonRow>) -> anyhow::Result<Vec<Person>> {
    ensure!(
        rows.len() < LOOK_UP_ROWS,
        "Keycloak shows {LOOK_UP_ROWS} people or more: the list was not filtered, and nothing can be concluded from it"
    );
    let people = each_once(rows);
    // Keycloak takes a letter more for another than `fold` does: the Kelvin sign for k.
    let as_keycloak_compares = |email: &str| email.trim().to_lowercase();
    let is_asked_for = |email: &str| {
        fold(email) == address.as_str()
            || as_keycloak_compares(email) == as_keycloak_compares(address.as_str())
    };
    let stranger = people
        .iter()
        .find(|person| !person.email.as_deref().is_some_and(is_asked_for));
    match stranger {
        None => Ok(people),
        Some(person) => Err(Refusal::new(
            format!(
                "Keycloak shows {} with {}, and was asked for exactly {address}",
                one_line(&person.username),
                match &person.email {
                    Some(email) => one_line(email),
                    None => "no address".to_owned(),
                }
            ),
            "Nothing can be concluded from such an answer. Does a proxy drop parts of the request?",
        )
        .into()),
    }
}

/// What to say of a group that was there a moment ago.
pub(super) fn gone() -> anyhow::Error {
    Refusal::new(
        "it does not exist any more, though it did when this run began",
        "Run the same command again.",
    )
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(json: &str) -> Vec<PersonRow> {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn absent_null_and_blank_fields_are_none_and_names_stay_as_they_are() {
        let people = each_once(rows(
            r#"[{"id":"1","username":"ann","enabled":true,"email":null,"firstName":"  ","lastName":" Ann "}]"#,
        ));
        assert_eq!(people[0].email, None);
        assert_eq!(people[0].first_name, None);
        assert_eq!(people[0].last_name.as_deref(), Some(" Ann "));
        assert!(!people[0].email_verified);
    }

    #[test]
    fn whoever_is_locked_out_is_not_disabled() {
        let people = each_once(rows(
            r#"[{"id":"1","username":"ann","enabled":false,"attributes":{"disabledReason":["permanentLockout"]}},
                {"id":"2","username":"bob","enabled":false,"attributes":{"other":["permanentLockout"]}},
                {"id":"3","username":"cyd","enabled":false}]"#,
        ));
        assert_eq!(
            people
                .iter()
                .map(|person| (person.enabled, person.locked_out))
                .collect::<Vec<_>>(),
            [(true, true), (false, false), (false, false)]
        );
    }

    #[test]
    fn the_provider_is_the_federation_link_or_stands_in_the_id() {
        for (json, provider) in [
            (r#"{"id":"1","username":"a","enabled":true}"#, None),
            (
                r#"{"id":"1","username":"a","enabled":true,"federationLink":"p1"}"#,
                Some("p1"),
            ),
            (
                r#"{"id":"f:p2:x:y","username":"a","enabled":true,"federationLink":""}"#,
                Some("p2"),
            ),
            (r#"{"id":"f:p2","username":"a","enabled":true}"#, None),
        ] {
            let row: PersonRow = serde_json::from_str(json).unwrap();
            let person = Person::from(row);
            assert_eq!(
                person.provider.as_ref().map(ProviderId::as_str),
                provider,
                "{json}"
            );
        }
    }

    #[test]
    fn a_row_without_the_mark_whether_it_is_enabled_is_not_a_person() {
        assert!(serde_json::from_str::<PersonRow>(r#"{"id":"1","username":"a"}"#).is_err());
    }

    #[test]
    fn a_person_shown_twice_counts_once_and_as_enabled_whatever_the_order() {
        let (on, off) = (
            r#"{"id":"1","username":"a","enabled":true}"#,
            r#"{"id":"1","username":"a","enabled":false}"#,
        );
        for json in [format!("[{on},{off}]"), format!("[{off},{on}]")] {
            let people = each_once(rows(&json));
            assert_eq!(people.len(), 1);
            assert!(people[0].enabled);
        }
        let (ann, amy) = (
            r#"{"id":"1","username":"a","enabled":true,"firstName":"Ann"}"#,
            r#"{"id":"1","username":"a","enabled":true,"firstName":"Amy"}"#,
        );
        for json in [format!("[{ann},{amy}]"), format!("[{amy},{ann}]")] {
            assert_eq!(each_once(rows(&json))[0].first_name.as_deref(), Some("Amy"));
        }
    }

    #[test]
    fn identical_rows_share_memory() {
        let mut shared = Rows::default();
        let row = || Person::from(rows(r#"[{"id":"1","username":"a","enabled":true}]"#).remove(0));
        assert!(Arc::ptr_eq(&shared.shared(row()), &shared.shared(row())));
    }

    #[test]
    fn a_look_up_accepts_only_the_address_asked_for() {
        let address: Address = "ann@acme.example".parse().unwrap();
        let ok = r#"[{"id":"1","username":"a","enabled":true,"email":"Ann@ACME.example"}]"#;
        assert_eq!(people_with(&address, rows(ok)).unwrap().len(), 1);
        assert!(people_with(&address, Vec::new()).unwrap().is_empty());
        // Keycloak keeps k for the Kelvin sign, and finds it by both.
        let kelvin: Address = "\u{212a}im@acme.example".parse().unwrap();
        let kim = r#"[{"id":"1","username":"k","enabled":true,"email":"kim@acme.example"}]"#;
        assert_eq!(people_with(&kelvin, rows(kim)).unwrap().len(), 1);
        for row in [
            r#"[{"id":"1","username":"a","enabled":true,"email":"anna@acme.example"}]"#,
            r#"[{"id":"1","username":"a","enabled":true}]"#,
        ] {
            let error = people_with(&address, rows(row)).unwrap_err().to_string();
            assert!(
                error.contains("asked for exactly ann@acme.example"),
                "{error}"
            );
        }
    }

    #[test]
    fn a_look_up_that_fills_its_page_is_an_error() {
        let address: Address = "ann@acme.example".parse().unwrap();
        let many: Vec<PersonRow> = (0..LOOK_UP_ROWS)
            .map(|id| {
                serde_json::from_value(serde_json::json!({
                    "id": id.to_string(), "username": "a", "enabled": true, "email": "ann@acme.example",
                }))
                .unwrap()
            })
            .collect();
        assert!(people_with(&address, many).is_err());
    }
}
