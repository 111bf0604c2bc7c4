//! Printing: results to standard output, everything else to standard error.

use std::io::{IsTerminal, Write};

use firedrill_model::scenario::Problems;

/// Whether colours are wanted on standard output: a terminal, and nobody said no.
pub(super) fn colours() -> bool {
    let asked = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    std::io::stdout().is_terminal() && !asked("NO_COLOR")
}

/// The terminal's width, or 100 where there is none.
pub(super) fn width() -> usize {
    rustix::termios::tcgetwinsize(std::io::stdout())
        .map_or(100, |size| usize::from(size.ws_col))
        .clamp(60, 160)
}

/// A result. A reader that went away (`| head`) is no error.
pub(super) fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    drop(writeln!(out, "{text}").and_then(|()| out.flush()));
}

/// Something for the person who looks on.
pub(super) fn note(text: &str) {
    drop(writeln!(std::io::stderr().lock(), "{text}"));
}

/// What went wrong.
pub(super) fn error(text: &str) {
    note(&format!("error: {text}"));
}

/// Everything that is wrong with files, each with its place.
pub(super) fn problems(problems: &Problems) {
    let theme = if std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none() {
        miette::GraphicalTheme::unicode()
    } else {
        miette::GraphicalTheme::unicode_nocolor()
    };
    let handler = miette::GraphicalReportHandler::new_themed(theme).with_width(width());
    let mut text = String::new();
    let mut count = 0;
    for problem in problems.iter() {
        // Writing to a string does not fail.
        let _ = handler.render_report(&mut text, problem);
        text.push('\n');
        count += 1;
    }
    note(text.trim_end());
    note(&format!(
        "{count} problem{}; nothing was started",
        if count == 1 { "" } else { "s" }
    ));
}
