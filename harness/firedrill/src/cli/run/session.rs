//! What all drills of one `firedrill run` share.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::args::Args;
use super::progress::Progress;
use firedrill_runner::backend::Kind;

/// One call of `firedrill run`.
pub(super) struct Session {
    /// Its arguments.
    pub(super) args: Args,
    /// Where services run.
    pub(super) kind: Kind,
    /// The random seed.
    pub(super) seed: u64,
    /// Cancelled by the first signal: builds end, drills stop and revert their faults.
    pub(super) stop: CancellationToken,
    /// Cancelled by the second signal: drills end without waiting for their reverts; removing the services undoes them.
    pub(super) hurry: CancellationToken,
    /// What is shown while drills run.
    pub(super) progress: Progress,
    /// How many drills were scheduled.
    pub(super) drills: usize,
    /// Whether this is the only drill: its full report is printed, and no summary.
    pub(super) single: bool,
    /// Permits for starting and removing services: the work that would disturb the drills that are being measured.
    pub(super) setups: Arc<Semaphore>,
}

impl Session {
    pub(super) fn new(args: Args, kind: Kind, seed: u64, drills: usize) -> Self {
        Self {
            kind,
            seed,
            stop: CancellationToken::new(),
            hurry: CancellationToken::new(),
            progress: Progress::new(drills, args.json),
            drills,
            single: drills == 1,
            setups: Arc::new(Semaphore::new((cores() / 2).max(1))),
            args,
        }
    }

    /// How many drills run at a time.
    pub(super) fn jobs(&self) -> usize {
        let default = match self.kind {
            // Drills at the same time would disturb the measurements that are to be compared.
            _ if self.args.baseline.is_some() => 1,
            // A drill mostly waits.
            Kind::Process => cores() * 4,
            // A drill is several containers, and an engine that starts and removes them takes a core for a while. With more
            // of them at a time, now and then an answer is late for that alone.
            _ => cores(),
        };
        self.args.jobs.unwrap_or(default).max(1)
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(2, std::num::NonZero::get)
}
