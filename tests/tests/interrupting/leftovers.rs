//! What a killed harness and its deploys leave behind, and who removes it.

use std::process::Command;
use std::time::Duration;

use firedrill::backend::{Owner, Process};
use firedrill::wait::{self, Poll};
use rustix::process::Signal;

use crate::folder::*;

pub(crate) async fn after_a_kill_the_next_run_says_so_and_clean_undoes_it() {
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

#[cfg(target_os = "linux")]
pub(crate) async fn what_a_deploy_left_running_is_ended_with_the_drill_and_named() {
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
pub(crate) async fn a_deploy_dies_with_a_killed_harness_and_what_it_left_running_with_the_clean_up() {
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

/// A harness that has ended.
pub(crate) fn gone() -> Owner {
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
pub(crate) async fn without_an_engine_a_lost_run_in_containers_stays_and_nothing_is_said_to_be_undone() {
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
pub(crate) async fn a_clean_up_ends_neither_itself_nor_what_nobody_is_known_to_own() {
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
