//! How well the prober did: how late it was, its void probes, and its stalls.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::Interval;
use super::interval::union;
use super::outage::Outage;
use super::streams::Streams;
use crate::tally;
use firedrill_model::history::{Event, History};
use firedrill_model::sample::{Outcome, Void};

/// A gap this close to an outage's edge makes the edge doubtful …
const NEAR: Duration = Duration::from_secs(5);
/// … if it is longer than this.
const LONG: Duration = Duration::from_millis(100);

/// How well the prober kept its schedule.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Prober {
    /// Probes that were due in the window.
    pub probes: usize,
    /// Void probes, by reason.
    pub voids: Vec<(Void, usize)>,
    /// The median lateness, sent − due.
    pub late_p50: Duration,
    /// The lateness that 999 of 1000 probes were not above.
    pub late_p999: Duration,
    /// Stalls of the prober in the window.
    pub gaps: Vec<Interval>,
    /// One of over 100 ms is within 5 s of an outage's edge.
    pub gap_near_edge: bool,
}

impl Prober {
    /// The share of void probes.
    #[expect(clippy::cast_precision_loss, reason = "counts below 2^53")]
    pub fn void_share(&self) -> f64 {
        let voids: usize = self.voids.iter().map(|(_, count)| count).sum();
        voids as f64 / self.probes.max(1) as f64
    }
}

fn gaps(history: &History, window: Interval) -> impl Iterator<Item = Interval> {
    history.events.iter().filter_map(move |event| match event.event {
        Event::Gap { since, until } => Interval { from: since, until }.within(window),
        _ => None,
    })
}

/// Unknown time: the prober's stalls, and a probing interval for every void probe of an essential journey.
pub(super) fn unknown(history: &History, streams: &Streams<'_>, window: Interval) -> Vec<Interval> {
    let mut parts: Vec<Interval> = gaps(history, window).collect();
    // The service is up or down by its essential journeys; a void of another one hides nothing of that.
    for stream in streams.all().filter(|stream| streams.essential(*stream)) {
        let interval = streams.interval(stream);
        for sample in streams.judged(stream).filter(|sample| sample.outcome.is_void()) {
            parts.extend(
                Interval {
                    from: sample.due,
                    until: sample.due + interval,
                }
                .within(window),
            );
        }
    }
    union(parts)
}

pub(super) fn prober(history: &History, streams: &Streams<'_>, outages: &[Outage]) -> Prober {
    let mut voids: Vec<(Void, usize)> = Vec::new();
    let mut probes = 0;
    let mut late = Histogram::<u64>::new(3).ok();
    for sample in streams.all().flat_map(|stream| streams.judged(stream)) {
        probes += 1;
        // The histogram grows by itself: recording cannot fail.
        if let Some(late) = &mut late {
            let _ = late.record(sample.sent.0.saturating_sub(sample.due.0));
        }
        if let Outcome::Void(reason) = sample.outcome {
            *tally::entry(&mut voids, reason) += 1;
        }
    }
    let at = |quantile: f64| {
        late.as_ref().map_or(Duration::ZERO, |l| {
            Duration::from_micros(l.value_at_quantile(quantile))
        })
    };
    let gaps: Vec<Interval> = gaps(history, streams.window()).collect();
    let near = |gap: &Interval| {
        // Within NEAR before or after the gap.
        let wide = Interval {
            from: gap.from - NEAR,
            until: gap.until + NEAR,
        };
        outages.iter().any(|outage| {
            // Each run has edges of its own. Where one was still down, its interval ends without an edge.
            let open = outage.still_down.then_some(outage.hull.until);
            let mut edges = outage.runs.iter().flat_map(|run| [run.from, run.until]);
            edges.any(|edge| Some(edge) != open && wide.contains(edge))
        })
    };
    let gap_near_edge = gaps.iter().filter(|gap| gap.length() > LONG).any(near);
    Prober {
        probes,
        voids,
        late_p50: at(0.5),
        late_p999: at(0.999),
        gaps,
        gap_near_edge,
    }
}
