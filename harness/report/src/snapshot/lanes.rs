//! A journey's states in order: `up → down → fallback (memory) → up`, told the same by every run of the same thing.
//!
//! What a journey's probes can hardly see (a state hardly longer than the time between two of them) is chance: one run
//! sees it and the next one does not. Such a state stands in brackets, `(down)`: an accepted snapshot that has it in
//! brackets fits runs with and without it.
//!
//! What follows from a fault that may or may not fall into a write is chance too, and may be long. Whoever has understood
//! that puts it in square brackets by hand, `[fallback (memory)]`: such a state fits however long it is, or not at all.

use std::collections::BTreeSet;
use std::time::Duration;

use firedrill_judge::measure::{Interval, Journey, JourneyState};
use firedrill_model::history::{Event, History};
use firedrill_model::sample::StreamId;

/// A state is certain when it lasts longer than so many intervals of a stream.
const CERTAIN: f64 = 1.5;
/// A bracketed state that is accepted must be shorter than so many intervals of a stream.
const CLEARLY_SEEN: f64 = 6.0;
/// An outage in which a larger share of the answers was right is *partly down* …
const RIGHT_WITHIN: f64 = 0.5;
/// … and about that share it may be called either way: which side of it a run comes out on is chance.
const EITHER_WAY: std::ops::Range<f64> = 1.0 / 3.0..2.0 / 3.0;
/// … if there were so many answers that the share means something.
const ENOUGH: usize = 10;
/// Good answers prove recovery from *partly down* only after so long.
const PROOF: Duration = Duration::from_secs(1);
/// More bracketed states than this are not played through.
const MOST_BRACKETS: usize = 8;

const DOWN: &str = "down";
const PARTLY_DOWN: &str = "partly down";

const ARROW: &str = " → ";

/// A state as a run shows it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Seen {
    pub(super) state: String,
    /// How long, in intervals of one of the journey's streams.
    pub(super) intervals: f64,
    /// Whether it may be called *down* or *partly down*.
    pub(super) either: bool,
}

/// A journey's states, as its lane and its samples tell them.
pub(super) fn seen(history: &History, journey: &Journey) -> Vec<Seen> {
    let streams = Streams::of(history, &journey.name);
    let mut seen: Vec<Seen> = Vec::new();
    let mut partly = false;
    for segment in &journey.lane {
        let unproved = partly && segment.state == JourneyState::Up && segment.time.length() < PROOF;
        let right = match segment.state {
            JourneyState::Down => streams.right_within(history, segment.time),
            _ => 0.0,
        };
        partly = right > RIGHT_WITHIN;
        if unproved {
            continue;
        }
        let state = match &segment.state {
            JourneyState::Up => "up".to_owned(),
            JourneyState::Fallback(rung) => format!("fallback ({rung})"),
            JourneyState::Down if partly => PARTLY_DOWN.to_owned(),
            JourneyState::Down => DOWN.to_owned(),
        };
        let intervals = segment.time.length().as_secs_f64() / streams.interval;
        match seen.last_mut() {
            Some(last) if last.state == state => last.intervals += intervals,
            _ => seen.push(Seen {
                state,
                intervals,
                either: EITHER_WAY.contains(&right),
            }),
        }
    }
    seen
}

/// A journey's streams: their numbers, and the seconds between two probes of one.
struct Streams {
    ids: BTreeSet<StreamId>,
    interval: f64,
}

impl Streams {
    fn of(history: &History, name: &str) -> Self {
        let mut streams = Self {
            ids: BTreeSet::new(),
            interval: 1.0,
        };
        for event in &history.events {
            if let Event::Stream {
                stream,
                journey,
                rate,
                ..
            } = &event.event
                && journey == name
            {
                streams.ids.insert(*stream);
                streams.interval = 1.0 / rate;
            }
        }
        streams
    }

    /// The share of right answers among those sent in a time; none when they are few.
    #[expect(clippy::cast_precision_loss, reason = "counts of one drill")]
    fn right_within(&self, history: &History, time: Interval) -> f64 {
        let sent = || {
            let samples = history
                .samples
                .iter()
                .filter(|sample| self.ids.contains(&sample.stream));
            samples.filter(|sample| time.from <= sample.sent && sample.sent < time.until)
        };
        let right = sent().filter(|sample| sample.outcome.is_up()).count();
        let all = sent().filter(|sample| !sample.outcome.is_void()).count();
        if all < ENOUGH {
            0.0
        } else {
            right as f64 / all as f64
        }
    }
}

/// The states as text; the accepted text where that fits.
pub(super) fn told(seen: &[Seen], accepted: Option<&str>) -> String {
    match accepted.filter(|accepted| fits(seen, accepted)) {
        Some(accepted) => accepted.to_owned(),
        None => seen.iter().map(with_brackets).collect::<Vec<_>>().join(ARROW),
    }
}

fn with_brackets(seen: &Seen) -> String {
    if seen.intervals > CERTAIN || seen.state == "up" {
        seen.state.clone()
    } else {
        format!("({})", seen.state)
    }
}

/// How an accepted state is meant.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Meant {
    /// It is there.
    Surely,
    /// `(down)`: hardly seen, if at all.
    Briefly,
    /// `[down]`: there or not, however long.
    Perhaps,
}

/// Whether what was seen is the accepted text, with or without what it has in brackets.
fn fits(seen: &[Seen], accepted: &str) -> bool {
    let accepted: Vec<(&str, Meant)> = accepted.split(ARROW).map(meant).collect();
    let brackets = accepted
        .iter()
        .filter(|(_, meant)| *meant != Meant::Surely)
        .count()
        .min(MOST_BRACKETS);
    (0u32..1 << brackets).any(|kept| {
        let mut number = 0;
        let mut variant: Vec<(&str, Meant)> = Vec::new();
        for (state, meant) in &accepted {
            let bracketed = *meant != Meant::Surely;
            let there = !bracketed || kept & (1 << number) != 0;
            number += u32::from(bracketed);
            if there && variant.last().is_none_or(|(last, _)| last != state) {
                variant.push((state, *meant));
            }
        }
        variant.len() == seen.len() && variant.iter().zip(seen).all(|(wanted, seen)| same(*wanted, seen))
    })
}

/// `(down)` is `down`, in brackets.
pub(super) fn unbracketed(text: &str) -> (&str, bool) {
    let inner = text.strip_prefix('(').and_then(|text| text.strip_suffix(')'));
    inner.map_or((text, false), |state| (state, true))
}

/// An accepted state without its brackets, round or square.
fn meant(text: &str) -> (&str, Meant) {
    if let Some(state) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
        return (state, Meant::Perhaps);
    }
    match unbracketed(text) {
        (state, true) => (state, Meant::Briefly),
        (state, false) => (state, Meant::Surely),
    }
}

fn same((state, meant): (&str, Meant), seen: &Seen) -> bool {
    let either = seen.either && [DOWN, PARTLY_DOWN].contains(&state);
    (state == seen.state || either) && (meant != Meant::Briefly || seen.intervals <= CLEARLY_SEEN)
}

/// The rungs that stand in the told states of all journeys.
pub(super) fn rungs<'t>(told: impl Iterator<Item = &'t String>) -> Vec<String> {
    let rung = |state: &'t str| {
        let state = meant(state).0;
        Some(state.strip_prefix("fallback (")?.strip_suffix(')')?.to_owned())
    };
    let rungs: BTreeSet<String> = told.flat_map(|told| told.split(ARROW)).filter_map(rung).collect();
    rungs.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn states(states: &[(&str, f64)]) -> Vec<Seen> {
        let seen = |(state, intervals): &(&str, f64)| Seen {
            state: (*state).to_owned(),
            intervals: *intervals,
            either: false,
        };
        states.iter().map(seen).collect()
    }

    #[test]
    fn what_is_about_half_right_may_be_called_either_way() {
        let run = |state, either| {
            let mut run = states(&[("up", 50.0), (state, 50.0)]);
            run[1].either = either;
            run
        };
        assert_eq!(
            told(&run("down", true), Some("up → partly down")),
            "up → partly down"
        );
        assert_eq!(told(&run("partly down", true), Some("up → down")), "up → down");
        assert_eq!(told(&run("down", false), Some("up → partly down")), "up → down");
    }

    const RESTART: &str = "up → (down) → up";

    #[test]
    fn what_is_hardly_seen_stands_in_brackets() {
        let seen = states(&[
            ("up", 9.0),
            ("down", 1.0),
            ("fallback (memory)", 20.0),
            ("up", 0.2),
        ]);
        assert_eq!(told(&seen, None), "up → (down) → fallback (memory) → up");
        assert_eq!(rungs([told(&seen, None)].iter()), ["memory"]);
    }

    #[test]
    fn a_bracketed_state_may_be_there_or_not() {
        assert_eq!(told(&states(&[("up", 50.0)]), Some(RESTART)), RESTART);
        assert_eq!(
            told(&states(&[("up", 9.0), ("down", 2.0), ("up", 9.0)]), Some(RESTART)),
            RESTART
        );
    }

    #[test]
    fn a_bracketed_state_that_has_become_long_is_shown() {
        let long = states(&[("up", 9.0), ("down", 30.0), ("up", 9.0)]);
        assert_eq!(told(&long, Some(RESTART)), "up → down → up");
    }

    #[test]
    fn what_a_person_put_in_square_brackets_may_be_there_or_not_however_long() {
        let accepted = "up → [fallback (memory)] → up → down → up";
        let told = |all: &[(&str, f64)]| told(&states(all), Some(accepted));
        let (up, down) = (("up", 9.0), ("down", 9.0));
        assert_eq!(told(&[up, down, up]), accepted);
        assert_eq!(told(&[up, ("fallback (memory)", 90.0), up, down, up]), accepted);
        assert_eq!(
            told(&[up, ("fallback (journal)", 90.0), up, down, up]),
            "up → fallback (journal) → up → down → up"
        );
        assert_eq!(told(&[up]), "up", "what stands outside of them must be there");
        assert_eq!(rungs([accepted.to_owned()].iter()), ["memory"]);
    }

    #[test]
    fn a_state_that_is_new_or_gone_is_shown() {
        let down = states(&[("up", 9.0), ("down", 1.0), ("up", 9.0)]);
        assert_eq!(told(&down, Some("up")), RESTART);
        assert_eq!(
            told(&states(&[("up", 9.0)]), Some("up → fallback (memory) → up")),
            "up"
        );
        let rung = states(&[("up", 9.0), ("fallback (journal)", 9.0), ("up", 9.0)]);
        assert_eq!(
            told(&rung, Some("up → fallback (memory) → up")),
            "up → fallback (journal) → up"
        );
    }
}
