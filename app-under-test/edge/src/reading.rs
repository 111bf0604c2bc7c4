//! A first reading of an error in plain words, for the kinds we know. It says what the words of a log usually mean,
//! never more: no reading is better than a wrong one.

use serde::Serialize;

use crate::excerpt::is_error;

/// What an error probably means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reading {
    /// In plain words.
    pub means: String,
    /// The line of the log that says so.
    pub because: String,
}

/// How much of a line is quoted.
const QUOTED: usize = 200;

/// Marks in the text of an error (all of them, in lower case), and what they mean. The first that fits is taken.
const KNOWN: &[(&[&str], &str)] = &[
    (
        &["the json object must be str, bytes or bytearray, not"],
        "the parser was given the file, not its text (loads where load is meant)",
    ),
    (
        &["no space left on device"],
        "the disk is full: nothing can be written until there is room",
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
        "the program may not open it: the permissions or the owner are wrong",
    ),
    (
        &["too many open files"],
        "the program is out of file descriptors: it leaks them, or its limit is too low",
    ),
    (&["out of memory"], "there is no memory left"),
    (&["memory allocation of", "failed"], "there is no memory left"),
    (
        &["address already in use"],
        "another program listens on that address already",
    ),
    (
        &["connection refused"],
        "nobody listens there: the other side is down, or the address is wrong",
    ),
    (&["connection reset"], "the other side broke the connection off"),
    (
        &["broken pipe"],
        "the other side closed the connection before it had the answer",
    ),
    (
        &["timed out"],
        "no answer came in time: the other side hangs, or is overloaded",
    ),
    (
        &["symbol not found"],
        "a library that the program was built for is not there in that version",
    ),
    (&["no such file or directory"], "the file or folder is not there"),
    (
        &["exhausted"],
        "a pool is used up: something takes from it and does not give back",
    ),
    (
        &["panicked at"],
        "the program met a state that its authors had ruled out",
    ),
    (
        &["is damaged, and so is every copy"],
        "the store and all its copies are damaged: restore a backup",
    ),
];

/// The readings of a log's errors, each once, in the order of the log.
pub fn read(log: &str) -> Vec<Reading> {
    let lines: Vec<&str> = log.lines().collect();
    let mut readings: Vec<Reading> = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let about = is_error(line) || line.to_ascii_lowercase().contains("fail");
        if !about {
            continue;
        }
        let given = lines.get(at + 1).and_then(|next| given(next));
        let Some(means) = parsing(line, given.as_deref()).or_else(|| known(line)) else {
            continue;
        };
        if !readings.iter().any(|reading| reading.means == means) {
            let because = line.chars().take(QUOTED).collect();
            readings.push(Reading { means, because });
        }
    }
    readings
}

fn known(line: &str) -> Option<String> {
    let line = line.to_lowercase();
    KNOWN
        .iter()
        .find(|(marks, _)| marks.iter().all(|mark| line.contains(mark)))
        .map(|(_, means)| (*means).to_owned())
}

/// What the parser was given, where the line after an error says so: `  it was given: "…"`, quoted as Rust does.
fn given(line: &str) -> Option<String> {
    let quoted = line.trim().strip_prefix("it was given: ")?;
    serde_json::from_str(quoted)
        .ok()
        .or_else(|| Some(quoted.trim_matches('"').to_owned()))
}

/// A parser's complaint, read together with what it was given.
fn parsing(line: &str, given: Option<&str>) -> Option<String> {
    let lower = line.to_lowercase();
    let complains = |text: &str| lower.contains(text);
    if complains("pars") && given.is_some_and(is_no_text) {
        // Whatever the parser says of it: by chance it may begin like JSON.
        return Some(
            "what the parser was given is no text: the file was overwritten with something else".into(),
        );
    }
    if complains("line 1 column 0") && complains("eof while parsing") {
        return Some("the file is empty: it was cut to nothing, or never written".into());
    }
    if complains("eof while parsing") || complains("unterminated string") {
        return Some("the file ends in the middle: a write was cut off (a torn file)".into());
    }
    let at_start = complains("line 1 column 1") || complains("(char 0)");
    if at_start && (complains("expected value") || complains("expecting value")) {
        return Some(match given {
            Some(given) if is_path(given) => {
                format!("the parser was given the path {given}, not the file's text (from_str or loads where from_reader or load is meant)")
            }
            Some("") => "the file is empty: it was cut to nothing, or never written".into(),
            Some(_) => "what the parser was given is no JSON from its first byte on: the file was overwritten with something else".into(),
            None => "what the parser was given is no JSON from its first byte on: something else than the file's text, or an empty one".into(),
        });
    }
    let shape = [
        "invalid type",
        "missing field",
        "unknown field",
        "did not match any variant",
        "unknown variant",
        "is no code",
        "not a list of links",
    ];
    if shape.iter().any(|mark| complains(mark)) {
        return Some(
            "the file is valid JSON of another shape: another version, or another program, wrote it".into(),
        );
    }
    let broken = [
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
    (complains("pars") || complains("json")).then_some(())?;
    broken
        .iter()
        .any(|mark| complains(mark))
        .then(|| "the file is damaged in the middle: bytes were changed, or two writers wrote at once".into())
}

/// An eighth of it, or more, is no character that a text is made of: more than a bit that was flipped.
fn is_no_text(given: &str) -> bool {
    let odd = |c: &char| *c == char::REPLACEMENT_CHARACTER || (c.is_control() && !c.is_whitespace());
    given.chars().filter(odd).count() * 8 > given.chars().count()
}

/// A path and nothing else: no JSON text looks like it.
fn is_path(text: &str) -> bool {
    let rooted = text.starts_with(['/', '.', '~']) || text.contains(['/', '\\']);
    rooted && !text.contains(['{', '}', '[', ']', '"', '\n']) && !text.contains(": ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn first(log: &str) -> String {
        read(log).into_iter().next().map(|r| r.means).unwrap_or_default()
    }

    #[test]
    fn a_parser_that_was_given_the_path_is_recognised() {
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
            "the parser was given the file, not its text (loads where load is meant)"
        );
    }

    #[test]
    fn torn_empty_overwritten_and_reshaped_files_are_told_apart() {
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
            .contains("torn")
        );
        assert!(error("EOF while parsing a value at line 1 column 0", "").contains("empty"));
        assert!(error("expected value at line 1 column 1", "\u{fffd}\u{fffd}").contains("overwritten"));
        assert!(
            error("invalid type: integer `2`, expected a map", "{\"version\":2").contains("another shape")
        );
        assert!(error("expected `,` or `}` at line 1 column 9", "{\"go\"").contains("damaged in the middle"));
    }

    proptest! {
        /// Whatever a parser makes of random bytes, which by chance begin like JSON.
        #[test]
        fn random_bytes_are_a_file_that_was_overwritten(
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
    fn one_flipped_bit_is_damage_in_the_middle() {
        let given = "{\"known\":{\"url\":\"https\u{fffd}//example.org/\"} \"created\"";
        let log = format!(
            "ERROR GET /go failed: parsing the store /data/urls.json: expected `,` or `}}` at line 1 column 49\n  it was given: {given:?}\n"
        );
        assert!(first(&log).contains("damaged in the middle"), "{}", first(&log));
    }

    #[test]
    fn causes_of_the_system_are_recognised() {
        let error = |cause: &str| {
            first(&format!(
                "ERROR POST /your-url failed: write /data/urls.json: {cause}"
            ))
        };
        assert!(error("No space left on device (os error 28)").starts_with("the disk is full"));
        assert!(error("Permission denied (os error 13)").starts_with("the program may not"));
        assert!(error("Read-only file system (os error 30)").starts_with("the file system is read-only"));
        assert!(error("Connection refused (os error 111)").starts_with("nobody listens"));
    }

    #[test]
    fn what_is_not_known_is_not_read() {
        assert_eq!(
            read("ERROR the flux is out of phase\nINFO permission denied to nobody"),
            []
        );
    }

    /// Every message the parser itself gives for a damaged store must find a reading.
    fn damaged() -> impl Strategy<Value = Vec<u8>> {
        let whole = br#"{"go":{"url":"http://google.com"},"house":{"file":"house67.jpg"}}"#.to_vec();
        (0..whole.len()).prop_map(move |end| whole[..end].to_vec())
    }

    proptest! {
        #[test]
        fn a_store_cut_off_anywhere_is_read_as_torn_or_empty(content in damaged()) {
            let error = serde_json::from_slice::<serde_json::Value>(&content).unwrap_err();
            let text = String::from_utf8_lossy(&content).into_owned();
            let means = first(&format!("ERROR failed: parsing the store: {error}\n  it was given: {text:?}"));
            prop_assert!(means.contains(if content.is_empty() { "empty" } else { "torn" }), "{}: {}", error, means);
        }

        #[test]
        fn any_log_at_all_is_read(log in any::<String>()) {
            let _ = read(&log);
        }
    }
}
