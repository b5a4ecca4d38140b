//! Plans and applies Microsoft Entra B2B users and group memberships from Keycloak groups.
//!
//! Data flows one way:
//!
//! ```text
//! config ─► keycloak ─┐
//!                     ├─ snapshots ─► matching ─► candidates ─► proofs (keycloak again) ─► diff ─► plan ─► guard ─► render, plan_file
//! config ─► entra ────┘                                                                         plan
//! plan_file ─► (the same, afresh) ─► verify(reviewed, fresh) ─► execute ─► report               apply
//! ```
//!
//! The core ([`model`], [`settings`], [`snapshot`], [`group_names`], [`mapping`], [`matching`], [`removal`], [`diff`], [`plan`], [`compare`], [`guard`], [`verify`], [`report`],
//! [`undo`], [`explain`], [`audit`], [`render`], [`wording`]) takes values and returns values: no files, clock, network, environment or terminal. The shell (everything else)
//! reads, writes and never decides.

pub mod audit;
pub mod cli;
pub mod clock;
pub mod commands;
pub mod compare;
pub mod config;
pub mod diff;
pub mod encoding;
pub mod entra;
pub mod execute;
pub mod explain;
pub mod files;
pub mod group_names;
pub mod guard;
pub mod http;
pub mod keycloak;
pub mod manual;
pub mod mapping;
pub mod matching;
pub mod model;
pub mod plan;
pub mod plan_file;
pub mod removal;
pub mod render;
pub mod report;
pub mod report_file;
pub mod run_lock;
#[cfg(feature = "sandbox")]
pub mod sandbox;
pub mod settings;
pub mod snapshot;
pub mod ui;
pub mod undo;
pub mod verify;
pub mod wording;
