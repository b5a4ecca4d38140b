//! Everything that is known about one address: the person in Keycloak, the account in Entra, how one leads to the other, and what a
//! plan does about them. Who approves access asks exactly this.
//!
//! It decides nothing: whatever it says was decided for the plan, and is put together here for one person.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::diff::{Decision, Kept};
use crate::mapping::MappedGroup;
use crate::matching::{
    ALL_ATTRIBUTES, Standing, address_of, in_entra, is_protected, name_of, values,
};
use crate::model::{Address, GroupPath, KeycloakGroupId, ObjectId, PersonId, ProviderId};
use crate::plan::{About, Action, Change, Plan, Problem, ProblemCode};
use crate::removal::spellings_in_keycloak;
use crate::report::ChangeOutcome;
use crate::settings::{DisabledPolicy, MatchAttribute, RemovalPolicy, Settings};
use crate::snapshot::{Account, Obstacle, Person};

/// What both sides answer about one address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answers {
    /// The address asked about.
    pub address: Address,
    /// The people who have it, under any domain that is rewritten to its own, or have another address of the accounts.
    pub people: Vec<KnownPerson>,
    /// The accounts that have it, or the address of one of the people, in whatever attribute.
    pub accounts: Vec<Account>,
}

/// A person, with every group that they are directly in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownPerson {
    /// The person.
    pub person: Person,
    /// The paths of their groups by id, or `None` if Keycloak had just shown the person and then did not know them any more.
    pub groups: Option<BTreeMap<KeycloakGroupId, String>>,
}

/// Returns the addresses that Keycloak is asked about for one address: itself, and those that `email_domains` turns into it, however they
/// are written.
pub fn addresses_to_ask(address: &Address, settings: &Settings) -> BTreeSet<Address> {
    let in_entra = in_entra(address, settings);
    &spellings_in_keycloak(&in_entra, settings) | &address.spellings()
}

/// Returns the addresses that Entra is asked about for one address: as it is there, however it is written.
pub fn addresses_to_find(address: &Address, settings: &Settings) -> BTreeSet<Address> {
    let spellings = address.spellings();
    let in_entra = spellings.iter().map(|address| in_entra(address, settings));
    in_entra.flat_map(|address| address.spellings()).collect()
}

/// Everything that is known about one address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The address asked about.
    pub address: Address,
    /// The same as Entra should know it, if its domain is another there.
    pub in_entra: Option<Address>,
    /// The attributes that accounts are found by, in their order.
    pub match_by: Vec<MatchAttribute>,
    /// The attribute on which accounts match, if any does and one address is all that there is to compare.
    pub deciding: Option<MatchAttribute>,
    /// The people who have the address, or another one of the accounts.
    pub people: Vec<ExplainedPerson>,
    /// The accounts that have it, or belong to one of the people.
    pub accounts: Vec<ExplainedAccount>,
    /// The user federation providers that the people come from, or might where none was found, and of which no enabled person was
    /// seen: while one is out of order, its people look disabled, in no group, or unknown.
    pub unseen_providers: Vec<String>,
    /// The problems that concern any of them.
    pub problems: Vec<Problem>,
    /// The numbers of the plan's changes about any of them, counted from 1.
    pub changes: Vec<usize>,
    /// For a reviewed plan: what would become of these changes now.
    pub outcomes: Option<Vec<ChangeOutcome>>,
    /// Changes about any of them that the directories want now and the reviewed plan does not hold.
    pub further: Vec<Change>,
}

/// A person, as far as it matters to the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExplainedPerson {
    /// The person.
    pub person: Person,
    /// The name of the user federation provider they come from, where it has one that is known.
    pub provider: Option<String>,
    /// Why the person does not count, if they are in a mapped group and do not.
    pub does_not_count: Option<NotCounting>,
    /// The mapped groups that the person is in, each with the list that shows them.
    pub mapped: Vec<MappedMembership>,
    /// The paths of the other groups that the person is in.
    pub not_mapped: Vec<String>,
    /// Groups that the person is in when asked about, and whose list of members lacked them.
    pub missing_from: Vec<String>,
}

/// Why somebody does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotCounting {
    /// Disabled people do not, unless `users.disabled: keep`.
    Disabled,
    /// Service accounts never do.
    ServiceAccount,
}

/// A mapped group that somebody is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MappedMembership {
    /// The Keycloak group of the mapping.
    pub mapping: GroupPath,
    /// The group that the person is directly in: that of the mapping, or one of its sub-groups.
    pub source: GroupPath,
    /// The Azure group that the mapping leads to.
    pub azure: crate::plan::GroupName,
    /// Why the Azure group's members cannot be managed, if so.
    pub obstacle: Option<Obstacle>,
    /// Whether the plan covers the Azure group.
    pub in_scope: bool,
}

/// An account, as far as it matters to the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExplainedAccount {
    /// The account.
    pub account: Account,
    /// The attributes that hold the address, those of `users.match` first and in its order.
    pub has_address_in: Vec<MatchAttribute>,
    /// Whose account it is.
    pub belongs_to: Belonging,
    /// Whether the configuration protects it.
    pub protected: bool,
    /// The mapped Azure groups that it is a member of, each with what keeps it there although no mapping wants it, if something
    /// does.
    pub member_of: Vec<(crate::plan::GroupName, Option<Staying>)>,
}

/// Whose account it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Belonging {
    /// That of this person.
    To(String),
    /// It is not clear whose, and it is left exactly as it is.
    Unclear,
    /// Nobody's who counts in a mapped group.
    Nobody,
}

/// Why an account stays in a group that no mapping wants it in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Staying {
    /// It is protected.
    Protected,
    /// It is not clear whose account it is.
    Unclear,
    /// The mapping removes nobody.
    RemovesNobody,
    /// The group's members cannot be managed.
    Unmanaged,
    /// The plan leaves out the changes of this group.
    OutOfScope,
    /// A safety limit blocks the group, and the plan does not show whether this one would have to go.
    Blocked,
    /// The mapping removes only people whom Keycloak knows, and it does not know this one.
    RemovesOnlyKnown,
    /// It is not proved that it has to go; a problem says what is missing.
    NotConfirmed,
}

/// Puts together what is known about one address. `plan` is what `fresh` decides, or a reviewed plan with what would become of its
/// changes now.
pub fn explain(
    answers: &Answers,
    fresh: &Decision<'_>,
    plan: &Plan,
    outcomes: Option<&[ChangeOutcome]>,
) -> Explanation {
    let settings = fresh.draft.inputs.settings;
    let matching = &fresh.draft.matching;
    let people: Vec<ExplainedPerson> = answers
        .people
        .iter()
        .map(|known| explained_person(known, fresh))
        .collect();
    let addresses = asked_in_entra(answers, settings);
    let mut accounts: BTreeMap<&ObjectId, &Account> = answers
        .accounts
        .iter()
        .map(|account| (&account.id, account))
        .collect();
    // A person's account is theirs by an address that need not be the one asked about.
    let theirs = answers.people.iter().filter_map(|known| {
        match &matching.people.get(&known.person.id)?.standing {
            Standing::HasAccount(_, account) => Some(*account),
            Standing::HasNone(_) | Standing::LeftAlone => None,
        }
    });
    accounts.extend(theirs.map(|account| (&account.id, account)));

    let subject = Subject {
        addresses: &addresses,
        accounts: &accounts,
        people: answers
            .people
            .iter()
            .map(|known| &known.person.id)
            .collect(),
        groups: people
            .iter()
            .flat_map(|person| &person.mapped)
            .map(|membership| &membership.azure.id)
            .chain(
                fresh
                    .draft
                    .groups
                    .iter()
                    .filter(|group| accounts.keys().any(|id| group.azure.members.contains(id)))
                    .map(|group| &group.azure.id),
            )
            .collect(),
    };
    let explained: Vec<ExplainedAccount> = accounts
        .values()
        .map(|account| explained_account(account, &addresses, fresh))
        .collect();
    let decides = |attribute: &&MatchAttribute| {
        addresses.len() == 1
            && explained
                .iter()
                .any(|account| account.has_address_in.contains(attribute))
    };
    let changes: Vec<usize> = numbered(plan)
        .filter(|(_, change)| subject.is_of(change))
        .map(|(number, _)| number)
        .collect();
    let planned: BTreeSet<_> = (plan.changes.iter())
        .map(|change| (change.action(), change.identity(plan.kind)))
        .collect();
    let is_planned =
        |change: &Change| planned.contains(&(change.action(), change.identity(plan.kind)));
    Explanation {
        address: answers.address.clone(),
        in_entra: Some(in_entra(&answers.address, settings))
            .filter(|address| *address != answers.address),
        deciding: settings.users.match_by.iter().find(decides).copied(),
        match_by: settings.users.match_by.clone(),
        unseen_providers: unseen_providers(answers, fresh),
        problems: fresh
            .problems
            .iter()
            .filter(|problem| subject.concerns(problem, fresh))
            .cloned()
            .collect(),
        outcomes: outcomes.map(|outcomes| {
            outcomes
                .iter()
                .filter(|outcome| changes.contains(&outcome.change))
                .cloned()
                .collect()
        }),
        further: fresh
            .changes
            .iter()
            .filter(|change| subject.is_of(change) && !is_planned(change))
            .cloned()
            .collect(),
        accounts: explained,
        people,
        changes,
    }
}

fn unseen_providers(answers: &Answers, fresh: &Decision<'_>) -> Vec<String> {
    let rows = fresh.draft.groups.iter().flat_map(MappedGroup::source_rows);
    let seen: BTreeSet<&ProviderId> = rows.filter_map(|row| row.witnessed_provider()).collect();
    let is_theirs = |id: &ProviderId| {
        let mut people = answers.people.iter();
        answers.people.is_empty() || people.any(|known| known.person.provider.as_ref() == Some(id))
    };
    let providers = fresh.federation.iter().flat_map(|known| &known.providers);
    providers
        .filter(|provider| is_theirs(&provider.id) && !seen.contains(&provider.id))
        .map(|provider| {
            provider
                .name
                .clone()
                .unwrap_or_else(|| provider.id.to_string())
        })
        .collect()
}

/// The address asked about, and those of the people who have it, as Entra should know them.
fn asked_in_entra(answers: &Answers, settings: &Settings) -> BTreeSet<Address> {
    let of_people = answers
        .people
        .iter()
        .filter_map(|known| address_of(&known.person, settings));
    of_people
        .flat_map(|address| address.spellings())
        .chain(addresses_to_find(&answers.address, settings))
        .collect()
}

fn explained_person(known: &KnownPerson, fresh: &Decision<'_>) -> ExplainedPerson {
    let settings = fresh.draft.inputs.settings;
    let person = &known.person;
    let mut mapped = Vec::new();
    let mut shown_in: BTreeSet<&KeycloakGroupId> = BTreeSet::new();
    let mut sources: BTreeMap<&KeycloakGroupId, &GroupPath> = BTreeMap::new();
    for group in &fresh.draft.groups {
        for mapping in &group.mappings {
            let Some(top) = fresh.draft.inputs.keycloak.groups.get(&mapping.keycloak) else {
                continue;
            };
            for source in top.tree(mapping.subgroups) {
                sources.insert(&source.id, &source.path);
                if source.members.iter().any(|row| row.id == person.id) {
                    shown_in.insert(&source.id);
                    mapped.push(MappedMembership {
                        mapping: mapping.keycloak.clone(),
                        source: source.path.clone(),
                        azure: group.name(),
                        obstacle: group.obstacle,
                        in_scope: group.in_scope,
                    });
                }
            }
        }
    }
    let groups = || known.groups.iter().flatten();
    let does_not_count = if person.is_service_account() {
        Some(NotCounting::ServiceAccount)
    } else if !person.enabled && settings.users.disabled == DisabledPolicy::Remove {
        Some(NotCounting::Disabled)
    } else {
        None
    };
    ExplainedPerson {
        provider: person.provider.as_ref().and_then(|id| {
            let providers = &fresh.federation.as_ref()?.providers;
            providers
                .iter()
                .find(|provider| provider.id == *id)?
                .name
                .clone()
        }),
        does_not_count,
        not_mapped: groups()
            .filter(|(id, _)| !sources.contains_key(id))
            .map(|(_, path)| path.clone())
            .collect(),
        missing_from: groups()
            .filter(|(id, _)| sources.contains_key(id) && !shown_in.contains(id))
            .map(|(_, path)| path.clone())
            .collect(),
        person: person.clone(),
        mapped,
    }
}

fn explained_account(
    account: &Account,
    addresses: &BTreeSet<Address>,
    fresh: &Decision<'_>,
) -> ExplainedAccount {
    let settings = fresh.draft.inputs.settings;
    let matching = &fresh.draft.matching;
    let has_address = |attribute: &MatchAttribute| {
        let values = values(account, *attribute);
        addresses
            .iter()
            .any(|address| values.iter().any(|value| value == address.as_str()))
    };
    let match_by = &settings.users.match_by;
    let others = ALL_ATTRIBUTES
        .iter()
        .filter(|attribute| !match_by.contains(attribute));
    let owner = matching.owners.get(&account.id);
    let protected = is_protected(account, &settings.protected);
    let belongs_to = if matching.left_alone.contains(&account.id) {
        Belonging::Unclear
    } else {
        owner
            .and_then(|owner| matching.people.get(owner))
            .map_or(Belonging::Nobody, |matched| {
                Belonging::To(name_of(matched.person))
            })
    };
    let staying = |group: &MappedGroup<'_>| {
        let is_wanted = owner.is_some_and(|owner| group.first_source_of(owner).is_some());
        let is_removed = fresh.changes.iter().any(|change| {
            matches!(change, Change::Remove(remove) if remove.account.id == account.id && remove.group.id == group.azure.id)
        });
        (!is_wanted && !is_removed).then(|| staying(account, group, fresh))
    };
    let member_of = fresh
        .draft
        .groups
        .iter()
        .filter(|group| group.azure.members.contains(&account.id))
        .map(|group| (group.name(), staying(group)))
        .collect();
    ExplainedAccount {
        has_address_in: match_by
            .iter()
            .chain(others)
            .filter(|attribute| has_address(attribute))
            .copied()
            .collect(),
        account: account.clone(),
        belongs_to,
        protected,
        member_of,
    }
}

/// Returns why an account stays in a group that no mapping wants it in, and that the plan does not remove it from.
pub fn staying(account: &Account, group: &MappedGroup<'_>, fresh: &Decision<'_>) -> Staying {
    if !group.in_scope {
        Staying::OutOfScope
    } else if group.obstacle.is_some() {
        Staying::Unmanaged
    } else if is_protected(account, &fresh.draft.inputs.settings.protected) {
        Staying::Protected
    } else if fresh.draft.matching.left_alone.contains(&account.id) {
        Staying::Unclear
    } else if group.removals == RemovalPolicy::None {
        Staying::RemovesNobody
    } else {
        match fresh.kept(group, account) {
            Some(Kept::Blocked) => Staying::Blocked,
            Some(Kept::Stranger) => Staying::RemovesOnlyKnown,
            // Of an account that was not there yet when the groups were read, nothing is known either.
            Some(Kept::NotConfirmed) | None => Staying::NotConfirmed,
        }
    }
}

/// Whatever the address stands for, to find out what concerns it.
struct Subject<'a> {
    addresses: &'a BTreeSet<Address>,
    accounts: &'a BTreeMap<&'a ObjectId, &'a Account>,
    people: BTreeSet<&'a PersonId>,
    /// The Azure groups that the people should be in or the accounts are in.
    groups: BTreeSet<&'a ObjectId>,
}

impl Subject<'_> {
    fn has_address(&self, text: &str) -> bool {
        text.parse::<Address>()
            .is_ok_and(|address| self.addresses.contains(&address))
    }

    fn is_of(&self, change: &Change) -> bool {
        match change {
            Change::Invite(invite) => self.addresses.contains(&invite.email),
            Change::Update(update) => self.accounts.contains_key(&update.account.id),
            Change::Add(add) => {
                self.addresses.contains(&add.account.email)
                    || add
                        .account
                        .id
                        .as_ref()
                        .is_some_and(|id| self.accounts.contains_key(id))
            }
            Change::Remove(remove) => {
                self.accounts.contains_key(&remove.account.id)
                    || self.has_address(&remove.account.email)
            }
        }
    }

    fn concerns(&self, problem: &Problem, fresh: &Decision<'_>) -> bool {
        let About {
            emails,
            people,
            account,
            group,
        } = &problem.about;
        let is_about_nobody = emails.is_empty() && people.is_empty() && account.is_none();
        let may_have_been_deleted = || {
            let mut changes = fresh.changes.iter();
            problem.code == ProblemCode::DeletedAccountsHidden
                && changes.any(|change| change.action() == Action::Invite && self.is_of(change))
        };
        emails.iter().any(|email| self.has_address(email))
            || people.iter().any(|person| self.people.contains(person))
            || account
                .as_ref()
                .is_some_and(|id| self.accounts.contains_key(id))
            || is_about_nobody
                && group
                    .as_ref()
                    .is_some_and(|group| self.groups.contains(&group.id))
            || may_have_been_deleted()
    }
}

fn numbered(plan: &Plan) -> impl Iterator<Item = (usize, &Change)> {
    plan.changes
        .iter()
        .enumerate()
        .map(|(at, change)| (at + 1, change))
}
