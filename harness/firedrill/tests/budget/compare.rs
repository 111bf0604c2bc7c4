//! A baseline and a head of made-up drills, compared.

use std::path::Path;

use serde_json::{Value, json};

use crate::stored::{call, drill, firedrill};

/// Five drills a side, taking turns unless `turns` is false.
fn store(folder: &Path, base: [u64; 5], head: [u64; 5], turns: bool) {
    for (side, downtimes) in [base, head].into_iter().enumerate() {
        for (at, down) in downtimes.into_iter().enumerate() {
            let minute = if turns { at * 2 + side } else { at + side * 10 };
            let mut drill = drill("rollback", down);
            drill.wall = format!("2026-01-01T00:{minute:02}:00Z");
            drill.store(&folder.join(["base", "head"][side]));
        }
    }
}

const FAST: [u64; 5] = [200, 205, 210, 215, 220];
const SLOW: [u64; 5] = [1200, 1205, 1210, 1215, 1220];

#[test]
fn a_regression_is_in_the_table_in_markdown_and_in_the_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    store(folder.path(), FAST, SLOW, true);
    let text = firedrill(folder.path(), &["compare", "base", "head"]).exits(1);
    assert!(
        text.contains("REGRESSION") && text.contains("2 regressions."),
        "{text}"
    );
    let markdown = firedrill(folder.path(), &["compare", "--markdown", "base", "head"]).exits(1);
    assert!(
        markdown.contains("| REGRESSION | rollback | downtime |"),
        "{markdown}"
    );
    let text = firedrill(folder.path(), &["compare", "head", "base"]).exits(0);
    assert!(
        text.contains("improvement") && text.contains("No regression."),
        "{text}"
    );
}

#[test]
fn no_difference_is_no_regression() {
    let folder = tempfile::tempdir().unwrap();
    store(folder.path(), FAST, [203, 207, 211, 213, 221], true);
    let text = firedrill(folder.path(), &["compare", "base", "head"]).exits(0);
    assert!(text.contains("No regression."), "{text}");
}

#[test]
fn one_side_after_the_other_or_too_few_drills_are_inconclusive() {
    let folder = tempfile::tempdir().unwrap();
    store(folder.path(), FAST, SLOW, false);
    let text = firedrill(folder.path(), &["compare", "base", "head"]).exits(3);
    assert!(text.contains("inconclusive: not run in turn"), "{text}");
    let few = folder.path().join("few");
    drill("rollback", 200).store(&few.join("base"));
    drill("rollback", 2000).store(&few.join("head"));
    let text = firedrill(&few, &["compare", "base", "head"]).exits(3);
    assert!(
        text.contains("inconclusive: too few drills") && text.contains("at least 5 a side"),
        "{text}"
    );
    firedrill(&few, &["compare", "base", "nowhere"]).refused();
}

#[test]
fn a_head_that_could_not_be_run_is_inconclusive() {
    let folder = tempfile::tempdir().unwrap();
    store(folder.path(), FAST, FAST, true);
    let broken = drill("frozen", 100);
    let base = broken.store(&folder.path().join("base"));
    let done = [(&broken, json!({ "run": base }))];
    call(&folder.path().join("base"), &["frozen"], 1, None, &done);
    let failed = [(&broken, json!({ "failed": "cargo build failed" }))];
    call(&folder.path().join("head"), &["frozen"], 1, None, &failed);
    let text = firedrill(folder.path(), &["compare", "base", "head"]).exits(3);
    assert!(
        text.contains("no drill with evidence on one side: frozen"),
        "{text}"
    );
    let left_out = "left out (no evidence, not run, or unreadable): 0 of the baseline, 1 of the head";
    assert!(text.contains(left_out), "{text}");
    // The same where a history cannot be read.
    let other = folder.path().join("head").join(&base);
    std::fs::create_dir_all(&other).unwrap();
    std::fs::write(other.join("events.jsonl"), "no history").unwrap();
    let done = [(&broken, json!({ "run": base }))];
    call(&folder.path().join("head"), &["frozen"], 1, None, &done);
    let markdown = firedrill(folder.path(), &["compare", "--markdown", "base", "head"]).exits(3);
    assert!(markdown.contains("1 of the head"), "{markdown}");
}

/// Six repeats a side of the stored drill that was rolled back, taking turns; the events of the head's drills are changed.
fn stored_sides(folder: &Path, head: impl Fn(usize, Vec<Value>) -> Vec<Value>) {
    let from =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/histories/format-1/release-rolled-back");
    let text = std::fs::read_to_string(from.join("events.jsonl")).unwrap();
    for (at, side) in (0..6).flat_map(|at| [(at, "base"), (at, "head")]) {
        let mut events: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let minute = at * 2 + usize::from(side == "head");
        events[0]["run"] = json!(format!("20260101-00{minute:02}00-rollback-{at}-{side}"));
        events[0]["wall"] = json!(format!("2026-01-01T00:{minute:02}:00Z"));
        if side == "head" {
            events = head(at, events);
        }
        let to = folder.join(side).join(format!("run-{at}"));
        std::fs::create_dir_all(&to).unwrap();
        std::fs::copy(from.join("samples.bin"), to.join("samples.bin")).unwrap();
        let lines: String = events.iter().map(|event| format!("{event}\n")).collect();
        std::fs::write(to.join("events.jsonl"), lines).unwrap();
    }
}

fn without_alerts(mut events: Vec<Value>) -> Vec<Value> {
    events.retain(|event| event["event"] != "alert");
    events
}

#[test]
fn a_head_that_lost_its_alert_is_a_regression() {
    let folder = tempfile::tempdir().unwrap();
    stored_sides(folder.path(), |_, events| without_alerts(events));
    let text = firedrill(folder.path(), &["compare", "base", "head"]).exits(1);
    let row = |name: &str| {
        text.lines()
            .find(|line| line.contains(name))
            .unwrap_or_else(|| panic!("{text}"))
    };
    let detect = row("time to detect");
    assert!(
        detect.contains("never (n 6)") && detect.contains("REGRESSION"),
        "{text}"
    );
    let unexpected = row("unexpected  ");
    assert!(
        unexpected.contains("6 of 6 drills") && unexpected.contains("REGRESSION"),
        "{text}"
    );
    let markdown = firedrill(folder.path(), &["compare", "--markdown", "base", "head"]).exits(1);
    assert!(
        markdown.contains("| REGRESSION | release-rolled-back | time to detect |"),
        "{markdown}"
    );
    let json = firedrill(folder.path(), &["compare", "--json", "base", "head"]).exits(1);
    assert!(json.contains("\"unexpected\""), "{json}");
    firedrill(folder.path(), &["compare", "head", "base"]).exits(0);
}

#[test]
fn drills_without_an_alert_count_where_others_have_one() {
    let folder = tempfile::tempdir().unwrap();
    stored_sides(folder.path(), |at, events| {
        if at == 0 { events } else { without_alerts(events) }
    });
    let text = firedrill(folder.path(), &["compare", "base", "head"]).exits(0);
    let detect = text.lines().find(|line| line.contains("time to detect")).unwrap();
    assert!(detect.contains("never, n 6)"), "{text}");
}

#[test]
fn a_head_without_a_steady_state_is_inconclusive() {
    let folder = tempfile::tempdir().unwrap();
    store(folder.path(), FAST, FAST, true);
    stored_sides(folder.path(), |_, mut events| {
        for event in &mut events {
            if event["event"] == "steady" {
                event["good"] = json!(false);
            }
        }
        events
    });
    let text = firedrill(folder.path(), &["compare", "base", "head"]).exits(3);
    assert!(
        text.contains("no drill with evidence on one side: release-rolled-back"),
        "{text}"
    );
    assert!(
        text.contains("Inconclusive") && !text.contains("No regression"),
        "{text}"
    );
}
