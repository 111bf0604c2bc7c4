//! A history's samples, by stream and in the order in which they were sent, without a copy.

use std::collections::HashMap;
use std::time::Duration;

use super::Interval;
use firedrill_model::history::{Event, History};
use firedrill_model::sample::{Micros, Sample};

/// What is known of a stream besides its samples.
#[derive(Default)]
struct Info {
    journey: String,
    essential: bool,
    deadline: Duration,
    rate: f64,
}

/// Every stream's samples.
pub(super) struct Streams<'h> {
    samples: &'h [Sample],
    order: Vec<Vec<u32>>,
    infos: Vec<Info>,
    window: Interval,
}

impl<'h> Streams<'h> {
    pub(super) fn new(history: &'h History, window: Interval) -> Self {
        let journeys: HashMap<&str, _> = history
            .start
            .plan
            .system
            .journeys
            .iter()
            .map(|j| (j.name.as_str(), j))
            .collect();
        let mut infos = Vec::new();
        for event in &history.events {
            if let Event::Stream {
                stream,
                journey,
                rate,
                ..
            } = &event.event
            {
                let known = journeys.get(journey.as_str());
                let at = usize::from(stream.0);
                if infos.len() <= at {
                    infos.resize_with(at + 1, Info::default);
                }
                infos[at] = Info {
                    journey: journey.clone(),
                    essential: known.is_some_and(|journey| journey.essential),
                    deadline: known.map_or(Duration::from_millis(250), |journey| journey.deadline.0),
                    rate: *rate,
                };
            }
        }
        let mut order = vec![Vec::new(); infos.len()];
        for (at, sample) in (0u32..).zip(&history.samples) {
            if let Some(of_stream) = order.get_mut(usize::from(sample.stream.0)) {
                of_stream.push(at);
            }
        }
        for of_stream in &mut order {
            of_stream.sort_by_key(|at| history.samples[*at as usize].sent);
        }
        Self {
            samples: &history.samples,
            order,
            infos,
            window,
        }
    }

    /// The time that is judged.
    pub(super) fn window(&self) -> Interval {
        self.window
    }

    /// Their numbers.
    pub(super) fn all(&self) -> std::ops::Range<usize> {
        0..self.infos.len()
    }

    pub(super) fn of_journey<'a>(&'a self, journey: &'a str) -> impl Iterator<Item = usize> + 'a {
        self.all()
            .filter(move |stream| self.infos[*stream].journey == journey)
    }

    pub(super) fn journey(&self, stream: usize) -> &str {
        &self.infos[stream].journey
    }

    pub(super) fn essential(&self, stream: usize) -> bool {
        self.infos[stream].essential
    }

    pub(super) fn interval(&self, stream: usize) -> Duration {
        Duration::from_secs_f64(1.0 / self.infos[stream].rate.max(1e-6))
    }

    /// All samples of a stream by sending time.
    pub(super) fn samples(&self, stream: usize) -> impl DoubleEndedIterator<Item = &'h Sample> + Clone + '_ {
        self.order[stream].iter().map(|at| &self.samples[*at as usize])
    }

    /// The samples of all streams together, by sending time, each with its stream.
    pub(super) fn merged(&self) -> impl Iterator<Item = (usize, &'h Sample)> + '_ {
        let mut next = vec![0; self.order.len()];
        std::iter::from_fn(move || {
            let head = |stream: usize| {
                let at = *self.order[stream].get(next[stream])?;
                Some((stream, &self.samples[at as usize]))
            };
            let first = self
                .all()
                .filter_map(head)
                .min_by_key(|(_, sample)| sample.sent)?;
            next[first.0] += 1;
            Some(first)
        })
    }

    /// The samples of a stream that are judged: due in the window.
    pub(super) fn judged(&self, stream: usize) -> impl Iterator<Item = &'h Sample> + Clone + '_ {
        let window = self.window;
        self.samples(stream)
            .filter(move |sample| window.contains(sample.due))
    }

    /// `ē = min(e, s + δ)`: the outcome was decided by the service's state at some instant in `[s, ē]`.
    pub(super) fn evident(&self, stream: usize, sample: &Sample) -> Micros {
        sample.ended.min(sample.sent + self.infos[stream].deadline)
    }
}
