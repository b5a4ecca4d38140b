//! A plan without the people in it, for a pull request that everybody can read: who they are is replaced by tokens, what happens
//! to them stays.
//!
//! Redaction makes a plan of a plan, before anything is rendered, and takes every value apart field by field: a rendering has
//! nothing to give away, and a field that is added to the plan does not compile until somebody has decided about it here. Problems are
//! sentences with people in them, and looking for names in a sentence is guesswork (somebody may be called "Al", or "Keycloak"), so
//! nothing of these sentences is kept: each becomes the general one of its code.
//!
//! **Who somebody is** is their address: `person-` and the beginning of an HMAC-SHA-256 of it. One person has one token in every place of
//! a rendering and in all renderings with one key. With the key, anybody can find out whether a token is somebody's; without it, not even
//! by trying out all addresses there are. Names have no tokens of their own. They would say nothing more about who it is, and could
//! be counted: the most frequent given name gives itself away.
//!
//! **A token is as long as it has to be.** Six digits tell a few hundred people apart; where two people of one plan share their
//! beginning, these two get more digits, and nobody else does. So a token can be longer in one plan than in another,
//! and of two tokens of one person one is always the beginning of the other.
//!
//! **The order of a plan is by address**, which tells much about an address in a long list. So people stand in the order of their tokens
//! here, within what happens to them and the group that it happens in.
//!
//! **What stays**: groups, numbers, reasons, user types, the two directories, and the plan's id, by which it is approved and
//! applied. The id is a digest of the complete plan. Whoever guesses *all* of a plan, to the last object id, can see in it that the
//! guess is right.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

use crate::compare::{Comparison, Differing};
use crate::diff::new_address_of;
use crate::model::{Address, ObjectId, PersonId, fold};
use crate::plan::{
    AccountName, Action, Add, Change, FieldChange, Fields, GroupName, Invite, NewAccount,
    NewMember, PersonName, Plan, Problem, ProblemCode, RemovalReason, Remove, Update,
};
use crate::removal::held_in;

use super::words::{Changes, People};
use super::{Style, comparison, html, markdown, text};

/// The digits of a token, if nobody else's begins with the same.
const DIGITS: usize = 6;

/// Stands where a plan has to have a name.
const NAME: &str = "(redacted)";

/// The domain of tokens where a plan has to have an address.
const DOMAIN: &str = "@redacted";

/// What tokens are made with.
#[derive(Clone)]
pub struct RedactionKey(Hmac<Sha256>);

impl RedactionKey {
    /// The characters that a key has at least. A shorter one is found by trying, and then everybody's token is.
    pub const LEAST: usize = 16;

    /// How many of its characters are different ones, at least.
    pub const LEAST_DIFFERENT: usize = 8;

    /// Takes a text for a key.
    pub fn new(secret: &SecretString) -> Result<Self, WeakKey> {
        let secret = secret.expose_secret();
        if secret.chars().count() < Self::LEAST {
            return Err(WeakKey::Short);
        }
        let different: BTreeSet<char> = secret.chars().collect();
        if different.len() < Self::LEAST_DIFFERENT {
            return Err(WeakKey::Repetitive);
        }
        Hmac::new_from_slice(secret.as_bytes())
            .map(Self)
            .map_err(|_| WeakKey::Short)
    }

    /// Returns the digest of a value, in hexadecimal. What the value is goes into it, so that digests of different kinds of values
    /// never meet.
    fn digest(&self, kind: &str, value: &str) -> String {
        let hmac = self.0.clone().chain_update(format!("{kind}:{value}"));
        crate::plan::hex(&hmac.finalize().into_bytes())
    }
}

impl fmt::Debug for RedactionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RedactionKey")
    }
}

/// Why a key is easy to guess.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WeakKey {
    /// It is shorter than [`RedactionKey::LEAST`].
    Short,
    /// It has fewer different characters than [`RedactionKey::LEAST_DIFFERENT`].
    Repetitive,
}

impl fmt::Display for WeakKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short => write!(f, "it has fewer than {} characters", RedactionKey::LEAST),
            Self::Repetitive => write!(
                f,
                "fewer than {} of its characters are different ones",
                RedactionKey::LEAST_DIFFERENT
            ),
        }
    }
}

impl std::error::Error for WeakKey {}

/// A plan without the people in it. It can be shown, and nothing else: it is no plan that could be applied.
#[derive(Debug, Clone)]
pub struct Redacted(Plan);

impl Redacted {
    /// Replaces everybody in a plan by tokens.
    pub fn new(plan: &Plan, key: &RedactionKey) -> Self {
        Self(Tokens::new(plan, key).plan(plan))
    }

    /// Returns it as text for a terminal.
    pub fn text(&self, style: &Style) -> String {
        text::page(&self.0, People::Redacted, *style)
    }

    /// Returns it as Markdown, like [`markdown`](super::markdown()).
    pub fn markdown(&self) -> String {
        markdown::page(&self.0, People::Redacted)
    }

    /// Returns it as a page for a browser, like [`html`](super::html()).
    pub fn html(&self) -> String {
        html::plan_page(&self.0, People::Redacted)
    }
}

/// Returns the token that stands for an address in a redacted plan.
pub(super) fn token_of(email: &str) -> &str {
    email.strip_suffix(DOMAIN).unwrap_or(email)
}

/// A comparison of two plans without the people in them. Whoever is in both has one token.
#[derive(Debug, Clone)]
pub struct RedactedComparison(Comparison);

impl RedactedComparison {
    /// Replaces everybody in a comparison by tokens.
    pub fn new(comparison: &Comparison, key: &RedactionKey) -> Self {
        let Comparison {
            came,
            went,
            changes,
            blocks,
            problems,
            staying,
            is_blocked,
            was_blocked,
        } = comparison;
        let changes_of_all = came
            .changes
            .iter()
            .chain(&went.changes)
            .chain(changes.iter().flat_map(|it| [&it.older, &it.newer]));
        let problems_of_all = came
            .problems
            .iter()
            .chain(&went.problems)
            .chain(problems.iter().flat_map(|it| [&it.older, &it.newer]));
        let tokens = Tokens::of(changes_of_all, problems_of_all, key);
        let mut changes: Vec<Differing<Change>> = changes
            .iter()
            .map(|differing| Differing {
                older: tokens.change(&differing.older),
                newer: tokens.change(&differing.newer),
                details: differing.details.clone(),
            })
            .collect();
        changes.sort_by_cached_key(|differing| place(&differing.newer));
        let mut problems: Vec<Differing<Problem>> = problems
            .iter()
            .map(|differing| Differing {
                older: tokens.problem(&differing.older, went),
                newer: tokens.problem(&differing.newer, came),
                details: differing.details.clone(),
            })
            .collect();
        problems.sort_by(|one, other| one.newer.cmp(&other.newer));
        Self(Comparison {
            came: tokens.plan(came),
            went: tokens.plan(went),
            changes,
            blocks: blocks.clone(),
            problems,
            staying: *staying,
            is_blocked: *is_blocked,
            was_blocked: *was_blocked,
        })
    }

    /// Returns it as text for a terminal.
    pub fn text(&self, style: &Style) -> String {
        comparison::text::page(&self.0, People::Redacted, *style)
    }

    /// Returns it as Markdown, like [`comparison_markdown`](super::comparison_markdown()).
    pub fn markdown(&self) -> String {
        comparison::markdown::page(&self.0, People::Redacted)
    }
}

/// The tokens of everybody in a plan, or in several.
struct Tokens<'a> {
    key: &'a RedactionKey,
    /// By what they are made of ([`identity`]).
    people: BTreeMap<String, String>,
}

impl<'a> Tokens<'a> {
    fn new(plan: &Plan, key: &'a RedactionKey) -> Self {
        Self::of(plan.changes.iter(), plan.problems.iter(), key)
    }

    fn of<'p>(
        changes: impl Iterator<Item = &'p Change> + Clone,
        problems: impl Iterator<Item = &'p Problem>,
        key: &'a RedactionKey,
    ) -> Self {
        let of_changes = changes.clone().map(|change| match change {
            Change::Invite(invite) => invite.email.as_str(),
            Change::Update(update) => &update.account.email,
            Change::Add(add) => add.account.email.as_str(),
            Change::Remove(remove) => &remove.account.email,
        });
        let of_copies = changes.filter_map(|change| match change {
            Change::Invite(invite) => invite.cc.as_ref().map(Address::as_str),
            Change::Update(_) | Change::Add(_) | Change::Remove(_) => None,
        });
        let of_problems = problems.map(|problem| problem.subject.as_str());
        let digests: BTreeMap<String, String> = of_changes
            .chain(of_copies)
            .chain(of_problems)
            .map(identity)
            .map(|identity| (key.digest("person", &identity), identity))
            .collect();
        let digits: BTreeMap<&String, usize> = digits_that_tell_apart(digests.keys());
        let people = digests
            .iter()
            .map(|(digest, identity)| {
                let digits = digits.get(digest).copied().unwrap_or(digest.len());
                let shown = digest.get(..digits).unwrap_or(digest);
                (identity.clone(), format!("person-{shown}"))
            })
            .collect();
        Self { key, people }
    }

    /// The token of whoever this is the address of, or what a problem calls them.
    fn person(&self, name: &str) -> String {
        let identity = identity(name);
        match self.people.get(&identity) {
            Some(token) => token.clone(),
            // Nobody else has it: it is whole.
            None => format!("person-{}", self.key.digest("person", &identity)),
        }
    }

    /// The token where there has to be an address.
    fn email(&self, email: &str) -> String {
        self.person(email) + DOMAIN
    }

    fn address(&self, address: &Address) -> Address {
        self.email(address.as_str())
            .parse()
            .expect("a token at a domain is an address")
    }

    fn person_id(&self, id: &PersonId) -> PersonId {
        self.key
            .digest("person-id", id.as_str())
            .parse()
            .expect("digits are the id of a person")
    }

    /// An object id says who somebody is to everybody who may read the directory.
    fn account_id(&self, id: &ObjectId) -> ObjectId {
        let mut digits = self.key.digest("account", id.as_str());
        digits.truncate(32);
        for place in [20, 16, 12, 8] {
            digits.insert(place, '-');
        }
        digits
            .parse()
            .expect("digits in five parts are an object id")
    }

    fn plan(&self, plan: &Plan) -> Plan {
        let Plan {
            format_version,
            kind,
            plan_id,
            tool_version,
            created_at,
            source,
            target,
            config_sha256,
            undoes,
            overrides,
            scope,
            summary,
            groups,
            changes,
            blocks,
            problems,
        } = plan;
        let mut changes: Vec<Change> = changes.iter().map(|change| self.change(change)).collect();
        changes.sort_by_cached_key(place);
        let mut problems: Vec<Problem> = problems
            .iter()
            .map(|problem| self.problem(problem, plan))
            .collect();
        problems.sort();
        Plan {
            format_version: format_version.clone(),
            kind: *kind,
            plan_id: plan_id.clone(),
            tool_version: tool_version.clone(),
            created_at: *created_at,
            source: source.clone(),
            target: target.clone(),
            config_sha256: config_sha256.clone(),
            undoes: undoes.clone(),
            overrides: overrides.clone(),
            scope: scope.clone(),
            summary: *summary,
            groups: groups.clone(),
            changes,
            // Groups, numbers and limits ([`crate::guard`]).
            blocks: blocks.clone(),
            problems,
        }
    }

    fn change(&self, change: &Change) -> Change {
        match change {
            Change::Invite(invite) => Change::Invite(self.invite(invite)),
            Change::Update(update) => {
                let Update { account, fields } = update;
                Change::Update(Update {
                    account: self.account(account),
                    fields: without_names(fields),
                })
            }
            Change::Add(add) => {
                let Add {
                    group,
                    account,
                    because,
                } = add;
                let NewMember {
                    id,
                    email,
                    display_name: _,
                } = account;
                Change::Add(Add {
                    group: group.clone(),
                    account: NewMember {
                        id: id.as_ref().map(|id| self.account_id(id)),
                        email: self.address(email),
                        display_name: None,
                    },
                    because: because.clone(),
                })
            }
            Change::Remove(remove) => {
                let Remove {
                    group,
                    account,
                    because,
                } = remove;
                Change::Remove(Remove {
                    group: group.clone(),
                    account: self.account(account),
                    because: *because,
                })
            }
        }
    }

    fn invite(&self, invite: &Invite) -> Invite {
        let Invite {
            email,
            person,
            set,
            redirect_url,
            send_email,
            message,
            language,
            cc,
        } = invite;
        let PersonName { id, username: _ } = person;
        let NewAccount {
            user_type,
            display_name,
            given_name,
            surname,
        } = set;
        let name = |name: &Option<String>| name.as_ref().map(|_| NAME.to_owned());
        Invite {
            email: self.address(email),
            person: PersonName {
                id: self.person_id(id),
                username: NAME.to_owned(),
            },
            set: NewAccount {
                user_type: *user_type,
                display_name: name(display_name),
                given_name: name(given_name),
                surname: name(surname),
            },
            // Of the configuration, with the tenant's id in it: the same for everybody.
            redirect_url: redirect_url.clone(),
            send_email: *send_email,
            // Of the configuration too, but a text may name whom to ask.
            message: name(message),
            language: language.clone(),
            cc: cc.as_ref().map(|address| self.address(address)),
        }
    }

    fn account(&self, account: &AccountName) -> AccountName {
        let AccountName {
            id,
            email,
            display_name: _,
        } = account;
        AccountName {
            id: self.account_id(id),
            email: self.email(email),
            display_name: None,
        }
    }

    fn problem(&self, problem: &Problem, plan: &Plan) -> Problem {
        let Problem {
            code,
            subject,
            message,
            hint: _,
        } = problem;
        let Some((general, hint)) = general(*code) else {
            return problem.clone();
        };
        let (whom, message) = match code {
            ProblemCode::RemovalNotConfirmed => match held_group(message, plan) {
                Some(group) => (subject, held_in(group) + "that is not proved"),
                None => (subject, general.to_owned()),
            },
            ProblemCode::AddressMayHaveChanged => match new_address(problem, plan) {
                Some((remove, add)) => (
                    &remove.account.email,
                    format!(
                        "leaves {}, and {}, of the same name, is invited to it: perhaps one person with a new address",
                        remove.group.name,
                        self.person(add.account.email.as_str())
                    ),
                ),
                None => (subject, general.to_owned()),
            },
            _ => (subject, general.to_owned()),
        };
        Problem {
            code: *code,
            subject: self.person(whom),
            message,
            hint: Some(hint.to_owned()),
        }
    }
}

/// The group of the plan that a removal is not confirmed from.
fn held_group<'p>(message: &str, plan: &'p Plan) -> Option<&'p str> {
    plan.groups
        .iter()
        .map(|group| group.azure.name.as_str())
        .find(|name| message.starts_with(&held_in(name)))
}

/// The changes of the plan that look like a new address of one person.
fn new_address<'p>(problem: &Problem, plan: &'p Plan) -> Option<(&'p Remove, &'p Add)> {
    let changes = Changes::of(plan);
    let removes = changes.remove.into_iter().filter(|remove| {
        remove.because == RemovalReason::UnknownToKeycloak
            && remove.account.display_name.as_deref() == Some(&problem.subject)
    });
    let pairs = removes.flat_map(|remove| {
        let adds = changes.add.iter();
        adds.filter(|add| add.account.id.is_none() && add.group.id == remove.group.id)
            .map(move |add| (remove, *add))
    });
    pairs
        .into_iter()
        .find(|(remove, add)| new_address_of(remove, add) == problem.message)
}

/// What is said of everybody with a problem of this kind, and what to do. `None` where a problem is about nobody: its text is made
/// from nothing but the code and the name of a group.
fn general(code: ProblemCode) -> Option<(&'static str, &'static str)> {
    Some(match code {
        ProblemCode::NoEmail => (
            "has no e-mail address in Keycloak",
            "enter one there; until then this person is neither invited nor added",
        ),
        ProblemCode::InvalidEmail => (
            "has an e-mail address in Keycloak that is none, or that Entra does not accept",
            "correct it there, or give them another one",
        ),
        ProblemCode::OwnDomain => (
            "has an address at a domain of this tenant: nobody there can be invited",
            "create the account in Entra, or correct the address in Keycloak",
        ),
        ProblemCode::DomainNotAllowed => (
            "has an address at a domain that is not among `invitations.allowed_domains`",
            "add the domain there if these people may be invited",
        ),
        ProblemCode::DuplicateEmail => (
            "has an address that several people in Keycloak have",
            "give each their own address there, or take all but one out of the mapped groups",
        ),
        ProblemCode::AmbiguousAccount => (
            "fits more than one account or person, or an account only by an attribute that `users.match` leaves out",
            "the plan file names them: leave one account to each person, or add the attribute to `users.match`",
        ),
        ProblemCode::DeletedAccount => (
            "has the address of an account that was deleted",
            "restore the account in Entra (Users, Deleted users; for 30 days) or delete it there for good, and plan again",
        ),
        ProblemCode::UnverifiedEmail => (
            "has an address that Keycloak has not verified",
            "have it verified there, or set `users.unverified_email: allow`",
        ),
        ProblemCode::OnPremisesAccount => (
            "has other names or another user type than Keycloak, but is synchronised from an on-premises directory",
            "change it there; Entra does not accept it",
        ),
        ProblemCode::NameTooLong => (
            "has a name that is longer than Entra takes, so it is left alone",
            "shorten it in Keycloak",
        ),
        ProblemCode::AddressMayHaveChanged => (
            "leaves a group, and somebody of the same name is invited to it: perhaps one person with a new address",
            "if so, give the account the new address in Entra before applying, and plan again",
        ),
        ProblemCode::RemovalNotConfirmed => (
            "seems to have to leave a group, but stays: that is not proved",
            "the plan file says what is missing",
        ),
        ProblemCode::InvitationNotUndone => (
            "was invited; an invitation is not taken back",
            "delete the account in Entra if nobody needs it",
        ),
        ProblemCode::ChangedSinceRun => (
            "is neither as the run left it nor as before, and stays as it is",
            "the plan file says what has changed",
        ),
        ProblemCode::ValueNotRestorable => (
            "had no value before the run where Entra requires one",
            "see whether the account is to keep what the run gave it",
        ),
        ProblemCode::OutcomeNotKnown => (
            "has a change of which it is not known whether the run made it",
            "compare with Entra's audit log; it is not taken back",
        ),
        // Of groups, of runs, and of a whole directory.
        ProblemCode::DeletedAccountsHidden
        | ProblemCode::RunCutOff
        | ProblemCode::GroupNotMapped
        | ProblemCode::GroupDynamic
        | ProblemCode::GroupOnPremises
        | ProblemCode::GroupMailEnabled
        | ProblemCode::GroupRoleAssignable => return None,
    })
}

/// The fields that change, without what they are called.
fn without_names(fields: &Fields) -> Fields {
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

/// Where a change stands among others: by kind, by group, by token.
fn place(change: &Change) -> (Action, Option<(String, ObjectId)>, String) {
    let of = |group: &GroupName| Some((group.name.clone(), group.id.clone()));
    let (group, email) = match change {
        Change::Invite(invite) => (None, invite.email.to_string()),
        Change::Update(update) => (None, update.account.email.clone()),
        Change::Add(add) => (of(&add.group), add.account.email.to_string()),
        Change::Remove(remove) => (of(&remove.group), remove.account.email.clone()),
    };
    (change.action(), group, email)
}

/// Who is meant by an address or the subject of a problem: the address, in lower case. A problem calls people by their address, by a name
/// with the address or the username (which often is the address) behind it in parentheses, or by a name alone. Without an address
/// it is all that is said, in lower case.
pub(super) fn identity(name: &str) -> String {
    let is_address =
        |text: &str| !text.contains(char::is_whitespace) && text.parse::<Address>().is_ok();
    let folded = fold(name);
    let behind = folded
        .strip_suffix(')')
        .and_then(|text| text.rsplit_once(" ("))
        .map(|(_, behind)| behind);
    match behind {
        Some(address) if is_address(address) => address.to_owned(),
        _ => folded,
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

#[cfg(test)]
mod tests {

    use proptest::prelude::*;

    use super::*;
    use crate::model::UserType;
    use crate::plan::Summary;
    use crate::render::samples;

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

    /// Everything that a plan says of one person.
    #[derive(Debug, Clone)]
    struct Somebody {
        name: String,
        username: String,
        email: String,
    }

    /// A plan with somebody in every place that it has, and every problem in the words that the program has for it.
    fn plan_about(people: &[Somebody; 8]) -> Plan {
        let [
            invited,
            renamed,
            joining,
            leaving,
            unknown,
            before,
            after,
            other,
        ] = people;
        let platform = || samples::group(2, "acme-platform");
        let mut plan = samples::empty();
        let account = |somebody: &Somebody, number: usize| AccountName {
            id: samples::id(number),
            email: somebody.email.clone(),
            display_name: Some(somebody.name.clone()),
        };
        let named = |after: &str| {
            Some(FieldChange {
                before: Some(renamed.name.clone()),
                after: Some(after.to_owned()),
            })
        };
        let invite = |somebody: &Somebody| {
            Change::Invite(Invite {
                email: somebody.email.parse().unwrap(),
                person: PersonName {
                    id: format!("f:ldap:{}", somebody.username).parse().unwrap(),
                    username: somebody.username.clone(),
                },
                set: NewAccount {
                    user_type: Some(UserType::Member),
                    display_name: Some(somebody.name.clone()),
                    given_name: Some(somebody.name.clone()),
                    surname: None,
                },
                redirect_url: "https://portal.azure.com/acme".to_owned(),
                send_email: true,
                message: Some(format!("Ask {} ({})", somebody.name, somebody.email)),
                language: Some("de-DE".parse().unwrap()),
                cc: Some(other.email.parse().unwrap()),
            })
        };
        let add = |somebody: &Somebody, number| {
            samples::add(platform(), number, &somebody.name, &somebody.email, "/p")
        };
        let remove = |account: AccountName, because| {
            Change::Remove(Remove {
                group: platform(),
                account,
                because,
            })
        };
        plan.changes = vec![
            invite(invited),
            invite(after),
            Change::Update(Update {
                account: account(renamed, 12),
                fields: Fields {
                    user_type: Some(FieldChange {
                        before: Some(UserType::Guest),
                        after: Some(UserType::Member),
                    }),
                    display_name: named(&other.name),
                    given_name: named(&other.username),
                    surname: Some(FieldChange {
                        before: None,
                        after: Some(other.name.clone()),
                    }),
                },
            }),
            add(invited, None),
            add(joining, Some(13)),
            add(after, None),
            remove(account(leaving, 14), RemovalReason::LeftGroup),
            remove(account(unknown, 15), RemovalReason::UnknownToKeycloak),
            remove(
                AccountName {
                    display_name: Some(after.name.clone()),
                    ..account(before, 16)
                },
                RemovalReason::UnknownToKeycloak,
            ),
        ];
        let new_address = match &plan.changes[..] {
            [.., Change::Add(add), _, _, Change::Remove(remove)] => new_address_of(remove, add),
            _ => unreachable!(),
        };
        let called = format!("{} ({})", other.name, other.username);
        let with_address = format!("{} ({})", other.name, other.email);
        let has_address = format!("has the address {}, which", other.email);
        plan.problems = [
            (
                ProblemCode::NoEmail,
                called.as_str(),
                "has no e-mail address in Keycloak",
            ),
            (ProblemCode::InvalidEmail, &called, &has_address),
            (ProblemCode::OwnDomain, &called, &has_address),
            (ProblemCode::DomainNotAllowed, &called, &has_address),
            (
                ProblemCode::DuplicateEmail,
                &other.email,
                &format!("is the address of 2 people in Keycloak: {called}"),
            ),
            (
                ProblemCode::AmbiguousAccount,
                &other.email,
                &format!("fits 2 accounts: {}", other.name),
            ),
            (
                ProblemCode::DeletedAccount,
                &other.email,
                &format!(
                    "is the address of an account that was deleted: {}",
                    other.name
                ),
            ),
            (ProblemCode::UnverifiedEmail, &other.username, &has_address),
            (
                ProblemCode::OnPremisesAccount,
                &with_address,
                "has other names",
            ),
            (
                ProblemCode::NameTooLong,
                &called,
                "has a last name of 70 characters",
            ),
            (
                ProblemCode::AddressMayHaveChanged,
                &after.name,
                &new_address,
            ),
            (
                ProblemCode::AddressMayHaveChanged,
                &other.name,
                &with_address,
            ),
            (
                ProblemCode::RemovalNotConfirmed,
                &with_address,
                &(held_in("acme-platform") + &has_address),
            ),
            (
                ProblemCode::RemovalNotConfirmed,
                &with_address,
                &format!("stays: {with_address}"),
            ),
            (
                ProblemCode::GroupDynamic,
                "acme-support",
                "has a dynamic membership",
            ),
        ]
        .map(|(code, subject, message)| Problem {
            code,
            subject: subject.to_owned(),
            message: message.to_owned(),
            hint: general(code).map(|_| format!("tell {} ({})", other.name, samples::id(17))),
        })
        .into();
        plan.sealed()
    }

    fn eight(text: &str) -> [Somebody; 8] {
        std::array::from_fn(|at| Somebody {
            name: format!("{text} {at} {text}"),
            username: format!("{text}{at}"),
            email: format!("x{text}{at}@of{at}.example"),
        })
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

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

        /// Whoever the people are, all that differs is their tokens. So nothing of them is shown, however short it is.
        #[test]
        fn what_is_shown_depends_on_people_only_through_their_tokens(text in anything()) {
            let (plan, stranger) = (plan_about(&eight(&text)), plan_about(&eight("q")));
            let [shown, expected] = [&plan, &stranger].map(|plan| {
                let mut plan = plan.clone();
                plan.plan_id = "sha256:0".to_owned();
                Redacted::new(&plan, &some_key())
            });
            prop_assert_eq!(shape(&shown.text(&WIDE)), shape(&expected.text(&WIDE)));
            prop_assert_eq!(shape(&shown.markdown()), shape(&expected.markdown()));
            // People stand in the order of their tokens, and with the first row of a table stands its beginning.
            let rows = |page: &Redacted| shape(&page.html().replace("<tr", "\n<tr"));
            prop_assert_eq!(rows(&shown), rows(&expected));
        }

        /// Not even what no rendering shows today.
        #[test]
        fn no_value_of_the_plan_is_a_persons(text in "[A-Z]{4,8}") {
            let plan = plan_about(&eight(&text));
            let holds = |plan: &Plan| {
                let json = serde_json::to_string(plan).unwrap();
                (json.contains(&text), json.contains(&text.to_lowercase()), (12..=17).any(|number| json.contains(samples::id(number).as_str())))
            };
            prop_assert_eq!(holds(&plan), (true, true, true));
            prop_assert_eq!(holds(&Redacted::new(&plan, &some_key()).0), (false, false, false));
        }
    }

    #[test]
    fn all_but_people_stays() {
        let plan = plan_about(&eight("q"));
        let Redacted(redacted) = Redacted::new(&plan, &some_key());
        let counted = |plan: &Plan| {
            let changes = Changes::of(plan);
            Summary {
                invite: changes.invite.len(),
                update: changes.update.len(),
                add: changes.add.len(),
                remove: changes.remove.len(),
                problems: plan.problems.len(),
                ..Summary::default()
            }
        };
        assert_eq!(counted(&redacted), counted(&plan));
        assert_eq!(redacted.plan_id, plan.plan_id);
        let without_people = |plan: Plan| Plan {
            changes: Vec::new(),
            problems: Vec::new(),
            ..plan
        };
        assert_eq!(without_people(redacted), without_people(plan));
    }

    #[test]
    fn one_person_has_one_token_in_every_place() {
        let mut plan = plan_about(&eight("q"));
        plan.problems.clear();
        let token = |email: &str| {
            let tokens = Tokens::new(&plan, &some_key()).person(email);
            tokens.trim_start_matches("person-").to_owned()
        };
        // xq0 is invited and added, xq4 leaves.
        let shown = Redacted::new(&plan, &some_key()).text(&WIDE);
        assert_eq!(
            shown.matches(&token("xq0@of0.example")).count(),
            3,
            "{shown}"
        );
        assert_eq!(
            shown.matches(&token(" XQ4@of4.example ")).count(),
            2,
            "{shown}"
        );
        assert_eq!(token("Quinn Q (xq0@of0.example)"), token("xq0@of0.example"));
        assert_ne!(token("xq0@of0.example (Quinn)"), token("xq0@of0.example"));
    }

    #[test]
    fn a_token_is_what_openssl_makes_of_the_address() {
        // printf 'person:bob@partner.example' | openssl dgst -sha256 -hmac 0123456789abcdef0123456789abcdef
        let plan = samples::every_kind();
        assert_eq!(
            Tokens::new(&plan, &some_key()).person("Bob@Partner.example"),
            "person-fc7a2c"
        );
    }

    #[test]
    fn another_key_makes_other_tokens() {
        let plan = samples::every_kind();
        let one = Redacted::new(&plan, &some_key()).text(&WIDE);
        let other = Redacted::new(&plan, &key("another key of the pipeline")).text(&WIDE);
        assert!(tokens(&one).is_disjoint(&tokens(&other)));
        assert_eq!(shape(&one), shape(&other));
    }

    #[test]
    fn a_short_key_is_none() {
        let short = SecretString::from("x".repeat(RedactionKey::LEAST - 1));
        assert_eq!(RedactionKey::new(&short).map(drop), Err(WeakKey::Short));
        assert_eq!(format!("{:?}", some_key()), "RedactionKey");
    }

    #[test]
    fn a_key_of_few_different_characters_is_none() {
        for weak in ["a".repeat(32), "0123456".repeat(5)] {
            let weak = SecretString::from(weak);
            assert_eq!(RedactionKey::new(&weak).map(drop), Err(WeakKey::Repetitive));
        }
        assert!(RedactionKey::new(&SecretString::from("01234567".repeat(4))).is_ok());
    }

    #[test]
    fn the_order_of_addresses_does_not_show() {
        let mut plan = samples::empty();
        plan.changes = (0..40)
            .map(|at| samples::invite("Ann", &format!("a{at:02}@partner.example")))
            .collect();
        let key = some_key();
        let tokens = Tokens::new(&plan, &key);
        let shown = Redacted::new(&plan, &key).text(&WIDE);
        let rows: Vec<&str> = shown
            .lines()
            .filter(|line| line.starts_with("  + "))
            .collect();
        assert_eq!(rows.len(), 40);
        assert!(rows.is_sorted());
        let by_address = (0..40).map(|at| tokens.person(&format!("a{at:02}@partner.example")));
        assert!(!by_address.is_sorted());
    }

    #[test]
    fn people_who_share_a_beginning_get_more_digits_and_nobody_else_does() {
        let crowd = |number: usize| {
            let mut plan = samples::empty();
            plan.changes = (0..number)
                .map(|at| samples::invite("Ann", &format!("a{at}@partner.example")))
                .collect();
            let tokens = Tokens::new(&plan, &some_key()).people;
            assert_eq!(tokens.values().collect::<BTreeSet<_>>().len(), number);
            tokens
        };
        let (few, many) = (crowd(10), crowd(10_000));
        let usual = "person-".len() + DIGITS;
        assert!(few.values().all(|token| token.len() == usual));
        let longer = many.values().filter(|token| token.len() > usual).count();
        assert!(longer > 0 && longer < 50, "{longer}");
        for (email, token) in few {
            assert!(many[&email].starts_with(&token));
        }
    }
}
