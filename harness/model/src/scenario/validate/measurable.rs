//! Rules about requirements that no drill could measure: their check would be met, breached or undecided whatever the system
//! does.
//!
//! Takes a scenario with its system; gives problems to the loader, which runs [`RULES`] and
//! [`SYSTEM_RULES`].

use std::time::Duration;

use super::super::document::at;
use super::super::problem::{Code, Problem};
use super::super::template::uses_counted_records;
use super::super::tree::Step;
use super::super::{Journey, System, Tolerance};
use super::{InScenario, OnSystemRule, ScenarioRule, templates};
use crate::check::{CheckId, Never};
use crate::format;

/// Rules about the scenario alone.
pub(super) const RULES: &[ScenarioRule] = &[timing, deploys];

/// Rules that need its system.
pub(super) const SYSTEM_RULES: &[OnSystemRule] = &[
    identity, fallbacks, alerts, settle, probed, read_back, faults, rates,
];

/// A steady state of no length is there in any system, and so is a quiet period.
fn timing(subject: &InScenario<'_>, found: &mut Vec<Problem>) {
    let timing = &subject.scenario.timing;
    let of_no_length = [("steady", timing.steady), ("quiet", timing.quiet)];
    for (key, _) in of_no_length.iter().filter(|(_, span)| span.0.is_zero()) {
        let message = format!("`{key}` is zero: no good answer would be needed");
        let problem = subject.file.value(Code::TimingZero, at!["timing", *key], message);
        found.push(problem.help("use the time for which every journey must be good, such as \"500ms\""));
    }
}

/// A scenario without a deploy has none that could be accepted or refused.
fn deploys(subject: &InScenario<'_>, found: &mut Vec<Problem>) {
    let scenario = subject.scenario;
    let deploys = scenario.steps.iter().any(|step| step.fault.is_deploy());
    // A step that cannot be read may be one.
    if scenario.expect.deploy.is_some() && !deploys && subject.file.is_sure(at!["step"]) {
        let message = "this cannot be measured: no step deploys a release";
        let problem = subject
            .file
            .value(Code::NoDeploy, at!["expect", "deploy"], message);
        found.push(problem.help("add a `deploy` step, or remove the expectation"));
    }
}

/// Which release answered is known only where answers name it.
fn identity(subject: &InScenario<'_>, system: &System, found: &mut Vec<Problem>) {
    if system.identity.is_some() {
        return;
    }
    let expect = &subject.scenario.expect;
    let mut needed = Vec::new();
    needed.extend(
        expect
            .rollback
            .as_ref()
            .map(|_| at!["expect", "rollback"].to_vec()),
    );
    needed.extend((!expect.releases.is_empty()).then(|| at!["expect", "releases"].to_vec()));
    needed.extend(never(subject, Never::Rollback).map(|at| at!["expect", "never", at].to_vec()));
    for path in needed {
        let message = "this cannot be measured: no answer of this system says which release gave it";
        let problem = subject.file.value(Code::NoIdentity, &path, message);
        found.push(problem.help(
            "set [identity] in the system file: the header, or the part of the body, that names the release",
        ));
    }
}

/// The place of something that must not happen in the list `never`.
fn never(subject: &InScenario<'_>, wanted: Never) -> Option<usize> {
    subject
        .scenario
        .expect
        .never
        .iter()
        .position(|never| *never == wanted)
}

/// A fallback is seen only where a journey says how answers name it; and its normal ways are none.
fn fallbacks(subject: &InScenario<'_>, system: &System, found: &mut Vec<Problem>) {
    let known = || {
        system
            .journeys
            .iter()
            .filter_map(|journey| journey.fallback.as_ref())
    };
    let help = "set `fallback` in a journey of the system file: the header that names the way, and its normal values";
    if let (None, Some(at)) = (known().next(), never(subject, Never::Fallback)) {
        let message =
            "`never = [\"fallback\"]` cannot be measured: no journey of the system says what a fallback is";
        let problem = subject
            .file
            .value(Code::NoFallback, at!["expect", "never", at], message);
        found.push(problem.help(help));
    }
    for (at, rung) in subject.scenario.expect.rungs.iter().enumerate() {
        let path = at!["expect", "rungs", at];
        if known().next().is_none() {
            let message =
                format!("`{rung}` cannot be seen: no journey of this system says what a fallback is");
            found.push(subject.file.value(Code::NoFallback, path, message).help(help));
        } else if known().all(|fallback| fallback.normal.contains(rung)) {
            let message = format!("`{rung}` is the normal way of every journey, and never a fallback");
            let problem = subject.file.value(Code::NoFallback, path, message);
            found.push(problem.help("remove it from `normal`, or from `rungs`"));
        }
    }
}

/// An alert arrives only where a service knows the receiver's address.
fn alerts(subject: &InScenario<'_>, system: &System, found: &mut Vec<Problem>) {
    let (file, scenario) = (subject.file, subject.scenario);
    let mut services = system.services.keys();
    if services.any(|service| templates::has_placeholder(scenario, system, service, |name| name == "alerts"))
    {
        return;
    }
    let expected = (0..scenario.expect.alerts.len()).map(|at| at!["expect", "alerts", at].to_vec());
    let never = never(subject, Never::Alert).map(|at| at!["expect", "never", at].to_vec());
    for path in expected.chain(never) {
        let message = "no service has the address of the alert receiver, so no alert can arrive";
        let problem = file.value(Code::NoAlerts, &path, message);
        found
            .push(problem.help(
                "use {alerts} in an argument or environment variable of the service that sends alerts",
            ));
    }
}

/// A drill waits for `settle` at most. It cannot see whether what may take longer was in time. Where the file does not say
/// how long that is, it is long enough.
fn settle(subject: &InScenario<'_>, _: &System, found: &mut Vec<Problem>) {
    let (expect, timing) = (&subject.scenario.expect, &subject.scenario.timing);
    let downtime = expect.downtime.as_ref().and_then(|limits| limits.at_most);
    let rollback = expect.rollback.as_ref().map(|rollback| rollback.within);
    let alerts = expect.alerts.iter().enumerate();
    let mut limits = Vec::new();
    limits.extend(downtime.map(|limit| (at!["expect", "downtime", "at_most"].to_vec(), limit)));
    limits.extend(rollback.map(|limit| (at!["expect", "rollback", "within"].to_vec(), limit)));
    limits.extend(
        alerts
            .filter_map(|(at, alert)| Some((at!["expect", "alerts", at, "within"].to_vec(), alert.within?))),
    );
    let watched = timing.settle.max(timing.quiet);
    let sure = ["settle", "quiet"].map(|key| subject.file.is_sure(at!["timing", key]));
    for (path, limit) in limits {
        if limit > watched && subject.file.is_sure(&path) && sure == [true; 2] {
            let message = format!("the limit {limit} is longer than the drill watches: {watched} (`settle`)");
            let problem = subject.file.value(Code::SettleTooShort, &path, message);
            found.push(problem.help(format!(
                "set timing = {{ settle = \"{limit}\" }}, or a lower limit; a drill that recovers earlier ends earlier"
            )));
        }
    }
}

/// On an empty store, journeys that need seeded records do not run.
fn probed(subject: &InScenario<'_>, system: &System, found: &mut Vec<Problem>) {
    if subject.scenario.seeded {
        return;
    }
    let runs = |journey: &&Journey| !uses_counted_records(system, journey);
    for name in subject.scenario.expect.journeys.keys() {
        let journey = system.journeys.iter().find(|journey| journey.name == *name);
        if journey.is_some_and(|journey| !runs(&journey)) {
            let message = format!("`{name}` needs seeded records, and does not run on an empty store");
            let problem = subject
                .file
                .key(Code::NotProbed, at!["expect", "journeys", name], message);
            found.push(problem.help("remove the expectation, or `seeded = false`"));
        }
    }
    if !system
        .journeys
        .iter()
        .filter(runs)
        .any(|journey| journey.essential)
    {
        let message = "every essential journey needs seeded records: no downtime could be measured";
        let problem = subject.file.value(Code::NotProbed, at!["seeded"], message);
        found.push(problem.help("add an essential journey that needs no seeded records to the system file"));
    }
}

/// Writes are counted only where they are read back.
fn read_back(subject: &InScenario<'_>, system: &System, found: &mut Vec<Problem>) {
    if system.journeys.iter().any(|journey| journey.remember.is_some()) {
        return;
    }
    let allowed = ["lost_writes", "corrupt_writes"].map(|key| at!["expect", key].to_vec());
    let allowed = allowed
        .into_iter()
        .filter(|path| subject.file.get(path).is_some());
    let control = subject.scenario.control.iter();
    let breaches = control.flat_map(|control| control.breaches.iter().enumerate());
    let of_writes = breaches.filter(|(_, check)| {
        matches!(
            check,
            CheckId::LostWrites | CheckId::CorruptWrites | CheckId::PhantomWrites
        )
    });
    let breaches = of_writes.map(|(at, _)| at!["control", "breaches", at].to_vec());
    for path in allowed.chain(breaches) {
        let message = "no write is read back, so none can be found lost or corrupt";
        let problem = subject.file.value(Code::NoReadBack, &path, message);
        found.push(problem.help("set `remember` in the journey of the system file that writes"));
    }
}

/// A journey that must go down because of a fault needs one.
fn faults(subject: &InScenario<'_>, _: &System, found: &mut Vec<Problem>) {
    if !subject.scenario.steps.is_empty() {
        return;
    }
    for (name, allowed) in &subject.scenario.expect.journeys {
        if allowed.tolerance == Tolerance::GoesDown {
            let message = format!("`{name}` must go down because of a fault, and the scenario has no step");
            let problem = subject
                .file
                .value(Code::NoFault, at!["expect", "journeys", name], message);
            found.push(problem.help("add a `[[step]]` with a fault"));
        }
    }
}

/// How long a drill waits for a steady state, beyond the time that it must last.
const WARM_UP: Duration = Duration::from_secs(5);
/// A stream is steady from so many good answers on.
const STEADY_ANSWERS: u32 = 3;

/// A journey that is asked too seldom never reaches a steady state.
fn rates(subject: &InScenario<'_>, system: &System, found: &mut Vec<Problem>) {
    let waited = subject.scenario.timing.steady.0 + WARM_UP;
    for journey in &system.journeys {
        let own = subject.scenario.rates.get(&journey.name);
        // Each connection mode, and each client, has its share of the rate. The modes begin one after the other.
        let modes = f64::from(u32::try_from(journey.modes().len()).unwrap_or(1).max(1));
        let between = modes * f64::from(journey.clients.max(1)) / own.unwrap_or(&journey.rate).0;
        let needed = between * (f64::from(STEADY_ANSWERS - 1) + (modes - 1.0) / modes);
        if needed > waited.as_secs_f64() {
            let message = format!(
                "`{}` is probed too seldom for a steady state: a drill waits for it for {}, and {STEADY_ANSWERS} answers on \
                 each connection take {}",
                journey.name,
                format::span(waited),
                format::long_seconds(needed)
            );
            let path: &[Step<'_>] = match own {
                Some(_) => at!["rates", &journey.name],
                None => at!["system"],
            };
            let problem = subject.file.value(Code::RateTooLow, path, message);
            found.push(problem.help("raise the journey's rate, or `steady` in `timing`"));
        }
    }
}
