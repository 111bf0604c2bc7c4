//! A running stream: probe *i* is due at `t0 + i/rate`, whatever became of earlier ones.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::client::Client;
use super::error::Error;
use super::reach::Reach;
use super::records::Book;
use super::stall::Stalls;
use super::stream::Stream;
use super::visit::{Visited, Written};
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
    client: Client,
    /// How many streams there are.
    streams: u64,
    /// A complaint was reported: the first one says what is wrong, and all of them would fill the history.
    complained: AtomicBool,
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
        let in_flight = in_flight_limit(stream.rate, journey.timeout.0, stream.deadline);
        Ok(Self {
            common: Arc::clone(common),
            client: Client::new(common, journey, stream.mode)?,
            streams: streams as u64,
            complained: AtomicBool::new(false),
            in_flight: Arc::new(Semaphore::new(in_flight)),
            journey: stream.journey.as_str().into(),
            stream,
        })
    }

    /// Sends every probe when it is due, until `stop`. Late wake-ups are caught up with: every probe that was due has a sample.
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
                Err(_) => self.common.void(self.stream.id, due, Void::InFlight),
                Ok(permit) => drop(tracker.spawn(Arc::clone(self).one(i, due, permit))),
            }
        }
    }

    /// One probe, from its sending to its sample.
    async fn one(self: Arc<Self>, i: u64, due: Instant, permit: OwnedSemaphorePermit) {
        // Looked at when the task runs: the thread may have been busy since the timer.
        if due.elapsed() > self.stream.deadline / 2 {
            return self.common.void(self.stream.id, due, Void::SentLate);
        }
        let n = self.record_number(i);
        let (book, labels) = (self.common.book(), &self.common.labels);
        let mut visited = self.client.visit(book, labels, n).await;
        // Before the wait for the stall detector, during which nothing is in flight.
        drop(permit);
        visited.outcome = visited.by_deadline(self.stream.deadline);
        if matches!(visited.outcome, Outcome::Bad(Bad::Late | Bad::Timeout))
            && self.common.stalls.between(visited.sent, visited.ended).await
        {
            visited.outcome = Outcome::Void(Void::StoodStill);
        }
        let _ = self.common.sink.send(Seen::Sample(self.sample(due, &visited)));
        if let Some(written) = visited.write {
            self.remember(n, written);
        }
        self.complain(visited.complaint);
    }

    /// Different for every probe of every stream where nobody may write, or ask for, what another one does. Other streams use
    /// all counted records in turn, each from another one on.
    fn record_number(&self, i: u64) -> u64 {
        let stream = u64::from(self.stream.id.0);
        match self.client.needs_new_records() {
            true => i * self.streams + stream,
            false => i + stream,
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

    /// Reports what the client said of its first failure.
    fn complain(&self, complaint: Option<String>) {
        let Some(text) = complaint else { return };
        if !self.complained.swap(true, Ordering::Relaxed) {
            let journey = Arc::clone(&self.journey);
            let _ = self.common.sink.send(Seen::Complaint { journey, text });
        }
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
