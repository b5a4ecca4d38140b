//! Removals that are yet to be made: each waits for the update and the additions of the same account, and for the additions to the same group.

use std::collections::{BTreeMap, VecDeque};

use super::{Membership, PARTS_PER_BATCH, Place};
use crate::model::ObjectId;

/// Removals, and how many other changes have to be settled before each: nobody who moves is without access meanwhile, and a group that nobody
/// joins after all keeps its last member.
#[derive(Debug, Default)]
pub(super) struct Removals {
    waiting: BTreeMap<usize, Membership>,
    of_account: BTreeMap<ObjectId, Vec<usize>>,
    of_group: BTreeMap<ObjectId, Vec<usize>>,
    changes_of_account: BTreeMap<ObjectId, usize>,
    additions_to_group: BTreeMap<ObjectId, usize>,
    ready: VecDeque<Place<Membership>>,
}

impl Removals {
    /// A removal.
    pub(super) fn insert(&mut self, at: usize, membership: Membership) {
        self.of_account
            .entry(membership.account.clone())
            .or_default()
            .push(at);
        self.of_group
            .entry(membership.group.clone())
            .or_default()
            .push(at);
        self.waiting.insert(at, membership);
    }

    /// An addition that is yet to be settled.
    pub(super) fn await_addition(&mut self, group: &ObjectId, account: Option<&ObjectId>) {
        *self.additions_to_group.entry(group.clone()).or_default() += 1;
        if let Some(account) = account {
            let additions = self.changes_of_account.entry(account.clone());
            *additions.or_default() += 1;
        }
    }

    /// An update that is yet to be settled.
    pub(super) fn await_update(&mut self, account: &ObjectId) {
        *self.changes_of_account.entry(account.clone()).or_default() += 1;
    }

    /// All changes are in. Returns the removals that wait for nothing.
    pub(super) fn begin(&mut self) -> Vec<Place<Membership>> {
        let all: Vec<usize> = self.waiting.keys().copied().collect();
        self.take_due(all)
    }

    /// An addition is settled, whatever became of it. Returns the removals that wait for nothing more.
    pub(super) fn settle_addition(
        &mut self,
        group: &ObjectId,
        account: Option<&ObjectId>,
    ) -> Vec<Place<Membership>> {
        let mut concerned = Vec::new();
        if let Some(left) = self.additions_to_group.get_mut(group) {
            *left = left.saturating_sub(1);
            if *left == 0 {
                concerned.extend(self.of_group.get(group).into_iter().flatten());
            }
        }
        if let Some(account) = account {
            concerned.extend(self.settle_change_of(account));
        }
        self.take_due(concerned)
    }

    /// An update is settled, whatever became of it. Returns the removals that wait for nothing more.
    pub(super) fn settle_update(&mut self, account: &ObjectId) -> Vec<Place<Membership>> {
        let concerned = self.settle_change_of(account);
        self.take_due(concerned)
    }

    fn settle_change_of(&mut self, account: &ObjectId) -> Vec<usize> {
        let Some(left) = self.changes_of_account.get_mut(account) else {
            return Vec::new();
        };
        *left = left.saturating_sub(1);
        if *left > 0 {
            return Vec::new();
        }
        self.of_account.get(account).cloned().unwrap_or_default()
    }

    /// How many removals there are from a group, made or not.
    pub(super) fn count_of_group(&self, group: &ObjectId) -> usize {
        self.of_group.get(group).map_or(0, Vec::len)
    }

    /// A removal can be made.
    pub(super) fn release(&mut self, removal: Place<Membership>) {
        self.ready.push_back(removal);
    }

    /// The next batch: twenty, or where nothing else is on its way what there is, because whoever is to lose access is to lose it now.
    pub(super) fn next_batch(&mut self, is_idle: bool) -> Option<Vec<Place<Membership>>> {
        let are_enough = self.ready.len() >= PARTS_PER_BATCH || self.waiting.is_empty();
        if self.ready.is_empty() || !(are_enough || is_idle) {
            return None;
        }
        let size = self.ready.len().min(PARTS_PER_BATCH);
        Some(self.ready.drain(..size).collect())
    }

    /// Takes out whatever is left.
    pub(super) fn drain(&mut self) -> Vec<usize> {
        let Self { waiting, ready, .. } = std::mem::take(self);
        let ready = ready.into_iter().map(|(at, _)| at);
        waiting.into_keys().chain(ready).collect()
    }

    fn take_due(&mut self, concerned: Vec<usize>) -> Vec<Place<Membership>> {
        let is_open = |left: Option<&usize>| left.is_some_and(|left| *left > 0);
        let due = concerned.into_iter().filter_map(|at| {
            let membership = self.waiting.get(&at)?;
            let waits = is_open(self.additions_to_group.get(&membership.group))
                || is_open(self.changes_of_account.get(&membership.account));
            (!waits)
                .then(|| self.waiting.remove(&at))
                .flatten()
                .map(|membership| (at, membership))
        });
        due.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::execute::tests::id;

    fn removal(group: usize, account: usize) -> Membership {
        Membership {
            group: id(group),
            account: id(account),
            is_new: false,
        }
    }

    fn places(due: &[Place<Membership>]) -> Vec<usize> {
        due.iter().map(|(at, _)| *at).collect()
    }

    #[test]
    fn a_removal_waits_for_every_addition_of_its_account_and_of_its_group() {
        let mut removals = Removals::default();
        removals.insert(10, removal(1, 7));
        removals.insert(11, removal(2, 8));
        removals.await_addition(&id(3), Some(&id(7)));
        removals.await_addition(&id(1), None);
        removals.await_addition(&id(1), Some(&id(9)));
        assert_eq!(places(&removals.begin()), [11]);
        assert_eq!(
            places(&removals.settle_addition(&id(3), Some(&id(7)))),
            Vec::<usize>::new()
        );
        assert_eq!(
            places(&removals.settle_addition(&id(1), None)),
            Vec::<usize>::new()
        );
        assert_eq!(
            places(&removals.settle_addition(&id(1), Some(&id(9)))),
            [10]
        );
        assert_eq!(removals.count_of_group(&id(1)), 1);
    }

    #[test]
    fn a_removal_waits_for_the_update_of_its_account() {
        let mut removals = Removals::default();
        removals.insert(10, removal(1, 7));
        removals.await_update(&id(7));
        assert!(removals.begin().is_empty());
        assert_eq!(places(&removals.settle_update(&id(7))), [10]);
    }

    #[test]
    fn few_removals_wait_for_others_only_while_something_else_is_on_its_way() {
        let mut removals = Removals::default();
        for at in 0..25 {
            removals.insert(at, removal(1, 100 + at));
        }
        removals.insert(25, removal(2, 7));
        removals.await_addition(&id(3), Some(&id(7)));
        for due in removals.begin() {
            removals.release(due);
        }
        assert_eq!(removals.next_batch(false).unwrap().len(), 20);
        assert!(removals.next_batch(false).is_none());
        assert_eq!(removals.next_batch(true).unwrap().len(), 5);
        assert!(removals.next_batch(true).is_none());
        for due in removals.settle_addition(&id(3), Some(&id(7))) {
            removals.release(due);
        }
        assert_eq!(places(&removals.next_batch(false).unwrap()), [25]);
        assert!(removals.drain().is_empty());
    }
}
