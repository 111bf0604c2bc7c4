//! The scenarios' snapshots: where they are, and how a stored run differs from its own.
//!
//! Takes `scenarios/snapshots/` and a judged run, gives the snapshot's new text and the difference. The scenario tests and
//! the program `calm` use it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use firedrill::history::History;
use firedrill::judge::Judgement;
use firedrill::measure::Measured;
use firedrill::report;

use crate::{Kind, profile, workspace};

/// Scenarios that behave differently in containers, and why: they have a second snapshot, `NAME.docker`.
const DIFFERENCES: &str = "differences.toml";

/// Why a scenario cannot be compared with its snapshot.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// It has two snapshots without need.
    #[error("{scenario} is the same on both backends: take it out of {DIFFERENCES}")]
    Equal {
        /// The scenario.
        scenario: String,
    },
    /// The comparison cannot be recorded.
    #[error("cannot write {}: {source}", path.display())]
    Record {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

/// A scenario's snapshot on one backend.
pub struct Snapshot {
    /// Its folder.
    pub folder: PathBuf,
    /// Its name: the scenario's, with the backend's where there are two.
    pub name: String,
    /// Why there are two.
    pub why: Option<String>,
    /// What was accepted, if anything was.
    pub accepted: Option<String>,
}

impl Snapshot {
    /// Reads a scenario's snapshot.
    ///
    /// # Errors
    /// [`SnapshotError::Equal`].
    pub fn of(kind: Kind, scenario: &str) -> Result<Self, SnapshotError> {
        let folder = workspace().join("scenarios/snapshots");
        // The snapshot without a backend's name is that of local processes.
        let why = match kind {
            Kind::Process => None,
            _ => differences(&folder).remove(scenario),
        };
        let name = match &why {
            Some(_) => format!("{scenario}.{kind}"),
            None => scenario.to_owned(),
        };
        let read = |name: &str| accepted(&folder.join(format!("{name}.snap")));
        let accepted = read(&name);
        // A second snapshot that says the same would be reviewed twice for nothing.
        if why.is_some() && accepted.is_some() && accepted == read(scenario) {
            let scenario = scenario.to_owned();
            return Err(SnapshotError::Equal { scenario });
        }
        Ok(Self {
            folder,
            name,
            why,
            accepted,
        })
    }

    /// The snapshot of a run, given the accepted one.
    pub fn text(&self, history: &History, measured: &Measured, judgement: &Judgement) -> String {
        report::snapshot(history, measured, judgement, self.accepted.as_deref())
    }
}

/// Records that a scenario was compared with its snapshot, for the report of what has changed: a line
/// `BACKEND::NAME` in `scenarios-compared` of the target folder. Without it "nothing differs" may mean that nothing ran.
///
/// # Errors
/// [`SnapshotError::Record`].
pub fn record_compared(kind: Kind, scenario: &str) -> Result<(), SnapshotError> {
    let path = profile().with_file_name("scenarios-compared");
    let file = OpenOptions::new().append(true).create(true).open(&path);
    file.and_then(|mut file| file.write_all(format!("{kind}::{scenario}\n").as_bytes()))
        .map_err(|source| SnapshotError::Record { path, source })
}

fn differences(folder: &Path) -> BTreeMap<String, String> {
    toml::from_str(&fs::read_to_string(folder.join(DIFFERENCES)).unwrap()).unwrap()
}

/// The text of a stored snapshot, without its header.
fn accepted(path: &Path) -> Option<String> {
    // No snapshot yet: the scenario is new.
    let stored = fs::read_to_string(path).ok()?;
    let (_, text) = stored.strip_prefix("---\n")?.split_once("\n---\n")?;
    Some(text.to_owned())
}

/// The lines that a reviewer should see.
pub fn difference(accepted: &str, text: &str) -> String {
    let only = |these: &str, those: &str, mark: char| {
        let lines = these
            .lines()
            .filter(|line| !those.lines().any(|other| other == *line));
        lines.fold(String::new(), |mut text, line| {
            let _ = writeln!(text, "{mark} {line}");
            text
        })
    };
    only(accepted, text, '-') + &only(text, accepted, '+')
}
