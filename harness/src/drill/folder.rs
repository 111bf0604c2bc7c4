//! Run folders: one a drill, named so that they sort by time.

use std::io;
use std::path::{Path, PathBuf};

use crate::target::{OWNER_FILE, Owner};

/// A run's id and its folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFolder {
    /// The run's id, unique on this machine: also the value of the label `firedrill.run`.
    pub id: String,
    /// The folder, absolute.
    pub path: PathBuf,
}

/// A new run id: time, scenario, repeat, and a random tail.
pub fn new_run_id(scenario: &str, repeat: u32) -> String {
    let now = jiff::Timestamp::now().strftime("%Y%m%d-%H%M%S");
    let name: String = scenario
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_lowercase()
            } else {
                '-'
            }
        })
        .take(40)
        .collect();
    let tail: u32 = rand::random();
    format!("{now}-{name}-{repeat}-{:06x}", tail & 0xff_ffff)
}

impl RunFolder {
    /// Makes a new run folder below `runs`.
    ///
    /// # Errors
    /// When it cannot be made, or is there already.
    pub fn create(runs: &Path, id: String) -> io::Result<Self> {
        std::fs::create_dir_all(runs)?;
        let path = std::path::absolute(runs)?.join(&id);
        std::fs::create_dir(&path)?;
        std::fs::write(path.join(OWNER_FILE), Owner::this().to_string())?;
        Ok(Self { id, path })
    }
}
