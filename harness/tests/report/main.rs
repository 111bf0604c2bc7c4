//! Reports of stored histories: byte for byte, within their limits, and in a real browser.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

mod browser;
mod cdp;
mod command;
mod schema;
mod stored;

use std::path::{Path, PathBuf};

use firedrill::report::{Drill, Filter, Story};
use firedrill::{history, measure, sla};

/// The stored histories: real runs of the shortener on local processes.
const STORED: [&str; 2] = ["wrong-json-loader", "wrong-loader-on-the-ladder"];

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/histories")
        .join(name)
}

/// A stored history as reports tell it.
fn story(name: &str) -> Story {
    let folder = folder(name);
    let history = history::read(&folder).unwrap();
    let measured = measure::measure(&history);
    let judgement = sla::judge(&history, &measured);
    let mut log = Filter::new("app");
    let text = std::fs::read_to_string(folder.join(history::LOGS).join("app.log")).unwrap();
    text.lines().for_each(|line| log.line(line));
    Story::new(&history, measured, judgement, vec![log.finish()])
}

/// Both histories, and one drill of each other kind.
fn drills() -> Vec<Drill> {
    let failed = Drill::Failed {
        name: "no-engine".into(),
        why: "no container engine answers: start one, or use --target process".into(),
    };
    let skipped = Drill::Skipped {
        name: "disk-full".into(),
        why: "local processes have no volumes of a limited size".into(),
    };
    let mut drills: Vec<Drill> = STORED
        .iter()
        .map(|name| Drill::Judged(Box::new(story(name))))
        .collect();
    drills.extend([failed, skipped]);
    drills
}
