//! The files' own words, as types. A doc comment here is the description an editor shows from the JSON Schema.

mod project;
mod scenario;
mod system;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use project::*;
pub use scenario::*;
pub use system::*;

use crate::units::Span;

/// A table of names to templates, in the order of the names.
pub type Texts = BTreeMap<String, String>;

/// A scenario with everything it refers to, checked: what a drill runs and what a history begins with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The scenario's name: its file's, without the ending.
    pub name: String,
    /// The folder that relative paths of the system file are relative to. Not kept in a history.
    #[serde(skip)]
    pub folder: PathBuf,
    /// The scenario as written.
    pub scenario: Scenario,
    /// The system, with the scenario's `releases`, `env` and `rates` applied.
    pub system: System,
    /// The project's settings.
    pub project: Project,
}

impl Plan {
    /// The service that users talk to.
    pub fn entry(&self) -> &str {
        self.system
            .entry
            .as_deref()
            .or_else(|| self.system.services.keys().next().map(String::as_str))
            .unwrap_or_default()
    }

    /// The contract profile of the verdict: the scenario's, else the project's.
    pub fn contract(&self) -> Contract {
        self.scenario.contract.unwrap_or(self.project.contract)
    }

    /// What an outage costs that is still open at the end: the scenario's price, else the project's, else unknown.
    pub fn manual_recovery(&self) -> Option<Span> {
        self.scenario.manual_recovery.or(self.project.manual_recovery)
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
