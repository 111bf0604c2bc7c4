//! Data limit: a connection is closed after so many bytes, in the middle of whatever they are.

use schemars::JsonSchema;
use serde::Deserialize;

use super::super::toxic::{Toxic, Ways};
use super::answers;
use firedrill_model::units::Size;

/// Closes a connection once so many bytes have passed on it since the injection, and more are to come.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DataLimit {
    /// So many bytes pass.
    bytes: Size,
    /// In which direction they are counted (answers).
    #[serde(default = "answers")]
    on: Ways,
}

impl DataLimit {
    /// So many bytes of answers.
    pub fn of(bytes: u64) -> Self {
        Self {
            bytes: Size(bytes),
            on: Ways::Answers,
        }
    }
}

impl Toxic for DataLimit {
    fn describe(&self) -> String {
        format!("close connections after {} of {}", self.bytes, self.on)
    }

    fn ways(&self) -> Ways {
        self.on
    }

    fn limit(&self) -> Option<u64> {
        Some(self.bytes.0)
    }
}
