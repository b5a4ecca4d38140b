//! Reads files that others made: never more of one than it may hold, so that a wrong path cannot fill the memory. Writes files for their
//! owner only: whole or not at all.

use std::fs::File;
use std::io::{BufRead, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use tempfile::NamedTempFile;

/// Reads what is open to its end, if that is not more than so many bytes.
pub fn read_bounded(source: impl Read, most: u64) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source
        .take(most.saturating_add(1))
        .read_to_end(&mut bytes)?;
    ensure!(
        bytes.len() as u64 <= most,
        "it is larger than {} KiB",
        most / 1024
    );
    Ok(bytes)
}

/// Reads a regular file, if it is not larger than that. To open a pipe that nobody writes to would take for ever.
pub fn read_regular(path: &Path, most: u64) -> anyhow::Result<Vec<u8>> {
    check_regular(&path.metadata()?)?;
    read_bounded(File::open(path)?, most)
}

fn check_regular(metadata: &std::fs::Metadata) -> std::io::Result<()> {
    if metadata.is_file() {
        Ok(())
    } else {
        Err(std::io::Error::other("it is not a regular file"))
    }
}

/// Checks that what is at a path, if there is anything, is a regular file: to put a file in the place of a device would take it away from
/// everybody, and what is written to one is lost.
pub fn check_regular_if_there(path: &Path) -> std::io::Result<()> {
    match path.metadata() {
        Ok(metadata) => check_regular(&metadata),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Does the same beside everything else that is going on.
pub async fn read_regular_aside(path: &Path, most: u64) -> anyhow::Result<Vec<u8>> {
    let path = path.to_owned();
    tokio::task::spawn_blocking(move || read_regular(&path, most))
        .await
        .context("it was not read to its end")?
}

/// Reads one line with its end into a buffer that is emptied before, and says whether it is not longer than so many bytes. At the end
/// of the file there is nothing in the buffer.
pub fn read_line_bounded(
    source: &mut impl BufRead,
    line: &mut Vec<u8>,
    most: u64,
) -> std::io::Result<bool> {
    line.clear();
    source
        .take(most.saturating_add(1))
        .read_until(b'\n', line)?;
    Ok(line.len() as u64 <= most)
}

/// Finds out whether a file can be written, in its folder.
pub fn check_writable(path: &Path) -> std::io::Result<()> {
    let path = to_replace(path)?;
    temporary_beside(&path).map(drop)
}

/// Writes a file that only its owner can read, piece by piece, in place of one that is there.
pub fn write_privately(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<&mut NamedTempFile>) -> std::io::Result<()>,
) -> std::io::Result<()> {
    let path = to_replace(path)?;
    written_beside(&path, write)?.persist(&path)?;
    Ok(())
}

/// Returns the file that a path leads to, which a rename may replace. A link stays a link.
fn to_replace(path: &Path) -> std::io::Result<PathBuf> {
    check_regular_if_there(path)?;
    if path.is_symlink() && path.exists() {
        path.canonicalize()
    } else {
        Ok(path.to_owned())
    }
}

/// Writes a file that only its owner can read, and fails if there is one.
pub fn write_new_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    written_beside(path, |file| file.write_all(bytes))?.persist_noclobber(path)?;
    Ok(())
}

fn written_beside(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<&mut NamedTempFile>) -> std::io::Result<()>,
) -> std::io::Result<NamedTempFile> {
    let mut file = temporary_beside(path)?;
    let mut writer = BufWriter::new(&mut file);
    write(&mut writer)?;
    writer.flush()?;
    drop(writer);
    file.as_file().sync_all()?;
    Ok(file)
}

/// A temporary file, for its owner only, which a rename keeps.
fn temporary_beside(path: &Path) -> std::io::Result<NamedTempFile> {
    // Empty for a name alone, which is a file in the folder where the program runs.
    let folder = path.parent().unwrap_or(path);
    tempfile::Builder::new()
        .prefix(".keycloak_to_azure.")
        .tempfile_in(folder)
        // The error of the crate names the temporary file, which means nothing to whoever reads it.
        .map_err(|error| error.kind().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_read_than_may_be_there() {
        assert_eq!(read_bounded(&b"1234"[..], 4).unwrap(), b"1234");
        let error = read_bounded(std::io::repeat(b'a'), 2_048).unwrap_err();
        assert_eq!(error.to_string(), "it is larger than 2 KiB");
    }

    #[cfg(unix)]
    #[test]
    fn what_is_not_a_regular_file_is_not_opened() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        for path in [&pipe, folder.path(), Path::new("/dev/zero")] {
            let error = read_regular(path, 10).unwrap_err();
            assert_eq!(error.to_string(), "it is not a regular file", "{path:?}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn nothing_but_a_regular_file_is_replaced_and_a_link_stays_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let [pipe, link, file] = ["pipe", "link", "file"].map(|name| folder.path().join(name));
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        for path in [&pipe, folder.path()] {
            let error = write_privately(path, |_| Ok(())).unwrap_err();
            assert_eq!(error.to_string(), "it is not a regular file", "{path:?}");
            assert!(check_writable(path).is_err(), "{path:?}");
        }
        assert!(!pipe.is_file());
        std::os::unix::fs::symlink(&file, &link).unwrap();
        std::fs::write(&file, "old").unwrap();
        write_privately(&link, |writer| writer.write_all(b"new")).unwrap();
        assert!(link.is_symlink());
        assert_eq!(std::fs::read(&file).unwrap(), b"new");
    }

    #[test]
    fn lines_are_read_one_by_one_and_none_beyond_its_bound() {
        let mut source = &b"12\n\n123\n1234\n"[..];
        let mut line = Vec::new();
        let mut next = || {
            let fits = read_line_bounded(&mut source, &mut line, 4).unwrap();
            (fits, String::from_utf8(line.clone()).unwrap())
        };
        assert_eq!(next(), (true, "12\n".to_owned()));
        assert_eq!(next(), (true, "\n".to_owned()));
        assert_eq!(next(), (true, "123\n".to_owned()));
        assert_eq!(next(), (false, "1234\n".to_owned()));
        assert_eq!(next(), (true, String::new()));
        assert!(!read_line_bounded(&mut &b"12345"[..], &mut line, 4).unwrap());
    }
}
