//! What is missing, misplaced or unreadable never counts as good.

use std::path::Path;

use serde_json::{Value, json};

use crate::stored::{call, drill, firedrill};

#[test]
fn a_ledger_that_does_not_exist_is_an_error_and_not_a_year_without_incidents() {
    let folder = tempfile::tempdir().unwrap();
    for args in [
        &["budget"][..],
        &["budget", "--check"],
        &["budget", "--json"],
        &["budget", "--check", "--ledger", "incident.jsonl"],
    ] {
        let ran = firedrill(folder.path(), args);
        assert!(ran.errors().contains("there is no ledger"), "{}", ran.errors());
        assert_eq!(ran.exits(4), "", "{args:?}");
    }
    std::fs::write(folder.path().join("ledger.jsonl"), "").unwrap();
    firedrill(folder.path(), &["budget", "--check"]).exits(0);
}

#[test]
fn the_ledger_that_the_project_file_names_must_exist_also_in_a_subfolder() {
    let folder = tempfile::tempdir().unwrap();
    let sub = folder.path().join("sub");
    std::fs::create_dir(&sub).unwrap();
    std::fs::write(
        folder.path().join("firedrill.toml"),
        "[ledger]\nfile = \"moved.jsonl\"\n",
    )
    .unwrap();
    std::fs::write(sub.join("moved.jsonl"), "").unwrap();
    firedrill(&sub, &["budget", "--check"]).exits(4);
    std::fs::rename(sub.join("moved.jsonl"), folder.path().join("moved.jsonl")).unwrap();
    firedrill(&sub, &["budget", "--check"]).exits(0);
}

/// Enough drills of a scenario to conclude that the year fits.
fn store_a_year_that_fits(runs: &Path) {
    for at in 1..=60 {
        let mut drill = drill("kill", 100);
        (drill.repeat, drill.per_year) = ((at, 60), Some(0.5));
        drill.store(runs);
    }
}

const CHECK: [&str; 4] = ["projection", "--check", "--years", "2000"];

#[test]
fn a_year_with_a_run_that_cannot_be_read_does_not_fit() {
    let folder = tempfile::tempdir().unwrap();
    let runs = folder.path().join("runs");
    store_a_year_that_fits(&runs);
    let text = firedrill(folder.path(), &CHECK).exits(0);
    assert!(text.contains("Within budget"), "{text}");
    // Its events are gone, its samples are not.
    let broken = runs.join("broken");
    std::fs::create_dir(&broken).unwrap();
    std::fs::write(broken.join("samples.bin"), "").unwrap();
    let text = firedrill(folder.path(), &CHECK).exits(3);
    assert!(
        text.contains("the year is incomplete: 1 run") && !text.contains("Within budget"),
        "{text}"
    );
    let json = firedrill(folder.path(), &[&CHECK[..], &["--json"]].concat()).exits(3);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["unreadable"], 1, "{json}");
}

#[test]
fn a_year_with_a_scenario_that_nothing_measured_does_not_fit() {
    let folder = tempfile::tempdir().unwrap();
    let runs = folder.path().join("runs");
    store_a_year_that_fits(&runs);
    let mut unmeasured = drill("lost", 100);
    (unmeasured.steady, unmeasured.per_year) = (false, Some(24.0));
    unmeasured.store(&runs);
    let text = firedrill(folder.path(), &CHECK).exits(3);
    assert!(
        text.contains("no drill with evidence, so the year is incomplete: lost"),
        "{text}"
    );
    assert!(!text.contains("Within budget"), "{text}");
    let markdown = firedrill(folder.path(), &[&CHECK[..], &["--markdown"]].concat()).exits(3);
    assert!(!markdown.contains("Within budget"), "{markdown}");
}

#[test]
fn a_folder_with_nothing_but_a_suite_log_has_no_report() {
    let folder = tempfile::tempdir().unwrap();
    call(&folder.path().join("runs"), &["a"], 1, None, &[]);
    for command in ["report", "projection"] {
        let errors = firedrill(folder.path(), &[command, "runs"]).refused();
        assert!(errors.contains("no run folder is in runs"), "{errors}");
    }
}

#[test]
fn a_run_that_is_missing_or_unreadable_leaves_a_comparison_inconclusive() {
    let folder = tempfile::tempdir().unwrap();
    for at in 0..12 {
        let mut drill = drill("rollback", 200 + at);
        drill.wall = format!("2026-01-01T00:{at:02}:00Z");
        drill.store(
            &folder
                .path()
                .join(["base", "head"][usize::try_from(at % 2).unwrap()]),
        );
    }
    let compare = ["compare", "base", "head"];
    firedrill(folder.path(), &compare).exits(0);
    let head = folder.path().join("head");
    let missing = [(&drill("rollback", 1), json!({ "run": "gone" }))];
    call(&head, &["rollback"], 1, None, &missing);
    let ran = firedrill(folder.path(), &compare);
    let errors = ran.errors();
    assert!(errors.contains("the run folder gone is missing"), "{errors}");
    let text = ran.exits(3);
    assert!(text.contains("0 of the baseline, 1 of the head"), "{text}");
    std::fs::write(head.join("call-x.jsonl"), "no log").unwrap();
    firedrill(folder.path(), &compare).exits(3);
    std::fs::remove_file(head.join("call-x.jsonl")).unwrap();
    firedrill(folder.path(), &compare).exits(0);
    std::fs::create_dir(head.join("broken")).unwrap();
    std::fs::write(head.join("broken/events.jsonl"), "no history").unwrap();
    firedrill(folder.path(), &compare).exits(3);
}

#[test]
fn a_cleanup_says_that_its_folder_does_not_exist() {
    let folder = tempfile::tempdir().unwrap();
    let ran = firedrill(folder.path(), &["clean", "--runs", "nowhere"]);
    assert!(
        ran.errors().contains("the folder nowhere does not exist"),
        "{}",
        ran.errors()
    );
}
