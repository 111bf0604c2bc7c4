//! One container by its id: its log, its process, its end; and which there are.

use std::collections::HashMap;
use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;

use futures::StreamExt;
use testcontainers::bollard::query_parameters::{ListContainersOptions, LogsOptions, RemoveContainerOptions};

use super::call::{call, removed};
use super::reclaim::reclaim;
use super::{Containers, RUN_LABEL};
use crate::backend::{Error, operation};
use firedrill_model::files;

impl Containers {
    /// Reads a container's log, chunk by chunk: it may be larger than memory.
    pub(super) async fn container_log(
        &self,
        service: &str,
        id: &str,
        mut take: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<(), Error> {
        let options = LogsOptions {
            stdout: true,
            stderr: true,
            tail: "all".into(),
            ..Default::default()
        };
        let mut chunks = self.client.logs(id, Some(options));
        loop {
            // Each chunk has the time of a call: the whole of a large log takes longer.
            let next = async { chunks.next().await.transpose() };
            match call("read the log of", service, next).await? {
                Some(chunk) => {
                    take(&chunk.into_bytes())
                        .map_err(|cause| operation("store the log of", service, cause))?;
                }
                None => return Ok(()),
            }
        }
    }

    /// The file of the logs of a service's earlier containers. On disk, as they may be larger than memory.
    pub(super) fn earlier_log(&self, service: &str) -> PathBuf {
        self.folder.join("processes").join(format!("{service}.log"))
    }

    /// Appends a container's log to those of the earlier ones.
    async fn keep_log(&self, service: &str, id: &str) -> Result<(), Error> {
        let path = self.earlier_log(service);
        let open = || {
            std::fs::create_dir_all(self.folder.join("processes"))?;
            files::private().create(true).append(true).open(&path)
        };
        let mut file = open().map_err(|cause| operation("store the log of", service, cause))?;
        self.container_log(service, id, |chunk| file.write_all(chunk))
            .await
    }

    /// Removes a service's container, after its log was saved.
    pub(super) async fn discard(&self, service: &str) -> Result<(), Error> {
        let Some(id) = self.id(service)? else {
            return Ok(());
        };
        self.keep_log(service, &id).await?;
        self.with(service, |known| known.container = None)?;
        // Its volumes stay, with the owners that the next container expects.
        self.remove_container(&id, service).await
    }

    /// Every container of this run, by label: also one that was made and then failed to start. Id and name of each.
    pub(super) async fn containers(&self) -> Result<Vec<(String, String)>, Error> {
        let label = format!("{RUN_LABEL}={}", self.run);
        let options = ListContainersOptions {
            all: true,
            filters: Some(HashMap::from([("label".into(), vec![label])])),
            ..Default::default()
        };
        let list = call(
            "list the containers of",
            &self.run,
            self.client.list_containers(Some(options)),
        )
        .await?;
        let name = |names: Option<Vec<String>>| {
            names
                .and_then(|names| names.into_iter().next())
                .unwrap_or_default()
        };
        Ok(list
            .into_iter()
            .filter_map(|container| Some((container.id?, name(container.names))))
            .collect())
    }

    pub(super) async fn remove(&self, id: &str, name: &str) -> Result<(), Error> {
        reclaim(&self.client, id).await;
        self.remove_container(id, name).await
    }

    async fn remove_container(&self, id: &str, name: &str) -> Result<(), Error> {
        let options = RemoveContainerOptions {
            force: true,
            v: true,
            ..Default::default()
        };
        call(
            "remove",
            name,
            removed(|| self.client.remove_container(id, Some(options.clone()))),
        )
        .await
    }

    /// The engine's kill counts as an order to stay down. Where something must bring the service back, its process is
    /// killed as the kernel would.
    pub(super) async fn kill_process(&self, service: &str, id: &str) -> Result<(), Error> {
        let inspected = call("inspect", service, self.client.inspect_container(id, None)).await?;
        let pid = inspected.state.and_then(|state| state.pid).unwrap_or_default();
        let Some(pid) = here(pid, id).and_then(rustix::process::Pid::from_raw) else {
            return Err(operation(
                "kill",
                service,
                "its process does not run, or not on this machine, and the engine's own kill would keep it down",
            ));
        };
        rustix::process::kill_process(pid, rustix::process::Signal::KILL)
            .map_err(|cause| operation("kill", service, cause))
    }
}

/// A container's process, if it runs on this machine: its control group bears the container's id.
pub(super) fn here(pid: i64, id: &str) -> Option<i32> {
    let pid = i32::try_from(pid).ok().filter(|pid| *pid > 1)?;
    let of_engine = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
    of_engine.contains(id).then_some(pid)
}
