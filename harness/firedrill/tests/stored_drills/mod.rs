//! The reports of stored histories, for the tests of reports in text and of the page.

use std::path::{Path, PathBuf};

use firedrill::report::{DrillOutcome, DrillReport};
use firedrill::{history, judge, measure};
use firedrill_logs::{LogSummary, Summarizer};

/// The stored histories: real runs of the shortener on local processes.
pub(crate) const STORED: [&str; 3] = [
    "wrong-json-loader",
    "wrong-loader-on-the-ladder",
    "release-rolled-back",
];

/// The folder of a stored history.
pub(crate) fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/histories/format-1")
        .join(name)
}

/// The report of a stored history.
pub(crate) fn drill_report(name: &str) -> DrillReport {
    let folder = folder(name);
    let history = history::read(&folder).unwrap();
    let measured = measure::measure(&history);
    let judgement = judge::judge(&history, &measured);
    DrillReport::new(&history, measured, judgement, logs(&folder))
}

/// What its services wrote, filtered.
fn logs(folder: &Path) -> Vec<LogSummary> {
    let files = std::fs::read_dir(folder.join(history::LOGS)).unwrap();
    let mut files: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    let excerpt = |file: &PathBuf| {
        let mut log = Summarizer::new(file.file_stem().unwrap().to_str().unwrap());
        let text = std::fs::read_to_string(file).unwrap();
        text.lines().for_each(|line| log.line(line));
        log.finish()
    };
    files.iter().map(excerpt).collect()
}

/// All of them, and one drill of each other kind.
pub(crate) fn drills() -> Vec<DrillOutcome> {
    let failed = DrillOutcome::Failed {
        name: "no-engine".into(),
        why: "no container engine answers: start one, or use --backend process".into(),
    };
    let skipped = DrillOutcome::Skipped {
        name: "disk-full".into(),
        why: "local processes have no volumes of a limited size".into(),
    };
    let mut drills: Vec<DrillOutcome> = STORED
        .iter()
        .map(|name| DrillOutcome::Judged(Box::new(drill_report(name))))
        .collect();
    drills.extend([failed, skipped]);
    drills
}
