//! Whether an answer is the right one. Pure.

use std::sync::OnceLock;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use memchr::memmem;
use serde_json::Value;

use super::capture::written;
use super::payload::Json;
use super::prepared::{Want, WantedText};
use firedrill_model::sample::{Ack, Bad, Label, Labels, Outcome};
use firedrill_model::scenario;

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: bytes::Bytes,
    json: OnceLock<Option<Value>>,
}

impl Answer {
    pub(super) fn new(status: StatusCode, headers: HeaderMap, body: bytes::Bytes) -> Self {
        Self {
            status,
            headers,
            body,
            json: OnceLock::new(),
        }
    }

    /// The body as JSON, read once, when it is first asked for. `None` when it is none.
    pub(super) fn json(&self) -> Option<&Value> {
        self.json
            .get_or_init(|| serde_json::from_slice(&self.body).ok())
            .as_ref()
    }
}

/// Where an answer names its release.
#[derive(Debug, Clone)]
pub(super) enum ReleaseField {
    Header(HeaderName),
    Body(scenario::Between),
}

impl ReleaseField {
    fn new(identity: &scenario::Identity) -> Option<Self> {
        match identity {
            scenario::Identity::Header(name) => name.parse().ok().map(Self::Header),
            scenario::Identity::Body(between) => Some(Self::Body(between.clone())),
        }
    }

    fn read(&self, headers: &HeaderMap, body: &[u8]) -> String {
        match self {
            Self::Header(name) => joined(headers, name),
            Self::Body(between) => between_texts(body, between).unwrap_or_default(),
        }
    }
}

/// The release that an answer names by a system's identity, if it names one.
pub fn named_release(identity: &scenario::Identity, headers: &HeaderMap, body: &[u8]) -> Option<String> {
    let name = ReleaseField::new(identity)?.read(headers, body);
    (!name.is_empty()).then_some(name)
}

/// The text between two others; the body need not be text as a whole.
fn between_texts(body: &[u8], between: &scenario::Between) -> Option<String> {
    let after = |bytes: &'_ [u8], text: &str| memmem::find(bytes, text.as_bytes());
    let from = after(body, &between.after)? + between.after.len();
    let rest = &body[from..];
    let name = &rest[..after(rest, &between.until)?];
    Some(String::from_utf8_lossy(name).into_owned())
}

/// Where a journey's answers name the release and the fallback that gave them.
#[derive(Debug, Clone, Default)]
pub(super) struct AnswerLabels {
    pub(super) release: Option<ReleaseField>,
    pub(super) fallback: Option<(HeaderName, Vec<String>)>,
}

impl AnswerLabels {
    /// From the system file; the loader has checked the names.
    pub(super) fn new(identity: Option<&scenario::Identity>, fallback: Option<&scenario::Fallback>) -> Self {
        Self {
            release: identity.and_then(ReleaseField::new),
            fallback: fallback
                .and_then(|fallback| Some((fallback.header.parse().ok()?, fallback.normal.clone()))),
        }
    }

    /// The release that an answer names.
    pub(super) fn release(&self, answer: &Answer, labels: &Labels) -> Label {
        self.release.as_ref().map_or(Label::NONE, |field| {
            labels.intern(cut(&field.read(&answer.headers, &answer.body)))
        })
    }

    /// Whether the body of an answer names the release.
    pub(super) fn reads_body(&self) -> bool {
        matches!(self.release, Some(ReleaseField::Body(_)))
    }

    /// The fallback that an answer names; none for a normal answer. Of several lines, one that is not normal counts,
    /// unless all of them together are. Whether it is a fallback is decided by its text, not by its label: a table of
    /// labels that is full must not make it a normal answer.
    pub(super) fn rung(&self, headers: &HeaderMap, labels: &Labels) -> Option<Label> {
        let (name, normal) = self.fallback.as_ref()?;
        let is_normal = |way: &str| way.is_empty() || normal.iter().any(|normal| normal == way);
        if is_normal(&joined(headers, name)) {
            return None;
        }
        let lines = headers.get_all(name).iter();
        // One that is not UTF-8 is a text all the same: it is not the normal way.
        let ways = lines.map(|line| String::from_utf8_lossy(line.as_bytes()));
        let mut unusual = ways.filter(|way| !is_normal(way));
        unusual.next().map(|way| labels.intern(cut(&way)))
    }
}

/// A header's value: its lines joined as a list, as a proxy may do with them; equal lines are one.
pub(super) fn joined(headers: &HeaderMap, name: &HeaderName) -> String {
    let mut lines: Vec<_> = lines(headers, name).map(String::from_utf8_lossy).collect();
    lines.dedup();
    lines.join(", ")
}

/// The first line of a header; empty without one.
pub(super) fn first(headers: &HeaderMap, name: &HeaderName) -> String {
    let value = headers.get(name).map(HeaderValue::as_bytes);
    String::from_utf8_lossy(value.unwrap_or_default()).into_owned()
}

/// At most so many bytes of a text that names something, in whole characters: the "name" may be the rest of a page.
fn cut(text: &str) -> &str {
    const LONGEST: usize = 100;
    let mut ends = (0..=LONGEST.min(text.len())).rev();
    &text[..ends.find(|at| text.is_char_boundary(*at)).unwrap_or(0)]
}

impl Want {
    /// What is wrong with an answer; `None` when nothing is.
    pub(super) fn judge(&self, answer: &Answer) -> Option<Bad> {
        if !self.allows(answer.status) {
            return Some(Bad::Status);
        }
        // The cheap ones first: the body is parsed only for an answer that is right so far.
        let right = self.has_headers(answer)
            && self
                .body_contains
                .as_ref()
                .is_none_or(|text| memmem::find(&answer.body, text.as_bytes()).is_some())
            && self
                .fixed
                .matches
                .as_ref()
                .is_none_or(|pattern| pattern.is_match(&answer.body))
            && self.json.iter().all(|(pointer, wanted)| {
                let value = answer.json().and_then(|body| body.pointer(pointer));
                value.is_some_and(|value| wanted.is(value))
            });
        (!right).then_some(Bad::Content)
    }

    fn has_headers(&self, answer: &Answer) -> bool {
        let is = |(name, value): &(HeaderName, String)| {
            lines(&answer.headers, name).any(|line| line == value.as_bytes())
                // A header that is missing is not the same as one with an empty value.
                || answer.headers.contains_key(name) && joined(&answer.headers, name) == *value
        };
        let contains = |(name, text): &(HeaderName, String)| {
            lines(&answer.headers, name).any(|line| memmem::find(line, text.as_bytes()).is_some())
        };
        let present = |name: &HeaderName| answer.headers.contains_key(name);
        self.headers.iter().all(is)
            && self.header_contains.iter().all(contains)
            && self.fixed.present.iter().all(present)
    }
}

/// The values of a header's lines.
fn lines<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'h [u8]> + use<'h> {
    headers.get_all(name).iter().map(HeaderValue::as_bytes)
}

impl Json<WantedText> {
    /// Whether a value is this one. Tables and lists are equal as a whole; 3 and 3.0 are the same number.
    fn is(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::Text(wanted), Value::String(text)) => wanted.text == *text,
            (Self::Text(wanted), Value::Number(_) | Value::Bool(_)) => {
                wanted.of_any_kind && written(value).as_ref() == Some(&wanted.text)
            }
            (Self::List(wanted), Value::Array(items)) => {
                wanted.len() == items.len() && wanted.iter().zip(items).all(|(wanted, item)| wanted.is(item))
            }
            (Self::Table(wanted), Value::Object(table)) => {
                let is_there =
                    |(key, wanted): &(String, Self)| table.get(key).is_some_and(|item| wanted.is(item));
                wanted.len() == table.len() && wanted.iter().all(is_there)
            }
            (Self::Plain(Value::Number(wanted)), Value::Number(number)) => {
                wanted == number
                    || wanted.as_f64() == number.as_f64() && !(wanted.is_u64() && number.is_u64())
            }
            (Self::Plain(wanted), value) => wanted == value,
            _ => false,
        }
    }
}

/// What the user of a write knows from how it ended: a late right answer is an acknowledgement all the same. Only an
/// answer of 4xx says that nothing was stored. After any other failure (an error of the server, a broken connection, no
/// answer) the write may be there or not, and both are right. So it may after the refusal of a request that was repeated: the
/// first one, whose connection broke, may have been stored, and be the reason of the refusal.
pub(super) fn acknowledgement(outcome: Outcome, status: u16, repeated: bool) -> Ack {
    match outcome {
        // Late is bad for the user, and yet a promise of the service.
        Outcome::Good | Outcome::Fallback | Outcome::Bad(Bad::Late) => Ack::Acknowledged,
        Outcome::Bad(Bad::Status) if (400..500).contains(&status) && !repeated => Ack::Refused,
        Outcome::Bad(_) | Outcome::Void(_) => Ack::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, location: &str) -> Answer {
        let headers = HeaderMap::from_iter([(http::header::LOCATION, location.parse().unwrap())]);
        Answer::new(
            StatusCode::from_u16(status).unwrap(),
            headers,
            "a page with a link".into(),
        )
    }

    fn want() -> Want {
        let fixed = crate::prepared::Fixed {
            statuses: vec![302..=302],
            ..Default::default()
        };
        Want {
            fixed: fixed.into(),
            header_contains: Vec::new(),
            json: Vec::new(),
            headers: vec![(http::header::LOCATION, "http://right/".into())],
            body_contains: Some("with a".into()),
            reads_body: true,
            endless: false,
            limits: crate::prepared::Limits {
                body: 1 << 20,
                headers: 100,
            },
        }
    }

    #[test]
    fn a_redirect_to_the_wrong_place_is_bad_content() {
        assert_eq!(want().judge(&answer(302, "http://right/")), None);
        assert_eq!(want().judge(&answer(302, "http://wrong/")), Some(Bad::Content));
        assert_eq!(want().judge(&answer(500, "http://right/")), Some(Bad::Status));
    }

    #[test]
    fn a_page_without_its_text_is_bad_content() {
        let missing = Want {
            body_contains: Some("another".into()),
            ..want()
        };
        assert_eq!(missing.judge(&answer(302, "http://right/")), Some(Bad::Content));
    }

    #[test]
    fn only_an_answer_of_4xx_to_the_first_try_says_that_a_write_was_refused() {
        let (once, repeated) = (false, true);
        for tries in [once, repeated] {
            assert_eq!(acknowledgement(Outcome::Good, 201, tries), Ack::Acknowledged);
            let late = Outcome::Bad(Bad::Late);
            assert_eq!(acknowledgement(late, 201, tries), Ack::Acknowledged);
            for bad in [Bad::Content, Bad::Refused, Bad::Reset, Bad::Timeout] {
                assert_eq!(
                    acknowledgement(Outcome::Bad(bad), 0, tries),
                    Ack::Unknown,
                    "{bad}"
                );
            }
        }
        let wrong = |status, tries| acknowledgement(Outcome::Bad(Bad::Status), status, tries);
        for status in [400, 409, 422, 429] {
            assert_eq!(wrong(status, once), Ack::Refused);
            assert_eq!(wrong(status, repeated), Ack::Unknown);
        }
        for status in [200, 302, 500, 503] {
            assert_eq!(wrong(status, once), Ack::Unknown, "{status}");
        }
    }

    #[test]
    fn the_normal_way_is_no_rung_and_every_other_value_is() {
        let fallback = scenario::Fallback {
            header: "x-served-by".into(),
            normal: vec!["store".into()],
            rungs: Vec::new(),
        };
        let labels_of = AnswerLabels::new(None, Some(&fallback));
        let labels = Labels::default();
        let by = |way: &'static str| {
            HeaderMap::from_iter([(HeaderName::from_static("x-served-by"), way.parse().unwrap())])
        };
        assert_eq!(labels_of.rung(&by("store"), &labels), None);
        assert_eq!(labels_of.rung(&by("memory"), &labels), Some(Label(1)));
        assert_eq!(labels_of.rung(&HeaderMap::new(), &labels), None);
    }

    #[test]
    fn a_fallback_stays_one_when_its_name_cannot_be_read_or_kept() {
        let fallback = scenario::Fallback {
            header: "x-served-by".into(),
            normal: vec!["store".into(), "s".repeat(150)],
            rungs: Vec::new(),
        };
        let named = AnswerLabels::new(None, Some(&fallback));
        let by = |way: &[u8]| {
            let way = HeaderValue::from_bytes(way).unwrap();
            HeaderMap::from_iter([(HeaderName::from_static("x-served-by"), way)])
        };
        let labels = Labels::default();
        assert!(named.rung(&by(b"m\xe9moire"), &labels).is_some(), "not UTF-8");
        assert_eq!(named.rung(&by("s".repeat(150).as_bytes()), &labels), None);
        for n in 0..Labels::LIMIT {
            labels.intern(&format!("v1+{n}"));
        }
        assert_eq!(named.rung(&by(b"memory"), &labels), Some(Label::TOO_MANY));
        assert_eq!(named.rung(&by(b"store"), &labels), None);
    }

    fn lines(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, line) in lines {
            headers.append(*name, line.parse().unwrap());
        }
        headers
    }

    #[test]
    fn a_header_of_several_lines_has_the_value_of_each_and_of_all() {
        let answer = Answer {
            headers: lines(&[("vary", "Origin"), ("vary", "Accept-Encoding")]),
            ..answer(302, "")
        };
        for (value, right) in [
            ("Origin", true),
            ("Accept-Encoding", true),
            ("Origin, Accept-Encoding", true),
            ("Accept", false),
            ("", false),
        ] {
            let want = Want {
                headers: vec![(http::header::VARY, value.into())],
                ..want()
            };
            assert_eq!(want.judge(&answer).is_none(), right, "{value}");
        }
        let missing = Want {
            headers: vec![(http::header::ETAG, String::new())],
            ..want()
        };
        assert_eq!(missing.judge(&answer), Some(Bad::Content));
    }

    #[test]
    fn a_fallback_in_any_line_and_in_any_script_is_one() {
        let fallback = scenario::Fallback {
            header: "x-served-by".into(),
            normal: vec!["store".into(), "edge, store".into()],
            rungs: Vec::new(),
        };
        let answers = AnswerLabels::new(None, Some(&fallback));
        let labels = Labels::default();
        let rung = |values: &[&str]| {
            let values: Vec<_> = values.iter().map(|value| ("x-served-by", *value)).collect();
            answers.rung(&lines(&values), &labels)
        };
        let named = |text: &str| Some(labels.intern(text));
        assert_eq!(rung(&["store", "store"]), None);
        assert_eq!(rung(&["edge", "store"]), None);
        assert_eq!(rung(&["store", "memory"]), named("memory"));
        assert_eq!(rung(&["Speicher für Notfälle"]), named("Speicher für Notfälle"));
        let long = "é".repeat(80);
        assert_eq!(rung(&[&long]), named(&"é".repeat(50)));
    }

    #[test]
    fn a_release_is_read_from_a_header_or_from_the_body() {
        let labels = Labels::default();
        let release = |identity: scenario::Identity| {
            let labels_of = AnswerLabels::new(Some(&identity), None);
            let answer = Answer {
                body: r#"{"release":"v2","x":1}"#.into(),
                ..answer(302, "v1")
            };
            labels_of.release(&answer, &labels)
        };
        let between = |after: &str| {
            let (after, until) = (after.to_owned(), "\"".to_owned());
            scenario::Identity::Body(scenario::Between { after, until })
        };
        assert_eq!(
            release(scenario::Identity::Header("location".into())),
            labels.intern("v1")
        );
        assert_eq!(release(between("\"release\":\"")), labels.intern("v2"));
        assert_eq!(release(between("nowhere")), Label::NONE);
    }
}
