//! Holds stored runs against their snapshots: how often each scenario came out otherwise, and how.
//!
//! ```text
//! firedrill run --backend process -n 50 --runs runs/calm && cargo run -p acceptance --bin calm -- runs/calm
//! ```
//! Faces run folders only; exit code 1 when any run differs or was not as stated.

#![expect(clippy::print_stdout, reason = "a program for people")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use acceptance::Kind;
use acceptance::snapshots::{Snapshot, difference};
use clap::Parser;
use firedrill::judge::Verdict;
use firedrill::{history, judge, measure};

/// Look whether stored runs are as their snapshots say.
#[derive(Parser)]
struct Args {
    /// Folders of run folders.
    #[arg(required = true)]
    runs: Vec<PathBuf>,
    /// Pass over runs that are undecided, and do not ask whether the others are as stated: `firedrill merge` tells of both.
    #[arg(long)]
    decided: bool,
}

/// What the runs of one scenario came to: how many there were, and each difference with the runs that have it.
#[derive(Default)]
struct Scenario {
    runs: usize,
    differences: BTreeMap<String, Vec<String>>,
}

fn main() -> ExitCode {
    let mut scenarios: BTreeMap<String, Scenario> = BTreeMap::new();
    let args = Args::parse();
    for folder in args.runs.iter().flat_map(|runs| acceptance::run_folders(runs)) {
        let (name, said) = look(&folder, args.decided);
        let scenario = scenarios.entry(name).or_default();
        scenario.runs += 1;
        if let Some(said) = said {
            let run = folder.file_name().unwrap_or_default().to_string_lossy();
            scenario
                .differences
                .entry(said)
                .or_default()
                .push(run.into_owned());
        }
    }
    let runs: usize = scenarios.values().map(|scenario| scenario.runs).sum();
    let mut differ = 0;
    for (name, scenario) in &scenarios {
        for (said, those) in &scenario.differences {
            differ += those.len();
            println!(
                "{name}: {} of {} ({})\n{said}",
                those.len(),
                scenario.runs,
                those[0]
            );
        }
    }
    println!("{runs} runs of {} scenarios, {differ} differ", scenarios.len());
    if runs == 0 || differ > 0 {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// A run's scenario and backend, and what is not as it should be.
fn look(folder: &Path, decided: bool) -> (String, Option<String>) {
    let history = match history::read(folder) {
        Ok(history) => history,
        Err(error) => return ("unreadable".into(), Some(error.to_string())),
    };
    let kind = if history.start.backend == Kind::Docker.to_string() {
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
        Err(error) => return (name, Some(error)),
    };
    let text = snapshot.text(&history, &measured, &judgement);
    let accepted = snapshot.accepted.unwrap_or_default();
    let mut said = difference(&accepted, &text);
    if !decided && !judgement.as_expected() {
        said.push_str("not as stated\n");
    }
    (name, (!said.is_empty()).then_some(said))
}
