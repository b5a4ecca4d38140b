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

    /// Whether no group has members, as far as Keycloak can see.
    fn hides_memberships(self) -> bool {
        matches!(self, Self::GroupsDnWrong | Self::GroupsUnreadable)
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

/// What comes of asking a provider about somebody of whom nothing is cached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    There,
    /// It does not have them, and then Keycloak deletes its copy.
    Gone,
    /// Nothing came, and Keycloak's copy stands in for it.
    CopyOnly,
    Failed,
}

/// Asks the provider of somebody.
fn ask(provider: &Provider, version: Version, person: &Person) -> Answer {
    let (kind, state) = (provider.kind, provider.state);
    if state.fails() {
        if version.hides_outages() && kind != ProviderKind::NoImport {
            Answer::CopyOnly
        } else {
            Answer::Failed
        }
    } else if state == ProviderState::UsersDnWrong || !person.in_directory {
        Answer::Gone
    } else {
        Answer::There
    }
}

/// The rows of a group's list of members: whom Keycloak's database has in it, by username, then those of each provider whose
/// directory has them in it. It goes past the user cache.
pub(super) fn members(realm: &mut Realm, version: Version, group: &str) -> Reading<Vec<Person>> {
    realm.notice_changed_settings();
    let listed = by_username(realm, realm.places_in(group).to_vec());
    let mut took = Duration::ZERO;
    let mut rows = Vec::new();
    for &at in &listed {
        let person = realm.people[at].clone();
        let Some(provider) = origin(realm, &person) else {
            rows.push(person);
            continue;
        };
        if provider.kind != ProviderKind::Import || !person.imported {
            continue;
        }
        took += provider.delay(version);
        match provider.state {
            ProviderState::Deleted => {}
            ProviderState::Disabled => rows.push(switched_off(person)),
            _ => match ask(&provider, version, &person) {
                Answer::There => rows.push(linked(person, provider.kind, version)),
                Answer::Gone => realm.people[at].lose_copy(),
                Answer::CopyOnly => rows.push(switched_off(person)),
                Answer::Failed => {
                    let found = Err(Outage { until_then: rows });
                    return Reading { found, took };
                }
            },
        }
    }

    let mut failed = false;
    for provider in realm.providers.clone() {
        if provider.kind == ProviderKind::Import {
            continue;
        }
        // Memberships that live in LDAP are asked for even where the group has none.
        took += provider.delay(version);
        let mut left = match provider.state {
            ProviderState::SizeLimit(limit) if version.obeys_size_limits() => limit,
            ProviderState::Healthy | ProviderState::SizeLimit(_) => usize::MAX,
            state => {
                // What does not exist has no members.
                let is_noticed = state.fails() && state != ProviderState::UsersDnMissing;
                failed |= is_noticed && !version.hides_outages();
                continue;
            }
        };
        for &at in &listed {
            let person = &mut realm.people[at];
            let is_its_own = person.provider.as_deref() == Some(provider.id.as_str());
            if left == 0 || !is_its_own || !person.in_directory {
                continue;
            }
            if !person.imported {
                person.import_again();
            }
            rows.push(linked(person.clone(), provider.kind, version));
            left -= 1;
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

/// Where in the realm these people stand, in the order of their usernames.
fn by_username(realm: &Realm, mut places: Vec<usize>) -> Vec<usize> {
    let people = &realm.people;
    places.sort_by(|one, other| people[*one].username.cmp(&people[*other].username));
    places
}

/// The person of an id, or `None` if there is none.
pub(super) fn person(realm: &mut Realm, version: Version, id: &str) -> Reading<Option<Person>> {
    realm.notice_changed_settings();
    let Some(at) = realm.people.iter().position(|person| person.id == id) else {
        return Reading::at_once(None);
    };
    person_at(realm, version, at)
}

fn person_at(realm: &mut Realm, version: Version, at: usize) -> Reading<Option<Person>> {
    let person = realm.people[at].clone();
    let Some(provider) = origin(realm, &person) else {
        return Reading::at_once(Some(person));
    };
    let kind = provider.kind;
    match provider.state {
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
    let found = match ask(&provider, version, &person) {
        Answer::There => {
            realm.people[at].cache.person = realm.user_cache;
            Ok(Some(linked(person, kind, version)))
        }
        Answer::Gone => {
            if kind != ProviderKind::NoImport {
                realm.people[at].lose_copy();
            }
            Ok(None)
        }
        Answer::CopyOnly => Ok(Some(switched_off(person))),
        Answer::Failed => Err(Outage::at_once()),
    };
    let took = provider.delay(version);
    Reading { found, took }
}

/// The ids of the groups of the person of an id, or `None` if there is no such person.
pub(super) fn groups_of(
    realm: &mut Realm,
    version: Version,
    id: &str,
) -> Reading<Option<Vec<String>>> {
    realm.notice_changed_settings();
    let Some(at) = realm.people.iter().position(|person| person.id == id) else {
        return Reading::at_once(None);
    };
    let known = realm.people[at].clone();
    let all = || known.groups.iter().cloned().collect::<Vec<_>>();
    let Some(provider) = origin(realm, &known) else {
        return Reading::at_once(Some(all()));
    };
    let (kind, state) = (provider.kind, provider.state);
    if matches!(state, ProviderState::Disabled | ProviderState::Deleted) {
        let seen = person_at(realm, version, at);
        let of_copy = || match kind {
            ProviderKind::Import => all(),
            ProviderKind::ReadOnly | ProviderKind::NoImport => Vec::new(),
        };
        return Reading {
            found: seen.found.map(|found| found.map(|_| of_copy())),
            took: seen.took,
        };
    }
    if let Some(groups) = &known.cache.groups {
        return Reading::at_once(Some(groups.iter().cloned().collect()));
    }
    let took = provider.delay(version);
    if !known.cache.person && !known.imported {
        return Reading::at_once(None);
    }
    // Even of somebody who is cached the groups are asked for afresh.
    let answer = ask(&provider, version, &known);
    let found = match answer {
        Answer::Failed => Err(Outage::at_once()),
        Answer::Gone if known.cache.person => Ok(Some(Vec::new())),
        Answer::Gone => Ok(None),
        _ if kind == ProviderKind::Import => Ok(Some(all())),
        Answer::CopyOnly => Ok(Some(Vec::new())),
        Answer::There if state.hides_memberships() => Ok(Some(Vec::new())),
        Answer::There => Ok(Some(all())),
    };
    let person = &mut realm.people[at];
    if answer == Answer::Gone && kind != ProviderKind::NoImport {
        person.lose_copy();
    } else if let Ok(Some(groups)) = &found {
        // They are kept with the person, whom an outage alone does not bring into the cache.
        person.cache.person |= realm.user_cache && answer == Answer::There;
        if person.cache.person {
            person.cache.groups = Some(groups.iter().cloned().collect());
        }
    }
    Reading { found, took }
}

/// The people that a search finds, in the order of their usernames.
pub(super) fn search(
    realm: &mut Realm,
    version: Version,
    matches: impl Fn(&Person) -> bool,
) -> Reading<Vec<Person>> {
    realm.notice_changed_settings();
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
    let people = realm.people.iter().enumerate();
    let matching = people.filter(|(_, person)| matches(person));
    let matching = matching.map(|(at, _)| at).collect();
    for at in by_username(realm, matching) {
        let person = realm.people[at].clone();
        let Some(provider) = origin(realm, &person) else {
            rows.push(person);
            continue;
        };
        let is_asked = !matches!(
            provider.state,
            ProviderState::Disabled | ProviderState::Deleted
        );
        let answer = ask(&provider, version, &person);
        let copies = provider.kind != ProviderKind::NoImport;
        if is_asked && copies && !person.imported && answer == Answer::There {
            realm.people[at].import_again();
        }
        // Nobody is cached who is not copied, and before 26 nobody who is looked for.
        if is_asked && !(copies && version.searches_through_the_cache()) {
            match answer {
                Answer::There => {
                    rows.push(linked(realm.people[at].clone(), provider.kind, version));
                }
                Answer::Gone if copies => realm.people[at].lose_copy(),
                _ => {}
            }
        } else if let Ok(Some(found)) = person_at(realm, version, at).found {
            rows.push(found);
        }
    }
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
