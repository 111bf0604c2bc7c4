//! `firedrill check`: scenario files, without running anything.

use std::path::Path;

use super::exit::Exit;
use super::output;
use firedrill_model::scenario;
use firedrill_runner::fault;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Scenario names, files or folders (all of ./scenarios).
    scenarios: Vec<String>,
    /// One JSON object a problem: file, line, column, code, message, help.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Exit {
    let loaded = scenario::find(&args.scenarios, Path::new("."))
        .and_then(|paths| scenario::load_all(&paths, &fault::kinds()));
    match loaded {
        Ok(plans) => {
            output::note(&format!("{} scenarios, nothing wrong", plans.len()));
            Exit::AsStated
        }
        Err(problems) if args.json => {
            for row in problems.rows() {
                output::print(&serde_json::to_string(&row).unwrap_or_default());
            }
            Exit::Usage
        }
        Err(problems) => {
            output::problems(&problems);
            Exit::Usage
        }
    }
}
