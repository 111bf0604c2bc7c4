//! Templates: text with `{name}` holes. `{{` and `}}` stand for a brace.
//!
//! Faces the files' authors, who write them, and everyone who fills them; values are put in as they are and never read
//! as a template again.

use std::borrow::Cow;

/// A parsed template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Hole(String),
}

/// What is wrong with a template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// A `{` that nothing closes, or a `}` that nothing opened.
    #[error("a brace stands alone; write {{{{ or }}}} for a brace itself")]
    LoneBrace,
    /// A hole that nothing fills.
    #[error("nothing is called {{{0}}} here")]
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
                    parts.push(Part::Hole(name.trim().to_owned()));
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

    /// The names of its holes, in order.
    pub fn holes(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Hole(name) => Some(name.as_str()),
            Part::Text(_) => None,
        })
    }

    /// The text with every hole filled.
    ///
    /// # Errors
    /// [`TemplateError::Unknown`] for a hole that `lookup` does not know.
    pub fn fill<'v>(&self, lookup: impl Fn(&str) -> Option<Cow<'v, str>>) -> Result<String, TemplateError> {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Text(literal) => text.push_str(literal),
                Part::Hole(name) => {
                    text.push_str(&lookup(name).ok_or_else(|| TemplateError::Unknown(name.clone()))?);
                }
            }
        }
        Ok(text)
    }
}

/// Parses and fills at once.
///
/// # Errors
/// Those of [`Template::parse`] and [`Template::fill`].
pub fn fill<'v>(text: &str, lookup: impl Fn(&str) -> Option<Cow<'v, str>>) -> Result<String, TemplateError> {
    Template::parse(text)?.fill(lookup)
}

/// The value of `{record.field}` for record number `n` of a plan's `records`: fields are templates over `{n}` and
/// `{seed}` themselves.
pub fn record_field(
    records: &std::collections::BTreeMap<String, super::Records>,
    hole: &str,
    n: u64,
    seed: u64,
) -> Option<String> {
    let (record, field) = hole.split_once('.')?;
    let text = records.get(record)?.fields.get(field)?;
    fill(text, |name| match name {
        "n" => Some(n.to_string().into()),
        "seed" => Some(seed.to_string().into()),
        _ => None,
    })
    .ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn holes_are_filled_and_doubled_braces_are_braces() {
        let filled = fill("{{\"code\": \"{ code }\"}}", |name| {
            (name == "code").then(|| "nike".into())
        });
        assert_eq!(filled.unwrap(), r#"{"code": "nike"}"#);
    }

    #[test]
    fn a_lone_brace_and_an_unknown_hole_are_errors() {
        for text in ["{", "}", "{a", "a}", "{a{b}}"] {
            assert_eq!(Template::parse(text), Err(TemplateError::LoneBrace), "{text}");
        }
        assert_eq!(fill("{x}", |_| None), Err(TemplateError::Unknown("x".into())));
    }

    #[test]
    fn what_is_filled_in_is_not_read_as_a_template() {
        assert_eq!(fill("{a}", |_| Some("{b}".into())).unwrap(), "{b}");
    }

    proptest! {
        #[test]
        fn any_text_survives_escaping(text in ".{0,40}") {
            let escaped = text.replace('{', "{{").replace('}', "}}");
            prop_assert_eq!(fill(&escaped, |_| None).unwrap(), text);
        }
    }
}
