//! Templates: each hole is filled by something, where it stands.
//!
//! Faces the rules about services, journeys and records; who fills a template at run time is documented in the model.

use std::collections::BTreeMap;

use super::super::document::Document;
use super::super::problem::{Code, Problem};
use super::super::template::Template;
use super::super::tree::Step;
use super::super::{Build, Scenario, Service, System, suggest};
use super::names::{self, Unknown};

/// What may stand in a hole: `Err` says what is wrong with it.
pub(super) type Holes<'a> = &'a dyn Fn(&str) -> Result<(), Unknown>;

/// Checks the template at the end of the path.
pub(super) fn one(
    file: &Document,
    path: &[Step<'_>],
    text: &str,
    holes: Holes<'_>,
    found: &mut Vec<Problem>,
) {
    // All that parsing can find is a brace that stands alone.
    let Ok(template) = Template::parse(text) else {
        let problem = file.value(Code::LoneBrace, path, "a brace stands alone");
        return found.push(problem.help("write {{ or }} for a brace itself"));
    };
    for hole in template.holes() {
        if let Err(unknown) = holes(hole) {
            let part = format!("{{{hole}}}");
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
    holes: Holes<'_>,
    found: &mut Vec<Problem>,
) {
    for (key, text) in texts {
        one(file, &[path, &[key.into()]].concat(), text, holes, found);
    }
}

/// In a service's arguments and environment.
pub(super) fn of_service(system: &System, service: &Service, hole: &str) -> Result<(), Unknown> {
    match hole.split_once('.') {
        None if ["listen", "alerts", "release"].contains(&hole) => Ok(()),
        Some(("listen", port)) => names::port(service, port),
        Some(("volume", volume)) => names::volume(service, volume),
        Some(("bin", name)) => binary(&service.build, name),
        Some(("service", rest)) => address(system, rest),
        _ => Err(unknown(
            hole,
            &[
                "listen",
                "listen.PORT",
                "volume.NAME",
                "service.NAME",
                "service.NAME.PORT",
                "bin.NAME",
                "alerts",
                "release",
            ],
        )),
    }
}

/// Whether an argument or a variable of a service has this hole, in the system or by the scenario.
pub(super) fn speak_of(scenario: &Scenario, system: &System, service: &str, hole: &str) -> bool {
    let own = system.services.get(service);
    let own = own
        .into_iter()
        .flat_map(|own| own.args.iter().chain(own.env.values()));
    let added = scenario.env.get(service).into_iter().flat_map(|env| env.values());
    own.chain(added)
        .any(|text| Template::parse(text).is_ok_and(|template| template.holes().any(|known| known == hole)))
}

/// In what users ask and are answered; `link` where an acknowledgement's link is known.
pub(super) fn of_journey(system: &System, link: bool, hole: &str) -> Result<(), Unknown> {
    match hole.split_once('.') {
        Some((record, field)) => names::field(system, record, field),
        None if link && hole == "link" => Ok(()),
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
                .chain(link.then(|| "link".into()))
                .collect();
            Err(unknown(
                hole,
                &fields.iter().map(String::as_str).collect::<Vec<_>>(),
            ))
        }
    }
}

/// In a deploy recipe.
pub(super) fn of_deploy(system: &System, hole: &str) -> Result<(), Unknown> {
    match hole.split_once('.') {
        None if ["release", "service"].contains(&hole) => Ok(()),
        Some(("service", rest)) => address(system, rest),
        _ => Err(unknown(
            hole,
            &["release", "service", "service.NAME", "service.NAME.PORT"],
        )),
    }
}

/// In a record's fields.
pub(super) fn of_record(hole: &str) -> Result<(), Unknown> {
    match hole {
        "n" | "seed" => Ok(()),
        _ => Err(unknown(hole, &["n", "seed"])),
    }
}

/// `NAME` or `NAME.PORT`.
fn address(system: &System, rest: &str) -> Result<(), Unknown> {
    match rest.split_once('.') {
        None => names::service(system, rest).map(drop),
        Some((name, port)) => names::port(names::service(system, name)?, port),
    }
}

/// A binary that lies beside the service's own.
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
        message: format!("no binary `{name}` lies beside the service's own"),
        help: format!("name its package in `build.package.with = [\"{name}\"]`"),
    })
}

fn unknown(hole: &str, known: &[&str]) -> Unknown {
    Unknown {
        code: Code::UnknownPlaceholder,
        message: format!("nothing fills {{{hole}}} here"),
        help: suggest::advice(hole, known.iter().copied()),
    }
}
