//! `firedrill list`: the scenarios that `run` would run.

use std::path::Path;

use super::exit::Exit;
use super::output;
use firedrill_model::scenario::{self, Plan};
use firedrill_runner::fault;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Scenario names, files or folders (all of ./scenarios).
    scenarios: Vec<String>,
    /// One JSON object a scenario.
    #[arg(long)]
    json: bool,
}

/// Finds and loads what the arguments name, or says what is wrong.
pub(super) fn load(names: &[String]) -> Result<Vec<Plan>, Exit> {
    let loaded =
        scenario::find(names, Path::new(".")).and_then(|paths| scenario::load_all(&paths, &fault::kinds()));
    loaded.map_err(|problems| {
        output::problems(&problems);
        Exit::Usage
    })
}

pub(super) fn run(args: &Args) -> Exit {
    let plans = match load(&args.scenarios) {
        Ok(plans) => plans,
        Err(exit) => return exit,
    };
    let widest = plans.iter().map(|plan| plan.name.len()).max().unwrap_or(0);
    for plan in &plans {
        if args.json {
            let control = plan.scenario.control.is_some();
            let row = serde_json::json!({ "name": plan.name, "summary": plan.scenario.summary, "control": control });
            output::print(&row.to_string());
        } else {
            let control = if plan.scenario.control.is_some() {
                "control  "
            } else {
                "         "
            };
            output::print(&format!(
                "{:widest$}  {control}{}",
                plan.name, plan.scenario.summary
            ));
        }
    }
    Exit::AsStated
}
