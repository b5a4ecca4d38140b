//! The mistakes of a configuration file, all at once, each with its place and what is allowed there.

use std::fmt;

use super::yaml::Position;

/// Everything that is wrong with a configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors {
    /// The file as the operator named it.
    pub(super) path: String,
    /// In the order of the file.
    pub(super) mistakes: Vec<Mistake>,
    /// How many more there are than are shown.
    pub(super) further: usize,
}

/// One mistake of a configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mistake {
    /// `None` for one that does not stand in the file but in the environment.
    pub position: Option<Position>,
    pub message: String,
}

impl ConfigErrors {
    /// A file with one mistake.
    pub(super) fn one(path: &str, position: Position, message: String) -> Self {
        Self {
            path: path.to_owned(),
            mistakes: vec![Mistake {
                position: Some(position),
                message,
            }],
            further: 0,
        }
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.mistakes.len() + self.further;
        let mistakes = if count == 1 { "mistake" } else { "mistakes" };
        write!(f, "{} has {count} {mistakes}", self.path)?;
        for mistake in &self.mistakes {
            match mistake.position {
                Some(Position { line, column }) => {
                    write!(f, "\n  line {line}, column {column}: {}", mistake.message)?;
                }
                None => write!(f, "\n  environment: {}", mistake.message)?,
            }
        }
        if self.further > 0 {
            write!(f, "\n  and {} more", self.further)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

/// What is wrong with a value, to be said after its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wrong {
    /// Whether the value is shown; one that may hold a secret is not.
    pub shown: bool,
    /// `is not one of all, known, none`.
    pub predicate: String,
}

impl Wrong {
    /// A value that is shown.
    pub fn value(predicate: impl Into<String>) -> Self {
        Self {
            shown: true,
            predicate: predicate.into(),
        }
    }

    /// A value that is not shown.
    pub fn hidden(predicate: impl Into<String>) -> Self {
        Self {
            shown: false,
            predicate: predicate.into(),
        }
    }
}

/// Returns text of the file as a message shows it: on one line, without control characters, and not longer than a line.
pub(super) fn show(text: &str) -> String {
    const MOST_CHARACTERS: usize = 60;
    let mut shown = String::new();
    for character in text.chars().take(MOST_CHARACTERS) {
        match character {
            '\'' | '"' => shown.push(character),
            _ => shown.extend(character.escape_debug()),
        }
    }
    if text.chars().count() > MOST_CHARACTERS {
        shown.push('…');
    }
    shown
}

/// Returns ` (did you mean `…`?)` if one of the words is close to what was written.
pub(super) fn suggest<'w>(
    written: &str,
    words: impl IntoIterator<Item = &'w str>,
) -> Option<&'w str> {
    let written = written.trim().to_lowercase().replace('-', "_");
    words
        .into_iter()
        .map(|word| {
            let distance = strsim::damerau_levenshtein(&written, &word.to_lowercase());
            (distance, word)
        })
        .filter(|(distance, word)| *distance <= word.chars().count() / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_stays_on_its_line() {
        assert_eq!(
            show("a\n\u{1b}[31m\u{202e}'ö'"),
            "a\\n\\u{1b}[31m\\u{202e}'ö'"
        );
        assert_eq!(show(&"x".repeat(61)), format!("{}…", "x".repeat(60)));
    }

    #[test]
    fn a_word_is_suggested_only_if_it_is_close() {
        let words = ["groups", "logfile", "keycloak_url"];
        assert_eq!(suggest("gruops", words), Some("groups"));
        assert_eq!(suggest("Keycloak-URL", words), Some("keycloak_url"));
        assert_eq!(suggest("colour", words), None);
    }
}
