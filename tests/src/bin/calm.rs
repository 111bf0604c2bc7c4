//! Compares stored runs with their snapshots: how often each scenario differs, and how.
//!
//! ```text
//! firedrill run --backend process -n 50 --runs runs/calm && cargo run -p acceptance --bin calm -- runs/calm
//! ```
//! Takes folders of runs, prints the differences; exit code 1 when a run differs or is unexpected.

#![expect(clippy::print_stdout, reason = "a program for people")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use acceptance::Kind;
use acceptance::snapshots::{Snapshot, difference};
use clap::Parser;
use firedrill::format::count;
use firedrill::history::BackendKind;
use firedrill::judge::Verdict;
use firedrill::{history, judge, measure};

/// Compare stored runs with their snapshots.
#[derive(Parser)]
struct Args {
    /// Folders of run folders.
    #[arg(required = true)]
    runs: Vec<PathBuf>,
    /// Compare snapshots only: skip undecided runs and ignore unexpected results, which `firedrill merge` reports.
    #[arg(long)]
    decided: bool,
}

/// The runs of one scenario: how many, and each difference with the runs that have it.
#[derive(Default)]
struct Scenario {
    runs: usize,
    differences: BTreeMap<String, Vec<String>>,
}

fn main() -> ExitCode {
    let mut scenarios: BTreeMap<String, Scenario> = BTreeMap::new();
    let args = Args::parse();
    // A run counts once, also when it is stored under two names.
    let mut seen = BTreeSet::new();
    for folder in args.runs.iter().flat_map(|runs| acceptance::run_folders(runs)) {
        if history::run_id(&folder).is_some_and(|id| !seen.insert(id)) {
            continue;
        }
        let (name, difference) = compare(&folder, args.decided);
        let scenario = scenarios.entry(name).or_default();
        scenario.runs += 1;
        if let Some(difference) = difference {
            let run = folder.file_name().unwrap_or_default().to_string_lossy();
            scenario
                .differences
                .entry(difference)
                .or_default()
                .push(run.into_owned());
        }
    }
    let runs: usize = scenarios.values().map(|scenario| scenario.runs).sum();
    let mut differ = 0;
    for (name, scenario) in &scenarios {
        for (difference, runs) in &scenario.differences {
            differ += runs.len();
            println!(
                "{name}: {} of {} ({})\n{difference}",
                runs.len(),
                scenario.runs,
                runs[0]
            );
        }
    }
    println!(
        "{} of {}, {differ} differ",
        count(runs, "run"),
        count(scenarios.len(), "scenario")
    );
    // No runs at all is a mistake in the arguments, not a success.
    if runs == 0 || differ > 0 {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// A run's scenario and backend, and how it differs.
fn compare(folder: &Path, decided: bool) -> (String, Option<String>) {
    let history = match history::read(folder) {
        Ok(history) => history,
        Err(error) => return ("unreadable".into(), Some(error.to_string())),
    };
    let kind = if history.start.backend == BackendKind::Docker {
        Kind::Docker
    } else {
        Kind::Process
    };
    let name = format!("{kind}::{}", history.start.plan.name);
    let measured = measure::measure(&history);
    let judgement = judge::judge(&history, &measured);
    if decided && judgement.verdict() == Verdict::Undecided {
        return (name, None);
    }
    let snapshot = match Snapshot::of(kind, &history.start.plan.name) {
        Ok(snapshot) => snapshot,
        Err(error) => return (name, Some(error.to_string())),
    };
    let text = snapshot.text(&history, &measured, &judgement);
    let accepted = snapshot.accepted.unwrap_or_default();
    let mut differs = difference(&accepted, &text);
    if !decided && !judgement.as_expected() {
        differs.push_str("unexpected result\n");
    }
    (name, (!differs.is_empty()).then_some(differs))
}
