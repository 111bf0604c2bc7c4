//! Tests of the edge with simulated releases in the same process, without sockets.

#![expect(clippy::unwrap_used, reason = "test helpers outside of test functions")]

mod admin;
mod common;
mod guard;
mod replay;
