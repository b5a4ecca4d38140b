//! How many requests the best strategies take.

use crate::crowd::Crowd;

/// How many requests to Graph a run needs.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    pub people: usize,
    pub groups: usize,
    /// A plan of a tenant of just these people.
    pub plan: usize,
    /// Their invitations, updates and additions.
    pub first_sync: usize,
}

impl Budget {
    /// What the best strategies take: tokens and the tenant, fifteen names in a filter, twenty parts in a batch, 999 entries in a page; five
    /// sets of twenty additions in a batch.
    pub const ALL: [Self; 9] = [
        Self::new(1_000, 10, 6, 130),
        Self::new(1_000, 100, 10, 140),
        Self::new(1_000, 1_000, 58, 300),
        Self::new(10_000, 10, 18, 1_300),
        Self::new(10_000, 100, 19, 1_300),
        Self::new(10_000, 1_000, 67, 1_400),
        Self::new(100_000, 10, 135, 13_000),
        Self::new(100_000, 100, 124, 13_000),
        Self::new(100_000, 1_000, 157, 13_000),
    ];

    const fn new(people: usize, groups: usize, plan: usize, first_sync: usize) -> Self {
        Self {
            people,
            groups,
            plan,
            first_sync,
        }
    }

    /// The company that it is for.
    pub fn crowd(self) -> Crowd {
        Crowd {
            people: self.people,
            groups: self.groups,
            memberships: 3,
        }
    }
}
