//! What the fuzz targets share: a service that answers what an input says, and where inputs to begin with come from.

pub mod edits;
pub mod plans;
pub mod seeds;
pub mod service;

// The worlds of the decision tests also make the plans that are fuzzed, so that these are always of the current format.
#[path = "../../decide/world.rs"]
pub mod world;
