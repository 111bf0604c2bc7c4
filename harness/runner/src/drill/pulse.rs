//! How the service looks right now: only to decide when a phase may end. What is judged comes from the history.

use std::time::Duration;

use firedrill_model::sample::{Micros, Outcome, Sample};

/// The latest of every stream.
#[derive(Debug)]
pub(super) struct Pulse {
    streams: Vec<Beat>,
}

#[derive(Debug, Clone)]
struct Beat {
    /// Silence beyond this is a stall: twice the interval, and the deadline.
    patience: Duration,
    /// When the present unbroken row of good answers began.
    good_since: Option<Micros>,
    good: u32,
    last: Micros,
    last_bad: Option<Outcome>,
}

/// A row of good answers counts from this many on.
const ROW: u32 = 3;

impl Pulse {
    /// Streams by number: the interval between two probes, and the deadline.
    pub(super) fn new(streams: impl Iterator<Item = (Duration, Duration)>) -> Self {
        let beat = |(interval, deadline): (Duration, Duration)| Beat {
            patience: interval * 2 + deadline,
            good_since: None,
            good: 0,
            last: Micros(0),
            last_bad: None,
        };
        Self {
            streams: streams.map(beat).collect(),
        }
    }

    /// Takes a sample into account.
    pub(super) fn take(&mut self, sample: &Sample) {
        let Some(beat) = self.streams.get_mut(usize::from(sample.stream.0)) else {
            return;
        };
        match sample.outcome {
            Outcome::Void(_) => {}
            Outcome::Good | Outcome::Fallback => {
                beat.good_since.get_or_insert(sample.sent);
                beat.good += 1;
                beat.last = beat.last.max(sample.ended);
            }
            Outcome::Bad(_) => {
                beat.good_since = None;
                beat.good = 0;
                beat.last_bad = Some(sample.outcome);
                beat.last = beat.last.max(sample.ended);
            }
        }
    }

    /// For how long every stream has been good without a break, seen from `now`; zero when one is not.
    pub(super) fn good_for(&self, now: Micros) -> Duration {
        let row = |beat: &Beat| match beat.good_since {
            Some(since) if beat.good >= ROW && now.since(beat.last) <= beat.patience => now.since(since),
            _ => Duration::ZERO,
        };
        self.streams.iter().map(row).min().unwrap_or_default()
    }

    /// The numbers of the streams that are not good, with the last bad outcome of each.
    pub(super) fn not_good(&self, now: Micros) -> Vec<(usize, Option<Outcome>)> {
        let quiet = |beat: &Beat| {
            beat.good_since.is_none() || beat.good < ROW || now.since(beat.last) > beat.patience
        };
        self.streams
            .iter()
            .enumerate()
            .filter(|(_, b)| quiet(b))
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
        }
    }

    fn pulse() -> Pulse {
        Pulse::new([(Duration::from_millis(10), Duration::from_millis(250))].into_iter())
    }

    #[test]
    fn a_row_of_good_answers_counts_from_its_first() {
        let mut pulse = pulse();
        (0..10).for_each(|i| pulse.take(&sample(100 + i * 10, Outcome::Good)));
        assert_eq!(pulse.good_for(Micros(200_000)), Duration::from_millis(100));
    }

    #[test]
    fn a_bad_answer_or_silence_ends_the_row() {
        let mut pulse = pulse();
        (0..10).for_each(|i| pulse.take(&sample(100 + i * 10, Outcome::Good)));
        assert_eq!(pulse.good_for(Micros(900_000)), Duration::ZERO, "silence");
        pulse.take(&sample(210, Outcome::Bad(Bad::Refused)));
        assert_eq!(pulse.good_for(Micros(215_000)), Duration::ZERO, "a bad answer");
        assert_eq!(
            pulse.not_good(Micros(215_000)),
            [(0, Some(Outcome::Bad(Bad::Refused)))]
        );
    }
}
