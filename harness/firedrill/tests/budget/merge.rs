//! Shards of a suite, put together.

use std::path::Path;

use serde_json::{Value, json};

use crate::stored::{Drill, call, drill, firedrill};

const SUITE: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

/// Two repeats of six scenarios: one too slow, one control, one that the backend cannot do, one that did not start.
fn drills() -> Vec<Drill> {
    let mut drills = Vec::new();
    for repeat in 1..=2 {
        for (place, scenario) in SUITE.into_iter().enumerate() {
            let down = [0, 300, 2500, 0, 0, 2500][place] + u64::from(repeat);
            let mut drill = drill(scenario, if place == 0 { 0 } else { down });
            drill.repeat = (repeat, 2);
            drill.control = scenario == "f";
            drills.push(drill);
        }
    }
    drills
}

fn store(runs: &Path, shard: Option<(usize, usize)>) {
    let drills = drills();
    let here = drills.iter().filter(|drill| {
        let place = SUITE.iter().position(|name| *name == drill.scenario).unwrap();
        shard.is_none_or(|(part, of)| place % of == part - 1)
    });
    let done: Vec<(&Drill, Value)> = here
        .map(|drill| {
            let became = match drill.scenario {
                "d" => json!({ "skipped": "no memory limits here" }),
                "e" => json!({ "failed": "cargo build failed" }),
                _ => json!({ "run": drill.store(runs) }),
            };
            (drill, became)
        })
        .collect();
    call(runs, &SUITE, 2, shard, &done);
}

#[test]
fn a_suite_split_in_four_and_merged_gives_the_same_summary_as_run_whole() {
    let folder = tempfile::tempdir().unwrap();
    store(&folder.path().join("whole"), None);
    for part in 1..=4 {
        store(&folder.path().join(format!("part-{part}")), Some((part, 4)));
    }
    for form in [&[][..], &["--json"], &["--markdown"]] {
        let whole = firedrill(folder.path(), &[&["merge", "whole"], form].concat()).exits(1);
        let parts = [&["merge", "part-3", "part-1", "part-4", "part-2"], form].concat();
        let merged = firedrill(folder.path(), &parts).exits(1);
        assert_eq!(whole, merged);
    }
    let text = firedrill(folder.path(), &["merge", "whole"]).exits(1);
    assert!(
        text.contains(
            "12 drills on process, seed 7: 6 as expected (2 negative controls breached as required)"
        ),
        "{text}"
    );
    assert!(
        text.contains("2 unexpected, 2 not run, 2 skipped (unsupported here)"),
        "{text}"
    );
}

#[test]
fn a_drill_that_the_environment_ended_counts_as_not_run() {
    let folder = tempfile::tempdir().unwrap();
    let mut drill = drill("a", 2500);
    drill.error = Some("reverting pause: no answer from the engine");
    let id = drill.store(folder.path());
    call(folder.path(), &["a"], 1, None, &[(&drill, json!({ "run": id }))]);
    let text = firedrill(folder.path(), &["merge", "."]).exits(4);
    assert!(
        text.contains("1 not run") && text.contains("no answer from the engine"),
        "{text}"
    );
}

#[test]
fn a_missing_shard_and_one_that_is_cut_off_are_reported() {
    let folder = tempfile::tempdir().unwrap();
    for part in 1..=3 {
        store(&folder.path().join(format!("part-{part}")), Some((part, 4)));
    }
    let text = firedrill(folder.path(), &["merge", "part-1", "part-2", "part-3"]).exits(1);
    assert!(text.contains("no shard ran repeat 1"), "{text}");
    let file = folder.path().join("part-1/call-x.jsonl");
    let written = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, &written[..written.len() - 20]).unwrap();
    let text = firedrill(folder.path(), &["merge", "part-1", "part-2", "part-3"]).exits(1);
    assert!(text.contains("no shard ran repeat 2"), "{text}");
    assert!(
        text.contains("12 drills on process") && text.contains("4 not run"),
        "{text}"
    );
}

#[test]
fn parts_of_different_suites_and_a_part_given_twice_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    store(&folder.path().join("one"), Some((1, 4)));
    store(&folder.path().join("same"), Some((1, 4)));
    store(&folder.path().join("other"), Some((1, 2)));
    let twice = firedrill(folder.path(), &["merge", "one", "same"]).refused();
    assert!(twice.contains("the same part of the suite"), "{twice}");
    let other = firedrill(folder.path(), &["merge", "one", "other"]).refused();
    assert!(other.contains("not parts of one suite"), "{other}");
    let nothing = firedrill(folder.path(), &["merge", "nowhere"]).refused();
    assert!(nothing.contains("no run is stored in nowhere"), "{nothing}");
}
