//! What the edge decides, as events: written to disk by the control, read by the admin listener and the alerts.

use serde::{Deserialize, Serialize};

/// A layer before production.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gate {
    /// The release's own checks.
    Unit,
    /// The journeys on a copy of the production store.
    Staging,
    /// Ready in its slot, as the release it claims to be.
    Ready,
}

impl std::fmt::Display for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Unit => "unit gate",
            Self::Staging => "staging gate",
            Self::Ready => "readiness",
        })
    }
}

/// One request that the new release failed and the last working one answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pair {
    /// When the pair was complete.
    pub at: jiff::Timestamp,
    /// Method and path, without the query.
    pub request: String,
    /// How the new release failed: "500 Internal Server Error", "no answer within 120ms", …
    pub new: String,
    /// The status of the last working release's answer.
    pub old: u16,
}

/// A decision. The name in `kind` is what receivers of alerts and scenarios speak of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Event {
    /// The edge runs (again).
    Started {
        /// The release that users get.
        release: String,
        /// Its slot.
        slot: String,
        /// Whether that was read from the state on disk, not from the configuration.
        resumed: bool,
    },
    /// A release asks to go live.
    Registered {
        /// The release.
        release: String,
        /// Where it is going to run.
        slot: String,
    },
    /// A gate let it through.
    GatePassed {
        /// The release.
        release: String,
        /// The gate.
        gate: Gate,
        /// What was tried.
        evidence: Vec<String>,
    },
    /// A gate is switched off.
    GateSkipped {
        /// The release.
        release: String,
        /// The gate.
        gate: Gate,
    },
    /// A gate stopped it: users never met it.
    Rejected {
        /// The release.
        release: String,
        /// Where it was going to run.
        slot: String,
        /// The gate.
        gate: Gate,
        /// The gate could not say (an empty store, say): that is no pass.
        undecided: bool,
        /// Why, in a line.
        reason: String,
        /// What was tried and what came of it.
        evidence: Vec<String>,
    },
    /// Users get this release from now on, and it is watched.
    Promoted {
        /// The release.
        release: String,
        /// Its slot.
        slot: String,
        /// The last working release, kept warm.
        from: String,
    },
    /// The release was at fault: users get the last working one again.
    RolledBack {
        /// The release at fault.
        release: String,
        /// Its slot.
        slot: String,
        /// The release that users get now.
        to: String,
        /// Why, in a line.
        reason: String,
        /// The requests that showed it.
        pairs: Vec<Pair>,
        /// From the promotion to the decision, in milliseconds.
        after_ms: u64,
    },
    /// Both releases failed the same request: going back would not help, so the edge does not.
    SharedCause {
        /// The live release.
        release: String,
        /// The other one that failed too.
        standby: String,
        /// The request, and how each failed.
        reason: String,
    },
    /// The live release fails and nothing is done about it: there is no other one, or rollback is switched off.
    Failing {
        /// The live release.
        release: String,
        /// The last failure.
        reason: String,
        /// How many in this episode so far.
        failures: u64,
    },
    /// A settled release fails; the standby answers its requests for now. No rollback: the release had proved itself.
    StandbyAnswers {
        /// The live release.
        release: String,
        /// The one that answers.
        standby: String,
        /// The request and its failure.
        reason: String,
    },
    /// Watched for long enough without a reason to go back.
    Settled {
        /// The release.
        release: String,
    },
}

impl Event {
    /// The release it is about.
    pub fn release(&self) -> &str {
        match self {
            Self::Started { release, .. }
            | Self::Registered { release, .. }
            | Self::GatePassed { release, .. }
            | Self::GateSkipped { release, .. }
            | Self::Rejected { release, .. }
            | Self::Promoted { release, .. }
            | Self::RolledBack { release, .. }
            | Self::SharedCause { release, .. }
            | Self::Failing { release, .. }
            | Self::StandbyAnswers { release, .. }
            | Self::Settled { release } => release,
        }
    }
}

/// An event with its place in the order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Counts from 1, over every run of the edge.
    pub number: u64,
    /// When it was decided.
    pub at: jiff::Timestamp,
    /// What.
    #[serde(flatten)]
    pub event: Event,
}

/// Hears of every event, in order. Called while a decision is carried out: returns at once, whatever it goes on to do.
pub trait Listener: Send + Sync + 'static {
    /// What an edge that was killed had decided, in order: called once, before anything is heard.
    fn resume(&self, _decided: &[Record]) {}

    /// An event has been decided and is on disk.
    fn hear(&self, record: &Record);
}
