//! Values that are valid by construction: the ids, addresses and paths that the rest of the program passes around.
//!
//! Everything here is parsed once, at the edge. Inside, a plain `String` is only ever text for a person to read.

use std::borrow::Borrow;
use std::collections::BTreeSet;
use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use unicode_normalization::UnicodeNormalization;

/// What was wrong with a text that should have been one of this module's values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid(String);

impl Invalid {
    fn new(what: &str, text: &str) -> Self {
        let shown: String = text.chars().take(80).collect();
        Self(format!("{shown:?} is not {what}"))
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Invalid {}

/// Reads a value from text.
struct Parsed<T>(PhantomData<T>);

impl<T: FromStr<Err = Invalid>> Visitor<'_> for Parsed<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }
}

/// What all values have that are read from text and written as it.
macro_rules! text_value {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(Parsed(PhantomData))
            }
        }
    };
}

/// The same for values that are a text inside.
macro_rules! text {
    ($name:ident) => {
        impl $name {
            /// The value as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        text_value!($name);
    };
}

/// The object id of an account or group in Entra: a GUID, lower case.
///
/// Nothing else is accepted, so an id can stand in a request path without being able to leave it. Directories have hundreds of thousands of
/// them, which is why they own no memory elsewhere.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId([u8; ObjectId::LENGTH]);
text_value!(ObjectId);

impl ObjectId {
    const LENGTH: usize = 36;

    /// The value as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ObjectId").field(&self.as_str()).finish()
    }
}

impl Serialize for ObjectId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl FromStr for ObjectId {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let invalid = || Invalid::new("an object id", text);
        let mut id: [u8; Self::LENGTH] = text.as_bytes().try_into().map_err(|_| invalid())?;
        let is_guid = id.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        });
        if !is_guid {
            return Err(invalid());
        }
        id.make_ascii_lowercase();
        Ok(Self(id))
    }
}

/// The id of a person in Keycloak: a UUID for people of the realm, `f:PROVIDER:EXTERNAL-ID` for people who live in a
/// user federation only. It may contain anything, so it is percent-encoded wherever it goes into a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct PersonId(String);
text!(PersonId);

impl FromStr for PersonId {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text.is_empty() {
            Err(Invalid::new("the id of a person", text))
        } else {
            Ok(Self(text.to_owned()))
        }
    }
}

/// The id of a group in Keycloak.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct KeycloakGroupId(String);
text!(KeycloakGroupId);

impl FromStr for KeycloakGroupId {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text.is_empty() {
            Err(Invalid::new("the id of a Keycloak group", text))
        } else {
            Ok(Self(text.to_owned()))
        }
    }
}

/// The id of a user federation provider of the realm (the id of its component).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct ProviderId(String);
text!(ProviderId);

impl FromStr for ProviderId {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text.is_empty() {
            Err(Invalid::new("the id of a user federation provider", text))
        } else {
            Ok(Self(text.to_owned()))
        }
    }
}

/// The path of a group in Keycloak, with its leading slash: `/teams/platform`.
///
/// A name without a slash is a group at the top level, as in the configuration files of the original script. Segments that
/// are empty, `.` or `..` are refused: no such group can be addressed by path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct GroupPath(String);
text!(GroupPath);

impl GroupPath {
    /// The names from the top level down.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.0[1..].split('/')
    }
}

impl FromStr for GroupPath {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let path = text.strip_prefix('/').unwrap_or(text);
        if path.split('/').any(|name| matches!(name, "" | "." | "..")) {
            return Err(Invalid::new(
                "a group name or path (names separated by single slashes, none of them `.` or `..`)",
                text,
            ));
        }
        Ok(Self(format!("/{path}")))
    }
}

/// A person's e-mail address as Entra should know it: trimmed, case folded, its domain rewritten.
///
/// It has exactly one part before and one after its last `@`, neither of them empty; whether Entra would accept it for an
/// invitation is another question ([`crate::matching::invitation_obstacle`]).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Address(String);
text!(Address);

/// Addresses are looked up by what accounts have, which is text.
impl Borrow<str> for Address {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl Address {
    /// The part after the `@`.
    pub fn domain(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(_, domain)| domain)
    }

    /// The part before the `@`.
    pub fn local_part(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(local, _)| local)
    }

    /// The same mailbox name at another domain.
    #[must_use]
    pub fn at_domain(&self, domain: &str) -> Self {
        Self(format!("{}@{}", self.local_part(), fold(domain)))
    }

    /// Every way in which the same address may be written down elsewhere: its domain as DNS has it or in its own letters (RFC 5890), and
    /// letters with accents as one character or as two (UAX #15).
    pub fn spellings(&self) -> BTreeSet<Self> {
        let Some((local, [in_dns, in_letters])) = self.composed() else {
            return BTreeSet::from([self.clone()]);
        };
        let decomposed = |text: &str| text.nfd().collect::<String>();
        let domains = [&in_dns, &in_letters, &decomposed(&in_letters)];
        let locals = [&local, &decomposed(&local)];
        let spellings = locals
            .into_iter()
            .flat_map(|local| domains.map(|domain| format!("{local}@{domain}")))
            .filter_map(|address| address.parse().ok());
        spellings.chain([self.clone()]).collect()
    }

    /// The local part and the domain with accents as one character with their letter, the domain as DNS has it and in its letters. `None` if
    /// there is but one way to write the address. What normalisation makes another letter of, like the Kelvin sign or letters of full
    /// width, stays what it is: it may be somebody else's.
    fn composed(&self) -> Option<(String, [String; 2])> {
        if self.0.is_ascii() && !self.domain().contains("xn--") || self.0.contains(KELVIN_SIGN) {
            return None;
        }
        let composed = |text: &str| text.nfc().collect::<String>();
        let domain = composed(self.domain());
        let domains = idna::domain_to_ascii(&domain).ok().and_then(|in_dns| {
            let (in_letters, is_valid) = idna::domain_to_unicode(&in_dns);
            let is_same = [&in_dns, &in_letters].contains(&&domain);
            (is_valid.is_ok() && is_same).then_some([in_dns, in_letters])
        });
        let domains = domains.unwrap_or_else(|| [domain.clone(), domain]);
        Some((composed(self.local_part()), domains))
    }
}

impl FromStr for Address {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let folded = fold(text);
        match folded.rsplit_once('@') {
            Some((local, domain)) if !local.is_empty() && !domain.is_empty() => Ok(Self(folded)),
            _ => Err(Invalid::new("an e-mail address", text)),
        }
    }
}

/// A language that mails are written in, as its tag: `en`, `en-US`, `zh-Hans-CN`.
///
/// It is a language of ISO 639, and perhaps a script and a region, which is as much of a tag (RFC 5646) as Graph's examples show.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Language(String);
text!(Language);

impl FromStr for Language {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let invalid = || Invalid::new("a language as in `en-US`", text);
        let is_of_letters = |part: &str| part.bytes().all(|byte| byte.is_ascii_alphabetic());
        let mut parts = text.split('-').peekable();
        let language = parts
            .next()
            .filter(|part| matches!(part.len(), 2 | 3) && is_of_letters(part));
        let mut tag = language.ok_or_else(invalid)?.to_ascii_lowercase();
        if let Some(script) = parts.next_if(|part| part.len() == 4 && is_of_letters(part)) {
            let (first, rest) = script.split_at(1);
            tag = format!(
                "{tag}-{}{}",
                first.to_ascii_uppercase(),
                rest.to_ascii_lowercase()
            );
        }
        let is_region = |part: &&str| match part.len() {
            2 => is_of_letters(part),
            3 => part.bytes().all(|byte| byte.is_ascii_digit()),
            _ => false,
        };
        if let Some(region) = parts.next_if(is_region) {
            tag = format!("{tag}-{}", region.to_ascii_uppercase());
        }
        match parts.next() {
            None => Ok(Self(tag)),
            Some(_) => Err(invalid()),
        }
    }
}

/// The one character beyond ASCII whose lower case is within it: `k`.
const KELVIN_SIGN: char = '\u{212a}';

/// Returns the text as it is compared: trimmed and case folded.
///
/// A sigma is one letter wherever it stands. As lower case alone it would depend on what stands around it, so that an address would be
/// another one behind its `SMTP:`. The Kelvin sign stays what it is: whoever may choose their address could take that of somebody else
/// with it, which no service takes for the same.
pub fn fold(text: &str) -> String {
    let text = text.trim();
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let mut folded = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            'ς' => folded.push('σ'),
            KELVIN_SIGN => folded.push(character),
            _ => folded.extend(character.to_lowercase()),
        }
    }
    folded
}

/// The user type of an account, which decides what its owner sees of the directory by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum UserType {
    /// As a colleague.
    Member,
    /// As a guest.
    Guest,
}

impl UserType {
    /// The word Graph uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Member => "Member",
            Self::Guest => "Guest",
        }
    }
}

impl fmt::Display for UserType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_name_is_a_path_at_the_top_level() {
        assert_eq!("group1".parse::<GroupPath>().unwrap().as_str(), "/group1");
        assert_eq!(
            "/teams/platform".parse::<GroupPath>().unwrap().as_str(),
            "/teams/platform"
        );
    }

    #[test]
    fn paths_that_cannot_be_addressed_are_refused() {
        for text in ["", "/", "//a", "a//b", "a/", "a/../b", ".", "a/."] {
            assert!(text.parse::<GroupPath>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn an_object_id_is_a_guid_and_nothing_else() {
        assert_eq!(
            "CBB896F9-0000-4000-8000-00000000ABCD"
                .parse::<ObjectId>()
                .unwrap()
                .as_str(),
            "cbb896f9-0000-4000-8000-00000000abcd"
        );
        for text in [
            "",
            "x",
            "../users",
            "cbb896f9-0000-4000-8000-00000000abc/",
            "cbb896f9-0000-4000-8000-00000000abcdd",
        ] {
            assert!(text.parse::<ObjectId>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_language_has_one_spelling() {
        for (text, tag) in [
            ("de", "de"),
            ("EN-us", "en-US"),
            ("fil-PH", "fil-PH"),
            ("zh-hans-cn", "zh-Hans-CN"),
            ("sr-LATN", "sr-Latn"),
            ("es-419", "es-419"),
        ] {
            assert_eq!(text.parse::<Language>().unwrap().as_str(), tag);
        }
        for text in [
            "",
            "e",
            "english",
            "en_US",
            "en-",
            "-US",
            "en-U",
            "en-USA",
            "en-US-x",
            "en US",
            "én",
            "en-1234",
            "e\u{301}n",
        ] {
            assert!(text.parse::<Language>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn no_other_letter_is_folded_to_one_of_ascii() {
        for character in ('\u{80}'..=char::MAX).filter(|character| !character.is_whitespace()) {
            let folded = fold(&character.to_string());
            assert!(!folded.is_ascii(), "{character:?} is folded to {folded:?}");
        }
        assert_eq!(fold(" ΝΙΚΟΣ@X.example "), "νικοσ@x.example");
    }

    #[test]
    fn an_address_is_trimmed_and_folded() {
        let address: Address = "  Ann.Ö@Corp.Example ".parse().unwrap();
        assert_eq!(address.as_str(), "ann.ö@corp.example");
        assert_eq!(address.domain(), "corp.example");
        for text in ["", "   ", "ann", "@corp.example", "ann@"] {
            assert!(text.parse::<Address>().is_err(), "{text:?}");
        }
    }
}
