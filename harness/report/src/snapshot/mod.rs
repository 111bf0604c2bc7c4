//! The snapshot: what a reviewer reads in a pull request. Structure and bands, never a raw time, a count, a path, a date.
//!
//! Every line is `key: value`. Where a value is a matter of measuring, the accepted snapshot is handed in, and what was
//! accepted stays unless the measurement has clearly left it: a snapshot changes when the behaviour does.

mod bands;
mod lanes;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bands::{NONE, Quantity, Unit};

use firedrill_judge::measure::{Bounds, Measured};
use firedrill_judge::{Judgement, Verdict};
use firedrill_model::history::plan::{Expect, Step};
use firedrill_model::history::{Event, History};
use firedrill_model::units::Span;

/// Where states of journeys are told, and times in bands, by what was accepted before.
struct Accepted<'a>(BTreeMap<&'a str, &'a str>);

impl<'a> Accepted<'a> {
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
    let accepted = Accepted::read(accepted);
    let plan = &history.start.plan;
    let mut lines = vec![
        ("scenario".to_owned(), plan.name.clone()),
        ("summary".to_owned(), plan.scenario.summary.clone()),
    ];
    lines.extend(
        plan.scenario
            .steps
            .iter()
            .enumerate()
            .map(|(at, step)| injected(at, step)),
    );
    let journeys = journeys(history, measured, &accepted);
    let rungs = lanes::rungs(journeys.iter().map(|(_, told)| told));
    lines.extend(journeys);
    lines.push(("releases".into(), releases(measured)));
    lines.push(("fallbacks".into(), list(rungs)));
    lines.push(("alerts".into(), list(alerts(history))));
    lines.push(("links".into(), links(measured, &plan.scenario.expect)));
    lines.extend(times(measured, &accepted));
    lines.push(("share of budget".into(), share(judgement, &accepted)));
    lines.extend(verdict(judgement));
    lines
        .into_iter()
        .map(|(key, value)| format!("{key}: {value}\n"))
        .collect()
}

fn list(items: Vec<String>) -> String {
    if items.is_empty() {
        NONE.to_owned()
    } else {
        items.join(", ")
    }
}

/// A step as its file has it.
fn injected(at: usize, step: &Step) -> (String, String) {
    let params = step.fault.params.as_object().into_iter().flatten();
    let params: Vec<String> = params.map(|(key, value)| format!("{key} = {value}")).collect();
    let lasting = step
        .lasting
        .map_or_else(String::new, |lasting| format!(", for {lasting}"));
    let value = format!(
        "{} {{ {} }}{lasting}, at {}",
        step.fault.name,
        params.join(", "),
        step.at
    );
    (format!("injected {}", at + 1), value)
}

fn journeys(history: &History, measured: &Measured, accepted: &Accepted<'_>) -> Vec<(String, String)> {
    let one = |journey: &firedrill_judge::measure::Journey| {
        let essential = if journey.essential { "" } else { " (not essential)" };
        let key = format!("journey {}{essential}", journey.name);
        let told = lanes::told(&lanes::seen(history, journey), accepted.get(&key));
        (key, told)
    };
    measured.journeys.iter().map(one).collect()
}

/// The releases in the order of their first answers, and the one that answers in the end when that is an earlier one.
fn releases(measured: &Measured) -> String {
    let mut names: Vec<&str> = measured
        .releases
        .iter()
        .map(|release| release.name.as_str())
        .collect();
    names.extend(
        measured
            .instants
            .rollback
            .as_ref()
            .map(|rollback| rollback.to.as_str()),
    );
    if names.is_empty() {
        NONE.to_owned()
    } else {
        names.join(" → ")
    }
}

/// The kinds of alerts that arrived, and of those that never were taken; in what order is chance where several are due
/// at once.
fn alerts(history: &History) -> Vec<String> {
    let kind = |event: &firedrill_model::history::Stamped| match &event.event {
        Event::Alert { kind, answered, .. } if kind.is_empty() => {
            Some(("(without a kind)".to_owned(), *answered < 400))
        }
        Event::Alert { kind, answered, .. } => Some((kind.clone(), *answered < 400)),
        _ => None,
    };
    let (taken, refused): (BTreeSet<_>, BTreeSet<_>) = history
        .events
        .iter()
        .filter_map(kind)
        .partition(|(_, taken)| *taken);
    let never = |kind: &String| !taken.contains(&(kind.clone(), true));
    let refused = refused.iter().map(|(kind, _)| kind).filter(|kind| never(kind));
    let refused = refused.map(|kind| format!("{kind} (never taken)"));
    taken
        .iter()
        .map(|(kind, _)| kind.clone())
        .chain(refused)
        .collect()
}

/// What became of acknowledged writes. Where a scenario allows that some are lost or corrupt, how many are is chance.
fn links(measured: &Measured, expect: &Expect) -> String {
    let data = &measured.data;
    if data.acknowledged == 0 && data.phantom == 0 {
        return "none written".into();
    }
    let some = |count: usize, allowed: u64| match count {
        _ if allowed > 0 && count as u64 <= allowed => format!("at most {allowed}"),
        0 => "none".to_owned(),
        _ => "some".to_owned(),
    };
    let lost = some(data.lost, expect.lost_writes);
    let mut told = format!(
        "{lost} lost, {} corrupt",
        some(data.corrupt, expect.corrupt_writes)
    );
    if data.phantom > 0 {
        told.push_str(", some refused and there all the same");
    }
    if data.unknown > 0 {
        told.push_str(", some unknown");
    }
    told
}

fn seconds(bounds: Bounds) -> Quantity {
    Quantity {
        low: bounds.low.as_secs_f64(),
        high: bounds.high.as_ref().map(Duration::as_secs_f64),
    }
}

fn times(measured: &Measured, accepted: &Accepted<'_>) -> Vec<(String, String)> {
    let instants = &measured.instants;
    let open = measured.downtime.high.is_none();
    let recover = if open {
        Some(measured.downtime)
    } else {
        instants.time_to_recover
    };
    let times = [
        ("downtime", Some(measured.downtime)),
        ("time to detect", instants.time_to_detect),
        (
            "time to roll back",
            instants.rollback.as_ref().map(|rollback| rollback.time),
        ),
        ("time to recover", recover),
    ];
    let one = |(key, bounds): (&str, Option<Bounds>)| {
        let open = "still down when the drill ended";
        let band = Unit::Seconds.band(bounds.map(seconds), accepted.get(key), open);
        (key.to_owned(), band)
    };
    times.into_iter().map(one).collect()
}

/// What it took of the budget: a band when it was measured, the price itself when somebody gave one.
fn share(judgement: &Judgement, accepted: &Accepted<'_>) -> String {
    let cost = &judgement.cost;
    if let (Some(price), Some(high)) = (cost.priced, cost.share.high) {
        return format!(
            "{high:.0} %, priced at {} until a person has repaired it",
            Span(price)
        );
    }
    let quantity = Quantity {
        low: cost.share.low,
        high: cost.share.high,
    };
    Unit::Percent.band(
        Some(quantity),
        accepted.get("share of budget"),
        "unknown: nothing prices it",
    )
}

/// The verdict, and the checks behind it where it is not *met*.
fn verdict(judgement: &Judgement) -> Vec<(String, String)> {
    let of = |verdict: Verdict| list(judgement.of(verdict).map(|check| check.id.to_string()).collect());
    let told = match (judgement.verdict(), judgement.as_expected()) {
        (Verdict::Met, true) => "met",
        (Verdict::Met, false) => "met, though this control must breach",
        (Verdict::Undecided, _) => "undecided",
        (Verdict::Breached, true) => "breached, as this control must",
        (Verdict::Breached, false) => "breached",
    };
    let mut lines = vec![("verdict".to_owned(), told.to_owned())];
    for (key, verdict) in [("breached", Verdict::Breached), ("undecided", Verdict::Undecided)] {
        let names = of(verdict);
        lines.extend((names != NONE).then(|| (key.to_owned(), names)));
    }
    lines
}
