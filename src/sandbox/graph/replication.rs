//! Replication: when an object that was just made can be read, listed and written to.
//!
//! Only objects made since the service started are young; after a restart everything has arrived everywhere.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::StatusCode;

use super::Graph;
use super::behaviour::NotYet;
use super::clock::draw;
use super::refusal::{Refusal, directory_bad_request, no_such_object};

/// When the objects were made that this service has made.
#[derive(Debug, Clone, Default)]
pub(super) struct Newcomers {
    made: BTreeMap<String, Duration>,
}

/// A way to come across an object. They do not lag alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum View {
    Object,
    List,
    Write,
}

/// What a write wanted to do with an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    Update,
    Reference,
}

impl Graph {
    pub(super) fn note_made(&mut self, id: &str, now: Duration) {
        self.newcomers.made.insert(id.to_owned(), now);
    }

    /// Whether an object has arrived where this view looks.
    pub(super) fn has_arrived(&self, id: &str, view: View, now: Duration) -> bool {
        let replication = &self.world.behaviour.replication;
        let lag = match view {
            View::Object => replication.object,
            View::List => replication.list,
            View::Write => replication.write,
        };
        self.newcomers
            .made
            .get(id)
            .is_none_or(|made| now >= made.saturating_add(lag))
    }

    /// Refuses a write to an object that has not arrived, in one of the ways that mean "not yet".
    pub(super) fn require_arrived(
        &mut self,
        id: &str,
        wish: Wish,
        now: Duration,
    ) -> Result<(), Refusal> {
        if self.has_arrived(id, View::Write, now) {
            return Ok(());
        }
        let answer = match self.world.behaviour.replication.not_yet {
            NotYet::Mixed => {
                let answers = match wish {
                    Wish::Update => [NotYet::ResourceNotFound, NotYet::CompanyInformation],
                    Wish::Reference => [NotYet::ResourceNotFound, NotYet::SourceResource],
                };
                let drawn = draw(self.world.behaviour.seed, "not yet", self.requests);
                answers[usize::from(drawn % 2 == 1)]
            }
            answer => answer,
        };
        Err(match answer {
            NotYet::ResourceNotFound | NotYet::Mixed => no_such_object(id),
            NotYet::CompanyInformation => Refusal::new(
                StatusCode::NOT_FOUND,
                "Directory_ObjectNotFound",
                "Unable to read the company information from the directory.",
            ),
            NotYet::SourceResource => directory_bad_request(
                "The source resource object or one of the objects being referenced do not exist.",
            ),
        })
    }
}
