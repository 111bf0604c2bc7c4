//! The model of the files. Each doc comment is the description that an editor shows from the JSON Schema.

mod build;
mod probe;
mod project;
mod ready;
mod scenario;
mod steps;
mod system;
mod tls;

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::Problem;
use firedrill_logs::redact::Secrets;

pub use crate::check::Never;
pub use build::{Build, Dockerfile};
pub use probe::*;
pub use project::*;
pub use ready::{Condition, Ready};
pub use scenario::*;
pub use steps::*;
pub use system::*;
pub use tls::*;

/// A table of names to templates, in the order of the names.
pub type Texts = BTreeMap<String, String>;

/// A scenario with everything it refers to, checked: what a drill runs. `F` is a parsed fault.
#[derive(Debug, Clone)]
pub struct Plan<F> {
    /// The scenario's name: its file's, without the ending.
    pub name: String,
    /// The folder that relative paths of the system file are relative to.
    pub folder: PathBuf,
    /// The scenario as written.
    pub scenario: Scenario,
    /// The fault of each step of the scenario, in the same order.
    pub faults: Vec<F>,
    /// The system, with the scenario's `releases`, `env` and `rates` applied.
    pub system: System,
    /// The project's settings.
    pub project: Project,
    /// Names of an earlier version in the files, which are valid in spite of them.
    pub hints: Vec<Problem>,
    /// The values of `{env.NAME}`, once they are filled in: reports and histories must hide them.
    pub secrets: Secrets,
}

impl<F> Plan<F> {
    /// The service that users talk to.
    pub fn entry(&self) -> &str {
        self.system.entry_name()
    }

    /// Each step with its fault, in the order of the file.
    pub fn steps(&self) -> impl Iterator<Item = (&Step, &F)> {
        self.scenario.steps.iter().zip(&self.faults)
    }
}

fn yes() -> bool {
    true
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde asks for"
)]
fn is_true(value: &bool) -> bool {
    *value
}
