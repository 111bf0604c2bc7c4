//! A running stream: probe *i* is due at `t0 + i/rate`, whatever became of earlier ones.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::connection::Way;
use super::error::Error;
use super::records::Book;
use super::stall::Stalls;
use super::stream::Stream;
use super::visit::{Visit, Visited, Written};
use super::{Seen, Write};
use crate::Users;
use firedrill_model::sample::{Bad, Clock, Label, Labels, Micros, Outcome, Sample, Void};
use firedrill_model::scenario::Journey;

/// What all streams of a prober share.
pub(super) struct Common {
    pub(super) users: Arc<Users>,
    pub(super) seed: u64,
    pub(super) entry: SocketAddr,
    pub(super) clock: Clock,
    pub(super) labels: Labels,
    pub(super) sink: mpsc::UnboundedSender<Seen>,
    pub(super) stalls: Stalls,
}

impl Common {
    fn book(&self) -> Book<'_> {
        Book {
            users: &self.users,
            seed: self.seed,
        }
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
            way: Way::new(common.entry, stream.mode),
            in_flight: Arc::new(Semaphore::new(in_flight)),
            journey: stream.journey.as_str().into(),
            stream,
        })
    }

    /// The schedule. Late wake-ups are caught up with: every probe that was due has a sample.
    pub(super) async fn run(
        self: &Arc<Self>,
        origin: Instant,
        tracker: &TaskTracker,
        stop: &CancellationToken,
    ) {
        let due = |i| origin + self.stream.offset + nth(i, self.stream.rate);
        // The timer of the next probe is set before this one's ends: one that is earlier than all others would have the
        // event loop write a wake-up call to itself, for every probe.
        let mut this = std::pin::pin!(firedrill_wait::until_due(due(0)));
        let mut next = std::pin::pin!(firedrill_wait::until_due(due(1)));
        for i in 0u64.. {
            tokio::select! {
                // Stop goes first: after it no probe is sent, not even one that is due.
                biased;
                () = stop.cancelled() => return,
                () = &mut this => {}
                () = &mut next => {}
            }
            std::mem::swap(&mut this, &mut next);
            next.set(firedrill_wait::until_due(due(i + 2)));
            let due = due(i);
            match Arc::clone(&self.in_flight).try_acquire_owned() {
                Err(_) => self.void(due, Void::InFlight),
                Ok(permit) => {
                    let stream = Arc::clone(self);
                    tracker.spawn(async move { stream.one(i, due, permit).await });
                }
            }
        }
    }

    /// One probe, from its sending to its sample.
    async fn one(&self, i: u64, due: Instant, permit: OwnedSemaphorePermit) {
        // Looked at when the task runs: the thread may have been busy since the timer.
        if due.elapsed() > self.stream.deadline / 2 {
            return self.void(due, Void::SentLate);
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

    fn void(&self, due: Instant, void: Void) {
        let now = self.common.clock.now();
        let (stream, due) = (self.stream.id, self.common.clock.stamp(due));
        let (outcome, status, release, rung) = (Outcome::Void(void), 0, Label::NONE, Label::NONE);
        let sent = Micros(now.0.max(due.0));
        let _ = self.common.sink.send(Seen::Sample(Sample {
            stream,
            due,
            sent,
            first: sent,
            ended: sent,
            outcome,
            status,
            release,
            rung,
            reconnected: false,
        }));
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

/// `i / rate` without the drift of adding intervals.
fn nth(i: u64, rate: f64) -> Duration {
    #[expect(clippy::cast_precision_loss, reason = "exact below 2^53 probes")]
    Duration::from_secs_f64(i as f64 / rate)
}

/// At most `rate × timeout` in flight, and always one. A probe may be sent half a deadline after it was due, and is in
/// flight for so much longer: without that room a stall would void the probes that are due while others time out.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rate of at most 20000/s times minutes"
)]
fn in_flight_limit(rate: f64, timeout: Duration, deadline: Duration) -> usize {
    // As many probes as can be unanswered at once: sent late by half a deadline at most, answered within the timeout.
    ((rate * (timeout + deadline / 2).as_secs_f64()).ceil() as usize).clamp(1, 1 << 20)
}
