//! Data limit: a connection is closed after so many bytes, wherever that falls in a message.

use firedrill_model::units::Size;
use schemars::JsonSchema;
use serde::Deserialize;

use super::answers;
use crate::{Directions, Toxic};

/// Closes a connection when it has carried this many bytes since the injection and more are to come.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DataLimit {
    /// The bytes that pass.
    bytes: Size,
    /// The direction in which they are counted [default: answers].
    #[serde(default = "answers")]
    on: Directions,
}

impl DataLimit {
    /// So many bytes of answers.
    pub fn new(bytes: u64) -> Self {
        Self {
            bytes: Size(bytes),
            on: Directions::Answers,
        }
    }

    /// Counts these directions instead.
    #[must_use]
    pub fn on(self, on: Directions) -> Self {
        Self { on, ..self }
    }
}

impl Toxic for DataLimit {
    fn describe(&self) -> String {
        format!("close connections after {} of {}", self.bytes, self.on)
    }

    fn directions(&self) -> Directions {
        self.on
    }

    fn byte_limit(&self) -> Option<u64> {
        Some(self.bytes.0)
    }
}
