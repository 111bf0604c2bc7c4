//! Scenario arguments: names, files or folders, as `run`, `list` and `check` take them.

use std::path::Path;

use super::output;
use firedrill_model::scenario::{self, Problems, SecretError};
use firedrill_runner::{Plan, drill, fault};

/// Fills the secrets that the files name. From then on nothing that is printed shows them.
///
/// # Errors
/// A secret that the environment does not have.
pub(super) fn fill_secrets(plans: &mut [Plan]) -> Result<(), SecretError> {
    for plan in plans {
        plan.fill_secrets(|name| std::env::var(name).ok())?;
        output::hide(&plan.secrets);
    }
    Ok(())
}

/// Looks for the programs that journeys need.
///
/// # Errors
/// A program that is not on this machine.
pub(super) fn find_programs(plans: &[Plan]) -> Result<(), drill::Error> {
    plans.iter().try_for_each(drill::find_programs)
}

/// Finds and loads the scenarios that the arguments name; without arguments, all of ./scenarios.
///
/// # Errors
/// Every problem of every file.
pub(super) fn load(names: &[String]) -> Result<Vec<Plan>, Problems> {
    let paths = scenario::find(names, Path::new("."))?;
    scenario::load_all(&paths, &fault::catalogue())
}
