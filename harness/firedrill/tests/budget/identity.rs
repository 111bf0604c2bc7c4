//! A run counts once, under however many names it is stored.

use std::os::unix::fs::symlink;
use std::path::Path;

use serde_json::{Value, json};

use crate::stored::{Drill, call, drill, firedrill};

/// A drill with a second name: a link to its folder or a copy of it.
fn twice(runs: &Path, drill: &Drill, copy: bool) -> String {
    let id = drill.store(runs);
    let again = runs.join(format!("again-{id}"));
    if copy {
        std::fs::create_dir(&again).unwrap();
        for file in ["events.jsonl", "samples.bin"] {
            std::fs::copy(runs.join(&id).join(file), again.join(file)).unwrap();
        }
    } else {
        symlink(&id, again).unwrap();
    }
    id
}

fn projected(runs: &Path) -> Value {
    let args = ["projection", "--json", "--years", "2000", runs.to_str().unwrap()];
    let json = firedrill(runs.parent().unwrap(), &args).exits(0);
    serde_json::from_str(&json).unwrap()
}

#[test]
fn a_run_with_two_names_is_one_drill_of_a_projection() {
    let folder = tempfile::tempdir().unwrap();
    let runs = folder.path().join("runs");
    let mut drill = drill("kill", 300);
    drill.per_year = Some(12.0);
    for copy in [false, true] {
        (drill.repeat.0, drill.down) = (u32::from(copy) + 1, drill.down + 1);
        twice(&runs, &drill, copy);
    }
    assert_eq!(projected(&runs)["parts"][0]["n"], 2);
}

#[test]
fn a_copy_is_named_and_a_link_is_not() {
    let folder = tempfile::tempdir().unwrap();
    for copy in [false, true] {
        let runs = folder.path().join(if copy { "copy" } else { "link" });
        let id = twice(&runs, &drill("kill", 300), copy);
        let ran = firedrill(folder.path(), &["report", "--json", runs.to_str().unwrap()]);
        let named = ran.errors().contains(&format!("again-{id} is a copy of"));
        assert_eq!(named, copy, "{}", ran.errors());
        assert_eq!(ran.exits(0).lines().count(), 1);
    }
}

#[test]
fn a_shard_is_merged_once_also_with_a_link_to_it() {
    let folder = tempfile::tempdir().unwrap();
    let part = folder.path().join("part");
    let drill = drill("a", 300);
    let id = twice(&part, &drill, true);
    call(&part, &["a"], 1, None, &[(&drill, json!({ "run": id }))]);
    symlink("part", folder.path().join("latest")).unwrap();
    let text = firedrill(folder.path(), &["merge", "part", "latest"]).exits(0);
    assert!(text.contains("1 drill on process"), "{text}");
    std::fs::remove_file(part.join("call-x.jsonl")).unwrap();
    let text = firedrill(folder.path(), &["merge", "part"]).exits(0);
    assert!(text.contains("1 drill on process"), "{text}");
}

#[test]
fn a_run_is_found_by_its_own_id_and_is_the_result_of_one_drill_only() {
    let folder = tempfile::tempdir().unwrap();
    let drill = drill("a", 300);
    let id = drill.store(folder.path());
    let mut second = drill.clone();
    second.repeat.0 = 2;
    let run = json!({ "run": id });
    call(
        folder.path(),
        &["a"],
        2,
        None,
        &[(&drill, run.clone()), (&second, run)],
    );
    // Under another name, and with the name of a run that is missing.
    std::fs::rename(folder.path().join(&id), folder.path().join("renamed")).unwrap();
    let text = firedrill(folder.path(), &["merge", "."]).exits(3);
    assert!(
        text.contains("is that of another drill") && text.contains("1 not run"),
        "{text}"
    );
    call(
        folder.path(),
        &["a"],
        1,
        None,
        &[(&drill, json!({ "run": "renamed" }))],
    );
    let text = firedrill(folder.path(), &["merge", "."]).exits(3);
    assert!(text.contains("its run folder renamed is missing"), "{text}");
}

#[test]
fn five_names_of_one_run_are_too_few_drills_to_compare() {
    let folder = tempfile::tempdir().unwrap();
    for side in ["base", "head"] {
        let runs = folder.path().join(side);
        let mut drill = drill("rollback", if side == "base" { 200 } else { 2000 });
        drill.wall = format!("2026-01-01T00:0{}:00Z", u8::from(side == "head"));
        let id = drill.store(&runs);
        for name in 0..6 {
            symlink(&id, runs.join(format!("run-{name}"))).unwrap();
        }
    }
    let text = firedrill(folder.path(), &["compare", "base", "head"]).exits(3);
    assert!(text.contains("inconclusive: too few drills"), "{text}");
    symlink("base", folder.path().join("same")).unwrap();
    let errors = firedrill(folder.path(), &["compare", "base", "same"]).refused();
    assert!(errors.contains("is on both sides"), "{errors}");
}
