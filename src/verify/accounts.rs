//! Judges invitations and updates.

use super::fields::{FieldVerdict, after_values, judge_fields};
use super::present::Present;
use super::{Task, Verdict, is_of_invitation, is_since, sentences, settled};
use crate::diff::{differing, wanted_account};
use crate::matching::Standing;
use crate::model::{Address, PersonId};
use crate::plan::{ClearedNames, Invite, Update};
use crate::report::Outcome;
use crate::snapshot::{Account, Person};

impl Present<'_, '_> {
    pub(super) fn judge_invite(&self, reviewed: &Invite) -> Verdict {
        if let Some(fresh) = self.invites.get(&reviewed.email) {
            return if *fresh == reviewed {
                Verdict::Execute(Task::Invite(Box::new(reviewed.clone())))
            } else {
                settled(Outcome::Conflict, differing_invitation(reviewed, fresh))
            };
        }
        let Some(matched) = self.fresh.draft.matching.people.get(&reviewed.person.id) else {
            return settled(
                Outcome::NotWanted,
                "the person counts in none of the mapped groups any more",
            );
        };
        match &matched.standing {
            Standing::LeftAlone => settled(Outcome::Conflict, self.problem_of(&reviewed.person.id)),
            Standing::HasNone(address) | Standing::HasAccount(address, _)
                if *address != reviewed.email =>
            {
                settled(
                    Outcome::NotWanted,
                    format!("the person has the address {address} in Keycloak since the review"),
                )
            }
            Standing::HasNone(_) if self.is_wanted_in_managed_group(&reviewed.person.id) => {
                settled(
                    Outcome::Conflict,
                    "the person cannot be invited any more; plan again to see the problem",
                )
            }
            Standing::HasNone(_) => self.not_wanted_where_managed(&reviewed.person.id),
            Standing::HasAccount(_, account) => {
                self.judge_invited(reviewed, matched.person, account)
            }
        }
    }

    /// The person has an account since the review: that of the invitation, or another.
    fn judge_invited(&self, reviewed: &Invite, person: &Person, account: &Account) -> Verdict {
        if !is_of_invitation(account, &reviewed.email) {
            return settled(Outcome::Conflict, sentences::not_of_invitation(&account.id));
        }
        if self.fresh.draft.matching.protected.contains(&account.id) {
            return settled(
                Outcome::Conflict,
                format!(
                    "the person has the account {} since the review, which is protected",
                    account.id
                ),
            );
        }
        // What the invitation says is held against the account itself: the policy of updates is about other accounts.
        let rules = &self.fresh.draft.inputs.settings.users;
        let (wanted, _) = wanted_account(rules, person, &reviewed.email);
        if wanted != reviewed.set {
            return settled(
                Outcome::Conflict,
                "the person is invited, and the account is to get other values than the reviewed ones",
            );
        }
        let fields = differing(&reviewed.set, account);
        if fields.is_empty() {
            return settled(Outcome::AlreadyDone, "");
        }
        if !is_since(self.reviewed, account) {
            return settled(
                Outcome::Conflict,
                format!(
                    "the person has the account {}, which is older than the plan and not from its invitation; plan again to see what it lacks",
                    account.id
                ),
            );
        }
        Verdict::Execute(Task::Update {
            account: account.id.clone(),
            set: after_values(&fields),
            cleared: ClearedNames::default(),
            of_invitation: true,
        })
    }

    pub(super) fn judge_update(&self, reviewed: &Update) -> Verdict {
        let id = &reviewed.account.id;
        let matching = &self.fresh.draft.matching;
        if matching.left_alone.contains(id) {
            return settled(Outcome::Conflict, sentences::NOT_CLEAR);
        }
        if matching.protected.contains(id) {
            return settled(Outcome::Conflict, sentences::PROTECTED);
        }
        let Some((person, address, account)) = self.owner_of(id) else {
            return self.judge_update_without_owner(reviewed);
        };
        // What people reviewed is the address.
        if address.as_str() != reviewed.account.email {
            return settled(Outcome::Conflict, sentences::account_of(address.as_str()));
        }
        let fresh = self.updates.get(id).map(|update| &update.fields);
        if fresh.is_none() && !self.is_wanted_in_managed_group(person) {
            return self.not_wanted_where_managed(person);
        }
        let (verdicts, set) = judge_fields(&reviewed.fields, fresh, account);
        let has = |verdict: FieldVerdict| verdicts.contains(&Some(verdict));
        if has(FieldVerdict::Conflict) {
            settled(
                Outcome::Conflict,
                "the account, or what Keycloak wants of it, has another value than the reviewed one",
            )
        } else if has(FieldVerdict::Execute) {
            Verdict::Execute(Task::Update {
                account: id.clone(),
                set,
                cleared: ClearedNames::default(),
                of_invitation: false,
            })
        } else if !has(FieldVerdict::NotWanted) {
            settled(Outcome::AlreadyDone, "")
        } else if account.on_premises && fresh.is_none() {
            settled(
                Outcome::Conflict,
                "the account is synchronised from an on-premises directory since the review",
            )
        } else if self.has_long_name(person) {
            settled(
                Outcome::Conflict,
                "a name is too long now; plan again to see the problem",
            )
        } else {
            settled(
                Outcome::NotWanted,
                "Keycloak does not ask for this any more",
            )
        }
    }

    fn has_long_name(&self, person: &PersonId) -> bool {
        let matched = self.fresh.draft.matching.people.get(person);
        matched.is_some_and(|matched| match &matched.standing {
            Standing::HasAccount(address, _) => {
                let rules = &self.fresh.draft.inputs.settings.users;
                !wanted_account(rules, matched.person, address).1.is_empty()
            }
            Standing::HasNone(_) | Standing::LeftAlone => false,
        })
    }

    fn judge_update_without_owner(&self, reviewed: &Update) -> Verdict {
        let owner = reviewed.account.email.parse::<Address>().ok();
        let left_alone = owner
            .as_ref()
            .and_then(|address| self.left_alone.get(address));
        if let Some(problem) = left_alone.map(|person| self.problem_of(person)) {
            return settled(Outcome::Conflict, problem);
        }
        match owner
            .and_then(|address| self.people.get(&address))
            .map(|(_, matched)| &matched.standing)
        {
            Some(Standing::HasAccount(_, other)) => {
                settled(Outcome::Conflict, sentences::another_account(&other.id))
            }
            Some(Standing::HasNone(_)) => settled(Outcome::Conflict, sentences::GONE),
            Some(Standing::LeftAlone) | None => settled(
                Outcome::NotWanted,
                "nobody who counts in a mapped group has this account any more",
            ),
        }
    }
}

fn differing_invitation(reviewed: &Invite, fresh: &Invite) -> String {
    let what = if reviewed.person.id != fresh.person.id {
        "the address belongs to another person in Keycloak".to_owned()
    } else if reviewed.set != fresh.set {
        "the account is to get other values".to_owned()
    } else {
        "the invitation itself is to be another".to_owned()
    };
    format!("{what} since the review; plan again")
}
