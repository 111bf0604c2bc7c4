//! From a drill's history to outages with bounds, checks and a verdict.
//!
//! Takes a [`History`]: samples and events, as a drill wrote them down. [`measure`] turns it into numbers, each with the
//! bounds within which the truth lies; [`judge`] compares those with what the history's own plan requires. Reports, exit
//! codes, budgets and comparisons are made from the result. The formulas are those of `docs/measuring.md`.
//!
//! Everything here is a pure function: no clock, no files, no runtime. A stored history gives the same verdict for good.
//!
//! The crate knows `firedrill-model` and nothing else of the harness; `firedrill-budget` and `firedrill-report` build on
//! it.
//!
//! # Example
//!
//! A service that refuses every request for the second half of two seconds:
//!
//! ```
//! use std::time::Duration;
//! use firedrill_judge::{Verdict, judge, measure};
//! use firedrill_model::history::{Event, History, Phase, Stamped};
//! use firedrill_model::sample::{Bad, Label, Micros, Mode, Outcome, Sample, StreamId};
//!
//! let journeys = serde_json::json!([
//!     { "name": "get", "rate": "100/s", "request": { "path": "/" }, "answer": { "status": 200 } },
//! ]);
//! let sample = |at: u64| Sample {
//!     stream: StreamId(0),
//!     due: Micros(at * 1000),
//!     sent: Micros(at * 1000),
//!     first: Micros(at * 1000 + 500),
//!     ended: Micros(at * 1000 + 500),
//!     outcome: if at < 1000 { Outcome::Good } else { Outcome::Bad(Bad::Refused) },
//!     status: 0,
//!     release: Label::NONE,
//!     rung: Label::NONE,
//!     reconnected: false,
//! };
//! let stream = Event::Stream { stream: StreamId(0), journey: "get".into(), mode: Mode::New, rate: 100.0 };
//! let steps = Event::Phase { phase: Phase::Steps };
//! let history = History {
//!     start: firedrill_model::history::made_up("refused", &journeys),
//!     events: [stream, steps].map(|event| Stamped { at: Micros(0), event }).into(),
//!     samples: (0..2000).step_by(10).map(sample).collect(),
//!     load: Vec::new(),
//!     labels: vec![String::new()],
//!     torn: Vec::new(),
//! };
//!
//! let measured = measure::measure(&history);
//! assert!(measured.downtime.low >= Duration::from_millis(980));
//! assert_eq!(measured.downtime.high, None); // still down at the end
//!
//! // Neither a steady state nor an end was recorded: whatever was measured, it proves nothing.
//! let judgement = judge(&history, &measured);
//! assert!(!judgement.has_evidence());
//! assert_eq!(judgement.verdict(), Verdict::Undecided);
//! ```

pub mod check;
mod checks;
pub mod compare;
mod contract;
mod cost;
mod evidence;
mod judgement;
#[cfg(test)]
mod made_up;
pub mod measure;
pub mod statistics;
pub mod tally;
mod words;

pub use check::Check;
pub use contract::Bill;
pub use cost::{Cost, Share};
pub use judgement::{Judgement, Verdict};

use crate::measure::Measured;
use firedrill_model::history::History;

/// Judges what was measured by what the history's own plan requires.
pub fn judge(history: &History, measured: &Measured) -> Judgement {
    let bills = contract::bills(history, measured);
    let watched = evidence::settle_time_watched(history);
    let cost = cost::cost(history, measured, &bills, watched);
    let expected = checks::checks(history, measured, &cost);
    let mut checks = evidence::checks(history, measured);
    // A drill that ended before its first fault has tried nothing: its zeros are no success.
    checks.extend(if evidence::reached_steps(history) {
        expected
    } else {
        expected.into_iter().map(Check::not_reached).collect()
    });
    let control = history.start.plan.scenario.control.as_ref();
    Judgement {
        control: control.map(|control| control.breaches.clone()),
        checks,
        bills,
        cost,
    }
}
