//! The JSON Schema of the configuration file, for editors: made of the keys as reading a file declares them, with the words of the
//! example.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use super::keys;
use super::notes::Notes;
use super::table::{Declared, Form, Table};
use super::yaml::Document;

const EXAMPLE: &str = include_str!("../../keycloak_to_azure.config.yaml.example");

/// A file of which all keys are declared when it is read: those of an entry are where there is one.
const EVERY_TABLE: &str = "groups: [{}]";

/// Returns the JSON Schema (draft 2020-12) of the configuration file.
///
/// What reading accepts fits it. It cannot say everything that reading finds out: that a key stands twice, that keys do not go
/// together, what makes an address or a path.
pub fn schema() -> Json {
    let declared = declared();
    let words = words_of(EXAMPLE);
    let mut schema = table(&declared, &words, "");
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema".into();
    schema["title"] = "The configuration of keycloak-to-azure".into();
    schema
}

/// Returns every key with what was declared of it, by its full name.
pub(super) fn declared() -> BTreeMap<String, Declared> {
    let document = Document::parse(EVERY_TABLE).expect("it is YAML");
    let notes = Notes::new(&document);
    let _ = Table::read_top(&notes, |top| keys::read(top, None, Ok));
    notes.into_declared()
}

/// Returns the schema of a table whose keys have this before their names: nothing, or `users.`.
fn table(
    declared: &BTreeMap<String, Declared>,
    words: &BTreeMap<String, String>,
    prefix: &str,
) -> Json {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for (name, Declared { form, about }) in declared {
        let Some(key) = name.strip_prefix(prefix).filter(|rest| !rest.contains('.')) else {
            continue;
        };
        let inner = || table(declared, words, &format!("{name}."));
        let mut schema = match form {
            Form::Value(schema) => schema(),
            Form::List(schema) => json!({ "type": "array", "items": schema() }),
            Form::Section => inner(),
            Form::Entries => json!({ "type": "array", "items": inner(), "minItems": 1 }),
        };
        if let Some(description) = words.get(name).map(String::as_str).or(*about) {
            schema["description"] = description.into();
        }
        if about.is_some() {
            required.push(key);
        }
        properties.insert(key.to_owned(), schema);
    }
    let mut schema = json!({
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    });
    if !required.is_empty() {
        schema["required"] = required.into();
    }
    schema
}

/// Returns the words that stand above keys in the example, by the full names of the keys. Those above several keys are about each.
fn words_of(example: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut section = "";
    let mut words: Vec<&str> = Vec::new();
    let mut is_used = false;
    for line in example.lines() {
        if line.is_empty() || line == "---" {
            words.clear();
        } else if let Some(text) = line
            .strip_prefix("# ")
            .filter(|text| !text.starts_with(' '))
        {
            if std::mem::take(&mut is_used) {
                words.clear();
            }
            words.push(text);
        } else {
            let line = line.strip_prefix('#').unwrap_or(line);
            let key = line.trim_start_matches([' ', '-']);
            let key = key.split(':').next().unwrap_or(key);
            let name = if line.starts_with(' ') {
                format!("{section}.{key}")
            } else {
                section = key;
                key.to_owned()
            };
            is_used = true;
            if !words.is_empty() {
                found.insert(name, words.join(" "));
            }
        }
    }
    found
}
