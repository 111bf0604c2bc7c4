//! Blackhole: nothing passes, and no error says so.

use schemars::JsonSchema;
use serde::Deserialize;

use super::both;
use crate::{Directions, Toxic};

/// Lets nothing pass. Open connections stay open, new ones are accepted and get no bytes. After the revert everything
/// sent meanwhile arrives, as after a network partition.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Blackhole {
    /// The affected direction [default: both].
    #[serde(default = "both")]
    on: Directions,
}

impl Blackhole {
    /// Blocks these directions.
    pub fn new(on: Directions) -> Self {
        Self { on }
    }
}

impl Toxic for Blackhole {
    fn describe(&self) -> String {
        format!("block {}", self.on)
    }

    fn directions(&self) -> Directions {
        self.on
    }

    fn affects_chunk(&self, _: usize) -> bool {
        true
    }

    fn blocks(&self) -> bool {
        true
    }
}
