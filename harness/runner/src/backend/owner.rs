//! Which harness a run belongs to, and whether it still runs.
//!
//! A process is known by its pid *and* its start time, since pids are used again; and both mean something only where
//! they were given out: on one machine, since one boot, in one pid namespace. One engine may serve several of those.

use std::fmt;
use std::str::FromStr;

use rustix::io::Errno;
use sha2::{Digest, Sha256};

/// A process that cannot be mistaken for a later one with the same pid, as long as one stays where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Process {
    /// The pid.
    pub pid: u32,
    /// The start time, in the kernel's ticks since boot; 0 where the system does not report it.
    pub started: u64,
}

/// Where pids mean the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Place {
    /// The machine: a digest of its id and its name, since cloned machines have the same id, and the id itself is
    /// nobody's business.
    pub machine: u64,
    /// A digest of what the kernel drew at boot; the same everywhere where the system does not tell.
    pub boot: u64,
    /// The pid namespace; 0 where there are none.
    pub pids: u64,
}

/// The harness that a run belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Owner {
    /// Its process.
    pub process: Process,
    /// Where that runs.
    pub place: Place,
}

/// What has become of an owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It still runs.
    Runs,
    /// It is gone for good.
    Lost,
    /// It is, or was, where this process cannot look.
    Elsewhere,
}

/// What `/proc/PID/stat` says of a process.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stat {
    /// The state letter.
    pub(super) state: char,
    /// The parent's pid.
    pub(super) parent: u32,
    /// The process group.
    pub(super) group: u32,
    /// The session.
    pub(super) session: u32,
    /// The start time, in the kernel's ticks since boot.
    pub(super) started: u64,
}

/// A process as `/proc` has it now; `None` when there is none.
pub(super) fn stat_of(pid: u32) -> Option<Stat> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // After the last parenthesis: the program's name stands in parentheses and may contain any character.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    Some(Stat {
        state: fields.next()?.chars().next()?,
        parent: fields.next()?.parse().ok()?,
        group: fields.next()?.parse().ok()?,
        session: fields.next()?.parse().ok()?,
        // The fields between the session and the start time are of no interest here.
        started: fields.nth(15)?.parse().ok()?,
    })
}

/// The state letter and the start time of a process.
pub(super) fn stat(pid: u32) -> Option<(char, u64)> {
    stat_of(pid).map(|stat| (stat.state, stat.started))
}

/// This process and those that it descends from, as far as they can be seen.
pub(super) fn lineage() -> Vec<u32> {
    let parent = |pid: &u32| Some(stat_of(*pid)?.parent).filter(|pid| *pid > 0);
    std::iter::successors(Some(std::process::id()), parent).collect()
}

impl Process {
    /// This process.
    pub fn this() -> Self {
        let pid = std::process::id();
        Self::of(pid).unwrap_or(Self { pid, started: 0 })
    }

    /// The process that has this pid now; `None` when there is none.
    pub fn of(pid: u32) -> Option<Self> {
        stat(pid).map(|(_, started)| Self { pid, started })
    }

    /// Whether exactly this process still runs (a zombie does not). Where the system does not tell start times, whether
    /// any process has its pid.
    pub fn is_alive(self) -> bool {
        match stat(self.pid) {
            // A zombie has ended; only its parent has not asked for its exit status.
            Some((state, started)) => started == self.started && state != 'Z' && state != 'X',
            // Where `/proc` hides the processes of other users, a hidden one may be this one: it counts as alive.
            None if cfg!(target_os = "linux") => test_kill(self.pid) == Err(Errno::PERM),
            None => exists(self.pid),
        }
    }
}

/// Whether there is a process of this pid, be it somebody else's.
fn exists(pid: u32) -> bool {
    matches!(test_kill(pid), Ok(()) | Err(Errno::PERM))
}

/// What the kernel says to a signal that is not sent.
fn test_kill(pid: u32) -> Result<(), Errno> {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    pid.map_or(Err(Errno::SRCH), rustix::process::test_kill_process)
}

impl Place {
    /// Where this process runs.
    pub fn here() -> Self {
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
        Self {
            machine: digest(&format!("{} {name}", read("/etc/machine-id").trim())),
            boot: digest(read("/proc/sys/kernel/random/boot_id").trim()),
            pids: namespace(),
        }
    }
}

#[cfg(target_os = "linux")]
fn namespace() -> u64 {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self/ns/pid").map_or(0, |meta| meta.ino())
}

#[cfg(not(target_os = "linux"))]
fn namespace() -> u64 {
    0
}

fn digest(text: &str) -> u64 {
    let mut first = [0; 8];
    first.copy_from_slice(&Sha256::digest(text)[..8]);
    u64::from_be_bytes(first)
}

impl Owner {
    /// This process, here.
    pub fn this() -> Self {
        Self {
            process: Process::this(),
            place: Place::here(),
        }
    }

    /// What has become of it, as far as this process can tell.
    pub fn fate(self) -> Fate {
        self.fate_at(Place::here(), Process::is_alive)
    }

    fn fate_at(self, here: Place, is_alive: impl Fn(Process) -> bool) -> Fate {
        let Place { machine, boot, pids } = self.place;
        // From the widest to the narrowest: a pid says nothing before all of these agree.
        if machine != here.machine {
            Fate::Elsewhere
        } else if boot != here.boot {
            Fate::Lost
        } else if pids != here.pids {
            Fate::Elsewhere
        } else if is_alive(self.process) {
            Fate::Runs
        } else {
            Fate::Lost
        }
    }
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.pid, self.started)
    }
}

impl FromStr for Process {
    type Err = NotAProcess;

    fn from_str(text: &str) -> Result<Self, NotAProcess> {
        let (pid, started) = text.split_once(':').ok_or(NotAProcess)?;
        let number = |text: &str| text.parse::<u64>().map_err(|_| NotAProcess);
        Ok(Self {
            pid: u32::try_from(number(pid)?).map_err(|_| NotAProcess)?,
            started: number(started)?,
        })
    }
}

/// A text that names no process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a process")]
pub struct NotAProcess;

/// One word, which nobody else writes into a file or a label by chance.
impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { machine, boot, pids } = self.place;
        write!(f, "firedrill:{}:{machine:016x}:{boot:016x}:{pids}", self.process)
    }
}

/// A text that names no owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the owner of a run")]
pub struct NotAnOwner;

impl FromStr for Owner {
    type Err = NotAnOwner;

    fn from_str(text: &str) -> Result<Self, NotAnOwner> {
        let parts: Vec<&str> = text.split(':').collect();
        let &["firedrill", pid, started, machine, boot, pids] = &parts[..] else {
            return Err(NotAnOwner);
        };
        let digest = |text| u64::from_str_radix(text, 16).map_err(|_| NotAnOwner);
        Ok(Self {
            process: Process {
                pid: pid.parse().map_err(|_| NotAnOwner)?,
                started: started.parse().map_err(|_| NotAnOwner)?,
            },
            place: Place {
                machine: digest(machine)?,
                boot: digest(boot)?,
                pids: pids.parse().map_err(|_| NotAnOwner)?,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HERE: Place = Place {
        machine: 1,
        boot: 2,
        pids: 3,
    };

    fn fate(place: Place, alive: bool) -> Fate {
        let process = Process { pid: 7, started: 8 };
        Owner { process, place }.fate_at(HERE, |_| alive)
    }

    #[test]
    fn here_the_process_decides() {
        assert_eq!(fate(HERE, true), Fate::Runs);
        assert_eq!(fate(HERE, false), Fate::Lost);
    }

    #[test]
    fn nothing_outlives_a_boot() {
        let place = Place { boot: 9, ..HERE };
        assert_eq!(fate(place, true), Fate::Lost);
        assert_eq!(fate(Place { pids: 9, ..place }, true), Fate::Lost);
    }

    #[test]
    fn another_machine_or_pid_namespace_cannot_be_judged_from_here() {
        for alive in [true, false] {
            for boot in [HERE.boot, 9] {
                assert_eq!(
                    fate(
                        Place {
                            machine: 9,
                            boot,
                            ..HERE
                        },
                        alive
                    ),
                    Fate::Elsewhere
                );
            }
            assert_eq!(fate(Place { pids: 9, ..HERE }, alive), Fate::Elsewhere);
        }
    }

    proptest! {
        #[test]
        fn an_owner_reads_back_from_its_text(pid: u32, started: u64, machine: u64, boot: u64, pids: u64) {
            let owner = Owner {
                process: Process { pid, started },
                place: Place { machine, boot, pids },
            };
            prop_assert_eq!(owner.to_string().parse(), Ok(owner));
            prop_assert_eq!(owner.process.to_string().parse(), Ok(owner.process));
        }

        #[test]
        fn what_is_no_owner_is_none(text in "[0-9a-f:]{0,60}|owner: .{0,20}") {
            prop_assert_eq!(text.parse::<Owner>(), Err(NotAnOwner));
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_runs_and_the_same_pid_with_another_start_time_is_somebody_else() {
        let this = Owner::this();
        assert_eq!(this.fate(), Fate::Runs);
        let Process { pid, started } = this.process;
        let other = Process {
            pid,
            started: started + 1,
        };
        assert_eq!(
            Owner {
                process: other,
                ..this
            }
            .fate(),
            Fate::Lost
        );
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_descends_from_itself_and_its_parent() {
        let parent = std::os::unix::process::parent_id();
        assert_eq!(lineage()[..2], [std::process::id(), parent]);
    }
}
