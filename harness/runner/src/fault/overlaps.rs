//! What several faults do to the same thing at once: who holds it, as files in the drill's folder, so that overlapping
//! faults can be reverted in any order and the thing is let go by the last.

use std::fs;
use std::path::PathBuf;

use super::{Context, Error};

/// Those who hold one thing.
pub(super) struct Holds {
    folder: PathBuf,
    step: usize,
}

impl Holds {
    /// Of a thing, named by what is done to whom: `down`, `app`.
    pub(super) fn of(context: &Context<'_>, what: &str, whom: &str) -> Self {
        let folder = context.shared().join("holds").join(what).join(whom);
        let step = context.step;
        Self { folder, step }
    }

    /// This step holds it too.
    pub(super) fn take(&self) -> Result<(), Error> {
        let path = self.folder.join(self.step.to_string());
        let taken = fs::create_dir_all(&self.folder).and_then(|()| fs::write(&path, ""));
        taken.map_err(|source| Error::File {
            operation: "note",
            path,
            source,
        })
    }

    /// This step lets go; the steps that still hold it, numbered from 0.
    pub(super) fn release(&self) -> Vec<usize> {
        drop(fs::remove_file(self.folder.join(self.step.to_string())));
        self.held()
    }

    /// The steps that hold it.
    pub(super) fn held(&self) -> Vec<usize> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let mut steps: Vec<usize> = entries
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .collect();
        steps.sort_unstable();
        steps
    }
}

/// "step 2 and step 3", as people count.
pub(super) fn steps(steps: &[usize]) -> String {
    let names: Vec<String> = steps.iter().map(|step| format!("step {}", step + 1)).collect();
    names.join(" and ")
}
