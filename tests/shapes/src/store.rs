//! The items: a file with one line for each, appended and synced before a write is acknowledged.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;

use crate::{Args, Shape};

/// The file of the items.
pub(crate) struct Store {
    path: PathBuf,
}

impl Store {
    /// Opens it, in its shape.
    pub(crate) fn open(args: &Args) -> io::Result<Self> {
        let path = args.store.clone();
        let beside = |name: &str| path.with_file_name(name);
        match args.shape {
            Shape::LinkedStore if !path.is_symlink() => {
                std::os::unix::fs::symlink(beside("items.real"), &path)?
            }
            Shape::Fifo if !beside("fifo").exists() => {
                rustix::fs::mknodat(
                    rustix::fs::CWD,
                    beside("fifo"),
                    rustix::fs::FileType::Fifo,
                    rustix::fs::Mode::from_raw_mode(0o600),
                    0,
                )?;
            }
            _ => {}
        }
        Ok(Self { path })
    }

    /// Adds an item; it is on disk when this returns.
    pub(crate) fn put(&self, id: &str, value: &str) -> io::Result<()> {
        let mut file = OpenOptions::new().create(true).append(true).open(&self.path)?;
        file.write_all(format!("{id}\t{value}\n").as_bytes())?;
        file.sync_data()
    }

    /// An item; none if it was never stored.
    pub(crate) fn get(&self, id: &str) -> io::Result<Option<String>> {
        let text = match fs::read_to_string(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            text => text?,
        };
        // A line that is not an item means that the file is damaged: all of it is then suspect.
        let items = text.lines().map(|line| {
            let item = line.split_once('\t');
            item.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the store is damaged"))
        });
        let items = items.collect::<io::Result<Vec<_>>>()?;
        let found = items.into_iter().rev().find(|(known, _)| *known == id);
        Ok(found.map(|(_, value)| value.to_owned()))
    }
}
