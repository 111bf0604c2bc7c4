//! What a drill cost: its billed downtime as a share of the budget, once and as often as a year is expected to have it.

use std::time::Duration;

use serde::Serialize;

use super::contract::Bill;
use crate::measure::{Bounds, Measured};
use firedrill_model::history::History;

/// The bounds of a share of the budget, in percent. Never clamped: it may be more than 100.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Share {
    /// The lower bound.
    pub low: f64,
    /// The upper bound; `None` for an outage that was still down and has no price.
    pub high: Option<f64>,
}

/// What a drill cost.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Cost {
    /// The downtime that the verdict's contract bills.
    pub billed: Option<Bounds>,
    /// For an outage that was still down after the whole settle time: the scenario's `manual_recovery`, if it has one.
    pub priced: Option<Duration>,
    /// An outage was open when the drill was stopped, or its history ends: nobody knows how long it would have been.
    pub cut_off: bool,
    /// The downtime that the budget allows.
    pub budget: Duration,
    /// The budget's window.
    pub window: Duration,
    /// The share of the budget that one such event takes.
    pub share: Share,
    /// The share that a year of such events takes; `None` without `per_year`, or without a price where one is needed.
    pub per_year: Option<Share>,
}

fn percent(part: Duration, whole: Duration) -> f64 {
    100.0 * part.as_secs_f64() / whole.as_secs_f64().max(f64::EPSILON)
}

/// How many of the budget's windows are in 365 days: `per_year` is for a year, the budget for its window.
fn windows_a_year(window: Duration) -> f64 {
    365.0 * 86_400.0 / window.as_secs_f64().max(1.0)
}

/// `watched`: whether the drill looked on for the whole settle time.
pub(super) fn cost(history: &History, measured: &Measured, bills: &[Bill], watched: bool) -> Cost {
    let plan = &history.start.plan;
    let (budget, window) = (plan.project.budget.downtime.0, plan.project.budget.window.0);
    let billed = bills
        .iter()
        .find(|bill| bill.contract == plan.contract())
        .map_or(measured.downtime, |bill| bill.billed);
    let still_down = billed.high.is_none();
    let priced = plan
        .manual_recovery()
        // Stopped earlier, nobody knows whether it would have recovered by itself.
        .filter(|_| still_down && watched)
        // A price below what was measured cannot be true.
        .map(|price| price.0.max(billed.low));
    // A price replaces both bounds: it is what the outage is said to cost in the end.
    let low = priced.unwrap_or(billed.low);
    let high = if still_down { priced } else { billed.high };
    let share = Share {
        low: percent(low, budget),
        high: high.map(|high| percent(high, budget)),
    };
    let per_year = plan
        .scenario
        .per_year
        .as_ref()
        // Without an upper bound no annual figure: a year of lower bounds would look harmless.
        .filter(|_| high.is_some())
        .map(|per_year| {
            let times = per_year.times / windows_a_year(window);
            Share {
                low: share.low * times,
                high: share.high.map(|high| high * times),
            }
        });
    Cost {
        billed: Some(billed),
        priced,
        cut_off: still_down && !watched,
        budget,
        window,
        share,
        per_year,
    }
}
