//! What counts as a proof that somebody has to go.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::missing::Missing;
use super::{Candidate, FoundPerson, Judgement, Proofs, held_in, own_address, witnesses};
use crate::mapping::{Inputs, MappedGroup};
use crate::matching::{Matching, address_of, name_of, name_of_account};
use crate::model::{Address, GroupPath, KeycloakGroupId, PersonId, ProviderId, fold};
use crate::plan::{About, Federation, Problem, ProblemCode, RemovalReason};
use crate::settings::{DisabledPolicy, FederationSetting};
use crate::snapshot::{KeycloakGroup, Person};

/// What there is to prove removals from a group with.
pub struct Evidence<'a> {
    pub(super) inputs: &'a Inputs<'a>,
    matching: &'a Matching<'a>,
    pub(super) group: &'a MappedGroup<'a>,
    pub(super) proofs: &'a Proofs,
    federation: Option<&'a Federation>,
    // They take a look at every row that was read, so they are found out once, and only if somebody has to go.
    listed: OnceCell<HashMap<Address, Vec<&'a Person>>>,
    flickering: OnceCell<Vec<(&'a ProviderId, &'a GroupPath)>>,
    witnessed: OnceCell<BTreeSet<&'a ProviderId>>,
}

impl<'a> Evidence<'a> {
    /// What was read and asked, about one group.
    pub fn new(
        inputs: &'a Inputs<'a>,
        matching: &'a Matching<'a>,
        group: &'a MappedGroup<'a>,
        proofs: &'a Proofs,
        federation: Option<&'a Federation>,
    ) -> Self {
        Self {
            inputs,
            matching,
            group,
            proofs,
            federation,
            listed: OnceCell::new(),
            flickering: OnceCell::new(),
            witnessed: OnceCell::new(),
        }
    }

    /// Whether it is proved that a person whom Keycloak knows does not belong to the group any more.
    pub(super) fn gone(&self, found: &FoundPerson) -> Result<RemovalReason, Missing> {
        let person = &found.person;
        let Some(groups) = &found.groups else {
            return Err(Missing::Vanished {
                person: name_of(person),
            });
        };
        let first: Vec<&KeycloakGroup> = self.group.sources.values().copied().collect();
        let second = self.second_round()?;
        let is_disabled =
            !person.enabled && self.inputs.settings.users.disabled == DisabledPolicy::Remove;
        if !is_disabled
            && let Some(source) = first
                .iter()
                .chain(&second)
                .find(|source| groups.contains(&source.id))
        {
            let is_listed = rows_of(person, &first).contains_key(&source.id);
            let (name, path) = (name_of(person), source.path.to_string());
            return Err(if !is_listed {
                Missing::StillThere { person: name, path }
            } else if self.matching.people.contains_key(&person.id) {
                // Who is listed and counts is a member by another account, if by any.
                Missing::OthersAccount { person: name, path }
            } else if person.locked_out {
                Missing::LockedOut { person: name, path }
            } else {
                Missing::Changed { what: name }
            });
        }
        let (rows_before, rows_after) = (rows_of(person, &first), rows_of(person, &second));
        let shows_the_same = rows_before.keys().eq(rows_after.keys())
            && rows_before
                .values()
                .chain(rows_after.values())
                .all(|enabled| is_disabled && !enabled);
        if !shows_the_same {
            return Err(Missing::Changed {
                what: name_of(person),
            });
        }
        if let Some(provider) = &person.provider
            && !self.group.without_witness
        {
            if !(has_witness(provider, person, &first) && has_witness(provider, person, &second)) {
                return Err(Missing::Witness {
                    provider: self.provider_name(provider),
                    group: self.group.azure.name.clone(),
                });
            }
            self.is_steady(|other| other == provider)?;
        }
        Ok(if is_disabled {
            RemovalReason::Disabled
        } else {
            RemovalReason::LeftGroup
        })
    }

    /// Whether everybody was found when asked about whose account it is, or whom the lists of the group show with one of its addresses.
    pub(super) fn whoever_is_known_was_found(
        &self,
        candidate: &Candidate<'_>,
        found: &BTreeMap<&PersonId, &FoundPerson>,
    ) -> Result<(), Missing> {
        let listed = self.listed()?;
        let listed = candidate
            .addresses
            .iter()
            .filter_map(|address| listed.get(address))
            .flatten()
            .copied();
        let owner = candidate.owner.and_then(|id| self.matching.people.get(id));
        let not_found = owner
            .map(|matched| matched.person)
            .into_iter()
            .chain(listed)
            .find(|person| !found.contains_key(&person.id));
        match not_found {
            Some(person) => Err(Missing::Changed {
                what: name_of(person),
            }),
            None => Ok(()),
        }
    }

    /// Whom the lists of the group show, in either reading, by their address as Keycloak has it, which is what is looked up.
    fn listed(&self) -> Result<&HashMap<Address, Vec<&'a Person>>, Missing> {
        let second = self.second_round()?;
        Ok(self.listed.get_or_init(|| {
            let mut listed: HashMap<Address, Vec<&'a Person>> = HashMap::new();
            let sources = self.group.sources.values().copied().chain(second);
            for person in sources.flat_map(|source| source.members.iter().map(AsRef::as_ref)) {
                let address = person.email.as_deref().and_then(|email| email.parse().ok());
                if let Some(address) = address {
                    listed.entry(address).or_default().push(person);
                }
            }
            listed
        }))
    }

    /// Whether nobody can be hidden who has an address that nobody is shown with: every user federation that the realm is known to have
    /// was seen alive in both rounds of reads.
    pub(super) fn nobody_is_hidden(&self, address: &Address) -> Result<(), Missing> {
        if self.group.without_witness {
            return Ok(());
        }
        let Some(federation) = self.federation else {
            return Err(match self.inputs.settings.federation {
                FederationSetting::Expected => Missing::ExpectedFederation(address.clone()),
                FederationSetting::Auto | FederationSetting::None => {
                    Missing::Federation(address.clone())
                }
            });
        };
        self.is_steady(|_| true)?;
        let witnessed = self.witnessed.get_or_init(|| {
            let first = self.inputs.keycloak.groups.values();
            let second = self.proofs.second_round.values();
            let first: BTreeSet<&'a ProviderId> = first.flat_map(witnesses).collect();
            let second: BTreeSet<&'a ProviderId> = second.flat_map(witnesses).collect();
            &first & &second
        });
        let mut providers = federation.providers.iter();
        match providers.find(|provider| !witnessed.contains(&provider.id)) {
            Some(provider) => Err(Missing::AnyWitness {
                address: address.clone(),
                provider: self.provider_name(&provider.id),
            }),
            None => Ok(()),
        }
    }

    /// Whether every list that was read twice shows the providers in question alive both times or not at all. Alive in one reading and
    /// not in the other: the outage began or ended in between, and whoever else vouches for the provider may have been read on
    /// its other side.
    fn is_steady(&self, is_in_question: impl Fn(&ProviderId) -> bool) -> Result<(), Missing> {
        let flickering = self.flickering.get_or_init(|| {
            let read_twice = self.proofs.second_round.keys();
            let first =
                sightings(read_twice.filter_map(|path| self.inputs.keycloak.groups.get(path)));
            let second = sightings(self.proofs.second_round.values());
            let only_in = |one: &Sightings<'a>, other: &Sightings<'a>| {
                one.iter()
                    .filter(|(sighting, _)| !other.contains_key(sighting))
                    .map(|((_, provider), path)| (*provider, *path))
                    .collect::<Vec<_>>()
            };
            [only_in(&first, &second), only_in(&second, &first)].concat()
        });
        match flickering
            .iter()
            .find(|(provider, _)| is_in_question(provider))
        {
            Some((provider, path)) => Err(Missing::Flickering {
                provider: self.provider_name(provider),
                path: path.to_string(),
            }),
            None => Ok(()),
        }
    }

    /// The sources of the group as they were read the second time.
    fn second_round(&self) -> Result<Vec<&'a KeycloakGroup>, Missing> {
        let mut sources: BTreeMap<&KeycloakGroupId, &KeycloakGroup> = BTreeMap::new();
        for mapping in &self.group.mappings {
            let Some(group) = self.proofs.second_round.get(&mapping.keycloak) else {
                return Err(Missing::Changed {
                    what: mapping.keycloak.to_string(),
                });
            };
            sources.extend(
                group
                    .tree(mapping.subgroups)
                    .into_iter()
                    .map(|source| (&source.id, source)),
            );
        }
        Ok(sources.into_values().collect())
    }

    fn provider_name(&self, id: &ProviderId) -> String {
        self.federation
            .and_then(|federation| {
                federation
                    .providers
                    .iter()
                    .find(|provider| provider.id == *id)?
                    .name
                    .clone()
            })
            .unwrap_or_else(|| id.to_string())
    }

    /// By which of the addresses in Keycloak reviewers know whom the removal is about. Its owner's, or the account's own, if somebody has that: who
    /// has another one may be somebody else.
    pub(super) fn address_to_show(
        &self,
        candidate: &Candidate<'_>,
        found: &BTreeMap<&PersonId, &FoundPerson>,
    ) -> String {
        let own = own_address(candidate.account);
        let address_of = |found: &&FoundPerson| {
            let address = address_of(&found.person, self.inputs.settings);
            address.map(|address| address.to_string())
        };
        let of_owner = candidate.owner.and_then(|owner| found.get(owner));
        let addresses: BTreeSet<String> = found.values().filter_map(address_of).collect();
        let is_own = |address: &&String| **address == fold(&own);
        of_owner
            .and_then(address_of)
            .or_else(|| addresses.iter().find(is_own).or(addresses.first()).cloned())
            .unwrap_or(own)
    }

    pub(super) fn hold(&self, candidate: &Candidate<'_>, missing: Missing) -> Judgement {
        let group = &self.group.azure.name;
        let lift = format!(
            "or lift this rule for one plan with --without-witness {}",
            self.group.flag_name
        );
        let (reason, hint) = missing.words(&lift);
        let email = own_address(candidate.account);
        Judgement::Hold(Box::new(Problem {
            code: ProblemCode::RemovalNotConfirmed,
            subject: format!("{} ({email})", name_of_account(candidate.account)),
            message: held_in(group) + &reason,
            hint: Some(hint),
            about: About {
                group: Some(self.group.name()),
                ..About::account(&candidate.account.id, &email)
            },
        }))
    }
}

/// Which lists show which provider at work, with the path of each list.
type Sightings<'a> = BTreeMap<(&'a KeycloakGroupId, &'a ProviderId), &'a GroupPath>;

fn sightings<'a>(groups: impl Iterator<Item = &'a KeycloakGroup>) -> Sightings<'a> {
    groups
        .flat_map(|group| group.tree(true))
        .flat_map(|list| {
            let people = list.members.iter();
            people
                .filter_map(|person| person.witnessed_provider())
                .map(|provider| ((&list.id, provider), &list.path))
        })
        .collect()
}

/// In which of the groups a person is listed, and whether as enabled.
fn rows_of<'a>(
    person: &Person,
    groups: &[&'a KeycloakGroup],
) -> BTreeMap<&'a KeycloakGroupId, bool> {
    groups
        .iter()
        .filter_map(|group| {
            let row = group.members.iter().find(|row| row.id == person.id)?;
            Some((&group.id, row.enabled))
        })
        .collect()
}

/// Whether the groups show a provider at work by somebody who is not the person in question.
fn has_witness(provider: &ProviderId, person: &Person, groups: &[&KeycloakGroup]) -> bool {
    groups
        .iter()
        .flat_map(|group| &group.members)
        .any(|row| row.witnessed_provider() == Some(provider) && row.id != person.id)
}
