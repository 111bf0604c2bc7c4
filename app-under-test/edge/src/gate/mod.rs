//! What a release must pass before users meet it.
//!
//! A gate ends in one of four ways, and only one of them is a pass. What it tried and what came of it is its evidence,
//! so that a rejection explains itself.

pub mod journey;
pub mod process;
pub mod staging;
pub mod unit;

/// How a gate ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is not there, or switched off.
    Skipped,
    /// Everything that was tried held.
    Passed(Vec<String>),
    /// Something did not hold.
    Rejected {
        /// Why, in a line.
        reason: String,
        /// What was tried.
        evidence: Vec<String>,
    },
    /// It could not be tried: nothing is known, so it is no pass.
    Undecided {
        /// Why not, in a line.
        reason: String,
        /// What was tried until then.
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
