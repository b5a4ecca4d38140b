//! Additions that are yet to be made: which of them can be made by now, and which of these go together.

use std::collections::{BTreeMap, VecDeque};

use super::{MEMBERS_PER_SET, Membership, Place, SETS_PER_BATCH};
use crate::model::{Address, ObjectId};

/// Additions in twenties of one group, because Graph takes so many as one write. One whose account is still to be invited or updated waits
/// for that, and an incomplete twenty for those of its group that wait.
#[derive(Debug, Default)]
pub(super) struct Additions {
    waiting: BTreeMap<Awaited, Vec<Waiting>>,
    /// How many of each group wait.
    awaited: BTreeMap<ObjectId, usize>,
    /// By group, what is too few for a set.
    incomplete: BTreeMap<ObjectId, Vec<Place<Membership>>>,
    sets: VecDeque<Vec<Place<Membership>>>,
    /// The sets that need not wait for others to share a batch.
    urgent: usize,
}

/// What comes before an addition.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Awaited {
    /// The invitation of an address.
    Invitation(Address),
    /// The update of an account.
    Update(ObjectId),
}

/// An addition that waits.
#[derive(Debug)]
struct Waiting {
    at: usize,
    group: ObjectId,
    /// The account, where it is known before what is waited for.
    account: Option<ObjectId>,
}

impl Additions {
    /// An addition that can be made.
    pub(super) fn insert(&mut self, at: usize, membership: Membership) {
        let group = membership.group.clone();
        self.incomplete
            .entry(group)
            .or_default()
            .push((at, membership));
    }

    /// An addition that can be made once something else is settled.
    pub(super) fn insert_waiting(
        &mut self,
        at: usize,
        group: &ObjectId,
        awaited: Awaited,
        account: Option<ObjectId>,
    ) {
        *self.awaited.entry(group.clone()).or_default() += 1;
        self.waiting.entry(awaited).or_default().push(Waiting {
            at,
            group: group.clone(),
            account,
        });
    }

    /// All additions are in: whatever waits for nobody goes out.
    pub(super) fn begin(&mut self) {
        let groups: Vec<ObjectId> = self.incomplete.keys().cloned().collect();
        for group in groups {
            self.complete(&group);
        }
        self.urgent = self.sets.len();
    }

    /// An invitation is done, and made this account; or nothing came of it. Returns the additions that cannot be made.
    pub(super) fn settle_invitation(
        &mut self,
        email: &Address,
        is_done: bool,
        invited: Option<&ObjectId>,
    ) -> Vec<usize> {
        let mut impossible = Vec::new();
        for Waiting { at, group, account } in self.take(&Awaited::Invitation(email.clone())) {
            match account.or_else(|| invited.cloned()).filter(|_| is_done) {
                Some(account) => self.insert(
                    at,
                    Membership {
                        group: group.clone(),
                        account,
                        is_new: true,
                    },
                ),
                None => impossible.push(at),
            }
            self.complete(&group);
        }
        impossible
    }

    /// An update is settled, whatever became of it.
    pub(super) fn settle_update(&mut self, account: &ObjectId) {
        for Waiting { at, group, .. } in self.take(&Awaited::Update(account.clone())) {
            self.insert(
                at,
                Membership {
                    group: group.clone(),
                    account: account.clone(),
                    is_new: false,
                },
            );
            self.complete(&group);
        }
    }

    fn take(&mut self, awaited: &Awaited) -> Vec<Waiting> {
        let taken = self.waiting.remove(awaited).unwrap_or_default();
        for Waiting { group, .. } in &taken {
            if let Some(awaited) = self.awaited.get_mut(group) {
                *awaited = awaited.saturating_sub(1);
            }
        }
        taken
    }

    /// The next batch, if it is time for one: five sets, or what there is where nothing more can come. With `may_be_late` no set
    /// is kept back for somebody in it whose account may not be there yet.
    pub(super) fn next_batch(&mut self, may_be_late: bool) -> Option<Vec<Place<Membership>>> {
        let are_enough = self.sets.len() >= SETS_PER_BATCH;
        if !(are_enough || self.urgent > 0 || self.waiting.is_empty()) {
            return None;
        }
        let is_fit = |set: &[Place<Membership>]| {
            may_be_late || !set.iter().any(|(_, membership)| membership.is_new)
        };
        let mut batch = Vec::new();
        for _ in 0..SETS_PER_BATCH {
            let Some(at) = self.sets.iter().position(|set| is_fit(set)) else {
                break;
            };
            batch.extend(self.sets.remove(at).unwrap_or_default());
            self.urgent = self.urgent.saturating_sub(1);
        }
        (!batch.is_empty()).then_some(batch)
    }

    /// Takes out whatever is left.
    pub(super) fn drain(&mut self) -> Vec<usize> {
        let Self {
            waiting,
            incomplete,
            sets,
            ..
        } = std::mem::take(self);
        let waiting = waiting.into_values().flatten().map(|waiting| waiting.at);
        let ready = sets.into_iter().chain(incomplete.into_values()).flatten();
        waiting.chain(ready.map(|(at, _)| at)).collect()
    }

    /// Makes sets of what is there of a group.
    fn complete(&mut self, group: &ObjectId) {
        let is_last = self.awaited.get(group).is_none_or(|awaited| *awaited == 0);
        let Some(members) = self.incomplete.get_mut(group) else {
            return;
        };
        while members.len() >= MEMBERS_PER_SET {
            let rest = members.split_off(MEMBERS_PER_SET);
            self.sets.push_back(std::mem::replace(members, rest));
        }
        if is_last {
            let rest = self.incomplete.remove(group).unwrap_or_default();
            if !rest.is_empty() {
                self.sets.push_back(rest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::execute::tests::id;

    fn address(number: usize) -> Address {
        format!("p{number}@acme.example").parse().unwrap()
    }

    fn invitation(number: usize) -> Awaited {
        Awaited::Invitation(address(number))
    }

    fn membership(group: usize, account: usize) -> Membership {
        Membership {
            group: id(group),
            account: id(account),
            is_new: false,
        }
    }

    /// How many additions of how many groups each batch has.
    fn batches(additions: &mut Additions) -> Vec<(usize, usize)> {
        std::iter::from_fn(|| additions.next_batch(true))
            .map(|batch| {
                let groups: std::collections::BTreeSet<&ObjectId> = batch
                    .iter()
                    .map(|(_, membership)| &membership.group)
                    .collect();
                (batch.len(), groups.len())
            })
            .collect()
    }

    #[test]
    fn additions_that_wait_for_nobody_go_out_at_once_five_sets_at_a_time() {
        let mut additions = Additions::default();
        for group in 0..3 {
            for account in 0..45 {
                additions.insert(group * 45 + account, membership(group, 100 + account));
            }
        }
        additions.begin();
        // Three sets of each group: 20, 20 and 5.
        assert_eq!(batches(&mut additions), [(85, 2), (50, 2)]);
    }

    #[test]
    fn an_incomplete_set_waits_for_those_of_its_group_who_are_being_invited() {
        let mut additions = Additions::default();
        for account in 0..25 {
            additions.insert(account, membership(0, 100 + account));
        }
        additions.insert(25, membership(1, 100));
        additions.insert_waiting(26, &id(0), invitation(0), None);
        additions.begin();
        assert_eq!(batches(&mut additions), [(21, 2)]);
        assert!(
            additions
                .settle_invitation(&address(0), true, Some(&id(9)))
                .is_empty()
        );
        let batch = additions.next_batch(true).unwrap();
        assert_eq!(batch.len(), 6);
        let (at, last) = &batch[5];
        assert_eq!((*at, &last.account, last.is_new), (26, &id(9), true));
        assert!(additions.drain().is_empty());
    }

    #[test]
    fn sets_of_the_invited_share_batches_until_nobody_is_waited_for() {
        let mut additions = Additions::default();
        for person in 0..120 {
            additions.insert_waiting(person, &id(0), invitation(person), None);
        }
        additions.insert_waiting(120, &id(1), invitation(120), Some(id(7)));
        additions.begin();
        for person in 0..119 {
            additions.settle_invitation(&address(person), true, Some(&id(1_000 + person)));
        }
        assert_eq!(batches(&mut additions), [(100, 1)]);
        // The last of the group, and somebody whose invitation came to nothing.
        additions.settle_invitation(&address(119), true, Some(&id(2_000)));
        assert_eq!(batches(&mut additions), []);
        assert_eq!(
            additions.settle_invitation(&address(120), false, None),
            [120]
        );
        assert_eq!(batches(&mut additions), [(20, 1)]);
    }

    #[test]
    fn an_addition_waits_for_the_update_of_its_account_whatever_becomes_of_that() {
        let mut additions = Additions::default();
        additions.insert_waiting(0, &id(0), Awaited::Update(id(5)), Some(id(5)));
        additions.begin();
        assert!(additions.next_batch(true).is_none());
        additions.settle_update(&id(5));
        let batch = additions.next_batch(true).unwrap();
        assert_eq!((batch[0].0, &batch[0].1.account), (0, &id(5)));
        assert!(!batch[0].1.is_new);
    }

    #[test]
    fn accounts_that_may_be_late_leave_room_for_those_that_are_there() {
        let mut additions = Additions::default();
        additions.insert_waiting(0, &id(0), invitation(0), None);
        additions.insert(1, membership(1, 100));
        additions.begin();
        additions.settle_invitation(&address(0), true, Some(&id(9)));
        let batch = additions.next_batch(false).unwrap();
        assert_eq!((batch.len(), batch[0].0), (1, 1));
        assert!(additions.next_batch(false).is_none());
        assert_eq!(additions.next_batch(true).unwrap()[0].0, 0);
    }

    #[test]
    fn what_is_left_is_complete() {
        let mut additions = Additions::default();
        for account in 0..21 {
            additions.insert(account, membership(0, 100 + account));
        }
        additions.insert_waiting(21, &id(0), invitation(0), None);
        additions.begin();
        let mut left = additions.drain();
        left.sort_unstable();
        assert_eq!(left, (0..22).collect::<Vec<_>>());
        assert!(additions.next_batch(true).is_none());
    }
}
