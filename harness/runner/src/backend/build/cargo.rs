//! Builds one package with cargo, and reports progress from cargo's own status lines.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process_group};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};

use super::{Building, Show};

/// A compiler that fails can write without end; more than this helps nobody.
const LONGEST_OUTPUT: usize = 1 << 20;

/// A package that cannot be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CargoError {
    /// A program of the toolchain cannot be run.
    #[error("cannot run {program}; install Rust from https://rustup.rs")]
    NotRun {
        /// The program.
        program: String,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// `rustc` does not name the host.
    #[error("rustc does not name the host's target triple ({status}): {}", output.trim())]
    NoHost {
        /// How rustc ended.
        status: ExitStatus,
        /// What it wrote instead.
        output: String,
    },
    /// There is no workspace around the system file.
    #[error("cargo finds no workspace around {} ({status}): {}", folder.display(), output.trim())]
    NoWorkspace {
        /// The system file's folder.
        folder: PathBuf,
        /// How cargo ended.
        status: ExitStatus,
        /// What cargo wrote.
        output: String,
    },
    /// The answer of `cargo metadata` is not what this version expects.
    #[error("cannot read the output of cargo metadata")]
    Metadata(#[source] serde_json::Error),
    /// The workspace has no such package.
    #[error("the workspace {} has no package `{package}`", root.display())]
    NoPackage {
        /// The package.
        package: String,
        /// The workspace.
        root: PathBuf,
    },
    /// It does not compile.
    #[error("cargo cannot build {package} ({status}); see its output above")]
    Failed {
        /// The package.
        package: String,
        /// How cargo ended.
        status: ExitStatus,
        /// What cargo and the compiler wrote, unchanged.
        output: String,
    },
    /// The package has no such binary.
    #[error("the package `{package}` has no binary `{bin}`")]
    NoBinary {
        /// The package.
        package: String,
        /// The binary.
        bin: String,
    },
}

/// What `cargo metadata` says of a workspace, as far as it matters here.
#[derive(Debug, Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    workspace_root: PathBuf,
    #[serde(default)]
    workspace_default_members: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Package {
    name: String,
    id: String,
}

/// A message of `cargo build --message-format json`, as far as it matters here.
#[derive(Debug, Deserialize)]
struct Message {
    package_id: Option<String>,
    target: Option<Target>,
    executable: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
struct Target {
    name: String,
}

/// Builds a binary of a package in the workspace around `folder`, and returns its path.
pub(super) async fn build(
    package: &str,
    bin: &str,
    folder: &Path,
    show: Show<'_>,
) -> Result<PathBuf, CargoError> {
    let began = Instant::now();
    show(Building::Started { package });
    let metadata = metadata(folder).await?;
    let id = metadata.package(package)?;
    let mut child = run(command(&metadata, package, id, bin, folder).await?)?;
    let group = Group::of(&child);
    // Both pipes are read to their end at the same time: cargo would block on a full one.
    let (artefacts, status_lines) = tokio::join!(
        read_all(child.stdout.take()),
        status_lines(child.stderr.take(), package, show),
    );
    let status = child.wait().await.map_err(not_run("cargo"))?;
    group.ended();
    let (crates, output) = status_lines;
    if !status.success() {
        show(Building::Failed {
            package,
            output: &output,
        });
        return Err(CargoError::Failed {
            package: package.to_owned(),
            status,
            output,
        });
    }
    let took = began.elapsed();
    show(Building::Finished {
        package,
        crates,
        took,
    });
    executable(&artefacts, id, bin).ok_or_else(|| CargoError::NoBinary {
        package: package.to_owned(),
        bin: bin.to_owned(),
    })
}

impl Metadata {
    /// The id of a package.
    fn package(&self, name: &str) -> Result<&str, CargoError> {
        let package = self.packages.iter().find(|package| package.name == name);
        let package = package.ok_or_else(|| CargoError::NoPackage {
            package: name.to_owned(),
            root: self.workspace_root.clone(),
        })?;
        Ok(&package.id)
    }
}

/// The cargo command that builds a binary, without its progress bar and with its messages as JSON.
///
/// An explicit target keeps the static flags from build scripts and procedural macros. A default member of the workspace
/// is built as a plain `cargo build --release` builds it, with the features that the default members ask for together:
/// dependencies that they share are compiled once.
async fn command(
    metadata: &Metadata,
    package: &str,
    id: &str,
    bin: &str,
    folder: &Path,
) -> Result<Command, CargoError> {
    let host = host(folder).await?;
    let flags = format!("CARGO_TARGET_{}_RUSTFLAGS", host.to_uppercase().replace('-', "_"));
    let mut command = cargo(folder);
    command.args(["build", "--release", "--target", &host, "--bin", bin]);
    command
        .arg("--manifest-path")
        .arg(metadata.workspace_root.join("Cargo.toml"));
    // A default member is built without `--package`: the features, and so the build cache, are those of a plain build.
    if !metadata
        .workspace_default_members
        .iter()
        .any(|member| member == id)
    {
        command.args(["--package", package]);
    }
    command.args(["--message-format", "json-render-diagnostics"]);
    // RUSTFLAGS would replace the flags of the target.
    command
        .env(flags, "-C target-feature=+crt-static")
        .env_remove("RUSTFLAGS");
    Ok(command)
}

fn cargo(folder: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .current_dir(folder)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    for (name, _) in std::env::vars_os().filter(|(name, _)| describes_a_package(name)) {
        command.env_remove(name);
    }
    command
}

/// Whether cargo sets a variable for the package that it runs or builds. `cargo run` passes them to the harness. A build
/// script that reads one would run again, and all that depend on it, since a build from the shell does not have it.
fn describes_a_package(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| {
        ["CARGO_MANIFEST_", "CARGO_PKG_"]
            .iter()
            .any(|prefix| name.starts_with(prefix))
    })
}

fn run(mut command: Command) -> Result<Child, CargoError> {
    // A group of its own, so that an interrupted build ends with its compilers and build scripts.
    command.process_group(0);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    child.map_err(not_run("cargo"))
}

/// The process group of a build. Dropped before the build has ended, it kills cargo and everything that cargo started;
/// cargo takes up an interrupted build where it stood.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        let pid = child.id().and_then(|pid| i32::try_from(pid).ok());
        Self(pid.and_then(Pid::from_raw))
    }

    /// The build has ended by itself. Its group may be somebody else's from now on.
    fn ended(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // A group that is empty has ended.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

fn not_run(program: &str) -> impl FnOnce(std::io::Error) -> CargoError {
    let program = program.to_owned();
    move |source| CargoError::NotRun { program, source }
}

/// The workspace around a folder.
async fn metadata(folder: &Path) -> Result<Metadata, CargoError> {
    let mut command = cargo(folder);
    command.args(["metadata", "--no-deps", "--format-version", "1"]);
    let answer = command.output().await.map_err(not_run("cargo"))?;
    if !answer.status.success() {
        return Err(CargoError::NoWorkspace {
            folder: folder.to_owned(),
            status: answer.status,
            output: String::from_utf8_lossy(&answer.stderr).into_owned(),
        });
    }
    serde_json::from_slice(&answer.stdout).map_err(CargoError::Metadata)
}

/// The host's target triple, as its compiler names it.
async fn host(folder: &Path) -> Result<String, CargoError> {
    let rustc = Command::new("rustc")
        .arg("-vV")
        .current_dir(folder)
        .output()
        .await;
    let answer = rustc.map_err(not_run("rustc"))?;
    let text = String::from_utf8_lossy(&answer.stdout);
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| CargoError::NoHost {
        status: answer.status,
        output: String::from_utf8_lossy(&answer.stderr).into_owned(),
    })
}

async fn read_all(pipe: Option<impl AsyncReadExt + Unpin>) -> Vec<u8> {
    let mut all = Vec::new();
    if let Some(mut pipe) = pipe {
        // A pipe that breaks ends with cargo, whose exit status says more.
        let _ = pipe.read_to_end(&mut all).await;
    }
    all
}

/// Reads cargo's status lines to the end; returns how many crates it compiled, and everything else that was written.
async fn status_lines(
    pipe: Option<impl AsyncReadExt + Unpin>,
    package: &str,
    show: Show<'_>,
) -> (usize, String) {
    let (mut crates, mut output) = (0, String::new());
    let Some(pipe) = pipe else {
        return (crates, output);
    };
    let mut lines = BufReader::new(pipe).split(b'\n');
    while let Ok(Some(line)) = lines.next_segment().await {
        let line = String::from_utf8_lossy(&line);
        if let Some(name) = compiling(&line) {
            crates += 1;
            show(Building::Compiling {
                package,
                name,
                crates,
            });
        } else if output.len() < LONGEST_OUTPUT {
            output.push_str(&line);
            output.push('\n');
        }
    }
    (crates, output)
}

/// The crate of a status line: `   Compiling tokio v1.54.1`.
fn compiling(line: &str) -> Option<&str> {
    let rest = line.trim_start().strip_prefix("Compiling ")?;
    rest.split_whitespace().next()
}

/// The path of a binary, as cargo reports it. Two packages can have binaries of one name, so the package must match.
fn executable(messages: &[u8], package: &str, bin: &str) -> Option<PathBuf> {
    let messages = messages.split(|byte| *byte == b'\n').filter_map(json::<Message>);
    messages
        .filter(|message| message.package_id.as_deref() == Some(package))
        .filter(|message| message.target.as_ref().is_some_and(|target| target.name == bin))
        .find_map(|message| message.executable)
}

fn json<T: DeserializeOwned>(line: &[u8]) -> Option<T> {
    serde_json::from_slice(line).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_line_names_its_crate_and_a_diagnostic_does_not() {
        assert_eq!(compiling("   Compiling tokio v1.54.1"), Some("tokio"));
        assert_eq!(compiling("error[E0308]: mismatched types"), None);
        assert_eq!(compiling("    Finished `release` profile"), None);
    }

    /// `cargo test` sets these variables too, so they are there to be removed.
    #[test]
    fn variables_of_the_package_that_cargo_runs_do_not_reach_the_build() {
        let command = cargo(Path::new("."));
        let removed: Vec<_> = command
            .as_std()
            .get_envs()
            .filter_map(|(name, value)| value.is_none().then_some(name))
            .collect();
        for name in ["CARGO_MANIFEST_DIR", "CARGO_PKG_NAME", "CARGO_PKG_VERSION_MAJOR"] {
            assert!(removed.contains(&OsStr::new(name)), "{name} in {removed:?}");
        }
    }

    #[test]
    fn the_binary_of_another_package_is_not_taken() {
        let message = |package: &str, path: &str| {
            serde_json::json!({ "package_id": package, "target": { "name": "app" }, "executable": path })
                .to_string()
        };
        let messages = [
            message("other", "/other/app"),
            "not json".into(),
            message("ours", "/ours/app"),
        ]
        .join("\n");
        assert_eq!(
            executable(messages.as_bytes(), "ours", "app"),
            Some("/ours/app".into())
        );
        assert_eq!(executable(messages.as_bytes(), "ours", "tool"), None);
    }
}
