//! A year's downtime budget: what real incidents spent of it, and the downtime to expect in a year.
//!
//! * [`Ledger`] reads real incidents, one a line; [`Terms::statement`] says what they spent of the budget by a contract,
//!   how fast, and when the budget runs out.
//! * [`gather`] makes risks of judged drills; [`projection::project`] simulates years of them.
//!
//! Everything here is a pure function: no clock, no files. The formulas are those of `docs/measuring.md`, and what they mean
//! is in `docs/budget.md`.
//!
//! The crate knows `firedrill-judge`, as a drill's cost is part of its judgement, and `firedrill-model`.
//!
//! # Example
//!
//! ```
//! use firedrill_budget::{Ledger, RunsOut, Terms};
//! use firedrill_model::scenario::{Budget, Contract, Year};
//!
//! let terms = Terms {
//!     budget: Budget::default(), // 15 minutes in 365 days
//!     contract: Contract::Strict,
//!     year: Year::Rolling,
//!     zone: jiff::tz::TimeZone::UTC,
//! };
//! let now = "2026-06-01T00:00:00Z".parse()?;
//! let ledger = Ledger::read(
//!     r#"{ "start": "2026-03-04T10:00:00Z", "downtime": "23m", "cause": "the wrong JSON loader" }"#,
//!     now,
//! );
//!
//! let statement = terms.statement(&ledger, now)?;
//! assert_eq!(statement.spent.as_secs(), 23 * 60);
//! assert_eq!(statement.percent.round(), 153.0);
//! assert_eq!(statement.runs_out, RunsOut::Already);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod billing;
mod ledger;
mod poisson;
pub mod projection;
mod risks;
mod simulation;
mod statement;
pub mod statistics;
mod tolerable;

pub use ledger::{Doubled, Incident, IncidentError, Ledger, LineError, UnreadableLine};
pub use risks::{Gathered, gather};
pub use statement::{BilledIncident, BurnAlert, NoCalendarYear, RunsOut, Statement, Terms, burn_alerts};
