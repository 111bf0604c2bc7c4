//! A service that floods its log.

use std::path::Path;

use acceptance::Kind;
use firedrill::history::Event;

use acceptance::shapes::{Calm, Drilled, folder};

/// A service that writes more than is kept: its log has a beginning, an end, and a line about the rest, and what is
/// expected in it is found although it was left out.
pub(crate) async fn a_flooded_log_is_cut_and_says_so(kind: Kind) {
    let folder = folder(
        Path::new(env!("CARGO_TARGET_TMPDIR")),
        &[("log-flood", Calm::Good)],
    );
    let file = folder.path().join("flooded.toml");
    let text = "summary = \"a flood of log\"\nsystem = \"systems/log-flood.toml\"\n\
        [expect]\njourneys = { front = \"may be down\", store = \"may be down\" }\nlogs = { app = \"alive \" }\n";
    std::fs::write(&file, text).unwrap();
    let runs = folder.path().join("runs");
    let (kind, file) = (kind.to_string(), file.display().to_string());
    let args = ["run", "--backend", &kind, "--log-limit", "64KiB", &file];
    let ended = acceptance::run_alone(&runs, &args);
    let [run] = &acceptance::run_folders(&runs)[..] else {
        panic!("{ended}");
    };
    let log = std::fs::read_to_string(run.join("logs/app.log")).unwrap();
    assert!(log.contains(" bytes of this log left out here]\n"), "{log:.300}");
    assert!((60 << 10..66 << 10).contains(&log.len()), "{} bytes", log.len());
    let drilled = Drilled::read(run.clone());
    let found = |event: &Event| matches!(event, Event::Logged { found: true, .. });
    assert!(
        drilled.history.events.iter().any(|event| found(&event.event)),
        "{ended}"
    );
}
