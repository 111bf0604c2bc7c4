//! The label of a run on local processes: two variables in their environment, which children inherit. It finds what
//! outlives a service in another session, under another parent.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fs;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::Command;

use super::owner::{Owner, Process, lineage};
use super::process_table::variable;
use firedrill_wait::{Poll, WaitError};

/// Names the run.
const RUN_VARIABLE: &str = "FIREDRILL_RUN";
/// Names the run's owner.
const OWNER_VARIABLE: &str = "FIREDRILL_OWNER";

/// A process that was asked to end and does so by itself takes no longer.
const ENDS_WITHIN: Duration = Duration::from_millis(250);
/// Killed processes are gone within this.
const GONE_WITHIN: Duration = Duration::from_secs(10);

/// A process with a run's label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LabelledProcess {
    pub(super) process: Process,
    /// Its name.
    pub(super) name: String,
    pub(super) run: String,
    pub(super) owner: Option<String>,
    /// It is this process or an ancestor of it, and is never ended.
    pub(super) is_ours: bool,
}

impl std::fmt::Display for LabelledProcess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "process {} ({})", self.process.pid, self.name)
    }
}

/// Labels what a command starts. On Linux the kernel also kills it when the harness ends, in whatever way.
pub(super) fn label(command: &mut Command, run: &str) {
    command
        .env(RUN_VARIABLE, run)
        .env(OWNER_VARIABLE, Owner::this().to_string());
    #[cfg(target_os = "linux")]
    #[expect(
        unsafe_code,
        reason = "between fork and exec; what is called there is a plain system call"
    )]
    unsafe {
        // The kernel ends the service when the harness ends, however that ends.
        command.pre_exec(|| {
            Ok(rustix::process::set_parent_process_death_signal(Some(
                Signal::KILL,
            ))?)
        });
    }
}

/// Every process with a run's label, as far as this user may look.
pub(super) fn labelled() -> Vec<LabelledProcess> {
    let lineage = lineage();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter_map(|pid| look(pid, &lineage)).collect()
}

fn look(pid: u32, lineage: &[u32]) -> Option<LabelledProcess> {
    let process = Process::of(pid)?;
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    Some(LabelledProcess {
        process,
        name: name.trim().to_owned(),
        run: variable(pid, RUN_VARIABLE)?,
        owner: variable(pid, OWNER_VARIABLE),
        is_ours: lineage.contains(&pid),
    })
}

/// Whether a process has a label of any run.
pub(super) fn has_label(pid: u32) -> bool {
    variable(pid, RUN_VARIABLE).is_some()
}

/// Kills exactly this process, not a later one with its pid.
pub(super) fn end(process: Process) -> std::io::Result<()> {
    let pid = i32::try_from(process.pid).ok().and_then(Pid::from_raw);
    match pid {
        Some(pid) if process.is_alive() => match kill_process(pid, Signal::KILL) {
            // It has just ended.
            Err(rustix::io::Errno::SRCH) => Ok(()),
            killed => Ok(killed?),
        },
        _ => Ok(()),
    }
}

/// Kills every process of a run but our own, until none is left: a process may start another before it ends. Returns
/// those that were killed, and an error when some stay.
pub(super) async fn end_all(run: &str) -> (Vec<String>, Result<(), WaitError>) {
    // A process that is about to end anyway has not outlived its service.
    let none = || std::future::ready(done_when_empty(names(&all_of(run))));
    if firedrill_wait::until("their own end", ENDS_WITHIN, none)
        .await
        .is_ok()
    {
        return (Vec::new(), Ok(()));
    }
    let mut ended = BTreeMap::new();
    let kill = || {
        // Looked for again at each try: a process may start others before it ends.
        let left = all_of(run);
        ended.extend(left.iter().map(|process| (process.process, process.to_string())));
        let refused = left.iter().filter_map(|process| {
            let error = end(process.process).err()?;
            Some(format!("{process}: {error}"))
        });
        let refused: Vec<String> = refused.collect();
        std::future::ready(done_when_empty(if refused.is_empty() {
            names(&left)
        } else {
            refused
        }))
    };
    let gone = firedrill_wait::until("the end of its processes", GONE_WITHIN, kill).await;
    (ended.into_values().collect(), gone)
}

/// The living processes of a run but our own.
fn all_of(run: &str) -> Vec<LabelledProcess> {
    let mut all = labelled();
    all.retain(|process| process.run == run && !process.is_ours && process.process.is_alive());
    all
}

fn names(processes: &[LabelledProcess]) -> Vec<String> {
    processes.iter().map(ToString::to_string).collect()
}

/// Done when nothing is left.
fn done_when_empty(left: Vec<String>) -> Poll<(), Infallible> {
    if left.is_empty() {
        Poll::Done(())
    } else {
        Poll::NotYet(left.join(", "))
    }
}
