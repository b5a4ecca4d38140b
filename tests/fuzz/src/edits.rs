//! Changes that somebody makes to a file: fields replaced, taken out, repeated and exchanged.

use libfuzzer_sys::arbitrary::{Result, Unstructured};
use serde_json::Value;

/// Text that means something somewhere between the file and the eye.
const HOSTILE: &[&str] = &[
    "",
    " ",
    "\n",
    "\u{1b}[2J",
    "\u{202e}",
    "\u{200b}",
    "`",
    "```",
    "|",
    "<b>",
    "@all",
    "\\",
    "a  b",
    "\u{301}",
    "+ forged",
    "# forged",
    "\u{feff}",
    "\r",
    "\t",
    "\u{85}",
    "😀",
    "\u{fe0f}",
    "1.",
    "- ",
    "~~",
    "[a](b)",
    "&lt;",
    "דנה אלון",
    "\u{2069}دانة\u{2068}",
];

/// Choices made by throwing dice: with nothing to begin with, the fuzzer takes long to come to a second edit.
pub fn thrown() -> impl Iterator<Item = Vec<u8>> {
    let mut state: u32 = 1;
    let mut throw = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    (0..40).map(move |_| (0..400).map(|_| throw()).collect())
}

/// Changes something somewhere in the value.
pub fn edit(value: &mut Value, choices: &mut Unstructured<'_>) -> Result<()> {
    let elsewhere = copied(value, choices)?;
    edit_below(value, elsewhere, choices)
}

/// Walks down to some place, and changes what is there.
fn edit_below(place: &mut Value, elsewhere: Value, choices: &mut Unstructured<'_>) -> Result<()> {
    let count = match place {
        Value::Object(fields) => fields.len(),
        Value::Array(entries) => entries.len(),
        _ => 0,
    };
    if count > 0 && !choices.ratio(1, 5)? {
        let at = choices.choose_index(count)?;
        let below = match place {
            Value::Object(fields) => fields.values_mut().nth(at),
            Value::Array(entries) => entries.get_mut(at),
            _ => None,
        };
        return edit_below(below.unwrap(), elsewhere, choices);
    }
    match place {
        Value::Array(entries) => edit_list(entries, elsewhere, choices),
        Value::Object(fields) => {
            let name = fields
                .keys()
                .nth(choices.choose_index(fields.len().max(1))?)
                .cloned();
            if let Some(name) = name {
                fields.remove(&name);
            }
            Ok(())
        }
        Value::String(text) => edit_text(text, elsewhere, choices),
        Value::Number(_) => {
            *place = match choices.int_in_range(0..=2)? {
                0 => choices.int_in_range(0..=9_u64)?.into(),
                1 => choices.arbitrary::<u64>()?.into(),
                _ => elsewhere,
            };
            Ok(())
        }
        _ => {
            *place = elsewhere;
            Ok(())
        }
    }
}

fn edit_list(
    entries: &mut Vec<Value>,
    elsewhere: Value,
    choices: &mut Unstructured<'_>,
) -> Result<()> {
    if entries.is_empty() {
        entries.push(elsewhere);
        return Ok(());
    }
    let (one, other) = (
        choices.choose_index(entries.len())?,
        choices.choose_index(entries.len())?,
    );
    match choices.int_in_range(0..=3)? {
        0 => {
            entries.remove(one);
        }
        1 => entries.swap(one, other),
        2 => entries.insert(other, elsewhere),
        _ => {
            let times = choices.int_in_range(1..=40)?;
            let entry = entries.get(one).cloned().unwrap_or_default();
            entries.extend(std::iter::repeat_n(entry, times));
        }
    }
    Ok(())
}

fn edit_text(text: &mut String, elsewhere: Value, choices: &mut Unstructured<'_>) -> Result<()> {
    match choices.int_in_range(0..=4)? {
        0 => text.push_str(choices.choose(HOSTILE)?),
        1 => choices.arbitrary::<&str>()?.clone_into(text),
        2 => {
            let at = choices.int_in_range(0..=text.len())?;
            if text.is_char_boundary(at) {
                text.insert_str(at, choices.choose(HOSTILE)?);
            }
        }
        3 => {
            *text = choices
                .choose(HOSTILE)?
                .repeat(choices.int_in_range(0..=600)?);
        }
        _ => {
            if let Value::String(other) = elsewhere {
                *text = other;
            }
        }
    }
    Ok(())
}

/// Something that stands somewhere in the value.
fn copied(value: &Value, choices: &mut Unstructured<'_>) -> Result<Value> {
    let mut place = value;
    loop {
        let below: Vec<&Value> = match place {
            Value::Object(fields) => fields.values().collect(),
            Value::Array(entries) => entries.iter().collect(),
            _ => return Ok(place.clone()),
        };
        if below.is_empty() || choices.ratio(1, 6)? {
            return Ok(place.clone());
        }
        place = choices.choose(&below)?;
    }
}
