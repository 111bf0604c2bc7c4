//! The snapshot: what a reviewer reads in a pull request. Structure and bands, never a raw time, a count, a path, a date.
//!
//! Takes a judged drill and the accepted snapshot, gives lines of `key: value`. A value that is measured stays as accepted
//! unless the measurement has clearly left it: a snapshot changes when the behaviour does.

mod bands;
mod lanes;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bands::{Quantity, Unit};

use super::format::{NONE, list, size, span};
use firedrill_judge::measure::{Bounds, Measured};
use firedrill_judge::{Judgement, Verdict};
use firedrill_model::history::plan::{Expect, Step};
use firedrill_model::history::{Event, History};
use firedrill_model::units::Span;
use serde_json::Value;

/// A time that has no upper bound.
const STILL_DOWN: &str = "still down when the drill ended";

/// The lines of an accepted snapshot, by key.
struct AcceptedLines<'a>(BTreeMap<&'a str, &'a str>);

impl<'a> AcceptedLines<'a> {
    fn read(text: Option<&'a str>) -> Self {
        Self(
            text.unwrap_or_default()
                .lines()
                .filter_map(|line| line.split_once(": "))
                .collect(),
        )
    }

    fn get(&self, key: &str) -> Option<&'a str> {
        self.0.get(key).copied()
    }
}

/// The snapshot of a drill, given the accepted one where there is one.
pub fn snapshot(
    history: &History,
    measured: &Measured,
    judgement: &Judgement,
    accepted: Option<&str>,
) -> String {
    let accepted = AcceptedLines::read(accepted);
    let plan = &history.start.plan;
    let mut lines = vec![
        ("scenario".to_owned(), plan.name.clone()),
        ("summary".to_owned(), plan.scenario.summary.clone()),
    ];
    let steps = plan.scenario.steps.iter();
    lines.extend(
        (1..)
            .zip(steps)
            .map(|(number, step)| (format!("step {number}"), fault(step))),
    );
    let journeys = journeys(history, measured, &accepted);
    let rungs = lanes::rungs(journeys.iter().flat_map(|(_, states)| states));
    lines.extend(
        journeys
            .into_iter()
            .map(|(key, states)| (key, lanes::text(&states))),
    );
    lines.push(("releases".into(), releases(measured)));
    lines.push(("fallbacks".into(), list(rungs)));
    lines.push(("alerts".into(), list(alerts(history))));
    lines.push(("writes".into(), writes(measured, &plan.scenario.expect)));
    lines.extend(times(measured, &accepted));
    lines.push(("budget used".into(), share(judgement, &accepted)));
    lines.extend(verdict(judgement));
    lines
        .into_iter()
        .map(|(key, value)| format!("{key}: {value}\n"))
        .collect()
}

/// A step: its fault with every parameter of the file, and when: `kill (service app) at 200 ms, for 500 ms`.
fn fault(step: &Step) -> String {
    let params = step.fault.params.as_object().into_iter().flatten();
    let params = list(params.map(|(key, value)| parameter(key, value)));
    let lasting = step
        .lasting
        .map_or_else(String::new, |lasting| format!(", for {}", span(lasting.0)));
    format!("{} ({params}) at {}{lasting}", step.fault.name, span(step.at.0))
}

/// A parameter in words.
fn parameter(key: &str, value: &Value) -> String {
    format!("{} {}", key.replace('_', " "), in_words(value))
}

/// A parameter's value. Quantities have a space before their unit, as everywhere in reports; only a text with other than
/// plain characters is quoted.
fn in_words(value: &Value) -> String {
    match value {
        Value::String(text) => {
            let span_of_time = text.parse().map(|Span(time)| span(time));
            let quantity = span_of_time.or_else(|_| text.parse().map(size));
            let plain = |c: char| c.is_alphanumeric() || "-_./:% ".contains(c);
            match quantity {
                Ok(quantity) => quantity,
                Err(_) if text.chars().all(plain) => text.clone(),
                Err(_) => format!("`{text}`"),
            }
        }
        Value::Array(values) => list(values.iter().map(in_words)),
        Value::Object(table) => list(table.iter().map(|(key, value)| parameter(key, value))),
        Value::Null => NONE.to_owned(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

fn journeys(
    history: &History,
    measured: &Measured,
    accepted: &AcceptedLines<'_>,
) -> Vec<(String, Vec<lanes::Accepted>)> {
    let one = |journey: &firedrill_judge::measure::Journey| {
        let essential = if journey.essential { "" } else { " (not essential)" };
        let key = format!("journey {}{essential}", journey.name);
        let others = measured
            .journeys
            .iter()
            .filter(|other| other.name != journey.name);
        let states = lanes::states(&lanes::seen(history, journey, others), accepted.get(&key));
        (key, states)
    };
    measured.journeys.iter().map(one).collect()
}

/// The releases in the order of their first answers, and the one that answers in the end when that is an earlier one.
fn releases(measured: &Measured) -> String {
    let answered = measured.releases.iter().map(|release| release.name.as_str());
    let rolled_back = measured
        .instants
        .rollback
        .iter()
        .map(|rollback| rollback.to.as_str());
    // The rollback at the end: the release that came back has answered before, and is not new.
    let names: Vec<&str> = answered.chain(rolled_back).collect();
    if names.is_empty() {
        NONE.to_owned()
    } else {
        names.join(" → ")
    }
}

/// The kinds of alerts that a receiver accepted, then those that none accepted. Sorted: in what order alerts come that
/// are due at once is chance.
fn alerts(history: &History) -> Vec<String> {
    let (mut accepted, mut refused) = (BTreeSet::new(), BTreeSet::new());
    for event in &history.events {
        if let Event::Alert { kind, answered, .. } = &event.event {
            let kind = if kind.is_empty() { "without a kind" } else { kind };
            let kinds = if *answered < 400 {
                &mut accepted
            } else {
                &mut refused
            };
            kinds.insert(kind);
        }
    }
    let never_accepted = refused
        .difference(&accepted)
        .map(|kind| format!("{kind} (never accepted)"));
    accepted
        .iter()
        .map(ToString::to_string)
        .chain(never_accepted)
        .collect()
}

/// What became of acknowledged writes. Where a scenario allows that some are lost or corrupt, how many are is chance.
fn writes(measured: &Measured, expect: &Expect) -> String {
    let data = &measured.data;
    if data.acknowledged == 0 && data.phantom == 0 {
        return NONE.into();
    }
    let some = |count: usize, allowed: u64| match count {
        _ if allowed > 0 && count as u64 <= allowed => format!("≤ {allowed}"),
        0 => NONE.to_owned(),
        _ => "some".to_owned(),
    };
    let lost = some(data.lost, expect.lost_writes);
    let corrupt = some(data.corrupt, expect.corrupt_writes);
    let mut text = format!("{lost} lost, {corrupt} corrupt");
    if data.phantom > 0 {
        text.push_str(", some refused but stored");
    }
    if data.unknown > 0 {
        text.push_str(", some unknown");
    }
    text
}

fn seconds(bounds: Bounds) -> Quantity {
    Quantity {
        low: bounds.low.as_secs_f64(),
        high: bounds.high.as_ref().map(Duration::as_secs_f64),
    }
}

fn times(measured: &Measured, accepted: &AcceptedLines<'_>) -> Vec<(String, String)> {
    let instants = &measured.instants;
    // Without an end there is no time to recover; its lower bound is the downtime's.
    let recover = if measured.downtime.high.is_none() {
        Some(measured.downtime)
    } else {
        instants.time_to_recover
    };
    let roll_back = instants.rollback.as_ref().map(|rollback| rollback.time);
    // Each with its words for a drill in which it did not happen, and for one in which it took no time.
    let times = [
        ("downtime", Some(measured.downtime), [NONE, NONE]),
        (
            "time to detect",
            instants.time_to_detect,
            ["not detected", "at once"],
        ),
        ("time to roll back", roll_back, ["no rollback", "at once"]),
        ("time to recover", recover, [NONE, NONE]),
    ];
    let one = |(key, bounds, [absent, instant]): (&str, Option<Bounds>, [&str; 2])| {
        let band = Unit::Seconds.band(bounds.map(seconds), accepted.get(key), STILL_DOWN);
        let text = match (band.as_str(), bounds) {
            (NONE, None) => absent.to_owned(),
            (NONE, Some(_)) => instant.to_owned(),
            _ => band,
        };
        (key.to_owned(), text)
    };
    times.into_iter().map(one).collect()
}

/// The share of the budget: a band when it was measured, the price itself when the scenario sets one.
fn share(judgement: &Judgement, accepted: &AcceptedLines<'_>) -> String {
    let cost = &judgement.cost;
    if let (Some(price), Some(high)) = (cost.priced, cost.share.high) {
        return format!("{high:.0} %, priced at {} for manual recovery", span(price));
    }
    let quantity = Quantity {
        low: cost.share.low,
        high: cost.share.high,
    };
    Unit::Percent.band(
        Some(quantity),
        accepted.get("budget used"),
        "unknown: no price set",
    )
}

/// The verdict, and the checks behind it where it is not *met*.
fn verdict(judgement: &Judgement) -> Vec<(String, String)> {
    let word = match (judgement.verdict(), judgement.as_expected()) {
        (Verdict::Met, true) => "met",
        (Verdict::Met, false) => "met (unexpected: negative control)",
        (Verdict::Undecided, _) => "undecided",
        (Verdict::Breached, true) => "breached (as expected: negative control)",
        (Verdict::Breached, false) => "breached",
    };
    let mut lines = vec![("verdict".to_owned(), word.to_owned())];
    for (key, verdict) in [
        ("breached checks", Verdict::Breached),
        ("undecided checks", Verdict::Undecided),
    ] {
        let names: Vec<String> = judgement.of(verdict).map(|check| check.id.to_string()).collect();
        if !names.is_empty() {
            lines.push((key.to_owned(), list(names)));
        }
    }
    lines
}
