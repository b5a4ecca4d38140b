//! Refuses characters that make a file say another thing to the parser than to its reviewers.
//!
//! YAML ends a line, and with it a comment, at characters at which neither an editor nor a pull request does. What stands behind one of
//! them looks like a comment and counts as configuration.

use crate::render::escape;

use super::mistake::{ConfigErrors, Mistake};
use super::notes::MOST_SHOWN;
use super::yaml::Position;

/// No-break space, soft hyphen, joiners and marks of direction, and what chooses the picture of an emoji: none of them means
/// anything to YAML, and the text of a mail may need them.
pub(super) const IN_LANGUAGES: [char; 7] = [
    '\u{a0}', '\u{ad}', '\u{200c}', '\u{200d}', '\u{200e}', '\u{200f}', '\u{fe0f}',
];

/// Refuses a file in which something is hidden, with the place of each such character.
pub(super) fn check(text: &str, shown_path: &str) -> Result<(), ConfigErrors> {
    let mut mistakes = Vec::new();
    let mut further = 0;
    let mut position = Position::START;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let message = match character {
            '\n' | '\t' => None,
            '\r' => (characters.peek() != Some(&'\n')).then(lone_carriage_return),
            _ if IN_LANGUAGES.contains(&character) => None,
            _ => escape::is_hidden(character).then(|| hidden(character)),
        };
        match message {
            Some(_) if mistakes.len() == MOST_SHOWN => further += 1,
            Some(message) => mistakes.push(Mistake {
                position: Some(position),
                message,
            }),
            None => {}
        }
        position = position.after(character);
    }
    if mistakes.is_empty() {
        return Ok(());
    }
    Err(ConfigErrors {
        path: shown_path.to_owned(),
        mistakes,
        further,
    })
}

/// Returns how a character is written so that it shows, in double quotes.
pub(super) fn as_escape(character: char) -> String {
    match u32::from(character) {
        code @ ..=0xFFFF => format!("\\u{code:04x}"),
        code => format!("\\U{code:08x}"),
    }
}

fn lone_carriage_return() -> String {
    "a carriage return stands alone here: YAML ends the line at it, and what is read differs from what is shown; save the file with the \
     line ends of Unix or Windows"
        .to_owned()
}

fn hidden(character: char) -> String {
    let code = u32::from(character);
    let does = match character {
        '\u{85}' | '\u{2028}' | '\u{2029}' => {
            "YAML ends the line at it, and what is read differs from what is shown"
        }
        _ => "it shows nothing or changes how others are shown",
    };
    format!(
        "U+{code:04X} stands here: {does}; leave it out, or write it in double quotes as `{}`",
        as_escape(character)
    )
}
