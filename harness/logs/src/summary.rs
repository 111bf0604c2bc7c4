//! The errors of a log of any length, grouped, each group with the lines around its first error.
//!
//! Takes a log line by line, gives a [`LogSummary`] whose size does not depend on the log's.

use std::collections::{HashMap, VecDeque};

use crate::line::{is_error, printable, without_time};

/// Lines of context before and after an error.
const CONTEXT: usize = 3;
/// Groups in one summary; errors beyond them are only counted.
const MAX_GROUPS: usize = 60;
/// Characters of one line; a longer line is cut.
const MAX_LINE: usize = 600;

/// Error lines that differ only in numbers and time stamps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorGroup {
    /// The number of the group's first line in the log, from 1.
    pub line: usize,
    /// How many error lines belong to the group.
    pub count: usize,
    /// The lines before the first one.
    pub before: Vec<String>,
    /// The first one.
    pub text: String,
    /// The lines after the first one.
    pub after: Vec<String>,
}

/// The errors of one log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSummary {
    /// The service that wrote the log.
    pub service: String,
    /// Lines in the log.
    pub lines: usize,
    /// Error lines among them.
    pub errors: usize,
    /// The groups, in the order of their first lines.
    pub groups: Vec<ErrorGroup>,
    /// Error lines that belong to no group because there were too many groups.
    pub ungrouped: usize,
}

/// Reads a log line by line.
///
/// ```
/// use firedrill_logs::Summarizer;
///
/// let mut log = Summarizer::new("app");
/// for line in ["listening", "ERROR request 17 failed", "ERROR request 18 failed"] {
///     log.line(line);
/// }
/// let summary = log.finish();
/// assert_eq!((summary.errors, summary.groups.len(), summary.groups[0].count), (2, 1, 2));
/// ```
#[derive(Debug)]
pub struct Summarizer {
    summary: LogSummary,
    /// Group keys, each with the index of its group.
    known: HashMap<String, usize>,
    /// The last lines that belong to no group.
    last: VecDeque<String>,
    /// The group that the next lines belong to, and how many of them.
    open: Option<(usize, usize)>,
}

impl Summarizer {
    /// Starts with an empty log of a service.
    pub fn new(service: &str) -> Self {
        let summary = LogSummary {
            service: service.into(),
            lines: 0,
            errors: 0,
            groups: Vec::new(),
            ungrouped: 0,
        };
        Self {
            summary,
            known: HashMap::new(),
            last: VecDeque::new(),
            open: None,
        }
    }

    /// Takes the next line, without its line break.
    pub fn line(&mut self, line: &str) {
        self.summary.lines += 1;
        if is_error(line) {
            self.error(line);
        } else {
            self.context(line);
        }
    }

    /// A line that is no error: context after the last error, or before the next one.
    fn context(&mut self, line: &str) {
        let text = printable(line, MAX_LINE);
        if let Some((group, left)) = &mut self.open {
            self.summary.groups[*group].after.push(text);
            *left -= 1;
            if *left == 0 {
                self.open = None;
            }
            return;
        }
        if self.last.len() == CONTEXT {
            self.last.pop_front();
        }
        self.last.push_back(text);
    }

    fn error(&mut self, line: &str) {
        self.summary.errors += 1;
        // The lines before this error are its context, even when the error itself is only counted: they must not
        // become the context of a later error far below.
        self.open = None;
        let before = std::mem::take(&mut self.last);
        let key = group_key(line);
        if let Some(at) = self.known.get(&key) {
            self.summary.groups[*at].count += 1;
            return;
        }
        if self.summary.groups.len() == MAX_GROUPS {
            self.summary.ungrouped += 1;
            return;
        }
        let at = self.summary.groups.len();
        self.known.insert(key, at);
        self.open = Some((at, CONTEXT));
        self.summary.groups.push(ErrorGroup {
            line: self.summary.lines,
            count: 1,
            before: before.into(),
            text: printable(line, MAX_LINE),
            after: Vec::new(),
        });
    }

    /// The summary of all lines so far.
    pub fn finish(self) -> LogSummary {
        self.summary
    }
}

/// Equal for error lines of one group: without the time stamp, with `#` for every number.
fn group_key(line: &str) -> String {
    let mut key = String::with_capacity(line.len().min(MAX_LINE));
    let mut in_number = false;
    for c in without_time(line).chars().take(MAX_LINE) {
        if c.is_ascii_digit() {
            if !in_number {
                key.push('#');
            }
            in_number = true;
        } else {
            key.push(c);
            in_number = false;
        }
    }
    key
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn summary(log: &str) -> LogSummary {
        let mut summarizer = Summarizer::new("app");
        log.lines().for_each(|line| summarizer.line(line));
        summarizer.finish()
    }

    #[test]
    fn an_error_has_three_lines_of_context_and_its_repeats_are_counted() {
        let log = "1\n2\n3\n4\n2026-01-01T00:00:00Z ERROR GET /a-1 failed\n5\n6\n7\n8\n\
                   2026-01-01T00:00:01Z ERROR GET /a-22 failed\nother error\n9\n";
        let summary = summary(log);
        assert_eq!((summary.lines, summary.errors, summary.ungrouped), (12, 3, 0));
        let [first, second] = &summary.groups[..] else {
            panic!("{summary:?}")
        };
        assert_eq!((first.line, first.count), (5, 2));
        assert_eq!(
            (first.before.join(""), first.after.join("")),
            ("234".into(), "567".into())
        );
        assert_eq!(
            (second.text.as_str(), second.after.join("")),
            ("other error", "9".into())
        );
    }

    #[test]
    fn errors_beyond_the_limit_of_groups_are_counted() {
        let log: String = (0..200)
            .map(|n| format!("error {}\n", "x".repeat(n + 1)))
            .collect();
        let summary = summary(&log);
        assert_eq!(
            (summary.groups.len(), summary.ungrouped),
            (MAX_GROUPS, 200 - MAX_GROUPS)
        );
    }

    proptest! {
        #[test]
        fn every_error_line_is_counted_once(log in "(error|fine|[0-9]{1,3} panic|\n){0,200}") {
            let summary = summary(&log);
            let grouped: usize = summary.groups.iter().map(|group| group.count).sum();
            prop_assert_eq!(grouped + summary.ungrouped, summary.errors);
            prop_assert_eq!(summary.errors, log.lines().filter(|line| is_error(line)).count());
        }
    }
}
