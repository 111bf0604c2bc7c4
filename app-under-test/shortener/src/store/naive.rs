//! The store of the incident: the whole file at every request, rewritten in place, without a lock and without a rename.
//!
//! Two requests that meet read each other's half-written file, or write over each other's link; a kill in the middle
//! of a write leaves a torn file, and then every request fails until somebody repairs it. All of that is on purpose.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::{FILE, Format, Links, StoreError, Stored, entry};
use crate::link::{Code, Entry};
use crate::store::Rung;

/// The file, and nothing else.
#[derive(Debug, Clone)]
pub struct Naive {
    path: PathBuf,
    format: Format,
}

/// v2's mistake: the parser is handed the *path* of the file where it wants its text.
pub(super) fn wrong_loader(path: &Path) -> Result<Links, StoreError> {
    let path_as_text = path.display().to_string();
    serde_json::from_str(&path_as_text).map_err(StoreError::parse(path, path_as_text.as_bytes()))
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

    /// v1's loader: the file's text; `None` when there is no file.
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

    /// Writes in place, through a buffer of 8 KiB, the way `json.dump(urls, file)` does: the file is empty from its
    /// opening until the first buffer is full or the last one is flushed.
    fn save(&self, links: &Links) -> Result<(), StoreError> {
        let write = || -> io::Result<()> {
            let mut file = BufWriter::with_capacity(8 << 10, File::create(&self.path)?);
            match self.format {
                Format::Original => serde_json::to_writer(&mut file, links)?,
                Format::Migrated => file.write_all(&self.format.encode(links))?,
            }
            file.flush()
        };
        write().map_err(StoreError::file("write", &self.path))
    }

    pub(super) fn get(&self, code: &Code) -> Result<Option<Entry>, StoreError> {
        Ok(self.load()?.and_then(|links| entry(&links, code)))
    }

    pub(super) fn put(&self, code: &Code, to: &Entry, wrong: bool) -> Result<Stored, StoreError> {
        let mut links = Links::new();
        if self.path.exists() {
            links = if wrong {
                wrong_loader(&self.path)?
            } else {
                self.load()?.unwrap_or_default()
            };
            if links.contains_key(code.as_str()) {
                return Ok(Stored::Taken);
            }
        }
        links.insert(code.as_str().to_owned(), serde_json::json!(to));
        self.save(&links)?;
        Ok(Stored::Yes(Rung::Store))
    }
}
