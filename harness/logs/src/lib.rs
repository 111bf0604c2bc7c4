//! Logs as a person in an incident needs them. Pure except for [`difference`], which reads source files.
//!
//! Takes the text of a log and gives four things, each independent of the others:
//!
//! * [`excerpt()`]: the distinct errors of a short log with the lines around them, within a size limit (for an alert);
//! * [`Summarizer`]: the same of a log of any length, line by line, in constant memory (for a report);
//! * [`explain()`]: what the known errors usually mean, in plain words;
//! * [`difference`]: what changed between two releases: configuration and source files.
//!
//! [`redact`] removes secrets from a text before anybody sees it. The edge uses this crate for its alerts, the harness
//! for its reports; it depends on neither.
//!
//! ```
//! let log = "12:00:01 INFO listening\n\
//!            12:00:02 ERROR no space left on device\n\
//!            12:00:03 ERROR no space left on device\n";
//!
//! let excerpt = firedrill_logs::excerpt(log, firedrill_logs::Limits::default());
//! assert_eq!(
//!     excerpt.to_string(),
//!     "  1:12:00:01 INFO listening\n  2:12:00:02 ERROR no space left on device (x2)\n"
//! );
//!
//! let explanations = firedrill_logs::explain(log);
//! assert!(explanations[0].means.starts_with("the disk is full"));
//! ```

pub mod difference;
mod excerpt;
mod explain;
pub mod line;
pub mod redact;
mod summary;

pub use difference::{Change, Difference, ReleaseDetails};
pub use excerpt::{Excerpt, ExcerptLine, Limits, excerpt};
pub use explain::{Explanation, explain};
pub use redact::Secret;
pub use summary::{ErrorGroup, LogSummary, Summarizer};

/// A number with its noun: `1 request`, `3 requests`. For nouns with a regular plural in `s`.
pub fn count(number: usize, noun: &str) -> String {
    match number {
        1 => format!("1 {noun}"),
        _ => format!("{number} {noun}s"),
    }
}
