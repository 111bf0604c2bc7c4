//! What users see: journeys, sent on an open-loop schedule, each answer with an outcome.
//!
//! Faces the system's entry on one side, over plain HTTP/1.1 on TCP connections of its own making, and the drill on the
//! other, which receives every [`Sample`] and every [`Write`] as it happens. Knows nothing of faults. It never retries,
//! never follows a redirect, resolves no names, and talks to no address but the entry's.

mod answer;
mod connection;
mod prepared;
mod prober;
mod records;
mod stall;
mod store;

pub use prober::{Stream, probe, streams};
pub use store::{read_back, seed};

use std::sync::Arc;

use firedrill_model::sample::{Ack, Micros, Sample, StreamId};
use firedrill_model::scenario::{Plan, System};

/// Whose journeys are carried out: the system that they use, and whether its store holds the seeded records.
#[derive(Debug, Clone)]
pub struct Users {
    /// The system, with its journeys and records.
    pub system: System,
    /// Whether the seeded records are stored. Journeys that read them do not run otherwise.
    pub seeded: bool,
}

impl<F> From<&Plan<F>> for Users {
    fn from(plan: &Plan<F>) -> Self {
        Self {
            system: plan.system.clone(),
            seeded: plan.scenario.seeded,
        }
    }
}

/// A journey that cannot be carried out.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A template of it cannot be filled, or makes no request.
    #[error("`{text}`: {why}")]
    Template {
        /// The template.
        text: String,
        /// What is wrong.
        why: String,
    },
    /// The prober has no thread to run on.
    #[error("the prober cannot start: {0}")]
    Start(#[source] std::io::Error),
    /// A fault of ours.
    #[error("the prober panicked; please report it")]
    Panicked,
    /// A record was not stored.
    #[error("record {n} was not stored: {why}")]
    NotStored {
        /// Its number.
        n: u64,
        /// What was answered instead.
        why: String,
    },
}

/// A write journey's request that ended, to be remembered and read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// Its stream.
    pub stream: StreamId,
    /// Its journey.
    pub journey: Arc<str>,
    /// Its record number: fills `{n}` of the journey's records again.
    pub n: u64,
    /// How it ended, as far as its user can know.
    pub ack: Ack,
    /// Where the acknowledgement says it can be read.
    pub link: Option<String>,
}

/// What the prober tells, in the order it happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// A probe ended (or is void).
    Sample(Sample),
    /// A write ended. Follows its sample.
    Write(Write),
    /// The prober itself stood still: nothing is known of that time.
    Gap {
        /// From then …
        since: Micros,
        /// … until then.
        until: Micros,
    },
}

impl Seen {
    /// The sample, if it is one.
    pub fn sample(&self) -> Option<Sample> {
        match self {
            Self::Sample(sample) => Some(*sample),
            _ => None,
        }
    }
}
