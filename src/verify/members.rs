//! Judges additions to groups and removals from them.

use std::collections::BTreeMap;

use super::held_back::NOT_INVITED;
use super::present::Present;
use super::{Member, Task, Verdict, is_of_invitation, sentences, settled};
use crate::mapping::MappedGroup;
use crate::matching::{Standing, name_of};
use crate::model::{Address, PersonId};
use crate::plan::{Add, Remove};
use crate::report::Outcome;
use crate::settings::RemovalPolicy;

impl Present<'_, '_> {
    pub(super) fn judge_add(
        &self,
        reviewed: &Add,
        invitations: &BTreeMap<Address, Verdict>,
    ) -> Verdict {
        let (group_id, email) = (&reviewed.group.id, &reviewed.account.email);
        let group = match self.managed_group(&reviewed.group) {
            Ok(group) => group,
            Err(verdict) => return verdict,
        };
        let person = self.people.get(email);
        let account = person.and_then(|(_, matched)| match &matched.standing {
            Standing::HasAccount(_, account) => Some(*account),
            _ => None,
        });
        if let (Some(reviewed_id), Some(account)) = (&reviewed.account.id, account)
            && *reviewed_id != account.id
        {
            return settled(Outcome::Conflict, sentences::another_account(&account.id));
        }
        if let (None, Some(account)) = (&reviewed.account.id, account)
            && !is_of_invitation(account, email)
        {
            return settled(Outcome::Conflict, sentences::not_of_invitation(&account.id));
        }
        let is_member = account.is_some_and(|account| group.azure.members.contains(&account.id))
            || reviewed
                .account
                .id
                .as_ref()
                .is_some_and(|id| group.azure.members.contains(id));
        if is_member {
            return settled(Outcome::AlreadyDone, "");
        }
        let Some(fresh) = self.adds.get(&(group_id, email)) else {
            return self.judge_add_not_wanted(reviewed, group);
        };
        if self.blocked.contains(group_id) {
            return settled(Outcome::Conflict, sentences::BLOCKED);
        }
        let member = match (&reviewed.account.id, &fresh.account.id) {
            (Some(reviewed), Some(_)) => Member::Account(reviewed.clone()),
            (Some(_), None) => {
                return settled(Outcome::Conflict, sentences::GONE);
            }
            (None, fresh) => match (invitations.get(email), fresh) {
                (
                    Some(Verdict::Execute(_) | Verdict::Settled(Outcome::AlreadyDone, _)),
                    Some(id),
                ) => Member::InvitedBefore(id.clone(), email.clone()),
                (Some(Verdict::Execute(_)), None) => Member::Invited(email.clone()),
                (Some(Verdict::Settled(Outcome::NotWanted, reason)), _) => {
                    return settled(Outcome::NotWanted, reason);
                }
                (Some(Verdict::Settled(..)) | None, _) => {
                    return settled(Outcome::NotAttempted, NOT_INVITED);
                }
            },
        };
        Verdict::Execute(Task::Add {
            group: group_id.clone(),
            member,
        })
    }

    fn judge_add_not_wanted(&self, reviewed: &Add, group: &MappedGroup<'_>) -> Verdict {
        let is_in_group = |person: &PersonId| group.first_source_of(person).is_some();
        match self.people.get(&reviewed.account.email) {
            Some((person, _)) if is_in_group(person) => settled(
                Outcome::Conflict,
                "the person cannot be covered any more; plan again to see the problem",
            ),
            Some((_, matched)) => settled(
                Outcome::NotWanted,
                format!(
                    "{} is in none of the Keycloak groups of {} any more",
                    name_of(matched.person),
                    group.azure.name
                ),
            ),
            None => match self.left_alone_with(&reviewed.account) {
                Some(problem) => settled(Outcome::Conflict, problem),
                None => settled(
                    Outcome::NotWanted,
                    "nobody who counts in a mapped group has this address any more",
                ),
            },
        }
    }

    pub(super) fn judge_remove(&self, reviewed: &Remove) -> Verdict {
        let (group_id, account_id) = (&reviewed.group.id, &reviewed.account.id);
        let group = match self.managed_group(&reviewed.group) {
            Ok(group) => group,
            Err(verdict) => return verdict,
        };
        if !group.azure.members.contains(account_id) {
            return settled(Outcome::AlreadyDone, "");
        }
        if self.blocked.contains(group_id) {
            return settled(Outcome::Conflict, sentences::BLOCKED);
        }
        if let Some(fresh) = self.removes.get(&(group_id, account_id)) {
            return if fresh.account.email == reviewed.account.email {
                Verdict::Execute(Task::Remove {
                    group: group_id.clone(),
                    account: account_id.clone(),
                })
            } else {
                settled(
                    Outcome::Conflict,
                    sentences::account_of(&fresh.account.email),
                )
            };
        }
        let matching = &self.fresh.draft.matching;
        if matching.left_alone.contains(account_id) {
            return settled(Outcome::Conflict, sentences::NOT_CLEAR);
        }
        if matching.protected.contains(account_id) {
            return settled(Outcome::Conflict, sentences::PROTECTED);
        }
        let owner = matching.owners.get(account_id);
        let wanted_in = owner.and_then(|owner| group.first_source_of(owner));
        if let Some(path) = wanted_in {
            return settled(
                Outcome::NotWanted,
                format!("the person is in {path} again since the review"),
            );
        }
        if group.removals == RemovalPolicy::None {
            return settled(Outcome::NotWanted, "the mapping removes nobody any more");
        }
        settled(
            Outcome::Conflict,
            "it is not proved any more that this account has to go; plan again to see what is missing",
        )
    }
}
