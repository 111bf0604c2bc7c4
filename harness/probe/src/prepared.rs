//! Requests and right answers, prepared: templates parsed once, filled per probe.

use std::ops::RangeInclusive;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use regex::bytes::Regex;

use super::capture::{Source, pattern};
use super::error::{Error, InvalidText, wrong};
use super::payload::{Body, Json};
use super::records::Values;
use firedrill_model::scenario::{Answer, Captures, Request, Template};

/// A request with its right answer, as templates.
#[derive(Debug)]
pub(super) struct Prepared {
    method: Method,
    path: Template,
    headers: Vec<(HeaderName, Template)>,
    body: Option<Body<Template>>,
    want_headers: Vec<(HeaderName, Template)>,
    want_header_contains: Vec<(HeaderName, Template)>,
    want_body: Option<Template>,
    want_json: Vec<(String, Json<Template>)>,
    fixed: Arc<Fixed>,
    reads_body: bool,
    endless: bool,
    limits: Limits,
    /// What is kept of the right answer, by name.
    pub(super) captures: Vec<(String, Source)>,
}

/// A request ready to be sent, with its right answer.
#[derive(Debug, Clone)]
pub(super) struct Concrete {
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) want: Want,
}

/// The right answer.
#[derive(Debug, Clone)]
pub(super) struct Want {
    pub(super) fixed: Arc<Fixed>,
    pub(super) headers: Vec<(HeaderName, String)>,
    pub(super) header_contains: Vec<(HeaderName, String)>,
    pub(super) body_contains: Option<String>,
    pub(super) json: Vec<(String, Json<WantedText>)>,
    /// Something is read from the body: it has to be decoded.
    pub(super) reads_body: bool,
    /// The body has no end.
    pub(super) endless: bool,
    pub(super) limits: Limits,
}

/// What of a right answer has no placeholders.
#[derive(Debug, Default)]
pub(super) struct Fixed {
    pub(super) statuses: Vec<RangeInclusive<u16>>,
    pub(super) present: Vec<HeaderName>,
    pub(super) matches: Option<Regex>,
}

/// A text that a JSON body must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WantedText {
    pub(super) text: String,
    /// It has a placeholder, which may stand for a number or a boolean: the file cannot say which.
    pub(super) of_any_kind: bool,
}

impl Want {
    /// Whether the status is right.
    pub(super) fn allows(&self, status: StatusCode) -> bool {
        let mut ranges = self.fixed.statuses.iter();
        ranges.any(|range| range.contains(&status.as_u16()))
    }
}

/// What is read of an answer at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    /// Bytes of the body.
    pub(super) body: usize,
    /// Lines of the head.
    pub(super) headers: usize,
}

fn template(text: &str) -> Result<Template, Error> {
    Template::parse(text).map_err(|error| wrong(text, error))
}

fn headers<'a>(
    texts: impl Iterator<Item = (&'a String, &'a String)>,
) -> Result<Vec<(HeaderName, Template)>, Error> {
    texts
        .map(|(name, value)| {
            Ok((
                name.parse::<HeaderName>().map_err(|error| wrong(name, error))?,
                template(value)?,
            ))
        })
        .collect()
}

impl Prepared {
    /// Parses every template.
    pub(super) fn new(request: &Request, answer: &Answer) -> Result<Self, Error> {
        let json = answer.json.iter().map(|(pointer, value)| {
            let value = Json::of(value).try_map(&|text| template(text))?;
            Ok((pointer.clone(), value))
        });
        let body = Body::of(request).map(|body| body.try_map(&|text| template(text)));
        Ok(Self {
            method: request
                .method
                .parse::<Method>()
                .map_err(|error| wrong(&request.method, error))?,
            path: template(&request.path)?,
            headers: headers(request.header.iter())?,
            body: body.transpose()?,
            want_headers: headers(answer.header.iter())?,
            want_header_contains: headers(answer.header_contains.iter())?,
            want_body: answer.body_contains.as_deref().map(template).transpose()?,
            want_json: json.collect::<Result<_, Error>>()?,
            fixed: Arc::new(Fixed::new(answer)?),
            reads_body: answer.body_contains.is_some()
                || answer.body_matches.is_some()
                || !answer.json.is_empty(),
            endless: answer.endless,
            limits: Limits {
                body: usize::try_from(answer.body_limit.0).unwrap_or(usize::MAX),
                headers: usize::try_from(answer.header_limit).unwrap_or(usize::MAX),
            },
            captures: Vec::new(),
        })
    }

    /// The same, with bodies that have to be read for something else too.
    pub(super) fn reading_body(mut self, reads_body: bool) -> Self {
        self.reads_body |= reads_body;
        self
    }

    /// The same, keeping these values of the right answer.
    pub(super) fn capturing(mut self, captures: &Captures) -> Result<Self, Error> {
        let captures = captures
            .iter()
            .map(|(name, capture)| Ok((name.clone(), Source::new(capture)?)));
        self.captures = captures.collect::<Result<_, Error>>()?;
        let reads_body = self.captures.iter().any(|(_, source)| source.reads_body());
        Ok(self.reading_body(reads_body))
    }

    /// Every template of it.
    pub(super) fn templates(&self) -> Vec<&Template> {
        let headers = [&self.headers, &self.want_headers, &self.want_header_contains];
        let mut templates = vec![&self.path];
        templates.extend(headers.into_iter().flatten().map(|(_, value)| value));
        templates.extend(self.body.iter().flat_map(Body::texts));
        templates.extend(&self.want_body);
        templates.extend(self.want_json.iter().flat_map(|(_, value)| value.texts()));
        templates
    }

    /// The request of one probe.
    pub(super) fn concrete(&self, values: &Values<'_>) -> Result<Concrete, Error> {
        let render = |template: &Template| {
            let rendered = template.render(|placeholder| values.get(placeholder));
            rendered.map_err(|error| wrong("request", error))
        };
        let path = render(&self.path)?;
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            let value = render(value)?;
            // Appended: names that differ in their case only are lines of one header.
            headers.append(
                name,
                HeaderValue::from_str(&value).map_err(|error| wrong(&value, error))?,
            );
        }
        Ok(Concrete {
            method: self.method.clone(),
            uri: at_entry(path.parse::<Uri>().map_err(|error| wrong(&path, error))?),
            body: self.body(&render, &mut headers)?,
            headers,
            want: self.want(&render)?,
        })
    }

    fn want(&self, render: &dyn Fn(&Template) -> Result<String, Error>) -> Result<Want, Error> {
        let texts = |headers: &[(HeaderName, Template)]| {
            let header = |(name, value): &(HeaderName, Template)| Ok((name.clone(), render(value)?));
            headers.iter().map(header).collect::<Result<Vec<_>, Error>>()
        };
        let text = |template: &Template| {
            Ok::<_, Error>(WantedText {
                text: render(template)?,
                of_any_kind: template.placeholders().next().is_some(),
            })
        };
        let json = self
            .want_json
            .iter()
            .map(|(pointer, value)| Ok((pointer.clone(), value.try_map(&text)?)));
        Ok(Want {
            fixed: Arc::clone(&self.fixed),
            headers: texts(&self.want_headers)?,
            header_contains: texts(&self.want_header_contains)?,
            body_contains: self.want_body.as_ref().map(render).transpose()?,
            json: json.collect::<Result<_, Error>>()?,
            reads_body: self.reads_body,
            endless: self.endless,
            limits: self.limits,
        })
    }

    fn body(
        &self,
        render: &dyn Fn(&Template) -> Result<String, Error>,
        headers: &mut HeaderMap,
    ) -> Result<Bytes, Error> {
        let Some(body) = &self.body else {
            return Ok(Bytes::new());
        };
        let body = body.try_map(render)?;
        let settled = body.settles_content_type();
        let (kind, bytes) = body.encoded();
        if let Some(kind) = kind.filter(|_| settled || !headers.contains_key(header::CONTENT_TYPE)) {
            headers.insert(header::CONTENT_TYPE, kind);
        }
        Ok(bytes)
    }
}

impl Fixed {
    fn new(answer: &Answer) -> Result<Self, Error> {
        let statuses = answer.status.each().iter().map(|status| {
            let range = status.range();
            range.ok_or_else(|| wrong(&format!("{status:?}"), InvalidText::Status))
        });
        let present = answer.header_present.iter();
        let present = present.map(|name| name.parse::<HeaderName>().map_err(|error| wrong(name, error)));
        Ok(Self {
            statuses: statuses.collect::<Result<_, Error>>()?,
            present: present.collect::<Result<_, Error>>()?,
            matches: answer.body_matches.as_deref().map(pattern).transpose()?,
        })
    }
}

/// What is asked for at the entry: an address with a host, such as a `location` may be, without it.
fn at_entry(uri: Uri) -> Uri {
    match (uri.authority(), uri.path_and_query()) {
        (Some(_), Some(path)) => Uri::from(path.clone()),
        _ => uri,
    }
}
