//! A history's samples by stream, in the order of their sending, without copying them.

use std::collections::HashMap;
use std::time::Duration;

use super::Interval;
use firedrill_model::history::{Event, History};
use firedrill_model::sample::{Micros, Sample};

/// A stream's journey and rate.
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
                    // A stream of a journey that the system file does not have: only a damaged history has one.
                    deadline: known.map_or(Duration::from_millis(250), |journey| journey.deadline.0),
                    rate: *rate,
                };
            }
        }
        // Samples are written as they end; the measuring rules go by sending. Numbers of 4 bytes instead of copies of 32.
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

    /// The numbers of all streams.
    pub(super) fn all(&self) -> std::ops::Range<usize> {
        0..self.infos.len()
    }

    /// The numbers of a journey's streams.
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

    /// All samples of a stream, by sending time.
    pub(super) fn samples(&self, stream: usize) -> impl DoubleEndedIterator<Item = &'h Sample> + Clone + '_ {
        self.order[stream].iter().map(|at| &self.samples[*at as usize])
    }

    /// The samples of all streams together, by sending time, each with its stream.
    pub(super) fn merged(&self) -> impl Iterator<Item = (usize, &'h Sample)> + '_ {
        // A merge of sorted lists; with a handful of streams a scan of their heads is as fast as a heap.
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

    /// The samples of a stream that are judged, those due in the window.
    pub(super) fn judged(&self, stream: usize) -> impl Iterator<Item = &'h Sample> + Clone + '_ {
        let window = self.window;
        self.samples(stream)
            .filter(move |sample| window.contains(sample.due))
    }

    /// `ē = min(e, s + δ)`: the state of the service at some instant of the evidence interval `[s, ē]` decided the outcome.
    pub(super) fn evident(&self, stream: usize, sample: &Sample) -> Micros {
        sample.ended.min(sample.sent + self.infos[stream].deadline)
    }
}
