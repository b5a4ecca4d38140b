//! What counts as a proof that somebody has to go.

use std::collections::{BTreeMap, BTreeSet};

use super::missing::Missing;
use super::{Candidate, FoundPerson, Judgement, Proofs, held_in, own_address, witnesses};
use crate::mapping::{Inputs, MappedGroup};
use crate::matching::{Matching, Standing, address_of, name_of, name_of_account};
use crate::model::{Address, GroupPath, KeycloakGroupId, PersonId, ProviderId, fold};
use crate::plan::{About, Federation, Problem, ProblemCode, RemovalReason};
use crate::settings::{DisabledPolicy, FederationSetting};
use crate::snapshot::{KeycloakGroup, Person};

/// What there is to prove a removal from a group with.
pub(super) struct Evidence<'a> {
    pub(super) inputs: &'a Inputs<'a>,
    pub(super) matching: &'a Matching<'a>,
    pub(super) group: &'a MappedGroup<'a>,
    pub(super) proofs: &'a Proofs,
    pub(super) federation: Option<&'a Federation>,
}

impl Evidence<'_> {
    /// Whether it is proved that a person whom Keycloak knows does not belong to the group any more.
    pub(super) fn gone(
        &self,
        candidate: &Candidate<'_>,
        found: &FoundPerson,
    ) -> Result<RemovalReason, Missing> {
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
            return Err(if self.has_other_account(person, candidate) {
                Missing::OthersAccount { person: name, path }
            } else if is_listed {
                Missing::Changed { what: name }
            } else {
                Missing::StillThere { person: name, path }
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

    fn has_other_account(&self, person: &Person, candidate: &Candidate<'_>) -> bool {
        let matched = self.matching.people.get(&person.id);
        matched.is_some_and(|matched| {
            matches!(matched.standing, Standing::HasAccount(_, account) if account.id != candidate.account.id)
        })
    }

    /// Whether everybody was found when asked about whose account it is, or whom the lists of the group show with one of its addresses.
    pub(super) fn whoever_is_known_was_found(
        &self,
        candidate: &Candidate<'_>,
        found: &BTreeMap<&PersonId, &FoundPerson>,
    ) -> Result<(), Missing> {
        let second = self.second_round()?;
        // As Keycloak has it, which is what was looked up.
        let has_address = |person: &&Person| {
            let address = person
                .email
                .as_deref()
                .and_then(|email| email.parse::<Address>().ok());
            address.is_some_and(|address| candidate.addresses.contains(&address))
        };
        let first = self.group.sources.values().copied();
        let listed = first
            .chain(second)
            .flat_map(|source| source.members.iter().map(AsRef::as_ref))
            .filter(has_address);
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
        let is_witnessed = |groups: &BTreeMap<GroupPath, KeycloakGroup>, provider: &ProviderId| {
            groups
                .values()
                .flat_map(witnesses)
                .any(|seen| seen == provider)
        };
        let without = federation.providers.iter().find(|provider| {
            !(is_witnessed(&self.inputs.keycloak.groups, &provider.id)
                && is_witnessed(&self.proofs.second_round, &provider.id))
        });
        match without {
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
        let read_twice = self.proofs.second_round.keys();
        let first = sightings(read_twice.filter_map(|path| self.inputs.keycloak.groups.get(path)));
        let second = sightings(self.proofs.second_round.values());
        let only_in = |one: &Sightings<'_>, other: &Sightings<'_>| {
            one.iter()
                .find(|(sighting, _)| is_in_question(sighting.1) && !other.contains_key(sighting))
                .map(|((_, provider), path)| Missing::Flickering {
                    provider: self.provider_name(provider),
                    path: path.to_string(),
                })
        };
        match only_in(&first, &second).or_else(|| only_in(&second, &first)) {
            Some(missing) => Err(missing),
            None => Ok(()),
        }
    }

    /// The sources of the group as they were read the second time.
    fn second_round(&self) -> Result<Vec<&KeycloakGroup>, Missing> {
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

/// Which lists show an enabled person of which provider, with the path of each list.
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

/// Whether the groups show an enabled person of a provider who is not the person in question.
fn has_witness(provider: &ProviderId, person: &Person, groups: &[&KeycloakGroup]) -> bool {
    groups
        .iter()
        .flat_map(|group| &group.members)
        .any(|row| row.witnessed_provider() == Some(provider) && row.id != person.id)
}
