//! What is decided, and in which order it is carried out, with two directories as data: no service, no sandbox.
//!
//! Everything that may not be got wrong is tested here, so this is what the mutation tests run.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod addresses;
mod audit;
mod carry_out;
mod compare;
mod deleted;
mod execute;
mod explain;
mod generate;
mod group_names;
mod invitations;
mod limits;
mod matching;
mod matching_table;
mod naming;
mod oracle;
mod plan_file;
mod properties;
mod removal;
mod undo;
mod verdict_table;
mod verify;
mod world;
