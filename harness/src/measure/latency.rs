//! How long good answers took, from when they were due.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::sample::Sample;

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
        histogram.saturating_record(sample.ended.0.saturating_sub(sample.due.0));
    }
    let at = |quantile: f64| Duration::from_micros(histogram.value_at_quantile(quantile));
    Latency {
        n: histogram.len(),
        p50: at(0.5),
        p99: at(0.99),
        max: Duration::from_micros(histogram.max()),
    }
}
