//! What the scenario expects, compared with what was measured.
//!
//! Takes the history, what was measured of it and what it cost; gives one check an expectation. Here are budget, downtime
//! and data; `journeys` has what users may suffer, `events` what must happen or must not.

mod events;
mod grounds;
mod journeys;

use std::time::Duration;

use super::Verdict;
use super::check::{Check, Found, Required};
use super::cost::Cost;
use crate::measure::{Bounds, Measured};
use firedrill_model::check::CheckId;
use firedrill_model::history::History;
use firedrill_model::history::plan::{Expect, Limits};
use grounds::Grounds;

fn check(id: CheckId, required: Required, found: Found, verdict: Verdict) -> Check {
    Check {
        id,
        required,
        found,
        verdict,
    }
}

/// Met or breached: for what is known for sure.
fn met(as_required: bool) -> Verdict {
    if as_required {
        Verdict::Met
    } else {
        Verdict::Breached
    }
}

/// Every expectation of the scenario, in the order of reports: the budget first, then users, data and the rest.
pub(super) fn checks(history: &History, measured: &Measured, cost: &Cost) -> Vec<Check> {
    let expect = &history.start.plan.scenario.expect;
    let grounds = Grounds::of(history);
    let downtime = expect.downtime.as_ref();
    let mut checks = vec![budget(cost)];
    checks.extend(downtime.map(|limits| self::downtime(limits, measured.downtime, grounds)));
    checks.extend(journeys::checks(expect, measured, grounds));
    checks.extend(data(expect, measured));
    checks.extend(events::checks(history, measured, grounds));
    checks
}

/// One such event must fit the whole budget.
fn budget(cost: &Cost) -> Check {
    let billed = cost.billed.unwrap_or(Bounds::ZERO);
    let verdict = match (cost.share.high, cost.priced) {
        // An outage that was still down costs what its repair by hand is said to take.
        (_, Some(price)) => met(price <= cost.budget),
        (Some(_), None) => at_most(billed, cost.budget),
        (None, None) if billed.low > cost.budget => Verdict::Breached,
        (None, None) => Verdict::Undecided,
    };
    let required = Required::WithinBudget {
        downtime: cost.budget,
        window: cost.window,
    };
    check(CheckId::Budget, required, Found::Cost(cost.clone()), verdict)
}

/// Judged on the upper bound; a limit between the bounds is undecided.
fn at_most(bounds: Bounds, limit: Duration) -> Verdict {
    match bounds.high {
        Some(high) if high <= limit => Verdict::Met,
        _ if bounds.low > limit => Verdict::Breached,
        // Between the bounds; or still down when observation ended, for no longer than the limit so far.
        Some(_) | None => Verdict::Undecided,
    }
}

/// Judged on the lower bound; a limit between the bounds is undecided.
fn at_least(bounds: Bounds, limit: Duration, grounds: Grounds) -> Verdict {
    match bounds.high {
        _ if bounds.low >= limit => Verdict::Met,
        // What a blind prober did not see may be the rest.
        Some(high) if high < limit => grounds.missing_downtime(),
        _ => Verdict::Undecided,
    }
}

fn downtime(limits: &Limits, found: Bounds, grounds: Grounds) -> Check {
    let (least, most) = (
        limits.at_least.map(|span| span.0),
        limits.at_most.map(|span| span.0),
    );
    // A limit that is not set is met.
    let lower = least.map_or(Verdict::Met, |limit| at_least(found, limit, grounds));
    let upper = most.map_or(Verdict::Met, |limit| at_most(found, limit));
    let required = Required::Downtime {
        at_least: least,
        at_most: most,
    };
    check(
        CheckId::Downtime,
        required,
        Found::Downtime(found),
        lower.max(upper),
    )
}

fn data(expect: &Expect, measured: &Measured) -> Vec<Check> {
    let data = measured.data;
    // A write that nobody could read back may be lost, or corrupt.
    let bounded = |known: usize, allowed: u64| match known as u64 {
        known if known > allowed => Verdict::Breached,
        known if known + data.unknown as u64 > allowed => Verdict::Undecided,
        _ => Verdict::Met,
    };
    let lost = bounded(data.lost, expect.lost_writes);
    let corrupt = bounded(data.corrupt, expect.corrupt_writes);
    let (allowed_lost, allowed_corrupt) = (
        Required::AtMost(expect.lost_writes),
        Required::AtMost(expect.corrupt_writes),
    );
    let mut checks = vec![
        check(CheckId::LostWrites, allowed_lost, Found::Writes(data), lost),
        check(
            CheckId::CorruptWrites,
            allowed_corrupt,
            Found::Count(data.corrupt),
            corrupt,
        ),
    ];
    // Listed only where it happened: no scenario can allow it.
    if data.phantom > 0 {
        let (required, found) = (Required::AtMost(0), Found::Count(data.phantom));
        checks.push(check(CheckId::PhantomWrites, required, found, Verdict::Breached));
    }
    checks
}

#[cfg(test)]
mod tests;
