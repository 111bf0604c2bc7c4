//! Which drills a call runs, in which order.
//!
//! Takes the loaded scenarios; gives the drills, and the suite log in which each result will be recorded. The log is on
//! disk before the first drill starts, so that `firedrill merge` can tell which drills never ran.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::super::suite_log::{Suite, SuiteLog};
use super::args::Args;
use firedrill_runner::Plan;
use firedrill_runner::backend::Kind;
use firedrill_runner::drill;

/// A drill to run.
#[derive(Debug, Clone)]
pub(super) struct Scheduled {
    /// The scenario and its system.
    pub(super) plan: Arc<Plan>,
    /// Which repeat, from 1.
    pub(super) repeat: u32,
    /// The folder in which the run folder is created.
    pub(super) runs: PathBuf,
    /// Where the result is recorded.
    pub(super) log: Arc<SuiteLog>,
    /// Which side of a comparison, if there is one.
    pub(super) side: Option<Side>,
}

impl Scheduled {
    /// Whether the scenario is a negative control.
    pub(super) fn is_control(&self) -> bool {
        self.plan.scenario.control.is_some()
    }
}

/// A side of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// What the head is compared with.
    Baseline,
    /// What is being tested.
    Head,
}

impl Side {
    /// Its name, and that of its folder.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Baseline => "baseline",
            Self::Head => "head",
        }
    }
}

/// The suite log cannot be created.
#[derive(Debug, thiserror::Error)]
#[error("cannot write to {}", folder.display())]
pub(super) struct CannotRecord {
    folder: PathBuf,
    source: io::Error,
}

/// Starts a suite log in a folder.
pub(super) fn start_log(folder: PathBuf, id: &str, suite: &Suite) -> Result<Arc<SuiteLog>, CannotRecord> {
    match SuiteLog::create(&folder, id, suite) {
        Ok(log) => Ok(Arc::new(log)),
        Err(source) => Err(CannotRecord { folder, source }),
    }
}

/// Every drill of the suite, or of its shard: all scenarios once, then all again.
pub(super) fn suite(
    args: &Args,
    plans: Vec<Plan>,
    kind: Kind,
    seed: u64,
) -> Result<Vec<Scheduled>, CannotRecord> {
    // The log names the whole suite even for a shard: `merge` compares shards by it.
    let names = plans.iter().map(|plan| plan.name.clone()).collect();
    let suite = Suite::new(seed, kind.into(), names, args.repeat, args.shard);
    let log = start_log(args.runs.clone(), &drill::new_run_id("suite", 1), &suite)?;
    // By index in the sorted suite, so that every machine deals the same scenarios to the same shard.
    let plans: Vec<Arc<Plan>> = plans
        .into_iter()
        .enumerate()
        .filter(|(index, _)| args.shard.is_none_or(|shard| shard.contains(*index)))
        .map(|(_, plan)| Arc::new(plan))
        .collect();
    let scheduled = |repeat: u32, plan: &Arc<Plan>| Scheduled {
        plan: Arc::clone(plan),
        repeat,
        runs: args.runs.clone(),
        log: Arc::clone(&log),
        side: None,
    };
    let drills = (1..=args.repeat).flat_map(|repeat| plans.iter().map(move |plan| scheduled(repeat, plan)));
    Ok(drills.collect())
}
