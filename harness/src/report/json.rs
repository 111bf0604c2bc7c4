//! The machine-readable report: everything that was measured and judged, in stable keys. Times in microseconds since the
//! drill's origin, durations in seconds.

use std::time::Duration;

use serde_json::{Value, json};

use crate::history::History;
use crate::measure::{Bounds, Measured, Outage};
use crate::sla::{Judgement, Share};

/// The version of this report's keys.
const FORMAT: u32 = 1;

/// The report as one JSON value.
pub fn json(history: &History, measured: &Measured, judgement: &Judgement) -> Value {
    let start = &history.start;
    json!({
        "format": FORMAT,
        "scenario": start.plan.name,
        "summary": start.plan.scenario.summary,
        "run": start.run,
        "target": start.target,
        "place": start.place,
        "started": start.wall,
        "seed": start.seed,
        "repeat": { "this": start.repeat.0, "of": start.repeat.1 },
        "verdict": judgement.verdict(),
        "as_stated": judgement.stated(),
        "control": judgement.control,
        "checks": judgement.checks,
        "downtime": bounds(measured.downtime),
        "availability": { "low": measured.availability.0, "high": measured.availability.1 },
        "window": seconds(measured.window.length()),
        "unknown": seconds(measured.unknown),
        "outages": measured.outages.iter().map(outage).collect::<Vec<_>>(),
        "blips": measured.blips,
        "journeys": measured.journeys.iter().map(journey).collect::<Vec<_>>(),
        "releases": measured.releases,
        "instants": instants(measured),
        "data": measured.data,
        "prober": prober(measured),
        "contracts": judgement.bills.iter().map(|bill| json!({
            "contract": bill.contract, "billed": bounds(bill.billed), "unknown_slices": bill.unknown_slices,
        })).collect::<Vec<_>>(),
        "budget": {
            "downtime": seconds(judgement.cost.budget),
            "window": seconds(judgement.cost.window),
            "billed": judgement.cost.billed.map(bounds),
            "priced": judgement.cost.priced.map(seconds),
            "percent": share(judgement.cost.share),
            "percent_per_year": judgement.cost.per_year.map(share),
        },
        "torn": history.torn,
    })
}

fn seconds(duration: Duration) -> Value {
    json!(duration.as_secs_f64())
}

fn bounds(bounds: Bounds) -> Value {
    json!({ "low": seconds(bounds.low), "high": bounds.high.map(seconds) })
}

fn share(share: Share) -> Value {
    json!({ "low": share.low, "high": share.high })
}

fn outage(outage: &Outage) -> Value {
    json!({
        "downtime": bounds(outage.bounds()),
        "began": { "after": outage.hull.from, "by": outage.core.first().map(|core| core.from) },
        "ended": { "after": outage.core.last().map(|core| core.until), "by": (!outage.open).then_some(outage.hull.until) },
        "open": outage.open,
        "kinds": outage.kinds,
    })
}

fn journey(journey: &crate::measure::Journey) -> Value {
    json!({
        "name": journey.name,
        "essential": journey.essential,
        "answers": { "good": journey.good, "fallback": journey.fallback, "bad": journey.bad, "void": journey.void },
        "downtime": bounds(journey.downtime),
        "outages": journey.outages.iter().map(outage).collect::<Vec<_>>(),
        "rungs": journey.rungs.iter().map(|rung| json!({
            "name": rung.name, "answers": rung.answers, "time": seconds(rung.time),
        })).collect::<Vec<_>>(),
        "states": journey.lane,
        "latency": {
            "n": journey.latency.n, "p50": seconds(journey.latency.p50),
            "p99": seconds(journey.latency.p99), "max": seconds(journey.latency.max),
        },
    })
}

fn instants(measured: &Measured) -> Value {
    let instants = &measured.instants;
    json!({
        "injected": instants.injected, "onset": instants.onset, "first_fallback": instants.first_fallback,
        "detected": instants.detected, "recovered": instants.recovered,
        "time_to_detect": instants.time_to_detect.map(bounds),
        "time_to_recover": instants.time_to_recover.map(bounds),
        "rollback": instants.rollback.as_ref().map(|rollback| json!({
            "from": rollback.from, "to": rollback.to, "time": bounds(rollback.time),
            "seen": rollback.seen, "decided": rollback.decided, "switched": rollback.switched,
            "after_decision": rollback.after_decision.map(bounds),
        })),
    })
}

fn prober(measured: &Measured) -> Value {
    json!({
        "probes": measured.prober.probes, "voids": measured.prober.voids, "void_share": measured.prober.void_share(),
        "late_p50": seconds(measured.prober.late_p50), "late_p999": seconds(measured.prober.late_p999),
        "gaps": measured.prober.gaps,
    })
}
