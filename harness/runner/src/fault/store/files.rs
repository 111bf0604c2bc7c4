//! Reading and writing files of a volume, for damage and for backups.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::access_time::read_untraced;
use crate::fault::Error;
use crate::fault::error::failed;

/// Where a file is written before it is renamed into place.
pub(super) fn beside(path: &Path) -> PathBuf {
    path.with_extension("firedrill")
}

/// The content, read without a trace in the access time.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, Error> {
    read_untraced(path).map_err(failed("read", path))
}

/// Writes a file that is on the disk when this returns.
pub(super) fn write_synced(path: &Path, content: &[u8]) -> Result<(), Error> {
    let write = || -> io::Result<()> {
        let mut file = fs::File::create(path)?;
        file.write_all(content)?;
        file.sync_all()
    };
    write().map_err(failed("write", path))
}
