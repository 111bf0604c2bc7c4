//! Finishing what a killed harness left behind: by label and mark, and only of runs whose owner is gone.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, kill_process};
use serde::Serialize;
use testcontainers::bollard::Docker;
use testcontainers::bollard::errors::Error as EngineError;
use testcontainers::bollard::query_parameters::{
    ListContainersOptions, ListNetworksOptions, ListVolumesOptions, RemoveContainerOptions,
    RemoveVolumeOptions,
};

use super::docker::{OWNER_LABEL, RUN_LABEL};
use super::engine;
use super::own::Owner;
use super::process::{OWNER_MARK, RUN_MARK};
use super::sized;

/// The file in a run folder that names the run's owner.
pub const OWNER_FILE: &str = "owner";

/// Which runs are swept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// Those whose harness no longer runs.
    Lost,
    /// One, whoever runs it.
    Run(String),
    /// All.
    All,
}

/// What came of it.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Swept {
    /// What was removed.
    pub removed: Vec<String>,
    /// What was left, and why.
    pub left: Vec<String>,
    /// What should have been removed and was not, and why.
    pub failed: Vec<String>,
    /// What could not be looked at, and why.
    pub unseen: Option<String>,
}

impl Which {
    /// Whether something of a run with this owner is to go; if not, why.
    fn takes(&self, run: &str, owner: Option<&str>) -> Result<(), String> {
        match self {
            Self::All => Ok(()),
            Self::Run(wanted) if wanted == run => Ok(()),
            Self::Run(_) => Err("another run".into()),
            Self::Lost => match owner.and_then(|owner| owner.parse::<Owner>().ok()) {
                Some(owner) if owner.is_alive() => {
                    Err(format!("its harness, process {}, still runs", owner.pid))
                }
                _ => Ok(()),
            },
        }
    }
}

impl Swept {
    /// Decides on one thing, and notes what came of it.
    async fn one<E: ToString>(
        &mut self,
        which: &Which,
        thing: String,
        run: &str,
        owner: Option<&str>,
        remove: impl Future<Output = Result<(), E>>,
    ) {
        match which.takes(run, owner) {
            Err(why) => self.left.push(format!("{thing} of run {run}: {why}")),
            Ok(()) => match remove.await {
                Ok(()) => self.removed.push(format!("{thing} of run {run}")),
                Err(error) => self
                    .failed
                    .push(format!("{thing} of run {run}: {}", error.to_string())),
            },
        }
    }
}

/// What is gone already, or about to be by another hand, needs no removing.
fn gone_is_removed(removed: Result<(), EngineError>) -> Result<(), EngineError> {
    match removed {
        Err(EngineError::DockerResponseServerError { status_code: 404, .. }) => Ok(()),
        Err(EngineError::DockerResponseServerError {
            status_code: 409,
            ref message,
        }) if message.contains("already in progress") => Ok(()),
        removed => removed,
    }
}

/// Removes what runs left behind: containers, networks, volumes, processes, and the folders of a run's services below
/// `runs`. Histories and logs stay.
pub async fn sweep(which: &Which, runs: &Path) -> Swept {
    let mut swept = Swept::default();
    processes(which, &mut swept).await;
    match engine::connect().await {
        Ok((client, _)) => {
            containers(&client, which, &mut swept).await;
            networks(&client, which, &mut swept).await;
            volumes(&client, which, &mut swept).await;
        }
        Err(error) => swept.unseen = Some(format!("containers, networks and volumes: {error}")),
    }
    folders(which, runs, &mut swept).await;
    swept
}

fn by_label() -> HashMap<String, Vec<String>> {
    HashMap::from([("label".into(), vec![RUN_LABEL.into()])])
}

async fn containers(client: &Docker, which: &Which, swept: &mut Swept) {
    let options = ListContainersOptions {
        all: true,
        filters: Some(by_label()),
        ..Default::default()
    };
    match client.list_containers(Some(options)).await {
        Err(error) => swept.failed.push(format!("listing containers: {error}")),
        Ok(list) => {
            for container in list {
                let (labels, id) = (
                    container.labels.unwrap_or_default(),
                    container.id.unwrap_or_default(),
                );
                let Some(run) = labels.get(RUN_LABEL) else {
                    continue;
                };
                let name = container
                    .names
                    .and_then(|names| names.into_iter().next())
                    .unwrap_or_else(|| id.clone());
                let options = RemoveContainerOptions {
                    force: true,
                    v: true,
                    ..Default::default()
                };
                let remove = async { gone_is_removed(client.remove_container(&id, Some(options)).await) };
                let owner = labels.get(OWNER_LABEL).map(String::as_str);
                swept
                    .one(
                        which,
                        format!("container {}", name.trim_start_matches('/')),
                        run,
                        owner,
                        remove,
                    )
                    .await;
            }
        }
    }
}

async fn networks(client: &Docker, which: &Which, swept: &mut Swept) {
    match client
        .list_networks(Some(ListNetworksOptions {
            filters: Some(by_label()),
        }))
        .await
    {
        Err(error) => swept.failed.push(format!("listing networks: {error}")),
        Ok(list) => {
            for network in list {
                let (labels, name) = (
                    network.labels.unwrap_or_default(),
                    network.name.unwrap_or_default(),
                );
                let Some(run) = labels.get(RUN_LABEL) else {
                    continue;
                };
                let owner = labels.get(OWNER_LABEL).map(String::as_str);
                swept
                    .one(which, format!("network {name}"), run, owner, async {
                        gone_is_removed(client.remove_network(&name).await)
                    })
                    .await;
            }
        }
    }
}

async fn volumes(client: &Docker, which: &Which, swept: &mut Swept) {
    match client
        .list_volumes(Some(ListVolumesOptions {
            filters: Some(by_label()),
        }))
        .await
    {
        Err(error) => swept.failed.push(format!("listing volumes: {error}")),
        Ok(list) => {
            for volume in list.volumes.unwrap_or_default() {
                let Some(run) = volume.labels.get(RUN_LABEL) else {
                    continue;
                };
                let owner = volume.labels.get(OWNER_LABEL).map(String::as_str);
                let options = RemoveVolumeOptions { force: true };
                let remove =
                    async { gone_is_removed(client.remove_volume(&volume.name, Some(options)).await) };
                swept
                    .one(which, format!("volume {}", volume.name), run, owner, remove)
                    .await;
            }
        }
    }
}

/// Processes that bear a run's mark in their environment: only those that we may look at, which are ours to end.
async fn processes(which: &Which, swept: &mut Swept) {
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<u32>().ok())
        else {
            continue;
        };
        let (Some(process), Ok(environment)) = (Owner::of(pid), fs::read(entry.path().join("environ")))
        else {
            continue;
        };
        let mark = |name: &str| {
            let mut variables = environment.split(|byte| *byte == 0);
            let value =
                variables.find_map(|variable| variable.strip_prefix(name.as_bytes())?.strip_prefix(b"="))?;
            Some(String::from_utf8_lossy(value).into_owned())
        };
        if let Some(run) = mark(RUN_MARK) {
            let kill = async { end(process) };
            swept
                .one(
                    which,
                    format!("process {pid}"),
                    &run,
                    mark(OWNER_MARK).as_deref(),
                    kill,
                )
                .await;
        }
    }
}

/// Kills exactly this process, not a later one with its pid.
fn end(process: Owner) -> std::io::Result<()> {
    let pid = i32::try_from(process.pid).ok().and_then(Pid::from_raw);
    match pid {
        Some(pid) if process.is_alive() => Ok(kill_process(pid, Signal::KILL)?),
        _ => Ok(()),
    }
}

/// The run folders of lost runs that still hold what `sweep` removes.
pub fn lost(runs: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(runs).into_iter().flatten().flatten();
    let left = |path: &PathBuf| {
        let owner = fs::read_to_string(path.join(OWNER_FILE)).ok();
        let owner = owner.and_then(|owner| owner.trim().parse::<Owner>().ok());
        owner.is_some_and(|owner| !owner.is_alive())
            && ["volumes", "processes", "aside"]
                .iter()
                .any(|name| path.join(name).is_dir())
    };
    entries.map(|entry| entry.path()).filter(left).collect()
}

/// A run whose harness was killed before its history began has nothing to tell: not even its first event is whole.
fn never_began(run: &Path) -> bool {
    match fs::read(run.join(EVENTS)) {
        Ok(events) => !events.contains(&b'\n'),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    }
}

/// The events' file of a run folder; the history owns the name, and is not imported here.
const EVENTS: &str = "events.jsonl";

/// What lost runs kept for their services below `runs`, and run folders without a history.
async fn folders(which: &Which, runs: &Path, swept: &mut Swept) {
    for entry in fs::read_dir(runs).into_iter().flatten().flatten() {
        let path = entry.path();
        let Ok(owner) = fs::read_to_string(path.join(OWNER_FILE)) else {
            continue;
        };
        let run = entry.file_name().to_string_lossy().into_owned();
        for name in ["volumes", "processes", "aside"] {
            let folder = path.join(name);
            if folder.is_dir() {
                let remove = async { sized::remove_all(&folder) };
                swept
                    .one(which, format!("folder {name}"), &run, Some(owner.trim()), remove)
                    .await;
            }
        }
        if never_began(&path) {
            let remove = async { sized::remove_all(&path) };
            swept
                .one(which, "empty run folder".into(), &run, Some(owner.trim()), remove)
                .await;
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_run_whose_owner_lives_is_left_alone_unless_it_is_named() {
        let alive = Owner::this().to_string();
        let dead = Owner {
            pid: 1,
            started: u64::MAX,
        }
        .to_string();
        assert!(Which::Lost.takes("a", Some(&alive)).is_err());
        assert!(Which::Lost.takes("a", Some(&dead)).is_ok());
        assert!(Which::Run("a".into()).takes("a", Some(&alive)).is_ok());
        assert!(Which::Run("b".into()).takes("a", Some(&dead)).is_err());
    }
}
