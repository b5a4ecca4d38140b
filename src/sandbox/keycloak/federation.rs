//! How people of user federation providers look while their provider is well, in trouble, misconfigured or gone.
//!
//! Every rule here was seen on real servers with an LDAP server behind them. Where a combination was not tried, the simulator
//! does what the nearest one did.

use std::time::Duration;

use super::provider::{Provider, ProviderKind, ProviderState};
use super::version::Version;
use super::world::{Person, Realm};

/// Older versions gave no answer in 120 s where the LDAP server did not.
const NO_ANSWER: Duration = Duration::from_secs(180);

/// What a call found out, and how long that took.
#[derive(Debug)]
pub(super) struct Reading<T> {
    pub found: Result<T, Outage>,
    pub took: Duration,
}

impl<T> Reading<T> {
    fn at_once(found: T) -> Self {
        Self {
            found: Ok(found),
            took: Duration::ZERO,
        }
    }
}

/// A provider could not be asked, and this version says so. What had been read until then is in it.
#[derive(Debug)]
pub(super) struct Outage {
    pub until_then: Vec<Person>,
}

impl Outage {
    fn at_once() -> Self {
        Self {
            until_then: Vec::new(),
        }
    }
}

impl ProviderState {
    /// Questions about people fail, as opposed to being answered wrongly.
    fn fails(self) -> bool {
        matches!(
            self,
            Self::Stopped | Self::Frozen | Self::WrongBindPassword | Self::UsersDnMissing
        )
    }
}

impl Provider {
    /// How long one question takes.
    fn delay(&self, version: Version) -> Duration {
        match self.state {
            ProviderState::Frozen if version.hides_outages() => self.patience,
            ProviderState::Frozen => NO_ANSWER,
            _ => Duration::ZERO,
        }
    }
}

/// The provider of a person: how it brings them in, and how it is.
fn origin(realm: &Realm, person: &Person) -> Option<Provider> {
    let id = person.provider.as_deref()?;
    Some(realm.provider(id).cloned().unwrap_or_else(|| Provider {
        // A provider that is not listed was deleted.
        state: ProviderState::Deleted,
        ..Provider::new(id, "", ProviderKind::ReadOnly)
    }))
}

/// The rows of a group's list of members: people of the realm by username, then those of each provider.
pub(super) fn members(realm: &mut Realm, version: Version, group: &str) -> Reading<Vec<Person>> {
    let is_member = |person: &&Person| person.groups.contains(group);
    let mut rows: Vec<Person> = realm
        .people
        .iter()
        .filter(|person| person.provider.is_none())
        .filter(is_member)
        .cloned()
        .collect();
    rows.sort_by(|one, other| one.username.cmp(&other.username));

    let mut took = Duration::ZERO;
    let mut failed = false;
    let (mut shown, mut dropped) = (Vec::new(), Vec::new());
    for provider in &realm.providers {
        let (kind, state) = (provider.kind, provider.state);
        let mut people: Vec<Person> = realm
            .people
            .iter()
            .filter(|person| person.provider.as_deref() == Some(provider.id.as_str()))
            .filter(is_member)
            .filter(|person| person.in_directory && person.imported)
            .cloned()
            .collect();
        people.sort_by(|one, other| one.username.cmp(&other.username));
        let copied = kind == ProviderKind::Import;
        // Memberships that live in LDAP are asked for even where the group has none; copied ones are checked one by one.
        let questions = if copied { people.len() } else { 1 };
        if state == ProviderState::Frozen {
            let per_question = provider.delay(version);
            took += if version.hides_outages() {
                per_question.saturating_mul(u32::try_from(questions).unwrap_or(u32::MAX))
            } else {
                per_question
            };
        }
        match state {
            ProviderState::Healthy => {
                shown.extend(people.iter().map(|person| person.id.clone()));
                rows.extend(
                    people
                        .into_iter()
                        .map(|person| linked(person, kind, version)),
                );
            }
            ProviderState::SizeLimit(limit) => {
                if !copied && version.obeys_size_limits() {
                    people.truncate(limit);
                }
                shown.extend(people.iter().map(|person| person.id.clone()));
                rows.extend(
                    people
                        .into_iter()
                        .map(|person| linked(person, kind, version)),
                );
            }
            ProviderState::GroupsUnreadable if copied => {
                rows.extend(
                    people
                        .into_iter()
                        .map(|person| linked(person, kind, version)),
                );
            }
            ProviderState::Disabled if copied => rows.extend(people.into_iter().map(switched_off)),
            ProviderState::UsersDnWrong if copied => {
                dropped.extend(people.into_iter().map(|person| person.id));
            }
            ProviderState::UsersDnMissing if !copied => {}
            _ if state.fails() && !version.hides_outages() => failed |= questions > 0,
            _ if state.fails() && copied => rows.extend(people.into_iter().map(switched_off)),
            _ => {}
        }
    }
    for person in &mut realm.people {
        if dropped.contains(&person.id) {
            person.imported = false;
            person.cache.person = false;
        }
        if realm.user_cache && shown.contains(&person.id) {
            person.cache.person = true;
        }
    }
    let found = if failed {
        rows.retain(|person| person.provider.is_none());
        Err(Outage { until_then: rows })
    } else {
        Ok(rows)
    };
    Reading { found, took }
}

/// The person of an id, or `None` if there is none.
pub(super) fn person(realm: &mut Realm, version: Version, id: &str) -> Reading<Option<Person>> {
    let Some(at) = realm.people.iter().position(|person| person.id == id) else {
        return Reading::at_once(None);
    };
    let person = realm.people[at].clone();
    let Some(provider) = origin(realm, &person) else {
        return Reading::at_once(Some(person));
    };
    let (kind, state) = (provider.kind, provider.state);
    match state {
        ProviderState::Deleted => return Reading::at_once(None),
        ProviderState::Disabled => {
            let known = kind != ProviderKind::NoImport && person.imported;
            return Reading::at_once(known.then(|| switched_off(person)));
        }
        _ => {}
    }
    if person.cache.person {
        return Reading::at_once(Some(linked(person, kind, version)));
    }
    if !person.imported {
        return Reading::at_once(None);
    }
    let took = provider.delay(version);
    let found = if state.fails() {
        if version.hides_outages() && kind != ProviderKind::NoImport {
            Ok(Some(switched_off(person)))
        } else {
            Err(Outage::at_once())
        }
    } else if state == ProviderState::UsersDnWrong || !person.in_directory {
        Ok(None)
    } else {
        realm.people[at].cache.person = realm.user_cache;
        Ok(Some(linked(person, kind, version)))
    };
    Reading { found, took }
}

/// The ids of the groups of the person of an id, or `None` if there is no such person.
pub(super) fn groups_of(
    realm: &mut Realm,
    version: Version,
    id: &str,
) -> Reading<Option<Vec<String>>> {
    let Some(at) = realm.people.iter().position(|person| person.id == id) else {
        return Reading::at_once(None);
    };
    let known = realm.people[at].clone();
    let all = || known.groups.iter().cloned().collect::<Vec<_>>();
    let Some(provider) = origin(realm, &known) else {
        return Reading::at_once(Some(all()));
    };
    let (kind, state) = (provider.kind, provider.state);
    if state == ProviderState::Disabled && kind == ProviderKind::ReadOnly {
        return Reading::at_once(Some(Vec::new()));
    }
    let forgotten = matches!(state, ProviderState::Disabled | ProviderState::Deleted);
    if let Some(groups) = known.cache.groups.as_ref().filter(|_| !forgotten) {
        return Reading::at_once(Some(groups.iter().cloned().collect()));
    }
    let was_cached = known.cache.person;
    let seen = person(realm, version, id);
    let took = seen.took.max(provider.delay(version));
    match seen.found {
        Ok(None) => {
            return Reading {
                found: Ok(None),
                took,
            };
        }
        Err(outage) => {
            return Reading {
                found: Err(outage),
                took,
            };
        }
        Ok(Some(_)) => {}
    }
    let groups = if kind == ProviderKind::Import {
        if state.fails() && !version.hides_outages() && !was_cached {
            return Reading {
                found: Err(Outage::at_once()),
                took,
            };
        }
        return Reading {
            found: Ok(Some(all())),
            took,
        };
    } else if state.fails() {
        if !version.hides_outages() {
            return Reading {
                found: Err(Outage::at_once()),
                took,
            };
        }
        Vec::new()
    } else if state == ProviderState::GroupsUnreadable {
        Vec::new()
    } else {
        all()
    };
    if realm.user_cache {
        realm.people[at].cache.groups = Some(groups.iter().cloned().collect());
    }
    Reading {
        found: Ok(Some(groups)),
        took,
    }
}

/// The people that a search finds, in the order of their usernames.
pub(super) fn search(
    realm: &mut Realm,
    version: Version,
    matches: impl Fn(&Person) -> bool,
) -> Reading<Vec<Person>> {
    let mut took = Duration::ZERO;
    for provider in &realm.providers {
        let refuses = match provider.state {
            // Current versions pass over a server that is not there, and not over one that does not answer, does not let them in or
            // does not have the base.
            ProviderState::Frozen
            | ProviderState::WrongBindPassword
            | ProviderState::UsersDnMissing => true,
            state => state.fails() && !version.hides_outages(),
        };
        took = took.max(provider.delay(version));
        if refuses {
            return Reading {
                found: Err(Outage::at_once()),
                took,
            };
        }
    }
    let mut rows = Vec::new();
    for at in 0..realm.people.len() {
        if !matches(&realm.people[at]) {
            continue;
        }
        let well = origin(realm, &realm.people[at])
            .map(|provider| provider.state)
            .is_some_and(|state| !state.fails() && state != ProviderState::UsersDnWrong);
        let copy = &mut realm.people[at];
        if !copy.imported && copy.in_directory && well {
            copy.import_again();
        }
        let not_copied = origin(realm, &realm.people[at])
            .is_some_and(|from| from.kind == ProviderKind::NoImport && from.state.fails());
        let id = realm.people[at].id.clone();
        if not_copied {
            continue;
        }
        if let Ok(Some(found)) = person(realm, version, &id).found {
            rows.push(found);
        }
    }
    rows.sort_by(|one, other| one.username.cmp(&other.username));
    Reading {
        found: Ok(rows),
        took,
    }
}

/// A person of a provider that is there.
fn linked(mut person: Person, kind: ProviderKind, version: Version) -> Person {
    if kind == ProviderKind::ReadOnly && version.ignores_disabling_of_linked_people() {
        person.enabled = true;
    }
    person
}

/// Keycloak's copy of a person whose provider is not there to ask.
fn switched_off(mut person: Person) -> Person {
    person.enabled = false;
    person
}
