//! Removals are proved, not inferred: what has to be asked about somebody who seems to have to go, and what counts as a proof.
//!
//! An answer that lacks a person proves nothing: with LDAP behind it, Keycloak hides an outage and answers 200 without the
//! people (seen on 21.1 to 26.7). So whoever seems to have to go is looked up, the groups are read once more, and a person
//! of a user federation counts as gone only beside a witness: an enabled person of the same provider in the same list who is not locked
//! out. As long as one of an account's addresses is nobody's, somebody of a federation may hide behind it.

mod evidence;
mod missing;

use std::cell::LazyCell;
use std::collections::{BTreeMap, BTreeSet, HashSet};

pub use self::evidence::Evidence;
use self::missing::Missing;
use crate::mapping::{Inputs, MappedGroup};
use crate::matching::{
    Matching, Names, Standing, addresses_in_keycloak, addresses_of, can_be_invited, name_of,
};
use crate::model::{Address, GroupPath, KeycloakGroupId, ObjectId, PersonId, ProviderId};
use crate::plan::{Federation, FederationSource, Problem, Provider, RemovalReason};
use crate::settings::{FederationSetting, RemovalPolicy, Settings};
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
    let own = addresses_of(account);
    own.iter()
        .flat_map(|address| spellings_in_keycloak(address, settings))
        .collect()
}

/// Returns what Keycloak is asked for one address of Entra: itself, and those that `email_domains` turns into it, however they are written.
pub fn spellings_in_keycloak(address: &Address, settings: &Settings) -> BTreeSet<Address> {
    let own = address.spellings();
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

/// The providers that the group shows at work.
fn witnesses(group: &KeycloakGroup) -> impl Iterator<Item = &ProviderId> {
    rows(group).filter_map(Person::witnessed_provider)
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
    Hold(Box<Problem>),
    /// Keycloak does not know them, and the mapping removes only people whom it knows.
    Stranger,
}

/// Judges whether it is proved that a candidate has to go.
pub fn judge(evidence: &Evidence<'_>, candidate: &Candidate<'_>) -> Judgement {
    let Evidence { group, proofs, .. } = *evidence;
    let mut found: BTreeMap<&PersonId, &FoundPerson> = BTreeMap::new();
    let mut unclaimed = None;
    for address in &candidate.addresses {
        let Some(people) = proofs.found.get(address) else {
            return evidence.hold(candidate, Missing::NotLookedUp(address.clone()));
        };
        if people.is_empty() {
            unclaimed = unclaimed.or(Some(address));
            match proofs.still_nobody.get(address) {
                Some(true) => {}
                Some(false) => return evidence.hold(candidate, Missing::Appeared(address.clone())),
                None => return evidence.hold(candidate, Missing::NotLookedUp(address.clone())),
            }
        }
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
    if found
        .values()
        .any(|found| found.person.is_service_account())
    {
        return match group.removals {
            RemovalPolicy::All => evidence.hold(candidate, Missing::ServiceAccount),
            RemovalPolicy::Known | RemovalPolicy::None => Judgement::Stranger,
        };
    }
    // The person that was found need not be the one who is a member: behind an address that nobody is shown with, a person of a
    // federation that is out of order may hide. Not even an owner is sure, who is one only as long as nobody else is shown.
    let is_alone = evidence
        .whoever_is_known_was_found(candidate, &found)
        .and_then(|()| unclaimed.map_or(Ok(()), |address| evidence.nobody_is_hidden(address)));
    if let Err(missing) = is_alone {
        return evidence.hold(candidate, missing);
    }
    if found.is_empty() {
        return Judgement::Remove(
            RemovalReason::UnknownToKeycloak,
            own_address(candidate.account),
        );
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

/// Returns how the message of every removal begins that is not confirmed: with the group.
pub fn held_in(group: &str) -> String {
    format!("seems to have to leave {group}, but stays: ")
}
