//! `firedrill projection`: projects annual downtime from stored drills.

use std::path::PathBuf;

use super::exit::Exit;
use super::failure::Failure;
use super::output;
use super::stored_runs::{self, JudgedRuns};
use firedrill_budget::Gathered;
use firedrill_budget::projection::{Conclusion, Projection, Simulation, project};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  firedrill projection                    From the run folders in ./runs
  firedrill projection nights --check     Fail if the year does not fit the budget
  firedrill projection --controls         Without protection: from the negative controls only

Exit codes:
  0  projected
  2  bad usage, or no run folder
  3  an outage without a price, or no scenario with `per_year`
  With --check also:
  1  the year does not fit the budget
  3  too few drills to conclude, a run that cannot be read, or a scenario whose drills have no evidence")]
pub(super) struct Args {
    /// Run folders, or folders that contain them.
    #[arg(env = "FIREDRILL_RUNS", default_value = "runs")]
    runs: Vec<PathBuf>,
    /// Project only the negative controls: a year without protection.
    #[arg(long)]
    controls: bool,
    /// Number of simulated years.
    #[arg(long, value_name = "NUMBER", default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1_000..=10_000_000))]
    years: u32,
    /// Random seed of the simulation.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print one JSON object.
    #[arg(long, conflicts_with = "markdown")]
    json: bool,
    /// Print Markdown, for a job summary.
    #[arg(long)]
    markdown: bool,
    /// Exit with 1 if the year does not fit the budget, and with 3 if the drills are too few to conclude, or some
    /// cannot be read or have no evidence.
    #[arg(long)]
    check: bool,
}

/// Why there is no annual figure.
#[derive(Debug, thiserror::Error)]
enum Error {
    /// An outage that was still down when its drill ended has no price.
    #[error(
        "no annual figure: {scenarios} ended still down and have no price; set `manual_recovery` in the scenario or in \
         firedrill.toml, and run again"
    )]
    NoPrice {
        /// The scenarios, separated by commas.
        scenarios: String,
    },
    /// No drill says anything about a year.
    #[error(
        "nothing to project; drills left out: {other_kind} belong to the other projection (with or without --controls), \
         {without_rate} have no `per_year`, {undecided} have no evidence, {unreadable} cannot be read. A scenario says how often to \
         expect it: `per_year = {{ times = 24, because = \"…\" }}`"
    )]
    Nothing {
        /// Drills of controls, or of scenarios that are not controls.
        other_kind: usize,
        /// Drills of scenarios without `per_year`.
        without_rate: usize,
        /// Drills without evidence.
        undecided: usize,
        /// Drills that cannot be read.
        unreadable: usize,
    },
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let folders = stored_runs::find_folders(&args.runs).map_err(Failure::usage)?;
    let JudgedRuns {
        runs: mut drills,
        unreadable,
    } = stored_runs::judge_all(&folders);
    // By date, so that the same runs give the same projection wherever their folders lie.
    drills.sort_by_key(|run| run.history.start.began());
    let mut gathered = firedrill_budget::gather(
        drills.iter().map(|run| (&run.history.start.plan, &run.judgement)),
        args.controls,
    );
    gathered.unreadable = unreadable;
    check(&gathered).map_err(Failure::undecided)?;
    let projection = project(
        &gathered.risks,
        &Simulation {
            budget: gathered.budget.downtime.0.as_secs_f64(),
            years: usize::try_from(args.years).unwrap_or(usize::MAX),
            seed: args.seed,
        },
    );
    output::print(&if args.json {
        json(&projection, &gathered)
    } else if args.markdown {
        firedrill_report::projection_markdown(&projection, &gathered, args.controls)
    } else {
        firedrill_report::projection(&projection, &gathered, args.controls, output::color())
    });
    Ok(match projection.conclusion {
        Conclusion::DoesNotFit if args.check => Exit::Breached,
        Conclusion::CannotSay { .. } if args.check => Exit::Undecided,
        // What is missing may be what does not fit.
        Conclusion::Fits if args.check && gathered.is_incomplete() => Exit::Undecided,
        _ => Exit::AsExpected,
    })
}

/// The projection, and what is missing from it.
fn json(projection: &Projection, gathered: &Gathered) -> String {
    let mut json = serde_json::json!(projection);
    json["unmeasured"] = serde_json::json!(gathered.unmeasured);
    json["unreadable"] = gathered.unreadable.into();
    json.to_string()
}

/// Checks that the drills give an annual figure at all.
fn check(gathered: &Gathered) -> Result<(), Error> {
    // Leaving such an outage out would make the year look better than it is.
    if !gathered.unpriced.is_empty() {
        return Err(Error::NoPrice {
            scenarios: gathered.unpriced.join(", "),
        });
    }
    if gathered.risks.is_empty() {
        return Err(Error::Nothing {
            other_kind: gathered.other_kind.len(),
            without_rate: gathered.without_rate.len(),
            undecided: gathered.undecided,
            unreadable: gathered.unreadable,
        });
    }
    Ok(())
}
