//! The ledger's file: read whole, and appended to so that nothing already in it can be lost.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// The ledger's file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum FileError {
    /// There is none. A mistyped name must not look like a year without incidents.
    #[error(
        "there is no ledger {}: check the path; `firedrill budget add` creates it, and an empty file is a ledger without \
         incidents",
        .0.display()
    )]
    Missing(PathBuf),
    /// The folder does not exist. It is not created, since the path is more likely a mistake.
    #[error("there is no folder {}: create it, or name another ledger with --ledger", .0.display())]
    NoFolder(PathBuf),
    /// It cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The ledger.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It cannot be written.
    #[error("cannot write to {}", path.display())]
    Write {
        /// The ledger.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// A ledger has a line for each incident: a million of them have room in this many bytes.
const LARGEST: u64 = 64 << 20;

/// The ledger's text.
pub(super) fn read(path: &Path) -> Result<String, FileError> {
    let read = || {
        let mut bytes = Vec::new();
        // Not by its size: a device has none, and no end.
        File::open(path)?.take(LARGEST + 1).read_to_end(&mut bytes)?;
        match bytes.len() as u64 > LARGEST {
            true => Err(io::Error::other("it is larger than 64 MiB")),
            false => Ok(bytes),
        }
    };
    match read() {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(FileError::Missing(path.to_owned())),
        Err(source) => Err(FileError::Read {
            path: path.to_owned(),
            source,
        }),
    }
}

/// Appends a line, and returns once it is on disk.
pub(super) fn append(path: &Path, line: &str) -> Result<(), FileError> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    if !folder.is_dir() {
        return Err(FileError::NoFolder(folder.to_owned()));
    }
    append_synced(path, folder, line).map_err(|source| FileError::Write {
        path: path.to_owned(),
        source,
    })
}

fn append_synced(path: &Path, folder: &Path, line: &str) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .open(path)?;
    // Two people, or two CI jobs, may add an incident at the same time.
    file.lock()?;
    let mut text = String::new();
    // A line that was cut off before stays as it is, on a line of its own.
    if is_torn(&mut file)? {
        text.push('\n');
    }
    text.push_str(line);
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    // The folder too: a new file's name is not on disk before that.
    File::open(folder)?.sync_all()
}

/// Whether the last line lacks its end.
fn is_torn(file: &mut File) -> io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(false);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}
