//! Blackhole: nothing goes through, and nobody says so.

use schemars::JsonSchema;
use serde::Deserialize;

use super::super::toxic::{Toxic, Ways};
use super::both;

/// Lets nothing pass. Connections stay open, new ones are taken and hear nothing. When it is taken off, what was sent
/// meanwhile arrives, as after a network partition.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Blackhole {
    /// In which direction (both).
    #[serde(default = "both")]
    on: Ways,
}

impl Blackhole {
    /// In these directions.
    pub fn on(on: Ways) -> Self {
        Self { on }
    }
}

impl Toxic for Blackhole {
    fn describe(&self) -> String {
        format!("nothing passes of {}", self.on)
    }

    fn ways(&self) -> Ways {
        self.on
    }

    fn touches(&self, _: usize) -> bool {
        true
    }

    fn stalls(&self) -> bool {
        true
    }
}
