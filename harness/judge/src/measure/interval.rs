//! Intervals of the drill's clock, and durations with bounds: the arithmetic of everything that is measured.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use firedrill_model::sample::Micros;

/// The time from one instant until another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, schemars::JsonSchema)]
pub struct Interval {
    /// Its start.
    pub from: Micros,
    /// Its end, not before its start.
    pub until: Micros,
}

impl Interval {
    /// How long it is.
    pub fn length(self) -> Duration {
        self.until.since(self.from)
    }

    /// Its part inside another interval; `None` when they have no time in common.
    pub fn within(self, other: Self) -> Option<Self> {
        let (from, until) = (self.from.max(other.from), self.until.min(other.until));
        (from < until).then_some(Self { from, until })
    }

    /// Whether an instant lies in it, edges included.
    pub fn contains(self, at: Micros) -> bool {
        self.from <= at && at <= self.until
    }
}

/// A duration with bounds: the true one lies between them. Without an upper bound it had not ended when the drill did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Bounds {
    /// The lower bound.
    pub low: Duration,
    /// The upper bound; `None`: still down when the drill ended.
    pub high: Option<Duration>,
}

impl Bounds {
    /// Zero, exactly.
    pub const ZERO: Self = Self {
        low: Duration::ZERO,
        high: Some(Duration::ZERO),
    };

    /// The bounds between two durations.
    pub fn between(low: Duration, high: Duration) -> Self {
        Self {
            low: low.min(high),
            high: Some(high),
        }
    }

    /// Whether the true duration can be this.
    pub fn contains(self, truth: Duration) -> bool {
        self.low <= truth && self.high.is_none_or(|high| truth <= high)
    }
}

/// A bound in the unit that fits, with no more digits than the width of the bounds supports. Rounded outward, a lower one
/// down and an upper one up, so that the text never claims more than was measured.
fn digits(bound: Duration, uncertainty: Duration, outward: fn(f64) -> f64) -> String {
    // From whole microseconds: rounding outward must not act on an error of floating point.
    #[expect(clippy::cast_precision_loss, reason = "exact below 2^53 µs, 285 years")]
    let micros = bound.as_micros() as f64;
    if bound < Duration::from_secs(1) && uncertainty < Duration::from_millis(500) {
        return format!("{:.0} ms", outward(micros / 1e3));
    }
    let supported = match uncertainty.as_secs_f64() {
        unsure if unsure < 0.01 => 3,
        unsure if unsure < 0.1 => 2,
        unsure if unsure < 1.0 => 1,
        _ => 0,
    };
    // More than four digits are noise to a reader, even where the length is known exactly.
    let enough = match bound.as_secs() {
        0..10 => 3,
        10..100 => 2,
        100..1000 => 1,
        _ => 0,
    };
    let places = enough.min(supported);
    let unit = [1e6, 1e5, 1e4, 1e3][places];
    format!("{:.places$} s", outward(micros / unit) * unit / 1e6)
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.high {
            None if self.low < Duration::from_millis(1) => f.write_str("still down"),
            None => {
                let low = digits(self.low, Duration::from_millis(50), f64::floor);
                write!(f, "≥ {low}")
            }
            Some(Duration::ZERO) => f.write_str("none"),
            Some(high) => {
                // Digits beyond the width of the bounds would be invented.
                let width = high.saturating_sub(self.low);
                let (low, high) = (
                    digits(self.low, width, f64::floor),
                    digits(high, width, f64::ceil),
                );
                if low == high {
                    f.write_str(&high)
                } else {
                    write!(f, "{low} to {high}")
                }
            }
        }
    }
}

/// Intervals joined where they touch or overlap, in order.
pub(super) fn union(intervals: impl IntoIterator<Item = Interval>) -> Vec<Interval> {
    let mut sorted: Vec<Interval> = intervals
        .into_iter()
        .filter(|interval| interval.from < interval.until)
        .collect();
    sorted.sort_unstable();
    // By start: each can only touch the last one joined.
    let mut joined: Vec<Interval> = Vec::new();
    for interval in sorted {
        match joined.last_mut() {
            Some(last) if interval.from <= last.until => last.until = last.until.max(interval.until),
            _ => joined.push(interval),
        }
    }
    joined
}

/// The parts of an interval outside of others, which are disjoint and in order.
pub(super) fn without(time: Interval, others: &[Interval]) -> Vec<Interval> {
    let mut left = Vec::new();
    let mut at = time.from;
    for other in others.iter().filter(|other| other.within(time).is_some()) {
        // May be empty, where the other one begins before: dropped below.
        left.push(Interval {
            from: at,
            until: other.from.max(at),
        });
        at = other.until;
    }
    left.push(Interval {
        from: at,
        until: time.until.max(at),
    });
    left.retain(|part| part.from < part.until);
    left
}

/// The length of disjoint intervals in all.
pub(super) fn total(intervals: &[Interval]) -> Duration {
    intervals.iter().map(|interval| interval.length()).sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_interval() -> impl Strategy<Value = Interval> {
        (0u64..1000, 0u64..100).prop_map(|(from, length)| Interval {
            from: Micros(from),
            until: Micros(from + length),
        })
    }

    proptest! {
        #[test]
        fn a_union_is_as_long_as_the_instants_that_it_covers(intervals in prop::collection::vec(any_interval(), 0..20)) {
            let covered = (0u64..1200).filter(|at| intervals.iter().any(|i| i.from.0 <= *at && *at < i.until.0)).count();
            prop_assert_eq!(total(&union(intervals)), Duration::from_micros(covered as u64));
        }

        #[test]
        fn one_more_interval_never_shortens_a_union(intervals in prop::collection::vec(any_interval(), 1..20)) {
            let fewer = total(&union(intervals[1..].to_vec()));
            prop_assert!(total(&union(intervals)) >= fewer);
        }
    }

    #[test]
    fn no_more_digits_than_the_bounds_support() {
        let bounds =
            |low, high| Bounds::between(Duration::from_millis(low), Duration::from_millis(high)).to_string();
        assert_eq!(bounds(980, 1040), "980 ms to 1.04 s");
        assert_eq!(bounds(19_800, 20_300), "19.8 s to 20.3 s");
        assert_eq!(bounds(0, 0), "none");
        assert_eq!(bounds(19_860, 20_210), "19.8 s to 20.3 s", "outward");
        assert_eq!(
            Bounds {
                low: Duration::from_secs(5),
                high: None
            }
            .to_string(),
            "≥ 5.00 s"
        );
    }
}
