//! How the service starts: which secrets it accepts.

#![expect(clippy::unwrap_used, reason = "test helpers outside of test functions")]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

fn serve(release: &str, secret: Option<&str>, arguments: &[&str]) -> (tempfile::TempDir, Child) {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_shortener"));
    command
        .args([
            "serve",
            "--release",
            release,
            "--listen",
            "127.0.0.1:0",
            "--store",
        ])
        .arg(folder.path())
        .args(arguments)
        .env_remove("SHORTENER_SECRET")
        .stderr(Stdio::piped());
    if let Some(secret) = secret {
        command.env("SHORTENER_SECRET", secret);
    }
    (folder, command.spawn().unwrap())
}

/// The log until the service listens or exits, and whether it listens.
fn starts(release: &str, secret: Option<&str>, arguments: &[&str]) -> (bool, String) {
    let (_folder, mut child) = serve(release, secret, arguments);
    let mut log = String::new();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let listens = lines.by_ref().map_while(Result::ok).any(|line| {
        log.push_str(&line);
        line.contains("listens on")
    });
    drop(child.kill());
    child.wait().unwrap();
    (listens, log)
}

#[test]
fn a_release_with_signed_links_needs_a_secret() {
    for secret in [None, Some(""), Some("  ")] {
        let (listens, log) = starts("v3", secret, &[]);
        assert!(!listens && log.contains("SHORTENER_SECRET"), "{secret:?}: {log}");
    }
    assert!(starts("v3", Some("hunter2"), &[]).0);
}

#[test]
fn a_rehearsal_and_a_release_without_signed_links_need_no_secret() {
    assert!(starts("v3", None, &["--rehearsal"]).0);
    assert!(starts("v1", None, &[]).0);
}
