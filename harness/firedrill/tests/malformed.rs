//! Whatever bytes the readers are given, they answer with what they read or with an error, and whatever was read can be
//! measured, judged and told: no panic, no hang, no memory without end. Starts from a kept corpus (`tests/corpus/`), the
//! stored histories and this repository's scenarios: cut, flipped, doubled, spliced. `PROPTEST_CASES` says how many; for a
//! long run:
//!
//! ```text
//! PROPTEST_CASES=2000000 cargo test --release -p firedrill --test malformed
//! ```

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use firedrill::history::{self, EVENTS, SAMPLES};
use firedrill::report::{self, DrillOutcome, DrillReport};
use firedrill::{drill, fault, judge, measure, scenario};
use proptest::prelude::*;

/// Nothing takes longer over files of some kilobytes.
const AT_ONCE: Duration = Duration::from_secs(30);

fn package(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The files of a folder, in the order of their names.
fn files(folder: &Path) -> Vec<Vec<u8>> {
    let entries = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> = entries.filter(|path| path.is_file()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

/// The kept files of one kind.
fn corpus(kind: &str) -> Vec<Vec<u8>> {
    files(&package("tests/corpus").join(kind))
}

/// The stored histories: the events of each, and its samples.
fn histories() -> Vec<(Vec<u8>, Vec<u8>)> {
    let names = [
        "release-rolled-back",
        "wrong-json-loader",
        "wrong-loader-on-the-ladder",
    ];
    let read = |name: &str, file: &str| {
        let folder = package("tests/fixtures/histories/format-1").join(name);
        std::fs::read(folder.join(file)).unwrap()
    };
    names.map(|name| (read(name, EVENTS), read(name, SAMPLES))).into()
}

/// The kept files and those of the stored histories.
fn seeds(kind: &str) -> Vec<Vec<u8>> {
    let stored = histories().into_iter().map(|(events, samples)| match kind {
        "events" => events,
        _ => samples,
    });
    corpus(kind).into_iter().chain(stored).collect()
}

/// The scenarios: the kept ones, this repository's, and those of it that break a rule. All name the system `system.toml`.
fn scenarios() -> Vec<Vec<u8>> {
    let ours = [
        files(&package("../../scenarios")),
        files(&package("../../scenarios/invalid")),
    ]
    .concat();
    let ours = ours.into_iter().map(|file| {
        let text = String::from_utf8_lossy(&file).into_owned();
        let lines = text.lines().map(|line| match line.starts_with("system = ") {
            true => "system = \"system.toml\"\n".to_owned(),
            false => format!("{line}\n"),
        });
        lines.collect::<String>().into_bytes()
    });
    corpus("scenario").into_iter().chain(ours).collect()
}

fn systems() -> Vec<Vec<u8>> {
    files(&package("../../scenarios/systems"))
}

fn projects() -> Vec<Vec<u8>> {
    vec![
        std::fs::read(package("../../scenarios/firedrill.toml")).unwrap(),
        Vec::new(),
    ]
}

/// Numbers that sums and sizes do not expect.
const NUMBERS: [&str; 8] = [
    "0",
    "-1",
    "65535",
    "4294967296",
    "9223372036854775807",
    "18446744073709551615",
    "1e308",
    "0.0000001",
];

/// One change to a file.
#[derive(Debug, Clone)]
enum Change {
    Cut(prop::sample::Index),
    Flip(prop::sample::Index, u8),
    Fill(prop::sample::Index, u8),
    Insert(prop::sample::Index, Vec<u8>),
    Number(prop::sample::Index, prop::sample::Index, &'static str),
    Line(prop::sample::Index, prop::sample::Index, prop::sample::Index),
    Double(prop::sample::Index, prop::sample::Index),
    Splice(prop::sample::Index, prop::sample::Index),
}

fn change() -> impl Strategy<Value = Change> {
    let at = any::<prop::sample::Index>;
    prop_oneof![
            1 => at().prop_map(Change::Cut),
            1 => (at(), any::<u8>()).prop_map(|(at, bits)| Change::Flip(at, bits)),
            1 => (at(), prop::sample::select(vec![0, 1, 0x7f, 0xff])).prop_map(|(at, byte)| Change::Fill(at, byte)),
            1 => (at(), prop::collection::vec(any::<u8>(), 0..20)).prop_map(|(at, bytes)| Change::Insert(at, bytes)),
            3 => (at(), at(), prop::sample::select(NUMBERS.to_vec()))
            .prop_map(|(line, at, number)| Change::Number(line, at, number)),
    2 => (at(), at(), at()).prop_map(|(file, from, to)| Change::Line(file, from, to)),
            1 => (at(), at()).prop_map(|(from, to)| Change::Double(from, to)),
            1 => (at(), at()).prop_map(|(file, at)| Change::Splice(file, at)),
        ]
}

/// One of some files, changed up to so many times.
fn changed(files: Vec<Vec<u8>>, most: usize) -> impl Strategy<Value = Vec<u8>> {
    let others = files.clone();
    let changes = prop::collection::vec(change(), 0..=most);
    (prop::sample::select(files), changes).prop_map(move |(file, changes)| apply_all(file, &changes, &others))
}

fn apply_all(mut file: Vec<u8>, changes: &[Change], others: &[Vec<u8>]) -> Vec<u8> {
    changes.iter().for_each(|change| apply(&mut file, change, others));
    file.truncate(64 << 10);
    file
}

fn apply(file: &mut Vec<u8>, change: &Change, others: &[Vec<u8>]) {
    let place = |index: &prop::sample::Index, file: &[u8]| index.index(file.len() + 1);
    match change {
        Change::Cut(at) => file.truncate(place(at, file)),
        Change::Flip(at, bits) => {
            let at = place(at, file);
            file.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= bits);
        }
        Change::Fill(at, byte) => {
            let at = place(at, file);
            file.iter_mut().skip(at).take(8).for_each(|old| *old = *byte);
        }
        Change::Insert(at, bytes) => {
            let at = place(at, file);
            file.splice(at..at, bytes.iter().copied());
        }
        // In a line chosen first: the longest would have nearly all.
        Change::Number(line, at, number) => {
            let mut lines = lines(file);
            let line = line.index(lines.len());
            lines[line] = with_number(&lines[line], at, number);
            *file = lines.concat();
        }
        Change::Line(other, from, to) => {
            let (theirs, ours) = (lines(&others[other.index(others.len())]), lines(file));
            let (line, at) = (&theirs[from.index(theirs.len())], to.index(ours.len()));
            *file = [&ours[..at], std::slice::from_ref(line), &ours[at..]]
                .concat()
                .concat();
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

/// The lines, each with its end; at least one.
fn lines(file: &[u8]) -> Vec<Vec<u8>> {
    file.split_inclusive(|byte| *byte == b'\n')
        .map(<[u8]>::to_vec)
        .chain([Vec::new()])
        .collect()
}

/// A line in which one of its numbers is another.
fn with_number(line: &[u8], at: &prop::sample::Index, number: &str) -> Vec<u8> {
    let is_digit = |at: usize| line.get(at).is_some_and(u8::is_ascii_digit);
    let starts: Vec<usize> = (0..line.len())
        .filter(|at| is_digit(*at) && (*at == 0 || !is_digit(at - 1)))
        .collect();
    let Some(from) = starts.get(at.index(starts.len().max(1))) else {
        return line.to_vec();
    };
    let end = (*from..).find(|at| !is_digit(*at)).unwrap_or(line.len());
    [&line[..*from], number.as_bytes(), &line[end..]].concat()
}

/// A stored history of which either file is changed, or both.
fn changed_history() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
    let few = || prop::collection::vec(change(), 0..4);
    let (all_events, all_samples) = (seeds("events"), seeds("samples"));
    (prop::sample::select(histories()), few(), few()).prop_map(move |((events, samples), first, second)| {
        (
            apply_all(events, &first, &all_events),
            apply_all(samples, &second, &all_samples),
        )
    })
}

/// Does something with a folder of files, within bounds: beyond them the process ends, and the files stay where the last
/// line says.
fn within_bounds(files: &[(&str, &[u8])], body: impl FnOnce(&Path)) {
    #[cfg(target_os = "linux")]
    limit_memory();
    let folder = tempfile::Builder::new()
        .prefix("malformed-")
        .tempdir_in(env!("CARGO_TARGET_TMPDIR"))
        .unwrap();
    for (name, bytes) in files {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    let (done, waiting) = channel::<()>();
    let watched = folder.path().to_owned();
    let watch = std::thread::spawn(move || {
        if waiting.recv_timeout(AT_ONCE) == Err(RecvTimeoutError::Timeout) {
            hung(&watched);
        }
    });
    body(folder.path());
    drop(done);
    watch.join().unwrap();
}

/// No panic would get out of a thread that hangs, and what is printed would not get out of the test.
fn hung(folder: &Path) -> ! {
    let said = format!("not done after {AT_ONCE:?} with {}\n", folder.display());
    std::io::stderr().write_all(said.as_bytes()).unwrap();
    std::process::abort();
}

/// An allocation beyond this ends the process. Far more than is needed, and far less than a size read from a file can be.
#[cfg(target_os = "linux")]
fn limit_memory() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    const MOST: u64 = 4 << 30;
    let limit = Rlimit {
        current: Some(MOST),
        maximum: Some(MOST),
    };
    setrlimit(Resource::As, limit).unwrap();
}

/// A history's first event, so that the rest is looked at.
const START: &str = r#"{"at":0,"event":"start","format":1,"version":"0","run":"r","wall":"2026-01-01T00:00:00Z","seed":7,"target":"process","place":"here","repeat":[1,1],"plan":{"name":"n","scenario":{"summary":"s","system":"s.toml"},"system":{"summary":"s","service":{"app":{"build":{"image":"app"},"port":80}}},"project":{}}}
"#;

fn read_history(events: &[u8], samples: &[u8]) {
    within_bounds(&[(EVENTS, events), (SAMPLES, samples)], |folder| {
        if let Ok(history) = history::read(folder) {
            tell(&history);
        }
    });
}

/// Measures a history, judges it, and tells of it in every form.
fn tell(history: &history::History) {
    let measured = measure::measure(history);
    let judgement = judge::judge(history, &measured);
    drop(report::json(history, &measured, &judgement));
    report::snapshot(history, &measured, &judgement, None);
    report::DrillSummary::new(history, &measured, &judgement).text(false);
    let story = DrillReport::new(history, measured, judgement, Vec::new());
    report::terminal(&story, 100, false);
    report::incident(&story);
    let drills = [DrillOutcome::Judged(Box::new(story))];
    report::markdown(&drills);
    report::github(&drills);
    report::junit(&drills).unwrap();
    report::html(&drills).unwrap();
}

proptest! {
    #[test]
    fn the_scenario_reader_answers_whatever_it_is_given(
        scenario in changed(scenarios(), 3), system in changed(systems(), 2), project in changed(projects(), 1)
    ) {
        let files: [(&str, &[u8]); 3] =
            [("scenario.toml", &scenario), ("system.toml", &system), ("firedrill.toml", &project)];
        within_bounds(&files, |folder| drop(scenario::load(&folder.join("scenario.toml"), &fault::catalogue())));
    }

    #[test]
    fn a_stored_history_is_told_whatever_has_become_of_it((events, samples) in changed_history()) {
        read_history(&events, &samples);
    }

    #[test]
    fn the_history_reader_answers_whatever_it_is_given(
        events in changed(seeds("events"), 5), samples in changed(seeds("samples"), 5)
    ) {
        read_history(&events, &samples);
        read_history(&[START.as_bytes(), &events].concat(), &samples);
    }

    #[test]
    fn the_undo_reader_answers_whatever_it_is_given(bytes in changed(corpus("undo"), 5)) {
        within_bounds(&[(drill::UNDO, &bytes)], |folder| assert!(drill::pending_undo(folder).is_ok()));
    }
}

/// What is changed above must be right as it stands: else the readers stop at its first line.
#[test]
fn the_unchanged_files_are_read_in_full() {
    within_bounds(&[(EVENTS, START.as_bytes())], |folder| {
        drop(history::read(folder).unwrap())
    });
    for (events, samples) in histories() {
        within_bounds(&[(EVENTS, &events), (SAMPLES, &samples)], |folder| {
            let history = history::read(folder).unwrap();
            assert!(
                !history.samples.is_empty() && history.torn.is_empty(),
                "{:?}",
                history.torn
            );
            tell(&history);
        });
    }
    let shortener = std::fs::read(package("../../scenarios/systems/shortener.toml")).unwrap();
    let (plain, project) = (
        std::fs::read(package("tests/corpus/scenario/plain.toml")).unwrap(),
        &projects()[0],
    );
    let files: [(&str, &[u8]); 3] = [
        ("scenario.toml", &plain),
        ("system.toml", &shortener),
        ("firedrill.toml", project),
    ];
    within_bounds(&files, |folder| {
        scenario::load(&folder.join("scenario.toml"), &fault::catalogue())
            .map(drop)
            .unwrap();
    });
}
