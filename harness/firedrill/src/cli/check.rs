//! `firedrill check`: checks scenario files without running anything.

use super::exit::Exit;
use super::failure::Failure;
use super::{output, scenarios};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Scenario names, files or folders [default: ./scenarios].
    scenarios: Vec<String>,
    /// Print one JSON object per problem: file, line, column, code, message, help.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    match scenarios::load(&args.scenarios) {
        Ok(plans) => {
            output::note(&format!("{} OK", output::count(plans.len(), "scenario")));
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
