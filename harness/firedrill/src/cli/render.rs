//! Stored runs as reports: read, judged, told, and written where they are wanted.

use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::exit::Exit;
use super::{logs, output, runs};
use firedrill_model::history::ReadError;
use firedrill_report::DrillOutcome;

/// The forms that a report has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// For a person at a terminal.
    Terminal,
    /// Everything, as one JSON object a run (`firedrill schema report`).
    Json,
    /// For job summaries and comments, below their limits.
    Markdown,
    /// For CI systems that show tests.
    Junit,
    /// Annotations of a GitHub workflow run.
    Github,
    /// A page with everything in it, that opens from disk.
    Html,
}

/// A report and where it goes: `html=report.html`.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    pub(super) format: Format,
    pub(super) path: PathBuf,
}

impl FromStr for Wanted {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let usage = || "write FORMAT=PATH, html=report.html, say; formats: terminal, json, markdown, junit, github, html";
        let (format, path) = text.split_once('=').ok_or_else(usage)?;
        let format = clap::ValueEnum::from_str(format, true).map_err(|_| usage())?;
        if path.is_empty() {
            return Err(usage().into());
        }
        Ok(Self {
            format,
            path: path.into(),
        })
    }
}

/// A stored run: what reports tell of it, and what it means for CI.
pub(super) struct Told {
    pub(super) drill: DrillOutcome,
    pub(super) exit: Exit,
    /// The machine-readable report, a line of its own.
    json: String,
}

/// Reads a run folder and judges it again. Only what the reports tell is kept of it.
pub(super) fn told(folder: &Path) -> Result<Told, ReadError> {
    let runs::Judged {
        history,
        measured,
        judgement,
    } = runs::judged(folder)?;
    let json = firedrill_report::json(&history, &measured, &judgement).to_string();
    let exit = super::run::exit(&judgement);
    let story = firedrill_report::DrillReport::new(&history, measured, judgement, logs::excerpts(folder));
    let drill = DrillOutcome::Judged(Box::new(story.in_folder(&folder.display().to_string())));
    Ok(Told { drill, exit, json })
}

impl Told {
    /// A drill that is not stored.
    pub(super) fn not_run(drill: DrillOutcome, exit: Exit) -> Self {
        let json = match &drill {
            DrillOutcome::Skipped { name, why } => {
                serde_json::json!({ "scenario": name, "skipped": why }).to_string()
            }
            DrillOutcome::Failed { name, why } => {
                serde_json::json!({ "scenario": name, "not_run": why }).to_string()
            }
            DrillOutcome::Judged(_) => String::new(),
        };
        Self { drill, exit, json }
    }
}

/// The report of all of them.
pub(super) fn render(format: Format, told: &[Told], width: usize, colours: bool) -> Result<String, String> {
    let drills: Vec<DrillOutcome> = told.iter().map(|told| told.drill.clone()).collect();
    Ok(match format {
        Format::Terminal => {
            let text = |drill: &DrillOutcome| match drill {
                DrillOutcome::Judged(story) => firedrill_report::terminal(story, width, colours),
                DrillOutcome::Skipped { name, why } => {
                    firedrill_report::DrillSummary::skipped(name, false, why).text(colours)
                }
                DrillOutcome::Failed { name, why } => {
                    firedrill_report::DrillSummary::failed(name, false, why).text(colours)
                }
            };
            drills.iter().map(text).collect::<Vec<_>>().join("\n")
        }
        Format::Json => told
            .iter()
            .map(|told| told.json.as_str())
            .collect::<Vec<_>>()
            .join("\n"),
        Format::Markdown => firedrill_report::markdown(&drills),
        Format::Junit => firedrill_report::junit(&drills).map_err(|error| error.to_string())?,
        Format::Github => firedrill_report::github(&drills),
        Format::Html => firedrill_report::html(&drills).map_err(|error| format!("{error:#}"))?,
    })
}

/// Writes a report where it is wanted, with the folder it goes to.
pub(super) fn write(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)?;
    }
    let end = if text.ends_with('\n') { "" } else { "\n" };
    std::fs::write(path, format!("{text}{end}"))
}

/// Writes every wanted report; what could not be written is said, and is the environment's fault.
pub(super) fn write_all(wanted: &[Wanted], told: &[Told]) -> Exit {
    let mut exit = Exit::AsStated;
    for wanted in wanted {
        let written = render(wanted.format, told, 100, false)
            .and_then(|text| write(&wanted.path, &text).map_err(|error| error.to_string()));
        match written {
            Ok(()) => output::note(&format!("report: {}", wanted.path.display())),
            Err(error) => {
                output::error(&format!("cannot write {}: {error}", wanted.path.display()));
                exit = Exit::Environment;
            }
        }
    }
    exit
}
