//! Printing: results go to standard output, everything else to standard error.

use std::error::Error;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use anstream::{AutoStream, ColorChoice};
use firedrill_model::format;
use firedrill_model::scenario::{Problem, Problems};

/// When to use colors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(super) enum Color {
    /// On a terminal, unless NO_COLOR is set; everywhere if CLICOLOR_FORCE is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Color {
    /// Makes this the choice for everything that the process prints.
    pub(super) fn apply(self) {
        let choice = match self {
            Self::Auto => ColorChoice::Auto,
            Self::Always => ColorChoice::Always,
            Self::Never => ColorChoice::Never,
        };
        choice.write_global();
    }
}

/// Whether standard output gets colors.
pub(super) fn color() -> bool {
    AutoStream::choice(&std::io::stdout()) != ColorChoice::Never
}

/// The terminal's width in columns, between 60 and 160; 100 without a terminal.
pub(super) fn width() -> usize {
    rustix::termios::tcgetwinsize(std::io::stdout())
        .map_or(100, |size| usize::from(size.ws_col))
        .clamp(60, 160)
}

/// The first failure to write to standard output.
static FAILED: Mutex<Option<io::Error>> = Mutex::new(None);

/// Standard output cannot be written: a full disk, say.
#[derive(Debug, thiserror::Error)]
#[error("cannot write to standard output")]
pub(super) struct CannotPrint(#[source] io::Error);

/// Prints a result. A failure is remembered, and ends the command with an error ([`finish`]): a drill that runs must be
/// finished and cleaned up first.
pub(super) fn print(text: &str) {
    let mut out = anstream::stdout().lock();
    remember(writeln!(out, "{text}").and_then(|()| out.flush()));
}

/// Keeps the first failure. A closed pipe (`| head`) is none: the reader has seen enough.
pub(super) fn remember(written: io::Result<()>) {
    if let Err(error) = written
        && error.kind() != io::ErrorKind::BrokenPipe
    {
        let mut failed = FAILED.lock().unwrap_or_else(PoisonError::into_inner);
        failed.get_or_insert(error);
    }
}

/// Whether all that was printed could be written.
///
/// # Errors
/// The first failure.
pub(super) fn finish() -> Result<(), CannotPrint> {
    let failed = FAILED.lock().unwrap_or_else(PoisonError::into_inner).take();
    failed.map_or(Ok(()), |error| Err(CannotPrint(error)))
}

/// Prints a note to standard error. Where that cannot be written, there is nobody left to tell.
pub(super) fn note(text: &str) {
    let _ = writeln!(anstream::stderr().lock(), "{text}");
}

/// Prints an error with its causes.
pub(super) fn error(error: &(dyn Error + 'static)) {
    note(&format!("error: {}", chain(error)));
}

/// Prints a warning: the command goes on without what it names.
pub(super) fn warning(text: &str) {
    note(&format!("warning: {text}"));
}

/// An error and its causes: `cannot write report.html: permission denied`.
pub(super) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let causes = std::iter::successors(error.source(), |cause| (*cause).source());
    for cause in causes.map(ToString::to_string) {
        // Some errors name their cause in their own message already.
        if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}

/// A path relative to the current folder where possible: as short as it can be typed.
pub(super) fn short_path(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(here).unwrap_or(path).display().to_string()
}

/// Prints every problem of the files, each with its place.
pub(super) fn problems(problems: &Problems) {
    let all: Vec<&Problem> = problems.iter().collect();
    hints(&all);
    let found = format::count(all.len(), "problem");
    note(&format!("{found} found; nothing was started"));
}

/// Prints problems or hints, each with its place.
pub(super) fn hints(hints: &[&Problem]) {
    let theme = if AutoStream::choice(&std::io::stderr()) == ColorChoice::Never {
        miette::GraphicalTheme::unicode_nocolor()
    } else {
        miette::GraphicalTheme::unicode()
    };
    // miette writes to a string, so the choice of color is made here.
    let handler = miette::GraphicalReportHandler::new_themed(theme).with_width(width());
    let mut text = String::new();
    for problem in hints {
        // Writing to a string does not fail.
        let _ = handler.render_report(&mut text, *problem);
        text.push('\n');
    }
    if !text.is_empty() {
        note(text.trim_end());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot write report.html")]
    struct Outer(#[source] Inner);

    #[derive(Debug, thiserror::Error)]
    #[error("disk: {0}")]
    struct Inner(#[source] std::io::Error);

    #[test]
    fn an_error_is_printed_with_each_cause_once() {
        let error = Outer(Inner(std::io::Error::other("no space left")));
        assert_eq!(chain(&error), "cannot write report.html: disk: no space left");
    }
}
