//! Writes the files. Nothing that is there is overwritten, and of files that cannot all be written none is.

use std::io;
use std::path::{Path, PathBuf};

use super::super::failure::Failure;
use super::draft::Draft;
use firedrill_model::scenario;
use firedrill_runner::fault;

/// Why the files were not written.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// One of them is there.
    #[error("{} is already there\n  choose another name with --name, or remove the file", .0.display())]
    There(PathBuf),
    /// The disk, or the folder's rights.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A template is broken.
    #[error("a template of Firedrill is broken; please report it: {0}")]
    Template(#[from] minijinja::Error),
}

impl Error {
    /// A file that is there is the user's affair, the rest that of the machine.
    pub(super) fn into_failure(self) -> Failure {
        match self {
            Self::There(_) => Failure::usage(self),
            _ => Failure::environment(self),
        }
    }
}

/// Writes every file for the first time; gives their paths.
///
/// # Errors
/// When one is already there; then nothing was written.
pub(super) fn new_files(here: &Path, draft: &Draft, workflow: bool) -> Result<Vec<PathBuf>, Error> {
    let mut files = draft.files()?;
    if workflow {
        let (path, text) = Draft::workflow();
        files.push((path, text.to_owned()));
    }
    if let Some((path, _)) = files.iter().find(|(path, _)| here.join(path).exists()) {
        return Err(Error::There(path.clone()));
    }
    // What editors complete and check by. Others' scenarios may have brought them already; they are the same then.
    let schemas = [
        ("scenario", scenario::schema(fault::catalogue().kinds())),
        ("system", scenario::system_schema()),
    ];
    for (name, schema) in schemas {
        let path = here.join(format!("scenarios/schema/{name}.json"));
        if !path.exists() {
            put(&path, &format!("{schema:#}\n"))?;
        }
    }
    ignore_runs(here)?;
    put_all(here, files)
}

/// Writes the files again, with what was learned.
///
/// # Errors
/// When one cannot be written.
pub(super) fn again(here: &Path, draft: &Draft) -> Result<Vec<PathBuf>, Error> {
    put_all(here, draft.files()?)
}

fn put_all(here: &Path, files: Vec<(PathBuf, String)>) -> Result<Vec<PathBuf>, Error> {
    let mut paths = Vec::new();
    for (path, text) in files {
        put(&here.join(&path), &text)?;
        paths.push(path);
    }
    Ok(paths)
}

fn put(path: &Path, text: &str) -> Result<(), Error> {
    let folder = path.parent().unwrap_or(path);
    let written = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(path, text));
    written.map_err(|source| Error::Write {
        path: path.to_owned(),
        source,
    })
}

/// Run folders are results of one machine: they do not belong in a repository.
fn ignore_runs(here: &Path) -> Result<(), Error> {
    let path = here.join(".gitignore");
    let before = std::fs::read_to_string(&path).unwrap_or_default();
    if before
        .lines()
        .any(|line| matches!(line.trim(), "runs" | "runs/" | "/runs" | "/runs/"))
    {
        return Ok(());
    }
    let gap = if before.is_empty() || before.ends_with('\n') {
        ""
    } else {
        "\n"
    };
    put(&path, &format!("{before}{gap}/runs/\n"))
}
