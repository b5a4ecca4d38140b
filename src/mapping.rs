//! Mapped groups: an Azure group with all mappings that lead to it, and who is in the Keycloak groups behind them.

use std::collections::{BTreeMap, BTreeSet};

use crate::group_names::{GroupNames, id_and_name, is_among, with_azure};
use crate::model::{GroupPath, KeycloakGroupId, ObjectId, PersonId};
use crate::plan::{GroupName, KeycloakGroupName, Overrides, ScopeMapping};
use crate::settings::{Mapping, RemovalPolicy, Settings};
use crate::snapshot::{
    EntraGroup, EntraSnapshot, KeycloakGroup, KeycloakSnapshot, Obstacle, Person,
};

/// Everything that a plan is decided from.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    /// What the configuration asks for.
    pub settings: &'a Settings,
    /// What was lifted for this plan.
    pub overrides: &'a Overrides,
    /// The mappings that were chosen, or `None` for all.
    pub scope: Option<&'a [ScopeMapping]>,
    /// Keycloak.
    pub keycloak: &'a KeycloakSnapshot,
    /// Entra.
    pub entra: &'a EntraSnapshot,
}

/// An Azure group with all mappings that lead to it.
#[derive(Debug, Clone)]
pub struct MappedGroup<'a> {
    /// The Azure group.
    pub azure: &'a EntraGroup,
    /// The mappings, in the order of the file.
    pub mappings: Vec<&'a Mapping>,
    /// The Keycloak groups of the mappings and, where these ask for them, their sub-groups. Each once, by id: two groups can share a path, if the name of one has a slash in it.
    pub sources: BTreeMap<&'a KeycloakGroupId, &'a KeycloakGroup>,
    /// Who is directly in which of the sources, whether they count or not, sorted by person.
    pub rows: Vec<(&'a PersonId, &'a GroupPath)>,
    /// Who may be removed: the most careful of the mappings.
    pub removals: RemovalPolicy,
    /// Whether it may end up without members: only if all mappings say so, or an override does.
    pub allow_empty: bool,
    /// Whether an override lifts the need for witnesses.
    pub without_witness: bool,
    /// Whether the plan covers it.
    pub in_scope: bool,
    /// Why its members cannot be managed, if so.
    pub obstacle: Option<Obstacle>,
    /// What a flag calls it ([`GroupNames::flag_name`]).
    pub flag_name: &'a str,
}

impl<'a> MappedGroup<'a> {
    /// Whether the plan may change it.
    pub fn is_managed(&self) -> bool {
        self.in_scope && self.obstacle.is_none()
    }

    /// Its id and name, as a plan holds them.
    pub fn name(&self) -> GroupName {
        id_and_name(self.azure)
    }

    /// The Keycloak groups of its mappings, as plans hold them.
    pub fn keycloak_names(&self, keycloak: &KeycloakSnapshot) -> Vec<KeycloakGroupName> {
        let names: BTreeSet<KeycloakGroupName> = self
            .mappings
            .iter()
            .filter_map(|mapping| keycloak.groups.get(&mapping.keycloak))
            .map(|source| KeycloakGroupName {
                path: source.path.clone(),
                id: source.id.clone(),
            })
            .collect();
        names.into_iter().collect()
    }

    /// The people who are directly in one of the sources, each with the sources' paths in order.
    pub fn people(
        &self,
    ) -> impl Iterator<Item = (&'a PersonId, impl Iterator<Item = &'a GroupPath>)> {
        self.rows
            .chunk_by(|a, b| a.0 == b.0)
            .filter_map(|rows| Some((rows.first()?.0, rows.iter().map(|(_, path)| *path))))
    }

    /// The path of the first source that a person is directly in, if any.
    pub fn first_source_of(&self, person: &PersonId) -> Option<&'a GroupPath> {
        let at = self.rows.partition_point(|(row, _)| *row < person);
        self.rows
            .get(at)
            .filter(|(row, _)| *row == person)
            .map(|(_, path)| *path)
    }

    /// The rows of the sources, as they were read.
    pub fn source_rows(&self) -> impl Iterator<Item = &'a Person> {
        self.sources
            .values()
            .flat_map(|source| source.members.iter().map(AsRef::as_ref))
    }
}

/// Returns the Azure groups of all mappings, by name, with what the mappings say about each together.
pub fn mapped_groups<'a>(inputs: &Inputs<'a>) -> Vec<MappedGroup<'a>> {
    let mapped = with_azure(&inputs.settings.mappings, inputs.entra);
    let names = GroupNames::of_mappings(&mapped);
    let chosen: Option<BTreeSet<&ObjectId>> = inputs
        .scope
        .map(|scope| scope.iter().map(|chosen| &chosen.azure.id).collect());
    let mut groups: BTreeMap<(&str, &ObjectId), MappedGroup<'a>> = BTreeMap::new();
    // Both readers resolve every mapping or fail, so there is none that is missing on one side.
    for (mapping, azure) in mapped {
        let Some(keycloak) = inputs.keycloak.groups.get(&mapping.keycloak) else {
            continue;
        };
        let group = groups
            .entry((&azure.name, &azure.id))
            .or_insert_with(|| MappedGroup {
                azure,
                mappings: Vec::new(),
                sources: BTreeMap::new(),
                rows: Vec::new(),
                removals: RemovalPolicy::All,
                allow_empty: true,
                without_witness: false,
                in_scope: chosen
                    .as_ref()
                    .is_none_or(|chosen| chosen.contains(&azure.id)),
                obstacle: azure.obstacle(inputs.entra.may_manage_role_assignable),
                flag_name: names.flag_name(azure),
            });
        group.mappings.push(mapping);
        group.removals = group.removals.min(mapping.removals);
        group.allow_empty &= mapping.allow_empty;
        for source in keycloak.tree(mapping.subgroups) {
            group.sources.insert(&source.id, source);
        }
    }
    let mut groups: Vec<_> = groups.into_values().collect();
    for group in &mut groups {
        group.allow_empty |= is_among(&inputs.overrides.allow_empty, group.azure);
        group.without_witness = is_among(&inputs.overrides.without_witness, group.azure);
        group.rows = group
            .sources
            .values()
            .flat_map(|source| {
                source
                    .members
                    .iter()
                    .map(|person| (&person.id, &source.path))
            })
            .collect();
        group.rows.sort_unstable();
        group.rows.dedup();
    }
    groups
}
