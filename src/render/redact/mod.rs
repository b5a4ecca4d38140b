//! A plan without the people in it, for a pull request that everybody can read: who they are is replaced by tokens, what happens
//! to them stays. The same of a comparison of two plans, and of the report of apply.
//!
//! Redaction makes a plan of a plan, before anything is rendered, and takes every value apart field by field: a rendering has
//! nothing to give away, and a field that is added to the plan does not compile until somebody has decided about it here. Problems are
//! sentences with people in them, and looking for names in a sentence is guesswork (somebody may be called "Al", or "Keycloak"), so
//! nothing of these sentences is kept: each becomes the general one of its code.
//!
//! **Who somebody is** is their address: `person-` and the beginning of an HMAC-SHA-256 of it. One person has one token in every place of
//! a rendering and in all renderings with one key. With the key, anybody can find out whether a token is somebody's; without it, not even
//! by trying out all addresses there are. Names have no tokens of their own. They would say nothing more about who it is, and could
//! be counted: the most frequent given name gives itself away.
//!
//! **A token is as long as it has to be.** Six digits tell a few hundred people apart; where two people of one plan share their
//! beginning, these two get more digits, and nobody else does. So a token can be longer in one plan than in another,
//! and of two tokens of one person one is always the beginning of the other.
//!
//! **The order of a plan is by address**, which tells much about an address in a long list. So people stand in the order of their tokens
//! here, within what happens to them and the group that it happens in.
//!
//! **What stays**: groups, numbers, reasons, user types, the two directories, and the plan's id, by which it is approved and
//! applied. The id is a digest of the complete plan. Whoever guesses *all* of a plan, to the last object id, can see in it that the
//! guess is right.

mod comparison;
mod key;
mod plan;
mod problems;
mod report;
mod tokens;

#[cfg(test)]
mod tests;

pub use comparison::RedactedComparison;
pub use key::{RedactionKey, WeakKey};
pub use plan::Redacted;
pub use report::RedactedReport;
pub(super) use tokens::token_of;
