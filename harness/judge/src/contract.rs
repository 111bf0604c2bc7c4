//! What the same outages bill under each contract.
//!
//! * `strict`: the downtime of every episode of an essential journey.
//! * `request`: Σ over 1-s slices of bad/(good+bad) × 1 s; a slice with fewer than 5 valid samples is unknown.
//! * `minute(θ)`: a calendar minute is down if its error ratio is above θ (1 %, 5 %, 10 %).
//! * `full-minutes`: only whole consecutive minutes of an outage.
//! * `five-minute-mean`: a calendar five minutes is down if its mean error ratio is above zero.
//!
//! Where in the calendar a drill runs says nothing about its outage. So the calendar's contracts bill the mean over all
//! positions in the calendar. That mean is exact: it is the total length of all starts of a window whose error ratio is above
//! θ. A full outage of 20 s bills 20, 20, 78.8 · 74 · 68, 0 and 320 s.
//!
//! A drill lasts seconds: the time around it counts as good, as in an otherwise quiet year. Unknown time counts as good in
//! the lower bound and as bad in the upper one.

use std::time::Duration;

use serde::Serialize;

use crate::measure::{Bounds, Interval, Measured, Outage};
use firedrill_model::history::History;
use firedrill_model::sample::Outcome;
use firedrill_model::scenario::Contract;

/// With fewer valid samples than this, the error ratio of a second is unknown.
const ENOUGH: u32 = 5;

/// What one contract bills.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Bill {
    /// The contract.
    pub contract: Contract,
    /// The downtime it bills.
    pub billed: Bounds,
    /// Seconds whose error ratio is unknown; counted for `request` only.
    pub unknown_slices: usize,
}

/// The samples of one second.
#[derive(Debug, Clone, Copy, Default)]
struct Slice {
    good: u32,
    bad: u32,
    void: u32,
}

impl Slice {
    fn valid(self) -> u32 {
        self.good + self.bad
    }

    fn ratio(self) -> Option<f64> {
        (self.valid() > 0).then(|| f64::from(self.bad) / f64::from(self.valid()))
    }
}

/// Seconds billed, with unknown time counted as good (low) and as bad (high).
#[derive(Debug, Clone, Copy)]
struct Range {
    low: f64,
    high: f64,
}

/// What every contract bills.
pub(super) fn bills(history: &History, measured: &Measured) -> Vec<Bill> {
    let slices = slices(history, measured);
    let length = measured.window.length().as_secs_f64();
    // Still down at the end: no contract can know the whole bill.
    let still_down = measured.downtime.high.is_none();
    let bill = |contract: Contract| {
        let range = match contract {
            // As measured: its bounds come from the samples, not from whole seconds.
            Contract::Strict => None,
            Contract::Request => Some(request(&slices, length)),
            Contract::Minute1 => Some(calendar(&slices, 60, 0.01)),
            Contract::Minute5 => Some(calendar(&slices, 60, 0.05)),
            Contract::Minute10 => Some(calendar(&slices, 60, 0.10)),
            Contract::FullMinutes => Some(full_minutes(&measured.outages)),
            Contract::FiveMinuteMean => Some(calendar(&slices, 300, 0.0)),
        };
        let billed = range.map_or(measured.downtime, |range| Bounds {
            low: Duration::from_secs_f64(range.low),
            high: (!still_down).then(|| Duration::from_secs_f64(range.high)),
        });
        let unknown = || slices.iter().filter(|slice| slice.valid() < ENOUGH).count();
        Bill {
            contract,
            billed,
            unknown_slices: if contract == Contract::Request {
                unknown()
            } else {
                0
            },
        }
    };
    Contract::ALL.map(bill).into()
}

/// Essential samples of the window, by the second in which they were due.
fn slices(history: &History, measured: &Measured) -> Vec<Slice> {
    let essential = essential(history);
    let length = usize::try_from(measured.window.length().as_millis().div_ceil(1000))
        .unwrap_or(usize::MAX)
        // Twelve days: only a damaged file has a longer drill.
        .min(1 << 20);
    let mut slices = vec![Slice::default(); length];
    for sample in history
        .samples
        .iter()
        .filter(|sample| measured.window.contains(sample.due))
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
            Outcome::Void(_) => slice.void += 1,
        }
    }
    slices
}

/// Which streams belong to essential journeys, by their numbers.
fn essential(history: &History) -> Vec<bool> {
    let journeys = &history.start.plan.system.journeys;
    let mut essential = Vec::new();
    for event in &history.events {
        if let firedrill_model::history::Event::Stream { stream, journey, .. } = &event.event {
            let at = usize::from(stream.0);
            if essential.len() <= at {
                essential.resize(at + 1, false);
            }
            essential[at] = journeys
                .iter()
                .any(|known| known.name == *journey && known.essential);
        }
    }
    essential
}

/// `request`: Σ bad / (good + bad) × 1 s. The last slice is as long as the rest of the window.
fn request(slices: &[Slice], length: f64) -> Range {
    let mut range = Range { low: 0.0, high: 0.0 };
    // Where each slice starts, in seconds of the window.
    let mut start = 0.0;
    for slice in slices {
        let seconds = (length - start).clamp(0.0, 1.0);
        start += 1.0;
        match slice.ratio().filter(|_| slice.valid() >= ENOUGH) {
            Some(ratio) => {
                range.low += ratio * seconds;
                range.high += ratio * seconds;
            }
            // Unknown: nothing at best, all of it at worst.
            None => range.high += seconds,
        }
    }
    range
}

/// `minute(θ)` and `five-minute-mean`: the mean, over all positions in the calendar, of the time in chunks of this many
/// seconds whose error ratio is above a limit.
fn calendar(slices: &[Slice], seconds: usize, limit: f64) -> Range {
    let bill = |unknown: f64| time_above(&ratios(slices, unknown), seconds, limit);
    Range {
        low: bill(0.0),
        high: bill(1.0),
    }
}

/// The error ratio of each second. A second without any probe is like the one before; one with only void probes is unknown.
fn ratios(slices: &[Slice], unknown: f64) -> Vec<f64> {
    let mut last = 0.0;
    let ratio = |slice: &Slice| {
        last = slice
            .ratio()
            .unwrap_or(if slice.void > 0 { unknown } else { last });
        last
    };
    slices.iter().map(ratio).collect()
}

/// For how long a window of this many seconds, moved over the ratios (zero before and after them), has a mean above the
/// limit. Between whole seconds the mean is linear, so that the points where it crosses the limit are exact.
#[expect(clippy::cast_precision_loss, reason = "60 or 300")]
fn time_above(ratios: &[f64], seconds: usize, limit: f64) -> f64 {
    let limit = limit * seconds as f64;
    let at = |second: usize| ratios.get(second).copied().unwrap_or(0.0);
    let (mut above, mut sum) = (0.0, 0.0);
    // Until the window has left the last ratio behind.
    for end in 0..ratios.len() + seconds {
        let gone = end.checked_sub(seconds).map_or(0.0, at);
        let next = (sum + at(end) - gone).max(0.0);
        // What has left the window must leave nothing behind by rounding: a limit of zero would see it.
        let next = if next < 1e-9 { 0.0 } else { next };
        above += share_above(sum, next, limit);
        sum = next;
    }
    above
}

/// The share of a straight line from one value to another that is above a limit.
fn share_above(from: f64, to: f64, limit: f64) -> f64 {
    match (from > limit, to > limit) {
        (true, true) => 1.0,
        (false, false) => 0.0,
        // Where the line from one to the other crosses the limit.
        (true, false) => (from - limit) / (from - to),
        (false, true) => (to - limit) / (to - from),
    }
}

/// `full-minutes`: the whole minutes of each run of an outage. The good time between two runs ends a minute.
#[expect(clippy::cast_precision_loss, reason = "minutes")]
fn full_minutes(outages: &[Outage]) -> Range {
    let whole = |interval: &Interval| (interval.length().as_secs() / 60 * 60) as f64;
    let low = outages.iter().flat_map(|outage| &outage.core).map(whole).sum();
    let high: f64 = outages.iter().flat_map(|outage| &outage.runs).map(whole).sum();
    Range {
        low,
        high: high.max(low),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use firedrill_model::sample::Micros;

    /// `down` seconds of outage in a quiet time, beginning after `start` seconds.
    fn slices(start: usize, down: usize) -> Vec<Slice> {
        let slice = |at| {
            let bad = (start..start + down).contains(&at);
            Slice {
                good: if bad { 0 } else { 10 },
                bad: if bad { 10 } else { 0 },
                void: 0,
            }
        };
        (0..start + down + 30).map(slice).collect()
    }

    /// The mean bill of an outage over all positions in a real calendar, by tenths of a second.
    fn by_hand(down: u32, chunk: u32, limit: f64) -> f64 {
        let bill = |start: u32| {
            let bills = |n: &u32| {
                let overlap = (start + down).min((n + 1) * chunk) - start.max(n * chunk);
                f64::from(overlap) / f64::from(chunk) > limit + 1e-9
            };
            (0..(start + down).div_ceil(chunk)).filter(bills).count()
        };
        let billed = (0..chunk).map(|start| f64::from(chunk) * bill(start) as f64);
        billed.sum::<f64>() / f64::from(chunk) / 10.0
    }

    fn close(found: Range, wanted: f64) {
        assert!(
            (found.low - wanted).abs() < 1e-6 && (found.high - wanted).abs() < 1e-6,
            "{found:?} instead of {wanted}"
        );
    }

    #[test]
    fn twenty_seconds_bill_as_the_contracts_say() {
        let slices = slices(40, 20);
        close(request(&slices, 90.0), 20.0);
        close(calendar(&slices, 60, 0.01), 78.8);
        close(calendar(&slices, 60, 0.05), 74.0);
        close(calendar(&slices, 60, 0.10), 68.0);
        close(calendar(&slices, 300, 0.0), 320.0);
    }

    #[test]
    fn the_mean_is_that_over_all_positions_in_a_calendar() {
        for (down, limit) in [
            (20, 0.01),
            (20, 0.1),
            (5, 0.05),
            (75, 0.1),
            (3, 0.05),
            (150, 0.01),
        ] {
            let found = calendar(&slices(40, down as usize), 60, limit).low;
            let wanted = by_hand(down * 10, 600, limit);
            assert!(
                (found - wanted).abs() < 0.2,
                "{down} s above {limit}: {found} instead of {wanted}"
            );
        }
    }

    #[test]
    fn full_minutes_are_counted_for_each_outage_by_both_bounds() {
        let outage = |low: u64, high: u64| {
            let interval = |from: u64, until: u64| Interval {
                from: Micros(from * 1_000_000),
                until: Micros(until * 1_000_000),
            };
            Outage {
                core: vec![interval(1, 1 + low)],
                runs: vec![interval(0, high)],
                hull: interval(0, high),
                onset: interval(0, 1),
                end: interval(1 + low, high),
                still_down: false,
                first_bad: Micros(0),
                first_good: None,
                kinds: Vec::new(),
            }
        };
        let found = full_minutes(&[outage(19, 21), outage(119, 121), outage(59, 59)]);
        assert_eq!((found.low, found.high), (60.0, 120.0));
    }

    #[test]
    fn unknown_time_is_good_in_the_lower_bound_and_bad_in_the_upper_one() {
        let mut slices = slices(40, 20);
        slices[10] = Slice {
            good: 0,
            bad: 0,
            void: 9,
        };
        let found = request(&slices, 90.0);
        assert!((found.low - 20.0).abs() < 1e-9 && (found.high - 21.0).abs() < 1e-9);
        let found = calendar(&slices, 60, 0.01);
        assert!((found.low - 78.8).abs() < 1e-6 && found.high > 100.0);
        slices[10] = Slice {
            good: 4,
            bad: 0,
            void: 0,
        };
        let found = request(&slices, 90.0);
        assert!((found.high - 21.0).abs() < 1e-9, "four samples are too few");
        let found = request(&slices[..70], 69.25);
        assert!(
            (found.high - 21.0).abs() < 1e-9,
            "the last slice is a quarter of a second"
        );
    }

    proptest! {
        #[test]
        fn a_stricter_limit_never_bills_more(bad in prop::collection::vec(0u32..10, 0..400)) {
            let slices: Vec<Slice> = bad.iter().map(|bad| Slice { good: 10 - bad, bad: *bad, void: 0 }).collect();
            let bill = |limit| calendar(&slices, 60, limit).low;
            prop_assert!(bill(0.1) <= bill(0.05) && bill(0.05) <= bill(0.01));
            let any: f64 = calendar(&slices, 300, 0.0).low;
            prop_assert!(any + 1e-6 >= request(&slices, bad.len() as f64).low);
        }
    }
}
