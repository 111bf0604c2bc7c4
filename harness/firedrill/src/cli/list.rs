//! `firedrill list`: lists the scenarios that `run` would run.

use super::exit::Exit;
use super::failure::Failure;
use super::{output, scenarios};
use firedrill_logs::line::printable;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  firedrill list                             Every scenario in ./scenarios
  firedrill list scenarios/killed-v1.toml    One file

Exit codes:
  0  listed
  2  a problem in a file, or no such scenario")]
pub(super) struct Args {
    /// Scenario names, files or folders [default: ./scenarios].
    scenarios: Vec<String>,
    /// Print one JSON object per scenario.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let plans = scenarios::load(&args.scenarios)?;
    let widest = plans.iter().map(|plan| plan.name.len()).max().unwrap_or(0);
    for plan in &plans {
        let control = plan.scenario.control.is_some();
        let (name, summary) = (&plan.name, &plan.scenario.summary);
        output::print(&if args.json {
            serde_json::json!({ "name": name, "summary": summary, "control": control }).to_string()
        } else {
            let kind = if control { "control" } else { "" };
            let summary = printable(summary, 400);
            format!("{name:widest$}  {kind:7}  {summary}")
        });
    }
    Ok(Exit::AsExpected)
}
