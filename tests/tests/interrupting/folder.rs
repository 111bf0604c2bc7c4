//! A drill of one program in a folder of its own, run by the real binary in a process that can be sent signals.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use acceptance::{home, shortener};
use firedrill::wait::{self, Poll};
use rustix::process::{Pid, Signal, kill_process};

/// A folder with a system of one program and a scenario.
pub(crate) struct Folder(pub(crate) tempfile::TempDir);

impl Folder {
    /// Inside the workspace's target folder, so that the package of the system is found.
    pub(crate) fn new(rate: &str, scenario: &str) -> Self {
        Self::with("", rate, scenario)
    }

    /// With more in the system file.
    pub(crate) fn with(system: &str, rate: &str, scenario: &str) -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let system = [
            "summary = \"the shortener by itself\"\n",
            &shortener("app", "v3", ""),
            &home(rate, "connections = [\"new\"]\ntimeout = \"1s\""),
            system,
        ]
        .concat();
        std::fs::write(folder.path().join("system.toml"), system).unwrap();
        let scenario = format!("summary = \"one fault\"\nsystem = \"system.toml\"\n{scenario}");
        std::fs::write(folder.path().join("one.toml"), scenario).unwrap();
        Self(folder)
    }

    pub(crate) fn runs(&self) -> PathBuf {
        self.0.path().join("runs")
    }

    pub(crate) fn firedrill(&self, args: &[&str]) -> Command {
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

    pub(crate) fn run(&self) -> Child {
        self.run_on("process")
    }

    pub(crate) fn run_on(&self, backend: &str) -> Child {
        self.firedrill(&["run", "./one.toml", "--backend", backend])
            .spawn()
            .unwrap()
    }

    /// The one run folder.
    pub(crate) fn folder(&self) -> Option<PathBuf> {
        let entries = std::fs::read_dir(self.runs()).ok()?.flatten();
        entries.map(|entry| entry.path()).find(|path| path.is_dir())
    }

    pub(crate) fn events(&self) -> String {
        let events = |run: PathBuf| std::fs::read_to_string(run.join("events.jsonl")).ok();
        self.folder().and_then(events).unwrap_or_default()
    }

    pub(crate) fn has_event(&self, kind: &str) -> bool {
        self.events().contains(&format!("\"event\":\"{kind}\""))
    }

    /// Waits until the history of a drill that runs has an event of this kind.
    pub(crate) async fn event(&self, child: &mut Child, kind: &str) {
        let look = || {
            std::future::ready(if self.has_event(kind) {
                Poll::Done(())
            } else if child.try_wait().unwrap().is_some() {
                // A drill that has ended has no further event.
                Poll::Never(said(child))
            } else {
                Poll::NotYet(self.events().lines().rev().take(3).collect())
            })
        };
        wait::until(kind, Duration::from_secs(300), look).await.unwrap();
    }

    pub(crate) fn left(&self) -> bool {
        self.folder().is_some_and(|run| {
            ["volumes", "processes", "overlaps"]
                .iter()
                .any(|name| run.join(name).exists())
        })
    }
}

/// The harness beside this test's own binary.
pub(crate) fn binary() -> PathBuf {
    let build = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "-p", "firedrill", "--bin", "firedrill"])
        .status();
    assert!(build.unwrap().success());
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("../debug/firedrill")
}

/// What an ended process has written to its standard error.
pub(crate) fn said(child: &mut Child) -> String {
    let mut said = String::new();
    let stderr = child.stderr.take();
    stderr.unwrap().read_to_string(&mut said).unwrap();
    said
}

pub(crate) fn signal(child: &Child, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

/// Waits for its end, for so long at most.
pub(crate) async fn end(mut child: Child) -> Output {
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

pub(crate) fn transcript(output: &Output) -> String {
    format!(
        "{}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// A system whose deploys run a shell's words, which may name a number of seconds that nobody else sleeps for.
pub(crate) fn deployed_by(words: &str) -> Folder {
    let system = format!("\n[[deploy]]\n[deploy.command]\nargv = [\"sh\", \"-c\", \"{words}\"]\n");
    let step = "[[step]]\nat = \"100ms\"\ndeploy = { service = \"app\", release = \"v3\" }\n";
    Folder::with(&system, "20/s", step)
}

/// A number of seconds that nobody else sleeps for.
pub(crate) fn seconds() -> String {
    format!("{}.{}", 3000 + std::process::id(), rand::random::<u16>())
}

/// Whether somebody sleeps for so many seconds.
pub(crate) fn sleeps(seconds: &str) -> bool {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let mut commands = processes.filter_map(|process| std::fs::read(process.path().join("cmdline")).ok());
    commands.any(|command| command == format!("sleep\0{seconds}\0").as_bytes())
}

pub(crate) async fn sleeps_within(seconds: &str, wanted: bool) {
    let look = || {
        std::future::ready(if sleeps(seconds) == wanted {
            Poll::<_, String>::Done(())
        } else {
            Poll::NotYet((!wanted).to_string())
        })
    };
    wait::until("whether it sleeps", Duration::from_secs(60), look)
        .await
        .unwrap();
}

/// A step that freezes the service for longer than any test waits.
pub(crate) const FROZEN: &str = "[[step]]\nat = \"100ms\"\nfor = \"60s\"\npause = { service = \"app\" }\n";
