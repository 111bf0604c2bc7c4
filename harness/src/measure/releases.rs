//! Which releases answered, and when.

use serde::Serialize;

use super::streams::Streams;
use crate::history::History;
use crate::sample::{Label, Micros};

/// A release that answered.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Release {
    /// Its name, as the answers say it.
    pub name: String,
    /// How many answers it gave, and how many of them were right.
    pub answers: (usize, usize),
    /// Its first answer: sent, ended.
    pub first: (Micros, Micros),
    /// Its last answer: sent, ended.
    pub last: (Micros, Micros),
}

/// In the order of their first answers.
pub(super) fn releases(history: &History, streams: &Streams<'_>) -> Vec<Release> {
    let mut seen: Vec<(Label, Release)> = Vec::new();
    for sample in streams
        .all()
        .flat_map(|stream| streams.samples(stream))
        .filter(|s| s.release != Label::NONE)
    {
        let stamps = (sample.sent, sample.ended);
        let good = usize::from(sample.outcome.is_up());
        match seen.iter_mut().find(|(label, _)| *label == sample.release) {
            Some((_, known)) => {
                known.answers = (known.answers.0 + 1, known.answers.1 + good);
                known.first = known.first.min(stamps);
                known.last = known.last.max(stamps);
            }
            None => {
                let name = history
                    .labels
                    .get(usize::from(sample.release.0))
                    .cloned()
                    .unwrap_or_default();
                seen.push((
                    sample.release,
                    Release {
                        name,
                        answers: (1, good),
                        first: stamps,
                        last: stamps,
                    },
                ));
            }
        }
    }
    let mut releases: Vec<Release> = seen.into_iter().map(|(_, release)| release).collect();
    releases.sort_by_key(|release| release.first);
    releases
}
