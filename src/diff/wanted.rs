//! What a person's account is to be like, and in what it is not so yet.

use crate::matching::comparable;
use crate::model::{Address, UserType};
use crate::plan::{FieldChange, Fields, NewAccount};
use crate::settings::{TemplatePart, UserRules};
use crate::snapshot::{Account, Person};

/// The longest display name that Entra takes, in characters
/// (<https://learn.microsoft.com/en-us/graph/api/resources/user>).
const LONGEST_DISPLAY_NAME: usize = 256;
/// The longest given name or surname.
const LONGEST_NAME: usize = 64;

/// A name that Entra does not take.
pub struct TooLong {
    /// What it is called.
    pub what: &'static str,
    /// How many characters it has.
    pub length: usize,
    /// How many it may have.
    pub longest: usize,
}

/// Returns what a person's account is to be like, without the names that are too long, and these.
pub fn wanted_account(
    rules: &UserRules,
    person: &Person,
    address: &Address,
) -> (NewAccount, Vec<TooLong>) {
    let mut too_long = Vec::new();
    let mut short_enough = |name: Option<String>, what, longest| {
        let length = name.as_ref()?.chars().count();
        if length <= longest {
            return name;
        }
        too_long.push(TooLong {
            what,
            length,
            longest,
        });
        None
    };
    let wanted = NewAccount {
        user_type: rules.user_type,
        display_name: short_enough(
            display_name(rules, person, address),
            "display name",
            LONGEST_DISPLAY_NAME,
        ),
        given_name: short_enough(
            tidy(person.first_name.as_deref()),
            "first name",
            LONGEST_NAME,
        ),
        surname: short_enough(tidy(person.last_name.as_deref()), "last name", LONGEST_NAME),
    };
    (wanted, too_long)
}

/// Returns the name with single spaces and none around it, if anything is left.
fn tidy(name: Option<&str>) -> Option<String> {
    let name = name?.split_whitespace().collect::<Vec<_>>().join(" ");
    (!name.is_empty()).then_some(name)
}

/// Returns the display name that the template makes of the parts there are; `None` if there are none, which leaves it to Entra.
fn display_name(rules: &UserRules, person: &Person, address: &Address) -> Option<String> {
    let mut name = String::new();
    let mut has_part = false;
    let mut separator = None;
    for part in rules.display_name.parts() {
        let value = match part {
            TemplatePart::Text(text)
                if text
                    .chars()
                    .all(|c| c.is_whitespace() || ",;-/|".contains(c)) =>
            {
                separator = Some(text);
                continue;
            }
            TemplatePart::Text(text) => Some(text.clone()),
            TemplatePart::FirstName => tidy(person.first_name.as_deref()),
            TemplatePart::LastName => tidy(person.last_name.as_deref()),
            TemplatePart::Username => tidy(Some(&person.username)),
            TemplatePart::Email => Some(address.to_string()),
        };
        let Some(value) = value else { continue };
        has_part |= !matches!(part, TemplatePart::Text(_));
        if let Some(separator) = separator.take()
            && !name.is_empty()
        {
            name.push_str(separator);
        }
        name.push_str(&value);
    }
    if has_part { tidy(Some(&name)) } else { None }
}

/// Returns the fields in which an account is not yet as wanted.
pub fn differing(wanted: &NewAccount, account: &Account) -> Fields {
    let name = |wanted: &Option<String>, has: &Option<String>| {
        let after = wanted.clone()?;
        let is_same = has
            .as_deref()
            .is_some_and(|has| has == after || comparable(has) == comparable(&after));
        (!is_same).then(|| FieldChange {
            before: has.clone(),
            after: Some(after),
        })
    };
    let user_type = |wanted: Option<UserType>| {
        let after = wanted?;
        (account.user_type != Some(after)).then_some(FieldChange {
            before: account.user_type,
            after: Some(after),
        })
    };
    Fields {
        user_type: user_type(wanted.user_type),
        display_name: name(&wanted.display_name, &account.display_name),
        given_name: name(&wanted.given_name, &account.given_name),
        surname: name(&wanted.surname, &account.surname),
    }
}
