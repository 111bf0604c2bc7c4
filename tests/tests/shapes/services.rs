//! Services as they are: without a port, ready by a command or a text, found by their names, built from a Dockerfile with
//! arguments, as a user of their own.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use acceptance::shapes::Drilled;
use acceptance::{Ended, Kind};
use firedrill::backend::{self, Backend, Source, Spec};
use firedrill::history::Event;
use firedrill::scenario::{Ready, ResourceLimits, Restart};
use firedrill::units::Span;
use tempfile::TempDir;

use crate::volumes::binaries;

const SYSTEM: &str = r#"
summary = "an app, a worker and a job"
entry = "app"

[service.app]
build = { package = { name = "shapes", with = ["shapes"] } }
args = ["plain", "--listen", "{listen}", "--store", "{volume.data}/items"]
port = 8000
ready = { command = ["{bin.shapes}", "ask", "--to", "{service.app.address}"], within = "30s" }
volumes = { data = "/data" }
after = ["worker"]

[service.worker]
build = { package = { name = "shapes" } }
args = ["worker"]
ready = { log = "the worker is ready", within = "30s" }

[service.job]
build = { package = { name = "shapes" } }
args = ["worker"]
"#;

const KILLED: &str = r#"
summary = "the worker is killed and started again"
system = "system.toml"

[[step]]
at = "200ms"
for = "500ms"
kill = { service = "worker" }

[expect]
journeys = { home = "may be down" }
"#;

/// On a busy machine answers come late, and none of these tests is about that.
pub(crate) const PATIENT: &str = "deadline = \"10s\"\ntimeout = \"10s\"";

/// Files in a folder below the workspace, whose packages they may name.
pub(crate) fn files(system: &str, scenario: &str) -> TempDir {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let system = system.to_owned() + &acceptance::home("20/s", PATIENT);
    std::fs::write(folder.path().join("system.toml"), system).unwrap();
    std::fs::write(folder.path().join("drill.toml"), scenario).unwrap();
    folder
}

/// Runs the drill of these files.
pub(crate) fn run(folder: &TempDir, kind: Kind) -> Ended {
    let file = folder.path().join("drill.toml").display().to_string();
    let runs = folder.path().join("runs");
    acceptance::run(&runs, &["run", "--backend", &kind.to_string(), &file])
}

fn drilled(folder: &TempDir, ended: &Ended) -> Drilled {
    let [run] = &acceptance::run_folders(&folder.path().join("runs"))[..] else {
        panic!("{ended}");
    };
    Drilled::read(run.clone())
}

/// By a command, by a text in the log, or because the process runs; and the report says so of the last one.
pub(crate) async fn a_service_is_ready_as_its_file_says(kind: Kind) {
    let folder = files(SYSTEM, KILLED);
    let ended = run(&folder, kind);
    assert_eq!(ended.code, Some(0), "{ended}");
    let events = drilled(&folder, &ended).history.events;
    let notes: Vec<&str> = events
        .iter()
        .filter_map(|event| match &event.event {
            Event::Note { text } => Some(text.as_str()),
            _ => None,
        })
        .collect();
    let of_job = |note: &&&str| note.starts_with("job counts as ready because its process runs");
    assert_eq!(notes.iter().filter(of_job).count(), 1, "{notes:?}");
}

/// What was waited for, and what the service said last: for each way to be ready.
pub(crate) async fn a_service_that_never_becomes_ready_says_what_was_waited_for(kind: Kind) {
    const APP: &str =
        r#"ready = { command = ["{bin.shapes}", "ask", "--to", "{service.app.address}"], within = "30s" }"#;
    const WORKER: &str = r#"ready = { log = "the worker is ready", within = "30s" }"#;
    let cases = [
        (
            WORKER,
            r#"ready = { log = "nobody writes this", within = "2s" }"#,
            "worker is not ready after",
            "`nobody writes this` in its log",
            "the worker is ready",
        ),
        (
            WORKER,
            r#"ready = { command = ["PROGRAM", "ask", "--to", "127.0.0.1:1"], within = "2s" }"#,
            "exit code 1: Error:",
            "waited for: exit code 0 of `",
            "the worker starts",
        ),
        (
            APP,
            r#"ready = { path = "/nothing", within = "2s" }"#,
            "/nothing answered 404",
            "waited for: a status below 400 at /nothing",
            "end of its log",
        ),
        (
            APP,
            "ports = { other = 8001 }\nready = { port = \"other\", within = \"2s\" }",
            "refused",
            "waited for: a connection to its port",
            "end of its log",
        ),
    ];
    for (ready, never, what, waited, logged) in cases {
        let program = "{bin.shapes}";
        let system = SYSTEM.replace(ready, &never.replace("PROGRAM", program)).replace(
            "name = \"shapes\" } }\nargs = [\"worker\"]\nready",
            "name = \"shapes\", with = [\"shapes\"] } }\nargs = [\"worker\"]\nready",
        );
        assert!(system.contains("2s"), "{system}");
        let folder = files(&system, KILLED);
        let ended = run(&folder, kind);
        assert_eq!(ended.code, Some(4), "{never}: {ended}");
        let said = ended.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
        for part in [what, waited, logged] {
            assert!(said.contains(part), "{never}: no `{part}` in {ended}");
        }
    }
}

/// A backend with services of the shapes program, and no drill.
struct Services {
    backend: Arc<dyn Backend>,
    source: Source,
    _folder: TempDir,
}

impl Services {
    async fn open(kind: Kind) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let run = format!("services-{:08x}", rand::random::<u32>());
        Self {
            backend: backend::open(kind, &run, folder.path()).await.unwrap(),
            source: Source::Binaries(binaries().await),
            _folder: folder,
        }
    }

    async fn start(&self, name: &str, port: Option<u16>, args: &[&str], ready: &Ready) -> Duration {
        let spec = Spec {
            name: name.into(),
            source: self.source.clone(),
            args: args.iter().map(|arg| (*arg).to_owned()).collect(),
            env: BTreeMap::new(),
            release: "v1".into(),
            user: None,
            port,
            tls: None,
            ports: BTreeMap::new(),
            volumes: BTreeMap::from([("data".into(), "/data".into())]),
            shares: BTreeMap::new(),
            restart: Restart::No,
            limits: ResourceLimits::default(),
        };
        self.backend.create(spec).await.unwrap();
        self.again(name, ready).await
    }

    /// Starts it, and waits until it is ready.
    async fn again(&self, name: &str, ready: &Ready) -> Duration {
        let since = Instant::now();
        self.backend.start(name).await.unwrap();
        let endpoint = self.backend.address(name, None).ok().map(Into::into);
        let ready = backend::ready(self.backend.as_ref(), name, ready, endpoint.as_ref());
        ready.await.unwrap();
        since.elapsed()
    }
}

fn within_30s(ready: Ready) -> Ready {
    Ready {
        within: Span::from_secs(30),
        ..ready
    }
}

/// Its log has the text from before: only what it writes from now on counts.
pub(crate) async fn a_text_of_an_earlier_life_does_not_make_a_service_ready(kind: Kind) {
    const LATE: Duration = Duration::from_millis(800);
    let services = Services::open(kind).await;
    let ready = within_30s(Ready {
        log: Some("the worker is ready".into()),
        ..Ready::default()
    });
    let first = services.start("worker", None, &["worker"], &ready).await;
    assert!(first >= LATE, "{first:?}");
    services.backend.kill("worker").await.unwrap();
    let second = services.again("worker", &ready).await;
    assert!(second >= LATE, "{second:?}");
    services.backend.clean().await.unwrap();
}

/// `db` is the database of the drill that asks, and nobody's where the drill has none.
pub(crate) async fn a_service_is_found_by_its_name_in_its_own_drill_only() {
    let (one, other) = (
        Services::open(Kind::Docker).await,
        Services::open(Kind::Docker).await,
    );
    let ready = within_30s(Ready::default());
    let server = ["plain", "--listen", "0.0.0.0:5432", "--store", "/data/items"];
    one.start("db", Some(5432), &server, &ready).await;
    for services in [&one, &other] {
        services.start("worker", None, &["worker"], &ready).await;
    }
    let ask = ["/shapes", "ask", "--to", "db:5432"].map(str::to_owned);
    let asked = async |services: &Services| services.backend.exec("worker", &ask).await.unwrap();
    let found = asked(&one).await;
    assert_eq!(found.code, 0, "{found:?}");
    let unknown = asked(&other).await;
    assert_ne!(unknown.code, 0, "{unknown:?}");
    let said = String::from_utf8_lossy(&unknown.output);
    assert!(said.contains("failed to lookup address"), "{said}");
    one.backend.clean().await.unwrap();
    other.backend.clean().await.unwrap();
}

const DOCKERFILE: &str = r#"
FROM scratch AS run
ARG VERSION=none
COPY --chmod=755 shapes /shapes
ENV IMAGE=$VERSION
ENTRYPOINT ["/shapes"]

FROM run AS wrong
ENV IMAGE=wrong
"#;

const BUILT: &str = r#"
summary = "an image for each release, from one Dockerfile"

[service.app]
build = { dockerfile = { path = "docker/Dockerfile", context = "context", target = "run", args = { VERSION = "{release}" } } }
args = ["echo", "--listen", "{listen}", "--store", "{volume.data}/items"]
release = "v1"
user = "1234:2345"
port = 8000
ready = { path = "/", within = "30s" }
volumes = { data = "/data" }
"#;

const DEPLOYED: &str = r#"
summary = "another release"
system = "system.toml"

[[step]]
at = "200ms"
deploy = { service = "app", release = "v2" }

[expect]
journeys = { home = "may be down" }
"#;

/// Each release gets its argument, so that each is an image of its own.
pub(crate) async fn a_dockerfile_is_built_for_each_release_with_its_stage_and_its_user() {
    let folder = files(BUILT, DEPLOYED);
    let place = |name: &str| folder.path().join(name);
    for folder in ["docker", "context"] {
        std::fs::create_dir(place(folder)).unwrap();
    }
    std::fs::write(place("docker/Dockerfile"), DOCKERFILE).unwrap();
    std::fs::copy(&binaries().await[0].1, place("context/shapes")).unwrap();
    let ended = run(&folder, Kind::Docker);
    assert_eq!(ended.code, Some(0), "{ended}");
    let [run] = &acceptance::run_folders(&place("runs"))[..] else {
        panic!("{ended}");
    };
    let log = std::fs::read_to_string(run.join("logs/app.log")).unwrap();
    for release in ["v1", "v2"] {
        let variable = format!("(\"IMAGE\", \"{release}\")");
        assert!(log.contains(&variable), "{release}: {log:.2000}");
    }
    assert_eq!(log.matches("user 1234:2345").count(), 2, "{log:.2000}");
    assert!(!Path::new(&run.join("volumes")).exists(), "{ended}");
}

/// The scenario is skipped, with the reason: the service would run as somebody else.
pub(crate) async fn another_user_needs_a_container() {
    let system = SYSTEM.replace(
        "args = [\"worker\"]\nready",
        "args = [\"worker\"]\nuser = \"1234\"\nready",
    );
    let ended = run(&files(&system, KILLED), Kind::Process);
    assert_eq!(ended.code, Some(3), "{ended}");
    assert!(ended.to_string().contains("`user` needs a container"), "{ended}");
}
