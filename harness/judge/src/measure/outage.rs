//! Outages and blips, of streams, journeys and the service.
//!
//! Downtime is the union of the runs' intervals (see `run`) and of nothing else. An episode of several runs is shown and
//! counted as one outage, from the start of the first to the end of the last, but the good time between them stays good.

use std::time::Duration;

use serde::Serialize;

use super::interval::{self, Bounds, Interval};
use super::run::{Run, RunBounds, episodes};
use super::streams::Streams;
use crate::tally;
use firedrill_model::sample::{Bad, Micros, Outcome, Sample};

/// A single bad sample is a blip unless another one confirms it within this.
const CONFIRMED_WITHIN: Duration = Duration::from_secs(1);

/// An episode of outage: one run, or several close together.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outage {
    /// When it was certainly down: the intervals (E, L) of its runs. Empty when none proves any length.
    pub core: Vec<Interval>,
    /// Outside of these it was certainly not down: the intervals (a, b) of its runs, joined where they overlap.
    pub runs: Vec<Interval>,
    /// From the start of its first run to the end of its last.
    pub hull: Interval,
    /// It began in this interval: (a, E].
    pub onset: Interval,
    /// It ended in this interval: [L, b).
    pub end: Interval,
    /// It had not ended when the drill did: the hull ends with the last sample.
    pub still_down: bool,
    /// When the first bad probe was sent.
    pub first_bad: Micros,
    /// When the first good probe after it was sent.
    pub first_good: Option<Micros>,
    /// How answers failed, most frequent first.
    pub kinds: Vec<(Bad, usize)>,
}

/// A single bad sample that nothing confirms.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Blip {
    /// The journey.
    pub journey: String,
    /// When it was sent.
    pub at: Micros,
    /// How it failed.
    pub kind: Bad,
}

impl Outage {
    /// How long it was down: the time of its runs, not that between them.
    pub fn bounds(&self) -> Bounds {
        let low = interval::total(&self.core);
        Bounds {
            low,
            high: (!self.still_down).then(|| interval::total(&self.runs).max(low)),
        }
    }
}

/// The episodes of every stream, with its number, and the blips of all, as far as they reach into the judged time.
pub(super) fn of_streams(streams: &Streams<'_>) -> (Vec<(usize, Outage)>, Vec<Blip>) {
    let valid: Vec<Vec<&Sample>> = streams
        .all()
        .map(|stream| {
            streams
                .samples(stream)
                .filter(|sample| !sample.outcome.is_void())
                .collect()
        })
        .collect();
    // What failed before the first step is not of the faults: it is neither judged nor joined to what came later.
    let since = streams.window().from;
    let mut bad_times: Vec<Micros> = valid
        .iter()
        .flatten()
        .filter(|s| s.outcome.is_bad() && s.sent >= since)
        .map(|s| s.sent)
        .collect();
    bad_times.sort_unstable();
    let mut outages: Vec<(usize, Outage)> = Vec::new();
    let mut single = Vec::new();
    for (stream, valid) in valid.iter().enumerate() {
        for runs in episodes(valid, since) {
            let each = runs.iter().map(|run| of_run(streams, stream, valid, *run));
            let Some(outage) = each.reduce(followed_by) else {
                continue;
            };
            // Confirmed by any stream, not only its own: two probes that fail at once are no glitch.
            match alone(&runs).map(|at| valid[at]) {
                Some(sample) if !confirmed(&bad_times, sample.sent) => single.push((stream, sample, outage)),
                _ => outages.push((stream, outage)),
            }
        }
    }
    let mut blips = Vec::new();
    for (stream, sample, outage) in single {
        // Amid an episode of another stream a single failure belongs to it.
        let amid = outages.iter().any(|(_, other)| other.hull.contains(sample.sent));
        match bad(sample).filter(|_| !amid) {
            None => outages.push((stream, outage)),
            Some(kind) if streams.window().contains(sample.sent) => blips.push(Blip {
                journey: streams.journey(stream).to_owned(),
                at: sample.sent,
                kind,
            }),
            Some(_) => {}
        }
    }
    outages.retain(|(_, outage)| outage.hull.within(streams.window()).is_some());
    blips.sort_by_key(|blip| blip.at);
    (outages, blips)
}

/// The only bad sample of an episode that has no more.
fn alone(runs: &[Run]) -> Option<usize> {
    match runs {
        [run] if run.first == run.last => Some(run.first),
        _ => None,
    }
}

fn bad(sample: &Sample) -> Option<Bad> {
    match sample.outcome {
        Outcome::Bad(kind) => Some(kind),
        _ => None,
    }
}

/// Whether another bad sample stands within a second of this one.
fn confirmed(bad_times: &[Micros], at: Micros) -> bool {
    // One of the times found is the sample's own.
    let from = bad_times.partition_point(|time| *time < at - CONFIRMED_WITHIN);
    let until = bad_times.partition_point(|time| *time <= at + CONFIRMED_WITHIN);
    until - from > 1
}

/// A run as an episode of its own.
fn of_run(streams: &Streams<'_>, stream: usize, valid: &[&Sample], run: Run) -> Outage {
    let evident = |sample: &Sample| streams.evident(stream, sample);
    let bounds = RunBounds::of(run, valid, evident);
    let hull = bounds.hull();
    Outage {
        core: bounds.core().into_iter().collect(),
        runs: vec![hull],
        hull,
        onset: bounds.onset(),
        end: bounds.end(),
        still_down: bounds.b.is_none(),
        first_bad: valid[run.first].sent,
        first_good: valid.get(run.last + 1).map(|good| good.sent),
        kinds: kinds(
            valid[run.first..=run.last]
                .iter()
                .filter_map(|sample| bad(sample)),
        ),
    }
}

/// The same episode with its next run: it began with the first one, and ended with the last.
fn followed_by(mut episode: Outage, next: Outage) -> Outage {
    episode.core = interval::union(episode.core.into_iter().chain(next.core));
    episode.runs = interval::union(episode.runs.into_iter().chain(next.runs));
    episode.hull.until = episode.hull.until.max(next.hull.until);
    episode.end = next.end;
    episode.still_down = next.still_down;
    episode.first_good = next.first_good;
    add(&mut episode.kinds, next.kinds);
    episode
}

fn add(kinds: &mut Vec<(Bad, usize)>, more: Vec<(Bad, usize)>) {
    for (kind, count) in more {
        *tally::entry(kinds, kind) += count;
    }
    kinds.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
}

/// How answers failed, most frequent first.
fn kinds(bads: impl Iterator<Item = Bad>) -> Vec<(Bad, usize)> {
    let mut kinds: Vec<(Bad, usize)> = Vec::new();
    for kind in bads {
        *tally::entry(&mut kinds, kind) += 1;
    }
    kinds.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    kinds
}

/// The outages of several streams as one list, joined where their hulls overlap.
pub(super) fn union(outages: impl Iterator<Item = Outage>) -> Vec<Outage> {
    let mut sorted: Vec<Outage> = outages.collect();
    sorted.sort_by_key(|outage| outage.hull);
    // Sorted by their start, an outage can only overlap the last joined one.
    let mut joined: Vec<Outage> = Vec::new();
    for outage in sorted {
        match joined.last_mut() {
            Some(last) if outage.hull.from <= last.hull.until => join(last, outage),
            _ => joined.push(outage),
        }
    }
    joined
}

/// Widens an outage by another one that overlaps it: down where either was, over when both were.
fn join(into: &mut Outage, other: Outage) {
    into.hull.until = into.hull.until.max(other.hull.until);
    into.core = interval::union(into.core.iter().copied().chain(other.core));
    into.runs = interval::union(into.runs.iter().copied().chain(other.runs));
    into.onset.from = into.onset.from.min(other.onset.from);
    into.onset.until = into.onset.until.min(other.onset.until);
    into.end.from = into.end.from.max(other.end.from);
    into.end.until = into.end.until.max(other.end.until);
    into.still_down |= other.still_down;
    into.first_bad = into.first_bad.min(other.first_bad);
    // With one of them still down, `zip` leaves none.
    into.first_good = into.first_good.zip(other.first_good).map(|(a, b)| a.max(b));
    add(&mut into.kinds, other.kinds);
}

/// The downtime of disjoint outages, as far as they lie in the window.
pub(super) fn downtime(outages: &[Outage], window: Interval) -> Bounds {
    let inside = |interval: &Interval| interval.within(window);
    let low = outages
        .iter()
        .flat_map(|outage| outage.core.iter().filter_map(inside))
        .map(Interval::length)
        .sum();
    let high: Duration = outages
        .iter()
        .flat_map(|outage| outage.runs.iter().filter_map(inside))
        .map(Interval::length)
        .sum();
    let still_down = outages
        .iter()
        .any(|outage| outage.still_down && outage.hull.within(window).is_some());
    Bounds {
        low,
        // A proven length is never above the upper bound, whatever the window cuts off.
        high: (!still_down).then(|| high.max(low)),
    }
}
