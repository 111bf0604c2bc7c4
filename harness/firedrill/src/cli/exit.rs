//! Exit codes: what CI sees.

use std::process::ExitCode;

use firedrill_judge::{Judgement, Verdict};

/// How a command ended. The worst of several is the one that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exit {
    /// Every drill ended as its scenario expects; a control breached.
    AsExpected,
    /// A check was breached, or a control was not.
    Breached,
    /// Bad usage or a bad file. Nothing was started.
    Usage,
    /// Evidence is missing, or every drill was skipped.
    Undecided,
    /// The environment failed: no engine, a failed build, a full disk.
    Environment,
    /// Something that Firedrill started is still there; the output says how to remove it.
    Unclean,
    /// Somebody stopped the command; faults were reverted first.
    Interrupted,
}

impl Exit {
    /// The code for the operating system.
    pub(super) fn code(self) -> u8 {
        match self {
            Self::AsExpected => 0,
            Self::Breached => 1,
            Self::Usage => 2,
            Self::Undecided => 3,
            Self::Environment => 4,
            Self::Unclean => 5,
            Self::Interrupted => 130,
        }
    }

    /// The order of [`worst`](Self::worst). Leftovers come first, since somebody has to remove them; a breach comes
    /// before an environment failure or missing evidence, since it is a result and they are not.
    fn severity(self) -> u8 {
        match self {
            Self::AsExpected => 0,
            Self::Undecided => 1,
            Self::Environment => 2,
            Self::Breached => 3,
            Self::Usage => 4,
            Self::Interrupted => 5,
            Self::Unclean => 6,
        }
    }

    /// The worse of two.
    pub(super) fn worst(self, other: Self) -> Self {
        if other.severity() > self.severity() {
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

impl From<&Judgement> for Exit {
    fn from(judgement: &Judgement) -> Self {
        match (judgement.as_expected(), judgement.verdict()) {
            (true, _) => Self::AsExpected,
            (false, Verdict::Undecided) => Self::Undecided,
            // Met is a failure here too: it is a control that did not breach.
            (false, Verdict::Met | Verdict::Breached) => Self::Breached,
        }
    }
}
