//! Stored runs as arguments: run folders, or folders of them at any depth (artefacts of a CI job, say).

use std::path::{Path, PathBuf};

use super::exit::Exit;
use super::output;
use firedrill_judge::Judgement;
use firedrill_judge::measure::{self, Measured};
use firedrill_model::history::{self, EVENTS, History, ReadError};

/// What lies below the paths that were given, in the order of the names.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Run folders.
    pub(super) folders: Vec<PathBuf>,
    /// The files of the calls that made them.
    pub(super) calls: Vec<PathBuf>,
}

/// A stored run, judged again.
pub(super) struct Judged {
    /// What happened.
    pub(super) history: History,
    /// What it comes to.
    pub(super) measured: Measured,
    /// How that is judged.
    pub(super) judgement: Judgement,
}

/// Looks for runs below the paths, or says which of them holds none.
pub(super) fn find(paths: &[PathBuf]) -> Result<Found, Exit> {
    let mut found = Found::default();
    for path in paths {
        let before = found.folders.len() + found.calls.len();
        below(path, 0, &mut found);
        if found.folders.len() + found.calls.len() == before {
            output::error(&format!(
                "no run is stored in {}: name a run folder, or a folder of them (`firedrill run` makes ./runs)",
                path.display()
            ));
            return Err(Exit::Usage);
        }
    }
    found.folders.sort();
    found.folders.dedup();
    found.calls.sort();
    found.calls.dedup();
    Ok(found)
}

fn below(folder: &Path, depth: u32, found: &mut Found) {
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
            below(&path, depth + 1, found);
        } else if name.starts_with("call-") && name.ends_with(".jsonl") {
            found.calls.push(path);
        }
    }
}

/// Reads a run folder and judges it again.
pub(super) fn judged(folder: &Path) -> Result<Judged, ReadError> {
    let history = history::read(folder)?;
    let measured = measure::measure(&history);
    let judgement = firedrill_judge::judge(&history, &measured);
    Ok(Judged {
        history,
        measured,
        judgement,
    })
}
/// Every run folder, judged; what cannot be read is said, and counted by the caller's `lost`.
pub(super) fn all(folders: &[PathBuf], lost: &mut usize) -> Vec<Judged> {
    let mut runs = Vec::new();
    for folder in folders {
        match judged(folder) {
            Ok(mut run) => {
                run.history.samples = Vec::new(); // measured: hundreds of runs need not be in memory at once
                runs.push(run);
            }
            Err(error) => {
                output::note(&format!("left out: {error}"));
                *lost += 1;
            }
        }
    }
    runs
}
