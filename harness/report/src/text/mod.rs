//! Text as it may be shown: untrusted bytes made harmless, colours only where they are wanted.

use firedrill_judge::Verdict;
pub(super) use firedrill_logs::line::printable as plain;

/// Text broken between words into lines of at most so many characters; a longer word has a line of its own.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(20);
    let indent: String = text.chars().take_while(|c| *c == ' ').take(8).collect();
    let mut lines = vec![indent];
    let mut used = lines[0].len();
    let mut begun = false;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let length = word.chars().count();
        if begun && used + 1 + length > width {
            lines.push(String::new());
            (used, begun) = (0, false);
        }
        let line = lines.len() - 1;
        if begun {
            lines[line].push(' ');
            used += 1;
        }
        lines[line].push_str(word);
        used += length;
        begun = true;
    }
    lines
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

/// A verdict in a word.
pub(super) fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Met => "met",
        Verdict::Undecided => "undecided",
        Verdict::Breached => "breached",
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
    }
}
