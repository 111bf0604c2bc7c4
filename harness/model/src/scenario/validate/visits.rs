//! Rules about what one probe does: one request or several steps, the values they capture, and the bodies and answers of
//! each.
//!
//! Takes a table with `request` and `answer`, or with `step`; gives problems to the rules about journeys.

use serde_json::Value;

use super::super::document::{Document, at};
use super::super::problem::{Code, Problem};
use super::super::tree::{Kind, Step};
use super::super::{Answer, Capture, Captures, Journey, JourneyStep, Remember, Request, System, suggest};
use super::journeys;
use super::names::{Unknown, well_formed};
use super::templates::{self, Placeholders};

/// What the templates of a request may use beside records.
#[derive(Debug, Clone, Default)]
pub(super) struct Given<'s> {
    /// The place where a write can be read: `{link}`.
    pub(super) link: bool,
    /// Values that were captured before: `{capture.NAME}`.
    pub(super) captures: Vec<&'s str>,
    /// Values that are captured too late to be used here.
    pub(super) later: Vec<&'s str>,
}

impl Given<'_> {
    /// Checks that a value was captured before it is used.
    pub(super) fn capture(&self, name: &str) -> Result<(), Unknown> {
        if self.captures.contains(&name) {
            return Ok(());
        }
        let unknown = |message, help| Unknown {
            code: Code::UnknownCapture,
            message,
            help,
        };
        if self.later.contains(&name) {
            return Err(unknown(
                format!("`{name}` is not captured yet"),
                "only steps after the one that captures a value can use it".into(),
            ));
        }
        let message = format!("unknown capture `{name}`");
        let help = if self.captures.is_empty() {
            format!("set `capture = {{ {name} = {{ json = \"/{name}\" }} }}` in an earlier step")
        } else {
            suggest::advice(name, self.captures.iter().copied())
        };
        Err(unknown(message, help))
    }
}

/// What a probe of a journey does, or what is done to read a write back.
struct Visit<'s> {
    request: Option<&'s Request>,
    answer: Option<&'s Answer>,
    capture: Option<&'s Captures>,
    steps: &'s [JourneyStep],
}

/// Checks what a probe of a journey sends.
pub(super) fn journey(
    file: &Document,
    path: &[Step<'_>],
    (system, journey): (&System, &Journey),
    found: &mut Vec<Problem>,
) {
    let visit = Visit {
        request: journey.request.as_ref(),
        answer: journey.answer.as_ref(),
        capture: Some(&journey.capture),
        steps: &journey.steps,
    };
    visit.form(file, path, found);
    visit.requests(file, path, system, Given::default(), found);
    let writes = journey.steps.iter().enumerate().filter(|(_, step)| step.writes);
    if let Some((second, _)) = writes.skip(1).last() {
        let message = "two steps have `writes`, and `remember` reads one write back";
        let path = [path, at!["step", second, "writes"]].concat();
        found.push(file.key(Code::SeveralWrites, &path, message));
    }
}

/// Checks what is sent to read a write of a journey back.
pub(super) fn remember(
    file: &Document,
    path: &[Step<'_>],
    (system, journey, remember): (&System, &Journey, &Remember),
    found: &mut Vec<Problem>,
) {
    let visit = Visit {
        request: remember.request.as_ref(),
        answer: remember.answer.as_ref(),
        capture: None,
        steps: &remember.steps,
    };
    visit.form(file, path, found);
    let steps = journey.steps();
    let (until, after) = steps.split_at((JourneyStep::writing(&steps) + 1).min(steps.len()));
    let given = Given {
        // The placeholder has a value only where the acknowledgement or a template gives one.
        link: remember.link_header.is_some() || remember.link.is_some(),
        captures: captured(until),
        later: captured(after),
    };
    if let Some(link) = &remember.link {
        let given = Given {
            link: false,
            ..given.clone()
        };
        let placeholders = |placeholder: &str| templates::of_journey(system, &given, placeholder);
        templates::one(file, &[path, at!["link"]].concat(), link, &placeholders, found);
    }
    visit.requests(file, path, system, given, found);
}

fn captured(steps: &[JourneyStep]) -> Vec<&str> {
    let names = steps.iter().flat_map(|step| step.capture.keys());
    names.map(String::as_str).collect()
}

impl<'s> Visit<'s> {
    /// Either one request with its answer, or steps.
    fn form(&self, file: &Document, path: &[Step<'_>], found: &mut Vec<Problem>) {
        let at = |key: &'static str| [path, at![key]].concat();
        match (self.request, self.answer, self.steps) {
            (Some(_), Some(_), []) => {}
            (Some(_), None, []) => {
                let message = "missing key `answer`";
                let problem = file.value(Code::MissingKey, path, message);
                found.push(problem.help("`answer`: the right answer to `request`"));
            }
            (None, _, []) => {
                let problem = file.value(
                    Code::NotExactlyOne,
                    path,
                    "exactly one of `request`, `step` must be here",
                );
                found
                    .push(problem.help("`request` for one request, `[[journey.step]]` for several in order"));
            }
            (request, answer, _) => {
                let captures = self.capture.is_some_and(|capture| !capture.is_empty());
                let both = [
                    ("request", request.is_some()),
                    ("answer", answer.is_some()),
                    ("capture", captures),
                ];
                for (key, _) in both.iter().filter(|(_, there)| *there) {
                    let message = format!("`{key}` belongs in each step, not beside `step`");
                    found.push(file.key(Code::NotExactlyOne, &at(key), message));
                }
            }
        }
    }

    /// Every request with its answer, knowing what was captured before.
    fn requests(
        &self,
        file: &Document,
        path: &[Step<'_>],
        system: &System,
        mut given: Given<'s>,
        found: &mut Vec<Problem>,
    ) {
        one(file, path, system, (self.request, self.answer), &given, found);
        if let Some(capture) = self.capture {
            captures(
                file,
                &[path, at!["capture"]].concat(),
                capture,
                self.answer,
                found,
            );
        }
        given.later.extend(captured(self.steps));
        for (at, step) in self.steps.iter().enumerate() {
            let path = [path, at!["step", at]].concat();
            let parts = (Some(&step.request), Some(&step.answer));
            one(file, &path, system, parts, &given, found);
            let path = [&path[..], at!["capture"]].concat();
            captures(file, &path, &step.capture, Some(&step.answer), found);
            given.captures.extend(step.capture.keys().map(String::as_str));
        }
    }
}

fn one(
    file: &Document,
    path: &[Step<'_>],
    system: &System,
    (request, answer): (Option<&Request>, Option<&Answer>),
    given: &Given<'_>,
    found: &mut Vec<Problem>,
) {
    let placeholders = |placeholder: &str| {
        templates::of_journey(system, given, placeholder).map_err(|mut unknown| {
            if placeholder == "link" && path.contains(&Step::Key("remember")) {
                unknown.help =
                    "set `link_header` (a header of the acknowledgement) or `link` (a template)".into();
            }
            unknown
        })
    };
    let at = |key: &'static str| [path, at![key]].concat();
    if let Some(asked) = request {
        journeys::request(file, &at("request"), asked, &placeholders, found);
    }
    if let Some(right) = answer {
        journeys::answer(file, &at("answer"), right, &placeholders, found);
    }
}

fn captures(
    file: &Document,
    path: &[Step<'_>],
    captures: &Captures,
    answer: Option<&Answer>,
    found: &mut Vec<Problem>,
) {
    for (name, capture) in captures {
        let of = [path, at![name]].concat();
        well_formed(file, &of, name, found);
        let at = |key: &'static str| [&of[..], at![key]].concat();
        match capture {
            Capture::Json(text) => {
                let problem = |message| file.value(Code::BadPointer, &at("json"), message);
                found.extend(not_a_pointer(text).map(|message| problem(message).help(POINTER_HELP)));
            }
            Capture::Header(name) => journeys::header_name(file, &at("header"), name, found),
            Capture::Cookie(_) => {}
            Capture::Regex(text) => pattern(file, &at("regex"), text, true, found),
        }
        let reads_body = matches!(capture, Capture::Json(_) | Capture::Regex(_));
        if reads_body && answer.is_some_and(|answer| answer.endless) {
            found.push(no_end(file, &of));
        }
    }
}

/// Checks that a request has at most one body, and what is in it.
pub(super) fn body(
    file: &Document,
    path: &[Step<'_>],
    request: &Request,
    placeholders: Placeholders<'_>,
    found: &mut Vec<Problem>,
) {
    let at = |key: &'static str| [path, at![key]].concat();
    templates::table(file, &at("form"), &request.form, placeholders, found);
    if let Some(upload) = &request.file {
        let at = |key: &'static str| [path, at!["file", key]].concat();
        templates::one(file, &at("name"), &upload.name, placeholders, found);
        templates::one(file, &at("content"), &upload.content, placeholders, found);
        journeys::header_value(file, &at("type"), &upload.content_type, found);
    }
    if let Some(value) = &request.json {
        json(file, &at("json"), value, placeholders, found);
    }
    if let Some(body) = &request.body {
        templates::one(file, &at("body"), body, placeholders, found);
    }
    let form = if request.form.is_empty() { "file" } else { "form" };
    let kinds = [
        (form, !request.form.is_empty() || request.file.is_some()),
        ("json", request.json.is_some()),
        ("body", request.body.is_some()),
    ];
    let mut kinds = kinds.iter().filter(|(_, there)| *there);
    if let (Some((first, _)), Some((second, _))) = (kinds.next(), kinds.next()) {
        let message = format!("the request has both `{first}` and `{second}`");
        found.push(file.key(Code::FormAndBody, &at(second), message));
    }
}

/// Checks what an answer must be beyond its status and whole headers.
pub(super) fn content(
    file: &Document,
    path: &[Step<'_>],
    answer: &Answer,
    placeholders: Placeholders<'_>,
    found: &mut Vec<Problem>,
) {
    let at = |key: &'static str| [path, at![key]].concat();
    for name in answer.header_contains.keys() {
        journeys::header_key(
            file,
            &[&at("header_contains")[..], at![name]].concat(),
            name,
            found,
        );
    }
    let contains = &answer.header_contains;
    templates::table(file, &at("header_contains"), contains, placeholders, found);
    for (index, name) in answer.header_present.iter().enumerate() {
        let path = [&at("header_present")[..], at![index]].concat();
        journeys::header_name(file, &path, name, found);
    }
    if let Some(text) = &answer.body_contains {
        templates::one(file, &at("body_contains"), text, placeholders, found);
    }
    if let Some(text) = &answer.body_matches {
        pattern(file, &at("body_matches"), text, false, found);
    }
    for (text, value) in &answer.json {
        let path = [&at("json")[..], at![text]].concat();
        let problem = |message| file.key(Code::BadPointer, &path, message).help(POINTER_HELP);
        found.extend(not_a_pointer(text).map(problem));
        json(file, &path, value, placeholders, found);
    }
    for (key, there) in [
        ("json", !answer.json.is_empty()),
        ("body_matches", answer.body_matches.is_some()),
    ] {
        if there && answer.endless {
            found.push(no_end(file, &at(key)));
        }
    }
}

/// Checks each status of an answer.
pub(super) fn statuses(file: &Document, path: &[Step<'_>], answer: &Answer, found: &mut Vec<Problem>) {
    use super::super::{Status, Statuses};
    let help = "use a number from 200 to 599, a class such as \"2xx\", or a range such as \"200-299\"";
    let each = answer.status.each();
    if each.is_empty() {
        let problem = file.value(Code::BadStatus, path, "the list of statuses is empty");
        found.push(problem.help(help));
    }
    for (index, status) in each.iter().enumerate() {
        if status.range().is_some() {
            continue;
        }
        let path = match &answer.status {
            Statuses::One(_) => path.to_vec(),
            Statuses::AnyOf(_) => [path, at![index]].concat(),
        };
        let (message, help) = match status {
            // A number was meant: the other forms are no help.
            Status::Exactly(number) => (
                format!("{number} is not a valid HTTP status"),
                "use a number from 200 to 599",
            ),
            Status::Range(text) => (format!("`{text}` is not a valid HTTP status"), help),
        };
        found.push(file.value(Code::BadStatus, &path, message).help(help));
    }
}

/// Checks the templates in a value.
fn json(
    file: &Document,
    path: &[Step<'_>],
    value: &Value,
    placeholders: Placeholders<'_>,
    found: &mut Vec<Problem>,
) {
    if file
        .get(path)
        .is_some_and(|node| matches!(node.kind, Kind::Datetime(_)))
    {
        let problem = file.value(Code::WrongType, path, "a JSON body cannot contain a TOML date");
        return found.push(problem.help("put it in quotes"));
    }
    match value {
        Value::String(text) => templates::one(file, path, text, placeholders, found),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                json(file, &[path, at![index]].concat(), item, placeholders, found);
            }
        }
        Value::Object(table) => {
            for (key, item) in table {
                json(file, &[path, at![key]].concat(), item, placeholders, found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// What is wrong with a JSON pointer (RFC 6901).
fn not_a_pointer(text: &str) -> Option<String> {
    let escapes = text.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
    let right = (text.is_empty() || text.starts_with('/')) && escapes;
    (!right).then(|| format!("`{text}` is not a JSON pointer"))
}

const POINTER_HELP: &str =
    "begin each key or index with `/`, as in \"/items/0/id\"; `~1` is a slash in a key, `~0` a tilde";

fn pattern(file: &Document, path: &[Step<'_>], text: &str, group: bool, found: &mut Vec<Problem>) {
    match regex::bytes::Regex::new(text) {
        Ok(regex) if group && regex.captures_len() < 2 => {
            let problem = file.value(Code::BadPattern, path, "the regular expression has no group");
            found.push(problem.help("put the part to capture in parentheses: `id=([0-9]+)`"));
        }
        Ok(_) => {}
        Err(error) => {
            // Its last line says what is wrong; those before it repeat the pattern.
            let error = error.to_string();
            let reason = error.lines().last().unwrap_or_default();
            let reason = reason.strip_prefix("error: ").unwrap_or(reason);
            let message = format!("not a regular expression: {reason}");
            found.push(file.value(Code::BadPattern, path, message));
        }
    }
}

fn no_end(file: &Document, path: &[Step<'_>]) -> Problem {
    let message = "this needs the whole body, and the answer is `endless`";
    file.key(Code::EndlessBody, path, message)
        .help("use `body_contains`, or a header")
}
