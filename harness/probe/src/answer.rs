//! Whether an answer is the right one. Pure.

use http::{HeaderMap, HeaderName, StatusCode};

use super::prepared::Want;
use firedrill_model::sample::{Ack, Bad, Label, Labels, Outcome};
use firedrill_model::scenario;

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: bytes::Bytes,
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

    fn read<'a>(&self, answer: &'a Answer) -> &'a str {
        match self {
            Self::Header(name) => text(&answer.headers, name),
            Self::Body(between) => std::str::from_utf8(&answer.body)
                .ok()
                .and_then(|body| body.split_once(between.after.as_str()))
                .and_then(|(_, rest)| rest.split_once(between.until.as_str()))
                // At most 100 bytes: where the text behind the name is missing, the "name" is the rest of a page.
                .map_or("", |(name, _)| name.get(..100).unwrap_or(name)),
        }
    }
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
        self.release
            .as_ref()
            .map_or(Label::NONE, |field| labels.intern(field.read(answer)))
    }

    /// The fallback that an answer names; none for a normal answer.
    pub(super) fn rung(&self, headers: &HeaderMap, labels: &Labels) -> Label {
        match &self.fallback {
            Some((name, normal)) => match text(headers, name) {
                way if normal.iter().any(|n| n == way) => Label::NONE,
                way => labels.intern(way),
            },
            None => Label::NONE,
        }
    }
}

/// A header's text, cut to the length of a label.
pub(super) fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> &'h str {
    let text = headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    text.get(..100).unwrap_or(text)
}

impl Want {
    /// What is wrong with an answer; `None` when nothing is.
    pub(super) fn judge(&self, answer: &Answer) -> Option<Bad> {
        if answer.status.as_u16() != self.status {
            return Some(Bad::Status);
        }
        let header = |(name, value): &(HeaderName, String)| {
            answer
                .headers
                .get(name)
                .is_some_and(|found| found.as_bytes() == value.as_bytes())
        };
        let body = |text: &String| {
            let (body, text) = (&answer.body[..], text.as_bytes());
            text.is_empty() || body.windows(text.len()).any(|window| window == text)
        };
        let right = self.headers.iter().all(header) && self.body_contains.as_ref().is_none_or(body);
        (!right).then_some(Bad::Content)
    }
}

/// What the user of a write knows from how it ended: a late right answer is an acknowledgement all the same.
pub(super) fn acknowledgement(outcome: Outcome) -> Ack {
    match outcome {
        // Late is bad for the user, and yet a promise of the service.
        Outcome::Good | Outcome::Fallback | Outcome::Bad(Bad::Late) => Ack::Acknowledged,
        Outcome::Bad(Bad::Status | Bad::Content | Bad::Refused) => Ack::Refused,
        Outcome::Bad(Bad::Reset | Bad::Timeout) | Outcome::Void(_) => Ack::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, location: &str) -> Answer {
        let headers = HeaderMap::from_iter([(http::header::LOCATION, location.parse().unwrap())]);
        Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers,
            body: "a page with a link".into(),
        }
    }

    fn want() -> Want {
        Want {
            status: 302,
            headers: vec![(http::header::LOCATION, "http://right/".into())],
            body_contains: Some("with a".into()),
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
    fn the_normal_way_is_no_rung_and_every_other_value_is() {
        let fallback = scenario::Fallback {
            header: "x-served-by".into(),
            normal: vec!["store".into()],
        };
        let labels_of = AnswerLabels::new(None, Some(&fallback));
        let labels = Labels::default();
        let by = |way: &'static str| {
            HeaderMap::from_iter([(HeaderName::from_static("x-served-by"), way.parse().unwrap())])
        };
        assert_eq!(labels_of.rung(&by("store"), &labels), Label::NONE);
        assert_eq!(labels_of.rung(&by("memory"), &labels), Label(1));
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
