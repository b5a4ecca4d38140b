//! What is noted while the file is read, and the list of mistakes that comes of it.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::credentials::variables;
use super::mistake::{ConfigErrors, Mistake, show};
use super::table::Declared;
use super::yaml::{Document, Place, Position};

/// The number of mistakes that are shown: nobody reads more at once, and finding each one's position reads the file once more.
pub(super) const MOST_SHOWN: usize = 50;

/// What is noted while a file is read.
pub(super) struct Notes<'a, 't> {
    pub document: &'a Document<'t>,
    mistakes: RefCell<Vec<(Place, String)>>,
    /// Mistakes outside the file.
    environment: RefCell<Vec<String>>,
    /// The keys that were declared, by their full names: `groups`, `groups.keycloak`, …
    pub declared: RefCell<BTreeMap<String, Declared>>,
    pub unknown: RefCell<Vec<UnknownKey>>,
}

/// A key that nobody declared.
pub(super) struct UnknownKey {
    pub place: Place,
    pub key: String,
    /// The keys that were declared beside it.
    pub known: Vec<&'static str>,
    /// The one of these that it looks like.
    pub meant: Option<&'static str>,
}

impl UnknownKey {
    fn message(&self, declared: &BTreeMap<String, Declared>) -> String {
        let shown = show(&self.key);
        let variable = variables().find(|variable| variable.eq_ignore_ascii_case(&self.key));
        if let Some(variable) = variable {
            return format!(
                "`{shown}` does not belong into a file; set the environment variable {variable} instead"
            );
        }
        let elsewhere = declared.keys().find_map(|name| {
            name.rsplit_once('.')
                .filter(|(_, key)| *key == self.key)
                .map(|(table, _)| table)
        });
        let known = self.known.join(", ");
        match (self.meant, elsewhere) {
            (Some(meant), _) => {
                format!("unknown key `{shown}`; known here are {known} (did you mean `{meant}`?)")
            }
            (None, Some(table)) => {
                format!("unknown key `{shown}` here; it belongs under `{table}`, indented")
            }
            (None, None) if declared.contains_key(&self.key) => {
                format!("unknown key `{shown}` here; it belongs at the top level, not indented")
            }
            (None, None) => format!("unknown key `{shown}`; known here are {known}"),
        }
    }
}

impl<'a, 't> Notes<'a, 't> {
    pub fn new(document: &'a Document<'t>) -> Self {
        Self {
            document,
            mistakes: RefCell::default(),
            environment: RefCell::default(),
            declared: RefCell::default(),
            unknown: RefCell::default(),
        }
    }

    /// Notes a mistake.
    pub fn mistake(&self, place: Place, message: impl Into<String>) {
        self.mistakes.borrow_mut().push((place, message.into()));
    }

    /// Notes a mistake in the environment.
    pub fn environment_mistake(&self, message: impl Into<String>) {
        self.environment.borrow_mut().push(message.into());
    }

    /// Returns the mistakes, if there are any.
    pub fn into_errors(self, path: &str) -> Option<ConfigErrors> {
        let mut found = self.mistakes.into_inner();
        let declared = self.declared.into_inner();
        found.extend(self.unknown.into_inner().into_iter().map(|unknown| {
            let message = unknown.message(&declared);
            (unknown.place, message)
        }));
        let environment = self.environment.into_inner();
        if found.is_empty() && environment.is_empty() {
            return None;
        }
        // The places of a table are in the order of the file, so the first mistakes are shown without locating them all.
        found.sort_by(|(one, _), (other, _)| one.cmp(other));
        let further = found.len().saturating_sub(MOST_SHOWN);
        found.truncate(MOST_SHOWN);
        let mut mistakes: Vec<Mistake> = found
            .into_iter()
            .map(|(place, message)| Mistake {
                position: Some(self.document.locate(&place).unwrap_or(Position::START)),
                message,
            })
            .collect();
        mistakes.sort_by_key(|mistake| mistake.position);
        // One alias can show the same text in two places.
        mistakes.dedup();
        mistakes.extend(environment.into_iter().map(|message| Mistake {
            position: None,
            message,
        }));
        Some(ConfigErrors {
            path: path.to_owned(),
            mistakes,
            further,
        })
    }

    /// Returns all keys that were declared, by their full names.
    pub fn into_declared(self) -> BTreeMap<String, Declared> {
        self.declared.into_inner()
    }
}
