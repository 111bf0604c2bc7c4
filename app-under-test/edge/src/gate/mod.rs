//! The gates: checks that a release must pass before it is promoted.
//!
//! Takes a release, gives an [`Outcome`] with its evidence: what was tried, and with what result.

pub mod journey;
pub mod process;
pub(crate) mod ready;
pub mod staging;
pub mod unit;

/// The result of a gate. Only `Passed` is a pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The gate is not configured or switched off.
    Skipped,
    /// Every check succeeded; the evidence.
    Passed(Vec<String>),
    /// A check failed.
    Rejected {
        /// The reason, in one line.
        reason: String,
        /// What was tried.
        evidence: Vec<String>,
    },
    /// The checks could not run. This does not let the release pass.
    Undecided {
        /// The reason, in one line.
        reason: String,
        /// What was tried before.
        evidence: Vec<String>,
    },
}

impl Outcome {
    fn undecided(reason: impl Into<String>) -> Self {
        Self::Undecided {
            reason: reason.into(),
            evidence: Vec::new(),
        }
    }
}
