//! What cannot be printed is not lost in silence.

#![cfg(target_os = "linux")]

use std::fs::OpenOptions;
use std::process::{Command, Output, Stdio};

use crate::folder;

/// Commands that print a result, and the exit code when it can be printed.
fn commands() -> Vec<(Vec<String>, i32)> {
    let run = folder("wrong-json-loader").display().to_string();
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    vec![
        (words(&format!("report {run}")), 0),
        (words(&format!("report {run} --json")), 0),
        (words(&format!("report {run} --format markdown")), 0),
        (words(&format!("report {run} --format junit")), 0),
        (words(&format!("report {run} --format html")), 0),
        (words(&format!("report {run} --incident")), 0),
        (words(&format!("merge {run}")), 0),
        (words(&format!("merge {run} --json")), 0),
        (words(&format!("merge {run} --markdown")), 0),
        (words(&format!("projection {run} --controls --years 1000")), 0),
        (words("list ../../scenarios"), 0),
        (words("list ../../scenarios --json"), 0),
        (words("budget --ledger /dev/null"), 0),
        (words("doctor"), 0),
        // Of a run that never was: nothing of anybody is removed.
        (words("clean --run 20000101-000000-none-1-000000"), 0),
        (words("schema scenario"), 0),
        (words("faults"), 0),
        (words("completions bash"), 0),
        (words("--help"), 0),
        (words("report --help"), 0),
        (words("--version"), 0),
    ]
}

fn firedrill(arguments: &[String], stdout: Stdio) -> Output {
    Command::new(env!("CARGO_BIN_EXE_firedrill"))
        .args(arguments)
        .stdout(stdout)
        .stderr(Stdio::piped())
        .output()
        .unwrap()
}

#[test]
fn a_result_that_cannot_be_written_is_an_error() {
    for (arguments, _) in commands() {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = firedrill(&arguments, full.into());
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(4), "{arguments:?}: {errors}");
        assert!(
            errors.contains("error: cannot write to standard output: No space left on device"),
            "{arguments:?}: {errors}"
        );
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    for (arguments, code) in commands() {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = firedrill(&arguments, writer.into());
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {errors}");
        assert!(!errors.contains("error"), "{arguments:?}: {errors}");
    }
}
