//! From the reports of many drills (`firedrill run --json`) and of `write-probe`, on standard input, to one table: what each
//! mechanism made of the same bad release. What the edge is to reach is held against what it did.
#![expect(clippy::print_stdout, reason = "a program that says what was measured")]

use std::collections::BTreeMap;
use std::io::BufRead;
use std::process::ExitCode;

use firedrill_bench::table::Table;
use serde_json::Value;

/// Scenarios, in the order of the table, and the mechanism that each of them stands for.
const MECHANISMS: [(&str, &str); 5] = [
    (GUARDED, "edge, rolled back by paired comparison"),
    (GOOD, "edge, a good release: never rolled back"),
    (
        "docker-service-update",
        "docker service update, rolled back by its health check (writes alone)",
    ),
    (
        "wrong-json-loader-redeployed",
        "all at once, redeployed by an automatic check",
    ),
    (
        "wrong-json-loader",
        "all at once, mended by hand: priced at 23 min (55 requests/s)",
    ),
];
const GOOD: &str = "release-good";
const GUARDED: &str = "guarded-wrong-json-loader";

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

/// What `write-probe` saw, as a drill without releases or alerts.
fn probed(seen: &Value) -> Drill {
    Drill {
        downtime: (
            seen["down_ms"][0].as_f64().unwrap_or_default(),
            seen["down_ms"][1].as_f64(),
        ),
        bad: number(&seen["failed"]),
        answers: number(&seen["of"]),
        verdict: "none".into(),
        ..Drill::default()
    }
}

/// Median and largest of what was measured in every one of so many drills.
fn middle_and_most(mut values: Vec<f64>, of: usize) -> Option<(f64, f64)> {
    values.sort_by(f64::total_cmp);
    let middle = values.get(values.len() / 2)?;
    (values.len() == of).then_some((*middle, *values.last()?))
}

fn shown(values: Option<(f64, f64)>) -> String {
    values.map_or_else(
        || "-".into(),
        |(middle, most)| format!("{middle:.0}, {most:.0} ms"),
    )
}

/// A mechanism's rows; beside the edge's is what it is to reach.
fn say(table: &mut Table, scenario: &str, name: &str, drills: &[Drill]) {
    let (n, guarded) = (drills.len(), [GUARDED, GOOD].contains(&scenario));
    table.say(format!("{name}, {n} times"), "median, largest");
    let mut row = |what: &str, value: String, target: &str, reached: bool| {
        if guarded && !target.is_empty() {
            table.hold(format!("  {what}"), value, target, reached);
        } else {
            table.say(format!("  {what}"), value);
        }
    };
    let failed: u64 = drills.iter().map(|drill| drill.bad).sum();
    let answers: u64 = drills.iter().map(|drill| drill.answers).sum();
    let all = |of: &dyn Fn(&Drill) -> Option<f64>| middle_and_most(drills.iter().filter_map(of).collect(), n);
    let low = all(&|drill| Some(drill.downtime.0));
    let high = all(&|drill| drill.downtime.1);
    let back = all(&|drill| drill.rollback?.1);
    let alert = all(&|drill| drill.alert);
    let met = drills.iter().filter(|drill| drill.verdict == "met").count();
    let within = |seen: Option<(f64, f64)>, middle: f64, most: f64| {
        seen.is_some_and(|seen| seen.0 <= middle && seen.1 <= most)
    };
    row(
        "failed user requests",
        format!("{failed} of {answers}"),
        "none",
        failed == 0,
    );
    row("downtime, lower bound", shown(low), "0", within(low, 0.0, 0.0));
    let open = || "still down at the end".to_owned();
    row(
        "downtime, upper bound",
        high.map_or_else(open, |high| shown(Some(high))),
        "",
        true,
    );
    if scenario != GOOD {
        let target = "at most 200 ms, 1000 ms";
        row(
            "time to roll back",
            shown(back),
            target,
            within(back, 200.0, 1000.0),
        );
        let target = "at most 1000 ms";
        row(
            "alert with its log",
            shown(alert),
            target,
            within(alert, 1000.0, 1000.0),
        );
    }
    if guarded {
        row(
            "drills that met what they state",
            format!("{met} of {n}"),
            "all",
            met == n,
        );
    }
}

fn main() -> ExitCode {
    let mut drills: BTreeMap<(usize, String), Vec<Drill>> = BTreeMap::new();
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
        let scenario = report["scenario"].as_str().unwrap_or_default();
        let Some(place) = MECHANISMS.iter().position(|(name, _)| *name == scenario) else {
            continue;
        };
        let (seen, backend) = if report["format"].is_u64() {
            (drill(report), report["backend"].as_str().unwrap_or_default())
        } else if report["down_ms"].is_array() {
            (probed(report), "docker")
        } else {
            continue;
        };
        drills.entry((place, backend.to_owned())).or_default().push(seen);
    }
    let mut table = Table::default();
    for ((place, backend), drills) in &drills {
        let (scenario, name) = MECHANISMS[*place];
        say(&mut table, scenario, &format!("{name}, on {backend}"), drills);
    }
    print!("{table}");
    let guarded = drills.keys().any(|(place, _)| MECHANISMS[*place].0 == GUARDED);
    if guarded && table.all_reached() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
