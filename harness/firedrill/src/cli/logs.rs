//! The services' logs of a run folder, reduced to the excerpts that reports show.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use super::output;
use firedrill_logs::{LogSummary, Summarizer};
use firedrill_model::files::{self, FileError, Limit};
use firedrill_model::history;

/// Longer lines are cut here.
const LONGEST: u64 = 64 << 10;

/// The largest log that is searched for errors, a minute's work.
const LIMIT: Limit = Limit::new(4 << 30, "a larger one takes minutes to read");

/// The excerpts of all logs, sorted by name. A log that cannot be read is left out, with a warning: a report without
/// logs is better than no report.
pub(super) fn excerpts(run: &Path) -> Vec<LogSummary> {
    let folder = run.join(history::LOGS);
    let left_out = |path: &Path, error: &FileError| {
        output::warning(&format!("left out: the log {}: {error}", path.display()));
    };
    let paths = match files::entries(&folder) {
        Ok(paths) => paths,
        Err(error) => {
            // A drill that was cut off has collected no logs.
            if !error.is_missing() {
                left_out(&folder, &error);
            }
            return Vec::new();
        }
    };
    let mut excerpts = Vec::new();
    for path in paths
        .iter()
        .filter(|path| path.extension().is_some_and(|end| end == "log"))
    {
        match excerpt(path) {
            Ok(summary) => excerpts.push(summary),
            Err(error) => left_out(path, &error),
        }
    }
    excerpts
}

fn excerpt(path: &Path) -> Result<LogSummary, FileError> {
    let service = path.file_stem().unwrap_or_default().to_string_lossy();
    let mut summarizer = Summarizer::new(&service);
    let mut log = BufReader::new(files::open(path, LIMIT)?.take(LIMIT.bytes));
    let mut line = Vec::new();
    loop {
        line.clear();
        // Line by line within a limit: a log may be larger than memory, and without a single line break.
        let read = log.by_ref().take(LONGEST).read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(summarizer.finish());
        }
        summarizer.line(String::from_utf8_lossy(&line).trim_end());
        // The rest of a line that was cut: skipped without being held in memory.
        if line.last() != Some(&b'\n') {
            log.skip_until(b'\n')?;
        }
    }
}
