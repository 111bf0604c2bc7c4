//! What every home of services promises: one set of contract tests, run on local processes and in containers. A new home
//! adds one line to `on_every_backend`. Where no engine answers the container half is passed over and says so, but never
//! in CI.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use acceptance::trials::{missing, skip, trial};
use firedrill::backend::{self, Backend, Error, Kind, Log, Source, Spec, State};
use firedrill::scenario::{Ready, ResourceLimits, Restart, System};
use firedrill::units::Size;
use firedrill::wait::{self, Poll};
use libtest_mimic::Trial;
use serde_json::json;

/// Nothing here takes longer, however busy the machine is.
const WITHIN: Duration = Duration::from_secs(30);

/// A backend with the shortener on it.
struct Home {
    backend: Arc<dyn Backend>,
    folder: tempfile::TempDir,
    ready: Ready,
    source: Source,
}

/// Tests for each backend from one body, which gets a home where `app` is ready.
macro_rules! on_every_backend {
    ($($name:ident)*) => {
        fn contract() -> Vec<Trial> {
            let mut trials = Vec::new();
            for kind in [Kind::Process, Kind::Docker] {
                $({
                    let name = format!("{kind}::{}", stringify!($name));
                    trials.push(trial(name, missing(kind, []), async move || {
                        let home = Home::open(kind).await;
                        $name(&home).await;
                        home.backend.clean().await.unwrap();
                    }));
                })*
            }
            trials
        }
    };
}

on_every_backend! {
    an_address_is_on_the_loopback_and_survives_every_restart
    nobody_else_on_the_network_can_reach_a_service
    a_kill_is_a_death_by_signal_and_a_stop_is_not
    only_a_new_process_has_a_new_identity
    a_frozen_service_keeps_its_connections_and_answers_none
    a_volume_is_a_folder_here_and_outlives_its_process
    another_release_keeps_addresses_and_volumes
    a_log_has_every_life_of_a_service
    what_ends_by_itself_is_brought_back_and_what_was_told_to_stays_down
    a_limit_is_in_force_until_another_one_is_set
    a_shared_volume_is_the_same_folder
    a_listener_of_ours_has_an_address_for_services
    what_is_not_there_is_named
    nothing_is_left_after_cleaning_and_cleaning_twice_is_cleaning_once
}

impl Home {
    async fn open(kind: Kind) -> Self {
        let system: System = serde_json::from_value(json!({
            "summary": "the shortener by itself",
            "service": { "app": {
                "build": { "package": { "name": "shortener" } }, "port": 8000,
                "ready": { "path": "/readyz", "within": "30s" },
            } },
        }))
        .unwrap();
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut sources = backend::sources(&system, here, &|_| {}).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let run = format!("contract-{:08x}", rand::random::<u32>());
        let home = Self {
            backend: backend::open(kind, &run, folder.path()).await.unwrap(),
            folder,
            ready: system.services["app"].ready.clone(),
            source: sources.remove("app").unwrap(),
        };
        home.backend.create(home.spec("app", "v3")).await.unwrap();
        home.start().await;
        home
    }

    fn spec(&self, name: &str, release: &str) -> Spec {
        let env = [
            ("SHORTENER_RELEASE", "{release}"),
            ("SHORTENER_LISTEN", "{listen}"),
            ("SHORTENER_STORE", "{volume.store}"),
            ("SHORTENER_SECRET", "rehearsal only"),
        ];
        Spec {
            name: name.into(),
            source: self.source.clone(),
            args: vec!["serve".into()],
            env: env.map(|(name, value)| (name.into(), value.into())).into(),
            release: release.into(),
            user: None,
            port: Some(8000),
            ports: BTreeMap::new(),
            tls: None,
            volumes: BTreeMap::from([("store".into(), "/data".into())]),
            shares: BTreeMap::new(),
            restart: Restart::No,
            limits: ResourceLimits::default(),
        }
    }

    async fn start(&self) {
        self.backend.start("app").await.unwrap();
        self.ready().await;
    }

    async fn ready(&self) {
        let port = self.ready.port.as_deref();
        let endpoint = self.backend.address("app", port).unwrap().into();
        backend::ready(self.backend.as_ref(), "app", &self.ready, Some(&endpoint))
            .await
            .unwrap();
    }

    fn address(&self) -> SocketAddr {
        self.backend.address("app", None).unwrap()
    }

    async fn state(&self) -> State {
        self.backend.state("app").await.unwrap()
    }

    /// Stops what runs, and starts it as something else.
    async fn replace(&self, spec: Spec) {
        self.backend.stop("app", WITHIN).await.unwrap();
        self.backend.reconfigure(spec).await.unwrap();
        self.start().await;
    }

    async fn release(&self) -> String {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let answer = client.get(format!("http://{}/healthz", self.address())).send();
        answer.await.unwrap().headers()["x-release"]
            .to_str()
            .unwrap()
            .to_owned()
    }

    async fn log(&self) -> usize {
        let mut log = Log::within(Size(1 << 20));
        self.backend.read_log("app", &mut log).await.unwrap();
        String::from_utf8_lossy(&log.to_bytes())
            .matches("listens on")
            .count()
    }
}

async fn an_address_is_on_the_loopback_and_survives_every_restart(home: &Home) {
    let address = home.address();
    assert!(address.ip().is_loopback());
    home.backend.stop("app", WITHIN).await.unwrap();
    home.start().await;
    assert_eq!(home.address(), address, "stopped and started");
    home.backend.kill("app").await.unwrap();
    home.start().await;
    assert_eq!(home.address(), address, "killed and started");
}

async fn nobody_else_on_the_network_can_reach_a_service(home: &Home) {
    // The address this machine would use towards the world; nothing is sent.
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    let ours = socket
        .connect("192.0.2.1:9")
        .and_then(|()| socket.local_addr())
        .map(|address| address.ip());
    let Ok(ours @ IpAddr::V4(_)) = ours else {
        return skip("this machine has no address but the loopback's");
    };
    let outside = SocketAddr::new(ours, home.address().port());
    assert!(!outside.ip().is_loopback());
    assert!(TcpStream::connect_timeout(&home.address(), WITHIN).is_ok());
    assert!(TcpStream::connect_timeout(&outside, WITHIN).is_err(), "{outside}");
}

async fn a_kill_is_a_death_by_signal_and_a_stop_is_not(home: &Home) {
    home.backend.kill("app").await.unwrap();
    assert_eq!(home.state().await, State::Exited(-9));
    home.start().await;
    home.backend.stop("app", WITHIN).await.unwrap();
    assert_eq!(home.state().await, State::Exited(0));
}

async fn only_a_new_process_has_a_new_identity(home: &Home) {
    let State::Running(first) = home.state().await else {
        panic!("it runs");
    };
    home.backend.pause("app").await.unwrap();
    home.backend.resume("app").await.unwrap();
    // The engine learns of the pause from an event, which may come after the resumption: for a moment it calls it paused.
    let resumed = wait::until("its resumption", WITHIN, || async {
        match home.state().await {
            State::Paused => Poll::<_, std::convert::Infallible>::NotYet("paused".to_owned()),
            state => Poll::Done(state),
        }
    });
    assert_eq!(
        resumed.await.unwrap(),
        State::Running(first.clone()),
        "the same one"
    );
    home.backend.kill("app").await.unwrap();
    home.start().await;
    assert_ne!(home.state().await, State::Running(first), "another one");
}

async fn a_frozen_service_keeps_its_connections_and_answers_none(home: &Home) {
    let mut stream = TcpStream::connect(home.address()).unwrap();
    let mut ask = || stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: app\r\n\r\n");
    home.backend.pause("app").await.unwrap();
    assert_eq!(home.state().await, State::Paused);
    ask().unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let mut answer = [0; 12];
    assert!(stream.read(&mut answer).is_err(), "nothing comes");
    home.backend.resume("app").await.unwrap();
    stream.set_read_timeout(Some(WITHIN)).unwrap();
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
}

async fn a_volume_is_a_folder_here_and_outlives_its_process(home: &Home) {
    let store = home.backend.volume("app", "store").unwrap();
    assert!(store.starts_with(home.folder.path()));
    std::fs::write(store.join("note"), "ours").unwrap();
    home.backend.kill("app").await.unwrap();
    home.start().await;
    assert_eq!(std::fs::read_to_string(store.join("note")).unwrap(), "ours");
}

async fn another_release_keeps_addresses_and_volumes(home: &Home) {
    let (address, store) = (home.address(), home.backend.volume("app", "store").unwrap());
    std::fs::write(store.join("note"), "ours").unwrap();
    assert_eq!(home.release().await, "v3");
    home.replace(home.spec("app", "v1")).await;
    assert_eq!(home.release().await, "v1");
    assert_eq!(home.backend.spec("app").unwrap().release, "v1");
    assert_eq!(home.address(), address);
    assert_eq!(std::fs::read_to_string(store.join("note")).unwrap(), "ours");
}

async fn a_log_has_every_life_of_a_service(home: &Home) {
    assert_eq!(home.log().await, 1);
    home.backend.kill("app").await.unwrap();
    home.start().await;
    assert_eq!(home.log().await, 2, "killed and started");
    home.replace(home.spec("app", "v1")).await;
    assert_eq!(home.log().await, 3, "another release");
}

async fn what_ends_by_itself_is_brought_back_and_what_was_told_to_stays_down(home: &Home) {
    let mut spec = home.spec("app", "v3");
    spec.restart = Restart::Always;
    home.replace(spec).await;
    let first = home.state().await;
    home.backend.kill("app").await.unwrap();
    wait::until("another process", WITHIN, || async {
        match home.state().await {
            now @ State::Running(_) if now != first => Poll::Done(()),
            other => Poll::<_, String>::NotYet(other.to_string()),
        }
    })
    .await
    .unwrap();
    home.ready().await;
    home.backend.stop("app", WITHIN).await.unwrap();
    assert!(home.state().await.is_over(), "it was told to end");
}

async fn a_limit_is_in_force_until_another_one_is_set(home: &Home) {
    let memory = |mib: u64| ResourceLimits {
        memory: Some(Size(mib << 20)),
        ..ResourceLimits::default()
    };
    let set = async |limits| home.backend.limit("app", limits).await.unwrap().memory;
    assert_eq!(set(memory(900)).await, memory(900).memory);
    assert_eq!(set(memory(800)).await, memory(800).memory);
    assert_eq!(set(ResourceLimits::default()).await, None, "no limit");
    home.ready().await;
}

async fn a_shared_volume_is_the_same_folder(home: &Home) {
    let mut spec = home.spec("reader", "v3");
    spec.volumes.clear();
    spec.shares.insert("store".into(), ("app".into(), "store".into()));
    home.backend.create(spec).await.unwrap();
    let of = |service| home.backend.volume(service, "store").unwrap();
    assert_eq!(of("reader"), of("app"));
    home.backend.start("reader").await.unwrap();
    let port = home.ready.port.as_deref();
    let reader = home.backend.address("reader", port).unwrap().into();
    backend::ready(home.backend.as_ref(), "reader", &home.ready, Some(&reader))
        .await
        .unwrap();
    assert_ne!(home.backend.address("reader", None).unwrap(), home.address());
}

async fn a_listener_of_ours_has_an_address_for_services(home: &Home) {
    let (bind, host) = home.backend.host_for_services().await.unwrap();
    let listener = TcpListener::bind((bind, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    home.backend.set_alerts_url(&format!("http://{host}:{port}"));
    assert_eq!(
        home.backend.resolve("alerts"),
        Some(format!("http://{host}:{port}"))
    );
    assert!(home.backend.resolve("service.app").is_some());
    assert!(home.backend.resolve("service.nobody").is_none());
}

async fn what_is_not_there_is_named(home: &Home) {
    let errors = [
        home.backend.start("nobody").await.unwrap_err(),
        home.backend.kill("nobody").await.unwrap_err(),
        home.backend.state("nobody").await.unwrap_err(),
        home.backend.address("nobody", None).unwrap_err(),
    ];
    for error in errors {
        assert!(
            matches!(&error, Error::NoSuchService(name) if name == "nobody"),
            "{error}"
        );
    }
    let volume = home.backend.volume("app", "attic").unwrap_err().to_string();
    assert!(volume.contains("app") && volume.contains("attic"), "{volume}");
    assert!(home.backend.address("app", Some("admin")).is_err());
    home.backend.stop("app", WITHIN).await.unwrap();
    let killed = home.backend.kill("app").await.unwrap_err().to_string();
    assert!(killed.contains("kill app"), "{killed}");
}

async fn nothing_is_left_after_cleaning_and_cleaning_twice_is_cleaning_once(home: &Home) {
    let address = home.address();
    std::fs::write(home.folder.path().join("history"), "stays").unwrap();
    home.backend.clean().await.unwrap();
    assert!(TcpStream::connect_timeout(&address, WITHIN).is_err());
    assert!(TcpListener::bind(address).is_ok(), "its port is free");
    assert!(!home.folder.path().join("volumes").exists());
    assert!(
        home.folder.path().join("history").exists(),
        "what is not a volume stays"
    );
    home.backend.clean().await.unwrap();
}

/// Starts a program on local processes that starts another one by these words, which writes its pid.
async fn leaver(words: &str) -> (Arc<dyn Backend>, backend::Process, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let run = format!("contract-{:08x}", rand::random::<u32>());
    let backend = backend::open(Kind::Process, &run, folder.path()).await.unwrap();
    let left = folder.path().join("left");
    let words = format!(
        "{words} sh -c 'trap \"\" TERM; echo $$ > {0}.new; mv {0}.new {0}; exec sleep 3000' & exec sleep 3000",
        left.display()
    );
    let argv = ["/bin/sh", "-c", &words].map(str::to_owned);
    let spec = Spec {
        name: "leaver".into(),
        source: Source::Command {
            argv: argv.into(),
            folder: "/".into(),
        },
        args: Vec::new(),
        env: BTreeMap::from([("PATH".into(), "/usr/bin:/bin".into())]),
        release: "v1".into(),
        user: None,
        port: Some(8000),
        ports: BTreeMap::new(),
        tls: None,
        volumes: BTreeMap::new(),
        shares: BTreeMap::new(),
        restart: Restart::No,
        limits: ResourceLimits::default(),
    };
    backend.create(spec).await.unwrap();
    backend.start("leaver").await.unwrap();
    let pid = wait::until("what it leaves", WITHIN, || {
        let pid = std::fs::read_to_string(&left).ok();
        std::future::ready(match pid.and_then(|pid| pid.trim().parse().ok()) {
            Some(pid) => Poll::<u32, String>::Done(pid),
            None => Poll::NotYet("nothing".into()),
        })
    });
    let process = backend::Process::of(pid.await.unwrap()).unwrap();
    (backend, process, folder)
}

/// How a program starts another one that it does not own in any usual sense.
const LEAVES: [&str; 2] = ["setsid", "setsid env -i"];

async fn what_a_program_leaves_in_another_session_ends_with_it_and_is_named() {
    for words in LEAVES {
        let (backend, process, _folder) = leaver(words).await;
        backend.stop("leaver", WITHIN).await.unwrap();
        assert!(!process.is_alive(), "{words}: it outlives the service");
        let outlived = backend.clean().await.unwrap();
        assert_eq!(outlived, [format!("process {} (sleep)", process.pid)], "{words}");
    }
}

async fn a_kill_and_a_pause_reach_what_a_program_started_in_another_session() {
    for words in LEAVES {
        let (backend, process, _folder) = leaver(words).await;
        let state = || {
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.pid)).unwrap();
            stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next())
        };
        backend.pause("leaver").await.unwrap();
        assert_eq!(state(), Some('T'), "{words}");
        backend.resume("leaver").await.unwrap();
        assert_ne!(state(), Some('T'), "{words}");
        backend.kill("leaver").await.unwrap();
        assert!(!process.is_alive(), "{words}");
        backend.clean().await.unwrap();
    }
}

fn main() {
    let mut trials = contract();
    // Sessions are found by the process table of Linux.
    let missing = || (!cfg!(target_os = "linux")).then(|| "this is not Linux".to_owned());
    let name = "what_a_program_leaves_in_another_session_ends_with_it_and_is_named";
    let left = what_a_program_leaves_in_another_session_ends_with_it_and_is_named;
    trials.push(trial(name, missing(), left));
    let name = "a_kill_and_a_pause_reach_what_a_program_started_in_another_session";
    let reached = a_kill_and_a_pause_reach_what_a_program_started_in_another_session;
    trials.push(trial(name, missing(), reached));
    acceptance::trials::run(trials);
}
