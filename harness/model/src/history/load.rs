//! Whose processor it was: what the machine did during a drill, in slices of 100 ms.
//!
//! An answer that was right but late, because others held the machine, says nothing about the service: it is unknown
//! (`docs/measuring.md`, *Whose processor it was*). The history keeps what was seen, and reading it draws the conclusion,
//! so that a stored history can be judged again by another rule.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::files::{self, FileError, Limit};
use crate::sample::{Bad, Micros, Outcome, Sample, StreamId, Void};

/// The longest line, in bytes: nine numbers fit in.
const LONGEST_LINE: u64 = 1 << 10;
/// The largest file.
const LIMIT: Limit = Limit::new(512 << 20, "all slices are held in memory");

/// From this share of the machine on, others hold it. With half of the processors taken, a service that needs one at a
/// time may still have to wait for it; below that there was always a free one.
pub const HELD_FROM: f64 = 0.5;

/// From this share on no processor was free, so that a thread that waited had to. Not quite all, since the kernel counts in
/// ticks of 10 ms.
const FULL_FROM: f64 = 0.9;

/// What the machine did in one slice of time. Times in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Load {
    /// When the slice began.
    pub since: Micros,
    /// When it ended.
    pub until: Micros,
    /// The machine's processors.
    pub processors: u32,
    /// Processor time of the drill itself: its services, and the harness.
    pub own: u64,
    /// Processor time of everything else on the machine.
    pub others: u64,
    /// Processor time that the hypervisor gave to other machines.
    pub stolen: u64,
    /// Time in which the control group of the harness was stopped because its quota was used up.
    pub throttled: u64,
    /// Time for which threads of the drill were ready to run and waited for a processor: the longest wait of each process,
    /// added up, since an answer goes from one process to the next. `None` where the kernel does not report it.
    pub waited: Option<u64>,
    /// Time in which some process of the machine waited for a disk; `None` where the kernel does not report it. Shown, and
    /// no excuse: nobody knows whose disk accesses these were.
    pub disk_waits: Option<u64>,
}

impl Load {
    /// The processor time that others took, as seen by the service: theirs and the hypervisor's, or all of it while the
    /// control group was stopped.
    fn held(&self) -> f64 {
        let taken = to_f64(self.others.saturating_add(self.stolen));
        let throttled = to_f64(self.throttled) * f64::from(self.processors);
        taken.max(throttled)
    }

    /// The processor time that was used, or that others kept from being used.
    fn used(&self) -> f64 {
        self.held() + to_f64(self.own)
    }

    /// All processor time of the slice.
    fn capacity(&self) -> f64 {
        let length = self.until.since(self.since);
        to_f64(u64::try_from(length.as_micros()).unwrap_or(u64::MAX)) * f64::from(self.processors)
    }
}

#[expect(clippy::cast_precision_loss, reason = "microseconds below 2^53: 285 years")]
fn to_f64(micros: u64) -> f64 {
    micros as f64
}

/// What the slices that touch an interval say together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Contention {
    /// The share of the machine that others held.
    pub held: f64,
    /// The share that was used, by the drill and others together.
    pub used: f64,
    /// For how long at most the drill waited for what others held, in microseconds; `None` where the kernel does not say.
    pub waited: Option<u64>,
}

impl Contention {
    /// What was recorded of an interval; `None` where nothing was.
    pub fn during(loads: &[Load], from: Micros, until: Micros) -> Option<Self> {
        // By time, as they were written: the first that ends after the interval's begin.
        let first = loads.partition_point(|load| load.until <= from);
        let touching = || loads[first..].iter().take_while(|load| load.since < until);
        let capacity: f64 = touching().map(Load::capacity).sum();
        let held: f64 = touching().map(Load::held).sum();
        let used: f64 = touching().map(Load::used).sum();
        let waited = touching().map(|load| {
            let other = load.stolen.saturating_add(load.throttled);
            load.waited.map(|waited| waited.saturating_add(other))
        });
        (capacity > 0.0).then(|| Self {
            held: held / capacity,
            used: used / capacity,
            waited: waited.sum(),
        })
    }

    /// Whether it may have cost an answer so much time.
    pub fn explains(self, time: Duration) -> bool {
        // A release that sleeps is slow on a busy machine too, and waits for nobody. Half, because not all waiting is seen:
        // threads begin and end between two looks, and wait for others that wait.
        let half = u64::try_from(time.as_micros() / 2).unwrap_or(u64::MAX);
        self.held >= HELD_FROM && self.used >= FULL_FROM && self.waited.is_none_or(|waited| waited >= half)
    }
}

/// Makes every answer that came late, or not within the client's timeout, unknown where others may have cost it the time.
pub(super) fn excuse(samples: &mut [Sample], loads: &[Load], deadline: impl Fn(StreamId) -> Duration) {
    let is_late = |sample: &&mut Sample| matches!(sample.outcome, Outcome::Bad(Bad::Late | Bad::Timeout));
    for sample in samples.iter_mut().filter(is_late) {
        let too_late_by = sample.ended.since(sample.sent + deadline(sample.stream));
        // From when it was due: the prober itself may have had to wait.
        let contention = Contention::during(loads, sample.due, sample.ended);
        if contention.is_some_and(|contention| contention.explains(too_late_by)) {
            sample.outcome = Outcome::Void(Void::MachineBusy);
        }
    }
}

/// Reads what was recorded, by time; nothing where there is no file. A line that cannot be read is left out: without it
/// nothing is excused.
///
/// # Errors
/// [`FileError`], for a file that is none or too large.
pub(super) fn read(path: &Path) -> Result<Vec<Load>, FileError> {
    let file = match files::open(path, LIMIT) {
        // Older histories have none, and neither have drills on other systems.
        Err(error) if error.is_missing() => return Ok(Vec::new()),
        opened => opened?.take(LIMIT.bytes),
    };
    let mut lines = BufReader::new(file);
    let mut loads: Vec<Load> = Vec::new();
    let mut line = Vec::new();
    loop {
        line.clear();
        match lines.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line)? {
            0 => break,
            _ => loads.extend(serde_json::from_slice::<Load>(&line)),
        }
    }
    loads.retain(|load| load.since < load.until);
    loads.sort_by_key(|load| load.since);
    Ok(loads)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sample::Label;

    const MS: u64 = 1000;

    fn load(at: u64, others: u64) -> Load {
        Load {
            since: Micros(at * MS),
            until: Micros((at + 100) * MS),
            processors: 2,
            own: 0,
            others: others * MS,
            stolen: 0,
            throttled: 0,
            waited: None,
            disk_waits: None,
        }
    }

    fn answer(due: u64, ended: u64, outcome: Outcome) -> Sample {
        Sample {
            stream: StreamId(0),
            due: Micros(due * MS),
            sent: Micros(due * MS),
            first: Micros(ended * MS),
            ended: Micros(ended * MS),
            outcome,
            status: 200,
            release: Label::NONE,
            rung: Label::NONE,
            reconnected: false,
        }
    }

    fn after(loads: &[Load], outcome: Outcome) -> Outcome {
        let mut samples = [answer(50, 250, outcome)];
        excuse(&mut samples, loads, |_| Duration::from_millis(150));
        samples[0].outcome
    }

    const LATE: Outcome = Outcome::Bad(Bad::Late);

    #[test]
    fn a_late_answer_is_unknown_while_others_hold_half_the_machine() {
        let busy = [load(0, 185), load(100, 185), load(200, 185)];
        for outcome in [LATE, Outcome::Bad(Bad::Timeout)] {
            assert_eq!(after(&busy, outcome), Outcome::Void(Void::MachineBusy));
        }
        let room = [load(0, 150), load(100, 150), load(200, 150)];
        assert_eq!(after(&room, LATE), LATE, "a quarter of the machine was free");
        let mostly_own = |at: u64| Load {
            own: 110 * MS,
            ..load(at, 90)
        };
        assert_eq!(
            after(&[mostly_own(0), mostly_own(100), mostly_own(200)], LATE),
            LATE
        );
        assert_eq!(after(&[], LATE), LATE, "nothing recorded excuses nothing");
    }

    #[test]
    fn only_the_time_of_the_answer_counts() {
        let before_and_after = [load(300, 200), load(400, 200)];
        assert_eq!(after(&before_and_after, LATE), LATE);
        let one_of_three = [load(0, 0), load(100, 200), load(200, 0)];
        assert_eq!(after(&one_of_three, LATE), LATE);
    }

    #[test]
    fn the_load_of_the_services_is_their_own() {
        let own = Load {
            own: 200 * MS,
            ..load(0, 0)
        };
        assert_eq!(after(&[own, own, own], LATE), LATE);
    }

    #[test]
    fn a_stopped_control_group_and_a_hypervisor_hold_the_machine_too() {
        let throttled = Load {
            throttled: 95 * MS,
            ..load(50, 0)
        };
        let stolen = Load {
            stolen: 190 * MS,
            ..load(50, 0)
        };
        for load in [throttled, stolen] {
            let later = Load {
                since: Micros(150 * MS),
                until: Micros(250 * MS),
                ..load
            };
            assert_eq!(after(&[load, later], LATE), Outcome::Void(Void::MachineBusy));
        }
    }

    #[test]
    fn a_service_that_waited_for_nobody_was_slow_by_itself() {
        // 50 ms too late, in three slices.
        let waited = |ms: u64| {
            [0, 100, 200].map(|at| Load {
                waited: Some(ms * MS),
                ..load(at, 200)
            })
        };
        assert_eq!(after(&waited(5), LATE), LATE);
        assert_eq!(after(&waited(10), LATE), Outcome::Void(Void::MachineBusy));
    }

    #[test]
    fn wrong_refused_and_broken_answers_stay_bad() {
        let busy = [load(0, 200), load(100, 200), load(200, 200)];
        let is_late = |outcome: &Outcome| matches!(outcome, Outcome::Bad(Bad::Late | Bad::Timeout));
        for outcome in Outcome::ALL.into_iter().filter(|outcome| !is_late(outcome)) {
            assert_eq!(after(&busy, outcome), outcome);
        }
    }

    proptest! {
        #[test]
        fn no_file_makes_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("load.jsonl");
            std::fs::write(&path, bytes).unwrap();
            let loads = read(&path).unwrap();
            let contention = Contention::during(&loads, Micros(0), Micros(u64::MAX));
            prop_assert!(contention.is_none_or(|contention| contention.held >= 0.0));
        }

        #[test]
        fn a_share_is_that_of_the_slices_it_touches(share in 0u64..=200, from in 0u64..1000, length in 1u64..1000) {
            let loads: Vec<Load> = (0..20).map(|slice| load(slice * 100, share)).collect();
            let contention = Contention::during(&loads, Micros(from * MS), Micros((from + length) * MS)).unwrap();
            prop_assert!((contention.held - to_f64(share) / 200.0).abs() < 1e-9);
        }
    }
}
