//! Answers over time, in buckets, so that an hour fits a chart: how many, and how long right ones took.
//!
//! Takes a history, gives series for the charts of reports.

use std::time::Duration;

use super::Interval;
use crate::tally;
use firedrill_model::history::{Event, History};
use firedrill_model::sample::{Micros, Outcome};

/// The widths that a bucket may have, in milliseconds: round numbers of a time axis.
const WIDTHS: [u64; 15] = [
    10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000,
];
/// A bucket is wide enough for this many probes.
const ENOUGH: f64 = 5.0;

/// One journey's answers over time.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// The journey.
    pub journey: String,
    /// When the first bucket begins.
    pub from: Micros,
    /// How long each bucket is.
    pub width: Duration,
    /// The buckets, in order and without gaps.
    pub buckets: Vec<Bucket>,
}

/// The probes that were due in one bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bucket {
    /// Right answers, normal or by a fallback.
    pub up: u32,
    /// Answers that failed the user.
    pub bad: u32,
    /// The smallest latency (`ended − due`) of right answers; zero, like the others, without any.
    pub min: Duration,
    /// The median latency.
    pub p50: Duration,
    /// 99 of 100 were not slower.
    pub p99: Duration,
    /// The largest latency.
    pub max: Duration,
}

/// Every journey's answers in a time, in at most `most` buckets each.
pub fn over_time(history: &History, shown: Interval, most: usize) -> Vec<Series> {
    let (mut series, of_stream) = empty(history, shown, most);
    // A sample's journey and bucket; `None` for one that was due outside of the time shown.
    let place = |sample: &firedrill_model::sample::Sample, series: &[Series]| {
        let journey = (*of_stream.get(usize::from(sample.stream.0))?)?;
        let shown = &series[journey];
        let since = sample.due.0.checked_sub(shown.from.0)?;
        let bucket = usize::try_from(u128::from(since) / shown.width.as_micros().max(1)).ok()?;
        (bucket < shown.buckets.len()).then_some((journey, bucket))
    };
    for sample in &history.samples {
        let Some((journey, bucket)) = place(sample, &series) else {
            continue;
        };
        let bucket = &mut series[journey].buckets[bucket];
        match sample.outcome {
            Outcome::Good | Outcome::Fallback => bucket.up += 1,
            Outcome::Bad(_) => bucket.bad += 1,
            Outcome::Void(_) => {}
        }
    }
    // A counting sort by bucket, into one list for all: 4 bytes a sample, where a list a bucket would double the memory of
    // an hour's run. `ends` begins as each bucket's start and is its end once all its times are in.
    let mut total = 0;
    let mut starts = |series: &Series| -> Vec<usize> {
        let start = |bucket: &Bucket| {
            let start = total;
            total += bucket.up as usize;
            start
        };
        series.buckets.iter().map(start).collect()
    };
    let mut ends: Vec<Vec<usize>> = series.iter().map(&mut starts).collect();
    let mut times = vec![0u32; total];
    for sample in history.samples.iter().filter(|sample| sample.outcome.is_up()) {
        if let Some((journey, bucket)) = place(sample, &series) {
            // In 32 bits of microseconds: over an hour is as slow as a chart can show.
            let end = &mut ends[journey][bucket];
            times[*end] = u32::try_from(sample.ended.since(sample.due).as_micros()).unwrap_or(u32::MAX);
            *end += 1;
        }
    }
    for (series, ends) in series.iter_mut().zip(&ends) {
        for (bucket, end) in series.buckets.iter_mut().zip(ends) {
            summarise(bucket, &mut times[end - bucket.up as usize..*end]);
        }
    }
    series
}

/// A series with empty buckets for each journey that is probed, and the place of each stream's journey among them.
fn empty(history: &History, shown: Interval, most: usize) -> (Vec<Series>, Vec<Option<usize>>) {
    let mut rates: Vec<(&str, f64)> = Vec::new();
    let mut of_stream = Vec::new();
    for event in &history.events {
        if let Event::Stream { journey, rate, .. } = &event.event {
            *tally::entry(&mut rates, journey.as_str()) += rate;
            of_stream.push(rates.iter().position(|(known, _)| known == journey));
        }
    }
    let series = |(journey, rate): &(&str, f64)| {
        let width = width(shown.length(), *rate, most);
        let count = shown.length().as_micros().div_ceil(width.as_micros().max(1));
        Series {
            journey: (*journey).to_owned(),
            from: shown.from,
            width,
            // A million buckets at most, whatever a damaged file says of its length.
            buckets: vec![Bucket::default(); usize::try_from(count).unwrap_or(0).min(1 << 20)],
        }
    };
    (rates.iter().map(series).collect(), of_stream)
}

/// The smallest round width with few enough buckets and enough probes in each.
fn width(length: Duration, rate: f64, most: usize) -> Duration {
    #[expect(clippy::cast_precision_loss, reason = "buckets of a chart")]
    let least = (length.as_secs_f64() / most.max(1) as f64).max(ENOUGH / rate.max(1e-6));
    WIDTHS
        .iter()
        .map(|millis| Duration::from_millis(*millis))
        .find(|width| width.as_secs_f64() >= least)
        .unwrap_or(Duration::from_secs_f64(least.clamp(300.0, 1e9)))
}

/// The latencies of a bucket. By selection, not by sorting: a bucket may have a hundred thousand.
fn summarise(bucket: &mut Bucket, times: &mut [u32]) {
    let time = |micros: u32| Duration::from_micros(micros.into());
    if times.is_empty() {
        return;
    }
    let last = times.len() - 1;
    bucket.min = time(times.iter().copied().min().unwrap_or(0));
    bucket.max = time(times.iter().copied().max().unwrap_or(0));
    bucket.p99 = time(*times.select_nth_unstable(last * 99 / 100).1);
    bucket.p50 = time(*times.select_nth_unstable(last / 2).1);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_bucket_is_wide_enough_for_the_chart_and_for_the_rate() {
        assert_eq!(
            width(Duration::from_secs(7), 100.0, 240),
            Duration::from_millis(50)
        );
        assert_eq!(width(Duration::from_secs(7), 5.0, 240), Duration::from_secs(1));
        assert_eq!(
            width(Duration::from_secs(3600), 1000.0, 240),
            Duration::from_secs(15)
        );
    }

    proptest! {
        #[test]
        fn the_latencies_of_a_bucket_are_in_order(mut times in prop::collection::vec(0u32..1_000_000, 1..200)) {
            let mut bucket = Bucket::default();
            summarise(&mut bucket, &mut times);
            prop_assert!(bucket.min <= bucket.p50 && bucket.p50 <= bucket.p99 && bucket.p99 <= bucket.max);
            let slower = times.iter().filter(|time| u128::from(**time) > bucket.p99.as_micros()).count();
            prop_assert!(slower * 100 <= times.len() + 99);
        }
    }
}
