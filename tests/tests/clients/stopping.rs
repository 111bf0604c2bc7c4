//! What is left of a drill's commands when it is stopped, and when its harness is killed.

use std::process::{Child, Stdio};
use std::time::Duration;

use firedrill::wait::{self, Poll};
use rustix::process::{Pid, Signal, kill_process};

use crate::drills::system;

/// Processes with these words as their command line.
fn count(words: &[&str]) -> usize {
    let wanted = words.join("\0") + "\0";
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let lines = processes.filter_map(|process| std::fs::read(process.path().join("cmdline")).ok());
    lines.filter(|line| line == wanted.as_bytes()).count()
}

async fn until(what: &str, is_so: impl Fn() -> bool) {
    let look = || {
        std::future::ready(if is_so() {
            Poll::<_, String>::Done(())
        } else {
            Poll::NotYet("not so".into())
        })
    };
    wait::until(what, Duration::from_secs(60), look).await.unwrap();
}

/// A drill whose clients sleep for so many seconds: each one leaves a sleeper in a session of its own, or waits itself.
struct Sleeping {
    folder: tempfile::TempDir,
    seconds: String,
    child: Child,
}

impl Sleeping {
    async fn start(first: &str) -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let seconds = format!("{}.{}", 5000 + std::process::id(), rand::random::<u16>());
        let argv = format!("[{first}\"sleep\", \"{seconds}\"]");
        let times = "deadline = \"30s\"\ntimeout = \"60s\"\n";
        let journey =
            format!("[[journey]]\nname = \"client\"\nrate = \"5/s\"\n{times}command = {{ argv = {argv} }}\n");
        std::fs::write(folder.path().join("system.toml"), system("store", &[&journey])).unwrap();
        let scenario = "summary = \"no fault\"\nsystem = \"system.toml\"\ntiming = { steady = \"60s\" }\n";
        std::fs::write(folder.path().join("one.toml"), scenario).unwrap();
        let file = folder.path().join("one.toml").display().to_string();
        let mut command = acceptance::command(
            &folder.path().join("runs"),
            &["run", "--backend", "process", &file],
        );
        let child = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let sleeping = Self {
            folder,
            seconds,
            child,
        };
        until("sleeping clients", || sleeping.clients() > 2).await;
        sleeping
    }

    fn clients(&self) -> usize {
        count(&["sleep", &self.seconds])
    }

    async fn signal(&mut self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
        let child = std::cell::RefCell::new(&mut self.child);
        until("its end", || child.borrow_mut().try_wait().unwrap().is_some()).await;
    }
}

pub(crate) async fn stopped_a_drill_leaves_no_client() {
    for first in ["", "\"setsid\", "] {
        let mut drill = Sleeping::start(first).await;
        drill.signal(Signal::INT).await;
        assert_eq!(drill.clients(), 0, "{first}");
    }
}

/// A client dies with its harness; what has left its session is found by the run's label.
pub(crate) async fn a_killed_harness_leaves_nothing_that_clean_does_not_end() {
    let mut drill = Sleeping::start("").await;
    drill.signal(Signal::KILL).await;
    until("no client", || drill.clients() == 0).await;
    let mut drill = Sleeping::start("\"setsid\", ").await;
    drill.signal(Signal::KILL).await;
    assert!(drill.clients() > 0, "nothing was left to clean up");
    let cleaned = acceptance::run(&drill.folder.path().join("runs"), &["clean"]);
    assert_eq!(drill.clients(), 0, "{cleaned}");
}
