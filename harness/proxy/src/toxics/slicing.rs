//! Slicing: what was sent at once arrives in pieces.

use std::time::Duration;

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::Deserialize;

use super::super::toxic::{Slice, Toxic, Ways};
use super::both;
use firedrill_model::units::{Size, Span};

/// Cuts what passes into small pieces with a pause between them, so that whoever reads has to put them together.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Slicing {
    /// The size of a piece.
    size: Size,
    /// How far from that a chunk's pieces may be (0B).
    #[serde(default = "none")]
    vary: Size,
    /// Between two pieces (0).
    #[serde(default)]
    gap: Span,
    /// In which direction (both).
    #[serde(default = "both")]
    on: Ways,
}

fn none() -> Size {
    Size(0)
}

impl Slicing {
    /// Into pieces of so many bytes, in both directions, with so much time between them.
    pub fn of(size: u64, gap: Duration) -> Self {
        Self {
            size: Size(size),
            vary: none(),
            gap: Span(gap),
            on: Ways::Both,
        }
    }
}

impl Toxic for Slicing {
    fn describe(&self) -> String {
        format!("pieces of {} every {} of {}", self.size, self.gap, self.on)
    }

    fn flaw(&self) -> Option<String> {
        if self.size.0 == 0 {
            return Some("pieces of nothing".into());
        }
        (self.vary >= self.size).then(|| "`vary` must be below `size`".into())
    }

    fn ways(&self) -> Ways {
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
