//! Rules about what a fault needs of the system: without it, it could never take effect, and its drill would end
//! undecided after minutes instead of at once.
//!
//! Takes the requirements that the catalogue lists for each fault; gives problems to the loader.

use serde::de::DeserializeOwned;

use super::super::document::at;
use super::super::problem::{Code, Problem};
use super::super::{Action, Journey, LARGEST_FILLED, Requirement, Restart, Scenario, Service, Step, System};
use super::steps::USER;
use super::{InScenario, OnSystemRule, templates};

/// All of them.
pub(super) const SYSTEM_RULES: &[OnSystemRule] = &[requirements];

/// What is missing: the code, the parameter at fault (`None`: the fault as a whole), what is wrong, the advice.
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

/// What one requirement lacks. An unknown service or volume is reported by another rule.
fn missing(requirement: Requirement, scenario: &Scenario, system: &System, step: &Step) -> Option<Missing> {
    // These are about all services and about a link; every other requirement is about the service that the fault names.
    match requirement {
        Requirement::Alerts => return alerts(scenario, system),
        Requirement::ReadableLink => return readable_link(system, step),
        _ => {}
    }
    let name = step.fault.text("service")?;
    let service = system.services.get(name)?;
    match requirement {
        Requirement::Running => running(scenario, name, service, step),
        Requirement::BroughtBack => brought_back(name, service),
        Requirement::SizedVolume => sized_volume(system, name, service, step.fault.text("volume")?),
        Requirement::LowerLimit => lower_limit(name, service, step),
        Requirement::Alerts | Requirement::ReadableLink => None,
    }
}

/// A proxy on a link has no certificate of the service, and reads HTTP/1.1 alone.
fn readable_link(system: &System, step: &Step) -> Option<Missing> {
    let to = step.fault.text("to")?;
    let port = step.fault.text("port");
    let other = || {
        let entry = system.entry_name();
        let at_link = |journey: &&Journey| {
            let key = (to.to_owned(), port.map(str::to_owned));
            !matches!(journey.action(), Some(Action::Http) | None) && journey.reaches(entry).contains(&key)
        };
        let is_users = step.fault.text("from").is_none_or(|from| from == USER);
        system
            .journeys
            .iter()
            .filter(|_| is_users)
            .any(|journey| at_link(&journey))
            .then_some("a protocol that is not HTTP")
    };
    let traffic = system.services.get(to)?.unreadable_at(port).or_else(other)?;
    Some(Missing {
        code: Code::UnreadableLink,
        parameter: Some("to"),
        message: format!("`{to}` is asked over {traffic}: a proxy on the link cannot read its requests"),
        help: "use a fault of connections or bytes, such as `latency`, `reset` or `blackhole`".into(),
    })
}

fn alerts(scenario: &Scenario, system: &System) -> Option<Missing> {
    let mut services = system.services.keys();
    let known = services
        .any(|service| templates::has_placeholder(scenario, system, service, |name| name == "alerts"));
    (!known).then(|| Missing {
        code: Code::NoAlerts,
        parameter: None,
        message: "no service has the address of the alert receiver, so no alert can arrive".into(),
        help: "use {alerts} in an argument or environment variable of the service that sends alerts".into(),
    })
}

fn running(scenario: &Scenario, name: &str, service: &Service, step: &Step) -> Option<Missing> {
    let starts_it = |other: &&Step| {
        // Strictly earlier: at the same instant nothing says which of the two is first.
        other.at < step.at && other.fault.is_deploy() && other.fault.text("service") == Some(name)
    };
    let runs = service.starts || scenario.steps.iter().any(|other| starts_it(&other));
    (!runs).then(|| Missing {
        code: Code::NotRunning,
        parameter: Some("service"),
        message: format!("`{name}` is not running at that time"),
        help: format!("it has `starts = false`: deploy a release to `{name}` in an earlier step"),
    })
}

fn brought_back(name: &str, service: &Service) -> Option<Missing> {
    (service.restart != Restart::Always).then(|| Missing {
        code: Code::NothingBringsBack,
        parameter: Some("service"),
        message: format!("nothing restarts `{name}` when its process ends"),
        help: format!("set restart = \"always\" in [service.{name}] of the system file"),
    })
}

fn sized_volume(system: &System, name: &str, service: &Service, volume: &str) -> Option<Missing> {
    // A shared volume has the limit that its owner sets.
    let (owner, owners, key) = match service.shares.get(volume).and_then(|share| share.split_once('/')) {
        Some((owner, key)) => (owner, system.services.get(owner)?, key),
        None => (name, service, volume),
    };
    // An unknown volume is reported by another rule.
    if !owners.volumes.contains_key(key) {
        return None;
    }
    let message = match owners.limits.volume.get(key) {
        None => {
            format!("`{volume}` has no size limit; without one, the disk of this machine would be filled")
        }
        Some(size) if *size > LARGEST_FILLED => {
            format!("`{volume}` is limited to {size}; at most {LARGEST_FILLED} can be filled")
        }
        Some(_) => return None,
    };
    Some(Missing {
        code: Code::VolumeWithoutLimit,
        parameter: Some("volume"),
        message,
        help: format!(
            "set limits = {{ volume = {{ {key} = \"4MiB\" }} }} in [service.{owner}] of the system file"
        ),
    })
}

fn lower_limit(name: &str, service: &Service, step: &Step) -> Option<Missing> {
    let limits = &service.limits;
    let (parameter, limit) = no_lower(step, "memory", limits.memory)
        .or_else(|| no_lower(step, "cpu", limits.cpu))
        .or_else(|| no_lower(step, "pids", limits.pids))?;
    Some(Missing {
        code: Code::LimitNotLower,
        parameter: Some(parameter),
        message: format!("`{name}` is already limited to {limit}"),
        help: "use a lower value, or raise `limits` in the system file".into(),
    })
}

/// The service's present limit, when the step does not ask for less.
fn no_lower<T: DeserializeOwned + PartialOrd + std::fmt::Display>(
    step: &Step,
    parameter: &'static str,
    limit: Option<T>,
) -> Option<(&'static str, String)> {
    let asked = step.fault.params.get(parameter)?;
    // A value that cannot be read is reported by the structural check.
    let asked: T = serde_json::from_value(asked.clone()).ok()?;
    limit
        .filter(|limit| asked >= *limit)
        .map(|limit| (parameter, limit.to_string()))
}
