//! One record, several contracts: what the same outages bill under each.
//!
//! * `strict`: any essential journey's episode, from its start to its end.
//! * `request`: Σ over 1-s slices of bad/(good+bad) × 1 s; a slice with fewer than 5 valid samples is unknown.
//! * `minute(θ)`: a calendar minute is down if its error ratio is above θ (1 %, 5 %, 10 %).
//! * `full-minutes`: only whole consecutive minutes of an outage.
//! * `five-minute-mean`: the mean error ratio of each calendar five minutes, times five minutes.
//!
//! A drill lasts seconds, so that minutes are mostly filled by what was before and after it: the slices that were not
//! probed count as good, as they would be in a year that is otherwise quiet.

use std::time::Duration;

use serde::Serialize;

use crate::history::History;
use crate::measure::{Bounds, Measured, Outage};
use crate::sample::Outcome;
use crate::scenario::Contract;

/// Fewer valid samples in a second than this and its ratio is unknown.
const ENOUGH: u32 = 5;

/// What one contract bills.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Bill {
    /// The contract.
    pub contract: Contract,
    /// The downtime it bills.
    pub billed: Bounds,
    /// Slices whose ratio is unknown.
    pub unknown_slices: usize,
}

/// The samples of one second.
#[derive(Debug, Clone, Copy, Default)]
struct Slice {
    good: u32,
    bad: u32,
}

impl Slice {
    fn ratio(self) -> Option<f64> {
        let all = self.good + self.bad;
        (all > 0).then(|| f64::from(self.bad) / f64::from(all))
    }
}

/// What every contract bills.
pub(super) fn bills(history: &History, measured: &Measured) -> Vec<Bill> {
    let slices = slices(history, measured);
    let unknown = slices
        .iter()
        .filter(|slice| slice.good + slice.bad < ENOUGH)
        .count();
    let open = measured.downtime.high.is_none();
    let minutes = |limit: f64| {
        count(&chunks(&slices, offset(history, measured), 60), |ratio| {
            if ratio > limit { 60.0 } else { 0.0 }
        })
    };
    let seconds = |contract| match contract {
        Contract::Strict => None,
        Contract::Request => {
            let known = slices.iter().filter(|slice| slice.good + slice.bad >= ENOUGH);
            Some(known.filter_map(|slice| slice.ratio()).sum())
        }
        Contract::Minute1 => Some(minutes(0.01)),
        Contract::Minute5 => Some(minutes(0.05)),
        Contract::Minute10 => Some(minutes(0.10)),
        Contract::FullMinutes => Some(measured.outages.iter().map(full_minutes).sum()),
        Contract::FiveMinuteMean => Some(count(&chunks(&slices, offset(history, measured), 300), |ratio| {
            ratio * 300.0
        })),
    };
    let bill = |contract: Contract| {
        let billed = match seconds(contract) {
            None => measured.downtime,
            Some(seconds) => {
                let billed = Duration::from_secs_f64(seconds);
                Bounds {
                    low: billed,
                    high: (!open).then_some(billed),
                }
            }
        };
        let unknown_slices = if contract == Contract::Request { unknown } else { 0 };
        Bill {
            contract,
            billed,
            unknown_slices,
        }
    };
    [
        Contract::Strict,
        Contract::Request,
        Contract::Minute1,
        Contract::Minute5,
        Contract::Minute10,
        Contract::FullMinutes,
        Contract::FiveMinuteMean,
    ]
    .map(bill)
    .into()
}

/// Essential samples of the window, by the second in which they were due.
fn slices(history: &History, measured: &Measured) -> Vec<Slice> {
    let essential = essential(history);
    let length = usize::try_from(measured.window.length().as_secs() + 1)
        .unwrap_or(usize::MAX)
        .min(1 << 24);
    let mut slices = vec![Slice::default(); length];
    for sample in history
        .samples
        .iter()
        .filter(|sample| measured.window.holds(sample.due))
    {
        if !essential
            .get(usize::from(sample.stream.0))
            .copied()
            .unwrap_or(false)
        {
            continue;
        }
        let at = usize::try_from(sample.due.since(measured.window.from).as_secs()).unwrap_or(usize::MAX);
        let Some(slice) = slices.get_mut(at) else { continue };
        match sample.outcome {
            Outcome::Good | Outcome::Fallback => slice.good += 1,
            Outcome::Bad(_) => slice.bad += 1,
            Outcome::Void(_) => {}
        }
    }
    slices
}

/// Which streams belong to essential journeys.
fn essential(history: &History) -> Vec<bool> {
    let journeys = &history.start.plan.system.journeys;
    let of = |name: &str| {
        journeys
            .iter()
            .any(|journey| journey.name == name && journey.essential)
    };
    let streams = history.events.iter().filter_map(|event| match &event.event {
        crate::history::Event::Stream { journey, .. } => Some(of(journey)),
        _ => None,
    });
    streams.collect()
}

/// How many seconds after a calendar five minutes the window begins.
fn offset(history: &History, measured: &Measured) -> usize {
    let wall: i64 = history
        .start
        .wall
        .parse::<jiff::Timestamp>()
        .map_or(0, jiff::Timestamp::as_second);
    let from = wall.saturating_add(i64::try_from(measured.window.from.since_origin().as_secs()).unwrap_or(0));
    usize::try_from(from.rem_euclid(300)).unwrap_or(0)
}

/// The error ratio of each calendar chunk of so many seconds, seconds without probes counted as good.
fn chunks(slices: &[Slice], offset: usize, seconds: usize) -> Vec<f64> {
    let mut sums: Vec<f64> = Vec::new();
    for (at, slice) in slices.iter().enumerate() {
        let chunk = (offset + at) / seconds - offset / seconds;
        if sums.len() <= chunk {
            sums.resize(chunk + 1, 0.0);
        }
        sums[chunk] += slice.ratio().unwrap_or(0.0);
    }
    #[expect(clippy::cast_precision_loss, reason = "60 or 300")]
    let seconds = seconds as f64;
    sums.into_iter().map(|sum| sum / seconds).collect()
}

fn count(chunks: &[f64], bill: impl Fn(f64) -> f64) -> f64 {
    chunks.iter().map(|ratio| bill(*ratio)).sum()
}

/// Whole minutes of an outage's proven length.
#[expect(clippy::cast_precision_loss, reason = "minutes")]
fn full_minutes(outage: &Outage) -> f64 {
    (outage.bounds().low.as_secs() / 60 * 60) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `down` seconds of outage in a long quiet time, beginning `start` seconds after a calendar five minutes.
    fn slices(start: usize, down: usize) -> Vec<Slice> {
        let slice = |at| {
            if (start..start + down).contains(&at) {
                Slice { good: 0, bad: 10 }
            } else {
                Slice { good: 10, bad: 0 }
            }
        };
        (0..900).map(slice).collect()
    }

    #[test]
    fn twenty_seconds_bill_as_the_contracts_say() {
        for start in [300, 310, 350] {
            let slices = slices(start, 20);
            let request: f64 = slices.iter().filter_map(|slice| slice.ratio()).sum();
            let minute = count(
                &chunks(&slices, 0, 60),
                |ratio| if ratio > 0.05 { 60.0 } else { 0.0 },
            );
            let mean = count(&chunks(&slices, 0, 300), |ratio| ratio * 300.0);
            assert!((request - 20.0).abs() < 1e-6);
            assert_eq!(
                minute,
                if start == 350 { 120.0 } else { 60.0 },
                "a minute it touches is down as a whole"
            );
            assert!((mean - 20.0).abs() < 1e-6);
        }
    }

    #[test]
    fn the_calendar_offset_decides_which_minutes_are_touched() {
        assert_eq!(
            chunks(&slices(50, 20), 0, 60)
                .iter()
                .filter(|ratio| **ratio > 0.1)
                .count(),
            2
        );
        assert_eq!(
            chunks(&slices(50, 20), 20, 60)
                .iter()
                .filter(|ratio| **ratio > 0.1)
                .count(),
            1
        );
    }
}
