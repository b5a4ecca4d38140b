//! Reading the file key by key: every key is declared where it is read, and what was not declared is a mistake.
//!
//! It collects mistakes and never stops at one. What a value must be is said by the parsers in [`super::value`].

use serde_json::Value as Json;

use super::kind::Kind;
use super::mistake::{Wrong, show, suggest};
use super::notes::{Notes, UnknownKey};
use super::yaml::{Entry, Node, Place};

/// A value that is being read.
#[derive(Clone)]
pub(super) struct Value<'a, 't> {
    notes: &'a Notes<'a, 't>,
    /// The key it belongs to.
    key: &'a str,
    /// Whether it is an element of the key's list, or a key of its table.
    is_part: bool,
    pub node: &'a Node<'t>,
    pub place: Place,
}

impl Value<'_, '_> {
    /// Notes what is wrong with it.
    pub fn mistake(&self, wrong: &Wrong) {
        let (key, predicate) = (self.key, &wrong.predicate);
        let text = if wrong.shown { self.scalar() } else { None };
        let message = match (text, self.is_part) {
            (Some(text), false) => format!("`{key}: {}` {predicate}", show(&text)),
            (Some(text), true) => format!("`{}` in `{key}` {predicate}", show(&text)),
            (None, false) => format!("`{key}` {predicate}"),
            (None, true) => format!("an entry of `{key}` {predicate}"),
        };
        self.notes.mistake(self.place.clone(), message);
    }

    fn scalar(&self) -> Option<String> {
        match self.node {
            Node::Switch(on) => Some(on.to_string()),
            Node::Natural(number) => Some(number.to_string()),
            Node::OtherNumber(text) => Some(text.clone()),
            Node::Text(text) if !text.is_empty() => Some(text.to_string()),
            _ => None,
        }
    }

    /// Parses it, and notes what is wrong with it.
    pub fn parse<T>(&self, parser: impl FnOnce(&Self) -> Result<T, Wrong>) -> Option<T> {
        parser(self).map_err(|wrong| self.mistake(&wrong)).ok()
    }

    /// Whether its number stands in the file as it would be printed.
    pub fn is_written(&self, number: u64) -> bool {
        self.notes.document.is_written(number, &self.place)
    }

    /// Whether a character stands in the file as itself, not as an escape.
    pub fn is_in_file(&self, character: char) -> bool {
        self.notes.document.holds(character)
    }

    /// Parses the elements of a list; those that are wrong are noted and left out.
    pub fn parse_list<T>(
        &self,
        parser: impl Fn(&Self) -> Result<T, Wrong>,
    ) -> Option<Vec<(Self, T)>> {
        let Node::List(elements) = self.node else {
            self.mistake(&Wrong::value(format!(
                "must be a list (`[one, two]`), not {}",
                describe(self.node)
            )));
            return None;
        };
        let parts = elements.iter().enumerate().map(|(number, node)| Self {
            node,
            place: self.place.value(number),
            is_part: true,
            ..self.clone()
        });
        Some(
            parts
                .filter_map(|part| part.parse(&parser).map(|parsed| (part, parsed)))
                .collect(),
        )
    }

    /// The number of elements of its list.
    pub fn length(&self) -> usize {
        match self.node {
            Node::List(elements) => elements.len(),
            _ => 0,
        }
    }

    /// Parses keys and values of a table whose keys are free; those that are wrong are noted and left out.
    pub fn parse_pairs<K, V>(
        &self,
        key_parser: impl Fn(&Self) -> Result<K, Wrong>,
        value_parser: impl Fn(&Self) -> Result<V, Wrong>,
    ) -> Option<Vec<(Self, K, V)>> {
        let Node::Table(entries) = self.node else {
            self.mistake(&Wrong::value(format!(
                "must be pairs (`{{ one: two }}`), not {}",
                describe(self.node)
            )));
            return None;
        };
        let pairs = entries.iter().enumerate().map(|(number, entry)| {
            let part = |node, place| Self {
                node,
                place,
                is_part: true,
                ..self.clone()
            };
            (
                part(&entry.key, self.place.key(number)),
                part(&entry.value, self.place.value(number)),
            )
        });
        Some(
            pairs
                .filter_map(|(key, value)| {
                    // Both are looked at before either is given up, so that all mistakes are noted.
                    let (parsed_key, parsed_value) =
                        (key.parse(&key_parser), value.parse(&value_parser));
                    Some((key, parsed_key?, parsed_value?))
                })
                .collect(),
        )
    }
}

/// What is declared of a key.
#[derive(Debug, Clone, Copy)]
pub(super) struct Declared {
    /// What its value looks like.
    pub form: Form,
    /// What it is, of a key that must be there.
    pub about: Option<&'static str>,
}

/// What the value of a key looks like.
#[derive(Debug, Clone, Copy)]
pub(super) enum Form {
    /// As its JSON Schema says.
    Value(fn() -> Json),
    /// A list, each element of which is as its JSON Schema says.
    List(fn() -> Json),
    /// Keys of its own.
    Section,
    /// A list, each entry of which has keys of its own.
    Entries,
}

/// The keys of one table of the file.
pub(super) struct Table<'a, 't> {
    notes: &'a Notes<'a, 't>,
    entries: &'a [Entry<'t>],
    place: Place,
    /// What stands before the names of its keys in the list of all: `users.`.
    prefix: String,
    declared: Vec<&'static str>,
    missing: Vec<(&'static str, &'static str)>,
}

impl<'a, 't> Table<'a, 't> {
    /// Reads the whole file.
    pub fn read_top<T>(
        notes: &'a Notes<'a, 't>,
        read: impl FnOnce(&mut Self) -> Option<T>,
    ) -> Option<T> {
        let entries = match &notes.document.root {
            Node::Table(entries) => entries.as_slice(),
            Node::Null => &[],
            other => {
                let message = format!(
                    "the file must hold keys with values (`keycloak_url: …`), not {}",
                    describe(other)
                );
                notes.mistake(Place::top(), message);
                return None;
            }
        };
        Self::read(notes, entries, Place::top(), String::new(), read)
    }

    fn read<T>(
        notes: &'a Notes<'a, 't>,
        entries: &'a [Entry<'t>],
        place: Place,
        prefix: String,
        read: impl FnOnce(&mut Self) -> T,
    ) -> T {
        let mut table = Self {
            notes,
            entries,
            place,
            prefix,
            declared: Vec::new(),
            missing: Vec::new(),
        };
        let result = read(&mut table);
        table.check_keys();
        result
    }

    /// Reads a key that may be left out.
    pub fn optional<T>(
        &mut self,
        key: &'static str,
        kind: Kind<impl FnOnce(&Value<'a, 't>) -> Result<T, Wrong>>,
    ) -> Option<T> {
        self.value(key, Form::Value(kind.schema))?.parse(kind.read)
    }

    /// Reads a key that holds a list and may be left out, which is the same as an empty one.
    pub fn optional_list<T>(
        &mut self,
        key: &'static str,
        kind: Kind<impl Fn(&Value<'a, 't>) -> Result<T, Wrong>>,
    ) -> Vec<T> {
        self.value(key, Form::List(kind.schema))
            .and_then(|value| value.parse_list(kind.read))
            .unwrap_or_default()
            .into_iter()
            .map(|(_, parsed)| parsed)
            .collect()
    }

    /// Reads a key that must be there; `about` says what it is.
    pub fn required<T>(
        &mut self,
        key: &'static str,
        about: &'static str,
        kind: Kind<impl FnOnce(&Value<'a, 't>) -> Result<T, Wrong>>,
    ) -> Option<T> {
        self.required_value(key, about, Form::Value(kind.schema))?
            .parse(kind.read)
    }

    /// Reads a key that holds keys of its own, all of which may be left out.
    pub fn section<T>(&mut self, key: &'static str, read: impl FnOnce(&mut Self) -> T) -> T {
        let prefix = format!("{}{key}.", self.prefix);
        let value = self.value(key, Form::Section);
        let (entries, place) = match &value {
            Some(Value {
                node: Node::Table(entries),
                place,
                ..
            }) => (entries.as_slice(), place.clone()),
            _ => (&[][..], self.place.clone()),
        };
        let mut declared = Vec::new();
        let result = Self::read(self.notes, entries, place, prefix, |table| {
            let result = read(table);
            declared.clone_from(&table.declared);
            result
        });
        if let Some(value) = value.filter(|value| !matches!(value.node, Node::Table(_))) {
            value.mistake(&Wrong::value(format!(
                "must hold keys of its own ({}), not {}",
                declared.join(", "),
                describe(value.node)
            )));
        }
        result
    }

    /// Reads a key that must be there and holds a list, each entry of which has keys of its own.
    pub fn entries<T>(
        &mut self,
        key: &'static str,
        about: &'static str,
        read: impl Fn(&mut Self) -> Option<T>,
    ) -> Vec<T> {
        let prefix = format!("{}{key}.", self.prefix);
        let Some(value) = self.required_value(key, about, Form::Entries) else {
            return Vec::new();
        };
        let Node::List(elements) = value.node else {
            value.mistake(&Wrong::value(format!(
                "must be a list of entries, each beginning with `- `, not {}",
                describe(value.node)
            )));
            return Vec::new();
        };
        if elements.is_empty() {
            value.mistake(&Wrong::value("is empty; it needs at least one entry"));
        }
        let mut read_entries = Vec::new();
        for (number, element) in elements.iter().enumerate() {
            let place = value.place.value(number);
            if let Node::Table(entries) = element {
                let entry = Self::read(self.notes, entries, place, prefix.clone(), &read);
                read_entries.extend(entry);
            } else {
                let message = format!(
                    "an entry of `{key}` must hold keys of its own, not {}",
                    describe(element)
                );
                self.notes.mistake(place, message);
            }
        }
        read_entries
    }

    /// Whether a key is there.
    pub fn has(&self, key: &str) -> bool {
        self.find(key).is_some()
    }

    /// Returns the place of a key's value, and the line of the key (0 if it is not there).
    pub fn line_of(&self, key: &str) -> (Place, usize) {
        let Some((number, entry)) = self.find(key) else {
            return (self.place.clone(), 0);
        };
        let line = self
            .notes
            .document
            .line_of_key(&entry.key, &self.place.key(number));
        (self.place.value(number), line.unwrap_or(0))
    }

    /// Where mistakes are noted that are not about one value.
    pub fn notes(&self) -> &'a Notes<'a, 't> {
        self.notes
    }

    fn find(&self, key: &str) -> Option<(usize, &'a Entry<'t>)> {
        self.entries
            .iter()
            .enumerate()
            .find(|(_, entry)| matches!(&entry.key, Node::Text(text) if text == key))
    }

    fn required_value(
        &mut self,
        key: &'static str,
        about: &'static str,
        form: Form,
    ) -> Option<Value<'a, 't>> {
        if self.find(key).is_none() {
            self.missing.push((key, about));
        }
        let about = Some(about);
        self.declare(key, Declared { form, about })
    }

    fn value(&mut self, key: &'static str, form: Form) -> Option<Value<'a, 't>> {
        self.declare(key, Declared { form, about: None })
    }

    /// Declares a key and returns its value if there is one.
    fn declare(&mut self, key: &'static str, declared: Declared) -> Option<Value<'a, 't>> {
        self.declared.push(key);
        self.notes
            .declared
            .borrow_mut()
            .insert(format!("{}{key}", self.prefix), declared);
        let (number, entry) = self.find(key)?;
        if entry.value == Node::Null {
            let otherwise = declared
                .about
                .unwrap_or("give it one, or take the line out");
            let message = format!("`{key}` has no value: {otherwise}");
            self.notes.mistake(self.place.key(number), message);
            return None;
        }
        Some(Value {
            notes: self.notes,
            key,
            is_part: false,
            node: &entry.value,
            place: self.place.value(number),
        })
    }

    /// Notes keys that nobody declared, that stand twice, or that are missing.
    fn check_keys(&mut self) {
        self.declared.sort_unstable();
        let mut seen: Vec<(&str, usize)> = Vec::new();
        for (number, entry) in self.entries.iter().enumerate() {
            let place = self.place.key(number);
            let Node::Text(key) = &entry.key else {
                let message = format!(
                    "a key must be one of {}, not {}",
                    self.declared.join(", "),
                    describe(&entry.key)
                );
                self.notes.mistake(place, message);
                continue;
            };
            if let Some((_, first)) = seen.iter().find(|(earlier, _)| earlier == key) {
                let line = self.notes.document.locate(&self.place.key(*first));
                let line = line.map_or(0, |position| position.line);
                let message = format!(
                    "`{}` stands here a second time; the first is on line {line}",
                    show(key)
                );
                self.notes.mistake(place, message);
                continue;
            }
            seen.push((key, number));
            if self.declared.iter().any(|declared| declared == key) {
                continue;
            }
            let meant = suggest(key, self.declared.iter().copied());
            // A misspelt key is one mistake, not also a missing one.
            self.missing.retain(|(missing, _)| Some(*missing) != meant);
            self.notes.unknown.borrow_mut().push(UnknownKey {
                place,
                key: key.to_string(),
                known: self.declared.clone(),
                meant,
            });
        }
        for (key, about) in &self.missing {
            let message = format!("`{key}` is missing here: {about}");
            self.notes.mistake(self.place.clone(), message);
        }
    }
}

/// Says of what kind a value is.
pub(super) fn describe(node: &Node<'_>) -> &'static str {
    match node {
        Node::Null => "nothing",
        Node::Switch(_) => "true or false",
        Node::Natural(_) | Node::OtherNumber(_) => "a number",
        Node::Text(_) => "text",
        Node::List(_) => "a list",
        Node::Table(_) => "keys with values",
        Node::Tagged(_) => "something with a tag (`!name`)",
    }
}
