//! Where the services of a drill ran.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A kind of backend, as a history names it. Backends come and go with versions, so any name is read.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
#[non_exhaustive]
pub enum BackendKind {
    /// `docker`: in containers.
    Docker,
    /// `process`: as local processes.
    Process,
    /// One of another version, by its name.
    Other(String),
}

impl BackendKind {
    /// Its name in histories and on the command line.
    pub fn name(&self) -> &str {
        match self {
            Self::Docker => "docker",
            Self::Process => "process",
            Self::Other(name) => name,
        }
    }
}

impl fmt::Display for BackendKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl From<&str> for BackendKind {
    fn from(name: &str) -> Self {
        [Self::Docker, Self::Process]
            .into_iter()
            .find(|kind| kind.name() == name)
            .unwrap_or_else(|| Self::Other(name.to_owned()))
    }
}

impl From<String> for BackendKind {
    fn from(name: String) -> Self {
        name.as_str().into()
    }
}

impl From<BackendKind> for String {
    fn from(kind: BackendKind) -> Self {
        kind.name().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backend_of_another_version_is_read_and_written_as_it_is() {
        for (json, kind) in [
            (r#""docker""#, BackendKind::Docker),
            (r#""process""#, BackendKind::Process),
            (r#""kubernetes""#, BackendKind::Other("kubernetes".to_owned())),
        ] {
            assert_eq!(serde_json::from_str::<BackendKind>(json).unwrap(), kind);
            assert_eq!(serde_json::to_string(&kind).unwrap(), json);
        }
    }
}
