//! Runs, episodes and blips, with the bounds of each outage.
//!
//! For the bad samples *B* of a run and the good ones *G* around it (`docs/measuring.md`, *Outages, with bounds*):
//!
//! ```text
//! E = min ē over B                        L = max s over B
//! a = max{ s_j : j ∈ G, ē_j < L }         b = min{ ē_j : j ∈ G, s_j > E }
//! low = max(0, L − E)                     high = b − a
//! ```
//!
//! The outage began in (a, E] and ended in [L, b): every bad interval `[s, ē]` touches it, and no good one lies inside it.
//!
//! An episode of several runs began with its first run and ended with its last: `a`, with its `L`, is the first run's; `b`,
//! with its `E`, is the last run's. A good sample between them says nothing of the edges.

use std::time::Duration;

use serde::Serialize;

use super::interval::{self, Bounds, Interval};
use super::streams::Streams;
use crate::tally;
use firedrill_model::sample::{Bad, Micros, Outcome, Sample};

/// Runs with fewer good samples than this between them are one episode …
const GOOD_BETWEEN: usize = 10;
/// … and so are runs with less good time than this between them.
const GOOD_TIME_BETWEEN: Duration = Duration::from_secs(1);
/// A single bad sample is a blip unless another one confirms it within this.
const CONFIRMED_WITHIN: Duration = Duration::from_secs(1);

/// An episode of outage.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outage {
    /// When it was certainly under way: the parts (E, L) of the streams that saw it. Empty when none proves any length.
    pub core: Vec<Interval>,
    /// Outside of this it was certainly not under way: (a, b).
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
    /// How long it lasted.
    pub fn bounds(&self) -> Bounds {
        let low = interval::total(&self.core);
        Bounds {
            low,
            high: (!self.still_down).then(|| self.hull.length().max(low)),
        }
    }
}

/// A run, or an episode of runs: the places of its first and last bad sample among the valid ones of its stream.
#[derive(Debug, Clone, Copy)]
struct Run {
    first: usize,
    last: usize,
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
    let (mut outages, mut blips) = (Vec::new(), Vec::new());
    for (stream, valid) in valid.iter().enumerate() {
        for run in episodes(valid, since) {
            // Confirmed by any stream, not only its own: two probes that fail at once are no glitch.
            let first = valid[run.first];
            if run.first == run.last && !confirmed(&bad_times, first.sent) {
                let judged = streams.window().contains(first.sent);
                blips.extend(bad(first).filter(|_| judged).map(|kind| Blip {
                    journey: streams.journey(stream).to_owned(),
                    at: first.sent,
                    kind,
                }));
            } else {
                let outage = outage(streams, stream, valid, run);
                let judged = outage.hull.within(streams.window()).is_some();
                outages.extend(judged.then_some((stream, outage)));
            }
        }
    }
    blips.sort_by_key(|blip| blip.at);
    (outages, blips)
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

/// Runs, joined to episodes where too little is good between them.
fn episodes(valid: &[&Sample], since: Micros) -> Vec<Run> {
    let mut episodes: Vec<Run> = Vec::new();
    for (at, sample) in valid
        .iter()
        .enumerate()
        .filter(|(_, sample)| sample.outcome.is_bad() && sample.sent >= since)
    {
        if let Some(last) = episodes.last_mut() {
            let good = at - last.last - 1;
            // From the first good sample after the run to this one.
            let good_time = sample.sent.since(valid[(last.last + 1).min(at)].sent);
            if good < GOOD_BETWEEN || good_time < GOOD_TIME_BETWEEN {
                last.last = at;
                continue;
            }
        }
        episodes.push(Run { first: at, last: at });
    }
    episodes
}

/// An episode's bounds, by the formulas above.
fn outage(streams: &Streams<'_>, stream: usize, valid: &[&Sample], run: Run) -> Outage {
    let is_bad = |sample: &&&Sample| sample.outcome.is_bad();
    let evident = |sample: &Sample| streams.evident(stream, sample);
    let inside = &valid[run.first..=run.last];
    let first_sent = valid[run.first].sent;
    // The runs at the two edges of the episode: up to its first good sample, and from its last one.
    let first_run = inside.iter().take_while(is_bad);
    let last_run = inside.iter().rev().take_while(is_bad);
    let first_l = first_run.map(|bad| bad.sent).max().unwrap_or(first_sent);
    let last_e = last_run.map(|bad| evident(bad)).min().unwrap_or(first_sent);
    let bads = || inside.iter().filter(is_bad);
    let e = bads().map(|bad| evident(bad)).min().unwrap_or(first_sent);
    let l = bads().map(|bad| bad.sent).max().unwrap_or(first_sent);
    let before = valid[..run.first]
        .iter()
        .filter(|good| good.outcome.is_up() && evident(good) < first_l);
    // a: without a good sample before it, it may have begun at any time.
    let a = before.map(|good| good.sent).next_back().unwrap_or_default();
    // b: in order of sending, not of ē, so that the minimum is over all.
    let after = valid[run.last + 1..].iter().filter(|good| good.sent > last_e);
    let b = after.map(|good| evident(good)).min();
    // Without a good sample after it, nothing is known beyond the last sample.
    let last_known = valid.last().map_or(l, |last| evident(last));
    let until = b.unwrap_or(last_known).max(l);
    // A single bad sample proves an instant, not a length.
    let core = (e < l).then_some(Interval { from: e, until: l });
    Outage {
        core: core.into_iter().collect(),
        hull: Interval {
            from: a.min(e),
            until: until.max(e),
        },
        onset: Interval {
            from: a.min(e),
            until: e,
        },
        end: Interval { from: l, until },
        still_down: b.is_none(),
        first_bad: first_sent,
        first_good: valid.get(run.last + 1).map(|good| good.sent),
        kinds: kinds(bads().filter_map(|sample| bad(sample))),
    }
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
    into.onset.from = into.onset.from.min(other.onset.from);
    into.onset.until = into.onset.until.min(other.onset.until);
    into.end.from = into.end.from.max(other.end.from);
    into.end.until = into.end.until.max(other.end.until);
    into.still_down |= other.still_down;
    into.first_bad = into.first_bad.min(other.first_bad);
    // With one of them still down, `zip` leaves none.
    into.first_good = into.first_good.zip(other.first_good).map(|(a, b)| a.max(b));
    for (kind, count) in other.kinds {
        *tally::entry(&mut into.kinds, kind) += count;
    }
    into.kinds.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
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
        .filter_map(|outage| inside(&outage.hull))
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
