//! `firedrill compare`: two sets of repeats, told apart from chance.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::exit::Exit;
use super::{output, runs};
use crate::report;
use crate::sla::compare::{Comparison, Drill, Finding, compare};

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
    comparison.left_out(&base.left_out.union(&head.left_out).cloned().collect());
    output::print(&if args.json {
        serde_json::json!(comparison).to_string()
    } else if args.markdown {
        report::comparison_markdown(&comparison)
    } else {
        report::comparison(&comparison, output::colours())
    });
    exit(&comparison)
}

fn exit(comparison: &Comparison) -> Exit {
    match comparison.worst() {
        Some(Finding::Regression) => Exit::Breached,
        Some(Finding::Improvement | Finding::NoDifference) => Exit::AsStated,
        Some(Finding::CannotSay(_)) | None => Exit::Undecided,
    }
}

/// One side's drills, and the scenarios of those that have no evidence.
struct Side {
    drills: Vec<Drill>,
    left_out: BTreeSet<String>,
}

fn side(folder: &Path) -> Result<Side, Exit> {
    let found = runs::find(&[folder.to_owned()])?;
    let mut lost = 0;
    let runs = runs::all(&found.folders, &mut lost);
    let mut side = Side {
        drills: Vec::new(),
        left_out: BTreeSet::new(),
    };
    for run in &runs {
        let start = &run.history.start;
        match Drill::new(&start.plan.name, &start.wall, &run.measured, &run.judgement) {
            Some(drill) => side.drills.push(drill),
            None => drop(side.left_out.insert(start.plan.name.clone())),
        }
    }
    if side.drills.len() < runs.len() {
        output::note(&format!(
            "{}: {} drills left out, for want of evidence",
            folder.display(),
            runs.len() - side.drills.len()
        ));
    }
    Ok(side)
}
