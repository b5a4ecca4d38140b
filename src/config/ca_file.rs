//! The certificates of a private authority that a configuration names: where they are, and whether they can be used.

use std::path::{Path, PathBuf};

use crate::files;
use crate::http;
use crate::render::escape::plain;

use super::mistake::Wrong;

/// The largest file of certificate authorities that is read; those of a whole system are some hundred kilobytes.
pub const LARGEST_CA_FILE: u64 = 16 * 1024 * 1024;

/// Returns where the file is, if it can be used. Jobs of pipelines run in folders of their own, and the file is kept beside the
/// configuration.
pub(super) fn find(file: &Path, folder: &Path) -> Result<PathBuf, Wrong> {
    let found = folder.join(file);
    let certificates = files::read_regular(&found, LARGEST_CA_FILE)
        .and_then(|pem| http::certificates(&pem).map(drop));
    match certificates {
        Ok(()) => Ok(found),
        Err(error) => Err(Wrong::value(format!(
            "cannot be used: {}: {error:#}; a path that is not absolute begins in the folder of the configuration",
            plain(&found.display().to_string())
        ))),
    }
}
