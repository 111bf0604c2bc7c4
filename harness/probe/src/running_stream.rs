//! A running stream of HTTP requests.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::connection::Way;
use super::error::Error;
use super::reach::Reach;
use super::records::Book;
use super::schedule::{Probes, in_flight_limit};
use super::stall::Stalls;
use super::stream::Stream;
use super::visit::{Visit, Visited, Written};
use super::{Seen, Write};
use crate::Users;
use firedrill_model::sample::{Bad, Clock, Label, Labels, Micros, Outcome, Sample, StreamId, Void};
use firedrill_model::scenario::Journey;

/// What all streams of a prober share.
pub(super) struct Common {
    pub(super) users: Arc<Users>,
    pub(super) seed: u64,
    pub(super) reach: Reach,
    pub(super) clock: Clock,
    pub(super) labels: Labels,
    pub(super) sink: mpsc::UnboundedSender<Seen>,
    pub(super) stalls: Stalls,
}

impl Common {
    pub(super) fn book(&self) -> Book<'_> {
        Book {
            users: &self.users,
            seed: self.seed,
        }
    }

    /// Gives the sample of a probe that was not sent.
    pub(super) fn void(&self, stream: StreamId, due: Instant, void: Void) {
        let (now, due) = (self.clock.now(), self.clock.stamp(due));
        let sent = Micros(now.0.max(due.0));
        let _ = self.sink.send(Seen::Sample(Sample {
            stream,
            due,
            sent,
            first: sent,
            ended: sent,
            outcome: Outcome::Void(void),
            status: 0,
            release: Label::NONE,
            rung: Label::NONE,
            reconnected: false,
        }));
    }
}

/// A stream with all that its probes need.
pub(super) struct RunningStream {
    common: Arc<Common>,
    stream: Stream,
    journey: Arc<str>,
    visit: Visit,
    /// How many streams there are.
    streams: u64,
    way: Way,
    in_flight: Arc<Semaphore>,
}

impl RunningStream {
    /// Prepares a stream of a journey, one of so many streams.
    pub(super) fn new(
        common: &Arc<Common>,
        stream: Stream,
        journey: &Journey,
        streams: usize,
    ) -> Result<Self, Error> {
        let identity = common.users.system.identity.as_ref();
        let in_flight = in_flight_limit(stream.rate, journey.timeout.0, stream.deadline);
        Ok(Self {
            common: Arc::clone(common),
            visit: Visit::new(journey, identity, &common.book())?,
            streams: streams as u64,
            way: Way::new(common.reach.asked(&common.users.system, journey)?, stream.mode),
            in_flight: Arc::new(Semaphore::new(in_flight)),
            journey: stream.journey.as_str().into(),
            stream,
        })
    }

    /// Different for every probe of every stream, so that nobody writes what another one wrote. Streams that only read
    /// counted records use all of them in turn, each from another one on.
    fn record_number(&self, i: u64) -> u64 {
        let stream = u64::from(self.stream.id.0);
        if self.visit.needs_new_records() {
            // Each write stores a record of its own, over all streams.
            i * self.streams + stream
        } else {
            i + stream
        }
    }

    fn sample(&self, due: Instant, visited: &Visited) -> Sample {
        let stamp = |instant| self.common.clock.stamp(instant);
        Sample {
            stream: self.stream.id,
            due: stamp(due),
            sent: stamp(visited.sent),
            first: stamp(visited.first.unwrap_or(visited.ended)),
            ended: stamp(visited.ended),
            outcome: visited.outcome,
            status: visited.status,
            release: visited.release,
            rung: visited.rung,
            reconnected: visited.reconnected,
        }
    }

    fn remember(&self, n: u64, written: Written) {
        let _ = self.common.sink.send(Seen::Write(Write {
            stream: self.stream.id,
            journey: Arc::clone(&self.journey),
            n,
            ack: written.ack,
            link: written.link,
            captures: written.captures,
        }));
    }
}

impl Probes for RunningStream {
    fn stream(&self) -> &Stream {
        &self.stream
    }

    fn in_flight(&self) -> &Arc<Semaphore> {
        &self.in_flight
    }

    async fn one(self: Arc<Self>, i: u64, due: Instant, permit: OwnedSemaphorePermit) {
        // Looked at when the task runs: the thread may have been busy since the timer.
        if due.elapsed() > self.stream.deadline / 2 {
            return self.void(i, due, Void::SentLate);
        }
        let n = self.record_number(i);
        let (book, labels) = (self.common.book(), &self.common.labels);
        let visited = self.visit.make(&self.way, book, labels, n).await;
        // Before the wait for the stall detector, during which nothing is in flight.
        drop(permit);
        let mut sample = self.sample(due, &visited);
        if matches!(sample.outcome, Outcome::Bad(Bad::Late | Bad::Timeout))
            && self.common.stalls.between(visited.sent, visited.ended).await
        {
            sample.outcome = Outcome::Void(Void::StoodStill);
        }
        let _ = self.common.sink.send(Seen::Sample(sample));
        if let Some(written) = visited.write {
            self.remember(n, written);
        }
    }

    fn void(&self, _: u64, due: Instant, void: Void) {
        self.common.void(self.stream.id, due, void);
    }
}
