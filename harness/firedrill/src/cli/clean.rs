//! `firedrill clean`: removes what killed runs left behind.

use std::path::{Path, PathBuf};

use super::exit::Exit;
use super::{output, stored_runs};
use firedrill_model::format;
use firedrill_runner::backend::{self, Cleanup, Scope};
use firedrill_runner::drill;

/// The folder of run folders, unless another is named.
const DEFAULT_RUNS: &str = "runs";

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  firedrill clean                   Remove what killed runs left behind
  firedrill clean --run ID          Remove one run, even if it is still running
  firedrill clean --all             Also remove runs that are still running

Exit codes:
  0  clean
  5  something could not be removed, or no engine answers for runs in containers")]
pub(super) struct Args {
    /// Remove only this run, even if it is still running.
    #[arg(long, value_name = "ID", conflicts_with_all = ["all", "other_machines"])]
    run: Option<String>,
    /// Also remove runs that are still running on this machine.
    #[arg(long)]
    all: bool,
    /// Also remove runs of other machines or containers that share the engine. Use it once those no longer exist: a
    /// drill still running there would lose its services.
    #[arg(long)]
    other_machines: bool,
    /// Folder of run folders. Volumes and process folders in it are removed; histories and logs stay.
    #[arg(long, value_name = "FOLDER", env = "FIREDRILL_RUNS", default_value = DEFAULT_RUNS)]
    runs: PathBuf,
    /// Print one JSON object: what was removed, and what was left and why.
    #[arg(long)]
    json: bool,
}

/// The command that removes what the runs of a folder left behind.
pub(super) fn command(runs: &Path, options: &[&str]) -> String {
    let path = runs.display().to_string();
    let mut words = vec!["firedrill", "clean"];
    words.extend_from_slice(options);
    if path != DEFAULT_RUNS {
        words.extend(["--runs", &path]);
    }
    format::command(words)
}

/// A fault that was in effect when its run was killed. Removing the run's services undoes it.
struct Pending {
    run: String,
    description: String,
}

/// The faults that killed runs left in effect, from their undo logs.
fn pending_faults(runs: &Path) -> Vec<Pending> {
    let mut faults = Vec::new();
    for folder in backend::lost(runs) {
        let run = stored_runs::file_name(&folder);
        // An unreadable log is no reason not to clean: its faults go unnamed.
        for entry in drill::pending_undo(&folder).unwrap_or_default() {
            if let drill::UndoEntry::Pending { step, fault, .. } = entry {
                let description = format!("{fault}, step {} of run {run}", step.saturating_add(1));
                faults.push(Pending {
                    run: run.clone(),
                    description,
                });
            }
        }
    }
    faults
}

pub(super) async fn run(args: Args) -> Exit {
    let scope = match args.run {
        Some(run) => Scope::Run(run),
        None => Scope::Lost {
            running: args.all,
            elsewhere: args.other_machines,
        },
    };
    // Before a first run the default folder does not exist; any other that does not is a mistake.
    if !args.runs.is_dir() && args.runs != Path::new(DEFAULT_RUNS) {
        output::warning(&format!(
            "the folder {} does not exist: looking for processes and containers only",
            args.runs.display()
        ));
    }
    // Listed before the cleanup, which removes the folders that the undo logs are in.
    let pending = pending_faults(&args.runs);
    let cleanup = backend::clean_up(&scope, &args.runs).await;
    if args.json {
        output::print(&serde_json::json!(cleanup).to_string());
    } else {
        show(&cleanup, &pending);
    }
    if cleanup.failed.is_empty() {
        Exit::AsExpected
    } else {
        Exit::Unclean
    }
}

fn show(cleanup: &Cleanup, pending: &[Pending]) {
    for removed in &cleanup.removed {
        output::print(&format!("removed {removed}"));
    }
    for pending in pending.iter().filter(|pending| cleanup.finished(&pending.run)) {
        output::print(&format!("undone  {}", pending.description));
    }
    for left in &cleanup.left {
        output::print(&format!("left    {left}"));
    }
    for failed in &cleanup.failed {
        output::note(&format!("error: {failed}"));
    }
    if let Some(unseen) = &cleanup.unseen {
        output::warning(&format!("not checked: {unseen}"));
    }
    if cleanup.removed.is_empty() && cleanup.failed.is_empty() {
        output::print("nothing to clean up");
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    /// Undo logs that are hard to read.
    #[test]
    fn every_undo_log_of_a_lost_run_can_be_listed() {
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
        let pending = pending_faults(runs.path());
        let faults: Vec<&str> = pending
            .iter()
            .map(|pending| pending.description.as_str())
            .collect();
        let last = format!(", step {} of run", usize::MAX);
        assert!(faults.iter().any(|fault| fault.starts_with(&last)), "{faults:?}");
    }

    #[test]
    fn the_cleanup_command_names_the_runs_folder() {
        let text = |runs: &str| command(Path::new(runs), &[]);
        assert_eq!(text("runs"), "firedrill clean");
        assert_eq!(text("nights/d-1"), "firedrill clean --runs nights/d-1");
        assert_eq!(text("it's here"), "firedrill clean --runs \"it's here\"");
    }
}
