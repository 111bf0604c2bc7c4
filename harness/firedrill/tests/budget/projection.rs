//! A year, projected from made-up drills.

use std::path::Path;

use serde_json::Value;

use crate::stored::{drill, firedrill};

/// So many drills of a scenario that is expected so often.
fn store(runs: &Path, scenario: &'static str, per_year: f64, downtimes: &[u64]) {
    for (at, down) in (1..).zip(downtimes) {
        let mut drill = drill(scenario, *down);
        drill.repeat = (at, 9);
        drill.per_year = Some(per_year);
        drill.store(runs);
    }
}

#[test]
fn a_projection_says_what_so_few_drills_do_not_prove() {
    let folder = tempfile::tempdir().unwrap();
    let runs = folder.path().join("runs");
    store(&runs, "kill", 24.0, &[300, 400, 500]);
    store(&runs, "slow", 2.0, &[2000, 2100]);
    let mut control = drill("control", 3000);
    (control.control, control.per_year) = (true, Some(1.0));
    control.store(&runs);
    drill("unrated", 100).store(&runs);
    let text = firedrill(folder.path(), &["projection", "--years", "2000"]).exits(0);
    assert!(
        text.contains("2 scenarios, 5 drills, 2000 simulated years"),
        "{text}"
    );
    assert!(text.contains("Inconclusive: run "), "{text}");
    assert!(text.contains("59 drills give 95 %"), "{text}");
    assert!(
        text.contains("no `per_year`, so its rate is unknown: unrated"),
        "{text}"
    );
    assert!(text.contains("(--controls includes them): control"), "{text}");
    firedrill(folder.path(), &["projection", "--check", "--years", "2000"]).exits(3);
    let json = firedrill(folder.path(), &["projection", "--json", "--years", "2000"]).exits(0);
    let json: Value = serde_json::from_str(&json).unwrap();
    // 24 × 0.4 s + 2 × 2.05 s, within the bounds' width of 12 ms each.
    let mean = (
        json["low"]["mean"].as_f64().unwrap(),
        json["high"]["mean"].as_f64().unwrap(),
    );
    assert!(
        mean.0 <= 13.7 && 13.7 <= mean.1 && mean.1 - mean.0 < 0.4,
        "{mean:?}"
    );
    let again = firedrill(folder.path(), &["projection", "--json", "--years", "2000"]).exits(0);
    assert_eq!(
        json,
        serde_json::from_str::<Value>(&again).unwrap(),
        "one seed, one answer"
    );
}

#[test]
fn without_protection_the_year_does_not_fit() {
    let folder = tempfile::tempdir().unwrap();
    let runs = folder.path().join("runs");
    let mut incident = drill("incident", 3000);
    (incident.still_down, incident.control, incident.per_year) = (true, true, Some(1.0));
    incident.store(&runs);
    let text = firedrill(
        folder.path(),
        &["projection", "--controls", "--check", "--years", "2000"],
    )
    .exits(1);
    assert!(text.contains("Over budget") && text.contains("23 min"), "{text}");
    firedrill(folder.path(), &["projection", "--check"]).exits(3);
}

#[test]
fn an_outage_that_was_still_down_and_has_no_price_gives_no_annual_figure() {
    let folder = tempfile::tempdir().unwrap();
    let mut unpriced = drill("open", 3000);
    (unpriced.still_down, unpriced.per_year, unpriced.manual_recovery) = (true, Some(1.0), None);
    unpriced.store(&folder.path().join("runs"));
    let ran = firedrill(folder.path(), &["projection"]);
    assert!(
        ran.errors().contains("no annual figure") && ran.errors().contains("open"),
        "{}",
        ran.errors()
    );
    assert_eq!(ran.exits(3), "");
}
