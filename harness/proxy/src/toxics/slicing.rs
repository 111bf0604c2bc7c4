//! Slicing: what was sent at once arrives in pieces.

use std::time::Duration;

use firedrill_model::units::{Size, Span};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::Deserialize;

use super::both;
use crate::{Directions, InvalidToxic, Slice, Toxic};

/// Cuts traffic into small pieces with a pause between them: the reader has to put a message together again.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Slicing {
    /// The size of a piece.
    size: Size,
    /// How much that size varies between chunks [default: 0B].
    #[serde(default = "none")]
    vary: Size,
    /// The pause between two pieces [default: 0].
    #[serde(default)]
    gap: Span,
    /// The affected direction [default: both].
    #[serde(default = "both")]
    on: Directions,
}

fn none() -> Size {
    Size(0)
}

impl Slicing {
    /// Pieces of so many bytes in both directions, with a pause between them.
    pub fn new(size: u64, gap: Duration) -> Self {
        Self {
            size: Size(size),
            vary: none(),
            gap: Span(gap),
            on: Directions::Both,
        }
    }

    /// Affects these directions instead.
    #[must_use]
    pub fn on(self, on: Directions) -> Self {
        Self { on, ..self }
    }
}

impl Toxic for Slicing {
    fn describe(&self) -> String {
        format!("pieces of {} every {} on {}", self.size, self.gap, self.on)
    }

    fn validate(&self) -> Result<(), InvalidToxic> {
        if self.size.0 == 0 {
            return Err(InvalidToxic::ZeroSize);
        }
        if self.vary >= self.size {
            return Err(InvalidToxic::VaryTooLarge);
        }
        Ok(())
    }

    fn directions(&self) -> Directions {
        self.on
    }

    fn slice(&self, random: &mut ChaCha8Rng) -> Option<Slice> {
        let (least, most) = (self.size.0.saturating_sub(self.vary.0), self.size.0 + self.vary.0);
        let size = random.random_range(least..=most).max(1);
        Some(Slice {
            size: usize::try_from(size).unwrap_or(usize::MAX),
            gap: self.gap.0,
        })
    }
}
