//! Who is left exactly as they are, and the problem that says why.

use std::collections::{BTreeSet, HashMap};

use super::{Matching, Standing, addresses_of, can_be_invited, name_of, name_of_account};
use crate::mapping::Inputs;
use crate::model::Address;
use crate::plan::{About, Problem, ProblemCode};
use crate::snapshot::{Account, DeletedAccount, Person};
use crate::wording::first_ten;

pub(super) const BY_ANOTHER_ATTRIBUTE: (&str, &str) = (
    "is known to an account, but by an attribute that `users.match` leaves out",
    "add the attribute to `users.match`, or take the address off the account",
);

pub(super) const WRITTEN_IN_ANOTHER_WAY: (&str, &str) = (
    "is written in another way on an account, with its domain as DNS has it or with accents as characters of their own",
    "write it in Keycloak as Entra does, or take the address off the account",
);

impl<'a> Matching<'a> {
    /// Leaves everybody as they are who would be invited under the address of a deleted account. Who has that account back needs no
    /// second one, and what Graph makes of such an invitation is not documented.
    pub fn leave_deleted(&mut self, inputs: &Inputs<'a>, deleted: &[DeletedAccount]) {
        let mut by_address: HashMap<Address, Vec<&DeletedAccount>> = HashMap::new();
        for deleted in deleted {
            let addresses = addresses_of(&deleted.account);
            let spellings: BTreeSet<Address> =
                addresses.iter().flat_map(Address::spellings).collect();
            for address in spellings {
                by_address.entry(address).or_default().push(deleted);
            }
        }
        let found: Vec<(&'a Person, Problem)> = self
            .people
            .values()
            .filter_map(|matched| match &matched.standing {
                Standing::HasNone(address) if can_be_invited(address, inputs) => {
                    let accounts = by_address.get_mut(address)?;
                    accounts.sort_unstable_by_key(|deleted| &deleted.account.id);
                    Some((matched.person, problem_of_deleted(address, accounts)))
                }
                _ => None,
            })
            .collect();
        for (person, problem) in found {
            self.leave(&[person], problem);
        }
    }

    fn leave(&mut self, people: &[&'a Person], mut problem: Problem) {
        for person in people {
            self.stand(person, Standing::LeftAlone);
            problem.about.people.push(person.id.clone());
        }
        self.problems.push(problem);
    }

    pub(super) fn leave_without_address(&mut self, person: &'a Person) {
        let (code, message, hint) = match person
            .email
            .as_deref()
            .filter(|email| !email.trim().is_empty())
        {
            None => (
                ProblemCode::NoEmail,
                "has no e-mail address in Keycloak".to_owned(),
                "enter one there; until then this person is neither invited nor added",
            ),
            Some(email) => (
                ProblemCode::InvalidEmail,
                format!("has the e-mail address {email} in Keycloak, which is none"),
                "correct it there",
            ),
        };
        self.leave(
            &[person],
            Problem {
                code,
                subject: name_of(person),
                message,
                hint: Some(hint.to_owned()),
                about: About::default(),
            },
        );
    }

    pub(super) fn leave_unverified(&mut self, person: &'a Person, address: &Address) {
        self.leave(
            &[person],
            Problem {
                code: ProblemCode::UnverifiedEmail,
                subject: name_of(person),
                message: format!("has the address {address}, which Keycloak has not verified"),
                hint: Some(
                    "have it verified there, or set `users.unverified_email: allow`".to_owned(),
                ),
                about: of_addresses([address]),
            },
        );
    }

    pub(super) fn leave_duplicates(&mut self, people: &[&'a Person], address: &Address) {
        self.leave(
            people,
            Problem {
                code: ProblemCode::DuplicateEmail,
                subject: address.to_string(),
                message: format!(
                    "is the address of {} people in Keycloak: {}",
                    people.len(),
                    first_ten(people.iter().map(|person| name_of(person)))
                ),
                hint: Some("give each their own address there, or take all but one out of the mapped groups".to_owned()),
                about: of_addresses([address]),
            },
        );
    }

    pub(super) fn leave_ambiguous(
        &mut self,
        person: &'a Person,
        address: &Address,
        accounts: &[&'a Account],
    ) {
        self.leave(
            &[person],
            Problem {
                code: ProblemCode::AmbiguousAccount,
                subject: address.to_string(),
                message: format!(
                    "fits {} accounts: {}",
                    accounts.len(),
                    first_ten(accounts.iter().map(|account| format!(
                        "{} ({})",
                        account.id,
                        name_of_account(account)
                    )))
                ),
                hint: Some(
                    "delete all but one of them in Entra, or take the address off them".to_owned(),
                ),
                about: of_addresses([address]),
            },
        );
    }

    /// Leaves somebody as they are whose address an account has, though not so that it matches: `how` says in which way, and what to do.
    pub(super) fn leave_unmatched(
        &mut self,
        person: &'a Person,
        address: &Address,
        accounts: &BTreeSet<&'a Account>,
        (how, hint): (&str, &str),
    ) {
        let accounts = accounts
            .iter()
            .map(|account| format!("{} ({})", account.id, name_of_account(account)));
        self.leave(
            &[person],
            Problem {
                code: ProblemCode::AmbiguousAccount,
                subject: address.to_string(),
                message: format!("{how}: {}", first_ten(accounts)),
                hint: Some(hint.to_owned()),
                about: of_addresses([address]),
            },
        );
    }

    pub(super) fn leave_shared_account(&mut self, owners: &[(&'a Person, Address, &'a Account)]) {
        let people: Vec<_> = owners.iter().map(|(person, ..)| *person).collect();
        let Some((_, _, account)) = owners.first() else {
            return;
        };
        let fits = owners
            .iter()
            .map(|(person, address, _)| format!("{} with {address}", name_of(person)));
        let message = if owners.len() > 1 {
            format!("fits {} people: {}", owners.len(), first_ten(fits))
        } else {
            format!(
                "fits {}, and the address of somebody else who is not clear",
                first_ten(fits)
            )
        };
        self.leave(
            &people,
            Problem {
                code: ProblemCode::AmbiguousAccount,
                subject: format!("account {} ({})", account.id, name_of_account(account)),
                message,
                hint: Some("take the addresses that are not its owner's off the account, or correct them in Keycloak".to_owned()),
                about: About {
                    account: Some(account.id.clone()),
                    ..of_addresses(owners.iter().map(|(_, address, _)| address))
                },
            },
        );
    }
}

fn problem_of_deleted(address: &Address, accounts: &[&DeletedAccount]) -> Problem {
    let which = first_ten(accounts.iter().map(|DeletedAccount { account, deleted }| {
        let when = deleted.map_or_else(String::new, |deleted| {
            deleted.strftime(", deleted on %-d %B %Y").to_string()
        });
        format!("{} ({}{when})", account.id, name_of_account(account))
    }));
    let whose = match accounts.len() {
        1 => "an account that was deleted".to_owned(),
        number => format!("{number} accounts that were deleted"),
    };
    Problem {
        code: ProblemCode::DeletedAccount,
        subject: address.to_string(),
        message: format!("is the address of {whose}: {which}"),
        hint: Some(
            "restore the account in Entra (Users, Deleted users; for 30 days) or delete it there for good, and plan again"
                .to_owned(),
        ),
                about: of_addresses([address]),
    }
}

/// Who has these addresses.
fn of_addresses<'t>(addresses: impl IntoIterator<Item = &'t Address>) -> About {
    About {
        emails: addresses.into_iter().map(ToString::to_string).collect(),
        ..About::default()
    }
}
