//! Bandwidth: only so many bytes a second.

use schemars::JsonSchema;
use serde::Deserialize;

use super::super::toxic::{Toxic, Ways};
use super::answers;
use firedrill_model::units::Size;

/// No link in a harness is faster.
const FASTEST: Size = Size(4 << 30);

/// Lets so many bytes a second pass in one direction, for all connections of the link together.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Bandwidth {
    /// Bytes a second.
    per_second: Size,
    /// In which direction (answers); `both` gives each direction as much.
    #[serde(default = "answers")]
    on: Ways,
}

impl Bandwidth {
    /// So many bytes a second of answers.
    pub fn of(bytes: u64) -> Self {
        Self {
            per_second: Size(bytes),
            on: Ways::Answers,
        }
    }

    /// The same in other directions.
    #[must_use]
    pub fn on(self, on: Ways) -> Self {
        Self { on, ..self }
    }
}

impl Toxic for Bandwidth {
    fn describe(&self) -> String {
        format!("{} a second of {}", self.per_second, self.on)
    }

    fn flaw(&self) -> Option<String> {
        match self.per_second {
            Size(0) => Some("nothing would ever pass; that is `blackhole`".into()),
            rate if rate > FASTEST => Some(format!("at more than {FASTEST} a second nothing is held up")),
            _ => None,
        }
    }

    fn ways(&self) -> Ways {
        self.on
    }

    fn touches(&self, _: usize) -> bool {
        true
    }

    fn rate(&self) -> Option<u64> {
        Some(self.per_second.0)
    }
}
