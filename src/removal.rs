//! Removals are proved, not inferred: what has to be asked about somebody who seems to have to go, and what counts as a proof.
//!
//! An answer that lacks a person proves nothing: with LDAP behind it, Keycloak hides an outage and answers 200 without the
//! people (seen on 21.1 to 26.7). So whoever seems to have to go is looked up, the groups are read once more, and a person
//! of a user federation counts as gone only beside a witness: an enabled person of the same provider in the same list.

use std::cell::LazyCell;
use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::mapping::{Inputs, MappedGroup};
use crate::matching::{
    Matching, Names, Standing, address_of, addresses_in_keycloak, addresses_of, can_be_invited,
    in_entra, name_of, name_of_account,
};
use crate::model::{Address, GroupPath, KeycloakGroupId, ObjectId, PersonId, ProviderId, fold};
use crate::plan::{
    About, Federation, FederationSource, Problem, ProblemCode, Provider, RemovalReason,
};
use crate::settings::{DisabledPolicy, FederationSetting, RemovalPolicy, Settings};
use crate::snapshot::{Account, KeycloakGroup, KeycloakSnapshot, Person};

/// What the core wants to know before anybody is removed. The shell asks for all addresses first, reads the groups once all of
/// these are answered, and then asks once more for the addresses that nobody had: an outage that hides somebody from both
/// look-ups hides them, and whoever vouches for their provider, from the second reading as well.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProofRequest {
    /// The addresses to look up, with the groups of whoever has them.
    pub addresses: BTreeSet<Address>,
    /// The groups to read once more, as they were read the first time.
    pub groups: BTreeSet<GroupPath>,
}

/// The answers to a [`ProofRequest`], all of them complete.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proofs {
    /// For each address asked about, the people who have it; empty if Keycloak knows none.
    pub found: BTreeMap<Address, Vec<FoundPerson>>,
    /// The groups as they were read the second time (sub-groups wherever the first reading had them).
    pub second_round: BTreeMap<GroupPath, KeycloakGroup>,
    /// For each address that nobody had, whether nobody had it after the second reading either.
    pub still_nobody: BTreeMap<Address, bool>,
}

/// A person who has an address that was asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundPerson {
    /// The person as the look-up showed them.
    pub person: Person,
    /// The ids of all groups that the person is directly in (`users/{id}/groups`), or `None` if Keycloak had just shown the
    /// person and then did not know them any more.
    pub groups: Option<BTreeSet<KeycloakGroupId>>,
}

/// A member whom the mappings do not want.
#[derive(Debug, Clone)]
pub struct Candidate<'a> {
    /// The account.
    pub account: &'a Account,
    /// The addresses to look up: its own, and those that `email_domains` turns into one of them, however they are written.
    pub addresses: BTreeSet<Address>,
    /// Whose account it is, if that is somebody who counts in another group.
    pub owner: Option<&'a PersonId>,
    /// Somebody in the group who has the name of the account, and whom the plan cannot bring to an account of their own: it may be
    /// theirs.
    pub namesake: Option<(&'a Person, &'a GroupPath)>,
}

/// Returns the members of a group whom its mappings do not want, by address and id. Nobody is among them who is protected, not
/// clear, or not a user.
pub fn candidates<'a>(
    inputs: &Inputs<'a>,
    matching: &Matching<'a>,
    group: &MappedGroup<'a>,
) -> Vec<Candidate<'a>> {
    if !group.is_managed() || group.removals == RemovalPolicy::None {
        return Vec::new();
    }
    let in_sources: HashSet<&PersonId> = group.rows.iter().map(|(person, _)| *person).collect();
    let is_wanted = |account: &ObjectId| {
        matching
            .owners
            .get(account)
            .is_some_and(|owner| in_sources.contains(owner))
    };
    // Where everybody is wanted, nobody is asked for their name.
    let uncovered = LazyCell::new(|| {
        let people = people_without_cover(inputs, matching, group);
        let names = Names::of(people.iter().map(|(person, _)| *person));
        (people, names)
    });
    let mut candidates: Vec<Candidate<'a>> = group
        .azure
        .members
        .iter()
        .filter(|id| {
            !is_wanted(id) && !matching.left_alone.contains(id) && !matching.protected.contains(id)
        })
        .filter_map(|id| matching.accounts.get(id).copied())
        .map(|account| Candidate {
            account,
            addresses: addresses_to_look_up(account, inputs.settings),
            owner: matching.owners.get(&account.id).copied(),
            namesake: {
                let (people, names) = &*uncovered;
                names
                    .first_of(account)
                    .and_then(|at| people.get(at).copied())
            },
        })
        .collect();
    candidates.sort_by(|a, b| {
        (a.addresses.first(), &a.account.id).cmp(&(b.addresses.first(), &b.account.id))
    });
    candidates
}

/// The people in the group's sources who count and neither have an account nor can be invited: left as they are because of a problem,
/// or protected. Each with a source that they are in.
fn people_without_cover<'a>(
    inputs: &Inputs<'a>,
    matching: &Matching<'a>,
    group: &MappedGroup<'a>,
) -> Vec<(&'a Person, &'a GroupPath)> {
    let has_cover = |standing: &Standing<'_>| match standing {
        Standing::HasAccount(..) => true,
        Standing::HasNone(address) => can_be_invited(address, inputs),
        Standing::LeftAlone => false,
    };
    group
        .people()
        .filter_map(|(person, mut paths)| {
            let matched = matching.people.get(person)?;
            let path = paths.next()?;
            (!has_cover(&matched.standing)).then_some((matched.person, path))
        })
        .collect()
}

fn addresses_to_look_up(account: &Account, settings: &Settings) -> BTreeSet<Address> {
    let own: BTreeSet<Address> = addresses_of(account)
        .iter()
        .flat_map(Address::spellings)
        .collect();
    let in_keycloak = own
        .iter()
        .flat_map(|address| addresses_in_keycloak(address, settings))
        .flat_map(|address| address.spellings())
        .collect();
    &own | &in_keycloak
}

/// Returns what to ask Keycloak about the candidates of some groups.
pub fn proof_request(
    inputs: &Inputs<'_>,
    losing: &[(&MappedGroup<'_>, &[Candidate<'_>])],
) -> ProofRequest {
    let mut request = ProofRequest::default();
    let losing = losing
        .iter()
        .filter(|(_, candidates)| !candidates.is_empty());
    let mut needs_every_provider = false;
    for (group, candidates) in losing {
        needs_every_provider |= !group.without_witness;
        request.groups.extend(
            group
                .mappings
                .iter()
                .map(|mapping| mapping.keycloak.clone()),
        );
        for candidate in *candidates {
            request
                .addresses
                .extend(candidate.addresses.iter().cloned());
        }
    }
    if needs_every_provider {
        let witnessed: BTreeSet<&ProviderId> = request
            .groups
            .iter()
            .filter_map(|path| inputs.keycloak.groups.get(path))
            .flat_map(witnesses)
            .collect();
        let missing =
            providers_of(inputs.keycloak).filter(|provider| !witnessed.contains(provider));
        request.groups.extend(
            missing.filter_map(|provider| smallest_group_with_witness(inputs.keycloak, provider)),
        );
    }
    request
}

fn providers_of(keycloak: &KeycloakSnapshot) -> impl Iterator<Item = &ProviderId> {
    let components = keycloak
        .components
        .iter()
        .flatten()
        .map(|provider| &provider.id);
    components
        .chain(
            keycloak
                .groups
                .values()
                .flat_map(rows)
                .filter_map(|person| person.provider.as_ref()),
        )
        .collect::<BTreeSet<_>>()
        .into_iter()
}

fn smallest_group_with_witness(
    keycloak: &KeycloakSnapshot,
    provider: &ProviderId,
) -> Option<GroupPath> {
    keycloak
        .groups
        .iter()
        .filter(|(_, group)| witnesses(group).any(|seen| seen == provider))
        .min_by_key(|(_, group)| rows(group).count())
        .map(|(path, _)| path.clone())
}

fn rows(group: &KeycloakGroup) -> impl Iterator<Item = &Person> {
    group
        .tree(true)
        .into_iter()
        .flat_map(|group| group.members.iter().map(AsRef::as_ref))
}

/// The providers of which the group shows an enabled person.
fn witnesses(group: &KeycloakGroup) -> impl Iterator<Item = &ProviderId> {
    rows(group)
        .filter(|person| person.enabled)
        .filter_map(|person| person.provider.as_ref())
}

/// Returns what is known of user federation in the realm, from its components and from every row seen.
pub fn federation(inputs: &Inputs<'_>, proofs: &Proofs) -> Option<Federation> {
    let seen = inputs
        .keycloak
        .groups
        .values()
        .chain(proofs.second_round.values())
        .flat_map(rows)
        .chain(proofs.found.values().flatten().map(|found| &found.person))
        .filter_map(|person| person.provider.as_ref());
    let mut providers: BTreeMap<&ProviderId, Option<&str>> =
        seen.map(|provider| (provider, None)).collect();
    for component in inputs.keycloak.components.iter().flatten() {
        providers.insert(&component.id, Some(&component.name));
    }
    let known_from = match inputs.settings.federation {
        _ if inputs.keycloak.components.is_some() && !providers.is_empty() => {
            FederationSource::Components
        }
        _ if !providers.is_empty() => FederationSource::Seen,
        FederationSetting::None => FederationSource::Declared,
        FederationSetting::Auto if inputs.keycloak.components.is_some() => {
            FederationSource::Components
        }
        // Where one is expected and none was seen, nothing is known of it.
        FederationSetting::Auto | FederationSetting::Expected => return None,
    };
    Some(Federation {
        known_from,
        providers: providers
            .into_iter()
            .map(|(id, name)| Provider {
                id: id.clone(),
                name: name.map(str::to_owned),
            })
            .collect(),
    })
}

/// What came of the questions about one candidate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judgement {
    /// They have to go; the address is the one that Keycloak knows them by, or their own.
    Remove(RemovalReason, String),
    /// It is not proved that they have to go.
    Hold(Problem),
    /// Keycloak does not know them, and the mapping removes only people whom it knows.
    Stranger,
}

/// Judges whether it is proved that a candidate has to go.
pub fn judge(
    inputs: &Inputs<'_>,
    group: &MappedGroup<'_>,
    candidate: &Candidate<'_>,
    proofs: &Proofs,
    federation: Option<&Federation>,
) -> Judgement {
    let evidence = Evidence {
        inputs,
        group,
        proofs,
        federation,
    };
    let mut found: BTreeMap<&PersonId, &FoundPerson> = BTreeMap::new();
    // An address of the account, and whether anybody has it, under any domain that is rewritten to its own.
    let mut is_known: BTreeMap<BTreeSet<Address>, bool> = BTreeMap::new();
    for address in &candidate.addresses {
        let Some(people) = proofs.found.get(address) else {
            return evidence.hold(candidate, Missing::NotLookedUp(address.clone()));
        };
        if people.is_empty() {
            match proofs.still_nobody.get(address) {
                Some(true) => {}
                Some(false) => return evidence.hold(candidate, Missing::Appeared(address.clone())),
                None => return evidence.hold(candidate, Missing::NotLookedUp(address.clone())),
            }
        }
        let written = in_entra(address, inputs.settings).spellings();
        *is_known.entry(written).or_default() |= !people.is_empty();
        found.extend(people.iter().map(|found| (&found.person.id, found)));
    }
    if candidate.addresses.is_empty() {
        return evidence.hold(candidate, Missing::NoAddress);
    }
    if found.is_empty() && group.removals != RemovalPolicy::All {
        return Judgement::Stranger;
    }
    let is_owner_found = candidate
        .owner
        .is_some_and(|owner| found.contains_key(owner));
    if let Some((person, path)) = candidate.namesake
        && !is_owner_found
    {
        return evidence.hold(
            candidate,
            Missing::SameName {
                person: name_of(person),
                path: path.to_string(),
            },
        );
    }
    if found.is_empty() {
        return match evidence.unknown(candidate) {
            Ok(()) => Judgement::Remove(
                RemovalReason::UnknownToKeycloak,
                own_address(candidate.account),
            ),
            Err(missing) => evidence.hold(candidate, missing),
        };
    }
    if found
        .values()
        .any(|found| found.person.is_service_account())
    {
        return match group.removals {
            RemovalPolicy::All => evidence.hold(candidate, Missing::ServiceAccount),
            RemovalPolicy::Known | RemovalPolicy::None => Judgement::Stranger,
        };
    }
    // Unless it is clear that the account is theirs, the person that was found need not be the one who is a member: behind an address that nobody is shown with, a person of
    // a federation that is out of order may hide.
    if !is_owner_found
        && is_known.values().any(|is_known| !is_known)
        && let Err(missing) = evidence.nobody_is_hidden()
    {
        return evidence.hold(candidate, missing);
    }
    let mut reasons = BTreeSet::new();
    for found in found.values() {
        match evidence.gone(found) {
            Ok(reason) => reasons.insert(reason),
            Err(missing) => return evidence.hold(candidate, missing),
        };
    }
    // Several people with the address: it is "disabled" only if all of them are.
    let reason = reasons.last().copied().unwrap_or(RemovalReason::LeftGroup);
    Judgement::Remove(reason, evidence.address_to_show(candidate, &found))
}

/// What an account is called by when Keycloak does not know it: its mail, or its user principal name.
pub fn own_address(account: &Account) -> String {
    account
        .mail
        .clone()
        .filter(|mail| !mail.trim().is_empty())
        .unwrap_or_else(|| account.user_principal_name.clone())
}

struct Evidence<'a> {
    inputs: &'a Inputs<'a>,
    group: &'a MappedGroup<'a>,
    proofs: &'a Proofs,
    federation: Option<&'a Federation>,
}

/// What is missing for a proof.
enum Missing {
    NoAddress,
    NotLookedUp(Address),
    Appeared(Address),
    StillThere {
        person: String,
        path: String,
    },
    OthersAccount {
        person: String,
        path: String,
    },
    Vanished {
        person: String,
    },
    ServiceAccount,
    /// Two readings do not agree about a person, or about a group.
    Changed {
        what: String,
    },
    Witness {
        provider: String,
        group: String,
    },
    AnyWitness {
        provider: String,
    },
    Flickering {
        provider: String,
        path: String,
    },
    SameName {
        person: String,
        path: String,
    },
    Federation,
    ExpectedFederation,
}

impl Evidence<'_> {
    /// Whether it is proved that a person whom Keycloak knows does not belong to the group any more.
    fn gone(&self, found: &FoundPerson) -> Result<RemovalReason, Missing> {
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
            let (person, path) = (name_of(person), source.path.to_string());
            let keeps_disabled = self.inputs.settings.users.disabled == DisabledPolicy::Keep;
            // Who is listed and counts is a member by another account.
            let is_listed = rows_of(&found.person, &first)
                .get(&source.id)
                .is_some_and(|enabled| *enabled || keeps_disabled);
            return Err(if is_listed {
                Missing::OthersAccount { person, path }
            } else {
                Missing::StillThere { person, path }
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

    /// Whether it is proved that Keycloak does not know anybody with the candidate's addresses.
    fn unknown(&self, candidate: &Candidate<'_>) -> Result<(), Missing> {
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
        if let Some(person) = first
            .chain(second)
            .flat_map(|source| source.members.iter().map(AsRef::as_ref))
            .find(has_address)
        {
            return Err(Missing::Changed {
                what: name_of(person),
            });
        }
        self.nobody_is_hidden()
    }

    /// Whether every user federation that the realm is known to have was seen alive in both rounds of reads.
    fn nobody_is_hidden(&self) -> Result<(), Missing> {
        if self.group.without_witness {
            return Ok(());
        }
        let Some(federation) = self.federation else {
            return Err(match self.inputs.settings.federation {
                FederationSetting::Expected => Missing::ExpectedFederation,
                FederationSetting::Auto | FederationSetting::None => Missing::Federation,
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
    fn address_to_show(
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

    fn hold(&self, candidate: &Candidate<'_>, missing: Missing) -> Judgement {
        let group = &self.group.azure.name;
        let lift = format!(
            "or lift this rule for one plan with --without-witness {}",
            self.group.flag_name
        );
        let (reason, hint) = match missing {
            Missing::NoAddress => (
                "the account has no address that Keycloak could be asked about".to_owned(),
                "look at the account in Entra".to_owned(),
            ),
            Missing::NotLookedUp(address) => (
                format!("Keycloak was not asked about {address}"),
                "plan again".to_owned(),
            ),
            Missing::Appeared(address) => (
                format!("Keycloak first knew nobody with {address} and then did"),
                "plan again; if it stays so, look at the user federation of the realm".to_owned(),
            ),
            Missing::StillThere { person, path } => (
                format!("its list of members left {person} out, but asked about this person Keycloak names {path}"),
                "plan again; if it stays so, look for a size limit, fine-grained permissions or a user federation in trouble".to_owned(),
            ),
            Missing::OthersAccount { person, path } => (
                format!("it has an address of {person}, who is in {path}, but is not the account that is matched with this person"),
                "take the address off the account, or take the account out of the group in Entra".to_owned(),
            ),
            Missing::Vanished { person } => (
                format!("Keycloak first found {person} and then did not"),
                "plan again; if it stays so, look at the user federation of the realm".to_owned(),
            ),
            Missing::ServiceAccount => (
                "a service account of Keycloak has its address".to_owned(),
                "take the address off the service account, or protect the account".to_owned(),
            ),
            Missing::Changed { what } => (
                format!("two readings of Keycloak differ about {what}"),
                "plan again; if it stays so, look at the user federation of the realm".to_owned(),
            ),
            Missing::Witness { provider, group } => (
                format!(
                    "the person comes from the user federation {provider}, and no other enabled person of it was seen in \
                     the Keycloak groups of {group}: it may be out of order"
                ),
                format!("see that {provider} works, keep a permanent member from it in the group, {lift}"),
            ),
            Missing::AnyWitness { provider } => (
                format!(
                    "Keycloak shows nobody with one of its addresses, but no enabled person of the user federation {provider} was seen \
                     in every round of reads: the person may come from there while it is out of order"
                ),
                format!("see that {provider} works and that a mapped group has a member from it, {lift}"),
            ),
            Missing::Flickering { provider, path } => (
                format!(
                    "one reading of {path} showed people of the user federation {provider} and another none: it may be going in \
                     and out of order"
                ),
                format!("plan again; if it stays so, see that {provider} works, {lift}"),
            ),
            Missing::SameName { person, path } => (
                format!("{person} in {path} has its name and is not clear, so it may be theirs"),
                "see what is said of this person; correct their address in Keycloak, or take them out of the group".to_owned(),
            ),
            Missing::Federation => (
                "Keycloak does not know the account, but whether the realm has a user federation is not known, and a person \
                 of one that is out of order looks the same"
                    .to_owned(),
                format!(
                    "give the sync account the role view-realm of the client realm-management, or set \
                     `keycloak_federation: none` if there is none, {lift}"
                ),
            ),
            Missing::ExpectedFederation => (
                "Keycloak does not know the account, but `keycloak_federation: expected` says that the realm has a user \
                 federation, and nobody from it was seen"
                    .to_owned(),
                format!("see that it works and that a mapped group has a member from it, {lift}"),
            ),
        };
        let email = own_address(candidate.account);
        Judgement::Hold(Problem {
            code: ProblemCode::RemovalNotConfirmed,
            subject: format!("{} ({email})", name_of_account(candidate.account)),
            message: held_in(group) + &reason,
            hint: Some(hint),
            about: About {
                group: Some(self.group.name()),
                ..About::account(&candidate.account.id, &email)
            },
        })
    }
}

/// Which lists show an enabled person of which provider, with the path of each list.
type Sightings<'a> = BTreeMap<(&'a KeycloakGroupId, &'a ProviderId), &'a GroupPath>;

fn sightings<'a>(groups: impl Iterator<Item = &'a KeycloakGroup>) -> Sightings<'a> {
    groups
        .flat_map(|group| group.tree(true))
        .flat_map(|list| {
            let alive = list.members.iter().filter(|person| person.enabled);
            alive
                .filter_map(|person| person.provider.as_ref())
                .map(|provider| ((&list.id, provider), &list.path))
        })
        .collect()
}

/// Returns how the message of every removal begins that is not confirmed: with the group.
pub fn held_in(group: &str) -> String {
    format!("seems to have to leave {group}, but stays: ")
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
        .any(|row| row.enabled && row.provider.as_ref() == Some(provider) && row.id != person.id)
}
