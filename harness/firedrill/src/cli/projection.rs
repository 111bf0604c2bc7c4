//! `firedrill projection`: the year's downtime as a distribution, from stored drills.

use std::path::PathBuf;

use super::exit::Exit;
use super::{output, runs};
use firedrill_budget::Gathered;
use firedrill_budget::projection::{Conclusion, Simulation, project};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  firedrill projection                             of the run folders in ./runs
  firedrill projection nights --check              a gate: does the year fit the budget?
  firedrill projection --controls                  what a year would be without protection

Exit codes:
  0 projected   2 bad usage, or no run folder   3 an outage without a price, or no `per_year`
  With --check: 1 the year does not fit   3 too few drills to say")]
pub(super) struct Args {
    /// Run folders, or folders of them.
    #[arg(env = "FIREDRILL_RUNS", default_value = "runs")]
    runs: Vec<PathBuf>,
    /// The controls instead: what a year would be without protection.
    #[arg(long)]
    controls: bool,
    /// Simulated years.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1_000..=10_000_000))]
    years: u32,
    /// What every random choice derives from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// As one JSON object.
    #[arg(long, conflicts_with = "markdown")]
    json: bool,
    /// As Markdown, for a job summary.
    #[arg(long)]
    markdown: bool,
    /// Exit with 1 when the year does not fit the budget, and with 3 when the drills are too few to say.
    #[arg(long)]
    check: bool,
}

pub(super) fn run(args: &Args) -> Exit {
    let found = match runs::find(&args.runs) {
        Ok(found) => found,
        Err(exit) => return exit,
    };
    let mut lost = 0;
    let mut drills = runs::all(&found.folders, &mut lost);
    drills.sort_by(|a, b| a.history.start.wall.cmp(&b.history.start.wall));
    let gathered = firedrill_budget::gather(
        drills.iter().map(|run| (&run.history.start.plan, &run.judgement)),
        args.controls,
    );
    if let Some(exit) = no_figure(&gathered) {
        return exit;
    }
    let projection = project(
        &gathered.risks,
        &Simulation {
            budget: gathered.budget.downtime.0.as_secs_f64(),
            years: usize::try_from(args.years).unwrap_or(usize::MAX),
            seed: args.seed,
        },
    );
    output::print(&if args.json {
        serde_json::json!(projection).to_string()
    } else if args.markdown {
        firedrill_report::projection_markdown(&projection, &gathered, args.controls)
    } else {
        firedrill_report::projection(&projection, &gathered, args.controls, output::colours())
    });
    match projection.conclusion {
        Conclusion::DoesNotFit if args.check => Exit::Breached,
        Conclusion::CannotSay { .. } if args.check => Exit::Undecided,
        _ => Exit::AsStated,
    }
}

/// Why there is no annual figure, if there is none.
fn no_figure(gathered: &Gathered) -> Option<Exit> {
    if !gathered.unpriced.is_empty() {
        output::error(&format!(
            "no annual figure: an outage had not ended, and nothing says what it costs, in {}; set `manual_recovery` \
             in the scenario or in firedrill.toml, and run it again",
            gathered.unpriced.join(", ")
        ));
        return Some(Exit::Undecided);
    }
    if gathered.risks.is_empty() {
        output::error(&format!(
            "nothing to project: of these drills {} are of the other kind (see --controls), {} have no `per_year`, {} \
             have no evidence; `per_year = {{ times = 24, because = \"…\" }}` in a scenario says how often to expect it",
            gathered.other_kind.len(),
            gathered.without_rate.len(),
            gathered.undecided
        ));
        return Some(Exit::Undecided);
    }
    None
}
