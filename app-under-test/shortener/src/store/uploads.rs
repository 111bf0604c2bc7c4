//! Uploaded files, in a folder beside the store.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::StoreError;
use crate::link::{Code, LinkTarget};

/// The folder of uploaded files.
pub(crate) fn folder(store: &Path) -> PathBuf {
    store.join("user_files")
}

/// The target for an uploaded file; `None` when its name has no usable character.
///
/// The name on disk is `CODE.HASH.NAME`. A code contains no dot, so the files of two codes never have the same name; the
/// hash of the content separates concurrent uploads for the same code, of which only one will get it. A repeated request
/// has the same name, and therefore the same answer.
pub(crate) fn target(code: &Code, name: &str, content: &[u8]) -> Option<LinkTarget> {
    let LinkTarget::File(name) = LinkTarget::file(name)? else {
        return None;
    };
    // With the code in front and the hash behind it, no two uploads have one name unless they are equal.
    let hash: String = Sha256::digest(content)
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    Some(LinkTarget::File(format!("{}.{hash}.{name}", code.as_str())))
}

/// Writes an uploaded file; it is on disk when this returns. A file with this name already has this content.
pub(crate) fn save(store: &Path, name: &str, content: &[u8]) -> Result<(), StoreError> {
    let folder = folder(store);
    let path = folder.join(name);
    let write = || -> io::Result<()> {
        fs::create_dir_all(&folder)?;
        // Readers must never see half a file: it gets its name when it is complete.
        let mut file = tempfile::NamedTempFile::new_in(&folder)?;
        file.write_all(content)?;
        file.as_file().sync_all()?;
        match file.persist_noclobber(&path) {
            Err(error) if error.error.kind() != io::ErrorKind::AlreadyExists => return Err(error.error),
            _ => {}
        }
        // The name itself, and the folder's when it is new.
        File::open(&folder)?.sync_all()?;
        File::open(store)?.sync_all()
    };
    write().map_err(StoreError::file("write", &path))
}

/// Writes an uploaded file as v1 does: under the code and the name without a separator, so that `q` + `bc.txt` overwrites
/// `qb` + `c.txt`, and without waiting for the disk. This is intended.
pub(crate) fn save_naively(store: &Path, name: &str, content: &[u8]) -> Result<(), StoreError> {
    let folder = folder(store);
    let path = folder.join(name);
    let written = fs::create_dir_all(&folder).and_then(|()| fs::write(&path, content));
    written.map_err(StoreError::file("write", &path))
}
