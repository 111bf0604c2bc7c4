//! Firedrill rehearses outages and proves that they fit the budget.
//!
//! It starts a service, breaks it on purpose, watches it as its users would, and says with numbers what that cost of
//! the year's budget. Data flows one way; imports run only along these arrows (a test checks them):
//!
//! ```text
//! main → cli → drill → { fault → { target, link }, probe } → scenario
//!        cli → report → sla → measure → history → scenario        drill → { history, link }
//! ```
//!
//! [`units`], [`sample`] and [`wait`] are the words everybody shares; they import nothing of the rest.

pub mod cli;
pub mod drill;
pub mod fault;
pub mod history;
pub mod link;
pub mod measure;
pub mod probe;
pub mod report;
pub mod sample;
pub mod scenario;
pub mod sla;
pub mod target;
pub mod units;
pub mod wait;
