//! The undo log: what is about to be changed, on the disk before it is changed.
//!
//! One JSON line a change, synced to the disk before the fault is injected, and another line when it was reverted.
//! Everything that a fault changes is in the run's own containers, processes and folders, so a lost run is undone by
//! removing those; the log says which faults were in effect.

use std::fs::File;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use firedrill_model::files::{self, FileError, Limit};
use firedrill_model::json_lines;

/// The log's name in a run folder.
pub const UNDO: &str = "undo.jsonl";
/// Some hundred bytes a step.
const LIMIT: Limit = Limit::new(16 << 20, "it is read whole");

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "undo", rename_all = "kebab-case")]
pub enum Entry {
    /// A fault is about to be injected.
    Pending {
        /// The step.
        step: usize,
        /// The fault's name.
        fault: String,
        /// Its parameters.
        params: serde_json::Value,
    },
    /// It was reverted, or never took effect.
    Done {
        /// The step.
        step: usize,
    },
}

/// The log, open for one drill.
#[derive(Debug)]
pub(super) struct Log {
    file: File,
}

impl Log {
    pub(super) fn create(folder: &Path) -> io::Result<Self> {
        Ok(Self {
            file: files::private()
                .append(true)
                .create_new(true)
                .open(folder.join(UNDO))?,
        })
    }

    /// Returns once the line is on the disk.
    pub(super) fn write(&mut self, entry: &Entry) -> io::Result<()> {
        json_lines::append(&mut self.file, entry)?;
        // To the disk, not only to the operating system: the log must survive a crash of the machine.
        self.file.sync_data()
    }
}

/// The changes of a log that were not undone. A line that cannot be read (a torn last one) is ignored: its change had
/// not begun.
///
/// # Errors
/// When the file cannot be read; a missing one is an empty log.
pub fn pending(folder: &Path) -> Result<Vec<Entry>, FileError> {
    let text = match files::read(&folder.join(UNDO), LIMIT) {
        Err(error) if error.is_missing() => return Ok(Vec::new()),
        read => read?,
    };
    let mut pending: Vec<Entry> = Vec::new();
    for line in text.split(|byte| *byte == b'\n') {
        match serde_json::from_slice(line) {
            Ok(Entry::Done { step: done }) => {
                pending.retain(|entry| !matches!(entry, Entry::Pending { step, .. } if *step == done));
            }
            Ok(entry) => pending.push(entry),
            Err(_) => {}
        }
    }
    Ok(pending)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pend(step: usize) -> Entry {
        Entry::Pending {
            step,
            fault: "kill".into(),
            params: serde_json::json!({ "service": "app" }),
        }
    }

    #[test]
    fn what_was_reverted_is_no_longer_pending() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = Log::create(folder.path()).unwrap();
        for entry in [pend(0), pend(1), Entry::Done { step: 0 }] {
            log.write(&entry).unwrap();
        }
        assert_eq!(pending(folder.path()).unwrap(), [pend(1)]);
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_fail(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join(UNDO), bytes).unwrap();
            prop_assert!(pending(folder.path()).is_ok());
        }
    }
}
