//! Which files the arguments of the command line mean.

use std::path::Path;

use firedrill::scenario::{Problems, find};

/// A folder of scenarios, among what is none.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for path in [
        "scenarios/wrong-json-loader.toml",
        "scenarios/kill.toml",
        "scenarios/store/torn.toml",
        "scenarios/systems/guarded.toml",
        "scenarios/invalid/bad.toml",
        "scenarios/snapshots/kill.toml",
        "scenarios/firedrill.toml",
        "scenarios/readme.md",
        "kill/other.toml",
        "deep/below/x.txt",
    ] {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "").unwrap();
    }
    folder
}

fn found(args: &[&str], base: &Path) -> Result<Vec<String>, Problems> {
    let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
    find(&args, base).map(|paths| {
        paths
            .iter()
            .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
            .collect()
    })
}

#[test]
fn without_arguments_all_scenarios_upward_are_meant_and_nothing_else() {
    let folder = folder();
    let all = ["kill", "torn", "wrong-json-loader"];
    assert_eq!(found(&[], folder.path()).unwrap(), all);
    assert_eq!(found(&[], &folder.path().join("deep/below")).unwrap(), all);
}

#[test]
fn names_paths_and_folders_are_understood_and_repeats_are_not() {
    let folder = folder();
    let base = folder.path();
    assert_eq!(found(&["torn"], base).unwrap(), ["torn"]);
    assert_eq!(found(&["scenarios/kill.toml", "kill"], base).unwrap(), ["kill"]);
    assert_eq!(found(&["scenarios/store"], base).unwrap(), ["torn"]);
    assert_eq!(found(&["scenarios/invalid"], base).unwrap(), ["bad"]);
}

#[test]
fn a_scenarios_name_comes_before_a_folder_of_that_name() {
    let folder = folder();
    assert_eq!(found(&["kill"], folder.path()).unwrap(), ["kill"]);
    assert_eq!(found(&["./kill"], folder.path()).unwrap(), ["other"]);
}

#[test]
fn every_unknown_name_is_reported_with_the_nearest() {
    let problems = found(
        &["wrong-jsn-loader", "kill", "scenarios/tron.toml"],
        folder().path(),
    )
    .unwrap_err();
    let rows = problems.rows();
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0].help.as_deref(), Some("did you mean `wrong-json-loader`?"));
    assert_eq!(rows[1].help.as_deref(), Some("did you mean `torn`?"));
    assert_eq!(rows[0].code.name(), "unknown-scenario");
}

#[test]
fn where_there_are_no_scenarios_it_is_said() {
    let empty = tempfile::tempdir().unwrap();
    std::fs::create_dir(empty.path().join("scenarios")).unwrap();
    for args in [&[][..], &["scenarios"]] {
        let problems = found(args, empty.path()).unwrap_err();
        assert_eq!(problems.rows()[0].code.name(), "no-scenarios");
    }
}
