//! `firedrill report`: a stored run, judged and shown again, offline.

use std::path::PathBuf;

use super::exit::Exit;
use super::output;
use crate::{history, measure, report, sla};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The run's folder.
    run: PathBuf,
    /// As one JSON object.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Exit {
    let history = match history::read(&args.run) {
        Ok(history) => history,
        Err(error) => {
            output::error(&error.to_string());
            return Exit::Usage;
        }
    };
    let measured = measure::measure(&history);
    let judgement = sla::judge(&history, &measured);
    if args.json {
        output::print(&report::json(&history, &measured, &judgement).to_string());
    } else {
        output::print(&report::terminal(
            &history,
            &measured,
            &judgement,
            output::width(),
            output::colours(),
        ));
    }
    super::run::exit(&judgement)
}
