//! The machine-readable report: everything that was measured and judged, in stable keys, with a JSON Schema. Times in
//! microseconds since the drill's origin, durations in seconds.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use firedrill_judge::measure::{self, Interval, Measured};
use firedrill_judge::{Check, Judgement, Verdict};
use firedrill_model::check::CheckId;
use firedrill_model::history::History;
use firedrill_model::sample::{Bad, Void};
use firedrill_model::scenario::Contract;

/// The version of this report's keys. Keys may be added to it; none changes its meaning or goes away.
const FORMAT: u32 = 1;

/// The report as one JSON value.
pub fn json(history: &History, measured: &Measured, judgement: &Judgement) -> Value {
    // A struct of plain values: turning it into JSON cannot fail.
    serde_json::to_value(report(history, measured, judgement)).unwrap_or_default()
}

/// The JSON Schema of the report.
pub fn schema() -> Value {
    schemars::generate::SchemaSettings::draft2020_12()
        .for_serialize()
        .into_generator()
        .into_root_schema_for::<Report>()
        .to_value()
}

/// A drill, measured and judged.
#[derive(Serialize, JsonSchema)]
struct Report<'a> {
    /// The version of these keys.
    format: u32,
    /// The scenario's name.
    scenario: &'a str,
    /// What goes wrong in it.
    summary: &'a str,
    /// The run's id.
    run: &'a str,
    /// Where it ran: docker or process.
    target: &'a str,
    /// That backend in words.
    place: &'a str,
    /// When it started, RFC 3339.
    started: &'a str,
    /// What every random choice derived from.
    seed: u64,
    /// Which repeat this is.
    repeat: Repeat,
    /// The worst of all checks.
    verdict: Verdict,
    /// Whether it came out as the scenario states: met, or, for a control, breached exactly where it must.
    as_stated: bool,
    /// For a control: the checks that must breach.
    control: &'a Option<Vec<CheckId>>,
    /// Everything that was looked at.
    checks: &'a [Check],
    /// The service's downtime.
    downtime: Bounds,
    /// The share of the time that is judged in which the service was up.
    availability: Range,
    /// How long was judged, in seconds.
    window: f64,
    /// About how much of that nothing is known, in seconds.
    unknown: f64,
    /// The service's outages: the union over its essential journeys.
    outages: Vec<Outage<'a>>,
    /// Single bad answers that nothing confirmed.
    blips: &'a [measure::Blip],
    /// Each journey by itself.
    journeys: Vec<Journey<'a>>,
    /// The releases that answered.
    releases: &'a [measure::Release],
    /// The instants of the drill.
    instants: Instants<'a>,
    /// What became of acknowledged writes.
    data: measure::Data,
    /// How well the prober kept its schedule.
    prober: Prober<'a>,
    /// The same outages under each contract.
    contracts: Vec<Bill>,
    /// What the drill took of the budget.
    budget: Budget,
    /// What is missing of a history that was cut off.
    torn: &'a [String],
}

/// One of several runs of a scenario.
#[derive(Serialize, JsonSchema)]
struct Repeat {
    /// Its number, from 1.
    this: u32,
    /// Of how many.
    of: u32,
}

/// A duration in seconds that lies between two others.
#[derive(Serialize, JsonSchema)]
struct Bounds {
    /// At least.
    low: f64,
    /// At most; null: it had not ended when the drill did.
    high: Option<f64>,
}

/// A number that lies between two others.
#[derive(Serialize, JsonSchema)]
struct Range {
    /// At least.
    low: f64,
    /// At most.
    high: f64,
}

/// An outage.
#[derive(Serialize, JsonSchema)]
struct Outage<'a> {
    /// How long it lasted.
    downtime: Bounds,
    /// When it began.
    began: Edge,
    /// When it ended.
    ended: Edge,
    /// It had not ended when the drill did.
    open: bool,
    /// How answers failed, and how often, most frequent first.
    kinds: &'a [(Bad, usize)],
}

/// An instant that lies between two others, in microseconds since the drill's origin.
#[derive(Serialize, JsonSchema)]
struct Edge {
    /// Not before; null: not known.
    after: Option<u64>,
    /// Not after; null: not known.
    by: Option<u64>,
}

/// A journey.
#[derive(Serialize, JsonSchema)]
struct Journey<'a> {
    /// Its name.
    name: &'a str,
    /// Whether the service is down when it is.
    essential: bool,
    /// How its probes ended.
    answers: Answers<'a>,
    /// Its downtime.
    downtime: Bounds,
    /// Its outages.
    outages: Vec<Outage<'a>>,
    /// The fallbacks that answered.
    rungs: Vec<Rung<'a>>,
    /// What it was when: in order, without gaps.
    states: &'a [measure::Segment],
    /// How long its right answers took.
    latency: Latency,
}

/// How probes ended.
#[derive(Serialize, JsonSchema)]
struct Answers<'a> {
    /// Right, the normal way.
    good: usize,
    /// Right, by a fallback.
    fallback: usize,
    /// Failed the user, by kind.
    bad: &'a [(Bad, usize)],
    /// They say nothing.
    void: usize,
}

/// A fallback that answered.
#[derive(Serialize, JsonSchema)]
struct Rung<'a> {
    /// Its name, as the answers say it.
    name: &'a str,
    /// How many right answers it gave.
    answers: usize,
    /// For how long, in seconds.
    time: f64,
}

/// Percentiles in seconds, from when an answer was due.
#[derive(Serialize, JsonSchema)]
struct Latency {
    /// How many answers.
    n: u64,
    /// The median.
    p50: f64,
    /// 99 of 100 were not slower.
    p99: f64,
    /// The slowest.
    max: f64,
}

/// The instants of a drill, in microseconds since its origin.
#[derive(Serialize, JsonSchema)]
struct Instants<'a> {
    /// The first fault was confirmed.
    injected: Option<u64>,
    /// The first outage began in this interval.
    onset: Option<Interval>,
    /// The first answer by a fallback was sent.
    first_fallback: Option<u64>,
    /// The first alert arrived.
    detected: Option<u64>,
    /// The last outage ended in this interval.
    recovered: Option<Interval>,
    /// From the onset to the first alert.
    time_to_detect: Option<Bounds>,
    /// From the onset to the recovery.
    time_to_recover: Option<Bounds>,
    /// The way back to an earlier release.
    rollback: Option<Rollback<'a>>,
}

/// Answers came from one release, then from another, and in the end from the first again.
#[derive(Serialize, JsonSchema)]
struct Rollback<'a> {
    /// The release that was left.
    from: &'a str,
    /// The release that answers in the end.
    to: &'a str,
    /// The first answer of the release that was left; null: users never had one.
    seen: Option<Interval>,
    /// It was decided in here; null: no alert says so.
    decided: Option<Interval>,
    /// It was left in here.
    switched: Option<Interval>,
    /// From when it was decided to when it was left.
    after_decision: Option<Bounds>,
    /// From the first answer of the one to the first of the other after it.
    time: Bounds,
}

/// How well the prober kept its schedule.
#[derive(Serialize, JsonSchema)]
struct Prober<'a> {
    /// Probes that were due in the time that is judged.
    probes: usize,
    /// Those that say nothing, by reason.
    voids: &'a [(Void, usize)],
    /// Their share.
    void_share: f64,
    /// Sent − due in seconds: the median.
    late_p50: f64,
    /// Sent − due in seconds: 999 of 1000 were not later.
    late_p999: f64,
    /// Standstills over 100 ms.
    gaps: &'a [Interval],
}

/// What one contract bills.
#[derive(Serialize, JsonSchema)]
struct Bill {
    /// The contract.
    contract: Contract,
    /// The downtime it bills.
    billed: Bounds,
    /// Slices whose share of bad answers is unknown.
    unknown_slices: usize,
}

/// What the drill took of the budget.
#[derive(Serialize, JsonSchema)]
struct Budget {
    /// The budget's downtime in seconds.
    downtime: f64,
    /// The budget's window in seconds.
    window: f64,
    /// What the verdict's contract bills.
    billed: Option<Bounds>,
    /// The price of an outage that was still open, in seconds.
    priced: Option<f64>,
    /// What one such event takes, in percent; may be over 100.
    percent: Share,
    /// What a year's events take, in percent; null without `per_year`, or without a price.
    percent_per_year: Option<Share>,
}

/// A share in percent.
#[derive(Serialize, JsonSchema)]
struct Share {
    /// At least.
    low: f64,
    /// At most; null: the outage was still open, and nothing prices it.
    high: Option<f64>,
}

fn report<'a>(history: &'a History, measured: &'a Measured, judgement: &'a Judgement) -> Report<'a> {
    let start = &history.start;
    Report {
        format: FORMAT,
        scenario: &start.plan.name,
        summary: &start.plan.scenario.summary,
        run: &start.run,
        target: &start.backend,
        place: &start.place,
        started: &start.wall,
        seed: start.seed,
        repeat: Repeat {
            this: start.repeat.0,
            of: start.repeat.1,
        },
        verdict: judgement.verdict(),
        as_stated: judgement.as_expected(),
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
        contracts: judgement.bills.iter().map(bill).collect(),
        budget: budget(&judgement.cost),
        torn: &history.torn,
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
            after: Some(outage.hull.from.0),
            by: outage.core.first().map(|core| core.from.0),
        },
        ended: Edge {
            after: outage.core.last().map(|core| core.until.0),
            by: (!outage.still_down).then_some(outage.hull.until.0),
        },
        open: outage.still_down,
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
