//! One container by its id: its log, its process, its end; and which there are.

use std::collections::HashMap;
use std::fs;

use futures::StreamExt;
use testcontainers::bollard::errors::Error as EngineError;
use testcontainers::bollard::query_parameters::{ListContainersOptions, LogsOptions, RemoveContainerOptions};

use super::call::{call, removed};
use super::{Containers, RUN_LABEL};
use crate::backend::{Error, operation};

impl Containers {
    pub(super) async fn container_log(&self, service: &str, id: &str) -> Result<Vec<u8>, Error> {
        let options = LogsOptions {
            stdout: true,
            stderr: true,
            tail: "all".into(),
            ..Default::default()
        };
        let mut chunks = self.client.logs(id, Some(options));
        let mut log = Vec::new();
        let read = async {
            while let Some(chunk) = chunks.next().await {
                log.extend_from_slice(&chunk?.into_bytes());
            }
            Ok::<_, EngineError>(())
        };
        call("read the log of", service, read).await?;
        Ok(log)
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
