//! Rules about what services are made of: the package, the Dockerfile or the program is there, and the user can be one.
//!
//! Takes a system and the folder of its file; gives problems to the loader. These rules alone look at files beside the
//! system's own: a drill would find the same mistakes, after minutes of building.

use std::path::Path;

use super::super::document::{Document, at};
use super::super::problem::{Code, Problem};
use super::super::template::Template;
use super::super::tree::Step;
use super::super::workspace::Workspace;
use super::super::{Build, Dockerfile, suggest};
use super::{InSystem, SystemRule};

/// All rules.
pub(super) const RULES: &[SystemRule] = &[sources];

fn sources(InSystem { file, system, folder }: &InSystem<'_>, found: &mut Vec<Problem>) {
    // Only where a package is named: a system of images needs no workspace.
    let mut workspace = None;
    for (name, service) in &system.services {
        match &service.build {
            Build::Package {
                name: package, with, ..
            } => {
                let workspace = workspace.get_or_insert_with(|| Workspace::around(folder));
                let path = at!["service", name, "build", "package"];
                packages(file, path, package, with, workspace.as_ref(), found);
            }
            Build::Dockerfile(built) => {
                dockerfile(
                    file,
                    at!["service", name, "build", "dockerfile"],
                    built,
                    folder,
                    found,
                );
            }
            Build::Command(argv) => {
                let working = service.working_folder.as_deref().unwrap_or(Path::new(""));
                let there = folder.join(working);
                if !there.is_dir() {
                    found.push(missing(file, at!["service", name, "working_folder"], working));
                } else if let Some(program) = argv.first() {
                    let path = at!["service", name, "build", "command", 0];
                    found.extend(missing_program(file, path, program, &there));
                }
            }
            Build::Image(_) => {}
        }
        if let Some(user) = service.user.as_ref().filter(|user| !is_user(user)) {
            let message = format!("`{user}` is not a user");
            let problem = file.value(Code::BadUser, at!["service", name, "user"], message);
            found.push(problem.help("use a user with or without a group, such as \"1000:1000\""));
        }
    }
}

fn packages(
    file: &Document,
    path: &[Step<'_>],
    name: &str,
    with: &[String],
    workspace: Option<&Workspace>,
    found: &mut Vec<Problem>,
) {
    let mut report = |step: &[Step<'_>], package: &str| {
        let (message, help) = match workspace {
            None => (
                format!("no cargo workspace has the package `{package}`: there is none around this file"),
                "use `image`, `dockerfile` or `command`, or move the file into the workspace".to_owned(),
            ),
            Some(workspace) if workspace.has(package) => return,
            Some(workspace) => (
                format!("the workspace {} has no package `{package}`", workspace.shown()),
                suggest::advice(package, workspace.packages()),
            ),
        };
        let problem = file.value(Code::UnknownPackage, &[path, step].concat(), message);
        found.push(problem.help(help));
    };
    report(at!["name"], name);
    for (at, beside) in with.iter().enumerate() {
        report(at!["with", at], beside);
    }
}

fn dockerfile(
    file: &Document,
    path: &[Step<'_>],
    built: &Dockerfile,
    folder: &Path,
    found: &mut Vec<Problem>,
) {
    // The place of `dockerfile = "Dockerfile"`, which has no keys, is that of the whole.
    if !folder.join(&built.path).is_file() {
        found.push(missing(file, &[path, at!["path"]].concat(), &built.path));
    } else if !folder.join(built.context()).is_dir() {
        found.push(missing(file, &[path, at!["context"]].concat(), built.context()));
    }
}

/// The problem of a program that is given by its path, and is not there. A bare name is looked up in PATH, which is another
/// one on every machine; a path with a placeholder is known only in a drill.
fn missing_program(file: &Document, path: &[Step<'_>], program: &str, folder: &Path) -> Option<Problem> {
    let template = Template::parse(program).ok()?;
    let is_plain = template.placeholders().next().is_none();
    let is_path = program.contains('/') && !program.starts_with('/');
    let is_missing = || !folder.join(program).is_file();
    (is_plain && is_path && is_missing()).then(|| missing(file, path, Path::new(program)))
}

fn missing(file: &Document, path: &[Step<'_>], what: &Path) -> Problem {
    let problem = file.value(
        Code::NoSuchFile,
        path,
        format!("{} does not exist", what.display()),
    );
    problem.help("paths are relative to the system file; a program's path is relative to `working_folder` if that is set")
}

/// `USER` or `USER:GROUP`: numbers, or names that the image knows.
fn is_user(text: &str) -> bool {
    let mut parts = text.split(':');
    let is_part =
        |part: &str| !part.is_empty() && !part.contains(|c: char| c.is_whitespace() || c.is_control());
    parts.by_ref().take(2).all(is_part) && parts.next().is_none()
}
