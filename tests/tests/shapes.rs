//! Services in the shapes that real services have: each is left alone, frozen, killed and replaced, on each backend, and
//! the verdict is held against the truth that the service itself notes beside it.
//!
//! A verdict may not be met where users failed, nor breached where they did not. It may be undecided only where the table
//! says so, or where the machine was too busy to probe.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use acceptance::trials::{missing, skip, trial};
use acceptance::{Ended, Kind};
use firedrill::backend::{self, Source, Spec};
use firedrill::check::CheckId;
use firedrill::history::{self, Event, History};
use firedrill::judge::{self, Verdict};
use firedrill::measure;
use firedrill::scenario::System;
use serde_json::json;

/// A gap between two signs of life that is longer than this is a time in which nothing served. They come every 5 ms; a
/// busy machine makes that more.
const GAP_MICROS: u64 = 150_000;

/// What a shape's users get while nothing is wrong with it.
#[derive(Clone, Copy, PartialEq)]
enum Calm {
    /// What they came for.
    Good,
    /// Errors now and then: that they are allowed must be said.
    Errors,
}

/// The shapes that are drilled in containers too: one for each way to start, to answer and to store. The others take
/// minutes there.
const IN_CONTAINERS: [&str; 6] = [
    "plain",
    "prefork",
    "idle-close",
    "linked-store",
    "hidden",
    "daemon",
];

/// The shapes whose drills may be undecided, after which events, and why. Any other one must be decided.
const UNDECIDED: &[(&str, &[&str], &str)] = &[
    (
        "daemon",
        &DRILLS,
        "the process that was started ends, and the service ends with it, as an engine ends a container",
    ),
    (
        "unprivileged",
        &DRILLS,
        "nobody may not write to a folder of the harness's user, so that it is never steady",
    ),
    (
        "many-headers",
        &DRILLS,
        "the wait for readiness reads at most 100 headers",
    ),
    (
        "now-and-then",
        &DRILLS,
        "an error at the very end may be the begin of an outage",
    ),
];

/// The shape that cannot run at all: nothing may be met.
const NEVER_MET: &str = "daemon";

/// The shapes, as the service names them, and what its users get.
const SHAPES: &[(&str, Calm)] = &[
    ("plain", Calm::Good),
    ("supervised", Calm::Good),
    ("own-session", Calm::Good),
    ("daemon", Calm::Good),
    ("reparented", Calm::Good),
    ("hidden", Calm::Good),
    ("prefork", Calm::Good),
    ("title", Calm::Good),
    ("no-environment", Calm::Good),
    ("outlived", Calm::Good),
    ("late-port", Calm::Good),
    ("slow-health", Calm::Good),
    ("now-and-then", Calm::Errors),
    ("unique-header", Calm::Good),
    ("gzip", Calm::Good),
    ("huge", Calm::Good),
    ("repeated-header", Calm::Good),
    ("many-headers", Calm::Good),
    ("http10", Calm::Good),
    ("idle-close", Calm::Good),
    ("virtual-host", Calm::Good),
    ("log-flood", Calm::Good),
    ("ignores-term", Calm::Good),
    ("unprivileged", Calm::Good),
    ("linked-store", Calm::Good),
    ("fifo", Calm::Good),
];

/// What is done to each shape.
const DRILLS: [&str; 4] = ["calm", "frozen", "killed", "replaced"];

fn system(shape: &str) -> String {
    // The host that a virtual host asks for.
    let host = if shape == "virtual-host" {
        r#", header = { host = "shapes.example" }"#
    } else {
        ""
    };
    // Ten megabytes ten times a second are enough to read.
    let rate = if shape == "huge" { "10/s" } else { "50/s" };
    format!(
        r#"
summary = "A service of the shape {shape}."

[identity]
header = "x-release"

[service.app]
build = {{ package = {{ name = "shapes" }} }}
args = ["{shape}", "--listen", "{{listen}}", "--store", "{{volume.store}}/items", "--release", "{{release}}"]
release = "v1"
port = 8000
ready = {{ path = "/health", within = "20s"{host} }}
volumes = {{ store = "/data" }}

[records.item]
fields = {{ id = "item-{{n}}", value = "value-{{n}}" }}

[[journey]]
name = "front"
rate = "{rate}"
# Only what is not answered counts here: a busy machine makes answers late.
deadline = "3s"
timeout = "4s"
request = {{ path = "/"{host} }}
answer = {{ status = 200 }}

[[journey]]
name = "store"
rate = "10/s"
deadline = "3s"
timeout = "4s"
request = {{ method = "POST", path = "/items/{{item.id}}", body = "{{item.value}}"{host} }}
answer = {{ status = 201 }}

[journey.remember]
link = "/items/{{item.id}}"
request = {{ path = "{{link}}"{host} }}
answer = {{ status = 200, body_contains = "{{item.value}}" }}
"#
    )
}

fn scenario(shape: &str, drill: &str) -> String {
    let body = match drill {
        "calm" => "[expect]\njourneys = { front = \"never down\", store = \"never down\" }\n",
        // Longer than the deadline: what waits through it is answered too late.
        "frozen" => {
            "[[step]]\nat = \"300ms\"\nfor = \"3500ms\"\npause = { service = \"app\" }\n\
             [expect]\njourneys = { front = \"goes down\", store = \"may be down\" }\n"
        }
        "killed" => {
            "[[step]]\nat = \"300ms\"\nfor = \"700ms\"\nkill = { service = \"app\" }\n\
             [expect]\njourneys = { front = \"goes down\", store = \"may be down\" }\n"
        }
        _ => {
            "[[step]]\nat = \"300ms\"\ndeploy = { service = \"app\", release = \"v2\" }\n\
             [expect]\nreleases = [\"v2\"]\njourneys = { front = \"may be down\", store = \"may be down\" }\n"
        }
    };
    format!("summary = \"{shape}, {drill}\"\nsystem = \"systems/{shape}.toml\"\n{body}")
}

/// A folder with the systems and scenarios of some shapes, inside the workspace's target folder, so that its packages are
/// found.
fn folder(shapes: &[(&str, Calm)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let write = |name: String, text: String| std::fs::write(folder.path().join(name), text).unwrap();
    std::fs::create_dir(folder.path().join("systems")).unwrap();
    for (shape, _) in shapes {
        write(format!("systems/{shape}.toml"), system(shape));
        for drill in DRILLS {
            write(format!("{shape}-{drill}.toml"), scenario(shape, drill));
        }
    }
    folder
}

/// One drill and the truth beside it.
struct Drilled {
    history: History,
    folder: PathBuf,
    verdict: Verdict,
    /// The checks that are undecided.
    undecided: Vec<CheckId>,
}

impl Drilled {
    fn read(folder: PathBuf) -> Self {
        let history = history::read(&folder).unwrap();
        let judgement = judge::judge(&history, &measure::measure(&history));
        Self {
            history,
            folder,
            verdict: judgement.verdict(),
            undecided: judgement
                .of(Verdict::Undecided)
                .map(|check| check.id.clone())
                .collect(),
        }
    }

    fn name(&self) -> &str {
        &self.history.start.plan.name
    }

    /// The longest time in microseconds in which no process of the service gave a sign of life.
    fn longest_gap(&self) -> u64 {
        let log = std::fs::read(self.folder.join("logs/app.log")).unwrap_or_default();
        let log = String::from_utf8_lossy(&log).into_owned();
        let mut signs: Vec<u64> = (log.split("alive ").skip(1))
            .filter_map(|rest| rest.lines().next()?.parse().ok())
            .collect();
        signs.sort_unstable();
        signs
            .windows(2)
            .map(|pair| pair[1] - pair[0])
            .max()
            .unwrap_or(u64::MAX)
    }
}

fn run(kind: Kind, scenarios: &Path) -> (Ended, Vec<Drilled>) {
    let runs = scenarios.join("runs");
    let (kind, scenarios) = (kind.to_string(), scenarios.display().to_string());
    let ended = acceptance::run_alone(&runs, &["run", "--backend", &kind, &scenarios]);
    let drilled = acceptance::run_folders(&runs)
        .into_iter()
        .map(Drilled::read)
        .collect();
    (ended, drilled)
}

/// Whether the table says that a drill may be undecided.
fn may_be_undecided(shape: &str, drill: &str) -> bool {
    let listed = |(name, drills, _): &(&str, &[&str], &str)| *name == shape && drills.contains(&drill);
    UNDECIDED.iter().any(listed)
}

/// Whether the machine was too busy to probe a service that ran: such a drill says nothing about its shape.
fn was_not_probed(drilled: &Drilled) -> bool {
    let is_undecided = |check: &CheckId| drilled.undecided.contains(check);
    let stalled = is_undecided(&CheckId::EvidenceVoids) || is_undecided(&CheckId::EvidenceGaps);
    stalled && !is_undecided(&CheckId::EvidenceSteady)
}

/// What is wrong with a verdict beside the truth, if anything is.
fn refuted(drilled: &Drilled, calm: Calm) -> Option<String> {
    let (gap, verdict) = (drilled.longest_gap(), drilled.verdict);
    let (shape, drill) = drilled.name().rsplit_once('-').unwrap();
    let wrong = match drill {
        _ if was_not_probed(drilled) => false,
        _ if verdict == Verdict::Undecided => !may_be_undecided(shape, drill),
        _ if shape == NEVER_MET => verdict == Verdict::Met,
        // Nobody failed, or errors were hidden.
        "calm" if calm == Calm::Good => verdict == Verdict::Breached && gap < GAP_MICROS,
        "calm" => verdict == Verdict::Met,
        // A fault that reached nobody, and is called an outage; or an outage that is called none.
        "frozen" | "killed" => {
            (verdict == Verdict::Met && gap < GAP_MICROS)
                || (verdict == Verdict::Breached && gap > GAP_MICROS)
        }
        _ => verdict == Verdict::Breached,
    };
    wrong.then(|| {
        let undecided = &drilled.undecided;
        format!(
            "{}: {verdict:?} {undecided:?}, longest gap {} ms",
            drilled.name(),
            gap / 1000
        )
    })
}

async fn no_verdict_contradicts_the_truth(kind: Kind) {
    let wanted = |shape: &str| kind == Kind::Process || IN_CONTAINERS.contains(&shape);
    let shapes: Vec<_> = SHAPES
        .iter()
        .copied()
        .filter(|(shape, _)| wanted(shape))
        .collect();
    let folder = folder(&shapes);
    let (ended, drilled) = run(kind, folder.path());
    assert_eq!(drilled.len(), shapes.len() * DRILLS.len(), "{ended}");
    let calm: BTreeMap<&str, Calm> = SHAPES.iter().copied().collect();
    let refuted: Vec<String> = drilled
        .iter()
        .filter_map(|drilled| refuted(drilled, calm[drilled.name().rsplit_once('-').unwrap().0]))
        .collect();
    let table: Vec<String> = drilled
        .iter()
        .map(|drilled| {
            format!(
                "{:24} {:9?} {} ms",
                drilled.name(),
                drilled.verdict,
                drilled.longest_gap() / 1000
            )
        })
        .collect();
    assert!(refuted.is_empty(), "{refuted:#?}\n{}\n{ended}", table.join("\n"));
}

/// A service with a named pipe in its volume: a fault of that "file" is not in effect, and nobody waits for it.
async fn a_pipe_in_a_volume_holds_up_no_drill(kind: Kind) {
    let folder = folder(&[("fifo", Calm::Good)]);
    let file = folder.path().join("piped.toml");
    let text = "summary = \"a file that is a pipe\"\nsystem = \"systems/fifo.toml\"\n[[step]]\nat = \"300ms\"\n\
        flip-bit = { service = \"app\", volume = \"store\", file = \"fifo\" }\n\
        [expect]\njourneys = { front = \"may be down\", store = \"may be down\" }\n";
    std::fs::write(&file, text).unwrap();
    let runs = folder.path().join("runs");
    let (kind, file) = (kind.to_string(), file.display().to_string());
    let ended = acceptance::run_alone(&runs, &["run", "--backend", &kind, &file]);
    let [run] = &acceptance::run_folders(&runs)[..] else {
        panic!("{ended}");
    };
    let drilled = Drilled::read(run.clone());
    let why = drilled
        .history
        .events
        .iter()
        .find_map(|event| match &event.event {
            Event::NotInjected { why, .. } => Some(why.clone()),
            _ => None,
        });
    assert_eq!(
        why.as_deref(),
        Some("not in effect: fifo is a named pipe, not a regular file")
    );
    assert_eq!(drilled.verdict, Verdict::Undecided, "{ended}");
}

/// The programs of the shapes, built.
async fn binaries() -> Vec<(String, PathBuf)> {
    let system: System = serde_json::from_value(json!({
        "summary": "the program",
        "service": { "app": { "build": { "package": { "name": "shapes" } }, "port": 8000 } },
    }))
    .unwrap();
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = backend::sources(&system, here, &|_| {}).await.unwrap();
    match sources.remove("app") {
        Some(Source::Binaries(binaries)) => binaries,
        other => panic!("{other:?}"),
    }
}

/// An image that runs as root leaves folders of root, and one that runs as another user must be able to write: a harness
/// that is neither removes everything, and reads back every write.
async fn volumes_of_other_users_are_written_and_removed(image_user: &'static str) {
    const NOBODY: u32 = 65534;
    if !rustix::process::geteuid().is_root() {
        return skip("only root can start the harness as another user");
    }
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    std::fs::copy(&binaries().await[0].1, folder.path().join("shapes")).unwrap();
    // By another process: a file that this one has open for writing, for a test beside it that forks, cannot be run.
    let copied = Command::new("cp")
        .args([acceptance::firedrill(), &folder.path().join("firedrill")])
        .status();
    assert!(copied.unwrap().success());
    write(
        "Dockerfile",
        &format!("FROM scratch\nCOPY --chmod=755 shapes /shapes\n{image_user}ENTRYPOINT [\"/shapes\"]\n"),
    );
    // The engine makes the folder `a` in the first volume, as root, to put the second one into it.
    let build = "build = { dockerfile = \"Dockerfile\" }";
    let system = system("plain")
        .replace("build = { package = { name = \"shapes\" } }", build)
        .replace("store = \"/data\"", "store = \"/data\", deep = \"/data/a/b\"");
    assert!(system.contains(build) && system.contains("/data/a/b"), "{system}");
    write("system.toml", &system);
    write(
        "calm.toml",
        "summary = \"calm\"\nsystem = \"system.toml\"\n[expect]\njourneys = { front = \"may be down\", store = \"never down\" }\n",
    );
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        std::os::unix::fs::chown(entry.unwrap().path(), Some(NOBODY), None).unwrap();
    }
    std::os::unix::fs::chown(folder.path(), Some(NOBODY), None).unwrap();
    let engine = std::fs::metadata("/var/run/docker.sock").unwrap().gid();
    let ran = Command::new(folder.path().join("firedrill"))
        .args(["run", "--backend", "docker", "calm.toml"])
        .current_dir(folder.path())
        .env("HOME", folder.path())
        .uid(NOBODY)
        .gid(engine)
        .output()
        .unwrap();
    let text = String::from_utf8([ran.stdout, ran.stderr].concat()).unwrap();
    assert_eq!(ran.status.code(), Some(0), "{text}");
    let [run] = &acceptance::run_folders(&folder.path().join("runs"))[..] else {
        panic!("{text}");
    };
    assert!(!run.join("volumes").exists(), "{text}");
    assert_eq!(Drilled::read(run.clone()).verdict, Verdict::Met, "{text}");
}

/// A service that writes more than is kept: its log has a beginning, an end, and a line about the rest, and what is
/// expected in it is found although it was left out.
async fn a_flooded_log_is_cut_and_says_so(kind: Kind) {
    let folder = folder(&[("log-flood", Calm::Good)]);
    let file = folder.path().join("flooded.toml");
    let text = "summary = \"a flood of log\"\nsystem = \"systems/log-flood.toml\"\n\
        [expect]\njourneys = { front = \"may be down\", store = \"may be down\" }\nlogs = { app = \"alive \" }\n";
    std::fs::write(&file, text).unwrap();
    let runs = folder.path().join("runs");
    let (kind, file) = (kind.to_string(), file.display().to_string());
    let args = ["run", "--backend", &kind, "--log-limit", "64KiB", &file];
    let ended = acceptance::run_alone(&runs, &args);
    let [run] = &acceptance::run_folders(&runs)[..] else {
        panic!("{ended}");
    };
    let log = std::fs::read_to_string(run.join("logs/app.log")).unwrap();
    assert!(log.contains(" bytes of this log left out here]\n"), "{log:.300}");
    assert!((60 << 10..66 << 10).contains(&log.len()), "{} bytes", log.len());
    let drilled = Drilled::read(run.clone());
    let found = |event: &Event| matches!(event, Event::Logged { found: true, .. });
    assert!(
        drilled.history.events.iter().any(|event| found(&event.event)),
        "{ended}"
    );
}

/// A service whose port opens 800 ms after its start is ready when it listens, not when somebody accepts in its place.
async fn a_port_that_opens_late_is_not_ready_before(kind: Kind) {
    let system: System = serde_json::from_value(json!({
        "summary": "a service that opens its port late",
        "service": { "app": {
            "build": { "package": { "name": "shapes" } }, "port": 8000,
            "args": ["late-port", "--listen", "{listen}", "--store", "{volume.store}/items"],
            "ready": { "within": "20s" }, "volumes": { "store": "/data" },
        } },
    }))
    .unwrap();
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = backend::sources(&system, here, &|_| {}).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let run = format!("late-port-{:08x}", rand::random::<u32>());
    let backend = backend::open(kind, &run, folder.path()).await.unwrap();
    let service = &system.services["app"];
    let spec = Spec {
        name: "app".into(),
        source: sources.remove("app").unwrap(),
        args: service.args.clone(),
        env: BTreeMap::new(),
        release: "v1".into(),
        port: service.port,
        ports: BTreeMap::new(),
        volumes: service.volumes.clone(),
        shares: BTreeMap::new(),
        restart: service.restart,
        limits: service.limits.clone(),
    };
    backend.create(spec).await.unwrap();
    let since = Instant::now();
    backend.start("app").await.unwrap();
    backend::ready(backend.as_ref(), "app", &service.ready)
        .await
        .unwrap();
    assert!(
        since.elapsed() >= Duration::from_millis(800),
        "{:?}",
        since.elapsed()
    );
    // The published port is served by then, too.
    let address = backend.address("app", None).unwrap();
    assert!(serves(address), "{address} does not answer");
    backend.clean().await.unwrap();
}

/// Whether somebody answers a request, and does not only accept it.
fn serves(address: SocketAddr) -> bool {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
        .write_all(b"GET /health HTTP/1.1\r\nhost: app\r\n\r\n")
        .unwrap();
    stream.read(&mut [0; 16]).is_ok_and(|read| read > 0)
}

fn main() {
    let mut trials = Vec::new();
    for (name, image_user) in [("root", ""), ("another_user", "USER 4321\n")] {
        let name = format!("docker::volumes_of_{name}_are_written_and_removed");
        trials.push(trial(name, missing(Kind::Docker, []), move || {
            volumes_of_other_users_are_written_and_removed(image_user)
        }));
    }
    for kind in [Kind::Process, Kind::Docker] {
        let name = format!("{kind}::a_flooded_log_is_cut_and_says_so");
        trials.push(trial(name, missing(kind, []), move || {
            a_flooded_log_is_cut_and_says_so(kind)
        }));
    }
    for kind in [Kind::Process, Kind::Docker] {
        let name = format!("{kind}::a_pipe_in_a_volume_holds_up_no_drill");
        trials.push(trial(name, missing(kind, []), move || {
            a_pipe_in_a_volume_holds_up_no_drill(kind)
        }));
    }
    for kind in [Kind::Process, Kind::Docker] {
        let name = format!("{kind}::no_verdict_contradicts_the_truth");
        trials.push(trial(name, missing(kind, []), move || {
            no_verdict_contradicts_the_truth(kind)
        }));
        let name = format!("{kind}::a_port_that_opens_late_is_not_ready_before");
        trials.push(trial(name, missing(kind, []), move || {
            a_port_that_opens_late_is_not_ready_before(kind)
        }));
    }
    acceptance::trials::run(trials);
}
