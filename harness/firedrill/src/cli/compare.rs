//! `firedrill compare`: compares two sets of repeats for regressions.

use std::path::PathBuf;

use super::exit::Exit;
use super::failure::Failure;
use super::output;
use super::stored_runs::{self, Found, Judged, NoRuns};
use super::suite_log::{self, DrillRecord, DrillResult};
use firedrill_judge::compare::{ComparedDrill, Comparison, Finding, compare};

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
  3  undecided: fewer than 5 drills per side, or not run in turn")]
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
    Ok(exit(&comparison))
}

fn exit(comparison: &Comparison) -> Exit {
    // One regression among many scenarios is enough.
    match comparison.worst() {
        Some(Finding::Regression) => Exit::Breached,
        Some(Finding::Improvement | Finding::NoDifference) => Exit::AsExpected,
        Some(Finding::Inconclusive(_)) | None => Exit::Undecided,
    }
}

/// One side's drills, and the scenario of each drill that cannot be compared.
struct Side {
    drills: Vec<ComparedDrill>,
    left_out: Vec<String>,
}

fn side(folder: &PathBuf) -> Result<Side, NoRuns> {
    let found = stored_runs::find(std::slice::from_ref(folder))?;
    let runs = stored_runs::judge_all(&found.folders);
    let mut side = Side {
        drills: Vec::new(),
        left_out: not_comparable(&found, &runs),
    };
    for run in &runs {
        let start = &run.history.start;
        match ComparedDrill::new(&start.plan.name, &start.wall, &run.measured, &run.judgement) {
            Some(drill) => side.drills.push(drill),
            None => side.left_out.push(start.plan.name.clone()),
        }
    }
    Ok(side)
}

/// The scenarios of drills that could not be run, according to the suite logs, and of histories that cannot be read.
fn not_comparable(found: &Found, read: &[Judged]) -> Vec<String> {
    let records: Vec<DrillRecord> = found
        .suite_logs
        .iter()
        .filter_map(|path| match suite_log::read(path) {
            Ok((_, records)) => Some(records),
            Err(error) => {
                let why = output::chain(&error);
                output::warning(&format!("left out: {}: {why}", path.display()));
                None
            }
        })
        .flatten()
        .collect();
    let failed = records
        .iter()
        .filter(|record| matches!(record.result, DrillResult::Failed(_)));
    let is_read = |id: &String| read.iter().any(|run| run.history.start.run == *id);
    let ids = found.folders.iter().map(|folder| stored_runs::file_name(folder));
    let unread = ids.filter(|id| !is_read(id));
    // An unreadable history does not name its scenario, but the suite log does.
    let scenario = |id: String| {
        let result = DrillResult::Run(id.clone());
        let record = records.iter().find(|record| record.result == result);
        record.map_or(id, |record| record.scenario.clone())
    };
    failed
        .map(|record| record.scenario.clone())
        .chain(unread.map(scenario))
        .collect()
}
