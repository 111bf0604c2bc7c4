//! Takes what a system file says a service is built from, and gives what a backend can start.
//!
//! A package of a cargo workspace is built once per call, statically linked: the same binary runs as a local process
//! and in an image made `FROM scratch`.

mod cargo;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::OnceCell;

use super::{Error, Source};
use firedrill_model::scenario::{Build, Dockerfile, Service, System};

pub use cargo::CargoError;

/// What a build is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Building<'a> {
    /// The build of a package began.
    Started {
        /// The package.
        package: &'a str,
    },
    /// The compiler started on another crate.
    Compiling {
        /// The package that is built.
        package: &'a str,
        /// The crate that is compiled now.
        name: &'a str,
        /// How many crates were started so far, this one included.
        crates: usize,
    },
    /// The package is built.
    Finished {
        /// The package.
        package: &'a str,
        /// How many crates were compiled; none when all were up to date.
        crates: usize,
        /// How long it took.
        took: Duration,
    },
    /// The build failed.
    Failed {
        /// The package.
        package: &'a str,
        /// What cargo and the compiler wrote, unchanged.
        output: &'a str,
    },
}

/// Shows what a build is doing.
type Show<'a> = &'a (dyn Fn(Building<'_>) + Sync);

/// A package in a workspace, and its binary once it is built.
type Builds = HashMap<(PathBuf, String), Arc<OnceCell<PathBuf>>>;

/// Packages built by this process: two drills that need the same one build it once.
static BUILT: LazyLock<Mutex<Builds>> = LazyLock::new(Mutex::default);

/// Builds what the services of a system are started from. `show` gets the progress of builds, which can take minutes.
///
/// # Errors
/// [`Error::Cargo`] when a package cannot be built.
pub async fn sources(
    system: &System,
    folder: &Path,
    show: Show<'_>,
) -> Result<BTreeMap<String, Source>, Error> {
    let mut sources = BTreeMap::new();
    for (name, service) in &system.services {
        sources.insert(name.clone(), source(service, folder, show).await?);
    }
    Ok(sources)
}

async fn source(service: &Service, folder: &Path, show: Show<'_>) -> Result<Source, Error> {
    Ok(match &service.build {
        Build::Image(image) => Source::Image(image.clone()),
        Build::Dockerfile(file) => Source::Dockerfile(Dockerfile {
            path: folder.join(&file.path),
            context: Some(folder.join(file.context())),
            ..file.clone()
        }),
        Build::Command(argv) => Source::Command {
            argv: argv.clone(),
            folder: match &service.working_folder {
                Some(working) => folder.join(working),
                None => folder.to_owned(),
            },
        },
        Build::Package { name, bin, with } => {
            let main = bin.as_ref().unwrap_or(name);
            let mut binaries = vec![(main.clone(), package(name, main, folder, show).await?)];
            for beside in with {
                binaries.push((beside.clone(), package(beside, beside, folder, show).await?));
            }
            Source::Binaries(binaries)
        }
    })
}

async fn package(package: &str, bin: &str, folder: &Path, show: Show<'_>) -> Result<PathBuf, Error> {
    let key = (folder.to_owned(), format!("{package}/{bin}"));
    // The lock ends before the build: two packages may build at the same time, one package only once.
    let cell = Arc::clone(
        BUILT
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(key)
            .or_default(),
    );
    let built = cell.get_or_try_init(|| cargo::build(package, bin, folder, show));
    Ok(built.await?.clone())
}
