//! Bands: what a time or a share is called in a snapshot, so that two runs of the same thing are called the same.
//!
//! The edges are 1, 2, 5, 10, 20, 50 … A quantity is known between bounds, and named by the first edge that is not
//! below its upper one: `at most 500 ms`. An accepted name stays as long as any of the measured interval lies within
//! half a step of its band; half a step is half the way to the next edge, seen as ratios (from 500 ms it reaches to
//! 707 ms). So a measurement that scatters about an edge does not change the snapshot, and one that has moved does.
//!
//! What may have been nothing stands in brackets, `(at most 200 ms)`, like a state that probes can hardly see: an accepted
//! name in brackets fits runs with and without it.

use super::lanes;

/// What bands are counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// Seconds; nothing is told apart below 100 ms.
    Seconds,
    /// Percent; nothing is told apart below 0.01 %.
    Percent,
}

/// A quantity between bounds. No upper one: it had not ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Quantity {
    pub(super) low: f64,
    pub(super) high: Option<f64>,
}

/// There was nothing of it.
pub(super) const NONE: &str = "none";

impl Unit {
    fn smallest(self) -> i32 {
        match self {
            Self::Seconds => edge_at_least(0.1),
            Self::Percent => edge_at_least(0.01),
        }
    }

    /// The name of the band up to an edge.
    fn name(self, edge: i32) -> String {
        let value = value(edge);
        match self {
            Self::Seconds if value < 0.9 => format!("at most {:.0} ms", value * 1e3),
            Self::Seconds => format!("at most {value:.0} s"),
            Self::Percent if value < 0.9 => format!("at most {} %", (value * 1e6).round() / 1e6),
            Self::Percent => format!("at most {value:.0} %"),
        }
    }

    /// What a quantity is called, given what it was called in the accepted snapshot.
    pub(super) fn band(self, quantity: Option<Quantity>, accepted: Option<&str>, open: &str) -> String {
        let Some(quantity) = quantity.filter(|quantity| quantity.high != Some(0.0)) else {
            let accepted =
                accepted.filter(|accepted| self.edge(accepted).is_some_and(|(_, bracketed)| bracketed));
            return accepted.unwrap_or(NONE).to_owned();
        };
        let Some(high) = quantity.high else {
            return open.to_owned();
        };
        if let Some(accepted) = accepted.filter(|accepted| self.stays(quantity.low, high, accepted)) {
            return accepted.to_owned();
        }
        let name = self.name(edge_at_least(high).max(self.smallest()));
        if quantity.low > 0.0 {
            name
        } else {
            format!("({name})")
        }
    }

    /// The edge of an accepted name, and whether it stands in brackets.
    fn edge(self, accepted: &str) -> Option<(i32, bool)> {
        let (name, bracketed) = lanes::unbracketed(accepted);
        let smallest = self.smallest();
        let edge = (smallest..smallest + 60).find(|edge| self.name(*edge) == name)?;
        Some((edge, bracketed))
    }

    /// Whether an accepted name still fits.
    fn stays(self, low: f64, high: f64, accepted: &str) -> bool {
        let smallest = self.smallest();
        if accepted == NONE {
            return low == 0.0 && high <= half_step_above(smallest);
        }
        self.edge(accepted).is_some_and(|(edge, bracketed)| {
            let above_the_lower_end = bracketed || edge == smallest || high >= half_step_below(edge - 1);
            above_the_lower_end && low <= half_step_above(edge)
        })
    }
}

/// The edge of a number: 0 is 1, 1 is 2, 2 is 5, 3 is 10, -1 is 0.5, …
fn value(edge: i32) -> f64 {
    [1.0, 2.0, 5.0][usize::try_from(edge.rem_euclid(3)).unwrap_or(0)] * 10f64.powi(edge.div_euclid(3))
}

/// The first edge that is not below a value (with room for the rounding of decimal fractions).
fn edge_at_least(wanted: f64) -> i32 {
    (-60..60)
        .find(|edge| value(*edge) * (1.0 + 1e-9) >= wanted)
        .unwrap_or(60)
}

fn half_step_above(edge: i32) -> f64 {
    (value(edge) * value(edge + 1)).sqrt()
}

fn half_step_below(edge: i32) -> f64 {
    (value(edge) * value(edge - 1)).sqrt()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seconds(low: f64, high: f64, accepted: Option<&str>) -> String {
        let high = Some(high);
        Unit::Seconds.band(Some(Quantity { low, high }), accepted, "open")
    }

    #[test]
    fn a_band_is_named_by_its_upper_edge() {
        let named = [
            (0.003, "at most 100 ms"),
            (0.2, "at most 200 ms"),
            (0.21, "at most 500 ms"),
            (0.98, "at most 1 s"),
            (1.01, "at most 2 s"),
            (700.0, "at most 1000 s"),
        ];
        for (high, name) in named {
            assert_eq!(seconds(high, high, None), name);
        }
        let share = Quantity {
            low: 0.1,
            high: Some(0.16),
        };
        assert_eq!(Unit::Percent.band(Some(share), None, "open"), "at most 0.2 %");
        assert_eq!(Unit::Seconds.band(None, None, "open"), NONE);
        let open = Quantity { low: 3.0, high: None };
        assert_eq!(
            Unit::Seconds.band(Some(open), Some("at most 5 s"), "open"),
            "open"
        );
    }

    #[test]
    fn an_accepted_band_stays_until_the_whole_interval_has_left_it_by_half_a_step() {
        let accepted = Some("at most 1 s"); // 500 ms to 1 s
        assert_eq!(
            seconds(1.3, 1.6, accepted),
            "at most 1 s",
            "its low is within 1.41 s"
        );
        assert_eq!(seconds(1.45, 1.6, accepted), "at most 2 s");
        assert_eq!(
            seconds(0.1, 0.4, accepted),
            "at most 1 s",
            "its high is above 316 ms"
        );
        assert_eq!(seconds(0.1, 0.3, accepted), "at most 500 ms");
    }

    #[test]
    fn hardly_anything_and_nothing_are_not_told_apart_and_a_certain_outage_is() {
        assert_eq!(seconds(0.0, 0.05, Some(NONE)), NONE);
        assert_eq!(seconds(0.01, 0.05, Some(NONE)), "at most 100 ms");
        assert_eq!(Unit::Seconds.band(None, Some("at most 200 ms"), "open"), NONE);
    }

    #[test]
    fn what_may_have_been_nothing_stands_in_brackets_and_may_be_there_or_not() {
        let perhaps = Some("(at most 200 ms)");
        assert_eq!(seconds(0.0, 0.15, None), "(at most 200 ms)");
        for (low, high) in [(0.0, 0.01), (0.0, 0.9), (0.1, 0.3)] {
            assert_eq!(seconds(low, high, perhaps), "(at most 200 ms)");
        }
        assert_eq!(Unit::Seconds.band(None, perhaps, "open"), "(at most 200 ms)");
        assert_eq!(seconds(0.4, 0.5, perhaps), "at most 500 ms");
    }

    proptest! {
        #[test]
        fn what_a_snapshot_was_made_from_does_not_change_it(low in 0.0f64..100.0, width in 0.0f64..10.0) {
            let first = seconds(low, low + width, None);
            prop_assert_eq!(seconds(low, low + width, Some(&first)), first);
        }

        #[test]
        fn ten_times_as_long_is_always_seen(low in 0.02f64..100.0, width in 0.0f64..0.5) {
            let high = low * (1.0 + width);
            let first = seconds(low, high, None);
            prop_assert_ne!(seconds(low * 10.0, high * 10.0, Some(&first)), first);
        }

        #[test]
        fn no_text_that_was_accepted_makes_it_panic(text in ".{0,30}", low in 0.0f64..10.0) {
            seconds(low, low + 1.0, Some(&text));
        }
    }
}
