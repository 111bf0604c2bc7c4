//! Whatever bytes the readers are given, they answer with what they read or with an error: no panic, no hang. Starts from
//! a kept corpus (`tests/corpus/`), cut, flipped, doubled and spliced. `PROPTEST_CASES` says how many; for a long run:
//!
//! ```text
//! PROPTEST_CASES=2000000 cargo test --release -p firedrill --test malformed
//! ```

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::time::{Duration, Instant};

use firedrill::history::{self, EVENTS, SAMPLES};
use firedrill::{drill, fault, scenario};
use proptest::prelude::*;

/// No reader takes longer over a file of some kilobytes.
const AT_ONCE: Duration = Duration::from_secs(10);

/// The files of one kind.
fn corpus(kind: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/corpus")
        .join(kind);
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

/// One change to a file.
#[derive(Debug, Clone)]
enum Change {
    Cut(prop::sample::Index),
    Flip(prop::sample::Index, u8),
    Insert(prop::sample::Index, Vec<u8>),
    Double(prop::sample::Index, prop::sample::Index),
    Splice(prop::sample::Index, prop::sample::Index),
}

fn change() -> impl Strategy<Value = Change> {
    let at = any::<prop::sample::Index>;
    prop_oneof![
        at().prop_map(Change::Cut),
        (at(), any::<u8>()).prop_map(|(at, bits)| Change::Flip(at, bits)),
        (at(), prop::collection::vec(any::<u8>(), 0..20)).prop_map(|(at, bytes)| Change::Insert(at, bytes)),
        (at(), at()).prop_map(|(from, to)| Change::Double(from, to)),
        (at(), at()).prop_map(|(file, at)| Change::Splice(file, at)),
    ]
}

/// A file of the corpus, changed.
fn malformed(kind: &'static str) -> impl Strategy<Value = Vec<u8>> {
    let files = corpus(kind);
    let others = files.clone();
    (prop::sample::select(files), prop::collection::vec(change(), 0..6)).prop_map(
        move |(mut file, changes)| {
            changes
                .iter()
                .for_each(|change| apply(&mut file, change, &others));
            file.truncate(64 << 10);
            file
        },
    )
}

fn apply(file: &mut Vec<u8>, change: &Change, others: &[Vec<u8>]) {
    let place = |index: &prop::sample::Index, file: &[u8]| index.index(file.len() + 1);
    match change {
        Change::Cut(at) => file.truncate(place(at, file)),
        Change::Flip(at, bits) => {
            let at = place(at, file);
            file.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= bits);
        }
        Change::Insert(at, bytes) => {
            let at = place(at, file);
            file.splice(at..at, bytes.iter().copied());
        }
        Change::Double(from, to) => {
            let (from, to) = (place(from, file), place(to, file));
            let part = file[from.min(to)..from.max(to)].to_vec();
            file.extend(part);
        }
        Change::Splice(other, at) => {
            let at = place(at, file);
            file.truncate(at);
            file.extend(&others[other.index(others.len())]);
        }
    }
}

/// A history's first event, so that the rest is looked at.
const START: &str = r#"{"at":0,"event":"start","format":1,"version":"0","run":"r","wall":"2026-01-01T00:00:00Z","seed":7,"target":"process","place":"here","repeat":[1,1],"plan":{"name":"n","scenario":{"summary":"s","system":"s.toml"},"system":{"summary":"s","service":{"app":{"build":{"image":"app"},"port":80}}},"project":{}}}
"#;

fn read_history(events: &[u8], samples: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(EVENTS), events).unwrap();
    std::fs::write(folder.path().join(SAMPLES), samples).unwrap();
    drop(history::read(folder.path()));
}

proptest! {
    #[test]
    fn the_scenario_reader_answers_whatever_it_is_given(bytes in malformed("scenario")) {
        let since = Instant::now();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("scenario.toml"), bytes).unwrap();
        drop(scenario::load(&folder.path().join("scenario.toml"), &fault::kinds()));
        prop_assert!(since.elapsed() < AT_ONCE);
    }

    #[test]
    fn the_history_reader_answers_whatever_it_is_given(events in malformed("events"), samples in malformed("samples")) {
        let since = Instant::now();
        read_history(&events, &samples);
        read_history(&[START.as_bytes(), &events].concat(), &samples);
        prop_assert!(since.elapsed() < AT_ONCE);
    }

    #[test]
    fn the_undo_reader_answers_whatever_it_is_given(bytes in malformed("undo")) {
        let since = Instant::now();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(drill::UNDO), bytes).unwrap();
        prop_assert!(drill::pending_undo(folder.path()).is_ok());
        prop_assert!(since.elapsed() < AT_ONCE);
    }
}

#[test]
fn the_start_used_here_is_one() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(EVENTS), START).unwrap();
    history::read(folder.path()).unwrap();
}
