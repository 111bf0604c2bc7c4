//! What a probe of a journey sends, what it expects, and what it keeps of an answer for later requests.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use firedrill_logs::redact;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Answer, Journey, Remember, Request, Texts};
use crate::scenario::Template;

/// What a placeholder of a captured value begins with: `{capture.NAME}`.
pub const CAPTURE: &str = "capture";

/// Values to keep of an answer, by name.
pub type Captures = BTreeMap<String, Capture>;

/// One request of several that a user sends in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JourneyStep {
    /// What is asked. It has the cookies that earlier answers set.
    pub request: Request,
    /// The right answer. After any other one the probe ends.
    pub answer: Answer,
    /// Values of the right answer, by name, for later steps: `{capture.NAME}`. The last value of a name counts. An answer
    /// without the value is bad.
    #[serde(default, skip_serializing_if = "Captures::is_empty")]
    pub capture: Captures,
    /// This is the request that stores what `remember` reads back. Without it, that is the last one whose method is not
    /// GET, HEAD or OPTIONS.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub writes: bool,
}

/// Where a value is in an answer: exactly one of `json`, `header`, `cookie`, `regex`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Capture {
    /// The text, number or boolean at a JSON pointer of the body, such as `/items/0/id`.
    Json(String),
    /// The first line of a header.
    Header(String),
    /// The cookie of this name that the answer sets.
    Cookie(String),
    /// The first group of the first match of a regular expression in the body.
    Regex(String),
}

/// A file to upload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Upload {
    /// The field of the form.
    pub field: String,
    /// The file's name, as a template.
    pub name: String,
    /// Its content, as a template.
    pub content: String,
    /// Its content type (`application/octet-stream`).
    #[serde(default = "octets", rename = "type")]
    pub content_type: String,
}

fn octets() -> String {
    "application/octet-stream".into()
}

/// The statuses of a right answer: one of them, or a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Statuses {
    /// One status, or one range.
    One(Status),
    /// Any of these.
    AnyOf(Vec<Status>),
}

/// A status, or a range of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Status {
    /// A status such as 302.
    Exactly(u16),
    /// A class such as `2xx`, or a range such as `200-299`.
    Range(String),
}

impl Statuses {
    /// Each of them.
    pub fn each(&self) -> &[Status] {
        match self {
            Self::One(status) => std::slice::from_ref(status),
            Self::AnyOf(statuses) => statuses,
        }
    }
}

impl Status {
    /// The statuses that it stands for; none when it is no status from 200 to 599. Those below announce an answer, and
    /// are none.
    pub fn range(&self) -> Option<RangeInclusive<u16>> {
        let range = match self {
            Self::Exactly(status) => *status..=*status,
            Self::Range(text) => match text.split_once('-') {
                Some((from, until)) => number(from)?..=number(until)?,
                None => match text.strip_suffix("xx") {
                    Some(class) => number(class)? * 100..=number(class)? * 100 + 99,
                    None => number(text)?..=number(text)?,
                },
            },
        };
        let valid = 200 <= *range.start() && range.start() <= range.end() && *range.end() <= 599;
        valid.then_some(range)
    }
}

/// At most three digits: no sum of such numbers overflows.
fn number(text: &str) -> Option<u16> {
    let digits = text.trim();
    let fits = digits.len() <= 3 && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|number| fits && *number <= 599)
}

impl Journey {
    /// What a probe sends, in order: its steps, or its only request as one.
    pub fn steps(&self) -> Cow<'_, [JourneyStep]> {
        steps(
            &self.steps,
            self.request.as_ref(),
            self.answer.as_ref(),
            &self.capture,
        )
    }

    /// Captured values as they may be stored: cookies, and what is a secret by its name or by the header that it is from or
    /// is sent in, are hidden.
    pub fn storable(&self, mut captures: Texts) -> Texts {
        let steps = self.steps();
        let is_cookie = |name: &String| {
            let from = steps.iter().filter_map(|step| step.capture.get(name));
            from.into_iter().any(|from| matches!(from, Capture::Cookie(_)))
        };
        let carries = |header: &str| {
            let header = header.to_ascii_lowercase();
            ["cookie", "set-cookie", "authorization"].contains(&header.as_str())
                || redact::is_secret_name(&header)
        };
        let is_from_header = |name: &String| {
            let from = steps.iter().filter_map(|step| step.capture.get(name));
            from.into_iter()
                .any(|from| matches!(from, Capture::Header(header) if carries(header)))
        };
        let reads = self.remember.as_ref().map(Remember::steps).unwrap_or_default();
        let is_sent = |name: &String| {
            let mut headers = reads
                .iter()
                .chain(steps.iter())
                .flat_map(|step| &step.request.header);
            headers.any(|(header, text)| carries(header) && captured(text).contains(name))
        };
        let is_secret = |name: &String| {
            redact::is_secret_name(name) || is_cookie(name) || is_from_header(name) || is_sent(name)
        };
        for (_, value) in captures.iter_mut().filter(|(name, _)| is_secret(name)) {
            redact::HIDDEN.clone_into(value);
        }
        captures
    }
}

impl Remember {
    /// What is sent to read a write back, in order. The last answer shows whether it is there.
    pub fn steps(&self) -> Cow<'_, [JourneyStep]> {
        let none = Captures::new();
        steps(&self.steps, self.request.as_ref(), self.answer.as_ref(), &none)
    }

    /// The names of the captured values that it uses.
    pub fn captured(&self) -> Vec<String> {
        let steps = self.steps();
        let own: Vec<&String> = steps.iter().flat_map(|step| step.capture.keys()).collect();
        let texts = steps.iter().flat_map(JourneyStep::texts);
        let names = texts.chain(self.link.clone()).flat_map(|text| captured(&text));
        let mut names: Vec<String> = names.filter(|name| !own.contains(&name)).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

/// The names of the captured values that a template uses.
fn captured(text: &str) -> Vec<String> {
    let name = |placeholder: &str| {
        let (kind, name) = placeholder.split_once('.')?;
        (kind == CAPTURE).then(|| name.to_owned())
    };
    Template::parse(text).map_or_else(
        |_| Vec::new(),
        |template| template.placeholders().filter_map(name).collect(),
    )
}

fn steps<'s>(
    steps: &'s [JourneyStep],
    request: Option<&Request>,
    answer: Option<&Answer>,
    capture: &Captures,
) -> Cow<'s, [JourneyStep]> {
    match (request, answer) {
        (Some(request), Some(answer)) if steps.is_empty() => Cow::Owned(vec![JourneyStep {
            request: request.clone(),
            answer: answer.clone(),
            capture: capture.clone(),
            writes: false,
        }]),
        _ => Cow::Borrowed(steps),
    }
}

impl JourneyStep {
    /// Which of these steps stores what is read back, counted from 0.
    pub fn writing(steps: &[Self]) -> usize {
        let changes = |step: &Self| !["GET", "HEAD", "OPTIONS"].contains(&step.request.method.as_str());
        let said = steps.iter().position(|step| step.writes);
        said.or_else(|| steps.iter().rposition(changes))
            .unwrap_or(steps.len().saturating_sub(1))
    }

    /// Every template of its request and answer.
    pub(super) fn texts(&self) -> Vec<String> {
        let mut copy = self.clone();
        let texts = copy.request.texts_mut().into_iter();
        texts.chain(copy.answer.texts_mut()).map(std::mem::take).collect()
    }
}

impl Request {
    /// Every template of it.
    pub(in crate::scenario) fn texts_mut(&mut self) -> Vec<&mut String> {
        let mut texts = vec![&mut self.path];
        texts.extend(self.header.values_mut());
        texts.extend(self.form.values_mut());
        if let Some(file) = &mut self.file {
            texts.extend([&mut file.name, &mut file.content]);
        }
        if let Some(json) = &mut self.json {
            json_texts(json, &mut texts);
        }
        texts.extend(&mut self.body);
        texts
    }
}

impl Answer {
    /// Every template of it.
    pub(in crate::scenario) fn texts_mut(&mut self) -> Vec<&mut String> {
        let mut texts: Vec<&mut String> = self.header.values_mut().collect();
        texts.extend(self.header_contains.values_mut());
        texts.extend(&mut self.body_contains);
        for value in self.json.values_mut() {
            json_texts(value, &mut texts);
        }
        texts
    }
}

/// Every text in a value. Names of fields are no templates.
fn json_texts<'v>(value: &'v mut Value, texts: &mut Vec<&'v mut String>) {
    match value {
        Value::String(text) => texts.push(text),
        Value::Array(items) => items.iter_mut().for_each(|item| json_texts(item, texts)),
        Value::Object(table) => table.values_mut().for_each(|item| json_texts(item, texts)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn range(status: Value) -> Option<RangeInclusive<u16>> {
        serde_json::from_value::<Status>(status).unwrap().range()
    }

    #[test]
    fn a_status_is_a_number_a_class_or_a_range() {
        assert_eq!(range(json!(302)), Some(302..=302));
        assert_eq!(range(json!("2xx")), Some(200..=299));
        assert_eq!(range(json!("200-204")), Some(200..=204));
        assert_eq!(range(json!("302")), Some(302..=302));
        for wrong in [
            json!(99),
            json!(600),
            json!("1xx"),
            json!("6xx"),
            json!("xx"),
            json!("204-200"),
            json!("ok"),
            json!(""),
            json!("-"),
            json!("-200"),
            json!("+200"),
        ] {
            assert_eq!(range(wrong.clone()), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_a_status_panic_or_leave_the_range(text in ".{0,12}|[0-9x-]{0,9}") {
            if let Some(range) = Status::Range(text).range() {
                prop_assert!(*range.start() >= 200 && *range.end() <= 599 && !range.is_empty());
            }
        }
    }

    fn journey(value: &Value) -> Journey {
        let mut journey = json!({ "name": "j", "rate": "1/s" });
        for (key, value) in value.as_object().unwrap() {
            journey[key] = value.clone();
        }
        serde_json::from_value(journey).unwrap()
    }

    fn step(method: &str, more: &[&str]) -> Value {
        let mut step = json!({ "request": { "method": method, "path": "/" }, "answer": { "status": 200 } });
        for key in more {
            step[*key] = true.into();
        }
        step
    }

    #[test]
    fn the_step_that_writes_is_the_last_that_changes_something_or_the_one_that_says_so() {
        let writing = |steps: &[Value]| JourneyStep::writing(&journey(&json!({ "step": steps })).steps());
        assert_eq!(
            writing(&[step("POST", &[]), step("POST", &[]), step("GET", &[])]),
            1
        );
        assert_eq!(writing(&[step("POST", &["writes"]), step("POST", &[])]), 0);
        assert_eq!(writing(&[step("GET", &[]), step("GET", &[])]), 1);
    }

    #[test]
    fn a_journey_with_one_request_has_one_step() {
        let one = journey(&json!({ "request": { "path": "/" }, "answer": { "status": "2xx" } }));
        assert_eq!(one.steps().len(), 1);
    }

    #[test]
    fn sessions_and_tokens_are_not_stored() {
        let one = journey(&json!({
            "request": { "path": "/" }, "answer": { "status": 200 },
            "capture": {
                "sid": { "cookie": "sid" }, "api_token": { "json": "/t" }, "id": { "json": "/id" },
                "line": { "header": "Set-Cookie" }, "s": { "json": "/s" },
            },
            "remember": {
                "request": { "path": "/{capture.id}", "header": { "Cookie": "sid={capture.s}" } },
                "answer": { "status": 200 },
            },
        }));
        let names = ["sid", "api_token", "line", "s"];
        let captured = names
            .iter()
            .chain(&["id"])
            .map(|name| ((*name).to_owned(), "1".to_owned()));
        let stored = one.storable(captured.collect());
        assert_eq!(stored["id"], "1");
        for name in names {
            assert_eq!(stored[name], redact::HIDDEN, "{name}");
        }
    }

    #[test]
    fn what_reading_back_needs_is_found_in_every_text() {
        let remember: Remember = serde_json::from_value(json!({
            "link": "/{capture.a}",
            "step": [
                {
                    "request": { "path": "/{capture.b}", "json": { "x": [{ "y": "{capture.c}" }] } },
                    "answer": { "status": 200, "json": { "/id": "{capture.d}" } },
                    "capture": { "own": { "header": "location" } },
                },
                { "request": { "path": "{capture.own}" }, "answer": { "status": 200 } },
            ],
        }))
        .unwrap();
        assert_eq!(remember.captured(), ["a", "b", "c", "d"]);
    }
}
