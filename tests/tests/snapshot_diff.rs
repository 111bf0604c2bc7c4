//! What a pull request says about changed snapshots, by `.github/snapshot-diff`, in a repository made up for it.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;
use std::process::Command;

const SNAPSHOTS: &str = "scenarios/snapshots";

/// A repository of two commits with two scenarios, in which the second changed nothing.
fn repository() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    fs::create_dir_all(root.join(SNAPSHOTS)).unwrap();
    fs::create_dir_all(root.join(".github")).unwrap();
    fs::create_dir(root.join("target")).unwrap();
    let script = acceptance::workspace().join(".github/snapshot-diff");
    fs::copy(script, root.join(".github/snapshot-diff")).unwrap();
    for name in ["killed", "frozen"] {
        fs::write(root.join(format!("scenarios/{name}.toml")), "").unwrap();
        fs::write(
            root.join(SNAPSHOTS).join(format!("{name}.snap")),
            "downtime: none\n",
        )
        .unwrap();
    }
    git(root, &["init", "--quiet"]);
    for message in ["base", "head"] {
        git(root, &["add", "."]);
        git(
            root,
            &["commit", "--quiet", "--allow-empty", "--message", message],
        );
    }
    folder
}

fn git(root: &Path, args: &[&str]) {
    let who = ["-c", "user.name=t", "-c", "user.email=t@example.org"];
    let git = Command::new("git")
        .args(who)
        .args(args)
        .current_dir(root)
        .status();
    assert!(git.unwrap().success());
}

fn compared(root: &Path, names: &[&str]) {
    fs::write(root.join("target/scenarios-compared"), names.join("\n") + "\n").unwrap();
}

fn said(root: &Path) -> String {
    let mut script = Command::new(root.join(".github/snapshot-diff"));
    let output = script.env_remove("CARGO_TARGET_DIR").output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

const AS_BEFORE: &str = "recovery is as before";

#[test]
fn when_no_scenario_ran_nothing_is_known() {
    let repository = repository();
    let said = said(repository.path());
    assert!(
        said.contains("The scenarios did not run: recovery is unknown."),
        "{said}"
    );
    assert!(!said.contains(AS_BEFORE), "{said}");
}

#[test]
fn a_scenario_that_was_not_compared_is_named() {
    let repository = repository();
    compared(repository.path(), &["process::killed", "docker::killed"]);
    let said = said(repository.path());
    assert!(said.contains(AS_BEFORE), "{said}");
    assert!(said.contains("1 on local processes, 1 in containers"), "{said}");
    assert!(said.contains("their recovery is unknown: frozen."), "{said}");
}

#[test]
fn what_was_seen_and_what_was_accepted_are_apart_and_other_snapshots_left_out() {
    let repository = repository();
    let root = repository.path();
    compared(root, &["process::killed", "process::frozen"]);
    fs::write(
        root.join(SNAPSHOTS).join("killed.snap.new"),
        "assertion_line: 7\ndowntime: 5 s\n",
    )
    .unwrap();
    fs::write(root.join(SNAPSHOTS).join("frozen.snap"), "downtime: 2 s\n").unwrap();
    fs::write(root.join("other.snap.new"), "no recovery\n").unwrap();
    let said = said(root);
    assert!(
        !said.contains(AS_BEFORE) && !said.contains("no recovery"),
        "{said}"
    );
    let (unseen, accepted) = said.split_once("Accepted in this change").unwrap();
    assert!(unseen.contains("+downtime: 5 s"), "{said}");
    assert!(accepted.contains("+downtime: 2 s"), "{said}");
}

#[test]
fn the_largest_differences_fit_into_a_comment_with_their_fences_closed() {
    let repository = repository();
    let root = repository.path();
    compared(root, &["process::killed", "process::frozen"]);
    fs::write(root.join(SNAPSHOTS).join("killed.snap.new"), "x…\n".repeat(9000)).unwrap();
    fs::write(root.join(SNAPSHOTS).join("frozen.snap"), "…\n".repeat(9000)).unwrap();
    let said = said(root);
    assert!(said.len() < 20_000, "{}", said.len());
    assert_eq!(said.matches("~~~~~~~~~~").count(), 4, "{said}");
}
