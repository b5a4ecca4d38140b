//! What groups are called on the command line: which of them a word there means, and which word means one and no other.
//!
//! A mapping is meant by its Keycloak path (with or without the leading slash) and by its Azure group, as the file names it, by display
//! name or by id. So the name of one group may mean another as well, which is why what stands for a group is decided here and nowhere
//! else.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use crate::model::ObjectId;
use crate::plan::{GroupName, Overrides, ScopeMapping};
use crate::render::escape;
use crate::settings::{Mapping, Settings};
use crate::snapshot::{EntraGroup, EntraSnapshot};
use crate::wording::first_ten;

/// Returns the mappings that `--group` chose: all of every Azure group that one of the words means.
pub fn choose_scope(
    words: &[String],
    settings: &Settings,
    entra: &EntraSnapshot,
) -> Result<Option<Vec<ScopeMapping>>, NotNamed> {
    if words.is_empty() {
        return Ok(None);
    }
    let mapped = with_azure(&settings.mappings, entra);
    let names = GroupNames::of_mappings(&mapped);
    check_words(words, &names, settings)?;
    let meant = words.iter().flat_map(|word| names.meant(word));
    let chosen: BTreeSet<&ObjectId> = meant.map(|group| &group.id).collect();
    let mut scope: Vec<ScopeMapping> = mapped
        .into_iter()
        .filter(|(_, azure)| chosen.contains(&azure.id))
        .map(|(mapping, azure)| ScopeMapping {
            keycloak: mapping.keycloak.clone(),
            azure: id_and_name(azure),
        })
        .collect();
    scope.sort();
    scope.dedup();
    Ok(Some(scope))
}

/// Returns what was set for the plan with each group by the word that means it alone ([`GroupNames::flag_name`]). A word that means several
/// groups is refused, because a rule is lifted for one group at a time.
pub fn name_groups(
    overrides: &Overrides,
    settings: &Settings,
    entra: &EntraSnapshot,
) -> Result<Overrides, NotNamed> {
    let names = GroupNames::of_mappings(&with_azure(&settings.mappings, entra));
    let words = overrides
        .allow_empty
        .iter()
        .chain(&overrides.without_witness);
    check_words(words, &names, settings)?;
    named_with(overrides, &names)
}

/// The same for the groups that a run changed, which need not be mapped any more.
pub fn name_run_groups(
    overrides: &Overrides,
    settings: &Settings,
    entra: &EntraSnapshot,
) -> Result<Overrides, NotNamed> {
    let names = GroupNames::of_groups(&entra.groups, &settings.mappings);
    let is_unknown = |word: &&String| names.meant(word).is_empty();
    if let Some(word) = overrides.allow_empty.iter().find(is_unknown) {
        return Err(NotNamed::OfTheRun {
            word: word.clone(),
            changed: entra.groups.iter().map(shown).collect(),
        });
    }
    named_with(overrides, &names)
}

/// Checks that every word means a mapping.
fn check_words<'w>(
    words: impl IntoIterator<Item = &'w String>,
    names: &GroupNames<'_>,
    settings: &Settings,
) -> Result<(), NotNamed> {
    let unknown: Vec<String> = words
        .into_iter()
        .filter(|word| names.meant(word).is_empty())
        .cloned()
        .collect();
    if unknown.is_empty() {
        return Ok(());
    }
    let mappings = settings.mappings.iter();
    Err(NotNamed::OfTheMappings {
        words: unknown,
        known: mappings
            .map(|mapping| format!("{} → {}", mapping.keycloak, mapping.azure))
            .collect(),
    })
}

fn named_with(overrides: &Overrides, names: &GroupNames<'_>) -> Result<Overrides, NotNamed> {
    let one = |word: &String| match names.meant(word).as_slice() {
        [group] => Ok(names.flag_name(group).to_owned()),
        groups => Err(NotNamed::Several {
            word: word.clone(),
            groups: groups.iter().copied().map(shown).collect(),
        }),
    };
    let all = |words: &BTreeSet<String>| words.iter().map(one).collect::<Result<_, _>>();
    Ok(Overrides {
        allow_empty: all(&overrides.allow_empty)?,
        without_witness: all(&overrides.without_witness)?,
        ..overrides.clone()
    })
}

/// Groups, and every word that means one of them.
#[derive(Debug, Clone)]
pub struct GroupNames<'a> {
    groups: HashMap<&'a ObjectId, &'a EntraGroup>,
    named: HashMap<&'a str, BTreeMap<&'a ObjectId, &'a EntraGroup>>,
}

impl<'a> GroupNames<'a> {
    /// The groups of the mappings. Only who has all of these knows what a word means: those of a plan for some groups are not enough.
    pub fn of_mappings(mapped: &[(&'a Mapping, &'a EntraGroup)]) -> Self {
        let mut names = Self::of_none();
        for (mapping, azure) in mapped {
            names.add(azure, names_of(mapping));
        }
        names
    }

    /// Groups that need not be mapped any more, which the mappings that still lead to one name too.
    pub fn of_groups(
        groups: impl IntoIterator<Item = &'a EntraGroup>,
        mappings: &'a [Mapping],
    ) -> Self {
        let mut names = Self::of_none();
        for group in groups {
            let azure = id_and_name(group);
            let leading = mappings
                .iter()
                .filter(|mapping| leads_to(mapping, &azure))
                .flat_map(names_of);
            names.add(group, leading);
        }
        names
    }

    fn of_none() -> Self {
        Self {
            groups: HashMap::new(),
            named: HashMap::new(),
        }
    }

    fn add(&mut self, group: &'a EntraGroup, names: impl IntoIterator<Item = &'a str>) {
        self.groups.insert(&group.id, group);
        for name in names.into_iter().chain([group.name.as_str()]) {
            let bearers = self.named.entry(name).or_default();
            bearers.insert(&group.id, group);
        }
    }

    /// The groups that a word means, each once. One that can be an object id is no name.
    pub fn meant(&self, word: &str) -> Vec<&'a EntraGroup> {
        if let Ok(id) = word.parse::<ObjectId>() {
            return self.groups.get(&id).copied().into_iter().collect();
        }
        let bearers = self.named.get(word).into_iter();
        bearers.flat_map(BTreeMap::values).copied().collect()
    }

    /// What a flag calls a group: its name where that means no other and can be copied, or else its id.
    pub fn flag_name(&self, group: &'a EntraGroup) -> &'a str {
        match self.meant(&group.name).as_slice() {
            [only] if only.id == group.id && can_be_copied(&group.name) => &group.name,
            _ => group.id.as_str(),
        }
    }
}

/// Whether a name is taken back as it is shown. One that begins as a flag does would be taken for a flag, and an escape for what it looks
/// like.
fn can_be_copied(name: &str) -> bool {
    !name.starts_with('-') && escape::plain(name) == name
}

/// Each mapping with its Azure group, in the order of the file.
pub fn with_azure<'a>(
    mappings: &'a [Mapping],
    entra: &'a EntraSnapshot,
) -> Vec<(&'a Mapping, &'a EntraGroup)> {
    let groups: HashMap<&ObjectId, &EntraGroup> = entra
        .groups
        .iter()
        .map(|group| (&group.id, group))
        .collect();
    let azure_of = |mapping: &Mapping| groups.get(entra.resolved.get(&mapping.azure)?).copied();
    mappings
        .iter()
        .filter_map(|mapping| Some((mapping, azure_of(mapping)?)))
        .collect()
}

/// What the file calls a mapping.
fn names_of(mapping: &Mapping) -> impl Iterator<Item = &str> {
    let path = mapping.keycloak.as_str();
    [path, &mapping.azure]
        .into_iter()
        .chain(path.strip_prefix('/'))
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

/// A group as plans name it.
pub fn id_and_name(group: &EntraGroup) -> GroupName {
    GroupName {
        id: group.id.clone(),
        name: group.name.clone(),
    }
}

/// Why a word does not stand for a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotNamed {
    /// No mapping is called so.
    OfTheMappings {
        /// The words.
        words: Vec<String>,
        /// The mappings.
        known: Vec<String>,
    },
    /// No group that the run changed is called so.
    OfTheRun {
        /// The word.
        word: String,
        /// The groups that the run changed.
        changed: Vec<String>,
    },
    /// Several groups are called so, where one has to be.
    Several {
        /// The word.
        word: String,
        /// The groups.
        groups: Vec<String>,
    },
}

impl fmt::Display for NotNamed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = |items: &[String]| first_ten(items.iter().cloned());
        match self {
            Self::OfTheMappings { words, known } => write!(
                f,
                "no mapping is called {}; known here are {}",
                words.join(", "),
                first(known)
            ),
            Self::OfTheRun { word, changed } => write!(
                f,
                "the run changed no group called {word}; it changed {}",
                first(changed)
            ),
            Self::Several { word, groups } => write!(
                f,
                "{word} means several Azure groups: {}; give the id of one",
                first(groups)
            ),
        }
    }
}

impl std::error::Error for NotNamed {}

fn shown(group: &EntraGroup) -> String {
    format!("{} ({})", group.name, group.id)
}
