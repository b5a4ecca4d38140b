//! The schema against what reading accepts: every file that is read fits it, and what is wrong in form is refused by both.

use jsonschema::Validator;
use serde_json::{Value as Json, json};

use super::tests::{example, files, from_root, uncommented};
use super::*;
use crate::config::schema::{declared, schema};
use crate::config::table::Form;

/// Invalid files that the schema takes for valid, with what it cannot say.
const NOT_IN_THE_SCHEMA: [(&str, &str); 5] = [
    ("clouds", "azure_cloud and azure_login_url have to fit"),
    ("group_paths", "what a path is made of"),
    (
        "mails_that_are_not_sent",
        "what a mail is like goes with send_email: true",
    ),
    (
        "mapped_twice",
        "no two entries are alike but for letter case",
    ),
    (
        "mapped_twice_on_one_line",
        "no two entries are alike but for letter case",
    ),
];

/// Invalid files of which no JSON can be made, so that no schema is asked.
const NO_JSON: [&str; 8] = [
    "alias_bomb",
    "bad_indentation",
    "duplicate_keys",
    "not_yaml",
    "tabs",
    "too_deep",
    "two_documents",
    "unknown_alias",
];

fn validator() -> Validator {
    let schema = schema();
    assert!(
        jsonschema::draft202012::meta::is_valid(&schema),
        "{schema:#}"
    );
    jsonschema::draft202012::new(&schema).unwrap()
}

fn is_read(text: &str) -> bool {
    Config::parse(text.as_bytes(), "FILE", |_| None).is_ok()
}

/// What an editor makes of a file.
fn as_json(text: &str) -> Option<Json> {
    let value: serde_yaml::Value = serde_yaml::from_str(text).ok()?;
    serde_json::to_value(value).ok()
}

/// The example with every key, as JSON.
fn every_key() -> Json {
    as_json(&uncommented(&example())).unwrap()
}

/// Where a key stands in the example: `groups.azure` is at `/groups/1/azure`, as only the last entry shows all its keys.
fn pointer(name: &str) -> String {
    let mut pointer = String::new();
    let mut so_far = String::new();
    for step in name.split('.') {
        so_far.push_str(step);
        pointer += "/";
        pointer += step;
        if so_far != name && matches!(declared()[&so_far].form, Form::Entries) {
            pointer.push_str("/1");
        }
        so_far.push('.');
    }
    pointer
}

/// The example in which one value is another, as the program reads it (JSON is YAML) and as the schema sees it.
fn with(file: &Json, name: &str, value: &Json) -> (bool, bool) {
    let mut file = file.clone();
    let pointer = pointer(name);
    let (table, key) = pointer.rsplit_once('/').unwrap();
    file.pointer_mut(table)
        .unwrap()
        .as_object_mut()
        .unwrap()
        .insert(key.to_owned(), value.clone());
    (is_read(&file.to_string()), validator().is_valid(&file))
}

#[test]
fn every_valid_file_fits_the_schema() {
    let validator = validator();
    for file in files("fixtures/config/valid") {
        let json = as_json(&std::fs::read_to_string(&file).unwrap()).unwrap();
        if let Err(error) = validator.validate(&json) {
            panic!("{}: {error} at {}", file.display(), error.instance_path());
        }
    }
    for example in [example(), uncommented(&example())] {
        validator.validate(&as_json(&example).unwrap()).unwrap();
    }
}

#[test]
fn the_schema_refuses_every_invalid_file_but_for_what_it_cannot_say() {
    let validator = validator();
    let (mut accepted, mut no_json) = (Vec::new(), Vec::new());
    for file in files("fixtures/config/invalid") {
        let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
        let bytes = std::fs::read(&file).unwrap();
        match as_json(&String::from_utf8_lossy(&bytes)) {
            None => no_json.push(name),
            Some(json) if validator.is_valid(&json) => accepted.push(name),
            Some(_) => {}
        }
    }
    assert_eq!(no_json, NO_JSON);
    assert_eq!(accepted, NOT_IN_THE_SCHEMA.map(|(name, _)| name));
}

#[test]
fn values_of_another_kind_and_other_words_are_refused_by_both() {
    let file = every_key();
    assert!(is_read(&file.to_string()));
    for (name, key) in declared() {
        for value in [
            json!(null),
            json!(true),
            json!(1.5),
            json!(-1),
            json!([]),
            json!({}),
            json!([[]]),
            json!({ "no_such_key": 1 }),
            json!([null]),
        ] {
            let (read, fits) = with(&file, &name, &value);
            assert_eq!(read, fits, "{name}: {value}");
        }
        let (read, fits) = with(&file, &name, &json!("no such word"));
        let is_enum = matches!(key.form, Form::Value(schema) if schema().get("enum").is_some());
        assert!(fits || !read, "{name}");
        assert!(!fits || !is_enum, "{name}");
    }
}

#[test]
fn what_can_be_no_account_is_refused_by_both_but_for_domains_and_what_shows_nothing() {
    let wrong =
        std::fs::read_to_string(from_root("fixtures/config/invalid/protected_accounts.yaml"))
            .unwrap();
    let wrong = as_json(&wrong).unwrap();
    let mut accepted = Vec::new();
    for entry in wrong["protected"].as_array().unwrap() {
        let (read, fits) = with(&every_key(), "protected", &json!([entry]));
        assert!(!read, "{entry}");
        if fits {
            accepted.push(entry.as_str().unwrap());
        }
    }
    let not_in_the_schema = [
        "'break-glass@acme.onmicrosoft.com'",
        "one@acme..example",
        "one@-",
        "one\u{200b}@acme.example",
        "one\u{202e}@acme.example",
    ];
    assert_eq!(accepted, not_in_the_schema);
}

#[test]
fn unknown_and_missing_keys_are_refused_by_both() {
    let file = every_key();
    for (name, key) in declared() {
        let beside = match name.rsplit_once('.') {
            Some((table, _)) => format!("{table}.no_such_key"),
            None => "no_such_key".to_owned(),
        };
        assert_eq!(with(&file, &beside, &json!(1)), (false, false), "{beside}");

        let mut without = file.clone();
        let pointer = pointer(&name);
        let (table, last) = pointer.rsplit_once('/').unwrap();
        let table = without.pointer_mut(table).unwrap();
        table.as_object_mut().unwrap().remove(last).unwrap();
        if name == "invitations.send_email" {
            // What a mail is like goes with it, which the schema cannot say.
            for about_mail in ["message", "language", "cc"] {
                table.as_object_mut().unwrap().remove(about_mail).unwrap();
            }
        }
        let is_optional = key.about.is_none();
        assert_eq!(is_read(&without.to_string()), is_optional, "{name}");
        assert_eq!(validator().is_valid(&without), is_optional, "{name}");
    }
}

#[test]
fn every_key_is_described() {
    let schema = schema();
    for name in declared().into_keys() {
        let mut place = &schema;
        for step in name.split('.') {
            let table = place.get("items").unwrap_or(place);
            place = &table["properties"][step];
        }
        let description = place["description"].as_str().unwrap_or_default();
        assert!(description.len() > 20, "{name}: {description:?}");
    }
}

#[test]
fn the_schema_as_it_is() {
    insta::assert_snapshot!(format!("{:#}", schema()));
}

proptest::proptest! {
    #[test]
    fn whatever_is_read_fits(at in 0_usize..2_000, length in 0_usize..12, piece in "[\\-:{}\\[\\]'\"#, \na-c0-9é@./]{0,6}") {
        let mut characters: Vec<char> = uncommented(&example())
            .lines()
            .filter(|line| !line.starts_with('#'))
            .flat_map(|line| line.chars().chain(['\n']))
            .collect();
        let start = at.min(characters.len());
        let end = (start + length).min(characters.len());
        characters.splice(start..end, piece.chars());
        let text: String = characters.into_iter().collect();
        if is_read(&text) {
            let json = as_json(&text).unwrap();
            proptest::prop_assert!(validator().is_valid(&json), "{text}");
        }
    }
}
