//! What users may suffer: the tolerance of each journey, and the share of bad answers.

use super::grounds::Grounds;
use super::{check, met};
use crate::Verdict;
use crate::check::{BadAnswers, Check, Found, JourneyFound, Required, StateSeen};
use crate::measure::{Bounds, Interval, Journey, JourneyState, Measured, Outage};
use firedrill_model::check::CheckId;
use firedrill_model::history::plan::Expect;
use firedrill_model::scenario::Tolerance;
use firedrill_model::units::Share;

/// One check for each journey that the scenario names, and one for the bad answers of all.
pub(super) fn checks(expect: &Expect, measured: &Measured, grounds: Grounds) -> Vec<Check> {
    let tolerances = expect.journeys.iter();
    let mut checks: Vec<Check> = tolerances
        .map(|(name, tolerance)| {
            let allowed = Allowed {
                tolerance: *tolerance,
                bad: expect.bad_of(name),
            };
            journey(measured, name, allowed, grounds)
        })
        .collect();
    checks.extend(expect.bad.map(|limit| bad_of_all(measured, limit)));
    checks
}

/// What may happen to a journey.
#[derive(Clone, Copy)]
struct Allowed {
    tolerance: Tolerance,
    /// The share of its answers that may be bad: its own, or that of all.
    bad: Option<Share>,
}

fn journey(measured: &Measured, name: &str, allowed: Allowed, grounds: Grounds) -> Check {
    let Allowed { tolerance, bad } = allowed;
    let (found, verdict) = match measured.journeys.iter().find(|journey| journey.name == name) {
        None => (JourneyFound::NotProbed, Verdict::Undecided),
        Some(journey) if journey.answers() == 0 => (JourneyFound::NoAnswers, Verdict::Undecided),
        Some(journey) => {
            let found = JourneyFound::Seen {
                states: states(journey),
                blips: measured.blips_of(journey).count(),
                bad: bad.map(|_| bad_answers(journey)),
            };
            (found, tolerated(journey, allowed, grounds))
        }
    };
    let id = CheckId::Journey(name.into());
    let required = Required::Journey { tolerance, bad };
    check(id, required, Found::Journey(found), verdict)
}

/// The worse of the tolerance and the share.
fn tolerated(journey: &Journey, allowed: Allowed, grounds: Grounds) -> Verdict {
    let limit = allowed.bad;
    // Single bad answers are a matter of the share where there is one. Two in a row prove that it was down for some time.
    let failed = match limit {
        None => bad_answers(journey).bad > 0 || !journey.outages.is_empty(),
        Some(_) => journey.outages.iter().any(|outage| !outage.core.is_empty()),
    };
    let tolerated = match allowed.tolerance {
        Tolerance::AlwaysGood => met(!failed).max(no_fallback(journey.fallback, journey.fallback_when_busy)),
        Tolerance::NeverDown => met(!failed),
        Tolerance::MayBeDown => Verdict::Met,
        Tolerance::GoesDown => grounds.caused(&journey.outages),
    };
    let share = limit.map_or(Verdict::Met, |limit| within(bad_answers(journey), limit));
    tolerated.max(share)
}

/// The verdict where no fallback may answer. Fallbacks that may be the work of others, who held the machine, prove nothing
/// by themselves.
pub(super) fn no_fallback(answers: usize, when_busy: usize) -> Verdict {
    match answers {
        0 => Verdict::Met,
        _ if answers == when_busy => Verdict::Undecided,
        _ => Verdict::Breached,
    }
}

fn bad_answers(journey: &Journey) -> BadAnswers {
    BadAnswers {
        bad: journey.bad.iter().map(|(_, count)| count).sum(),
        answers: journey.answers(),
    }
}

fn bad_of_all(measured: &Measured, limit: Share) -> Check {
    let each = measured.journeys.iter().map(bad_answers);
    let all = each.fold(BadAnswers::default(), |sum, one| BadAnswers {
        bad: sum.bad + one.bad,
        answers: sum.answers + one.answers,
    });
    let required = Required::BadAnswers(limit);
    check(
        CheckId::BadAnswers,
        required,
        Found::BadAnswers(all),
        within(all, limit),
    )
}

/// Without an answer there is no share.
fn within(found: BadAnswers, limit: Share) -> Verdict {
    match found.share() {
        Some(share) => met(share <= limit.0),
        None => Verdict::Undecided,
    }
}

fn states(journey: &Journey) -> Vec<StateSeen> {
    let state = |(state, time): (&JourneyState, Interval)| match state {
        JourneyState::Up => StateSeen::Up,
        JourneyState::Fallback(rung) => StateSeen::Fallback(rung.clone()),
        JourneyState::Down => StateSeen::Down(outages_in(journey, time)),
    };
    let segments = journey.lane.iter().map(|segment| (&segment.state, segment.time));
    segments.map(state).collect()
}

/// The lengths of the outages that one stretch of the lane stands for: usually one, more where they follow each other.
fn outages_in(journey: &Journey, time: Interval) -> Vec<Bounds> {
    let outages = journey
        .outages
        .iter()
        .filter(|outage| outage.hull.within(time).is_some());
    outages.map(Outage::bounds).collect()
}
