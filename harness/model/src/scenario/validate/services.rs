//! Rules about the services of a system, and about how a release reaches them.
//!
//! Takes a system; gives problems to the loader, which runs [`RULES`].

use std::collections::{BTreeMap, BTreeSet};

use super::super::document::{Document, at};
use super::super::problem::{Code, Problem};
use super::super::template::AddressPart;
use super::super::tree::Step;
use super::super::{Build, DeployAction, Service, System, Texts};
use super::{InSystem, SystemRule, journeys, names, templates};

/// All rules.
pub(super) const RULES: &[SystemRule] = &[
    too_many,
    entry,
    service_names,
    after,
    after_cycle,
    ports,
    volumes,
    shares,
    volume_limits,
    programs,
    environment,
    service_templates,
    deploy,
];

/// Each is a container or a process of its own, several drills run at a time, and all of them on one machine.
const MOST_SERVICES: usize = 64;

fn too_many(InSystem { file, system, .. }: &InSystem<'_>, found: &mut Vec<Problem>) {
    let services = system.services.len();
    if services > MOST_SERVICES {
        let message = format!("too many services: {services} (limit: {MOST_SERVICES})");
        found.push(file.key(Code::TooManyServices, at!["service"], message));
    }
}

fn entry(InSystem { file, system, .. }: &InSystem<'_>, found: &mut Vec<Problem>) {
    match &system.entry {
        // Before the entry: without services its name cannot be right.
        _ if system.services.is_empty() => {
            let problem = file.key(Code::NoServices, at!["service"], "the system has no services");
            found.push(problem.help("add one: `[service.app]`"));
        }
        Some(name) => {
            let entry = names::service(system, name);
            let reached = entry.and_then(|service| names::reached(name, service, None));
            if let Err(unknown) = reached {
                found.push(unknown.at_value(file, at!["entry"]));
            }
        }
        // With one service there is no choice.
        None if system.services.len() > 1 => {
            let message = "missing key `entry`: with several services, it names the one that users talk to";
            let problem = file.key(Code::EntryMissing, at!["service"], message);
            let first = system.services.keys().next().map_or("", String::as_str);
            found.push(problem.help(format!("for example: entry = \"{first}\"")));
        }
        None => {
            let only = system.services.iter().next();
            let reached = only.map(|(name, service)| (name, names::reached(name, service, None)));
            if let Some((name, Err(unknown))) = reached {
                found.push(unknown.at_key(file, at!["service", name]));
            }
        }
    }
}

fn service_names(InSystem { file, system, .. }: &InSystem<'_>, found: &mut Vec<Problem>) {
    for (name, service) in &system.services {
        names::well_formed(file, at!["service", name], name, found);
        for (table, keys) in [
            ("ports", service.ports.keys().collect::<Vec<_>>()),
            ("volumes", service.volumes.keys().collect()),
            ("shares", service.shares.keys().collect()),
        ] {
            for key in keys {
                names::well_formed(file, at!["service", name, table, key], key, found);
            }
        }
    }
}

fn after(InSystem { file, system, .. }: &InSystem<'_>, found: &mut Vec<Problem>) {
    for (name, service) in &system.services {
        for (at, first) in service.after.iter().enumerate() {
            if let Err(unknown) = names::service(system, first) {
                found.push(unknown.at_value(file, at!["service", name, "after", at]));
            }
        }
    }
}

/// Removes, until nothing changes, every service that waits for none of the rest: what is left waits in a cycle.
fn after_cycle(InSystem { file, system, .. }: &InSystem<'_>, found: &mut Vec<Problem>) {
    let mut left: BTreeMap<&str, &Service> = system
        .services
        .iter()
        .map(|(name, service)| (name.as_str(), service))
        .collect();
    loop {
        let names: BTreeSet<&str> = left.keys().copied().collect();
        left.retain(|_, service| service.after.iter().any(|first| names.contains(first.as_str())));
        if left.len() == names.len() {
            break;
        }
    }
    let Some((start, _)) = left.first_key_value() else {
        return;
    };
    // What is left may also wait for a cycle without being in it: only the cycle itself is shown.
    let circle = circle(start, &left);
    let message = format!("services wait for each other: {}", circle.join(" → "));
    let problem = file.value(Code::AfterCycle, at!["service", circle[0], "after"], message);
    found.push(problem.help("remove one of them from `after`"));
}

/// One cycle among services that all wait for another, with the same service first and last.
fn circle<'s>(start: &'s str, left: &BTreeMap<&'s str, &'s Service>) -> Vec<&'s str> {
    let mut way = vec![start];
    loop {
        let service = way.last().and_then(|name| left.get(name));
        let next = service.and_then(|service| {
            let mut waits = service.after.iter().map(String::as_str);
            waits.find(|first| left.contains_key(first))
        });
        let Some(next) = next else {
            return way;
        };
        // Back at a service of the way: the services before it only lead into the cycle.
        if let Some(at) = way.iter().position(|name| *name == next) {
            way.push(next);
            return way.split_off(at);
        }
        way.push(next);
    }
}

fn ports(InSystem { file, system, .. }: &InSystem<'_>, found: &mut Vec<Problem>) {
    for (name, service) in &system.services {
        // Within one service only: each service has an address of its own.
        let mut seen = BTreeSet::from_iter(service.port);
        if let Some(port) = service.port {
            port_zero(file, at!["service", name, "port"], port, found);
        }
        for (key, port) in &service.ports {
            let path = at!["service", name, "ports", key];
            port_zero(file, path, *port, found);
            if AddressPart::WORDS.iter().any(|(word, _)| word == key) {
                let message = format!(
                    "a port cannot be called `{key}`: {{service.{name}.{key}}} is a part of the address"
                );
                let problem = file.key(Code::ReservedPort, path, message);
                found.push(problem.help("give the port another name"));
            }
            if !seen.insert(*port) {
                let message = format!("`{name}` already uses port {port}");
                found.push(file.value(Code::DuplicatePort, path, message));
            }
        }
    }
}

fn port_zero(file: &Document, path: &[Step<'_>], port: u16, found: &mut Vec<Problem>) {
    if port == 0 {
        let problem = file.value(Code::PortZero, path, "port 0 is not a valid port");
        found.push(
            problem.help("use a number from 1 to 65535; ports of other services do not conflict with it"),
        );
    }
}

fn volumes(InSystem { file, system, .. }: &InSystem<'_>, found: &mut Vec<Problem>) {
    for (name, service) in &system.services {
        let mut seen = BTreeSet::new();
        for (key, folder) in &service.volumes {
            let path = at!["service", name, "volumes", key];
            if !folder.starts_with('/') {
                let message = format!("`{folder}` is not an absolute path");
                let problem = file.value(Code::VolumePathRelative, path, message);
                found.push(problem.help(format!("use a path inside the container, such as \"/{key}\"")));
            }
            // `/data` and `/data/` are one mount point.
            if !seen.insert(folder.trim_end_matches('/')) {
                let message = format!("`{name}` already has a volume at {folder}");
                found.push(file.value(Code::DuplicateVolume, path, message));
            }
        }
    }
}

fn shares(InSystem { file, system, .. }: &InSystem<'_>, found: &mut Vec<Problem>) {
    for (name, service) in &system.services {
        for (key, share) in &service.shares {
            let path = at!["service", name, "shares", key];
            // Its own volumes and the shared ones are one list of placeholders: `{volume.NAME}`.
            if service.volumes.contains_key(key) {
                let message = format!("`{name}` already has a volume `{key}`");
                found.push(file.key(Code::DuplicateVolume, path, message));
            }
            if !is_shared(system, name, share) {
                let message = format!("`{share}` is not a volume of another service");
                let problem = file.value(Code::ShareOfNothing, path, message);
                found.push(problem.help(match others(system, name).as_slice() {
                    [] => "no other service has a volume".to_owned(),
                    others => format!("write \"SERVICE/VOLUME\"; available: {}", others.join(", ")),
                }));
            }
        }
    }
}

fn is_shared(system: &System, name: &str, share: &str) -> bool {
    share.split_once('/').is_some_and(|(service, volume)| {
        let owner = system.services.get(service);
        // A share of one's own volume would be a second mount of it.
        service != name && owner.is_some_and(|owner| owner.volumes.contains_key(volume))
    })
}

/// The volumes of all services but one.
fn others(system: &System, name: &str) -> Vec<String> {
    let services = system.services.iter().filter(|(other, _)| *other != name);
    services
        .flat_map(|(other, service)| {
            service
                .volumes
                .keys()
                .map(move |volume| format!("`{other}/{volume}`"))
        })
        .collect()
}

fn volume_limits(InSystem { file, system, .. }: &InSystem<'_>, found: &mut Vec<Problem>) {
    for (name, service) in &system.services {
        for volume in service.limits.volume.keys() {
            let path = at!["service", name, "limits", "volume", volume];
            // The owner makes the volume, so only its limit can have an effect.
            if let Some(share) = service.shares.get(volume) {
                let message = format!("`{volume}` is shared from `{share}`: set its limit there");
                found.push(file.key(Code::UnknownVolume, path, message));
            } else if let Err(unknown) = names::volume(service, volume) {
                found.push(unknown.at_key(file, path));
            }
        }
    }
}

fn programs(InSystem { file, system, .. }: &InSystem<'_>, found: &mut Vec<Problem>) {
    for (name, service) in &system.services {
        match &service.build {
            Build::Command(argv) => {
                command(file, at!["service", name, "build", "command"], argv, found);
                let placeholders = |placeholder: &str| templates::of_service(system, service, placeholder);
                for (at, word) in argv.iter().enumerate() {
                    let path = at!["service", name, "build", "command", at];
                    templates::one(file, path, word, &placeholders, found);
                }
            }
            Build::Image(image) => {
                let path = at!["service", name, "build", "image"];
                templates::one(file, path, image, &templates::of_image, found);
            }
            Build::Dockerfile(built) => {
                let path = at!["service", name, "build", "dockerfile", "args"];
                templates::table(file, path, &built.args, &templates::of_image, found);
            }
            Build::Package { .. } => {}
        }
        working_folder(file, name, service, found);
    }
}

/// Only a command runs here, in a folder of this machine.
fn working_folder(file: &Document, name: &str, service: &Service, found: &mut Vec<Problem>) {
    if service.working_folder.is_some() && !matches!(service.build, Build::Command(_)) {
        let path = at!["service", name, "working_folder"];
        let problem = file.key(
            Code::NoWorkingFolder,
            path,
            "only a `command` has a working folder",
        );
        found.push(problem.help("an image or a package runs in a folder of its own"));
    }
}

/// Reports a command without a program.
pub(super) fn command(file: &Document, path: &[Step<'_>], argv: &[String], found: &mut Vec<Problem>) {
    if argv.first().is_none_or(String::is_empty) {
        let problem = file.value(Code::EmptyCommand, path, "the command has no program");
        found.push(problem.help("write the program and its arguments: [\"program\", \"argument\"]"));
    }
}

fn environment(InSystem { file, system, .. }: &InSystem<'_>, found: &mut Vec<Problem>) {
    for (name, service) in &system.services {
        environment_names(file, at!["service", name, "env"], &service.env, found);
    }
}

/// Reports names that an environment variable cannot have.
pub(super) fn environment_names(file: &Document, path: &[Step<'_>], env: &Texts, found: &mut Vec<Problem>) {
    for key in env.keys() {
        if key.is_empty() || key.contains(['=', '\0']) || key.contains(char::is_whitespace) {
            let message = format!("`{key}` is not a valid name of an environment variable");
            found.push(file.key(Code::BadEnvName, &[path, &[key.into()]].concat(), message));
        }
    }
}

fn service_templates(InSystem { file, system, .. }: &InSystem<'_>, found: &mut Vec<Problem>) {
    for (name, service) in &system.services {
        let placeholders = |placeholder: &str| templates::of_service(system, service, placeholder);
        for (at, arg) in service.args.iter().enumerate() {
            templates::one(file, at!["service", name, "args", at], arg, &placeholders, found);
        }
        let placeholders = |placeholder: &str| templates::of_environment(system, service, placeholder);
        templates::table(
            file,
            at!["service", name, "env"],
            &service.env,
            &placeholders,
            found,
        );
    }
}

fn deploy(InSystem { file, system, .. }: &InSystem<'_>, found: &mut Vec<Problem>) {
    let placeholders = |placeholder: &str| templates::of_deploy(system, placeholder);
    for (at, action) in system.deploy.iter().enumerate() {
        match action {
            DeployAction::Replace(_) => {}
            DeployAction::Request {
                service,
                port,
                request,
                ..
            } => {
                let asked = names::service(system, service)
                    .map_err(|unknown| unknown.at_value(file, at!["deploy", at, "request", "service"]));
                // The port of an unknown service is not reported: one mistake, one problem.
                let port = asked.and_then(|known| {
                    let key = if port.is_some() { "port" } else { "service" };
                    names::reached(service, known, port.as_deref())
                        .map_err(|unknown| unknown.at_value(file, at!["deploy", at, "request", key]))
                });
                found.extend(port.err());
                journeys::request(
                    file,
                    at!["deploy", at, "request", "request"],
                    request,
                    &placeholders,
                    found,
                );
            }
            DeployAction::Command { argv, .. } => {
                command(file, at!["deploy", at, "command", "argv"], argv, found);
                let placeholders = |placeholder: &str| templates::of_command(system, placeholder);
                for (index, arg) in argv.iter().enumerate() {
                    let path = at!["deploy", at, "command", "argv", index];
                    templates::one(file, path, arg, &placeholders, found);
                }
            }
        }
    }
}
