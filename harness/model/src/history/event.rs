//! The events of a history. An event of a newer version is read as [`Event::Unknown`].

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::de::Error;
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::sample::{Ack, Found, Label, Micros, Mode, StreamId};

use super::backend::BackendKind;
use super::plan::{FaultName, Plan};
use super::state::StateChange;

/// An event with its stamp: one line, in which `at` stands beside the event's keys.
#[derive(Debug, Clone, PartialEq)]
pub struct Stamped {
    /// When, on the drill's clock.
    pub at: Micros,
    /// What.
    pub event: Event,
}

impl Serialize for Stamped {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let event = serde_json::to_value(&self.event).map_err(serde::ser::Error::custom)?;
        let keys = event.as_object().into_iter().flatten();
        let mut line = serializer.serialize_map(None)?;
        line.serialize_entry("at", &self.at)?;
        for (key, value) in keys {
            line.serialize_entry(key, value)?;
        }
        line.end()
    }
}

impl<'de> Deserialize<'de> for Stamped {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut line = Map::<String, Value>::deserialize(deserializer)?;
        let at = line.remove("at").ok_or_else(|| D::Error::missing_field("at"))?;
        Ok(Self {
            at: Micros::deserialize(at).map_err(D::Error::custom)?,
            event: Event::deserialize(Value::Object(line)).map_err(D::Error::custom)?,
        })
    }
}

/// How a history begins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Start {
    /// [`super::FORMAT`] when it was written.
    pub format: u32,
    /// The harness that wrote it.
    pub version: String,
    /// The run's id: the value of the label `firedrill.run`.
    pub run: String,
    /// The wall clock when the drill's clock started, RFC 3339, to be shown.
    pub wall: String,
    /// The seed that every random choice of the drill derives from.
    pub seed: u64,
    /// Where it ran. Older histories call it `target`.
    #[serde(alias = "target")]
    pub backend: BackendKind,
    /// What that backend is, in words: the engine and its version, the system.
    pub place: String,
    /// Which of how many repeats this is, from 1.
    pub repeat: (u32, u32),
    /// What was run.
    pub plan: Plan,
}

impl Start {
    /// The wall clock when the drill's clock started; `None` where a history has something else there.
    pub fn began(&self) -> Option<Timestamp> {
        self.wall.parse().ok()
    }
}

/// The parts of a drill, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Build, start, seed.
    Prepare,
    /// All journeys must be good before anything is broken.
    Steady,
    /// The steps, on schedule.
    Steps,
    /// After the last step or revert: recovery must be seen.
    Quiet,
    /// Every acknowledged write is read back.
    ReadBack,
    /// Logs are collected.
    Collect,
    /// Nothing more is measured.
    Done,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Event {
    /// The first event of every history.
    Start(Box<Start>),
    /// A part of the drill begins.
    Phase {
        /// Which.
        phase: Phase,
    },
    /// A service is up, with the address users (or the harness) reach it at.
    Service {
        /// Its name.
        service: String,
        /// The release it was started with.
        release: String,
        /// What was started: image or program.
        what: String,
    },
    /// A stream of probes begins.
    Stream {
        /// Its number in the samples.
        stream: StreamId,
        /// Its journey.
        journey: String,
        /// How it connects.
        mode: Mode,
        /// Probes per second of this stream.
        rate: f64,
    },
    /// A text that samples refer to by number.
    Label {
        /// The number.
        label: Label,
        /// The text.
        text: String,
    },
    /// The steady-state check ended.
    Steady {
        /// Whether every answer was good.
        good: bool,
        /// What was seen.
        evidence: String,
    },
    /// A step's fault is about to be injected; the undo log already has it.
    Injecting {
        /// The step, from 0.
        step: usize,
        /// The fault's name.
        fault: FaultName,
        /// What it is going to do, in words.
        what: String,
    },
    /// A step's fault is in effect.
    Injected {
        /// The step.
        step: usize,
        /// The evidence. `None`: nothing shows that it took effect.
        evidence: Option<String>,
    },
    /// A step's fault could not be injected.
    NotInjected {
        /// The step.
        step: usize,
        /// Why.
        why: String,
    },
    /// A step's fault was reverted and its end confirmed.
    Reverted {
        /// The step.
        step: usize,
        /// The evidence.
        evidence: String,
    },
    /// What a step's fault has hit, for one that counts it: written when it was reverted, and in any case at the end.
    Hit {
        /// The step.
        step: usize,
        /// Connections.
        connections: u64,
        /// Chunks of bytes.
        chunks: u64,
        /// Requests.
        requests: u64,
        /// Whether a damaged file was read; absent for other faults.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        read: Option<bool>,
        /// Whether everything it hit could be counted; attempts at a closed port cannot.
        all_counted: bool,
    },
    /// A step's fault could not be reverted; cleaning up removes it with the service.
    NotReverted {
        /// The step.
        step: usize,
        /// Why.
        why: String,
    },
    /// The harness's own deploy recipe was refused or carried out.
    Deploy {
        /// The release.
        release: String,
        /// Whether every action of the recipe accepted the release.
        accepted: bool,
        /// What answered, in words.
        detail: String,
    },
    /// A process of the system ended or came back by itself.
    State {
        /// The service.
        service: String,
        /// How its state changed.
        state: StateChange,
    },
    /// An alert arrived at the drill's receiver.
    Alert {
        /// The field `kind` of its body; empty when there is none.
        kind: String,
        /// The status the receiver answered.
        answered: u16,
        /// Its body, cut at 64 KiB.
        body: String,
    },
    /// A write journey's request ended.
    Write {
        /// Its stream.
        stream: StreamId,
        /// Its record number.
        n: u64,
        /// How it ended.
        ack: Ack,
        /// Where the acknowledgement says that it can be read.
        link: Option<String>,
        /// The captured values that reading it back needs, by name. What is a secret by its name is hidden, and cookies are.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        captures: BTreeMap<String, String>,
    },
    /// A write was read back.
    ReadBack {
        /// Its stream.
        stream: StreamId,
        /// Its record number.
        n: u64,
        /// How its own request had ended.
        ack: Ack,
        /// What was found.
        found: Found,
    },
    /// A service's log was searched for a text that the scenario expects there.
    Logged {
        /// The service.
        service: String,
        /// The text.
        text: String,
        /// Whether it is there.
        found: bool,
    },
    /// The prober stalled: nothing is known of this time.
    Gap {
        /// Since when.
        since: Micros,
        /// Until when.
        until: Micros,
    },
    /// A connection of the journeys failed for a cause that no earlier one had.
    ConnectionFailed {
        /// The cause, in words.
        cause: String,
    },
    /// A note for the reader.
    Note {
        /// In words.
        text: String,
    },
    /// The drill ended.
    End {
        /// Whether a person stopped it.
        interrupted: bool,
        /// What ended it early. `None` for a whole drill.
        error: Option<String>,
    },
    /// An event this version does not know.
    #[serde(other)]
    Unknown,
}
