//! `firedrill report`: stored runs, judged and shown again, offline.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::exit::Exit;
use super::render::{self, Format, Told};
use super::{output, runs};
use firedrill_report::DrillOutcome;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  firedrill report runs/RUN                           for a terminal
  firedrill report runs/RUN --open                    as a page, in the browser
  firedrill report runs/RUN --incident -o draft.md    a draft of the post-mortem
  firedrill report runs --format markdown             all runs of a folder, the worst first

Exit codes:
  The run's own verdict, as `firedrill run` gave it; of several runs the worst:
  0 as stated   1 breached   2 bad usage, or no run folder   3 undecided   4 not written")]
pub(super) struct Args {
    /// Run folders, or folders of them.
    #[arg(required = true)]
    runs: Vec<PathBuf>,
    /// In which form (the terminal's; a page with --open).
    #[arg(long, value_enum, conflicts_with_all = ["json", "incident"])]
    format: Option<Format>,
    /// As one JSON object a run: --format json.
    #[arg(long, conflicts_with = "incident")]
    json: bool,
    /// A draft of the post-mortem, in Markdown: what is known is filled in, what only people know is left blank.
    #[arg(long)]
    incident: bool,
    /// Into a file instead of to standard output.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// As a page, in the browser (written to the run's folder unless --output says where).
    #[arg(long, conflicts_with_all = ["format", "json", "incident"])]
    open: bool,
}

pub(super) fn run(args: &Args) -> Exit {
    let folders = match runs::find(&args.runs) {
        Ok(found) => found.folders,
        Err(exit) => return exit,
    };
    let mut told = Vec::new();
    for folder in &folders {
        match render::told(folder) {
            Ok(one) => told.push(one),
            Err(error) if folders.len() == 1 => {
                output::error(&error.to_string());
                return Exit::Usage;
            }
            Err(error) => {
                let (name, why) = (folder.display().to_string(), error.to_string());
                told.push(Told::not_run(DrillOutcome::Failed { name, why }, Exit::Usage));
            }
        }
    }
    let exit = told
        .iter()
        .fold(Exit::AsStated, |worst, told| worst.worst(told.exit));
    match text(args, &told).and_then(|text| put(args, &folders, &text)) {
        Ok(()) => exit,
        Err(error) => {
            output::error(&error);
            exit.worst(Exit::Environment)
        }
    }
}

fn text(args: &Args, told: &[Told]) -> Result<String, String> {
    if args.incident {
        return match told {
            [
                Told {
                    drill: DrillOutcome::Judged(story),
                    ..
                },
            ] => Ok(firedrill_report::incident(story)),
            _ => Err("a post-mortem is of one run: name one run folder".into()),
        };
    }
    let usual = if args.open { Format::Html } else { Format::Terminal };
    let format = if args.json {
        Format::Json
    } else {
        args.format.unwrap_or(usual)
    };
    let colours = args.output.is_none() && output::colours();
    render::render(format, told, output::width(), colours)
}

/// To standard output, or into a file, and into the browser where that was asked for.
fn put(args: &Args, folders: &[PathBuf], text: &str) -> Result<(), String> {
    let path = match (&args.output, args.open) {
        (None, false) => {
            output::print(text.trim_end_matches('\n'));
            return Ok(());
        }
        (Some(path), _) => path.clone(),
        (None, true) => page(args, folders),
    };
    render::write(&path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    output::note(&format!("report: {}", path.display()));
    if args.open { browse(&path) } else { Ok(()) }
}

/// Where a page goes: to its run, or to the folder of several.
fn page(args: &Args, folders: &[PathBuf]) -> PathBuf {
    let folder = match (folders, args.runs.as_slice()) {
        ([one], _) | (_, [one]) => one.as_path(),
        _ => Path::new("."),
    };
    folder.join("report.html")
}

/// Hands a file to the desktop's own opener.
fn browse(path: &Path) -> Result<(), String> {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let (program, first): (&str, &[&str]) = if cfg!(target_os = "macos") {
        ("open", &[])
    } else if cfg!(windows) {
        ("cmd", &["/C", "start", ""])
    } else {
        ("xdg-open", &[])
    };
    let opened = Command::new(program)
        .args(first)
        .arg(&path)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    match opened {
        Ok(_) => Ok(()),
        Err(error) => Err(format!(
            "cannot open a browser with `{program}`: {error}; open {} yourself",
            path.display()
        )),
    }
}
