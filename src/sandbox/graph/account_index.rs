//! Finds the accounts of a large tenant by what names them, so that neither a filter nor an invitation goes through all of them.

use std::collections::{BTreeMap, BTreeSet};

use super::filter::{Condition, Function, Literal, Operator, Path};
use super::world::{EntraWorld, User};

/// The properties that hold one text of the index.
const TEXTS: &[&str] = &["userPrincipalName", "mail"];

/// Those that hold several.
const LISTS: &[&str] = &["otherMails", "proxyAddresses"];

/// Which accounts have which text, in lower case, among their names and addresses.
#[derive(Debug, Clone, Default)]
pub(super) struct AccountIndex {
    ids: BTreeMap<String, BTreeSet<String>>,
}

impl AccountIndex {
    pub(super) fn of(world: &EntraWorld) -> Self {
        let mut index = Self::default();
        for user in world.users.values() {
            index.note(user);
        }
        index
    }

    pub(super) fn note(&mut self, user: &User) {
        for text in texts_of(user) {
            self.ids.entry(text).or_default().insert(user.id.clone());
        }
    }

    pub(super) fn forget(&mut self, user: &User) {
        for text in texts_of(user) {
            if let Some(ids) = self.ids.get_mut(&text) {
                ids.remove(&user.id);
            }
        }
    }

    /// The accounts of which one may have this text in lower case.
    pub(super) fn named<'a>(&'a self, folded: &str) -> impl Iterator<Item = &'a str> + use<'a> {
        self.ids
            .get(folded)
            .into_iter()
            .flatten()
            .map(String::as_str)
    }

    /// The accounts for which a condition may hold, in the order of their ids, if the index can say so: it may hold for no other.
    pub(super) fn candidates(&self, condition: &Condition) -> Option<BTreeSet<&str>> {
        self.candidates_in(condition, false)
    }

    fn candidates_in(&self, condition: &Condition, in_list: bool) -> Option<BTreeSet<&str>> {
        let knows =
            |path: &Path| path.rest.is_none() && (in_list || TEXTS.contains(&path.first.as_str()));
        match condition {
            Condition::Or(parts) => {
                let mut union = BTreeSet::new();
                for part in parts {
                    union.extend(self.candidates_in(part, in_list)?);
                }
                Some(union)
            }
            Condition::And(parts) => parts
                .iter()
                .find_map(|part| self.candidates_in(part, in_list)),
            Condition::Compare {
                path,
                operator: Operator::Equal,
                value,
            } if knows(path) => self.with_any_of(std::slice::from_ref(value)),
            Condition::OneOf { path, values } if knows(path) => self.with_any_of(values),
            Condition::Text {
                path,
                function: Function::StartsWith,
                value,
            } if knows(path) => self.beginning_with(value),
            Condition::Any {
                collection,
                condition,
                ..
            } if LISTS.contains(&collection.as_str()) => self.candidates_in(condition, true),
            Condition::Not(_)
            | Condition::Compare { .. }
            | Condition::OneOf { .. }
            | Condition::Text { .. }
            | Condition::Any { .. } => None,
        }
    }

    fn with_any_of(&self, values: &[Literal]) -> Option<BTreeSet<&str>> {
        let mut union = BTreeSet::new();
        for value in values {
            let Literal::Text(text) = value else {
                return None;
            };
            union.extend(self.named(&text.to_lowercase()));
        }
        Some(union)
    }

    fn beginning_with(&self, beginning: &str) -> Option<BTreeSet<&str>> {
        // Elsewhere the lower case of a beginning need not be the beginning of the lower case.
        if !beginning.is_ascii() {
            return None;
        }
        let folded = beginning.to_lowercase();
        let found = self
            .ids
            .range(folded.clone()..)
            .take_while(|(text, _)| text.starts_with(&folded));
        Some(found.flat_map(|(_, ids)| ids).map(String::as_str).collect())
    }
}

fn texts_of(user: &User) -> BTreeSet<String> {
    let mut texts = addresses_of(user);
    texts.extend(user.proxy_addresses.iter().map(|text| text.to_lowercase()));
    texts
}

/// The addresses of an account in lower case, in whatever attribute: an invitation of one of them finds it.
pub(super) fn addresses_of(user: &User) -> BTreeSet<String> {
    let invited = user
        .user_principal_name
        .split_once("#EXT#")
        .and_then(|(local, _)| local.rsplit_once('_'))
        .map(|(local, domain)| format!("{local}@{domain}"));
    let proxies = user
        .proxy_addresses
        .iter()
        .filter_map(|address| address.split_once(':'))
        .filter(|(kind, _)| kind.eq_ignore_ascii_case("smtp"))
        .map(|(_, address)| address);
    [user.user_principal_name.as_str()]
        .into_iter()
        .chain(invited.as_deref())
        .chain(user.mail.as_deref())
        .chain(user.other_mails.iter().map(String::as_str))
        .chain(proxies)
        .map(str::to_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::filter::{holds, parse};
    use super::super::properties::Object;
    use super::*;

    fn world() -> EntraWorld {
        let mut world = EntraWorld::default();
        for (number, address) in ["Ann@Fabrikam.com", "bob@fabrikam.com", "zoë@x.example"]
            .into_iter()
            .enumerate()
        {
            let id = format!("00000000-0000-4000-8000-00000000000{number}");
            let mut user = User::invited(&id, address, "acme.onmicrosoft.com", "Someone");
            user.other_mails = vec![format!("Second.{address}")];
            world.insert_user(user);
        }
        world
    }

    /// The accounts for which a filter holds, and those that the index finds for it.
    fn both<'a>(
        world: &'a EntraWorld,
        index: &'a AccountIndex,
        filter: &str,
    ) -> (BTreeSet<&'a str>, Option<BTreeSet<&'a str>>) {
        let condition = parse(filter).unwrap();
        let fits =
            |user: &&User| holds(&condition, &|name| Object::User(user).property(name), true);
        let fitting = world.users.values().filter(fits);
        (
            fitting.map(|user| user.id.as_str()).collect(),
            index.candidates(&condition),
        )
    }

    #[test]
    fn what_the_index_finds_is_what_fits() {
        let world = world();
        let index = AccountIndex::of(&world);
        for filter in [
            "mail eq 'ANN@fabrikam.com'",
            "mail eq 'ann'",
            "mail in ('ann@fabrikam.com','BOB@fabrikam.com')",
            "mail eq 'ZOË@x.example' or mail eq 'bob@fabrikam.com'",
            "startsWith(mail,'ANN@')",
            "startsWith(userPrincipalName,'bob_fabrikam.com#EXT#')",
            "otherMails/any(x:x eq 'second.ann@FABRIKAM.com')",
            "otherMails/any(x:x in ('second.ann@fabrikam.com','second.bob@fabrikam.com'))",
            "otherMails/any(x:startsWith(x,'second.'))",
            "proxyAddresses/any(x:x eq 'smtp:bob@fabrikam.com' or x eq 'smtp:nobody@fabrikam.com')",
        ] {
            let (fitting, found) = both(&world, &index, filter);
            assert_eq!(found, Some(fitting), "{filter}");
        }
    }

    #[test]
    fn where_the_index_cannot_tell_it_says_nothing() {
        let world = world();
        let index = AccountIndex::of(&world);
        for filter in [
            "mail ne 'ann@fabrikam.com'",
            "mail eq null",
            "not(mail eq 'ann@fabrikam.com')",
            "displayName eq 'Someone'",
            "mail eq 'ann@fabrikam.com' or displayName eq 'Someone'",
            "identities/any(x:x/issuer eq 'acme.onmicrosoft.com')",
            "startsWith(mail,'zoë')",
            "endsWith(mail,'.com')",
        ] {
            assert_eq!(both(&world, &index, filter).1, None, "{filter}");
        }
        let (fitting, found) = both(
            &world,
            &index,
            "displayName eq 'Someone' and mail eq 'ann@fabrikam.com'",
        );
        assert_eq!(found, Some(fitting));
    }

    #[test]
    fn an_account_is_found_by_what_it_is_called_now() {
        let mut world = world();
        let mut index = AccountIndex::of(&world);
        let id = world.users.keys().next().unwrap().clone();
        let user = world.users.get_mut(&id).unwrap();
        index.forget(user);
        user.mail = Some("ann@new.example".to_owned());
        index.note(user);
        for filter in ["mail eq 'ann@new.example'", "mail eq 'bob@fabrikam.com'"] {
            let (fitting, found) = both(&world, &index, filter);
            assert_eq!(fitting.len(), 1);
            assert_eq!(found, Some(fitting), "{filter}");
        }
        index.forget(&world.users[&id]);
        assert!(
            both(&world, &index, "mail eq 'ann@new.example'")
                .1
                .unwrap()
                .is_empty()
        );
    }
}
