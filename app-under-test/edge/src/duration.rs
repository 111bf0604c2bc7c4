//! Durations in the configuration.

use std::time::Duration;

use serde::{Deserialize, Deserializer};

/// Reads a duration with a unit: "120ms", "10s".
pub(crate) fn with_unit<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    let duration = jiff::SignedDuration::deserialize(from)?;
    // A negative duration has no meaning in any setting.
    Duration::try_from(duration).map_err(serde::de::Error::custom)
}
