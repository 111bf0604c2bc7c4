//! `firedrill report`: judges and shows stored runs again, offline.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::exit::Exit;
use super::failure::Failure;
use super::render::{self, Format, Reported};
use super::{output, stored_runs};
use firedrill_logs::line::visible;
use firedrill_model::format;
use firedrill_report::DrillOutcome;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  firedrill report runs/RUN                           Print a run's report
  firedrill report runs/RUN --open                    Open it as a page in the browser
  firedrill report runs/RUN --incident -o draft.md    Draft a post-mortem
  firedrill report runs --format markdown             All runs of a folder, the worst first

Exit codes:
  The run's own verdict, as in `firedrill run`; for several runs, the worst:
  0  as expected
  1  breached
  2  bad usage, or no run folder
  3  undecided
  4  the report could not be written")]
pub(super) struct Args {
    /// Run folders, or folders that contain them.
    #[arg(required = true)]
    runs: Vec<PathBuf>,
    /// Format [default: terminal, or html with --open].
    #[arg(long, value_enum, conflicts_with_all = ["json", "incident"])]
    format: Option<Format>,
    /// Print one JSON object per run; short for --format json.
    #[arg(long, conflicts_with = "incident")]
    json: bool,
    /// Draft a post-mortem in Markdown. What only people know is marked `to be filled in`.
    #[arg(long)]
    incident: bool,
    /// Write to a file instead of standard output.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Write an HTML page and open it in the browser [default file: report.html in the run folder].
    #[arg(long, conflicts_with_all = ["format", "json", "incident"])]
    open: bool,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
enum Error {
    /// A post-mortem of several runs.
    #[error("a post-mortem covers one run: name one run folder")]
    NotOneRun,
    /// It cannot be rendered or written.
    #[error(transparent)]
    Report(#[from] render::Error),
    /// The browser does not start.
    #[error("cannot start `{program}`: {cause}; open {} in a browser yourself", page.display())]
    Browser {
        /// The page.
        page: PathBuf,
        /// The desktop's opener.
        program: &'static str,
        /// Why. Named in the text, so it is no source: it would be printed twice.
        cause: io::Error,
    },
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let folders = stored_runs::find_folders(&args.runs).map_err(Failure::usage)?;
    let drills = read(&folders)?;
    let exit = drills
        .iter()
        .fold(Exit::AsExpected, |worst, drill| worst.worst(drill.exit));
    match text(args, &drills).and_then(|text| deliver(args, &folders, &text)) {
        Ok(()) => Ok(exit),
        Err(error) => {
            // The verdict stands, even if its report could not be written.
            output::error(&error);
            Ok(exit.worst(Exit::Environment))
        }
    }
}

/// Reads every run. One of several that cannot be read becomes a line of the report; a single one is an error.
fn read(folders: &[PathBuf]) -> Result<Vec<Reported>, Failure> {
    let mut drills = Vec::new();
    for folder in folders {
        match render::read(folder) {
            Ok(drill) => drills.push(drill),
            Err(error) if folders.len() == 1 => return Err(Failure::usage(error)),
            Err(error) => {
                let (name, why) = (folder.display().to_string(), format::chain(&error));
                drills.push(Reported::not_run(DrillOutcome::Failed { name, why }, Exit::Usage));
            }
        }
    }
    Ok(drills)
}

fn text(args: &Args, drills: &[Reported]) -> Result<String, Error> {
    if args.incident {
        let [drill] = drills else {
            return Err(Error::NotOneRun);
        };
        let DrillOutcome::Judged(report) = &drill.outcome else {
            return Err(Error::NotOneRun);
        };
        return Ok(visible(&firedrill_report::incident(report)).into_owned());
    }
    let default = if args.open { Format::Html } else { Format::Terminal };
    let format = if args.json {
        Format::Json
    } else {
        args.format.unwrap_or(default)
    };
    // A file is read later, perhaps by something that does not know colors.
    let color = args.output.is_none() && output::color();
    Ok(render::render(format, drills, output::width(), color)?)
}

/// Prints the report, or writes it to a file and opens it, as the arguments say.
fn deliver(args: &Args, folders: &[PathBuf], text: &str) -> Result<(), Error> {
    let path = match (&args.output, args.open) {
        (None, false) => {
            let text = text.trim_end_matches('\n');
            match args.format {
                Some(Format::Github) => output::print_commands(text),
                _ => output::print(text),
            }
            return Ok(());
        }
        (Some(path), _) => path.clone(),
        (None, true) => page(args, folders),
    };
    render::write(&path, text)?;
    if args.open { open(&path) } else { Ok(()) }
}

/// The default file of a page: in the run folder, or in the folder of several runs.
fn page(args: &Args, folders: &[PathBuf]) -> PathBuf {
    let folder = match (folders, args.runs.as_slice()) {
        // One run, or one folder of runs.
        ([folder], _) | (_, [folder]) => folder.as_path(),
        _ => Path::new("."),
    };
    folder.join("report.html")
}

/// Opens a file with the desktop's opener, without waiting for it.
fn open(page: &Path) -> Result<(), Error> {
    let page = std::path::absolute(page).unwrap_or_else(|_| page.to_owned());
    let (program, options): (&'static str, &[&str]) = if cfg!(target_os = "macos") {
        ("open", &[])
    } else if cfg!(windows) {
        ("cmd", &["/C", "start", ""])
    } else {
        ("xdg-open", &[])
    };
    let opener = Command::new(program)
        .args(options)
        .arg(&page)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    match opener {
        Ok(_) => Ok(()),
        Err(cause) => Err(Error::Browser { page, program, cause }),
    }
}
