//! One line of a log: whether it is an error, what it says without its time stamp, and how to print it safely.

use std::borrow::Cow;

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

/// One line of untrusted text made safe to print: without colours, with every character visible that would control the
/// terminal or change the reading direction, cut after `longest` characters.
///
/// ```
/// assert_eq!(firedrill_logs::line::printable("\u{1b}[31mred\u{1b}[0m", 80), "red");
/// assert_eq!(firedrill_logs::line::printable("a\u{1b}[2Jb\tc", 80), "a\\u001b[2Jb c");
/// assert_eq!(firedrill_logs::line::printable("abcdef", 3), "abc…");
/// ```
pub fn printable(text: &str, longest: usize) -> String {
    let mut printable = String::new();
    let mut left = longest;
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if let Some(after) = (c == ESCAPE).then(|| after_color(rest.as_str())).flatten() {
            rest = after.chars();
            continue;
        }
        let columns = if is_space(c) || !is_unsafe(c) { 1 } else { 6 };
        if left < columns {
            printable.push('…');
            break;
        }
        left -= columns;
        match c {
            c if is_space(c) => printable.push(' '),
            c => push_visible(&mut printable, c),
        }
    }
    printable
}

/// Text of several lines made safe to print: `\u001b` for an escape character, the same for every other character that
/// would control a terminal, change the reading direction or not be allowed in XML. Line ends and tabs stay.
///
/// In a JSON text, where such characters can only stand in strings, the result has the same value.
///
/// ```
/// assert_eq!(firedrill_logs::line::visible("a\u{1b}[2J\r\n\u{202e}b"), "a\\u001b[2J\n\\u202eb");
/// ```
pub fn visible(text: &str) -> Cow<'_, str> {
    if text.chars().any(|c| is_unsafe(c) && !is_layout(c)) {
        Cow::Owned(shown(text, |_| None))
    } else {
        Cow::Borrowed(text)
    }
}

/// The same for text with colours of our own: codes for bold, dim, underlined and the foreground stay, as far as no
/// text is hidden by them.
pub fn visible_in_color(text: &str) -> Cow<'_, str> {
    if text.chars().any(|c| is_unsafe(c) && !is_layout(c)) {
        Cow::Owned(shown(text, after_color))
    } else {
        Cow::Borrowed(text)
    }
}

const ESCAPE: char = '\u{1b}';

fn shown(text: &str, after_color: impl Fn(&str) -> Option<&str>) -> String {
    let mut shown = String::with_capacity(text.len() + 16);
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        if let Some(end) = (c == ESCAPE).then(|| after_color(after)).flatten() {
            shown.push_str(&rest[..rest.len() - end.len()]);
            rest = end;
            continue;
        }
        // Lines that end as on Windows are lines all the same.
        if !(c == '\r' && after.starts_with('\n')) {
            if is_layout(c) {
                shown.push(c);
            } else {
                push_visible(&mut shown, c);
            }
        }
        rest = after;
    }
    shown
}

fn push_visible(text: &mut String, c: char) {
    if is_unsafe(c) {
        // All of them have at most four hexadecimal digits: the escape is that of JSON.
        text.push_str(&format!("\\u{:04x}", u32::from(c)));
    } else {
        text.push(c);
    }
}

/// What arranges a text of several lines.
fn is_layout(c: char) -> bool {
    matches!(c, '\n' | '\t')
}

/// What separates words or lines, and is a space in a text of one line.
fn is_space(c: char) -> bool {
    matches!(c, '\t'..='\r' | '\u{2028}' | '\u{2029}')
}

/// Control characters, the marks that change the direction in which text is read, separators of lines that not every
/// reader knows, and what is no character at all.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{fffe}' | '\u{ffff}'
        )
}

/// The text after a colour code, `[ numbers m`, that an escape character began.
fn after_color(text: &str) -> Option<&str> {
    let (numbers, after) = text.strip_prefix('[')?.split_once('m')?;
    let is_ours = |number: &str| matches!(number.parse(), Ok(0..=2 | 4 | 22 | 24 | 31..=37 | 39 | 91..=97));
    (numbers.is_empty() || numbers.split(';').all(is_ours)).then_some(after)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_log_line_cannot_control_the_terminal() {
        assert_eq!(printable("a\x1b[31mb\r\nc\x1b", 20), "ab  c\\u001b");
        assert_eq!(printable("user\u{202e}exe", 20), "user\\u202eexe");
        // Hidden text, and the title of the window.
        assert_eq!(
            printable("\x1b[8mx\x1b]0;t\x07", 40),
            "\\u001b[8mx\\u001b]0;t\\u0007"
        );
    }

    #[test]
    fn only_colors_of_our_own_stay() {
        let text = "\x1b[1;31mred\x1b[0m \x1b[30mblack \x1b[2J\u{9b}2J";
        let shown = "\x1b[1;31mred\x1b[0m \\u001b[30mblack \\u001b[2J\\u009b2J";
        assert_eq!(visible_in_color(text), shown);
        assert!(!visible(text).contains(char::is_control));
    }

    proptest! {
        #[test]
        fn no_text_keeps_a_character_that_controls_anything(text in ".{0,40}|[\\x1b\\[0-9;m\u{9b}\u{202e}\u{ffff}\r\na]{0,40}") {
            let shown = visible(&text);
            prop_assert!(shown.chars().all(|c| !is_unsafe(c) || is_layout(c)), "{shown:?}");
            prop_assert!(printable(&text, 1000).chars().all(|c| !is_unsafe(c)));
            prop_assert_eq!(visible(&shown), shown.as_ref(), "once is enough");
        }

        #[test]
        fn a_json_text_keeps_its_value(text in ".{0,40}|[\\x1b\u{7f}\u{9b}\u{202e}\u{ffff}\r\na]{0,40}") {
            let json = serde_json::json!({ "text": text });
            let shown: serde_json::Value = serde_json::from_str(&visible(&json.to_string())).unwrap();
            prop_assert_eq!(shown, json);
        }
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
