//! `firedrill compare`: two sets of repeats, told apart from chance.

use std::path::{Path, PathBuf};

use super::call::{self, Became, Done};
use super::exit::Exit;
use super::{output, runs};
use firedrill_judge::compare::{ComparedDrill, Comparison, Finding, compare};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
A regression needs at least 5 drills a side that took turns, Mann-Whitney p < 0.01, and medians
apart by a ratio of 1.5, by 50 ms and by the bounds' width. What did not come (an alert, a
rollback, a recovery) counts as never.

Examples:
  firedrill run NAME -n 10 --against app=v1        makes both sides, taking turns
  firedrill compare runs/BASE runs/HEAD
  firedrill compare runs/BASE runs/HEAD --markdown for a comment

Exit codes:
  0 no regression   1 a regression   2 bad usage, or no run folders
  3 cannot be said: fewer than 5 drills a side, or not taking turns")]
pub(super) struct Args {
    /// The base: a folder of run folders (`firedrill run --against` makes both).
    base: PathBuf,
    /// The head: a folder of run folders.
    head: PathBuf,
    /// As one JSON object.
    #[arg(long, conflicts_with = "markdown")]
    json: bool,
    /// As Markdown, for a comment.
    #[arg(long)]
    markdown: bool,
}

pub(super) fn run(args: &Args) -> Exit {
    let sides = side(&args.base).and_then(|base| Ok((base, side(&args.head)?)));
    let (base, head) = match sides {
        Ok(sides) => sides,
        Err(exit) => return exit,
    };
    let mut comparison = compare(&base.drills, &head.drills);
    comparison.left_out(&base.left_out, &head.left_out);
    output::print(&if args.json {
        serde_json::json!(comparison).to_string()
    } else if args.markdown {
        firedrill_report::comparison_markdown(&comparison)
    } else {
        firedrill_report::comparison(&comparison, output::colours())
    });
    exit(&comparison)
}

fn exit(comparison: &Comparison) -> Exit {
    match comparison.worst() {
        Some(Finding::Regression) => Exit::Breached,
        Some(Finding::Improvement | Finding::NoDifference) => Exit::AsStated,
        Some(Finding::Inconclusive(_)) | None => Exit::Undecided,
    }
}

/// One side's drills, and the scenarios of those that say nothing.
struct Side {
    drills: Vec<ComparedDrill>,
    left_out: Vec<String>,
}

fn side(folder: &Path) -> Result<Side, Exit> {
    let found = runs::find(&[folder.to_owned()])?;
    let runs = runs::all(&found.folders, &mut 0);
    let mut side = Side {
        drills: Vec::new(),
        left_out: unusable(&found, &runs),
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

/// The scenarios of drills that could not be run, by the files of their calls, and of those that cannot be read.
fn unusable(found: &runs::Found, read: &[runs::Judged]) -> Vec<String> {
    let done: Vec<Done> = found
        .calls
        .iter()
        .filter_map(|path| call::read(path).map_err(|error| left_out(path, &error)).ok())
        .flat_map(|(_, done)| done)
        .collect();
    let failed = done
        .iter()
        .filter(|done| matches!(done.became, Became::Failed(_)));
    let id = |folder: &PathBuf| {
        folder
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    };
    let is_read = |id: &String| read.iter().any(|run| run.history.start.run == *id);
    let unread = found.folders.iter().map(id).filter(|id| !is_read(id));
    let scenario = |id: String| {
        let of_call = done.iter().find(|done| done.became == Became::Run(id.clone()));
        of_call.map_or(id, |done| done.scenario.clone())
    };
    failed
        .map(|done| done.scenario.clone())
        .chain(unread.map(scenario))
        .collect()
}

fn left_out(path: &Path, error: &call::Unusable) {
    output::note(&format!("left out: {}: {error}", path.display()));
}
