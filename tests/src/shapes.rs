//! Services in the shapes that real services have: each is left alone, frozen, killed and replaced, on each backend, and
//! the verdict is held against the truth that the service itself notes beside it.
//!
//! A verdict may not be met where users failed, nor breached where they did not. It may be undecided only where the table
//! says so, or where the machine was too busy to probe.

use std::path::{Path, PathBuf};

use crate::{Ended, Kind};
use firedrill::check::CheckId;
use firedrill::history::{self, History};
use firedrill::judge::{self, Verdict};
use firedrill::measure;

/// A gap between two signs of life that is longer than this is a time in which nothing served. They come every 5 ms; a
/// busy machine makes that more.
pub const GAP_MICROS: u64 = 150_000;

/// What a shape's users get while nothing is wrong with it.
#[derive(Clone, Copy, PartialEq)]
pub enum Calm {
    /// What they came for.
    Good,
    /// Errors now and then: that they are allowed must be said.
    Errors,
}

/// The shapes that are drilled in containers too: one for each way to start, to answer and to store. The others take
/// minutes there.
pub const IN_CONTAINERS: [&str; 6] = [
    "plain",
    "prefork",
    "idle-close",
    "linked-store",
    "hidden",
    "daemon",
];

/// The shapes whose drills may be undecided, after which events, and why. Any other one must be decided.
pub const UNDECIDED: &[(&str, &[&str], &str)] = &[
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
        "now-and-then",
        &DRILLS,
        "an error at the very end may be the begin of an outage",
    ),
];

/// The shape that cannot run at all: nothing may be met.
pub const NEVER_MET: &str = "daemon";

/// The shapes, as the service names them, and what its users get.
pub const SHAPES: &[(&str, Calm)] = &[
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
pub const DRILLS: [&str; 4] = ["calm", "frozen", "killed", "replaced"];

/// The system file of a shape.
pub fn system(shape: &str) -> String {
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

/// The scenario of a shape and of what is done to it.
pub fn scenario(shape: &str, drill: &str) -> String {
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

/// A folder with the systems and scenarios of some shapes, in a folder inside the workspace, so that its packages are found.
pub fn folder(inside: &Path, shapes: &[(&str, Calm)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir_in(inside).unwrap();
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
pub struct Drilled {
    /// What was recorded.
    pub history: History,
    folder: PathBuf,
    /// What Firedrill says of it.
    pub verdict: Verdict,
    /// The checks that are undecided.
    undecided: Vec<CheckId>,
}

impl Drilled {
    /// Reads a run folder.
    pub fn read(folder: PathBuf) -> Self {
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

    /// `SHAPE-DRILL`.
    pub fn name(&self) -> &str {
        &self.history.start.plan.name
    }

    /// The longest time in microseconds in which no process of the service gave a sign of life.
    pub fn longest_gap(&self) -> u64 {
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

/// Runs every scenario of a folder.
pub fn run(kind: Kind, scenarios: &Path) -> (Ended, Vec<Drilled>) {
    let runs = scenarios.join("runs");
    let (kind, scenarios) = (kind.to_string(), scenarios.display().to_string());
    let ended = crate::run_alone(&runs, &["run", "--backend", &kind, &scenarios]);
    let drilled = crate::run_folders(&runs).into_iter().map(Drilled::read).collect();
    (ended, drilled)
}

/// Whether the table says that a drill may be undecided.
pub fn may_be_undecided(shape: &str, drill: &str) -> bool {
    let listed = |(name, drills, _): &(&str, &[&str], &str)| *name == shape && drills.contains(&drill);
    UNDECIDED.iter().any(listed)
}

/// Whether the machine was too busy to probe a service that ran: such a drill says nothing about its shape.
pub fn was_not_probed(drilled: &Drilled) -> bool {
    let is_undecided = |check: &CheckId| drilled.undecided.contains(check);
    let stalled = is_undecided(&CheckId::EvidenceVoids) || is_undecided(&CheckId::EvidenceGaps);
    stalled && !is_undecided(&CheckId::EvidenceSteady)
}

/// What is wrong with a verdict beside the truth, if anything is.
pub fn refuted(drilled: &Drilled, calm: Calm) -> Option<String> {
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
