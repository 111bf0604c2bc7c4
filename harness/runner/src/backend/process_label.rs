//! The mark of a run on local processes: two variables in their environment, which children inherit. What outlives a
//! service in another session, under another parent, is found again by it.

use std::fs;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::Command;

use super::owner::{Owner, Process, lineage};
use firedrill_wait::Poll;

/// The mark of a run in its processes' environment.
const RUN_MARK: &str = "FIREDRILL_RUN";
/// The mark of a run's owner in its processes' environment.
const OWNER_MARK: &str = "FIREDRILL_OWNER";

/// A process that was told to end and does so by itself takes no longer.
const ENDS_WITHIN: Duration = Duration::from_millis(250);
/// Killed processes are gone within this.
const GONE_WITHIN: Duration = Duration::from_secs(10);

/// A process that bears a run's mark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Marked {
    pub(super) process: Process,
    /// What it calls itself.
    pub(super) name: String,
    pub(super) run: String,
    pub(super) owner: Option<String>,
    /// It is this process, or one that it descends from: to end it is to end ourselves.
    pub(super) ours: bool,
}

impl std::fmt::Display for Marked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "process {} ({})", self.process.pid, self.name)
    }
}

/// Makes what a command starts a run's own: it is marked, and on Linux the kernel kills it when the harness ends,
/// however that ends.
pub(super) fn label(command: &mut Command, run: &str) {
    command
        .env(RUN_MARK, run)
        .env(OWNER_MARK, Owner::this().to_string());
    #[cfg(target_os = "linux")]
    #[expect(
        unsafe_code,
        reason = "between fork and exec; what is called there is a plain system call"
    )]
    unsafe {
        command.pre_exec(|| {
            Ok(rustix::process::set_parent_process_death_signal(Some(
                Signal::KILL,
            ))?)
        });
    }
}

/// Every process that bears a run's mark, as far as this user may look.
pub(super) fn marked() -> Vec<Marked> {
    let lineage = lineage();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter_map(|pid| look(pid, &lineage)).collect()
}

fn look(pid: u32, lineage: &[u32]) -> Option<Marked> {
    let process = Process::of(pid)?;
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    let value = |name: &str| {
        let mut variables = environment.split(|byte| *byte == 0);
        let value =
            variables.find_map(|variable| variable.strip_prefix(name.as_bytes())?.strip_prefix(b"="))?;
        Some(String::from_utf8_lossy(value).into_owned())
    };
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    Some(Marked {
        process,
        name: name.trim().to_owned(),
        run: value(RUN_MARK)?,
        owner: value(OWNER_MARK),
        ours: lineage.contains(&pid),
    })
}

/// Kills exactly this process, not a later one with its pid.
pub(super) fn end(process: Process) -> std::io::Result<()> {
    let pid = i32::try_from(process.pid).ok().and_then(Pid::from_raw);
    match pid {
        Some(pid) if process.is_alive() => match kill_process(pid, Signal::KILL) {
            // It has ended in just this moment.
            Err(rustix::io::Errno::SRCH) => Ok(()),
            killed => Ok(killed?),
        },
        _ => Ok(()),
    }
}

/// Kills every process of a run but ourselves, until there is none: a process may make another before it ends.
/// Returns those that there were, and what is wrong when some stay.
pub(super) async fn end_all(run: &str) -> (Vec<String>, Result<(), String>) {
    let mut ended = Vec::new();
    // What is about to end anyway has not outlived anything.
    let none = || std::future::ready(nothing_but(names(&all_of(run))));
    if firedrill_wait::until("their own end", ENDS_WITHIN, none)
        .await
        .is_ok()
    {
        return (ended, Ok(()));
    }
    let kill = || {
        let left = all_of(run);
        let refused = left.iter().filter_map(|marked| {
            let error = end(marked.process).err()?;
            Some(format!("{marked}: {error}"))
        });
        let refused: Vec<String> = refused.collect();
        let found = names(&left);
        ended.extend(
            found
                .iter()
                .filter(|name| !ended.contains(name))
                .cloned()
                .collect::<Vec<_>>(),
        );
        std::future::ready(nothing_but(if refused.is_empty() { found } else { refused }))
    };
    let gone = firedrill_wait::until("the end of its processes", GONE_WITHIN, kill).await;
    (ended, gone.map_err(|error| error.to_string()))
}

/// The living processes of a run but ourselves.
fn all_of(run: &str) -> Vec<Marked> {
    let mut all = marked();
    all.retain(|marked| marked.run == run && !marked.ours && marked.process.is_alive());
    all
}

fn names(marked: &[Marked]) -> Vec<String> {
    marked.iter().map(ToString::to_string).collect()
}

/// Done when there is nothing.
fn nothing_but(left: Vec<String>) -> Poll<(), String> {
    if left.is_empty() {
        Poll::Done(())
    } else {
        Poll::NotYet(left.join(", "))
    }
}
