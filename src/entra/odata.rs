//! Values in `OData` filters and paths: quoted so that none can leave its filter, and cut into filters that Graph accepts.

pub use crate::encoding::encoded;

/// How many values one `in` list or chain of `or` may hold: Graph answers 400 above it (known issue of query parameters).
pub(super) const MOST_VALUES: usize = 15;

/// How long a value may be that a directory object is compared with, in UTF-16 units: `eq` and `in` take no longer ones,
/// although display names have up to 256 (known issue of query parameters).
const LONGEST_VALUE: usize = 120;

/// Returns the text as an `OData` string literal. An apostrophe inside is doubled, so no text can end its literal.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A property that a filter compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Property {
    /// One text, which takes `in`: `displayName`, `mail`.
    Text(&'static str),
    /// A list of texts that takes `in` inside `any`: `otherMails`.
    List(&'static str),
    /// A list of texts that takes only `eq` inside `any`: `proxyAddresses`.
    ListByEquality(&'static str),
}

/// Returns the filters that together find every object whose property is one of the values. They may find more: values that
/// are too long for a comparison are looked for by their beginning, and Graph ignores case.
pub fn filters_for<'a>(
    property: Property,
    values: impl IntoIterator<Item = &'a str>,
) -> Vec<String> {
    let (short, long): (Vec<&str>, Vec<&str>) = values
        .into_iter()
        .partition(|value| value.encode_utf16().count() <= LONGEST_VALUE);
    let mut filters: Vec<String> = match property {
        Property::Text(name) => lists(&short)
            .map(|list| format!("{name} in ({list})"))
            .collect(),
        Property::List(name) => lists(&short)
            .map(|list| format!("{name}/any(x:x in ({list}))"))
            .collect(),
        Property::ListByEquality(name) => chains(
            short
                .iter()
                .map(|value| format!("{name}/any(x:x eq {})", quoted(value))),
        ),
    };
    filters.extend(filters_for_beginnings(property, long));
    filters
}

/// Returns the filters that together find every object whose property begins with one of the texts.
pub fn filters_for_beginnings<'a>(
    property: Property,
    beginnings: impl IntoIterator<Item = &'a str>,
) -> Vec<String> {
    chains(beginnings.into_iter().map(|text| {
        let beginning = quoted(comparable_beginning(text));
        match property {
            Property::Text(name) => format!("startsWith({name},{beginning})"),
            Property::List(name) | Property::ListByEquality(name) => {
                format!("{name}/any(x:startsWith(x,{beginning}))")
            }
        }
    }))
}

fn lists<'a>(values: &'a [&str]) -> impl Iterator<Item = String> + 'a {
    values.chunks(MOST_VALUES).map(|chunk| {
        let literals: Vec<String> = chunk.iter().map(|value| quoted(value)).collect();
        literals.join(",")
    })
}

fn chains(clauses: impl Iterator<Item = String>) -> Vec<String> {
    let clauses: Vec<String> = clauses.collect();
    clauses
        .chunks(MOST_VALUES)
        .map(|chunk| chunk.join(" or "))
        .collect()
}

/// The longest beginning of a text that Graph compares with.
fn comparable_beginning(text: &str) -> &str {
    let mut units = 0;
    for (at, character) in text.char_indices() {
        units += character.len_utf16();
        if units > LONGEST_VALUE {
            return text.get(..at).unwrap_or_default();
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_can_leave_its_literal() {
        assert_eq!(
            filters_for(Property::Text("displayName"), ["O'Brien') or (1 eq 1"]),
            ["displayName in ('O''Brien'') or (1 eq 1')"]
        );
        assert_eq!(
            encoded("a'b&c#d+e%f/g ö"),
            "a%27b%26c%23d%2Be%25f%2Fg%20%C3%B6"
        );
    }

    #[test]
    fn no_filter_compares_more_than_fifteen_values() {
        let values: Vec<String> = (0..31).map(|number| format!("v{number}")).collect();
        let values = || values.iter().map(String::as_str);
        for (property, word) in [
            (Property::Text("mail"), ","),
            (Property::List("otherMails"), ","),
            (Property::ListByEquality("proxyAddresses"), " or "),
        ] {
            let sizes: Vec<usize> = filters_for(property, values())
                .iter()
                .map(|filter| filter.split(word).count())
                .collect();
            assert_eq!(sizes, [15, 15, 1], "{property:?}");
        }
        let beginnings = filters_for_beginnings(Property::Text("userPrincipalName"), values());
        assert_eq!(beginnings.len(), 3);
    }

    #[test]
    fn a_value_of_120_units_is_compared_whole_and_a_longer_one_by_its_beginning() {
        let fits = "x".repeat(120);
        let too_long = format!("{}😀tail", "x".repeat(119));
        assert_eq!(
            filters_for(Property::Text("displayName"), [fits.as_str(), &too_long]),
            [
                format!("displayName in ('{fits}')"),
                format!("startsWith(displayName,'{}')", "x".repeat(119)),
            ]
        );
        assert_eq!(
            filters_for(Property::List("otherMails"), [too_long.as_str()]),
            [format!(
                "otherMails/any(x:startsWith(x,'{}'))",
                "x".repeat(119)
            )]
        );
    }

    #[test]
    fn nothing_wanted_is_no_filter() {
        assert!(filters_for(Property::Text("mail"), []).is_empty());
    }
}
