//! Where the services of a drill run: one trait, [`Backend`], with local processes and containers behind it.
//!
//! Takes services by name from the drill and the faults; gives their addresses, volumes, states and logs. The drill owns
//! one backend a run, and the caller cleans it. A new backend (a running system, Compose, an orchestrator) is a folder
//! that implements [`Backend`] and one line in [`Kind`].

mod build;
mod capability;
mod cleanup;
mod docker;
mod log;
mod owner;
mod placeholders;
mod ports;
mod privilege;
mod process;
mod process_label;
mod process_table;
mod ready;
mod run_id;
mod tmpfs;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt as _};

pub use build::{Building, CargoError, sources};
pub use capability::{Capability, Unsupported, needs};
pub use cleanup::{Cleanup, OVERLAPS_FOLDER, OWNER_FILE, Scope, clean_up, lost};
pub use docker::{AddressError, Engine, engine, engine_address};
pub use log::Log;
pub use owner::{Fate, Owner, Place, Process};
pub use ports::reserve as reserve_port;
pub use ready::{ready, tail};
pub use run_id::new_run_id;

use firedrill_model::format;
use firedrill_model::history::BackendKind;
use firedrill_model::scenario::{Dockerfile, ResourceLimits, Restart, Service, Tls};
use firedrill_probe::EndpointError;

/// Which backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Kind {
    /// Real containers.
    Docker,
    /// Local child processes.
    Process,
}

impl From<Kind> for BackendKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Docker => Self::Docker,
            Kind::Process => Self::Process,
        }
    }
}

impl Kind {
    /// Its name in histories and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Process => "process",
        }
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Where the pieces of a service come from, after building.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// Static binaries: the program first, then what lies beside it, each with its name.
    Binaries(Vec<(String, PathBuf)>),
    /// An image the engine has or can pull, as a template over `{release}`.
    Image(String),
    /// A Dockerfile with its context, both as whole paths, to be built by the engine for each release.
    Dockerfile(Dockerfile),
    /// A local program.
    Command {
        /// The program and its first arguments, as templates. A program given as a path is relative to the folder; a bare name
        /// is looked up in PATH.
        argv: Vec<String>,
        /// The folder it runs in.
        folder: PathBuf,
    },
}

/// A service as a backend is to run it: no templates left but those only the backend can fill (see [`Backend::create`]).
#[derive(Debug, Clone, PartialEq)]
pub struct Spec {
    /// Its name in the system, also its name in the network.
    pub name: String,
    /// What to run.
    pub source: Source,
    /// Arguments, as templates over `{listen}`, `{listen.NAME}`, `{volume.NAME}`, `{service.NAME}`,
    /// `{service.NAME.PORT}`, either with `.host`, `.port` or `.address`, `{folder}`, `{bin.NAME}`, `{alerts}`, `{release}`.
    pub args: Vec<String>,
    /// Environment, the same templates.
    pub env: BTreeMap<String, String>,
    /// The release it runs.
    pub release: String,
    /// The user that it runs as; its image's own without it.
    pub user: Option<String>,
    /// Its main port, inside, if it has one.
    pub port: Option<u16>,
    /// Further ports, inside.
    pub ports: BTreeMap<String, u16>,
    /// How it speaks TLS: its URLs then begin with `https://`.
    pub tls: Option<Tls>,
    /// Volumes of its own: name to path inside.
    pub volumes: BTreeMap<String, String>,
    /// Volumes of others: name here to (service, volume) there; mounted at the same path as there.
    pub shares: BTreeMap<String, (String, String)>,
    /// What brings it back.
    pub restart: Restart,
    /// Limits.
    pub limits: ResourceLimits,
}

impl Spec {
    /// A service of a system, with what it is built from.
    pub fn of(name: &str, service: &Service, source: Source) -> Self {
        let shares = service.shares.iter().filter_map(|(here, there)| {
            let (owner, volume) = there.split_once('/')?;
            Some((here.clone(), (owner.to_owned(), volume.to_owned())))
        });
        Self {
            name: name.to_owned(),
            source,
            args: service.args.clone(),
            env: service.env.clone(),
            release: service.release.clone(),
            user: service.user.clone(),
            port: service.port,
            ports: service.ports.clone(),
            tls: service.tls.clone(),
            volumes: service.volumes.clone(),
            shares: shares.collect(),
            restart: service.restart,
            limits: service.limits.clone(),
        }
    }

    /// What the URL of its main or a named port begins with.
    pub fn scheme(&self, port: Option<&str>) -> &'static str {
        scheme(self.tls.as_ref().is_some_and(|tls| tls.speaks_at(port)))
    }
}

/// What the URL of a service begins with.
pub fn scheme(tls: bool) -> &'static str {
    if tls { "https" } else { "http" }
}

/// What became of a program that ran as a part of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Executed {
    /// Its exit code; the signal that ended it as a negative number.
    pub code: i64,
    /// The end of what it wrote.
    pub output: Vec<u8>,
}

/// What a service's process is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// Running, with an identity that changes with every new process (container id and start time, or pid and start
    /// time): two equal values mean that it never died in between.
    Running(String),
    /// Frozen.
    Paused,
    /// Ended; the code, or the signal as a negative number.
    Exited(i64),
    /// The kernel killed it: it wanted more memory than it may have.
    OutOfMemory,
    /// Not there.
    Absent,
}

/// The cause of a failure: the engine's, the operating system's, or a text.
pub type Cause = firedrill_wait::Cause;

/// A backend's failure: what was tried, on what, and the cause.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The container engine does not answer.
    #[error("the container engine does not answer: {}\n  start it, or use --backend process", format::chain(&**cause))]
    NoEngine {
        /// The error of the engine's client.
        #[source]
        cause: Cause,
    },
    /// An operation on a service failed.
    #[error("{operation} {service}: {cause}")]
    Operation {
        /// What was tried: "start", "kill", …
        operation: &'static str,
        /// On what.
        service: String,
        /// The cause.
        #[source]
        cause: Cause,
    },
    /// A service did not become ready.
    #[error(
        "{service} is not ready after {}: {}\n  waited for: {waited}\n  end of its log: {log}",
        format::long(*within),
        format::chain(&**last)
    )]
    NotReady {
        /// The service.
        service: String,
        /// How long it had.
        within: Duration,
        /// What it waited for.
        waited: String,
        /// What the last look saw.
        #[source]
        last: Cause,
        /// The end of its log.
        log: String,
    },
    /// A package cannot be built.
    #[error(transparent)]
    Cargo(#[from] CargoError),
    /// A build failed.
    #[error("building {what} failed: {cause}")]
    Build {
        /// The image.
        what: String,
        /// The cause, or the end of the builder's output.
        #[source]
        cause: Cause,
    },
    /// The backend cannot do that.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
    /// The system has no such service.
    #[error("unknown service `{0}`")]
    NoSuchService(String),
    /// It cannot be asked over TLS.
    #[error("{service}: {source}")]
    Endpoint {
        /// The service.
        service: String,
        /// The cause.
        #[source]
        source: EndpointError,
    },
}

/// Where the services of one drill run. Every method is safe to cancel and leaves nothing that [`Backend::clean`] or
/// `firedrill clean` would not find: whatever exists bears the run's label from the moment it exists.
#[async_trait]
pub trait Backend: Send + Sync {
    /// Which backend this is.
    fn kind(&self) -> Kind;

    /// Its name for a reader: engine and version, or the operating system.
    fn place(&self) -> String;

    /// Whether it has a capability.
    ///
    /// # Errors
    /// The reason why it has not.
    fn can(&self, capability: Capability) -> Result<(), Unsupported>;

    /// Makes a service known: reserves its addresses and volumes, starts nothing. All services are created before the
    /// first is started, so that each can be told where the others are.
    async fn create(&self, spec: Spec) -> Result<(), Error>;

    /// Gets what a release of a service needs from elsewhere, so that nobody waits for that while it is deployed.
    async fn fetch(&self, _spec: &Spec) -> Result<(), Error> {
        Ok(())
    }

    /// Starts a created or ended service under its reserved address. Waits until the process runs, not until ready.
    async fn start(&self, service: &str) -> Result<(), Error>;

    /// Replaces what a stopped service runs (another release), keeping its addresses and volumes.
    async fn reconfigure(&self, spec: Spec) -> Result<(), Error>;

    /// What a service was last created or reconfigured with.
    fn spec(&self, service: &str) -> Result<Spec, Error>;

    /// The value of a placeholder, as seen by the services: `service.app` → `http://app:8000`, `alerts`, … `None` for one
    /// that is not the same for every service.
    fn resolve(&self, placeholder: &str) -> Option<String>;

    /// Asks a service to end (SIGTERM), and kills it after `grace`. Its restart policy does not bring it back.
    async fn stop(&self, service: &str, grace: Duration) -> Result<(), Error>;

    /// Kills all processes of a service (SIGKILL), as the kernel would: its restart policy applies.
    async fn kill(&self, service: &str) -> Result<(), Error>;

    /// Freezes all processes of a service: its sockets stay open and nothing answers.
    async fn pause(&self, service: &str) -> Result<(), Error>;

    /// Lets a frozen service go on.
    async fn resume(&self, service: &str) -> Result<(), Error>;

    /// Processes that hold a port of a service and are none of its own: a fault of the service cannot reach them. Empty
    /// where a service is all that can hold its ports.
    async fn strangers(&self, _service: &str) -> Result<Vec<String>, Error> {
        Ok(Vec::new())
    }

    /// What its process is doing now.
    async fn state(&self, service: &str) -> Result<State, Error>;

    /// All processes of a service that are known, by their pids on this machine; none where they run on another one.
    async fn processes(&self, service: &str) -> Vec<u32>;

    /// Yields whenever the state of a service may have changed, for as long as it is asked.
    fn changes(&self) -> BoxStream<'static, ()>;

    /// The address to reach a service at from here, always on 127.0.0.1 and the same over every restart. `port` names
    /// one of its further ports.
    fn address(&self, service: &str, port: Option<&str>) -> Result<SocketAddr, Error>;

    /// The address at which a service's own process listens, as far as it can be reached from here: a proxy of the engine
    /// accepts connections before the process does. `None` where it has none (yet).
    async fn listener(&self, service: &str, port: Option<&str>) -> Result<Option<SocketAddr>, Error> {
        self.address(service, port).map(Some)
    }

    /// The folder here that holds a service's volume: file faults are ordinary file operations on it.
    fn volume(&self, service: &str, volume: &str) -> Result<PathBuf, Error>;

    /// The address on which a listener of the harness can be reached by the services: what to bind here, and the host
    /// name or address under which services reach it.
    async fn host_for_services(&self) -> Result<(std::net::IpAddr, String), Error>;

    /// Says under which URL services reach the drill's alert receiver: `{alerts}`. Before the first `start`.
    fn set_alerts_url(&self, url: &str);

    /// Sets a service's limits, while it runs and for its next starts. Returns those that are in force now, as the engine
    /// or the kernel reports them.
    async fn limit(&self, service: &str, limits: ResourceLimits) -> Result<ResourceLimits, Error>;

    /// Whether a service's process is bound by the permissions of files; if not, why.
    async fn obeys_permissions(&self, service: &str) -> Result<(), Error>;

    /// Says under which URL one service reaches another: `{service.TO}` or `{service.TO.PORT}` in its templates, instead
    /// of the other's own. Before the first `start`.
    fn set_link_url(&self, from: &str, to: &str, port: Option<&str>, url: &str);

    /// Reads what a service has written to its standard output and error so far, oldest first, into a log that keeps as
    /// much of it as it may.
    async fn read_log(&self, service: &str, log: &mut Log) -> Result<(), Error>;

    /// The same, since the last start of the service.
    async fn read_log_since_start(&self, service: &str, log: &mut Log) -> Result<(), Error>;

    /// Runs a program to its end as a part of a service that runs: in its container, or here, in the same folder and with the
    /// same environment. The program and its arguments are templates. Dropped before, it need not end at once; cleanup
    /// ends it.
    ///
    /// # Errors
    /// When it cannot be started.
    async fn exec(&self, service: &str, argv: &[String]) -> Result<Executed, Error>;

    /// Labels a command that is to run here, beside the services, as this run's: it is ended with everything else.
    fn label(&self, command: &mut tokio::process::Command);

    /// Removes everything of this run. Idempotent. Returns the processes that had outlived their service and were ended.
    ///
    /// # Errors
    /// What could not be removed.
    async fn clean(&self) -> Result<Vec<String>, Vec<Error>>;
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Running(identity) => write!(f, "running ({identity})"),
            Self::Paused => f.write_str("frozen"),
            Self::Exited(code) if *code < 0 => write!(f, "ended by signal {}", -code),
            Self::Exited(code) => write!(f, "ended with code {code}"),
            Self::OutOfMemory => f.write_str("killed by the kernel, out of memory"),
            Self::Absent => f.write_str("absent"),
        }
    }
}

/// Opens a backend for one run.
///
/// # Errors
/// [`Error::NoEngine`] when containers are asked for and no engine answers.
pub async fn open(kind: Kind, run: &str, folder: &Path) -> Result<Arc<dyn Backend>, Error> {
    match kind {
        Kind::Process => Ok(Arc::new(process::Processes::open(run, folder))),
        Kind::Docker => Ok(Arc::new(docker::Containers::open(run, folder).await?)),
    }
}

impl State {
    /// Whether its process has ended, or never was.
    pub fn is_over(&self) -> bool {
        matches!(self, Self::Exited(_) | Self::OutOfMemory | Self::Absent)
    }
}

/// A look at every state that often sees each restart: engines pause for 100 ms before one.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Yields at intervals, for a backend that does not report changes itself.
fn looks(every: Duration) -> BoxStream<'static, ()> {
    let look = move |()| async move {
        firedrill_wait::until_due(Instant::now() + every).await;
        Some(((), ()))
    };
    stream::unfold((), look).boxed()
}

/// A failed operation: what was tried, on which service, and the cause.
fn operation(operation: &'static str, service: &str, cause: impl Into<Cause>) -> Error {
    Error::Operation {
        operation,
        service: service.to_owned(),
        cause: cause.into(),
    }
}

/// The end of every backend's cleanup: processes that are left of a service or of a deploy's command (these run here on
/// every backend) are ended, then the folders that the run worked in are removed. Returns what outlived its service.
async fn finish(run: &str, folder: &Path, mut left: Vec<Error>) -> Result<Vec<String>, Vec<Error>> {
    let (outlived, ended) = process_label::end_all(run).await;
    left.extend(
        ended
            .err()
            .map(|cause| operation("end the processes of", run, cause)),
    );
    for name in cleanup::SERVICES {
        let removed = tmpfs::remove_all(&folder.join(name));
        left.extend(
            removed
                .err()
                .map(|cause| operation("remove the folders of", run, cause)),
        );
    }
    if left.is_empty() { Ok(outlived) } else { Err(left) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_history_names_a_backend_as_the_backend_names_itself() {
        for kind in [Kind::Docker, Kind::Process] {
            assert_eq!(BackendKind::from(kind).name(), kind.name());
        }
    }
}
