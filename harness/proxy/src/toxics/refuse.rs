//! Refuse: nobody listens.

use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::Deserialize;

use super::super::toxic::Toxic;

/// Closes the listener, so that connection attempts are refused by the operating system; it listens again at the same
/// port when the toxic is taken off. Attempts at a closed port cannot be counted, so that only connections that were
/// open count as hit.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Refuse {
    /// What becomes of connections that are open (reset).
    #[serde(default)]
    open: Open,
}

/// What becomes of open connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Open {
    /// They are reset, as when the machine has started anew.
    #[default]
    Reset,
    /// They stay, as when only the listener was closed.
    Kept,
}

impl Refuse {
    /// With open connections treated so.
    pub fn with(open: Open) -> Self {
        Self { open }
    }
}

impl Toxic for Refuse {
    fn describe(&self) -> String {
        match self.open {
            Open::Reset => "refuse connections, reset those that are open",
            Open::Kept => "refuse connections, keep those that are open",
        }
        .into()
    }

    fn refuses(&self) -> bool {
        true
    }

    fn resets(&self, _: &mut ChaCha8Rng) -> Option<Duration> {
        (self.open == Open::Reset).then_some(Duration::ZERO)
    }
}
