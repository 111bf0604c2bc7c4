//! Stored histories must read for good: each format there was, to the verdicts and numbers that were found when it was
//! current.
//!
//! `fixtures/histories/format-N/NAME` is a run folder with `expected.json`. Those of format 1 were written and judged by
//! the version that had that format; those of format 2 are the same drills converted, and `today`, which was written in it.
//! Rules have become stricter since: a limit that the drill was too short to see is undecided now, so the downtime of
//! `release-wrong-redirect-live` and `wrong-json-loader-as-written` is no longer breached. Reports show `wrong-json-loader`,
//! which is the same drill with a limit that it could see.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

use std::fs;
use std::path::{Path, PathBuf};

use firedrill::history::{self, EVENTS, FORMAT, ReadError, SAMPLES};
use firedrill::judge::Verdict;
use firedrill::{judge, measure, report};
use serde_json::{Map, Value, json};

/// What of a report is a number or a verdict. Words may change.
const NUMBERS: [&str; 15] = [
    "verdict",
    "control",
    "downtime",
    "availability",
    "window",
    "unknown",
    "outages",
    "blips",
    "journeys",
    "releases",
    "instants",
    "data",
    "prober",
    "contracts",
    "budget",
];

/// The stored run folders of a format.
fn stored(format: u32) -> Vec<PathBuf> {
    let folder =
        Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/histories/format-{format}"));
    let mut folders: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    folders.sort();
    folders
}

/// The verdicts and numbers of a history.
fn judged(folder: &Path) -> Value {
    let history = history::read(folder).unwrap();
    let measured = measure::measure(&history);
    let judgement = judge::judge(&history, &measured);
    let report = report::json(&history, &measured, &judgement);
    let checks: Map<String, Value> = report["checks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|check| {
            (
                check["name"].as_str().unwrap().to_owned(),
                check["verdict"].clone(),
            )
        })
        .collect();
    let mut numbers: Map<String, Value> = NUMBERS
        .iter()
        .map(|key| ((*key).to_owned(), report[key].clone()))
        .collect();
    numbers.insert("checks".into(), checks.into());
    // Through its text, as what is expected: reading a number may round its last digit.
    serde_json::from_str(&Value::from(numbers).to_string()).unwrap()
}

fn expected(folder: &Path) -> Value {
    in_the_words_of_today(serde_json::from_slice(&fs::read(folder.join("expected.json")).unwrap()).unwrap())
}

/// A stored report with the keys and values that have another name now. Nothing else of it may change.
fn in_the_words_of_today(json: Value) -> Value {
    let renamed = |word: String| match word.as_str() {
        "standing" => "state".to_owned(),
        "open" => "still_down".to_owned(),
        "stood-still" => "prober-stalled".to_owned(),
        _ => word,
    };
    match json {
        Value::Array(items) => items.into_iter().map(in_the_words_of_today).collect(),
        Value::Object(table) => table
            .into_iter()
            .map(|(key, value)| (renamed(key), in_the_words_of_today(value)))
            .collect(),
        Value::String(text) => renamed(text).into(),
        other => other,
    }
}

/// A run folder with these events, and the samples of a stored one.
fn run(events: &str, stored: &Path) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(EVENTS), events).unwrap();
    fs::copy(stored.join(SAMPLES), folder.path().join(SAMPLES)).unwrap();
    folder
}

/// The same JSON with a key more in every table. Names and parameters are no keys, and a key more in what had to hold is
/// not harmless: those tables are left alone.
fn with_a_key_more(json: Value) -> Value {
    const NAMES: [&str; 6] = ["journeys", "logs", "service", "params", "expect", "control"];
    match json {
        Value::Array(items) => items.into_iter().map(with_a_key_more).collect(),
        Value::Object(table) => {
            let more = |(key, value)| {
                let named = NAMES.contains(&String::as_str(&key));
                (key, if named { value } else { with_a_key_more(value) })
            };
            let mut table: Map<String, Value> = table.into_iter().map(more).collect();
            table.insert("of_a_newer_version".into(), json!({ "a": [1] }));
            table.into()
        }
        other => other,
    }
}

#[test]
fn histories_of_every_format_are_judged_as_stored_beside_them() {
    for format in 1..=FORMAT {
        let folders = stored(format);
        assert!(folders.len() >= 9, "format {format} has too few histories");
        for folder in folders {
            let read = history::read(&folder).unwrap();
            assert_eq!(
                (read.start.format, read.torn.as_slice()),
                (format, &[][..]),
                "{}",
                folder.display()
            );
            assert_eq!(judged(&folder), expected(&folder), "{}", folder.display());
        }
    }
}

#[test]
fn keys_of_a_newer_version_are_passed_over_in_every_table_that_requires_nothing() {
    for folder in stored(FORMAT) {
        let events = fs::read_to_string(folder.join(EVENTS)).unwrap();
        let more: String = events
            .lines()
            .map(|line| format!("{}\n", with_a_key_more(serde_json::from_str(line).unwrap())))
            .collect();
        let newer = run(&more, &folder);
        assert_eq!(judged(newer.path()), expected(&folder), "{}", folder.display());
    }
}

#[test]
fn a_requirement_of_a_newer_version_leaves_the_drill_undecided() {
    const EXPECT: &str = "/plan/scenario/expect";
    let tables = ["", "/downtime", "/rollback", "/alerts/0"].map(|table| format!("{EXPECT}{table}"));
    for table in tables
        .iter()
        .map(String::as_str)
        .chain(["/plan/scenario/control"])
    {
        let mut tried = 0;
        for folder in stored(FORMAT) {
            let events = fs::read_to_string(folder.join(EVENTS)).unwrap();
            let (start, rest) = events.split_once('\n').unwrap();
            let mut start: Value = serde_json::from_str(start).unwrap();
            let Some(requires) = start.pointer_mut(table).and_then(Value::as_object_mut) else {
                continue;
            };
            requires.insert("of_a_newer_version".into(), json!({ "a": [1] }));
            tried += 1;
            let newer = run(&format!("{start}\n{rest}"), &folder);
            let history = history::read(newer.path()).unwrap();
            let judgement = judge::judge(&history, &measure::measure(&history));
            let place = format!("{table} of {}", folder.display());
            // A breach stays one; nothing else is known.
            assert_ne!(judgement.verdict(), Verdict::Met, "{place}");
            assert!(!judgement.as_expected(), "{place}");
            assert!(!judgement.has_evidence(), "{place}");
            let named = |missing: &history::Missing| missing.to_string().contains("of_a_newer_version`");
            assert!(history.torn.iter().any(named), "{place}: {:?}", history.torn);
        }
        assert!(tried > 0, "no stored history has the table {table}");
    }
}

#[test]
fn a_newer_format_is_refused_by_its_number_even_when_nothing_else_of_it_reads() {
    let line = json!({ "at": 0, "event": "start", "format": FORMAT + 1, "plan": "of another shape" });
    let newer = run(&format!("{line}\n"), &stored(FORMAT)[0]);
    let error = history::read(newer.path()).unwrap_err();
    assert!(
        matches!(error, ReadError::Newer { format, .. } if format == FORMAT + 1),
        "{error}"
    );
    let words = format!(
        "was written by a newer Firedrill (format {}; this one reads up to {FORMAT})",
        FORMAT + 1
    );
    assert!(error.to_string().ends_with(&words), "{error}");
}

#[test]
fn a_newer_events_file_keeps_what_this_version_knows() {
    let folder = &stored(FORMAT)[0];
    let events = fs::read_to_string(folder.join(EVENTS)).unwrap();
    let newer = "{\"at\":1,\"event\":\"of-a-newer-version\",\"with\":{\"keys\":1}}\n";
    let (start, rest) = events.split_once('\n').unwrap();
    let newer = run(&format!("{start}\n{newer}{rest}"), folder);
    assert_eq!(judged(newer.path()), expected(folder));
}
