//! One line of a log: whether it is an error, what it says without its time stamp, and how to print it safely.

/// Words that make a line an error, in any case.
const ERROR_WORDS: [&str; 6] = ["error", "panic", "fatal", "exception", "traceback", "critical"];

/// Whether a line reports an error: it contains one of a few words, such as "error" or "panic", in any case.
pub fn is_error(line: &str) -> bool {
    let line = line.to_ascii_lowercase();
    ERROR_WORDS.iter().any(|word| line.contains(word))
}

/// A line without the date and time at its beginning. Lines that are equal without them are repeats.
pub fn without_time(line: &str) -> &str {
    let mut rest = line;
    // A date and a time may be two words: `2026-11-24 20:52:20 ERROR …`.
    while let Some((first, after)) = rest.split_once(char::is_whitespace) {
        if !is_time(first) {
            break;
        }
        rest = after.trim_start();
    }
    rest
}

/// A date, a time, both, or seconds since 1970: `2026-11-24T20:52:20.123456Z`, `20:52:20,123`, `1764021140`, with or
/// without brackets.
fn is_time(word: &str) -> bool {
    let word = word.trim_matches(['[', ']']);
    let count = |separator| word.matches(separator).count();
    let allowed = |c: char| c.is_ascii_digit() || "-:.,/+TZ".contains(c);
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    // Eight digits are the shortest date; fewer digits without a separator may be any number.
    word.starts_with(|c: char| c.is_ascii_digit())
        && word.chars().all(allowed)
        && (count(':') >= 1 || count('-') == 2 || count('/') == 2 || digits >= 8)
}

/// Untrusted text made safe to print: no control characters, no escape sequences, no change of the reading direction,
/// cut after `longest` characters.
///
/// ```
/// assert_eq!(firedrill_logs::line::printable("\u{1b}[31mred\u{1b}[0m", 80), "red");
/// assert_eq!(firedrill_logs::line::printable("abcdef", 3), "abc…");
/// ```
pub fn printable(text: &str, longest: usize) -> String {
    let mut printable = String::new();
    let mut left = longest;
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if c == '\x1b' {
            skip_escape(&mut rest);
            continue;
        }
        if left == 0 {
            printable.push('…');
            break;
        }
        left -= 1;
        printable.push(if is_unsafe(c) { ' ' } else { c });
    }
    printable
}

/// Control characters, and the marks that change the direction in which text is read.
fn is_unsafe(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}')
}

/// Skips the rest of a terminal command: `ESC [ … letter`.
fn skip_escape(rest: &mut std::str::Chars<'_>) {
    let mut ahead = rest.clone();
    if ahead.next() != Some('[') {
        return;
    }
    // Without an end within 32 characters it is no command: the text is printed.
    if ahead.by_ref().take(32).any(|c| ('@'..='~').contains(&c)) {
        *rest = ahead;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_line_cannot_control_the_terminal() {
        assert_eq!(printable("a\x1b[31mb\r\nc\x1b", 20), "ab  c");
        assert_eq!(printable("user\u{202e}exe", 20), "user exe");
    }

    #[test]
    fn a_time_stamp_of_any_common_format_is_removed() {
        for stamp in [
            "2026-11-24T20:52:20.123456Z",
            "2026-11-24 20:52:20",
            "[20:52:20,123]",
            "1764021140",
        ] {
            assert_eq!(
                without_time(&format!("{stamp}  ERROR no space")),
                "ERROR no space"
            );
        }
        assert_eq!(without_time("404 not found"), "404 not found");
    }
}
