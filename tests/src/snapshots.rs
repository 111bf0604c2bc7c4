//! The scenarios' snapshots: where they lie, and what a stored run says against its own.
//!
//! Faces `scenarios/snapshots/` on one side, and the tests and `calm` on the other.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use firedrill::history::History;
use firedrill::judge::Judgement;
use firedrill::measure::Measured;
use firedrill::report;

use crate::{Kind, profile, workspace};

/// Scenarios that behave otherwise in containers, and why: they have a second snapshot, `NAME.docker`.
const DIFFERENCES: &str = "differences.toml";

/// A scenario's snapshot on one backend.
pub struct Snapshot {
    /// The folder it lies in.
    pub folder: PathBuf,
    /// Its name: the scenario's, with the backend's where there are two.
    pub name: String,
    /// Why there are two.
    pub why: Option<String>,
    /// What was accepted, if anything was.
    pub accepted: Option<String>,
}

impl Snapshot {
    /// Looks for a scenario's snapshot.
    ///
    /// # Errors
    /// In words: two snapshots that are the same.
    pub fn of(kind: Kind, scenario: &str) -> Result<Self, String> {
        let folder = workspace().join("scenarios/snapshots");
        let why = match kind {
            Kind::Docker => differences(&folder).remove(scenario),
            Kind::Process => None,
        };
        let name = match &why {
            Some(_) => format!("{scenario}.{kind}"),
            None => scenario.to_owned(),
        };
        let read = |name: &str| accepted(&folder.join(format!("{name}.snap")));
        let accepted = read(&name);
        if why.is_some() && accepted.is_some() && accepted == read(scenario) {
            return Err(format!(
                "{scenario} is the same on both backends: take it out of {DIFFERENCES}"
            ));
        }
        Ok(Self {
            folder,
            name,
            why,
            accepted,
        })
    }

    /// What a run says, given what was accepted.
    pub fn text(&self, history: &History, measured: &Measured, judgement: &Judgement) -> String {
        report::snapshot(history, measured, judgement, self.accepted.as_deref())
    }
}

/// Writes down, for whoever tells what has changed, that a scenario was held against its snapshot: a line
/// `BACKEND::NAME` in `scenarios-held` of the target folder. Without it "nothing differs" may mean that nothing ran.
///
/// # Errors
/// In words, when it cannot be written.
pub fn mark_held(kind: Kind, scenario: &str) -> Result<(), String> {
    let path = profile().with_file_name("scenarios-held");
    let file = OpenOptions::new().append(true).create(true).open(&path);
    file.and_then(|mut file| file.write_all(format!("{kind}::{scenario}\n").as_bytes()))
        .map_err(|error| format!("cannot write {}: {error}", path.display()))
}

fn differences(folder: &Path) -> BTreeMap<String, String> {
    toml::from_str(&fs::read_to_string(folder.join(DIFFERENCES)).unwrap()).unwrap()
}

/// The text of a stored snapshot, below its two rulers.
fn accepted(path: &Path) -> Option<String> {
    let stored = fs::read_to_string(path).ok()?;
    let (_, text) = stored.strip_prefix("---\n")?.split_once("\n---\n")?;
    Some(text.to_owned())
}

/// The lines that a reviewer should see.
pub fn difference(accepted: &str, text: &str) -> String {
    let only = |these: &str, those: &str, mark: char| {
        let own = these
            .lines()
            .filter(|line| !those.lines().any(|other| other == *line));
        own.fold(String::new(), |mut told, line| {
            let _ = writeln!(told, "{mark} {line}");
            told
        })
    };
    only(accepted, text, '-') + &only(text, accepted, '+')
}
