//! The distinct errors of a log, each with the lines around it, repeats folded, in the order of the log.
//!
//! Takes the text of a log, gives the text for an alert. In the incident a person did this by hand with
//! `grep -C 3 error | nl -w3 -s: | sort -u -k2,2 | sort -n -k1,1`. That pipeline loses errors: `sort -k2,2` compares the
//! second *word* of a line, so of two different errors with the same second word it drops one, and it does not count
//! repeats. An excerpt has at most as many lines as the pipeline prints (or, where the pipeline loses errors, exactly the
//! distinct errors) and prefers the lines nearest to an error.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;

use crate::count;
use crate::line::{is_error, without_time};

/// The size of an excerpt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Lines of context before and after an error.
    pub context: usize,
    /// Bytes of the whole excerpt.
    pub bytes: usize,
    /// Characters of one line; a longer line is cut.
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

/// One line of an excerpt; its repeats are folded into it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExcerptLine {
    /// The number of its first occurrence in the log, from 1.
    pub number: usize,
    /// How often it occurs near an error, with any time stamp.
    pub count: usize,
    /// `true` for an error, `false` for a line of context.
    pub error: bool,
    /// The line, cut when it is too long.
    pub text: String,
}

/// The errors of a log with their context.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Excerpt {
    /// The lines, in the order of the log.
    pub lines: Vec<ExcerptLine>,
    /// Distinct errors beyond the size limit.
    pub left_out: usize,
}

impl Excerpt {
    /// Whether the log has no error.
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
        match self.left_out {
            0 => Ok(()),
            more => writeln!(f, "... and {}", count(more, "more error")),
        }
    }
}

/// The excerpt of a log.
pub fn excerpt(log: &str, limits: Limits) -> Excerpt {
    let lines: Vec<&str> = log.lines().collect();
    let errors: Vec<usize> = (0..lines.len()).filter(|at| is_error(lines[*at])).collect();
    let near = near_errors(&errors, lines.len(), limits.context);
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for at in near.keys() {
        *counts.entry(without_time(lines[*at])).or_default() += 1;
    }
    let mut seen = HashSet::new();
    let distinct: Vec<usize> = errors
        .into_iter()
        .filter(|at| seen.insert(without_time(lines[*at])))
        .collect();
    // No more lines than the pipeline would print.
    let room = pipeline_length(&lines, &near).saturating_sub(distinct.len());
    let context = context(&lines, &near, &mut seen, room);
    let errors = distinct.iter().map(|at| (*at, true));
    // Errors come first: where not everything fits, context is dropped before any error.
    let candidates = errors.chain(context.iter().map(|at| (*at, false)));
    within_limits(candidates, limits, |at, error| ExcerptLine {
        number: at + 1,
        count: counts.get(without_time(lines[at])).copied().unwrap_or(1),
        error,
        text: cut(lines[at], limits.line),
    })
}

/// Takes candidates, best first, until the size limit, and puts them in the order of the log.
fn within_limits(
    candidates: impl Iterator<Item = (usize, bool)>,
    limits: Limits,
    line: impl Fn(usize, bool) -> ExcerptLine,
) -> Excerpt {
    /// The line number, the count and the line break take at most so many bytes.
    const OVERHEAD: usize = 16;
    let mut excerpt = Excerpt::default();
    let mut bytes = 0;
    for (at, error) in candidates {
        let line = line(at, error);
        let length = line.text.len() + OVERHEAD;
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

/// The lines within `context` lines of an error, each with its distance to the nearest one; negative before the error.
fn near_errors(errors: &[usize], lines: usize, context: usize) -> BTreeMap<usize, isize> {
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

/// How many lines the incident's pipeline prints: one for each distinct second word. (The lines `--` that `grep` puts
/// between groups have one word, as all lines of one word do; together they count once.)
fn pipeline_length(lines: &[&str], near: &BTreeMap<usize, isize>) -> usize {
    let second_word = |at: &usize| {
        let line = lines[*at];
        // `nl` puts a number before the line: the first word of an indented line is then the second word.
        line.split_ascii_whitespace()
            .nth(usize::from(!line.starts_with([' ', '\t'])))
            .unwrap_or_default()
    };
    near.keys().map(second_word).collect::<HashSet<&str>>().len()
}

/// At most `room` lines of context: the nearest first, and at one distance the lines after an error first, because a
/// program often prints details after the error.
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
    // The nearest first; at equal distance the line after an error, where its cause and trace are.
    candidates.sort_by_key(|(at, distance)| (distance.abs(), *distance < 0, *at));
    candidates
        .into_iter()
        .filter(|(at, _)| seen.insert(without_time(lines[*at])))
        .map(|(at, _)| at)
        .take(room)
        .collect()
}

/// The first `longest` characters of a line.
fn cut(line: &str, longest: usize) -> String {
    match line.char_indices().nth(longest) {
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

    /// The pipeline of the incident, as it was typed, in a real shell.
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

    /// A model of the pipeline: the number of lines it prints, one for each distinct second field.
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
        log.lines()
            .filter(|line| is_error(line))
            .map(without_time)
            .collect()
    }

    fn errors_of(excerpt: &Excerpt) -> HashSet<&str> {
        let errors = excerpt.lines.iter().filter(|line| line.error);
        errors.map(|line| without_time(&line.text)).collect()
    }

    fn unlimited() -> Limits {
        Limits {
            bytes: usize::MAX,
            line: usize::MAX,
            ..Limits::default()
        }
    }

    /// At least as short as the pipeline's output; where the pipeline loses errors, exactly the distinct errors.
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
        fn an_excerpt_is_at_least_as_short_as_the_incidents_pipeline(log in any_log()) {
            prop_assert!(at_least_as_short(&log, model(&log)));
        }

        #[test]
        fn every_error_is_shown_or_counted_as_left_out(log in any_log(), bytes in 0usize..400) {
            let limits = Limits { bytes, ..Limits::default() };
            let excerpt = excerpt(&log, limits);
            let shown = excerpt.lines.iter().filter(|line| line.error).count();
            prop_assert_eq!(shown + excerpt.left_out, distinct_errors(&log).len());
            prop_assert!(excerpt.lines.iter().map(|line| line.text.len() + 16).sum::<usize>() <= bytes);
        }

        #[test]
        fn any_text_is_accepted(log in any::<String>()) {
            let _ = excerpt(&log, Limits::default()).to_string();
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn an_excerpt_is_as_short_as_the_real_pipeline_and_loses_no_error(log in any_log()) {
            let printed = by_hand(&log).lines().count();
            prop_assert_eq!(printed, model(&log), "the model of the pipeline is wrong");
            prop_assert!(at_least_as_short(&log, printed));
            let excerpt = excerpt(&log, unlimited());
            prop_assert_eq!(errors_of(&excerpt), distinct_errors(&log));
        }
    }

    #[test]
    fn repeats_with_other_time_stamps_are_folded() {
        let log =
            "08:00:01 INFO listens\n08:00:02 WARN slow\n08:00:03 ERROR no space\n08:00:04 ERROR no space\n";
        let expected =
            "  1:08:00:01 INFO listens\n  2:08:00:02 WARN slow\n  3:08:00:03 ERROR no space (x2)\n";
        assert_eq!(excerpt(log, Limits::default()).to_string(), expected);
    }

    #[test]
    fn two_errors_with_the_same_second_word_are_both_shown() {
        let log = "web: error: cannot read urls.json\nweb: error: no space left\n";
        assert_eq!(by_hand(log).lines().count(), 1);
        assert_eq!(excerpt(log, Limits::default()).lines.len(), 2);
    }

    #[test]
    fn details_printed_after_an_error_are_included() {
        let log = "a b\nstore error here\n  it was given: \"/data/urls.json\"\n";
        let shown: Vec<usize> = excerpt(log, Limits::default())
            .lines
            .iter()
            .map(|l| l.number)
            .collect();
        assert_eq!(shown, [1, 2, 3]);
    }
}
