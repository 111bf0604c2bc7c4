//! What a reviewer sees of a change for the worse: a stored history, changed as that change would have changed it, and
//! the lines of its snapshot that are then others.

use std::time::Duration;

use firedrill::history::{self, Event, History};
use firedrill::sample::{Bad, Found, Label, Micros, Outcome};
use firedrill::{judge, measure, report};

use crate::folder;

fn stored(name: &str) -> History {
    history::read(&folder(name)).unwrap()
}

fn snapshot(history: &History, accepted: Option<&str>) -> String {
    let measured = measure::measure(history);
    let judgement = judge::judge(history, &measured);
    report::snapshot(history, &measured, &judgement, accepted)
}

/// The lines that differ from the accepted snapshot.
fn seen(name: &str, worse: impl FnOnce(&mut History)) -> String {
    let mut history = stored(name);
    let accepted = snapshot(&history, None);
    assert_eq!(
        snapshot(&history, Some(&accepted)),
        accepted,
        "nothing has changed yet"
    );
    worse(&mut history);
    let text = snapshot(&history, Some(&accepted));
    let only = |these: &str, those: &str, mark: &str| {
        let missing = these
            .lines()
            .filter(|line| !those.lines().any(|other| other == *line));
        missing.map(|line| format!("{mark} {line}\n")).collect::<String>()
    };
    only(&accepted, &text, "-") + &only(&text, &accepted, "+")
}

fn label(history: &History, text: &str) -> Label {
    let at = history.labels.iter().position(|label| label == text).unwrap();
    Label(u16::try_from(at).unwrap())
}

/// The way back takes longer: until then the bad release answers, and the alert comes as late.
fn rolled_back_later(history: &mut History, later: Duration) {
    let measured = measure::measure(history);
    let switched = measured.instants.rollback.unwrap().switched.unwrap();
    let bad = label(history, "v2");
    for sample in &mut history.samples {
        if sample.sent > switched.from && sample.sent <= switched.until + later {
            sample.release = bad;
        }
    }
    for event in &mut history.events {
        if matches!(event.event, Event::Alert { .. }) {
            event.at = event.at + later;
        }
    }
}

#[test]
fn a_slower_rollback() {
    let diff = seen("release-rolled-back", |history| {
        rolled_back_later(history, Duration::from_millis(700));
    });
    insta::assert_snapshot!(diff, @r"
    - time to detect: ≤ 200 ms
    - time to roll back: ≤ 200 ms
    + time to detect: ≤ 1 s
    + time to roll back: ≤ 1 s
    ");
}

#[test]
fn a_rollback_that_does_not_come() {
    let diff = seen("release-rolled-back", |history| {
        rolled_back_later(
            history,
            Duration::from_millis(1100), /* past the end of the drill */
        );
    });
    insta::assert_snapshot!(diff, @r"
    - releases: v3 → v2 → v3
    - time to detect: ≤ 200 ms
    - time to roll back: ≤ 200 ms
    - verdict: met
    + releases: v3 → v2
    + time to detect: ≤ 2 s
    + time to roll back: no rollback
    + verdict: breached
    + breached checks: rollback
    ");
}

/// The receiver answers 500 to every try: nobody was alerted.
#[test]
fn an_alert_that_is_no_longer_taken() {
    let refused = |history: &mut History| {
        for event in &mut history.events {
            if let Event::Alert { answered, .. } = &mut event.event {
                *answered = 500;
            }
        }
    };
    let diff = seen("release-rolled-back", refused);
    insta::assert_snapshot!(diff, @r"
    - alerts: rolled-back
    - time to detect: ≤ 200 ms
    - verdict: met
    + alerts: rolled-back (never accepted)
    + time to detect: not detected
    + verdict: breached
    + breached checks: alert.rolled-back
    ");
    let mut history = stored("release-rolled-back");
    refused(&mut history);
    let measured = measure::measure(&history);
    let judgement = judge::judge(&history, &measured);
    let story = report::DrillReport::new(&history, measured, judgement, Vec::new());
    let draft = report::incident(&story);
    assert!(
        draft.contains("No alert arrived") && !draft.contains("Alert `"),
        "{draft}"
    );
}

/// Where others fail at the same time, the one probe that the deploy refused is no longer by itself: it counts.
#[test]
fn a_rung_that_is_gone() {
    let diff = seen("wrong-loader-on-the-ladder", |history| {
        let rung = label(history, "signed-link");
        for sample in &mut history.samples {
            if sample.rung == rung {
                (sample.rung, sample.outcome, sample.status) = (Label::NONE, Outcome::Bad(Bad::Status), 500);
            }
        }
    });
    insta::assert_snapshot!(diff, @r"
    - journey resolve: up → down → up
    - journey shorten: up → fallback (signed-link) → down → fallback (signed-link) → up
    - fallbacks: signed-link
    - downtime: ≤ 1 s
    - time to recover: ≤ 1 s
    - budget used: ≤ 0.1 %
    - verdict: met
    + journey resolve: up → (down) → up → down → up
    + journey shorten: up → down
    + fallbacks: none
    + downtime: still down when the drill ended
    + time to recover: still down when the drill ended
    + budget used: 153 %, priced at 23 min for manual recovery
    + verdict: breached
    + breached checks: budget, downtime
    ");
}

#[test]
fn a_write_that_is_lost() {
    let diff = seen("wrong-loader-on-the-ladder", |history| {
        let read = history
            .events
            .iter_mut()
            .find_map(|event| match &mut event.event {
                Event::ReadBack { found, .. } => Some(found),
                _ => None,
            });
        *read.unwrap() = Found::Lost;
    });
    insta::assert_snapshot!(diff, @r"
    - writes: none lost, none corrupt
    - verdict: met
    + writes: some lost, none corrupt
    + verdict: breached
    + breached checks: lost-writes
    ");
}

#[test]
fn a_release_that_answers_late() {
    let diff = seen("release-rolled-back", |history| {
        let first = history.samples.iter().map(|sample| sample.sent).max().unwrap();
        let since = Micros(first.0 - 500_000);
        for sample in history.samples.iter_mut().filter(|sample| sample.sent > since) {
            sample.outcome = Outcome::Bad(Bad::Late);
        }
    });
    insta::assert_snapshot!(diff, @r"
    - journey resolve: up
    - journey shorten: up
    - journey home (not essential): up
    - downtime: none
    - time to detect: ≤ 200 ms
    - time to recover: none
    - budget used: none
    - verdict: met
    + journey resolve: up → down
    + journey shorten: up → down
    + journey home (not essential): up → down
    + downtime: still down when the drill ended
    + time to detect: at once
    + time to recover: still down when the drill ended
    + budget used: 153 %, priced at 23 min for manual recovery
    + verdict: breached
    + breached checks: budget, downtime, journey.resolve, journey.shorten
    ");
}
