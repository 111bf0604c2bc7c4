//! A year's downtime budget: what real outages cost of it, what a contract bills, and a projection of the year.
//! Pure: no clock, no files.

mod account;
mod bearable;
mod billing;
mod ledger;
mod poisson;
pub mod projection;
mod risks;
mod simulation;
pub mod statistics;

pub use account::{Account, Booked, BurnAlert, NoCalendarYear, RunsOut, Terms, burn_alerts};
pub use ledger::{BadEntry, Entry, Ledger, Unreadable};
pub use risks::{Gathered, gather};
