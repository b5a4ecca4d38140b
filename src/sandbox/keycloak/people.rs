//! The calls of the admin API about people: the members of a group, look-ups, and the groups of a person.

use serde_json::{Value, json};

use super::TimedResponse;
use super::admin::{Call, DEFAULT_MAX};
use super::answers::{self, GroupShape};
use super::federation::{self, Outage, Reading};
use super::world::Person;
use crate::sandbox::exchange::Response;

/// How much of an answer is kept back until it is sent, so that an error can still take its place.
const RESPONSE_BUFFER: usize = 8 * 1024;

impl Call<'_> {
    pub(super) fn members(&mut self, id: &str) -> TimedResponse {
        let Some(placed) = self.realm.placed_group(id) else {
            return self.error(404, "Could not find group by id").into();
        };
        if !self.rights.view_users() {
            return self.forbidden().into();
        }
        let (left_out, twice) = (
            placed.group.left_out.clone(),
            placed.group.listed_twice.clone(),
        );
        let Reading { found, took } = federation::members(self.realm, self.version, id);
        let response = match found {
            Ok(people) => {
                let people: Vec<Person> = people
                    .into_iter()
                    .flat_map(|person| {
                        let times = if twice.contains(&person.id) { 2 } else { 1 };
                        std::iter::repeat_n(person, times)
                    })
                    .collect();
                // A page is cut before people are left out of it, so that it may be short without being the last.
                let page: Vec<Person> = self
                    .page(people, DEFAULT_MAX)
                    .into_iter()
                    .filter(|person| !left_out.contains(&person.id))
                    .collect();
                answers::ok(&self.rows(&page, self.asks("briefRepresentation", false)))
            }
            Err(outage) => self.broken_list(&outage),
        };
        TimedResponse { response, took }
    }

    fn rows(&self, people: &[Person], brief: bool) -> Value {
        people
            .iter()
            .map(|person| answers::person(self.realm, self.version, person, brief))
            .collect()
    }

    /// What comes of asking about one person when a provider fails.
    fn failure(&self) -> Response {
        if self.version.hides_outages() {
            let description = "For more on this error consult the server log.";
            return answers::oauth_error(500, "unknown_error", description);
        }
        self.error(500, "unknown_error")
    }

    /// What comes of a list that is already being sent when a provider fails.
    fn broken_list(&self, outage: &Outage) -> Response {
        let rows = self.rows(&outage.until_then, self.asks("briefRepresentation", false));
        let error = json!({ "error": "unknown_error" }).to_string();
        let whole = rows.to_string();
        if whole.len() <= RESPONSE_BUFFER {
            let mut response = self.error(400, "unknown_error");
            if self.version.has_classic_resteasy() {
                response.body = format!("{whole}{error}").into_bytes();
            }
            return response;
        }
        let mut response = answers::ok(&rows);
        if self.version.breaks_long_answers() {
            let mut sent = whole.into_bytes();
            sent.truncate(sent.len() / RESPONSE_BUFFER * RESPONSE_BUFFER);
            sent.extend_from_slice(error.as_bytes());
            response.body = sent;
        }
        response
    }

    pub(super) fn people(&mut self) -> TimedResponse {
        if !self.rights.query_users() {
            return self.forbidden().into();
        }
        if !self.rights.view_users() {
            return answers::ok(&json!([])).into();
        }
        let query = self.query.clone();
        let exact = self.asks("exact", false);
        let fits = |value: Option<&str>, wanted: &str| {
            let value = value.unwrap_or_default().to_lowercase();
            let wanted = wanted.to_lowercase();
            if exact {
                value == wanted
            } else {
                value.contains(&wanted)
            }
        };
        let attributes = ["email", "username", "firstName", "lastName"];
        let by_attribute = attributes.iter().any(|name| query.contains_key(*name));
        let matches = |person: &Person| {
            let value = |name: &str| match name {
                "email" => person.email.as_deref(),
                "username" => Some(person.username.as_str()),
                "firstName" => person.first_name.as_deref(),
                _ => person.last_name.as_deref(),
            };
            let all = attributes.iter().all(|name| {
                query
                    .get(*name)
                    .is_none_or(|wanted| fits(value(name), wanted))
            });
            let any = query
                .get("search")
                .is_none_or(|wanted| attributes.iter().any(|name| fits(value(name), wanted)));
            // Only a search by attribute finds service accounts.
            all && any && (by_attribute || person.service_account_client_id.is_none())
        };
        let Reading { found, took } = federation::search(self.realm, self.version, matches);
        let response = match found {
            Ok(people) => {
                let page = self.page(people, DEFAULT_MAX);
                answers::ok(&self.rows(&page, self.asks("briefRepresentation", false)))
            }
            // The words are the server's own; what it could not read is LDAP.
            Err(_) if self.version.hides_outages() => {
                answers::oauth_error(400, "unknown_error", "Cannot parse the JSON")
            }
            Err(outage) => self.broken_list(&outage),
        };
        TimedResponse { response, took }
    }

    pub(super) fn count_people(&self) -> Response {
        if !self.rights.query_users() {
            return self.forbidden();
        }
        let people = self.realm.people.iter();
        let count = people
            .filter(|person| person.service_account_client_id.is_none() && person.imported)
            .count();
        answers::ok(&json!(count))
    }

    pub(super) fn person(&mut self, id: &str) -> TimedResponse {
        if !self.rights.query_users() {
            return self.forbidden().into();
        }
        let Reading { found, took } = federation::person(self.realm, self.version, id);
        let response = match found {
            Ok(None) => self.error(404, "User not found"),
            Ok(Some(_)) if !self.rights.view_users() => self.forbidden(),
            Ok(Some(person)) => {
                let mut row = answers::person(self.realm, self.version, &person, false);
                row["access"] = json!({ "view": true, "manage": false });
                answers::ok(&row)
            }
            Err(_) => self.failure(),
        };
        TimedResponse { response, took }
    }

    pub(super) fn groups_of_person(&mut self, id: &str) -> TimedResponse {
        if !self.rights.query_users() {
            return self.forbidden().into();
        }
        let Reading { found, took } = federation::groups_of(self.realm, self.version, id);
        let response = match found {
            Ok(None) => self.error(404, "User not found"),
            Ok(Some(_)) if !self.rights.view_users() => self.forbidden(),
            Ok(Some(ids)) => {
                let placed = self.realm.placed_groups();
                let mut groups: Vec<_> = placed
                    .iter()
                    .filter(|one| ids.contains(&one.group.id))
                    .filter(|one| {
                        let search = self.query.get("search");
                        search.is_none_or(|search| self.name_matches(&one.group.name, search))
                    })
                    .collect();
                groups.sort_by(|one, other| one.group.name.cmp(&other.group.name));
                let shape = GroupShape {
                    brief: self.asks("briefRepresentation", true),
                    counts_subgroups: false,
                    tree: false,
                };
                let list: Vec<Value> = self
                    .page(groups, usize::MAX)
                    .into_iter()
                    .map(|one| answers::group(one, shape, self.version))
                    .collect();
                answers::ok(&json!(list))
            }
            Err(_) => self.failure(),
        };
        TimedResponse { response, took }
    }
}
