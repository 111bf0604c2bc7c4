//! How far each receiver has been told, on disk.
//!
//! The alerts themselves are not stored a second time: the control's state has every decision, and a receiver hears of
//! them in order, so that one number is enough. It is written after the receiver has taken the alert: a kill in between
//! tells it twice, under the same name.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Receiver;
use crate::state::{Error, put_in_place, write_synced};

/// Receivers by name, each with the number of the last event that it needs not hear of any more.
pub(super) struct Told {
    folder: PathBuf,
    numbers: Mutex<BTreeMap<String, u64>>,
}

impl Told {
    /// What is on disk in this folder.
    pub(super) fn open(folder: &Path) -> Self {
        let path = folder.join("told.json");
        let numbers = match std::fs::read(&path) {
            Ok(content) => serde_json::from_slice(&content).unwrap_or_else(|error| {
                tracing::error!("{}: {error}: alerts that waited are not sent", path.display());
                BTreeMap::new()
            }),
            Err(_) => BTreeMap::new(),
        };
        Self {
            folder: folder.to_owned(),
            numbers: Mutex::new(numbers),
        }
    }

    fn numbers(&self) -> MutexGuard<'_, BTreeMap<String, u64>> {
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins where an edge with decisions up to `latest` was killed. A receiver that is new hears of what comes; and
    /// where decisions were lost with their state, their numbers come again.
    pub(super) fn resume(&self, receivers: &[String], latest: u64) {
        let mut numbers = self.numbers();
        *numbers = receivers
            .iter()
            .map(|name| {
                (
                    name.clone(),
                    numbers.get(name).copied().unwrap_or(latest).min(latest),
                )
            })
            .collect();
        self.write(&numbers);
    }

    /// The number of the last event that a receiver needs not hear of.
    pub(super) fn up_to(&self, receiver: &str) -> u64 {
        self.numbers().get(receiver).copied().unwrap_or_default()
    }

    /// A receiver is done with everything up to this event. Does file operations.
    pub(super) fn done(&self, receiver: &str, number: u64) {
        let mut numbers = self.numbers();
        numbers.insert(receiver.to_owned(), number);
        self.write(&numbers);
    }

    fn write(&self, numbers: &BTreeMap<String, u64>) {
        let write = || -> Result<(), Error> {
            let new = self.folder.join("told.new");
            write_synced(&new, &serde_json::to_vec(numbers)?)?;
            put_in_place(&new, &self.folder.join("told.json"))
        };
        if let Err(error) = write() {
            tracing::error!("{error}: after a kill, alerts may come twice");
        }
    }
}

/// A name for each receiver that holds nothing secret and outlives a new token: its kind, where it is, and which of
/// those it is.
pub(super) fn names(receivers: &[Receiver]) -> Vec<String> {
    let mut alike: BTreeMap<String, usize> = BTreeMap::new();
    let name = |receiver: &Receiver| {
        let name = format!("{} {}", receiver.kind(), receiver.shown());
        let nth = alike.entry(name.clone()).or_default();
        *nth += 1;
        format!("{name} {nth}")
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
    fn what_was_done_is_known_after_a_restart_and_a_new_receiver_hears_of_what_comes() {
        let folder = tempfile::tempdir().unwrap();
        let told = Told::open(folder.path());
        told.resume(&of(&["a", "b"]), 0);
        told.done("a", 7);
        let told = Told::open(folder.path());
        told.resume(&of(&["a", "b", "c"]), 9);
        assert_eq!(["a", "b", "c"].map(|name| told.up_to(name)), [7, 0, 9]);
    }

    #[test]
    fn numbers_that_come_again_are_told_again() {
        let folder = tempfile::tempdir().unwrap();
        let told = Told::open(folder.path());
        told.resume(&of(&["a"]), 0);
        told.done("a", 120);
        let told = Told::open(folder.path());
        told.resume(&of(&["a"]), 2);
        assert_eq!(told.up_to("a"), 2);
    }

    #[test]
    fn receivers_of_one_place_have_names_of_their_own_without_a_secret() {
        let text = "kind = \"json\"\nurl = \"http://sink/hunter2\"\ntoken = \"hunter2\"";
        let receiver: Receiver = toml::from_str(text).unwrap();
        assert_eq!(
            names(&[receiver.clone(), receiver]),
            ["json http://sink 1", "json http://sink 2"]
        );
    }
}
