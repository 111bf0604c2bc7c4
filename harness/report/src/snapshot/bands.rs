//! Bands: times and shares of a snapshot, so coarse that two runs of the same thing have the same text.
//!
//! Takes a measured quantity and the accepted band, gives a band. The edges are 1, 2, 5, 10, 20, 50 … A quantity is known
//! between bounds; its band is the first edge that is not below the upper bound: `≤ 500 ms`. An accepted band stays as
//! long as any of the measured interval lies within half a step of it; half a step is half of the way to the next edge as
//! a ratio (from 500 ms it reaches to 707 ms). So a measurement that scatters around an edge does not change the snapshot,
//! and one that has moved does.
//!
//! A quantity that may have been zero is `none or ≤ 200 ms`; accepted, it fits runs with and without it.

use std::fmt;

use crate::format::NONE;

/// What bands are counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// Seconds; the lowest edge is 100 ms.
    Seconds,
    /// Percent; the lowest edge is 0.01 %.
    Percent,
}

/// A quantity between bounds; without an upper one it had not ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Quantity {
    pub(super) low: f64,
    pub(super) high: Option<f64>,
}

/// A band of a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Band {
    unit: Unit,
    edge: i32,
    /// It may have been zero.
    or_none: bool,
}

/// The beginning of a band that may have been zero.
const OR_NONE: &str = "none or ";

impl fmt::Display for Band {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = value(self.edge);
        if self.or_none {
            f.write_str(OR_NONE)?;
        }
        match self.unit {
            Unit::Seconds if value < 0.9 => write!(f, "≤ {:.0} ms", value * 1e3),
            Unit::Seconds => write!(f, "≤ {value:.0} s"),
            // Powers of ten are not exact in binary.
            Unit::Percent if value < 0.9 => write!(f, "≤ {} %", (value * 1e6).round() / 1e6),
            Unit::Percent => write!(f, "≤ {value:.0} %"),
        }
    }
}

impl Unit {
    fn lowest_edge(self) -> i32 {
        match self {
            Self::Seconds => edge_at_least(0.1),
            Self::Percent => edge_at_least(0.01),
        }
    }

    /// The text of a quantity, given the accepted text; `still_down` where it has no upper bound.
    pub(super) fn band(self, quantity: Option<Quantity>, accepted: Option<&str>, still_down: &str) -> String {
        let accepted_band = accepted.and_then(|text| self.parse(text));
        let Some(quantity) = quantity.filter(|quantity| quantity.high != Some(0.0)) else {
            // Nothing was measured: only a band that allows for it stays.
            let fits = accepted_band.filter(|band| band.or_none);
            return fits.map_or_else(|| NONE.to_owned(), |band| band.to_string());
        };
        let Some(high) = quantity.high else {
            return still_down.to_owned();
        };
        // *None* fits what may have been zero, up to half a step above the lowest edge.
        if accepted == Some(NONE) && quantity.low == 0.0 && high <= half_step_above(self.lowest_edge()) {
            return NONE.to_owned();
        }
        let measured = Band {
            unit: self,
            // Below the lowest edge, measuring cannot tell one time from another.
            edge: edge_at_least(high).max(self.lowest_edge()),
            or_none: quantity.low <= 0.0,
        };
        let stays = accepted_band.filter(|band| band.fits(quantity.low, high));
        stays.unwrap_or(measured).to_string()
    }

    /// An accepted text as a band: the inverse of its text, found among all edges that a drill can reach.
    fn parse(self, text: &str) -> Option<Band> {
        let or_none = text.starts_with(OR_NONE);
        let lowest = self.lowest_edge();
        // Compared as text, so that only what this writes is read: an edited value counts as changed.
        let mut bands = (lowest..lowest + 60).map(|edge| Band {
            unit: self,
            edge,
            or_none,
        });
        bands.find(|band| band.to_string() == text)
    }
}

impl Band {
    /// Whether it still fits a measured interval.
    fn fits(self, low: f64, high: f64) -> bool {
        // The lowest band reaches down to zero.
        let has_lower_end = !self.or_none && self.edge != self.unit.lowest_edge();
        let above_the_lower_end = !has_lower_end || high >= half_step_below(self.edge - 1);
        above_the_lower_end && low <= half_step_above(self.edge)
    }
}

/// The edge of a number: 0 is 1, 1 is 2, 2 is 5, 3 is 10, -1 is 0.5, …
fn value(edge: i32) -> f64 {
    [1.0, 2.0, 5.0][usize::try_from(edge.rem_euclid(3)).unwrap_or(0)] * 10f64.powi(edge.div_euclid(3))
}

/// The first edge that is not below a value (with room for the rounding of decimal fractions).
fn edge_at_least(wanted: f64) -> i32 {
    (-60..60)
        // The margin is for a measurement that is exactly an edge: powers of ten are not exact in binary.
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
        Unit::Seconds.band(Some(Quantity { low, high }), accepted, "still down")
    }

    #[test]
    fn a_band_has_the_text_of_its_upper_edge() {
        let named = [
            (0.003, "≤ 100 ms"),
            (0.2, "≤ 200 ms"),
            (0.21, "≤ 500 ms"),
            (0.98, "≤ 1 s"),
            (1.01, "≤ 2 s"),
            (700.0, "≤ 1000 s"),
        ];
        for (high, name) in named {
            assert_eq!(seconds(high, high, None), name);
        }
        let share = Quantity {
            low: 0.1,
            high: Some(0.16),
        };
        assert_eq!(Unit::Percent.band(Some(share), None, "still down"), "≤ 0.2 %");
        assert_eq!(Unit::Seconds.band(None, None, "still down"), NONE);
        let no_end = Quantity { low: 3.0, high: None };
        assert_eq!(
            Unit::Seconds.band(Some(no_end), Some("≤ 5 s"), "still down"),
            "still down"
        );
    }

    #[test]
    fn an_accepted_band_stays_until_the_whole_interval_has_left_it_by_half_a_step() {
        let accepted = Some("≤ 1 s"); // 500 ms to 1 s
        assert_eq!(seconds(1.3, 1.6, accepted), "≤ 1 s", "its low is within 1.41 s");
        assert_eq!(seconds(1.45, 1.6, accepted), "≤ 2 s");
        assert_eq!(seconds(0.1, 0.4, accepted), "≤ 1 s", "its high is above 316 ms");
        assert_eq!(seconds(0.1, 0.3, accepted), "≤ 500 ms");
    }

    #[test]
    fn an_accepted_none_fits_what_may_have_been_zero_but_no_certain_outage() {
        assert_eq!(seconds(0.0, 0.05, Some(NONE)), NONE);
        assert_eq!(seconds(0.01, 0.05, Some(NONE)), "≤ 100 ms");
        assert_eq!(Unit::Seconds.band(None, Some("≤ 200 ms"), "still down"), NONE);
    }

    #[test]
    fn what_may_have_been_zero_says_so_and_fits_runs_with_and_without_it() {
        let perhaps = Some("none or ≤ 200 ms");
        assert_eq!(seconds(0.0, 0.15, None), "none or ≤ 200 ms");
        for (low, high) in [(0.0, 0.01), (0.0, 0.9), (0.1, 0.3)] {
            assert_eq!(seconds(low, high, perhaps), "none or ≤ 200 ms");
        }
        assert_eq!(
            Unit::Seconds.band(None, perhaps, "still down"),
            "none or ≤ 200 ms"
        );
        assert_eq!(seconds(0.4, 0.5, perhaps), "≤ 500 ms");
    }

    proptest! {
        #[test]
        fn the_quantity_that_a_band_was_made_from_does_not_change_it(low in 0.0f64..100.0, width in 0.0f64..10.0) {
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
