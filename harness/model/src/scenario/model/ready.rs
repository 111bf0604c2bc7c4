//! When a service counts as ready.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Texts;
use crate::units::Span;

/// When a service counts as ready: at most one of `path`, `command` and `log`. Without one of them, when its port
/// accepts a connection; a service without a port, as soon as its process runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Ready {
    /// A path that answers with a status below 400.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The named port to ask; the main one without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<String>,
    /// Headers of the request, such as `Host`.
    #[serde(skip_serializing_if = "Texts::is_empty")]
    pub header: Texts,
    /// A program and its arguments, as templates, that ends with exit code 0: `["pg_isready", "-q"]`. It runs in the
    /// service's container; for a local process, in the same folder with the same environment as the service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<Vec<String>>,
    /// A text that the service's log contains since this start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
    /// At most this long (10 s). A single answer or command may take as long.
    pub within: Span,
}

impl Default for Ready {
    fn default() -> Self {
        Self {
            path: None,
            port: None,
            header: Texts::new(),
            command: None,
            log: None,
            within: Span::from_secs(10),
        }
    }
}

/// What shows that a service is ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition<'r> {
    /// A page answers.
    Page(&'r str),
    /// A command ends with exit code 0.
    Command(&'r [String]),
    /// The log contains a text.
    Log(&'r str),
    /// A port accepts a connection.
    Connection,
    /// The process runs: nothing else is asked for.
    Process,
}

impl Ready {
    /// What is waited for, given whether the service has a main port.
    pub fn condition(&self, has_port: bool) -> Condition<'_> {
        match (&self.path, &self.command, &self.log) {
            (Some(path), ..) => Condition::Page(path),
            (_, Some(argv), _) => Condition::Command(argv),
            (.., Some(text)) => Condition::Log(text),
            _ if has_port || self.port.is_some() => Condition::Connection,
            _ => Condition::Process,
        }
    }
}

/// As an error says it, after "waited for".
impl fmt::Display for Condition<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Page(path) => write!(f, "a status below 400 at {path}"),
            Self::Command(argv) => write!(f, "exit code 0 of `{}`", argv.join(" ")),
            Self::Log(text) => write!(f, "`{text}` in its log"),
            Self::Connection => f.write_str("a connection to its port"),
            Self::Process => f.write_str("its process"),
        }
    }
}
