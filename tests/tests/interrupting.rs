//! The real binary when somebody stops it, when a fault comes to nothing, and after it was killed.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use firedrill::wait::{self, Poll};
use rustix::process::{Pid, Signal, kill_process};

/// A folder with a system of one program and a scenario.
struct Folder(tempfile::TempDir);

/// Answers every request, as slowly to end as it is told.
const SYSTEM: &str = r#"
summary = "the shortener by itself"

[service.app]
build = { package = { name = "shortener" } }
args = ["serve"]
release = "v3"
port = 8000
ready = { path = "/readyz", within = "30s" }
volumes = { store = "/data" }
env = { SHORTENER_RELEASE = "{release}", SHORTENER_LISTEN = "{listen}", SHORTENER_STORE = "{volume.store}" }

[[journey]]
name = "home"
rate = "RATE"
connections = ["new"]
timeout = "1s"
request = { path = "/" }
answer = { status = 200 }
"#;

impl Folder {
    /// Inside the workspace's target folder, so that the package of the system is found.
    fn new(rate: &str, scenario: &str) -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        std::fs::write(folder.path().join("system.toml"), SYSTEM.replace("RATE", rate)).unwrap();
        let scenario = format!("summary = \"one fault\"\nsystem = \"system.toml\"\n{scenario}");
        std::fs::write(folder.path().join("one.toml"), scenario).unwrap();
        Self(folder)
    }

    fn runs(&self) -> PathBuf {
        self.0.path().join("runs")
    }

    fn firedrill(&self, args: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command
            .args(args)
            .env("FIREDRILL_RUNS", self.runs())
            .current_dir(self.0.path());
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn run(&self) -> Child {
        self.firedrill(&["run", "./one.toml", "--target", "process"])
            .spawn()
            .unwrap()
    }

    /// The one run folder.
    fn folder(&self) -> Option<PathBuf> {
        let entries = std::fs::read_dir(self.runs()).ok()?.flatten();
        entries.map(|entry| entry.path()).find(|path| path.is_dir())
    }

    /// Waits until the history has an event of this kind.
    async fn event(&self, kind: &str) {
        let wanted = format!("\"event\":\"{kind}\"");
        let look = || {
            let events = self
                .folder()
                .map(|run| std::fs::read_to_string(run.join("events.jsonl")).unwrap_or_default());
            std::future::ready(match events {
                Some(events) if events.contains(&wanted) => Poll::Done(()),
                events => {
                    Poll::<(), String>::NotYet(events.unwrap_or_default().chars().rev().take(300).collect())
                }
            })
        };
        wait::until(kind, Duration::from_secs(300), look).await.unwrap();
    }

    fn left(&self) -> bool {
        self.folder().is_some_and(|run| {
            ["volumes", "processes", "aside"]
                .iter()
                .any(|name| run.join(name).exists())
        })
    }
}

/// The harness beside this test's own binary.
fn binary() -> PathBuf {
    let build = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "-p", "firedrill", "--bin", "firedrill"])
        .status();
    assert!(build.unwrap().success());
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("../debug/firedrill")
}

fn signal(child: &Child, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

/// Waits for its end, for so long at most.
async fn end(mut child: Child) -> Output {
    let look = || {
        std::future::ready(match child.try_wait() {
            Ok(Some(_)) => Poll::Done(()),
            Ok(None) => Poll::NotYet("it runs".into()),
            Err(error) => Poll::Never(error.to_string()),
        })
    };
    wait::until("its end", Duration::from_secs(60), look)
        .await
        .unwrap();
    child.wait_with_output().unwrap()
}

fn told(output: &Output) -> String {
    format!(
        "{}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

const FROZEN: &str = "[[step]]\nat = \"100ms\"\nfor = \"60s\"\npause = { service = \"app\" }\n";

#[tokio::test]
async fn stopped_once_it_reverts_and_removes() {
    let folder = Folder::new("20/s", FROZEN);
    let child = folder.run();
    folder.event("injected").await;
    signal(&child, Signal::INT);
    let output = end(child).await;
    assert_eq!(output.status.code(), Some(130), "{}", told(&output));
    folder.event("reverted").await;
    assert!(!folder.left(), "{}", told(&output));
}

#[tokio::test]
async fn stopped_three_times_it_leaves_at_once_and_says_what_to_run() {
    let folder = Folder::new("20/s", FROZEN);
    let child = folder.run();
    folder.event("injected").await;
    for _ in 0..3 {
        signal(&child, Signal::INT);
        wait::until_due(std::time::Instant::now() + Duration::from_millis(5)).await;
    }
    let output = end(child).await;
    // Everything may be over before the third is heard.
    match output.status.code() {
        Some(5) => assert!(told(&output).contains("firedrill clean"), "{}", told(&output)),
        code => assert_eq!(code, Some(130), "{}", told(&output)),
    }
    let clean = folder.firedrill(&["clean"]).output().unwrap();
    assert!(clean.status.success() && !folder.left(), "{}", told(&clean));
}

#[tokio::test]
async fn after_a_kill_the_next_run_says_so_and_clean_undoes_it() {
    let folder = Folder::new("20/s", FROZEN);
    let child = folder.run();
    folder.event("injected").await;
    signal(&child, Signal::KILL);
    end(child).await;
    assert!(folder.left());
    let next = folder
        .firedrill(&["run", "./one.toml", "--target", "process"])
        .spawn()
        .unwrap();
    let told_so = async || {
        let runs = std::fs::read_dir(folder.runs())
            .unwrap()
            .flatten()
            .filter(|run| run.path().is_dir())
            .count();
        if runs > 1 {
            Poll::Done(())
        } else {
            Poll::<(), String>::NotYet(format!("{runs} runs"))
        }
    };
    wait::until("the next run", Duration::from_secs(60), told_so)
        .await
        .unwrap();
    let busy = folder.firedrill(&["clean"]).output().unwrap();
    assert!(
        told(&busy).contains("undone  pause, step 1") && told(&busy).contains("still runs"),
        "{}",
        told(&busy)
    );
    signal(&next, Signal::INT);
    let output = end(next).await;
    assert!(told(&output).contains("firedrill clean"), "{}", told(&output));
}

#[tokio::test]
async fn a_fault_that_cannot_take_effect_leaves_the_drill_undecided() {
    let step = "[[step]]\nat = \"100ms\"\ntruncate-file = { service = \"app\", volume = \"store\", file = \"no-such.json\" }\n";
    let output = end(Folder::new("20/s", step).run()).await;
    assert_eq!(output.status.code(), Some(3), "{}", told(&output));
}

#[tokio::test]
async fn a_fault_that_no_request_met_leaves_the_drill_undecided() {
    // One probe a second, just after each second of the steady state; the fault falls between two.
    let step = "[timing]\nsteady = \"3s\"\nquiet = \"3s\"\n[[step]]\nat = \"500ms\"\nfor = \"1ms\"\npause = { service = \"app\" }\n";
    let output = end(Folder::new("1/s", step).run()).await;
    assert_eq!(output.status.code(), Some(3), "{}", told(&output));
    assert!(
        told(&output).contains("no probe was sent while it was in effect"),
        "{}",
        told(&output)
    );
}
