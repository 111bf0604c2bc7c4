//! What may be concluded from what did not happen.
//!
//! A requirement that was not met is breached only where the drill could have seen it met: every fault took effect, and the
//! drill ran to its end or at least past the requirement's time limit. Otherwise it is undecided.

use std::time::Duration;

use crate::measure::Outage;
use crate::{Verdict, evidence};
use firedrill_model::history::{Event, History};
use firedrill_model::sample::Micros;

/// How far the observation of a drill reaches.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grounds {
    /// Every fault took effect.
    faults_in_effect: bool,
    /// The drill reached its own end.
    complete: bool,
    /// Answers named no more releases and fallbacks than can be distinguished (4096).
    labels_known: bool,
    /// When the first fault was about to be injected.
    first_fault: Option<Micros>,
    /// There was a void probe, or a stall of the prober, since then: what it would have seen is unknown.
    was_blind: bool,
    /// When observation ended.
    until: Micros,
}

impl Grounds {
    pub(super) fn of(history: &History) -> Self {
        let last_event = history.events.last().map(|event| event.at);
        let last_sample = history.samples.iter().map(|sample| sample.ended).max();
        let first_fault = history.first_fault();
        Self {
            faults_in_effect: evidence::faults_in_effect(history),
            complete: evidence::complete(history),
            labels_known: !history.has_too_many_labels(),
            was_blind: was_blind(history, first_fault.unwrap_or_default()),
            first_fault,
            until: last_event.max(last_sample).unwrap_or_default(),
        }
    }

    /// The verdict on outages of which one must be because of a fault: one that ended before the first fault is not, and
    /// where a fault did not take effect nobody knows.
    pub(super) fn caused(self, outages: &[Outage]) -> Verdict {
        let since = self.first_fault.unwrap_or_default();
        let mut of_the_fault = outages.iter().filter(|outage| outage.hull.until >= since);
        match of_the_fault.next() {
            None => self.missing_downtime(),
            Some(_) if self.faults_in_effect => Verdict::Met,
            Some(_) => Verdict::Undecided,
        }
    }

    /// The verdict on something that must happen at any time, and did not.
    pub(super) fn missing(self) -> Verdict {
        breached_if(self.faults_in_effect && self.complete)
    }

    /// The verdict on downtime that must be there, and was not seen.
    pub(super) fn missing_downtime(self) -> Verdict {
        if self.was_blind {
            Verdict::Undecided
        } else {
            self.missing()
        }
    }

    /// The verdict on a release or fallback that must answer, and did not by name.
    pub(super) fn missing_label(self) -> Verdict {
        self.unless_unknown(self.missing())
    }

    /// The same verdict, or undecided where more names were seen than can be distinguished.
    pub(super) fn unless_unknown(self, verdict: Verdict) -> Verdict {
        if self.labels_known {
            verdict
        } else {
            Verdict::Undecided
        }
    }

    /// The verdict on something that must happen within a limit since an instant, and did not. A drill that ran to its end
    /// has waited for it, and one that was stopped only after the limit has seen that it did not.
    pub(super) fn missing_within(self, limit: Duration, since: Micros) -> Verdict {
        let watched = self.complete || self.until.since(since) > limit;
        breached_if(self.faults_in_effect && watched)
    }
}

/// Whether the prober saw nothing at some time since an instant.
fn was_blind(history: &History, since: Micros) -> bool {
    let mut samples = history.samples.iter();
    let mut events = history.events.iter();
    samples.any(|sample| sample.outcome.is_void() && sample.ended >= since)
        || events.any(|event| matches!(event.event, Event::Gap { until, .. } if until >= since))
}

fn breached_if(could_be_seen: bool) -> Verdict {
    if could_be_seen {
        Verdict::Breached
    } else {
        Verdict::Undecided
    }
}
