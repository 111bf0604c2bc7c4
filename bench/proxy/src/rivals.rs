//! The proxies that are compared. Each is a process of its own: this program in another role, or fault-cli.

use std::ffi::OsStr;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use firedrill_proxy::Proxy;
use firedrill_wait::Poll;
use noxious::proxy::{ProxyConfig, ProxyRunner, Runner, Toxics};
use noxious::signal::{Close, Stop};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};

use crate::load;

pub(crate) const RELAY: &str = "plain relay";
/// The same again: its difference from the first is the noise of the measurement.
const AGAIN: &str = "relay, again";
pub(crate) const FIREDRILL: &str = "firedrill";
const NOXIOUS: &str = "noxious";
const FAULT: &str = "fault-cli";
const SERVICE: &str = "service";

/// What a child process does: listens, prints its address, and serves until it is killed.
pub(crate) async fn play(role: &str, upstream: Option<&str>) -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let upstream = || upstream.and_then(|text| text.parse::<SocketAddr>().ok()).ok_or(io::ErrorKind::InvalidInput);
    let say = |address: SocketAddr| {
        println!("{address}");
        io::stdout().flush()
    };
    match role {
        SERVICE => {
            say(address)?;
            load::serve(listener).await
        }
        RELAY | AGAIN => {
            say(address)?;
            relay(listener, upstream()?).await
        }
        FIREDRILL => {
            let proxy = Proxy::start(upstream()?).await.map_err(io::Error::other)?;
            say(proxy.address())?;
            std::future::pending().await
        }
        NOXIOUS => {
            drop(listener);
            let config = ProxyConfig {
                name: "bench".into(),
                listen: address.to_string(),
                upstream: upstream()?.to_string(),
                enabled: true,
                rand_seed: None,
            };
            run_noxious(config, || say(address)).await
        }
        _ => Err(io::ErrorKind::InvalidInput.into()),
    }
}

/// The plainest relay that tokio offers.
async fn relay(listener: TcpListener, upstream: SocketAddr) -> io::Result<()> {
    loop {
        let (mut client, _) = listener.accept().await?;
        tokio::spawn(async move {
            client.set_nodelay(true)?;
            let mut service = TcpStream::connect(upstream).await?;
            service.set_nodelay(true)?;
            tokio::io::copy_bidirectional(&mut client, &mut service).await
        });
    }
}

async fn run_noxious(config: ProxyConfig, ready: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    let (listener, info) =
        ProxyRunner::initialize_proxy::<noxious::socket::TcpListener>(config, Toxics::empty()).await?;
    let (_toxics, receiver) = bmrng::channel(1);
    let ((stop, _stopper), (_close, closer)) = (Stop::new(), Close::new());
    ready()?;
    ProxyRunner::run_proxy(listener, info, receiver, stop, closer).await
}

/// All proxies and the service, running. They end when this is dropped.
pub(crate) struct Cast {
    proxies: Vec<(&'static str, SocketAddr, Child)>,
    pub(crate) missing: Vec<String>,
    _service: Child,
    _folder: tempfile::TempDir,
}

impl Cast {
    pub(crate) async fn start() -> io::Result<Self> {
        let (service, upstream) = child(SERVICE, None).await?;
        let folder = tempfile::tempdir()?;
        let mut cast = Self {
            proxies: Vec::new(),
            missing: Vec::new(),
            _service: service,
            _folder: folder,
        };
        for role in [RELAY, FIREDRILL, AGAIN, NOXIOUS] {
            let (child, address) = child(role, Some(upstream)).await?;
            cast.proxies.push((role, address, child));
        }
        match fault_cli(upstream, cast._folder.path()).await {
            Ok((child, address)) => cast.proxies.push((FAULT, address, child)),
            Err(error) => cast.missing.push(format!("{FAULT} is not compared: {error}")),
        }
        Ok(cast)
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.proxies.iter().map(|(name, ..)| *name)
    }

    pub(crate) fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.proxies.iter().map(|(_, address, _)| *address)
    }
}

/// The core of the users and the service, and the core of the proxies. Left to the kernel, the placement of threads
/// matters more over one connection than anything a proxy does: two equal relays differ by 30 %.
const OTHERS: &str = "0";
const PROXY: &str = "1";

/// Pins this process to the core of the users.
pub(crate) async fn pin_users() -> io::Result<()> {
    let pid = std::process::id().to_string();
    let mut command = Command::new("taskset");
    command.args(["--all-tasks", "--cpu-list", "--pid", OTHERS, &pid]);
    let pinned = command.stdout(Stdio::null()).status().await?;
    pinned.success().then_some(()).ok_or_else(|| io::Error::other("taskset failed: two cores are needed"))
}

/// A program pinned to a core.
fn on(core: &str, program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("taskset");
    command.args(["--cpu-list", core]).arg(program);
    command
}

async fn child(role: &str, upstream: Option<SocketAddr>) -> io::Result<(Child, SocketAddr)> {
    let core = if role == SERVICE { OTHERS } else { PROXY };
    let mut command = on(core, std::env::current_exe()?);
    command.arg(role).args(upstream.map(|address| address.to_string()));
    let mut child = command.stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
    let out = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
    let line = BufReader::new(out).lines().next_line().await?;
    let address = line.and_then(|line| line.parse().ok());
    Ok((child, address.ok_or_else(|| io::Error::other(format!("{role} did not start")))?))
}

async fn fault_cli(upstream: SocketAddr, folder: &std::path::Path) -> io::Result<(Child, SocketAddr)> {
    let program = std::env::var("FAULT_CLI").unwrap_or_else(|_| "fault".into());
    let address = TcpListener::bind("127.0.0.1:0").await?.local_addr()?;
    let file = folder.join("run.yaml");
    std::fs::write(
        &file,
        format!(
            "schema_version: 1\nname: bench\nproxies:\n  - name: bench\n    protocol: tcp\n    listen: {address}\n    \
             upstream: {upstream}\nphases:\n  - name: nothing\n    proxies:\n      - proxy: bench\n        faults: []\n"
        ),
    )?;
    let mut command = on(PROXY, &program);
    command.arg("run").arg(&file).args(["--output", "json"]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let child = command.kill_on_drop(true).spawn();
    let child = child.map_err(|error| io::Error::other(format!("{program}: {error}")))?;
    firedrill_wait::until::<_, io::Error, _>("fault-cli to listen", Duration::from_secs(10), async || {
        match TcpStream::connect(address).await {
            Ok(_) => Poll::Done(()),
            Err(error) => Poll::NotYet(error.to_string()),
        }
    })
    .await
    .map_err(io::Error::other)?;
    Ok((child, address))
}
