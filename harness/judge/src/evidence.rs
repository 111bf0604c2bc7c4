//! Whether a drill proves anything. What lacks evidence is *undecided*, never met.
//!
//! Takes the history and gives the evidence checks: steady state, one a fault, voids, stalls and the drill's end.

use std::time::Duration;

use super::Verdict;
use super::check::{Check, EndFound, FaultFound, Found, Hits, Required};
use crate::measure::Measured;
use firedrill_model::check::CheckId;
use firedrill_model::history::{Event, History, Phase};
use firedrill_model::sample::{Bad, Labels, Micros, Outcome};

/// With a larger share of voids the probing itself is in doubt.
const MOST_VOIDS: f64 = 0.001;

/// Missing evidence never breaches: it leaves the drill undecided.
fn check(id: CheckId, required: Required, found: Found, good: bool) -> Check {
    let verdict = if good { Verdict::Met } else { Verdict::Undecided };
    Check {
        id,
        required,
        found,
        verdict,
    }
}

pub(super) fn checks(history: &History, measured: &Measured) -> Vec<Check> {
    let mut checks = vec![steady(history)];
    checks.extend((0..history.start.plan.scenario.steps.len()).map(|step| fault(history, step)));
    checks.push(voids(measured));
    // Listed only where it matters: most drills on a busy machine have some stall somewhere.
    if measured.prober.gap_near_edge {
        let stalls = Found::Stalls(measured.prober.gaps.len());
        checks.push(check(
            CheckId::EvidenceGaps,
            Required::NoStallNearEdge,
            stalls,
            false,
        ));
    }
    if history.has_too_many_labels() {
        let found = Found::TooManyLabels(Labels::LIMIT);
        checks.push(check(CheckId::EvidenceLabels, Required::FewLabels, found, false));
    }
    checks.push(end(history));
    checks
}

/// Whether the drill reached its steps: before them there is nothing to judge.
pub(super) fn reached_steps(history: &History) -> bool {
    let mut events = history.events.iter();
    events.any(|event| matches!(event.event, Event::Phase { phase: Phase::Steps }))
}

/// Whether every fault took effect. What the scenario requires *because of* a fault proves nothing without it.
pub(super) fn faults_in_effect(history: &History) -> bool {
    let mut steps = 0..history.start.plan.scenario.steps.len();
    steps.all(|step| {
        let found = FaultRecord::of(history, step).found(history, step);
        // One that could not be reverted was in effect all the same.
        matches!(found, FaultFound::InEffect { .. } | FaultFound::NotReverted(_))
    })
}

/// Whether the drill reached its own end: nobody and nothing stopped it, and its history is whole.
pub(super) fn complete(history: &History) -> bool {
    end_found(history) == EndFound::Complete
}

/// Whether an outage that is open at the end was watched for the whole settle time, so that it may be said that the
/// service does not recover by itself.
pub(super) fn settle_time_watched(history: &History) -> bool {
    let began = |wanted: Phase| {
        let mut events = history.events.iter();
        let found = events.find(|event| matches!(event.event, Event::Phase { phase } if phase == wanted));
        found.map(|event| event.at)
    };
    let watched = began(Phase::Quiet).zip(began(Phase::ReadBack));
    let watched = watched.map_or(Duration::ZERO, |(from, until)| until.since(from));
    // Older histories do not say how long it was; their drills waited for it all the same.
    let settle = history.start.plan.scenario.settle.unwrap_or_default().0;
    complete(history) && watched >= settle
}

fn steady(history: &History) -> Check {
    let seen = history.events.iter().find_map(|event| match &event.event {
        Event::Steady { good, evidence } => Some((*good, Found::SteadyState(evidence.clone()))),
        _ => None,
    });
    let (good, found) = seen.unwrap_or((false, Found::NotReached));
    let control = history.start.plan.scenario.control.as_ref();
    if control.is_some_and(|control| !control.steady) {
        // A control on a service that is broken from the start: it only has to have been looked at.
        let looked = found != Found::NotReached;
        return check(
            CheckId::EvidenceSteady,
            Required::SteadyStateNotNeeded,
            found,
            looked,
        );
    }
    check(CheckId::EvidenceSteady, Required::SteadyState, found, good)
}

/// Whether a step's fault was injected and confirmed, and whether requests hit it.
fn fault(history: &History, step: usize) -> Check {
    let record = FaultRecord::of(history, step);
    let found = record.found(history, step);
    let good = matches!(found, FaultFound::InEffect { .. });
    let required = Required::FaultInEffect {
        counts_hits: record.hit.is_some(),
    };
    check(CheckId::EvidenceFault(step), required, Found::Fault(found), good)
}

/// What the history says of one step's fault.
struct FaultRecord<'h> {
    /// When its injection began.
    since: Option<Micros>,
    /// When it was reverted.
    until: Option<Micros>,
    /// What confirms it, or what went wrong.
    confirmed: Result<&'h str, FaultFound>,
    /// Its last count of hits.
    hit: Option<&'h Event>,
}

impl<'h> FaultRecord<'h> {
    fn of(history: &'h History, step: usize) -> Self {
        let mut record = Self {
            since: None,
            until: None,
            confirmed: Err(FaultFound::NeverInjected),
            hit: None,
        };
        for event in &history.events {
            record.add(step, event.at, &event.event);
        }
        record
    }

    /// Takes in an event. A fault that could not be reverted is no evidence, however well it was confirmed. One that was not
    /// injected stays that: what could not be reverted was not there.
    fn add(&mut self, step: usize, at: Micros, event: &'h Event) {
        match event {
            Event::Injecting { step: of, .. } if *of == step => self.since = Some(at),
            Event::Injected { step: of, evidence } if *of == step => {
                self.confirmed = evidence.as_deref().ok_or(FaultFound::Unconfirmed);
            }
            Event::NotInjected { step: of, why } if *of == step => {
                self.confirmed = Err(FaultFound::NotInjected(why.clone()));
            }
            Event::Hit { step: of, .. } if *of == step => self.hit = Some(event),
            Event::Reverted { step: of, .. } if *of == step => self.until = Some(at),
            Event::NotReverted { step: of, why } if *of == step && self.confirmed.is_ok() => {
                self.confirmed = Err(FaultFound::NotReverted(why.clone()));
            }
            _ => {}
        }
    }

    fn found(&self, history: &History, step: usize) -> FaultFound {
        let evidence = match &self.confirmed {
            Ok(evidence) => (*evidence).to_owned(),
            Err(found) => return found.clone(),
        };
        if self
            .since
            .is_some_and(|since| !probed(history, since, self.until))
        {
            return FaultFound::NoProbes;
        }
        let seen_by_users = history.start.plan.scenario.steps[step].fault.is_seen_by_users();
        let hits = match (self.hit.map(hits), self.since) {
            (None, _) => None,
            (Some(Ok(hits)), _) => Some(hits),
            // A closed port turns connections away unseen, but users' probes saw the refusal.
            (Some(Err(FaultFound::HitsNotCounted)), Some(since))
                if seen_by_users && users_refused(history, since, self.until) =>
            {
                Some(Hits::UsersRefused)
            }
            (Some(Err(found)), _) => return found,
        };
        FaultFound::InEffect { evidence, hits }
    }
}

/// What a fault hit, or why it has hit nothing that proves anything.
fn hits(event: &Event) -> Result<Hits, FaultFound> {
    let Event::Hit {
        connections,
        chunks,
        requests,
        read,
        all_counted,
        ..
    } = event
    else {
        return Err(FaultFound::NoHits);
    };
    let (connections, chunks, requests) = (*connections, *chunks, *requests);
    let sum = connections.saturating_add(chunks).saturating_add(requests);
    match (read, sum, all_counted) {
        (Some(true), ..) => Ok(Hits::FileRead),
        (Some(false), ..) => Err(FaultFound::FileNotRead),
        (None, 0, true) => Err(FaultFound::NoHits),
        (None, 0, false) => Err(FaultFound::HitsNotCounted),
        (None, ..) => Ok(Hits::Traffic {
            connections,
            chunks,
            requests,
        }),
    }
}

/// Whether users' connection attempts were refused in that time.
fn users_refused(history: &History, since: Micros, until: Option<Micros>) -> bool {
    under_way(history, since, until).any(|outcome| outcome == Outcome::Bad(Bad::Refused))
}

/// Whether any probe that says something was under way in that time.
fn probed(history: &History, since: Micros, until: Option<Micros>) -> bool {
    under_way(history, since, until).any(|outcome| !outcome.is_void())
}

/// The outcomes of the probes whose evidence interval `[s, e]` touches a time; one without an end lasts for good.
fn under_way(history: &History, since: Micros, until: Option<Micros>) -> impl Iterator<Item = Outcome> {
    let until = until.unwrap_or(Micros(u64::MAX));
    let samples = history.samples.iter();
    samples
        .filter(move |sample| since <= sample.ended && sample.sent <= until)
        .map(|sample| sample.outcome)
}

fn voids(measured: &Measured) -> Check {
    let prober = &measured.prober;
    let found = Found::Voids {
        probes: prober.probes,
        voids: prober.voids.clone(),
    };
    // A drill without any probe has no voids either, and proves nothing.
    let good = prober.void_share() <= MOST_VOIDS && prober.probes > 0;
    check(CheckId::EvidenceVoids, Required::FewVoids, found, good)
}

fn end(history: &History) -> Check {
    let found = end_found(history);
    let good = found == EndFound::Complete;
    check(CheckId::EvidenceEnd, Required::Complete, Found::End(found), good)
}

fn end_found(history: &History) -> EndFound {
    let ended = history.events.iter().rev().find_map(|event| match &event.event {
        Event::End { interrupted, error } => Some((*interrupted, error.as_ref())),
        _ => None,
    });
    match ended {
        Some((true, _)) => EndFound::Interrupted,
        Some((false, Some(error))) => EndFound::Failed(error.clone()),
        Some((false, None)) if history.torn.is_empty() => EndFound::Complete,
        Some((false, None)) | None => EndFound::CutOff(history.torn.clone()),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use firedrill_model::history::{self, Stamped};

    fn rolled_back() -> History {
        let stored = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../firedrill/tests/fixtures/histories/format-1/wrong-json-loader");
        history::read(&stored).unwrap()
    }

    /// What is found of the first step when this event is the last.
    fn found_after(event: Event) -> (Verdict, FaultFound) {
        let mut history = rolled_back();
        let at = history.events.last().unwrap().at;
        history.events.push(Stamped { at, event });
        let check = fault(&history, 0);
        match check.found {
            Found::Fault(found) => (check.verdict, found),
            other => panic!("{other:?}"),
        }
    }

    fn hit(read: Option<bool>, connections: u64, requests: u64) -> Event {
        Event::Hit {
            step: 0,
            connections,
            chunks: 0,
            requests,
            read,
            all_counted: true,
        }
    }

    #[test]
    fn a_fault_that_was_not_reverted_leaves_its_drill_undecided() {
        assert_eq!(fault(&rolled_back(), 0).verdict, Verdict::Met);
        let why = "the engine was gone".to_owned();
        let found = found_after(Event::NotReverted {
            step: 0,
            why: why.clone(),
        });
        assert_eq!(found, (Verdict::Undecided, FaultFound::NotReverted(why)));
    }

    /// Otherwise what had to happen because of it would be breached, not undecided.
    #[test]
    fn a_fault_that_was_neither_injected_nor_reverted_was_not_in_effect() {
        let (mut history, why) = (rolled_back(), "another process holds the port".to_owned());
        for event in &mut history.events {
            if let Event::Injected { step, .. } = event.event {
                event.event = Event::NotInjected {
                    step,
                    why: why.clone(),
                };
            }
        }
        let at = history.events.last().unwrap().at;
        let why_not = "it cannot be started".to_owned();
        let event = Event::NotReverted {
            step: 0,
            why: why_not,
        };
        history.events.push(Stamped { at, event });
        let check = fault(&history, 0);
        assert_eq!(check.verdict, Verdict::Undecided);
        assert_eq!(check.found, Found::Fault(FaultFound::NotInjected(why)));
        assert!(!faults_in_effect(&history));
    }

    #[test]
    fn a_damaged_file_proves_something_only_when_it_was_read() {
        assert_eq!(
            found_after(hit(Some(false), 0, 0)),
            (Verdict::Undecided, FaultFound::FileNotRead)
        );
        assert_eq!(found_after(hit(Some(true), 0, 0)).0, Verdict::Met);
        assert_eq!(found_after(hit(None, 0, 0)).0, Verdict::Undecided);
        assert_eq!(found_after(hit(None, u64::MAX, 1)).0, Verdict::Met, "no overflow");
    }
}
