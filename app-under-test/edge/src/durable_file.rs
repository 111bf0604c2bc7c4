//! Small files that a power failure or a kill must not damage: written beside the old one, synced, then renamed over it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A file operation that failed.
#[derive(Debug, thiserror::Error)]
#[error("cannot {operation} {}: {source}", path.display())]
pub struct Error {
    /// What was tried.
    pub(crate) operation: &'static str,
    /// The file or folder.
    pub(crate) path: PathBuf,
    /// The cause.
    #[source]
    pub(crate) source: io::Error,
}

/// Makes an I/O error say what was tried on which file.
pub(crate) fn failed(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error + use<> {
    let path = path.to_owned();
    move |source| Error {
        operation,
        path,
        source,
    }
}

/// Writes a file; its content is on disk when this returns.
pub(crate) fn write_synced(path: &Path, content: &[u8]) -> Result<(), Error> {
    let written = File::create(path).and_then(|mut file| {
        file.write_all(content)?;
        file.sync_all()
    });
    written.map_err(failed("write", path))
}

/// Renames a file over another one in the same folder; the new name is on disk when this returns.
pub(crate) fn replace(new: &Path, current: &Path) -> Result<(), Error> {
    fs::rename(new, current).map_err(failed("replace", current))?;
    // Without this the rename itself can be lost in a power failure, although the content was synced.
    let folder = current.parent().unwrap_or(current);
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(failed("sync", folder))
}

/// FNV-1a with 64 bits. It detects accidental damage and is no protection against an attacker.
pub(crate) fn fnv_1a(bytes: impl Iterator<Item = u8>) -> u64 {
    bytes.fold(0xcbf2_9ce4_8422_2325, |sum, byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
