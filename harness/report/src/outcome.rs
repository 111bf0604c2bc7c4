//! What the reports over several drills consist of: drills that were judged, skipped, or not run.
//!
//! Takes what the caller knows of each drill, gives its status, its reason, and the order in which to read them.

use std::cmp::Reverse;

use super::drill::DrillReport;
use super::format;
use firedrill_judge::Verdict;

/// One drill of a report.
#[derive(Debug, Clone)]
pub enum DrillOutcome {
    /// It was judged.
    Judged(Box<DrillReport>),
    /// It was not run: the backend does not support what it needs.
    Skipped {
        /// The scenario.
        name: String,
        /// Why.
        why: String,
    },
    /// It was not run or cannot be read: a fault of the environment or the harness.
    Failed {
        /// The scenario, or the run folder.
        name: String,
        /// Why.
        why: String,
    },
}

/// A drill's result, in the order in which a reader wants them: the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Status {
    /// Not as its scenario requires, with evidence.
    Breached,
    /// Without enough evidence.
    Undecided,
    /// It could not be run or read.
    NotRun,
    /// The backend does not support it.
    Skipped,
    /// As its scenario requires.
    AsExpected,
}

impl Status {
    /// All of them, the worst first.
    const ALL: [Self; 5] = [
        Self::Breached,
        Self::Undecided,
        Self::NotRun,
        Self::Skipped,
        Self::AsExpected,
    ];

    /// A sign that can be read without colour.
    pub(super) fn sign(self) -> &'static str {
        match self {
            Self::Breached => "✗",
            Self::Undecided => "?",
            Self::NotRun => "!",
            Self::Skipped => "–",
            Self::AsExpected => "✓",
        }
    }

    /// In a word or two.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Breached => "breached",
            Self::Undecided => "undecided",
            Self::NotRun => "not run",
            Self::Skipped => "skipped",
            Self::AsExpected => "as expected",
        }
    }
}

impl DrillOutcome {
    /// Its name, with the number of its repeat where there are several.
    pub(super) fn title(&self) -> String {
        match self {
            Self::Judged(report) => report.title(),
            Self::Skipped { name, .. } | Self::Failed { name, .. } => super::text::plain(name, 200),
        }
    }

    /// Its report, if it was judged.
    pub(super) fn report(&self) -> Option<&DrillReport> {
        match self {
            Self::Judged(report) => Some(report),
            Self::Skipped { .. } | Self::Failed { .. } => None,
        }
    }

    /// Its result.
    pub(super) fn status(&self) -> Status {
        match self {
            Self::Skipped { .. } => Status::Skipped,
            Self::Failed { .. } => Status::NotRun,
            Self::Judged(report) => match (report.judgement.as_expected(), report.judgement.verdict()) {
                // As expected goes first: a negative control that breached as it must is no breach.
                (true, _) => Status::AsExpected,
                (false, Verdict::Undecided) => Status::Undecided,
                // A negative control that is met is as unexpected as a breach.
                (false, Verdict::Met | Verdict::Breached) => Status::Breached,
            },
        }
    }

    /// The reason for it, in a sentence.
    pub(super) fn reason(&self) -> String {
        match self {
            Self::Judged(report) => report.reason(),
            Self::Skipped { why, .. } | Self::Failed { why, .. } => why.clone(),
        }
    }
}

/// The worst first, then by cost, then by name.
pub(super) fn worst_first(drills: &[DrillOutcome]) -> Vec<&DrillOutcome> {
    let mut sorted: Vec<&DrillOutcome> = drills.iter().collect();
    // Cached: a title is made anew at each call.
    sorted.sort_by_cached_key(|drill| {
        let cost = drill.report().map_or(0, DrillReport::cost);
        (drill.status(), Reverse(cost), drill.title())
    });
    sorted
}

/// How many have which result: `2 breached, 1 undecided, 40 as expected`.
pub(super) fn counts(drills: &[DrillOutcome]) -> String {
    let count = |status| drills.iter().filter(|drill| drill.status() == status).count();
    let counts = Status::ALL
        .into_iter()
        .map(|status| (count(status), status.word()));
    let counts = counts.filter(|(count, _)| *count > 0);
    format::list(counts.map(|(count, word)| format!("{count} {word}")))
}

/// Several drills in a headline: `no drills`, `1 drill`, `5 drills`.
pub(super) fn how_many(drills: &[DrillOutcome]) -> String {
    match drills.len() {
        0 => "no drills".into(),
        number => format::count(number, "drill"),
    }
}
