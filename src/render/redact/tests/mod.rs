//! What people are replaced by, and that nothing of them is left.

mod key;
mod plan;
mod report;

use std::collections::BTreeSet;

use proptest::prelude::*;
use secrecy::SecretString;

use super::RedactionKey;
use crate::render::Style;

const WIDE: Style = Style {
    colour: false,
    width: 60_000,
};

fn key(text: &str) -> RedactionKey {
    RedactionKey::new(&SecretString::from(text.to_owned())).unwrap()
}

fn some_key() -> RedactionKey {
    key("0123456789abcdef0123456789abcdef")
}

fn tokens(shown: &str) -> BTreeSet<&str> {
    shown
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))
        .filter(|word| {
            word.strip_prefix("person-")
                .is_some_and(|digits| !digits.is_empty())
        })
        .collect()
}

/// What is shown, line by line, without what differs between people who are nothing but tokens.
fn shape(shown: &str) -> Vec<String> {
    let mut lines: Vec<String> = shown
        .lines()
        .map(|line| {
            let mut line = line.split_whitespace().collect::<Vec<_>>().join(" ");
            for token in tokens(shown).iter().rev() {
                line = line.replace(token, "person");
            }
            line
        })
        .collect();
    lines.sort();
    lines
}

/// Names, addresses and usernames of every kind, and some that look like the words around them.
fn anything() -> impl Strategy<Value = String> {
    prop_oneof![
        "[A-Za-z]{1,12}",
        any::<String>(),
        prop::sample::select(vec![
            "Al",
            "Keycloak",
            "person-000000",
            "acme-platform",
            "in Entra",
            "(redacted)",
            " (a@b",
            "a@b)",
            "\u{202e}",
            "|",
            "`",
            "\n",
            "seems to have to leave acme-platform, but stays: ",
        ])
        .prop_map(str::to_owned),
    ]
}

/// Everything that is said of one person.
#[derive(Debug, Clone)]
struct Somebody {
    name: String,
    username: String,
    email: String,
}

fn eight(text: &str) -> [Somebody; 8] {
    std::array::from_fn(|at| Somebody {
        name: format!("{text} {at} {text}"),
        username: format!("{text}{at}"),
        email: format!("x{text}{at}@of{at}.example"),
    })
}
