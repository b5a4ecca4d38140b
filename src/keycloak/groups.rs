//! Groups: from the path in a mapping to the group, and from a group to its sub-groups at every depth.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, bail};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde::Deserialize;

use super::admin::{Admin, PREPARED, Reply, VIEW_USERS};
use super::people::gone;
use super::refusal::{Refusal, one_line};
use super::{Resolution, ResolvedGroup, path};
use crate::model::{GroupPath, KeycloakGroupId};

/// The groups of a level asked for at a time. Pages are no snapshot, so few of them.
const PAGE: usize = 1000;

/// Where so many groups at the top level are looked for, listing them is considered.
const LISTED_FROM: usize = 5;

/// The groups that a search for suggestions shows at most.
const SEARCH_ROWS: usize = 100;

/// Deeper than any tree that people make, and shallow enough for one that never ends.
const DEEPEST: usize = 100;

/// How alike two paths have to be for one to be suggested for the other, from 0 to 1.
const ALIKE: f64 = 0.7;

/// A group in an answer.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GroupRow {
    id: KeycloakGroupId,
    name: Option<String>,
    path: Option<String>,
    /// Sent from 23 on, not everywhere.
    sub_group_count: Option<u64>,
    /// Up to 22 the whole tree below; from 23 on only the branches that a search found.
    sub_groups: Option<Vec<GroupRow>>,
}

impl GroupRow {
    fn children(&self) -> &[GroupRow] {
        self.sub_groups.as_deref().unwrap_or_default()
    }
}

/// A group with everything below it, without members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct GroupTree {
    pub id: KeycloakGroupId,
    pub path: GroupPath,
    pub subgroups: Vec<GroupTree>,
}

impl GroupTree {
    /// The group and all below it.
    pub fn all(&self) -> Vec<&GroupTree> {
        let mut all = vec![self];
        let mut next = 0;
        while let Some(group) = all.get(next).copied() {
            all.extend(&group.subgroups);
            next += 1;
        }
        all
    }
}

/// What became of one path.
enum Found {
    Group(KeycloakGroupId),
    /// It cannot be used, and why.
    Nothing(String),
    Forbidden,
}

/// The groups directly below one, or everything below it where the version has no request for less.
enum Below {
    Children(Vec<GroupRow>),
    WholeTree(Vec<GroupRow>),
}

impl Admin {
    /// Finds the group of each path.
    pub async fn resolve(&self, paths: &BTreeMap<GroupPath, bool>) -> anyhow::Result<Resolution> {
        let listed = self.top_level(paths.keys()).await;
        let answers: Vec<(GroupPath, bool, Found)> = stream::iter(paths.clone())
            .map(|(path, with_subgroups)| {
                let listed = listed.get(&path).cloned();
                async move {
                    let found = match listed {
                        Some(id) => Found::Group(id),
                        None => self
                            .find(&path)
                            .await
                            .with_context(|| format!("failed to look for group {path}"))?,
                    };
                    anyhow::Ok((path, with_subgroups, found))
                }
            })
            .buffered(PREPARED)
            .try_collect()
            .await?;
        let nobody_resolved = !answers
            .iter()
            .any(|(_, _, found)| matches!(found, Found::Group(_)));
        let mut resolution = Resolution::default();
        for (path, with_subgroups, found) in answers {
            let reason = match found {
                Found::Group(id) => {
                    let group = ResolvedGroup { id, with_subgroups };
                    resolution.groups.insert(path, group);
                    continue;
                }
                // Keycloak says 404 before it says 403, so one 403 among nothing else means that the role is missing.
                Found::Forbidden if nobody_resolved => {
                    return Err(self.missing_role(VIEW_USERS, "read groups").into());
                }
                Found::Forbidden => format!(
                    "may not be read by {}; it needs the role {VIEW_USERS}",
                    self.account.who()
                ),
                Found::Nothing(reason) => reason,
            };
            resolution.unresolved.push((path, reason));
        }
        Ok(resolution)
    }

    /// Those of the groups that a list of the top level shows, where that takes fewer requests than looking for each. What it does not
    /// show may be there all the same, and where it cannot be had, each is looked for: that says what is wrong.
    async fn top_level(
        &self,
        paths: impl Iterator<Item = &GroupPath>,
    ) -> BTreeMap<GroupPath, KeycloakGroupId> {
        #[derive(Deserialize)]
        struct Count {
            count: usize,
        }
        let wanted: BTreeMap<&str, &GroupPath> = paths
            .filter(|path| path.segments().count() == 1)
            .map(|path| (path.as_str(), path))
            .collect();
        if wanted.len() < LISTED_FROM {
            return BTreeMap::new();
        }
        let Ok(Reply::Data(Count { count })) = self.get("/groups/count?top=true").await else {
            return BTreeMap::new();
        };
        let pages = count.div_ceil(PAGE);
        if pages + 1 >= wanted.len() {
            return BTreeMap::new();
        }
        let mut shown: BTreeMap<&GroupPath, BTreeSet<KeycloakGroupId>> = BTreeMap::new();
        for page in 0..pages {
            let first = page * PAGE;
            let query = format!("/groups?first={first}&max={PAGE}&briefRepresentation=true");
            for GroupRow { id, path, .. } in self.rows_of(&query).await.unwrap_or_default() {
                if let Some(path) = path.and_then(|path| wanted.get(path.as_str()).copied()) {
                    shown.entry(path).or_default().insert(id);
                }
            }
        }
        let only = shown.into_iter().filter_map(|(path, mut ids)| {
            let id = ids.pop_first()?;
            ids.is_empty().then(|| (path.clone(), id))
        });
        only.collect()
    }

    async fn find(&self, path: &GroupPath) -> anyhow::Result<Found> {
        let realm = &self.account.realm;
        match self.by_path(path).await? {
            Reply::Data(row) if row.path.as_deref() == Some(path.as_str()) => {
                Ok(Found::Group(row.id))
            }
            // Databases with a collation that ignores case or accents find more than what was asked for.
            Reply::Data(row) => Ok(Found::Nothing(absence(
                realm,
                path,
                &[row.path.unwrap_or_default()],
            ))),
            Reply::Missing => self.search(path).await,
            Reply::Forbidden => Ok(Found::Forbidden),
            Reply::NoSuchResource(refusal) => Err(refusal.into()),
        }
    }

    async fn by_path(&self, path: &GroupPath) -> anyhow::Result<Reply<GroupRow>> {
        self.get(&format!("/group-by-path/{}", path::group_path(path)?))
            .await
    }

    /// Looks for a group that was not found by its path: 24.0.x cannot find names with `%` or `;` that way, and a group whose
    /// name holds a slash is hidden by one that is called like its first part. What is not the very path is a suggestion.
    async fn search(&self, path: &GroupPath) -> anyhow::Result<Found> {
        let mut seen = BTreeMap::new();
        let name = path.segments().last().unwrap_or_default();
        for exact in ["&exact=true", ""] {
            let query = format!(
                "/groups?search={}{exact}&first=0&max={SEARCH_ROWS}&briefRepresentation=true",
                path::value(name)
            );
            let rows = self.rows_of(&query).await?;
            collect_paths(&rows, &mut seen);
            let fitting: Vec<KeycloakGroupId> = seen
                .get(path.as_str())
                .into_iter()
                .flatten()
                .cloned()
                .collect();
            match fitting.as_slice() {
                [] => {}
                [id] => return Ok(Found::Group(id.clone())),
                several => {
                    return Ok(Found::Nothing(format!(
                        "fits {} groups in realm {}, because a name holds a slash; rename one of them",
                        several.len(),
                        self.account.realm
                    )));
                }
            }
        }
        collect_paths(&self.relatives(path).await?, &mut seen);
        let alike = most_alike(path, seen.keys().map(String::as_str));
        Ok(Found::Nothing(absence(&self.account.realm, path, &alike)))
    }

    /// The groups beside which the group would stand: below its deepest ancestor that exists, or at the top level.
    async fn relatives(&self, path: &GroupPath) -> anyhow::Result<Vec<GroupRow>> {
        let mut ancestor = path.as_str();
        while let Some((above, _)) = ancestor.rsplit_once('/') {
            let Ok(parent) = above.parse::<GroupPath>() else {
                break;
            };
            if let Reply::Data(row) = self.by_path(&parent).await? {
                let query = format!(
                    "/groups/{}/children?first=0&max={PAGE}&briefRepresentation=true",
                    path::segment(row.id.as_str())?
                );
                let mut rows = self.rows_of(&query).await?;
                rows.push(row);
                return Ok(rows);
            }
            ancestor = above;
        }
        let query = format!("/groups?first=0&max={PAGE}&briefRepresentation=true");
        self.rows_of(&query).await
    }

    /// The groups of an answer, where it does not matter if there is none.
    async fn rows_of(&self, query: &str) -> anyhow::Result<Vec<GroupRow>> {
        Ok(match self.get(query).await? {
            Reply::Data(rows) => rows,
            Reply::Missing | Reply::Forbidden | Reply::NoSuchResource(_) => Vec::new(),
        })
    }

    /// The group with everything below it.
    pub async fn tree(&self, path: &GroupPath, group: &ResolvedGroup) -> anyhow::Result<GroupTree> {
        let mut tree = FlatTree::new(group.id.clone(), path.clone());
        let mut level = if group.with_subgroups {
            vec![0]
        } else {
            Vec::new()
        };
        for _ in 0..DEEPEST {
            if level.is_empty() {
                return Ok(tree.into_nested());
            }
            let parents: Vec<(usize, KeycloakGroupId)> = level
                .iter()
                .filter_map(|&at| Some((at, tree.groups.get(at)?.id.clone())))
                .collect();
            let answers: Vec<(usize, Below)> = stream::iter(parents)
                .map(|(at, id)| async move { anyhow::Ok((at, self.below(&id).await?)) })
                .buffered(PREPARED)
                .try_collect()
                .await
                .with_context(|| format!("failed to read the sub-groups of group {path}"))?;
            level.clear();
            for (at, below) in answers {
                match below {
                    Below::Children(rows) => level.extend(tree.add(at, &rows)),
                    Below::WholeTree(rows) => tree.add_all(at, &rows),
                }
            }
        }
        bail!("the sub-groups of group {path} are nested more than {DEEPEST} deep")
    }

    async fn below(&self, id: &KeycloakGroupId) -> anyhow::Result<Below> {
        let mut children: BTreeMap<KeycloakGroupId, GroupRow> = BTreeMap::new();
        let (mut first, mut barren) = (0, 0);
        loop {
            let path = format!(
                "/groups/{}/children?first={first}&max={PAGE}&briefRepresentation=true",
                path::segment(id.as_str())?
            );
            let rows: Vec<GroupRow> = match self.get(&path).await? {
                Reply::Data(rows) => rows,
                Reply::Missing => return Err(gone()),
                Reply::Forbidden => {
                    return Err(self.missing_role(VIEW_USERS, "read sub-groups").into());
                }
                Reply::NoSuchResource(refusal) => return self.whole_tree(id, refusal).await,
            };
            if rows.is_empty() {
                return Ok(Below::Children(children.into_values().collect()));
            }
            let before = children.len();
            children.extend(rows.into_iter().map(|row| (row.id.clone(), row)));
            // One page may bring nothing new when a group was added meanwhile; two in a row are not pages at all.
            barren = if children.len() == before {
                barren + 1
            } else {
                0
            };
            if barren > 1 {
                return Err(Refusal::new(
                    "Keycloak sends the same sub-groups again and again",
                    "Does a proxy drop the query of the requests?",
                )
                .into());
            }
            first += PAGE;
        }
    }

    /// Up to 22 there is no request for the children of a group; the group comes with the whole tree below it.
    async fn whole_tree(&self, id: &KeycloakGroupId, refusal: Refusal) -> anyhow::Result<Below> {
        let path = format!("/groups/{}", path::segment(id.as_str())?);
        let Some(row) = self.get_allowed::<GroupRow>(&path, "read groups").await? else {
            return Err(gone());
        };
        // From 23 on the count is there and the tree is not: then it is a proxy that kept the children back.
        match (row.sub_group_count, row.sub_groups) {
            (None, Some(rows)) => Ok(Below::WholeTree(rows)),
            _ => Err(refusal.into()),
        }
    }
}

/// A tree as a list in which parents stand before their children; each group is in it once.
struct FlatTree {
    groups: Vec<FlatGroup>,
    known: BTreeSet<KeycloakGroupId>,
}

struct FlatGroup {
    id: KeycloakGroupId,
    path: GroupPath,
    parent: usize,
}

impl FlatTree {
    fn new(id: KeycloakGroupId, path: GroupPath) -> Self {
        Self {
            known: BTreeSet::from([id.clone()]),
            groups: vec![FlatGroup {
                id,
                path,
                parent: 0,
            }],
        }
    }

    /// Adds the groups below the one at `parent` that are not in the tree yet, and returns where they are now.
    fn add(&mut self, parent: usize, rows: &[GroupRow]) -> Vec<usize> {
        rows.iter()
            .filter_map(|row| self.add_one(parent, row))
            .collect()
    }

    /// Adds whole trees. Their depth is bounded by what the JSON parser takes.
    fn add_all(&mut self, parent: usize, rows: &[GroupRow]) {
        for row in rows {
            if let Some(at) = self.add_one(parent, row) {
                self.add_all(at, row.children());
            }
        }
    }

    fn add_one(&mut self, parent: usize, row: &GroupRow) -> Option<usize> {
        let parent_path = &self.groups.get(parent)?.path;
        let path = path_of(parent_path, row);
        if !self.known.insert(row.id.clone()) {
            return None;
        }
        self.groups.push(FlatGroup {
            id: row.id.clone(),
            path,
            parent,
        });
        Some(self.groups.len() - 1)
    }

    fn into_nested(self) -> GroupTree {
        let parents: Vec<usize> = self.groups.iter().map(|group| group.parent).collect();
        let mut groups: Vec<GroupTree> = self
            .groups
            .into_iter()
            .map(|group| GroupTree {
                id: group.id,
                path: group.path,
                subgroups: Vec::new(),
            })
            .collect();
        loop {
            let at = groups.len() - 1;
            let mut group = groups.swap_remove(at);
            group
                .subgroups
                .sort_by(|a, b| (&a.path, &a.id).cmp(&(&b.path, &b.id)));
            match parents.get(at).and_then(|&parent| groups.get_mut(parent)) {
                Some(parent) => parent.subgroups.push(group),
                None => return group,
            }
        }
    }
}

/// The path of a sub-group as Keycloak spells it. A name that no path can hold (`.`, a slash at its end) is encoded, as the
/// path of a sub-group is for people to read and its id is what is asked for.
fn path_of(parent: &GroupPath, row: &GroupRow) -> GroupPath {
    let spelled = row
        .path
        .as_deref()
        .filter(|path| path.starts_with('/'))
        .and_then(|path| path.parse().ok());
    spelled.unwrap_or_else(|| {
        let name = path::value(row.name.as_deref().unwrap_or(row.id.as_str())).replace('.', "%2E");
        format!("{parent}/{name}")
            .parse()
            .unwrap_or_else(|_| parent.clone())
    })
}

/// Collects the paths in an answer, whatever its depth, with the groups that have them.
fn collect_paths(rows: &[GroupRow], seen: &mut BTreeMap<String, BTreeSet<KeycloakGroupId>>) {
    for row in rows {
        if let Some(path) = &row.path {
            seen.entry(path.clone()).or_default().insert(row.id.clone());
        }
        collect_paths(row.children(), seen);
    }
}

/// Returns the paths that were probably meant, the likeliest first, at most three.
fn most_alike<'a>(path: &GroupPath, others: impl Iterator<Item = &'a str>) -> Vec<String> {
    let wanted = path.as_str().to_lowercase();
    let last = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    let mut scored: Vec<(f64, &str)> = others
        .filter_map(|other| {
            let folded = other.to_lowercase();
            let score = if folded == wanted {
                2.0
            } else if last(&folded) == last(&wanted) {
                1.0
            } else {
                strsim::normalized_damerau_levenshtein(&folded, &wanted)
            };
            (score >= ALIKE).then_some((score, other))
        })
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    // Where one differs in letter case alone, the others are beside the point.
    let only_case = scored.first().is_some_and(|(score, _)| *score > 1.0);
    scored
        .into_iter()
        .take_while(|(score, _)| !only_case || *score > 1.0)
        .take(3)
        .map(|(_, other)| other.to_owned())
        .collect()
}

/// Says that a group does not exist, and what may have been meant.
fn absence(realm: &str, path: &GroupPath, suggestions: &[String]) -> String {
    let base = format!("does not exist in realm {realm}");
    match suggestions {
        [] => base,
        [one] if one.to_lowercase() == path.as_str().to_lowercase() => {
            format!(
                "{base}; there is {}, and upper and lower case differ",
                one_line(one)
            )
        }
        several => {
            let names: Vec<String> = several.iter().map(|name| one_line(name)).collect();
            format!("{base}; did you mean {}?", names.join(" or "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(json: &str) -> Vec<GroupRow> {
        serde_json::from_str(json).unwrap()
    }

    fn path(text: &str) -> GroupPath {
        text.parse().unwrap()
    }

    fn tree_of(json: &str) -> GroupTree {
        let mut tree = FlatTree::new("root".parse().unwrap(), path("/root"));
        tree.add_all(0, &rows(json));
        tree.into_nested()
    }

    #[test]
    fn a_tree_keeps_its_shape_and_is_sorted() {
        let tree = tree_of(
            r#"[{"id":"b","path":"/root/b","subGroups":[{"id":"c","path":"/root/b/c"},{"id":"d","path":"/root/b/d"}]},
                {"id":"a","path":"/root/a","subGroups":[]}]"#,
        );
        let shown: Vec<&str> = tree.all().iter().map(|group| group.path.as_str()).collect();
        assert_eq!(
            shown,
            ["/root", "/root/a", "/root/b", "/root/b/c", "/root/b/d"]
        );
        assert_eq!(tree.subgroups[1].subgroups.len(), 2);
    }

    #[test]
    fn a_group_that_comes_again_is_in_the_tree_once() {
        let tree = tree_of(
            r#"[{"id":"a","path":"/root/a","subGroups":[{"id":"root","path":"/root","subGroups":[{"id":"x","path":"/x"}]}]},
                {"id":"a","path":"/root/a"}]"#,
        );
        assert_eq!(tree.all().len(), 2);
    }

    #[test]
    fn a_subgroup_whose_name_no_path_can_hold_is_kept() {
        let tree = tree_of(
            r#"[{"id":"1","name":".","path":"/root/."},{"id":"2","name":"a/","path":"/root/a/"},{"id":"3"}]"#,
        );
        let shown: Vec<&str> = tree.all().iter().map(|group| group.path.as_str()).collect();
        assert_eq!(shown, ["/root", "/root/%2E", "/root/3", "/root/a%2F"]);
    }

    #[test]
    fn paths_are_found_at_every_depth() {
        let mut seen = BTreeMap::new();
        collect_paths(
            &rows(
                r#"[{"id":"1","path":"/odd","subGroups":[{"id":"2","path":"/odd/50% off","subGroups":[]}]}]"#,
            ),
            &mut seen,
        );
        assert_eq!(seen.keys().collect::<Vec<_>>(), ["/odd", "/odd/50% off"]);
    }

    #[test]
    fn what_was_probably_meant_is_suggested() {
        let groups = [
            "/Teams/Platform",
            "/teams/platform",
            "/teams/platforms",
            "/elsewhere/plattform",
            "/sales",
        ];
        let alike = |text| most_alike(&path(text), groups.into_iter());
        assert_eq!(
            alike("/teams/plattform"),
            ["/elsewhere/plattform", "/Teams/Platform", "/teams/platform"]
        );
        assert_eq!(alike("/TEAMS/platforms"), ["/teams/platforms"]);
        assert!(alike("/nothing/of/the/kind").is_empty());
    }

    #[test]
    fn an_absent_group_is_described_in_one_sentence() {
        let say = |suggestions: &[&str]| {
            let suggestions: Vec<String> = suggestions.iter().map(|&s| s.to_owned()).collect();
            absence("acme", &path("/teams/plattform"), &suggestions)
        };
        assert_eq!(say(&[]), "does not exist in realm acme");
        assert_eq!(
            say(&["/teams/platform"]),
            "does not exist in realm acme; did you mean /teams/platform?"
        );
        assert_eq!(
            say(&["/Teams/plattform"]),
            "does not exist in realm acme; there is /Teams/plattform, and upper and lower case differ"
        );
    }
}
