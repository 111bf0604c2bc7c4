//! A running stream of HTTP requests.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use http::HeaderName;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::answer::{AnswerLabels, acknowledgement, first};
use super::connection::{Exchange, Way};
use super::error::Error;
use super::prepared::{Concrete, Prepared};
use super::reach::Reach;
use super::records::Book;
use super::schedule::{Probes, in_flight_limit};
use super::stall::Stalls;
use super::stream::Stream;
use super::{Seen, Write};
use crate::Users;
use firedrill_model::sample::{Ack, Bad, Clock, Label, Labels, Micros, Outcome, Sample, StreamId, Void};
use firedrill_model::scenario::{Answer, Journey, Request};

/// Prepared requests are cached up to so many.
const CACHED: u64 = 4096;

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
        (journey, request, answer): (&Journey, &Request, &Answer),
        streams: usize,
    ) -> Result<Self, Error> {
        let identity = AnswerLabels::new(common.users.system.identity.as_ref(), journey.fallback.as_ref());
        let prepared = Prepared::new(request, answer)?.reading_body(identity.reads_body());
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

    fn void(&self, i: u64, due: Instant, void: Void) {
        self.common.void(self.stream.id, due, void);
        // It was never sent, so it cannot have been stored.
        if self.writes && void == Void::Unsendable {
            self.remember(self.record_number(i), Ack::Unknown, None);
        }
    }
}
