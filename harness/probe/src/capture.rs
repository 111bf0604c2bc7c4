//! Values to keep of an answer, for later requests and for reading back.

use http::{HeaderName, HeaderValue};
use regex::bytes::Regex;
use serde_json::Value;

use super::answer::Answer;
use super::cookies;
use super::error::{Error, InvalidText, wrong};
use firedrill_model::scenario::Capture;

/// Where a value is in an answer.
#[derive(Debug)]
pub(super) enum Source {
    Json(String),
    Header(HeaderName),
    Cookie(String),
    Regex(Regex),
}

impl Source {
    /// Parses what the system file says.
    pub(super) fn new(capture: &Capture) -> Result<Self, Error> {
        Ok(match capture {
            Capture::Json(pointer) => Self::Json(pointer.clone()),
            Capture::Header(name) => Self::Header(name.parse().map_err(|error| wrong(name, error))?),
            Capture::Cookie(name) => Self::Cookie(name.clone()),
            Capture::Regex(text) => Self::Regex(pattern(text)?),
        })
    }

    /// Whether it is in the body.
    pub(super) fn reads_body(&self) -> bool {
        matches!(self, Self::Json(_) | Self::Regex(_))
    }

    /// The value; `None` when the answer does not have it, or it is not UTF-8.
    pub(super) fn read(&self, answer: &Answer) -> Option<String> {
        match self {
            Self::Json(pointer) => written(answer.json()?.pointer(pointer)?),
            Self::Header(name) => {
                let line = answer.headers.get(name).map(HeaderValue::as_bytes)?;
                String::from_utf8(line.to_vec()).ok()
            }
            Self::Cookie(name) => cookies::value(&answer.headers, name),
            Self::Regex(regex) => {
                let group = regex.captures(&answer.body)?.get(1)?;
                String::from_utf8(group.as_bytes().to_vec()).ok()
            }
        }
    }
}

/// A JSON value as a text; none of what there is no one text for.
pub(super) fn written(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A regular expression over bodies, which need not be text.
pub(super) fn pattern(text: &str) -> Result<Regex, Error> {
    Regex::new(text).map_err(|error| wrong(text, InvalidText::Pattern(Box::new(error))))
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, StatusCode, header};
    use serde_json::json;

    use super::*;

    fn read(capture: Value) -> Option<String> {
        let headers = HeaderMap::from_iter([
            (header::LOCATION, HeaderValue::from_static("/items/7")),
            (
                header::SET_COOKIE,
                HeaderValue::from_static("sid=abc; Path=/; HttpOnly"),
            ),
        ]);
        let body = br#"{"id":7,"name":"x","deep":[{"ok":true}],"none":null} <input name="csrf" value="t-1">"#;
        let json = &body[..body.iter().position(|byte| *byte == b' ').unwrap()];
        let source = Source::new(&serde_json::from_value(capture).unwrap()).unwrap();
        let body: &[u8] = if matches!(source, Source::Json(_)) {
            json
        } else {
            body
        };
        source.read(&Answer::new(StatusCode::OK, headers, body.to_vec().into()))
    }

    #[test]
    fn a_value_is_read_from_json_a_header_a_cookie_or_the_text() {
        let cases = [
            (json!({ "json": "/id" }), Some("7")),
            (json!({ "json": "/name" }), Some("x")),
            (json!({ "json": "/deep/0/ok" }), Some("true")),
            (json!({ "json": "/none" }), None),
            (json!({ "json": "/deep" }), None),
            (json!({ "json": "/other" }), None),
            (json!({ "header": "location" }), Some("/items/7")),
            (json!({ "header": "etag" }), None),
            (json!({ "cookie": "sid" }), Some("abc")),
            (json!({ "cookie": "other" }), None),
            (
                json!({ "regex": "name=\"csrf\" value=\"([^\"]+)\"" }),
                Some("t-1"),
            ),
            (json!({ "regex": "no such (thing)" }), None),
        ];
        for (capture, value) in cases {
            assert_eq!(read(capture.clone()).as_deref(), value, "{capture}");
        }
    }
}
