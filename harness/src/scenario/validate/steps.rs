//! Rules about the steps of a scenario: the faults it injects.
//!
//! Faces the loader through [`RULES`] and [`SYSTEM_RULES`]. Faults are known only by what the catalogue tells of them;
//! parameters called `service`, `volume` and `file` mean the same in all of them.

use std::path::{Component, Path};

use serde_json::Value;

use super::super::document::at;
use super::super::problem::{Code, Problem};
use super::super::{FaultCall, System};
use super::{InScenario, OnSystemRule, ScenarioRule, names};

/// Those about the scenario alone.
pub(super) const RULES: &[ScenarioRule] = &[too_many, lasting, files];

/// Those that need its system.
pub(super) const SYSTEM_RULES: &[OnSystemRule] = &[places];

/// More steps than this in one drill are generated, and by mistake.
const MOST_STEPS: usize = 1000;

fn too_many(subject: &InScenario<'_>, found: &mut Vec<Problem>) {
    let steps = subject.scenario.steps.len();
    if steps > MOST_STEPS {
        let message = format!("{steps} steps; a drill has at most {MOST_STEPS}");
        let problem = subject
            .file
            .value(Code::TooManySteps, at!["step", MOST_STEPS], message);
        found.push(problem);
    }
}

fn lasting(subject: &InScenario<'_>, found: &mut Vec<Problem>) {
    for (at, step) in subject.scenario.steps.iter().enumerate() {
        let kind = subject.faults.iter().find(|kind| kind.name == step.fault.name);
        if step.lasting.is_some() && kind.is_some_and(|kind| !kind.lasts) {
            let message = format!(
                "`{}` happens at once; there is nothing to revert",
                step.fault.name
            );
            let problem = subject
                .file
                .key(Code::ForOnInstantFault, at!["step", at, "for"], message);
            found.push(problem.help("leave `for` away"));
        }
    }
}

fn files(subject: &InScenario<'_>, found: &mut Vec<Problem>) {
    for (at, step) in subject.scenario.steps.iter().enumerate() {
        let Some(file) = parameter(&step.fault, "file") else {
            continue;
        };
        let inside = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
        if file.is_empty() || !Path::new(file).components().all(inside) {
            let message = format!("`{file}` is not a file within the volume");
            let path = at!["step", at, &step.fault.name, "file"];
            let problem = subject.file.value(Code::PathEscapesVolume, path, message);
            found.push(problem.help("a path relative to the volume, without `..`"));
        }
    }
}

/// `service` names a service, `volume` one of its volumes.
fn places(subject: &InScenario<'_>, system: &System, found: &mut Vec<Problem>) {
    for (at, step) in subject.scenario.steps.iter().enumerate() {
        let Some(name) = parameter(&step.fault, "service") else {
            continue;
        };
        let fault = &step.fault.name;
        match names::service(system, name) {
            Err(unknown) => {
                found.push(unknown.at_value(subject.file, at!["step", at, fault, "service"]));
            }
            Ok(service) => {
                let volume = parameter(&step.fault, "volume").map(|volume| names::volume(service, volume));
                if let Some(Err(unknown)) = volume {
                    found.push(unknown.at_value(subject.file, at!["step", at, fault, "volume"]));
                }
            }
        }
    }
}

fn parameter<'f>(fault: &'f FaultCall, name: &str) -> Option<&'f str> {
    fault.params.get(name).and_then(Value::as_str)
}
