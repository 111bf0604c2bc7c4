//! Who a run belongs to: a process is known by its pid *and* its start time, since pids are used again.

use std::fmt;
use std::str::FromStr;

/// A process that cannot be mistaken for a later one with the same pid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Owner {
    /// The pid.
    pub pid: u32,
    /// The start time, in the kernel's ticks since boot; 0 where the system does not tell.
    pub started: u64,
}

/// The state letter and the start time of a process, from `/proc/PID/stat`. The name in it may hold anything, also
/// brackets and spaces: what follows the last bracket is what counts.
pub(super) fn stat(pid: u32) -> Option<(char, u64)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    Some((fields.first()?.chars().next()?, fields.get(19)?.parse().ok()?))
}

impl Owner {
    /// This process.
    pub fn this() -> Self {
        let pid = std::process::id();
        Self {
            pid,
            started: stat(pid).map_or(0, |(_, started)| started),
        }
    }

    /// The process that has this pid now; `None` when there is none.
    pub fn of(pid: u32) -> Option<Self> {
        stat(pid).map(|(_, started)| Self { pid, started })
    }

    /// Whether exactly this process still runs (a zombie does not).
    pub fn is_alive(self) -> bool {
        match stat(self.pid) {
            Some((state, started)) => started == self.started && state != 'Z' && state != 'X',
            None => false,
        }
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.pid, self.started)
    }
}

impl FromStr for Owner {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (pid, started) = text.split_once(':').ok_or(())?;
        Ok(Self {
            pid: pid.parse().map_err(|_| ())?,
            started: started.parse().map_err(|_| ())?,
        })
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_alive_and_reads_back_from_its_text() {
        let this = Owner::this();
        assert!(this.is_alive());
        assert_eq!(this.to_string().parse(), Ok(this));
    }

    #[test]
    fn the_same_pid_with_another_start_time_is_somebody_else() {
        let this = Owner::this();
        assert!(
            !Owner {
                started: this.started + 1,
                ..this
            }
            .is_alive()
        );
    }
}
