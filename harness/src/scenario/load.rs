//! From the path of a scenario to a [`Plan`], or to everything that is wrong with it.
//!
//! Faces the command line. Three files make a plan: the scenario, the system file it names, and the project file found
//! upward from the scenario's folder.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use super::problem::{Code, Problem, Problems, Text};
use super::{FaultKind, Plan, Project, Scenario, System, file};

/// The project file's name.
const PROJECT: &str = "firedrill.toml";

/// Loads one scenario.
///
/// # Errors
/// Every problem of its files.
pub fn load(path: &Path, faults: &[FaultKind]) -> Result<Plan, Problems> {
    let mut found = Vec::new();
    let plan = Loader {
        faults,
        found: &mut found,
    }
    .plan(path);
    match plan {
        Some(plan) if found.is_empty() => Ok(plan),
        _ => Err(Problems::new(found)),
    }
}

/// Loads several scenarios.
///
/// # Errors
/// Every problem of all their files.
pub fn load_all(paths: &[PathBuf], faults: &[FaultKind]) -> Result<Vec<Plan>, Problems> {
    let mut found = Vec::new();
    let mut plans = Vec::new();
    for path in paths {
        plans.extend(
            Loader {
                faults,
                found: &mut found,
            }
            .plan(path),
        );
    }
    if found.is_empty() {
        Ok(plans)
    } else {
        Err(Problems::new(found))
    }
}

struct Loader<'a> {
    #[expect(dead_code, reason = "the checks that use it come next")]
    faults: &'a [FaultKind],
    found: &'a mut Vec<Problem>,
}

impl Loader<'_> {
    /// The plan; `None` when something was found that leaves no plan to look at.
    fn plan(&mut self, path: &Path) -> Option<Plan> {
        let text = self.note(file::read(path))?;
        let scenario: Scenario = self.parse(&text)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let system_path = file::tidy(&folder.join(&scenario.system));
        let text = self.note(file::read(&system_path))?;
        let system: System = self.parse(&text)?;
        let project = self.project(folder)?;
        Some(assemble(path, &system_path, scenario, system, project))
    }

    /// The nearest project file's settings, or the defaults when there is none.
    fn project(&mut self, folder: &Path) -> Option<Project> {
        let Some(path) = project_file(folder) else {
            return Some(Project::default());
        };
        let text = self.note(file::read(&path))?;
        self.parse(&text)
    }

    fn parse<T: DeserializeOwned>(&mut self, text: &Text) -> Option<T> {
        let parsed = toml::from_str(text.inner()).map_err(|error: toml::de::Error| {
            let span = error.span().unwrap_or(0..0);
            Problem::at(Code::DoesNotFit, text, &span, error.message())
        });
        self.note(parsed)
    }

    fn note<T>(&mut self, result: Result<T, Problem>) -> Option<T> {
        result.map_err(|problem| self.found.push(problem)).ok()
    }
}

/// The nearest project file, from the folder upward.
fn project_file(folder: &Path) -> Option<PathBuf> {
    let folder = std::path::absolute(folder.join(".")).ok()?;
    file::tidy(&folder)
        .ancestors()
        .map(|folder| folder.join(PROJECT))
        .find(|path| path.is_file())
}

/// Puts the scenario's own releases, environment and rates onto the system.
fn apply(scenario: &Scenario, system: &mut System) {
    for (name, release) in &scenario.releases {
        if let Some(service) = system.services.get_mut(name) {
            service.release.clone_from(release);
        }
    }
    for (name, env) in &scenario.env {
        if let Some(service) = system.services.get_mut(name) {
            service.env.extend(env.clone());
        }
    }
    for journey in &mut system.journeys {
        if let Some(rate) = scenario.rates.get(&journey.name) {
            journey.rate = *rate;
        }
    }
}

fn assemble(
    path: &Path,
    system_path: &Path,
    scenario: Scenario,
    mut system: System,
    project: Project,
) -> Plan {
    apply(&scenario, &mut system);
    let folder = system_path.parent().unwrap_or(Path::new("")).join(".");
    Plan {
        name: path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned(),
        folder: std::path::absolute(&folder).map_or(folder, |folder| file::tidy(&folder)),
        scenario,
        system,
        project,
    }
}
