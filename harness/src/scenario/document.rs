//! One file: its text, its tree, and the way from a place in the model to a place in the text.
//!
//! Faces the loader, which reads files through it, and the rules, which report through it.

use serde::de::DeserializeOwned;
use serde_json::Value;
use toml::de::DeTable;

use super::problem::{Code, Problem, Text};
use super::tree::{Node, Step};
use super::{FaultKind, structure};

/// The way to a value: `at!["service", name, "args", 0]`.
macro_rules! at {
    ($($step:expr),* $(,)?) => { &[$($crate::scenario::tree::Step::from($step)),*] };
}
pub(super) use at;

/// More problems than this in one file are noise.
const MOST_SYNTAX_ERRORS: usize = 10;

/// A file's text and tree.
pub(super) struct Document {
    text: Text,
    tree: Node,
}

impl Document {
    /// Parses the text, checks it against its schema, and reads it into its model. Problems are added to `found`;
    /// the model is `None` when there is too little to make one of.
    pub(super) fn read<T: DeserializeOwned>(
        text: Text,
        schema: &Value,
        faults: &[FaultKind],
        found: &mut Vec<Problem>,
    ) -> Option<(Self, Option<T>)> {
        let (parsed, errors) = DeTable::parse_recoverable(text.inner());
        let before = found.len();
        found.extend(errors.iter().take(MOST_SYNTAX_ERRORS).map(|error| {
            let span = error.span().unwrap_or(0..0);
            Problem::at(Code::TomlSyntax, &text, &span, error.message())
        }));
        if found.len() > before {
            return None;
        }
        let mut tree = Node::from_document(&parsed);
        structure::check(schema, faults, &text, &mut tree, found);
        let intact = found.len() == before;
        let document = Self { text, tree };
        let model = document.model(intact, found);
        Some((document, model))
    }

    /// The model. A mended tree may still be none: that has been reported then.
    fn model<T: DeserializeOwned>(&self, intact: bool, found: &mut Vec<Problem>) -> Option<T> {
        if !intact {
            return serde_json::from_value(self.tree.to_json()).ok();
        }
        let parsed = toml::from_str(self.text.inner()).map_err(|error: toml::de::Error| {
            let span = error.span().unwrap_or(0..0);
            Problem::at(Code::DoesNotFit, &self.text, &span, error.message())
        });
        parsed.map_err(|problem| found.push(problem)).ok()
    }

    /// Whether the file says something there.
    pub(super) fn has(&self, path: &[Step<'_>]) -> bool {
        path.iter()
            .try_fold(&self.tree, |node, step| node.get(*step))
            .is_some()
    }

    /// A problem of the value at the end of the path.
    pub(super) fn value(&self, code: Code, path: &[Step<'_>], message: impl Into<String>) -> Problem {
        Problem::at(code, &self.text, &self.tree.place(path), message)
    }

    /// A problem of the key at the end of the path.
    pub(super) fn key(&self, code: Code, path: &[Step<'_>], message: impl Into<String>) -> Problem {
        Problem::at(code, &self.text, &self.tree.key_place(path), message)
    }

    /// A problem of a part of the text at the end of the path: the first place where `part` stands in it.
    pub(super) fn part(
        &self,
        code: Code,
        path: &[Step<'_>],
        part: &str,
        message: impl Into<String>,
    ) -> Problem {
        let whole = self.tree.place(path);
        let raw = self.text.inner().get(whole.clone()).unwrap_or_default();
        let span = match raw.find(part) {
            Some(at) => whole.start + at..whole.start + at + part.len(),
            None => whole,
        };
        Problem::at(code, &self.text, &span, message)
    }
}
