//! How the journeys are right now: only to decide when a phase may end. Verdicts come from the history alone.

use std::time::Duration;

use firedrill_model::sample::{Micros, Outcome, Sample};

/// The current streak of good answers of every stream.
#[derive(Debug)]
pub(super) struct SteadyState {
    streams: Vec<Streak>,
}

#[derive(Debug, Clone)]
struct Streak {
    /// Silence beyond this ends the streak: twice the interval, and the deadline.
    patience: Duration,
    /// When the current streak of good answers began.
    good_since: Option<Micros>,
    good: u32,
    last: Micros,
    last_bad: Option<Outcome>,
}

/// A streak counts from this many good answers on.
const SHORTEST: u32 = 3;

impl SteadyState {
    /// Streams by number: the interval between two probes, and the deadline.
    pub(super) fn new(streams: impl Iterator<Item = (Duration, Duration)>) -> Self {
        let streak = |(interval, deadline): (Duration, Duration)| Streak {
            patience: interval * 2 + deadline,
            good_since: None,
            good: 0,
            last: Micros(0),
            last_bad: None,
        };
        Self {
            streams: streams.map(streak).collect(),
        }
    }

    /// Adds a sample.
    pub(super) fn add(&mut self, sample: &Sample) {
        let Some(streak) = self.streams.get_mut(usize::from(sample.stream.0)) else {
            return;
        };
        match sample.outcome {
            // A void ends no streak. Where nothing else comes, it says why there is none.
            Outcome::Void(_) => {
                streak.last_bad.get_or_insert(sample.outcome);
            }
            Outcome::Good | Outcome::Fallback => {
                streak.good_since.get_or_insert(sample.sent);
                streak.good += 1;
                streak.last = streak.last.max(sample.ended);
            }
            Outcome::Bad(_) => {
                streak.good_since = None;
                streak.good = 0;
                streak.last_bad = Some(sample.outcome);
                streak.last = streak.last.max(sample.ended);
            }
        }
    }

    /// How long every stream has been good without a break until `now`; zero when one is not.
    pub(super) fn good_for(&self, now: Micros) -> Duration {
        // Silence counts as not good: a service that hangs gives no bad answer before the timeout.
        let length = |streak: &Streak| match streak.good_since {
            Some(since) if streak.good >= SHORTEST && now.since(streak.last) <= streak.patience => {
                now.since(since)
            }
            _ => Duration::ZERO,
        };
        self.streams.iter().map(length).min().unwrap_or_default()
    }

    /// The numbers of the streams that are not good, with the last bad outcome of each.
    pub(super) fn not_good(&self, now: Micros) -> Vec<(usize, Option<Outcome>)> {
        let not_good = |streak: &Streak| {
            streak.good_since.is_none() || streak.good < SHORTEST || now.since(streak.last) > streak.patience
        };
        self.streams
            .iter()
            .enumerate()
            .filter(|(_, b)| not_good(b))
            .map(|(at, b)| (at, b.last_bad))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use firedrill_model::sample::{Bad, Label, StreamId};

    fn sample(at: u64, outcome: Outcome) -> Sample {
        let at = Micros(at * 1000);
        let (stream, release, rung) = (StreamId(0), Label::NONE, Label::NONE);
        Sample {
            stream,
            due: at,
            sent: at,
            first: at,
            ended: at,
            outcome,
            status: 0,
            release,
            rung,
            reconnected: false,
        }
    }

    fn steady_state() -> SteadyState {
        SteadyState::new([(Duration::from_millis(10), Duration::from_millis(250))].into_iter())
    }

    #[test]
    fn a_streak_of_good_answers_counts_from_its_first() {
        let mut steady_state = steady_state();
        (0..10).for_each(|i| steady_state.add(&sample(100 + i * 10, Outcome::Good)));
        assert_eq!(steady_state.good_for(Micros(200_000)), Duration::from_millis(100));
    }

    #[test]
    fn a_bad_answer_or_silence_ends_the_streak() {
        let mut steady_state = steady_state();
        (0..10).for_each(|i| steady_state.add(&sample(100 + i * 10, Outcome::Good)));
        assert_eq!(steady_state.good_for(Micros(900_000)), Duration::ZERO, "silence");
        steady_state.add(&sample(210, Outcome::Bad(Bad::Refused)));
        assert_eq!(
            steady_state.good_for(Micros(215_000)),
            Duration::ZERO,
            "a bad answer"
        );
        assert_eq!(
            steady_state.not_good(Micros(215_000)),
            [(0, Some(Outcome::Bad(Bad::Refused)))]
        );
    }
}
