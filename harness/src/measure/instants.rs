//! The instants of a drill: injected → onset → first fallback → detected → rolled back → recovered.

use std::time::Duration;

use serde::Serialize;

use super::interval::{Bounds, Interval};
use super::outage::Outage;
use super::releases;
use super::streams::Streams;
use crate::history::{Event, History};
use crate::sample::{Micros, Outcome};

/// The instants, and what lies between them.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Instants {
    /// The first fault was confirmed.
    pub injected: Option<Micros>,
    /// The first outage began in this interval: (a, E].
    pub onset: Option<Interval>,
    /// The first answer by a fallback was sent.
    pub first_fallback: Option<Micros>,
    /// The first alert arrived.
    pub detected: Option<Micros>,
    /// The last outage ended in this interval: [L, b).
    pub recovered: Option<Interval>,
    /// Detected − onset (or − injected, when users felt nothing).
    pub time_to_detect: Option<Bounds>,
    /// Recovered − onset.
    pub time_to_recover: Option<Bounds>,
    /// The way back to an earlier release.
    pub rollback: Option<RolledBack>,
}

/// Answers came from one release, then from another, and in the end from the first one again.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RolledBack {
    /// The release that was left.
    pub from: String,
    /// The release that answers in the end.
    pub to: String,
    /// From the first answer of the release that was left to the first one after its last.
    pub time: Bounds,
}

pub(super) fn instants(history: &History, streams: &Streams<'_>, outages: &[Outage]) -> Instants {
    let event = |wanted: fn(&Event) -> bool| history.events.iter().find(|e| wanted(&e.event)).map(|e| e.at);
    let injecting = event(|event| matches!(event, Event::Injecting { .. }));
    let injected = event(|event| {
        matches!(
            event,
            Event::Injected {
                evidence: Some(_),
                ..
            }
        )
    });
    let detected = event(|event| matches!(event, Event::Alert { .. }));
    let onset = outages.first().map(|outage| {
        let until = outage.core.first().map_or(outage.hull.until, |core| core.from);
        Interval {
            from: outage.hull.from,
            until,
        }
    });
    let recovered = outages.last().filter(|outage| !outage.open).map(|outage| {
        let from = outage.core.last().map_or(outage.first_bad, |core| core.until);
        Interval {
            from,
            until: outage.hull.until,
        }
    });
    let origin = onset.or_else(|| {
        Some(Interval {
            from: injecting?,
            until: injected.or(injecting)?,
        })
    });
    let first_fallback = streams
        .all()
        .flat_map(|s| streams.judged(s))
        .filter(|s| s.outcome == Outcome::Fallback);
    Instants {
        time_to_detect: detected
            .zip(origin)
            .map(|(at, origin)| span(origin, Interval { from: at, until: at })),
        time_to_recover: onset
            .zip(recovered)
            .map(|(onset, recovered)| span(onset, recovered)),
        first_fallback: first_fallback.map(|sample| sample.sent).min(),
        rollback: rollback(history, streams),
        injected,
        onset,
        detected,
        recovered,
    }
}

/// The time from somewhere in one interval to somewhere in another.
fn span(start: Interval, end: Interval) -> Bounds {
    Bounds::between(end.from.since(start.until), end.until.since(start.from))
}

/// `A` answered, then `B`, and after `B`'s last answer `A` again.
fn rollback(history: &History, streams: &Streams<'_>) -> Option<RolledBack> {
    let releases = releases::releases(history, streams);
    let (to, from) = releases
        .iter()
        .flat_map(|a| releases.iter().map(move |b| (a, b)))
        .find(|(a, b)| a.name != b.name && a.first.0 < b.first.0 && a.last.0 > b.last.0)?;
    let after = streams
        .all()
        .flat_map(|stream| streams.samples(stream))
        .filter(|sample| {
            let name = history.labels.get(usize::from(sample.release.0));
            sample.sent > from.last.0 && sample.outcome.is_up() && name == Some(&to.name)
        });
    let back = after.map(|sample| sample.ended).min()?;
    let low = from.last.0.since(from.first.1);
    let time = Bounds::between(low, back.since(from.first.0).max(Duration::ZERO));
    Some(RolledBack {
        from: from.name.clone(),
        to: to.name.clone(),
        time,
    })
}
