//! From the reports of many drills (`firedrill run --json`, on standard input) to one table: what each mechanism made of
//! the same bad release. Fewer than five repeats are listed one by one; a median needs six to have an interval.
#![expect(clippy::print_stdout, reason = "a program that says what was measured")]

use std::collections::BTreeMap;
use std::io::BufRead;
use std::process::ExitCode;

use serde_json::Value;

/// What one drill came to, in milliseconds.
#[derive(Debug, Default)]
struct Drill {
    /// Bounds of the downtime; the upper one is open when it had not ended.
    downtime: (f64, Option<f64>),
    /// Bounds of the time to roll back.
    rollback: Option<(f64, Option<f64>)>,
    /// From before the first answer of the bad release to the alert.
    alert: Option<f64>,
    bad: u64,
    answers: u64,
    verdict: String,
}

fn ms(bounds: &Value) -> (f64, Option<f64>) {
    let ms = |value: &Value| value.as_f64().map(|seconds| seconds * 1000.0);
    (ms(&bounds["low"]).unwrap_or_default(), ms(&bounds["high"]))
}

/// A count, or the sum of counts that are listed by kind.
fn number(value: &Value) -> u64 {
    let by_kind = value.as_array().into_iter().flatten();
    let sum: u64 = by_kind.filter_map(|kind| kind[1].as_u64()).sum();
    value.as_u64().unwrap_or(sum)
}

fn drill(report: &Value) -> Drill {
    let journeys = report["journeys"].as_array().cloned().unwrap_or_default();
    let count = |kind: &str| -> u64 {
        journeys
            .iter()
            .map(|journey| number(&journey["answers"][kind]))
            .sum()
    };
    let instants = &report["instants"];
    let rollback = &instants["rollback"];
    let micros = |value: &Value| value.as_f64().map(|micros| micros / 1000.0);
    Drill {
        downtime: ms(&report["downtime"]),
        rollback: rollback["time"].is_object().then(|| ms(&rollback["time"])),
        alert: micros(&instants["detected"])
            .zip(micros(&rollback["seen"]["from"]))
            .map(|(alert, seen)| alert - seen),
        bad: count("bad"),
        answers: count("good") + count("fallback") + count("bad"),
        verdict: report["verdict"].as_str().unwrap_or("unknown").to_owned(),
    }
}

/// Median, smallest, largest and how many; the values themselves when they are few.
fn spread(mut values: Vec<f64>) -> String {
    values.sort_by(f64::total_cmp);
    let (Some(least), Some(most)) = (values.first(), values.last()) else {
        return "none".into();
    };
    if values.len() < 5 {
        let values: Vec<String> = values.iter().map(|value| format!("{value:.0}")).collect();
        return format!("{} ms", values.join(", "));
    }
    let median = values[values.len() / 2];
    format!(
        "median {median:.0}, {least:.0} to {most:.0} ms, n = {}",
        values.len()
    )
}

fn row(name: &str, drills: &[Drill]) {
    let upper = |drill: &Drill| drill.downtime.1;
    let open = drills.iter().filter(|drill| upper(drill).is_none()).count();
    println!("{name}, {} drills", drills.len());
    let verdicts = drills
        .iter()
        .fold(BTreeMap::<&str, usize>::new(), |mut seen, drill| {
            *seen.entry(&drill.verdict).or_default() += 1;
            seen
        });
    let verdicts: Vec<String> = verdicts
        .iter()
        .map(|(verdict, n)| format!("{n} {verdict}"))
        .collect();
    println!("  verdicts                  {}", verdicts.join(", "));
    println!(
        "  failed user requests      {} of {}",
        drills.iter().map(|drill| drill.bad).sum::<u64>(),
        drills.iter().map(|drill| drill.answers).sum::<u64>()
    );
    println!(
        "  downtime, lower bound     {}",
        spread(drills.iter().map(|drill| drill.downtime.0).collect())
    );
    println!(
        "  downtime, upper bound     {}{}",
        spread(drills.iter().filter_map(upper).collect()),
        if open > 0 {
            format!("; {open} had not ended")
        } else {
            String::new()
        }
    );
    let rollbacks: Vec<_> = drills.iter().filter_map(|drill| drill.rollback).collect();
    println!(
        "  time to roll back, upper  {} ({} without)",
        spread(rollbacks.iter().filter_map(|bounds| bounds.1).collect()),
        drills.len() - rollbacks.len()
    );
    println!(
        "  alert after first answer  {}",
        spread(drills.iter().filter_map(|drill| drill.alert).collect())
    );
}

fn main() -> ExitCode {
    let mut drills: BTreeMap<String, Vec<Drill>> = BTreeMap::new();
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let Ok(value) = serde_json::from_str::<Value>(&line) else {
            continue;
        };
        // A report stands alone on its line, or wrapped in an event.
        let report = if value["report"].is_object() {
            &value["report"]
        } else {
            &value
        };
        if let (Some(name), Some(target), true) = (
            report["scenario"].as_str(),
            report["target"].as_str(),
            report["format"].is_u64(),
        ) {
            drills
                .entry(format!("{name} on {target}"))
                .or_default()
                .push(drill(report));
        }
    }
    for (name, drills) in &drills {
        row(name, drills);
    }
    if drills.is_empty() {
        println!("no reports: pipe `firedrill run --json` into this");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
