//! Slow close: the end of a connection takes its time to arrive.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::super::toxic::{Toxic, Ways};
use super::both;
use firedrill_model::units::Span;

/// Holds back the close of a connection; what was sent before it passes at once.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SlowClose {
    /// How long.
    delay: Span,
    /// In which direction (both).
    #[serde(default = "both")]
    on: Ways,
}

impl SlowClose {
    /// By so much in both directions.
    pub fn of(delay: Duration) -> Self {
        Self {
            delay: Span(delay),
            on: Ways::Both,
        }
    }
}

impl Toxic for SlowClose {
    fn describe(&self) -> String {
        format!("closing takes {} more on {}", self.delay, self.on)
    }

    fn flaw(&self) -> Option<String> {
        self.delay.0.is_zero().then(|| "a delay of nothing".into())
    }

    fn ways(&self) -> Ways {
        self.on
    }

    fn hold_end(&self) -> Duration {
        self.delay.0
    }
}
