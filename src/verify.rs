//! Judges each change of a reviewed plan against a fresh decision: carried out is what the reviewed plan permits and the fresh one
//! still wants, and nothing else.

mod held_back;

pub(crate) use self::held_back::hold_back_removals;
pub use self::held_back::{NOT_ADDED, WOULD_BE_EMPTY, invite_nobody_again};

use std::collections::{BTreeMap, BTreeSet};

use self::held_back::NOT_INVITED;
use crate::diff::{Decision, differing, wanted_account};
use crate::guard::{check_invitations, limits_in_force};
use crate::mapping::MappedGroup;
use crate::matching::{Matched, Standing, addresses_of, comparable, is_protected, name_of, values};
use crate::model::{Address, ObjectId, PersonId};
use crate::plan::{
    Add, Change, ClearedNames, FieldChange, Fields, GroupName, Invite, NewAccount, Plan, Remove,
    Update,
};
use crate::report::Outcome;
use crate::settings::MatchAttribute;
use crate::snapshot::{Account, Person};

/// What apply decides about the changes of a reviewed plan.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Verification {
    /// One for each change of the plan, in its order.
    pub verdicts: Vec<Verdict>,
    /// The groups that have to keep a member, with how many they have now.
    pub members: BTreeMap<ObjectId, usize>,
    /// How many changes the directories want now that the plan does not hold. They are never carried out.
    pub further_changes: usize,
}

/// What apply decides about one change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is carried out.
    Execute(Task),
    /// It is not, with the outcome that stands already and the reason as the end of a sentence about its object.
    Settled(Outcome, String),
}

/// What is to be written for one change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Task {
    /// Invite a person, then bring the new account to what the invitation says.
    Invite(Box<Invite>),
    /// Update an account. For an invitation: one that an earlier run had accepted, and that lacks the rest.
    Update {
        /// The account.
        account: ObjectId,
        /// The values that change.
        set: NewAccount,
        /// The names that are taken away.
        cleared: ClearedNames,
        /// Whether the account comes from this plan's invitation.
        of_invitation: bool,
    },
    /// Add an account to a group.
    Add {
        /// The group.
        group: ObjectId,
        /// Who.
        member: Member,
    },
    /// Remove an account from a group.
    Remove {
        /// The group.
        group: ObjectId,
        /// The account.
        account: ObjectId,
    },
}

/// Who is added to a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Member {
    /// An account that was there when the plan was made.
    Account(ObjectId),
    /// An account that this plan's invitation made in an earlier run.
    InvitedBefore(ObjectId, Address),
    /// The account that this plan's invitation of the address makes in this run.
    Invited(Address),
}

/// Judges every change of a reviewed plan.
pub fn verify(reviewed: &Plan, fresh: &Decision<'_>) -> Verification {
    let present = Present::new(reviewed, fresh);
    let limits = limits_in_force(&fresh.draft.inputs.settings.limits, &reviewed.overrides);
    let too_many_invitations = check_invitations(reviewed.summary.invite, &limits).is_some();
    let mut invitations = BTreeMap::new();
    let verdicts: Vec<Verdict> = reviewed
        .changes
        .iter()
        .map(|change| match change {
            Change::Invite(invite) => {
                let verdict = match present.judge_invite(invite) {
                    Verdict::Execute(Task::Invite(_)) if too_many_invitations => settled(
                        Outcome::Conflict,
                        "the plan holds more invitations than the configuration allows",
                    ),
                    verdict => verdict,
                };
                invitations.insert(invite.email.clone(), verdict.clone());
                verdict
            }
            Change::Update(update) => present.judge_update(update),
            Change::Add(add) => present.judge_add(add, &invitations),
            Change::Remove(remove) => present.judge_remove(remove),
        })
        .collect();
    let keep_a_member = fresh.draft.groups.iter().filter(|group| !group.allow_empty);
    let members = keep_a_member.map(|group| (group.azure.id.clone(), group.azure.members.len()));
    let mut verification = Verification {
        verdicts,
        members: members.collect(),
        further_changes: count_further(reviewed, fresh),
    };
    hold_back_removals(&reviewed.changes, &mut verification);
    verification
}

/// Returns why the account that an invitation was answered with is not the one that it should have made, if so.
pub fn misfit(account: &Account, email: &Address, protected: &[String]) -> Option<String> {
    if !account.is_invited() {
        Some("does not come from an invitation".to_owned())
    } else if is_protected(account, protected) {
        Some("is protected".to_owned())
    } else if !addresses_of(account).contains(email) {
        Some(format!("does not have the address {email}"))
    } else {
        None
    }
}

/// Whether an account is what an invitation of the address makes: an invitation gives its address to `mail` and the user principal name. An
/// older account that has only been given it as another address since is not the one that was approved.
fn is_of_invitation(account: &Account, address: &Address) -> bool {
    let has_address = |attribute| {
        values(account, attribute)
            .iter()
            .any(|value| value == address.as_str())
    };
    account.is_invited()
        && (has_address(MatchAttribute::Mail) || has_address(MatchAttribute::UserPrincipalName))
}

pub(crate) fn settled(outcome: Outcome, reason: impl Into<String>) -> Verdict {
    Verdict::Settled(outcome, reason.into())
}

/// The directories as they are now, with ways to look things up.
struct Present<'d, 'a> {
    fresh: &'d Decision<'a>,
    reviewed: &'d Plan,
    invites: BTreeMap<&'d Address, &'d Invite>,
    updates: BTreeMap<&'d ObjectId, &'d Update>,
    adds: BTreeMap<(&'d ObjectId, &'d Address), &'d Add>,
    removes: BTreeMap<(&'d ObjectId, &'d ObjectId), &'d Remove>,
    blocked: BTreeSet<&'d ObjectId>,
    people: BTreeMap<&'d Address, (&'a PersonId, &'d Matched<'a>)>,
    groups: BTreeMap<&'a ObjectId, &'d MappedGroup<'a>>,
}

impl<'d, 'a> Present<'d, 'a> {
    fn new(reviewed: &'d Plan, fresh: &'d Decision<'a>) -> Self {
        let mut present = Self {
            reviewed,
            fresh,
            invites: BTreeMap::new(),
            updates: BTreeMap::new(),
            adds: BTreeMap::new(),
            removes: BTreeMap::new(),
            blocked: fresh
                .blocks
                .iter()
                .filter_map(|block| Some(&block.group.as_ref()?.id))
                .collect(),
            people: BTreeMap::new(),
            groups: fresh
                .draft
                .groups
                .iter()
                .map(|group| (&group.azure.id, group))
                .collect(),
        };
        for change in &fresh.changes {
            match change {
                Change::Invite(invite) => {
                    present.invites.insert(&invite.email, invite);
                }
                Change::Update(update) => {
                    present.updates.insert(&update.account.id, update);
                }
                Change::Add(add) => {
                    present
                        .adds
                        .insert((&add.group.id, &add.account.email), add);
                }
                Change::Remove(remove) => {
                    present
                        .removes
                        .insert((&remove.group.id, &remove.account.id), remove);
                }
            }
        }
        for (id, matched) in &fresh.draft.matching.people {
            if let Standing::HasAccount(address, _) | Standing::HasNone(address) = &matched.standing
            {
                present.people.insert(address, (id, matched));
            }
        }
        present
    }

    fn judge_invite(&self, reviewed: &Invite) -> Verdict {
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
            return settled(
                Outcome::Conflict,
                format!(
                    "the person has the account {} since the review, which does not come from an invitation of this address",
                    account.id
                ),
            );
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
        if !account
            .created
            .is_some_and(|created| self.reviewed.is_before(created))
        {
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

    fn judge_update(&self, reviewed: &Update) -> Verdict {
        let id = &reviewed.account.id;
        let matching = &self.fresh.draft.matching;
        if matching.left_alone.contains(id) {
            return settled(
                Outcome::Conflict,
                "it is not clear any more whose account this is; plan again to see the problem",
            );
        }
        if matching.protected.contains(id) {
            return settled(
                Outcome::Conflict,
                "the account is protected since the review",
            );
        }
        let owner = matching
            .people
            .iter()
            .find_map(|(person, matched)| match &matched.standing {
                Standing::HasAccount(address, account) if account.id == *id => {
                    Some((*person, address, *account))
                }
                _ => None,
            });
        let Some((person, address, account)) = owner else {
            return self.judge_update_without_owner(reviewed);
        };
        // What people reviewed is the address.
        if address.as_str() != reviewed.account.email {
            return settled(
                Outcome::Conflict,
                format!("the account is that of {address} now"),
            );
        }
        let fresh = self.updates.get(id).map(|update| &update.fields);
        if fresh.is_none() && !self.is_wanted_in_managed_group(person) {
            return self.not_wanted_where_managed(person);
        }
        let on_premises = account.on_premises && fresh.is_none();
        let mut set = NewAccount {
            user_type: None,
            display_name: None,
            given_name: None,
            surname: None,
        };
        let Fields {
            user_type,
            display_name,
            given_name,
            surname,
        } = &reviewed.fields;
        let verdicts = [
            judge_field(
                user_type.as_ref(),
                fresh.and_then(|f| f.user_type.as_ref()),
                account.user_type.as_ref(),
                &mut set.user_type,
                |a, b| a == b,
            ),
            judge_field(
                display_name.as_ref(),
                fresh.and_then(|f| f.display_name.as_ref()),
                account.display_name.as_ref(),
                &mut set.display_name,
                is_same_name,
            ),
            judge_field(
                given_name.as_ref(),
                fresh.and_then(|f| f.given_name.as_ref()),
                account.given_name.as_ref(),
                &mut set.given_name,
                is_same_name,
            ),
            judge_field(
                surname.as_ref(),
                fresh.and_then(|f| f.surname.as_ref()),
                account.surname.as_ref(),
                &mut set.surname,
                is_same_name,
            ),
        ];
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
        } else if has(FieldVerdict::NotWanted) && on_premises {
            settled(
                Outcome::Conflict,
                "the account is synchronised from an on-premises directory since the review",
            )
        } else if has(FieldVerdict::NotWanted) && self.has_long_name(person) {
            settled(
                Outcome::Conflict,
                "a name is too long now; plan again to see the problem",
            )
        } else if has(FieldVerdict::NotWanted) {
            settled(
                Outcome::NotWanted,
                "Keycloak does not ask for this any more",
            )
        } else {
            settled(Outcome::AlreadyDone, "")
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
        let problem = owner
            .as_ref()
            .and_then(|address| self.left_alone_with(address, None));
        if let Some(problem) = problem {
            return settled(Outcome::Conflict, problem);
        }
        match owner
            .and_then(|address| self.people.get(&address))
            .map(|(_, matched)| &matched.standing)
        {
            Some(Standing::HasAccount(_, other)) => settled(
                Outcome::Conflict,
                format!(
                    "the person has another account since the review: {}",
                    other.id
                ),
            ),
            Some(Standing::HasNone(_)) => {
                settled(Outcome::Conflict, "the account is gone since the review")
            }
            Some(Standing::LeftAlone) | None => settled(
                Outcome::NotWanted,
                "nobody who counts in a mapped group has this account any more",
            ),
        }
    }

    fn judge_add(&self, reviewed: &Add, invitations: &BTreeMap<Address, Verdict>) -> Verdict {
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
            return settled(
                Outcome::Conflict,
                format!(
                    "the person has another account since the review: {}",
                    account.id
                ),
            );
        }
        if let (None, Some(account)) = (&reviewed.account.id, account)
            && !is_of_invitation(account, email)
        {
            return settled(
                Outcome::Conflict,
                format!(
                    "the person has the account {} since the review, which does not come from an invitation of this address",
                    account.id
                ),
            );
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
            return settled(
                Outcome::Conflict,
                "a safety limit blocks this group now; plan again to see it",
            );
        }
        let member = match (&reviewed.account.id, &fresh.account.id) {
            (Some(reviewed), Some(_)) => Member::Account(reviewed.clone()),
            (Some(_), None) => {
                return settled(Outcome::Conflict, "the account is gone since the review");
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
            None => {
                match self.left_alone_with(&reviewed.account.email, reviewed.account.id.as_ref()) {
                    Some(problem) => settled(Outcome::Conflict, problem),
                    None => settled(
                        Outcome::NotWanted,
                        "nobody who counts in a mapped group has this address any more",
                    ),
                }
            }
        }
    }

    fn judge_remove(&self, reviewed: &Remove) -> Verdict {
        let (group_id, account_id) = (&reviewed.group.id, &reviewed.account.id);
        let group = match self.managed_group(&reviewed.group) {
            Ok(group) => group,
            Err(verdict) => return verdict,
        };
        if !group.azure.members.contains(account_id) {
            return settled(Outcome::AlreadyDone, "");
        }
        if self.blocked.contains(group_id) {
            return settled(
                Outcome::Conflict,
                "a safety limit blocks this group now; plan again to see it",
            );
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
                    format!("the account is that of {} now", fresh.account.email),
                )
            };
        }
        let matching = &self.fresh.draft.matching;
        if matching.left_alone.contains(account_id) {
            return settled(
                Outcome::Conflict,
                "it is not clear any more whose account this is; plan again to see the problem",
            );
        }
        if matching.protected.contains(account_id) {
            return settled(
                Outcome::Conflict,
                "the account is protected since the review",
            );
        }
        let owner = matching.owners.get(account_id);
        let wanted_in = owner.and_then(|owner| group.first_source_of(owner));
        if let Some(path) = wanted_in {
            return settled(
                Outcome::NotWanted,
                format!("the person is in {path} again since the review"),
            );
        }
        if group.removals == crate::settings::RemovalPolicy::None {
            return settled(Outcome::NotWanted, "the mapping removes nobody any more");
        }
        settled(
            Outcome::Conflict,
            "it is not proved any more that this account has to go; plan again to see what is missing",
        )
    }

    /// The mapped group, if the plan may still change it.
    fn managed_group(&self, name: &GroupName) -> Result<&'d MappedGroup<'a>, Verdict> {
        let Some(group) = self.groups.get(&name.id).copied() else {
            return Err(settled(
                Outcome::NotWanted,
                format!("no mapping leads to {} any more", name.name),
            ));
        };
        if group.obstacle.is_some() {
            return Err(settled(
                Outcome::Conflict,
                format!(
                    "the members of {} cannot be managed any more; plan again to see the problem",
                    name.name
                ),
            ));
        }
        // What people reviewed is the name.
        if group.azure.name != name.name {
            return Err(settled(
                Outcome::Conflict,
                format!("the group {} is called {} now", name.id, group.azure.name),
            ));
        }
        if !group.in_scope {
            return Err(settled(
                Outcome::Conflict,
                format!("{} is not in the scope of this plan", name.name),
            ));
        }
        Ok(group)
    }

    fn is_wanted_in_managed_group(&self, person: &PersonId) -> bool {
        let mut managed = self
            .fresh
            .draft
            .groups
            .iter()
            .filter(|group| group.is_managed());
        managed.any(|group| group.first_source_of(person).is_some())
    }

    /// The person counts somewhere, but in no group that this plan may change.
    fn not_wanted_where_managed(&self, person: &PersonId) -> Verdict {
        let mut groups = self.fresh.draft.groups.iter();
        let obstructed =
            groups.find(|group| group.in_scope && group.first_source_of(person).is_some());
        match obstructed {
            Some(group) => settled(
                Outcome::Conflict,
                format!(
                    "the members of {} cannot be managed any more; plan again to see the problem",
                    group.azure.name
                ),
            ),
            None => settled(
                Outcome::NotWanted,
                "the person counts in none of the groups of this plan any more",
            ),
        }
    }

    fn problem_of(&self, person: &PersonId) -> String {
        let problems = &self.fresh.draft.matching.problems;
        let problem = problems
            .iter()
            .find(|problem| problem.people.contains(&person));
        problem.map_or_else(
            || {
                "it is not clear any more whose account this is; plan again to see the problem"
                    .to_owned()
            },
            |problem| format!("{} {}", problem.problem.subject, problem.problem.message),
        )
    }

    /// The problem of somebody who is left alone and was the person of a reviewed change, by address or account.
    fn left_alone_with(&self, email: &Address, account: Option<&ObjectId>) -> Option<String> {
        let matching = &self.fresh.draft.matching;
        if account.is_some_and(|id| matching.left_alone.contains(id)) {
            return Some(
                "it is not clear any more whose account this is; plan again to see the problem"
                    .to_owned(),
            );
        }
        let settings = self.fresh.draft.inputs.settings;
        let left_alone = matching
            .people
            .iter()
            .filter(|(_, matched)| matched.standing == Standing::LeftAlone);
        let person = left_alone
            .filter(|(_, matched)| {
                crate::matching::address_of(matched.person, settings).as_ref() == Some(email)
            })
            .map(|(id, _)| *id)
            .min()?;
        Some(self.problem_of(person))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FieldVerdict {
    Execute,
    AlreadyDone,
    NotWanted,
    Conflict,
}

#[expect(
    clippy::ptr_arg,
    reason = "it compares the values of a field as they are"
)]
fn is_same_name(a: &String, b: &String) -> bool {
    comparable(a) == comparable(b)
}

fn judge_field<T: Clone + PartialEq>(
    reviewed: Option<&FieldChange<T>>,
    fresh: Option<&FieldChange<T>>,
    now: Option<&T>,
    set: &mut Option<T>,
    is_same: fn(&T, &T) -> bool,
) -> Option<FieldVerdict> {
    let reviewed = reviewed?;
    Some(match fresh {
        Some(fresh) if fresh == reviewed => {
            set.clone_from(&reviewed.after);
            FieldVerdict::Execute
        }
        Some(_) => FieldVerdict::Conflict,
        None if now
            .zip(reviewed.after.as_ref())
            .is_some_and(|(now, after)| is_same(now, after)) =>
        {
            FieldVerdict::AlreadyDone
        }
        None => FieldVerdict::NotWanted,
    })
}

fn after_values(fields: &Fields) -> NewAccount {
    let Fields {
        user_type,
        display_name,
        given_name,
        surname,
    } = fields;
    let after = |change: &Option<FieldChange<String>>| {
        change.as_ref().and_then(|change| change.after.clone())
    };
    NewAccount {
        user_type: user_type.as_ref().and_then(|change| change.after),
        display_name: after(display_name),
        given_name: after(given_name),
        surname: after(surname),
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

fn count_further(reviewed: &Plan, fresh: &Decision<'_>) -> usize {
    let mut invites = BTreeSet::new();
    let mut updates = BTreeMap::new();
    let mut adds = BTreeSet::new();
    let mut removes = BTreeSet::new();
    for change in &reviewed.changes {
        match change {
            Change::Invite(invite) => {
                invites.insert(invite.email.as_str());
            }
            Change::Update(update) => {
                updates.insert(&update.account.id, &update.fields);
            }
            Change::Add(add) => {
                adds.insert((&add.group.id, &add.account.email));
            }
            Change::Remove(remove) => {
                removes.insert((&remove.group.id, &remove.account.id));
            }
        }
    }
    let is_further_update = |update: &Update| match updates.get(&update.account.id) {
        // What an invitation of the plan left to do is covered by the invitation.
        None => !invites.contains(update.account.email.as_str()),
        Some(reviewed) => {
            let Fields {
                user_type,
                display_name,
                given_name,
                surname,
            } = &update.fields;
            (user_type.is_some() && reviewed.user_type.is_none())
                || (display_name.is_some() && reviewed.display_name.is_none())
                || (given_name.is_some() && reviewed.given_name.is_none())
                || (surname.is_some() && reviewed.surname.is_none())
        }
    };
    let is_further = |change: &&Change| match change {
        Change::Invite(invite) => !invites.contains(invite.email.as_str()),
        Change::Update(update) => is_further_update(update),
        Change::Add(add) => !adds.contains(&(&add.group.id, &add.account.email)),
        Change::Remove(remove) => !removes.contains(&(&remove.group.id, &remove.account.id)),
    };
    fresh.changes.iter().filter(is_further).count()
}
