//! Who is who: the tokens of everybody in what is redacted, and what stands where there has to be a name, an address or an id.

use std::collections::BTreeMap;

use crate::model::{Address, ObjectId, PersonId, fold};
use crate::plan::{FieldChange, Fields};

use super::RedactionKey;

/// The digits of a token, if nobody else's begins with the same.
pub(super) const DIGITS: usize = 6;

/// Stands where a plan has to have a name.
pub(super) const NAME: &str = "(redacted)";

/// The domain of tokens where a plan has to have an address.
const DOMAIN: &str = "@redacted";

/// Returns the token that stands for an address in a redacted plan.
pub(in crate::render) fn token_of(email: &str) -> &str {
    email.strip_suffix(DOMAIN).unwrap_or(email)
}

/// The tokens of everybody in a plan, in several, or in a report.
pub(super) struct Tokens<'a> {
    pub key: &'a RedactionKey,
    /// By their addresses in lower case, and their ids in Keycloak where they have none.
    pub people: BTreeMap<String, String>,
}

impl<'a> Tokens<'a> {
    /// Makes the tokens of everybody who has one of these addresses, or ids.
    pub fn of<'n>(everybody: impl Iterator<Item = &'n str>, key: &'a RedactionKey) -> Self {
        let digests: BTreeMap<String, String> = everybody
            .map(fold)
            .map(|whom| (key.digest("person", &whom), whom))
            .collect();
        let digits: BTreeMap<&String, usize> = digits_that_tell_apart(digests.keys());
        let people = digests
            .iter()
            .map(|(digest, whom)| {
                let digits = digits.get(digest).copied().unwrap_or(digest.len());
                let shown = digest.get(..digits).unwrap_or(digest);
                (whom.clone(), format!("person-{shown}"))
            })
            .collect();
        Self { key, people }
    }

    /// The token of whoever has this address, or id.
    pub fn person(&self, whom: &str) -> String {
        let whom = fold(whom);
        match self.people.get(&whom) {
            Some(token) => token.clone(),
            // Nobody else has it: it is whole.
            None => format!("person-{}", self.key.digest("person", &whom)),
        }
    }

    /// The token where there has to be an address.
    pub fn email(&self, email: &str) -> String {
        self.person(email) + DOMAIN
    }

    pub fn address(&self, address: &Address) -> Address {
        self.email(address.as_str())
            .parse()
            .expect("a token at a domain is an address")
    }

    pub fn person_id(&self, id: &PersonId) -> PersonId {
        self.key
            .digest("person-id", id.as_str())
            .parse()
            .expect("digits are the id of a person")
    }

    /// An object id says who somebody is to everybody who may read the directory.
    pub fn account_id(&self, id: &ObjectId) -> ObjectId {
        let mut digits = self.key.digest("account", id.as_str());
        digits.truncate(32);
        for place in [20, 16, 12, 8] {
            digits.insert(place, '-');
        }
        digits
            .parse()
            .expect("digits in five parts are an object id")
    }
}

/// The fields that change, without what they are called.
pub(super) fn without_names(fields: &Fields) -> Fields {
    let Fields {
        user_type,
        display_name,
        given_name,
        surname,
    } = fields;
    let change = |change: &Option<FieldChange<String>>| {
        let FieldChange { before, after } = change.as_ref()?;
        let withheld = |value: &Option<String>| value.as_ref().map(|_| NAME.to_owned());
        Some(FieldChange {
            before: withheld(before),
            after: withheld(after),
        })
    };
    Fields {
        user_type: user_type.clone(),
        display_name: change(display_name),
        given_name: change(given_name),
        surname: change(surname),
    }
}

/// Returns for each text how much of its beginning tells it apart from all others, [`DIGITS`] at least. The texts are in order, so the
/// ones most alike stand side by side.
fn digits_that_tell_apart<'t>(
    texts: impl Iterator<Item = &'t String>,
) -> BTreeMap<&'t String, usize> {
    let mut digits: BTreeMap<&String, usize> = BTreeMap::new();
    let mut earlier: Option<&String> = None;
    for text in texts {
        let shared = earlier.map_or(0, |earlier| {
            let pairs = earlier.bytes().zip(text.bytes());
            pairs.take_while(|(one, other)| one == other).count()
        });
        for text in earlier.into_iter().chain([text]) {
            let needed = digits.entry(text).or_insert(DIGITS);
            *needed = (*needed).max(shared + 1);
        }
        earlier = Some(text);
    }
    digits
}
