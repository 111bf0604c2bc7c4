//! Rules about what a scenario changes in its system, and what it expects of it.
//!
//! Takes a scenario, for [`SYSTEM_RULES`] with its system; gives problems to the loader, which runs both lists.

use super::super::document::at;
use super::super::problem::{Code, Problem};
use super::super::{Expect, Never, System, suggest};
use super::{InScenario, OnSystemRule, ScenarioRule, journeys, names, probes, services, templates};
use crate::check::CheckId;

/// Rules about the scenario alone.
pub(super) const RULES: &[ScenarioRule] = &[per_year, control, limits, contradictions];

/// Rules that need its system.
pub(super) const SYSTEM_RULES: &[OnSystemRule] = &[releases, environment, rates, expected_names];

fn per_year(subject: &InScenario<'_>, found: &mut Vec<Problem>) {
    let Some(per_year) = &subject.scenario.per_year else {
        return;
    };
    if !per_year.times.is_finite() || per_year.times < 0.0 {
        let message = format!("`times` is {}, below zero or not a number", per_year.times);
        let problem = subject
            .file
            .value(Code::PerYearNegative, at!["per_year", "times"], message);
        found.push(problem.help("use zero or more"));
    }
    because(subject, "per_year", &per_year.because, found);
}

fn control(subject: &InScenario<'_>, found: &mut Vec<Problem>) {
    let Some(control) = &subject.scenario.control else {
        return;
    };
    if control.breaches.is_empty() {
        let message = "`breaches` is empty";
        let path = at!["control", "breaches"];
        let problem = subject.file.value(Code::ControlWithoutBreaches, path, message);
        found.push(problem.help("name exactly the checks that must breach"));
    }
    because(subject, "control", &control.because, found);
    for (at, check) in control.breaches.iter().enumerate() {
        let path = at!["control", "breaches", at];
        if subject.file.is_sure(path)
            // A check that stands in for a misspelt one is already reported.
            && let Err(why) = can_breach(&subject.scenario.expect, check)
        {
            let message = format!("this scenario has no check `{check}` that could breach");
            found.push(
                subject
                    .file
                    .value(Code::UnknownCheck, path, message)
                    .help(why.to_string()),
            );
        }
    }
}

/// Why a check cannot breach. Displayed as advice.
#[derive(Debug, thiserror::Error)]
enum CannotBreach {
    /// It is a check of the evidence.
    #[error("without evidence a drill is undecided; it breaches nothing")]
    IsEvidence,
    /// It is not made; another one has nearly its name.
    #[error("did you mean `{0}`?")]
    Misspelt(String),
    /// It is not made; those that are.
    #[error("checks follow from `[expect]`; this scenario has: {}", suggest::list(.0))]
    NotMade(Vec<String>),
}

/// Whether a check is made for these expectations, and can breach.
fn can_breach(expect: &Expect, check: &CheckId) -> Result<(), CannotBreach> {
    if check.is_evidence() {
        return Err(CannotBreach::IsEvidence);
    }
    let made = checks_made(expect);
    if made.contains(check) {
        return Ok(());
    }
    let names: Vec<String> = made.iter().map(CheckId::to_string).collect();
    let name = check.to_string();
    Err(match suggest::nearest(&name, names.iter().map(String::as_str)) {
        Some(near) => CannotBreach::Misspelt(near.to_owned()),
        None => CannotBreach::NotMade(names),
    })
}

/// The checks that judging makes for these expectations, without those of the evidence.
fn checks_made(expect: &Expect) -> Vec<CheckId> {
    let mut made = CheckId::ALWAYS_MADE.to_vec();
    made.extend(expect.downtime.iter().map(|_| CheckId::Downtime));
    made.extend(expect.journeys.keys().cloned().map(CheckId::Journey));
    made.extend(expect.bad.map(|_| CheckId::BadAnswers));
    made.extend(expect.deploy.map(|_| CheckId::Deploy));
    made.extend(expect.rollback.iter().map(|_| CheckId::Rollback));
    made.extend(
        expect
            .alerts
            .iter()
            .map(|alert| CheckId::Alert(alert.kind.clone())),
    );
    made.extend(expect.never.iter().copied().map(CheckId::Never));
    made.extend(expect.rungs.iter().cloned().map(CheckId::Rung));
    made.extend(expect.releases.iter().cloned().map(CheckId::Release));
    made.extend(expect.logs.keys().cloned().map(CheckId::Log));
    made
}

fn because(subject: &InScenario<'_>, table: &str, reason: &str, found: &mut Vec<Problem>) {
    if reason.trim().is_empty() {
        let message = format!("`because` of `{table}` is empty");
        let problem = subject
            .file
            .value(Code::EmptyBecause, at![table, "because"], message);
        found.push(problem.help("give the reason, so that a reader can check it"));
    }
}

fn limits(subject: &InScenario<'_>, found: &mut Vec<Problem>) {
    let Some(limits) = &subject.scenario.expect.downtime else {
        return;
    };
    // A limit that stands in for an unreadable one would cross the other by accident.
    let sure = |key: &str| subject.file.is_sure(at!["expect", "downtime", key]);
    if let (Some(least), Some(most)) = (limits.at_least, limits.at_most)
        && least > most
        && sure("at_least")
        && sure("at_most")
    {
        let message = format!("`at_least` ({least}) is above `at_most` ({most})");
        let path = at!["expect", "downtime"];
        found.push(subject.file.value(Code::LimitsCrossed, path, message));
    }
}

fn contradictions(subject: &InScenario<'_>, found: &mut Vec<Problem>) {
    let expect = &subject.scenario.expect;
    for (at, never) in expect.never.iter().enumerate() {
        let other = match never {
            Never::Rollback => expect.rollback.is_some().then_some("rollback"),
            Never::Alert => (!expect.alerts.is_empty()).then_some("alerts"),
            Never::Fallback => None,
        };
        if let Some(other) = other {
            let message = format!("`never` forbids what `{other}` requires");
            let path = at!["expect", "never", at];
            found.push(subject.file.value(Code::Contradiction, path, message));
        }
    }
}

fn releases(subject: &InScenario<'_>, system: &System, found: &mut Vec<Problem>) {
    for name in subject.scenario.releases.keys() {
        if let Err(unknown) = names::service(system, name) {
            let unknown = unknown.coded(Code::ReleaseUnknownService);
            found.push(unknown.at_key(subject.file, at!["releases", name]));
        }
    }
}

fn environment(subject: &InScenario<'_>, system: &System, found: &mut Vec<Problem>) {
    for (name, env) in &subject.scenario.env {
        match names::service(system, name) {
            Err(unknown) => found.push(unknown.at_key(subject.file, at!["env", name])),
            Ok(service) => {
                let path = at!["env", name];
                let placeholders =
                    |placeholder: &str| templates::of_environment(system, service, placeholder);
                services::environment_names(subject.file, path, env, found);
                templates::table(subject.file, path, env, &placeholders, found);
            }
        }
    }
}

/// The scenario's rates are of known journeys, and the total stays below what a prober can send.
fn rates(subject: &InScenario<'_>, system: &System, found: &mut Vec<Problem>) {
    let rates = &subject.scenario.rates;
    for name in rates.keys() {
        if let Err(unknown) = names::journey(system, name) {
            found.push(unknown.at_key(subject.file, at!["rates", name]));
        }
    }
    let total: f64 = system
        .journeys
        .iter()
        .map(|journey| rates.get(&journey.name).unwrap_or(&journey.rate).0)
        .sum();
    let highest = rates.iter().max_by(|(_, a), (_, b)| a.0.total_cmp(&b.0));
    // Without rates of its own the scenario has no part in it: the system's rule reports the total.
    if let (true, Some((name, _))) = (total > journeys::HIGHEST_RATE, highest) {
        found.push(journeys::too_high(subject.file, at!["rates", name], total));
    }
    let of_commands = |name: &String| {
        let mut journeys = system.journeys.iter();
        journeys.any(|journey| journey.name == *name && journey.command.is_some())
    };
    let highest = rates.iter().filter(|(name, _)| of_commands(name));
    let highest = highest.max_by(|(_, a), (_, b)| a.0.total_cmp(&b.0));
    let total = probes::commands_in(subject.scenario, system);
    if let (true, Some((name, _))) = (total > probes::HIGHEST_COMMAND_RATE, highest) {
        found.push(probes::too_many_commands(subject.file, at!["rates", name], total));
    }
}

fn expected_names(subject: &InScenario<'_>, system: &System, found: &mut Vec<Problem>) {
    let expect = &subject.scenario.expect;
    for name in expect.journeys.keys() {
        if let Err(unknown) = names::journey(system, name) {
            found.push(unknown.at_key(subject.file, at!["expect", "journeys", name]));
        }
    }
    for name in expect.logs.keys() {
        if let Err(unknown) = names::service(system, name) {
            found.push(unknown.at_key(subject.file, at!["expect", "logs", name]));
        }
    }
    let release = |name: &str| names::release(subject.scenario, system, name);
    for (at, name) in expect.releases.iter().enumerate() {
        if let Err(unknown) = release(name) {
            found.push(unknown.at_value(subject.file, at!["expect", "releases", at]));
        }
    }
    for (at, name) in expect.rungs.iter().enumerate() {
        if let Err(unknown) = names::fallback(system, name) {
            found.push(unknown.at_value(subject.file, at!["expect", "rungs", at]));
        }
    }
    for (at, alert) in expect.alerts.iter().enumerate() {
        let path = at!["expect", "alerts", at, "kind"];
        if let Err(unknown) = names::alert(system, &alert.kind)
            && subject.file.is_sure(path)
        {
            found.push(unknown.at_value(subject.file, path));
        }
    }
    // A stand-in for an unreadable name would be a second problem of the same mistake.
    let to = at!["expect", "rollback", "to"];
    if let Some(rollback) = expect.rollback.as_ref().filter(|_| subject.file.is_sure(to))
        && let Err(unknown) = release(&rollback.to)
    {
        found.push(unknown.at_value(subject.file, to));
    }
}
