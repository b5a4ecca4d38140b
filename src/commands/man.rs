//! `man`: the man pages of the program and its commands, as files.

use std::path::Path;

use anyhow::Context as _;

use crate::commands::{Context, ExitStatus};
use crate::manual;
use crate::render::escape;

pub fn run(directory: &Path, context: &mut Context) -> anyhow::Result<ExitStatus> {
    let pages = manual::pages().context("failed to make the man pages")?;
    std::fs::create_dir_all(directory)
        .with_context(|| format!("failed to create the folder {}", directory.display()))?;
    for page in &pages {
        let path = directory.join(&page.file_name);
        std::fs::write(&path, &page.text)
            .with_context(|| format!("failed to write the man page {}", path.display()))?;
    }
    let folder = escape::plain(&directory.display().to_string());
    context
        .ui
        .say(&format!("Wrote {} man pages to {folder}", pages.len()));
    Ok(ExitStatus::Done)
}
