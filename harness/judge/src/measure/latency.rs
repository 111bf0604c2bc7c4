//! How long right answers took, counted from when they were due.
//!
//! From the due time, not the sending: a prober that waits for a slow service would otherwise hide its slowness (coordinated
//! omission, Gil Tene, "How NOT to measure latency").

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use firedrill_model::sample::Sample;

/// Percentiles of `ended − due`, to three digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Latency {
    /// How many answers.
    pub n: u64,
    /// The median.
    pub p50: Duration,
    /// 99 of 100 were not slower.
    pub p99: Duration,
    /// The slowest.
    pub max: Duration,
}

pub(super) fn latency<'s>(samples: impl Iterator<Item = &'s Sample>) -> Latency {
    let Ok(mut histogram) = Histogram::<u64>::new(3) else {
        return Latency::default();
    };
    for sample in samples.filter(|sample| sample.outcome.is_up()) {
        // The histogram grows by itself: no value is too large for it, and none is clamped.
        let _ = histogram.record(sample.ended.0.saturating_sub(sample.due.0));
    }
    let at = |quantile: f64| Duration::from_micros(histogram.value_at_quantile(quantile));
    Latency {
        n: histogram.len(),
        p50: at(0.5),
        p99: at(0.99),
        max: Duration::from_micros(histogram.max()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use firedrill_model::sample::{Label, Micros, Outcome, StreamId};

    #[test]
    fn percentiles_have_three_digits() {
        let sample = |took: u64| Sample {
            stream: StreamId(0),
            due: Micros(1000),
            sent: Micros(1000),
            first: Micros(1000 + took),
            ended: Micros(1000 + took),
            outcome: Outcome::Good,
            status: 200,
            release: Label::NONE,
            rung: Label::NONE,
            reconnected: false,
        };
        let samples: Vec<Sample> = [1_000, 2_000, 1_000_000].map(sample).into();
        let latency = latency(samples.iter());
        let near = |found: Duration, wanted: u64| {
            found.as_micros().abs_diff(wanted.into()) * 1000 <= u128::from(wanted)
        };
        assert!(
            near(latency.p50, 2_000) && near(latency.p99, 1_000_000) && near(latency.max, 1_000_000),
            "{latency:?}"
        );
    }
}
