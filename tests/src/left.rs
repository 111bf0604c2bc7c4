//! What must not be there after a cleanup.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use firedrill::wait::{self, Poll};

/// What went wrong, in words.
pub type Failure = String;

/// That nothing of these runs is there: containers, networks, volumes, unfinished images, processes, mounts, services' folders.
pub async fn nothing_left(containers: bool, runs: &Path, ids: &[String]) -> Result<(), Failure> {
    if containers {
        for id in ids {
            let label = ["--filter", &format!("label=firedrill.run={id}"), "-q"];
            for list in [&["ps", "-a"][..], &["network", "ls"], &["volume", "ls"]] {
                empty(&list.join(" "), &docker_command(&[list, &label].concat())?)?;
            }
            // The lists above would miss a container that has lost its label.
            let named = format!("name=firedrill-{id}");
            empty(
                "containers without a label",
                &docker_command(&["ps", "-aq", "--filter", &named])?,
            )?;
        }
        let images = [
            "images",
            "-q",
            "--filter",
            "label=firedrill.image",
            "--filter",
            "dangling=true",
        ];
        empty("unfinished images", &docker_command(&images)?)?;
    }
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let ours: Vec<&str> = mounts
        .lines()
        .filter(|line| line.contains(&runs.display().to_string()))
        .collect();
    empty("mounts", &ours.join("\n"))?;
    for run in crate::run_folders(runs) {
        for folder in ["volumes", "processes", "aside"] {
            if run.join(folder).exists() {
                return Err(format!("left: {folder} of {}", run.display()));
            }
        }
    }
    wait::until("no process of ours", Duration::from_secs(2), || {
        let ours = processes(runs, ids);
        std::future::ready(if ours.is_empty() {
            Poll::Done(())
        } else {
            Poll::<(), String>::NotYet(ours.join(", "))
        })
    })
    .await
    .map_err(|error| error.to_string())
}

fn empty(what: &str, found: &str) -> Result<(), Failure> {
    if found.trim().is_empty() {
        Ok(())
    } else {
        Err(format!("left: {what}: {}", found.trim()))
    }
}

/// Processes that bear a run's mark, or run in its folders.
fn processes(runs: &Path, ids: &[String]) -> Vec<String> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let ours = entries.filter_map(|entry| {
        let environment = std::fs::read(entry.path().join("environ")).ok()?;
        let environment = String::from_utf8_lossy(&environment);
        let marked = ids
            .iter()
            .any(|id| environment.contains(&format!("FIREDRILL_RUN={id}")));
        // By its folder as well: a process may have replaced its environment.
        let here = std::fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(runs));
        (marked || here).then(|| entry.file_name().to_string_lossy().into_owned())
    });
    ours.collect()
}

/// What the `docker` command line prints for these arguments.
pub fn docker_command(args: &[&str]) -> Result<String, Failure> {
    let output = Command::new("docker")
        .args(args)
        .output()
        .map_err(|error| format!("docker: {error}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(format!(
            "docker {}: {}",
            args.join(" "),
            String::from_utf8_lossy(&output.stderr).trim()
        ))
    }
}
