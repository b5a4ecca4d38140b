//! The calls of the admin API about groups: by path with all that its encoding does, by id, in lists and trees.

use std::collections::BTreeSet;

use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::admin::Call;
use super::answers::{self, GroupShape};
use super::version::Version;
use super::world::{Group, PlacedGroup};
use crate::sandbox::exchange::Response;

/// What `children` gives where nobody says how many.
const DEFAULT_MAX_CHILDREN: usize = 10;

impl Call<'_> {
    pub(super) fn groups(&self) -> Response {
        if !self.rights.query_groups() {
            return self.forbidden();
        }
        if !self.rights.view_users() && !self.version.lists_groups_to_queriers() {
            return answers::ok(&json!([]));
        }
        let shape = GroupShape::of(self.version, self.asks("briefRepresentation", true));
        let placed = self.realm.placed_groups();
        let Some(search) = self.query.get("search") else {
            let mut roots: Vec<_> = placed.iter().filter(|one| one.parent.is_none()).collect();
            roots.sort_by(|one, other| one.group.name.cmp(&other.group.name));
            let list: Vec<Value> = self
                .page(roots, usize::MAX)
                .into_iter()
                .map(|root| answers::group(root, shape, self.version))
                .collect();
            return answers::ok(&json!(list));
        };
        let mut matches: Vec<_> = placed
            .iter()
            .filter(|one| self.name_matches(&one.group.name, search))
            .collect();
        matches.sort_by(|one, other| one.group.name.cmp(&other.group.name));
        let matches = self.page(matches, usize::MAX);
        let flat = GroupShape {
            tree: false,
            ..shape
        };
        // Before 23 the parameter is ignored.
        let with_ancestors =
            self.asks("populateHierarchy", true) || self.version.has_classic_resteasy();
        let list: Vec<Value> = if with_ancestors {
            let wanted: BTreeSet<&str> = matches.iter().map(|one| one.group.id.as_str()).collect();
            let mut roots: Vec<_> = placed.iter().filter(|one| one.parent.is_none()).collect();
            roots.sort_by(|one, other| one.group.name.cmp(&other.group.name));
            roots
                .into_iter()
                .filter_map(|root| branch(root, &wanted, flat, self.version))
                .collect()
        } else {
            matches
                .into_iter()
                .map(|one| answers::group(one, flat, self.version))
                .collect()
        };
        answers::ok(&json!(list))
    }

    pub(super) fn name_matches(&self, name: &str, search: &str) -> bool {
        if self.asks("exact", false) {
            self.is_named(name, search)
        } else {
            name.to_lowercase().contains(&search.to_lowercase())
        }
    }

    /// Compares as the database does.
    fn is_named(&self, name: &str, wanted: &str) -> bool {
        name == wanted || (self.ignores_case && name.to_lowercase() == wanted.to_lowercase())
    }

    pub(super) fn count_groups(&self) -> Response {
        if !self.rights.query_groups() {
            return self.forbidden();
        }
        let count = self
            .realm
            .placed_groups()
            .iter()
            .filter(|one| !self.asks("top", false) || one.parent.is_none())
            .filter(|one| {
                let search = self.query.get("search");
                search.is_none_or(|search| self.name_matches(&one.group.name, search))
            })
            .count();
        answers::ok(&json!({ "count": count }))
    }

    pub(super) fn group(&self, id: &str) -> Response {
        let Some(placed) = self.realm.placed_group(id) else {
            return self.error(404, "Could not find group by id");
        };
        if !self.rights.view_users() {
            return self.forbidden();
        }
        let shape = GroupShape::of(self.version, false);
        answers::ok(&answers::group(&placed, shape, self.version))
    }

    pub(super) fn children(&self, id: &str) -> Response {
        if !self.version.has_children_endpoint() {
            let text =
                "RESTEASY003650: No resource method found for GET, return 405 with Allow header";
            return self.error(405, text);
        }
        let Some(parent) = self.realm.placed_group(id) else {
            return self.error(404, "Could not find group by id");
        };
        if !self.rights.view_users() {
            return self.forbidden();
        }
        let mut children: Vec<&Group> = parent
            .group
            .subgroups
            .iter()
            .filter(|child| {
                let search = self.query.get("search");
                search.is_none_or(|search| self.name_matches(&child.name, search))
            })
            .collect();
        children.sort_by(|one, other| one.name.cmp(&other.name));
        let shape = GroupShape::of(self.version, self.asks("briefRepresentation", false));
        let list: Vec<Value> = self
            .page(children, DEFAULT_MAX_CHILDREN)
            .into_iter()
            .map(|child| {
                let placed = PlacedGroup {
                    group: child,
                    path: format!("{}/{}", parent.path, child.name),
                    parent: Some(&parent.group.id),
                };
                answers::group(&placed, shape, self.version)
            })
            .collect();
        answers::ok(&json!(list))
    }

    pub(super) fn group_by_path(&self, path: &[&str]) -> Response {
        let missing = || self.error(404, "Group path does not exist");
        let path = path.join("/");
        // A raw semicolon begins a matrix parameter, which ends the name.
        let without_matrix: Vec<&str> = path
            .split('/')
            .map(|segment| segment.split(';').next().unwrap_or_default())
            .collect();
        let decoded = percent_decode_str(&without_matrix.join("/"))
            .decode_utf8_lossy()
            .into_owned();
        if self.version.decodes_group_paths_twice() {
            if decoded.contains('%') {
                return self.error(404, "HTTP 404 Not Found");
            }
            if decoded.contains(';') {
                return missing();
            }
        }
        let trimmed = decoded.strip_prefix('/').unwrap_or(&decoded);
        let trimmed = trimmed.strip_suffix('/').unwrap_or(trimmed);
        let mut names: Vec<&str> = trimmed.split('/').collect();
        if self.version.skips_empty_segments() {
            names.retain(|name| !name.is_empty());
        }
        let found = self
            .find(&self.realm.groups, &names)
            .and_then(|group| self.realm.placed_group(&group.id));
        let Some(placed) = found else {
            return missing();
        };
        if !self.rights.view_users() {
            return self.forbidden();
        }
        let shape = GroupShape {
            counts_subgroups: self.version.counts_subgroups_by_path(),
            ..GroupShape::of(self.version, false)
        };
        answers::ok(&answers::group(&placed, shape, self.version))
    }

    /// Finds a group by names, some of which may belong together because a name holds a slash. As Keycloak does, it takes the
    /// shortest first name that exists and does not come back to try another.
    fn find<'a>(&self, groups: &'a [Group], names: &[&str]) -> Option<&'a Group> {
        for length in 1..=names.len() {
            let (first, rest) = names.split_at(length);
            let name = first.join("/");
            let Some(group) = groups
                .iter()
                .find(|group| self.is_named(&group.name, &name))
            else {
                continue;
            };
            return if rest.is_empty() {
                Some(group)
            } else {
                self.find(&group.subgroups, rest)
            };
        }
        None
    }
}

/// A group with only those of its branches that hold a wanted group, or `None` if it holds none.
fn branch(
    placed: &PlacedGroup<'_>,
    wanted: &BTreeSet<&str>,
    shape: GroupShape,
    version: Version,
) -> Option<Value> {
    let mut subgroups: Vec<&Group> = placed.group.subgroups.iter().collect();
    subgroups.sort_by(|one, other| one.name.cmp(&other.name));
    let below: Vec<Value> = subgroups
        .into_iter()
        .filter_map(|subgroup| {
            let placed = PlacedGroup {
                group: subgroup,
                path: format!("{}/{}", placed.path, subgroup.name),
                parent: Some(&placed.group.id),
            };
            branch(&placed, wanted, shape, version)
        })
        .collect();
    if below.is_empty() && !wanted.contains(placed.group.id.as_str()) {
        return None;
    }
    let mut body = answers::group(placed, shape, version);
    body["subGroups"] = Value::Array(below);
    Some(body)
}
