//! The store of the incident: every request reads the whole file, and a write rewrites it in place, without a lock and
//! without a rename.
//!
//! Concurrent requests read half-written files and overwrite each other's links. A kill during a write leaves a torn file;
//! then every request fails until somebody repairs it. All of this is intended.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::{FILE, Format, Links, PutResult, Rung, StoreError, target};
use crate::link::{Code, LinkTarget};

/// A store that is one file.
#[derive(Debug, Clone)]
pub struct Naive {
    path: PathBuf,
    format: Format,
}

/// v2's mistake: it gives the parser the *path* of the file instead of its text.
pub(super) fn wrong_loader(path: &Path) -> Result<Links, StoreError> {
    let path_as_text = path.display().to_string();
    serde_json::from_str(&path_as_text).map_err(StoreError::parse(path, path_as_text.as_bytes()))
}

/// The content of a migrated store.
fn migrated(links: &Links) -> Vec<u8> {
    let link =
        |(code, target): (&String, &serde_json::Value)| serde_json::json!({ "code": code, "target": target });
    let links: Vec<_> = links.iter().map(link).collect();
    serde_json::json!({ "version": 2, "links": links })
        .to_string()
        .into_bytes()
}

impl Naive {
    pub(super) fn open(folder: &Path, format: Format) -> Result<Self, StoreError> {
        let naive = Self {
            path: folder.join(FILE),
            format,
        };
        if format == Format::Migrated
            && let Some(links) = naive.load()?
        {
            naive.save(&links)?;
        }
        Ok(naive)
    }

    /// v1's loader; `None` when there is no file.
    fn load(&self) -> Result<Option<Links>, StoreError> {
        match std::fs::read(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StoreError::file("read", &self.path)(error)),
            Ok(text) => self
                .format
                .decode(&text)
                .map(Some)
                .map_err(StoreError::parse(&self.path, &text)),
        }
    }

    /// Writes in place through a buffer of 8 KiB, as `json.dump(urls, file)` does: the file is empty from the moment it is
    /// opened until the first buffer is full or the last one is flushed.
    fn save(&self, links: &Links) -> Result<(), StoreError> {
        let write = || -> io::Result<()> {
            // In place: the file is empty, then half written, for everybody who reads it meanwhile.
            let mut file = BufWriter::with_capacity(8 << 10, File::create(&self.path)?);
            match self.format {
                Format::Original => serde_json::to_writer(&mut file, links)?,
                Format::Migrated => file.write_all(&migrated(links))?,
            }
            file.flush()
        };
        write().map_err(StoreError::file("write", &self.path))
    }

    pub(super) fn get(&self, code: &Code) -> Result<Option<LinkTarget>, StoreError> {
        Ok(self.load()?.and_then(|links| target(&links, code)))
    }

    pub(super) fn put(&self, code: &Code, to: &LinkTarget, wrong: bool) -> Result<PutResult, StoreError> {
        let mut links = Links::new();
        // As in the incident: without a file nothing is loaded, so the flaw does not show on an empty store.
        if self.path.exists() {
            links = if wrong {
                wrong_loader(&self.path)?
            } else {
                self.load()?.unwrap_or_default()
            };
            if links.contains_key(code.as_str()) {
                return Ok(PutResult::Taken);
            }
        }
        links.insert(code.as_str().to_owned(), serde_json::json!(to));
        self.save(&links)?;
        Ok(PutResult::Stored(Rung::Store))
    }
}
