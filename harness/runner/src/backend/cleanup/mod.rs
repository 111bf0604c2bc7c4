//! Finishing what a killed harness left behind: by label and mark, and only of runs whose owner is known to be gone.

mod containers;
mod run_folders;

use std::collections::BTreeSet;
use std::error::Error;
use std::path::Path;
use std::time::Instant;

use firedrill_model::format;
use serde::Serialize;

use super::owner::{Fate, Owner, lineage};
use super::process_table::{self as table, Table};
pub(super) use run_folders::SERVICES;
pub use run_folders::{OVERLAPS_FOLDER, OWNER_FILE, lost};

use super::{docker, process_label};

/// Which runs are cleaned up.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Scope {
    /// Those whose harness has ended.
    Lost {
        /// Also those whose harness still runs.
        running: bool,
        /// Also those of other machines and pid namespaces, whose harness cannot be seen from here.
        elsewhere: bool,
    },
    /// One, whether or not its harness still runs.
    Run(String),
}

/// The result of a cleanup.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Cleanup {
    /// What was removed.
    pub removed: Vec<String>,
    /// What was left, and why.
    pub left: Vec<String>,
    /// What should have been removed and was not, and why.
    pub failed: Vec<String>,
    /// What could not be looked at, and why.
    pub unseen: Option<String>,
    /// The runs of which something was removed.
    #[serde(skip)]
    touched: BTreeSet<String>,
    /// The runs of which something should have been and was not.
    #[serde(skip)]
    unfinished: BTreeSet<String>,
}

/// Why something is not removed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Skip {
    #[error("it belongs to another run")]
    OtherRun,
    #[error("it has no owner; if nobody uses it, remove it with: {}", format::command(["firedrill", "clean", "--run", run.as_str()]))]
    NoOwner { run: String },
    #[error("its harness still runs (process {pid})")]
    HarnessRuns { pid: u32 },
    #[error(
        "it belongs to another machine or container: run firedrill clean there, or, if that no longer exists, with \
         --other-machines here"
    )]
    Elsewhere,
}

impl Scope {
    /// Whether something of a run with this owner is to be removed; if not, why.
    pub(super) fn check(&self, run: &str, owner: Option<&str>) -> Result<(), Skip> {
        let (running, elsewhere) = match self {
            Self::Run(wanted) if wanted == run => return Ok(()),
            Self::Run(_) => return Err(Skip::OtherRun),
            Self::Lost { running, elsewhere } => (*running, *elsewhere),
        };
        let Some(owner) = owner.and_then(|owner| owner.parse::<Owner>().ok()) else {
            return Err(Skip::NoOwner { run: run.to_owned() });
        };
        match owner.fate() {
            Fate::Runs if !running => Err(Skip::HarnessRuns {
                pid: owner.process.pid,
            }),
            Fate::Elsewhere if !elsewhere => Err(Skip::Elsewhere),
            _ => Ok(()),
        }
    }
}

impl Cleanup {
    /// Removes one thing if it is in scope, and records the result.
    pub(super) async fn one<E: Error + 'static>(
        &mut self,
        scope: &Scope,
        thing: String,
        run: &str,
        owner: Option<&str>,
        remove: impl Future<Output = Result<(), E>>,
    ) {
        match scope.check(run, owner) {
            Err(why) => self.left.push(format!("{thing} of run {run}: {why}")),
            Ok(()) => match remove.await {
                Ok(()) => {
                    self.touched.insert(run.to_owned());
                    self.removed.push(format!("{thing} of run {run}"));
                }
                Err(error) => self.fail(run, format!("{thing} of run {run}: {}", format::chain(&error))),
            },
        }
    }

    /// Records that something of a run was not removed.
    pub(super) fn fail(&mut self, run: &str, what: String) {
        self.unfinished.insert(run.to_owned());
        self.failed.push(what);
    }

    /// Whether something of a run was not removed.
    pub(super) fn has_failed(&self, run: &str) -> bool {
        self.unfinished.contains(run)
    }

    /// Whether this cleanup has removed all that was left of a run.
    pub fn finished(&self, run: &str) -> bool {
        self.touched.contains(run) && !self.has_failed(run)
    }
}

/// Removes what runs left behind: processes, containers, networks, volumes, and then the folders of a run's services
/// below `runs`, of those runs of which nothing else is left. Histories and logs stay.
pub async fn clean_up(scope: &Scope, runs: &Path) -> Cleanup {
    let mut cleanup = Cleanup::default();
    processes(scope, &mut cleanup).await;
    members(scope, runs, &mut cleanup).await;
    let seen = match docker::connect().await {
        Ok((client, _)) => {
            firedrill_wait::until_due(Instant::now() + run_folders::settling(scope, runs)).await;
            containers::clean_up(&client, scope, &mut cleanup)
                .await
                .map_err(|error| format::chain(&error))
        }
        Err(error) => Err(format::chain(&error)),
    };
    run_folders::clean_up(scope, runs, seen.as_ref().err().map(String::as_str), &mut cleanup).await;
    cleanup.unseen = seen
        .err()
        .map(|why| format!("containers, networks and volumes: {why}"));
    cleanup
}

/// Processes with a run's label: those of this user, which we may end.
async fn processes(scope: &Scope, cleanup: &mut Cleanup) {
    for process in process_label::labelled() {
        let thing = process.to_string();
        if process.is_ours {
            cleanup
                .left
                .push(format!("{thing} of run {}: it runs this cleanup", process.run));
            continue;
        }
        let kill = async { process_label::end(process.process) };
        cleanup
            .one(scope, thing, &process.run, process.owner.as_deref(), kill)
            .await;
    }
}

/// Processes that have lost their label with their environment: those that a run's folder lists, and what they have started.
async fn members(scope: &Scope, runs: &Path, cleanup: &mut Cleanup) {
    let ours = lineage();
    for (run, owner, listed) in run_folders::members(runs) {
        let table = Table::look();
        let pids = listed.iter().map(|process| process.pid).collect();
        let pids = table.with_descendants(pids);
        let left = table.rows().filter(|row| {
            let pid = row.process.pid;
            pids.contains(&pid) && row.is_alive() && !ours.contains(&pid) && !process_label::has_label(pid)
        });
        for row in left {
            let end = async { process_label::end(row.process) };
            let name = table::name(row.process.pid);
            cleanup.one(scope, name, &run, Some(&owner), end).await;
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::fs;

    use super::*;
    use crate::backend::OWNER_FILE;
    use crate::backend::owner::{Place, Process};

    const LOST: Scope = Scope::Lost {
        running: false,
        elsewhere: false,
    };
    const RUN: &str = "20261125-103000-killed-v3-1-0a1b2c";

    fn dead() -> Owner {
        let process = Process {
            pid: 1,
            started: u64::MAX,
        };
        Owner {
            process,
            ..Owner::this()
        }
    }

    fn elsewhere() -> Owner {
        let here = Place::here();
        let place = Place {
            machine: here.machine ^ 1,
            ..here
        };
        Owner { place, ..dead() }
    }

    fn takes(scope: &Scope, owner: Owner) -> bool {
        scope.check("a", Some(&owner.to_string())).is_ok()
    }

    #[test]
    fn an_engine_is_given_the_time_to_do_what_a_killed_run_had_asked_of_it() {
        let runs = tempfile::tempdir().unwrap();
        let run = runs.path().join(RUN);
        fs::create_dir(&run).unwrap();
        let settling = || run_folders::settling(&LOST, runs.path());
        fs::write(run.join(OWNER_FILE), Owner::this().to_string()).unwrap();
        assert!(settling().is_zero(), "it still runs");
        fs::write(run.join(OWNER_FILE), dead().to_string()).unwrap();
        assert!(!settling().is_zero(), "it was killed before its history began");
        fs::write(run.join("events.jsonl"), "{\"target\":\"docker\"}\n").unwrap();
        assert!(!settling().is_zero(), "it was killed just now");
        fs::write(run.join("events.jsonl"), "{\"target\":\"process\"}\n").unwrap();
        assert!(settling().is_zero(), "no engine was asked");
    }

    #[test]
    fn a_run_whose_owner_lives_is_left_alone_unless_it_is_asked_for() {
        assert!(!takes(&LOST, Owner::this()));
        assert!(takes(&LOST, dead()));
        let running = Scope::Lost {
            running: true,
            elsewhere: false,
        };
        assert!(takes(&running, Owner::this()));
        assert!(!takes(&running, elsewhere()));
        assert!(takes(&Scope::Run("a".into()), Owner::this()));
        assert!(!takes(&Scope::Run("b".into()), dead()));
    }

    #[test]
    fn a_run_of_another_machine_is_left_alone_unless_it_is_asked_for() {
        assert!(!takes(&LOST, elsewhere()));
        let elsewhere_too = Scope::Lost {
            running: false,
            elsewhere: true,
        };
        assert!(takes(&elsewhere_too, elsewhere()));
        assert!(!takes(&elsewhere_too, Owner::this()));
    }

    #[test]
    fn what_nothing_says_the_owner_of_is_left_alone_unless_its_run_is_named() {
        let every = Scope::Lost {
            running: true,
            elsewhere: true,
        };
        for owner in [None, Some(""), Some("me"), Some("1:2")] {
            assert!(
                every
                    .check("a", owner)
                    .unwrap_err()
                    .to_string()
                    .contains("--run a")
            );
            assert!(Scope::Run("a".into()).check("a", owner).is_ok());
        }
    }

    /// A folder below `runs` with an owner file, volumes, and a history if wanted.
    #[expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]
    fn folder(runs: &Path, name: &str, owner: &str, events: Option<&str>) -> std::path::PathBuf {
        let run = runs.join(name);
        fs::create_dir_all(run.join("volumes/app/store")).unwrap();
        fs::write(run.join(OWNER_FILE), owner).unwrap();
        if let Some(events) = events {
            fs::write(run.join("events.jsonl"), events).unwrap();
        }
        run
    }

    /// A process that bears no label.
    #[expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]
    fn unlabelled() -> (std::process::Child, Process) {
        let mut command = std::process::Command::new("sleep");
        let child = command.arg("60").env_clear().env("PATH", "/usr/bin:/bin").spawn();
        let child = child.unwrap();
        let process = Process::of(child.id()).unwrap();
        (child, process)
    }

    #[tokio::test]
    async fn a_listed_process_of_a_lost_run_is_ended_without_its_label_and_no_other_one() {
        let runs = tempfile::tempdir().unwrap();
        let other = "20261125-103000-killed-v3-2-0a1b2c";
        let (mut lost, mut lives) = (unlabelled(), unlabelled());
        let (mut reused, not_it) = unlabelled();
        for (run, owner, listed) in [(RUN, dead(), lost.1), (other, Owner::this(), lives.1)] {
            let run = folder(runs.path(), run, &owner.to_string(), None);
            fs::create_dir_all(run.join("processes/app")).unwrap();
            let later = Process {
                started: not_it.started + 1,
                ..not_it
            };
            fs::write(
                run.join("processes/app/members"),
                format!("{listed}\n{later}\n1:"),
            )
            .unwrap();
        }
        let mut cleanup = Cleanup::default();
        members(&LOST, runs.path(), &mut cleanup).await;
        assert!(cleanup.finished(RUN), "{cleanup:?}");
        let ended = lost.0.wait().unwrap();
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&ended), Some(9));
        assert!(lives.1.is_alive(), "its harness still runs");
        assert!(not_it.is_alive(), "a later process with the same pid");
        for child in [&mut lives.0, &mut reused] {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    async fn clean_folders(runs: &Path, unseen: Option<&str>) -> Cleanup {
        let mut cleanup = Cleanup::default();
        run_folders::clean_up(&LOST, runs, unseen, &mut cleanup).await;
        cleanup
    }

    #[tokio::test]
    async fn only_what_is_surely_a_run_is_removed() {
        let runs = tempfile::tempdir().unwrap();
        let dead = dead().to_string();
        let strangers = [
            folder(runs.path(), "photos", &dead, None),
            folder(runs.path(), RUN, "me", None),
        ];
        let linked = tempfile::tempdir().unwrap();
        let elsewhere = folder(linked.path(), "elsewhere", &dead, None);
        let link = runs.path().join("20261125-103000-killed-v3-2-0a1b2c");
        std::os::unix::fs::symlink(&elsewhere, link).unwrap();
        let cleanup = clean_folders(runs.path(), None).await;
        assert_eq!(cleanup.removed, Vec::<String>::new());
        assert_eq!(cleanup.left.len(), 1, "{:?}", cleanup.left);
        for stranger in strangers.iter().chain([&elsewhere]) {
            assert!(stranger.join("volumes/app/store").is_dir());
        }
    }

    #[tokio::test]
    async fn a_lost_run_keeps_its_history_and_one_that_never_began_keeps_nothing() {
        let runs = tempfile::tempdir().unwrap();
        let dead = dead().to_string();
        let told = folder(runs.path(), RUN, &dead, Some("{\"target\":\"process\"}\n"));
        let comparison = runs.path().join("20261125-103000-baseline-1-0a1b2c");
        let torn = ["baseline", "head", "base"].map(|side| {
            let run = "20261125-103001-killed-v3-1-0a1b2c";
            folder(&comparison.join(side), run, &dead, Some("{\"tar"))
        });
        let cleanup = clean_folders(runs.path(), None).await;
        assert!(cleanup.failed.is_empty() && cleanup.finished(RUN), "{cleanup:?}");
        assert!(told.join("events.jsonl").exists() && !told.join("volumes").exists());
        assert!(torn.iter().all(|run| !run.exists()), "{torn:?}");
    }

    #[tokio::test]
    async fn a_lost_run_in_containers_is_not_finished_while_no_engine_answers() {
        let runs = tempfile::tempdir().unwrap();
        let dead = dead().to_string();
        let docker = "{\"event\":\"start\",\"target\":\"docker\"}\n";
        let run = folder(runs.path(), RUN, &dead, Some(docker));
        let cleanup = clean_folders(runs.path(), Some("no engine")).await;
        assert!(run.join("volumes").is_dir());
        assert_eq!(cleanup.failed.len(), 1);
        assert!(cleanup.failed[0].contains("no engine") && !cleanup.finished(RUN));
        assert_eq!(
            run_folders::lost(runs.path()),
            std::slice::from_ref(&run),
            "it is offered again"
        );
        let cleanup = clean_folders(runs.path(), None).await;
        assert!(!run.join("volumes").exists() && cleanup.finished(RUN));
    }
}
