//! The delivery cursor of each receiver, on disk.
//!
//! A cursor is the number of the last event that its receiver acknowledged or that was given up. Together with the
//! decisions in the state it says which alerts must be sent after a kill. It is written after an alert: a kill in between
//! sends the alert twice, with the same id.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Receiver;
use crate::durable_file::{replace, write_synced};

/// The file, in the folder of the state.
const FILE: &str = "delivery-cursors.json";

/// The cursors of all receivers, by the receiver's name.
pub(super) struct DeliveryCursors {
    folder: PathBuf,
    cursors: Mutex<BTreeMap<String, u64>>,
}

impl DeliveryCursors {
    /// Reads the cursors in this folder.
    pub(super) fn open(folder: &Path) -> Self {
        let path = folder.join(FILE);
        let cursors = match std::fs::read(&path) {
            Ok(content) => serde_json::from_slice(&content).unwrap_or_else(|error| {
                tracing::error!("{}: {error}; pending alerts are lost", path.display());
                BTreeMap::new()
            }),
            Err(_) => BTreeMap::new(),
        };
        Self {
            folder: folder.to_owned(),
            cursors: Mutex::new(cursors),
        }
    }

    fn cursors(&self) -> MutexGuard<'_, BTreeMap<String, u64>> {
        self.cursors.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Continues after the edge was stopped; its last decision has the number `latest`.
    pub(super) fn resume(&self, receivers: &[String], latest: u64) {
        let mut cursors = self.cursors();
        let resumed = |name: &String| {
            // A new receiver gets only alerts from now on. A cursor beyond `latest` means that the state was lost and
            // its numbers start again.
            let cursor = cursors.get(name).copied().unwrap_or(latest).min(latest);
            (name.clone(), cursor)
        };
        *cursors = receivers.iter().map(resumed).collect();
        self.write(&cursors);
    }

    /// A receiver's cursor.
    pub(super) fn get(&self, receiver: &str) -> u64 {
        self.cursors().get(receiver).copied().unwrap_or_default()
    }

    /// Moves a receiver's cursor to this event. Does file operations.
    pub(super) fn advance(&self, receiver: &str, number: u64) {
        let mut cursors = self.cursors();
        cursors.insert(receiver.to_owned(), number);
        self.write(&cursors);
    }

    fn write(&self, cursors: &BTreeMap<String, u64>) {
        let write = || -> Result<(), Box<dyn std::error::Error>> {
            let new = self.folder.join("delivery-cursors.new");
            write_synced(&new, &serde_json::to_vec(cursors)?)?;
            Ok(replace(&new, &self.folder.join(FILE))?)
        };
        // Sending an alert twice is better than stopping alerts because of a full disk.
        if let Err(error) = write() {
            tracing::error!("{error}; after a restart some alerts may be sent again");
        }
    }
}

/// A unique name for each receiver: its kind, its origin, and a number among equal ones. It contains no secret, and it
/// stays the same when the token changes.
pub(super) fn names(receivers: &[Receiver]) -> Vec<String> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let name = |receiver: &Receiver| {
        let name = format!("{} {}", receiver.kind(), receiver.origin());
        // Two receivers may have the same address: their number keeps their cursors apart.
        let count = counts.entry(name.clone()).or_default();
        *count += 1;
        format!("{name} {count}")
    };
    receivers.iter().map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn cursors_survive_a_restart_and_a_new_receiver_starts_at_the_latest_event() {
        let folder = tempfile::tempdir().unwrap();
        let cursors = DeliveryCursors::open(folder.path());
        cursors.resume(&of(&["a", "b"]), 0);
        cursors.advance("a", 7);
        let cursors = DeliveryCursors::open(folder.path());
        cursors.resume(&of(&["a", "b", "c"]), 9);
        assert_eq!(["a", "b", "c"].map(|name| cursors.get(name)), [7, 0, 9]);
    }

    #[test]
    fn a_cursor_goes_back_when_the_state_was_lost() {
        let folder = tempfile::tempdir().unwrap();
        let cursors = DeliveryCursors::open(folder.path());
        cursors.resume(&of(&["a"]), 0);
        cursors.advance("a", 120);
        let cursors = DeliveryCursors::open(folder.path());
        cursors.resume(&of(&["a"]), 2);
        assert_eq!(cursors.get("a"), 2);
    }

    #[test]
    fn receivers_with_the_same_origin_have_distinct_names_without_secrets() {
        let text = "kind = \"json\"\nurl = \"http://sink/hunter2\"\ntoken = \"hunter2\"";
        let receiver: Receiver = toml::from_str(text).unwrap();
        assert_eq!(
            names(&[receiver.clone(), receiver]),
            ["json http://sink 1", "json http://sink 2"]
        );
    }
}
