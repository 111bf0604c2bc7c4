//! Rules about what a fault needs of the system: without it, it could never take effect, and its drill would end
//! undecided after minutes instead of at once.
//!
//! Faces the loader through [`SYSTEM_RULES`]; what each fault needs is told by the catalogue.

use serde::de::DeserializeOwned;

use super::super::document::at;
use super::super::problem::{Code, Problem};
use super::super::{LARGEST_FILLED, Requirement, Restart, Scenario, Service, Step, System};
use super::steps::parameter;
use super::{InScenario, OnSystemRule, templates};

/// All of them.
pub(super) const SYSTEM_RULES: &[OnSystemRule] = &[requirements];

/// What is missing: the code, the parameter that is to blame (none: the fault as a whole), what is wrong, the advice.
struct Missing {
    code: Code,
    parameter: Option<&'static str>,
    message: String,
    help: String,
}

fn requirements(subject: &InScenario<'_>, system: &System, found: &mut Vec<Problem>) {
    for (at, step) in subject.scenario.steps.iter().enumerate() {
        let fault = &step.fault.name;
        let kind = subject.faults.iter().find(|kind| kind.name == *fault);
        for requirement in kind.map_or(&[][..], |kind| kind.requires) {
            let Some(missing) = missing(*requirement, subject.scenario, system, step) else {
                continue;
            };
            let problem = match missing.parameter {
                Some(parameter) => {
                    subject
                        .file
                        .value(missing.code, at!["step", at, fault, parameter], missing.message)
                }
                None => subject
                    .file
                    .key(missing.code, at!["step", at, fault], missing.message),
            };
            found.push(problem.help(missing.help));
        }
    }
}

/// What is missing of one requirement. A service or a volume that is not there is a problem of its own.
fn missing(requirement: Requirement, scenario: &Scenario, system: &System, step: &Step) -> Option<Missing> {
    if requirement == Requirement::Alerts {
        return alerts(scenario, system);
    }
    let name = parameter(&step.fault, "service")?;
    let service = system.services.get(name)?;
    match requirement {
        Requirement::Running => running(scenario, name, service, step),
        Requirement::BroughtBack => brought_back(name, service),
        Requirement::SizedVolume => sized_volume(system, name, service, parameter(&step.fault, "volume")?),
        Requirement::LowerLimit => lower_limit(name, service, step),
        Requirement::Alerts => None,
    }
}

fn alerts(scenario: &Scenario, system: &System) -> Option<Missing> {
    let mut services = system.services.keys();
    let told = services.any(|service| templates::speak_of(scenario, system, service, "alerts"));
    (!told).then(|| Missing {
        code: Code::NoAlerts,
        parameter: None,
        message: "no service is told where the alert receiver is, so nobody sends it anything".into(),
        help: "say {alerts} in an argument or a variable of the service that sends alerts".into(),
    })
}

fn running(scenario: &Scenario, name: &str, service: &Service, step: &Step) -> Option<Missing> {
    let starts_it = |other: &&Step| {
        other.at < step.at && other.fault.name == "deploy" && parameter(&other.fault, "service") == Some(name)
    };
    let runs = service.starts || scenario.steps.iter().any(|other| starts_it(&other));
    (!runs).then(|| Missing {
        code: Code::NotRunning,
        parameter: Some("service"),
        message: format!("`{name}` does not run by then"),
        help: format!("it has `starts = false`: deploy a release to `{name}` in an earlier step"),
    })
}

fn brought_back(name: &str, service: &Service) -> Option<Missing> {
    (service.restart != Restart::Always).then(|| Missing {
        code: Code::NothingBringsBack,
        parameter: Some("service"),
        message: format!("nothing brings `{name}` back when its process ends"),
        help: format!("write restart = \"always\" in [service.{name}] of the system file"),
    })
}

fn sized_volume(system: &System, name: &str, service: &Service, volume: &str) -> Option<Missing> {
    let (owner, owners, key) = match service.shares.get(volume).and_then(|share| share.split_once('/')) {
        Some((owner, key)) => (owner, system.services.get(owner)?, key),
        None => (name, service, volume),
    };
    if !owners.volumes.contains_key(key) {
        return None;
    }
    let message = match owners.limits.volume.get(key) {
        None => format!("`{volume}` has no limited size, and the disk of this machine is never filled"),
        Some(size) if *size > LARGEST_FILLED => {
            format!("`{volume}` may have {size}; no more than {LARGEST_FILLED} is filled")
        }
        Some(_) => return None,
    };
    Some(Missing {
        code: Code::VolumeWithoutLimit,
        parameter: Some("volume"),
        message,
        help: format!(
            "write limits = {{ volume = {{ {key} = \"4MiB\" }} }} in [service.{owner}] of the system file"
        ),
    })
}

fn lower_limit(name: &str, service: &Service, step: &Step) -> Option<Missing> {
    let own = &service.limits;
    let (parameter, limit) = no_lower(step, "memory", own.memory)
        .or_else(|| no_lower(step, "cpu", own.cpu))
        .or_else(|| no_lower(step, "pids", own.pids))?;
    Some(Missing {
        code: Code::LimitNotLower,
        parameter: Some(parameter),
        message: format!("`{name}` may have no more than {limit} as it is"),
        help: "ask for less, or raise `limits` in the system file".into(),
    })
}

/// The service's own limit, when the step asks for no less.
fn no_lower<T: DeserializeOwned + PartialOrd + std::fmt::Display>(
    step: &Step,
    parameter: &'static str,
    own: Option<T>,
) -> Option<(&'static str, String)> {
    let asked = step.fault.params.get(parameter)?;
    let asked: T = serde_json::from_value(asked.clone()).ok()?;
    own.filter(|own| asked >= *own)
        .map(|own| (parameter, own.to_string()))
}
