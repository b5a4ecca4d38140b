//! Mapped groups: an Azure group with all mappings that lead to it, and who is in the Keycloak groups behind them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

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

/// Whether a name given on the command line means this mapping: its Keycloak path (with or without the leading slash), or its
/// Azure group as the file names it, by display name or by id.
pub fn is_named(name: &str, mapping: &Mapping, azure: &EntraGroup) -> bool {
    names_of(mapping, azure).any(|own| own == name) || name.eq_ignore_ascii_case(azure.id.as_str())
}

/// What a mapping is called on the command line, but for the id of its Azure group, in which letter case is of no matter.
fn names_of<'a>(
    mapping: &'a Mapping,
    azure: &'a EntraGroup,
) -> impl Iterator<Item = &'a str> + use<'a> {
    let path = mapping.keycloak.as_str();
    [path, mapping.azure.as_str(), azure.name.as_str()]
        .into_iter()
        .chain(path.strip_prefix('/'))
        .filter(|name| !is_an_id(name))
}

/// Whether a name can only be meant as an object id. A group may be called what another one's id is, and whoever names the other one
/// does not mean it.
pub fn is_an_id(name: &str) -> bool {
    name.parse::<ObjectId>().is_ok()
}

/// Whether the groups that a plan names, for which a rule is lifted, include this one.
pub fn is_among(names: &BTreeSet<String>, group: &EntraGroup) -> bool {
    names.contains(group.id.as_str()) || (names.contains(&group.name) && !is_an_id(&group.name))
}

/// Whether a mapping leads to a group, going by what the file calls it: for groups that were read by their id, whether or not a mapping still
/// leads to them.
pub fn leads_to(mapping: &Mapping, group: &GroupName) -> bool {
    (mapping.azure == group.name && !is_an_id(&group.name))
        || mapping.azure.eq_ignore_ascii_case(group.id.as_str())
}

/// The Azure groups of the mappings, and what these are called.
struct Directory<'a> {
    groups: HashMap<&'a ObjectId, &'a EntraGroup>,
    named: HashMap<&'a str, BTreeSet<&'a ObjectId>>,
}

impl<'a> Directory<'a> {
    fn new(inputs: &Inputs<'a>) -> Self {
        let groups = inputs.entra.groups.iter().map(|group| (&group.id, group));
        let mut directory = Self {
            groups: groups.collect(),
            named: HashMap::new(),
        };
        for mapping in &inputs.settings.mappings {
            if let Some(azure) = directory.azure_of(mapping, inputs) {
                for name in names_of(mapping, azure) {
                    directory.named.entry(name).or_default().insert(&azure.id);
                }
            }
        }
        directory
    }

    fn azure_of(&self, mapping: &Mapping, inputs: &Inputs<'a>) -> Option<&'a EntraGroup> {
        let id = inputs.entra.resolved.get(&mapping.azure)?;
        self.groups.get(id).copied()
    }

    /// What a flag calls a group.
    fn flag_name(&self, group: &'a EntraGroup) -> &'a str {
        let is_another = |id: &ObjectId| *id != group.id;
        let by_name = self.named.get(group.name.as_str());
        let means_another = by_name.is_some_and(|ids| ids.iter().any(|id| is_another(id)));
        if means_another || is_an_id(&group.name) {
            group.id.as_str()
        } else {
            &group.name
        }
    }
}

/// Returns the Azure groups of all mappings, by name, with what the mappings say about each together.
pub fn mapped_groups<'a>(inputs: &Inputs<'a>) -> Vec<MappedGroup<'a>> {
    let directory = Directory::new(inputs);
    let chosen: Option<BTreeSet<&ObjectId>> = inputs
        .scope
        .map(|scope| scope.iter().map(|chosen| &chosen.azure.id).collect());
    let mut groups: BTreeMap<(&str, &ObjectId), MappedGroup<'a>> = BTreeMap::new();
    for mapping in &inputs.settings.mappings {
        let (Some(azure), Some(keycloak)) = (
            directory.azure_of(mapping, inputs),
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
                in_scope: chosen
                    .as_ref()
                    .is_none_or(|chosen| chosen.contains(&azure.id)),
                obstacle: azure.obstacle(inputs.entra.may_manage_role_assignable),
                flag_name: directory.flag_name(azure),
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
