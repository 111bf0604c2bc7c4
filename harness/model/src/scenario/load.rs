//! From the path of a scenario to a [`Plan`], or to everything that is wrong with it.
//!
//! Takes paths and the catalogue of faults; gives checked plans with parsed faults. A plan comes from three files: the
//! scenario, the system file that it names, and the nearest project file upward from the scenario's folder.

use std::path::{Path, PathBuf};

use firedrill_logs::redact::Secrets;
use serde_json::Value;

use super::document::{Document, at};
use super::problem::{Code, Problem, Problems};
use super::tree::Node;
use super::validate::{self, InScenario, InSystem};
use super::{Catalogue, FaultError, Plan, Project, Scenario, System, file, schema, suggest};
use crate::units::Span;

/// The project file's name.
const PROJECT: &str = "firedrill.toml";

/// The folder in which scenarios usually are.
const SCENARIOS: &str = "scenarios";

/// Loads one scenario.
///
/// # Errors
/// Every problem of its files.
pub fn load<F>(path: &Path, faults: &Catalogue<F>) -> Result<Plan<F>, Problems> {
    let mut loader = Loader::new(faults);
    let plan = loader.plan(path);
    match plan {
        // A plan may exist although problems were found: it was made only to find the rest of them.
        Some(plan) if loader.found.is_empty() => Ok(plan),
        _ => Err(Problems::new(loader.found)),
    }
}

/// Loads several scenarios.
///
/// # Errors
/// Every problem of all their files.
pub fn load_all<F>(paths: &[PathBuf], faults: &Catalogue<F>) -> Result<Vec<Plan<F>>, Problems> {
    let mut loader = Loader::new(faults);
    let plans = paths.iter().filter_map(|path| loader.plan(path)).collect();
    if loader.found.is_empty() {
        Ok(plans)
    } else {
        Err(Problems::new(loader.found))
    }
}

/// The project file's settings that hold in a folder, and the file: the nearest one upward, or in a folder `scenarios`
/// on the way. The defaults when there is none.
///
/// # Errors
/// Every problem of the file.
pub fn project(folder: &Path) -> Result<(Project, Option<PathBuf>), Problems> {
    let absolute = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    // Scenarios usually have their project file beside them, below the folder from which one types.
    let beside = |folder: &Path| [folder.join(PROJECT), folder.join(SCENARIOS).join(PROJECT)];
    let path = absolute.ancestors().flat_map(beside).find(|path| path.is_file());
    let Some(path) = path else {
        return Ok((Project::default(), None));
    };
    let faults = Catalogue::<()>::empty();
    let mut loader = Loader::new(&faults);
    match loader.project(path.parent().unwrap_or(folder)) {
        Some(project) if loader.found.is_empty() => Ok((project, Some(path))),
        _ => Err(Problems::new(loader.found)),
    }
}

struct Loader<'a, F> {
    faults: &'a Catalogue<F>,
    schemas: Schemas,
    found: Vec<Problem>,
}

/// The schemas of the three kinds of file, made once for all files.
struct Schemas {
    scenario: Value,
    system: Value,
    project: Value,
}

impl<'a, F> Loader<'a, F> {
    fn new(faults: &'a Catalogue<F>) -> Self {
        let schemas = Schemas {
            scenario: schema::schema(faults.kinds()),
            system: schema::system_schema(),
            project: schema::project_schema(),
        };
        Self {
            faults,
            schemas,
            found: Vec::new(),
        }
    }

    /// The plan; `None` when what was found leaves none to look at. Each file is checked as far as it can be.
    fn plan(&mut self, path: &Path) -> Option<Plan<F>> {
        let folder = path.parent().unwrap_or(Path::new(""));
        // No `?` before the end: a broken project file must not hide the problems of the other two.
        let project = self.project(folder);
        self.found.extend(bad_file_name(path));
        let text = self.note(file::read(path))?;
        let (file, scenario) =
            Document::read::<Scenario>(text, &self.schemas.scenario, self.faults.kinds(), &mut self.found)?;
        // From the tree, because the model may not exist: its system is checked all the same.
        let named = file.get(at!["system"]).and_then(Node::as_text)?;
        let system_path = file::tidy(&folder.join(named));
        let system = self.system(&system_path, &file);
        // After its system has been checked, which needs only the name.
        let mut scenario = scenario?;
        if file.get(at!["timing", "settle"]).is_none() {
            // Long enough to see whether each limit holds.
            let limits = scenario.expect.limits().into_iter();
            scenario.timing.settle = limits.fold(scenario.timing.settle, Span::max);
        }
        let subject = InScenario {
            file: &file,
            scenario: &scenario,
            system: system.as_ref(),
            faults: self.faults.kinds(),
        };
        validate::scenario(&subject, &mut self.found);
        let faults = self.parsed(&file, &scenario);
        // Hints alone do not refuse a plan; they travel with it.
        let (hints, found) = self.found.drain(..).partition(Problem::is_hint);
        self.found = found;
        let parts = Parts {
            scenario,
            faults,
            system: system?,
            project: project?,
            hints,
        };
        Some(assemble(path, &system_path, parts))
    }

    /// The scenario's faults. One that does not accept its parameters is reported, and left out: no plan is returned
    /// then.
    fn parsed(&mut self, file: &Document, scenario: &Scenario) -> Vec<F> {
        let mut faults = Vec::new();
        for (at, step) in scenario.steps.iter().enumerate() {
            let path = at!["step", at, &step.fault.name];
            // Its parameters are already reported.
            if !file.is_sure(path) {
                continue;
            }
            match self.faults.parse(&step.fault) {
                Ok(fault) => faults.push(fault),
                // Reported with its place by the structural check.
                Err(FaultError::Unknown { .. }) => {}
                Err(FaultError::Parameters { fault, source }) => {
                    let message = format!("`{fault}` does not accept this: {source}");
                    let problem = file.value(Code::BadParameter, path, message);
                    let kind = self.faults.kinds().iter().find(|kind| kind.name == fault);
                    let example = kind.map_or("", |kind| kind.example);
                    self.found.push(problem.help(format!("for example: {example}")));
                }
            }
        }
        faults
    }

    /// The system that the scenario of `from` names.
    fn system(&mut self, path: &Path, from: &Document) -> Option<System> {
        if !path.exists() {
            let message = format!("system file {} does not exist", file::shown(path));
            let problem = from.value(Code::SystemFileMissing, at!["system"], message);
            let problem = problem.help(missing_system(path));
            self.found.push(problem);
            return None;
        }
        let text = self.note(file::read(path))?;
        let (file, system) =
            Document::read(text, &self.schemas.system, self.faults.kinds(), &mut self.found)?;
        let system = system?;
        let subject = InSystem {
            file: &file,
            system: &system,
            folder: &folder_of(path),
        };
        validate::system(&subject, &mut self.found);
        Some(system)
    }

    /// The nearest project file's settings, or the defaults when there is none.
    fn project(&mut self, folder: &Path) -> Option<Project> {
        let Some(path) = project_file(folder) else {
            return Some(Project::default());
        };
        let text = self.note(file::read(&path))?;
        let (file, project) =
            Document::read(text, &self.schemas.project, self.faults.kinds(), &mut self.found)?;
        let project = project?;
        validate::project(&file, &project, &mut self.found);
        Some(project)
    }

    fn note<T>(&mut self, result: Result<T, Problem>) -> Option<T> {
        result.map_err(|problem| self.found.push(problem)).ok()
    }
}

/// The problem of a scenario's file name. The scenario has its name, which goes into reports, commands and the names of
/// run folders.
fn bad_file_name(path: &Path) -> Option<Problem> {
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    // A name with a hyphen in front is an option to every command.
    let begins = |c: char| c.is_alphanumeric() || c == '_';
    if name.starts_with(begins) && name.chars().all(fits) {
        return None;
    }
    let message = format!("`{name}` is not the name of a scenario");
    let problem = Problem::of_file(Code::BadFileName, file::shown(path), message);
    Some(problem.help("rename the file: letters, digits, `-`, `_` and `.`, with a letter or digit in front"))
}

/// The advice for a missing system file: a file with a similar name in the same folder.
fn missing_system(path: &Path) -> String {
    let file_name = |path: &Path| {
        path.file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    };
    // A file without a folder is in the current one, and an empty path cannot be listed.
    let folder = path.parent().unwrap_or(Path::new("")).join(".");
    let mut beside: Vec<String> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| file_name(&entry.path()))
        .filter(|name| name.ends_with(".toml"))
        .collect();
    beside.sort();
    match suggest::nearest(&file_name(path), beside.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`, in the same folder?"),
        None => "the path is relative to the scenario file".into(),
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

/// The folder of a system file, as an absolute path where there is one.
fn folder_of(system_path: &Path) -> PathBuf {
    // As above: an empty path has no absolute form.
    let folder = system_path.parent().unwrap_or(Path::new("")).join(".");
    std::path::absolute(&folder).map_or(folder, |folder| file::tidy(&folder))
}

/// What the files of a scenario say.
struct Parts<F> {
    scenario: Scenario,
    faults: Vec<F>,
    system: System,
    project: Project,
    hints: Vec<Problem>,
}

fn assemble<F>(path: &Path, system_path: &Path, parts: Parts<F>) -> Plan<F> {
    let Parts {
        scenario,
        faults,
        mut system,
        project,
        hints,
    } = parts;
    apply(&scenario, &mut system);
    let name = path.file_stem().unwrap_or_default();
    Plan {
        name: name.to_string_lossy().into_owned(),
        folder: folder_of(system_path),
        scenario,
        faults,
        system,
        project,
        hints,
        secrets: Secrets::default(),
    }
}
