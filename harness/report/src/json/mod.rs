//! The machine-readable report: everything that was measured and judged, in stable keys, with a JSON Schema.
//!
//! Takes a judged history, gives a JSON value: instants in microseconds since the drill's origin, durations in seconds.

mod keys;

use std::time::Duration;

use serde_json::Value;

use super::drill::readable;
use firedrill_judge::Judgement;
use firedrill_judge::measure::{self, Measured};
use firedrill_model::history::History;

use keys::{
    Answers, Bill, Bounds, Budget, Edge, Instants, Journey, Latency, Outage, Prober, Range, Repeat, Report,
    Rollback, Rung, Share,
};

/// The version of the keys. A version may get new keys; none changes its meaning or goes away.
const FORMAT: u32 = 1;

/// The report as one JSON value.
pub fn json(history: &History, measured: &Measured, judgement: &Judgement) -> Value {
    let readable = readable(judgement.clone(), &history.start.plan);
    // A struct of plain values: turning it into JSON cannot fail.
    serde_json::to_value(report(history, measured, &readable)).unwrap_or_default()
}

/// The JSON Schema of the report.
pub fn schema() -> Value {
    schemars::generate::SchemaSettings::draft2020_12()
        .for_serialize()
        .into_generator()
        .into_root_schema_for::<Report>()
        .to_value()
}

fn report<'a>(history: &'a History, measured: &'a Measured, judgement: &'a Judgement) -> Report<'a> {
    let start = &history.start;
    Report {
        format: FORMAT,
        scenario: &start.plan.name,
        summary: &start.plan.scenario.summary,
        run: &start.run,
        backend: start.backend.name(),
        place: &start.place,
        started: &start.wall,
        seed: start.seed,
        repeat: Repeat {
            this: start.repeat.0,
            of: start.repeat.1,
        },
        verdict: judgement.verdict(),
        as_expected: judgement.as_expected(),
        control: &judgement.control,
        checks: &judgement.checks,
        downtime: measured.downtime.into(),
        availability: Range {
            low: measured.availability.0,
            high: measured.availability.1,
        },
        window: measured.window.length().as_secs_f64(),
        unknown: measured.unknown.as_secs_f64(),
        outages: measured.outages.iter().map(outage).collect(),
        blips: &measured.blips,
        journeys: measured.journeys.iter().map(journey).collect(),
        releases: &measured.releases,
        instants: instants(&measured.instants),
        data: measured.data,
        prober: prober(&measured.prober),
        reconnects: measured.journeys.iter().map(|journey| journey.reconnects).sum(),
        contracts: judgement.bills.iter().map(bill).collect(),
        budget: budget(&judgement.cost),
        unverified: start.plan.system.unverified().collect(),
        torn: history.torn.iter().map(ToString::to_string).collect(),
    }
}

impl From<measure::Bounds> for Bounds {
    fn from(bounds: measure::Bounds) -> Self {
        Self {
            low: bounds.low.as_secs_f64(),
            high: bounds.high.map(|high| high.as_secs_f64()),
        }
    }
}

impl From<firedrill_judge::Share> for Share {
    fn from(share: firedrill_judge::Share) -> Self {
        Self {
            low: share.low,
            high: share.high,
        }
    }
}

fn outage(outage: &measure::Outage) -> Outage<'_> {
    Outage {
        downtime: outage.bounds().into(),
        began: Edge {
            // The bounds of measuring: it began after the last good answer and by the first bad one.
            after: Some(outage.hull.from.0),
            by: outage.core.first().map(|core| core.from.0),
        },
        ended: Edge {
            after: outage.core.last().map(|core| core.until.0),
            // An outage that had not ended has no upper bound.
            by: (!outage.still_down).then_some(outage.hull.until.0),
        },
        still_down: outage.still_down,
        kinds: &outage.kinds,
    }
}

fn journey(journey: &measure::Journey) -> Journey<'_> {
    let seconds = |time: Duration| time.as_secs_f64();
    Journey {
        name: &journey.name,
        essential: journey.essential,
        answers: Answers {
            good: journey.good,
            fallback: journey.fallback,
            bad: &journey.bad,
            void: journey.void,
        },
        downtime: journey.downtime.into(),
        outages: journey.outages.iter().map(outage).collect(),
        rungs: journey.rungs.iter().map(rung).collect(),
        states: &journey.lane,
        latency: Latency {
            n: journey.latency.n,
            p50: seconds(journey.latency.p50),
            p99: seconds(journey.latency.p99),
            max: seconds(journey.latency.max),
        },
    }
}

fn rung(rung: &measure::Rung) -> Rung<'_> {
    Rung {
        name: &rung.name,
        answers: rung.answers,
        time: rung.time.as_secs_f64(),
    }
}

fn instants(instants: &measure::Instants) -> Instants<'_> {
    let rollback = instants.rollback.as_ref();
    Instants {
        injected: instants.injected.map(|at| at.0),
        onset: instants.onset,
        first_fallback: instants.first_fallback.map(|at| at.0),
        detected: instants.detected.map(|at| at.0),
        recovered: instants.recovered,
        time_to_detect: instants.time_to_detect.map(Into::into),
        time_to_recover: instants.time_to_recover.map(Into::into),
        rollback: rollback.map(|back| Rollback {
            from: &back.from,
            to: &back.to,
            seen: back.seen,
            decided: back.decided,
            switched: back.switched,
            after_decision: back.after_decision.map(Into::into),
            time: back.time.into(),
        }),
    }
}

fn prober(prober: &measure::Prober) -> Prober<'_> {
    Prober {
        probes: prober.probes,
        voids: &prober.voids,
        void_share: prober.void_share(),
        late_p50: prober.late_p50.as_secs_f64(),
        late_p999: prober.late_p999.as_secs_f64(),
        gaps: &prober.gaps,
    }
}

fn bill(bill: &firedrill_judge::Bill) -> Bill {
    Bill {
        contract: bill.contract,
        billed: bill.billed.into(),
        unknown_slices: bill.unknown_slices,
    }
}

fn budget(cost: &firedrill_judge::Cost) -> Budget {
    Budget {
        downtime: cost.budget.as_secs_f64(),
        window: cost.window.as_secs_f64(),
        billed: cost.billed.map(Into::into),
        priced: cost.priced.map(|price| price.as_secs_f64()),
        percent: cost.share.into(),
        percent_per_year: cost.per_year.map(Into::into),
    }
}
