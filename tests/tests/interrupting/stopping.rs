//! A drill that somebody stops: it reverts, removes and says so.

use std::path::PathBuf;
use std::time::Duration;

use firedrill::backend::{self, Kind};
use firedrill::scenario::load;
use firedrill::wait::{self};
use firedrill::{drill, fault, history};
use rustix::process::Signal;

use crate::folder::*;

pub(crate) async fn stopped_once_it_reverts_and_removes() {
    let signals = [Signal::INT, Signal::TERM, Signal::HUP, Signal::QUIT];
    // Under `nohup`, a drill ignores SIGHUP, as it was asked to.
    for how in signals.into_iter().filter(|signal| !is_ignored(*signal)) {
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

/// Whether this process ignores a signal, and what it starts does too.
fn is_ignored(signal: Signal) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    ignored.is_some_and(|mask| mask & (1 << (signal.as_raw() - 1)) != 0)
}

/// A cargo that knows the workspace and builds for ever, as a slow one does.
pub(crate) fn slow_cargo(folder: &Folder, seconds: &str) -> PathBuf {
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
pub(crate) async fn stopped_while_a_service_is_built_it_starts_nothing_more() {
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
pub(crate) async fn a_drill_that_is_stopped_before_it_begins_leaves_a_history() {
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
pub(crate) async fn stopped_while_the_engine_makes_its_containers_it_leaves_none() {
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

pub(crate) async fn stopped_three_times_it_leaves_at_once_and_says_what_to_run() {
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
