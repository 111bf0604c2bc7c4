//! Scenario arguments: names, files or folders, as `run`, `list` and `check` take them.

use std::path::Path;

use firedrill_model::scenario::{self, Problems};
use firedrill_runner::{Plan, fault};

/// Finds and loads the scenarios that the arguments name; without arguments, all of ./scenarios.
///
/// # Errors
/// Every problem of every file.
pub(super) fn load(names: &[String]) -> Result<Vec<Plan>, Problems> {
    let paths = scenario::find(names, Path::new("."))?;
    scenario::load_all(&paths, &fault::catalogue())
}
