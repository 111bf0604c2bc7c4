//! Fallbacks: which rungs answered, for how long and how often; and the lane of a journey, its states over time.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::interval::{self, Interval};
use super::outage::Outage;
use super::streams::Streams;
use firedrill_model::history::History;
use firedrill_model::sample::{Label, Micros, Outcome, Sample};

/// Fallback answers further apart than this are two stretches.
const APART: Duration = Duration::from_secs(1);

/// The name of fallbacks past those that a drill can tell apart.
const UNKNOWN_RUNG: &str = "others";

/// A fallback that answered.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Rung {
    /// Its name, as the answers say it.
    pub name: String,
    /// How many right answers it gave.
    pub answers: usize,
    /// How long users were served by it: from the sending of the first answer of each stretch to the end of the last one,
    /// accurate to the probing interval on either side.
    pub time: Duration,
}

/// The state of a journey at a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum JourneyState {
    /// Right answers, the normal way.
    Up,
    /// Right answers by this fallback.
    Fallback(String),
    /// An outage.
    Down,
}

/// A stretch of time in one state.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Segment {
    /// From when until when.
    pub time: Interval,
    /// The state.
    pub state: JourneyState,
}

/// A journey's states, in order and without gaps.
pub type Lane = Vec<Segment>;

/// The rungs of a journey's streams, and the stretches in which each answered.
pub(super) fn fallback(
    history: &History,
    streams: &Streams<'_>,
    of_journey: &[usize],
) -> (Vec<Rung>, Vec<(String, Interval)>) {
    let mut stretches: BTreeMap<Label, Vec<(Interval, usize)>> = BTreeMap::new();
    let mut answers: Vec<&Sample> = of_journey
        .iter()
        .flat_map(|stream| streams.judged(*stream))
        .filter(|s| s.outcome == Outcome::Fallback)
        .collect();
    // Streams one after the other so far: a stretch is of the journey, whichever stream saw it.
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
    let name = |label: &Label| match *label {
        Label::TOO_MANY => UNKNOWN_RUNG.to_owned(),
        known => history.label(known).unwrap_or_default().to_owned(),
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
    let good = of_journey.iter().flat_map(|stream| streams.judged(*stream));
    let good = good.filter(|sample| sample.outcome == Outcome::Good);
    join(&mut named, good.map(|sample| sample.sent).collect());
    (rungs, named)
}

/// Where one fallback followed another without a normal answer between them, the first lasts until the second begins:
/// nothing says that the journey was up in between.
fn join(stretches: &mut [(String, Interval)], mut good: Vec<Micros>) {
    good.sort_unstable();
    for at in 1..stretches.len() {
        let next = stretches[at].1.from;
        let last = &mut stretches[at - 1].1;
        let first_good = good.partition_point(|sent| *sent < last.until);
        let none_between = good.get(first_good).is_none_or(|sent| *sent >= next);
        if last.until < next && next.since(last.until) <= APART && none_between {
            last.until = next;
        }
    }
}

/// A journey's states in a window: down where an outage is, else by fallback where one answered, else up.
///
/// Where two fallbacks answered at the same time, the one that began later has the time: a short one within a long one
/// stays visible.
pub(super) fn lane(window: Interval, outages: &[Outage], fallbacks: &[(String, Interval)]) -> Lane {
    let down = |outage: &Outage| {
        // Still down: no good answer was seen since, to the end of the window.
        let until = match outage.first_good {
            Some(good) if !outage.still_down => good,
            _ => window.until.max(outage.hull.until),
        };
        Interval {
            from: outage.first_bad,
            until,
        }
        .within(window)
    };
    let downs = interval::union(outages.iter().filter_map(down));
    let by_fallback: Vec<(&str, Interval)> = fallbacks
        .iter()
        .filter_map(|(name, time)| Some((name.as_str(), time.within(window)?)))
        .collect();
    let times = by_fallback.iter().map(|(_, time)| time).chain(&downs);
    let mut instants: Vec<Micros> = times
        .flat_map(|time| [time.from, time.until])
        .chain([window.from, window.until])
        .collect();
    instants.sort_unstable();
    instants.dedup();
    let state = |at: Micros| {
        let covers = |time: &Interval| time.from <= at && at < time.until;
        if downs.iter().any(covers) {
            return JourneyState::Down;
        }
        let answering = by_fallback.iter().filter(|(_, time)| covers(time));
        match answering.max_by_key(|(_, time)| time.from) {
            Some((name, _)) => JourneyState::Fallback((*name).to_owned()),
            None => JourneyState::Up,
        }
    };
    let mut lane = Lane::new();
    for (from, until) in instants.iter().zip(instants.iter().skip(1)) {
        let time = Interval {
            from: *from,
            until: *until,
        };
        push(&mut lane, state(time.from), time);
    }
    lane
}

/// Adds a stretch, joined to the last one where the state is the same.
fn push(lane: &mut Lane, state: JourneyState, time: Interval) {
    match lane.last_mut() {
        Some(last) if last.state == state => last.time.until = time.until,
        _ => lane.push(Segment { time, state }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(from: u64, until: u64) -> Interval {
        Interval {
            from: Micros(from),
            until: Micros(until),
        }
    }

    fn outage(from: u64, until: u64, still_down: bool) -> Outage {
        Outage {
            core: vec![time(from, until)],
            runs: vec![time(from, until)],
            hull: time(from, until),
            onset: time(from, from),
            end: time(until, until),
            still_down,
            first_bad: Micros(from),
            first_good: (!still_down).then_some(Micros(until)),
            kinds: Vec::new(),
        }
    }

    #[test]
    fn an_outage_during_a_fallback_is_down() {
        let lane = lane(
            time(0, 100),
            &[outage(40, 50, false)],
            &[("memory".into(), time(20, 80))],
        );
        let states: Vec<(u64, &JourneyState)> = lane
            .iter()
            .map(|segment| (segment.time.from.0, &segment.state))
            .collect();
        let memory = JourneyState::Fallback("memory".into());
        assert_eq!(
            states,
            [
                (0, &JourneyState::Up),
                (20, &memory),
                (40, &JourneyState::Down),
                (50, &memory),
                (80, &JourneyState::Up)
            ]
        );
    }

    #[test]
    fn a_fallback_within_another_is_seen() {
        let fallbacks = [
            ("journal".into(), time(10, 90)),
            ("signed-link".into(), time(20, 80)),
        ];
        let lane = lane(time(0, 100), &[], &fallbacks);
        let states: Vec<(u64, &JourneyState)> = lane
            .iter()
            .map(|segment| (segment.time.from.0, &segment.state))
            .collect();
        let journal = JourneyState::Fallback("journal".into());
        let signed_link = JourneyState::Fallback("signed-link".into());
        assert_eq!(
            states,
            [
                (0, &JourneyState::Up),
                (10, &journal),
                (20, &signed_link),
                (80, &journal),
                (90, &JourneyState::Up)
            ]
        );
    }

    #[test]
    fn between_two_fallbacks_the_journey_is_up_only_where_an_answer_says_so() {
        let joined = |good: &[u64]| {
            let mut stretches = [("journal".into(), time(10, 20)), ("memory".into(), time(40, 90))];
            join(&mut stretches, good.iter().copied().map(Micros).collect());
            stretches[0].1
        };
        assert_eq!(joined(&[5, 95]), time(10, 40));
        assert_eq!(joined(&[30]), time(10, 20));
    }

    #[test]
    fn an_outage_that_did_not_end_lasts_to_the_end_of_the_lane() {
        let lane = lane(time(0, 100), &[outage(40, 90, true)], &[]);
        assert_eq!(
            lane.last().map(|last| (last.time, &last.state)),
            Some((time(40, 100), &JourneyState::Down))
        );
    }
}
