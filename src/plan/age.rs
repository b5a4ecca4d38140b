//! How old a plan may be when it is applied. `created_at` is outside the digest, so this protects from nobody who can write to the file.

use jiff::{SignedDuration, Timestamp};

use super::Plan;

/// How far the clock of who planned may be ahead of the clock of who applies, and of Entra's.
const SKEW: SignedDuration = SignedDuration::from_mins(5);

/// Why a plan is not applied for its age.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnfitAge {
    /// It was made so long ago.
    Older(SignedDuration),
    /// It will only be made in so long, by the clock here: how old it is cannot be said.
    NotYetMade(SignedDuration),
}

impl Plan {
    /// Whether something that was made at this time is newer than the plan, by clocks that may differ.
    pub fn is_before(&self, made: Timestamp) -> bool {
        made.duration_since(self.created_at) >= -SKEW
    }

    /// Checks that the plan is at most so old.
    pub fn check_age(&self, most: SignedDuration, now: Timestamp) -> Result<(), UnfitAge> {
        let age = now.duration_since(self.created_at);
        if age > most {
            Err(UnfitAge::Older(age))
        } else if age < -SKEW {
            Err(UnfitAge::NotYetMade(-age))
        } else {
            Ok(())
        }
    }
}
