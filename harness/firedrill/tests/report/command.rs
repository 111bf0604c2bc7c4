//! `firedrill report` as people call it.

use std::process::{Command, Output};

use crate::folder;

fn report(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_firedrill"))
        .arg("report")
        .arg(folder("wrong-json-loader"))
        .args(arguments)
        .output()
        .unwrap()
}

#[test]
fn every_form_goes_to_standard_output_or_to_a_file() {
    let folder = tempfile::tempdir().unwrap();
    for (form, begins) in [
        (
            "terminal",
            "\nwrong-json-loader  BREACHED (as expected: negative control)",
        ),
        ("json", "{\"format\":1,\"scenario\":\"wrong-json-loader\""),
        ("markdown", "## ✓ Firedrill: wrong-json-loader"),
        ("junit", "<?xml version=\"1.0\" encoding=\"UTF-8\"?>"),
        ("html", "<!doctype html>"),
    ] {
        let printed = report(&["--format", form]);
        assert_eq!(printed.status.code(), Some(0), "{printed:?}");
        let text = String::from_utf8(printed.stdout).unwrap();
        assert!(text.starts_with(begins), "{form}: {text:.200}");
        let path = folder.path().join("new").join(form);
        let written = report(&["--format", form, "--output", path.to_str().unwrap()]);
        assert_eq!(
            (written.status.code(), written.stdout.as_slice()),
            (Some(0), &b""[..])
        );
        assert_eq!(std::fs::read_to_string(path).unwrap().trim_end(), text.trim_end());
    }
}

#[test]
fn a_post_mortem_is_of_one_run() {
    let draft = report(&["--incident"]);
    assert!(
        String::from_utf8(draft.stdout)
            .unwrap()
            .starts_with("# Post-mortem (draft): wrong-json-loader")
    );
    let two = report(&[
        folder("wrong-loader-on-the-ladder").to_str().unwrap(),
        "--incident",
    ]);
    assert_ne!(two.status.code(), Some(0));
    assert!(
        String::from_utf8(two.stderr)
            .unwrap()
            .contains("name one run folder")
    );
}

#[test]
fn what_is_no_run_is_refused() {
    let empty = tempfile::tempdir().unwrap();
    let refused = Command::new(env!("CARGO_BIN_EXE_firedrill"))
        .arg("report")
        .arg(empty.path())
        .output()
        .unwrap();
    assert_eq!(refused.status.code(), Some(2));
}

#[test]
fn colors_follow_the_flag_and_the_environment() {
    let is_colored = |arguments: &[&str], variables: &[(&str, &str)]| {
        let output = Command::new(env!("CARGO_BIN_EXE_firedrill"))
            .env_remove("NO_COLOR")
            .env_remove("CLICOLOR_FORCE")
            .envs(variables.iter().copied())
            .arg("report")
            .arg(folder("wrong-json-loader"))
            .args(arguments)
            .output()
            .unwrap();
        output.stdout.contains(&b'\x1b')
    };
    assert!(!is_colored(&[], &[]), "a pipe has no colors");
    assert!(is_colored(&["--color", "always"], &[("NO_COLOR", "1")]));
    assert!(is_colored(&[], &[("CLICOLOR_FORCE", "1")]));
    assert!(!is_colored(&[], &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]));
    assert!(!is_colored(&["--color", "never"], &[("CLICOLOR_FORCE", "1")]));
}
