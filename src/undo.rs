//! Takes back what one run of apply did: decides what a plan for that holds, and judges it against Entra as it is when it is applied.
//!
//! What Keycloak wants does not count here. A change is taken back if its object is still as that run left it, is done already if it is
//! as before the run, and is left alone otherwise. Invitations are listed and not taken back.

use std::collections::{BTreeMap, BTreeSet};

use crate::guard::{check_last_member, check_number_of_removals, limits_in_force};
use crate::matching::{addresses_of, comparable, is_protected};
use crate::model::{Address, ObjectId, UserType, fold};
use crate::plan::{
    AccountName, Add, Block, Change, ClearedNames, FieldChange, Fields, GroupName, NewAccount,
    NewMember, Overrides, Plan, PlannedGroup, Problem, ProblemCode, RemovalReason, Remove, Summary,
    Update,
};
use crate::report::{Outcome, ReportedOutcome, Run, Step, Subject, Write};
use crate::settings::{Limits, Mapping, Settings};
use crate::snapshot::{Account, EntraGroup, EntraSnapshot};
use crate::verify::{Member, Task, Verdict, Verification, hold_back_removals, settled};

/// How many changes of a run that was cut off are named one by one.
const SHOWN_CHANGES: usize = 20;

/// Entra as it is, and what the configuration says about it.
#[derive(Debug, Clone)]
pub struct Present<'a> {
    settings: &'a Settings,
    overrides: &'a Overrides,
    may_manage_role_assignable: bool,
    groups: BTreeMap<&'a ObjectId, &'a EntraGroup>,
    accounts: BTreeMap<&'a ObjectId, &'a Account>,
}

/// What a plan that takes a run back is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undoing {
    /// The totals. What is as before the run already counts as unchanged.
    pub summary: Summary,
    /// The groups, by name.
    pub groups: Vec<PlannedGroup>,
    /// The changes, in the order in which they are carried out.
    pub changes: Vec<Change>,
    /// The limits that they exceed.
    pub blocks: Vec<Block>,
    /// What is not taken back, and why.
    pub problems: Vec<Problem>,
}

/// Decides how to take back what a run did. Its lines have to fit together ([`Run::contradiction`]).
pub fn undo(run: &Run, present: &Present<'_>) -> Undoing {
    let is_invited = |number: usize| {
        let mut steps = run.steps.iter();
        steps.any(|step| step.change == number && step.is_of_invitation())
    };
    let open = run
        .outcomes
        .iter()
        .filter(|reported| !is_invited(reported.outcome.change));
    let mut problems: Vec<Problem> = open.filter_map(not_known).collect();
    problems.extend(cut_off(run));
    let mut changes = Vec::new();
    let mut unchanged = 0;
    for step in &run.steps {
        problems.extend(value_not_restorable(step));
        let change = match present.reversed(step, run) {
            Ok(Some(change)) => change,
            Ok(None) => continue,
            Err(problem) => {
                problems.push(problem);
                continue;
            }
        };
        match present.state(&change) {
            State::AsTheRunLeftIt(task) => changes.push(as_due(change, &task)),
            State::AsBefore => unchanged += 1,
            State::Otherwise(reason) => problems.push(changed_since(&change, &reason)),
        }
    }
    changes.sort_by(|a, b| order(a).cmp(&order(b)));
    let groups = present.planned_groups(run, &changes);
    problems.extend(present.groups_not_mapped(&changes));
    problems.sort();
    problems.dedup();
    let blocks = present.blocks(&changes);
    let mut summary = Summary {
        unchanged,
        problems: problems.len(),
        blocks: blocks.len(),
        ..Summary::default()
    };
    for change in &changes {
        *match change {
            Change::Invite(_) => &mut summary.invite,
            Change::Update(_) => &mut summary.update,
            Change::Add(_) => &mut summary.add,
            Change::Remove(_) => &mut summary.remove,
        } += 1;
    }
    Undoing {
        summary,
        groups,
        changes,
        blocks,
        problems,
    }
}

/// Judges every change of a reviewed plan that takes a run back.
pub fn verify(reviewed: &Plan, present: &Present<'_>) -> Verification {
    let blocked: BTreeSet<ObjectId> = present
        .blocks(&reviewed.changes)
        .into_iter()
        .filter_map(|block| Some(block.group?.id))
        .collect();
    // Its readers were told of each group that no mapping led to.
    let told: BTreeSet<&str> = reviewed
        .problems
        .iter()
        .filter(|problem| problem.code == ProblemCode::GroupNotMapped)
        .map(|problem| problem.subject.as_str())
        .collect();
    let untold: BTreeSet<String> = present
        .groups_not_mapped(&reviewed.changes)
        .into_iter()
        .map(|problem| problem.subject)
        .filter(|name| !told.contains(name.as_str()))
        .collect();
    let is_untold = |change: &Change| match change {
        Change::Add(Add { group, .. }) | Change::Remove(Remove { group, .. }) => {
            untold.contains(&group.name)
        }
        Change::Invite(_) | Change::Update(_) => false,
    };
    let judge = |change: &Change| match present.state(change) {
        State::AsTheRunLeftIt(_) if is_untold(change) => settled(
            Outcome::Conflict,
            "no mapping leads to the group, and the plan does not say so; undo the run again",
        ),
        State::AsTheRunLeftIt(Task::Remove { group, .. }) if blocked.contains(&group) => settled(
            Outcome::Conflict,
            "a safety limit blocks this group now; undo the run again to see it",
        ),
        State::AsTheRunLeftIt(task) => Verdict::Execute(task),
        State::AsBefore => settled(Outcome::AlreadyDone, ""),
        State::Otherwise(reason) => settled(Outcome::Conflict, reason),
    };
    let mut verdicts: Vec<Verdict> = reviewed.changes.iter().map(judge).collect();
    hold_back_removals(&reviewed.changes, &mut verdicts);
    let keep_a_member = present.groups.values();
    let members = keep_a_member
        .filter(|group| !present.may_become_empty(group))
        .map(|group| (group.id.clone(), group.members.len()))
        .collect();
    Verification {
        verdicts,
        members,
        further_changes: 0,
    }
}

/// The groups that a run wrote to.
pub fn groups_of_run(run: &Run) -> BTreeSet<&ObjectId> {
    let groups = run.steps.iter().filter_map(|step| step.group.as_ref());
    groups.map(|group| &group.id).collect()
}

/// The accounts that a run wrote to.
pub fn accounts_of_run(run: &Run) -> BTreeSet<&ObjectId> {
    let accounts = run.steps.iter();
    accounts
        .filter_map(|step| step.account.id.as_ref())
        .collect()
}

/// The groups that a plan changes.
pub fn groups_of_plan(plan: &Plan) -> BTreeSet<&ObjectId> {
    plan.groups.iter().map(|group| &group.azure.id).collect()
}

/// The accounts that a plan changes.
pub fn accounts_of_plan(plan: &Plan) -> BTreeSet<&ObjectId> {
    let accounts = plan.changes.iter().filter_map(|change| match change {
        Change::Invite(_) => None,
        Change::Update(update) => Some(&update.account.id),
        Change::Add(add) => add.account.id.as_ref(),
        Change::Remove(remove) => Some(&remove.account.id),
    });
    accounts.collect()
}

/// The fields the other way round, without those that Entra does not let be absent.
fn reversed_fields(fields: &Fields) -> Fields {
    fn reversed<T: Clone>(change: Option<&FieldChange<T>>) -> Option<FieldChange<T>> {
        change.map(|FieldChange { before, after }| FieldChange {
            before: after.clone(),
            after: before.clone(),
        })
    }
    Fields {
        user_type: reversed(fields.user_type.as_ref()).filter(|change| change.after.is_some()),
        display_name: reversed(fields.display_name.as_ref())
            .filter(|change| change.after.is_some()),
        given_name: reversed(fields.given_name.as_ref()),
        surname: reversed(fields.surname.as_ref()),
    }
}

/// What somebody is told whose account had no value where Entra requires one.
fn value_not_restorable(step: &Step) -> Option<Problem> {
    let Fields {
        user_type,
        display_name,
        given_name: _,
        surname: _,
    } = &step.fields;
    let had_no_type = user_type
        .as_ref()
        .is_some_and(|change| change.before.is_none());
    let had_no_name = display_name
        .as_ref()
        .is_some_and(|change| change.before.is_none());
    let what = match (had_no_type, had_no_name) {
        (true, true) => "user type and no display name",
        (true, false) => "user type",
        (false, true) => "display name",
        (false, false) => return None,
    };
    Some(Problem {
        code: ProblemCode::ValueNotRestorable,
        subject: named(&step.account),
        message: format!("had no {what} before the run, which Entra does not allow to be restored"),
        hint: Some("See whether the account is to keep what the run gave it.".to_owned()),
    })
}

/// What is said of what belongs to an invitation, which is not taken back.
fn invitation_not_undone(step: &Step, run: &Run) -> Problem {
    let account = step.account.id.as_ref().map(ToString::to_string);
    let account = account.unwrap_or_default();
    let mut outcomes = run.outcomes.iter().map(|reported| &reported.outcome);
    let of_change = outcomes.find(|outcome| outcome.change == step.change);
    let failed = of_change.filter(|outcome| outcome.outcome == Outcome::Failed);
    let (message, hint) = match (step.write, failed) {
        // It may be an account that was there before.
        (_, Some(failed)) => (
            format!(
                "was invited as account {account}; the run says of it: {}",
                failed.message
            ),
            "See whose account it is before anything is done about it.",
        ),
        (Write::Invited, None) => (
            format!("was invited as account {account}; an invitation is not taken back"),
            "Delete the account in Entra if nobody needs it.",
        ),
        (_, None) => (
            format!(
                "was invited earlier as account {account}, and got its values by this run; an invitation is not taken back"
            ),
            "Delete the account in Entra if nobody needs it.",
        ),
    };
    Problem {
        code: ProblemCode::InvitationNotUndone,
        subject: named(&step.account),
        message,
        hint: Some(hint.to_owned()),
    }
}

/// A change of which it is not known whether it was made is not taken back, and has to be looked at.
fn not_known(reported: &ReportedOutcome) -> Option<Problem> {
    let ReportedOutcome {
        outcome,
        account,
        group,
    } = reported;
    let of_group = group.as_ref().map(|group| format!(" ({})", group.name));
    outcome.uncertain.then(|| Problem {
        code: ProblemCode::OutcomeNotKnown,
        subject: named(account),
        message: format!(
            "{} of change {}{} had no answer: whether the run made it is not known, and it is not taken back",
            outcome.action,
            outcome.change,
            of_group.unwrap_or_default()
        ),
        hint: Some("Compare with Entra's audit log.".to_owned()),
    })
}

/// An update is taken back as far as it is still there.
fn as_due(change: Change, task: &Task) -> Change {
    match (change, task) {
        (Change::Update(update), Task::Update { set, cleared, .. }) => Change::Update(Update {
            fields: update.fields.only(set, *cleared),
            ..update
        }),
        (change, _) => change,
    }
}

/// What is to be known of a run that did not come to its end, or has not yet.
fn cut_off(run: &Run) -> Option<Problem> {
    let missing = run.without_outcome();
    let shown: Vec<String> = missing
        .iter()
        .take(SHOWN_CHANGES)
        .map(ToString::to_string)
        .collect();
    let more = if missing.len() > SHOWN_CHANGES {
        " and more"
    } else {
        ""
    };
    (run.end.is_none() && !missing.is_empty()).then(|| Problem {
        code: ProblemCode::RunCutOff,
        subject: format!("run {}", run.start.run_id),
        message: format!(
            "was killed, or is still going: {} of its {} changes have no outcome ({}{more}), and a write that was on its way is not recorded",
            missing.len(),
            run.start.changes,
            shown.join(", ")
        ),
        hint: Some(
            "Compare these with Entra's audit log: what is not in the report is not taken back."
                .to_owned(),
        ),
    })
}

fn changed(step: &Step, message: String) -> Problem {
    Problem {
        code: ProblemCode::ChangedSinceRun,
        subject: named(&step.account),
        message,
        hint: Some("Take it back by hand if need be.".to_owned()),
    }
}

fn changed_since(change: &Change, reason: &str) -> Problem {
    let (subject, group) = crate::report::object_of(change);
    let what = match (change, group) {
        (Change::Add(_), Some(group)) => format!("is not added to {} again", group.name),
        (Change::Remove(_), Some(group)) => format!("is not removed from {}", group.name),
        _ => "is not updated back".to_owned(),
    };
    Problem {
        code: ProblemCode::ChangedSinceRun,
        subject: named(&subject),
        message: format!("{what}: {reason}"),
        hint: None,
    }
}

fn named(subject: &Subject) -> String {
    let Subject {
        email,
        display_name,
        ..
    } = subject;
    display_name
        .as_ref()
        .map_or_else(|| email.clone(), |name| format!("{name} ({email})"))
}

/// By what changes are sorted: as in every plan, by kind, then by group and address.
fn order(change: &Change) -> (u8, &str, &str, &str) {
    match change {
        Change::Invite(invite) => (1, "", "", invite.email.as_str()),
        Change::Update(update) => (2, "", &update.account.email, update.account.id.as_str()),
        Change::Add(add) => (
            3,
            &add.group.name,
            add.group.id.as_str(),
            add.account.email.as_str(),
        ),
        Change::Remove(remove) => (
            4,
            &remove.group.name,
            remove.group.id.as_str(),
            &remove.account.email,
        ),
    }
}

/// How the object of a change that takes something back is now.
enum State {
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
            accounts: accounts.map(|account| (&account.id, account)).collect(),
        }
    }

    /// The change that takes a write back. An error is what is said of a write that cannot be; nothing is to be said of the second write
    /// for an invitation.
    fn reversed(&self, step: &Step, run: &Run) -> Result<Option<Change>, Problem> {
        if step.is_of_invitation() {
            let mut steps = run.steps.iter();
            let is_said = step.write == Write::Updated
                && steps.any(|other| other.change == step.change && other.write == Write::Invited);
            return if is_said {
                Ok(None)
            } else {
                Err(invitation_not_undone(step, run))
            };
        }
        let incomplete = || {
            let message = format!(
                "change {} of the run is not recorded completely",
                step.change
            );
            changed(step, message)
        };
        let id = step.account.id.clone().ok_or_else(incomplete)?;
        let account = AccountName {
            email: self.address_of(&id, &step.account.email),
            display_name: match self.accounts.get(&id) {
                Some(account) => account.display_name.clone(),
                None => step.account.display_name.clone(),
            },
            id,
        };
        if step.write == Write::Updated {
            let fields = reversed_fields(&step.fields);
            return Ok((!fields.is_empty()).then_some(Change::Update(Update { account, fields })));
        }
        let group = step.group.clone().ok_or_else(incomplete)?;
        if step.write == Write::Added {
            return Ok(Some(Change::Remove(Remove {
                group,
                account,
                because: RemovalReason::Undo,
            })));
        }
        let nameless = |_| changed(step, "has no address that the plan could name".to_owned());
        Ok(Some(Change::Add(Add {
            group,
            account: NewMember {
                email: account.email.parse().map_err(nameless)?,
                id: Some(account.id),
                display_name: account.display_name,
            },
            because: Vec::new(),
        })))
    }

    /// What people know the account by now: the address that the report has, as long as it is one of the account's, or else the
    /// account's own. Somebody who left may have had another address in Keycloak than in Entra.
    fn address_of(&self, id: &ObjectId, reported: &str) -> String {
        let Some(account) = self.accounts.get(id) else {
            return reported.to_owned();
        };
        let is_address = |text: &String| text.parse::<Address>().is_ok();
        [
            Some(reported.to_owned()).filter(|reported| has_address(account, reported)),
            account.mail.clone(),
            Some(account.user_principal_name.clone()),
        ]
        .into_iter()
        .flatten()
        .chain(addresses_of(account).iter().map(ToString::to_string))
        .find(is_address)
        .unwrap_or_else(|| reported.to_owned())
    }

    fn state(&self, change: &Change) -> State {
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
        let allowed = &self.overrides.allow_empty;
        if allowed.contains(&group.name) || allowed.contains(group.id.as_str()) {
            return true;
        }
        let mut mappings = self.mappings_of(&group.id, &group.name).peekable();
        mappings.peek().is_some() && mappings.all(|mapping| mapping.allow_empty)
    }

    fn mappings_of(&self, id: &ObjectId, name: &str) -> impl Iterator<Item = &'a Mapping> {
        let mappings = self.settings.mappings.iter();
        mappings.filter(move |mapping| {
            mapping.azure == name || mapping.azure.eq_ignore_ascii_case(id.as_str())
        })
    }

    /// Every other plan changes mapped groups alone, so whoever reads this one has to know.
    fn groups_not_mapped(&self, changes: &[Change]) -> Vec<Problem> {
        let is_mapped =
            |group: &GroupName| self.mappings_of(&group.id, &group.name).next().is_some();
        let groups: BTreeSet<&GroupName> = changes
            .iter()
            .filter_map(|change| match change {
                Change::Add(Add { group, .. }) | Change::Remove(Remove { group, .. }) => {
                    Some(group)
                }
                Change::Invite(_) | Change::Update(_) => None,
            })
            .collect();
        groups
            .into_iter()
            .filter(|group| !is_mapped(group))
            .map(|group| Problem {
                code: ProblemCode::GroupNotMapped,
                subject: group.name.clone(),
                message:
                    "is in no mapping of this configuration, and this plan changes it all the same"
                        .to_owned(),
                hint: None,
            })
            .collect()
    }

    fn planned_groups(&self, run: &Run, changes: &[Change]) -> Vec<PlannedGroup> {
        let concerned = groups_of_run(run);
        let mut groups: Vec<PlannedGroup> = self
            .groups
            .values()
            .filter(|group| concerned.contains(&group.id))
            .map(|group| {
                let (joining, losing) = movements(changes, &group.id);
                PlannedGroup {
                    keycloak: Vec::new(),
                    azure: GroupName {
                        id: group.id.clone(),
                        name: group.name.clone(),
                    },
                    members_before: group.members.len(),
                    members_after: (group.members.len() + joining).saturating_sub(losing),
                    other_members: group.other_members,
                }
            })
            .collect();
        groups.sort_by(|a, b| (&a.azure.name, &a.azure.id).cmp(&(&b.azure.name, &b.azure.id)));
        groups
    }

    /// The limits that changes exceed, of those that are still to be made.
    fn blocks(&self, changes: &[Change]) -> Vec<Block> {
        let limits: Limits = limits_in_force(&self.settings.limits, self.overrides);
        let due: Vec<Change> = changes
            .iter()
            .filter(|change| matches!(self.state(change), State::AsTheRunLeftIt(_)))
            .cloned()
            .collect();
        let mut names: BTreeMap<&str, usize> = BTreeMap::new();
        for group in self.groups.values() {
            *names.entry(&group.name).or_default() += 1;
        }
        let mut groups: Vec<&EntraGroup> = self.groups.values().copied().collect();
        groups.sort_by_key(|group| (&group.name, &group.id));
        let mut blocks = Vec::new();
        for group in groups {
            let (joining, losing) = movements(&due, &group.id);
            if losing == 0 {
                continue;
            }
            let name = GroupName {
                id: group.id.clone(),
                name: group.name.clone(),
            };
            let is_shared = names
                .get(group.name.as_str())
                .is_some_and(|number| *number > 1);
            let flag_name = if is_shared {
                group.id.as_str()
            } else {
                &group.name
            };
            let members = group.members.len();
            if joining == 0 && !self.may_become_empty(group) {
                blocks.extend(check_last_member(&name, members, losing, flag_name));
            }
            blocks.extend(check_number_of_removals(
                &name, members, losing, &limits, "",
            ));
        }
        blocks
    }
}

/// How many join a group, and how many it loses.
fn movements(changes: &[Change], group: &ObjectId) -> (usize, usize) {
    let (mut joining, mut losing) = (0, 0);
    for change in changes {
        match change {
            Change::Add(add) if add.group.id == *group => joining += 1,
            Change::Remove(remove) if remove.group.id == *group => losing += 1,
            _ => {}
        }
    }
    (joining, losing)
}

fn has_address(account: &Account, email: &str) -> bool {
    let is_same = |own: &str| fold(own) == fold(email);
    let own = [Some(&account.user_principal_name), account.mail.as_ref()];
    own.into_iter().flatten().any(|own| is_same(own))
        || email
            .parse()
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
