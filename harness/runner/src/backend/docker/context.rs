//! The build context of a Dockerfile: the folder around it as an archive, without what its ignore file leaves out.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tokio_tar::Builder;

use super::ignore::{Ignore, InvalidPattern};

/// A context, ready to be sent.
pub(super) struct Context {
    /// The Dockerfile's name in the archive.
    pub(super) dockerfile: String,
    /// The archive.
    pub(super) archive: Vec<u8>,
}

/// A context that cannot be made.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    File {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// The ignore file has a mistake.
    #[error("{}", path.display())]
    Ignore {
        path: PathBuf,
        #[source]
        source: InvalidPattern,
    },
    /// The path names no file.
    #[error("{} is no file", .0.display())]
    NoFile(PathBuf),
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::File { path, source }
}

/// The name in the archive of a Dockerfile that lies outside of its context.
const FROM_OUTSIDE: &str = "Dockerfile.from-outside-of-the-context";

/// Archives the context of a Dockerfile.
pub(super) async fn context(dockerfile: &Path, folder: &Path) -> Result<Context, Error> {
    if !dockerfile.is_file() {
        return Err(Error::NoFile(dockerfile.to_owned()));
    }
    let name = name(dockerfile, folder)?;
    let ignore = ignore(dockerfile, folder)?;
    // Sorted, so that one context is one archive.
    let mut files = BTreeMap::new();
    collect(folder, Path::new(""), &ignore, &mut files)?;
    // The builder needs it, also where the ignore file keeps it out of the image.
    files.insert(name.clone(), dockerfile.to_owned());
    let mut archive = Builder::new(Vec::new());
    archive.follow_symlinks(false);
    for (path, source) in &files {
        let appended = archive.append_path_with_name(source, path).await;
        appended.map_err(failed(source))?;
    }
    Ok(Context {
        dockerfile: name.display().to_string(),
        archive: archive.into_inner().await.map_err(failed(folder))?,
    })
}

/// The name of a Dockerfile in the archive of a folder.
fn name(dockerfile: &Path, folder: &Path) -> Result<PathBuf, Error> {
    // Without links and `..`: only so can the one be found to lie in the other.
    let real = |path: &Path| fs::canonicalize(path).map_err(failed(path));
    let (file, folder) = (real(dockerfile)?, real(folder)?);
    Ok(match file.strip_prefix(&folder) {
        Ok(inside) => inside.to_owned(),
        Err(_) => FROM_OUTSIDE.into(),
    })
}

/// The rules for a Dockerfile: those of its own ignore file, else those of the context's.
fn ignore(dockerfile: &Path, folder: &Path) -> Result<Ignore, Error> {
    let mut own = dockerfile.as_os_str().to_owned();
    own.push(".dockerignore");
    for path in [PathBuf::from(own), folder.join(".dockerignore")] {
        match fs::read_to_string(&path) {
            Ok(text) => return Ignore::parse(&text).map_err(|source| Error::Ignore { path, source }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(&path)(error)),
        }
    }
    Ok(Ignore::default())
}

/// What is in a folder of the context: the path there, and the path here.
fn collect(
    root: &Path,
    folder: &Path,
    ignore: &Ignore,
    files: &mut BTreeMap<PathBuf, PathBuf>,
) -> Result<(), Error> {
    let here = root.join(folder);
    for entry in fs::read_dir(&here).map_err(failed(&here))? {
        let entry = entry.map_err(failed(&here))?;
        let (path, kind) = (folder.join(entry.file_name()), entry.file_type());
        let kind = kind.map_err(failed(&entry.path()))?;
        let is_excluded = ignore.excludes(&path);
        if !is_excluded && (kind.is_file() || kind.is_symlink() || kind.is_dir()) {
            files.insert(path.clone(), entry.path());
        }
        // Pipes, sockets and devices are no content.
        if kind.is_dir() && (!is_excluded || ignore.has_exceptions()) {
            collect(root, &path, ignore, files)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use futures::StreamExt;

    use super::*;

    /// The paths in the archive that is made of these files, with what each file holds.
    async fn archived(files: &[(&str, &str)], dockerfile: &str) -> BTreeMap<String, String> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let context = context(&folder.path().join(dockerfile), folder.path())
            .await
            .unwrap();
        assert_eq!(context.dockerfile, dockerfile);
        let mut archive = tokio_tar::Archive::new(&context.archive[..]);
        let mut entries = archive.entries().unwrap();
        let mut found = BTreeMap::new();
        while let Some(entry) = entries.next().await {
            let mut entry = entry.unwrap();
            let path = entry.path().unwrap().display().to_string();
            let mut text = String::new();
            tokio::io::AsyncReadExt::read_to_string(&mut entry, &mut text)
                .await
                .unwrap();
            found.insert(path.trim_end_matches('/').to_owned(), text);
        }
        found
    }

    fn names(found: &BTreeMap<String, String>) -> Vec<&str> {
        found.keys().map(String::as_str).collect()
    }

    const FILES: &[(&str, &str)] = &[
        ("Dockerfile", "FROM a"),
        ("Dockerfile.b", "FROM b"),
        (".dockerignore", "secret.txt\n.git\nDockerfile*\n"),
        (".git/HEAD", "ref"),
        ("secret.txt", "secret"),
        ("src/main.py", "print()"),
    ];

    #[tokio::test]
    async fn the_named_file_is_sent_and_nothing_that_is_ignored() {
        let found = archived(FILES, "Dockerfile.b").await;
        assert_eq!(
            names(&found),
            [".dockerignore", "Dockerfile.b", "src", "src/main.py"]
        );
        assert_eq!(found["Dockerfile.b"], "FROM b");
    }

    #[tokio::test]
    async fn an_ignore_file_of_its_own_comes_first() {
        let own = ("Dockerfile.b.dockerignore", "src\n");
        let files: Vec<_> = FILES.iter().copied().chain([own]).collect();
        let found = archived(&files, "Dockerfile.b").await;
        assert!(
            found.contains_key("secret.txt") && !found.contains_key("src/main.py"),
            "{found:?}"
        );
        let found = archived(&files, "Dockerfile").await;
        assert!(
            !found.contains_key("secret.txt") && found.contains_key("src/main.py"),
            "{found:?}"
        );
    }

    #[tokio::test]
    async fn a_dockerfile_in_a_folder_of_the_context_has_its_path_there() {
        let inside = ("build/Dockerfile", "FROM c");
        let files: Vec<_> = FILES.iter().copied().chain([inside]).collect();
        let found = archived(&files, "build/Dockerfile").await;
        assert_eq!(found["build/Dockerfile"], "FROM c");
        assert!(!found.contains_key("secret.txt"), "{found:?}");
    }

    #[tokio::test]
    async fn a_dockerfile_outside_of_its_context_is_sent_too() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("Dockerfile"), "FROM a").unwrap();
        fs::create_dir(folder.path().join("context")).unwrap();
        let at = |name: &str| folder.path().join(name);
        let context = context(&at("Dockerfile"), &at("context")).await.unwrap();
        assert_eq!(context.dockerfile, FROM_OUTSIDE);
        assert!(String::from_utf8_lossy(&context.archive).contains("FROM a"));
    }

    #[tokio::test]
    async fn a_pipe_and_a_dangling_link_hang_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("Dockerfile"), "FROM a").unwrap();
        std::os::unix::fs::symlink("/nowhere", at("link")).unwrap();
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mknodat(rustix::fs::CWD, at("pipe"), rustix::fs::FileType::Fifo, mode, 0).unwrap();
        let context = context(&at("Dockerfile"), folder.path()).await.unwrap();
        let text = String::from_utf8_lossy(&context.archive);
        assert!(text.contains("/nowhere") && !text.contains("pipe"));
    }

    #[tokio::test]
    async fn a_dockerfile_that_is_not_there_is_named() {
        let error = context(Path::new("/nowhere/Dockerfile"), Path::new("/nowhere"))
            .await
            .err()
            .unwrap();
        assert_eq!(error.to_string(), "/nowhere/Dockerfile is no file");
    }
}
