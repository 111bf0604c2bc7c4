//! Stored runs as arguments: run folders, or folders that contain them at any depth, such as CI artifacts.

use std::path::{Path, PathBuf};

use super::output;
use firedrill_judge::Judgement;
use firedrill_judge::measure::{self, Measured};
use firedrill_model::history::{self, EVENTS, History, ReadError};

/// What was found below the given paths, sorted.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Run folders.
    pub(super) folders: Vec<PathBuf>,
    /// Suite logs.
    pub(super) suite_logs: Vec<PathBuf>,
}

impl Found {
    fn len(&self) -> usize {
        self.folders.len() + self.suite_logs.len()
    }
}

/// A path without stored runs.
#[derive(Debug, thiserror::Error)]
#[error(
    "no run is stored in {}: give a run folder, or a folder that contains run folders (`firedrill run` writes to ./runs)",
    .0.display()
)]
pub(super) struct NoRuns(PathBuf);

/// A stored run, judged again.
pub(super) struct Judged {
    /// What happened.
    pub(super) history: History,
    /// What was measured.
    pub(super) measured: Measured,
    /// The verdict.
    pub(super) judgement: Judgement,
}

/// Finds the runs below the paths.
///
/// # Errors
/// [`NoRuns`] for the first path without any.
pub(super) fn find(paths: &[PathBuf]) -> Result<Found, NoRuns> {
    let mut found = Found::default();
    for path in paths {
        let before = found.len();
        search(path, 0, &mut found);
        if found.len() == before {
            return Err(NoRuns(path.clone()));
        }
    }
    // A folder may be given twice, by itself and within another.
    found.folders.sort();
    found.folders.dedup();
    found.suite_logs.sort();
    found.suite_logs.dedup();
    Ok(found)
}

fn search(folder: &Path, depth: u32, found: &mut Found) {
    const DEEPEST: u32 = 6; // symbolic links may go in circles
    if folder.join(EVENTS).is_file() {
        found.folders.push(folder.to_owned());
        return;
    }
    for path in std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
    {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() && depth < DEEPEST {
            search(&path, depth + 1, found);
        } else if name.starts_with("call-") && name.ends_with(".jsonl") {
            found.suite_logs.push(path);
        }
    }
}

/// Reads a run folder and judges it again.
///
/// # Errors
/// When the folder holds no readable history.
pub(super) fn judge(folder: &Path) -> Result<Judged, ReadError> {
    let history = history::read(folder)?;
    let measured = measure::measure(&history);
    let judgement = firedrill_judge::judge(&history, &measured);
    Ok(Judged {
        history,
        measured,
        judgement,
    })
}

/// Judges every run folder that can be read, with a warning for each that cannot.
pub(super) fn judge_all(folders: &[PathBuf]) -> Vec<Judged> {
    let mut runs = Vec::new();
    for folder in folders {
        match judge(folder) {
            Ok(mut run) => {
                // The samples are measured now, and hundreds of runs would not fit into memory with them.
                run.history.samples = Vec::new();
                runs.push(run);
            }
            Err(error) => output::warning(&format!("left out: {}", output::chain(&error))),
        }
    }
    runs
}

/// The last part of a path, as text.
pub(super) fn file_name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}
