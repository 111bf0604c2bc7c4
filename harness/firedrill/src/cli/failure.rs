//! Why a command could not do its work, and the exit code for it. Printed in one place, at the end of `main`.

use std::error::Error;

use firedrill_model::scenario::Problems;

use super::exit::Exit;
use super::output;

/// A command's failure.
#[derive(Debug)]
pub(super) enum Failure {
    /// Mistakes in files, each shown with its place.
    Files(Problems),
    /// Any other error. The exit code says whether the usage or the environment is at fault.
    Error {
        /// The exit code.
        exit: Exit,
        /// The error with its causes.
        error: Box<dyn Error + Send + Sync>,
    },
}

impl Failure {
    /// The caller made a mistake.
    pub(super) fn usage(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::with(Exit::Usage, error)
    }

    /// The machine, the engine or the disk failed.
    pub(super) fn environment(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::with(Exit::Environment, error)
    }

    /// There is too little evidence for an answer.
    pub(super) fn undecided(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::with(Exit::Undecided, error)
    }

    fn with(exit: Exit, error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Error {
            exit,
            error: error.into(),
        }
    }

    /// The exit code.
    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::Files(_) => Exit::Usage,
            Self::Error { exit, .. } => *exit,
        }
    }

    /// Prints the failure to standard error.
    pub(super) fn print(&self) {
        match self {
            Self::Files(problems) => output::problems(problems),
            Self::Error { error, .. } => output::error(error.as_ref()),
        }
    }
}

impl From<Problems> for Failure {
    fn from(problems: Problems) -> Self {
        Self::Files(problems)
    }
}
