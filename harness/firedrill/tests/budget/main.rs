//! The year's budget, through the real binary and on made-up histories: shards, ledger, projection, comparison.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on fails where it stands"
)]

mod compare;
mod identity;
mod ledger;
mod merge;
mod missing;
#[path = "../plain_english/mod.rs"]
mod plain_english;
mod projection;
mod stored;
