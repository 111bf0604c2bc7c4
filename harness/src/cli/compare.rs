//! `firedrill compare`: two sets of repeats, told apart from chance.

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
    let comparison = compare(&base, &head);
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

fn side(folder: &Path) -> Result<Vec<Drill>, Exit> {
    let found = runs::find(&[folder.to_owned()])?;
    let mut lost = 0;
    let drills = runs::all(&found.folders, &mut lost);
    let all = drills.len();
    let drills: Vec<Drill> = drills
        .iter()
        .filter_map(|run| {
            let start = &run.history.start;
            Drill::new(&start.plan.name, &start.wall, &run.measured, &run.judgement)
        })
        .collect();
    if drills.len() < all {
        output::note(&format!(
            "{}: {} drills left out, for want of evidence",
            folder.display(),
            all - drills.len()
        ));
    }
    Ok(drills)
}
