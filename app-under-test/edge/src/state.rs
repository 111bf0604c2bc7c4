//! What the edge must not forget, on disk: read at the start, written by one thread at every decision.
//!
//! Two generations, each with its own sum. A new one is written beside them, synced, and renamed over the current one,
//! which has become the previous one before; so at every instant one whole generation is there, whatever is cut off.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::config::Placed;
use crate::event::{Event, Record};

/// Events that are kept.
const KEPT: usize = 200;

/// How far a release has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// It asked; the gates are at it.
    Registered,
    /// The gates let it through; it may be promoted.
    Passed,
    /// A gate stopped it.
    Rejected,
    /// Users get it, and it is watched.
    Live,
    /// It has proved itself.
    Settled,
    /// It was at fault.
    RolledBack,
}

/// A release's standing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// How far it has come.
    pub stage: Stage,
    /// Where it runs, or was going to.
    pub slot: String,
    /// Why it stands there, in a line.
    pub reason: String,
}

/// All that must outlive the process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// What users get.
    pub live: Placed,
    /// The last working release, kept warm.
    pub standby: Option<Placed>,
    /// Since when the live release is watched; `None` once it has settled.
    pub watched_since: Option<jiff::Timestamp>,
    /// Every release's standing.
    pub releases: BTreeMap<String, Standing>,
    /// The number of the next event.
    pub next: u64,
    /// The last events.
    pub events: Vec<Record>,
}

impl State {
    /// The state of an edge that has just been set up.
    pub fn new(live: Placed) -> Self {
        let standing = Standing {
            stage: Stage::Settled,
            slot: live.slot.clone(),
            reason: "configured".into(),
        };
        Self {
            releases: BTreeMap::from([(live.release.clone(), standing)]),
            live,
            standby: None,
            watched_since: None,
            next: 1,
            events: Vec::new(),
        }
    }

    /// Numbers an event and keeps it.
    pub fn note(&mut self, event: Event) -> Record {
        let record = Record {
            number: self.next,
            at: jiff::Timestamp::now(),
            event,
        };
        self.next += 1;
        self.events.push(record.clone());
        let spare = self.events.len().saturating_sub(KEPT);
        self.events.drain(..spare);
        record
    }

    /// A release that was at the gates when the edge ended is not at them any more: nothing is known of it.
    pub fn interrupt_gates(&mut self) {
        let at_gates = self
            .releases
            .values_mut()
            .filter(|release| release.stage == Stage::Registered);
        at_gates.for_each(|release| {
            release.stage = Stage::Rejected;
            "the edge ended while it was at the gates: register it again".clone_into(&mut release.reason);
        });
    }

    /// Says where a release stands.
    pub fn stand(&mut self, release: &str, slot: &str, stage: Stage, reason: impl Into<String>) {
        let standing = Standing {
            stage,
            slot: slot.to_owned(),
            reason: reason.into(),
        };
        self.releases.insert(release.to_owned(), standing);
    }
}

/// A state that cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file operation failed.
    #[error("{operation} {}: {source}", path.display())]
    File {
        /// What was tried.
        operation: &'static str,
        /// On what.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// It cannot be put in words.
    #[error("writing the state as JSON: {0}")]
    Encode(#[from] serde_json::Error),
}

/// What was found at the start.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// There never was a state.
    Nothing,
    /// The current generation.
    Current(Box<State>),
    /// The current generation is damaged or missing: the one before it.
    Previous(Box<State>),
    /// Something is there and nothing of it can be read.
    Damaged,
}

/// The folder that a state is kept in.
#[derive(Debug, Clone)]
pub struct Shelf {
    folder: PathBuf,
}

impl Shelf {
    /// Keeps a state in this folder, which is made if need be.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        fs::create_dir_all(folder).map_err(failed("make", folder))?;
        Ok(Self {
            folder: folder.to_owned(),
        })
    }

    fn current(&self) -> PathBuf {
        self.folder.join("state.json")
    }

    fn previous(&self) -> PathBuf {
        self.folder.join("state.prev.json")
    }

    /// Reads the newest whole generation.
    pub fn read(&self) -> Found {
        let (current, previous) = (fs::read(self.current()), fs::read(self.previous()));
        if let Some(state) = current.as_ref().ok().and_then(|content| decode(content)) {
            return Found::Current(Box::new(state));
        }
        if let Some(state) = previous.as_ref().ok().and_then(|content| decode(content)) {
            return Found::Previous(Box::new(state));
        }
        let absent = |read: &io::Result<Vec<u8>>| matches!(read, Err(error) if error.kind() == io::ErrorKind::NotFound);
        if absent(&current) && absent(&previous) {
            Found::Nothing
        } else {
            Found::Damaged
        }
    }

    /// Writes a new generation: when this returns, it is what a restart finds.
    ///
    /// # Errors
    /// When the disk does not take it; what was there before is still there.
    pub fn write(&self, state: &State) -> Result<(), Error> {
        let (new, current, previous) = (self.folder.join("state.new"), self.current(), self.previous());
        let content = encode(state)?;
        write_synced(&new, &content)?;
        // A damaged generation must not push out a whole one.
        if fs::read(&current).is_ok_and(|content| decode(&content).is_some()) {
            fs::rename(&current, &previous).map_err(failed("set aside", &current))?;
        }
        put_in_place(&new, &current)
    }
}

/// Writes a file that is on disk when this returns.
pub(crate) fn write_synced(path: &Path, content: &[u8]) -> Result<(), Error> {
    let written = File::create(path).and_then(|mut file| {
        file.write_all(content)?;
        file.sync_all()
    });
    written.map_err(failed("write", path))
}

/// Renames a file over another one in the same folder, for good.
pub(crate) fn put_in_place(new: &Path, current: &Path) -> Result<(), Error> {
    fs::rename(new, current).map_err(failed("replace", current))?;
    let folder = current.parent().unwrap_or(current);
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(failed("sync", folder))
}

fn failed(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error + use<> {
    let path = path.to_owned();
    move |source| Error::File {
        operation,
        path,
        source,
    }
}

/// The sum on the first line, the state on the second.
fn encode(state: &State) -> Result<Vec<u8>, Error> {
    let text = serde_json::to_string(state)?;
    Ok(format!("{:016x}\n{text}\n", sum(text.as_bytes())).into_bytes())
}

/// `None` for anything that is not whole.
fn decode(content: &[u8]) -> Option<State> {
    let text = std::str::from_utf8(content).ok()?.strip_suffix('\n')?;
    let (told, text) = text.split_once('\n')?;
    let told = u64::from_str_radix(told, 16).ok()?;
    (told == sum(text.as_bytes())).then(|| serde_json::from_str(text).ok())?
}

/// FNV-1a: finds what was cut off or flipped; nobody here means harm.
fn sum(bytes: &[u8]) -> u64 {
    fnv_1a(bytes.iter().copied())
}

/// FNV-1a, 64 bits.
pub(crate) fn fnv_1a(bytes: impl Iterator<Item = u8>) -> u64 {
    bytes.fold(0xcbf2_9ce4_8422_2325, |sum, byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
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

    fn two_generations() -> (tempfile::TempDir, Shelf, State, State) {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::open(folder.path()).unwrap();
        let before = State::new(placed("blue", "v1"));
        shelf.write(&before).unwrap();
        let mut after = before.clone();
        after.standby = Some(std::mem::replace(&mut after.live, placed("green", "v2")));
        after.note(Event::Settled { release: "v2".into() });
        shelf.write(&after).unwrap();
        (folder, shelf, before, after)
    }

    #[test]
    fn what_was_written_is_found_again() {
        let (_folder, shelf, _, after) = two_generations();
        assert_eq!(shelf.read(), Found::Current(Box::new(after)));
    }

    #[test]
    fn a_new_folder_holds_nothing() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Shelf::open(folder.path()).unwrap().read(), Found::Nothing);
    }

    #[test]
    fn a_state_cut_at_any_byte_is_the_one_before_it() {
        let (_folder, shelf, before, _) = two_generations();
        let whole = fs::read(shelf.current()).unwrap();
        for length in 0..whole.len() {
            fs::write(shelf.current(), &whole[..length]).unwrap();
            assert_eq!(
                shelf.read(),
                Found::Previous(Box::new(before.clone())),
                "cut at byte {length}"
            );
        }
    }

    /// Every file system operation of a write is an instant at which a kill may come.
    #[test]
    fn a_kill_between_any_two_steps_of_a_write_leaves_a_whole_state() {
        let (_folder, shelf, before, after) = two_generations();
        let content = encode(&after).unwrap();
        for length in 0..=content.len() {
            fs::write(shelf.folder.join("state.new"), &content[..length]).unwrap();
            assert_eq!(shelf.read(), Found::Current(Box::new(after.clone())));
        }
        fs::rename(shelf.current(), shelf.previous()).unwrap();
        assert_eq!(shelf.read(), Found::Previous(Box::new(after)));
        shelf.write(&before).unwrap();
        assert_eq!(shelf.read(), Found::Current(Box::new(before)));
    }

    #[test]
    fn a_damaged_state_does_not_push_out_the_one_before_it() {
        let (_folder, shelf, before, after) = two_generations();
        fs::write(shelf.current(), "damaged").unwrap();
        shelf.write(&after).unwrap();
        fs::remove_file(shelf.current()).unwrap();
        assert_eq!(shelf.read(), Found::Previous(Box::new(before)));
    }

    #[test]
    fn old_events_make_room() {
        let mut state = State::new(placed("blue", "v1"));
        for _ in 0..KEPT + 5 {
            state.note(Event::Settled { release: "v1".into() });
        }
        assert_eq!((state.events.len(), state.events[0].number), (KEPT, 6));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
        #[test]
        fn any_flipped_bit_is_seen(at in 0usize..10_000, bit in 0u8..8) {
            let (_folder, shelf, before, after) = two_generations();
            let mut content = fs::read(shelf.current()).unwrap();
            let at = at % content.len();
            content[at] ^= 1 << bit;
            fs::write(shelf.current(), &content).unwrap();
            // The sum is written in hexadecimal: a letter may change its case and still say the same.
            let found = shelf.read();
            prop_assert!(found == Found::Previous(Box::new(before)) || found == Found::Current(Box::new(after)));
        }
    }
}
