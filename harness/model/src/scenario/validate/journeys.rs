//! Rules about what users do: journeys, the records they speak of, and the seeding of the store.
//!
//! Takes a system; gives problems to the loader, which runs [`RULES`]. The checks of one request also serve readiness
//! checks and deploy recipes.

use std::collections::BTreeSet;

use super::super::document::{Document, at};
use super::super::problem::{Code, Problem};
use super::super::tree::Step;
use super::super::{Answer, CAPTURE, Identity, Journey, Request};
use super::templates::{self, Placeholders};
use super::visits::{self, Given};
use super::{InSystem, SystemRule, names};
use crate::units::Size;

/// All rules.
pub(super) const RULES: &[SystemRule] = &[
    some_journey,
    journey_names,
    total_rate,
    clients,
    limits,
    requests,
    fallbacks,
    remembered,
    seed,
    records,
    identity,
];

/// A report with more journeys than this is not read.
const MOST_JOURNEYS: usize = 64;

/// Each client is a stream, with a connection of its own: a process may have 1024 open files.
const MOST_CLIENTS: u64 = 500;

/// Records are seeded one after the other: so many take some minutes.
const MOST_RECORDS: u32 = 1_000_000;

/// One prober cannot send more probes a second, over all journeys, on time.
pub(super) const HIGHEST_RATE: f64 = 20_000.0;

fn some_journey(InSystem { file, system, .. }: &InSystem<'_>, found: &mut Vec<Problem>) {
    let journeys = &system.journeys;
    if journeys.is_empty() {
        let problem = file.value(
            Code::NoJourneys,
            at![],
            "the system has no journeys, so nothing would be measured",
        );
        found.push(problem.help("add one: `[[journey]]`"));
    } else if !journeys.iter().any(|journey| journey.essential) {
        let message = "no journey is essential, so no downtime could be measured";
        let problem = file.value(Code::NoEssentialJourney, at!["journey", 0, "essential"], message);
        found.push(problem.help("remove `essential = false` from the journeys that users need"));
    }
    if journeys.len() > MOST_JOURNEYS {
        let message = format!("too many journeys: {} (limit: {MOST_JOURNEYS})", journeys.len());
        found.push(file.value(Code::TooManyJourneys, at!["journey", MOST_JOURNEYS], message));
    }
}

fn journey_names(InSystem { file, system, .. }: &InSystem<'_>, found: &mut Vec<Problem>) {
    let mut seen = BTreeSet::new();
    for (at, journey) in system.journeys.iter().enumerate() {
        let path = at!["journey", at, "name"];
        if journey.name.trim().is_empty() || journey.name.contains(char::is_control) {
            let problem = file.value(
                Code::BadName,
                path,
                "the journey's name is empty or has control characters",
            );
            found.push(problem);
        }
        if !seen.insert(&journey.name) {
            let message = format!("two journeys are called `{}`", journey.name);
            let problem = file.value(Code::DuplicateJourney, path, message);
            found.push(problem.help("expectations and reports refer to a journey by its name"));
        }
    }
}

fn total_rate(InSystem { file, system, .. }: &InSystem<'_>, found: &mut Vec<Problem>) {
    let total: f64 = system.journeys.iter().map(|journey| journey.rate.0).sum();
    if total > HIGHEST_RATE {
        // At the highest rate, which is the one to lower.
        let highest = system
            .journeys
            .iter()
            .enumerate()
            .max_by(|(_, a), (_, b)| a.rate.0.total_cmp(&b.rate.0));
        let at = highest.map_or(0, |(at, _)| at);
        found.push(too_high(file, at!["journey", at, "rate"], total));
    }
}

/// The problem of a total rate, at the highest of its rates.
pub(super) fn too_high(file: &Document, path: &[Step<'_>], total: f64) -> Problem {
    let message = format!("{total:.0} probes a second in total; the limit is {HIGHEST_RATE:.0}");
    file.value(Code::RateTooHigh, path, message)
}

fn clients(InSystem { file, system, .. }: &InSystem<'_>, found: &mut Vec<Problem>) {
    let total: u64 = system
        .journeys
        .iter()
        .map(|journey| u64::from(journey.clients))
        .sum();
    let most = system
        .journeys
        .iter()
        .enumerate()
        .max_by_key(|(_, journey)| journey.clients);
    if let Some((at, _)) = most.filter(|_| total > MOST_CLIENTS) {
        let message = format!(
            "{total} clients in total; the limit is {MOST_CLIENTS}, as each has a connection of its own"
        );
        let problem = file.value(Code::TooManyClients, at!["journey", at, "clients"], message);
        found.push(problem.help("`rate` is what loads a service; `clients` are users at the same instant"));
    }
}

fn limits(InSystem { file, system, .. }: &InSystem<'_>, found: &mut Vec<Problem>) {
    for (at, journey) in system.journeys.iter().enumerate() {
        if journey.connections.is_empty() {
            let path = at!["journey", at, "connections"];
            let problem = file.value(Code::NoConnections, path, "the journey has no connection mode");
            found.push(problem.help("remove `connections` for both modes: [\"new\", \"reused\"]"));
        }
        // A value that stands in for an unreadable one would be compared with the other one.
        let sure = |key: &str| file.is_sure(at!["journey", at, key]);
        if journey.timeout < journey.deadline && sure("timeout") && sure("deadline") {
            found.push(timeout_below_deadline(file, at, journey));
        }
    }
}

fn timeout_below_deadline(file: &Document, at: usize, journey: &Journey) -> Problem {
    let message = format!(
        "`timeout` ({}) is shorter than `deadline` ({})",
        journey.timeout, journey.deadline
    );
    // At the key that the file has: the other one is a default.
    let key = if file.get(at!["journey", at, "timeout"]).is_some() {
        "timeout"
    } else {
        "deadline"
    };
    let problem = file.value(Code::TimeoutBelowDeadline, at!["journey", at, key], message);
    problem.help("`timeout` must be at least `deadline`; the defaults are 1s and 250ms")
}

fn requests(InSystem { file, system, .. }: &InSystem<'_>, found: &mut Vec<Problem>) {
    for (at, journey) in system.journeys.iter().enumerate() {
        // What is neither is checked by other rules.
        if journey.request.is_some() || !journey.steps.is_empty() {
            visits::journey(file, at!["journey", at], (system, journey), found);
        }
    }
}

fn fallbacks(InSystem { file, system, .. }: &InSystem<'_>, found: &mut Vec<Problem>) {
    for (at, journey) in system.journeys.iter().enumerate() {
        if let Some(fallback) = &journey.fallback {
            let path = at!["journey", at, "fallback", "header"];
            header_name(file, path, &fallback.header, found);
        }
    }
}

fn remembered(InSystem { file, system, .. }: &InSystem<'_>, found: &mut Vec<Problem>) {
    for (at, journey) in system.journeys.iter().enumerate() {
        let Some(remember) = &journey.remember else {
            continue;
        };
        let path = |key: &'static str| [Step::Key("journey"), at.into(), "remember".into(), key.into()];
        let whole = at!["journey", at, "remember"];
        visits::remember(file, whole, (system, journey, remember), found);
        status(file, &path("gone"), remember.gone, found);
        if let Some(header) = &remember.link_header {
            header_name(file, &path("link_header"), header, found);
        }
    }
}

fn seed(InSystem { file, system, .. }: &InSystem<'_>, found: &mut Vec<Problem>) {
    let Some(seed) = &system.seed else { return };
    match system.records.get(&seed.records) {
        None => {
            let unknown = names::records(system, &seed.records);
            found.push(unknown.at_value(file, at!["seed", "records"]));
        }
        // Records without a count are new ones at every use.
        Some(records) if records.count.is_none() => {
            let message = format!(
                "the records `{}` have no count: seeding would never end",
                seed.records
            );
            let problem = file.value(Code::SeedWithoutCount, at!["seed", "records"], message);
            found.push(problem.help(format!("set `count` in [records.{}]", seed.records)));
        }
        Some(_) => {}
    }
    let given = Given::default();
    let placeholders = |placeholder: &str| templates::of_journey(system, &given, placeholder);
    request(file, at!["seed", "request"], &seed.request, &placeholders, found);
    answer(file, at!["seed", "answer"], &seed.answer, &placeholders, found);
}

fn records(InSystem { file, system, .. }: &InSystem<'_>, found: &mut Vec<Problem>) {
    for (name, records) in &system.records {
        names::well_formed(file, at!["records", name], name, found);
        if name == CAPTURE {
            let message = format!("records cannot be called `{name}`");
            let problem = file.key(Code::BadName, at!["records", name], message);
            found.push(problem.help("{capture.NAME} is a value that a journey captured"));
        }
        if records.count == Some(0) {
            let problem = file.value(
                Code::EmptyRecords,
                at!["records", name, "count"],
                "`count` is zero",
            );
            found.push(problem.help("use 1 or more, or remove `count` for a new record at every use"));
        }
        if let Some(count) = records.count.filter(|count| *count > MOST_RECORDS) {
            let message = format!(
                "{count} records; the limit is {MOST_RECORDS}, as they are stored one after the other before each drill"
            );
            found.push(file.value(Code::TooManyRecords, at!["records", name, "count"], message));
        }
        for field in records.fields.keys() {
            names::well_formed(file, at!["records", name, "fields", field], field, found);
        }
        let path = at!["records", name, "fields"];
        templates::table(file, path, &records.fields, &templates::of_record, found);
    }
}

fn identity(InSystem { file, system, .. }: &InSystem<'_>, found: &mut Vec<Problem>) {
    if let Some(Identity::Header(header)) = &system.identity {
        header_name(file, at!["identity", "header"], header, found);
    }
}

/// Checks a request, whose templates may have these placeholders.
pub(super) fn request(
    file: &Document,
    path: &[Step<'_>],
    request: &Request,
    placeholders: Placeholders<'_>,
    found: &mut Vec<Problem>,
) {
    let at = |key: &'static str| [path, at![key]].concat();
    method(file, &at("method"), &request.method, found);
    // A path that begins with a placeholder is known only when the placeholder has its value.
    if !request.path.starts_with('{') {
        absolute(file, &at("path"), &request.path, found);
    }
    templates::one(file, &at("path"), &request.path, placeholders, found);
    for (name, value) in &request.header {
        let path = [path, at!["header", name]].concat();
        header_key(file, &path, name, found);
        not_reserved(file, &path, name, found);
        header_value(file, &path, value, found);
    }
    templates::table(file, &at("header"), &request.header, placeholders, found);
    visits::body(file, path, request, placeholders, found);
}

/// Refuses a header that follows from other keys: set to anything else, the request could not be understood.
fn not_reserved(file: &Document, path: &[Step<'_>], name: &str, found: &mut Vec<Problem>) {
    let help = match name.to_ascii_lowercase().as_str() {
        "connection" => {
            "use `connections` of the journey: [\"new\"] closes after each answer, [\"reused\"] keeps open"
        }
        "content-length" | "transfer-encoding" => "`body` or `form` sets it",
        _ => return,
    };
    let message = format!("the client itself sets `{name}`");
    found.push(file.key(Code::ReservedHeader, path, message).help(help));
}

/// The most that is kept of one body: there may be many at a time.
const LARGEST_BODY: Size = Size(1 << 30);
/// More header lines than any server sends.
const MOST_HEADERS: u32 = 100_000;

fn answer_limits(file: &Document, path: &[Step<'_>], answer: &Answer, found: &mut Vec<Problem>) {
    if !(1..=LARGEST_BODY.0).contains(&answer.body_limit.0) {
        let message = format!("`body_limit` must be between 1B and {LARGEST_BODY}");
        let path = [path, at!["body_limit"]].concat();
        found.push(file.value(Code::AnswerLimit, &path, message));
    }
    if !(1..=MOST_HEADERS).contains(&answer.header_limit) {
        let message = format!("`header_limit` must be between 1 and {MOST_HEADERS}");
        let path = [path, at!["header_limit"]].concat();
        found.push(file.value(Code::AnswerLimit, &path, message));
    }
}

/// Checks an answer, whose templates may have these placeholders.
pub(super) fn answer(
    file: &Document,
    path: &[Step<'_>],
    answer: &Answer,
    placeholders: Placeholders<'_>,
    found: &mut Vec<Problem>,
) {
    let at = |key: &'static str| [path, at![key]].concat();
    visits::statuses(file, &at("status"), answer, found);
    answer_limits(file, path, answer, found);
    for name in answer.header.keys() {
        header_key(file, &[path, at!["header", name]].concat(), name, found);
    }
    templates::table(file, &at("header"), &answer.header, placeholders, found);
    visits::content(file, path, answer, placeholders, found);
}

fn method(file: &Document, path: &[Step<'_>], method: &str, found: &mut Vec<Problem>) {
    const KNOWN: &[&str] = &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    if KNOWN.contains(&method) {
        return;
    }
    let problem = file.value(Code::BadMethod, path, format!("unknown HTTP method `{method}`"));
    found.push(problem.help(
        match KNOWN.iter().find(|known| known.eq_ignore_ascii_case(method)) {
            // A method in small letters is another method, and most servers refuse it.
            Some(known) => format!("methods are written in capitals: \"{known}\""),
            None => super::super::suggest::advice(method, KNOWN.iter().copied()),
        },
    ));
}

/// Reports a path that does not start with a slash, or has a space or a character that is not ASCII.
pub(super) fn absolute(file: &Document, place: &[Step<'_>], path: &str, found: &mut Vec<Problem>) {
    if !path.starts_with('/') {
        let problem = file.value(
            Code::PathWithoutSlash,
            place,
            format!("the path `{path}` does not start with `/`"),
        );
        found.push(problem.help(format!("write \"/{path}\"")));
    // A fragment is never sent, so a path with one would ask for something else.
    } else if let Some(wrong) = path.chars().find(|c| !c.is_ascii_graphic() || *c == '#') {
        let message = format!(
            "the path contains `{}`, which a path cannot",
            wrong.escape_default()
        );
        found.push(
            file.value(Code::BadPath, place, message)
                .help("percent-encode it"),
        );
    }
}

fn status(file: &Document, path: &[Step<'_>], status: u16, found: &mut Vec<Problem>) {
    // Statuses below 200 announce an answer and are none.
    if !(200..=599).contains(&status) {
        let problem = file.value(
            Code::BadStatus,
            path,
            format!("{status} is not a valid HTTP status"),
        );
        found.push(problem.help("use a number from 200 to 599"));
    }
}

/// Reports a value that is no header's name.
pub(super) fn header_name(file: &Document, path: &[Step<'_>], name: &str, found: &mut Vec<Problem>) {
    if http::HeaderName::try_from(name).is_err() {
        let message = format!("`{name}` is not a valid header name");
        found.push(file.value(Code::BadHeaderName, path, message));
    }
}

pub(super) fn header_key(file: &Document, path: &[Step<'_>], name: &str, found: &mut Vec<Problem>) {
    if http::HeaderName::try_from(name).is_err() {
        let message = format!("`{name}` is not a valid header name");
        found.push(file.key(Code::BadHeaderName, path, message));
    }
}

/// Reports a value that no header can have, whatever its placeholders become.
pub(super) fn header_value(file: &Document, path: &[Step<'_>], value: &str, found: &mut Vec<Problem>) {
    if http::HeaderValue::try_from(value).is_err() {
        let message = "the value has a line break or another control character, which no header can have";
        found.push(file.value(Code::BadHeaderName, path, message));
    }
}
