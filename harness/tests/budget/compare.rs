//! A base and a head, compared by made-up drills.

use std::path::Path;

use crate::stored::{drill, firedrill};

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
fn a_regression_is_told_in_a_table_in_markdown_and_by_the_exit_code() {
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
        text.contains("better") && text.contains("No regression."),
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
fn one_side_after_the_other_or_too_few_cannot_be_said() {
    let folder = tempfile::tempdir().unwrap();
    store(folder.path(), FAST, SLOW, false);
    let text = firedrill(folder.path(), &["compare", "base", "head"]).exits(3);
    assert!(text.contains("cannot say: not interleaved"), "{text}");
    let few = folder.path().join("few");
    drill("rollback", 200).store(&few.join("base"));
    drill("rollback", 2000).store(&few.join("head"));
    let text = firedrill(&few, &["compare", "base", "head"]).exits(3);
    assert!(
        text.contains("cannot say: too few") && text.contains("at least 5 drills"),
        "{text}"
    );
    firedrill(&few, &["compare", "base", "nowhere"]).refused();
}
