//! The real binary: killed, restarted, and telling people.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, outside the tests themselves"
)]

mod alerts;
mod common;
mod kills;
mod tls;
