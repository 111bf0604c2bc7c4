//! Text as it may be shown: untrusted bytes made harmless, machine formats put into words, lines broken and columns
//! aligned by what a terminal shows, colours only where they are wanted.
//!
//! Takes text from outside (services, scenario files, histories) and gives text that every report may contain.

mod evidence;

use firedrill_judge::Verdict;
use textwrap::{Options, WordSeparator, WordSplitter, WrapAlgorithm};
use unicode_width::UnicodeWidthStr;

pub use evidence::in_words;
pub(super) use evidence::{of_deploy, of_step};
pub(super) use firedrill_logs::line::printable as plain;

/// Columns that a terminal needs for a text.
pub(super) fn width(text: &str) -> usize {
    text.width()
}

/// A text with spaces after it, up to a number of columns.
pub(super) fn pad(text: &str, columns: usize) -> String {
    format!("{text}{}", " ".repeat(columns.saturating_sub(width(text))))
}

/// The widest of several texts, within limits: the width of their column.
pub(super) fn column<'t>(texts: impl IntoIterator<Item = &'t str>, least: usize, most: usize) -> usize {
    texts.into_iter().map(width).max().unwrap_or(0).clamp(least, most)
}

/// Text broken between words into lines of at most so many columns; a longer word has a line of its own, so that a path
/// or an address can still be copied. A number and its unit stay together.
pub(super) fn wrap(text: &str, columns: usize) -> Vec<String> {
    let options = Options::new(columns.max(20))
        // A path or an address that is broken cannot be copied.
        .break_words(false)
        .word_separator(WordSeparator::AsciiSpace)
        .word_splitter(WordSplitter::NoHyphenation)
        .wrap_algorithm(WrapAlgorithm::FirstFit);
    // A no-break space keeps a number and its unit on one line; it is a plain space again afterwards.
    let glued = glue_units(text);
    let lines = textwrap::wrap(&glued, options);
    lines.into_iter().map(|line| line.replace(GLUE, " ")).collect()
}

/// A space at which no line is broken.
const GLUE: char = '\u{a0}';

/// What follows a number, or goes before one.
const UNITS: [&str; 8] = ["µs", "ms", "s", "min", "h", "day", "days", "%"];
const SIGNS: [&str; 2] = ["≥", "≤"];

fn glue_units(text: &str) -> String {
    let mut glued = String::new();
    let mut before = "";
    for (at, word) in text.split(' ').enumerate() {
        // `5.1 ms,` ends with a comma that does not belong to the unit.
        let unit = word.trim_end_matches(|c: char| !c.is_alphanumeric() && c != '%');
        let belongs = UNITS.contains(&unit) && before.ends_with(|c: char| c.is_ascii_digit());
        if at > 0 {
            glued.push(if belongs || SIGNS.contains(&before) {
                GLUE
            } else {
                ' '
            });
        }
        glued.push_str(word);
        before = word;
    }
    glued
}

/// Colours, or none.
#[derive(Debug, Clone, Copy)]
pub(super) struct Paint(pub(super) bool);

impl Paint {
    fn paint(self, code: &str, text: &str) -> String {
        if self.0 {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    pub(super) fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    pub(super) fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }

    pub(super) fn good(self, text: &str) -> String {
        self.paint("32", text)
    }

    pub(super) fn warn(self, text: &str) -> String {
        self.paint("33", text)
    }

    pub(super) fn bad(self, text: &str) -> String {
        self.paint("31", text)
    }

    /// A verdict, in its colour.
    pub(super) fn verdict(self, verdict: Verdict, text: &str) -> String {
        match verdict {
            Verdict::Met => self.good(text),
            Verdict::Undecided => self.warn(text),
            Verdict::Breached => self.bad(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_wrapped_between_words() {
        assert_eq!(
            wrap("one two three four five six", 20),
            ["one two three four", "five six"]
        );
        assert_eq!(wrap("", 20), [""]);
        assert_eq!(
            wrap("see /a/very/long/path/that/nobody/should/break now", 20),
            ["see", "/a/very/long/path/that/nobody/should/break", "now"]
        );
    }

    #[test]
    fn a_number_is_not_parted_from_its_unit() {
        assert_eq!(
            wrap("it answered after 5.1 ms, then", 20),
            ["it answered after", "5.1 ms, then"]
        );
        assert_eq!(
            wrap("it was down for some ≥ 306.0 s", 24),
            ["it was down for some", "≥ 306.0 s"]
        );
        assert_eq!(wrap("  indented by a service", 40), ["  indented by a service"]);
    }

    #[test]
    fn columns_are_counted_as_a_terminal_shows_them() {
        assert_eq!((width("日本"), width("e\u{301}"), width("≥ 5 s")), (4, 1, 5));
        assert_eq!(pad("日本", 6), "日本  ");
        assert_eq!(column(["a", "日本"], 2, 10), 4);
    }
}
