//! The filtered log: every distinct error, with what stood around it, repeats folded, in the order of the log.
//!
//! Faces the raw text of a log on one side and the body of an alert on the other. It does what a person did by hand in
//! the incident with `grep -C 3 error | nl -w3 -s: | sort -u -k2,2 | sort -n -k1,1`, and keeps what that loses: `sort
//! -k2,2` compares the second *word* of a line, so of two different errors of one second word it throws one away, and
//! it does not say how often an error came. The excerpt has at most as many lines as that pipeline prints (or, where
//! that loses errors, exactly the distinct errors), and spends them on the lines nearest to the errors.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;

/// What makes a line an error, in any case of letters.
const MARKS: [&str; 4] = ["error", "panic", "fatal", "exception"];

/// How much an excerpt may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Lines of context on either side of an error.
    pub context: usize,
    /// Bytes in all.
    pub bytes: usize,
    /// Characters of a line; longer ones are cut.
    pub line: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            context: 3,
            bytes: 8 << 10,
            line: 400,
        }
    }
}

/// A line of the log that was kept, standing for all that say the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its number in the log, from 1: that of the first such line.
    pub number: usize,
    /// How many lines say the same, this one included; times of day do not count.
    pub count: usize,
    /// Whether it is an error or stood near one.
    pub error: bool,
    /// The line, cut when it is too long.
    pub text: String,
}

/// A filtered log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Excerpt {
    /// What was kept, in the order of the log.
    pub lines: Vec<Line>,
    /// Distinct errors that did not fit the size.
    pub left_out: usize,
}

impl Excerpt {
    /// There was no error in the log.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.left_out == 0
    }
}

impl fmt::Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.lines {
            write!(f, "{:>3}:{}", line.number, line.text)?;
            if line.count > 1 {
                write!(f, " (x{})", line.count)?;
            }
            f.write_str("\n")?;
        }
        if self.left_out > 0 {
            writeln!(f, "... and {} more errors that did not fit", self.left_out)?;
        }
        Ok(())
    }
}

/// Whether a line is an error.
pub fn is_error(line: &str) -> bool {
    let line = line.to_ascii_lowercase();
    MARKS.iter().any(|mark| line.contains(mark))
}

/// What a line says, without the date and the time of day at its beginning: by this, lines are the same.
pub fn said(line: &str) -> &str {
    let mut rest = line;
    while let Some((first, after)) = rest.split_once(char::is_whitespace) {
        if !is_time(first) {
            break;
        }
        rest = after.trim_start();
    }
    rest
}

/// `2026-11-24T20:52:20.123456Z`, `2026-11-24`, `20:52:20,123`, with or without brackets.
fn is_time(word: &str) -> bool {
    let word = word.trim_matches(['[', ']']);
    let marks = |mark| word.matches(mark).count();
    let letters = |c: char| c.is_ascii_digit() || "-:.,/+TZ".contains(c);
    word.starts_with(|c: char| c.is_ascii_digit())
        && word.chars().all(letters)
        && (marks(':') >= 1 || marks('-') == 2 || marks('/') == 2)
}

/// Filters a log.
pub fn excerpt(log: &str, limits: Limits) -> Excerpt {
    let lines: Vec<&str> = log.lines().collect();
    let errors: Vec<usize> = (0..lines.len()).filter(|at| is_error(lines[*at])).collect();
    let near = nearness(&errors, lines.len(), limits.context);
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for at in near.keys() {
        *counts.entry(said(lines[*at])).or_default() += 1;
    }
    let mut seen = HashSet::new();
    let distinct: Vec<usize> = errors
        .into_iter()
        .filter(|at| seen.insert(said(lines[*at])))
        .collect();
    let room = as_long_as_by_hand(&lines, &near).saturating_sub(distinct.len());
    let context = context(&lines, &near, &mut seen, room);
    let mut excerpt = Excerpt::default();
    let mut bytes = 0;
    for (at, error) in distinct
        .iter()
        .map(|at| (*at, true))
        .chain(context.iter().map(|at| (*at, false)))
    {
        let line = Line {
            number: at + 1,
            count: counts.get(said(lines[at])).copied().unwrap_or(1),
            error,
            text: cut(lines[at], limits.line),
        };
        let length = line.text.len() + 16;
        if bytes + length <= limits.bytes {
            bytes += length;
            excerpt.lines.push(line);
        } else if error {
            excerpt.left_out += 1;
        }
    }
    excerpt.lines.sort_by_key(|line| line.number);
    excerpt
}

/// The lines within so many of an error, each with its distance to the nearest one: negative before it.
fn nearness(errors: &[usize], lines: usize, context: usize) -> BTreeMap<usize, isize> {
    let mut near: BTreeMap<usize, isize> = BTreeMap::new();
    for error in errors {
        for at in error.saturating_sub(context)..=(error + context).min(lines.saturating_sub(1)) {
            let distance = at.cast_signed() - error.cast_signed();
            near.entry(at)
                .and_modify(|known| {
                    if distance.abs() < known.abs() {
                        *known = distance;
                    }
                })
                .or_insert(distance);
        }
    }
    near
}

/// How many lines the pipeline would have printed for these: one for each second word. (One for all lines of a single
/// word, the lines `--` that `grep` puts between stretches among them.)
fn as_long_as_by_hand(lines: &[&str], near: &BTreeMap<usize, isize>) -> usize {
    let second = |at: &usize| {
        let line = lines[*at];
        // An indented line's first word is the second one behind the number that `nl` puts before it.
        line.split_ascii_whitespace()
            .nth(usize::from(!line.starts_with([' ', '\t'])))
            .unwrap_or_default()
    };
    near.keys().map(second).collect::<HashSet<&str>>().len()
}

/// The most telling lines around the errors: the nearest first, and what follows an error before what led to it.
fn context<'l>(
    lines: &[&'l str],
    near: &BTreeMap<usize, isize>,
    seen: &mut HashSet<&'l str>,
    room: usize,
) -> Vec<usize> {
    let mut candidates: Vec<(usize, isize)> = near
        .iter()
        .filter(|(at, _)| !lines[**at].trim().is_empty())
        .map(|(at, distance)| (*at, *distance))
        .collect();
    candidates.sort_by_key(|(at, distance)| (distance.abs(), *distance < 0, *at));
    candidates
        .into_iter()
        .filter(|(at, _)| seen.insert(said(lines[*at])))
        .map(|(at, _)| at)
        .take(room)
        .collect()
}

/// At most so many characters.
fn cut(line: &str, most: usize) -> String {
    match line.char_indices().nth(most) {
        Some((at, _)) => format!("{}...", &line[..at]),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Seek, Write};
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;

    /// The incident's own pipeline, as it was typed, in a real shell.
    fn by_hand(log: &str) -> String {
        let mut stdin = tempfile::tempfile().unwrap();
        stdin.write_all(log.as_bytes()).unwrap();
        stdin.rewind().unwrap();
        let pipeline = "grep -C 3 error | nl -w3 -s: | sort -u -k2,2 | sort -n -k1,1";
        let output = Command::new("sh")
            .args(["-c", pipeline])
            .env("LC_ALL", "C")
            .stdin(stdin)
            .output()
            .unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// What the pipeline does, as a model: one line for each second field, the first of them, in order.
    fn model(log: &str) -> usize {
        let lines: Vec<&str> = log.lines().collect();
        let error = |at: &usize| lines[*at].contains("error");
        let errors: Vec<usize> = (0..lines.len()).filter(error).collect();
        let near = |at: usize| errors.iter().any(|error| error.abs_diff(at) <= 3);
        let mut printed: Vec<String> = Vec::new();
        let mut last = None;
        for at in (0..lines.len()).filter(|at| near(*at)) {
            if last.is_some_and(|last| last + 1 < at) {
                printed.push("--".into());
            }
            printed.push(lines[at].to_owned());
            last = Some(at);
        }
        let field = |line: &String| {
            let numbered = format!("1:{line}");
            let first = numbered.find([' ', '\t']).unwrap_or(numbered.len());
            let rest = numbered[first..].to_owned();
            let blank = rest.len() - rest.trim_start().len();
            let end = rest[blank..]
                .find([' ', '\t'])
                .map_or(rest.len(), |at| blank + at);
            rest[..end].to_owned()
        };
        printed.iter().map(field).collect::<HashSet<String>>().len()
    }

    fn distinct_errors(log: &str) -> HashSet<&str> {
        log.lines().filter(|line| is_error(line)).map(said).collect()
    }

    fn errors_of(excerpt: &Excerpt) -> HashSet<&str> {
        let errors = excerpt.lines.iter().filter(|line| line.error);
        errors.map(|line| said(&line.text)).collect()
    }

    fn unlimited() -> Limits {
        Limits {
            bytes: usize::MAX,
            line: usize::MAX,
            ..Limits::default()
        }
    }

    /// At least as short as the pipeline; where that loses errors, exactly the distinct errors.
    fn at_least_as_short(log: &str, pipeline: usize) -> bool {
        excerpt(log, unlimited()).lines.len() <= pipeline.max(distinct_errors(log).len())
    }

    /// Lines as logs have them: with times, levels, indentation, repeats, blank lines.
    fn any_line() -> impl Strategy<Value = String> {
        let time = prop_oneof![Just(""), Just("20:52:20 "), Just("2026-11-24T20:52:20.1Z  ")];
        let words = prop::collection::vec(
            prop_oneof![
                Just("error"),
                Just("GET"),
                Just("store"),
                Just("line"),
                Just("1"),
                Just("ok")
            ],
            0..4,
        );
        let indent = prop_oneof![4 => Just(""), 1 => Just("  ")];
        (indent, time, words).prop_map(|(indent, time, words)| format!("{indent}{time}{}", words.join(" ")))
    }

    fn any_log() -> impl Strategy<Value = String> {
        prop::collection::vec(any_line(), 0..60).prop_map(|lines| lines.join("\n"))
    }

    proptest! {
        #[test]
        fn no_distinct_error_is_lost(log in any_log()) {
            let excerpt = excerpt(&log, unlimited());
            prop_assert_eq!(errors_of(&excerpt), distinct_errors(&log));
            prop_assert!(excerpt.lines.is_sorted_by_key(|line| line.number), "in the order of the log");
            prop_assert_eq!(excerpt.left_out, 0);
        }

        #[test]
        fn it_is_at_least_as_short_as_the_incidents_pipeline(log in any_log()) {
            prop_assert!(at_least_as_short(&log, model(&log)));
        }

        #[test]
        fn every_error_is_counted_however_little_fits(log in any_log(), bytes in 0usize..400) {
            let limits = Limits { bytes, ..Limits::default() };
            let excerpt = excerpt(&log, limits);
            let kept = excerpt.lines.iter().filter(|line| line.error).count();
            prop_assert_eq!(kept + excerpt.left_out, distinct_errors(&log).len());
            prop_assert!(excerpt.lines.iter().map(|line| line.text.len() + 16).sum::<usize>() <= bytes);
        }

        #[test]
        fn any_text_at_all_is_taken(log in any::<String>()) {
            let _ = excerpt(&log, Limits::default()).to_string();
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn beside_the_real_pipeline_it_is_as_short_and_loses_no_error(log in any_log()) {
            let printed = by_hand(&log).lines().count();
            prop_assert_eq!(printed, model(&log), "the model");
            prop_assert!(at_least_as_short(&log, printed));
            let excerpt = excerpt(&log, unlimited());
            prop_assert_eq!(errors_of(&excerpt), distinct_errors(&log));
        }
    }

    #[test]
    fn repeats_are_folded_whatever_the_time_of_day() {
        let log =
            "08:00:01 INFO listens\n08:00:02 WARN slow\n08:00:03 ERROR no space\n08:00:04 ERROR no space\n";
        let expected =
            "  1:08:00:01 INFO listens\n  2:08:00:02 WARN slow\n  3:08:00:03 ERROR no space (x2)\n";
        assert_eq!(excerpt(log, Limits::default()).to_string(), expected);
    }

    #[test]
    fn two_errors_of_one_second_word_are_both_kept_where_the_pipeline_loses_one() {
        let log = "web: error: cannot read urls.json\nweb: error: no space left\n";
        assert_eq!(by_hand(log).lines().count(), 1);
        assert_eq!(excerpt(log, Limits::default()).lines.len(), 2);
    }

    #[test]
    fn what_follows_an_error_tells_more_than_what_led_to_it() {
        let log = "a b\nstore error here\n  it was given: \"/data/urls.json\"\n";
        let kept: Vec<usize> = excerpt(log, Limits::default())
            .lines
            .iter()
            .map(|l| l.number)
            .collect();
        assert_eq!(kept, [1, 2, 3]);
    }
}
