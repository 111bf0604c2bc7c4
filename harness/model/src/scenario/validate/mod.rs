//! Rules beyond the structure of a file.
//!
//! Takes what the loader could read; gives one problem, with a stable [`Code`](super::Code) and its place, for each
//! violation. A rule is a small function that checks one thing; each module lists its rules in a table. A new rule is a
//! function, a line in the table, a code, and a file in `scenarios/invalid/`.

mod expectations;
mod journeys;
mod measurable;
mod names;
mod probes;
mod readiness;
mod requirements;
mod services;
mod sources;
mod steps;
mod templates;
mod tls;
mod visits;

pub use steps::USER;

use std::path::Path;

use super::document::{Document, at};
use super::problem::{Code, Problem};
use super::{FaultKind, Project, Scenario, System};

/// A system with its file.
pub(super) struct InSystem<'a> {
    pub(super) file: &'a Document,
    pub(super) system: &'a System,
    /// The folder that its relative paths are relative to.
    pub(super) folder: &'a Path,
}

/// A scenario with its file and, when that could be read, its system.
pub(super) struct InScenario<'a> {
    pub(super) file: &'a Document,
    pub(super) scenario: &'a Scenario,
    pub(super) system: Option<&'a System>,
    pub(super) faults: &'a [FaultKind],
}

/// Runs all rules over a system.
pub(super) fn system(subject: &InSystem<'_>, found: &mut Vec<Problem>) {
    summary(subject.file, &subject.system.summary, found);
    let rules = [
        services::RULES,
        readiness::RULES,
        tls::RULES,
        journeys::RULES,
        probes::RULES,
        sources::RULES,
    ];
    for rule in rules.into_iter().flatten() {
        rule(subject, found);
    }
}

/// Runs all rules over a scenario.
pub(super) fn scenario(subject: &InScenario<'_>, found: &mut Vec<Problem>) {
    summary(subject.file, &subject.scenario.summary, found);
    let rules = [steps::RULES, expectations::RULES, measurable::RULES];
    for rule in rules.into_iter().flatten() {
        rule(subject, found);
    }
    // A system that cannot be read is reported by itself; every name in it would seem unknown.
    if let Some(system) = subject.system {
        let rules = [
            steps::SYSTEM_RULES,
            requirements::SYSTEM_RULES,
            expectations::SYSTEM_RULES,
            measurable::SYSTEM_RULES,
        ];
        for rule in rules.into_iter().flatten() {
            rule(subject, system, found);
        }
    }
}

/// Runs all rules over a project's settings.
pub(super) fn project(file: &Document, project: &Project, found: &mut Vec<Problem>) {
    let budget = project.budget;
    if budget.downtime.0.is_zero() || budget.downtime > budget.window {
        let message = format!(
            "a budget of {} in {} is not valid",
            budget.downtime, budget.window
        );
        let problem = file.value(Code::EmptyBudget, at!["budget"], message);
        found.push(problem.help("`downtime` must be above zero and at most `window`"));
    }
}

/// A rule about a system.
type SystemRule = fn(&InSystem<'_>, &mut Vec<Problem>);

/// A rule about a scenario alone.
type ScenarioRule = fn(&InScenario<'_>, &mut Vec<Problem>);

/// A rule about a scenario on its system.
type OnSystemRule = fn(&InScenario<'_>, &System, &mut Vec<Problem>);

fn summary(file: &Document, summary: &str, found: &mut Vec<Problem>) {
    if summary.trim().is_empty() {
        let problem = file.value(Code::EmptySummary, at!["summary"], "the summary is empty");
        found.push(problem.help("write one sentence: what goes wrong and what it shows"));
    }
}
