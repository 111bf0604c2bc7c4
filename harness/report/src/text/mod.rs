//! Text as it may be shown: untrusted bytes made harmless, colours only where they are wanted.

use firedrill_judge::Verdict;

/// Text from outside, without anything a terminal would obey, cut to a length.
pub(super) fn plain(text: &str, longest: usize) -> String {
    let mut plain = String::new();
    let mut left = longest;
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if c == '\x1b' {
            skip_escape(&mut rest);
            continue;
        }
        if left == 0 {
            plain.push('…');
            break;
        }
        left -= 1;
        plain.push(if turns(c) { ' ' } else { c });
    }
    plain
}

/// Control characters, and those that turn the direction in which text is read.
fn turns(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}')
}

/// A colour or another command to a terminal: `ESC [ … letter`.
fn skip_escape(rest: &mut std::str::Chars<'_>) {
    let mut ahead = rest.clone();
    if ahead.next() != Some('[') {
        return;
    }
    if ahead.by_ref().take(32).any(|c| ('@'..='~').contains(&c)) {
        *rest = ahead;
    }
}

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
    fn what_a_service_wrote_cannot_steer_the_terminal() {
        assert_eq!(plain("a\x1b[31mb\r\nc\x1b", 20), "ab  c");
        assert_eq!(plain("user\u{202e}exe", 20), "user exe");
        assert_eq!(plain("abcdef", 3), "abc…");
    }

    #[test]
    fn text_is_wrapped_between_words() {
        assert_eq!(
            wrap("one two three four five six", 20),
            ["one two three four", "five six"]
        );
        assert_eq!(wrap("", 20), [""]);
    }
}
