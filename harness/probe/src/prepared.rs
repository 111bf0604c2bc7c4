//! Requests and right answers, prepared: templates parsed once, filled per probe.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};

use super::error::{Error, InvalidText};
use super::form;
use super::records::Book;
use firedrill_model::scenario::{Answer, Request, Template};

/// A request with its right answer, as templates.
#[derive(Debug)]
pub(super) struct Prepared {
    method: Method,
    path: Template,
    headers: Vec<(HeaderName, Template)>,
    form: Vec<(String, Template)>,
    body: Option<Template>,
    status: u16,
    want_headers: Vec<(HeaderName, Template)>,
    want_body: Option<Template>,
    reads_body: bool,
    endless: bool,
    limits: Limits,
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Want {
    pub(super) status: u16,
    pub(super) headers: Vec<(HeaderName, String)>,
    pub(super) body_contains: Option<String>,
    /// Something is read from the body: it has to be decoded.
    pub(super) reads_body: bool,
    /// The body has no end.
    pub(super) endless: bool,
    pub(super) limits: Limits,
}

/// What is read of an answer at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    /// Bytes of the body.
    pub(super) body: usize,
    /// Lines of the head.
    pub(super) headers: usize,
}

fn wrong(text: &str, source: impl Into<InvalidText>) -> Error {
    Error::Text {
        text: text.to_owned(),
        source: source.into(),
    }
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
        let form = request
            .form
            .iter()
            .map(|(name, value)| Ok((name.clone(), template(value)?)));
        Ok(Self {
            method: request
                .method
                .parse::<Method>()
                .map_err(|error| wrong(&request.method, error))?,
            path: template(&request.path)?,
            headers: headers(request.header.iter())?,
            form: form.collect::<Result<_, Error>>()?,
            body: request.body.as_deref().map(template).transpose()?,
            status: answer.status,
            want_headers: headers(answer.header.iter())?,
            want_body: answer.body_contains.as_deref().map(template).transpose()?,
            reads_body: answer.body_contains.is_some(),
            endless: answer.endless,
            limits: Limits {
                body: usize::try_from(answer.body_limit.0).unwrap_or(usize::MAX),
                headers: usize::try_from(answer.header_limit).unwrap_or(usize::MAX),
            },
        })
    }

    /// The same, with bodies that have to be read for something else too.
    pub(super) fn reading_body(mut self, reads_body: bool) -> Self {
        self.reads_body |= reads_body;
        self
    }

    /// Every template of it.
    pub(super) fn templates(&self) -> impl Iterator<Item = &Template> {
        let named = self
            .headers
            .iter()
            .chain(&self.want_headers)
            .map(|(_, value)| value);
        let form = self.form.iter().map(|(_, value)| value);
        std::iter::once(&self.path)
            .chain(named)
            .chain(form)
            .chain(&self.body)
            .chain(&self.want_body)
    }

    /// The request of probe number `n`; `link` fills `{link}`.
    pub(super) fn concrete(&self, book: &Book<'_>, n: u64, link: Option<&str>) -> Result<Concrete, Error> {
        let render = |template: &Template| {
            let rendered = template.render(|placeholder| match placeholder {
                "link" => link.map(|link| link.to_owned().into()),
                placeholder => book.field(placeholder, n),
            });
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
        let want = |(name, value): &(HeaderName, Template)| Ok((name.clone(), render(value)?));
        Ok(Concrete {
            method: self.method.clone(),
            uri: path.parse::<Uri>().map_err(|error| wrong(&path, error))?,
            body: self.body(&render, &mut headers)?,
            headers,
            want: Want {
                status: self.status,
                headers: self.want_headers.iter().map(want).collect::<Result<_, Error>>()?,
                body_contains: self.want_body.as_ref().map(render).transpose()?,
                reads_body: self.reads_body,
                endless: self.endless,
                limits: self.limits,
            },
        })
    }

    fn body(
        &self,
        render: &dyn Fn(&Template) -> Result<String, Error>,
        headers: &mut HeaderMap,
    ) -> Result<Bytes, Error> {
        if let Some(body) = &self.body {
            return Ok(render(body)?.into());
        }
        if self.form.is_empty() {
            return Ok(Bytes::new());
        }
        let rendered = self.form.iter().map(|(name, value)| Ok((name, render(value)?)));
        let fields: Vec<_> = rendered.collect::<Result<_, Error>>()?;
        headers.insert(
            http::header::CONTENT_TYPE,
            HeaderValue::from_static(form::CONTENT_TYPE),
        );
        Ok(form::body(fields).into())
    }
}
