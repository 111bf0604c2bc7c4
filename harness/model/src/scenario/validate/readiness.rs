//! Rules about when a service is ready.
//!
//! Takes a system; gives problems to the loader, which runs [`RULES`].

use super::super::document::{Document, at};
use super::super::problem::{Code, Problem};
use super::super::{Ready, Service};
use super::{InSystem, SystemRule, journeys, names, services, templates};

/// All rules.
pub(super) const RULES: &[SystemRule] = &[one_kind, port, page, command, log];

/// The kinds of readiness that a table names.
fn kinds(ready: &Ready) -> Vec<&'static str> {
    let kinds = [
        ("path", ready.path.is_some()),
        ("command", ready.command.is_some()),
        ("log", ready.log.is_some()),
    ];
    kinds
        .into_iter()
        .filter_map(|(kind, is_there)| is_there.then_some(kind))
        .collect()
}

fn one_kind(InSystem { file, system, .. }: &InSystem<'_>, found: &mut Vec<Problem>) {
    let mut conflict = |name: &str, key: &str, message: String, help: &str| {
        let problem = file.key(Code::ReadyConflict, at!["service", name, "ready", key], message);
        found.push(problem.help(help));
    };
    for (name, Service { ready, .. }) in &system.services {
        match kinds(ready)[..] {
            [first, second, ..] => {
                let message = format!("`ready` has both `{first}` and `{second}`");
                conflict(
                    name,
                    second,
                    message,
                    "keep the one that shows that the service can work",
                );
            }
            // A port is asked: for a page, or for a connection.
            [kind @ ("command" | "log")] if ready.port.is_some() => {
                let message = format!("`port` has no effect: `{kind}` asks no port");
                conflict(name, "port", message, "remove one of the two");
            }
            _ => {}
        }
        if !ready.header.is_empty() && ready.path.is_none() {
            let message = "`header` has no effect without `path`".to_owned();
            conflict(name, "header", message, "add the path that is asked for");
        }
    }
}

fn port(InSystem { file, system, .. }: &InSystem<'_>, found: &mut Vec<Problem>) {
    for (name, service) in &system.services {
        let ready = &service.ready;
        let asked = match &ready.port {
            Some(port) => names::port(service, port).map_err(|unknown| (unknown, "port")),
            None if ready.path.is_some() => {
                names::reached(name, service, None).map_err(|unknown| (unknown, "path"))
            }
            None => Ok(()),
        };
        if let Err((unknown, key)) = asked {
            found.push(unknown.at_value(file, at!["service", name, "ready", key]));
        }
    }
}

fn page(InSystem { file, system, .. }: &InSystem<'_>, found: &mut Vec<Problem>) {
    for (name, service) in &system.services {
        if let Some(path) = &service.ready.path {
            journeys::absolute(file, at!["service", name, "ready", "path"], path, found);
        }
        for (header, value) in &service.ready.header {
            let path = at!["service", name, "ready", "header", header];
            journeys::header_key(file, path, header, found);
            journeys::header_value(file, path, value, found);
        }
    }
}

fn command(InSystem { file, system, .. }: &InSystem<'_>, found: &mut Vec<Problem>) {
    for (name, service) in &system.services {
        let Some(argv) = &service.ready.command else {
            continue;
        };
        services::command(file, at!["service", name, "ready", "command"], argv, found);
        let placeholders = |placeholder: &str| templates::of_service(system, service, placeholder);
        for (at, word) in argv.iter().enumerate() {
            let path = at!["service", name, "ready", "command", at];
            templates::one(file, path, word, &placeholders, found);
        }
    }
}

fn log(InSystem { file, system, .. }: &InSystem<'_>, found: &mut Vec<Problem>) {
    for (name, service) in &system.services {
        if service
            .ready
            .log
            .as_ref()
            .is_some_and(|text| text.trim().is_empty())
        {
            found.push(empty(file, name));
        }
    }
}

fn empty(file: &Document, name: &str) -> Problem {
    let path = at!["service", name, "ready", "log"];
    let problem = file.value(Code::EmptyLogText, path, "every log contains an empty text");
    problem.help("use what the service writes once it can work, such as \"Ready to accept connections\"")
}
