//! Which releases answered, and when.
//!
//! A slow stream does not see an outage between two of its probes. So the time in which all streams together saw no answer
//! is cut out of every release's time.

use std::time::Duration;

use serde::Serialize;

use super::interval::{self, Interval};
use super::streams::Streams;
use crate::tally;
use firedrill_model::history::History;
use firedrill_model::sample::{Label, Micros, Sample};

/// A release that did not answer this many probes of a stream in a row has stopped answering for a while …
const SILENT_PROBES: u32 = 5;
/// … if that took at least this long: a delay of the scheduler is no change of releases.
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
    /// When it answered: disjoint, by time.
    pub stretches: Vec<Interval>,
}

/// The releases that answered, by their first answers.
pub(super) fn releases(history: &History, streams: &Streams<'_>) -> Vec<Release> {
    let mut seen: Vec<(Label, Option<Release>)> = Vec::new();
    for stream in streams.all() {
        let silent = (streams.interval(stream) * SILENT_PROBES).max(SILENT);
        for sample in streams.samples(stream).filter(|s| is_named(s)) {
            let stamps = (sample.sent, sample.ended);
            let known = tally::entry(&mut seen, sample.release);
            let release = known.get_or_insert_with(|| unanswered(history, sample.release, stamps));
            release.answers.0 += 1;
            release.answers.1 += usize::from(sample.outcome.is_up());
            release.first = release.first.min(stamps);
            release.last = release.last.max(stamps);
            extend(&mut release.stretches, stamps, silent);
        }
    }
    let mut releases: Vec<Release> = seen.into_iter().filter_map(|(_, release)| release).collect();
    let dead = dead(streams);
    for release in &mut releases {
        // Streams overlap in time: joined, their stretches are the release's.
        let joined = interval::union(release.stretches.drain(..));
        let alive = joined
            .into_iter()
            .flat_map(|stretch| interval::without(stretch, &dead));
        release.stretches = alive.collect();
    }
    releases.sort_by_key(|release| release.first);
    releases
}

/// When no release answered. Probes of any streams in a row that failed without naming a release prove it as an outage is
/// proven: from the first one's ē to the last one's s.
fn dead(streams: &Streams<'_>) -> Vec<Interval> {
    let mut dead = Vec::new();
    let mut row: Option<(Micros, Micros)> = None;
    for (stream, sample) in streams.merged().filter(|(_, sample)| !sample.outcome.is_void()) {
        // An answer that names a release is no silence, even where it is a bad one.
        if is_answered(sample) {
            dead.extend(row.take());
            continue;
        }
        let (evident, sent) = (streams.evident(stream, sample), sample.sent);
        row = Some(row.map_or((evident, sent), |(first, last)| {
            (first.min(evident), last.max(sent))
        }));
    }
    dead.extend(row);
    // A row of one probe proves an instant only: its start is not before its end.
    let intervals = dead.into_iter().map(|(from, until)| Interval { from, until });
    interval::union(intervals.filter(|interval| interval.from < interval.until))
}

/// Whether an answer names a release that is known. One past those that a drill can tell apart is some release, nobody
/// knows which.
fn is_named(sample: &Sample) -> bool {
    ![Label::NONE, Label::TOO_MANY].contains(&sample.release)
}

fn is_answered(sample: &Sample) -> bool {
    sample.outcome.is_up() || sample.release != Label::NONE
}

/// A release before its first answer is counted.
fn unanswered(history: &History, label: Label, stamps: (Micros, Micros)) -> Release {
    Release {
        name: history.label(label).unwrap_or_default().to_owned(),
        answers: (0, 0),
        first: stamps,
        last: stamps,
        stretches: Vec::new(),
    }
}

/// Adds an answer to the last stretch, or begins a new one after a silence (or with the first answer of another stream).
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
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use firedrill_model::history::{Event, Phase, Stamped};
    use firedrill_model::sample::{Bad, Mode, Outcome, StreamId};

    const MS: u64 = 1000;
    const LENGTH: u64 = 4000;

    /// A fast and a slow stream (one probe a second) of one release that refuses from one millisecond until another.
    fn killed(every: u64, from: u64, until: u64) -> Vec<Interval> {
        let sample = |stream: u16, at: u64| {
            let refused = (from..until).contains(&at);
            let ended = Micros(at * MS + 500);
            Sample {
                stream: StreamId(stream),
                due: Micros(at * MS),
                sent: Micros(at * MS),
                first: ended,
                ended,
                outcome: if refused {
                    Outcome::Bad(Bad::Refused)
                } else {
                    Outcome::Good
                },
                status: 0,
                release: if refused { Label::NONE } else { Label(1) },
                rung: Label::NONE,
                reconnected: false,
            }
        };
        let fast = (0..LENGTH / every).map(|i| sample(0, i * every));
        let slow = (0..LENGTH / 1000).map(|i| sample(1, i * 1000 + 7));
        let names = ["fast", "slow"];
        let journeys = names.map(|name| {
            serde_json::json!({ "name": name, "rate": "1/s", "request": { "path": "/" }, "answer": { "status": 200 } })
        });
        let stream = |(id, rate): (u16, f64)| Event::Stream {
            stream: StreamId(id),
            journey: names[usize::from(id)].into(),
            mode: Mode::New,
            rate,
        };
        #[expect(clippy::cast_precision_loss, reason = "a rate")]
        let rates = [(0, 1000.0 / every as f64), (1, 1.0)];
        let mut events: Vec<Event> = rates.map(stream).into();
        events.push(Event::Phase { phase: Phase::Steps });
        let stamped = |event| Stamped { at: Micros(0), event };
        let history = History {
            start: firedrill_model::history::made_up("killed", &journeys.as_slice().into()),
            events: events.into_iter().map(stamped).collect(),
            samples: fast.chain(slow).collect(),
            load: Vec::new(),
            labels: vec![String::new(), "v1".into()],
            torn: Vec::new(),
        };
        let window = Interval {
            from: Micros(0),
            until: Micros(LENGTH * MS),
        };
        releases(&history, &Streams::new(&history, window))
            .remove(0)
            .stretches
    }

    #[test]
    fn a_release_dead_for_less_than_a_slow_streams_interval_has_two_stretches() {
        let stretches = killed(20, 1100, 1700);
        assert_eq!(stretches.len(), 2, "{stretches:?}");
        assert!(
            stretches[0].until.0 <= 1101 * MS && stretches[1].from.0 >= 1680 * MS,
            "{stretches:?}"
        );
        assert_eq!(killed(20, 0, 0).len(), 1);
    }

    proptest! {
        /// No time between the first refused answer and the last refused probe counts as answered.
        #[test]
        fn no_release_answers_while_every_probe_is_refused(
            every in 5u64..50, from in 100u64..2000, lasting in 1u64..1500,
        ) {
            let stretches = killed(every, from, from + lasting);
            let refused: Vec<u64> = (0..LENGTH / every).map(|i| i * every)
                .chain((0..LENGTH / 1000).map(|i| i * 1000 + 7))
                .filter(|at| (from..from + lasting).contains(at)).collect();
            let ends = refused.iter().min().zip(refused.iter().max());
            if let Some((first, last)) = ends.filter(|(first, last)| first < last) {
                let dead = Interval { from: Micros(first * MS + 500), until: Micros(last * MS) };
                prop_assert!(stretches.iter().all(|stretch| stretch.within(dead).is_none()), "{:?}", stretches);
            }
            let alive: Duration = stretches.iter().map(|stretch| stretch.length()).sum();
            prop_assert!(alive + Duration::from_millis(lasting + 1100) >= Duration::from_millis(LENGTH));
        }
    }

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
