//! What the scenario expects, compared with what was measured.

use std::time::Duration;

use super::Verdict;
use super::check::{AlertFound, Check, Found, JourneyFound, Required, StateSeen};
use super::cost::Cost;
use crate::measure::{Bounds, Interval, Journey, JourneyState, Measured, RolledBack};
use firedrill_model::check::CheckId;
use firedrill_model::history::plan::{Expect, ExpectedAlert, Limits, Rollback};
use firedrill_model::history::{Event, History};
use firedrill_model::sample::Micros;
use firedrill_model::scenario::{Never, Tolerance};

fn check(id: CheckId, required: Required, found: Found, verdict: Verdict) -> Check {
    Check {
        id,
        required,
        found,
        verdict,
    }
}

/// Met or breached: for what is known for sure.
fn met(as_required: bool) -> Verdict {
    if as_required {
        Verdict::Met
    } else {
        Verdict::Breached
    }
}

/// Every expectation of the scenario, in the order of reports: the budget first, then users, data and the rest.
pub(super) fn checks(history: &History, measured: &Measured, cost: &Cost) -> Vec<Check> {
    let expect = &history.start.plan.scenario.expect;
    let downtime = expect.downtime.as_ref();
    let journeys = expect.journeys.iter();
    let rollback = expect.rollback.as_ref();
    let alerts = expect.alerts.iter();
    let never = expect.never.iter();
    let logs = expect.logs.iter();
    let mut checks = vec![budget(cost)];
    checks.extend(downtime.map(|limits| self::downtime(limits, measured.downtime)));
    checks.extend(journeys.map(|(name, tolerance)| journey(measured, name, *tolerance)));
    checks.extend(data(expect, measured));
    checks.extend(rollback.map(|rollback| rolled_back(rollback, measured.instants.rollback.as_ref())));
    checks.extend(alerts.map(|alert| alerted(history, measured, alert)));
    checks.extend(never.map(|never| never_happened(history, measured, *never)));
    checks.extend(expect.rungs.iter().map(|rung| answered_by_rung(measured, rung)));
    checks.extend(
        expect
            .releases
            .iter()
            .map(|release| answered_by_release(measured, release)),
    );
    checks.extend(logs.map(|(service, text)| logged(history, service, text)));
    checks
}

/// One such event must fit the whole budget.
fn budget(cost: &Cost) -> Check {
    let billed = cost.billed.unwrap_or(Bounds::ZERO);
    let verdict = match (cost.share.high, cost.priced) {
        // An outage that was still down costs what its repair by hand is said to take.
        (_, Some(price)) => met(price <= cost.budget),
        (Some(_), None) => at_most(billed, cost.budget),
        (None, None) if billed.low > cost.budget => Verdict::Breached,
        (None, None) => Verdict::Undecided,
    };
    let required = Required::WithinBudget {
        downtime: cost.budget,
        window: cost.window,
    };
    check(CheckId::Budget, required, Found::Cost(cost.clone()), verdict)
}

/// Judged on the upper bound; a limit between the bounds is undecided.
fn at_most(bounds: Bounds, limit: Duration) -> Verdict {
    match bounds.high {
        Some(high) if high <= limit => Verdict::Met,
        _ if bounds.low > limit => Verdict::Breached,
        Some(_) => Verdict::Undecided,
        // Still down: the quiet period waited for longer than any limit allows.
        None => Verdict::Breached,
    }
}

/// Judged on the lower bound; a limit between the bounds is undecided.
fn at_least(bounds: Bounds, limit: Duration) -> Verdict {
    match bounds.high {
        _ if bounds.low >= limit => Verdict::Met,
        Some(high) if high < limit => Verdict::Breached,
        _ => Verdict::Undecided,
    }
}

fn downtime(limits: &Limits, found: Bounds) -> Check {
    let (least, most) = (
        limits.at_least.map(|span| span.0),
        limits.at_most.map(|span| span.0),
    );
    // A limit that is not set is met.
    let lower = least.map_or(Verdict::Met, |limit| at_least(found, limit));
    let upper = most.map_or(Verdict::Met, |limit| at_most(found, limit));
    let required = Required::Downtime {
        at_least: least,
        at_most: most,
    };
    check(
        CheckId::Downtime,
        required,
        Found::Downtime(found),
        lower.max(upper),
    )
}

fn journey(measured: &Measured, name: &str, tolerance: Tolerance) -> Check {
    let (found, verdict) = match measured.journeys.iter().find(|journey| journey.name == name) {
        None => (JourneyFound::NotProbed, Verdict::Undecided),
        Some(journey) if journey.answers() == 0 => (JourneyFound::NoAnswers, Verdict::Undecided),
        Some(journey) => (
            JourneyFound::States(states(journey)),
            tolerated(journey, tolerance),
        ),
    };
    let (id, required) = (CheckId::Journey(name.into()), Required::Journey(tolerance));
    check(id, required, Found::Journey(found), verdict)
}

fn tolerated(journey: &Journey, tolerance: Tolerance) -> Verdict {
    let down = !journey.outages.is_empty();
    match tolerance {
        Tolerance::AlwaysGood => met(!down && journey.fallback == 0),
        Tolerance::NeverDown => met(!down),
        Tolerance::MayBeDown => Verdict::Met,
        Tolerance::GoesDown => met(down),
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
    outages.map(crate::measure::Outage::bounds).collect()
}

fn data(expect: &Expect, measured: &Measured) -> Vec<Check> {
    let data = measured.data;
    let lost = if data.lost as u64 > expect.lost_writes {
        Verdict::Breached
    } else if data.unknown > 0 {
        // A write that nobody could read back may be lost.
        Verdict::Undecided
    } else {
        Verdict::Met
    };
    let corrupt = met(data.corrupt as u64 <= expect.corrupt_writes);
    let (allowed_lost, allowed_corrupt) = (
        Required::AtMost(expect.lost_writes),
        Required::AtMost(expect.corrupt_writes),
    );
    let mut checks = vec![
        check(CheckId::LostWrites, allowed_lost, Found::Writes(data), lost),
        check(
            CheckId::CorruptWrites,
            allowed_corrupt,
            Found::Count(data.corrupt),
            corrupt,
        ),
    ];
    // Listed only where it happened: no scenario can allow it.
    if data.phantom > 0 {
        let (required, found) = (Required::AtMost(0), Found::Count(data.phantom));
        checks.push(check(CheckId::PhantomWrites, required, found, Verdict::Breached));
    }
    checks
}

fn rolled_back(wanted: &Rollback, found: Option<&RolledBack>) -> Check {
    let required = Required::Rollback {
        to: wanted.to.clone(),
        within: wanted.within.0,
    };
    let verdict = found.map_or(Verdict::Breached, |found| {
        // The right release, and in time: the worse of the two.
        met(found.to == wanted.to).max(at_most(found.time, wanted.within.0))
    });
    check(
        CheckId::Rollback,
        required,
        Found::Rollback(found.cloned()),
        verdict,
    )
}

/// Counted from [`Instants::origin`](crate::measure::Instants), on the upper bound. An alert that its receiver refused
/// informed nobody.
fn alerted(history: &History, measured: &Measured, wanted: &ExpectedAlert) -> Check {
    let of_kind = history.events.iter().filter_map(|event| match &event.event {
        Event::Alert { kind, body, answered } if *kind == wanted.kind => {
            Some((event.at, body, *answered < 400))
        }
        _ => None,
    });
    // A sender retries a refused alert: the first accepted one counts, and the refusals only where there is none.
    let (accepted, refused): (Vec<_>, Vec<_>) = of_kind.partition(|(_, _, accepted)| *accepted);
    let (found, verdict) = match accepted.first() {
        None if refused.is_empty() => (AlertFound::Missing, Verdict::Breached),
        None => (AlertFound::Refused(refused.len()), Verdict::Breached),
        Some((at, body, _)) => {
            // From the earliest possible origin: the upper bound of the time to detect.
            let origin = measured.instants.origin.map_or(Micros(0), |origin| origin.from);
            let after = at.since(origin);
            let in_time = wanted.within.is_none_or(|within| after <= within.0);
            let text_matches = wanted
                .contains
                .as_ref()
                .is_none_or(|text| body.contains(text.as_str()));
            (
                AlertFound::Accepted { after, text_matches },
                met(in_time && text_matches),
            )
        }
    };
    let required = Required::Alert {
        within: wanted.within.map(|within| within.0),
        contains: wanted.contains.clone(),
    };
    check(
        CheckId::Alert(wanted.kind.clone()),
        required,
        Found::Alert(found),
        verdict,
    )
}

fn never_happened(history: &History, measured: &Measured, never: Never) -> Check {
    let (found, happened) = match never {
        Never::Rollback => {
            let rollback = measured.instants.rollback.clone();
            let happened = rollback.is_some();
            (Found::Rollback(rollback), happened)
        }
        Never::Alert => {
            let alerts = history
                .events
                .iter()
                .filter(|event| matches!(event.event, Event::Alert { .. }))
                .count();
            (Found::Alerts(alerts), alerts > 0)
        }
        Never::Fallback => {
            let answers = measured.journeys.iter().map(|journey| journey.fallback).sum();
            (Found::Answers(answers), answers > 0)
        }
    };
    check(CheckId::Never(never), Required::Never, found, met(!happened))
}

fn answered_by_rung(measured: &Measured, rung: &str) -> Check {
    let rungs = measured.journeys.iter().flat_map(|journey| &journey.rungs);
    let answers: usize = rungs
        .filter(|known| known.name == rung)
        .map(|known| known.answers)
        .sum();
    let id = CheckId::Rung(rung.into());
    check(id, Required::Answers, Found::Answers(answers), met(answers > 0))
}

fn answered_by_release(measured: &Measured, release: &str) -> Check {
    let known = measured.releases.iter().find(|known| known.name == release);
    let answers = known.map_or(0, |known| known.answers.0);
    let id = CheckId::Release(release.into());
    check(id, Required::Answers, Found::Answers(answers), met(answers > 0))
}

fn logged(history: &History, service: &str, wanted: &str) -> Check {
    let found = history.events.iter().find_map(|event| match &event.event {
        Event::Logged {
            service: of,
            text,
            found,
        } if of == service && text == wanted => Some(*found),
        _ => None,
    });
    let verdict = found.map_or(Verdict::Undecided, met);
    let (id, required) = (CheckId::Log(service.into()), Required::LogContains(wanted.into()));
    check(id, required, Found::LogContains(found), verdict)
}
