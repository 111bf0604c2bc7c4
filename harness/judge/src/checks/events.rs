//! What must happen in a drill, and what must not: deploys, rollback, alerts, fallbacks, releases, lines of a log.

use std::time::Duration;

use super::grounds::Grounds;
use super::journeys::no_fallback;
use super::{at_most, check, met};
use crate::Verdict;
use crate::check::{AlertFound, Check, Deploys, Found, Required};
use crate::measure::{Bounds, Measured, RolledBack};
use firedrill_model::check::{CheckId, Never};
use firedrill_model::history::plan::{ExpectedAlert, Rollback};
use firedrill_model::history::{Contention, Event, History};
use firedrill_model::sample::Micros;
use firedrill_model::scenario::DeployOutcome;

/// The checks of all events that the scenario names, in the order of reports.
pub(super) fn checks(history: &History, measured: &Measured, grounds: Grounds) -> Vec<Check> {
    let expect = &history.start.plan.scenario.expect;
    let rollback = expect.rollback.as_ref();
    let alerts = expect.alerts.iter();
    let never = expect.never.iter();
    let rungs = expect.rungs.iter();
    let releases = expect.releases.iter();
    let logs = expect.logs.iter();
    let mut checks = Vec::new();
    checks.extend(expect.deploy.map(|wanted| deployed(history, wanted)));
    checks.extend(rollback.map(|rollback| rolled_back(measured, rollback, grounds)));
    checks.extend(alerts.map(|alert| alerted(history, measured, alert, grounds)));
    checks.extend(never.map(|never| never_happened(history, measured, *never, grounds)));
    checks.extend(rungs.map(|rung| answered_by_rung(measured, rung, grounds)));
    checks.extend(releases.map(|release| answered_by_release(measured, release, grounds)));
    checks.extend(logs.map(|(service, text)| logged(history, service, text, grounds)));
    checks
}

/// Every deploy of the scenario is answered as expected. One without an answer (not tried, or a broken pipeline) was neither
/// accepted nor refused.
fn deployed(history: &History, wanted: DeployOutcome) -> Check {
    let steps = &history.start.plan.scenario.steps;
    let steps = steps.iter().filter(|step| step.fault.name.is_deploy()).count();
    let mut found = Deploys::default();
    for event in &history.events {
        match event.event {
            Event::Deploy { accepted: true, .. } => found.accepted += 1,
            Event::Deploy { accepted: false, .. } => found.refused += 1,
            _ => {}
        }
    }
    found.unknown = steps.saturating_sub(found.accepted + found.refused);
    let (as_wanted, otherwise) = match wanted {
        DeployOutcome::Accepted => (found.accepted, found.refused),
        DeployOutcome::Refused => (found.refused, found.accepted),
    };
    let verdict = if otherwise > 0 {
        Verdict::Breached
    } else if found.unknown > 0 || as_wanted == 0 {
        Verdict::Undecided
    } else {
        Verdict::Met
    };
    check(
        CheckId::Deploy,
        Required::Deploy(wanted),
        Found::Deploys(found),
        verdict,
    )
}

fn rolled_back(measured: &Measured, wanted: &Rollback, grounds: Grounds) -> Check {
    let instants = &measured.instants;
    let found = instants.rollback.as_ref();
    let required = Required::Rollback {
        to: wanted.to.clone(),
        within: wanted.within.0,
    };
    let verdict = match found {
        // The right release, and in time: the worse of the two.
        Some(found) => met(found.to == wanted.to).max(at_most(found.time, wanted.within.0)),
        None => grounds.unless_unknown(
            grounds.missing_within(wanted.within.0, instants.injected.unwrap_or(measured.window.from)),
        ),
    };
    check(
        CheckId::Rollback,
        required,
        Found::Rollback(found.cloned()),
        verdict,
    )
}

/// Counted from [`Instants::origin`](crate::measure::Instants), between bounds. An alert that its receiver refused
/// informed nobody, and one from before the first fault is about something else.
fn alerted(history: &History, measured: &Measured, wanted: &ExpectedAlert, grounds: Grounds) -> Check {
    let first_fault = history.first_fault().unwrap_or(measured.window.from);
    let after_it = history.events.iter().filter(|event| event.at >= first_fault);
    let of_kind = after_it.filter_map(|event| match &event.event {
        Event::Alert { kind, body, answered } if *kind == wanted.kind => {
            Some((event.at, body, *answered < 400))
        }
        _ => None,
    });
    // A sender retries a refused alert: the first accepted one counts, and the refusals only where there is none.
    let (accepted, refused): (Vec<_>, Vec<_>) = of_kind.partition(|(_, _, accepted)| *accepted);
    // From the latest possible origin: it is late only once that is longer ago than the limit.
    let origin = measured.instants.origin;
    let latest = origin.map_or(measured.window.from, |origin| origin.until);
    let missing = || match wanted.within {
        Some(within) => grounds.missing_within(within.0, latest),
        None => grounds.missing(),
    };
    let (found, verdict) = match accepted.first() {
        None if refused.is_empty() => (AlertFound::Missing, missing()),
        None => (AlertFound::Refused(refused.len()), missing()),
        Some((at, body, _)) => {
            // From the earliest possible origin to the latest.
            let (from, until) = origin.map_or((Micros(0), Micros(0)), |origin| (origin.from, origin.until));
            let took = Bounds::between(at.since(until), at.since(from));
            let in_time = wanted
                .within
                .map_or(Verdict::Met, |within| at_most(took, within.0));
            let after = at.since(from);
            let text_matches = wanted
                .contains
                .as_ref()
                .is_none_or(|text| body.contains(text.as_str()));
            (
                AlertFound::Accepted { after, text_matches },
                in_time.max(met(text_matches)),
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

fn never_happened(history: &History, measured: &Measured, never: Never, grounds: Grounds) -> Check {
    let (found, verdict) = match never {
        Never::Rollback => {
            let rollback = measured.instants.rollback.clone();
            let verdict = match rollback {
                // Not seen, where nobody can tell releases apart.
                None => grounds.unless_unknown(Verdict::Met),
                Some(ref seen) => decided_at(seen).map_or(Verdict::Breached, |at| unless_busy(history, at)),
            };
            (Found::Rollback(rollback), verdict)
        }
        Never::Alert => {
            let alerts = (history.events.iter()).filter(|event| matches!(event.event, Event::Alert { .. }));
            let verdicts: Vec<Verdict> = alerts.map(|alert| unless_busy(history, alert.at)).collect();
            let worst = verdicts.iter().copied().max().unwrap_or(Verdict::Met);
            (Found::Alerts(verdicts.len()), worst)
        }
        Never::Fallback => {
            let all = measured.journeys.iter().map(|journey| journey.fallback).sum();
            let busy = measured.journeys.iter().map(|journey| journey.fallback_when_busy);
            let when_busy = busy.sum();
            let found = Found::Fallbacks { all, when_busy };
            (found, no_fallback(all, when_busy))
        }
    };
    check(CheckId::Never(never), Required::Never, found, verdict)
}

/// The latest instant at which a rollback was decided.
fn decided_at(rollback: &RolledBack) -> Option<Micros> {
    rollback.decided.or(rollback.switched).map(|time| time.until)
}

/// What was held against a release in this time before it was rolled back, or an alert raised.
const REASONS_WITHIN: Duration = Duration::from_secs(1);

/// The verdict on a rollback or an alert that must not be. A system that judges answers by time is misled by a machine that
/// others hold: then it proves nothing by itself.
fn unless_busy(history: &History, at: Micros) -> Verdict {
    let journeys = history.start.plan.system.journeys.iter();
    let shortest = journeys.map(|journey| journey.deadline.0).min();
    let before = Contention::during(&history.load, at - REASONS_WITHIN, at);
    match (before, shortest) {
        (Some(before), Some(deadline)) if before.explains(deadline) => Verdict::Undecided,
        _ => Verdict::Breached,
    }
}

fn answered_by_rung(measured: &Measured, rung: &str, grounds: Grounds) -> Check {
    let rungs = measured.journeys.iter().flat_map(|journey| &journey.rungs);
    let answers: usize = rungs
        .filter(|known| known.name == rung)
        .map(|known| known.answers)
        .sum();
    let id = CheckId::Rung(rung.into());
    let verdict = if answers > 0 {
        Verdict::Met
    } else {
        grounds.missing_label()
    };
    check(id, Required::Answers, Found::Answers(answers), verdict)
}

fn answered_by_release(measured: &Measured, release: &str, grounds: Grounds) -> Check {
    let known = measured.releases.iter().find(|known| known.name == release);
    let answers = known.map_or(0, |known| known.answers.0);
    let id = CheckId::Release(release.into());
    let verdict = if answers > 0 {
        Verdict::Met
    } else {
        grounds.missing_label()
    };
    check(id, Required::Answers, Found::Answers(answers), verdict)
}

fn logged(history: &History, service: &str, wanted: &str, grounds: Grounds) -> Check {
    let found = history.events.iter().find_map(|event| match &event.event {
        Event::Logged {
            service: of,
            text,
            found,
        } if of == service && text == wanted => Some(*found),
        _ => None,
    });
    let verdict = match found {
        Some(true) => Verdict::Met,
        Some(false) => grounds.missing(),
        None => Verdict::Undecided,
    };
    let (id, required) = (CheckId::Log(service.into()), Required::LogContains(wanted.into()));
    check(id, required, Found::LogContains(found), verdict)
}
