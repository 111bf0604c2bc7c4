//! The state that must survive a restart: read at the start, written by one thread at every decision.
//!
//! On disk are two generations, each with a checksum. A new one is written to a third file and synced; then the current one
//! becomes the previous one, and the new one becomes the current one. At every instant one complete generation exists.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::config::Placed;
use crate::durable_file::{self, failed, fnv_1a, replace, write_synced};
use crate::event::{Event, Record};

/// Events in the state; older ones are removed.
const MAX_EVENTS: usize = 200;

/// How far a release has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// It was registered; the gates are running.
    Registered,
    /// It passed the gates and may be promoted.
    Passed,
    /// A gate rejected it.
    Rejected,
    /// It is live and being watched.
    Live,
    /// It was watched long enough.
    Settled,
    /// It was rolled back.
    RolledBack,
}

impl std::fmt::Display for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Registered => "registered",
            Self::Passed => "passed",
            Self::Rejected => "rejected",
            Self::Live => "live",
            Self::Settled => "settled",
            Self::RolledBack => "rolled back",
        })
    }
}

/// What is known about one release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseStatus {
    /// How far it has come.
    pub stage: Stage,
    /// The slot that it runs in, or was meant for.
    pub slot: String,
    /// The reason for its stage, in one line.
    pub reason: String,
}

/// Everything that must survive a restart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// The live release.
    pub live: Placed,
    /// The last working release, which stays warm.
    pub standby: Option<Placed>,
    /// When the watch of the live release began; `None` once it has settled.
    pub watched_since: Option<jiff::Timestamp>,
    /// All known releases, by name.
    pub releases: BTreeMap<String, ReleaseStatus>,
    /// The number of the next event.
    pub next: u64,
    /// The last events.
    pub events: Vec<Record>,
}

impl State {
    /// The state of a new edge.
    pub fn new(live: Placed) -> Self {
        let status = ReleaseStatus {
            stage: Stage::Settled,
            slot: live.slot.clone(),
            reason: "configured".into(),
        };
        Self {
            releases: BTreeMap::from([(live.release.clone(), status)]),
            live,
            standby: None,
            watched_since: None,
            next: 1,
            events: Vec::new(),
        }
    }

    /// Appends an event with the next number.
    pub fn record(&mut self, event: Event) -> Record {
        let record = Record {
            number: self.next,
            at: jiff::Timestamp::now(),
            event,
        };
        // It never goes back: receivers know alerts by their number.
        self.next += 1;
        self.events.push(record.clone());
        let surplus = self.events.len().saturating_sub(MAX_EVENTS);
        self.events.drain(..surplus);
        record
    }

    /// Rejects releases whose gates were running when the edge stopped: their result is unknown.
    pub fn interrupt_gates(&mut self) {
        let interrupted = self
            .releases
            .values_mut()
            .filter(|release| release.stage == Stage::Registered);
        interrupted.for_each(|release| {
            release.stage = Stage::Rejected;
            "the edge stopped while the gates were running: register the release again"
                .clone_into(&mut release.reason);
        });
    }

    /// Sets what is known about a release.
    pub fn set_status(&mut self, release: &str, slot: &str, stage: Stage, reason: impl Into<String>) {
        let status = ReleaseStatus {
            stage,
            slot: slot.to_owned(),
            reason: reason.into(),
        };
        self.releases.insert(release.to_owned(), status);
    }
}

/// A state that cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file operation failed.
    #[error(transparent)]
    File(#[from] durable_file::Error),
    /// The state cannot be represented as JSON.
    #[error("cannot write the state as JSON: {0}")]
    Encode(#[from] serde_json::Error),
    /// The thread that writes the state cannot be started.
    #[error("cannot start the thread that writes the state: {0}")]
    Thread(#[source] io::Error),
}

/// The state on disk at the start.
#[derive(Debug, PartialEq, Eq)]
pub enum StoredState {
    /// There is no state yet.
    Missing,
    /// The current generation.
    Current(Box<State>),
    /// The previous generation, because a kill interrupted writing the current one before its decision took effect.
    Previous(Box<State>),
    /// The previous generation, because the current one is damaged: its last decision is lost.
    Older(Box<State>),
    /// There is a state, and no generation of it can be read.
    Damaged,
}

/// The folder of the state.
#[derive(Debug, Clone)]
pub struct StateFolder {
    path: PathBuf,
}

impl StateFolder {
    /// Uses this folder and creates it if necessary.
    ///
    /// # Errors
    /// When it cannot be created.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        fs::create_dir_all(folder).map_err(failed("create", folder))?;
        Ok(Self {
            path: folder.to_owned(),
        })
    }

    fn current(&self) -> PathBuf {
        self.path.join("state.json")
    }

    fn previous(&self) -> PathBuf {
        self.path.join("state.prev.json")
    }

    /// Reads the newest intact generation.
    pub fn read(&self) -> StoredState {
        let (current, previous) = (fs::read(self.current()), fs::read(self.previous()));
        if let Some(state) = current.as_ref().ok().and_then(|content| decode(content)) {
            return StoredState::Current(Box::new(state));
        }
        let absent = |read: &io::Result<Vec<u8>>| matches!(read, Err(error) if error.kind() == io::ErrorKind::NotFound);
        let state = previous.as_ref().ok().and_then(|content| decode(content));
        match state.map(Box::new) {
            // A write renames the current generation first, so a kill may leave none.
            Some(state) if absent(&current) => StoredState::Previous(state),
            Some(state) => StoredState::Older(state),
            None if absent(&current) && absent(&previous) => StoredState::Missing,
            None => StoredState::Damaged,
        }
    }

    /// Writes a new generation, which is on disk when this returns.
    ///
    /// # Errors
    /// When a file operation fails. The state from before is then still intact.
    pub fn write(&self, state: &State) -> Result<(), Error> {
        let (new, current, previous) = (self.path.join("state.new"), self.current(), self.previous());
        let content = encode(state)?;
        write_synced(&new, &content)?;
        // A damaged generation must not replace an intact previous one.
        if fs::read(&current).is_ok_and(|content| decode(&content).is_some()) {
            fs::rename(&current, &previous).map_err(failed("rename", &current))?;
        }
        Ok(replace(&new, &current)?)
    }
}

/// The checksum on the first line, the state on the second.
fn encode(state: &State) -> Result<Vec<u8>, Error> {
    let text = serde_json::to_string(state)?;
    Ok(format!("{:016x}\n{text}\n", fnv_1a(text.bytes())).into_bytes())
}

/// `None` for anything that is not intact.
fn decode(content: &[u8]) -> Option<State> {
    let text = std::str::from_utf8(content).ok()?.strip_suffix('\n')?;
    let (stored, text) = text.split_once('\n')?;
    let stored = u64::from_str_radix(stored, 16).ok()?;
    // The checksum first: a damaged state may be valid JSON.
    (stored == fnv_1a(text.bytes())).then(|| serde_json::from_str(text).ok())?
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn placed(slot: &str, release: &str) -> Placed {
        Placed {
            slot: slot.into(),
            release: release.into(),
        }
    }

    fn two_generations() -> (tempfile::TempDir, StateFolder, State, State) {
        let folder = tempfile::tempdir().unwrap();
        let stored = StateFolder::open(folder.path()).unwrap();
        let before = State::new(placed("blue", "v1"));
        stored.write(&before).unwrap();
        let mut after = before.clone();
        after.standby = Some(std::mem::replace(&mut after.live, placed("green", "v2")));
        after.record(Event::Settled { release: "v2".into() });
        stored.write(&after).unwrap();
        (folder, stored, before, after)
    }

    #[test]
    fn a_written_state_is_read_back() {
        let (_temporary, stored, _, after) = two_generations();
        assert_eq!(stored.read(), StoredState::Current(Box::new(after)));
    }

    #[test]
    fn a_new_folder_has_no_state() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(
            StateFolder::open(folder.path()).unwrap().read(),
            StoredState::Missing
        );
    }

    #[test]
    fn a_truncated_state_is_read_from_the_previous_generation() {
        let (_temporary, stored, before, _) = two_generations();
        let intact = fs::read(stored.current()).unwrap();
        for length in 0..intact.len() {
            fs::write(stored.current(), &intact[..length]).unwrap();
            assert_eq!(
                stored.read(),
                StoredState::Older(Box::new(before.clone())),
                "truncated to {length} bytes"
            );
        }
    }

    /// A kill may come between any two file operations of a write.
    #[test]
    fn a_kill_between_any_two_steps_of_a_write_leaves_an_intact_state() {
        let (_temporary, stored, before, after) = two_generations();
        let content = encode(&after).unwrap();
        for length in 0..=content.len() {
            fs::write(stored.path.join("state.new"), &content[..length]).unwrap();
            assert_eq!(stored.read(), StoredState::Current(Box::new(after.clone())));
        }
        fs::rename(stored.current(), stored.previous()).unwrap();
        assert_eq!(stored.read(), StoredState::Previous(Box::new(after)));
        stored.write(&before).unwrap();
        assert_eq!(stored.read(), StoredState::Current(Box::new(before)));
    }

    #[test]
    fn a_damaged_state_does_not_replace_the_previous_generation() {
        let (_temporary, stored, before, after) = two_generations();
        fs::write(stored.current(), "damaged").unwrap();
        stored.write(&after).unwrap();
        fs::remove_file(stored.current()).unwrap();
        assert_eq!(stored.read(), StoredState::Previous(Box::new(before)));
    }

    #[test]
    fn the_oldest_events_are_removed() {
        let mut state = State::new(placed("blue", "v1"));
        for _ in 0..MAX_EVENTS + 5 {
            state.record(Event::Settled { release: "v1".into() });
        }
        assert_eq!((state.events.len(), state.events[0].number), (MAX_EVENTS, 6));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
        #[test]
        fn any_flipped_bit_is_detected(at in 0usize..10_000, bit in 0u8..8) {
            let (_temporary, stored, before, after) = two_generations();
            let mut content = fs::read(stored.current()).unwrap();
            let at = at % content.len();
            content[at] ^= 1 << bit;
            fs::write(stored.current(), &content).unwrap();
            // The checksum is hexadecimal: flipping the case of a letter does not change its value.
            let found = stored.read();
            prop_assert!(found == StoredState::Older(Box::new(before)) || found == StoredState::Current(Box::new(after)));
        }
    }
}
