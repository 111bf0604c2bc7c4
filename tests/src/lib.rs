//! What the acceptance tests share: the real binary, and where it runs.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

pub mod left;
pub mod redis;
pub mod shapes;
pub mod snapshots;
pub mod suite;
pub mod trials;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};

pub use firedrill::backend::Kind;

/// The workspace's folder.
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The folder that this test, or program of the tests, was built into: `target/debug`, say.
fn profile() -> PathBuf {
    let program = std::env::current_exe().unwrap();
    let folder = program.parent().unwrap();
    // Cargo keeps tests in a folder of their own.
    let above = if folder.ends_with("deps") {
        folder.parent()
    } else {
        None
    };
    above.unwrap_or(folder).to_owned()
}

/// The binary, built once a test run: what is tested is what lies in the tree.
pub fn firedrill() -> &'static Path {
    // Cargo gives a package's tests only the binaries of that package, and this one is another's.
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let profile = profile();
        let binary = profile.join(format!("firedrill{}", std::env::consts::EXE_SUFFIX));
        // nextest runs every test in a process of its own: the first one builds.
        let run = std::env::var("NEXTEST_RUN_ID").unwrap_or_default();
        let mark = profile.join("firedrill-built-for-tests");
        let built = !run.is_empty() && std::fs::read_to_string(&mark).is_ok_and(|last| last == run);
        if !built {
            build(profile.ends_with("release"));
            std::fs::write(mark, run).unwrap();
        }
        assert!(binary.exists(), "cargo built no {}", binary.display());
        binary
    })
}

fn build(release: bool) {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet", "--package", "firedrill", "--bin", "firedrill"]);
    if release {
        cargo.arg("--release");
    }
    let output = cargo.current_dir(workspace()).output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// A command line of the binary, in the workspace, with run folders of its own.
pub fn command(runs: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(firedrill());
    command.args(args).current_dir(workspace()).stdin(Stdio::null());
    command
        .env("FIREDRILL_RUNS", runs)
        .env("NO_COLOR", "1")
        // A drill must not see how the tests are run.
        .env_remove("INSTA_UPDATE");
    command
}

/// What became of a command, with all it said.
pub struct Ended {
    /// Its exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// Its standard output.
    pub out: String,
    /// Its standard error.
    pub err: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "exit code {:?}\n--- stdout\n{}\n--- stderr\n{}",
            self.code, self.out, self.err
        )
    }
}

/// Runs a command line to its end.
pub fn run(runs: &Path, args: &[&str]) -> Ended {
    command(runs, args).output().unwrap().into()
}

/// Runs a suite of drills to its end, while no other of this program runs: neither is to disturb the other's timing.
pub fn run_alone(runs: &Path, args: &[&str]) -> Ended {
    static RUNNING: Mutex<()> = Mutex::new(());
    // Two suites at once would disturb each other's measurements.
    let _one = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
    run(runs, args)
}

/// Why there is no container engine here; none when there is one. In CI that is a failure, not a reason to skip.
pub fn no_engine() -> Option<String> {
    static ANSWER: OnceLock<Option<String>> = OnceLock::new();
    let ask = || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime
            .block_on(firedrill::backend::engine())
            .err()
            .map(|error| error.to_string())
    };
    // Asked once: an engine that comes or goes during a run would skip only some of its tests.
    let why = ANSWER.get_or_init(ask).clone();
    let ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
    assert!(
        !ci || why.is_none(),
        "CI=true, and there is no container engine: {}",
        why.unwrap_or_default()
    );
    why
}

/// A service of a system file: the workspace's shortener, with more variables than it needs anyway.
pub fn shortener(name: &str, release: &str, more: &str) -> String {
    format!(
        r#"
[service.{name}]
build = {{ package = {{ name = "shortener" }} }}
args = ["serve"]
release = "{release}"
port = 8000
ready = {{ path = "/readyz", within = "30s" }}
volumes = {{ store = "/data" }}
env = {{ SHORTENER_RELEASE = "{{release}}", SHORTENER_LISTEN = "{{listen}}", SHORTENER_STORE = "{{volume.store}}", SHORTENER_SECRET = "rehearsal only"{more} }}
"#
    )
}

/// A journey of a system file: the first page, with further keys.
pub fn home(rate: &str, more: &str) -> String {
    format!(
        r#"
[[journey]]
name = "home"
rate = "{rate}"
request = {{ path = "/" }}
answer = {{ status = 200 }}
{more}
"#
    )
}

/// The run folders in a folder, with the scenario of each.
pub fn run_folders(runs: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(runs).into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
        .collect();
    folders.sort();
    folders
}
