//! The edge driven in the process: slots are made up, nothing listens.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, outside the tests themselves"
)]

mod admin;
mod common;
mod guard;
mod replay;
