//! Writes the files. Nothing that is there is overwritten, and of files that cannot all be written none is.

use std::io::{self, Write as _};
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
    if let Some((path, _)) = files.iter().find(|(path, _)| is_there(here, path)) {
        return Err(Error::There(path.clone()));
    }
    // What editors complete and check by. Others' scenarios may have brought them already; they are the same then.
    let schemas = [
        ("scenario", scenario::schema(fault::catalogue().kinds())),
        ("system", scenario::system_schema()),
    ];
    for (name, schema) in schemas {
        let path = PathBuf::from(format!("scenarios/schema/{name}.json"));
        if !is_there(here, &path) {
            put(here, &path, &format!("{schema:#}\n"))?;
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

/// Also a link that leads nowhere is there.
fn is_there(here: &Path, path: &Path) -> bool {
    here.join(path).symlink_metadata().is_ok()
}

fn put_all(here: &Path, files: Vec<(PathBuf, String)>) -> Result<Vec<PathBuf>, Error> {
    let mut paths = Vec::new();
    for (path, text) in files {
        put(here, &path, &text)?;
        paths.push(path);
    }
    Ok(paths)
}

/// Writes a file of ours. What lies behind a link is not ours.
fn put(here: &Path, path: &Path, text: &str) -> Result<(), Error> {
    let full = here.join(path);
    let written = std::fs::create_dir_all(full.parent().unwrap_or(here))
        .and_then(|()| no_links(here, path))
        .and_then(|()| std::fs::write(&full, text));
    written.map_err(|source| Error::Write {
        path: path.to_owned(),
        source,
    })
}

/// That no part of a path below `here` is a link.
fn no_links(here: &Path, path: &Path) -> io::Result<()> {
    let parts = path.ancestors().filter(|part| !part.as_os_str().is_empty());
    for part in parts {
        if here
            .join(part)
            .symlink_metadata()
            .is_ok_and(|found| found.is_symlink())
        {
            return Err(io::Error::other(format!("{} is a link", part.display())));
        }
    }
    Ok(())
}

/// Run folders are results of one machine: they do not belong in a repository.
fn ignore_runs(here: &Path) -> Result<(), Error> {
    let path = Path::new(".gitignore");
    let failed = |source| Error::Write {
        path: path.to_owned(),
        source,
    };
    // As bytes: it may be in any encoding.
    let before = match std::fs::read(here.join(path)) {
        Ok(before) => before,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(failed(error)),
    };
    let is_ignored = |line: &[u8]| matches!(line.trim_ascii(), b"runs" | b"runs/" | b"/runs" | b"/runs/");
    if before.split(|byte| *byte == b'\n').any(is_ignored) {
        return Ok(());
    }
    no_links(here, path).map_err(failed)?;
    let gap = if before.is_empty() || before.ends_with(b"\n") {
        ""
    } else {
        "\n"
    };
    let mut options = std::fs::OpenOptions::new();
    let file = options.append(true).create(true).open(here.join(path));
    file.and_then(|mut file| file.write_all(format!("{gap}/runs/\n").as_bytes()))
        .map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_ignored_once_and_in_any_encoding() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".gitignore");
        std::fs::write(&path, b"caf\xe9").unwrap();
        for _ in 0..2 {
            ignore_runs(folder.path()).unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), b"caf\xe9\n/runs/\n");
        }
    }

    #[cfg(unix)]
    #[test]
    fn nothing_is_written_through_a_link() {
        let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::os::unix::fs::symlink(elsewhere.path(), folder.path().join("scenarios")).unwrap();
        put(folder.path(), Path::new("scenarios/a.toml"), "").unwrap_err();
        let target = elsewhere.path().join("b");
        std::os::unix::fs::symlink(&target, folder.path().join(".gitignore")).unwrap();
        ignore_runs(folder.path()).unwrap_err();
        assert!(!target.exists() && !elsewhere.path().join("a.toml").exists());
    }
}
