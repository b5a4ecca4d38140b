//! A decision as an audit looks at it: everybody in a mapped group or wanted there, one by one.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::{
    AuditedAccount, AuditedGroup, Extent, Missing, MissingMember, NoMatter, PendingInvitation,
    Reason, ReasonedMember, UnmappedAccount, Unreasoned, UnreasonedMember,
};
use crate::diff::Decision;
use crate::explain::{Staying, staying};
use crate::mapping::MappedGroup;
use crate::matching::{
    Standing, address_of, addresses_of, is_protected, is_protected_address, name_of,
};
use crate::model::{Address, ObjectId, PersonId};
use crate::plan::{Change, GroupName, PersonName, ProblemCode, RemovalReason};
use crate::settings::Settings;
use crate::snapshot::{Account, DatedAccount, Person};

/// A decision, with what is looked for in it over and over.
pub(super) struct View<'d, 'a> {
    pub decision: &'d Decision<'a>,
    removed: HashMap<(&'d ObjectId, &'d ObjectId), RemovalReason>,
    added: HashSet<(&'d ObjectId, &'d Address)>,
    invited: HashSet<&'d Address>,
    /// The problems of people, in or out of scope.
    problems_of: HashMap<&'d PersonId, BTreeSet<ProblemCode>>,
    /// The mapped groups that an account is in.
    groups_of: HashMap<&'a ObjectId, Vec<GroupName>>,
    pub mapped: HashMap<&'a ObjectId, &'d MappedGroup<'a>>,
}

impl<'d, 'a> View<'d, 'a> {
    pub fn new(decision: &'d Decision<'a>) -> Self {
        let mut view = Self {
            decision,
            removed: HashMap::new(),
            added: HashSet::new(),
            invited: HashSet::new(),
            problems_of: HashMap::new(),
            groups_of: HashMap::new(),
            mapped: HashMap::new(),
        };
        for change in &decision.changes {
            match change {
                Change::Invite(invite) => {
                    view.invited.insert(&invite.email);
                }
                Change::Add(add) => {
                    view.added.insert((&add.group.id, &add.account.email));
                }
                Change::Remove(remove) => {
                    let object = (&remove.group.id, &remove.account.id);
                    view.removed.insert(object, remove.because);
                }
                Change::Update(_) => {}
            }
        }
        let of_matching = &decision.draft.matching.problems;
        for problem in of_matching.iter().chain(&decision.problems) {
            for person in &problem.about.people {
                let codes = view.problems_of.entry(person).or_default();
                codes.insert(problem.code);
            }
        }
        for group in &decision.draft.groups {
            view.mapped.insert(&group.azure.id, group);
            for member in &group.azure.members {
                let groups = view.groups_of.entry(member).or_default();
                groups.push(group.name());
            }
        }
        view
    }

    pub fn extent(&self, accounts: &[DatedAccount]) -> Extent {
        let groups = &self.decision.draft.groups;
        let sources: BTreeSet<_> = groups.iter().flat_map(|it| it.sources.keys()).collect();
        let people: HashSet<_> = groups
            .iter()
            .flat_map(|it| it.rows.iter().map(|(person, _)| person))
            .collect();
        Extent {
            keycloak_groups: sources.len(),
            people: people.len(),
            azure_groups: groups.len(),
            memberships: groups.iter().map(|it| it.azure.members.len()).sum(),
            other_members: groups.iter().map(|it| it.azure.other_members).sum(),
            accounts: accounts.len(),
            invited_accounts: invited(accounts).count(),
        }
    }

    pub fn audited(&self, group: &'d MappedGroup<'a>) -> AuditedGroup {
        let reasons = reasons(group, self.decision);
        let (mut members, mut without_reason) = (Vec::new(), Vec::new());
        for id in &group.azure.members {
            let Some(account) = self.decision.draft.matching.accounts.get(id) else {
                // The reader reads every member, or fails.
                continue;
            };
            match self.reasoned(account, &reasons) {
                Some(member) => members.push(member),
                None => without_reason.push(self.unreasoned(group, account)),
            }
        }
        members.sort_by(|a, b| a.account.cmp(&b.account));
        without_reason.sort_by(|a, b| a.account.cmp(&b.account));
        let mut missing: Vec<MissingMember> = group
            .people()
            .filter_map(|(person, _)| self.missing(group, person, because(person, &reasons)))
            .collect();
        missing.sort_by(|a, b| (&a.name, &a.person).cmp(&(&b.name, &b.person)));
        AuditedGroup {
            azure: group.name(),
            keycloak: group.keycloak_names(self.decision.draft.inputs.keycloak),
            obstacle: group.obstacle,
            other_members: group.azure.other_members,
            without_reason,
            missing,
            members,
        }
    }

    /// The member, if its person is one who counts and is in one of the sources.
    fn reasoned(&self, account: &Account, reasons: &Reasons<'_>) -> Option<ReasonedMember> {
        let matching = &self.decision.draft.matching;
        let owner = matching.owners.get(&account.id)?;
        let matched = matching.people.get(owner)?;
        let because = because(owner, reasons);
        let Standing::HasAccount(address, _) = &matched.standing else {
            return None;
        };
        (!because.is_empty()).then(|| ReasonedMember {
            account: AuditedAccount::new(account, Some(address)),
            person: person_name(matched.person),
            because,
        })
    }

    fn unreasoned(&self, group: &MappedGroup<'a>, account: &Account) -> UnreasonedMember {
        let removed = self.removed.get(&(&group.azure.id, &account.id));
        let what = match removed {
            Some(reason) => Unreasoned::WouldBeRemoved(*reason),
            None => Unreasoned::Stays(staying(account, group, self.decision)),
        };
        UnreasonedMember {
            account: AuditedAccount::new(account, None),
            as_configured: matches!(
                what,
                Unreasoned::Stays(
                    Staying::Protected | Staying::RemovesNobody | Staying::RemovesOnlyKnown
                )
            ),
            what,
        }
    }

    /// Somebody in the sources who counts and whose account is not in the group.
    fn missing(
        &self,
        group: &MappedGroup<'a>,
        person: &PersonId,
        because: Vec<Reason>,
    ) -> Option<MissingMember> {
        let draft = &self.decision.draft;
        let matched = draft.matching.people.get(person)?;
        let is_protected_account =
            |account: &Account| draft.matching.protected.contains(&account.id);
        let (email, what) = match &matched.standing {
            Standing::HasAccount(_, account) if group.azure.members.contains(&account.id) => {
                return None;
            }
            Standing::HasAccount(address, account) if is_protected_account(account) => {
                (Some(address.clone()), Missing::Protected)
            }
            Standing::HasAccount(address, _) | Standing::HasNone(address) => (
                Some(address.clone()),
                self.what_of(group, matched.person, address),
            ),
            Standing::LeftAlone => (
                address_of(matched.person, draft.inputs.settings),
                self.left_alone(group, matched.person),
            ),
        };
        Some(MissingMember {
            name: name_of(matched.person),
            person: person_name(matched.person),
            email,
            because,
            as_configured: what == Missing::Protected,
            what,
        })
    }

    fn what_of(&self, group: &MappedGroup<'a>, person: &Person, address: &Address) -> Missing {
        let is_protected = is_protected_address(address, &self.decision.draft.inputs);
        if let Some(obstacle) = group.obstacle {
            Missing::Unmanaged(obstacle)
        } else if self.invited.contains(address) {
            Missing::WouldBeInvited
        } else if self.added.contains(&(&group.azure.id, address)) {
            Missing::WouldBeAdded
        } else if is_protected {
            Missing::Protected
        } else {
            Missing::Problems(self.problems_of(person))
        }
    }

    fn left_alone(&self, group: &MappedGroup<'a>, person: &Person) -> Missing {
        match group.obstacle {
            Some(obstacle) => Missing::Unmanaged(obstacle),
            None => Missing::Problems(self.problems_of(person)),
        }
    }

    /// The problems that keep a plan from somebody.
    fn problems_of(&self, person: &Person) -> BTreeSet<ProblemCode> {
        self.problems_of
            .get(&person.id)
            .cloned()
            .unwrap_or_default()
    }

    pub fn pending(
        &self,
        accounts: &[DatedAccount],
        days: u32,
        now: jiff::Timestamp,
    ) -> Vec<PendingInvitation> {
        let days = i64::from(days);
        // Where Entra does not say since when, it may be for ever.
        let is_due = |since: Option<jiff::Timestamp>| {
            since.is_none_or(|since| now.duration_since(since).as_hours() >= days * 24)
        };
        let mut pending: Vec<PendingInvitation> = accounts
            .iter()
            .filter(|it| it.account.pending)
            .filter_map(
                |DatedAccount {
                     account,
                     state_changed,
                 }| {
                    let since = state_changed.or(account.created);
                    is_due(since).then(|| PendingInvitation {
                        account: AuditedAccount::new(account, None),
                        since,
                        groups: self.groups_of.get(&account.id).cloned().unwrap_or_default(),
                    })
                },
            )
            .collect();
        pending.sort_by(|a, b| (a.since, &a.account).cmp(&(b.since, &b.account)));
        pending
    }

    pub fn unmapped(&self, accounts: &[DatedAccount]) -> Vec<UnmappedAccount> {
        let draft = &self.decision.draft;
        let is_wanted = |account: &Account| {
            let owner = draft.matching.owners.get(&account.id);
            owner.is_some_and(|owner| {
                let mut groups = draft.groups.iter();
                groups.any(|group| group.first_source_of(owner).is_some())
            })
        };
        let mut unmapped: Vec<UnmappedAccount> = invited(accounts)
            .filter(|it| !self.groups_of.contains_key(&it.account.id) && !is_wanted(&it.account))
            .map(|DatedAccount { account, .. }| {
                let no_matter = no_matter(account, draft.inputs.settings);
                UnmappedAccount {
                    account: AuditedAccount::new(account, None),
                    created: account.created,
                    as_configured: no_matter.is_some(),
                    no_matter,
                }
            })
            .collect();
        unmapped.sort_by(|a, b| a.account.cmp(&b.account));
        unmapped
    }
}

/// Returns why an invited account in no mapped group is no matter.
fn no_matter(account: &Account, settings: &Settings) -> Option<NoMatter> {
    let is_allowed = |address: &Address| settings.invitations.allows(address.domain());
    let addresses = addresses_of(account);
    if !account.enabled {
        Some(NoMatter::Disabled)
    } else if is_protected(account, &settings.protected) {
        Some(NoMatter::Protected)
    } else if !addresses.is_empty() && !addresses.iter().any(is_allowed) {
        Some(NoMatter::OtherDomain)
    } else {
        None
    }
}

/// Why each person should be in a group.
type Reasons<'a> = HashMap<&'a PersonId, BTreeSet<Reason>>;

fn reasons<'a>(group: &MappedGroup<'a>, decision: &Decision<'a>) -> Reasons<'a> {
    let mut reasons = Reasons::new();
    for mapping in &group.mappings {
        let top = decision.draft.inputs.keycloak.groups.get(&mapping.keycloak);
        for source in top.into_iter().flat_map(|top| top.tree(mapping.subgroups)) {
            for person in &source.members {
                reasons.entry(&person.id).or_default().insert(Reason {
                    mapping: mapping.keycloak.clone(),
                    group: source.path.clone(),
                });
            }
        }
    }
    reasons
}

fn because(person: &PersonId, reasons: &Reasons<'_>) -> Vec<Reason> {
    reasons.get(person).into_iter().flatten().cloned().collect()
}

pub(super) fn invited(accounts: &[DatedAccount]) -> impl Iterator<Item = &DatedAccount> {
    accounts.iter().filter(|it| it.account.is_invited())
}

fn person_name(person: &Person) -> PersonName {
    PersonName {
        id: person.id.clone(),
        username: person.username.clone(),
    }
}
