//! Reset: connections end with a reset (RST).

use std::time::Duration;

use firedrill_model::units::{Share, Span};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::Deserialize;

use super::all;
use crate::{InvalidToxic, Toxic};

/// Resets connections (RST), open ones and new ones.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reset {
    /// The time until the reset [default: 0], from when the connection began, or from the injection if it was open.
    #[serde(default)]
    after: Span,
    /// The share of connections [default: 100%].
    #[serde(default = "all")]
    share: Share,
}

impl Reset {
    /// Resets every connection after a time.
    pub fn new(after: Duration) -> Self {
        Self {
            after: Span(after),
            share: all(),
        }
    }

    /// Resets only a share of the connections, from 0 to 1.
    #[must_use]
    pub fn share(self, share: f64) -> Self {
        Self {
            share: Share(share),
            ..self
        }
    }
}

impl Toxic for Reset {
    fn describe(&self) -> String {
        if self.after.0.is_zero() {
            format!("reset {} of connections at once", self.share)
        } else {
            format!("reset {} of connections after {}", self.share, self.after)
        }
    }

    fn validate(&self) -> Result<(), InvalidToxic> {
        if self.share.0 == 0.0 {
            return Err(InvalidToxic::ZeroShare);
        }
        Ok(())
    }

    fn reset_after(&self, random: &mut ChaCha8Rng) -> Option<Duration> {
        (random.random::<f64>() < self.share.0).then_some(self.after.0)
    }
}
