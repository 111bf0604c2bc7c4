//! Printing: results go to standard output, everything else to standard error.

use std::borrow::Cow;
use std::error::Error;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use anstream::{AutoStream, ColorChoice};
use firedrill_logs::line::{visible, visible_in_color};
use firedrill_logs::redact::Secrets;
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

/// The secrets of this call's services, which are never printed.
static SECRETS: Mutex<Vec<Secrets>> = Mutex::new(Vec::new());

/// Hides secrets in everything that is printed from now on.
pub(super) fn hide(secrets: &Secrets) {
    let mut known = SECRETS.lock().unwrap_or_else(PoisonError::into_inner);
    known.push(secrets.clone());
}

/// A text without those secrets.
fn without_secrets(text: &str) -> String {
    let secrets = SECRETS.lock().unwrap_or_else(PoisonError::into_inner);
    let hide = |text: String, secrets: &Secrets| secrets.hide_in(&text).into_owned();
    secrets.iter().fold(text.to_owned(), hide)
}

/// The first failure to write to standard output.
static FAILED: Mutex<Option<io::Error>> = Mutex::new(None);

/// Standard output cannot be written: a full disk, say.
#[derive(Debug, thiserror::Error)]
#[error("cannot write to standard output")]
pub(super) struct CannotPrint(#[source] io::Error);

/// Prints a result, which may have colours. A failure is remembered, and ends the command with an error ([`finish`]): a
/// drill that runs must be finished and cleaned up first.
pub(super) fn print(text: &str) {
    print_commands(&without_commands(&visible_in_color(text)));
}

/// Prints a result that consists of commands for GitHub's runner, each in a line.
pub(super) fn print_commands(text: &str) {
    let mut out = anstream::stdout().lock();
    let text = without_secrets(text);
    remember(writeln!(out, "{}", visible_in_color(&text)).and_then(|()| out.flush()));
}

/// Text in which GitHub's runner finds no command: it takes `::error::…` at the beginning of a line for one, whatever program
/// wrote it, and `##[…]` anywhere.
fn without_commands(text: &str) -> Cow<'_, str> {
    if !text.contains("::") && !text.contains("##[") {
        return Cow::Borrowed(text);
    }
    let line = |line: &str| {
        let indent = line.len() - line.trim_start().len();
        let line = match line.split_at(indent) {
            (indent, command) if command.starts_with("::") => format!("{indent}\\u003a{}", &command[1..]),
            _ => line.to_owned(),
        };
        line.replace("##[", "#\\u0023[")
    };
    Cow::Owned(text.split('\n').map(line).collect::<Vec<_>>().join("\n"))
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
    note_in_color(&visible(text));
}

/// Prints a note with colours of our own.
pub(super) fn note_in_color(text: &str) {
    let text = without_secrets(text);
    let text = visible_in_color(&text);
    let _ = writeln!(anstream::stderr().lock(), "{}", without_commands(&text));
}

/// Prints an error with its causes.
pub(super) fn error(error: &(dyn Error + 'static)) {
    note(&format!("error: {}", format::chain(error)));
}

/// Prints a warning: the command goes on without what it names.
pub(super) fn warning(text: &str) {
    note(&format!("warning: {text}"));
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
        note_in_color(text.trim_end());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_a_command_for_a_runner() {
        let text = "why:\n  ::error title=x::forged\na::b ##[add-mask]x";
        let shown = "why:\n  \\u003a:error title=x::forged\na::b #\\u0023[add-mask]x";
        assert_eq!(without_commands(text), shown);
    }

    #[derive(Debug, thiserror::Error)]
    #[error("cannot write report.html")]
    struct Outer(#[source] Inner);

    #[derive(Debug, thiserror::Error)]
    #[error("disk: {0}")]
    struct Inner(#[source] std::io::Error);

    #[test]
    fn an_error_is_printed_with_each_cause_once() {
        let error = Outer(Inner(std::io::Error::other("no space left")));
        assert_eq!(
            format::chain(&error),
            "cannot write report.html: disk: no space left"
        );
    }
}
