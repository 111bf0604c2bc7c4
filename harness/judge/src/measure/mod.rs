//! From samples to outages, recovery, latency and data loss.
//!
//! Takes a [`History`], gives a [`Measured`] to judging and reports. Every duration has bounds. The formulas are those of
//! `docs/measuring.md`, and the code has their names: a sample is due at `d`, sent at `s` and ended at `e`; `δ` is its
//! journey's deadline, and `ē = min(e, s + δ)`.

mod data;
mod fallback;
mod instants;
mod interval;
mod latency;
mod outage;
mod over_time;
mod prober;
mod releases;
mod run;
mod streams;

use std::time::Duration;

use serde::Serialize;

pub use data::Data;
pub use fallback::{JourneyState, Lane, Rung, Segment};
pub use instants::{Instants, RolledBack};
pub use interval::{Bounds, Interval};
pub use latency::Latency;
pub use outage::{Blip, Outage};
pub use over_time::{Bucket, Series, over_time};
pub use prober::Prober;
pub use releases::Release;

use crate::tally;
use firedrill_model::history::{Contention, Event, History, Phase};
use firedrill_model::sample::{Bad, Micros, Outcome, Sample};
use streams::Streams;

/// Everything that is measured of a history.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Measured {
    /// The time that is judged: from the first step's origin to the end of the quiet period.
    pub window: Interval,
    /// Each journey, in the order of the system file.
    pub journeys: Vec<Journey>,
    /// Outages of the service: the union over its essential journeys.
    pub outages: Vec<Outage>,
    /// Single bad samples that nothing confirmed, of all journeys, by time.
    pub blips: Vec<Blip>,
    /// The service's downtime.
    pub downtime: Bounds,
    /// Unknown time: the prober stalled, or its probes were void.
    pub unknown: Duration,
    /// When that was: disjoint, by time.
    pub unknown_parts: Vec<Interval>,
    /// The bounds of the availability: `[1 − (Σhigh + U)/W, 1 − Σlow/(W − U)]`.
    pub availability: (f64, f64),
    /// The releases that answered, by their first answers.
    pub releases: Vec<Release>,
    /// The instants of the drill.
    pub instants: Instants,
    /// What became of acknowledged writes.
    pub data: Data,
    /// How well the prober did.
    pub prober: Prober,
}

/// What is measured of one journey.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Journey {
    /// Its name.
    pub name: String,
    /// Whether its outage is the service's outage.
    pub essential: bool,
    /// Right answers, the normal way.
    pub good: usize,
    /// Right answers by a fallback.
    pub fallback: usize,
    /// Those of them for which others, who held the machine, may have been the reason.
    pub fallback_when_busy: usize,
    /// Bad answers, by kind.
    pub bad: Vec<(Bad, usize)>,
    /// Void probes.
    pub void: usize,
    /// Requests that were repeated because a kept connection had been closed while it was idle.
    pub reconnects: usize,
    /// Its outages: the union over its streams.
    pub outages: Vec<Outage>,
    /// Its downtime.
    pub downtime: Bounds,
    /// The fallbacks that answered.
    pub rungs: Vec<Rung>,
    /// Its states over time, without gaps.
    pub lane: Lane,
    /// How long its good answers took.
    pub latency: Latency,
}

impl Journey {
    /// How many probes were not void.
    pub fn answers(&self) -> usize {
        let bad: usize = self.bad.iter().map(|(_, count)| count).sum();
        self.good + self.fallback + bad
    }
}

impl Measured {
    /// The blips of a journey.
    pub fn blips_of<'m>(&'m self, journey: &'m Journey) -> impl Iterator<Item = &'m Blip> {
        self.blips.iter().filter(|blip| blip.journey == journey.name)
    }
}

/// Measures a history.
pub fn measure(history: &History) -> Measured {
    let window = window(history);
    let streams = Streams::new(history, window);
    // Outages are found stream by stream, with bounds from its own samples, and only then joined: to a journey's, and to the
    // service's.
    let (runs, blips) = outage::of_streams(&streams);
    let journeys: Vec<Journey> = history
        .start
        .plan
        .system
        .journeys
        .iter()
        // A journey that this drill did not probe has no row.
        .filter(|journey| streams.of_journey(&journey.name).next().is_some())
        .map(|journey| self::journey(history, &streams, &runs, journey, window))
        .collect();
    let essential = runs
        .iter()
        .filter(|(stream, _)| streams.essential(*stream))
        .map(|(_, outage)| outage.clone());
    let outages = outage::union(essential);
    let unknown_parts = prober::unknown(history, &streams, window);
    let unknown = interval::total(&unknown_parts);
    let downtime = outage::downtime(&outages, window);
    let releases = releases::releases(history, &streams);
    let instants = instants::instants(history, &streams, &outages, &releases);
    Measured {
        availability: availability(&downtime, unknown, window),
        releases,
        data: data::data(history),
        prober: prober::prober(history, &streams, &outages),
        window,
        journeys,
        outages,
        blips,
        downtime,
        unknown,
        unknown_parts,
        instants,
    }
}

fn journey(
    history: &History,
    streams: &Streams<'_>,
    runs: &[(usize, Outage)],
    journey: &firedrill_model::history::plan::Journey,
    window: Interval,
) -> Journey {
    let of_journey: Vec<usize> = streams.of_journey(&journey.name).collect();
    let outages = outage::union(
        runs.iter()
            .filter(|(stream, _)| of_journey.contains(stream))
            .map(|(_, o)| o.clone()),
    );
    let mut bad: Vec<(Bad, usize)> = Vec::new();
    let (mut good, mut fallback, mut fallback_when_busy, mut void) = (0, 0, 0, 0);
    for sample in of_journey.iter().flat_map(|stream| streams.judged(*stream)) {
        match sample.outcome {
            Outcome::Good => good += 1,
            Outcome::Fallback => {
                fallback += 1;
                fallback_when_busy += usize::from(may_be_of_others(history, sample));
            }
            Outcome::Void(_) => void += 1,
            Outcome::Bad(kind) => *tally::entry(&mut bad, kind) += 1,
        }
    }
    let judged = of_journey.iter().flat_map(|stream| streams.judged(*stream));
    let (rungs, fallbacks) = fallback::fallback(history, streams, &of_journey);
    Journey {
        reconnects: judged.filter(|sample| sample.reconnected).count(),
        name: journey.name.clone(),
        essential: journey.essential,
        downtime: outage::downtime(&outages, window),
        lane: fallback::lane(window, &outages, &fallbacks),
        latency: latency::latency(of_journey.iter().flat_map(|stream| streams.judged(*stream))),
        good,
        fallback,
        fallback_when_busy,
        bad,
        void,
        outages,
        rungs,
    }
}

/// Whether a fallback answered perhaps only because others held the machine: a service falls back when something within it
/// takes too long. Its limit is not known, so the answer's whole time counts.
fn may_be_of_others(history: &History, sample: &Sample) -> bool {
    let contention = Contention::during(&history.load, sample.due, sample.ended);
    contention.is_some_and(|contention| contention.explains(sample.ended.since(sample.sent)))
}

/// The judged time: from the first step to the end of the quiet period; of a history that was cut off, to its last stamp.
fn window(history: &History) -> Interval {
    let phase = |wanted: Phase| {
        history
            .events
            .iter()
            .find(|e| matches!(e.event, Event::Phase { phase } if phase == wanted))
            .map(|e| e.at)
    };
    // Samples are flushed later than events: either may be the last that a killed harness wrote.
    let last_event = history.events.last().map(|event| event.at);
    let last_sample = history.samples.iter().map(|sample| sample.ended).max();
    let last = last_event.max(last_sample).unwrap_or_default();
    // A drill without a step phase has an empty window, and is not judged.
    let from = phase(Phase::Steps)
        .or_else(|| phase(Phase::ReadBack))
        .unwrap_or(last);
    let until = phase(Phase::ReadBack)
        .or_else(|| phase(Phase::Done))
        .unwrap_or(last);
    Interval {
        from,
        until: Micros(until.0.max(from.0)),
    }
}

/// `[1 − (Σhigh + U)/W, 1 − Σlow/(W − U)]`, with the window W and the unknown time U. The lower bound counts unknown time as
/// down. The upper bound leaves it out of the window: taken as up, it would make a proven outage weigh less.
fn availability(downtime: &Bounds, unknown: Duration, window: Interval) -> (f64, f64) {
    let whole = window.length().as_secs_f64();
    // Nothing was judged: anything is possible.
    if whole <= 0.0 {
        return (0.0, 1.0);
    }
    // Still down at the end: at worst it was down all the time.
    let high = downtime.high.unwrap_or(window.length()).as_secs_f64();
    let known = (whole - unknown.as_secs_f64()).max(f64::EPSILON);
    let worst = 1.0 - (high + unknown.as_secs_f64()) / whole;
    (
        worst.max(0.0),
        (1.0 - downtime.low.as_secs_f64() / known).clamp(0.0, 1.0),
    )
}

#[cfg(test)]
mod tests;
