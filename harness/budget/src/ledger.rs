//! The ledger: real incidents, one JSON object a line, append-only.
//!
//! Takes the ledger's text and gives incidents for the year's statement. A line that cannot be read is reported, never
//! skipped in silence: a forgotten incident would promise downtime that is spent.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use firedrill_model::units::Span;

/// The longest text of an incident, in characters.
const LONGEST: usize = 500;

/// One real incident. A misspelt key is refused: `strat` instead of `start` would make the incident undated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Incident {
    /// When users first had no right answer. Without it the incident is undated: it counts in every year.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<Timestamp>,
    /// How long it lasted.
    pub downtime: Span,
    /// What went wrong, in a sentence.
    pub cause: String,
    /// Where to read more: a post-mortem, a ticket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
}

/// Why an incident is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IncidentError {
    /// It has no downtime.
    #[error("the downtime is zero: set --end after --start, or --duration above zero")]
    NoDowntime,
    /// It ends in the future.
    #[error("the incident ends in the future, at {0}: the ledger records past incidents only")]
    Future(Timestamp),
    /// It has no cause.
    #[error("the cause is empty: describe in one sentence what went wrong")]
    NoCause,
    /// A text does not fit a line of a table.
    #[error("the {0} must be one line of at most {LONGEST} characters: put the rest behind --link")]
    TooLong(&'static str),
    /// The link is not a web address.
    #[error("`{0}` is not a web address: it must start with https:// or http://")]
    BadLink(String),
}

impl Incident {
    /// When users had right answers again; `None` for an undated incident.
    pub fn end(&self) -> Option<Timestamp> {
        let downtime = jiff::SignedDuration::try_from(self.downtime.0).unwrap_or(jiff::SignedDuration::MAX);
        self.start.and_then(|start| start.checked_add(downtime).ok())
    }

    /// Whether another line seems to be the same incident. One of them may still be without the date that the other has.
    pub fn is_like(&self, other: &Self) -> bool {
        let same_date = match (self.start, other.start) {
            (Some(one), Some(other)) => one == other,
            _ => true,
        };
        same_date && self.downtime == other.downtime && self.cause.trim() == other.cause.trim()
    }

    /// Checks what the types do not.
    ///
    /// # Errors
    /// The first problem found.
    pub fn check(&self, now: Timestamp) -> Result<(), IncidentError> {
        let is_line = |text: &str| text.chars().count() <= LONGEST && !text.chars().any(char::is_control);
        if self.downtime.0 == Duration::ZERO {
            return Err(IncidentError::NoDowntime);
        }
        if let Some(end) = self.end().filter(|end| *end > now) {
            return Err(IncidentError::Future(end));
        }
        if self.cause.trim().is_empty() {
            return Err(IncidentError::NoCause);
        }
        if !is_line(&self.cause) {
            return Err(IncidentError::TooLong("cause"));
        }
        match &self.link {
            Some(link) if !is_line(link) => Err(IncidentError::TooLong("link")),
            // Reports make links of it: no other scheme may get there.
            Some(link) if !link.starts_with("https://") && !link.starts_with("http://") => {
                Err(IncidentError::BadLink(link.clone()))
            }
            _ => Ok(()),
        }
    }

    /// Its line in the ledger, with the line feed.
    pub fn line(&self) -> String {
        serde_json::json!(self).to_string() + "\n"
    }
}

/// A line of the ledger that is no incident.
#[derive(Debug)]
pub struct UnreadableLine {
    /// Its number, from 1.
    pub line: usize,
    /// Why it cannot be read.
    pub why: LineError,
}

/// Why a line of the ledger cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LineError {
    /// A writer was killed, or the disk was full.
    #[error("the line is cut off")]
    CutOff,
    /// A merge of two branches left its mark.
    #[error(
        "the line is the mark of a merge conflict: resolve the conflict, and keep the incidents of both sides"
    )]
    MergeConflict,
    /// It is not JSON, or not an incident.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// It is an incident that no ledger may contain.
    #[error(transparent)]
    Incident(#[from] IncidentError),
}

/// Two lines that seem to be the same incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Doubled {
    /// The line of the first, from 1.
    pub first: usize,
    /// The line of the second.
    pub second: usize,
    /// Whether both count: of two dated lines, time under both is billed once.
    pub counts_twice: bool,
}

/// A ledger as read.
#[derive(Debug, Default)]
pub struct Ledger {
    /// The incidents with their line numbers, in the order of the file.
    pub incidents: Vec<(usize, Incident)>,
    /// The other lines. While there are any, the true downtime may be more than that of the incidents.
    pub unreadable: Vec<UnreadableLine>,
}

impl Ledger {
    /// Reads a ledger's text. Empty lines are allowed.
    pub fn read(text: &str, now: Timestamp) -> Self {
        let mut ledger = Self::default();
        // Some editors begin a file with a byte order mark.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let lines = (1..).zip(text.lines());
        for (line, text) in lines.filter(|(_, text)| !text.trim().is_empty()) {
            match incident(text, now) {
                Ok(incident) => ledger.incidents.push((line, incident)),
                Err(why) => ledger.unreadable.push(UnreadableLine { line, why }),
            }
        }
        ledger
    }

    /// Pairs of lines that seem to be the same incident: alike in all but, perhaps, that one of them has no date yet.
    /// Each line is named once as the second.
    pub fn doubled(&self) -> Vec<Doubled> {
        let mut doubled = Vec::new();
        // The first line with a downtime and a cause, by its start too, and whatever its start.
        let mut dated: HashMap<_, (usize, Option<Timestamp>)> = HashMap::new();
        let mut any: HashMap<_, (usize, Option<Timestamp>)> = HashMap::new();
        for (line, incident) in &self.incidents {
            let what = (incident.downtime, incident.cause.trim());
            let first = match incident.start {
                Some(start) => dated
                    .get(&(what, Some(start)))
                    .or_else(|| dated.get(&(what, None))),
                None => any.get(&what),
            };
            if let Some((first, other)) = first.copied() {
                doubled.push(Doubled {
                    first,
                    second: *line,
                    counts_twice: incident.start.is_none() || other.is_none(),
                });
            }
            let this = (*line, incident.start);
            dated.entry((what, incident.start)).or_insert(this);
            any.entry(what).or_insert(this);
        }
        doubled
    }
}

fn incident(line: &str, now: Timestamp) -> Result<Incident, LineError> {
    if ["<<<<<<<", "|||||||", "=======", ">>>>>>>"]
        .iter()
        .any(|mark| line.starts_with(mark))
    {
        return Err(LineError::MergeConflict);
    }
    let incident: Incident = serde_json::from_str(line).map_err(|error| match error.is_eof() {
        true => LineError::CutOff,
        false => LineError::Json(error),
    })?;
    incident.check(now)?;
    Ok(incident)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn now() -> Timestamp {
        "2026-06-01T00:00:00Z".parse().unwrap()
    }

    fn incident(start: &str, downtime: &str) -> Incident {
        Incident {
            start: Some(start.parse().unwrap()),
            downtime: downtime.parse().unwrap(),
            cause: "the wrong loader".into(),
            link: None,
        }
    }

    #[test]
    fn an_impossible_incident_is_refused() {
        let good = incident("2026-01-01T00:00:00Z", "23m");
        assert_eq!(good.check(now()), Ok(()));
        assert_eq!(
            incident("2026-01-01T00:00:00Z", "0s").check(now()),
            Err(IncidentError::NoDowntime)
        );
        assert!(matches!(
            incident("2026-05-31T23:50:00Z", "23m").check(now()),
            Err(IncidentError::Future(_))
        ));
        let with = |cause: &str, link: &str| Incident {
            cause: cause.into(),
            link: Some(link.into()),
            ..good.clone()
        };
        assert_eq!(with(" ", "https://x").check(now()), Err(IncidentError::NoCause));
        assert_eq!(
            with("a\nb", "https://x").check(now()),
            Err(IncidentError::TooLong("cause"))
        );
        assert!(matches!(
            with("a", "javascript:x").check(now()),
            Err(IncidentError::BadLink(_))
        ));
    }

    #[test]
    fn the_marks_of_a_merge_conflict_are_named_and_the_incidents_of_both_sides_count() {
        let line = incident("2026-01-01T00:00:00Z", "23m").line();
        let text = format!("\u{feff}<<<<<<< HEAD\n{line}=======\n{line}>>>>>>> other\n");
        let ledger = Ledger::read(&text, now());
        assert_eq!(ledger.incidents.len(), 2);
        let marks = ledger.unreadable.iter();
        let marks = marks.filter(|line| matches!(line.why, LineError::MergeConflict));
        assert_eq!(marks.count(), 3);
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_first_incident() {
        let line = incident("2026-01-01T00:00:00Z", "23m").line();
        let ledger = Ledger::read(&format!("\u{feff}{line}"), now());
        assert_eq!((ledger.incidents.len(), ledger.unreadable.len()), (1, 0));
    }

    #[test]
    fn lines_that_seem_to_be_one_incident_are_named() {
        let dated = incident("2026-01-01T00:00:00Z", "23m");
        let other = incident("2026-02-01T00:00:00Z", "23m");
        let undated = Incident {
            start: None,
            ..dated.clone()
        };
        let doubled = |incidents: &[&Incident]| {
            let text: String = incidents.iter().map(|incident| incident.line()).collect();
            Ledger::read(&text, now()).doubled()
        };
        let pair = |counts_twice| Doubled {
            first: 1,
            second: 2,
            counts_twice,
        };
        assert_eq!(doubled(&[&dated, &other]), []);
        assert_eq!(doubled(&[&dated, &dated]), [pair(false)]);
        assert_eq!(doubled(&[&undated, &undated]), [pair(true)]);
        assert_eq!(doubled(&[&undated, &dated]), [pair(true)]);
    }

    #[test]
    fn a_line_with_a_misspelt_key_is_reported_and_not_an_undated_incident() {
        let line = incident("2026-01-01T00:00:00Z", "23m").line();
        let ledger = Ledger::read(&line.replace("start", "strat"), now());
        assert_eq!(ledger.incidents, []);
        let [UnreadableLine { line: 1, why }] = &ledger.unreadable[..] else {
            panic!("{:?}", ledger.unreadable);
        };
        assert!(why.to_string().contains("strat"), "{why}");
    }

    #[test]
    fn a_line_that_is_cut_off_is_reported_and_its_neighbours_count() {
        let line = incident("2026-01-01T00:00:00Z", "23m").line();
        let ledger = Ledger::read(&format!("{line}{}\n{line}", &line[..line.len() / 2]), now());
        let lines: Vec<usize> = ledger.incidents.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [1, 3]);
        assert!(
            matches!(
                ledger.unreadable[..],
                [UnreadableLine {
                    line: 2,
                    why: LineError::CutOff
                }]
            ),
            "{:?}",
            ledger.unreadable
        );
    }

    proptest! {
        #[test]
        fn an_incident_reads_back_as_written(second in 0i64..1_700_000_000, millis in 1u64..100_000_000, cause in "[^\\p{C}]{1,80}") {
            let incident = Incident {
                start: Some(Timestamp::from_second(second).unwrap()),
                downtime: Span::from_millis(millis),
                cause,
                link: Some("https://example.org/post-mortem".into()),
            };
            prop_assume!(!incident.cause.trim().is_empty());
            let ledger = Ledger::read(&incident.line(), now());
            prop_assert_eq!(ledger.incidents, [(1, incident)]);
        }

        #[test]
        fn no_text_makes_the_reader_panic_and_no_line_is_dropped(text in ".{0,200}") {
            let ledger = Ledger::read(&text, now());
            // A byte order mark at the beginning is no text.
            let lines = text.trim_start_matches('\u{feff}').lines().filter(|line| !line.trim().is_empty()).count();
            prop_assert_eq!(ledger.incidents.len() + ledger.unreadable.len(), lines);
        }
    }
}
