//! The real binary when somebody stops it, when a fault comes to nothing, and after it was killed.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use acceptance::trials::{missing, trial};
use acceptance::{home, shortener};
use firedrill::backend::{self, Kind, Owner, Process};
use firedrill::scenario::load;
use firedrill::wait::{self, Poll};
use firedrill::{drill, fault, history};
use rustix::process::{Pid, Signal, kill_process};

/// A folder with a system of one program and a scenario.
struct Folder(tempfile::TempDir);

impl Folder {
    /// Inside the workspace's target folder, so that the package of the system is found.
    fn new(rate: &str, scenario: &str) -> Self {
        Self::with("", rate, scenario)
    }

    /// With more in the system file.
    fn with(system: &str, rate: &str, scenario: &str) -> Self {
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
        self.run_on("process")
    }

    fn run_on(&self, backend: &str) -> Child {
        self.firedrill(&["run", "./one.toml", "--backend", backend])
            .spawn()
            .unwrap()
    }

    /// The one run folder.
    fn folder(&self) -> Option<PathBuf> {
        let entries = std::fs::read_dir(self.runs()).ok()?.flatten();
        entries.map(|entry| entry.path()).find(|path| path.is_dir())
    }

    fn events(&self) -> String {
        let events = |run: PathBuf| std::fs::read_to_string(run.join("events.jsonl")).ok();
        self.folder().and_then(events).unwrap_or_default()
    }

    fn has_event(&self, kind: &str) -> bool {
        self.events().contains(&format!("\"event\":\"{kind}\""))
    }

    /// Waits until the history of a drill that runs has an event of this kind.
    async fn event(&self, child: &mut Child, kind: &str) {
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

    fn left(&self) -> bool {
        self.folder().is_some_and(|run| {
            ["volumes", "processes", "overlaps"]
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

/// What an ended process has written to its standard error.
fn said(child: &mut Child) -> String {
    let mut said = String::new();
    let stderr = child.stderr.take();
    stderr.unwrap().read_to_string(&mut said).unwrap();
    said
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

fn transcript(output: &Output) -> String {
    format!(
        "{}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// A system whose deploys run a shell's words, which may name a number of seconds that nobody else sleeps for.
fn deployed_by(words: &str) -> Folder {
    let system = format!("\n[[deploy]]\n[deploy.command]\nargv = [\"sh\", \"-c\", \"{words}\"]\n");
    let step = "[[step]]\nat = \"100ms\"\ndeploy = { service = \"app\", release = \"v3\" }\n";
    Folder::with(&system, "20/s", step)
}

/// A number of seconds that nobody else sleeps for.
fn seconds() -> String {
    format!("{}.{}", 3000 + std::process::id(), rand::random::<u16>())
}

/// Whether somebody sleeps for so many seconds.
fn sleeps(seconds: &str) -> bool {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let mut commands = processes.filter_map(|process| std::fs::read(process.path().join("cmdline")).ok());
    commands.any(|command| command == format!("sleep\0{seconds}\0").as_bytes())
}

async fn sleeps_within(seconds: &str, wanted: bool) {
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

const FROZEN: &str = "[[step]]\nat = \"100ms\"\nfor = \"60s\"\npause = { service = \"app\" }\n";

async fn stopped_once_it_reverts_and_removes() {
    for how in [Signal::INT, Signal::TERM, Signal::HUP, Signal::QUIT] {
        let folder = Folder::new("20/s", FROZEN);
        let mut child = folder.run();
        folder.event(&mut child, "injected").await;
        signal(&child, how);
        let output = end(child).await;
        assert_eq!(
            output.status.code(),
            Some(130),
            "{how:?}: {}",
            transcript(&output)
        );
        assert!(folder.has_event("reverted"), "{how:?}: {}", transcript(&output));
        assert!(!folder.left(), "{how:?}: {}", transcript(&output));
    }
}

/// A cargo that knows the workspace and builds for ever, as a slow one does.
fn slow_cargo(folder: &Folder, seconds: &str) -> PathBuf {
    let path = folder.0.path().join("cargo.sh");
    let cargo = env!("CARGO");
    let script =
        format!("#!/bin/sh\n[ \"$1\" = build ] || exec '{cargo}' \"$@\"\nsleep {seconds} &\nwait\nexit 1\n");
    std::fs::write(&path, script).unwrap();
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&path, executable).unwrap();
    path
}

#[cfg(target_os = "linux")]
async fn stopped_while_a_service_is_built_it_starts_nothing_more() {
    for how in [Signal::INT, Signal::TERM] {
        let (seconds, folder) = (seconds(), Folder::new("20/s", FROZEN));
        let mut run = folder.firedrill(&["run", "./one.toml", "--backend", "process", "-n", "2"]);
        let child = run.env("CARGO", slow_cargo(&folder, &seconds)).spawn().unwrap();
        sleeps_within(&seconds, true).await;
        signal(&child, how);
        let output = end(child).await;
        let said = transcript(&output);
        assert_eq!(output.status.code(), Some(130), "{said}");
        assert!(said.contains("interrupted: 0 of 2 drills ended"), "{said}");
        assert!(!said.contains("error") && folder.folder().is_none(), "{said}");
        sleeps_within(&seconds, false).await;
    }
}

/// Before its first event, even: what it leaves is a history all the same.
async fn a_drill_that_is_stopped_before_it_begins_leaves_a_history() {
    let folder = Folder::new("20/s", "");
    let plan = load(&folder.0.path().join("one.toml"), &fault::catalogue()).unwrap();
    let run = drill::RunFolder::create(&folder.runs(), drill::new_run_id("one", 1)).unwrap();
    let backend = backend::open(Kind::Process, &run.id, &run.path).await.unwrap();
    let stop = tokio_util::sync::CancellationToken::new();
    stop.cancel();
    let order = drill::Order {
        plan: std::sync::Arc::new(plan),
        backend: std::sync::Arc::clone(&backend),
        sources: Default::default(),
        folder: run.clone(),
        seed: 7,
        log_limit: firedrill::units::Size(1 << 20),
        repeat: (1, 1),
        watch: std::sync::Arc::new(|_| {}),
        setups: std::sync::Arc::new(tokio::sync::Semaphore::new(1)),
    };
    assert!(drill::run(order, stop).await.interrupted);
    let history = history::read(&run.path).unwrap();
    assert_eq!(history.start.run, run.id);
    backend.clean().await.unwrap();
}

/// While its network and its containers are made: what the engine was asked for last comes to be after the signal.
async fn stopped_while_the_engine_makes_its_containers_it_leaves_none() {
    for milliseconds in [0, 15, 50, 150, 400] {
        let folder = Folder::new("20/s", FROZEN);
        let mut child = folder.run_on("docker");
        folder.event(&mut child, "start").await;
        wait::until_due(std::time::Instant::now() + Duration::from_millis(milliseconds)).await;
        signal(&child, Signal::INT);
        let output = end(child).await;
        assert_eq!(output.status.code(), Some(130), "{}", transcript(&output));
        assert!(!folder.left(), "{}", transcript(&output));
        let run = folder.folder().unwrap();
        let run = run.file_name().unwrap().to_str().unwrap();
        let clean = folder
            .firedrill(&["clean", "--run", run, "--json"])
            .output()
            .unwrap();
        let removed: serde_json::Value = serde_json::from_slice(&clean.stdout).unwrap();
        assert_eq!(
            removed["removed"],
            serde_json::json!([]),
            "{}",
            transcript(&clean)
        );
    }
}

async fn stopped_three_times_it_leaves_at_once_and_says_what_to_run() {
    let folder = Folder::new("20/s", FROZEN);
    let mut child = folder.run();
    folder.event(&mut child, "injected").await;
    for _ in 0..3 {
        signal(&child, Signal::INT);
        wait::until_due(std::time::Instant::now() + Duration::from_millis(5)).await;
    }
    let output = end(child).await;
    // Everything may be over before the third is heard.
    match output.status.code() {
        Some(5) => assert!(
            transcript(&output).contains("firedrill clean"),
            "{}",
            transcript(&output)
        ),
        code => assert_eq!(code, Some(130), "{}", transcript(&output)),
    }
    let clean = folder.firedrill(&["clean"]).output().unwrap();
    assert!(clean.status.success() && !folder.left(), "{}", transcript(&clean));
}

async fn after_a_kill_the_next_run_says_so_and_clean_undoes_it() {
    let folder = Folder::new("20/s", FROZEN);
    let mut child = folder.run();
    folder.event(&mut child, "injected").await;
    signal(&child, Signal::KILL);
    end(child).await;
    assert!(folder.left());
    let next = folder
        .firedrill(&["run", "./one.toml", "--backend", "process"])
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
        transcript(&busy).contains("undone  pause, step 1") && transcript(&busy).contains("still runs"),
        "{}",
        transcript(&busy)
    );
    signal(&next, Signal::INT);
    let output = end(next).await;
    assert!(
        transcript(&output).contains("firedrill clean"),
        "{}",
        transcript(&output)
    );
}

async fn a_fault_that_cannot_take_effect_leaves_the_drill_undecided() {
    let step = "[[step]]\nat = \"100ms\"\ntruncate-file = { service = \"app\", volume = \"store\", file = \"no-such.json\" }\n";
    let output = end(Folder::new("20/s", step).run()).await;
    assert_eq!(output.status.code(), Some(3), "{}", transcript(&output));
}

async fn a_fault_that_no_request_met_leaves_the_drill_undecided() {
    // One probe a second, just after each second of the steady state; the fault falls between two.
    let step = "[timing]\nsteady = \"3s\"\nquiet = \"3s\"\n[[step]]\nat = \"500ms\"\nfor = \"1ms\"\npause = { service = \"app\" }\n";
    let output = end(Folder::new("1/s", step).run()).await;
    assert_eq!(output.status.code(), Some(3), "{}", transcript(&output));
    assert!(
        transcript(&output).contains("no probe was sent while it was in effect"),
        "{}",
        transcript(&output)
    );
}

#[cfg(target_os = "linux")]
async fn what_a_deploy_left_running_is_ended_with_the_drill_and_named() {
    let seconds = seconds();
    let words = format!("setsid sleep {seconds} > /dev/null 2>&1 &");
    let output = end(deployed_by(&words).run()).await;
    assert!(!sleeps(&seconds), "{}", transcript(&output));
    let transcript = transcript(&output);
    assert!(
        transcript.contains("outlived") && transcript.contains("(sleep)"),
        "{transcript}"
    );
}

#[cfg(target_os = "linux")]
async fn a_deploy_dies_with_a_killed_harness_and_what_it_left_running_with_the_clean_up() {
    let (waits, leaves) = (seconds(), seconds());
    let folder = deployed_by(&format!(
        "setsid sleep {leaves} > /dev/null 2>&1 & exec sleep {waits}"
    ));
    let child = folder.run();
    sleeps_within(&waits, true).await;
    sleeps_within(&leaves, true).await;
    signal(&child, Signal::KILL);
    end(child).await;
    sleeps_within(&waits, false).await;
    let clean = folder.firedrill(&["clean"]).output().unwrap();
    assert!(clean.status.success() && !folder.left(), "{}", transcript(&clean));
    sleeps_within(&leaves, false).await;
}

/// A harness that is no more.
fn gone() -> Owner {
    let process = Process {
        pid: 1,
        started: u64::MAX,
    };
    Owner {
        process,
        ..Owner::this()
    }
}

#[cfg(target_os = "linux")]
async fn without_an_engine_a_lost_run_in_containers_stays_and_nothing_is_said_to_be_undone() {
    let folder = Folder::new("20/s", "");
    let id = |backend: &str| format!("20261125-103000-{backend}-1-0a1b2c");
    for backend in ["docker", "process"] {
        let run = folder.runs().join(id(backend));
        std::fs::create_dir_all(run.join("volumes")).unwrap();
        std::fs::write(run.join("owner"), gone().to_string()).unwrap();
        let start = format!("{{\"event\":\"start\",\"target\":\"{backend}\"}}\n");
        std::fs::write(run.join("events.jsonl"), start).unwrap();
        let undo = r#"{"undo":"pending","step":0,"fault":"kill","params":null}"#;
        std::fs::write(run.join("undo.jsonl"), undo).unwrap();
    }
    let clean = |args: &[&str]| {
        let mut clean = folder.firedrill(args);
        clean.env("DOCKER_HOST", "tcp://127.0.0.1:1").output().unwrap()
    };
    let other = clean(&["clean", "--run", &id("process")]);
    assert_eq!(other.status.code(), Some(0), "{}", transcript(&other));
    let undone = |backend: &str| format!("undone  kill, step 1 of run {}", id(backend));
    assert!(
        transcript(&other).contains(&undone("process")),
        "{}",
        transcript(&other)
    );
    assert!(
        !transcript(&other).contains(&undone("docker")),
        "{}",
        transcript(&other)
    );
    let all = clean(&["clean"]);
    assert_eq!(all.status.code(), Some(5), "{}", transcript(&all));
    let stays = folder.runs().join(id("docker")).join("volumes").exists();
    assert!(
        !transcript(&all).contains("undone") && stays,
        "{}",
        transcript(&all)
    );
}

#[cfg(target_os = "linux")]
async fn a_clean_up_ends_neither_itself_nor_what_nobody_is_known_to_own() {
    let folder = Folder::new("20/s", "");
    let gone = gone();
    let run = "20261125-103000-nobody-1-0a1b2c";
    let mut nobodys = Command::new("sleep")
        .arg("60")
        .env("FIREDRILL_RUN", run)
        .spawn()
        .unwrap();
    // The shell is the cleanup's parent, and both look like a lost run's.
    let words = format!("'{}' clean; exit $?", binary().display());
    let mut clean = Command::new("sh");
    clean.args(["-c", &words]).env("FIREDRILL_RUNS", folder.runs());
    clean
        .env("FIREDRILL_RUN", run)
        .env("FIREDRILL_OWNER", gone.to_string());
    let output = clean.output().unwrap();
    assert!(output.status.success(), "{}", transcript(&output));
    let alive = nobodys.try_wait().unwrap().is_none();
    nobodys.kill().unwrap();
    nobodys.wait().unwrap();
    let transcript = transcript(&output);
    assert!(alive && transcript.contains("it has no owner"), "{transcript}");
    assert_eq!(
        transcript.matches("it runs this cleanup").count(),
        2,
        "{transcript}"
    );
}

/// Tests that need local processes only.
macro_rules! local {
    ($($name:ident)*) => { vec![$(trial(stringify!($name), None, $name)),*] };
}

fn main() {
    let mut trials = local! {
        stopped_once_it_reverts_and_removes
        stopped_while_a_service_is_built_it_starts_nothing_more
        a_drill_that_is_stopped_before_it_begins_leaves_a_history
        stopped_three_times_it_leaves_at_once_and_says_what_to_run
        after_a_kill_the_next_run_says_so_and_clean_undoes_it
        a_fault_that_cannot_take_effect_leaves_the_drill_undecided
        a_fault_that_no_request_met_leaves_the_drill_undecided
        what_a_deploy_left_running_is_ended_with_the_drill_and_named
        a_deploy_dies_with_a_killed_harness_and_what_it_left_running_with_the_clean_up
        without_an_engine_a_lost_run_in_containers_stays_and_nothing_is_said_to_be_undone
        a_clean_up_ends_neither_itself_nor_what_nobody_is_known_to_own
    };
    let name = "docker::stopped_while_the_engine_makes_its_containers_it_leaves_none";
    let test = stopped_while_the_engine_makes_its_containers_it_leaves_none;
    trials.push(trial(name, missing(Kind::Docker, []), test));
    acceptance::trials::run(trials);
}
