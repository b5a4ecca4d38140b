//! The tests that go through the public surface: of the core with two worlds as data, of the program with two simulated services.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod architecture;
mod binary;
mod commands;
mod docs;
mod execute;
mod hostile_directories;
mod house;
mod limits;
mod matching;
mod outages;
mod plan_file;
mod program;
mod properties;
mod removal;
mod verify;
mod world;
