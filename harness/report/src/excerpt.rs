//! Logs as an incident needs them: errors with three lines around them, repeats folded with a count, in the order in
//! which they came.
//!
//! What `grep -C 3 error | nl | sort -u -k2,2 | sort -n` did by hand. Fed line by line, so that a log of any size costs
//! only what it shows.

use std::collections::{HashMap, VecDeque};

use super::text::plain;

/// Lines kept before and after an error.
const CONTEXT: usize = 3;
/// Different errors kept; what is beyond is counted.
const MOST: usize = 60;
/// A line is cut here.
const LONGEST: usize = 600;
/// What an error line contains, in whatever case.
const WORDS: [&str; 6] = ["error", "panic", "fatal", "exception", "traceback", "critical"];

/// One error, and how often it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The number of its first line in the log, from 1.
    pub line: usize,
    /// How often it came, numbers and stamps aside.
    pub count: usize,
    /// The lines before its first one.
    pub before: Vec<String>,
    /// Its first line.
    pub text: String,
    /// The lines after that.
    pub after: Vec<String>,
}

/// What is left of one log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt {
    /// Whose log it is.
    pub service: String,
    /// Lines read.
    pub lines: usize,
    /// Error lines among them.
    pub errors: usize,
    /// The different ones, in the order of their first lines.
    pub entries: Vec<Entry>,
    /// Error lines that are beyond what is kept.
    pub more: usize,
}

/// Reads a log line by line.
#[derive(Debug)]
pub struct Filter {
    excerpt: Excerpt,
    known: HashMap<String, usize>,
    last: VecDeque<String>,
    /// The entry that still takes lines after it, and how many.
    open: Option<(usize, usize)>,
}

impl Filter {
    /// For the log of a service.
    pub fn new(service: &str) -> Self {
        let excerpt = Excerpt {
            service: service.into(),
            lines: 0,
            errors: 0,
            entries: Vec::new(),
            more: 0,
        };
        Self {
            excerpt,
            known: HashMap::new(),
            last: VecDeque::new(),
            open: None,
        }
    }

    /// The next line.
    pub fn line(&mut self, line: &str) {
        self.excerpt.lines += 1;
        if is_error(line) {
            self.error(line);
            return;
        }
        match &mut self.open {
            Some((entry, left)) => {
                self.excerpt.entries[*entry].after.push(plain(line, LONGEST));
                *left -= 1;
                if *left == 0 {
                    self.open = None;
                }
            }
            None => {
                if self.last.len() == CONTEXT {
                    self.last.pop_front();
                }
                self.last.push_back(plain(line, LONGEST));
            }
        }
    }

    fn error(&mut self, line: &str) {
        self.excerpt.errors += 1;
        self.open = None;
        let before = std::mem::take(&mut self.last);
        let key = same(line);
        if let Some(at) = self.known.get(&key) {
            self.excerpt.entries[*at].count += 1;
            return;
        }
        if self.excerpt.entries.len() == MOST {
            self.excerpt.more += 1;
            return;
        }
        let at = self.excerpt.entries.len();
        self.known.insert(key, at);
        self.open = Some((at, CONTEXT));
        self.excerpt.entries.push(Entry {
            line: self.excerpt.lines,
            count: 1,
            before: before.into(),
            text: plain(line, LONGEST),
            after: Vec::new(),
        });
    }

    /// What is left of it.
    pub fn finish(self) -> Excerpt {
        self.excerpt
    }
}

fn is_error(line: &str) -> bool {
    let head: String = line
        .chars()
        .take(LONGEST)
        .collect::<String>()
        .to_ascii_lowercase();
    WORDS.iter().any(|word| head.contains(word))
}

/// What two error lines have in common when they tell the same: neither the stamp in front nor any number counts.
fn same(line: &str) -> String {
    let mut key = String::with_capacity(line.len().min(LONGEST));
    let mut number = false;
    for c in without_stamp(line).chars().take(LONGEST) {
        if c.is_ascii_digit() {
            if !number {
                key.push('#');
            }
            number = true;
        } else {
            key.push(c);
            number = false;
        }
    }
    key
}

/// A log line without the time stamp in front of it.
pub(super) fn without_stamp(line: &str) -> &str {
    match line.split_once(char::is_whitespace) {
        Some((first, rest)) if stamp(first) => rest.trim_start(),
        _ => line,
    }
}

fn stamp(word: &str) -> bool {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    word.starts_with(|c: char| c.is_ascii_digit() || c == '[') && digits >= 8
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn excerpt(log: &str) -> Excerpt {
        let mut filter = Filter::new("app");
        log.lines().for_each(|line| filter.line(line));
        filter.finish()
    }

    #[test]
    fn an_error_keeps_three_lines_around_it_and_its_repeats_are_counted() {
        let log = "1\n2\n3\n4\n2026-01-01T00:00:00Z ERROR GET /a-1 failed\n5\n6\n7\n8\n\
                   2026-01-01T00:00:01Z ERROR GET /a-22 failed\nother error\n9\n";
        let excerpt = excerpt(log);
        assert_eq!((excerpt.lines, excerpt.errors, excerpt.more), (12, 3, 0));
        let [first, second] = &excerpt.entries[..] else {
            panic!("{excerpt:?}")
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
    fn ever_new_errors_are_counted_beyond_what_is_kept() {
        let log: String = (0..200)
            .map(|n| format!("error {}\n", "x".repeat(n + 1)))
            .collect();
        let excerpt = excerpt(&log);
        assert_eq!((excerpt.entries.len(), excerpt.more), (MOST, 200 - MOST));
    }

    proptest! {
        #[test]
        fn every_error_line_is_accounted_for(log in "(error|fine|[0-9]{1,3} panic|\n){0,200}") {
            let excerpt = excerpt(&log);
            let kept: usize = excerpt.entries.iter().map(|entry| entry.count).sum();
            prop_assert_eq!(kept + excerpt.more, excerpt.errors);
            prop_assert_eq!(excerpt.errors, log.lines().filter(|line| is_error(line)).count());
        }
    }
}
