//! The processor time of journeys' commands. They are the drill's own, and live too briefly to be found by looking now and
//! then: each is counted while it runs, and exactly when it has ended.

use std::collections::BTreeMap;
use std::num::NonZeroI32;
use std::sync::{Arc, Mutex, PoisonError};

use rustix::process::Pid;

/// What processes took of the machine, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Spent {
    /// On a processor.
    pub used: u64,
    /// Ready, and waiting for one.
    pub waited: u64,
}

/// The processor time of all commands so far. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct ProcessorTime(Arc<Mutex<Commands>>);

#[derive(Debug, Default)]
struct Commands {
    ended: Spent,
    running: BTreeMap<NonZeroI32, Spent>,
}

impl ProcessorTime {
    /// What all commands have taken so far, also those that still run. It never falls.
    pub fn so_far(&self) -> Spent {
        let mut commands = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (pid, spent) in &mut commands.running {
            *spent = spent.most(taken(*pid));
        }
        let running = commands.running.values();
        running.fold(commands.ended, |sum, spent| sum.plus(*spent))
    }

    /// A command has begun.
    pub(super) fn begin(&self, pid: Pid) {
        let mut commands = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        commands.running.insert(pid.as_raw_nonzero(), Spent::default());
    }

    /// A command has ended, and was not waited for yet: its counters are still there.
    pub(super) fn end(&self, pid: Pid) {
        let mut commands = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = commands.running.remove(&pid.as_raw_nonzero()).unwrap_or_default();
        commands.ended = commands.ended.plus(seen.most(taken(pid.as_raw_nonzero())));
    }
}

impl Spent {
    fn plus(self, other: Self) -> Self {
        Self {
            used: self.used + other.used,
            waited: self.waited + other.waited,
        }
    }

    fn most(self, other: Self) -> Self {
        Self {
            used: self.used.max(other.used),
            waited: self.waited.max(other.waited),
        }
    }
}

/// What a process has taken so far. The kernel counts all its threads and ended children in ticks of 10 ms, which are none for
/// a short life, and its first thread in nanoseconds: the larger of the two is nearer to the truth.
#[cfg(target_os = "linux")]
fn taken(pid: NonZeroI32) -> Spent {
    let Ok(process) = procfs::process::Process::new(pid.get()) else {
        return Spent::default();
    };
    let ticks = process.stat().map_or(0, |stat| {
        stat.utime + stat.stime + u64::try_from(stat.cutime + stat.cstime).unwrap_or(0)
    });
    let first = process.schedstat().ok();
    let first = first.map(|counters| (counters.sum_exec_runtime / 1000, counters.run_delay / 1000));
    let (used, waited) = first.unwrap_or_default();
    let by_ticks = ticks.saturating_mul(1_000_000 / procfs::ticks_per_second().max(1));
    Spent {
        used: used.max(by_ticks),
        waited,
    }
}

/// Other systems give nothing, and nothing is excused there.
#[cfg(not(target_os = "linux"))]
fn taken(_: NonZeroI32) -> Spent {
    Spent::default()
}
