//! The keys of the JSON report. Their docs are the descriptions of its JSON Schema.

use schemars::JsonSchema;
use serde::Serialize;

use firedrill_judge::measure::{self, Interval};
use firedrill_judge::{Check, Verdict};
use firedrill_model::check::CheckId;
use firedrill_model::sample::{Bad, Void};
use firedrill_model::scenario::Contract;

/// A drill, measured and judged.
#[derive(Serialize, JsonSchema)]
pub(super) struct Report<'a> {
    /// The version of these keys.
    pub(super) format: u32,
    /// The scenario's name.
    pub(super) scenario: &'a str,
    /// What goes wrong in it.
    pub(super) summary: &'a str,
    /// The run's id.
    pub(super) run: &'a str,
    /// The backend: docker or process.
    pub(super) backend: &'a str,
    /// The backend in words.
    pub(super) place: &'a str,
    /// When it started, RFC 3339.
    pub(super) started: &'a str,
    /// The random seed.
    pub(super) seed: u64,
    /// Which repeat this is.
    pub(super) repeat: Repeat,
    /// The worst of all checks.
    pub(super) verdict: Verdict,
    /// Whether it ended as expected: met, or, for a negative control, breached in exactly the checks that must breach.
    pub(super) as_expected: bool,
    /// For a negative control: the checks that must breach.
    pub(super) control: &'a Option<Vec<CheckId>>,
    /// Every check, with what was required and found.
    pub(super) checks: &'a [Check],
    /// The service's downtime.
    pub(super) downtime: Bounds,
    /// The share of the judged time in which the service was up.
    pub(super) availability: Range,
    /// The judged time in seconds.
    pub(super) window: f64,
    /// The part of it about which nothing is known, in seconds.
    pub(super) unknown: f64,
    /// The service's outages: the union over its essential journeys.
    pub(super) outages: Vec<Outage<'a>>,
    /// Single bad answers that others did not confirm.
    pub(super) blips: &'a [measure::Blip],
    /// Each journey.
    pub(super) journeys: Vec<Journey<'a>>,
    /// The releases that answered.
    pub(super) releases: &'a [measure::Release],
    /// The instants of the drill.
    pub(super) instants: Instants<'a>,
    /// What became of acknowledged writes.
    pub(super) data: measure::Data,
    /// How well the prober followed its schedule.
    pub(super) prober: Prober<'a>,
    /// Requests that were repeated on a new connection, as a kept one had been closed while it was idle.
    pub(super) reconnects: usize,
    /// The same outages under each contract.
    pub(super) contracts: Vec<Bill>,
    /// What the drill cost of the budget.
    pub(super) budget: Budget,
    /// The services that were asked over TLS without verifying their certificates.
    pub(super) unverified: Vec<&'a str>,
    /// What is missing of a history that was cut off.
    pub(super) torn: Vec<String>,
}

/// One of several runs of a scenario.
#[derive(Serialize, JsonSchema)]
pub(super) struct Repeat {
    /// Its number, from 1.
    pub(super) this: u32,
    /// The number of repeats.
    pub(super) of: u32,
}

/// A duration in seconds, between bounds.
#[derive(Serialize, JsonSchema)]
pub(super) struct Bounds {
    /// The lower bound.
    pub(super) low: f64,
    /// The upper bound; null: it had not ended when the drill ended.
    pub(super) high: Option<f64>,
}

/// A number between bounds.
#[derive(Serialize, JsonSchema)]
pub(super) struct Range {
    /// The lower bound.
    pub(super) low: f64,
    /// The upper bound.
    pub(super) high: f64,
}

/// An outage.
#[derive(Serialize, JsonSchema)]
pub(super) struct Outage<'a> {
    /// How long it was down: the time of its runs, not that between them.
    pub(super) downtime: Bounds,
    /// When it began.
    pub(super) began: Edge,
    /// When it ended.
    pub(super) ended: Edge,
    /// It had not ended when the drill ended.
    pub(super) still_down: bool,
    /// How answers failed, and how often, the most frequent kind first.
    pub(super) kinds: &'a [(Bad, usize)],
}

/// An instant between bounds, in microseconds since the drill's origin.
#[derive(Serialize, JsonSchema)]
pub(super) struct Edge {
    /// Not before this; null: unknown.
    pub(super) after: Option<u64>,
    /// Not after this; null: unknown.
    pub(super) by: Option<u64>,
}

/// A journey.
#[derive(Serialize, JsonSchema)]
pub(super) struct Journey<'a> {
    /// Its name.
    pub(super) name: &'a str,
    /// Whether its outage is an outage of the service.
    pub(super) essential: bool,
    /// How its probes ended.
    pub(super) answers: Answers<'a>,
    /// Its downtime.
    pub(super) downtime: Bounds,
    /// Its outages.
    pub(super) outages: Vec<Outage<'a>>,
    /// The fallbacks that answered.
    pub(super) rungs: Vec<Rung<'a>>,
    /// Its states in order, without gaps.
    pub(super) states: &'a [measure::Segment],
    /// How long its right answers took.
    pub(super) latency: Latency,
}

/// How probes ended.
#[derive(Serialize, JsonSchema)]
pub(super) struct Answers<'a> {
    /// Right, the normal way.
    pub(super) good: usize,
    /// Right, by a fallback.
    pub(super) fallback: usize,
    /// Bad, by kind.
    pub(super) bad: &'a [(Bad, usize)],
    /// Void: the prober's own failures.
    pub(super) void: usize,
}

/// A fallback that answered.
#[derive(Serialize, JsonSchema)]
pub(super) struct Rung<'a> {
    /// Its name, as the answers say.
    pub(super) name: &'a str,
    /// How many right answers it gave.
    pub(super) answers: usize,
    /// For how long, in seconds.
    pub(super) time: f64,
}

/// Percentiles in seconds, from when an answer was due.
#[derive(Serialize, JsonSchema)]
pub(super) struct Latency {
    /// How many answers.
    pub(super) n: u64,
    /// The median.
    pub(super) p50: f64,
    /// The 99th percentile.
    pub(super) p99: f64,
    /// The maximum.
    pub(super) max: f64,
}

/// The instants of a drill, in microseconds since its origin.
#[derive(Serialize, JsonSchema)]
pub(super) struct Instants<'a> {
    /// The first fault was confirmed.
    pub(super) injected: Option<u64>,
    /// The first outage began in this interval.
    pub(super) onset: Option<Interval>,
    /// The first answer by a fallback was sent.
    pub(super) first_fallback: Option<u64>,
    /// The first alert arrived.
    pub(super) detected: Option<u64>,
    /// The last outage ended in this interval.
    pub(super) recovered: Option<Interval>,
    /// From the onset to the first alert.
    pub(super) time_to_detect: Option<Bounds>,
    /// From the onset to the recovery.
    pub(super) time_to_recover: Option<Bounds>,
    /// The rollback to an earlier release.
    pub(super) rollback: Option<Rollback<'a>>,
}

/// A rollback: answers came from one release, then from another, and in the end from the first again.
#[derive(Serialize, JsonSchema)]
pub(super) struct Rollback<'a> {
    /// The release that was rolled back.
    pub(super) from: &'a str,
    /// The release that answers in the end.
    pub(super) to: &'a str,
    /// The first answer of the release that was rolled back; null: users never had one.
    pub(super) seen: Option<Interval>,
    /// When it was decided; null: no alert says so.
    pub(super) decided: Option<Interval>,
    /// When answers of that release ended.
    pub(super) switched: Option<Interval>,
    /// From the decision to the switch.
    pub(super) after_decision: Option<Bounds>,
    /// From the first answer of the bad release to the first answer of the good one after it.
    pub(super) time: Bounds,
}

/// How well the prober followed its schedule.
#[derive(Serialize, JsonSchema)]
pub(super) struct Prober<'a> {
    /// Probes that were due in the judged time.
    pub(super) probes: usize,
    /// Void probes, by reason.
    pub(super) voids: &'a [(Void, usize)],
    /// Their share.
    pub(super) void_share: f64,
    /// Sent − due in seconds: the median.
    pub(super) late_p50: f64,
    /// Sent − due in seconds: the 99.9th percentile.
    pub(super) late_p999: f64,
    /// Stalls of the prober over 100 ms.
    pub(super) gaps: &'a [Interval],
}

/// What one contract bills.
#[derive(Serialize, JsonSchema)]
pub(super) struct Bill {
    /// The contract.
    pub(super) contract: Contract,
    /// The downtime it bills.
    pub(super) billed: Bounds,
    /// Slices whose share of bad answers is unknown.
    pub(super) unknown_slices: usize,
}

/// What the drill cost of the budget.
#[derive(Serialize, JsonSchema)]
pub(super) struct Budget {
    /// The budget's downtime in seconds.
    pub(super) downtime: f64,
    /// The budget's window in seconds.
    pub(super) window: f64,
    /// What the verdict's contract bills.
    pub(super) billed: Option<Bounds>,
    /// The price of an outage that was still down at the end, in seconds.
    pub(super) priced: Option<f64>,
    /// What one such event costs, in percent; may be over 100.
    pub(super) percent: Share,
    /// What a year's events cost, in percent; null without `per_year`, or without a price.
    pub(super) percent_per_year: Option<Share>,
}

/// A share in percent.
#[derive(Serialize, JsonSchema)]
pub(super) struct Share {
    /// The lower bound.
    pub(super) low: f64,
    /// The upper bound; null: still down at the end, and no price is set.
    pub(super) high: Option<f64>,
}
