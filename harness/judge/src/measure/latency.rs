//! How long good answers took, from when they were due.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use firedrill_model::sample::Sample;

/// Percentiles of `ended − due`, to three digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Latency {
    /// How many.
    pub n: u64,
    /// Half of them were faster.
    pub p50: Duration,
    /// 99 of 100 were faster.
    pub p99: Duration,
    /// The slowest.
    pub max: Duration,
}

pub(super) fn latency<'s>(samples: impl Iterator<Item = &'s Sample>) -> Latency {
    let Ok(mut histogram) = Histogram::<u64>::new(3) else {
        return Latency::default();
    };
    for sample in samples.filter(|sample| sample.outcome.is_up()) {
        // Grows with what it is given: nothing is clamped.
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
    fn a_second_is_a_second() {
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
