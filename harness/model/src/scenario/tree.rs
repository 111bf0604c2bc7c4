//! A TOML file as a tree in which every key and value knows its place in the text.
//!
//! Takes a parsed document; gives the checks values and their places, looked up by [`Step`]s.

use std::ops::Range;

use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// One step on the way to a value: a key or an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step<'a> {
    Key(&'a str),
    Index(usize),
}

impl<'a> From<&'a str> for Step<'a> {
    fn from(key: &'a str) -> Self {
        Self::Key(key)
    }
}

impl<'a> From<&'a String> for Step<'a> {
    fn from(key: &'a String) -> Self {
        Self::Key(key)
    }
}

impl From<usize> for Step<'_> {
    fn from(index: usize) -> Self {
        Self::Index(index)
    }
}

/// A value and its place.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) span: Range<usize>,
    pub(super) kind: Kind,
    /// Replaces a value that could not be read, so that the rest can be checked.
    pub(super) stands_in: bool,
}

/// What a value is.
#[derive(Debug, Clone)]
pub(super) enum Kind {
    /// In the order of the file.
    Table(Vec<Entry>),
    Array(Vec<Node>),
    Text(String),
    /// `None`: it does not fit in 64 bits.
    Integer(Option<i64>),
    Float(f64),
    Boolean(bool),
    /// A date or a time; no key of the files takes one.
    Datetime(String),
}

/// A key with its place, and its value.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) span: Range<usize>,
    pub(super) value: Node,
}

impl Node {
    /// The tree of a parsed document.
    pub(super) fn from_document(document: &Spanned<DeTable<'_>>) -> Self {
        Self {
            span: document.span(),
            kind: table(document.get_ref()),
            stands_in: false,
        }
    }

    fn from_value(value: &Spanned<DeValue<'_>>) -> Self {
        let kind = match value.get_ref() {
            DeValue::String(text) => Kind::Text(text.clone().into_owned()),
            DeValue::Integer(number) => {
                Kind::Integer(i64::from_str_radix(number.as_str(), number.radix()).ok())
            }
            DeValue::Float(number) => Kind::Float(number.as_str().parse().unwrap_or(f64::NAN)),
            DeValue::Boolean(value) => Kind::Boolean(*value),
            DeValue::Datetime(datetime) => Kind::Datetime(datetime.to_string()),
            DeValue::Array(items) => Kind::Array(items.iter().map(Self::from_value).collect()),
            DeValue::Table(entries) => table(entries),
        };
        Self {
            span: value.span(),
            kind,
            stands_in: false,
        }
    }

    /// How many values there are in it, itself included.
    pub(super) fn size(&self) -> usize {
        let inside: usize = match &self.kind {
            Kind::Table(entries) => entries.iter().map(|entry| entry.value.size()).sum(),
            Kind::Array(items) => items.iter().map(Self::size).sum(),
            _ => 0,
        };
        1 + inside
    }

    /// The entries, when it is a table.
    pub(super) fn entries(&self) -> &[Entry] {
        match &self.kind {
            Kind::Table(entries) => entries,
            _ => &[],
        }
    }

    /// The text, when it is one.
    pub(super) fn as_text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The value under a key or index.
    pub(super) fn get(&self, step: Step<'_>) -> Option<&Self> {
        match (&self.kind, step) {
            (Kind::Table(_), Step::Key(_)) => self.entry(step).map(|entry| &entry.value),
            (Kind::Array(items), Step::Index(index)) => items.get(index),
            _ => None,
        }
    }

    fn entry(&self, step: Step<'_>) -> Option<&Entry> {
        self.entries().iter().find(|entry| step == Step::Key(&entry.key))
    }

    /// The place of the value at the end of the path; of the last part that is there, when it is left out.
    pub(super) fn place(&self, path: &[Step<'_>]) -> Range<usize> {
        let mut node = self;
        for step in path {
            match node.get(*step) {
                Some(next) => node = next,
                None => break,
            }
        }
        node.span.clone()
    }

    /// The place of the key at the end of the path; like [`Self::place`] where there is none.
    pub(super) fn key_place(&self, path: &[Step<'_>]) -> Range<usize> {
        let Some((last, way)) = path.split_last() else {
            return self.place(path);
        };
        way.iter()
            .try_fold(self, |node, step| node.get(*step))
            .and_then(|node| node.entry(*last))
            .map_or_else(|| self.place(path), |entry| entry.span.clone())
    }

    /// The same as JSON. What JSON cannot say becomes null.
    pub(super) fn to_json(&self) -> Value {
        match &self.kind {
            Kind::Table(entries) => entries
                .iter()
                .map(|entry| (entry.key.clone(), entry.value.to_json()))
                .collect(),
            Kind::Array(items) => items.iter().map(Self::to_json).collect(),
            Kind::Text(text) | Kind::Datetime(text) => text.clone().into(),
            Kind::Integer(number) => (*number).into(),
            Kind::Float(number) => (*number).into(),
            Kind::Boolean(value) => (*value).into(),
        }
    }
}

fn table(entries: &DeTable<'_>) -> Kind {
    let mut entries: Vec<Entry> = entries
        .iter()
        .map(|(key, value)| Entry {
            key: key.get_ref().clone().into_owned(),
            span: key.span(),
            value: Node::from_value(value),
        })
        .collect();
    // The parser's map is not in the file's order, in which problems are reported.
    entries.sort_by_key(|entry| entry.span.start);
    Kind::Table(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_and_value_knows_its_place() {
        let text = "a = 1\n[service.app]\nargs = [\"x\", \"yy\"]\n";
        let tree = Node::from_document(&DeTable::parse(text).unwrap());
        let path = ["service".into(), "app".into(), "args".into(), 1.into()];
        assert_eq!(&text[tree.place(&path)], "\"yy\"");
        assert_eq!(&text[tree.key_place(&path[..3])], "args");
        assert_eq!(&text[tree.place(&["a".into()])], "1");
        assert_eq!(&text[tree.key_place(&path[..2])], "app");
        assert_eq!(&text[tree.place(&path[..2])], "[service.app]");
        assert_eq!(
            &text[tree.place(&["service".into(), "app".into(), "port".into()])],
            "[service.app]"
        );
    }
}
