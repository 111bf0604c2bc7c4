//! `firedrill check`: checks scenario files without running anything.

use super::exit::Exit;
use super::failure::Failure;
use super::{output, scenarios};
use firedrill_model::format;
use firedrill_model::scenario::Problem;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  firedrill check                            Every scenario in ./scenarios
  firedrill check scenarios/killed-v1.toml   One file

Exit codes:
  0  every file is right
  2  a problem in a file, or no such scenario")]
pub(super) struct Args {
    /// Scenario names, files or folders [default: ./scenarios].
    scenarios: Vec<String>,
    /// Print one JSON object per problem or hint: file, line, column, code, message, help.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    match scenarios::load(&args.scenarios) {
        Ok(plans) => {
            let hints: Vec<&Problem> = plans.iter().flat_map(|plan| &plan.hints).collect();
            if args.json {
                for hint in hints {
                    output::print(&serde_json::to_string(&hint.row()).map_err(Failure::environment)?);
                }
            } else {
                output::hints(&hints);
            }
            output::note(&format!("{} OK", format::count(plans.len(), "scenario")));
            Ok(Exit::AsExpected)
        }
        Err(problems) if args.json => {
            for row in problems.rows() {
                output::print(&serde_json::to_string(&row).map_err(Failure::environment)?);
            }
            Ok(Exit::Usage)
        }
        Err(problems) => Err(problems.into()),
    }
}
