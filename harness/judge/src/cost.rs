//! What a drill cost: the downtime it bills, as a share of the budget; and in a year, as often as the user expects it.

use std::time::Duration;

use serde::Serialize;

use super::contract::Bill;
use crate::measure::{Bounds, Measured};
use firedrill_model::history::History;

/// A share of the budget, in percent, with its bounds. It may be more than 100.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Share {
    /// At least.
    pub low: f64,
    /// At most; `None` for an outage that was still open and that nobody has priced.
    pub high: Option<f64>,
}

/// What a drill cost.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Cost {
    /// The downtime that the verdict's contract bills.
    pub billed: Option<Bounds>,
    /// The outage was still open: it is priced at the file's `manual_recovery`, if there is one.
    pub priced: Option<Duration>,
    /// The budget's downtime.
    pub budget: Duration,
    /// The budget's window.
    pub window: Duration,
    /// What one such event takes of the budget.
    pub share: Share,
    /// What a year's events take of it; `None` without `per_year`, or without a price for an open outage.
    pub per_year: Option<Share>,
}

fn percent(part: Duration, whole: Duration) -> f64 {
    100.0 * part.as_secs_f64() / whole.as_secs_f64().max(f64::EPSILON)
}

/// The budget's own scale for a year: so many windows in 365 days.
fn windows_a_year(window: Duration) -> f64 {
    365.0 * 86_400.0 / window.as_secs_f64().max(1.0)
}

pub(super) fn cost(history: &History, measured: &Measured, bills: &[Bill]) -> Cost {
    let plan = &history.start.plan;
    let (budget, window) = (plan.project.budget.downtime.0, plan.project.budget.window.0);
    let billed = bills
        .iter()
        .find(|bill| bill.contract == plan.contract())
        .map_or(measured.downtime, |bill| bill.billed);
    let open = billed.high.is_none();
    let priced = plan
        .manual_recovery()
        .filter(|_| open)
        .map(|price| price.0.max(billed.low));
    let low = priced.unwrap_or(billed.low);
    let high = if open { priced } else { billed.high };
    let share = Share {
        low: percent(low, budget),
        high: high.map(|high| percent(high, budget)),
    };
    let per_year = plan
        .scenario
        .per_year
        .as_ref()
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
        budget,
        window,
        share,
        per_year,
    }
}
