//! The services' logs of a run folder, reduced to the excerpts that reports show.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use firedrill_logs::{LogSummary, Summarizer};
use firedrill_model::history;

/// Longer lines are cut here.
const LONGEST: u64 = 64 << 10;

/// The excerpts of all logs, sorted by name. A log that cannot be read is left out: a report without logs is better than
/// no report.
pub(super) fn excerpts(run: &Path) -> Vec<LogSummary> {
    let Ok(folder) = std::fs::read_dir(run.join(history::LOGS)) else {
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = folder
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .collect();
    paths.retain(|path| path.extension().is_some_and(|end| end == "log"));
    paths.sort();
    paths.iter().filter_map(|path| excerpt(path)).collect()
}

fn excerpt(path: &Path) -> Option<LogSummary> {
    let mut summarizer = Summarizer::new(&path.file_stem()?.to_string_lossy());
    let mut log = BufReader::new(File::open(path).ok()?);
    let mut line = Vec::new();
    loop {
        line.clear();
        // Line by line within a limit: a log may be larger than memory, and without a single line break.
        let read = log.by_ref().take(LONGEST).read_until(b'\n', &mut line).ok()?;
        if read == 0 {
            return Some(summarizer.finish());
        }
        summarizer.line(String::from_utf8_lossy(&line).trim_end());
        // The rest of a line that was cut: skipped without being held in memory.
        if line.last() != Some(&b'\n') {
            log.skip_until(b'\n').ok()?;
        }
    }
}
