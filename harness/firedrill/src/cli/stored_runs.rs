//! Stored runs as arguments: run folders, or folders that contain them at any depth, such as CI artifacts.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use super::output;
use super::suite_log::is_suite_log;
use firedrill_judge::Judgement;
use firedrill_judge::measure::{self, Measured};
use firedrill_model::format;
use firedrill_model::history::{self, EVENTS, History, ReadError, SAMPLES};

/// What was found below the given paths, sorted.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Run folders, each run once.
    pub(super) runs: Vec<RunFolder>,
    /// Suite logs, each file once.
    pub(super) suite_logs: Vec<PathBuf>,
}

impl Found {
    fn len(&self) -> usize {
        self.runs.len() + self.suite_logs.len()
    }

    /// The paths of the run folders.
    pub(super) fn folders(&self) -> Vec<PathBuf> {
        self.runs.iter().map(|run| run.path.clone()).collect()
    }

    /// The folder of a run.
    pub(super) fn run(&self, id: &str) -> Option<&RunFolder> {
        self.runs.iter().find(|run| run.id() == id)
    }
}

/// A run folder that was found.
#[derive(Debug, Clone)]
pub(super) struct RunFolder {
    /// Its path.
    pub(super) path: PathBuf,
    /// The run's own id; `None` when its history does not say it.
    recorded: Option<String>,
}

impl RunFolder {
    fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            recorded: history::run_id(path),
        }
    }

    /// The run's own id, or the folder's name when the history cannot be read.
    pub(super) fn id(&self) -> String {
        self.recorded.clone().unwrap_or_else(|| file_name(&self.path))
    }

    /// Whether the folder still has the name that it was created with.
    fn has_its_name(&self) -> bool {
        self.recorded
            .as_ref()
            .is_some_and(|id| file_name(&self.path) == *id)
    }
}

/// Why no runs can be found.
#[derive(Debug, thiserror::Error)]
pub(super) enum FindError {
    /// A path has none below it.
    #[error(
        "no run is stored in {}: give a run folder, or a folder that contains run folders (`firedrill run` writes to \
         ./runs)",
        .0.display()
    )]
    NoRuns(PathBuf),
    /// A path has suite logs below it, but no runs.
    #[error("no run folder is in {}, only the log of a suite: its run folders were moved or removed", .0.display())]
    OnlySuiteLogs(PathBuf),
    /// A folder cannot be listed: the runs in it would be missing without anybody knowing.
    #[error("cannot list {}: make it readable, or move it elsewhere", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// A stored run, judged again.
pub(super) struct Judged {
    /// What happened.
    pub(super) history: History,
    /// What was measured.
    pub(super) measured: Measured,
    /// The verdict.
    pub(super) judgement: Judgement,
}

/// Finds the runs and suite logs below the paths.
///
/// # Errors
/// [`FindError`] for the first path without any, or below which a folder cannot be listed.
pub(super) fn find(paths: &[PathBuf]) -> Result<Found, FindError> {
    let mut found = Found::default();
    for path in paths {
        let before = found.len();
        search(path, 0, &mut found)?;
        if found.len() == before {
            return Err(FindError::NoRuns(path.clone()));
        }
    }
    found.runs = distinct_runs(found.runs);
    found.suite_logs.sort();
    let mut seen = BTreeSet::new();
    found.suite_logs.retain(|path| seen.insert(canonical(path)));
    Ok(found)
}

/// Each run once. A folder may be given twice, by itself and within another; a run may have a second name, as a link
/// (`latest`) or as a copy. Two names are no second piece of evidence.
fn distinct_runs(mut runs: Vec<RunFolder>) -> Vec<RunFolder> {
    // A folder with the run's own name goes before links to it and copies of it.
    runs.sort_by(|a, b| (!a.has_its_name(), &a.path).cmp(&(!b.has_its_name(), &b.path)));
    let mut places = BTreeSet::new();
    let mut by_id: BTreeMap<String, PathBuf> = BTreeMap::new();
    runs.retain(|run| {
        if !places.insert(canonical(&run.path)) {
            return false;
        }
        let Some(id) = run.recorded.clone() else {
            return true;
        };
        match by_id.entry(id) {
            Entry::Vacant(entry) => {
                entry.insert(run.path.clone());
                true
            }
            Entry::Occupied(entry) => {
                let (copy, first) = (run.path.display(), entry.get().display());
                output::warning(&format!(
                    "left out: {copy} is a copy of {first}, which counts once"
                ));
                false
            }
        }
    });
    runs.sort_by(|a, b| a.path.cmp(&b.path));
    runs
}

/// The path without links; as it is when it leads nowhere.
fn canonical(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

/// Finds run folders below the paths, at least one.
///
/// # Errors
/// [`FindError`].
pub(super) fn find_folders(paths: &[PathBuf]) -> Result<Vec<PathBuf>, FindError> {
    let folders = find(paths)?.folders();
    match (folders.is_empty(), paths.first()) {
        (true, Some(path)) => Err(FindError::OnlySuiteLogs(path.clone())),
        _ => Ok(folders),
    }
}

/// Whether a folder is a run's: whatever lies under these names, and if one is missing. A run that cannot be read must
/// be reported, not overlooked.
fn is_run(folder: &Path) -> bool {
    let is_there = |name: &&str| folder.join(name).symlink_metadata().is_ok();
    [EVENTS, SAMPLES].iter().any(is_there)
}

fn search(folder: &Path, depth: u32, found: &mut Found) -> Result<(), FindError> {
    const DEEPEST: u32 = 6;
    if is_run(folder) {
        found.runs.push(RunFolder::new(folder));
        return Ok(());
    }
    let cannot_list = |source| FindError::Folder {
        path: folder.to_owned(),
        source,
    };
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        // Only a path that somebody gave: the caller says that nothing is there.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(cannot_list(error)),
    };
    for entry in entries {
        let path = entry.map_err(cannot_list)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        // A link may be a second name of a run, such as `latest`. Any other may lead to the whole disk, or in circles.
        let passed = path.is_symlink() && !is_run(&path);
        if path.is_dir() && !passed && depth < DEEPEST {
            search(&path, depth + 1, found)?;
        } else if is_suite_log(&name) {
            found.suite_logs.push(path);
        }
    }
    Ok(())
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

/// Several runs, judged.
pub(super) struct JudgedRuns {
    /// Those that can be read, without their samples.
    pub(super) runs: Vec<Judged>,
    /// How many cannot be read.
    pub(super) unreadable: usize,
}

/// Judges every run folder that can be read, with a warning for each that cannot.
pub(super) fn judge_all(folders: &[PathBuf]) -> JudgedRuns {
    let mut judged = JudgedRuns {
        runs: Vec::new(),
        unreadable: 0,
    };
    for folder in folders {
        match judge(folder) {
            Ok(mut run) => {
                // The samples are measured now, and hundreds of runs would not fit into memory with them.
                run.history.samples = Vec::new();
                judged.runs.push(run);
            }
            Err(error) => {
                judged.unreadable += 1;
                output::warning(&format!("left out: {}", format::chain(&error)));
            }
        }
    }
    judged
}

/// The last part of a path, as text.
pub(super) fn file_name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}
