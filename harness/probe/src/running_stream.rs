//! A running stream: probe *i* is due at `t0 + i/rate`, whatever became of earlier ones.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use http::HeaderName;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::answer::{AnswerLabels, acknowledgement, first};
use super::connection::{Exchange, Way};
use super::endpoint::Endpoint;
use super::error::Error;
use super::prepared::{Concrete, Prepared};
use super::records::Book;
use super::stall::Stalls;
use super::stream::Stream;
use super::{Seen, Write};
use crate::Users;
use firedrill_model::sample::{Ack, Bad, Clock, Label, Labels, Micros, Outcome, Sample, Void};
use firedrill_model::scenario::Journey;

/// Prepared requests are cached up to so many.
const CACHED: u64 = 4096;

/// What all streams of a prober share.
pub(super) struct Common {
    pub(super) users: Arc<Users>,
    pub(super) seed: u64,
    pub(super) entry: Endpoint,
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
    timeout: Duration,
    prepared: Prepared,
    cache: Vec<OnceLock<Arc<Concrete>>>,
    identity: AnswerLabels,
    link_header: Option<HeaderName>,
    writes: bool,
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
        let identity = AnswerLabels::new(common.users.system.identity.as_ref(), journey.fallback.as_ref());
        let prepared = Prepared::new(&journey.request, &journey.answer)?.reading_body(identity.reads_body());
        let cycle = common.book().cycle(prepared.templates());
        let cached = cycle.filter(|cycle| *cycle <= CACHED).unwrap_or(0);
        let remember = journey.remember.as_ref();
        let link = remember.and_then(|remember| remember.link_header.as_ref());
        let in_flight = in_flight_limit(stream.rate, journey.timeout.0, stream.deadline);
        Ok(Self {
            common: Arc::clone(common),
            timeout: journey.timeout.0,
            cache: (0..cached).map(|_| OnceLock::new()).collect(),
            prepared,
            identity,
            link_header: link.and_then(|name| name.parse().ok()),
            writes: remember.is_some(),
            streams: streams as u64,
            way: Way::new(common.entry.clone(), stream.mode),
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
                Err(_) => self.void(i, due, Void::InFlight),
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
            return self.void(i, due, Void::SentLate);
        }
        let n = self.record_number(i);
        let Ok(concrete) = self.concrete(n) else {
            return self.void(i, due, Void::Unsendable);
        };
        let exchange = self.way.exchange(&concrete, self.timeout).await;
        // Before the wait for the stall detector, during which nothing is in flight.
        drop(permit);
        let mut sample = self.sample(due, &exchange, &concrete);
        let ack = acknowledgement(sample.outcome, sample.status, sample.reconnected);
        if matches!(sample.outcome, Outcome::Bad(Bad::Late | Bad::Timeout))
            && self.common.stalls.between(exchange.sent, exchange.ended).await
        {
            sample.outcome = Outcome::Void(Void::StoodStill);
        }
        let _ = self.common.sink.send(Seen::Sample(sample));
        if self.writes {
            let header = self.link_header.as_ref();
            let link = exchange
                .result
                .ok()
                .and_then(|answer| header.map(|name| first(&answer.headers, name)));
            self.remember(n, ack, link.filter(|link| !link.is_empty()));
        }
    }

    /// Different for every probe of every stream, so that nobody writes what another one wrote. Streams that only read
    /// counted records use all of them in turn, each from another one on.
    fn record_number(&self, i: u64) -> u64 {
        let stream = u64::from(self.stream.id.0);
        if self.cache.is_empty() || self.writes {
            // Each write stores a record of its own, over all streams.
            i * self.streams + stream
        } else {
            i + stream
        }
    }

    /// The request of record number `n`, from the cache where the same ones come again.
    fn concrete(&self, n: u64) -> Result<Arc<Concrete>, Error> {
        let make = || {
            let concrete = self.prepared.concrete(&self.common.book(), n, None);
            concrete.map(Arc::new)
        };
        let slot = self
            .cache
            .get(usize::try_from(n % (self.cache.len().max(1) as u64)).unwrap_or(usize::MAX));
        match slot {
            Some(slot) => match slot.get() {
                Some(cached) => Ok(Arc::clone(cached)),
                None => make().map(|made| Arc::clone(slot.get_or_init(|| made))),
            },
            None => make(),
        }
    }

    fn sample(&self, due: Instant, exchange: &Exchange, concrete: &Concrete) -> Sample {
        // Counted from the sending, as the evidence interval is: a prober that was a little late must not turn a right
        // answer into a wrong one, and one that was very late is void. Latency counts from the due time.
        let late = exchange.ended.saturating_duration_since(exchange.sent) > self.stream.deadline;
        let (outcome, status, release, rung) = match &exchange.result {
            Err(outcome) => (*outcome, 0, Label::NONE, Label::NONE),
            Ok(answer) => {
                let rung = self.identity.rung(&answer.headers, &self.common.labels);
                let outcome = match concrete.want.judge(answer) {
                    Some(bad) => Outcome::Bad(bad),
                    None if late => Outcome::Bad(Bad::Late),
                    None if rung.is_some() => Outcome::Fallback,
                    None => Outcome::Good,
                };
                (
                    outcome,
                    answer.status.as_u16(),
                    self.identity.release(answer, &self.common.labels),
                    rung.unwrap_or(Label::NONE),
                )
            }
        };
        let stamp = |instant| self.common.clock.stamp(instant);
        Sample {
            stream: self.stream.id,
            due: stamp(due),
            sent: stamp(exchange.sent),
            first: stamp(exchange.first.unwrap_or(exchange.ended)),
            ended: stamp(exchange.ended),
            outcome,
            status,
            release,
            rung,
            reconnected: exchange.reconnected,
        }
    }

    fn void(&self, i: u64, due: Instant, void: Void) {
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
        // It was never sent, so it cannot have been stored.
        if self.writes && void == Void::Unsendable {
            self.remember(self.record_number(i), Ack::Unknown, None);
        }
    }

    fn remember(&self, n: u64, ack: Ack, link: Option<String>) {
        let (stream, journey) = (self.stream.id, Arc::clone(&self.journey));
        let _ = self.common.sink.send(Seen::Write(Write {
            stream,
            journey,
            n,
            ack,
            link,
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
