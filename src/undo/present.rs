//! Entra as it is, and how the object of a change is now: as the run left it, as before the run, or neither.

use std::collections::{BTreeMap, BTreeSet};

use super::groups_of_run;
use crate::group_names::{GroupNames, id_and_name, is_among, leads_to};
use crate::guard::{check_last_member, check_number_of_removals, limits_in_force};
use crate::matching::{addresses_of, comparable, is_protected};
use crate::model::{Address, ObjectId, UserType, fold};
use crate::plan::{
    AccountName, Add, Block, Change, ClearedNames, FieldChange, Fields, GroupName, NewAccount,
    Overrides, PlannedGroup, Remove, Update, movements,
};
use crate::report::{Run, Step, Subject};
use crate::settings::{Limits, Mapping, Settings};
use crate::snapshot::{Account, EntraGroup, EntraSnapshot};
use crate::verify::{Member, Task};

/// Entra as it is, and what the configuration says about it.
#[derive(Debug, Clone)]
pub struct Present<'a> {
    settings: &'a Settings,
    overrides: &'a Overrides,
    may_manage_role_assignable: bool,
    groups: BTreeMap<&'a ObjectId, &'a EntraGroup>,
    names: GroupNames<'a>,
    accounts: BTreeMap<&'a ObjectId, &'a Account>,
}

/// How the object of a change that takes something back is now.
pub(super) enum State {
    /// As the run left it, with what is to be written.
    AsTheRunLeftIt(Task),
    /// As before the run.
    AsBefore,
    /// Neither, with the reason as a sentence.
    Otherwise(String),
}

impl<'a> Present<'a> {
    /// Takes a snapshot of the groups and accounts concerned, as far as they are there, what the configuration protects and limits, and
    /// what is lifted for the plan.
    pub fn new(entra: &'a EntraSnapshot, settings: &'a Settings, overrides: &'a Overrides) -> Self {
        let (groups, accounts) = (entra.groups.iter(), entra.accounts.iter());
        Self {
            settings,
            overrides,
            may_manage_role_assignable: entra.may_manage_role_assignable,
            groups: groups.map(|group| (&group.id, group)).collect(),
            names: GroupNames::of_groups(&entra.groups, &settings.mappings),
            accounts: accounts.map(|account| (&account.id, account)).collect(),
        }
    }

    /// The account of a write, by what people know it by now: the address that the report has, as long as it is one of the account's, or
    /// else the account's own. Somebody who left may have had another address in Keycloak than in Entra.
    pub(super) fn account_of(&self, step: &Step) -> Option<AccountName> {
        let Subject {
            id,
            email,
            display_name,
        } = &step.account;
        let id = id.clone()?;
        let Some(account) = self.accounts.get(&id) else {
            return Some(AccountName {
                id,
                email: email.clone(),
                display_name: display_name.clone(),
            });
        };
        let is_address = |text: &String| text.parse::<Address>().is_ok();
        let now = [
            Some(email.clone()).filter(|email| has_address(account, email)),
            account.mail.clone(),
            Some(account.user_principal_name.clone()),
        ]
        .into_iter()
        .flatten()
        .chain(addresses_of(account).iter().map(ToString::to_string))
        .find(is_address);
        Some(AccountName {
            id,
            email: now.unwrap_or_else(|| email.clone()),
            display_name: account.display_name.clone(),
        })
    }

    pub(super) fn state(&self, change: &Change) -> State {
        match change {
            Change::Invite(_) => State::Otherwise("an invitation is not taken back".to_owned()),
            Change::Update(update) => self.state_of_update(update),
            Change::Add(add) => self.state_of_add(add),
            Change::Remove(remove) => self.state_of_remove(remove),
        }
    }

    fn state_of_add(&self, add: &Add) -> State {
        let group = match self.group(&add.group) {
            Ok(group) => group,
            Err(reason) => return State::Otherwise(reason),
        };
        let Some(id) = &add.account.id else {
            return State::Otherwise("the plan does not say which account".to_owned());
        };
        if group.members.contains(id) {
            return State::AsBefore;
        }
        match self.account(id, add.account.email.as_str()) {
            Ok(_) => State::AsTheRunLeftIt(Task::Add {
                group: group.id.clone(),
                member: Member::Account(id.clone()),
            }),
            Err(reason) => State::Otherwise(reason),
        }
    }

    fn state_of_remove(&self, remove: &Remove) -> State {
        let group = match self.group(&remove.group) {
            Ok(group) => group,
            Err(reason) => return State::Otherwise(reason),
        };
        let id = &remove.account.id;
        if !group.members.contains(id) {
            return State::AsBefore;
        }
        match self.account(id, &remove.account.email) {
            Ok(_) => State::AsTheRunLeftIt(Task::Remove {
                group: group.id.clone(),
                account: id.clone(),
            }),
            Err(reason) => State::Otherwise(reason),
        }
    }

    fn state_of_update(&self, update: &Update) -> State {
        let id = &update.account.id;
        let account = match self.account(id, &update.account.email) {
            Ok(account) => account,
            Err(reason) => return State::Otherwise(reason),
        };
        if account.on_premises {
            return State::Otherwise(
                "the account is synchronised from an on-premises directory now".to_owned(),
            );
        }
        let Fields {
            user_type,
            display_name,
            given_name,
            surname,
        } = &update.fields;
        let is_same_type = |a: Option<&UserType>, b: Option<&UserType>| a == b;
        let states = [
            field(user_type.as_ref(), account.user_type.as_ref(), is_same_type),
            field(
                display_name.as_ref(),
                account.display_name.as_ref(),
                is_same_name,
            ),
            field(
                given_name.as_ref(),
                account.given_name.as_ref(),
                is_same_name,
            ),
            field(surname.as_ref(), account.surname.as_ref(), is_same_name),
        ];
        if states.contains(&Some(FieldState::Otherwise)) {
            return State::Otherwise(
                "the account has another value than the run gave it".to_owned(),
            );
        }
        let [of_type, of_display_name, of_given_name, of_surname] =
            states.map(|state| state == Some(FieldState::AsTheRunLeftIt));
        if !(of_type || of_display_name || of_given_name || of_surname) {
            return State::AsBefore;
        }
        let due = |is_due: bool, change: &Option<FieldChange<String>>| {
            let change = change.as_ref().filter(|_| is_due)?;
            Some(change.after.clone())
        };
        let (given_name, surname) = (due(of_given_name, given_name), due(of_surname, surname));
        State::AsTheRunLeftIt(Task::Update {
            account: id.clone(),
            set: NewAccount {
                user_type: user_type
                    .as_ref()
                    .filter(|_| of_type)
                    .and_then(|change| change.after),
                display_name: due(of_display_name, display_name).flatten(),
                given_name: given_name.clone().flatten(),
                surname: surname.clone().flatten(),
            },
            cleared: ClearedNames {
                given_name: given_name == Some(None),
                surname: surname == Some(None),
            },
            of_invitation: false,
        })
    }

    /// The group, if its members may still be changed.
    fn group(&self, name: &GroupName) -> Result<&'a EntraGroup, String> {
        let group = *self
            .groups
            .get(&name.id)
            .ok_or_else(|| "the group does not exist any more".to_owned())?;
        // What people reviewed is the name.
        if group.name != name.name {
            return Err(format!("the group is called {} now", group.name));
        }
        match group.obstacle(self.may_manage_role_assignable) {
            Some(_) => Err("the members of the group cannot be managed any more".to_owned()),
            None => Ok(group),
        }
    }

    /// The account, if it is still the one that people reviewed and may be touched.
    fn account(&self, id: &ObjectId, email: &str) -> Result<&'a Account, String> {
        let account = *self
            .accounts
            .get(id)
            .ok_or_else(|| "the account does not exist any more".to_owned())?;
        if is_protected(account, &self.settings.protected) {
            return Err("the account is protected".to_owned());
        }
        if !has_address(account, email) {
            return Err(format!(
                "the account does not have the address {email} any more"
            ));
        }
        Ok(account)
    }

    fn may_become_empty(&self, group: &EntraGroup) -> bool {
        if is_among(&self.overrides.allow_empty, group) {
            return true;
        }
        let name = id_and_name(group);
        let mut mappings = self.mappings_of(&name).peekable();
        mappings.peek().is_some() && mappings.all(|mapping| mapping.allow_empty)
    }

    fn mappings_of(&self, group: &GroupName) -> impl Iterator<Item = &'a Mapping> {
        let mappings = self.settings.mappings.iter();
        mappings.filter(|mapping| leads_to(mapping, group))
    }

    /// The groups of changes that no mapping leads to, by name. Every other plan changes mapped groups alone.
    pub(super) fn groups_not_mapped<'c>(&self, changes: &'c [Change]) -> BTreeSet<&'c GroupName> {
        let groups = changes.iter().filter_map(|change| match change {
            Change::Add(Add { group, .. }) | Change::Remove(Remove { group, .. }) => Some(group),
            Change::Invite(_) | Change::Update(_) => None,
        });
        groups
            .filter(|group| self.mappings_of(group).next().is_none())
            .collect()
    }

    /// The groups that a run wrote to, with what changes make of them.
    pub(super) fn planned_groups(&self, run: &Run, changes: &[Change]) -> Vec<PlannedGroup> {
        let concerned = groups_of_run(run);
        let movements = movements(changes);
        let groups = self.groups_by_name().into_iter();
        groups
            .filter(|group| concerned.contains(&group.id))
            .map(|group| {
                let (joining, losing) = movements.get(&group.id).copied().unwrap_or_default();
                PlannedGroup {
                    keycloak: Vec::new(),
                    azure: id_and_name(group),
                    members_before: group.members.len(),
                    members_after: (group.members.len() + joining).saturating_sub(losing),
                    other_members: group.other_members,
                }
            })
            .collect()
    }

    /// The limits that changes exceed, of those that are still to be made.
    pub(super) fn blocks(&self, changes: &[Change]) -> Vec<Block> {
        let limits: Limits = limits_in_force(&self.settings.limits, self.overrides);
        let is_due = |change: &&Change| matches!(self.state(change), State::AsTheRunLeftIt(_));
        let due: Vec<Change> = changes.iter().filter(is_due).cloned().collect();
        let movements = movements(&due);
        let mut blocks = Vec::new();
        for group in self.groups_by_name() {
            let (joining, losing) = movements.get(&group.id).copied().unwrap_or_default();
            if losing == 0 {
                continue;
            }
            let (name, members) = (id_and_name(group), group.members.len());
            if joining == 0 && !self.may_become_empty(group) {
                let flag_name = self.names.flag_name(group);
                blocks.extend(check_last_member(&name, members, losing, flag_name));
            }
            blocks.extend(check_number_of_removals(
                &name, members, losing, &limits, "",
            ));
        }
        blocks
    }

    fn groups_by_name(&self) -> Vec<&'a EntraGroup> {
        let mut groups: Vec<&EntraGroup> = self.groups.values().copied().collect();
        groups.sort_by_key(|group| (&group.name, &group.id));
        groups
    }

    /// The groups that have to keep a member, with how many they have now.
    pub(super) fn groups_that_keep_a_member(&self) -> BTreeMap<ObjectId, usize> {
        let groups = self.groups.values();
        groups
            .filter(|group| !self.may_become_empty(group))
            .map(|group| (group.id.clone(), group.members.len()))
            .collect()
    }
}

fn has_address(account: &Account, email: &str) -> bool {
    let is_same = |own: &str| fold(own) == fold(email);
    let own = [Some(&account.user_principal_name), account.mail.as_ref()];
    own.into_iter().flatten().any(|own| is_same(own))
        || email
            .parse::<Address>()
            .is_ok_and(|email| addresses_of(account).contains(&email))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FieldState {
    AsTheRunLeftIt,
    AsBefore,
    Otherwise,
}

fn field<T>(
    change: Option<&FieldChange<T>>,
    now: Option<&T>,
    is_same: impl Fn(Option<&T>, Option<&T>) -> bool,
) -> Option<FieldState> {
    let FieldChange { before, after } = change?;
    Some(if is_same(now, before.as_ref()) {
        FieldState::AsTheRunLeftIt
    } else if is_same(now, after.as_ref()) {
        FieldState::AsBefore
    } else {
        FieldState::Otherwise
    })
}

fn is_same_name(a: Option<&String>, b: Option<&String>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => comparable(a) == comparable(b),
        (a, b) => a == b,
    }
}
