//! Reports of stored histories: byte for byte, and within their limits.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

mod command;
mod help;
mod hostile;
mod output;
#[path = "../plain_english/mod.rs"]
mod plain_english;
mod regressions;
mod schema;
mod stored;
#[path = "../stored_drills/mod.rs"]
mod stored_drills;
mod untrusted;
mod wording;

use stored_drills::{STORED, drill_report, drills, folder};
