//! Mapped groups: an Azure group with all mappings that lead to it, and who is in the Keycloak groups behind them.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{GroupPath, KeycloakGroupId, ObjectId, PersonId};
use crate::plan::{GroupName, Overrides, ProblemCode, ScopeMapping};
use crate::settings::{Mapping, RemovalPolicy, Settings};
use crate::snapshot::{EntraGroup, EntraSnapshot, KeycloakGroup, KeycloakSnapshot, Person};

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
    pub obstacle: Option<ProblemCode>,
    /// What a flag calls it: its name, or its id where the name means another group as well.
    pub flag_name: &'a str,
}

impl<'a> MappedGroup<'a> {
    /// Whether the plan may change it.
    pub fn is_managed(&self) -> bool {
        self.in_scope && self.obstacle.is_none()
    }

    /// Its id and name, as a plan holds them.
    pub fn name(&self) -> GroupName {
        GroupName {
            id: self.azure.id.clone(),
            name: self.azure.name.clone(),
        }
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

/// Whether a name given on the command line means this mapping: its Keycloak path (with or without the leading slash), or its
/// Azure group as the file names it, by display name or by id.
pub fn is_named(name: &str, mapping: &Mapping, azure: &EntraGroup) -> bool {
    let path = mapping.keycloak.as_str();
    name == path
        || path.strip_prefix('/') == Some(name)
        || name == mapping.azure
        || name == azure.name
        || name.eq_ignore_ascii_case(azure.id.as_str())
}

/// Whether a mapping leads to a group, going by what the file calls it: for groups that were read by their id, whether or not a mapping still
/// leads to them.
pub fn leads_to(mapping: &Mapping, group: &GroupName) -> bool {
    mapping.azure == group.name || mapping.azure.eq_ignore_ascii_case(group.id.as_str())
}

fn flag_name<'a>(group: &'a EntraGroup, inputs: &Inputs<'a>) -> &'a str {
    let means_another = inputs.settings.mappings.iter().any(|mapping| {
        let azure = inputs.entra.group(&mapping.azure);
        azure.is_some_and(|azure| azure.id != group.id && is_named(&group.name, mapping, azure))
    });
    if means_another {
        group.id.as_str()
    } else {
        &group.name
    }
}

/// Returns the Azure groups of all mappings, by name, with what the mappings say about each together.
pub fn mapped_groups<'a>(inputs: &Inputs<'a>) -> Vec<MappedGroup<'a>> {
    let mut groups: BTreeMap<(&str, &ObjectId), MappedGroup<'a>> = BTreeMap::new();
    for mapping in &inputs.settings.mappings {
        let (Some(azure), Some(keycloak)) = (
            inputs.entra.group(&mapping.azure),
            inputs.keycloak.groups.get(&mapping.keycloak),
        ) else {
            // Both readers resolve every mapping or fail, so there is none that is missing on one side.
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
                in_scope: inputs
                    .scope
                    .is_none_or(|scope| scope.iter().any(|chosen| chosen.azure.id == azure.id)),
                obstacle: azure.obstacle(inputs.entra.may_manage_role_assignable),
                flag_name: flag_name(azure, inputs),
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
        let named = |names: &BTreeSet<String>| {
            names.contains(&group.azure.name) || names.contains(group.azure.id.as_str())
        };
        let (allow_empty, without_witness) = (
            named(&inputs.overrides.allow_empty),
            named(&inputs.overrides.without_witness),
        );
        group.allow_empty |= allow_empty;
        group.without_witness = without_witness;
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
