//! Exit codes: what CI sees.

use std::process::ExitCode;

/// How a command ended. The worst of several is the one that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exit {
    /// Everything as the scenarios state it.
    AsStated,
    /// A contract was breached, or a control did not breach.
    Breached,
    /// Bad usage, or a bad file: nothing was started.
    Usage,
    /// Nothing can be said: evidence is missing, or everything was skipped.
    Undecided,
    /// The environment: no engine, a failed build, a full disk.
    Environment,
    /// Something of ours was left behind; the output says how to finish.
    Unclean,
    /// Somebody stopped it; faults were reverted first.
    Interrupted,
}

impl Exit {
    fn code(self) -> u8 {
        match self {
            Self::AsStated => 0,
            Self::Breached => 1,
            Self::Usage => 2,
            Self::Undecided => 3,
            Self::Environment => 4,
            Self::Unclean => 5,
            Self::Interrupted => 130,
        }
    }

    /// How much it matters: what was left behind before who stopped it, a breach before what could not be decided.
    fn weight(self) -> u8 {
        match self {
            Self::AsStated => 0,
            Self::Undecided => 1,
            Self::Environment => 2,
            Self::Breached => 3,
            Self::Usage => 4,
            Self::Interrupted => 5,
            Self::Unclean => 6,
        }
    }

    /// The one that counts.
    pub(super) fn worst(self, other: Self) -> Self {
        if other.weight() > self.weight() {
            other
        } else {
            self
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
