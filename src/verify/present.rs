//! The directories as they are now, with what judging asks of them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{Verdict, sentences, settled};
use crate::diff::{Decision, Draft};
use crate::mapping::MappedGroup;
use crate::matching::{Matched, Standing, address_of};
use crate::model::{Address, ObjectId, PersonId};
use crate::plan::{Add, Change, GroupName, Invite, NewMember, Plan, Problem, Remove, Update};
use crate::report::Outcome;
use crate::snapshot::Account;

/// The directories as they are now, with ways to look things up.
pub(super) struct Present<'d, 'a> {
    pub(super) fresh: &'d Decision<'a>,
    pub(super) reviewed: &'d Plan,
    pub(super) invites: BTreeMap<&'d Address, &'d Invite>,
    pub(super) updates: BTreeMap<&'d ObjectId, &'d Update>,
    pub(super) adds: BTreeMap<(&'d ObjectId, &'d Address), &'d Add>,
    pub(super) removes: BTreeMap<(&'d ObjectId, &'d ObjectId), &'d Remove>,
    pub(super) blocked: BTreeSet<&'d ObjectId>,
    /// Whoever is clear, by address.
    pub(super) people: BTreeMap<&'d Address, (&'a PersonId, &'d Matched<'a>)>,
    /// Whoever is left as they are; of several with one address, the one whose id comes first.
    pub(super) left_alone: BTreeMap<Address, &'a PersonId>,
    /// The first problem of each person.
    problems: HashMap<&'d PersonId, &'d Problem>,
    groups: BTreeMap<&'a ObjectId, &'d MappedGroup<'a>>,
}

impl<'d, 'a> Present<'d, 'a> {
    pub(super) fn new(reviewed: &'d Plan, fresh: &'d Decision<'a>) -> Self {
        let mut present = Self {
            reviewed,
            fresh,
            invites: BTreeMap::new(),
            updates: BTreeMap::new(),
            adds: BTreeMap::new(),
            removes: BTreeMap::new(),
            blocked: fresh
                .blocks
                .iter()
                .filter_map(|block| Some(&block.group.as_ref()?.id))
                .collect(),
            people: BTreeMap::new(),
            left_alone: BTreeMap::new(),
            problems: HashMap::new(),
            groups: fresh
                .draft
                .groups
                .iter()
                .map(|group| (&group.azure.id, group))
                .collect(),
        };
        for change in &fresh.changes {
            match change {
                Change::Invite(invite) => {
                    present.invites.insert(&invite.email, invite);
                }
                Change::Update(update) => {
                    present.updates.insert(&update.account.id, update);
                }
                Change::Add(add) => {
                    present
                        .adds
                        .insert((&add.group.id, &add.account.email), add);
                }
                Change::Remove(remove) => {
                    present
                        .removes
                        .insert((&remove.group.id, &remove.account.id), remove);
                }
            }
        }
        let Draft {
            inputs, matching, ..
        } = &fresh.draft;
        for (id, matched) in &matching.people {
            match &matched.standing {
                Standing::HasAccount(address, _) | Standing::HasNone(address) => {
                    present.people.insert(address, (id, matched));
                }
                Standing::LeftAlone => {
                    if let Some(address) = address_of(matched.person, inputs.settings) {
                        let first = present.left_alone.entry(address).or_insert(id);
                        *first = (*first).min(id);
                    }
                }
            }
        }
        for problem in &matching.problems {
            for person in &problem.about.people {
                present.problems.entry(person).or_insert(problem);
            }
        }
        present
    }

    /// Whose account it is, if that is clear.
    pub(super) fn owner_of(
        &self,
        id: &ObjectId,
    ) -> Option<(&'a PersonId, &'d Address, &'a Account)> {
        let matching = &self.fresh.draft.matching;
        let person = *matching.owners.get(id)?;
        match &matching.people.get(person)?.standing {
            Standing::HasAccount(address, account) => Some((person, address, account)),
            Standing::HasNone(_) | Standing::LeftAlone => None,
        }
    }

    /// The mapped group, if the plan may still change it.
    pub(super) fn managed_group(&self, name: &GroupName) -> Result<&'d MappedGroup<'a>, Verdict> {
        let Some(group) = self.groups.get(&name.id).copied() else {
            return Err(settled(
                Outcome::NotWanted,
                format!("no mapping leads to {} any more", name.name),
            ));
        };
        if group.obstacle.is_some() {
            return Err(settled(
                Outcome::Conflict,
                sentences::unmanageable(&name.name),
            ));
        }
        // What people reviewed is the name.
        if group.azure.name != name.name {
            return Err(settled(
                Outcome::Conflict,
                format!("the group {} is called {} now", name.id, group.azure.name),
            ));
        }
        if !group.in_scope {
            return Err(settled(
                Outcome::Conflict,
                format!("{} is not in the scope of this plan", name.name),
            ));
        }
        Ok(group)
    }

    pub(super) fn is_wanted_in_managed_group(&self, person: &PersonId) -> bool {
        let mut managed = self
            .fresh
            .draft
            .groups
            .iter()
            .filter(|group| group.is_managed());
        managed.any(|group| group.first_source_of(person).is_some())
    }

    /// The person counts somewhere, but in no group that this plan may change.
    pub(super) fn not_wanted_where_managed(&self, person: &PersonId) -> Verdict {
        let mut groups = self.fresh.draft.groups.iter();
        let obstructed =
            groups.find(|group| group.in_scope && group.first_source_of(person).is_some());
        match obstructed {
            Some(group) => settled(
                Outcome::Conflict,
                sentences::unmanageable(&group.azure.name),
            ),
            None => settled(
                Outcome::NotWanted,
                "the person counts in none of the groups of this plan any more",
            ),
        }
    }

    pub(super) fn problem_of(&self, person: &PersonId) -> String {
        match self.problems.get(person) {
            Some(problem) => format!("{} {}", problem.subject, problem.message),
            None => sentences::NOT_CLEAR.to_owned(),
        }
    }

    /// The problem of somebody who is left alone and was to be added, by account or address.
    pub(super) fn left_alone_with(&self, member: &NewMember) -> Option<String> {
        let left_alone = &self.fresh.draft.matching.left_alone;
        if member.id.as_ref().is_some_and(|id| left_alone.contains(id)) {
            return Some(sentences::NOT_CLEAR.to_owned());
        }
        let person = self.left_alone.get(&member.email)?;
        Some(self.problem_of(person))
    }
}
