//! Refuse: nothing listens.

use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::Toxic;

/// Closes the listener, so that the operating system refuses connections; it listens again on the same port after the
/// revert. Refused attempts cannot be counted: only connections that were open count as hits.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Refuse {
    /// What happens to open connections [default: reset].
    #[serde(default)]
    open: OpenConnections,
}

/// What happens to open connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum OpenConnections {
    /// They are reset, as after a restart of the machine.
    #[default]
    Reset,
    /// They stay open, as when only the listener was closed.
    Keep,
}

impl Refuse {
    /// Refuses new connections and treats open ones like this.
    pub fn new(open: OpenConnections) -> Self {
        Self { open }
    }
}

impl Toxic for Refuse {
    fn describe(&self) -> String {
        match self.open {
            OpenConnections::Reset => "refuse connections, reset open ones".into(),
            OpenConnections::Keep => "refuse connections, keep open ones".into(),
        }
    }

    fn refuses(&self) -> bool {
        true
    }

    fn reset_after(&self, _: &mut ChaCha8Rng) -> Option<Duration> {
        (self.open == OpenConnections::Reset).then_some(Duration::ZERO)
    }
}
