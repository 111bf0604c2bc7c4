//! From what a system file names to what can be run: packages are built once, statically linked, so that the same
//! binary serves local processes and images made from nothing.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use tokio::process::Command;
use tokio::sync::OnceCell;

use super::{Error, Source};
use firedrill_model::scenario::{Build, System};

/// A package in a workspace, and its binary once it is built.
type Builds = HashMap<(PathBuf, String), Arc<OnceCell<PathBuf>>>;

/// Packages built by this process: two drills that need the same one build it once.
static BUILT: LazyLock<Mutex<Builds>> = LazyLock::new(Mutex::default);

/// What every service of a system is made of, built if need be. `progress` is told what takes time.
///
/// # Errors
/// [`Error::Build`], with the end of what the compiler said.
pub async fn sources(
    system: &System,
    folder: &Path,
    progress: &(dyn Fn(&str) + Sync),
) -> Result<BTreeMap<String, Source>, Error> {
    let mut sources = BTreeMap::new();
    for (name, service) in &system.services {
        sources.insert(name.clone(), source(&service.build, folder, progress).await?);
    }
    Ok(sources)
}

async fn source(build: &Build, folder: &Path, progress: &(dyn Fn(&str) + Sync)) -> Result<Source, Error> {
    Ok(match build {
        Build::Image(image) => Source::Image(image.clone()),
        Build::Dockerfile(path) => Source::Dockerfile(folder.join(path)),
        Build::Command(argv) => Source::Command(command(argv, folder)),
        Build::Package { name, bin, with } => {
            let main = bin.as_ref().unwrap_or(name);
            let mut binaries = vec![(main.clone(), package(name, main, folder, progress).await?)];
            for beside in with {
                binaries.push((beside.clone(), package(beside, beside, folder, progress).await?));
            }
            Source::Binaries(binaries)
        }
    })
}

/// A program given as a path is relative to the system file; a bare name is looked up as the system does.
fn command(argv: &[String], folder: &Path) -> Vec<String> {
    let mut argv = argv.to_vec();
    if let Some(program) = argv.first_mut().filter(|program| program.contains('/')) {
        *program = folder.join(&*program).display().to_string();
    }
    argv
}

async fn package(
    package: &str,
    bin: &str,
    folder: &Path,
    progress: &(dyn Fn(&str) + Sync),
) -> Result<PathBuf, Error> {
    let key = (folder.to_owned(), format!("{package}/{bin}"));
    let cell = Arc::clone(
        BUILT
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(key)
            .or_default(),
    );
    let built = cell.get_or_try_init(|| async {
        progress(&format!("building {package} (release, statically linked)"));
        cargo_build(package, bin, folder).await
    });
    built.await.cloned()
}

fn failed(what: &str, cause: impl ToString) -> Error {
    Error::Build {
        what: what.to_owned(),
        cause: cause.to_string(),
    }
}

/// The host's own target triple, as its compiler says it.
async fn host_triple(folder: &Path) -> Result<String, Error> {
    let output = Command::new("rustc")
        .arg("-vV")
        .current_dir(folder)
        .output()
        .await;
    let output = output.map_err(|cause| {
        failed(
            "anything",
            format!("cannot run rustc: {cause}; install Rust from https://rustup.rs"),
        )
    })?;
    let text = String::from_utf8_lossy(&output.stdout);
    let triple = text.lines().find_map(|line| line.strip_prefix("host: "));
    triple
        .map(str::to_owned)
        .ok_or_else(|| failed("anything", "rustc does not say which host this is"))
}

/// Builds one package in the workspace around `folder`. An explicit target keeps the static flags from its build
/// scripts, and its artefacts apart from everybody else's.
async fn cargo_build(package: &str, bin: &str, folder: &Path) -> Result<PathBuf, Error> {
    let triple = host_triple(folder).await?;
    let flags = format!(
        "CARGO_TARGET_{}_RUSTFLAGS",
        triple.to_uppercase().replace('-', "_")
    );
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args([
        "build",
        "--release",
        "--quiet",
        "--package",
        package,
        "--bin",
        bin,
        "--target",
        &triple,
    ]);
    command.args(["--message-format", "json-render-diagnostics"]);
    command
        .current_dir(folder)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
        .env(flags, "-C target-feature=+crt-static")
        .env_remove("RUSTFLAGS");
    let output = command
        .output()
        .await
        .map_err(|cause| failed(package, format!("cannot run cargo: {cause}")))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let last: Vec<&str> = said.lines().rev().take(20).collect();
        return Err(failed(
            package,
            last.into_iter().rev().collect::<Vec<_>>().join("\n"),
        ));
    }
    executable(&output.stdout, bin).ok_or_else(|| failed(package, format!("cargo made no binary `{bin}`")))
}

/// Where cargo says that it put a binary.
fn executable(messages: &[u8], bin: &str) -> Option<PathBuf> {
    let messages = messages.split(|byte| *byte == b'\n');
    messages
        .filter_map(|line| serde_json::from_slice::<serde_json::Value>(line).ok())
        .find_map(|message| {
            let name = message.get("target")?.get("name")?.as_str()?;
            let path = message.get("executable")?.as_str()?;
            (name == bin).then(|| PathBuf::from(path))
        })
}
