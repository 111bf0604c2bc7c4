//! The services' logs of a run folder, read for the reports: only what they show is kept.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use firedrill_model::history;
use firedrill_report::{Excerpt, Filter};

/// A line is cut here; the rest of it is passed over.
const LONGEST: u64 = 64 << 10;

/// The excerpts of all logs, in the order of their names. What cannot be read is left out: a report without logs is
/// better than none.
pub(super) fn excerpts(run: &Path) -> Vec<Excerpt> {
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

fn excerpt(path: &Path) -> Option<Excerpt> {
    let mut filter = Filter::new(&path.file_stem()?.to_string_lossy());
    let mut log = BufReader::new(File::open(path).ok()?);
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = log.by_ref().take(LONGEST).read_until(b'\n', &mut line).ok()?;
        if read == 0 {
            return Some(filter.finish());
        }
        filter.line(String::from_utf8_lossy(&line).trim_end());
        if line.last() != Some(&b'\n') {
            log.skip_until(b'\n').ok()?;
        }
    }
}
