//! The decisions of the edge, as events. The control stores them; the admin listener and the alerts read them.

use serde::de::Error;
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

/// A check that a release must pass before it is promoted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gate {
    /// The release's own checks pass.
    Unit,
    /// The journeys succeed on a copy of the production store.
    Staging,
    /// The right release is ready in its slot.
    Ready,
}

impl std::fmt::Display for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Unit => "unit gate",
            Self::Staging => "staging gate",
            Self::Ready => "readiness check",
        })
    }
}

/// A request that the new release failed and the last working one answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pair {
    /// When the second answer arrived.
    pub at: jiff::Timestamp,
    /// Method and path, without the query.
    pub request: String,
    /// How the new release failed: "500 Internal Server Error", "no answer within 120 ms", …
    pub new: String,
    /// The status of the last working release's answer.
    pub old: u16,
}

/// A decision. Alerts and scenarios use the name in `kind`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Event {
    /// The edge started.
    Started {
        /// The live release.
        release: String,
        /// Its slot.
        slot: String,
        /// Whether the state on disk says so, not the configuration.
        resumed: bool,
    },
    /// The edge started, and the state on disk was damaged: decisions were lost.
    StateDamaged {
        /// The live release now.
        release: String,
        /// What was found, and what is used instead.
        reason: String,
    },
    /// A release was registered.
    Registered {
        /// The release.
        release: String,
        /// The slot it will run in.
        slot: String,
    },
    /// A release passed a gate.
    GatePassed {
        /// The release.
        release: String,
        /// The gate.
        gate: Gate,
        /// What was tried.
        evidence: Vec<String>,
    },
    /// A gate is switched off or not configured.
    GateSkipped {
        /// The release.
        release: String,
        /// The gate.
        gate: Gate,
    },
    /// A gate rejected a release: users never got it.
    Rejected {
        /// The release.
        release: String,
        /// The slot it was meant for.
        slot: String,
        /// The gate.
        gate: Gate,
        /// Whether the gate could not decide, for example because the store is empty. Undecided is not passed.
        undecided: bool,
        /// The reason, in one line.
        reason: String,
        /// What was tried, with the results.
        evidence: Vec<String>,
    },
    /// A release is live from now on, and watched.
    Promoted {
        /// The release.
        release: String,
        /// Its slot.
        slot: String,
        /// The last working release, which stays warm.
        from: String,
    },
    /// A release was at fault: the last working one is live again.
    RolledBack {
        /// The release at fault.
        release: String,
        /// Its slot.
        slot: String,
        /// The live release from now on.
        to: String,
        /// The reason, in one line.
        reason: String,
        /// The requests that it is based on.
        pairs: Vec<Pair>,
        /// From the promotion to the decision, in milliseconds.
        after_ms: u64,
    },
    /// Both releases failed the same request: a rollback would not help, so there is none.
    SharedCause {
        /// The live release.
        release: String,
        /// The last working release.
        standby: String,
        /// The request, and how each failed.
        reason: String,
    },
    /// The live release fails and cannot be rolled back: there is no other one, or rollback is switched off.
    Failing {
        /// The live release.
        release: String,
        /// The last failure.
        reason: String,
        /// The number of failures so far.
        failures: u64,
    },
    /// A settled release fails, and the last working release answers its requests. A settled release is not rolled back.
    StandbyAnswers {
        /// The live release.
        release: String,
        /// The release that answers.
        standby: String,
        /// The request and its failure.
        reason: String,
    },
    /// A release was watched long enough without a reason to roll back.
    Settled {
        /// The release.
        release: String,
    },
}

impl Event {
    /// Its kind, as receivers and scenarios know it; serde writes the same word.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Started { .. } => "started",
            Self::StateDamaged { .. } => "state-damaged",
            Self::Registered { .. } => "registered",
            Self::GatePassed { .. } => "gate-passed",
            Self::GateSkipped { .. } => "gate-skipped",
            Self::Rejected { .. } => "rejected",
            Self::Promoted { .. } => "promoted",
            Self::RolledBack { .. } => "rolled-back",
            Self::SharedCause { .. } => "shared-cause",
            Self::Failing { .. } => "failing",
            Self::StandbyAnswers { .. } => "standby-answers",
            Self::Settled { .. } => "settled",
        }
    }

    /// The release that the event is about.
    pub fn release(&self) -> &str {
        match self {
            Self::Started { release, .. }
            | Self::StateDamaged { release, .. }
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

/// A numbered event: one JSON object, in which `number` and `at` stand beside the event's keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Starts at 1 and continues after a restart.
    pub number: u64,
    /// When it was decided.
    pub at: jiff::Timestamp,
    /// What.
    pub event: Event,
}

impl Serialize for Record {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let event = serde_json::to_value(&self.event).map_err(serde::ser::Error::custom)?;
        let mut object = serializer.serialize_map(None)?;
        object.serialize_entry("number", &self.number)?;
        object.serialize_entry("at", &self.at)?;
        for (key, value) in event.as_object().into_iter().flatten() {
            object.serialize_entry(key, value)?;
        }
        object.end()
    }
}

impl<'de> Deserialize<'de> for Record {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut object = Map::<String, Value>::deserialize(deserializer)?;
        let mut take = |key| object.remove(key).ok_or_else(|| D::Error::missing_field(key));
        // These two are taken out first: what is left is the event alone.
        let (number, at) = (take("number")?, take("at")?);
        Ok(Self {
            number: u64::deserialize(number).map_err(D::Error::custom)?,
            at: Deserialize::deserialize(at).map_err(D::Error::custom)?,
            event: Event::deserialize(Value::Object(object)).map_err(D::Error::custom)?,
        })
    }
}

/// Receives every event, in order. The caller is the thread that writes the state: an implementation must not block.
pub trait Listener: Send + Sync + 'static {
    /// Called once, before any event, with the stored events from before the restart.
    fn resume(&self, _decided: &[Record]) {}

    /// Called after an event was stored.
    fn on_event(&self, record: &Record);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_the_word_that_is_stored() {
        let events = [
            Event::Settled { release: "v2".into() },
            Event::GateSkipped {
                release: "v2".into(),
                gate: Gate::Unit,
            },
            Event::StateDamaged {
                release: "v1".into(),
                reason: "cut short".into(),
            },
            Event::StandbyAnswers {
                release: "v2".into(),
                standby: "v1".into(),
                reason: "500".into(),
            },
        ];
        for event in events {
            assert_eq!(serde_json::to_value(&event).unwrap()["kind"], event.kind());
        }
    }

    #[test]
    fn a_record_is_one_object_with_its_number_first() {
        let text = r#"{"number":7,"at":"2026-11-28T10:00:00Z","kind":"settled","release":"v2"}"#;
        let record: Record = serde_json::from_str(text).unwrap();
        assert_eq!(record.number, 7);
        assert_eq!(record.event, Event::Settled { release: "v2".into() });
        assert_eq!(serde_json::to_string(&record).unwrap(), text);
        for key in ["number", "at", "kind", "release"] {
            let mut object: Map<String, Value> = serde_json::from_str(text).unwrap();
            object.remove(key);
            let refused = serde_json::from_value::<Record>(object.into()).unwrap_err();
            assert!(refused.to_string().contains(key), "{refused}");
        }
    }
}
