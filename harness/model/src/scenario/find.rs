//! Finds scenario files by name, path or folder.
//!
//! Takes the arguments of the command line and the folder `scenarios/`; gives the loader paths.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::problem::{Code, Problem, Problems};
use super::{file, suggest};

/// The folder in which scenarios are looked for, from the current one upward.
const FOLDER: &str = "scenarios";

/// Subfolders without scenarios to run.
const NOT_SCENARIOS: &[&str] = &["systems", "invalid", "snapshots", "schema"];

/// The scenario files that the arguments mean: names (`wrong-json-loader`), paths and folders, relative to `base`.
/// Without arguments, all of the folder `scenarios/`, searched from `base` upward. Sorted, without repeats.
///
/// # Errors
/// Every argument that names no scenario.
pub fn find(args: &[String], base: &Path) -> Result<Vec<PathBuf>, Problems> {
    let folder = home(base);
    let mut paths = BTreeSet::new();
    let mut found = Vec::new();
    if args.is_empty() {
        match &folder {
            Some(folder) => add(of_folder(folder, FOLDER), &mut paths, &mut found),
            None => found.push(no_folder(base)),
        }
    }
    // Also with arguments: they may be names of scenarios.
    // A folder that cannot be listed is reported once it is asked for.
    let known = folder
        .as_deref()
        .and_then(|folder| below(folder, 0).ok())
        .unwrap_or_default();
    for arg in args {
        add(one(arg, base, &known), &mut paths, &mut found);
    }
    if found.is_empty() {
        Ok(paths.into_iter().collect())
    } else {
        Err(Problems::new(found))
    }
}

fn add(result: Result<Vec<PathBuf>, Problem>, paths: &mut BTreeSet<PathBuf>, found: &mut Vec<Problem>) {
    match result {
        Ok(more) => paths.extend(more),
        Err(problem) => found.push(problem),
    }
}

/// What one argument means: a scenario's name before a path, so that a folder of the same name cannot hide it.
fn one(arg: &str, base: &Path, known: &[PathBuf]) -> Result<Vec<PathBuf>, Problem> {
    if let Some(path) = known.iter().find(|path| name(path) == arg) {
        return Ok(vec![path.clone()]);
    }
    let path = base.join(arg);
    if path.is_dir() {
        return of_folder(&path, arg);
    }
    // A file that exists is taken, whatever its ending: reading it says what is wrong with it.
    if path.exists() {
        return Ok(vec![path]);
    }
    let names: BTreeSet<String> = known.iter().map(|path| name(path)).collect();
    let wanted = name(Path::new(arg));
    let problem = Problem::of_file(
        Code::UnknownScenario,
        arg,
        format!("no scenario or file is called `{arg}`"),
    );
    Err(problem.help(suggest::advice(&wanted, names.iter().map(String::as_str))))
}

fn of_folder(folder: &Path, arg: &str) -> Result<Vec<PathBuf>, Problem> {
    let paths = below(folder, 0)?;
    if paths.is_empty() {
        let message = format!("no scenarios in {}", file::shown(folder));
        return Err(Problem::of_file(Code::NoScenarios, arg, message).help(
            "a scenario is a file `NAME.toml`; the subfolders `systems`, `invalid`, `snapshots` and `schema` are skipped",
        ));
    }
    Ok(paths)
}

fn no_folder(base: &Path) -> Problem {
    let message = format!("no folder `{FOLDER}` in {} or above it", base.display());
    Problem::of_file(Code::NoScenarios, FOLDER, message).help("name a scenario file or a folder of them")
}

/// The folder of scenarios.
fn home(base: &Path) -> Option<PathBuf> {
    base.ancestors()
        .map(|folder| folder.join(FOLDER))
        .find(|path| path.is_dir())
}

fn name(path: &Path) -> String {
    path.file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// The scenario files in a folder and those below it, sorted.
fn below(folder: &Path, depth: u32) -> Result<Vec<PathBuf>, Problem> {
    const DEEPEST: u32 = 8; // symbolic links may go in circles
    let unreadable = |cause: std::io::Error| {
        let shown = file::shown(folder);
        Problem::of_file(
            Code::FileUnreadable,
            &shown,
            format!("cannot list {shown}: {cause}"),
        )
        .help("make it readable, or move it out of the folder of scenarios")
    };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.is_dir() {
            let skipped = path
                .file_name()
                .is_some_and(|name| NOT_SCENARIOS.iter().any(|skip| name == *skip));
            if !skipped && depth < DEEPEST {
                paths.extend(below(&path, depth + 1)?);
            }
        } else if path.extension().is_some_and(|ending| ending == "toml") && name(&path) != "firedrill" {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}
