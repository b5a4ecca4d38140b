//! A plan without the people in it.

use crate::model::{Address, ObjectId};
use crate::plan::{
    AccountName, Action, Add, Change, GroupName, Invite, NewAccount, NewMember, PersonName, Plan,
    Problem, Remove, Update,
};
use crate::render::words::People;
use crate::render::{Style, html, markdown, text};

use super::RedactionKey;
use super::problems::whom;
use super::tokens::{NAME, Tokens, without_names};

/// A plan without the people in it. It can be shown, and nothing else: it is no plan that could be applied.
#[derive(Debug, Clone)]
pub struct Redacted(pub(super) Plan);

impl Redacted {
    /// Replaces everybody in a plan by tokens.
    pub fn new(plan: &Plan, key: &RedactionKey) -> Self {
        Self(Tokens::of_plan(plan, key).plan(plan))
    }

    /// Returns it as text for a terminal.
    pub fn text(&self, style: &Style) -> String {
        text::page(&self.0, People::Redacted, *style)
    }

    /// Returns it as Markdown, like [`markdown`](crate::render::markdown()).
    pub fn markdown(&self) -> String {
        markdown::page(&self.0, People::Redacted)
    }

    /// Returns it as a page for a browser, like [`html`](crate::render::html()).
    pub fn html(&self) -> String {
        html::plan_page(&self.0, People::Redacted)
    }
}

impl<'a> Tokens<'a> {
    pub fn of_plan(plan: &Plan, key: &'a RedactionKey) -> Self {
        Self::of_changes(plan.changes.iter(), plan.problems.iter(), key)
    }

    /// The tokens of everybody whom changes and problems are about.
    pub fn of_changes<'p>(
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
        let of_problems = problems.flat_map(|problem| whom(&problem.about));
        Self::of(of_changes.chain(of_copies).chain(of_problems), key)
    }

    /// Everything that a plan says, but for people.
    pub fn plan(&self, plan: &Plan) -> Plan {
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
            .map(|problem| self.problem(problem))
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

    pub fn change(&self, change: &Change) -> Change {
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
}

/// Where a change stands among others: by kind, by group, by token.
pub(super) fn place(change: &Change) -> (Action, Option<(String, ObjectId)>, String) {
    let of = |group: &GroupName| Some((group.name.clone(), group.id.clone()));
    let (group, email) = match change {
        Change::Invite(invite) => (None, invite.email.to_string()),
        Change::Update(update) => (None, update.account.email.clone()),
        Change::Add(add) => (of(&add.group), add.account.email.to_string()),
        Change::Remove(remove) => (of(&remove.group), remove.account.email.clone()),
    };
    (change.action(), group, email)
}
