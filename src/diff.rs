//! Decides what a plan holds: two snapshots, the settings and the proofs in, changes with their reasons out.

mod wanted;

pub use self::wanted::{TooLong, differing, wanted_account};

use std::cell::LazyCell;
use std::collections::{BTreeSet, HashMap, HashSet};

use crate::guard::{check_invitations, check_removals, limits_in_force};
use crate::mapping::{Inputs, MappedGroup, mapped_groups};
use crate::matching::{
    Matching, Standing, can_be_invited, comparable, invitation_obstacle, is_protected_address,
    match_people, name_of, name_of_account,
};
use crate::model::{Address, ObjectId, PersonId};
use crate::plan::{
    About, AccountName, Add, Block, Change, Federation, Invite, NewAccount, NewMember, PersonName,
    PlannedGroup, Problem, ProblemCode, RemovalReason, Remove, Summary, Update,
};
use crate::removal::{
    Candidate, Evidence, Judgement, ProofRequest, Proofs, candidates, federation, judge,
    proof_request,
};
use crate::settings::{RemovalPolicy, UpdatePolicy};
use crate::snapshot::{Account, DeletedAccount, Obstacle, Person};

/// What is known before anybody is looked up: groups with their mappings, people with their accounts, and who seems to have
/// to go.
#[derive(Debug, Clone)]
pub struct Draft<'a> {
    /// What everything is decided from.
    pub inputs: Inputs<'a>,
    /// The Azure groups, by name.
    pub groups: Vec<MappedGroup<'a>>,
    /// The people who count.
    pub matching: Matching<'a>,
    /// For each of the groups, the members whom it does not want.
    candidates: Vec<Vec<Candidate<'a>>>,
    /// Those of them who are not looked into, by group and account.
    kept: HashMap<(ObjectId, ObjectId), Kept>,
    /// The limits that the candidates exceed.
    blocks: Vec<Block>,
    /// What is the matter with a directory and with nobody in particular.
    problems: Vec<Problem>,
}

/// What a plan holds, with what apply needs besides to judge a reviewed plan.
#[derive(Debug, Clone)]
pub struct Decision<'a> {
    /// The draft that it was decided on.
    pub draft: Draft<'a>,
    /// What is known of user federation.
    pub federation: Option<Federation>,
    /// The totals.
    pub summary: Summary,
    /// The groups in scope, by name.
    pub groups: Vec<PlannedGroup>,
    /// The changes: invitations, then updates, then additions, then removals.
    pub changes: Vec<Change>,
    /// The limits that are exceeded.
    pub blocks: Vec<Block>,
    /// What could not be covered.
    pub problems: Vec<Problem>,
    /// The members who seemed to have to go and stay, by group and account.
    kept: HashMap<(ObjectId, ObjectId), Kept>,
}

/// Why the plan does not remove a member who seemed to have to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// A safety limit blocks the group, and the plan does not show this one.
    Blocked,
    /// Keycloak does not know them, and the mapping removes only people whom it knows.
    Stranger,
    /// It is not proved that they have to go; a problem says what is missing.
    NotConfirmed,
}

impl Decision<'_> {
    /// Why a member who seemed to have to go stays. `None` if none of the candidates was this one, or if the plan removes it.
    pub fn kept(&self, group: &MappedGroup<'_>, account: &Account) -> Option<Kept> {
        self.kept.get(&membership(group, account)).copied()
    }
}

fn membership(group: &MappedGroup<'_>, account: &Account) -> (ObjectId, ObjectId) {
    (group.azure.id.clone(), account.id.clone())
}

/// Works out everything that can be known without asking Keycloak about single people.
pub fn draft(inputs: Inputs<'_>) -> Draft<'_> {
    let groups = mapped_groups(&inputs);
    let matching = match_people(&inputs, &groups);
    with_candidates(inputs, groups, matching)
}

/// Finds out who seems to have to go.
fn with_candidates<'a>(
    inputs: Inputs<'a>,
    groups: Vec<MappedGroup<'a>>,
    matching: Matching<'a>,
) -> Draft<'a> {
    let limits = limits_in_force(&inputs.settings.limits, inputs.overrides);
    let (mut blocks, mut kept) = (Vec::new(), HashMap::new());
    let candidates = groups
        .iter()
        .map(|group| {
            let mut candidates = candidates(&inputs, &matching, group);
            // Where only people whom Keycloak knows may go, who is a candidate shows in the look-ups.
            if group.removals == RemovalPolicy::All && !candidates.is_empty() {
                let verdict = check_removals(
                    group,
                    candidates.len(),
                    joining(&inputs, group, &matching),
                    &limits,
                );
                blocks.extend(verdict.blocks);
                let shown = verdict.shown.unwrap_or(candidates.len());
                let blocked = candidates.drain(shown.min(candidates.len())..);
                kept.extend(blocked.map(|it| (membership(group, it.account), Kept::Blocked)));
            }
            candidates
        })
        .collect();
    Draft {
        inputs,
        groups,
        matching,
        candidates,
        kept,
        blocks,
        problems: Vec::new(),
    }
}

/// How many people will be added to the group: those who count, are not members yet, and can be.
fn joining(inputs: &Inputs<'_>, group: &MappedGroup<'_>, matching: &Matching<'_>) -> usize {
    let joins =
        |person: &PersonId| match matching.people.get(person).map(|matched| &matched.standing) {
            Some(Standing::HasAccount(_, account)) => {
                !group.azure.members.contains(&account.id)
                    && !matching.protected.contains(&account.id)
            }
            Some(Standing::HasNone(address)) => can_be_invited(address, inputs),
            Some(Standing::LeftAlone) | None => false,
        };
    group.people().filter(|(person, _)| joins(person)).count()
}

impl<'a> Draft<'a> {
    /// The addresses that would be invited, however they are written, to ask whether one of them is that of an account that was deleted.
    pub fn invitees(&self) -> BTreeSet<Address> {
        let without_account = self.matching.people.iter();
        let mut invitees = without_account
            .filter_map(|(person, matched)| match &matched.standing {
                Standing::HasNone(address) => Some((*person, address)),
                Standing::HasAccount(..) | Standing::LeftAlone => None,
            })
            .filter(|(_, address)| can_be_invited(address, &self.inputs))
            .peekable();
        // Who is concerned takes a look at every membership, for which there is no need where nobody is invited.
        if invitees.peek().is_none() {
            return BTreeSet::new();
        }
        let concerned = self.concerned();
        invitees
            .filter(|(person, _)| concerned.contains(person))
            .flat_map(|(_, address)| address.spellings())
            .collect()
    }

    /// The same draft, where these accounts are known to have been deleted: whoever could have one of them back is not invited. Who
    /// does not join counts for who may leave, so that is worked out anew.
    #[must_use]
    pub fn knowing(self, deleted: &[DeletedAccount]) -> Self {
        if deleted.is_empty() {
            return self;
        }
        let Self {
            inputs,
            groups,
            mut matching,
            ..
        } = self;
        matching.leave_deleted(&inputs, deleted);
        with_candidates(inputs, groups, matching)
    }

    /// The same draft, where Entra does not show which accounts were deleted: the plan says so.
    #[must_use]
    pub fn not_knowing_deleted(mut self) -> Self {
        self.problems.push(deleted_accounts_hidden());
        self
    }

    /// Everybody who is in a source of a group that the plan may change.
    fn concerned(&self) -> HashSet<&'a PersonId> {
        self.groups
            .iter()
            .filter(|group| group.is_managed())
            .flat_map(|group| group.rows.iter().map(|(person, _)| *person))
            .collect()
    }

    /// What to ask Keycloak before anybody is removed.
    pub fn proof_request(&self) -> ProofRequest {
        let losing: Vec<_> = self
            .groups
            .iter()
            .zip(&self.candidates)
            .map(|(group, candidates)| (group, candidates.as_slice()))
            .collect();
        proof_request(&self.inputs, &losing)
    }

    /// Decides what the plan holds.
    pub fn decide(self, proofs: &Proofs) -> Decision<'a> {
        let federation = federation(&self.inputs, proofs);
        let mut ledger = Ledger::new(&self);
        ledger.cover_people();
        for (group, candidates) in self.groups.iter().zip(&self.candidates) {
            if group.is_managed() {
                let added = ledger.add_missing(group);
                let removed =
                    ledger.remove_unwanted(group, added, candidates, proofs, federation.as_ref());
                ledger.describe(group, added, removed);
            } else if group.in_scope {
                ledger.report_obstacle(group);
                ledger.describe(group, 0, 0);
            }
        }
        let entries = ledger.entries;
        entries.into_decision(federation, self)
    }
}

fn deleted_accounts_hidden() -> Problem {
    Problem {
        code: ProblemCode::DeletedAccountsHidden,
        subject: "Entra".to_owned(),
        message: "does not show which accounts were deleted (403), so somebody to invite may have one that can be restored"
            .to_owned(),
        hint: Some(
            "grant the app User.Read.All; until then, look at Deleted users in Entra before applying".to_owned(),
        ),
                about: About::default(),
    }
}

/// What a person who is covered by the plan gets.
enum Cover {
    /// An account of their own, which is or is not touched.
    Account {
        email: Address,
        id: ObjectId,
        display_name: Option<String>,
    },
    /// An account that the plan's invitation makes.
    Invited {
        email: Address,
        display_name: Option<String>,
    },
}

/// The plan in the making.
struct Ledger<'d, 'a> {
    draft: &'d Draft<'a>,
    covered: HashMap<&'a PersonId, Cover>,
    entries: Entries,
}

/// What a plan holds, not yet in order.
#[derive(Default)]
struct Entries {
    invites: Vec<Invite>,
    updates: Vec<Update>,
    adds: Vec<Add>,
    removes: Vec<Remove>,
    unchanged: usize,
    groups: Vec<PlannedGroup>,
    blocks: Vec<Block>,
    problems: Vec<Problem>,
    kept: HashMap<(ObjectId, ObjectId), Kept>,
}

impl<'d, 'a> Ledger<'d, 'a> {
    fn new(draft: &'d Draft<'a>) -> Self {
        Self {
            draft,
            covered: HashMap::new(),
            entries: Entries {
                kept: draft.kept.clone(),
                blocks: draft.blocks.clone(),
                problems: draft.problems.clone(),
                ..Entries::default()
            },
        }
    }

    /// Decides on the accounts of everybody who is wanted in a managed group.
    fn cover_people(&mut self) {
        let draft = self.draft;
        let concerned = draft.concerned();
        let problems = draft.matching.problems.iter().filter(|problem| {
            let mut people = problem.about.people.iter();
            people.any(|person| concerned.contains(person))
        });
        self.entries.problems.extend(problems.cloned());
        let mut concerned: Vec<&PersonId> = concerned.into_iter().collect();
        concerned.sort_unstable();
        for id in concerned {
            let Some(matched) = draft.matching.people.get(id) else {
                continue;
            };
            let cover = match &matched.standing {
                Standing::LeftAlone => None,
                Standing::HasAccount(address, account) => {
                    self.cover_account(matched.person, address, account)
                }
                Standing::HasNone(address) => self.cover_without_account(matched.person, address),
            };
            if let Some(cover) = cover {
                self.covered.insert(id, cover);
            }
        }
    }

    fn cover_account(
        &mut self,
        person: &Person,
        address: &Address,
        account: &Account,
    ) -> Option<Cover> {
        let draft = self.draft;
        let is_member = |group: &MappedGroup<'_>| {
            group.is_managed() && group.azure.members.contains(&account.id)
        };
        if draft.matching.protected.contains(&account.id) {
            // It is not touched, yet a membership that is right is right.
            return draft.groups.iter().any(is_member).then(|| Cover::Account {
                email: address.clone(),
                id: account.id.clone(),
                display_name: account.display_name.clone(),
            });
        }
        let rules = &draft.inputs.settings.users;
        let is_updated = match rules.update {
            UpdatePolicy::All => true,
            UpdatePolicy::Invited => account.is_invited(),
            UpdatePolicy::None => false,
        };
        if is_updated {
            let wanted = self.wanted_of(person, address);
            let fields = differing(&wanted, account);
            if !fields.is_empty() && account.on_premises {
                self.entries.problems.push(Problem {
                    code: ProblemCode::OnPremisesAccount,
                    subject: format!("{} ({address})", name_of_account(account)),
                    message: "has other names or another user type than Keycloak, but is synchronised from an on-premises directory".to_owned(),
                    hint: Some("change it there; Entra does not accept it".to_owned()),
                about: About {
                        account: Some(account.id.clone()),
                        ..About::person(&person.id, address)
                    },
                });
            } else if !fields.is_empty() {
                self.entries.updates.push(Update {
                    account: AccountName {
                        id: account.id.clone(),
                        email: address.to_string(),
                        display_name: account.display_name.clone(),
                    },
                    fields,
                });
            }
        }
        Some(Cover::Account {
            email: address.clone(),
            id: account.id.clone(),
            display_name: account.display_name.clone(),
        })
    }

    fn cover_without_account(&mut self, person: &Person, address: &Address) -> Option<Cover> {
        let inputs = &self.draft.inputs;
        if is_protected_address(address, inputs) {
            return None;
        }
        if let Some((code, message, hint)) =
            invitation_obstacle(address, &inputs.entra.tenant, &inputs.settings.invitations)
        {
            self.entries.problems.push(Problem {
                code,
                subject: name_of(person),
                message,
                hint: Some(hint),
                about: About::person(&person.id, address),
            });
            return None;
        }
        let rules = &inputs.settings.invitations;
        let set = self.wanted_of(person, address);
        let display_name = set.display_name.clone();
        self.entries.invites.push(Invite {
            email: address.clone(),
            person: PersonName {
                id: person.id.clone(),
                username: person.username.clone(),
            },
            set,
            redirect_url: rules
                .redirect_url
                .replace("{tenant_id}", inputs.entra.tenant.id.as_str()),
            send_email: rules.send_email,
            message: rules.message.clone(),
            language: rules.language.clone(),
            cc: rules.cc.clone(),
        });
        Some(Cover::Invited {
            email: address.clone(),
            display_name,
        })
    }

    /// What a person's account is to be like, with a problem for each name that is left out because it is too long.
    fn wanted_of(&mut self, person: &Person, address: &Address) -> NewAccount {
        let (wanted, too_long) = wanted_account(&self.draft.inputs.settings.users, person, address);
        for TooLong {
            what,
            length,
            longest,
        } in too_long
        {
            self.entries.problems.push(Problem {
                code: ProblemCode::NameTooLong,
                subject: name_of(person),
                message: format!("has a {what} of {length} characters; Entra takes {longest}, so it is left alone"),
                hint: Some("shorten it in Keycloak".to_owned()),
                about: About::person(&person.id, address),
            });
        }
        wanted
    }

    fn add_missing(&mut self, group: &MappedGroup<'a>) -> usize {
        let before = self.entries.adds.len();
        for (person, paths) in group.people() {
            let Some(cover) = self.covered.get(person) else {
                continue;
            };
            let account = match cover {
                Cover::Account { id, .. } if group.azure.members.contains(id) => {
                    self.entries.unchanged += 1;
                    continue;
                }
                Cover::Account { id, .. } if self.draft.matching.protected.contains(id) => continue,
                Cover::Account {
                    email,
                    id,
                    display_name,
                } => NewMember {
                    id: Some(id.clone()),
                    email: email.clone(),
                    display_name: display_name.clone(),
                },
                Cover::Invited {
                    email,
                    display_name,
                } => NewMember {
                    id: None,
                    email: email.clone(),
                    display_name: display_name.clone(),
                },
            };
            self.entries.adds.push(Add {
                group: group.name(),
                account,
                because: paths.cloned().collect(),
            });
        }
        self.entries.adds.len() - before
    }

    /// Removes whom the group does not want, to which the last additions are.
    fn remove_unwanted(
        &mut self,
        group: &MappedGroup<'a>,
        added: usize,
        candidates: &[Candidate<'a>],
        proofs: &Proofs,
        federation: Option<&Federation>,
    ) -> usize {
        let inputs = &self.draft.inputs;
        let evidence = Evidence::new(inputs, &self.draft.matching, group, proofs, federation);
        let (mut removes, mut held) = (Vec::new(), Vec::new());
        for candidate in candidates {
            let mut keep = |why| {
                let membership = membership(group, candidate.account);
                self.entries.kept.insert(membership, why);
            };
            match judge(&evidence, candidate) {
                Judgement::Remove(because, email) => removes.push(Remove {
                    group: group.name(),
                    account: AccountName {
                        id: candidate.account.id.clone(),
                        email,
                        display_name: candidate.account.display_name.clone(),
                    },
                    because,
                }),
                Judgement::Hold(problem) => {
                    keep(Kept::NotConfirmed);
                    held.push(*problem);
                }
                Judgement::Stranger => keep(Kept::Stranger),
            }
        }
        if group.removals == RemovalPolicy::Known {
            let limits = limits_in_force(&inputs.settings.limits, inputs.overrides);
            let joining = joining(inputs, group, &self.draft.matching);
            let verdict = check_removals(group, removes.len() + held.len(), joining, &limits);
            self.entries.blocks.extend(verdict.blocks);
            let shown = verdict.shown.unwrap_or(removes.len());
            for Remove { group, account, .. } in removes.drain(shown.min(removes.len())..) {
                let membership = (group.id, account.id);
                self.entries.kept.insert(membership, Kept::Blocked);
            }
        }
        self.entries.problems.extend(held);
        self.hint_at_changed_addresses(added, &removes);
        let removed = removes.len();
        self.entries.removes.extend(removes);
        removed
    }

    /// Somebody leaves a group as unknown, and somebody of the same name is invited to it: perhaps one person with a new address.
    fn hint_at_changed_addresses(&mut self, added: usize, removes: &[Remove]) {
        let folded = |name: Option<&str>| {
            let name = comparable(name?).to_lowercase();
            (!name.is_empty()).then_some(name)
        };
        let Entries { adds, problems, .. } = &mut self.entries;
        // Those of the group are the last ones. Nearly always nobody is unknown, and no name has to be folded.
        let of_group = adds.len() - added;
        let invited = LazyCell::new(|| {
            let mut invited: HashMap<String, &Add> = HashMap::new();
            let of_group = adds.iter().skip(of_group);
            for add in of_group.filter(|add| add.account.id.is_none()) {
                if let Some(name) = folded(add.account.display_name.as_deref()) {
                    invited.entry(name).or_insert(add);
                }
            }
            invited
        });
        let unknown = removes
            .iter()
            .filter(|remove| remove.because == RemovalReason::UnknownToKeycloak);
        for remove in unknown {
            let name = folded(remove.account.display_name.as_deref());
            let invited = name.and_then(|name| invited.get(&name).copied());
            if let Some(add) = invited {
                problems.push(Problem {
                    code: ProblemCode::AddressMayHaveChanged,
                    subject: remove.account.display_name.clone().unwrap_or_default(),
                    message: new_address_of(remove, add),
                    hint: Some(format!(
                        "if so, give the account {} the new address in Entra before applying, and plan again",
                        remove.account.id
                    )),
                about: About {
                        emails: vec![remove.account.email.clone(), add.account.email.to_string()],
                        people: Vec::new(),
                        account: Some(remove.account.id.clone()),
                        group: Some(remove.group.clone()),
                    },
                });
            }
        }
    }

    fn report_obstacle(&mut self, group: &MappedGroup<'a>) {
        let Some(obstacle) = group.obstacle else {
            return;
        };
        let (message, hint) = match obstacle {
            Obstacle::Dynamic => (
                "has a dynamic membership: a rule in Entra decides who is in it",
                "map a group with assigned membership",
            ),
            Obstacle::OnPremises => (
                "is synchronised from an on-premises directory, which decides who is in it",
                "change its members there, or map a cloud group",
            ),
            Obstacle::MailEnabled => (
                "is a mail-enabled security group or distribution list, whose members Graph cannot change",
                "map a security group or a Microsoft 365 group",
            ),
            Obstacle::RoleAssignable => (
                "can hold directory roles, and the app is not known to have the permission RoleManagement.ReadWrite.Directory",
                "map another group, or grant the permission to the apps that plan and apply",
            ),
        };
        self.entries.problems.push(Problem {
            code: obstacle.into(),
            subject: group.azure.name.clone(),
            message: message.to_owned(),
            hint: Some(hint.to_owned()),
            about: About::group(&group.name()),
        });
    }

    fn describe(&mut self, group: &MappedGroup<'a>, added: usize, removed: usize) {
        let members = group.azure.members.len();
        self.entries.groups.push(PlannedGroup {
            keycloak: group.keycloak_names(self.draft.inputs.keycloak),
            azure: group.name(),
            members_before: members,
            members_after: (members + added).saturating_sub(removed),
            other_members: group.azure.other_members,
        });
    }
}

impl Entries {
    /// Brings everything into its order, so that the same directories give the same bytes.
    fn into_decision(mut self, federation: Option<Federation>, draft: Draft<'_>) -> Decision<'_> {
        let limits = limits_in_force(&draft.inputs.settings.limits, draft.inputs.overrides);
        self.blocks
            .extend(check_invitations(self.invites.len(), &limits));
        let place = |block: &Block| {
            let group = block.group.clone().map(|group| (group.name, group.id));
            (group, block.code)
        };
        self.blocks.sort_by_key(place);
        self.problems.sort();
        self.problems.dedup();
        self.invites.sort_by(|a, b| a.email.cmp(&b.email));
        self.updates.sort_by(|a, b| {
            (&a.account.email, &a.account.id).cmp(&(&b.account.email, &b.account.id))
        });
        self.adds.sort_by(|a, b| {
            (&a.group.name, &a.group.id, &a.account.email).cmp(&(
                &b.group.name,
                &b.group.id,
                &b.account.email,
            ))
        });
        self.removes.sort_by(|a, b| {
            (&a.group.name, &a.group.id, &a.account.email, &a.account.id).cmp(&(
                &b.group.name,
                &b.group.id,
                &b.account.email,
                &b.account.id,
            ))
        });
        let summary = Summary {
            invite: self.invites.len(),
            update: self.updates.len(),
            add: self.adds.len(),
            remove: self.removes.len(),
            unchanged: self.unchanged,
            problems: self.problems.len(),
            blocks: self.blocks.len(),
        };
        // Invitations, then updates, then additions, then removals, so that nobody who moves between groups is ever without
        // access.
        let changes = (self.invites.into_iter().map(Change::Invite))
            .chain(self.updates.into_iter().map(Change::Update))
            .chain(self.adds.into_iter().map(Change::Add))
            .chain(self.removes.into_iter().map(Change::Remove))
            .collect();
        Decision {
            draft,
            federation,
            summary,
            groups: self.groups,
            changes,
            blocks: self.blocks,
            problems: self.problems,
            kept: self.kept,
        }
    }
}

/// Returns what is said of somebody who leaves a group under one address while somebody of the same name is invited to it.
fn new_address_of(remove: &Remove, add: &Add) -> String {
    format!(
        "leaves {} as {} and is invited to it as {}: perhaps one person with a new address",
        remove.group.name, remove.account.email, add.account.email
    )
}
