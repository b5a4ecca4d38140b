//! A plan against an older one: which changes, blocks and problems came, which went, and which are there still and differ in a detail.

use std::cmp::Ordering;

use crate::plan::{
    AccountName, Add, Block, Change, GroupName, Invite, NewAccount, NewMember, Plan, PlanKind,
    PlannedGroup, Problem, Remove, Update,
};

/// How a plan differs from an older one.
///
/// `came` and `went` can be shown as plans are, and are none that could be applied.
#[derive(Debug, Clone)]
pub struct Comparison {
    /// The newer plan, of whose changes, blocks and problems those are left that came.
    pub came: Plan,
    /// The older plan, of whose changes, blocks and problems those are left that went.
    pub went: Plan,
    /// The changes of the same object that differ, in the order of the newer plan.
    pub changes: Vec<Differing<Change>>,
    /// The blocks of the same limit and group that differ.
    pub blocks: Vec<Differing<Block>>,
    /// The problems of the same kind and subject that differ.
    pub problems: Vec<Differing<Problem>>,
    /// How many changes are the same in both.
    pub staying: usize,
    /// Whether the newer plan is blocked.
    pub is_blocked: bool,
    /// Whether the older one was.
    pub was_blocked: bool,
}

/// What is in both plans, and not quite the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Differing<T> {
    /// As the older plan has it.
    pub older: T,
    /// As the newer plan has it.
    pub newer: T,
    /// In what they differ.
    pub details: Vec<Detail>,
}

/// In what two changes, blocks or problems can differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// Why somebody is removed.
    Reason,
    /// The Keycloak groups for the sake of which somebody is added.
    KeycloakGroups,
    /// Which account it is of whom is added.
    Account,
    /// Who in Keycloak it is.
    Person,
    /// The address by which the account is known.
    Address,
    /// The display name that the account has, or is to get.
    DisplayName,
    /// The given name that the account is to get.
    GivenName,
    /// The surname that the account is to get.
    Surname,
    /// The user type that the account is to get.
    UserType,
    /// Whether the invited person gets a mail, and where accepting leads.
    Reception,
    /// What an update changes.
    Fields,
    /// What the group is called.
    GroupName,
    /// What is said.
    Message,
    /// What is to be done about it.
    Hint,
    /// The flag that lifts the limit.
    Flag,
}

/// A group that is in one of the plans alone, or about which they say different things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupDifference<'c> {
    /// As the older plan has it.
    pub older: Option<&'c PlannedGroup>,
    /// As the newer plan has it.
    pub newer: Option<&'c PlannedGroup>,
}

impl Comparison {
    /// Compares a plan with an older one.
    pub fn of(mut older: Plan, mut newer: Plan) -> Self {
        let (was_blocked, is_blocked) = (older.is_blocked(), newer.is_blocked());
        let kind = if older.kind == newer.kind {
            newer.kind
        } else {
            PlanKind::Sync
        };
        let changes = pair(
            std::mem::take(&mut older.changes),
            std::mem::take(&mut newer.changes),
            |one, other| {
                (one.action(), one.identity(kind)).cmp(&(other.action(), other.identity(kind)))
            },
        );
        let blocks = pair(
            std::mem::take(&mut older.blocks),
            std::mem::take(&mut newer.blocks),
            |one, other| {
                let key =
                    |block: &Block| (block.code, block.group.as_ref().map(|it| it.id.clone()));
                key(one).cmp(&key(other))
            },
        );
        // Two problems of one subject can be of one kind, so those that are the same are put aside first.
        let problems = pair(
            std::mem::take(&mut older.problems),
            std::mem::take(&mut newer.problems),
            Problem::cmp,
        );
        let problems = pair(problems.went, problems.came, |one, other| {
            (one.code, &one.subject).cmp(&(other.code, &other.subject))
        });
        let in_both = changes.both.len();
        let differing = differing(changes.both, details_of_change);
        Self {
            staying: in_both - differing.len(),
            changes: differing,
            blocks: self::differing(blocks.both, details_of_block),
            problems: self::differing(problems.both, details_of_problem),
            came: Plan {
                changes: changes.came,
                blocks: blocks.came,
                problems: problems.came,
                ..newer
            },
            went: Plan {
                changes: changes.went,
                blocks: blocks.went,
                problems: problems.went,
                ..older
            },
            is_blocked,
            was_blocked,
        }
    }

    /// Whether both are one plan, made twice perhaps.
    pub fn is_same_plan(&self) -> bool {
        self.came.plan_id == self.went.plan_id
    }

    /// Returns the groups of which the plans say different things, by name.
    pub fn groups(&self) -> Vec<GroupDifference<'_>> {
        let groups = pair(
            self.went.groups.iter().collect(),
            self.came.groups.iter().collect(),
            |one, other| one.azure.id.cmp(&other.azure.id),
        );
        let went = groups.went.into_iter().map(|older| (Some(older), None));
        let came = groups.came.into_iter().map(|newer| (None, Some(newer)));
        let both = groups.both.into_iter();
        let both = both
            .filter(|(older, newer)| older != newer)
            .map(|(older, newer)| (Some(older), Some(newer)));
        let mut differences: Vec<GroupDifference<'_>> = went
            .chain(came)
            .chain(both)
            .map(|(older, newer)| GroupDifference { older, newer })
            .collect();
        differences.sort_by_key(|GroupDifference { older, newer }| {
            newer.or(*older).map(|group| &group.azure.name)
        });
        differences
    }
}

/// What two lists have in common, and what not.
struct Paired<T> {
    went: Vec<T>,
    came: Vec<T>,
    both: Vec<(T, T)>,
}

/// Pairs what is equal in an order. Sorted and merged: a text diff of two long lists that have little in common would take hours.
fn pair<T>(older: Vec<T>, newer: Vec<T>, order: impl Fn(&T, &T) -> Ordering) -> Paired<T> {
    let sorted = |list: Vec<T>| {
        let mut list: Vec<(usize, T)> = list.into_iter().enumerate().collect();
        list.sort_by(|(_, one), (_, other)| order(one, other));
        list.into_iter().peekable()
    };
    let (mut older, mut newer) = (sorted(older), sorted(newer));
    let (mut went, mut came, mut both) = (Vec::new(), Vec::new(), Vec::new());
    loop {
        let next = match (older.peek(), newer.peek()) {
            (Some((_, older)), Some((_, newer))) => order(older, newer),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => break,
        };
        match next {
            Ordering::Less => went.extend(older.next()),
            Ordering::Greater => came.extend(newer.next()),
            Ordering::Equal => both.extend(older.next().zip(newer.next())),
        }
    }
    // Back in the order of the plans.
    went.sort_by_key(|(at, _)| *at);
    came.sort_by_key(|(at, _)| *at);
    both.sort_by_key(|(_, (at, _))| *at);
    let item = |(_, item)| item;
    Paired {
        went: went.into_iter().map(item).collect(),
        came: came.into_iter().map(item).collect(),
        both: both
            .into_iter()
            .map(|((_, older), (_, newer))| (older, newer))
            .collect(),
    }
}

/// Returns the pairs that are not the same, with the details.
fn differing<T: PartialEq>(
    pairs: Vec<(T, T)>,
    details: fn(&T, &T) -> Vec<Detail>,
) -> Vec<Differing<T>> {
    pairs
        .into_iter()
        .filter(|(older, newer)| older != newer)
        .map(|(older, newer)| Differing {
            details: details(&older, &newer),
            older,
            newer,
        })
        .collect()
}

/// Returns the details that hold.
fn which<const N: usize>(details: [(Detail, bool); N]) -> Vec<Detail> {
    details
        .into_iter()
        .filter_map(|(detail, differs)| differs.then_some(detail))
        .collect()
}

// Everything is taken apart field by field, so that no new one is forgotten.

fn details_of_change(older: &Change, newer: &Change) -> Vec<Detail> {
    match (older, newer) {
        (Change::Invite(older), Change::Invite(newer)) => details_of_invitation(older, newer),
        (Change::Update(older), Change::Update(newer)) => {
            let Update { account, fields } = older;
            let mut details = which([(Detail::Fields, *fields != newer.fields)]);
            details.extend(details_of_account(account, &newer.account));
            details
        }
        (Change::Add(older), Change::Add(newer)) => {
            let Add {
                group,
                account,
                because,
            } = older;
            let NewMember {
                id,
                email,
                display_name,
            } = account;
            let mut details = which([
                (Detail::KeycloakGroups, *because != newer.because),
                (Detail::Account, *id != newer.account.id),
                (Detail::Address, *email != newer.account.email),
                (
                    Detail::DisplayName,
                    *display_name != newer.account.display_name,
                ),
            ]);
            details.extend(details_of_group(group, &newer.group));
            details
        }
        (Change::Remove(older), Change::Remove(newer)) => {
            let Remove {
                group,
                account,
                because,
            } = older;
            let mut details = which([(Detail::Reason, *because != newer.because)]);
            details.extend(details_of_account(account, &newer.account));
            details.extend(details_of_group(group, &newer.group));
            details
        }
        // Only changes that do the same are compared.
        _ => Vec::new(),
    }
}

fn details_of_invitation(older: &Invite, newer: &Invite) -> Vec<Detail> {
    let Invite {
        email,
        person,
        set,
        redirect_url,
        send_email,
        message,
        language,
        cc,
    } = older;
    let NewAccount {
        user_type,
        display_name,
        given_name,
        surname,
    } = set;
    which([
        (Detail::Address, *email != newer.email),
        (Detail::Person, *person != newer.person),
        (Detail::UserType, *user_type != newer.set.user_type),
        (Detail::DisplayName, *display_name != newer.set.display_name),
        (Detail::GivenName, *given_name != newer.set.given_name),
        (Detail::Surname, *surname != newer.set.surname),
        (
            Detail::Reception,
            (redirect_url, send_email, message, language, cc)
                != (
                    &newer.redirect_url,
                    &newer.send_email,
                    &newer.message,
                    &newer.language,
                    &newer.cc,
                ),
        ),
    ])
}

fn details_of_account(older: &AccountName, newer: &AccountName) -> Vec<Detail> {
    let AccountName {
        id,
        email,
        display_name,
    } = older;
    which([
        (Detail::Account, *id != newer.id),
        (Detail::Address, *email != newer.email),
        (Detail::DisplayName, *display_name != newer.display_name),
    ])
}

fn details_of_group(older: &GroupName, newer: &GroupName) -> Vec<Detail> {
    let GroupName { id: _, name } = older;
    which([(Detail::GroupName, *name != newer.name)])
}

fn details_of_block(older: &Block, newer: &Block) -> Vec<Detail> {
    let Block {
        code: _,
        group,
        message,
        flag,
    } = older;
    which([
        (Detail::GroupName, *group != newer.group),
        (Detail::Message, *message != newer.message),
        (Detail::Flag, *flag != newer.flag),
    ])
}

fn details_of_problem(older: &Problem, newer: &Problem) -> Vec<Detail> {
    let Problem {
        code: _,
        subject: _,
        message,
        hint,
        about: _,
    } = older;
    which([
        (Detail::Message, *message != newer.message),
        (Detail::Hint, *hint != newer.hint),
    ])
}
