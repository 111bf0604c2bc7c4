//! What a known error usually means, in plain words.
//!
//! Takes the text of a log, gives one [`Explanation`] for each kind of error that it recognises. An unknown error gets
//! none: no explanation is better than a wrong one.

use serde::Serialize;

use crate::line::is_error;

/// What an error probably means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The meaning, in plain words.
    pub means: String,
    /// The log line that it is taken from.
    pub because: String,
}

/// Characters of a log line that are quoted.
const MAX_QUOTE: usize = 200;

/// The file was overwritten.
const OVERWRITTEN: &str = "the file was overwritten with something that is not text";
/// The file is empty.
const EMPTY: &str = "the file is empty: it was truncated or never written";
/// The file ends early.
const TORN: &str = "the file ends in the middle: a write was interrupted (torn file)";
/// The file is JSON, and not what the program expects.
const OTHER_SHAPE: &str = "the file is valid JSON of another shape: another version or program wrote it";
/// The file is damaged in the middle.
const CORRUPT: &str =
    "the file is damaged in the middle: bytes changed, or two writers wrote at the same time";

/// Phrases of known errors, in lower case, and the meaning of a line that contains all of them. The first match wins.
const KNOWN: &[(&[&str], &str)] = &[
    (
        &["the json object must be str, bytes or bytearray, not"],
        "the parser was given the file object, not its text (loads instead of load)",
    ),
    (
        &["no space left on device"],
        "the disk is full: nothing can be written until space is freed",
    ),
    (
        &["disk quota exceeded"],
        "the disk quota is used up: nothing can be written",
    ),
    (
        &["read-only file system"],
        "the file system is read-only: nothing can be written",
    ),
    (
        &["permission denied"],
        "the program has no permission: check the file's mode and owner",
    ),
    (
        &["too many open files"],
        "the program has no file descriptors left: it leaks them, or its limit is too low",
    ),
    (&["out of memory"], "no memory is left"),
    (&["memory allocation of", "failed"], "no memory is left"),
    (
        &["address already in use"],
        "another program already listens on that address",
    ),
    (
        &["connection refused"],
        "nothing listens there: the other service is down, or the address is wrong",
    ),
    (
        &["connection reset"],
        "the other service closed the connection abruptly",
    ),
    (
        &["broken pipe"],
        "the other side closed the connection before the answer was complete",
    ),
    (
        &["timed out"],
        "no answer came in time: the other service hangs or is overloaded",
    ),
    (
        &["symbol not found"],
        "a shared library is missing a function that the program needs: the wrong version is installed",
    ),
    (
        &["no such file or directory"],
        "the file or folder does not exist",
    ),
    (
        &["exhausted"],
        "a pool is used up: something takes from it and does not return it",
    ),
    (
        &["panicked at"],
        "the program hit a state that its authors considered impossible",
    ),
    (
        &["is damaged, and so is every copy"],
        "the store and all of its copies are damaged: restore a backup",
    ),
];

/// Explains the errors of a log, each meaning once, in the order of the log.
pub fn explain(log: &str) -> Vec<Explanation> {
    let lines: Vec<&str> = log.lines().collect();
    let mut explanations: Vec<Explanation> = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        if !is_error(line) && !line.to_ascii_lowercase().contains("fail") {
            continue;
        }
        // A program may log in the next line what its parser was given.
        let input = lines.get(at + 1).and_then(|next| parser_input(next));
        let Some(means) = parse_error(line, input.as_deref()).or_else(|| known_error(line)) else {
            continue;
        };
        if !explanations.iter().any(|known| known.means == means) {
            let because = line.chars().take(MAX_QUOTE).collect();
            explanations.push(Explanation { means, because });
        }
    }
    explanations
}

fn known_error(line: &str) -> Option<String> {
    let line = line.to_lowercase();
    KNOWN
        .iter()
        .find(|(phrases, _)| phrases.iter().all(|phrase| line.contains(phrase)))
        .map(|(_, means)| (*means).to_owned())
}

/// The beginning of what the parser was given, where the line after an error quotes it: `  it was given: "…"`.
fn parser_input(line: &str) -> Option<String> {
    let quoted = line.trim().strip_prefix("it was given: ")?;
    Some(unescape(quoted.trim_matches('"')))
}

/// Undoes the escapes of Rust's `{:?}`: a control character must be seen as one, not as the text of its escape.
fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, escape)) = rest.split_once('\\') {
        plain.push_str(before);
        // A backslash that begins no known escape is text.
        let (c, after) = escaped_char(escape).unwrap_or(('\\', escape));
        plain.push(c);
        rest = after;
    }
    plain + rest
}

/// The character that an escape stands for, and the text after it. `escape` begins behind the backslash.
fn escaped_char(escape: &str) -> Option<(char, &str)> {
    if let Some(code) = escape.strip_prefix("u{") {
        let (digits, after) = code.split_once('}')?;
        return Some((char::from_u32(u32::from_str_radix(digits, 16).ok()?)?, after));
    }
    let first = escape.chars().next()?;
    let c = match first {
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        '0' => '\0',
        quoted => quoted,
    };
    Some((c, &escape[first.len_utf8()..]))
}

/// The meaning of a parser's error, taking into account what the parser was given.
fn parse_error(line: &str, input: Option<&str>) -> Option<String> {
    let lower = line.to_lowercase();
    let contains = |text: &&str| lower.contains(*text);
    // This comes first because random bytes may begin like JSON: then any parser error is possible.
    if contains(&"pars") && input.is_some_and(is_binary) {
        return Some(OVERWRITTEN.into());
    }
    if contains(&"line 1 column 0") && contains(&"eof while parsing") {
        return Some(EMPTY.into());
    }
    if ["eof while parsing", "unterminated string"].iter().any(contains) {
        return Some(TORN.into());
    }
    let at_start = ["line 1 column 1", "(char 0)"].iter().any(contains);
    if at_start && ["expected value", "expecting value"].iter().any(contains) {
        return Some(not_json(input));
    }
    if SHAPE_ERRORS.iter().any(contains) {
        return Some(OTHER_SHAPE.into());
    }
    let from_parser = ["pars", "json"].iter().any(contains);
    (from_parser && SYNTAX_ERRORS.iter().any(contains)).then(|| CORRUPT.into())
}

/// What parsers say of valid JSON that is not what the program expects.
const SHAPE_ERRORS: [&str; 8] = [
    "invalid type",
    "missing field",
    "unknown field",
    "did not match any variant",
    "unknown variant",
    "is no code",
    "is not a code",
    "not a list of links",
];

/// What parsers say of text that is not JSON from some point on.
const SYNTAX_ERRORS: [&str; 11] = [
    "expected `,`",
    "expected `:`",
    "expected ident",
    "key must be a string",
    "trailing characters",
    "trailing comma",
    "control character",
    "expected value",
    "invalid escape",
    "expecting ',' delimiter",
    "invalid unicode",
];

/// The meaning of an error at the first byte.
fn not_json(input: Option<&str>) -> String {
    match input {
        Some(path) if is_path(path) => format!(
            "the parser was given the path {path}, not the file's text (from_str instead of from_reader, or loads instead of load)"
        ),
        Some("") => EMPTY.into(),
        Some(_) => "the file was overwritten with something that is not JSON".into(),
        None => {
            "the parser's input is not JSON from its first byte: it is empty, or not the file's text".into()
        }
    }
}

/// Whether at least an eighth of the characters occur in no text: more damage than a flipped bit.
fn is_binary(text: &str) -> bool {
    let odd = |c: &char| *c == char::REPLACEMENT_CHARACTER || (c.is_control() && !c.is_whitespace());
    // One character in eight: text has few control characters, random bytes mostly decode to replacements.
    text.chars().filter(odd).count() * 8 > text.chars().count()
}

/// Whether a text is a path and nothing else; no JSON text looks like one.
fn is_path(text: &str) -> bool {
    let rooted = text.starts_with(['/', '.', '~']) || text.contains(['/', '\\']);
    rooted && !text.contains(['{', '}', '[', ']', '"', '\n']) && !text.contains(": ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn first(log: &str) -> String {
        explain(log)
            .into_iter()
            .next()
            .map(|known| known.means)
            .unwrap_or_default()
    }

    #[test]
    fn a_parser_that_was_given_a_path_is_recognised() {
        let log = "ERROR POST /your-url failed: parsing the store /data/urls.json: expected value at line 1 column 1\n  it was given: \"/data/urls.json\"\n";
        assert!(
            first(log).starts_with("the parser was given the path /data/urls.json, not the file's text"),
            "{}",
            first(log)
        );
    }

    #[test]
    fn the_incidents_own_message_is_recognised() {
        let log = "TypeError: the JSON object must be str, bytes or bytearray, not TextIOWrapper";
        assert_eq!(
            first(log),
            "the parser was given the file object, not its text (loads instead of load)"
        );
    }

    #[test]
    fn torn_empty_overwritten_and_reshaped_files_are_distinguished() {
        let error = |cause: &str, given: &str| {
            first(&format!(
                "ERROR GET /go failed: parsing the store /data/urls.json: {cause}\n  it was given: {given:?}\n"
            ))
        };
        assert!(
            error(
                "EOF while parsing a string at line 1 column 61",
                "{\"go\":{\"url\":\"http"
            )
            .contains("torn file")
        );
        assert!(error("EOF while parsing a value at line 1 column 0", "").contains("empty"));
        assert!(
            error("expected value at line 1 column 1", "\u{fffd}\u{fffd}")
                .contains("the file was overwritten")
        );
        assert!(
            error("invalid type: integer `2`, expected a map", "{\"version\":2").contains("another shape")
        );
        assert!(error("expected `,` or `}` at line 1 column 9", "{\"go\"").contains("damaged in the middle"));
    }

    proptest! {
        /// Random bytes may begin like JSON: any parser error is possible.
        #[test]
        fn random_bytes_are_an_overwritten_file(
            begin in prop::sample::select(vec!["", "[", "{", "\"", "1", " ", "-", "t", "n"]),
            bytes in prop::collection::vec(any::<u8>(), 100..200),
        ) {
            let mut content = begin.as_bytes().to_vec();
            content.extend(bytes);
            let text = String::from_utf8_lossy(&content).into_owned();
            let cause = serde_json::from_str::<std::collections::BTreeMap<String, String>>(&text).unwrap_err();
            let given: String = text.chars().take(60).collect();
            let log = format!("ERROR GET /go failed: parsing the store /data/urls.json: {cause}\n  it was given: {given:?}\n");
            prop_assert!(first(&log).contains("the file was overwritten"), "{}", first(&log));
        }
    }

    #[test]
    fn escapes_of_the_quoted_input_are_undone() {
        let text = "a\"b\\c\n\0\u{1}\u{fffd}'ü";
        let quoted = format!("{text:?}");
        assert_eq!(unescape(quoted.trim_matches('"')), text);
        assert_eq!(unescape("cut off \\u{"), "cut off \\u{");
    }

    #[test]
    fn a_flipped_bit_is_damage_in_the_middle() {
        let given = "{\"known\":{\"url\":\"https\u{fffd}//example.org/\"} \"created\"";
        let log = format!(
            "ERROR GET /go failed: parsing the store /data/urls.json: expected `,` or `}}` at line 1 column 49\n  it was given: {given:?}\n"
        );
        assert!(first(&log).contains("damaged in the middle"), "{}", first(&log));
    }

    #[test]
    fn errors_of_the_operating_system_are_recognised() {
        let error = |cause: &str| {
            first(&format!(
                "ERROR POST /your-url failed: write /data/urls.json: {cause}"
            ))
        };
        assert!(error("No space left on device (os error 28)").starts_with("the disk is full"));
        assert!(error("Permission denied (os error 13)").starts_with("the program has no permission"));
        assert!(error("Read-only file system (os error 30)").starts_with("the file system is read-only"));
        assert!(error("Connection refused (os error 111)").starts_with("nothing listens there"));
    }

    #[test]
    fn what_is_not_known_is_not_explain() {
        assert_eq!(
            explain("ERROR the flux is out of phase\nINFO permission denied to nobody"),
            []
        );
    }

    /// A store truncated at any byte: every message of the real parser must be recognised.
    fn truncated() -> impl Strategy<Value = Vec<u8>> {
        let whole = br#"{"go":{"url":"http://google.com"},"house":{"file":"house67.jpg"}}"#.to_vec();
        (0..whole.len()).prop_map(move |end| whole[..end].to_vec())
    }

    proptest! {
        #[test]
        fn a_truncated_store_is_explained_as_torn_or_empty(content in truncated()) {
            let error = serde_json::from_slice::<serde_json::Value>(&content).unwrap_err();
            let text = String::from_utf8_lossy(&content).into_owned();
            let means = first(&format!("ERROR failed: parsing the store: {error}\n  it was given: {text:?}"));
            prop_assert!(means.contains(if content.is_empty() { "empty" } else { "torn file" }), "{}: {}", error, means);
        }

        #[test]
        fn any_log_at_all_is_explain(log in any::<String>()) {
            let _ = explain(&log);
        }
    }
}
