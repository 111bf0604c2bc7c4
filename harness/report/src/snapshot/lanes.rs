//! A journey's states in order: `up → down → fallback (memory) → up`, the same text for every run of the same thing.
//!
//! Takes a journey and the accepted text, gives the text of its states.
//!
//! Chance decides whether a journey's probes see a state that is hardly longer than the time between two of them. Such a
//! state is in brackets, `(down)`: an accepted snapshot that has it in brackets fits runs with and without it. One without
//! it fits a run with it if another journey was down at that time: it is chance too which journeys see a short outage, and
//! the line of the other one shows it.
//!
//! Chance also decides whether a fault falls into a write, and what follows from that may last. A person who understands
//! this puts such a state in square brackets by hand, `[fallback (memory)]`: it fits however long it lasts, or if missing.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;
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
/// … and about that share either name fits: on which side of it a run falls is chance.
const EITHER_WAY: std::ops::Range<f64> = 1.0 / 3.0..2.0 / 3.0;
/// … if there were so many answers that the share means something.
const ENOUGH: usize = 10;
/// Good answers prove recovery from *partly down* only after so long.
const PROOF: Duration = Duration::from_secs(1);
/// More optional states than this are not tried in every combination.
const MOST_OPTIONAL: usize = 8;

const ARROW: &str = " → ";
const UP: &str = "up";
const DOWN: &str = "down";
const PARTLY_DOWN: &str = "partly down";
const FALLBACK: &str = "fallback (";

/// A state of a journey.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum State {
    Up,
    Down,
    PartlyDown,
    /// The rung that answered.
    Fallback(String),
    /// What a person wrote that is none of these: it fits nothing.
    Other(String),
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Up => f.write_str(UP),
            Self::Down => f.write_str(DOWN),
            Self::PartlyDown => f.write_str(PARTLY_DOWN),
            Self::Fallback(rung) => write!(f, "{FALLBACK}{rung})"),
            Self::Other(text) => f.write_str(text),
        }
    }
}

impl FromStr for State {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        let rung = text
            .strip_prefix(FALLBACK)
            .and_then(|rest| rest.strip_suffix(')'));
        Ok(match (text, rung) {
            (UP, _) => Self::Up,
            (DOWN, _) => Self::Down,
            (PARTLY_DOWN, _) => Self::PartlyDown,
            (_, Some(rung)) => Self::Fallback(rung.to_owned()),
            (other, None) => Self::Other(other.to_owned()),
        })
    }
}

/// How firmly a snapshot has a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Certainty {
    /// It must be there.
    Certain,
    /// `(down)`: hardly seen, if at all.
    Brief,
    /// `[down]`: there or not, however long.
    Optional,
}

/// A state of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Accepted {
    state: State,
    certainty: Certainty,
}

impl fmt::Display for Accepted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.certainty {
            Certainty::Certain => write!(f, "{}", self.state),
            Certainty::Brief => write!(f, "({})", self.state),
            Certainty::Optional => write!(f, "[{}]", self.state),
        }
    }
}

impl FromStr for Accepted {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        let between = |open, close| {
            text.strip_prefix(open)
                .and_then(|rest: &str| rest.strip_suffix(close))
        };
        let (inner, certainty) = match (between('(', ')'), between('[', ']')) {
            (Some(inner), _) => (inner, Certainty::Brief),
            (None, Some(inner)) => (inner, Certainty::Optional),
            (None, None) => (text, Certainty::Certain),
        };
        let state = inner.parse()?;
        Ok(Self { state, certainty })
    }
}

/// A state as a run shows it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Seen {
    pub(super) state: State,
    /// How long, in intervals of one of the journey's streams.
    pub(super) intervals: f64,
    /// Whether *down* and *partly down* both fit.
    pub(super) either: bool,
    /// Whether another journey was down at that time too.
    pub(super) shared: bool,
}

impl Seen {
    /// Whether only chance decides that this journey saw it.
    fn by_chance(&self) -> bool {
        self.shared && self.state == State::Down && self.intervals <= CERTAIN
    }

    /// As a snapshot has it that was never accepted.
    fn accepted(&self) -> Accepted {
        // *Up* is never optional: between two outages it is the recovery.
        let certain = self.intervals > CERTAIN || self.state == State::Up;
        Accepted {
            state: self.state.clone(),
            certainty: if certain {
                Certainty::Certain
            } else {
                Certainty::Brief
            },
        }
    }
}

/// A journey's states, by its lane, its samples and the lanes of the other journeys.
pub(super) fn seen<'m>(
    history: &History,
    journey: &Journey,
    others: impl Iterator<Item = &'m Journey>,
) -> Vec<Seen> {
    let streams = Streams::of(history, &journey.name);
    let down_elsewhere: Vec<Interval> = others
        .flat_map(|other| &other.lane)
        .filter(|segment| segment.state == JourneyState::Down)
        .map(|segment| segment.time)
        .collect();
    let mut seen: Vec<Seen> = Vec::new();
    let mut partly = false;
    for segment in &journey.lane {
        // A short good stretch within a partial outage is part of it.
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
            JourneyState::Up => State::Up,
            JourneyState::Fallback(rung) => State::Fallback(rung.clone()),
            JourneyState::Down if partly => State::PartlyDown,
            JourneyState::Down => State::Down,
        };
        let intervals = segment.time.length().as_secs_f64() / streams.interval;
        match seen.last_mut() {
            // A good stretch between them was left out above: the two are one state.
            Some(last) if last.state == state => last.intervals += intervals,
            _ => seen.push(Seen {
                state,
                intervals,
                either: EITHER_WAY.contains(&right),
                shared: down_elsewhere
                    .iter()
                    .any(|other| streams.around(segment.time).within(*other).is_some()),
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

    /// A time, wider by one probe before and after it: so far apart can two journeys see the same outage.
    fn around(&self, time: Interval) -> Interval {
        // A damaged history may have a rate of next to nothing.
        let one = Duration::try_from_secs_f64(self.interval).unwrap_or(Duration::MAX);
        Interval {
            from: time.from - one,
            until: time.until + one,
        }
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
        // Too few answers for a share: the state counts as wholly down.
        if all < ENOUGH {
            0.0
        } else {
            right as f64 / all as f64
        }
    }
}

/// The states of a snapshot: the accepted ones where they fit, else what was seen.
pub(super) fn states(seen: &[Seen], accepted: Option<&str>) -> Vec<Accepted> {
    let accepted = accepted.map(parse).filter(|accepted| fits(seen, accepted));
    accepted.unwrap_or_else(|| seen.iter().map(Seen::accepted).collect())
}

fn parse(text: &str) -> Vec<Accepted> {
    text.split(ARROW).filter_map(|state| state.parse().ok()).collect()
}

/// The states as a snapshot writes them.
pub(super) fn text(states: &[Accepted]) -> String {
    let states: Vec<String> = states.iter().map(Accepted::to_string).collect();
    states.join(ARROW)
}

/// Whether what was seen are the accepted states, with or without those in brackets, and with or without what only chance
/// let this journey see.
fn fits(seen: &[Seen], accepted: &[Accepted]) -> bool {
    let optional = accepted
        .iter()
        .filter(|state| state.certainty != Certainty::Certain);
    let optional = optional.count().min(MOST_OPTIONAL);
    let by_chance = seen.iter().filter(|state| state.by_chance());
    let by_chance = by_chance.count().min(MOST_OPTIONAL);
    // Each bit says whether one optional state is there, or one seen by chance counts.
    (0u32..1 << by_chance).any(|counted| {
        let seen = counting(seen, counted);
        (0u32..1 << optional).any(|there| {
            let variant = variant(accepted, there);
            variant.len() == seen.len()
                && variant
                    .iter()
                    .zip(&seen)
                    .all(|(accepted, seen)| same(accepted, seen))
        })
    })
}

/// What was seen, with those states seen by chance that `counted` has a bit for. Equal neighbours become one.
fn counting(seen: &[Seen], counted: u32) -> Vec<&Seen> {
    let mut number = 0;
    let mut left: Vec<&Seen> = Vec::new();
    for state in seen {
        let counts = !state.by_chance() || counted & (1 << number) != 0;
        number += u32::from(state.by_chance());
        if counts && left.last().is_none_or(|last| last.state != state.state) {
            left.push(state);
        }
    }
    left
}

/// The accepted states with those optional ones that `there` has a bit for. Equal neighbours become one.
fn variant(accepted: &[Accepted], there: u32) -> Vec<&Accepted> {
    let mut number = 0;
    let mut variant: Vec<&Accepted> = Vec::new();
    for state in accepted {
        let optional = state.certainty != Certainty::Certain;
        let is_there = !optional || there & (1 << number) != 0;
        number += u32::from(optional);
        // Where an optional state is missing, its neighbours may be equal, and are one then.
        if is_there && variant.last().is_none_or(|last| last.state != state.state) {
            variant.push(state);
        }
    }
    variant
}

fn same(accepted: &Accepted, seen: &Seen) -> bool {
    // Near the middle, chance decides between down and partly down.
    let either = seen.either && matches!(accepted.state, State::Down | State::PartlyDown);
    let short_enough = accepted.certainty != Certainty::Brief || seen.intervals <= CLEARLY_SEEN;
    (accepted.state == seen.state || either) && short_enough
}

/// The rungs among the states of all journeys.
pub(super) fn rungs<'s>(states: impl IntoIterator<Item = &'s Accepted>) -> Vec<String> {
    let rungs = states.into_iter().filter_map(|accepted| match &accepted.state {
        State::Fallback(rung) => Some(rung.clone()),
        _ => None,
    });
    let rungs: BTreeSet<String> = rungs.collect();
    rungs.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(states: &[(&str, f64)]) -> Vec<Seen> {
        let seen = |(state, intervals): &(&str, f64)| Seen {
            state: state.parse().unwrap(),
            intervals: *intervals,
            either: false,
            shared: false,
        };
        states.iter().map(seen).collect()
    }

    #[test]
    fn an_outage_with_about_half_of_the_answers_right_fits_either_name() {
        let partial = |state, either| {
            let mut run = run(&[("up", 50.0), (state, 50.0)]);
            run[1].either = either;
            run
        };
        assert_eq!(
            text_of(&partial("down", true), Some("up → partly down")),
            "up → partly down"
        );
        assert_eq!(
            text_of(&partial("partly down", true), Some("up → down")),
            "up → down"
        );
        assert_eq!(
            text_of(&partial("down", false), Some("up → partly down")),
            "up → down"
        );
    }

    fn text_of(seen: &[Seen], accepted: Option<&str>) -> String {
        text(&states(seen, accepted))
    }

    const RESTART: &str = "up → (down) → up";

    #[test]
    fn a_state_that_is_hardly_seen_is_in_brackets() {
        let seen = run(&[
            ("up", 9.0),
            ("down", 1.0),
            ("fallback (memory)", 20.0),
            ("up", 0.2),
        ]);
        assert_eq!(text_of(&seen, None), "up → (down) → fallback (memory) → up");
        assert_eq!(rungs(&states(&seen, None)), ["memory"]);
    }

    #[test]
    fn a_bracketed_state_may_be_there_or_not() {
        assert_eq!(text_of(&run(&[("up", 50.0)]), Some(RESTART)), RESTART);
        assert_eq!(
            text_of(&run(&[("up", 9.0), ("down", 2.0), ("up", 9.0)]), Some(RESTART)),
            RESTART
        );
    }

    #[test]
    fn a_short_outage_that_another_journey_shows_may_be_seen_or_not() {
        let mut both = run(&[
            ("up", 9.0),
            ("down", 1.0),
            ("up", 9.0),
            ("down", 1.0),
            ("fallback (journal)", 9.0),
        ]);
        let accepted = "up → (down) → up → fallback (journal)";
        assert_ne!(
            text_of(&both, Some(accepted)),
            accepted,
            "no other journey was down"
        );
        for shared in [1, 3] {
            both[shared].shared = true;
        }
        assert_eq!(text_of(&both, Some(accepted)), accepted);
        // The first one was not seen, the second one was.
        let second = [both[0].clone(), both[3].clone(), both[4].clone()];
        assert_eq!(text_of(&second, Some(accepted)), accepted);
        let mut long = both.clone();
        long[3].intervals = 9.0;
        assert_ne!(text_of(&long, Some(accepted)), accepted, "not by chance");
    }

    #[test]
    fn a_bracketed_state_that_has_become_long_is_shown() {
        let long = run(&[("up", 9.0), ("down", 30.0), ("up", 9.0)]);
        assert_eq!(text_of(&long, Some(RESTART)), "up → down → up");
    }

    #[test]
    fn a_state_in_square_brackets_may_be_there_or_not_however_long() {
        let accepted = "up → [fallback (memory)] → up → down → up";
        let text_of = |all: &[(&str, f64)]| text_of(&run(all), Some(accepted));
        let (up, down) = (("up", 9.0), ("down", 9.0));
        assert_eq!(text_of(&[up, down, up]), accepted);
        assert_eq!(
            text_of(&[up, ("fallback (memory)", 90.0), up, down, up]),
            accepted
        );
        assert_eq!(
            text_of(&[up, ("fallback (journal)", 90.0), up, down, up]),
            "up → fallback (journal) → up → down → up"
        );
        assert_eq!(text_of(&[up]), "up", "a state without brackets must be there");
        assert_eq!(rungs(&parse(accepted)), ["memory"]);
    }

    #[test]
    fn a_state_that_is_new_or_gone_is_shown() {
        let down = run(&[("up", 9.0), ("down", 1.0), ("up", 9.0)]);
        assert_eq!(text_of(&down, Some("up")), RESTART);
        assert_eq!(
            text_of(&run(&[("up", 9.0)]), Some("up → fallback (memory) → up")),
            "up"
        );
        let rung = run(&[("up", 9.0), ("fallback (journal)", 9.0), ("up", 9.0)]);
        assert_eq!(
            text_of(&rung, Some("up → fallback (memory) → up")),
            "up → fallback (journal) → up"
        );
    }
}
