//! Rules about what users do: journeys, the records they speak of, and the seeding of the store.
//!
//! Faces the loader through [`RULES`]; the checks of one request are also used for readiness and deploy recipes.

use std::collections::BTreeSet;

use super::super::document::{Document, at};
use super::super::problem::{Code, Problem};
use super::super::tree::Step;
use super::super::{Answer, Identity, Journey, Request};
use super::templates::{self, Holes};
use super::{InSystem, SystemRule, names};

/// All of them.
pub(super) const RULES: &[SystemRule] = &[
    some_journey,
    journey_names,
    total_rate,
    limits,
    requests,
    fallbacks,
    remembered,
    seed,
    records,
    identity,
];

/// More journeys than this nobody reads in a report.
const MOST_JOURNEYS: usize = 64;

/// More probes a second, over all journeys, cannot be sent on time by one prober.
pub(super) const HIGHEST_RATE: f64 = 20_000.0;

fn some_journey(InSystem { file, system }: &InSystem<'_>, found: &mut Vec<Problem>) {
    let journeys = &system.journeys;
    if journeys.is_empty() {
        let problem = file.value(
            Code::NoJourneys,
            at![],
            "users do nothing here, so nothing is measured",
        );
        found.push(problem.help("begin one with `[[journey]]`"));
    } else if !journeys.iter().any(|journey| journey.essential) {
        let message = "no journey is essential, so the service could never be down";
        let problem = file.value(Code::NoEssentialJourney, at!["journey", 0, "essential"], message);
        found.push(problem.help("leave `essential = false` away where users need the journey"));
    }
    if journeys.len() > MOST_JOURNEYS {
        let message = format!("{} journeys; at most {MOST_JOURNEYS} are probed", journeys.len());
        found.push(file.value(Code::TooManyJourneys, at!["journey", MOST_JOURNEYS], message));
    }
}

fn journey_names(InSystem { file, system }: &InSystem<'_>, found: &mut Vec<Problem>) {
    let mut seen = BTreeSet::new();
    for (at, journey) in system.journeys.iter().enumerate() {
        let path = at!["journey", at, "name"];
        if journey.name.trim().is_empty() || journey.name.contains(char::is_control) {
            let problem = file.value(
                Code::BadName,
                path,
                "a journey needs a name of visible characters",
            );
            found.push(problem);
        }
        if !seen.insert(&journey.name) {
            let message = format!("another journey is called `{}`", journey.name);
            let problem = file.value(Code::DuplicateJourney, path, message);
            found.push(problem.help("expectations and reports tell journeys apart by their names"));
        }
    }
}

fn total_rate(InSystem { file, system }: &InSystem<'_>, found: &mut Vec<Problem>) {
    let total: f64 = system.journeys.iter().map(|journey| journey.rate.0).sum();
    if total > HIGHEST_RATE {
        let highest = system
            .journeys
            .iter()
            .enumerate()
            .max_by(|(_, a), (_, b)| a.rate.0.total_cmp(&b.rate.0));
        let at = highest.map_or(0, |(at, _)| at);
        found.push(too_high(file, at!["journey", at, "rate"], total));
    }
}

/// The problem of a total rate, at the rate that has the largest part in it.
pub(super) fn too_high(file: &Document, path: &[Step<'_>], total: f64) -> Problem {
    let message = format!("{total:.0} probes a second in all; at most {HIGHEST_RATE:.0} can be sent on time");
    file.value(Code::RateTooHigh, path, message)
}

fn limits(InSystem { file, system }: &InSystem<'_>, found: &mut Vec<Problem>) {
    for (at, journey) in system.journeys.iter().enumerate() {
        if journey.connections.is_empty() {
            let path = at!["journey", at, "connections"];
            let problem = file.value(Code::NoConnections, path, "a journey that never connects");
            found.push(problem.help("leave it away for both ways: [\"new\", \"reused\"]"));
        }
        let sure = |key: &str| file.is_sure(at!["journey", at, key]);
        if journey.timeout < journey.deadline && sure("timeout") && sure("deadline") {
            found.push(timeout_below_deadline(file, at, journey));
        }
    }
}

fn timeout_below_deadline(file: &Document, at: usize, journey: &Journey) -> Problem {
    let message = format!(
        "the client gives up after {}, before an answer is late at {}",
        journey.timeout, journey.deadline
    );
    let key = if file.get(at!["journey", at, "timeout"]).is_some() {
        "timeout"
    } else {
        "deadline"
    };
    let problem = file.value(Code::TimeoutBelowDeadline, at!["journey", at, key], message);
    problem.help("`timeout` is at least `deadline`; left away they are 1s and 250ms")
}

fn requests(InSystem { file, system }: &InSystem<'_>, found: &mut Vec<Problem>) {
    let holes = |hole: &str| templates::of_journey(system, false, hole);
    for (at, journey) in system.journeys.iter().enumerate() {
        request(
            file,
            at!["journey", at, "request"],
            &journey.request,
            &holes,
            found,
        );
        answer(file, at!["journey", at, "answer"], &journey.answer, &holes, found);
    }
}

fn fallbacks(InSystem { file, system }: &InSystem<'_>, found: &mut Vec<Problem>) {
    for (at, journey) in system.journeys.iter().enumerate() {
        if let Some(fallback) = &journey.fallback {
            let path = at!["journey", at, "fallback", "header"];
            header_name(file, path, &fallback.header, found);
        }
    }
}

fn remembered(InSystem { file, system }: &InSystem<'_>, found: &mut Vec<Problem>) {
    for (at, journey) in system.journeys.iter().enumerate() {
        let Some(remember) = &journey.remember else {
            continue;
        };
        let path = |key: &'static str| [Step::Key("journey"), at.into(), "remember".into(), key.into()];
        let link = remember.link_header.is_some() || remember.link.is_some();
        let holes = |hole: &str| {
            templates::of_journey(system, link, hole).map_err(|mut unknown| {
                if hole == "link" {
                    unknown.help = "say where it comes from: `link_header`, a header of the acknowledgement, or `link`, a template".into();
                }
                unknown
            })
        };
        request(file, &path("request"), &remember.request, &holes, found);
        answer(file, &path("answer"), &remember.answer, &holes, found);
        status(file, &path("gone"), remember.gone, found);
        if let Some(link) = &remember.link {
            let holes = |hole: &str| templates::of_journey(system, false, hole);
            templates::one(file, &path("link"), link, &holes, found);
        }
        if let Some(header) = &remember.link_header {
            header_name(file, &path("link_header"), header, found);
        }
    }
}

fn seed(InSystem { file, system }: &InSystem<'_>, found: &mut Vec<Problem>) {
    let Some(seed) = &system.seed else { return };
    match system.records.get(&seed.records) {
        None => {
            let unknown = names::records(system, &seed.records);
            found.push(unknown.at_value(file, at!["seed", "records"]));
        }
        Some(records) if records.count.is_none() => {
            let message = format!(
                "the records `{}` have no count: seeding would never end",
                seed.records
            );
            let problem = file.value(Code::SeedWithoutCount, at!["seed", "records"], message);
            found.push(problem.help(format!("say `count` in [records.{}]", seed.records)));
        }
        Some(_) => {}
    }
    let holes = |hole: &str| templates::of_journey(system, false, hole);
    request(file, at!["seed", "request"], &seed.request, &holes, found);
    answer(file, at!["seed", "answer"], &seed.answer, &holes, found);
}

fn records(InSystem { file, system }: &InSystem<'_>, found: &mut Vec<Problem>) {
    for (name, records) in &system.records {
        names::well_formed(file, at!["records", name], name, found);
        if records.count == Some(0) {
            let problem = file.value(
                Code::EmptyRecords,
                at!["records", name, "count"],
                "a count of none",
            );
            found.push(problem.help("at least 1; leave it away for a new record at every use"));
        }
        for field in records.fields.keys() {
            names::well_formed(file, at!["records", name, "fields", field], field, found);
        }
        let path = at!["records", name, "fields"];
        templates::table(file, path, &records.fields, &templates::of_record, found);
    }
}

fn identity(InSystem { file, system }: &InSystem<'_>, found: &mut Vec<Problem>) {
    if let Some(Identity::Header(header)) = &system.identity {
        header_name(file, at!["identity", "header"], header, found);
    }
}

/// Checks a request, whose templates may have these holes.
pub(super) fn request(
    file: &Document,
    path: &[Step<'_>],
    request: &Request,
    holes: Holes<'_>,
    found: &mut Vec<Problem>,
) {
    let at = |key: &'static str| [path, at![key]].concat();
    method(file, &at("method"), &request.method, found);
    if !request.path.starts_with('{') {
        absolute(file, &at("path"), &request.path, found);
    }
    templates::one(file, &at("path"), &request.path, holes, found);
    for name in request.header.keys() {
        header_key(file, &[path, at!["header", name]].concat(), name, found);
    }
    templates::table(file, &at("header"), &request.header, holes, found);
    templates::table(file, &at("form"), &request.form, holes, found);
    if let Some(body) = &request.body {
        templates::one(file, &at("body"), body, holes, found);
        if !request.form.is_empty() {
            let problem = file.key(
                Code::FormAndBody,
                &at("body"),
                "a request has a form or a body, not both",
            );
            found.push(problem);
        }
    }
}

fn answer(file: &Document, path: &[Step<'_>], answer: &Answer, holes: Holes<'_>, found: &mut Vec<Problem>) {
    let at = |key: &'static str| [path, at![key]].concat();
    status(file, &at("status"), answer.status, found);
    for name in answer.header.keys() {
        header_key(file, &[path, at!["header", name]].concat(), name, found);
    }
    templates::table(file, &at("header"), &answer.header, holes, found);
    if let Some(text) = &answer.body_contains {
        templates::one(file, &at("body_contains"), text, holes, found);
    }
}

fn method(file: &Document, path: &[Step<'_>], method: &str, found: &mut Vec<Problem>) {
    const KNOWN: &[&str] = &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    if KNOWN.contains(&method) {
        return;
    }
    let problem = file.value(Code::BadMethod, path, format!("`{method}` is not a method"));
    found.push(problem.help(
        match KNOWN.iter().find(|known| known.eq_ignore_ascii_case(method)) {
            Some(known) => format!("methods are written in capitals: \"{known}\""),
            None => super::super::suggest::advice(method, KNOWN.iter().copied()),
        },
    ));
}

/// Reports a path that is not one: it begins with a slash, and has no blank and nothing that is not ASCII.
pub(super) fn absolute(file: &Document, place: &[Step<'_>], path: &str, found: &mut Vec<Problem>) {
    if !path.starts_with('/') {
        let problem = file.value(
            Code::PathWithoutSlash,
            place,
            format!("the path `{path}` does not begin with a slash"),
        );
        found.push(problem.help(format!("\"/{path}\"")));
    } else if let Some(wrong) = path.chars().find(|c| !c.is_ascii_graphic() || *c == '#') {
        let message = format!("a path has no {wrong:?} in it");
        found.push(
            file.value(Code::BadPath, place, message)
                .help("write it percent-encoded"),
        );
    }
}

fn status(file: &Document, path: &[Step<'_>], status: u16, found: &mut Vec<Problem>) {
    if !(200..=599).contains(&status) {
        let problem = file.value(
            Code::BadStatus,
            path,
            format!("{status} is not the status of an answer"),
        );
        found.push(problem.help("between 200 and 599"));
    }
}

fn header_name(file: &Document, path: &[Step<'_>], name: &str, found: &mut Vec<Problem>) {
    if http::HeaderName::try_from(name).is_err() {
        let message = format!("`{name}` cannot be the name of a header");
        found.push(file.value(Code::BadHeaderName, path, message));
    }
}

fn header_key(file: &Document, path: &[Step<'_>], name: &str, found: &mut Vec<Problem>) {
    if http::HeaderName::try_from(name).is_err() {
        let message = format!("`{name}` cannot be the name of a header");
        found.push(file.key(Code::BadHeaderName, path, message));
    }
}
