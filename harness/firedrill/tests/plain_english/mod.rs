//! Words that no text for people contains: those that the glossary replaces, and phrases that need a second reading.

/// Phrases that need a second reading.
const PHRASES: [&str; 15] = [
    "still open",
    "met by traffic",
    "nothing of",
    "stood still",
    "not interleaved",
    "time line",
    "whoever",
    "acknowledged writes kept",
    "went through",
    "0us",
    "instead of ,",
    "at least 0 ",
    "never down,",
    "the release that was left",
    "the only answer",
];

/// Words that the glossary replaces in one meaning, and that are right in another: a container is no service, and a
/// service may run in one.
const RIGHT_ELSEWHERE: [&str; 34] = [
    "environment",
    "stack",
    "app",
    "process",
    "container",
    "place",
    "version",
    "push",
    "revert",
    "event",
    "toxic",
    "met",
    "hole",
    "template",
    "check",
    "endpoint",
    "ok",
    "lost",
    "link",
    "level",
    "verify",
    "log",
    "trace",
    "incident",
    "range",
    "error",
    "open",
    "base",
    "pass",
    "fail",
    "bound",
    "account",
    "against",
    "latency of",
];

/// The third column of the glossary's tables: the words not to use.
fn replaced() -> Vec<String> {
    let glossary = include_str!("../../../../docs/glossary.md");
    let rows = glossary.lines().filter(|line| line.starts_with("| **"));
    let cells = rows.filter_map(|row| row.trim_matches('|').split('|').nth(2));
    cells
        .flat_map(|cell| cell.split(','))
        // "version (of a service)": what is in brackets says when.
        .filter_map(|word| word.split(['(', '…']).next())
        .map(|word| word.trim().to_lowercase())
        .filter(|word| !word.is_empty())
        .collect()
}

fn contains_word(line: &str, word: &str) -> bool {
    let inside = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        !before.is_some_and(inside) && !after.is_some_and(inside)
    })
}

/// The first line of a text that is not in plain English, with the word or phrase that should not be there.
pub(crate) fn avoided(text: &str) -> Option<(String, String)> {
    let words: Vec<String> = replaced()
        .into_iter()
        .filter(|word| !RIGHT_ELSEWHERE.contains(&word.as_str()))
        .collect();
    text.lines().find_map(|line| {
        let lower = line.to_lowercase();
        let word = words
            .iter()
            .find(|word| contains_word(&lower, word))
            .map(String::as_str);
        let found = word.or_else(|| PHRASES.into_iter().find(|phrase| lower.contains(phrase)))?;
        Some((found.to_owned(), line.to_owned()))
    })
}
