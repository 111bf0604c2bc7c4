//! Reset: connections are torn down.

use std::time::Duration;

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::Deserialize;

use super::super::toxic::Toxic;
use super::all;
use firedrill_model::units::{Share, Span};

/// Resets connections (RST), those that are open and those that come.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reset {
    /// How long a connection lives before (0): counted from when it began, or from the injection when it was open then.
    #[serde(default)]
    after: Span,
    /// Which share of the connections (100%).
    #[serde(default = "all")]
    share: Share,
}

impl Reset {
    /// Every connection, after so long.
    pub fn after(after: Duration) -> Self {
        Self {
            after: Span(after),
            share: all(),
        }
    }

    /// The same for a share of the connections.
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
        let after = if self.after.0.is_zero() {
            "at once".to_owned()
        } else {
            format!("after {}", self.after)
        };
        format!("reset {} of connections {after}", self.share)
    }

    fn flaw(&self) -> Option<String> {
        (self.share.0 == 0.0).then(|| "a share of nothing".into())
    }

    fn resets(&self, random: &mut ChaCha8Rng) -> Option<Duration> {
        (random.random::<f64>() < self.share.0).then_some(self.after.0)
    }
}
