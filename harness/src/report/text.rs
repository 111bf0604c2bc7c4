//! Text as it may be shown: untrusted bytes made harmless, colours only where they are wanted.

use crate::sla::Verdict;

/// Text from outside, without anything a terminal would obey, cut to a length.
pub(super) fn plain(text: &str, longest: usize) -> String {
    let mut plain: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(longest)
        .collect();
    if text.chars().nth(longest).is_some() {
        plain.push('…');
    }
    plain
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
    fn what_a_service_wrote_cannot_steer_the_terminal() {
        assert_eq!(plain("a\x1b[31mb\r\nc", 20), "a [31mb  c");
        assert_eq!(plain("abcdef", 3), "abc…");
    }
}
