//! Evidence in words: what a service answered is often JSON or a page of HTML, cut at some length.
//!
//! Takes the text of an event and gives the same facts without braces, quotes and tags. The history keeps the original.

use firedrill_model::history::plan::Plan;

/// What a step's fault gave as evidence, or why it failed, in words.
pub(crate) fn of_step(plan: &Plan, step: usize, text: &str) -> String {
    let step = plan.scenario.steps.get(step);
    match step.and_then(|step| step.fault.release()) {
        Some(release) => of_deploy(release, text),
        None => in_words(text),
    }
}

/// What a deploy answered, in words. Older versions wrote paths with their placeholder, and left a blank where a service
/// had no release before: both are made good here, since those histories must stay readable.
pub(crate) fn of_deploy(release: &str, text: &str) -> String {
    in_words(&text.replace("{release}", release).replace(" instead of ,", ","))
}

/// What HTML begins with, in the answers that services give.
const HTML: [&str; 2] = ["<!doctype html", "<html"];

/// A text with each JSON value in it put into words, and a page of HTML named instead of quoted.
///
/// ```text
/// answered 200: {"release":"v2","evidence":["unit gate: off"]}; ready   →   answered 200: release v2, evidence unit gate: off; ready
/// ```
pub fn in_words(text: &str) -> String {
    let text = without_html(text);
    let mut words = String::new();
    let mut rest = text.as_str();
    // JSON may stand anywhere in the text, and more than once.
    while let Some(at) = begin_of_json(rest) {
        words.push_str(&rest[..at]);
        let (value, length) = json_in_words(&rest[at..]);
        words.push_str(&value);
        rest = &rest[at + length..];
    }
    words.push_str(rest);
    words
}

fn without_html(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    match HTML.iter().filter_map(|begin| lower.find(begin)).min() {
        // Nothing after the page is worth keeping: it was the last thing that the service said, and is usually cut.
        Some(at) => format!("{}an HTML page", &text[..at]),
        None => text.to_owned(),
    }
}

/// Where an object or an array begins: a bracket before a quote, another bracket, or its own end.
fn begin_of_json(text: &str) -> Option<usize> {
    text.char_indices().find_map(|(at, c)| {
        let next = text[at + c.len_utf8()..].chars().next();
        let begins = match c {
            '{' => matches!(next, Some('"' | '}')),
            '[' => matches!(next, Some('"' | '{' | '[')),
            _ => false,
        };
        begins.then_some(at)
    })
}

/// The members that say in plain words what an answer means, the most telling first: errors of JSON APIs, and the
/// problem details of RFC 9457.
const SAYS: [&str; 6] = ["message", "detail", "error", "title", "reason", "description"];

/// The words of the JSON value at the start of a text, and its length in bytes: what it says by one of [`SAYS`], else all
/// of its members. The value may be cut: histories keep the beginning of an answer only, so a parser that refuses the
/// rest is of no use here.
fn json_in_words(text: &str) -> (String, usize) {
    let mut members = Members {
        object: text.starts_with('{'),
        members: vec![(String::new(), String::new())],
    };
    let mut depth = 0usize;
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '{' | '[' => depth += 1,
            '}' | ']' => {
                // A text that was cut may close more than it opened.
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return (members.in_words(), at + c.len_utf8());
                }
            }
            '"' => {
                let string = string(&mut chars);
                let is_key = depth == 1 && chars.as_str().trim_start().starts_with(':');
                members.string(string, is_key);
            }
            c => members.punctuation(c, depth),
        }
    }
    (members.in_words(), text.len())
}

/// The members of a JSON object, in words. An array, or what stands before the first key, has an empty key.
struct Members {
    object: bool,
    members: Vec<(String, String)>,
}

impl Members {
    fn string(&mut self, string: String, is_key: bool) {
        if is_key && self.object {
            self.members.push((string, String::new()));
        } else {
            self.push(&string);
        }
    }

    /// What stands outside of strings: punctuation, numbers, `true`, `false` and `null`.
    fn punctuation(&mut self, c: char, depth: usize) {
        match c {
            // Between the members of the object itself: they are joined at the end.
            ':' | ',' if depth == 1 && self.object => {}
            ':' => self.push(" "),
            ',' => self.push(", "),
            c => self.push(c.encode_utf8(&mut [0; 4])),
        }
    }

    fn push(&mut self, text: &str) {
        if let Some((_, words)) = self.members.last_mut() {
            words.push_str(text);
        }
    }

    fn in_words(&self) -> String {
        let says = |name: &&str| {
            let member = self
                .members
                .iter()
                .find(|(key, _)| key.eq_ignore_ascii_case(name));
            member
                .map(|(_, words)| words.trim())
                .filter(|words| !words.is_empty())
        };
        if let Some(words) = SAYS.iter().find_map(says) {
            return words.to_owned();
        }
        let member = |(key, words): &(String, String)| format!("{key} {}", words.trim()).trim().to_owned();
        let members: Vec<String> = self
            .members
            .iter()
            .map(member)
            .filter(|member| !member.is_empty())
            .collect();
        members.join(", ")
    }
}

/// The rest of a JSON string, its quotes and escapes undone; to the end of the text where it was cut.
fn string(chars: &mut std::str::CharIndices<'_>) -> String {
    let mut text = String::new();
    while let Some((_, c)) = chars.next() {
        match c {
            '"' => break,
            '\\' => match chars.next() {
                // Words stay apart where the service broke a line.
                Some((_, 'n' | 't' | 'r')) => text.push(' '),
                Some((_, escaped)) => text.push(escaped),
                None => break,
            },
            c => text.push(c),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn json_is_put_into_words() {
        let text = r#"POST /releases answered 200: {"release":"v2","stage":"passed","evidence":["unit gate: off","staging gate: off"]}; ready"#;
        assert_eq!(
            in_words(text),
            "POST /releases answered 200: release v2, stage passed, evidence unit gate: off, staging gate: off; ready"
        );
        assert_eq!(in_words(r#"{"error":"no \"x\"","undecided":false}"#), r#"no "x""#);
    }

    #[test]
    fn an_answer_that_says_what_it_means_is_reduced_to_that() {
        let answered =
            r#"{"error":"v2 was rejected: exit status: 1","undecided":false,"evidence":["FAIL  500"]}"#;
        assert_eq!(in_words(answered), "v2 was rejected: exit status: 1");
        let problem = r#"{"type":"about:blank","title":"Out of credit","detail":"Your balance is 30."#;
        assert_eq!(in_words(problem), "Your balance is 30.");
        assert_eq!(in_words(r#"{"message": "", "status": 7}"#), "message, status 7");
    }

    #[test]
    fn json_that_was_cut_is_put_into_words_too() {
        assert_eq!(
            in_words(r#"answered 200: {"release":"v2","evidence":["5 right answe; green is ready"#),
            "answered 200: release v2, evidence 5 right answe; green is ready"
        );
    }

    #[test]
    fn a_page_is_named() {
        assert_eq!(
            in_words("answered 200: <!doctype html><p>x"),
            "answered 200: an HTML page"
        );
    }

    #[test]
    fn other_text_stays_as_it_is() {
        for text in ["replaced by `[]`", "a {b} [c] \"d\"", "", "x: { }"] {
            assert_eq!(in_words(text), text);
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in r#"[a-z{}\[\]":,\\é ]{0,60}"#) {
            let words = in_words(&text);
            prop_assert!(words.len() <= text.len() * 2 + 20);
        }
    }
}
