//! The state file: both directories and the addresses they were served under, kept from one start to the next.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::World;
use crate::files::write_privately;

/// The version of the file's format. Another one is refused rather than misread.
const FORMAT: u32 = 1;

/// What the file holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Saved {
    format: u32,
    /// Where Keycloak was served. Plans carry these addresses, so they are the same at every start.
    pub keycloak: SocketAddr,
    /// Where Graph and its login were served.
    pub graph: SocketAddr,
    /// How far the services' clock had come; it goes on from there, so that nothing that happened lies in the future.
    pub clock: Duration,
    /// Both directories.
    pub world: World,
}

impl Saved {
    pub(super) fn new(
        keycloak: SocketAddr,
        graph: SocketAddr,
        clock: Duration,
        world: World,
    ) -> Self {
        Self {
            format: FORMAT,
            keycloak,
            graph,
            clock,
            world,
        }
    }
}

/// A state file.
#[derive(Debug)]
pub(super) struct StateFile {
    path: PathBuf,
}

impl StateFile {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the file, or `None` if it does not exist.
    pub(super) fn load(&self) -> io::Result<Option<Saved>> {
        let text = match std::fs::read(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.failed("read", &error)),
        };
        let saved: Saved = serde_json::from_slice(&text).map_err(|error| {
            let error = io::Error::new(io::ErrorKind::InvalidData, error.to_string());
            self.failed("understand", &error)
        })?;
        if saved.format != FORMAT {
            let error = io::Error::new(
                io::ErrorKind::InvalidData,
                format!(
                    "its format is {}, this program knows {FORMAT}",
                    saved.format
                ),
            );
            return Err(self.failed("understand", &error));
        }
        Ok(Some(saved))
    }

    /// Replaces the file as a whole, readable by its owner alone.
    pub(super) fn save(&self, saved: &Saved) -> io::Result<()> {
        write_privately(&self.path, |file| {
            serde_json::to_writer_pretty(&mut *file, saved)?;
            file.write_all(b"\n")
        })
        .map_err(|error| self.failed("write", &error))
    }

    fn failed(&self, what: &str, error: &io::Error) -> io::Error {
        let path = self.path.display();
        let text = format!(
            "failed to {what} the state of the sandbox in {path}: {error}; delete the file to begin a new sandbox"
        );
        io::Error::new(error.kind(), text)
    }
}
