//! The ordered record of a drill, written while it happens: a *run folder*.
//!
//! Faces the drill, its sole writer, on one side, and measuring, judging and reporting on the other, which need nothing
//! else: a stored history can be judged and rendered again without running anything.
//!
//! ```text
//! RUN/events.jsonl   one event a line, flushed as written; the first is `start` with the whole plan
//! RUN/samples.bin    an 16-byte head, then 32 bytes a sample, little endian (see `samples`)
//! RUN/logs/NAME.log  the services' own output
//! RUN/verdict.json   what was judged when it ended
//! ```
//! Versioned by [`FORMAT`]; a torn last line or record (a killed harness) is left out and said so.

mod event;

pub use event::*;

use crate::sample::Sample;

/// The version of the format. A reader refuses a newer one and keeps reading older ones.
pub const FORMAT: u32 = 1;

/// A whole history, as read back from a run folder.
#[derive(Debug, Clone)]
pub struct History {
    /// What was to be done, from the first event.
    pub start: Start,
    /// Every event, in the order written.
    pub events: Vec<Stamped>,
    /// Every sample, in the order written (by end, roughly).
    pub samples: Vec<Sample>,
    /// The texts of labels: `labels[0]` is empty (none).
    pub labels: Vec<String>,
    /// What is missing because the writer was cut off, in words; empty for a whole history.
    pub torn: Vec<String>,
}
