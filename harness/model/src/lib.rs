//! What is rehearsed, and what a drill records. Pure data: no clock, no network, no runtime.
//!
//! [`scenario`] turns files into a checked plan; [`history`] is what a drill writes and everything after it reads;
//! [`units`] and [`sample`] are the words that both share.

pub mod check;
pub mod format;
pub mod history;
pub mod json_lines;
pub mod sample;
pub mod scenario;
pub mod table;
pub mod units;
