//! What the reports over several drills are made of: drills that were judged, and those that were not.

use super::drill::DrillReport;
use firedrill_judge::Verdict;

/// One drill of a report.
#[derive(Debug, Clone)]
pub enum DrillOutcome {
    /// It was judged.
    Judged(Box<DrillReport>),
    /// Not run: the backend cannot do what it needs.
    Skipped {
        /// The scenario.
        name: String,
        /// Why.
        why: String,
    },
    /// Not run, or not readable: the environment's fault or ours.
    Failed {
        /// The scenario, or the run folder.
        name: String,
        /// Why.
        why: String,
    },
}

/// What a drill comes to for whoever reads a report: the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Status {
    /// Not as its scenario states, with evidence.
    Breached,
    /// Nothing can be said.
    Undecided,
    /// It could not be run or read.
    Failed,
    /// The backend cannot do it.
    Skipped,
    /// As stated.
    AsExpected,
}

impl Status {
    /// A mark that can be read without colour.
    pub(super) fn mark(self) -> &'static str {
        match self {
            Self::Breached => "✗",
            Self::Undecided => "?",
            Self::Failed => "!",
            Self::Skipped => "–",
            Self::AsExpected => "✓",
        }
    }

    /// In a word or two.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Breached => "breached",
            Self::Undecided => "undecided",
            Self::Failed => "not run",
            Self::Skipped => "skipped",
            Self::AsExpected => "as stated",
        }
    }
}

impl DrillOutcome {
    /// Its name, with the number of its repeat where there are several.
    pub(super) fn title(&self) -> String {
        match self {
            Self::Judged(report) => report.title(),
            Self::Skipped { name, .. } | Self::Failed { name, .. } => name.clone(),
        }
    }

    pub(super) fn report(&self) -> Option<&DrillReport> {
        match self {
            Self::Judged(report) => Some(report),
            _ => None,
        }
    }

    pub(super) fn status(&self) -> Status {
        match self {
            Self::Skipped { .. } => Status::Skipped,
            Self::Failed { .. } => Status::Failed,
            Self::Judged(report) => match (report.judgement.as_expected(), report.judgement.verdict()) {
                (true, _) => Status::AsExpected,
                (false, Verdict::Undecided) => Status::Undecided,
                (false, _) => Status::Breached,
            },
        }
    }

    /// Why it came to that, in a sentence.
    pub(super) fn reason(&self) -> String {
        match self {
            Self::Judged(report) => report.reason(),
            Self::Skipped { why, .. } | Self::Failed { why, .. } => why.clone(),
        }
    }
}

/// The worst first, then by what they took of the budget, then by name.
pub(super) fn worst_first(drills: &[DrillOutcome]) -> Vec<&DrillOutcome> {
    let mut sorted: Vec<&DrillOutcome> = drills.iter().collect();
    sorted.sort_by_cached_key(|drill| {
        let taken = drill.report().map_or(0, DrillReport::taken);
        (drill.status(), std::cmp::Reverse(taken), drill.title())
    });
    sorted
}

/// How many came to what: `2 breached, 1 undecided, 40 as stated`.
pub(super) fn counts(drills: &[DrillOutcome]) -> String {
    let all = [
        Status::Breached,
        Status::Undecided,
        Status::Failed,
        Status::Skipped,
        Status::AsExpected,
    ];
    let count = |status| drills.iter().filter(|drill| drill.status() == status).count();
    let counts = all.iter().map(|status| (count(*status), status.word()));
    let counts: Vec<String> = counts
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    counts.join(", ")
}
