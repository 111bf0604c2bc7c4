//! `firedrill compare`: compares two sets of repeats for regressions.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::exit::Exit;
use super::failure::Failure;
use super::output;
use super::stored_runs::{self, FindError, Found, Judged, JudgedRuns, RunFolder};
use super::suite_log::{self, DrillRecord, DrillResult};
use firedrill_judge::compare::{ComparedDrill, Comparison, Finding, compare};
use firedrill_model::format;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
A regression needs at least 5 drills per side, run in turn; Mann-Whitney p < 0.01; and medians that
differ by a ratio of 1.5, by 50 ms and by more than the bounds. An alert, rollback or recovery that
never came counts as later than any that did.

Examples:
  firedrill run NAME -n 10 --baseline app=v1          Run both sides in turn
  firedrill compare runs/ID/baseline runs/ID/head
  firedrill compare runs/ID/baseline runs/ID/head --markdown

Exit codes:
  0  no regression
  1  a regression
  2  bad usage, or no run folders
  3  undecided: fewer than 5 drills per side, not run in turn, or a run that is missing or cannot be read")]
pub(super) struct Args {
    /// Folder with the baseline's run folders (`firedrill run --baseline` writes both).
    baseline: PathBuf,
    /// Folder with the head's run folders.
    head: PathBuf,
    /// Print one JSON object.
    #[arg(long, conflicts_with = "markdown")]
    json: bool,
    /// Print Markdown, for a comment.
    #[arg(long)]
    markdown: bool,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let baseline = side(&args.baseline).map_err(Failure::usage)?;
    let head = side(&args.head).map_err(Failure::usage)?;
    if let Some(run) = baseline.ids.intersection(&head.ids).next() {
        return Err(Failure::usage(OnBothSides(run.clone())));
    }
    let mut comparison = compare(&baseline.drills, &head.drills);
    // Reported, not dropped: a head that cannot be run must not look as good as the baseline.
    comparison.left_out(&baseline.left_out, &head.left_out);
    output::print(&if args.json {
        serde_json::json!(comparison).to_string()
    } else if args.markdown {
        firedrill_report::comparison_markdown(&comparison)
    } else {
        firedrill_report::comparison(&comparison, output::color())
    });
    // What is missing may be what got worse.
    let missing = baseline.is_incomplete || head.is_incomplete;
    Ok(match exit(&comparison) {
        Exit::AsExpected if missing => Exit::Undecided,
        exit => exit,
    })
}

fn exit(comparison: &Comparison) -> Exit {
    // One regression among many scenarios is enough.
    match comparison.worst() {
        Some(Finding::Regression) => Exit::Breached,
        Some(Finding::Improvement | Finding::NoDifference) => Exit::AsExpected,
        Some(Finding::Inconclusive(_)) | None => Exit::Undecided,
    }
}

/// A run that is compared with itself.
#[derive(Debug, thiserror::Error)]
#[error("run {0} is on both sides: give two folders that share no run")]
struct OnBothSides(String);

/// One side's drills, and the scenario of each drill that cannot be compared.
struct Side {
    drills: Vec<ComparedDrill>,
    left_out: Vec<String>,
    /// The ids of the runs that can be read.
    ids: BTreeSet<String>,
    /// Whether a run or a suite log is missing, or cannot be read.
    is_incomplete: bool,
}

fn side(folder: &PathBuf) -> Result<Side, FindError> {
    let found = stored_runs::find(std::slice::from_ref(folder))?;
    let JudgedRuns { runs, unreadable } = stored_runs::judge_all(&found.folders());
    let (records, unreadable_logs) = records(&found.suite_logs);
    let (left_out, missing) = not_comparable(&records, &found, &runs);
    let mut side = Side {
        drills: Vec::new(),
        left_out,
        ids: runs.iter().map(|run| run.history.start.run.clone()).collect(),
        is_incomplete: unreadable + unreadable_logs + missing > 0,
    };
    for run in &runs {
        let start = &run.history.start;
        match ComparedDrill::new(start, &run.measured, &run.judgement) {
            Some(drill) => side.drills.push(drill),
            None => side.left_out.push(start.plan.name.clone()),
        }
    }
    Ok(side)
}

/// What the suite logs say of their drills, and how many logs cannot be read.
fn records(suite_logs: &[PathBuf]) -> (Vec<DrillRecord>, usize) {
    let (mut records, mut unreadable) = (Vec::new(), 0);
    for path in suite_logs {
        match suite_log::read(path) {
            Ok((_, more)) => records.extend(more),
            Err(error) => {
                unreadable += 1;
                let why = format::chain(&error);
                output::warning(&format!("left out: {}: {why}", path.display()));
            }
        }
    }
    (records, unreadable)
}

/// The scenarios of drills that could not be run or whose runs are missing, according to the suite logs, and of histories
/// that cannot be read; and how many runs are missing.
fn not_comparable(records: &[DrillRecord], found: &Found, read: &[Judged]) -> (Vec<String>, usize) {
    let ids: Vec<String> = found.runs.iter().map(RunFolder::id).collect();
    let is_read = |id: &String| read.iter().any(|run| run.history.start.run == *id);
    let (mut left_out, mut missing) = (Vec::new(), 0);
    for record in records {
        match &record.result {
            DrillResult::Failed(_) => left_out.push(record.scenario.clone()),
            DrillResult::Run(id) if !ids.contains(id) && !is_read(id) => {
                missing += 1;
                output::warning(&format!("left out: the run folder {id} is missing"));
                left_out.push(record.scenario.clone());
            }
            DrillResult::Run(_) | DrillResult::Skipped(_) => {}
        }
    }
    // An unreadable history does not name its scenario, but the suite log does.
    let scenario = |id: String| {
        let result = DrillResult::Run(id.clone());
        let record = records.iter().find(|record| record.result == result);
        record.map_or(id, |record| record.scenario.clone())
    };
    left_out.extend(ids.into_iter().filter(|id| !is_read(id)).map(scenario));
    (left_out, missing)
}
