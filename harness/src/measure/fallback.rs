//! Fallback as an outcome of its own: which rung, how long, how many answers; and what a journey was when.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::Interval;
use super::outage::Outage;
use super::streams::Streams;
use crate::history::History;
use crate::sample::{Label, Outcome, Sample};

/// Fallback answers further apart than this are two stretches.
const APART: Duration = Duration::from_secs(1);

/// A fallback that answered.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Rung {
    /// Its name, as the answers say it.
    pub name: String,
    /// How many right answers it gave.
    pub answers: usize,
    /// From its first answer's sending to its last one's: how long users were served that way, to the accuracy of the
    /// probing interval on either side.
    pub time: Duration,
}

/// What a journey is at a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// Right answers, the normal way.
    Up,
    /// Right answers by this fallback.
    Fallback(String),
    /// An outage.
    Down,
}

/// A stretch of one standing.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Segment {
    /// From when until when.
    pub time: Interval,
    /// What it was.
    pub standing: Standing,
}

/// A journey's standings, in order and without gaps.
pub type Lane = Vec<Segment>;

/// The rungs of a journey's streams, and the stretches in which each answered.
pub(super) fn fallback(
    history: &History,
    streams: &Streams<'_>,
    own: &[usize],
) -> (Vec<Rung>, Vec<(String, Interval)>) {
    let mut stretches: BTreeMap<Label, Vec<(Interval, usize)>> = BTreeMap::new();
    let mut answers: Vec<&Sample> = own
        .iter()
        .flat_map(|stream| streams.judged(*stream))
        .filter(|s| s.outcome == Outcome::Fallback)
        .collect();
    answers.sort_by_key(|sample| sample.sent);
    for sample in answers {
        let of_rung = stretches.entry(sample.rung).or_default();
        match of_rung.last_mut() {
            Some((last, count)) if sample.sent.since(last.until) <= APART => {
                last.until = last.until.max(sample.ended);
                *count += 1;
            }
            _ => of_rung.push((
                Interval {
                    from: sample.sent,
                    until: sample.ended,
                },
                1,
            )),
        }
    }
    let name = |label: &Label| {
        history
            .labels
            .get(usize::from(label.0))
            .cloned()
            .unwrap_or_default()
    };
    let rung = |(label, stretches): (&Label, &Vec<(Interval, usize)>)| Rung {
        name: name(label),
        answers: stretches.iter().map(|(_, count)| count).sum(),
        time: stretches.iter().map(|(time, _)| time.length()).sum(),
    };
    let rungs = stretches.iter().map(rung).collect();
    let named = stretches
        .iter()
        .flat_map(|(label, of)| of.iter().map(move |(time, _)| (name(label), *time)));
    let mut named: Vec<(String, Interval)> = named.collect();
    named.sort_by_key(|(_, time)| *time);
    (rungs, named)
}

/// What a journey was when: down where an outage is, else by fallback where one answered, else up.
pub(super) fn lane(window: Interval, outages: &[Outage], fallbacks: &[(String, Interval)]) -> Lane {
    let down = outages.iter().map(|outage| {
        // An outage that did not end is taken to go on: nobody saw a good answer since.
        let until = match outage.first_good {
            Some(good) if !outage.open => good,
            _ => window.until.max(outage.hull.until),
        };
        (
            Standing::Down,
            Interval {
                from: outage.first_bad,
                until,
            },
        )
    });
    let other = fallbacks
        .iter()
        .map(|(name, time)| (Standing::Fallback(name.clone()), *time));
    let mut lane = Lane::new();
    let mut at = window.from;
    let mut marked: Vec<(Standing, Interval)> = down
        .chain(other)
        .filter_map(|(s, time)| Some((s, time.within(window)?)))
        .collect();
    marked.sort_by_key(|(standing, time)| (time.from, *standing != Standing::Down));
    for (standing, time) in marked {
        let time = Interval {
            from: time.from.max(at),
            until: time.until,
        };
        if time.from >= time.until {
            continue;
        }
        push(
            &mut lane,
            Standing::Up,
            Interval {
                from: at,
                until: time.from,
            },
        );
        push(&mut lane, standing, time);
        at = time.until;
    }
    push(
        &mut lane,
        Standing::Up,
        Interval {
            from: at,
            until: window.until,
        },
    );
    lane
}

fn push(lane: &mut Lane, standing: Standing, time: Interval) {
    match lane.last_mut() {
        _ if time.from >= time.until => {}
        Some(last) if last.standing == standing => last.time.until = time.until,
        _ => lane.push(Segment { time, standing }),
    }
}
