//! Which groups the names on the command line mean.

use std::collections::{BTreeMap, BTreeSet};

use crate::mapping::{is_an_id, is_named, leads_to};
use crate::model::ObjectId;
use crate::plan::{GroupName, Overrides, ScopeMapping};
use crate::settings::Settings;
use crate::snapshot::{EntraGroup, EntraSnapshot};
use crate::wording::first_ten;

/// Returns the mappings that `--group` chose: all of every Azure group that one of the names means.
pub fn choose_scope(
    names: &[String],
    settings: &Settings,
    entra: &EntraSnapshot,
) -> anyhow::Result<Option<Vec<ScopeMapping>>> {
    if names.is_empty() {
        return Ok(None);
    }
    check_names(names.iter().map(String::as_str), settings, entra)?;
    let with_azure = || {
        settings
            .mappings
            .iter()
            .filter_map(|mapping| Some((mapping, entra.group(&mapping.azure)?)))
    };
    let chosen: BTreeSet<&ObjectId> = with_azure()
        .filter(|(mapping, azure)| names.iter().any(|name| is_named(name, mapping, azure)))
        .map(|(_, azure)| &azure.id)
        .collect();
    let mut scope: Vec<ScopeMapping> = with_azure()
        .filter(|(_, azure)| chosen.contains(&azure.id))
        .map(|(mapping, azure)| ScopeMapping {
            keycloak: mapping.keycloak.clone(),
            azure: GroupName {
                id: azure.id.clone(),
                name: azure.name.clone(),
            },
        })
        .collect();
    scope.sort();
    scope.dedup();
    Ok(Some(scope))
}

/// Checks that every name given on the command line means a mapping.
fn check_names<'n>(
    names: impl Iterator<Item = &'n str>,
    settings: &Settings,
    entra: &EntraSnapshot,
) -> anyhow::Result<()> {
    let unknown: Vec<_> = names
        .filter(|name| groups_named(name, settings, entra).is_empty())
        .collect();
    let known = settings
        .mappings
        .iter()
        .map(|mapping| format!("{} → {}", mapping.keycloak, mapping.azure));
    anyhow::ensure!(
        unknown.is_empty(),
        "no mapping is called {}; known here are {}",
        unknown.join(", "),
        first_ten(known)
    );
    Ok(())
}

/// The Azure groups of the mappings that a name means.
fn groups_named<'e>(
    name: &str,
    settings: &Settings,
    entra: &'e EntraSnapshot,
) -> BTreeMap<&'e ObjectId, &'e EntraGroup> {
    let with_azure = settings
        .mappings
        .iter()
        .filter_map(|mapping| Some((mapping, entra.group(&mapping.azure)?)));
    with_azure
        .filter(|(mapping, azure)| is_named(name, mapping, azure))
        .map(|(_, azure)| (&azure.id, azure))
        .collect()
}

/// Returns what was set for the plan with each group by its Azure name, or by its id where the name could mean another. A name that means
/// several groups is refused, because a rule is lifted for one group at a time.
pub fn name_groups(
    overrides: &Overrides,
    settings: &Settings,
    entra: &EntraSnapshot,
) -> anyhow::Result<Overrides> {
    let names = overrides
        .allow_empty
        .iter()
        .chain(&overrides.without_witness);
    check_names(names.map(String::as_str), settings, entra)?;
    named_with(overrides, entra, |name| groups_named(name, settings, entra))
}

/// The same for the groups that a run changed, which need not be mapped any more.
pub fn name_run_groups(
    overrides: &Overrides,
    settings: &Settings,
    entra: &EntraSnapshot,
) -> anyhow::Result<Overrides> {
    let means = |name: &str, group: &EntraGroup| {
        let azure = GroupName {
            id: group.id.clone(),
            name: group.name.clone(),
        };
        let mut mappings = settings.mappings.iter();
        (name == group.name && !is_an_id(name))
            || name.eq_ignore_ascii_case(group.id.as_str())
            || mappings.any(|mapping| leads_to(mapping, &azure) && is_named(name, mapping, group))
    };
    let meant = |name: &str| -> BTreeMap<&ObjectId, &EntraGroup> {
        let groups = entra.groups.iter().filter(|group| means(name, group));
        groups.map(|group| (&group.id, group)).collect()
    };
    for name in &overrides.allow_empty {
        let changed = entra
            .groups
            .iter()
            .map(|group| format!("{} ({})", group.name, group.id));
        anyhow::ensure!(
            !meant(name).is_empty(),
            "the run changed no group called {name}; it changed {}",
            first_ten(changed)
        );
    }
    named_with(overrides, entra, meant)
}

fn named_with<'e>(
    overrides: &Overrides,
    entra: &'e EntraSnapshot,
    meant: impl Fn(&str) -> BTreeMap<&'e ObjectId, &'e EntraGroup>,
) -> anyhow::Result<Overrides> {
    let could_mean_another = |name: &str| {
        let bearers = entra.groups.iter().filter(|group| group.name == name);
        bearers.count() > 1 || is_an_id(name)
    };
    let one = |name: &String| {
        let groups = meant(name);
        let shown = groups
            .values()
            .map(|group| format!("{} ({})", group.name, group.id));
        anyhow::ensure!(
            groups.len() == 1,
            "{name} means several Azure groups: {}; give the id of one",
            first_ten(shown)
        );
        let group = groups.into_values().next();
        Ok(group.map_or_else(String::new, |group| {
            if could_mean_another(&group.name) {
                group.id.to_string()
            } else {
                group.name.clone()
            }
        }))
    };
    let resolve = |names: &BTreeSet<String>| -> anyhow::Result<BTreeSet<String>> {
        names.iter().map(one).collect()
    };
    Ok(Overrides {
        allow_empty: resolve(&overrides.allow_empty)?,
        without_witness: resolve(&overrides.without_witness)?,
        ..overrides.clone()
    })
}
