//! Run folders: one a drill, named so that they sort by time.

use std::io;
use std::path::{Path, PathBuf};

pub use crate::backend::new_run_id;
use crate::backend::{OWNER_FILE, Owner};

/// A run's id and its folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFolder {
    /// The run's id, unique on this machine: also the value of the label `firedrill.run`.
    pub id: String,
    /// The folder, absolute.
    pub path: PathBuf,
}

impl RunFolder {
    /// Makes a new run folder below `runs`.
    ///
    /// # Errors
    /// When it cannot be made, or is there already.
    pub fn create(runs: &Path, id: String) -> io::Result<Self> {
        std::fs::create_dir_all(runs)?;
        let path = std::path::absolute(runs)?.join(&id);
        // Fails where the folder exists: one run folder has one drill.
        std::fs::create_dir(&path)?;
        // Renamed into place, so that cleanup never reads half an owner.
        let beside = path.join(format!("{OWNER_FILE}.new"));
        std::fs::write(&beside, Owner::this().to_string())?;
        std::fs::rename(beside, path.join(OWNER_FILE))?;
        Ok(Self { id, path })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_run_folder_contains_its_owner_and_nothing_else() {
        let runs = tempfile::tempdir().unwrap();
        let run = RunFolder::create(runs.path(), "one".into()).unwrap();
        let names: Vec<_> = std::fs::read_dir(&run.path)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(names, [OWNER_FILE]);
        let owner = std::fs::read_to_string(run.path.join(OWNER_FILE)).unwrap();
        assert_eq!(owner.parse(), Ok(Owner::this()));
    }
}
