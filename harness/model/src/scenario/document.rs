//! One file: its text, its tree, and the way from a place in the model to a place in the text.
//!
//! Takes a file's text and its schema; gives the model to the loader, and problems with their places to the rules.

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

/// Errors of TOML syntax. One mistake causes many errors, so the line of the first is blanked and the rest parsed
/// again; an error in the next line counts as the same mistake.
fn syntax_errors(text: &Text) -> Vec<Problem> {
    let mut rest = text.inner().clone();
    let mut errors: Vec<Problem> = Vec::new();
    let mut last_line = None;
    while errors.len() < MOST_SYNTAX_ERRORS {
        let (_, all) = DeTable::parse_recoverable(&rest);
        let place = |error: &toml::de::Error| error.span().unwrap_or(0..0);
        let Some(first) = all.iter().min_by_key(|error| place(error).start) else {
            break;
        };
        let span = place(first);
        let problem = Problem::at(Code::TomlSyntax, text, &span, first.message());
        let line = problem.row().line.unwrap_or_default();
        // The same mistake again; blanking it did not help, so the rest would be noise.
        if last_line.is_some_and(|last| line <= last + 1) {
            break;
        }
        errors.push(problem);
        last_line = Some(line);
        rest = blanked(&rest, line);
    }
    errors
}

/// The text with blanks for everything in one line, counted from 1: no place moves.
fn blanked(text: &str, line: usize) -> String {
    let blank = |text: &str| {
        text.bytes()
            .map(|byte| if byte == b'\n' { '\n' } else { ' ' })
            .collect()
    };
    text.split_inclusive('\n')
        .enumerate()
        .map(|(at, text)| {
            if at + 1 == line {
                blank(text)
            } else {
                text.to_owned()
            }
        })
        .collect()
}

/// What the structural check has made of a tree.
enum State {
    /// It is what the text says: errors of the model have their place in the text.
    AsWritten,
    /// Keys of an earlier version have their present names.
    Renamed,
    /// Mistakes were reported, and what was meant stands in their places.
    Mended,
}

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
        let before = found.len();
        // The strict parser first: the one that recovers accepts more than TOML.
        let parsed = match DeTable::parse(text.inner()) {
            Ok(parsed) => parsed,
            Err(_) => {
                found.extend(syntax_errors(&text));
                return None;
            }
        };
        let mut tree = Node::from_document(&parsed);
        structure::check(schema, faults, &text, &mut tree, found);
        let reported = &found[before..];
        // Only the problems of this walk: `found` also has those of the files before.
        let state = if reported.is_empty() {
            State::AsWritten
        } else if reported.iter().all(Problem::is_hint) {
            State::Renamed
        } else {
            State::Mended
        };
        let document = Self { text, tree };
        let model = document
            .model(state)
            .map_err(|problem| found.extend(problem))
            .ok();
        Some((document, model))
    }

    /// The model, or the problem. A mended tree may have none, of which everything has been reported.
    fn model<T: DeserializeOwned>(&self, state: State) -> Result<T, Option<Problem>> {
        match state {
            // From the text, not from the tree: the error then has its place.
            State::AsWritten => toml::from_str(self.text.inner()).map_err(|error: toml::de::Error| {
                let span = error.span().unwrap_or(0..0);
                Some(Problem::at(Code::DoesNotFit, &self.text, &span, error.message()))
            }),
            State::Renamed => serde_json::from_value(self.tree.to_json()).map_err(|error| {
                let span = self.tree.span.clone();
                Some(Problem::at(
                    Code::DoesNotFit,
                    &self.text,
                    &span,
                    error.to_string(),
                ))
            }),
            State::Mended => serde_json::from_value(self.tree.to_json()).map_err(|_| None),
        }
    }

    /// The value at the end of the path, if the file has one.
    pub(super) fn get(&self, path: &[Step<'_>]) -> Option<&Node> {
        path.iter().try_fold(&self.tree, |node, step| node.get(*step))
    }

    /// Whether the value there is the file's or a default, not a stand-in for one that could not be read.
    pub(super) fn is_sure(&self, path: &[Step<'_>]) -> bool {
        self.get(path).is_none_or(|node| !node.stands_in)
    }

    /// A problem of the value at the end of the path.
    pub(super) fn value(&self, code: Code, path: &[Step<'_>], message: impl Into<String>) -> Problem {
        Problem::at(code, &self.text, &self.tree.place(path), message)
    }

    /// A problem of the key at the end of the path.
    pub(super) fn key(&self, code: Code, path: &[Step<'_>], message: impl Into<String>) -> Problem {
        Problem::at(code, &self.text, &self.tree.key_place(path), message)
    }

    /// A problem of a part of the text at the end of the path: the first occurrence of `part`.
    pub(super) fn part(
        &self,
        code: Code,
        path: &[Step<'_>],
        part: &str,
        message: impl Into<String>,
    ) -> Problem {
        let whole = self.tree.place(path);
        // In the raw text, where an escape may hide the part: then the whole value is marked.
        let raw = self.text.inner().get(whole.clone()).unwrap_or_default();
        let span = match raw.find(part) {
            Some(at) => whole.start + at..whole.start + at + part.len(),
            None => whole,
        };
        Problem::at(code, &self.text, &span, message)
    }
}
