//! Rules about the steps of a scenario: the faults it injects.
//!
//! Takes the steps as written; gives problems to the loader, which runs [`RULES`] and [`SYSTEM_RULES`]. No rule knows a
//! fault: the parameters `service`, `volume` and `file` mean the same in all of them, and so do `from`, `to` and `port`
//! in those of a link.

use std::collections::BTreeSet;
use std::path::{Component, Path};
use std::time::Duration;

use super::super::document::at;
use super::super::problem::{Code, Problem};
use super::super::template::ServiceAddress;
use super::super::{Scenario, System};
use super::{InScenario, OnSystemRule, ScenarioRule, names, templates};

/// Rules about the scenario alone.
pub(super) const RULES: &[ScenarioRule] = &[too_many, too_long, lasting, files];

/// Rules that need its system.
pub(super) const SYSTEM_RULES: &[OnSystemRule] = &[places, links];

/// More steps than this are a mistake of whatever generated them.
const MOST_STEPS: usize = 1000;

fn too_many(subject: &InScenario<'_>, found: &mut Vec<Problem>) {
    let steps = subject.scenario.steps.len();
    if steps > MOST_STEPS {
        let message = format!("too many steps: {steps} (limit: {MOST_STEPS})");
        let problem = subject
            .file
            .value(Code::TooManySteps, at!["step", MOST_STEPS], message);
        found.push(problem);
    }
}

/// A drill is judged with all its samples in memory: half a gigabyte a day at 200 probes a second.
const LONGEST: Duration = Duration::from_secs(86_400);

fn too_long(subject: &InScenario<'_>, found: &mut Vec<Problem>) {
    let timing = &subject.scenario.timing;
    let steps = subject.scenario.steps.iter().enumerate();
    let ends = steps.map(|(at, step)| (at, step.at.0.saturating_add(step.lasting.unwrap_or_default().0)));
    let (last, end) = ends.max_by_key(|(_, end)| *end).unwrap_or_default();
    let parts = [
        (&at!["step", last][..], end),
        (at!["timing", "steady"], timing.steady.0),
        (at!["timing", "quiet"], timing.quiet.0),
        (at!["timing", "settle"], timing.settle.0),
    ];
    let total = parts
        .iter()
        .fold(Duration::ZERO, |total, (_, part)| total.saturating_add(*part));
    if total > LONGEST {
        let (path, _) = parts.iter().max_by_key(|(_, part)| *part).unwrap_or(&parts[0]);
        let message = "the drill may take longer than a day: its steps, and `timing`, together";
        found.push(subject.file.value(Code::DrillTooLong, path, message));
    }
}

fn lasting(subject: &InScenario<'_>, found: &mut Vec<Problem>) {
    for (at, step) in subject.scenario.steps.iter().enumerate() {
        let kind = subject.faults.iter().find(|kind| kind.name == step.fault.name);
        // An unknown fault is reported by the structural check.
        if step.lasting.is_some() && kind.is_some_and(|kind| !kind.lasts) {
            let message = format!("`{}` has nothing to revert after a time", step.fault.name);
            let problem = subject
                .file
                .key(Code::ForOnInstantFault, at!["step", at, "for"], message);
            found.push(problem.help("remove `for`"));
        }
    }
}

fn files(subject: &InScenario<'_>, found: &mut Vec<Problem>) {
    for (at, step) in subject.scenario.steps.iter().enumerate() {
        let Some(file) = step.fault.text("file") else {
            continue;
        };
        // `..` or an absolute path would damage a file of the machine instead of the service's.
        let inside = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
        if file.is_empty() || !Path::new(file).components().all(inside) {
            let message = format!("`{file}` is not a path inside the volume");
            let path = at!["step", at, &step.fault.name, "file"];
            let problem = subject.file.value(Code::PathEscapesVolume, path, message);
            found.push(problem.help("use a path relative to the volume, without `..`"));
        }
    }
}

/// `service` names a service, `volume` one of its volumes.
fn places(subject: &InScenario<'_>, system: &System, found: &mut Vec<Problem>) {
    for (at, step) in subject.scenario.steps.iter().enumerate() {
        let Some(name) = step.fault.text("service") else {
            continue;
        };
        let fault = &step.fault.name;
        match names::service(system, name) {
            Err(unknown) => {
                found.push(unknown.at_value(subject.file, at!["step", at, fault, "service"]));
            }
            Ok(service) => {
                let volume = step
                    .fault
                    .text("volume")
                    .map(|volume| names::volume(service, volume));
                if let Some(Err(unknown)) = volume {
                    found.push(unknown.at_value(subject.file, at!["step", at, fault, "volume"]));
                }
            }
        }
    }
}

/// The name of the users, where a link begins at them.
pub const USER: &str = "user";

/// `to` names a service, `port` one of its ports, and `from` connects to it.
fn links(subject: &InScenario<'_>, system: &System, found: &mut Vec<Problem>) {
    for (at, step) in subject.scenario.steps.iter().enumerate() {
        let Some(to) = step.fault.text("to") else {
            continue;
        };
        let (fault, file) = (&step.fault.name, subject.file);
        let port = step.fault.text("port");
        let reached = names::service(system, to)
            .map_err(|unknown| unknown.at_value(file, at!["step", at, fault, "to"]))
            .and_then(|service| {
                let key = if port.is_some() { "port" } else { "to" };
                names::reached(to, service, port)
                    .map_err(|unknown| unknown.at_value(file, at!["step", at, fault, key]))
            });
        let from = step.fault.text("from").unwrap_or(USER);
        // Both ends are checked before the link, so that a file with two wrong names shows both.
        let begins = match from {
            USER => Ok(()),
            from => names::service(system, from)
                .map(drop)
                .map_err(|unknown| unknown.at_value(file, at!["step", at, fault, "from"])),
        };
        let link = match (reached, begins) {
            (Ok(()), Ok(())) => leads(subject.scenario, system, from, to, port),
            (reached, begins) => {
                found.extend([reached, begins].into_iter().filter_map(Result::err));
                continue;
            }
        };
        if let Err((message, help)) = link {
            let problem = file.value(Code::NoSuchLink, at!["step", at, fault, "to"], message);
            found.push(problem.help(help));
        }
    }
}

/// Whether one connects to the other: users to what journeys ask, a service to those whose address it has. If not, what is
/// wrong, and advice.
fn leads(
    scenario: &Scenario,
    system: &System,
    from: &str,
    to: &str,
    port: Option<&str>,
) -> Result<(), (String, String)> {
    if from == USER {
        // A missing entry is reported by another rule.
        let only = system.services.keys().next();
        let entry = system.entry.as_ref().or(only).map_or(to, String::as_str);
        let mut asked: BTreeSet<_> = (system.journeys.iter())
            .flat_map(|journey| journey.reaches(entry))
            .collect();
        if asked.is_empty() {
            asked.insert((entry.to_owned(), None));
        }
        // A proxy anywhere else would see none of the journeys' requests.
        if asked.contains(&(to.to_owned(), port.map(str::to_owned))) {
            return Ok(());
        }
        let place = |(service, port): &(String, Option<String>)| match port {
            Some(port) => format!("the port `{port}` of `{service}`"),
            None => format!("the main port of `{service}`"),
        };
        let places: Vec<String> = asked.iter().map(place).collect();
        return Err((
            format!("users connect to {} only", places.join(", ")),
            format!("use to = \"{entry}\", or name in `from` the service that connects to `{to}`"),
        ));
    }
    let has_address = templates::has_placeholder(scenario, system, from, |name| {
        let address = name.strip_prefix("service.").map(ServiceAddress::parse);
        address.is_some_and(|address| address.service == to && address.port == port)
    });
    if has_address {
        return Ok(());
    }
    let placeholder = match port {
        Some(port) => format!("service.{to}.{port}"),
        None => format!("service.{to}"),
    };
    Err((
        format!("`{from}` does not have the address of `{to}`"),
        format!("a link exists where an argument or environment variable of `{from}` has {{{placeholder}}}"),
    ))
}
