//! `firedrill clean`: what a killed run left behind.

use std::path::Path;

use super::exit::Exit;
use super::output;
use firedrill_runner::drill;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only this run, whether or not its harness still runs.
    #[arg(long, conflicts_with_all = ["all", "other_machines"])]
    run: Option<String>,
    /// Also runs whose harness still runs, on this machine.
    #[arg(long)]
    all: bool,
    /// Also runs of other machines or containers that share the engine, for those that are no more. Whether their harness
    /// still runs cannot be told from here: a running drill there would lose its services.
    #[arg(long)]
    other_machines: bool,
    /// Where run folders are: volumes and processes' folders of lost runs there are removed, histories are kept.
    #[arg(long, env = "FIREDRILL_RUNS", default_value = "runs")]
    runs: std::path::PathBuf,
    /// One JSON object: what was removed, what was left and why.
    #[arg(long)]
    json: bool,
}

/// What to call to remove what runs of a folder have left behind.
pub(super) fn command(runs: &Path, more: &str) -> String {
    let told = runs.display().to_string();
    let folder = match told.as_str() {
        "runs" => String::new(),
        plain if plain.chars().all(|c| c.is_alphanumeric() || "/._-".contains(c)) => {
            format!(" --runs {plain}")
        }
        other => format!(" --runs '{}'", other.replace('\'', "'\\''")),
    };
    format!("firedrill clean{more}{folder}")
}

/// A fault that a lost run had in effect: it goes with what it was in effect on.
struct Pending {
    run: String,
    fault: String,
}

/// The faults that lost runs had in effect.
fn pending(runs: &Path) -> Vec<Pending> {
    let mut faults = Vec::new();
    for folder in firedrill_runner::backend::lost(runs) {
        let run = folder
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        for entry in drill::pending_undo(&folder).unwrap_or_default() {
            if let drill::UndoEntry::Pending { step, fault, .. } = entry {
                let fault = format!("{fault}, step {} of run {run}", step.saturating_add(1));
                faults.push(Pending {
                    run: run.clone(),
                    fault,
                });
            }
        }
    }
    faults
}

pub(super) async fn run(args: Args) -> Exit {
    let which = match args.run {
        Some(run) => firedrill_runner::backend::Which::Run(run),
        None => firedrill_runner::backend::Which::Lost {
            running: args.all,
            elsewhere: args.other_machines,
        },
    };
    let pending = pending(&args.runs);
    let swept = firedrill_runner::backend::sweep(&which, &args.runs).await;
    if args.json {
        output::print(&serde_json::json!(swept).to_string());
    } else {
        show(&swept, &pending);
    }
    if swept.failed.is_empty() {
        Exit::AsStated
    } else {
        Exit::Unclean
    }
}

fn show(swept: &firedrill_runner::backend::Swept, pending: &[Pending]) {
    for removed in &swept.removed {
        output::print(&format!("removed {removed}"));
    }
    for pending in pending.iter().filter(|pending| swept.finished(&pending.run)) {
        output::print(&format!("undone  {}", pending.fault));
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

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    /// Undo logs that were found to be hard to read, or might be.
    #[test]
    fn no_undo_log_of_a_lost_run_makes_the_offer_fail() {
        let runs = tempfile::tempdir().unwrap();
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/undo");
        let dead = firedrill_runner::backend::Owner {
            process: firedrill_runner::backend::Process {
                pid: 1,
                started: u64::MAX,
            },
            ..firedrill_runner::backend::Owner::this()
        };
        for log in std::fs::read_dir(corpus).unwrap().flatten() {
            let run = runs.path().join(firedrill_runner::backend::new_run_id("undo", 1));
            std::fs::create_dir_all(run.join("volumes")).unwrap();
            std::fs::write(run.join(firedrill_runner::backend::OWNER_FILE), dead.to_string()).unwrap();
            std::fs::copy(log.path(), run.join(drill::UNDO)).unwrap();
        }
        let pending = pending(runs.path());
        let faults: Vec<&str> = pending.iter().map(|pending| pending.fault.as_str()).collect();
        let last = format!(", step {} of run", usize::MAX);
        assert!(faults.iter().any(|fault| fault.starts_with(&last)), "{faults:?}");
    }

    #[test]
    fn the_command_to_finish_with_names_the_folder_of_the_runs() {
        let told = |runs: &str| command(Path::new(runs), "");
        assert_eq!(told("runs"), "firedrill clean");
        assert_eq!(told("nights/d-1"), "firedrill clean --runs nights/d-1");
        assert_eq!(told("it's here"), "firedrill clean --runs 'it'\\''s here'");
    }
}
