//! Rules about templates: each placeholder is known where it is used.
//!
//! Takes a template and the placeholders that its place knows; gives the problems. The rules about services, journeys,
//! records and deploys use it.

use std::collections::BTreeMap;

use super::super::document::Document;
use super::super::problem::{Code, Problem};
use super::super::secrets;
use super::super::template::{ServiceAddress, Template};
use super::super::tree::Step;
use super::super::{Build, CAPTURE, Scenario, Service, System, suggest};
use super::names::{self, Unknown};
use super::visits::Given;

/// Which placeholders a place knows: `Err` says what is wrong with one.
pub(super) type Placeholders<'a> = &'a dyn Fn(&str) -> Result<(), Unknown>;

/// Checks the template at the end of the path.
pub(super) fn one(
    file: &Document,
    path: &[Step<'_>],
    text: &str,
    placeholders: Placeholders<'_>,
    found: &mut Vec<Problem>,
) {
    // The only error of parsing is an unmatched brace.
    let Ok(template) = Template::parse(text) else {
        let problem = file.value(Code::LoneBrace, path, "unmatched brace");
        return found.push(problem.help("write {{ or }} for a literal brace"));
    };
    for placeholder in template.placeholders() {
        if let Err(unknown) = placeholders(placeholder) {
            // The placeholder alone is marked, not the whole text.
            let part = format!("{{{placeholder}}}");
            let problem = file.part(unknown.code, path, &part, unknown.message);
            found.push(problem.help(unknown.help));
        }
    }
}

/// Checks the templates of a table.
pub(super) fn table(
    file: &Document,
    path: &[Step<'_>],
    texts: &BTreeMap<String, String>,
    placeholders: Placeholders<'_>,
    found: &mut Vec<Problem>,
) {
    for (key, text) in texts {
        one(file, &[path, &[key.into()]].concat(), text, placeholders, found);
    }
}

/// In a place that may have secrets: whether the placeholder is one.
pub(super) fn is_secret(placeholder: &str) -> bool {
    placeholder
        .strip_prefix(secrets::PREFIX)
        .is_some_and(|name| !name.is_empty())
}

/// In a service's environment.
pub(super) fn of_environment(system: &System, service: &Service, placeholder: &str) -> Result<(), Unknown> {
    if is_secret(placeholder) {
        return Ok(());
    }
    of_service(system, service, placeholder)
}

/// In a service's arguments.
pub(super) fn of_service(system: &System, service: &Service, placeholder: &str) -> Result<(), Unknown> {
    match placeholder.split_once('.') {
        None if placeholder == "listen" => names::main_port("the service", service),
        None if ["alerts", "release"].contains(&placeholder) => Ok(()),
        None if placeholder == "folder" => folder(&service.build),
        Some(("listen", port)) => names::port(service, port),
        Some(("volume", volume)) => names::volume(service, volume),
        Some(("bin", name)) => binary(&service.build, name),
        Some(("env", _)) => Err(in_argument(placeholder, "put the secret into `env`")),
        Some(("service", rest)) => address(system, rest),
        _ => Err(unknown(
            placeholder,
            &[
                "listen",
                "listen.PORT",
                "volume.NAME",
                "service.NAME",
                "service.NAME.PORT",
                "service.NAME.host",
                "service.NAME.port",
                "service.NAME.address",
                "folder",
                "bin.NAME",
                "alerts",
                "release",
                "env.NAME",
            ],
        )),
    }
}

/// In the name of an image.
pub(super) fn of_image(placeholder: &str) -> Result<(), Unknown> {
    match placeholder {
        "release" => Ok(()),
        _ => Err(unknown(placeholder, &["release"])),
    }
}

/// Whether an argument or variable of a service, in the system or the scenario, has such a placeholder.
pub(super) fn has_placeholder(
    scenario: &Scenario,
    system: &System,
    service: &str,
    is_meant: impl Fn(&str) -> bool,
) -> bool {
    let of_system = system.services.get(service);
    let of_system = of_system.into_iter().flat_map(|service| {
        let command: &[String] = match &service.build {
            Build::Command(argv) => argv,
            _ => &[],
        };
        command.iter().chain(&service.args).chain(service.env.values())
    });
    let added = scenario.env.get(service).into_iter().flat_map(|env| env.values());
    of_system
        .chain(added)
        .any(|text| Template::parse(text).is_ok_and(|template| template.placeholders().any(&is_meant)))
}

/// In the requests and answers of users, where this is given.
pub(super) fn of_journey(system: &System, given: &Given<'_>, placeholder: &str) -> Result<(), Unknown> {
    match placeholder.split_once('.') {
        Some(_) if is_secret(placeholder) => Ok(()),
        Some((CAPTURE, name)) => given.capture(name),
        Some((record, field)) => names::field(system, record, field),
        None if given.link && placeholder == "link" => Ok(()),
        None => {
            let fields: Vec<String> = system
                .records
                .iter()
                .flat_map(|(record, records)| {
                    records
                        .fields
                        .keys()
                        .map(move |field| format!("{record}.{field}"))
                })
                .chain(given.captures.iter().map(|name| format!("{CAPTURE}.{name}")))
                .chain(given.link.then(|| "link".into()))
                .collect();
            Err(unknown(
                placeholder,
                &fields.iter().map(String::as_str).collect::<Vec<_>>(),
            ))
        }
    }
}

/// In the name of a journey's program.
pub(super) fn of_program(placeholder: &str) -> Result<(), Unknown> {
    Err(Unknown {
        code: Code::UnknownPlaceholder,
        message: format!("a program is the same for each probe: {{{placeholder}}} is not known"),
        help: "write the program's name or path, and placeholders in its arguments".into(),
    })
}

/// In the environment of a journey's command.
pub(super) fn of_client(system: &System, placeholder: &str) -> Result<(), Unknown> {
    match placeholder.split_once('.') {
        Some(("service", rest)) => address(system, rest),
        _ => of_journey(system, &Given::default(), placeholder),
    }
}

/// In the arguments of a journey's command.
pub(super) fn of_argument(system: &System, placeholder: &str) -> Result<(), Unknown> {
    if is_secret(placeholder) {
        return Err(in_argument(placeholder, "put the secret into `env`"));
    }
    of_client(system, placeholder)
}

/// In the arguments of a deploy recipe's commands.
pub(super) fn of_command(system: &System, placeholder: &str) -> Result<(), Unknown> {
    if is_secret(placeholder) {
        return Err(in_argument(
            placeholder,
            "a command inherits the environment and can read the variable itself",
        ));
    }
    of_deploy(system, placeholder)
}

/// In the requests of a deploy recipe.
pub(super) fn of_deploy(system: &System, placeholder: &str) -> Result<(), Unknown> {
    match placeholder.split_once('.') {
        None if ["release", "service"].contains(&placeholder) => Ok(()),
        Some(_) if is_secret(placeholder) => Ok(()),
        Some(("service", rest)) => address(system, rest),
        _ => Err(unknown(
            placeholder,
            &["release", "service", "service.NAME", "service.NAME.PORT"],
        )),
    }
}

/// In a record's fields.
pub(super) fn of_record(placeholder: &str) -> Result<(), Unknown> {
    match placeholder {
        "n" | "seed" => Ok(()),
        _ => Err(unknown(placeholder, &["n", "seed"])),
    }
}

fn address(system: &System, text: &str) -> Result<(), Unknown> {
    let address = ServiceAddress::parse(text);
    let service = names::service(system, address.service)?;
    names::reached(address.service, service, address.port)
}

/// The system file's folder, which only a program of this machine can see.
fn folder(build: &Build) -> Result<(), Unknown> {
    match build {
        Build::Command(_) => Ok(()),
        _ => Err(Unknown {
            code: Code::UnknownPlaceholder,
            message: "only a service with `build.command` sees the folder of the system file".into(),
            help: "put what the service needs into its image, or into a volume".into(),
        }),
    }
}

/// A binary beside the service's program.
fn binary(build: &Build, name: &str) -> Result<(), Unknown> {
    let known: &[String] = match build {
        Build::Package { with, .. } => with,
        _ => &[],
    };
    if known.iter().any(|with| with == name) {
        return Ok(());
    }
    Err(Unknown {
        code: Code::UnknownPlaceholder,
        message: format!("the service has no binary `{name}` beside its program"),
        help: format!("add its package to `build.package.with = [\"{name}\"]`"),
    })
}

fn in_argument(placeholder: &str, help: &str) -> Unknown {
    Unknown {
        code: Code::SecretInArgument,
        message: format!("every user of the machine can read the argument {{{placeholder}}}"),
        help: help.into(),
    }
}

fn unknown(placeholder: &str, known: &[&str]) -> Unknown {
    Unknown {
        code: Code::UnknownPlaceholder,
        message: format!("unknown placeholder {{{placeholder}}}"),
        help: suggest::advice(placeholder, known.iter().copied()),
    }
}
