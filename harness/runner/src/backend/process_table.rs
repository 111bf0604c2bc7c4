//! One look at all processes of this machine, and at who listens on which port. Read from `/proc`; empty on systems without
//! it, where a service is its process group.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
#[cfg(target_os = "linux")]
use std::net::Ipv4Addr;

use super::owner::{Process, Stat, stat_of};

/// A process at the time of the look.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    pub(super) process: Process,
    pub(super) stat: Stat,
}

impl Row {
    /// Whether it can still do anything. A zombie only waits for its parent to ask for its exit status.
    pub(super) fn is_alive(&self) -> bool {
        !matches!(self.stat.state, 'Z' | 'X')
    }

    /// Whether a signal has stopped it.
    pub(super) fn is_stopped(&self) -> bool {
        matches!(self.stat.state, 'T' | 't')
    }
}

/// All processes by pid.
#[derive(Debug, Default)]
pub(super) struct Table(BTreeMap<u32, Row>);

impl Table {
    /// The processes as they are now.
    pub(super) fn look() -> Self {
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        Self(pids.filter_map(|pid| Some((pid, row(pid)?))).collect())
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = &Row> {
        self.0.values()
    }

    /// These processes and all that descend from them.
    pub(super) fn with_descendants(&self, mut found: BTreeSet<u32>) -> BTreeSet<u32> {
        // Until nothing is added: a child may have a lower pid than its parent.
        loop {
            let children = self.rows().filter(|row| found.contains(&row.stat.parent));
            let new: Vec<u32> = children
                .map(|row| row.process.pid)
                .filter(|pid| !found.contains(pid))
                .collect();
            if new.is_empty() {
                return found;
            }
            found.extend(new);
        }
    }
}

fn row(pid: u32) -> Option<Row> {
    let stat = stat_of(pid)?;
    let started = stat.started;
    Some(Row {
        process: Process { pid, started },
        stat,
    })
}

/// The value of a variable in the environment that a process was started with.
pub(super) fn variable(pid: u32, name: &str) -> Option<String> {
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    // Entries with zero bytes between them.
    let mut variables = environment.split(|byte| *byte == 0);
    let value = variables.find_map(|variable| variable.strip_prefix(name.as_bytes())?.strip_prefix(b"="))?;
    Some(String::from_utf8_lossy(value).into_owned())
}

/// A process for a reader: its pid and its name.
pub(super) fn name(pid: u32) -> String {
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    format!("process {pid} ({})", name.trim())
}

/// The inodes of the sockets that listen on any of these ports on 127.0.0.1.
#[cfg(target_os = "linux")]
pub(super) fn listeners(ports: &[u16]) -> BTreeSet<u64> {
    use procfs::net::{TcpNetEntry, TcpState, tcp, tcp6};
    let sockets = [tcp(), tcp6()].into_iter().flatten().flatten();
    let is_ours = |socket: &TcpNetEntry| {
        let ip = socket.local_address.ip().to_canonical();
        let is_local = ip.is_unspecified() || ip == Ipv4Addr::LOCALHOST;
        socket.state == TcpState::Listen && is_local && ports.contains(&socket.local_address.port())
    };
    sockets.filter(is_ours).map(|socket| socket.inode).collect()
}

#[cfg(not(target_os = "linux"))]
pub(super) fn listeners(_: &[u16]) -> BTreeSet<u64> {
    BTreeSet::new()
}

/// Those of these sockets that a process holds.
pub(super) fn held(pid: u32, inodes: &BTreeSet<u64>) -> BTreeSet<u64> {
    let files = fs::read_dir(format!("/proc/{pid}/fd"))
        .into_iter()
        .flatten()
        .flatten();
    let inode = |file: fs::DirEntry| {
        let link = fs::read_link(file.path()).ok()?;
        let inode = link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?;
        inode.parse::<u64>().ok().filter(|inode| inodes.contains(inode))
    };
    files.filter_map(inode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_holds_the_sockets_that_it_opens() {
        for address in ["127.0.0.1:0", "0.0.0.0:0", "[::]:0"] {
            let socket = std::net::TcpListener::bind(address).unwrap();
            let port = socket.local_addr().unwrap().port();
            let inodes = listeners(&[port]);
            assert_eq!(inodes.len(), 1, "{address}");
            assert_eq!(held(std::process::id(), &inodes), inodes, "{address}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_socket_of_another_address_and_a_connection_are_no_listeners() {
        let ours = |port: u16| held(std::process::id(), &listeners(&[port]));
        let elsewhere = std::net::TcpListener::bind("127.0.0.2:0").unwrap();
        let port = elsewhere.local_addr().unwrap().port();
        assert!(ours(port).is_empty(), "another address");
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let client = std::net::TcpStream::connect(address).unwrap();
        let outgoing = client.local_addr().unwrap().port();
        assert!(ours(outgoing).is_empty(), "a connection");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_descends_from_its_parent() {
        let parent = std::os::unix::process::parent_id();
        let found = Table::look().with_descendants(BTreeSet::from([parent]));
        assert!(found.contains(&std::process::id()));
    }
}
