//! What a run keeps for its services in its folder, and which folders are runs at all: a wrong `--runs` must cost
//! nobody anything. Histories and logs stay.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::Deserialize;

use super::{Cleanup, Scope};
use crate::backend::owner::{Fate, Owner, Place, Process};
use crate::backend::process::members::MEMBERS_FILE;
use crate::backend::run_id::is_run_id;
use crate::backend::tmpfs;
use firedrill_model::files::{self, Limit};
use firedrill_model::history::{self, BackendKind};

/// The file in a run folder that names the run's owner.
pub const OWNER_FILE: &str = "owner";
/// An owner is a line of some twenty bytes.
const OWNER_LIMIT: Limit = Limit::new(4 << 10, "it names one owner");
/// A line of some twenty bytes for each process that a service ever had.
const MEMBERS_LIMIT: Limit = Limit::new(16 << 20, "it lists a service's processes");
/// An engine goes on with what it was asked for when the one who asked is killed: what it makes of that is there by so
/// long after the last sign of life.
const SETTLED_AFTER: Duration = Duration::from_secs(3);
/// The registry of overlapping faults in a run folder.
pub const OVERLAPS_FOLDER: &str = "overlaps";
/// What a run has there for its services. `aside` was the registry of older versions.
pub(in crate::backend) const SERVICES: [&str; 4] = ["volumes", "processes", OVERLAPS_FOLDER, "aside"];
/// The two sides of a comparison, each with runs of its own. `base` was the baseline's name in older versions.
const SIDES: [&str; 3] = ["baseline", "head", "base"];

/// A folder that is a run's by its name, and says whose that is.
struct Run {
    id: String,
    path: PathBuf,
    owner: String,
}

/// The run folders below a folder, also those of comparisons.
fn all(runs: &Path) -> Vec<Run> {
    let mut found = Vec::new();
    for path in real_folders(runs) {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let Some(id) = name.filter(|name| is_run_id(name)) else {
            continue;
        };
        match files::read(&path.join(OWNER_FILE), OWNER_LIMIT) {
            Ok(owner) => found.push(Run {
                id,
                path,
                // What is no text is no owner either: nothing of the run is removed then.
                owner: String::from_utf8_lossy(&owner).trim().to_owned(),
            }),
            Err(_) => found.extend(named(&path, &SIDES).iter().flat_map(|side| all(side))),
        }
    }
    found
}

/// The folders in a folder, no links to any.
fn real_folders(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
        .collect()
}

/// Those of the folders in a folder that bear one of these names.
fn named(folder: &Path, names: &[&str]) -> Vec<PathBuf> {
    let mut folders = real_folders(folder);
    folders.retain(|folder| names.iter().any(|name| folder.ends_with(name)));
    folders
}

/// The run folders of lost runs that still hold what a cleanup removes.
pub fn lost(runs: &Path) -> Vec<PathBuf> {
    let left = |run: &Run| {
        let owner = run.owner.parse::<Owner>();
        owner.is_ok_and(|owner| owner.fate() == Fate::Lost) && !run.service_folders().is_empty()
    };
    let lost = all(runs).into_iter().filter(left);
    lost.map(|run| run.path).collect()
}

impl Run {
    /// What it still holds of its services.
    fn service_folders(&self) -> Vec<PathBuf> {
        named(&self.path, &SERVICES)
    }

    /// A run whose harness was killed before its history began has nothing to tell: not even its first event is whole.
    fn never_began(&self) -> bool {
        match history::first_line(&self.path) {
            Ok(line) => line.last() != Some(&b'\n'),
            Err(error) => error.is_missing(),
        }
    }

    /// When its harness last wrote anything.
    fn last_sign_of_life(&self) -> Option<SystemTime> {
        let files = fs::read_dir(&self.path).ok()?.flatten();
        files
            .filter_map(|file| file.metadata().ok()?.modified().ok())
            .max()
    }

    /// Whether its services were containers, as its history says first.
    fn in_containers(&self) -> bool {
        let first = history::first_line(&self.path).ok();
        let start = first.and_then(|line| serde_json::from_slice::<Began>(&line).ok());
        start.is_some_and(|start| start.backend == BackendKind::Docker)
    }
}

/// The first event of a history, as far as cleanup needs it: a history that this version cannot read is cleaned up too.
/// Older versions called the backend `target`.
#[derive(Deserialize)]
struct Began {
    #[serde(alias = "target")]
    backend: BackendKind,
}

/// The processes that runs listed as their services' and that still run, with the id and the owner of each run. Only of runs
/// on this machine since it was booted: elsewhere a pid is somebody else's.
pub(super) fn members(runs: &Path) -> Vec<(String, String, Vec<Process>)> {
    let is_here = |run: &Run| (run.owner.parse::<Owner>()).is_ok_and(|owner| owner.place == Place::here());
    let listed = |run: Run| {
        let services = named(&run.path, &["processes"]);
        let folders = services.iter().flat_map(|services| real_folders(services));
        let texts =
            folders.filter_map(|service| files::read(&service.join(MEMBERS_FILE), MEMBERS_LIMIT).ok());
        let lines = texts.flat_map(|text| {
            let text = String::from_utf8_lossy(&text);
            // A torn last line may read as another process; its start time would have to match too.
            let lines: Vec<Process> = text.lines().filter_map(|line| line.parse().ok()).collect();
            lines
        });
        let alive = lines.filter(|process| process.is_alive()).collect();
        (run.id, run.owner, alive)
    };
    all(runs).into_iter().filter(is_here).map(listed).collect()
}

/// How long to wait until an engine has done what runs that were just killed had asked of it.
pub(super) fn settling(scope: &Scope, runs: &Path) -> Duration {
    let is_in_scope = |run: &Run| {
        let owner = run.owner.parse::<Owner>();
        owner.is_ok_and(|owner| owner.fate() == Fate::Lost) && scope.check(&run.id, Some(&run.owner)).is_ok()
    };
    let now = SystemTime::now();
    let rest = |run: Run| {
        let since = now.duration_since(run.last_sign_of_life()?).ok()?;
        let engine = run.never_began() || run.in_containers();
        SETTLED_AFTER.checked_sub(since).filter(|_| engine)
    };
    let lost = all(runs).into_iter().filter(is_in_scope);
    lost.filter_map(rest).max().unwrap_or_default()
}

/// What runs kept for their services below `runs`, and run folders without a history. `unseen` says why containers
/// could not be looked at: then the folders of runs that had some stay, so that they are offered again.
pub(super) async fn clean_up(scope: &Scope, runs: &Path, unseen: Option<&str>, cleanup: &mut Cleanup) {
    for run in all(runs) {
        let kept = run.service_folders();
        let unseen = unseen.filter(|_| !kept.is_empty() && run.in_containers());
        if let Some(why) = unseen.filter(|_| scope.check(&run.id, Some(&run.owner)).is_ok()) {
            cleanup.fail(
                &run.id,
                format!(
                    "the containers of run {} could not be looked at, so its folders stay: {why}",
                    run.id
                ),
            );
        }
        if cleanup.has_failed(&run.id) {
            continue;
        }
        for folder in kept {
            let name = folder
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            let remove = async { tmpfs::remove_all(&folder) };
            cleanup
                .one(scope, format!("folder {name}"), &run.id, Some(&run.owner), remove)
                .await;
        }
        if run.never_began() && run.owner.parse::<Owner>().is_ok() {
            let remove = async { tmpfs::remove_all(&run.path) };
            cleanup
                .one(
                    scope,
                    "empty run folder".into(),
                    &run.id,
                    Some(&run.owner),
                    remove,
                )
                .await;
        }
    }
}
