//! Local child processes: no engine, no root, started in milliseconds.
//!
//! Every child has its own process group and an environment of its own with the run's label, by which cleanup and
//! `firedrill clean` find the processes that it leaves behind. On Linux it ends with the harness. A fault is one of the
//! service, not of that child: it reaches all [`members`], and ends with them.

mod exec;
mod launch;
pub(super) mod members;
mod supervisor;
mod templates;

use std::collections::BTreeMap;
use std::fs;
use std::io::{Seek as _, SeekFrom};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::BoxStream;
use rustix::process::Signal;
use tokio::process::Command;

use self::launch::WORK;
use self::members::{MEMBERS_FILE, Members, Ports};
use self::supervisor::{Life, lock, set_memory_limit};
use super::owner::{Process, stat};
use super::placeholders::{HarnessUrls, Values};
use super::{
    Backend, Capability, Cause, Error, Executed, Kind, LOOK_EVERY, Log, Spec, State, Unsupported, finish,
    looks, operation, ports, privilege, process_label, tmpfs,
};
use firedrill_model::files;
use firedrill_model::scenario::ResourceLimits;
use firedrill_wait::Poll;

/// A killed process is gone within this.
const GONE_WITHIN: Duration = Duration::from_secs(10);

/// Local processes of one run.
pub(super) struct Processes {
    run: String,
    folder: PathBuf,
    services: Mutex<BTreeMap<String, Service>>,
    urls: HarnessUrls,
}

/// One service: what it is, where it listens, what its process does.
#[derive(Clone)]
struct Service {
    spec: Spec,
    ports: BTreeMap<Option<String>, u16>,
    life: Arc<Mutex<Life>>,
    /// The limits in force: the system file's, or those that faults have set. Shared with the task that restarts it.
    limits: Arc<Mutex<ResourceLimits>>,
    /// How long its log was at its last start.
    log_start: u64,
    /// Where its processes are listed.
    members_file: PathBuf,
    /// Processes that had left the service's group and were ended after its first process.
    outlived: Arc<Mutex<Vec<String>>>,
}

impl Processes {
    /// Processes that work in a run folder.
    pub(super) fn open(run: &str, folder: &Path) -> Self {
        members::adopt_orphans();
        let (run, folder) = (run.to_owned(), folder.to_owned());
        Self {
            run,
            folder,
            services: Mutex::default(),
            urls: HarnessUrls::default(),
        }
    }

    fn services(&self) -> MutexGuard<'_, BTreeMap<String, Service>> {
        self.services.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn service(&self, name: &str) -> Result<Service, Error> {
        self.services()
            .get(name)
            .cloned()
            .ok_or_else(|| Error::NoSuchService(name.to_owned()))
    }

    /// What the harness keeps of a service; the service works in [`WORK`] within it.
    fn service_folder(&self, service: &str) -> PathBuf {
        self.folder.join("processes").join(service)
    }

    fn output(&self, service: &str) -> PathBuf {
        self.service_folder(service).join("output.log")
    }

    /// Reads what a service has written, from a position on.
    fn read_output(&self, service: &str, from: u64, log: &mut Log) -> Result<(), Error> {
        let failed = |cause: Cause| operation("read the log of", service, cause);
        // The service could have replaced it: its working folder is where the file is.
        let file = files::open_regular(&self.output(service)).map_err(|cause| failed(cause.into()))?;
        let sought = (&file).seek(SeekFrom::Start(from)).map(drop);
        let read = sought.and_then(|()| log.read_from(file));
        read.map_err(|cause| failed(cause.into()))
    }

    /// The processes of a service whose first process still runs, and that one.
    fn alive(&self, what: &'static str, name: &str) -> Result<(Process, Arc<Members>), Error> {
        let service = self.service(name)?;
        let life = lock(&service.life);
        let process = life.process.filter(|process| process.is_alive());
        let alive = process.zip(life.members.clone());
        alive.ok_or_else(|| operation(what, name, "its process does not run"))
    }

    /// Sends a signal to all processes of a service, if its first process still runs.
    async fn signal(&self, what: &'static str, name: &str, signal: Signal) -> Result<(), Error> {
        let (_, members) = self.alive(what, name)?;
        members
            .blocking(move |members| drop(members.signal(signal, Ports::Look)))
            .await;
        Ok(())
    }

    async fn gone(&self, what: &'static str, name: &str, within: Duration) -> Result<(), Error> {
        firedrill_wait::until("the end of its process", within, || async {
            match self.state(name).await {
                Ok(state) if state.is_over() => Poll::Done(()),
                Ok(state) => Poll::NotYet(state.to_string()),
                Err(error) => Poll::Never(error),
            }
        })
        .await
        .map_err(|error| operation(what, name, error))
    }
}

impl Service {
    /// Ends the restart policy of the process so far, and a process that it has started meanwhile.
    fn begin_anew(&mut self) {
        let mut before = lock(&self.life);
        before.stopping = true;
        if let (Some(process), Some(members)) = (before.process, &before.members)
            && process.is_alive()
        {
            // Its supervisor waits for its end, and ends what is left.
            members.signal(Signal::KILL, Ports::Skip);
        }
        drop(before);
        self.life = Arc::default();
    }

    /// What its process does.
    fn state(&self) -> State {
        let life = lock(&self.life);
        match (life.process, life.exit) {
            (None, Some(exit)) => State::Exited(exit),
            (None, None) => State::Absent,
            (Some(process), _) => match stat(process.pid) {
                Some(('T', _)) => State::Paused,
                None if life.paused => State::Paused,
                _ => State::Running(format!("pid {process}")),
            },
        }
    }

    /// The limits in force.
    fn limits(&self) -> ResourceLimits {
        self.limits.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl Backend for Processes {
    fn kind(&self) -> Kind {
        Kind::Process
    }

    fn place(&self) -> String {
        format!(
            "local processes, {} {}",
            std::env::consts::OS,
            std::env::consts::ARCH
        )
    }

    fn can(&self, capability: Capability) -> Result<(), Unsupported> {
        match capability {
            Capability::Commands | Capability::RestartPolicy => Ok(()),
            Capability::Images => Err(Unsupported::ImageAsProcess),
            Capability::User => Err(Unsupported::UserOfProcess),
            // The data segment's limit: an allocation beyond it fails, which ends most programs.
            Capability::MemoryLimit if cfg!(target_os = "linux") => Ok(()),
            Capability::MemoryLimit => Err(Unsupported::MemoryLimitNeedsLinux),
            Capability::CpuLimit => Err(Unsupported::CpuLimitOfProcess),
            Capability::PidsLimit => Err(Unsupported::PidsLimitOfProcess),
            Capability::SizedVolumes => tmpfs::can(),
            Capability::Permissions if rustix::process::geteuid().is_root() => {
                privilege::reached_by_permissions(&self.folder.join("volumes"))
            }
            Capability::Permissions => Ok(()),
        }
    }

    async fn create(&self, spec: Spec) -> Result<(), Error> {
        let failed = |cause: std::io::Error| operation("create", &spec.name, cause);
        fs::create_dir_all(self.service_folder(&spec.name).join(WORK)).map_err(failed)?;
        let mut new = files::private();
        new.write(true).create_new(true);
        new.open(self.output(&spec.name)).map_err(failed)?;
        tmpfs::make(&spec, &self.folder.join("volumes")).map_err(failed)?;
        let reserved = ports::reserve_all(&spec).map_err(failed)?;
        let service = Service {
            ports: reserved,
            life: Arc::default(),
            log_start: 0,
            limits: Arc::new(Mutex::new(spec.limits.clone())),
            members_file: self.service_folder(&spec.name).join(MEMBERS_FILE),
            outlived: Arc::default(),
            spec,
        };
        self.services().insert(service.spec.name.clone(), service);
        Ok(())
    }

    async fn start(&self, service: &str) -> Result<(), Error> {
        let known = {
            let mut services = self.services();
            let known = services
                .get_mut(service)
                .ok_or_else(|| Error::NoSuchService(service.to_owned()))?;
            if let State::Running(_) | State::Paused = known.state() {
                return Err(operation("start", service, "it runs already"));
            }
            known.begin_anew();
            known.log_start = fs::metadata(self.output(service)).map_or(0, |output| output.len());
            known.clone()
        };
        self.spawn(&known)
    }

    async fn reconfigure(&self, spec: Spec) -> Result<(), Error> {
        let mut services = self.services();
        let service = services
            .get_mut(&spec.name)
            .ok_or_else(|| Error::NoSuchService(spec.name.clone()))?;
        service.spec = spec;
        service.begin_anew();
        Ok(())
    }

    fn spec(&self, service: &str) -> Result<Spec, Error> {
        Ok(self.service(service)?.spec)
    }

    fn resolve(&self, placeholder: &str) -> Option<String> {
        self.shared(placeholder)
    }

    async fn stop(&self, service: &str, grace: Duration) -> Result<(), Error> {
        let known = self.service(service)?;
        let paused = std::mem::replace(&mut lock(&known.life).stopping, true) || lock(&known.life).paused;
        if self.state(service).await?.is_over() {
            return Ok(());
        }
        if let Err(error) = self.signal("stop", service, Signal::TERM).await {
            // It has ended in just this moment, by itself.
            return self.gone("stop", service, GONE_WITHIN).await.map_err(|_| error);
        }
        if paused {
            self.signal("stop", service, Signal::CONT).await?;
        }
        if self.gone("stop", service, grace).await.is_ok() {
            return Ok(());
        }
        // It may have ended in just this moment.
        let _ = self.signal("stop", service, Signal::KILL).await;
        self.gone("stop", service, GONE_WITHIN).await
    }

    async fn kill(&self, service: &str) -> Result<(), Error> {
        let known = self.service(service)?;
        let (before, members) = self.alive("kill", service)?;
        let ended = members.end().await;
        ended.map_err(|error| operation("kill", service, error))?;
        firedrill_wait::until("the end of its process", GONE_WITHIN, || async {
            if lock(&known.life).process == Some(before) {
                Poll::NotYet("it still runs".into())
            } else {
                Poll::<_, Error>::Done(())
            }
        })
        .await
        .map_err(|error| operation("kill", service, error))
    }

    async fn pause(&self, service: &str) -> Result<(), Error> {
        let known = self.service(service)?;
        let (process, members) = self.alive("pause", service)?;
        let frozen = members.freeze().await;
        frozen.map_err(|error| operation("pause", service, error))?;
        lock(&known.life).paused = true;
        firedrill_wait::until("a frozen process", GONE_WITHIN, || async {
            match stat(process.pid) {
                Some(('T', _)) => Poll::Done(()),
                Some((letter, _)) => Poll::NotYet(format!("its state is {letter}")),
                None if cfg!(target_os = "linux") => Poll::Never("it has ended"),
                // Other systems do not report it.
                None => Poll::Done(()),
            }
        })
        .await
        .map_err(|error| operation("pause", service, error))
    }

    async fn resume(&self, service: &str) -> Result<(), Error> {
        self.signal("resume", service, Signal::CONT).await?;
        lock(&self.service(service)?.life).paused = false;
        Ok(())
    }

    async fn strangers(&self, service: &str) -> Result<Vec<String>, Error> {
        let members = lock(&self.service(service)?.life).members.clone();
        Ok(match members {
            Some(members) => members.blocking(Members::strangers).await,
            None => Vec::new(),
        })
    }

    async fn state(&self, service: &str) -> Result<State, Error> {
        Ok(self.service(service)?.state())
    }

    fn changes(&self) -> BoxStream<'static, ()> {
        looks(LOOK_EVERY)
    }

    async fn processes(&self, service: &str) -> Vec<u32> {
        let members = self
            .service(service)
            .ok()
            .and_then(|known| lock(&known.life).members.clone());
        members.map(|members| members.known()).unwrap_or_default()
    }

    fn address(&self, service: &str, port: Option<&str>) -> Result<SocketAddr, Error> {
        let known = self.service(service)?;
        let port = known.ports.get(&port.map(str::to_owned));
        let port =
            port.ok_or_else(|| operation("find the port of", service, "it has no port of that name"))?;
        Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, *port)))
    }

    fn volume(&self, service: &str, volume: &str) -> Result<PathBuf, Error> {
        let spec = self.service(service)?.spec;
        self.volume_path(&spec, volume)
            .ok_or_else(|| operation("find the volume of", service, format!("it has no `{volume}`")))
    }

    async fn host_for_services(&self) -> Result<(IpAddr, String), Error> {
        Ok((Ipv4Addr::LOCALHOST.into(), "127.0.0.1".into()))
    }

    fn set_alerts_url(&self, url: &str) {
        self.urls.set_alerts(url);
    }

    fn set_link_url(&self, from: &str, to: &str, port: Option<&str>, url: &str) {
        self.urls.set_link(from, to, port, url);
    }

    async fn limit(&self, service: &str, limits: ResourceLimits) -> Result<ResourceLimits, Error> {
        let known = self.service(service)?;
        known
            .limits
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone_from(&limits);
        let process = lock(&known.life).process.filter(|process| process.is_alive());
        if let Some(process) = process {
            set_memory_limit(process.pid, limits.memory)
                .map_err(|cause| operation("limit", service, cause))?;
        }
        Ok(limits)
    }

    async fn obeys_permissions(&self, service: &str) -> Result<(), Error> {
        let known = self.service(service)?;
        let process = lock(&known.life).process;
        match process.and_then(|process| privilege::overrides_permissions(process.pid)) {
            Some(true) => Err(operation(
                "restrict the permissions of",
                service,
                "it runs as root, and root ignores permissions",
            )),
            _ => Ok(()),
        }
    }

    async fn read_log(&self, service: &str, log: &mut Log) -> Result<(), Error> {
        self.service(service)?;
        self.read_output(service, 0, log)
    }

    async fn read_log_since_start(&self, service: &str, log: &mut Log) -> Result<(), Error> {
        let start = self.service(service)?.log_start;
        self.read_output(service, start, log)
    }

    async fn exec(&self, service: &str, argv: &[String]) -> Result<Executed, Error> {
        self.execute(service, argv).await
    }

    fn label(&self, command: &mut Command) {
        process_label::label(command, &self.run);
    }

    async fn clean(&self) -> Result<Vec<String>, Vec<Error>> {
        let names: Vec<String> = self.services().keys().cloned().collect();
        let mut left = Vec::new();
        for name in names {
            if let Err(error) = self.stop(&name, Duration::ZERO).await {
                left.push(error);
            }
        }
        let outlived = finish(&self.run, &self.folder, left).await?;
        let noted: Vec<_> = self
            .services()
            .values()
            .map(|known| Arc::clone(&known.outlived))
            .collect();
        let noted = noted.iter().flat_map(|noted| {
            let mut noted = noted.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *noted)
        });
        Ok(noted.chain(outlived).collect())
    }
}
