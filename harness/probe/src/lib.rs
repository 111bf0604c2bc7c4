//! What users see: journeys, sent on an open-loop schedule, each answer with an outcome.
//!
//! Takes a plan and how its services are reached, and gives every [`Sample`] and every [`Write`] as it happens; the drill owns
//! it. A probe sends one request, or several with the cookies of one user; or it exchanges text over TCP; or it starts a
//! program. It speaks HTTP/1.1 or HTTP/2, over TLS or not, as the [`Endpoint`] says, over connections of its own. It follows
//! no redirect, repeats nothing but a request on a kept connection that was closed while idle, resolves no names, and knows
//! nothing of faults.
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
mod ask;
mod body;
mod capture;
mod client;
mod command;
mod connection;
mod cookies;
mod counted;
mod dial;
mod endpoint;
mod error;
pub mod form;
mod observer;
pub mod payload;
mod prepared;
mod prober;
mod processor_time;
mod program;
mod reach;
mod records;
mod running_stream;
mod stall;
mod store;
mod stream;
mod tcp;
mod visit;

pub use answer::named_release;
pub use ask::ask;
pub use command::{Commands, INHERITED};
pub use dial::NoAnswer;
pub use endpoint::{Endpoint, EndpointError};
pub use error::{Error, InvalidText, NotAcknowledged};
pub use observer::{Protocol, TlsVersion};
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
    /// A connection speaks in a way that none before it did.
    Connected(Protocol),
    /// TLS failed for a cause that was not there before.
    ConnectionFailed(String),
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
