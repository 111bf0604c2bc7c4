//! `firedrill clean`: what a killed run left behind.

use super::exit::Exit;
use super::output;
use crate::{drill, target};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only this run, whether or not its harness still runs.
    #[arg(long)]
    run: Option<String>,
    /// Also runs whose harness still runs.
    #[arg(long)]
    all: bool,
    /// Where run folders are: volumes and processes' folders of lost runs there are removed, histories are kept.
    #[arg(long, env = "FIREDRILL_RUNS", default_value = "runs")]
    runs: std::path::PathBuf,
    /// One JSON object: what was removed, what was left and why.
    #[arg(long)]
    json: bool,
}

/// The faults that lost runs had in effect: they go with what they were in effect on.
fn pending(runs: &std::path::Path) -> Vec<String> {
    let mut faults = Vec::new();
    for run in target::lost(runs) {
        let name = run
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        for entry in drill::pending_undo(&run).unwrap_or_default() {
            if let drill::UndoEntry::Pending { step, fault, .. } = entry {
                faults.push(format!("{fault}, step {} of run {name}", step + 1));
            }
        }
    }
    faults
}

pub(super) async fn run(args: Args) -> Exit {
    let which = match (args.run, args.all) {
        (Some(run), _) => target::Which::Run(run),
        (None, true) => target::Which::All,
        (None, false) => target::Which::Lost,
    };
    let undone = pending(&args.runs);
    let swept = target::sweep(&which, &args.runs).await;
    if args.json {
        output::print(&serde_json::json!(swept).to_string());
    } else {
        for removed in &swept.removed {
            output::print(&format!("removed {removed}"));
        }
        for fault in undone
            .iter()
            .filter(|_| which != target::Which::All && swept.failed.is_empty())
        {
            output::print(&format!("undone  {fault}"));
        }
        for left in &swept.left {
            output::print(&format!("left    {left}"));
        }
        for failed in &swept.failed {
            output::error(failed);
        }
        if let Some(unseen) = &swept.unseen {
            output::note(&format!("not looked at: {unseen}"));
        }
        if swept.removed.is_empty() && swept.failed.is_empty() {
            output::print("nothing of a lost run is here");
        }
    }
    if swept.failed.is_empty() {
        Exit::AsStated
    } else {
        Exit::Unclean
    }
}
