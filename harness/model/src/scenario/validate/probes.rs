//! Rules about what a journey does: an HTTP request, a command, or a text over TCP.
//!
//! Takes a system; gives problems to the loader, which runs [`RULES`]. Rules about the parts of a request are in
//! [`journeys`](super::journeys).

use super::super::document::{Document, at};
use super::super::problem::{Code, Problem};
use super::super::{CommandProbe, Journey, Scenario, System, TcpProbe};
use super::visits::Given;
use super::{InSystem, SystemRule, names, services, templates};
use crate::sample::Mode;
use crate::units::Rate;

/// All rules.
pub(super) const RULES: &[SystemRule] = &[
    kinds,
    strangers,
    connections,
    asked,
    commands,
    tcp,
    tcp_over_tls,
    command_rate,
];

/// Each command is a process: more of them a second would take from the machine what is to be measured.
pub(super) const HIGHEST_COMMAND_RATE: f64 = 20.0;

fn kinds(InSystem { file, system, .. }: &InSystem<'_>, found: &mut Vec<Problem>) {
    for (at, journey) in system.journeys.iter().enumerate() {
        let kinds = [asks(journey), journey.command.is_some(), journey.tcp.is_some()];
        if kinds.into_iter().filter(|is_there| *is_there).count() != 1 {
            let message = "exactly one of `request`, `step`, `command`, `tcp` must be here";
            found.push(file.value(Code::NotExactlyOne, at!["journey", at], message));
        }
    }
}

/// Whether it asks over HTTP.
fn asks(journey: &Journey) -> bool {
    journey.request.is_some() || !journey.steps.is_empty()
}

/// Keys that say nothing of such a journey, each with the reason.
fn strangers(InSystem { file, system, .. }: &InSystem<'_>, found: &mut Vec<Problem>) {
    for (at, journey) in system.journeys.iter().enumerate() {
        if asks(journey) || journey.command.is_some() == journey.tcp.is_some() {
            continue;
        }
        let right = match journey.command {
            Some(_) => "a command has `exit_code` and `output_contains`",
            None => "a `tcp` journey has `expect`",
        };
        let reasons = [
            ("answer", journey.answer.is_some(), right),
            (
                "capture",
                !journey.capture.is_empty(),
                "`capture` needs an HTTP answer",
            ),
            (
                "fallback",
                journey.fallback.is_some(),
                "a fallback is named by a header of an HTTP answer",
            ),
            (
                "remember",
                journey.remember.is_some(),
                "only HTTP statuses tell whether a write was acknowledged, refused or lost",
            ),
            (
                "service",
                journey.command.is_some() && journey.service.is_some(),
                "a command gets addresses in its arguments: {service.NAME.host}, {service.NAME.port}",
            ),
            (
                "port",
                journey.command.is_some() && journey.port.is_some(),
                "a command gets addresses in its arguments: {service.NAME.PORT.address}",
            ),
        ];
        for (key, _, reason) in reasons.into_iter().filter(|(_, is_there, _)| *is_there) {
            let message = format!("a journey without `request` has no `{key}`");
            let problem = file.key(Code::NotForThisKind, at!["journey", at, key], message);
            found.push(problem.help(reason));
        }
    }
}

/// Kept connections where there are none to keep.
fn connections(InSystem { file, system, .. }: &InSystem<'_>, found: &mut Vec<Problem>) {
    for (at, journey) in system.journeys.iter().enumerate() {
        let path = at!["journey", at, "connections"];
        let wants_kept = file.get(path).is_some() && journey.connections.contains(&Mode::Reused);
        if wants_kept && !journey.modes().contains(&Mode::Reused) {
            let message = "`connections` has no effect here: this journey opens a new connection each time";
            let help = match journey.command {
                Some(_) => "each command makes connections of its own: remove `connections`",
                None => "set `send` and `expect`, or remove `connections`",
            };
            found.push(file.value(Code::NotForThisKind, path, message).help(help));
        }
    }
}

fn asked(InSystem { file, system, .. }: &InSystem<'_>, found: &mut Vec<Problem>) {
    for (at, journey) in system.journeys.iter().enumerate() {
        let name = journey.service.as_deref().or_else(|| entry(system));
        // A missing entry is reported by another rule.
        let Some(name) = name else { continue };
        let service = match (names::service(system, name), &journey.service) {
            (Ok(service), _) => service,
            (Err(unknown), Some(_)) => {
                found.push(unknown.at_value(file, at!["journey", at, "service"]));
                continue;
            }
            (Err(_), None) => continue,
        };
        let Err(unknown) = names::reached(name, service, journey.port.as_deref()) else {
            continue;
        };
        match (&journey.port, &journey.service) {
            (Some(_), _) => found.push(unknown.at_value(file, at!["journey", at, "port"])),
            (None, Some(_)) => found.push(unknown.at_value(file, at!["journey", at, "service"])),
            // An entry without a port is reported once, and by another rule.
            (None, None) => {}
        }
    }
}

/// The service that users talk to.
fn entry(system: &System) -> Option<&str> {
    let only = system.services.keys().next();
    system.entry.as_ref().or(only).map(String::as_str)
}

fn commands(InSystem { file, system, .. }: &InSystem<'_>, found: &mut Vec<Problem>) {
    for (at, journey) in system.journeys.iter().enumerate() {
        if let Some(command) = &journey.command {
            one_command(file, at, system, command, found);
        }
    }
}

fn one_command(
    file: &Document,
    at: usize,
    system: &System,
    command: &CommandProbe,
    found: &mut Vec<Problem>,
) {
    services::command(file, at!["journey", at, "command", "argv"], &command.argv, found);
    for (index, word) in command.argv.iter().enumerate() {
        let path = at!["journey", at, "command", "argv", index];
        // The program is looked for before anything starts.
        let placeholders = |placeholder: &str| match index {
            0 => templates::of_program(placeholder),
            _ => templates::of_argument(system, placeholder),
        };
        templates::one(file, path, word, &placeholders, found);
    }
    let path = at!["journey", at, "command", "env"];
    services::environment_names(file, path, &command.env, found);
    let placeholders = |placeholder: &str| templates::of_client(system, placeholder);
    templates::table(file, path, &command.env, &placeholders, found);
    if let Some(text) = &command.output_contains {
        let placeholders = |placeholder: &str| templates::of_journey(system, &Given::default(), placeholder);
        let path = at!["journey", at, "command", "output_contains"];
        templates::one(file, path, text, &placeholders, found);
    }
}

/// A text over TCP is sent as it is, and a service that speaks TLS does not understand it.
fn tcp_over_tls(InSystem { file, system, .. }: &InSystem<'_>, found: &mut Vec<Problem>) {
    for (at, journey) in system.journeys.iter().enumerate() {
        let name = journey.service.as_deref().or_else(|| entry(system));
        let service = name.and_then(|name| system.services.get(name));
        let tls = service.and_then(|service| service.tls_at(journey.port.as_deref()));
        if journey.tcp.is_some() && tls.is_some() {
            let message = "the service speaks TLS, and `tcp` does not";
            let problem = file.key(Code::NotForThisKind, at!["journey", at, "tcp"], message);
            found.push(problem.help("ask it by `request`, or by a `command` that speaks TLS"));
        }
    }
}

fn tcp(InSystem { file, system, .. }: &InSystem<'_>, found: &mut Vec<Problem>) {
    let placeholders = |placeholder: &str| templates::of_journey(system, &Given::default(), placeholder);
    for (at, journey) in system.journeys.iter().enumerate() {
        let Some(TcpProbe { send, expect, .. }) = &journey.tcp else {
            continue;
        };
        for (key, text) in [("send", send), ("expect", expect)] {
            if let Some(text) = text {
                templates::one(file, at!["journey", at, "tcp", key], text, &placeholders, found);
            }
        }
        let is_empty = expect.as_ref().is_some_and(String::is_empty);
        if is_empty || send.is_some() && expect.is_none() {
            let message = "`expect` is missing or empty: any answer would be right";
            let problem = file.value(Code::NothingExpected, at!["journey", at, "tcp"], message);
            found.push(problem.help("write what the answer must contain: expect = \"+PONG\""));
        }
    }
}

fn command_rate(InSystem { file, system, .. }: &InSystem<'_>, found: &mut Vec<Problem>) {
    let commands = || {
        system
            .journeys
            .iter()
            .enumerate()
            .filter(|(_, journey)| journey.command.is_some())
    };
    let total: f64 = commands().map(|(_, journey)| journey.rate.0).sum();
    let highest = commands().max_by(|(_, a), (_, b)| a.rate.0.total_cmp(&b.rate.0));
    if let (true, Some((at, _))) = (total > HIGHEST_COMMAND_RATE, highest) {
        found.push(too_many_commands(file, at!["journey", at, "rate"], total));
    }
}

/// The rate of all commands of a system together, as a scenario has it.
pub(super) fn commands_in(scenario: &Scenario, system: &System) -> f64 {
    let commands = system.journeys.iter().filter(|journey| journey.command.is_some());
    let rate = |journey: &Journey| scenario.rates.get(&journey.name).unwrap_or(&journey.rate).0;
    commands.map(rate).sum()
}

/// The problem of too many commands, at the highest of their rates.
pub(super) fn too_many_commands(
    file: &Document,
    path: &[super::super::tree::Step<'_>],
    total: f64,
) -> Problem {
    let message = format!(
        "commands at {} in total; the limit is {}, as each starts a process",
        Rate(total),
        Rate(HIGHEST_COMMAND_RATE)
    );
    let problem = file.value(Code::RateTooHigh, path, message);
    problem.help("lower the `rate`, or use a `tcp` journey, which has no such limit")
}
