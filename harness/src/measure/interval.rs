//! Intervals of the drill's clock, and durations with bounds.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::sample::Micros;

/// From an instant until another.
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

    /// The part of it inside another; `None` when there is none.
    pub fn within(self, other: Self) -> Option<Self> {
        let (from, until) = (self.from.max(other.from), self.until.min(other.until));
        (from < until).then_some(Self { from, until })
    }

    /// Whether an instant lies in it, its edges included.
    pub fn holds(self, at: Micros) -> bool {
        self.from <= at && at <= self.until
    }
}

/// A duration that is known to lie between two others. Without an upper one it is *censored*: at least so long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Bounds {
    /// It is at least this.
    pub low: Duration,
    /// It is at most this; `None`: it had not ended when the drill did.
    pub high: Option<Duration>,
}

impl Bounds {
    /// Nothing at all.
    pub const ZERO: Self = Self {
        low: Duration::ZERO,
        high: Some(Duration::ZERO),
    };

    /// Between two durations.
    pub fn between(low: Duration, high: Duration) -> Self {
        Self {
            low: low.min(high),
            high: Some(high),
        }
    }

    /// Whether a duration is possible.
    pub fn holds(self, truth: Duration) -> bool {
        self.low <= truth && self.high.is_none_or(|high| truth <= high)
    }
}

/// A duration in the unit that fits, with no more digits than its uncertainty supports.
pub(crate) fn digits(value: Duration, uncertainty: Duration) -> String {
    let seconds = value.as_secs_f64();
    if value < Duration::from_secs(1) && uncertainty < Duration::from_millis(500) {
        return format!("{:.0} ms", seconds * 1e3);
    }
    let places = match uncertainty.as_secs_f64() {
        unsure if unsure < 0.01 => 3,
        unsure if unsure < 0.1 => 2,
        unsure if unsure < 1.0 => 1,
        _ => 0,
    };
    // A length that is known exactly is still read by people: four digits are enough.
    let enough = match seconds {
        s if s < 10.0 => 3,
        s if s < 100.0 => 2,
        s if s < 1000.0 => 1,
        _ => 0,
    };
    let places = places.min(enough);
    format!("{seconds:.places$} s")
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.high {
            None if self.low < Duration::from_millis(1) => f.write_str("still open"),
            None => write!(f, "at least {}", digits(self.low, Duration::from_millis(50))),
            Some(Duration::ZERO) => f.write_str("none"),
            Some(high) => {
                let width = high.saturating_sub(self.low);
                let (low, high) = (digits(self.low, width), digits(high, width));
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
    let mut joined: Vec<Interval> = Vec::new();
    for interval in sorted {
        match joined.last_mut() {
            Some(last) if interval.from <= last.until => last.until = last.until.max(interval.until),
            _ => joined.push(interval),
        }
    }
    joined
}

/// The length of disjoint intervals together.
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
        fn a_union_is_as_long_as_the_instants_it_covers(intervals in prop::collection::vec(any_interval(), 0..20)) {
            let covered = (0u64..1200).filter(|at| intervals.iter().any(|i| i.from.0 <= *at && *at < i.until.0)).count();
            prop_assert_eq!(total(&union(intervals)), Duration::from_micros(covered as u64));
        }

        #[test]
        fn a_union_never_shrinks_by_one_more(intervals in prop::collection::vec(any_interval(), 1..20)) {
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
        assert_eq!(
            Bounds {
                low: Duration::from_secs(5),
                high: None
            }
            .to_string(),
            "at least 5.00 s"
        );
    }
}
