//! Tests of the real binary: kills, restarts, alerts.

#![expect(clippy::unwrap_used, reason = "test helpers outside of test functions")]

mod alerts;
mod common;
mod kills;
mod tls;
