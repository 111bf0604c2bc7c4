//! What users see: journeys, sent on an open-loop schedule, each answer with an outcome.
//!
//! Takes a plan and the addresses of the system's services, and gives every [`Sample`] and every [`Write`] as it happens; the
//! drill owns it. A probe sends one request, or several with the cookies of one user; or it exchanges text over TCP; or it
//! starts a program. It speaks plain HTTP/1.1 over connections of its own, follows no redirect, repeats nothing but a
//! request on a kept connection that was closed while idle, resolves no names, and knows nothing of faults.
//!
//! ```
//! use firedrill_probe::{Users, streams};
//!
//! # fn main() -> Result<(), serde_json::Error> {
//! let system = serde_json::from_value(serde_json::json!({
//!     "summary": "a page",
//!     "service": { "app": { "build": { "image": "app" }, "port": 80 } },
//!     "journey": [{
//!         "name": "home", "rate": "10/s", "connections": ["new", "reused"],
//!         "request": { "path": "/" }, "answer": { "status": 200 },
//!     }],
//! }))?;
//! // One stream over new connections and one over kept ones.
//! let streams = streams(&Users { system, seeded: true });
//! assert_eq!(streams.len(), 2);
//! assert!(streams.iter().all(|stream| &*stream.journey == "home"));
//! # Ok(())
//! # }
//! ```

mod answer;
mod body;
mod capture;
mod client_stream;
mod command;
mod connection;
mod cookies;
mod counted;
mod error;
pub mod form;
pub mod payload;
mod prepared;
mod prober;
mod processor_time;
mod program;
mod reach;
mod records;
mod running_stream;
mod schedule;
mod stall;
mod store;
mod stream;
mod tcp;
mod visit;

pub use answer::named_release;
pub use command::{Commands, INHERITED};
pub use error::{Error, InvalidText, NotAcknowledged};
pub use prober::probe;
pub use processor_time::{ProcessorTime, Spent};
pub use program::find_programs;
pub use reach::Reach;
pub use store::{Obstacle, read_back, seed};
pub use stream::{Stream, streams};

use std::sync::Arc;

use firedrill_model::sample::{Ack, Micros, Sample, StreamId};
use firedrill_model::scenario::{Plan, System, Texts};

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
    /// The captured values that reading it back needs, by name.
    pub captures: Texts,
}

/// What the prober sends, in the order it happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// A probe ended (or is void).
    Sample(Sample),
    /// A write ended. Follows its sample.
    Write(Write),
    /// What a command wrote to its standard error when it failed for the first time.
    Complaint {
        /// Its journey.
        journey: Arc<str>,
        /// The end of it.
        text: String,
    },
    /// The prober itself did not run: that time is unknown.
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
