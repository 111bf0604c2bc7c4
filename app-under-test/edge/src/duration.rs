//! Durations: in the configuration, and in words.

use std::time::Duration;

use jiff::fmt::friendly::{Spacing, SpanPrinter};
use serde::{Deserialize, Deserializer};

/// Reads a duration with a unit: "120ms", "10s".
pub(crate) fn with_unit<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    let duration = jiff::SignedDuration::deserialize(from)?;
    // A negative duration has no meaning in any setting.
    Duration::try_from(duration).map_err(serde::de::Error::custom)
}

/// A duration as people read it: "250 ms", "10 s".
pub(crate) fn words(duration: Duration) -> String {
    // The printer takes signed durations; no limit of the edge is longer than the longest one.
    let duration = jiff::SignedDuration::try_from(duration).unwrap_or(jiff::SignedDuration::MAX);
    let printer = SpanPrinter::new().spacing(Spacing::BetweenUnitsAndDesignators);
    printer.duration_to_string(&duration)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_a_space_before_its_unit() {
        assert_eq!(words(Duration::from_millis(250)), "250 ms");
        assert_eq!(words(Duration::from_secs(10)), "10 s");
    }
}
