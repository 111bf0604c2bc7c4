//! Whose processor it was: what the machine did while a drill ran, every 100 ms.
//!
//! Takes the kernel's counters from `/proc` and the control group; gives a [`Load`] a slice to the history. What is neither
//! a service of the drill nor the harness is *others*, also the services of other drills of the same call. Other systems
//! than Linux give nothing, and nothing is excused there.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use procfs::ProcessCGroup;
use procfs::process::{Process, Task};
use procfs::{Current, CurrentSI, IoPressure, KernelStats};
use tokio_util::task::AbortOnDropHandle;

use super::record::Recorder;
use crate::backend::Backend;
use firedrill_model::history::Load;
use firedrill_model::sample::{Clock, Micros};
use firedrill_probe::{ProcessorTime, Spent};

/// The length of a slice.
const EVERY: Duration = Duration::from_millis(100);
/// Between two searches for the processes of the services: it reads the state of every process of the machine.
const SEARCH_EVERY: u32 = 10;

/// Records the machine's load until the handle is dropped.
pub(super) fn record(
    backend: Arc<dyn Backend>,
    services: Vec<String>,
    clock: Clock,
    (recorder, commands): (Recorder, ProcessorTime),
) -> AbortOnDropHandle<()> {
    AbortOnDropHandle::new(tokio::spawn(async move {
        let mut own = Own {
            commands,
            ..Own::default()
        };
        let mut before = None;
        for slice in 0u32.. {
            if slice % SEARCH_EVERY == 0 {
                own.note(processes(backend.as_ref(), &services).await);
            }
            // Where the kernel does not say, there is nothing to record now, and perhaps later.
            let (used, waited) = own.since_last();
            let now = Counters::now(clock, used, waited);
            if let (Some(before), Some(now)) = (before, now) {
                // A full disk is found by the next event of the drill itself.
                let _ = recorder.load(&now.since(&before));
            }
            before = now;
            firedrill_wait::until_due(Instant::now() + EVERY).await;
        }
    }))
}

/// The processes of all services.
async fn processes(backend: &dyn Backend, services: &[String]) -> Vec<i32> {
    let mut all = Vec::new();
    for service in services {
        let found = backend.processes(service).await;
        all.extend(found.into_iter().filter_map(|pid| i32::try_from(pid).ok()));
    }
    all
}

/// The kernel's counters at one time.
#[derive(Clone, Copy)]
struct Counters {
    at: Micros,
    processors: u32,
    /// Processor time of all processes, in microseconds, as all that follow.
    busy: u64,
    stolen: u64,
    throttled: u64,
    disk_waits: Option<u64>,
    /// Processor time of the drill since the counters before.
    own: u64,
    /// The drill's waiting for a processor since then.
    waited: Option<u64>,
}

impl Counters {
    fn now(clock: Clock, own: u64, waited: Option<u64>) -> Option<Self> {
        let stats = KernelStats::current().ok()?;
        let total = &stats.total;
        let busy =
            total.user + total.nice + total.system + total.irq.unwrap_or(0) + total.softirq.unwrap_or(0);
        Some(Self {
            at: clock.now(),
            processors: u32::try_from(stats.cpu_time.len()).ok()?,
            busy: micros(busy),
            stolen: micros(total.steal.unwrap_or(0)),
            throttled: throttled().unwrap_or(0),
            disk_waits: IoPressure::current().ok().map(|pressure| pressure.some.total),
            own,
            waited,
        })
    }

    fn since(&self, before: &Self) -> Load {
        let busy = self.busy.saturating_sub(before.busy);
        // The two are counted in ticks at slightly different times.
        let own = self.own.min(busy);
        Load {
            since: before.at,
            until: self.at,
            processors: self.processors,
            own,
            others: busy - own,
            stolen: self.stolen.saturating_sub(before.stolen),
            throttled: self.throttled.saturating_sub(before.throttled),
            waited: self.waited,
            disk_waits: (self.disk_waits.zip(before.disk_waits)).map(|(now, then)| now.saturating_sub(then)),
        }
    }
}

/// Processor time of the drill: of the harness, of its services with all their children, and of the journeys' commands.
#[derive(Default)]
struct Own {
    /// Each process with its time so far.
    seen: BTreeMap<i32, u64>,
    /// Each of their threads with its waiting so far.
    waits: BTreeMap<i32, u64>,
    /// That of the journeys' commands.
    commands: ProcessorTime,
    /// What commands had taken so far.
    spent: Spent,
}

impl Own {
    /// Counts these processes and the harness from now on.
    fn note(&mut self, processes: Vec<i32>) {
        for pid in processes.into_iter().chain([harness()]) {
            if let (false, Some(time)) = (self.seen.contains_key(&pid), time_of(pid)) {
                self.seen.insert(pid, time);
            }
        }
    }

    /// Processor time, and waiting for it, since the last call. A child that has ended is in its parent's time, so the sum
    /// goes on.
    fn since_last(&mut self) -> (u64, Option<u64>) {
        let before: u64 = self.seen.values().sum();
        self.seen
            .retain(|pid, time| time_of(*pid).inspect(|now| *time = *now).is_some());
        let after: u64 = self.seen.values().sum();
        let spent = self.commands.so_far();
        let last = std::mem::replace(&mut self.spent, spent);
        let of_commands = spent.used.saturating_sub(last.used);
        let waited = self.waited();
        let waited = waited.map(|waited| waited + spent.waited.saturating_sub(last.waited));
        (after.saturating_sub(before) + of_commands, waited)
    }

    /// How long the threads were ready and waited: of each process the longest, added up. What a new thread waited before
    /// it was seen is left out.
    fn waited(&mut self) -> Option<u64> {
        let mut now = BTreeMap::new();
        let mut sum = 0;
        for pid in self.seen.keys() {
            let threads = waits_of(*pid);
            let waited = |(tid, now): &(i32, u64)| now.saturating_sub(*self.waits.get(tid).unwrap_or(now));
            sum += threads.iter().map(waited).max().unwrap_or(0);
            now.extend(threads);
        }
        self.waits = now;
        // No thread at all: the kernel does not report it.
        (!self.waits.is_empty()).then_some(sum)
    }
}

/// How long each thread of a process was ready and waited so far.
fn waits_of(pid: i32) -> Vec<(i32, u64)> {
    let threads = Process::new(pid).and_then(|process| process.tasks());
    let threads = threads.into_iter().flatten().filter_map(Result::ok);
    let waits = |thread: Task| Some((thread.tid, thread.schedstat().ok()?.run_delay / 1000));
    threads.filter_map(waits).collect()
}

fn harness() -> i32 {
    i32::try_from(std::process::id()).unwrap_or_default()
}

/// Processor time of a process and of its children that have ended. Of the harness without them: services are counted while
/// they live, and builds are not part of the drill.
fn time_of(pid: i32) -> Option<u64> {
    let stat = Process::new(pid).ok()?.stat().ok()?;
    let ended = match pid == harness() {
        true => 0,
        false => u64::try_from(stat.cutime + stat.cstime).unwrap_or(0),
    };
    Some(micros(stat.utime + stat.stime + ended))
}

/// The kernel's ticks in microseconds.
fn micros(ticks: u64) -> u64 {
    ticks.saturating_mul(1_000_000 / procfs::ticks_per_second().max(1))
}

/// How long the harness's control group was stopped so far, for having used up its quota; `None` without a quota.
fn throttled() -> Option<u64> {
    let groups = Process::myself().ok()?.cgroups().ok()?;
    groups.into_iter().find_map(|group| throttled_in(&group))
}

fn throttled_in(group: &ProcessCGroup) -> Option<u64> {
    let path = group.pathname.trim_start_matches('/');
    // Version 2 has one tree and no controllers here; version 1 has one tree a controller.
    let tree = match group.controllers.as_slice() {
        [] => "/sys/fs/cgroup".to_owned(),
        controllers if controllers.iter().any(|name| name == "cpu") => {
            format!("/sys/fs/cgroup/{}", controllers.join(","))
        }
        _ => return None,
    };
    // In a container the path may be that of the host, while the tree begins at the container's own group.
    let text = [format!("{tree}/{path}/cpu.stat"), format!("{tree}/cpu.stat")];
    let text = text.iter().find_map(|file| std::fs::read_to_string(file).ok())?;
    throttled_of(&text)
}

/// The throttled time of a `cpu.stat`, in microseconds: `throttled_usec` in version 2, `throttled_time` in nanoseconds in
/// version 1.
fn throttled_of(text: &str) -> Option<u64> {
    text.lines().find_map(|line| match line.split_once(' ')? {
        ("throttled_usec", value) => value.trim().parse().ok(),
        ("throttled_time", value) => value.trim().parse().ok().map(|nanos: u64| nanos / 1000),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn throttled_time_is_read_in_both_versions() {
        let one = "nr_periods 5\nnr_throttled 2\nthrottled_time 3000000\n";
        let two = "usage_usec 9\nnr_throttled 2\nthrottled_usec 3000\n";
        assert_eq!(throttled_of(one), Some(3000));
        assert_eq!(throttled_of(two), Some(3000));
        assert_eq!(throttled_of("usage_usec 9\n"), None);
    }

    #[test]
    fn a_slice_holds_what_happened_since_the_one_before() {
        let before = Counters {
            at: Micros(0),
            processors: 2,
            busy: 1000,
            stolen: 10,
            throttled: 5,
            disk_waits: None,
            own: 0,
            waited: None,
        };
        let now = Counters {
            at: Micros(100),
            busy: 1150,
            stolen: 30,
            own: 50,
            ..before
        };
        let load = now.since(&before);
        assert_eq!(
            (load.own, load.others, load.stolen, load.throttled),
            (50, 100, 20, 0)
        );
    }
}
