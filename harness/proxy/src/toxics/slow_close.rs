//! Slow close: the end of a connection arrives late.

use std::time::Duration;

use firedrill_model::units::Span;
use schemars::JsonSchema;
use serde::Deserialize;

use super::both;
use crate::{Directions, InvalidToxic, Toxic};

/// Delays the close of a connection. Bytes sent before it pass at once.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SlowClose {
    /// The delay.
    delay: Span,
    /// The affected direction [default: both].
    #[serde(default = "both")]
    on: Directions,
}

impl SlowClose {
    /// Delays the close in both directions.
    pub fn new(delay: Duration) -> Self {
        Self {
            delay: Span(delay),
            on: Directions::Both,
        }
    }

    /// Affects these directions instead.
    #[must_use]
    pub fn on(self, on: Directions) -> Self {
        Self { on, ..self }
    }
}

impl Toxic for SlowClose {
    fn describe(&self) -> String {
        format!("close {} late on {}", self.delay, self.on)
    }

    fn validate(&self) -> Result<(), InvalidToxic> {
        if self.delay.0.is_zero() {
            return Err(InvalidToxic::ZeroDelay);
        }
        Ok(())
    }

    fn directions(&self) -> Directions {
        self.on
    }

    fn end_delay(&self) -> Duration {
        self.delay.0
    }
}
