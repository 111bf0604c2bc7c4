//! What `calm` says of stored runs.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;
use std::process::Command;

/// A folder with one run: a stored history, of which only so many lines are kept.
fn runs(name: &str, lines: usize) -> tempfile::TempDir {
    let runs = tempfile::tempdir().unwrap();
    let stored = acceptance::workspace()
        .join("harness/firedrill/tests/fixtures/histories/format-1")
        .join(name);
    let folder = runs.path().join("run");
    fs::create_dir(&folder).unwrap();
    fs::copy(stored.join("samples.bin"), folder.join("samples.bin")).unwrap();
    let events = fs::read_to_string(stored.join("events.jsonl")).unwrap();
    let lines: Vec<&str> = events.lines().take(lines).collect();
    fs::write(folder.join("events.jsonl"), lines.join("\n") + "\n").unwrap();
    runs
}

fn calm(runs: &Path, options: &[&str]) -> (bool, String) {
    let mut calm = Command::new(env!("CARGO_BIN_EXE_calm"));
    let output = calm.args(options).arg(runs).output().unwrap();
    (output.status.success(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn a_run_that_differs_from_its_snapshot_is_printed() {
    let runs = runs("wrong-loader-on-the-ladder", usize::MAX);
    for options in [&["--decided"][..], &[]] {
        let (calm, said) = calm(runs.path(), options);
        assert!(!calm && said.contains("+ verdict: met"), "{said}");
    }
}

#[test]
fn an_undecided_run_is_skipped_only_on_request() {
    let runs = runs("release-rolled-back", 12);
    assert!(calm(runs.path(), &["--decided"]).0);
    let (calm, said) = calm(runs.path(), &[]);
    assert!(!calm && said.contains("unexpected result"), "{said}");
}

#[test]
fn a_run_with_two_names_counts_once() {
    let runs = runs("wrong-loader-on-the-ladder", usize::MAX);
    std::os::unix::fs::symlink("run", runs.path().join("latest")).unwrap();
    let (_, said) = calm(runs.path(), &[]);
    assert!(said.contains("1 run of 1 scenario"), "{said}");
}

#[test]
fn no_runs_are_not_calm() {
    let runs = tempfile::tempdir().unwrap();
    assert!(!calm(runs.path(), &["--decided"]).0);
}
