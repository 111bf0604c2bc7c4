//! Real containers, through `bollard`, and images of what we built through `testcontainers`, which also knows where the
//! engine is.
//!
//! Everything has the labels `firedrill.run` and `firedrill.owner` from the moment it exists. Volumes are folders of the
//! run folder, so that a fault of a file is an ordinary file operation; containers run as the harness's user, so that
//! the harness may change the files.

mod address;
mod call;
mod container;
mod context;
mod engine;
mod exec;
mod ignore;
mod image;
mod limits;
mod reclaim;
mod request;
mod templates;
mod watching;

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::BoxStream;
use testcontainers::bollard::Docker;
use testcontainers::bollard::models::{ContainerStateStatusEnum, NetworkCreateRequest, SystemInfo};
use testcontainers::bollard::query_parameters::{KillContainerOptions, StopContainerOptions};
use tokio::sync::OnceCell;
use tokio_util::task::TaskTracker;

pub use self::address::{AddressError, address as engine_address};
pub(super) use self::call::removed;
use self::call::{CALL_WITHIN, call};
use self::container::here;
pub(super) use self::engine::connect;
pub use self::engine::{Engine, engine};
use self::image::other_user;
use self::limits::{in_force, update};
pub(super) use self::reclaim::reclaim;
use super::owner::Owner;
use super::placeholders::{HarnessUrls, Values};
use super::{
    Backend, Capability, Error, Executed, Kind, Log, Source, Spec, State, Unsupported, finish, operation,
    ports, privilege, process_label, tmpfs,
};
use firedrill_model::files;
use firedrill_model::scenario::{ResourceLimits, Restart};

/// The label of a run on everything it makes; the value is the run's id.
pub(super) const RUN_LABEL: &str = "firedrill.run";
/// The label of a run's owner.
pub(super) const OWNER_LABEL: &str = "firedrill.owner";

/// Containers of one run.
pub(super) struct Containers {
    run: String,
    folder: PathBuf,
    client: Docker,
    engine: Engine,
    network: OnceCell<()>,
    services: Mutex<BTreeMap<String, Service>>,
    urls: HarnessUrls,
    /// The images that this run has made or found, by what they are of: source and release.
    images: Mutex<Vec<(Source, String, String)>>,
    /// Calls that make something.
    making: TaskTracker,
    /// What the engine says of itself.
    info: SystemInfo,
}

/// One service: what it is, where it is published, and its container once there is one.
struct Service {
    spec: Spec,
    image: String,
    ports: BTreeMap<Option<String>, u16>,
    /// Its container's id.
    container: Option<String>,
    /// How long its container's log was at its last start.
    log_start: u64,
    /// The limits in force: the system file's, or those that faults have set.
    limits: ResourceLimits,
}

impl Containers {
    /// Containers on the engine that answers.
    pub(super) async fn open(run: &str, folder: &Path) -> Result<Self, Error> {
        let (client, engine) = connect().await?;
        let info = call("ask the engine about", "itself", client.info()).await?;
        Ok(Self {
            info,
            making: TaskTracker::new(),
            run: run.to_owned(),
            folder: folder.to_owned(),
            client,
            engine,
            network: OnceCell::new(),
            services: Mutex::default(),
            urls: HarnessUrls::default(),
            images: Mutex::default(),
        })
    }

    fn services(&self) -> MutexGuard<'_, BTreeMap<String, Service>> {
        self.services.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, name: &str, look: impl FnOnce(&mut Service) -> T) -> Result<T, Error> {
        self.services()
            .get_mut(name)
            .map(look)
            .ok_or_else(|| Error::NoSuchService(name.to_owned()))
    }

    fn network_name(&self) -> String {
        format!("firedrill-{}", self.run)
    }

    fn labels(&self) -> HashMap<String, String> {
        HashMap::from([
            (RUN_LABEL.into(), self.run.clone()),
            (OWNER_LABEL.into(), Owner::this().to_string()),
        ])
    }

    /// The run's own network, made once.
    async fn network(&self) -> Result<(), Error> {
        let make = || async {
            let request = NetworkCreateRequest {
                name: self.network_name(),
                labels: Some(self.labels()),
                ..Default::default()
            };
            let (client, run) = (self.client.clone(), self.run.clone());
            let made = async move { call("make the network of", &run, client.create_network(request)).await };
            self.to_its_end(made).await.map(drop)
        };
        self.network.get_or_try_init(make).await.copied()
    }

    /// Runs a call that makes something to its end, even when the caller is cancelled: the engine makes the thing anyway,
    /// and cleanup must not look for it before it is there.
    async fn to_its_end<T: Send + 'static>(
        &self,
        made: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<T, Error> {
        let made = self.making.spawn(made).await;
        made.unwrap_or_else(|panic| Err(operation("create a resource for run", &self.run, panic)))
    }

    fn id(&self, service: &str) -> Result<Option<String>, Error> {
        self.with(service, |known| known.container.clone())
    }

    fn spec_of(&self, service: &str) -> Result<Spec, Error> {
        self.with(service, |known| known.spec.clone())
    }

    fn running_id(&self, what: &'static str, service: &str) -> Result<String, Error> {
        self.id(service)?
            .ok_or_else(|| operation(what, service, "it has no container"))
    }
}

/// Whether the engine enforces limits of something. One that does not report it is assumed to: what is in force is read
/// back anyway.
fn enforces(what: &'static str, reported: Option<bool>) -> Result<(), Unsupported> {
    match reported {
        Some(false) => Err(Unsupported::NotEnforced(what)),
        _ => Ok(()),
    }
}

#[async_trait]
impl Backend for Containers {
    fn kind(&self) -> Kind {
        Kind::Docker
    }

    fn place(&self) -> String {
        self.engine.to_string()
    }

    fn can(&self, capability: Capability) -> Result<(), Unsupported> {
        match capability {
            Capability::Commands => Err(Unsupported::CommandInContainer),
            Capability::SizedVolumes => tmpfs::can(),
            Capability::MemoryLimit => enforces("memory", self.info.memory_limit),
            Capability::CpuLimit => enforces("processor time", self.info.cpu_cfs_quota),
            Capability::PidsLimit => enforces("threads and processes", self.info.pids_limit),
            Capability::Images | Capability::User | Capability::Permissions | Capability::RestartPolicy => {
                Ok(())
            }
        }
    }

    async fn create(&self, spec: Spec) -> Result<(), Error> {
        self.network().await?;
        let failed = |cause: std::io::Error| operation("create", &spec.name, cause);
        tmpfs::make(&spec, &self.folder.join("volumes")).map_err(failed)?;
        let reserved = ports::reserve_all(&spec).map_err(failed)?;
        let image = self.image(&spec).await?;
        if let Some(user) = other_user(&self.client, &spec, &image).await {
            let opened = tmpfs::open_to_all(&spec, &self.folder.join("volumes"));
            opened.map_err(|cause| operation("prepare the volumes for user", &user, cause))?;
        }
        let (name, container) = (spec.name.clone(), None);
        self.services().insert(
            name,
            Service {
                limits: spec.limits.clone(),
                spec,
                image,
                ports: reserved,
                container,
                log_start: 0,
            },
        );
        Ok(())
    }

    async fn fetch(&self, spec: &Spec) -> Result<(), Error> {
        self.image(spec).await.map(drop)
    }

    async fn start(&self, service: &str) -> Result<(), Error> {
        let (id, log_start) = match self.id(service)? {
            Some(id) => {
                let mut length = 0;
                let count = |chunk: &[u8]| {
                    length += chunk.len() as u64;
                    Ok(())
                };
                self.container_log(service, &id, count).await?;
                (id, length)
            }
            None => (self.make(service).await?, 0),
        };
        self.with(service, |known| {
            known.log_start = log_start;
            known.container = Some(id.clone());
        })?;
        let (client, service) = (self.client.clone(), service.to_owned());
        let started = async move { call("start", &service, client.start_container(&id, None)).await };
        self.to_its_end(started).await
    }

    async fn reconfigure(&self, spec: Spec) -> Result<(), Error> {
        self.discard(&spec.name).await?;
        let image = self.image(&spec).await?;
        let name = spec.name.clone();
        self.with(&name, |known| {
            known.spec = spec;
            known.image = image;
        })
    }

    fn spec(&self, service: &str) -> Result<Spec, Error> {
        self.spec_of(service)
    }

    fn resolve(&self, placeholder: &str) -> Option<String> {
        self.shared(placeholder)
    }

    async fn stop(&self, service: &str, grace: Duration) -> Result<(), Error> {
        let id = self.running_id("stop", service)?;
        let seconds = i32::try_from(grace.as_millis().div_ceil(1000)).unwrap_or(i32::MAX);
        let options = StopContainerOptions {
            t: Some(seconds),
            ..Default::default()
        };
        let stop = self.client.stop_container(&id, Some(options));
        match tokio::time::timeout(grace + CALL_WITHIN, stop).await {
            Ok(result) => result.map_err(|cause| operation("stop", service, cause)),
            Err(_) => Err(operation("stop", service, "the engine did not answer")),
        }
    }

    async fn kill(&self, service: &str) -> Result<(), Error> {
        let id = self.running_id("kill", service)?;
        if self.with(service, |known| known.spec.restart)? == Restart::Always {
            return self.kill_process(service, &id).await;
        }
        let options = KillContainerOptions {
            signal: "SIGKILL".into(),
        };
        call("kill", service, self.client.kill_container(&id, Some(options))).await
    }

    async fn pause(&self, service: &str) -> Result<(), Error> {
        let id = self.running_id("pause", service)?;
        call("pause", service, self.client.pause_container(&id)).await
    }

    async fn resume(&self, service: &str) -> Result<(), Error> {
        let id = self.running_id("resume", service)?;
        call("resume", service, self.client.unpause_container(&id)).await
    }

    async fn state(&self, service: &str) -> Result<State, Error> {
        let Some(id) = self.id(service)? else {
            return Ok(State::Absent);
        };
        let inspected = call("inspect", service, self.client.inspect_container(&id, None)).await?;
        let state = inspected.state.unwrap_or_default();
        Ok(match state.status {
            Some(ContainerStateStatusEnum::PAUSED) => State::Paused,
            Some(ContainerStateStatusEnum::RUNNING) => {
                let since = state.started_at.unwrap_or_default();
                State::Running(format!("container {} since {since}", &id[..id.len().min(12)]))
            }
            Some(ContainerStateStatusEnum::CREATED) | None => State::Absent,
            // An engine reports an end by a signal as 128 + signal.
            Some(_) => match state.exit_code.unwrap_or_default() {
                _ if state.oom_killed == Some(true) => State::OutOfMemory,
                code @ 129..=192 => State::Exited(128 - code),
                code => State::Exited(code),
            },
        })
    }

    fn changes(&self) -> BoxStream<'static, ()> {
        self.container_events()
    }

    async fn processes(&self, service: &str) -> Vec<u32> {
        self.container_processes(service).await
    }

    fn address(&self, service: &str, port: Option<&str>) -> Result<SocketAddr, Error> {
        let port = self.with(service, |known| {
            known.ports.get(&port.map(str::to_owned)).copied()
        })?;
        let port =
            port.ok_or_else(|| operation("find the port of", service, "it has no port of that name"))?;
        Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
    }

    /// The container's address in the run's network: the published port is one of the engine's proxy.
    async fn listener(&self, service: &str, port: Option<&str>) -> Result<Option<SocketAddr>, Error> {
        let spec = self.spec(service)?;
        let inside = port.map_or(spec.port, |name| spec.ports.get(name).copied());
        let inside =
            inside.ok_or_else(|| operation("find the port of", service, "it has no port of that name"))?;
        let Some(id) = self.id(service)? else {
            return Ok(None);
        };
        let inspected = call("inspect", service, self.client.inspect_container(&id, None)).await?;
        let networks = inspected.network_settings.and_then(|settings| settings.networks);
        let network = networks.and_then(|mut networks| networks.remove(&self.network_name()));
        // It is empty while the container does not run.
        let address = network.and_then(|network| network.ip_address?.parse::<IpAddr>().ok());
        Ok(address.map(|address| SocketAddr::new(address, inside)))
    }

    fn volume(&self, service: &str, volume: &str) -> Result<PathBuf, Error> {
        let spec = self.spec(service)?;
        let found = self.volumes(&spec).into_iter().find(|(name, ..)| name == volume);
        let missing = || operation("find the volume of", service, format!("it has no `{volume}`"));
        found.map(|(_, here, _)| here).ok_or_else(missing)
    }

    async fn host_for_services(&self) -> Result<(IpAddr, String), Error> {
        self.network().await?;
        let name = self.network_name();
        let network = call(
            "inspect the network of",
            &self.run,
            self.client.inspect_network(&name, None),
        )
        .await?;
        let configs = network.ipam.and_then(|ipam| ipam.config).unwrap_or_default();
        let gateway = configs
            .into_iter()
            .find_map(|config| config.gateway?.parse::<Ipv4Addr>().ok());
        let gateway =
            gateway.ok_or_else(|| operation("find the gateway of", &name, "the engine reports none"))?;
        Ok((gateway.into(), gateway.to_string()))
    }

    fn set_alerts_url(&self, url: &str) {
        self.urls.set_alerts(url);
    }

    fn set_link_url(&self, from: &str, to: &str, port: Option<&str>, url: &str) {
        self.urls.set_link(from, to, port, url);
    }

    async fn limit(&self, service: &str, limits: ResourceLimits) -> Result<ResourceLimits, Error> {
        self.with(service, |known| known.limits = limits.clone())?;
        // Without a container they come with the next one.
        let Some(id) = self.id(service)? else {
            return Ok(limits);
        };
        let (cores, memory) = (
            self.info.ncpu.unwrap_or(1),
            self.info.mem_total.unwrap_or(i64::MAX),
        );
        let update = update(&limits, cores, memory);
        call("limit", service, self.client.update_container(&id, update)).await?;
        let inspected = call("inspect", service, self.client.inspect_container(&id, None)).await?;
        let host = inspected.host_config.unwrap_or_default();
        Ok(in_force(&limits, &host))
    }

    async fn obeys_permissions(&self, service: &str) -> Result<(), Error> {
        let id = self.running_id("look at", service)?;
        let inspected = call("inspect", service, self.client.inspect_container(&id, None)).await?;
        let pid = inspected.state.and_then(|state| state.pid).unwrap_or_default();
        let pid = here(pid, &id).and_then(|pid| u32::try_from(pid).ok());
        // These run without capabilities (see `request`), also where their process cannot be seen from here.
        let without_capabilities = matches!(self.spec(service)?.source, Source::Binaries(_));
        match pid.and_then(privilege::overrides_permissions) {
            Some(false) => Ok(()),
            None if without_capabilities => Ok(()),
            _ => Err(operation(
                "restrict the permissions of",
                service,
                "it runs as root in its container, and root ignores permissions",
            )),
        }
    }

    async fn read_log(&self, service: &str, log: &mut Log) -> Result<(), Error> {
        let id = self.id(service)?;
        match files::open_regular(&self.earlier_log(service)) {
            Ok(earlier) => log
                .read_from(earlier)
                .map_err(|cause| operation("read the log of", service, cause))?,
            // There was no earlier container.
            Err(error) if error.is_missing() => {}
            Err(error) => return Err(operation("read the log of", service, error)),
        }
        if let Some(id) = id {
            let take = |chunk: &[u8]| {
                log.push(chunk);
                Ok(())
            };
            self.container_log(service, &id, take).await?;
        }
        Ok(())
    }

    async fn read_log_since_start(&self, service: &str, log: &mut Log) -> Result<(), Error> {
        let Some(id) = self.id(service)? else {
            return Ok(());
        };
        let mut earlier = usize::try_from(self.with(service, |known| known.log_start)?).unwrap_or(usize::MAX);
        let take = |chunk: &[u8]| {
            let skipped = earlier.min(chunk.len());
            earlier -= skipped;
            log.push(&chunk[skipped..]);
            Ok(())
        };
        self.container_log(service, &id, take).await
    }

    async fn exec(&self, service: &str, argv: &[String]) -> Result<Executed, Error> {
        self.execute(service, argv).await
    }

    fn label(&self, command: &mut tokio::process::Command) {
        process_label::label(command, &self.run);
    }

    async fn clean(&self) -> Result<Vec<String>, Vec<Error>> {
        let mut left = Vec::new();
        self.making.close();
        self.making.wait().await;
        for known in self.services().values_mut() {
            // Removal is by label: it also finds one that was made and is not known here.
            known.container = None;
        }
        match self.containers().await {
            Err(error) => left.push(error),
            Ok(containers) => {
                let removals = containers.iter().map(|(id, name)| self.remove(id, name));
                let removed = futures::future::join_all(removals).await;
                left.extend(removed.into_iter().filter_map(Result::err));
            }
        }
        let network = self.network_name();
        let gone = removed(|| self.client.remove_network(&network));
        left.extend(call("remove the network of", &self.run, gone).await.err());
        finish(&self.run, &self.folder, left).await
    }
}
