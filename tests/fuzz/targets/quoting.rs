//! Texts in `OData` filters and in request paths: read back by the rules of the other side they are the same texts, and nothing of them
//! stands outside of its place.

#![no_main]

use keycloak_to_azure::entra::odata::{Property, encoded, filters_for, filters_for_beginnings};
use keycloak_to_azure::keycloak::path;
use keycloak_to_azure::model::GroupPath;
use keycloak_to_azure_fuzz::seeds;
use libfuzzer_sys::fuzz_target;

/// What Graph takes, in its own words: values of a list or clauses of an `or`, and UTF-16 units of a value.
const MOST_VALUES: usize = 15;
const LONGEST_VALUE: usize = 120;

fuzz_target!(init: plant(), |bytes: &[u8]| {
    // A byte that UTF-8 never has sets the texts apart.
    let texts: Vec<String> = bytes
        .split(|byte| *byte == 0xff)
        .take(40)
        .map(|text| String::from_utf8_lossy(text).into_owned())
        .collect();
    for property in [
        Property::Text("displayName"),
        Property::List("otherMails"),
        Property::ListByEquality("proxyAddresses"),
    ] {
        check_filters(property, &texts);
    }
    for text in &texts {
        check_encoding(text);
    }
});

fn plant() {
    let texts = [
        "O'Brien') or (1 eq 1",
        "''",
        "50% off;a/b",
        "..",
        "/teams/a b",
        "é😀",
        "a+b@c.example",
    ];
    let long = "x'".repeat(90);
    let many = vec!["v'"; 40].join("|");
    let seeds = texts
        .into_iter()
        .map(str::to_owned)
        .chain([texts.join("|"), long, many]);
    let in_bytes = |text: String| {
        text.bytes()
            .map(|byte| if byte == b'|' { 0xff } else { byte })
            .collect()
    };
    seeds::plant("quoting", seeds.map(in_bytes));
}

fn check_filters(property: Property, texts: &[String]) {
    let (short, long): (Vec<&str>, Vec<&str>) = texts
        .iter()
        .map(String::as_str)
        .partition(|text| text.encode_utf16().count() <= LONGEST_VALUE);
    let (mut whole, mut beginnings) = (Vec::new(), Vec::new());
    for filter in filters_for(property, texts.iter().map(String::as_str)) {
        assert_eq!(decoded(&encoded(&filter)), filter);
        let (form, literals) = read_filter(&filter);
        assert!((1..=MOST_VALUES).contains(&literals.len()), "{filter}");
        let (compares, begins) = forms(property, literals.len());
        if form == compares {
            whole.extend(literals);
        } else {
            assert_eq!(form, begins, "{filter}");
            beginnings.extend(literals);
        }
    }
    assert_eq!(whole, short);
    check_beginnings(&beginnings, &long);

    let mut beginnings = Vec::new();
    for filter in filters_for_beginnings(property, texts.iter().map(String::as_str)) {
        let (form, literals) = read_filter(&filter);
        assert!((1..=MOST_VALUES).contains(&literals.len()), "{filter}");
        assert_eq!(form, forms(property, literals.len()).1, "{filter}");
        beginnings.extend(literals);
    }
    check_beginnings(
        &beginnings,
        &texts.iter().map(String::as_str).collect::<Vec<_>>(),
    );
}

/// Each text is looked for by as much of it as fits.
fn check_beginnings(beginnings: &[String], texts: &[&str]) {
    assert_eq!(beginnings.len(), texts.len());
    for (beginning, text) in beginnings.iter().zip(texts) {
        let rest = text.strip_prefix(beginning.as_str());
        let Some(rest) = rest else {
            panic!("{beginning:?} is no beginning of {text:?}");
        };
        let units = beginning.encode_utf16().count();
        assert!(units <= LONGEST_VALUE, "{beginning:?}");
        let next = rest.chars().next().map_or(LONGEST_VALUE, char::len_utf16);
        assert!(
            units + next > LONGEST_VALUE || rest.is_empty(),
            "{beginning:?}"
        );
    }
}

/// What a filter of so many literals looks like with `?` for each of them: one that compares, one that looks for beginnings.
fn forms(property: Property, literals: usize) -> (String, String) {
    let list = vec!["?"; literals].join(",");
    let chain = |clause: String| vec![clause; literals].join(" or ");
    match property {
        Property::Text(name) => (
            format!("{name} in ({list})"),
            chain(format!("startsWith({name},?)")),
        ),
        Property::List(name) => (
            format!("{name}/any(x:x in ({list}))"),
            chain(format!("{name}/any(x:startsWith(x,?))")),
        ),
        Property::ListByEquality(name) => (
            chain(format!("{name}/any(x:x eq ?)")),
            chain(format!("{name}/any(x:startsWith(x,?))")),
        ),
    }
}

/// Reads string literals as `OData` defines them (`SQUOTE *( SQUOTE-in-string / … ) SQUOTE`): returns the filter with `?` for each,
/// and what they say.
fn read_filter(filter: &str) -> (String, Vec<String>) {
    let (mut form, mut literals) = (String::new(), Vec::new());
    let mut rest = filter.chars().peekable();
    while let Some(c) = rest.next() {
        if c != '\'' {
            form.push(c);
            continue;
        }
        let mut literal = String::new();
        loop {
            match rest.next() {
                Some('\'') if rest.next_if_eq(&'\'').is_some() => literal.push('\''),
                Some('\'') => break,
                Some(c) => literal.push(c),
                None => panic!("the literal does not end: {filter}"),
            }
        }
        form.push('?');
        literals.push(literal);
    }
    (form, literals)
}

fn check_encoding(text: &str) {
    for encoded in [encoded(text), path::value(text)] {
        assert_eq!(decoded(&encoded), text);
    }
    match path::segment(text) {
        Ok(segment) => assert_eq!(decoded(&segment), text),
        Err(_) => assert!(matches!(text, "" | "." | "..")),
    }
    let Ok(group) = text.parse::<GroupPath>() else {
        return;
    };
    let Ok(encoded) = path::group_path(&group) else {
        panic!("a group that no path leads to: {group}");
    };
    let segments: Vec<String> = encoded.split('/').map(decoded).collect();
    assert_eq!(segments, group.segments().collect::<Vec<_>>());
}

/// Reads percent-encoding, in which nothing may stand but unreserved characters.
fn decoded(encoded: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = encoded.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next(), rest.next()].map(Option::unwrap_or_default);
            let digits = String::from_utf8_lossy(&digits).into_owned();
            let Ok(byte) = u8::from_str_radix(&digits, 16) else {
                panic!("no encoding: {encoded}");
            };
            bytes.push(byte);
        } else {
            assert!(
                byte.is_ascii_alphanumeric() || b"-._~".contains(&byte),
                "not encoded: {encoded}"
            );
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| panic!("no text: {encoded}"))
}
