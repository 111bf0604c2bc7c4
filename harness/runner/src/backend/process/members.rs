//! Every process of one life of a service, however it came to be: children, daemons, sessions of their own, processes with
//! another title or without their environment.
//!
//! The harness is the subreaper of what it starts: a process whose parent has ended becomes the harness's child, so that
//! everything that a service starts stays below the harness. Of those, a member is: what descends from the service's first
//! process, bears its label, holds its port, or is in the session or group of a member; and what descends from members.
//! Nothing outside of the harness's own descendants is ever a member, whatever it holds.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::OpenOptions;
use std::io::Write;
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::fs::OFlags;
use rustix::process::{Pid, Signal, WaitOptions, kill_process, kill_process_group, waitpid};

use crate::backend::owner::Process;
use crate::backend::process_table::{self as table, Row, Table};
use firedrill_wait::{Poll, WaitError};

/// Names the life of a service in the environment of its processes.
const LIFE_VARIABLE: &str = "FIREDRILL_LIFE";
/// The file in a service's working folder that lists its processes, for a cleanup after the harness was killed.
pub(in crate::backend) const MEMBERS_FILE: &str = "members";
/// Killed or stopped processes are seen to be so within this.
const WITHIN: Duration = Duration::from_secs(10);

/// Makes this process the new parent of what services leave behind, in place of the system's first process.
pub(super) fn adopt_orphans() {
    #[cfg(target_os = "linux")]
    // Where a sandbox forbids it, members are still found by their label and port while their parents live.
    let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
}

/// The name of a new life: no two processes of different lives have the same.
pub(super) fn new_life(service: &str) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    format!(
        "{service}:{}:{}",
        Process::this(),
        COUNT.fetch_add(1, Ordering::Relaxed)
    )
}

/// Labels what a command starts as a part of this life.
pub(super) fn label(command: &mut tokio::process::Command, life: &str) {
    command.env(LIFE_VARIABLE, life);
}

/// The processes of one life of a service.
#[derive(Debug)]
pub(super) struct Members {
    life: String,
    root: Process,
    ports: Vec<u16>,
    file: PathBuf,
    /// Every member that any look has found.
    seen: Mutex<BTreeSet<Process>>,
}

/// Whether a look also asks who listens on the ports of the service: that takes as long as all the rest, and what was found
/// once is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ports {
    Look,
    Skip,
}

impl Members {
    /// Of a life that has just begun with this process.
    pub(super) fn new(life: String, root: Process, ports: Vec<u16>, file: PathBuf) -> Arc<Self> {
        let members = Self {
            life,
            root,
            ports,
            file,
            seen: Mutex::default(),
        };
        members.note(&[root]);
        Arc::new(members)
    }

    /// The living members. Blocks for some milliseconds.
    pub(super) fn look(&self, ports: Ports) -> Vec<Row> {
        let table = Table::look();
        let pids = self.find(&table, ports);
        let rows = table.rows().filter(|row| pids.contains(&row.process.pid));
        let rows: Vec<Row> = rows.copied().collect();
        self.note(&rows.iter().map(|row| row.process).collect::<Vec<_>>());
        self.reap(&rows);
        rows.into_iter().filter(Row::is_alive).collect()
    }

    /// The pids of those that any look has found and that still run.
    pub(super) fn known(&self) -> Vec<u32> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let alive = seen.iter().filter(|process| process.is_alive());
        alive.map(|process| process.pid).collect()
    }

    fn find(&self, table: &Table, ports: Ports) -> BTreeSet<u32> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let ours = std::process::id();
        let mut below = table.with_descendants(BTreeSet::from([ours]));
        below.remove(&ours);
        let groups: BTreeSet<u32> = seen.iter().map(|process| process.pid).collect();
        let is_first = |row: &&Row| {
            if seen.contains(&row.process) {
                return true;
            }
            let of_group = groups.contains(&row.stat.group) || groups.contains(&row.stat.session);
            // A number may have been given to another life's group meanwhile: its label says so.
            self.is_labelled(row.process.pid).unwrap_or(of_group)
        };
        let candidates = table.rows().filter(|row| below.contains(&row.process.pid));
        let mut found: BTreeSet<u32> = candidates.filter(is_first).map(|row| row.process.pid).collect();
        if ports == Ports::Look {
            found.extend(self.holders(&below));
        }
        table.with_descendants(found)
    }

    /// Whether a process bears the label of this life, or of another one; `None` without a label.
    fn is_labelled(&self, pid: u32) -> Option<bool> {
        table::variable(pid, LIFE_VARIABLE).map(|life| life == self.life)
    }

    /// Those of some processes that listen on a port of the service.
    fn holders(&self, of: &BTreeSet<u32>) -> Vec<u32> {
        let inodes = table::listeners(&self.ports);
        if inodes.is_empty() {
            return Vec::new();
        }
        let may = |pid: u32| self.is_labelled(pid).unwrap_or(true);
        let holds = |pid: &&u32| may(**pid) && !table::held(**pid, &inodes).is_empty();
        of.iter().filter(holds).copied().collect()
    }

    /// The processes that hold a port of the service and are not members.
    pub(super) fn strangers(&self) -> Vec<String> {
        // One that was started since the last look is a member all the same.
        self.look(Ports::Look);
        let mut inodes = table::listeners(&self.ports);
        let members = self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for process in members.iter().filter(|process| process.is_alive()) {
            let held = table::held(process.pid, &inodes);
            inodes.retain(|inode| !held.contains(inode));
        }
        if inodes.is_empty() {
            return Vec::new();
        }
        let holds = |row: &&Row| !table::held(row.process.pid, &inodes).is_empty();
        let table = Table::look();
        let holders = table.rows().filter(holds);
        let names: Vec<String> = holders.map(|row| table::name(row.process.pid)).collect();
        match names.is_empty() {
            true => vec!["a process that cannot be seen from here".to_owned()],
            false => names,
        }
    }

    /// Remembers members, in memory and for a cleanup after the harness was killed.
    fn note(&self, members: &[Process]) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let new = members.iter().filter(|process| seen.insert(**process));
        let lines: String = new.map(|process| format!("{process}\n")).collect();
        if lines.is_empty() {
            return;
        }
        // The service could have put a pipe or a link there, and nobody may wait or write elsewhere.
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .custom_flags(flags)
            .open(&self.file);
        // Only a second way to find them: a full disk ends no drill here.
        let _ = file.and_then(|mut file| file.write_all(lines.as_bytes()));
    }

    /// Asks for the exit status of adopted members, as nobody else does. That of the first process is asked for by its
    /// supervisor.
    fn reap(&self, rows: &[Row]) {
        let ours = std::process::id();
        let ended = rows
            .iter()
            .filter(|row| row.stat.state == 'Z' && row.stat.parent == ours);
        for pid in ended.filter(|row| row.process != self.root).filter_map(pid) {
            let _ = waitpid(Some(pid), WaitOptions::NOHANG);
        }
    }

    /// Sends a signal to every member: to the first process's group at once, to the others one by one. Returns whom it was
    /// sent to.
    pub(super) fn signal(&self, signal: Signal, ports: Ports) -> Vec<Row> {
        let members = self.look(ports);
        // Also where the system has no process table. A group whose leader has ended could be another one by now.
        let by_group = self.root.is_alive();
        let group = i32::try_from(self.root.pid).ok().and_then(Pid::from_raw);
        if let Some(group) = group.filter(|_| by_group) {
            let _ = kill_process_group(group, signal);
        }
        let others = members.iter().filter(|row| !by_group || self.is_elsewhere(row));
        for pid in others.filter(|row| row.process.is_alive()).filter_map(pid) {
            // One that has ended just now needs no signal.
            let _ = kill_process(pid, signal);
        }
        members
    }

    /// Whether a member has left the group of the first process.
    fn is_elsewhere(&self, row: &Row) -> bool {
        row.stat.group != self.root.pid
    }

    /// Kills all members, and those that they start before they end, until none is left. Returns those that had left the
    /// first process's group.
    pub(super) async fn end(self: &Arc<Self>) -> Result<Vec<String>, WaitError> {
        let elsewhere = Mutex::new(BTreeMap::new());
        let first = AtomicBool::new(true);
        let kill = || async {
            let first = first.swap(false, Ordering::Relaxed);
            let kill = move |members: &Self| members.signal(Signal::KILL, members.ports_to_look_at(first));
            let left = self.blocking(kill).await;
            let named = left.iter().map(|row| (row, table::name(row.process.pid)));
            let named: Vec<(&Row, String)> = named.collect();
            let gone = named.iter().filter(|(row, _)| self.is_elsewhere(row));
            let gone = gone.map(|(row, name)| (row.process, name.clone()));
            elsewhere
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .extend(gone);
            done_when_none(named.into_iter().map(|(_, name)| name).collect())
        };
        firedrill_wait::until("the end of its processes", WITHIN, kill).await?;
        let elsewhere = elsewhere.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok(elsewhere.into_values().collect())
    }

    /// Whether the holders of the ports are worth a look: once, and not where nobody listens any more.
    fn ports_to_look_at(&self, first: bool) -> Ports {
        let listens = |port: &u16| TcpStream::connect((Ipv4Addr::LOCALHOST, *port)).is_ok();
        // A service that still runs is not asked by a connection: its log would have a client that no user is.
        if first && (self.root.is_alive() || self.ports.iter().any(listens)) {
            Ports::Look
        } else {
            Ports::Skip
        }
    }

    /// Stops all members, and those that they start before they are stopped, until none runs.
    pub(super) async fn freeze(self: &Arc<Self>) -> Result<(), WaitError> {
        let first = AtomicBool::new(true);
        let stop = || async {
            let ports = match first.swap(false, Ordering::Relaxed) {
                true => Ports::Look,
                false => Ports::Skip,
            };
            let members = self
                .blocking(move |members| members.signal(Signal::STOP, ports))
                .await;
            let running = members.iter().filter(|row| !row.is_stopped());
            done_when_none(running.map(|row| table::name(row.process.pid)).collect())
        };
        firedrill_wait::until("frozen processes", WITHIN, stop).await
    }

    /// Runs something that reads the process table, beside the probes and not between them.
    pub(super) async fn blocking<T: Send + 'static>(
        self: &Arc<Self>,
        look: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> T {
        let this = Arc::clone(self);
        let looking = tokio::task::spawn_blocking(move || look(&this));
        match looking.await {
            Ok(seen) => seen,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            // The runtime shuts down: nobody waits for the result.
            Err(_) => std::future::pending().await,
        }
    }
}

fn pid(row: &Row) -> Option<Pid> {
    i32::try_from(row.process.pid).ok().and_then(Pid::from_raw)
}

fn done_when_none(left: Vec<String>) -> Poll<(), std::convert::Infallible> {
    if left.is_empty() {
        Poll::Done(())
    } else {
        Poll::NotYet(left.join(", "))
    }
}
