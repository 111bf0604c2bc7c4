//! What users see: journeys, sent on an open-loop schedule, each answer with an outcome.
//!
//! Faces the system's entry on one side, over plain HTTP/1.1 on a TCP connection of its own making, and the drill on the
//! other, which receives every [`Sample`] and every [`Write`] as it happens. Knows nothing of faults.

use crate::sample::{Sample, StreamId};

/// A write journey's request that ended, to be remembered and read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// Its stream.
    pub stream: StreamId,
    /// Its record number: fills `{n}` of the journey's records again.
    pub n: u64,
    /// How it ended.
    pub ack: Acknowledgement,
    /// Where the acknowledgement says it can be read.
    pub link: Option<String>,
}

/// How a write's request ended, as far as its user can know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acknowledgement {
    /// The right answer came, even if late.
    Acknowledged,
    /// A whole answer came that says no.
    Refused,
    /// No whole answer.
    Unknown,
}

/// What the prober tells, in the order it happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// A probe ended (or is void).
    Sample(Sample),
    /// A write ended. Follows its sample.
    Write(Write),
}
