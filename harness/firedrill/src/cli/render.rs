//! Reports of stored runs: read, judged, rendered in a format, and written to files.

use std::error::Error as StdError;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::exit::Exit;
use super::{logs, output, stored_runs};
use firedrill_logs::line::{visible, visible_in_color};
use firedrill_model::files::{self, FileError};
use firedrill_model::history::ReadError;
use firedrill_report::{DrillOutcome, DrillReport, DrillSummary};

/// The formats of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// Text for a terminal.
    Terminal,
    /// One JSON object per run (`firedrill schema report`).
    Json,
    /// Markdown for job summaries and comments, within GitHub's size limits.
    Markdown,
    /// JUnit XML, for CI systems that show tests.
    Junit,
    /// Annotations of a GitHub workflow run.
    Github,
    /// One self-contained HTML page.
    Html,
}

/// A report to write: `html=report.html`.
#[derive(Debug, Clone)]
pub(super) struct ReportFile {
    format: Format,
    path: PathBuf,
}

/// A text that is not a [`ReportFile`].
#[derive(Debug, thiserror::Error)]
#[error(
    "expected FORMAT=PATH, such as html=report.html; formats: terminal, json, markdown, junit, github, html"
)]
pub(super) struct InvalidReportFile;

impl FromStr for ReportFile {
    type Err = InvalidReportFile;

    fn from_str(text: &str) -> Result<Self, InvalidReportFile> {
        let (format, path) = text.split_once('=').ok_or(InvalidReportFile)?;
        let format = clap::ValueEnum::from_str(format, true).map_err(|_| InvalidReportFile)?;
        if path.is_empty() {
            return Err(InvalidReportFile);
        }
        Ok(Self {
            format,
            path: path.into(),
        })
    }
}

/// A report cannot be rendered or written.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// It cannot be rendered: our own mistake.
    #[error("cannot render the report")]
    Render(#[source] Box<dyn StdError + Send + Sync>),
    /// It cannot be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The report's file.
        path: PathBuf,
        /// Why.
        source: FileError,
    },
}

/// A drill as reports show it, with its exit code.
pub(super) struct Reported {
    pub(super) outcome: DrillOutcome,
    pub(super) exit: Exit,
    /// The JSON report, in one line.
    json: String,
}

impl Reported {
    /// A drill that has no stored run.
    pub(super) fn not_run(outcome: DrillOutcome, exit: Exit) -> Self {
        let json = match &outcome {
            DrillOutcome::Skipped { name, why } => {
                serde_json::json!({ "scenario": name, "skipped": why }).to_string()
            }
            DrillOutcome::Failed { name, why } => {
                serde_json::json!({ "scenario": name, "not_run": why }).to_string()
            }
            // Never happens: a judged drill comes from `read`, with its JSON.
            DrillOutcome::Judged(_) => String::new(),
        };
        Self { outcome, exit, json }
    }
}

/// Reads a run folder and judges it again.
pub(super) fn read(folder: &Path) -> Result<Reported, ReadError> {
    let run = stored_runs::judge(folder)?;
    let json = firedrill_report::json(&run.history, &run.measured, &run.judgement).to_string();
    let exit = Exit::from(&run.judgement);
    let report = DrillReport::new(&run.history, run.measured, run.judgement, logs::excerpts(folder));
    let outcome = DrillOutcome::Judged(Box::new(report.in_folder(&folder.display().to_string())));
    Ok(Reported { outcome, exit, json })
}

/// Renders one report of all drills.
pub(super) fn render(
    format: Format,
    drills: &[Reported],
    width: usize,
    color: bool,
) -> Result<String, Error> {
    let outcomes: Vec<DrillOutcome> = drills.iter().map(|drill| drill.outcome.clone()).collect();
    let text = match format {
        Format::Terminal => {
            let texts = outcomes.iter().map(|outcome| terminal(outcome, width, color));
            texts.collect::<Vec<_>>().join("\n")
        }
        Format::Json => {
            let lines: Vec<&str> = drills.iter().map(|drill| drill.json.as_str()).collect();
            lines.join("\n")
        }
        Format::Markdown => firedrill_report::markdown(&outcomes),
        Format::Junit => firedrill_report::junit(&outcomes).map_err(|error| Error::Render(error.into()))?,
        Format::Github => firedrill_report::github(&outcomes),
        Format::Html => firedrill_report::html(&outcomes).map_err(|error| Error::Render(error.into()))?,
    };
    // The last word on every format, in files too: a terminal or a CI system shows them later.
    Ok(match (format, color) {
        (Format::Terminal, true) => visible_in_color(&text).into_owned(),
        _ => visible(&text).into_owned(),
    })
}

fn terminal(outcome: &DrillOutcome, width: usize, color: bool) -> String {
    match outcome {
        DrillOutcome::Judged(report) => firedrill_report::terminal(report, width, color),
        DrillOutcome::Skipped { name, why } => DrillSummary::skipped(name, false, why).text(color),
        DrillOutcome::Failed { name, why } => DrillSummary::failed(name, false, why).text(color),
    }
}

/// Writes a report, and creates its folder if necessary.
pub(super) fn write(path: &Path, text: &str) -> Result<(), Error> {
    // Text files end with a line break; some renderers leave that to the caller.
    let end = if text.ends_with('\n') { "" } else { "\n" };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder
        .map_or(Ok(()), std::fs::create_dir_all)
        .map_err(FileError::from)
        .and_then(|()| write_to(path, &format!("{text}{end}")))
        .map_err(|source| Error::Write {
            path: path.to_owned(),
            source,
        })?;
    output::note(&format!("report: {}", path.display()));
    Ok(())
}

/// Writes a file whole or not at all, and nothing but a file: a run folder of somebody else may contain a link where the
/// report goes. `/dev/stdout`, `/dev/null` and what a shell gives for `>(command)` are written as they are.
fn write_to(path: &Path, text: &str) -> Result<(), FileError> {
    if path.starts_with("/dev") {
        return Ok(std::fs::write(path, text)?);
    }
    files::replace(path, text.as_bytes())
}

/// Writes several reports. One that fails is named and does not stop the others.
pub(super) fn write_all(files: &[ReportFile], drills: &[Reported]) -> Exit {
    let mut exit = Exit::AsExpected;
    for file in files {
        // Files have no terminal: a fixed width, and no color.
        let written = render(file.format, drills, 100, false).and_then(|text| write(&file.path, &text));
        if let Err(error) = written {
            output::error(&error);
            exit = Exit::Environment;
        }
    }
    exit
}
