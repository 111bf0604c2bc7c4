//! Firedrill rehearses outages and proves that they fit the budget.
//!
//! It takes scenario files, runs each one as a drill, and gives a verdict: how long users were down, and how much of the
//! yearly downtime budget that used. This crate is the command line, [`cli`]; it also re-exports the crates that do the
//! work, for tests.
//!
//! A stored run can be judged again at any time:
//!
//! ```
//! use firedrill::judge::Verdict;
//! use firedrill::{history, judge, measure};
//!
//! let run = std::path::Path::new("tests/fixtures/histories/format-1/wrong-json-loader");
//! let history = history::read(run)?;
//! let measured = measure::measure(&history);
//! let judgement = judge::judge(&history, &measured);
//! assert_eq!(judgement.verdict(), Verdict::Breached);
//! # Ok::<(), history::ReadError>(())
//! ```

pub mod cli;

pub use firedrill_budget as budget;
pub use firedrill_judge as judge;
pub use firedrill_judge::measure;
pub use firedrill_model::{check, format, history, sample, scenario, units};
pub use firedrill_probe as probe;
pub use firedrill_proxy as proxy;
pub use firedrill_report as report;
pub use firedrill_runner::{Plan, backend, drill, fault};
pub use firedrill_wait as wait;
