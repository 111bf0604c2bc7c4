//! Bandwidth: a limit on bytes per second.

use firedrill_model::units::Size;
use schemars::JsonSchema;
use serde::Deserialize;

use super::answers;
use crate::{Directions, InvalidToxic, Toxic};

/// No proxy in a test process is faster.
const FASTEST: Size = Size(4 << 30);

/// Limits the bytes per second in a direction, for all connections of the proxy together.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Bandwidth {
    /// Bytes per second.
    per_second: Size,
    /// The affected direction [default: answers]; `both` limits each direction by itself.
    #[serde(default = "answers")]
    on: Directions,
}

impl Bandwidth {
    /// So many bytes of answers per second.
    pub fn new(bytes_per_second: u64) -> Self {
        Self {
            per_second: Size(bytes_per_second),
            on: Directions::Answers,
        }
    }

    /// Affects these directions instead.
    #[must_use]
    pub fn on(self, on: Directions) -> Self {
        Self { on, ..self }
    }
}

impl Toxic for Bandwidth {
    fn describe(&self) -> String {
        format!("{} per second of {}", self.per_second, self.on)
    }

    fn validate(&self) -> Result<(), InvalidToxic> {
        match self.per_second {
            Size(0) => Err(InvalidToxic::ZeroBandwidth),
            rate if rate > FASTEST => Err(InvalidToxic::BandwidthTooHigh(FASTEST)),
            _ => Ok(()),
        }
    }

    fn directions(&self) -> Directions {
        self.on
    }

    fn affects_chunk(&self, _: usize) -> bool {
        true
    }

    fn rate(&self) -> Option<u64> {
        Some(self.per_second.0)
    }
}
