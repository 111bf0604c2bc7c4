//! Looking up names, and the problem of an unknown one.
//!
//! Takes a system and a name; gives what the name refers to, or [`Unknown`] with the nearest known name. All rules that
//! follow a reference use it, so that the same mistake has the same words everywhere.

use std::collections::BTreeMap;

use super::super::document::Document;
use super::super::problem::{Code, Problem};
use super::super::tree::Step;
use super::super::{Scenario, Service, System, suggest};

/// A name that refers to nothing: the code, what is wrong, and the advice.
#[derive(Debug)]
pub(super) struct Unknown {
    pub(super) code: Code,
    pub(super) message: String,
    pub(super) help: String,
}

impl Unknown {
    fn new<'n>(code: Code, message: String, name: &str, known: impl IntoIterator<Item = &'n str>) -> Self {
        Self {
            code,
            message,
            help: suggest::advice(name, known),
        }
    }

    /// The problem of the value at the end of the path.
    pub(super) fn at_value(self, file: &Document, path: &[Step<'_>]) -> Problem {
        file.value(self.code, path, self.message).help(self.help)
    }

    /// The problem of the key at the end of the path.
    pub(super) fn at_key(self, file: &Document, path: &[Step<'_>]) -> Problem {
        file.key(self.code, path, self.message).help(self.help)
    }

    /// The same under another code.
    pub(super) fn coded(self, code: Code) -> Self {
        Self { code, ..self }
    }
}

/// The service of a name.
pub(super) fn service<'s>(system: &'s System, name: &str) -> Result<&'s Service, Unknown> {
    system.services.get(name).ok_or_else(|| {
        let message = format!("unknown service `{name}`");
        Unknown::new(Code::UnknownService, message, name, keys(&system.services))
    })
}

/// Checks that the system has a journey of this name.
pub(super) fn journey(system: &System, name: &str) -> Result<(), Unknown> {
    let names = || system.journeys.iter().map(|journey| journey.name.as_str());
    if names().any(|known| known == name) {
        return Ok(());
    }
    let message = format!("unknown journey `{name}`");
    Err(Unknown::new(Code::UnknownJourney, message, name, names()))
}

/// Checks that a journey can be answered by this fallback. Where a journey does not name its fallbacks, any may be right.
pub(super) fn fallback(system: &System, name: &str) -> Result<(), Unknown> {
    let declared = || {
        system
            .journeys
            .iter()
            .filter_map(|journey| journey.fallback.as_ref())
    };
    let names = || {
        declared()
            .flat_map(|fallback| &fallback.rungs)
            .map(String::as_str)
    };
    let all_named = declared().next().is_some() && declared().all(|fallback| !fallback.rungs.is_empty());
    if !all_named || names().any(|known| known == name) {
        return Ok(());
    }
    let message = format!("unknown fallback `{name}`");
    Err(Unknown::new(Code::UnknownFallback, message, name, names()))
}

/// Checks that the services send alerts of this kind. Where the system does not name the kinds, any may be right.
pub(super) fn alert(system: &System, kind: &str) -> Result<(), Unknown> {
    let names = || system.alert_kinds.iter().map(String::as_str);
    if system.alert_kinds.is_empty() || names().any(|known| known == kind) {
        return Ok(());
    }
    let message = format!("unknown kind of alert `{kind}`");
    Err(Unknown::new(Code::UnknownAlert, message, kind, names()))
}

/// Checks that a service starts as this release, or that a step deploys it. Where a service that is deployed to has no
/// release of its own, only its answers say what it starts as, and any name may be right.
pub(super) fn release(scenario: &Scenario, system: &System, name: &str) -> Result<(), Unknown> {
    let started_as = |service: &str| {
        let own = system.services.get(service).filter(|service| service.starts);
        let own = own.map(|service| service.release.as_str());
        scenario.releases.get(service).map(String::as_str).or(own)
    };
    let deploys = || scenario.steps.iter().filter(|step| step.fault.is_deploy());
    let mut to = deploys().filter_map(|step| step.fault.text("service"));
    if to.any(|service| started_as(service) == Some("")) {
        return Ok(());
    }
    let started = keys(&system.services).filter_map(started_as);
    let deployed = deploys().filter_map(|step| step.fault.text("release"));
    let mut known: Vec<&str> = started.chain(deployed).collect();
    known.retain(|release| !release.is_empty());
    known.sort_unstable();
    known.dedup();
    if known.is_empty() || known.contains(&name) {
        return Ok(());
    }
    let message = format!("unknown release `{name}`: no service starts with it, and no step deploys it");
    Err(Unknown::new(Code::UnknownRelease, message, name, known))
}

/// Checks that the service has this volume, or shares it.
pub(super) fn volume(service: &Service, name: &str) -> Result<(), Unknown> {
    let names = || keys(&service.volumes).chain(keys(&service.shares));
    if names().any(|known| known == name) {
        return Ok(());
    }
    let message = format!("the service has no volume `{name}`");
    Err(Unknown::new(Code::UnknownVolume, message, name, names()))
}

/// Checks that the service has a port of this name.
pub(super) fn port(service: &Service, name: &str) -> Result<(), Unknown> {
    if service.ports.contains_key(name) {
        return Ok(());
    }
    let message = format!("the service has no port `{name}`");
    Err(Unknown::new(
        Code::UnknownPort,
        message,
        name,
        keys(&service.ports),
    ))
}

/// Checks that the service of this name can be reached: at a port with a name, or at its main one.
pub(super) fn reached(name: &str, service: &Service, at: Option<&str>) -> Result<(), Unknown> {
    match at {
        Some(at) => port(service, at),
        None => main_port(&format!("`{name}`"), service),
    }
}

/// Checks that the service has a main port. `who` says which service it is, for the message.
pub(super) fn main_port(who: &str, service: &Service) -> Result<(), Unknown> {
    if service.port.is_some() {
        return Ok(());
    }
    Err(Unknown {
        code: Code::NoPort,
        message: format!("{who} has no port"),
        help: "give it one: `port = 8080`, say".into(),
    })
}

/// Checks that the records exist and have this field.
pub(super) fn field(system: &System, record: &str, field: &str) -> Result<(), Unknown> {
    let known = system.records.get(record);
    let records = known.ok_or_else(|| records(system, record))?;
    if records.fields.contains_key(field) {
        return Ok(());
    }
    let message = format!("the records `{record}` have no field `{field}`");
    Err(Unknown::new(
        Code::UnknownField,
        message,
        field,
        keys(&records.fields),
    ))
}

/// The problem of unknown records.
pub(super) fn records(system: &System, name: &str) -> Unknown {
    let message = format!("unknown records `{name}`");
    Unknown::new(Code::UnknownRecord, message, name, keys(&system.records))
}

/// Reports a name that cannot be part of a template, a host name or a container name.
pub(super) fn well_formed(file: &Document, path: &[Step<'_>], name: &str, found: &mut Vec<Problem>) {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    // With the run's id it is part of a host name, whose labels have at most 63 characters.
    if name.is_empty() || name.len() > 40 || !name.chars().all(fits) {
        let problem = file.key(Code::BadName, path, format!("`{name}` is not a valid name"));
        found.push(problem.help("use up to 40 ASCII letters, digits, `-` and `_`"));
    }
}

fn keys<T>(table: &BTreeMap<String, T>) -> impl Iterator<Item = &str> {
    table.keys().map(String::as_str)
}
