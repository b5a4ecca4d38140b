//! The whole program through its public surface, against two simulated services.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod architecture;
mod audit;
mod binary;
#[path = "../crowd/budget.rs"]
mod budget;
mod budgets;
mod commands;
mod contract;
mod crew;
#[path = "../crowd/mod.rs"]
mod crowd;
mod docs;
mod explain;
mod faults;
mod hostile_directories;
mod hostile_services;
mod hostile_text;
mod house;
mod interruptions;
mod invitations;
mod kills;
mod lifting;
mod logins;
mod long_runs;
mod man;
mod networks;
mod outages;
mod permissions;
#[cfg(target_os = "linux")]
mod pipelines;
mod program;
mod replication;
mod stories;
mod throttling;
mod two_at_once;
mod undo;
mod wire;
