//! Scenario files as their authors meet them: what is accepted, what is refused, and in which words.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

mod clients;
mod finding;
mod invalid;
mod properties;
mod schemas;
mod services;
mod steps;
mod valid;

use std::path::PathBuf;
use std::sync::Arc;

use firedrill::fault::Fault;
use firedrill::scenario::Catalogue;

/// The system that valid and broken scenarios of these tests stand on.
const SYSTEM: &str = include_str!("../../../../scenarios/invalid/systems/valid.toml");

/// A scenario that uses much of what there is.
const SCENARIO: &str = include_str!("fixtures/full.toml");

/// Every fault there is: files are checked here as the command line checks them.
fn faults() -> Catalogue<Arc<dyn Fault>> {
    firedrill::fault::catalogue()
}

/// A folder with `scenario.toml` and `systems/valid.toml`.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new(scenario: &str, system: &str) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        folder.write("systems/valid.toml", system);
        folder.write("scenario.toml", scenario);
        // The packages that the system is built from.
        folder.write("Cargo.toml", "[workspace]\nmembers = [\"packages/*\"]\n");
        for package in ["shortener", "edge"] {
            let manifest = format!("[package]\nname = \"{package}\"\n");
            folder.write(&format!("packages/{package}/Cargo.toml"), manifest);
        }
        folder
    }

    fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.0.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn scenario(&self) -> PathBuf {
        self.0.path().join("scenario.toml")
    }

    /// The codes of all problems, in order; none when it loads.
    fn codes(&self) -> Vec<&'static str> {
        match firedrill::scenario::load(&self.scenario(), &faults()) {
            Ok(_) => Vec::new(),
            Err(problems) => problems.iter().map(|problem| problem.code().name()).collect(),
        }
    }
}
