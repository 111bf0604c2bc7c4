//! What the reports over several drills are made of: drills that were judged, and those that were not.

use super::story::Story;
use firedrill_judge::Verdict;

/// One drill of a report.
#[derive(Debug, Clone)]
pub enum Drill {
    /// It was judged.
    Judged(Box<Story>),
    /// Not run: the target cannot do what it needs.
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
pub(super) enum Standing {
    /// Not as its scenario states, with evidence.
    Breached,
    /// Nothing can be said.
    Undecided,
    /// It could not be run or read.
    Failed,
    /// The target cannot do it.
    Skipped,
    /// As stated.
    Stated,
}

impl Standing {
    /// A mark that can be read without colour.
    pub(super) fn mark(self) -> &'static str {
        match self {
            Self::Breached => "✗",
            Self::Undecided => "?",
            Self::Failed => "!",
            Self::Skipped => "–",
            Self::Stated => "✓",
        }
    }

    /// In a word or two.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Breached => "breached",
            Self::Undecided => "undecided",
            Self::Failed => "not run",
            Self::Skipped => "skipped",
            Self::Stated => "as stated",
        }
    }
}

impl Drill {
    /// Its name, with the number of its repeat where there are several.
    pub(super) fn title(&self) -> String {
        match self {
            Self::Judged(story) => story.title(),
            Self::Skipped { name, .. } | Self::Failed { name, .. } => name.clone(),
        }
    }

    pub(super) fn story(&self) -> Option<&Story> {
        match self {
            Self::Judged(story) => Some(story),
            _ => None,
        }
    }

    pub(super) fn standing(&self) -> Standing {
        match self {
            Self::Skipped { .. } => Standing::Skipped,
            Self::Failed { .. } => Standing::Failed,
            Self::Judged(story) => match (story.judgement.stated(), story.judgement.verdict()) {
                (true, _) => Standing::Stated,
                (false, Verdict::Undecided) => Standing::Undecided,
                (false, _) => Standing::Breached,
            },
        }
    }

    /// Why it came to that, in a sentence.
    pub(super) fn reason(&self) -> String {
        match self {
            Self::Judged(story) => story.reason(),
            Self::Skipped { why, .. } | Self::Failed { why, .. } => why.clone(),
        }
    }
}

/// The worst first, then by what they took of the budget, then by name.
pub(super) fn worst_first(drills: &[Drill]) -> Vec<&Drill> {
    let mut sorted: Vec<&Drill> = drills.iter().collect();
    sorted.sort_by_cached_key(|drill| {
        let taken = drill.story().map_or(0, Story::taken);
        (drill.standing(), std::cmp::Reverse(taken), drill.title())
    });
    sorted
}

/// How many came to what: `2 breached, 1 undecided, 40 as stated`.
pub(super) fn counts(drills: &[Drill]) -> String {
    let all = [
        Standing::Breached,
        Standing::Undecided,
        Standing::Failed,
        Standing::Skipped,
        Standing::Stated,
    ];
    let count = |standing| drills.iter().filter(|drill| drill.standing() == standing).count();
    let counts = all.iter().map(|standing| (count(*standing), standing.word()));
    let counts: Vec<String> = counts
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    counts.join(", ")
}
