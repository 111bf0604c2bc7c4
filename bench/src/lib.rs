//! What the benchmarks share: made-up systems to probe, a reference server that goes dark on purpose, and tables with
//! targets.
//!
//! Each benchmark is a program of its own in `src/bin`; the README beside this crate says how to run them.

pub mod history;
pub mod load;
pub mod plan;
pub mod probing;
pub mod reference;
pub mod secure;
pub mod table;
