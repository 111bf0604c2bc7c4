//! Which container engine answers, and what it is.

use std::fmt;
use std::time::Duration;

use testcontainers::bollard::Docker;

use super::address::address;
use crate::backend::{Cause, Error};
use firedrill_model::format;

/// An engine that does not answer within this is none.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);

/// An engine that answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Engine {
    /// What it calls itself: "Docker Engine", "Podman Engine".
    pub name: String,
    /// Its version.
    pub version: String,
    /// The API version that both sides speak.
    pub api: String,
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}, API {}", self.name, self.version, self.api)
    }
}

/// The engine that `DOCKER_HOST` or the usual sockets lead to.
///
/// # Errors
/// [`Error::NoEngine`] with what the client says.
pub async fn engine() -> Result<Engine, Error> {
    connect().await.map(|(_, engine)| engine)
}

/// A client that speaks the newest API that engine and client both know.
pub(in crate::backend) async fn connect() -> Result<(Docker, Engine), Error> {
    let no_engine = |cause: Cause| Error::NoEngine { cause };
    match address() {
        Ok(None) => {}
        // A program that uses this crate must do as the command line does: set the variable before it begins.
        Ok(Some(address)) => {
            return Err(no_engine(
                format!("it is at {address}; set DOCKER_HOST={address}").into(),
            ));
        }
        Err(error) => return Err(no_engine(error.into())),
    }
    let negotiate = async {
        let client = testcontainers::core::client::docker_client_instance()
            .await
            .map_err(|error| no_engine(error.into()))?;
        let client = client
            .negotiate_version()
            .await
            .map_err(|error| no_engine(error.into()))?;
        let version = client.version().await.map_err(|error| no_engine(error.into()))?;
        let name = version
            .components
            .and_then(|components| Some(components.first()?.name.clone()));
        let engine = Engine {
            name: called(name.as_deref().unwrap_or_default()),
            version: version.version.unwrap_or_default(),
            api: client.client_version().to_string(),
        };
        Ok((client, engine))
    };
    tokio::time::timeout(ANSWERS_WITHIN, negotiate)
        .await
        .map_err(|_| no_engine(format!("no answer within {}", format::span(ANSWERS_WITHIN)).into()))?
}

/// An engine's own name for itself, as people say it: Docker's first component is just "Engine".
fn called(component: &str) -> String {
    match component.trim() {
        "" | "Engine" => "Docker Engine".into(),
        name if name.ends_with("Engine") => name.to_owned(),
        name => format!("{name} Engine"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_is_called_as_people_call_it() {
        assert_eq!(called("Engine"), "Docker Engine");
        assert_eq!(called("Podman Engine"), "Podman Engine");
    }
}
