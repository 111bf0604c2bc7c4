//! Templates: text with placeholders such as `{name}`. `{{` and `}}` are literal braces.
//!
//! Takes text from the files, and values by name; gives the text with its values. A value is inserted as it is: braces
//! in it mean nothing.

use std::borrow::Cow;

use super::{Journey, System};

/// A parsed template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Placeholder(String),
}

/// What is wrong with a template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TemplateError {
    /// A `{` that nothing closes, or a `}` that nothing opened.
    #[error("unmatched brace; write {{{{ or }}}} for a literal brace")]
    LoneBrace,
    /// A placeholder without a value.
    #[error("unknown placeholder {{{0}}}")]
    Unknown(String),
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// [`TemplateError::LoneBrace`].
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text.chars().peekable();
        while let Some(c) = rest.next() {
            match c {
                // Doubled braces first: they are text, also where a placeholder could begin.
                '{' | '}' if rest.next_if_eq(&c).is_some() => literal.push(c),
                '{' => {
                    let mut name = String::new();
                    loop {
                        match rest.next() {
                            Some('}') => break,
                            Some(c) if c != '{' => name.push(c),
                            _ => return Err(TemplateError::LoneBrace),
                        }
                    }
                    if !literal.is_empty() {
                        parts.push(Part::Text(std::mem::take(&mut literal)));
                    }
                    // `{ code }` is `{code}`.
                    parts.push(Part::Placeholder(name.trim().to_owned()));
                }
                '}' => return Err(TemplateError::LoneBrace),
                c => literal.push(c),
            }
        }
        if !literal.is_empty() {
            parts.push(Part::Text(literal));
        }
        Ok(Self { parts })
    }

    /// The names of its placeholders, in order.
    pub fn placeholders(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Placeholder(name) => Some(name.as_str()),
            Part::Text(_) => None,
        })
    }

    /// The template with values for the placeholders that `lookup` knows; the others stay.
    pub fn filled<'v>(&self, lookup: impl Fn(&str) -> Option<&'v str>) -> String {
        let literal = |text: &str| text.replace('{', "{{").replace('}', "}}");
        let part = |part: &Part| match part {
            Part::Text(text) => literal(text),
            Part::Placeholder(name) => lookup(name).map_or_else(|| format!("{{{name}}}"), literal),
        };
        self.parts.iter().map(part).collect()
    }

    /// The text with the value of every placeholder.
    ///
    /// # Errors
    /// [`TemplateError::Unknown`] for a placeholder that `lookup` does not know.
    pub fn render<'v>(&self, lookup: impl Fn(&str) -> Option<Cow<'v, str>>) -> Result<String, TemplateError> {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Text(literal) => text.push_str(literal),
                Part::Placeholder(name) => {
                    text.push_str(&lookup(name).ok_or_else(|| TemplateError::Unknown(name.clone()))?);
                }
            }
        }
        Ok(text)
    }
}

/// Parses and renders at once.
///
/// # Errors
/// Those of [`Template::parse`] and [`Template::render`].
pub fn render<'v>(
    text: &str,
    lookup: impl Fn(&str) -> Option<Cow<'v, str>>,
) -> Result<String, TemplateError> {
    Template::parse(text)?.render(lookup)
}

/// Where a service is reached: what follows `service.` in a placeholder.
///
/// ```
/// use firedrill_model::scenario::template::{AddressPart, ServiceAddress};
///
/// let address = ServiceAddress::parse("db.admin.port");
/// assert_eq!((address.service, address.port), ("db", Some("admin")));
/// assert_eq!(address.part.of("http://10.0.0.2:5432"), Some("5432"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServiceAddress<'t> {
    /// The service.
    pub service: &'t str,
    /// Its named port; the main one without it.
    pub port: Option<&'t str>,
    /// What of the address is wanted.
    pub part: AddressPart,
}

/// What a placeholder gives of a service's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressPart {
    /// `{service.NAME}`: the base URL.
    Url,
    /// `{service.NAME.address}`: host and port.
    Address,
    /// `{service.NAME.host}`: the host.
    Host,
    /// `{service.NAME.port}`: the port's number.
    Port,
}

impl AddressPart {
    /// The words of the parts. No port has one of these names.
    pub const WORDS: [(&'static str, Self); 3] = [
        ("address", Self::Address),
        ("host", Self::Host),
        ("port", Self::Port),
    ];

    /// The part of a base URL without a path.
    pub fn of(self, url: &str) -> Option<&str> {
        let (_, address) = url.split_once("://")?;
        Some(match self {
            Self::Url => url,
            Self::Address => address,
            Self::Host => address.rsplit_once(':')?.0,
            Self::Port => address.rsplit_once(':')?.1,
        })
    }
}

impl<'t> ServiceAddress<'t> {
    /// Reads `NAME`, `NAME.PORT`, and either with a part at its end.
    pub fn parse(text: &'t str) -> Self {
        let (rest, part) = text
            .rsplit_once('.')
            .and_then(|(rest, last)| {
                let (_, part) = AddressPart::WORDS.iter().find(|(word, _)| *word == last)?;
                Some((rest, *part))
            })
            .unwrap_or((text, AddressPart::Url));
        let (service, port) = rest
            .split_once('.')
            .map_or((rest, None), |(service, port)| (service, Some(port)));
        Self { service, port, part }
    }
}

/// The value of `{record.field}` for record number `n` of a plan's `records`: fields are templates over `{n}` and
/// `{seed}` themselves.
pub fn record_field(
    records: &std::collections::BTreeMap<String, super::Records>,
    placeholder: &str,
    n: u64,
    seed: u64,
) -> Option<String> {
    // Only the first dot: names of fields have none.
    let (record, field) = placeholder.split_once('.')?;
    let text = records.get(record)?.fields.get(field)?;
    render(text, |name| match name {
        "n" => Some(n.to_string().into()),
        "seed" => Some(seed.to_string().into()),
        _ => None,
    })
    .ok()
}

/// Whether a journey uses counted records, which only a seeded store has.
pub fn uses_counted_records(system: &System, journey: &Journey) -> bool {
    let counted = |placeholder: &str| {
        let record = placeholder.split_once('.').map(|(record, _)| record);
        let records = record.and_then(|record| system.records.get(record));
        records.is_some_and(|records| records.count.is_some())
    };
    let uses =
        |text: &String| Template::parse(text).is_ok_and(|template| template.placeholders().any(counted));
    journey.texts().iter().any(uses)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn placeholders_get_their_values_and_doubled_braces_are_literal() {
        let filled = render("{{\"code\": \"{ code }\"}}", |name| {
            (name == "code").then(|| "nike".into())
        });
        assert_eq!(filled.unwrap(), r#"{"code": "nike"}"#);
    }

    #[test]
    fn an_unmatched_brace_and_an_unknown_placeholder_are_errors() {
        for text in ["{", "}", "{a", "a}", "{a{b}}"] {
            assert_eq!(Template::parse(text), Err(TemplateError::LoneBrace), "{text}");
        }
        assert_eq!(render("{x}", |_| None), Err(TemplateError::Unknown("x".into())));
    }

    #[test]
    fn what_is_filled_in_is_not_read_as_a_template() {
        assert_eq!(render("{a}", |_| Some("{b}".into())).unwrap(), "{b}");
    }

    proptest! {
        #[test]
        fn any_text_survives_escaping(text in ".{0,40}") {
            let escaped = text.replace('{', "{{").replace('}', "}}");
            prop_assert_eq!(render(&escaped, |_| None).unwrap(), text);
        }
    }
}
