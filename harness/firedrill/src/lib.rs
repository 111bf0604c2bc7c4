//! Firedrill rehearses outages and proves that they fit the budget.
//!
//! It starts a service, breaks it on purpose, watches it as its users would, and says with numbers what that cost of
//! the year's budget. This crate is the command line; the crates that do the work are re-exported for tests.

pub mod cli;

pub use firedrill_budget as budget;
pub use firedrill_judge as judge;
pub use firedrill_judge::measure;
pub use firedrill_model::{check, history, sample, scenario, units};
pub use firedrill_proxy as proxy;
pub use firedrill_report as report;
pub use firedrill_runner::{Plan, backend, drill, fault, probe};
pub use firedrill_wait as wait;
