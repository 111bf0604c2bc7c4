//! Which releases answered, and when.

use std::time::Duration;

use serde::Serialize;

use super::interval::{self, Interval};
use super::streams::Streams;
use crate::history::History;
use crate::sample::{Label, Micros};

/// A release that has not answered for so many probes of its stream has stopped answering, for the time being …
const SILENT_PROBES: u32 = 5;
/// … and for at least this long: a scheduling hiccup is no change of releases.
const SILENT: Duration = Duration::from_millis(20);

/// A release that answered.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Release {
    /// Its name, as the answers say it.
    pub name: String,
    /// How many answers it gave, and how many of them were right.
    pub answers: (usize, usize),
    /// Its first answer: sent, ended.
    pub first: (Micros, Micros),
    /// Its last answer: sent, ended.
    pub last: (Micros, Micros),
    /// When it answered, without the times in which it was silent.
    pub stretches: Vec<Interval>,
}

/// In the order of their first answers.
pub(super) fn releases(history: &History, streams: &Streams<'_>) -> Vec<Release> {
    let mut seen: Vec<(Label, Release)> = Vec::new();
    for stream in streams.all() {
        let silent = (streams.interval(stream) * SILENT_PROBES).max(SILENT);
        for sample in streams.samples(stream).filter(|s| s.release != Label::NONE) {
            let stamps = (sample.sent, sample.ended);
            let good = usize::from(sample.outcome.is_up());
            match seen.iter_mut().find(|(label, _)| *label == sample.release) {
                Some((_, known)) => {
                    known.answers = (known.answers.0 + 1, known.answers.1 + good);
                    known.first = known.first.min(stamps);
                    known.last = known.last.max(stamps);
                    extend(&mut known.stretches, stamps, silent);
                }
                None => seen.push((sample.release, release(history, sample.release, good, stamps))),
            }
        }
    }
    let mut releases: Vec<Release> = seen.into_iter().map(|(_, release)| release).collect();
    for release in &mut releases {
        release.stretches = interval::union(release.stretches.drain(..));
    }
    releases.sort_by_key(|release| release.first);
    releases
}

fn release(history: &History, label: Label, good: usize, stamps: (Micros, Micros)) -> Release {
    let name = history.labels.get(usize::from(label.0));
    Release {
        name: name.cloned().unwrap_or_default(),
        answers: (1, good),
        first: stamps,
        last: stamps,
        stretches: vec![Interval {
            from: stamps.0,
            until: stamps.1,
        }],
    }
}

/// Adds an answer to the last stretch, or begins a new one after a silence (or with another stream's first answer).
fn extend(stretches: &mut Vec<Interval>, (sent, ended): (Micros, Micros), silent: Duration) {
    match stretches.last_mut() {
        Some(last) if last.from <= sent && sent.since(last.until) <= silent => {
            last.until = last.until.max(ended);
        }
        _ => stretches.push(Interval {
            from: sent,
            until: ended,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_that_came_back_answered_in_two_stretches() {
        let mut stretches = Vec::new();
        for at in [0, 10, 20, 200, 210] {
            let answer = (Micros(at * 1000), Micros(at * 1000 + 500));
            extend(&mut stretches, answer, Duration::from_millis(50));
        }
        let lengths: Vec<u64> = stretches.iter().map(|s| s.until.0 - s.from.0).collect();
        assert_eq!(lengths, [20_500, 10_500]);
    }
}
