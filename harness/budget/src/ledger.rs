//! The ledger: real incidents, one JSON object a line, only ever added to.
//!
//! Faces the ledger's text on one side and the year's account on the other. A line that was cut off, or that somebody
//! broke, is kept and said: a ledger that silently forgets an incident would promise time that is spent.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use firedrill_model::units::Span;

/// The longest text of an entry, in characters.
const LONGEST: usize = 500;

/// One incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When users were first let down. Without it the incident is undated: it counts in every year.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<Timestamp>,
    /// For how long.
    pub downtime: Span,
    /// What went wrong, in a sentence.
    pub cause: String,
    /// Where more is written: a post-mortem, a ticket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
}

/// What is wrong with an entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadEntry {
    /// No time at all.
    #[error("an incident without downtime costs nothing: give --end after --start, or --duration above zero")]
    NoDowntime,
    /// It has not happened yet.
    #[error("{0} has not come yet: the ledger holds what has happened, with --end at the latest now")]
    Future(Timestamp),
    /// No cause.
    #[error("the cause is empty: say in a sentence what went wrong")]
    NoCause,
    /// A text that does not fit a line of a table.
    #[error("the {0} is longer than {LONGEST} characters, or of several lines: put the rest behind --link")]
    TooLong(&'static str),
    /// Not a web address.
    #[error("`{0}` is no link: it begins with https:// or http://")]
    BadLink(String),
}

impl Entry {
    /// When users were served again.
    pub fn end(&self) -> Option<Timestamp> {
        let downtime = jiff::SignedDuration::try_from(self.downtime.0).unwrap_or(jiff::SignedDuration::MAX);
        self.start.and_then(|start| start.checked_add(downtime).ok())
    }

    /// Checks what no type can.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self, now: Timestamp) -> Result<(), BadEntry> {
        let line = |text: &str| text.chars().count() <= LONGEST && !text.chars().any(char::is_control);
        if self.downtime.0 == Duration::ZERO {
            return Err(BadEntry::NoDowntime);
        }
        if let Some(end) = self.end().filter(|end| *end > now) {
            return Err(BadEntry::Future(end));
        }
        if self.cause.trim().is_empty() {
            return Err(BadEntry::NoCause);
        }
        if !line(&self.cause) {
            return Err(BadEntry::TooLong("cause"));
        }
        match &self.link {
            Some(link) if !line(link) => Err(BadEntry::TooLong("link")),
            Some(link) if !link.starts_with("https://") && !link.starts_with("http://") => {
                Err(BadEntry::BadLink(link.clone()))
            }
            _ => Ok(()),
        }
    }

    /// Its line in the ledger.
    pub fn line(&self) -> String {
        serde_json::json!(self).to_string() + "\n"
    }
}

/// A line that holds no entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unreadable {
    /// Its number, from 1.
    pub line: usize,
    /// Why.
    pub why: String,
}

/// A ledger, as read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ledger {
    /// The entries with the numbers of their lines, in the order written.
    pub entries: Vec<(usize, Entry)>,
    /// Lines that hold none. As long as there are any, what was spent is *at least* what the entries say.
    pub unreadable: Vec<Unreadable>,
}

impl Ledger {
    /// Reads a ledger's text. Empty lines mean nothing.
    pub fn read(text: &str, now: Timestamp) -> Self {
        let mut ledger = Self::default();
        for (at, line) in text
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.trim().is_empty())
        {
            let entry = serde_json::from_str::<Entry>(line).map_err(|error| match error.is_eof() {
                true => "it was cut off".to_owned(),
                false => error.to_string(),
            });
            let checked = entry.and_then(|entry| match entry.check(now) {
                Ok(()) => Ok(entry),
                Err(error) => Err(error.to_string()),
            });
            match checked {
                Ok(entry) => ledger.entries.push((at + 1, entry)),
                Err(why) => ledger.unreadable.push(Unreadable { line: at + 1, why }),
            }
        }
        ledger
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn now() -> Timestamp {
        "2026-06-01T00:00:00Z".parse().unwrap()
    }

    fn entry(start: &str, downtime: &str) -> Entry {
        Entry {
            start: Some(start.parse().unwrap()),
            downtime: downtime.parse().unwrap(),
            cause: "the wrong loader".into(),
            link: None,
        }
    }

    #[test]
    fn what_cannot_be_an_incident_is_refused() {
        let good = entry("2026-01-01T00:00:00Z", "23m");
        assert_eq!(good.check(now()), Ok(()));
        assert_eq!(
            entry("2026-01-01T00:00:00Z", "0s").check(now()),
            Err(BadEntry::NoDowntime)
        );
        assert!(matches!(
            entry("2026-05-31T23:50:00Z", "23m").check(now()),
            Err(BadEntry::Future(_))
        ));
        let with = |cause: &str, link: &str| Entry {
            cause: cause.into(),
            link: Some(link.into()),
            ..good.clone()
        };
        assert_eq!(with(" ", "https://x").check(now()), Err(BadEntry::NoCause));
        assert_eq!(
            with("a\nb", "https://x").check(now()),
            Err(BadEntry::TooLong("cause"))
        );
        assert!(matches!(
            with("a", "javascript:x").check(now()),
            Err(BadEntry::BadLink(_))
        ));
    }

    #[test]
    fn a_line_that_was_cut_off_is_said_and_those_around_it_count() {
        let line = entry("2026-01-01T00:00:00Z", "23m").line();
        let ledger = Ledger::read(&format!("{line}{}\n{line}", &line[..line.len() / 2]), now());
        let lines: Vec<usize> = ledger.entries.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [1, 3]);
        assert_eq!(
            ledger.unreadable,
            [Unreadable {
                line: 2,
                why: "it was cut off".into()
            }]
        );
    }

    proptest! {
        #[test]
        fn an_entry_reads_back_as_written(second in 0i64..1_700_000_000, millis in 1u64..100_000_000, cause in "[^\\p{C}]{1,80}") {
            let entry = Entry {
                start: Some(Timestamp::from_second(second).unwrap()),
                downtime: Span::from_millis(millis),
                cause,
                link: Some("https://example.org/post-mortem".into()),
            };
            prop_assume!(!entry.cause.trim().is_empty());
            let ledger = Ledger::read(&entry.line(), now());
            prop_assert_eq!(ledger.entries, [(1, entry)]);
        }

        #[test]
        fn no_text_makes_the_reader_panic_and_no_line_is_forgotten(text in ".{0,200}") {
            let ledger = Ledger::read(&text, now());
            let lines = text.lines().filter(|line| !line.trim().is_empty()).count();
            prop_assert_eq!(ledger.entries.len() + ledger.unreadable.len(), lines);
        }
    }
}
