//! Where the container engine listens, found as the `docker` and `podman` commands find it.
//!
//! Takes the environment, Docker's configuration and the sockets of this machine; gives an address for `DOCKER_HOST`. The
//! client library reads that variable and knows a few sockets, but neither contexts nor Podman.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest, Sha256};

use firedrill_model::files::{self, FileError, Limit};

/// Configuration files have a few kilobytes.
const LIMIT: Limit = Limit::new(1 << 20, "Docker's configuration is small");

/// The context that stands for the usual sockets.
const DEFAULT_CONTEXT: &str = "default";

/// Why no address is known.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// A file of Docker's configuration cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: FileError,
    },
    /// A file of Docker's configuration is not what it should be.
    #[error("cannot understand {}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: serde_json::Error,
    },
    /// The chosen context does not exist.
    #[error("the Docker context `{context}` has no file {}; choose another with `docker context use` or DOCKER_CONTEXT", path.display())]
    NoContext {
        /// Its name.
        context: String,
        /// The file that describes it.
        path: PathBuf,
    },
    /// The chosen context leads to an engine that Firedrill cannot use.
    #[error(
        "the Docker context `{context}` leads to {host} over SSH or TLS: Firedrill needs an engine on this machine, at a unix:// or plain tcp:// address"
    )]
    NotLocal {
        /// Its name.
        context: String,
        /// Where it leads.
        host: String,
    },
    /// `DOCKER_HOST` is set to nothing, and none of the usual sockets exists.
    #[error("DOCKER_HOST is empty, and there is none of the usual sockets, such as {SOCKET}")]
    NoSocket,
}

/// Docker's own socket.
const SOCKET: &str = "/var/run/docker.sock";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Config {
    current_context: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Meta {
    endpoints: Endpoints,
}

#[derive(Deserialize)]
struct Endpoints {
    docker: Endpoint,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Endpoint {
    #[serde(default)]
    host: String,
}

/// The address that `DOCKER_HOST` must have; `None` where the client library finds the engine by itself.
///
/// The order: `DOCKER_HOST`; the context that `DOCKER_CONTEXT` or Docker's configuration names; Docker's sockets;
/// `CONTAINER_HOST`; Podman's sockets. An empty variable counts as unset.
///
/// # Errors
/// [`AddressError`].
pub fn address() -> Result<Option<String>, AddressError> {
    let is_empty = std::env::var_os("DOCKER_HOST").is_some_and(|host| host.is_empty());
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    match find(&variable, &|socket| socket.exists())? {
        // The library's own choice.
        Some(found) if found == format!("unix://{SOCKET}") && !is_empty => Ok(None),
        None if is_empty => Err(AddressError::NoSocket),
        found => Ok(found),
    }
}

/// The address, given how to read variables and whether a socket exists; `None` where `DOCKER_HOST` says it, or nothing
/// was found.
fn find(
    variable: &dyn Fn(&str) -> Option<String>,
    exists: &dyn Fn(&Path) -> bool,
) -> Result<Option<String>, AddressError> {
    if variable("DOCKER_HOST").is_some() {
        return Ok(None);
    }
    let home = variable("HOME").map(PathBuf::from);
    let config = variable("DOCKER_CONFIG").map(PathBuf::from);
    let config = config.or_else(|| Some(home.as_ref()?.join(".docker")));
    if let Some(config) = config {
        let context = match variable("DOCKER_CONTEXT") {
            Some(context) => Some(context),
            None => read::<Config>(&config.join("config.json"))?.and_then(|config| config.current_context),
        };
        if let Some(context) = context.filter(|context| !context.is_empty() && context != DEFAULT_CONTEXT) {
            return of_context(&config, context).map(Some);
        }
    }
    let runtime = variable("XDG_RUNTIME_DIR").map(PathBuf::from);
    let below = |folder: &Option<PathBuf>, socket: &str| folder.as_ref().map(|folder| folder.join(socket));
    let of_docker = [
        Some(SOCKET.into()),
        below(&runtime, "docker.sock"),
        below(&home, ".docker/run/docker.sock"),
        below(&home, ".docker/desktop/docker.sock"),
    ];
    let of_podman = [
        below(&runtime, "podman/podman.sock"),
        Some("/run/podman/podman.sock".into()),
    ];
    let first = |sockets: &[Option<PathBuf>]| {
        let socket = sockets.iter().flatten().find(|socket| exists(socket))?;
        Some(format!("unix://{}", socket.display()))
    };
    let found = first(&of_docker)
        .or_else(|| variable("CONTAINER_HOST"))
        .or_else(|| first(&of_podman));
    Ok(found)
}

/// Where a context leads.
fn of_context(config: &Path, context: String) -> Result<String, AddressError> {
    let id: String = Sha256::digest(&context)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let contexts = config.join("contexts");
    let path = contexts.join("meta").join(&id).join("meta.json");
    let Some(meta) = read::<Meta>(&path)? else {
        return Err(AddressError::NoContext { context, path });
    };
    let host = meta.endpoints.docker.host;
    let is_plain = host.starts_with("unix://") || host.starts_with("tcp://");
    if !is_plain || contexts.join("tls").join(&id).join("docker").exists() {
        return Err(AddressError::NotLocal { context, host });
    }
    Ok(host)
}

/// A JSON file; `None` when there is none.
fn read<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<Option<T>, AddressError> {
    let bytes = match files::read(path, LIMIT) {
        Ok(bytes) => bytes,
        Err(error) if error.is_missing() => return Ok(None),
        Err(source) => {
            let path = path.to_owned();
            return Err(AddressError::Read { path, source });
        }
    };
    serde_json::from_slice(&bytes).map(Some).map_err(|source| {
        let path = path.to_owned();
        AddressError::Parse { path, source }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A configuration folder with a context `there` that leads to a host.
    fn config(host: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let id: String = Sha256::digest("there")
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let meta = folder.path().join("contexts/meta").join(id);
        std::fs::create_dir_all(&meta).unwrap();
        let text = serde_json::json!({ "Name": "there", "Metadata": {}, "Endpoints": { "docker": { "Host": host } } });
        std::fs::write(meta.join("meta.json"), text.to_string()).unwrap();
        std::fs::write(
            folder.path().join("config.json"),
            r#"{ "auths": {}, "currentContext": "there" }"#,
        )
        .unwrap();
        folder
    }

    fn found(variables: &[(&str, &str)], sockets: &[&str]) -> Result<Option<String>, AddressError> {
        let variable = |name: &str| {
            let known = variables.iter().find(|(known, _)| *known == name);
            known.map(|(_, value)| (*value).to_owned())
        };
        find(&variable, &|socket| {
            sockets.iter().any(|known| Path::new(known) == socket)
        })
    }

    #[test]
    fn the_context_that_docker_uses_leads_to_the_engine() {
        let folder = config("unix:///run/there.sock");
        let config = ("DOCKER_CONFIG", folder.path().to_str().unwrap());
        let there = Some("unix:///run/there.sock".to_owned());
        assert_eq!(found(&[config], &[SOCKET]).unwrap(), there);
        assert_eq!(
            found(&[config, ("DOCKER_HOST", "unix:///x")], &[SOCKET]).unwrap(),
            None
        );
        let usual = found(&[config, ("DOCKER_CONTEXT", "default")], &[SOCKET]).unwrap();
        assert_eq!(usual, Some(format!("unix://{SOCKET}")));
        let missing = found(&[config, ("DOCKER_CONTEXT", "elsewhere")], &[SOCKET]);
        assert!(matches!(missing, Err(AddressError::NoContext { context, .. }) if context == "elsewhere"));
    }

    #[test]
    fn an_engine_on_another_machine_is_refused() {
        let folder = config("ssh://me@example.org");
        let config = ("DOCKER_CONFIG", folder.path().to_str().unwrap());
        let refused = found(&[config], &[SOCKET]);
        assert!(
            matches!(refused, Err(AddressError::NotLocal { host, .. }) if host == "ssh://me@example.org")
        );
    }

    #[test]
    fn without_docker_podman_is_found() {
        let runtime = ("XDG_RUNTIME_DIR", "/run/user/1000");
        let podman = "/run/user/1000/podman/podman.sock";
        assert_eq!(
            found(&[runtime], &[podman]).unwrap(),
            Some(format!("unix://{podman}"))
        );
        assert_eq!(
            found(&[runtime], &[podman, SOCKET]).unwrap(),
            Some(format!("unix://{SOCKET}"))
        );
        let named = ("CONTAINER_HOST", "unix:///run/other.sock");
        assert_eq!(
            found(&[runtime, named], &[podman]).unwrap(),
            Some("unix:///run/other.sock".into())
        );
        assert_eq!(found(&[runtime], &[]).unwrap(), None);
    }
}
