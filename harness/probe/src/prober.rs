//! The open-loop schedule: probe *i* of a stream is due at `t0 + i/rate`, whatever became of earlier ones.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::answer::{AnswerLabels, acknowledgement, first};
use super::connection::{Exchange, Way};
use super::prepared::{Concrete, Prepared};
use super::records::Book;
use super::stall::Stalls;
use super::{Error, Seen, Write};
use crate::Users;
use firedrill_model::sample::{
    Ack, Bad, Clock, Label, Labels, Micros, Mode, Outcome, Sample, StreamId, Void,
};
use firedrill_model::scenario::{Journey, uses_counted_records};

/// One journey over one connection mode.
#[derive(Debug, Clone, PartialEq)]
pub struct Stream {
    /// Its number.
    pub id: StreamId,
    /// Its journey.
    pub journey: String,
    /// How it connects.
    pub mode: Mode,
    /// Probes per second.
    pub rate: f64,
    /// An answer later than this is bad.
    pub deadline: Duration,
    /// When its first probe is due, after the start: streams are staggered.
    offset: Duration,
}

/// Prepared requests are cached up to so many.
const CACHED: u64 = 4096;

/// The streams of a users: a journey's rate is shared evenly by its connection modes. On an empty store, journeys that
/// use counted records are left out.
pub fn streams(users: &Users) -> Vec<Stream> {
    let journeys: Vec<&Journey> = users
        .system
        .journeys
        .iter()
        .filter(|journey| users.seeded || !uses_counted_records(&users.system, journey))
        .collect();
    let mut streams = Vec::new();
    for (journey, stagger) in journeys.iter().zip(staggers(&journeys)) {
        // The rate of a journey is that of all its streams together.
        let modes = u32::try_from(journey.connections.len()).unwrap_or(1).max(1);
        let clients = journey.clients.max(1);
        let rate = journey.rate.0 / f64::from(modes * clients);
        for (at, mode) in (0u32..).zip(&journey.connections) {
            for _ in 0..clients {
                streams.push(Stream {
                    id: StreamId(u16::try_from(streams.len()).unwrap_or(u16::MAX)),
                    journey: journey.name.clone(),
                    mode: *mode,
                    rate,
                    deadline: journey.deadline.0,
                    offset: stagger + journey.rate.interval() * clients * at,
                });
            }
        }
    }
    streams
}

/// How much later than the first each journey begins: the shortest interval of all, divided among them. Journeys whose
/// rates are multiples of each other (they mostly are) then never meet at the same instant: they do not disturb each
/// other by our doing, and only `clients` makes users meet.
fn staggers(journeys: &[&Journey]) -> Vec<Duration> {
    let shortest = journeys.iter().map(|journey| journey.rate.interval()).min();
    let part = shortest.unwrap_or_default() / u32::try_from(journeys.len()).unwrap_or(1).max(1);
    (0u32..).zip(journeys).map(|(at, _)| part * at).collect()
}

/// Runs every stream until `stop`; then lets what is in flight end, which takes at most the longest timeout.
///
/// The prober has a thread of its own: its timestamps do not wait for other work of the drill, and a probe needs no
/// hand-over between threads.
///
/// # Errors
/// [`Error::Start`] when there is no thread or no event loop to be had.
pub async fn probe(
    users: Arc<Users>,
    seed: u64,
    entry: SocketAddr,
    clock: Clock,
    labels: Labels,
    sink: mpsc::UnboundedSender<Seen>,
    stop: CancellationToken,
) -> Result<(), Error> {
    let end = on_its_own_thread(users, seed, entry, clock, labels, sink, stop)?;
    end.await.map_err(|_| Error::Panicked)
}

/// Not `async`, so that the prober is compiled, and optimised, with this crate and not with its caller.
fn on_its_own_thread(
    users: Arc<Users>,
    seed: u64,
    entry: SocketAddr,
    clock: Clock,
    labels: Labels,
    sink: mpsc::UnboundedSender<Seen>,
    stop: CancellationToken,
) -> Result<oneshot::Receiver<()>, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Error::Start)?;
    let (ended, end) = oneshot::channel();
    let work = move || {
        raise_priority();
        runtime.block_on(probe_here(&users, seed, entry, clock, &labels, &sink, &stop));
        // Before the end is reported: when it arrives, every sample is in the channel.
        drop(sink);
        // Nobody waits any more: the drill was given up.
        let _ = ended.send(());
    };
    std::thread::Builder::new()
        .name("prober".into())
        .spawn(work)
        .map_err(Error::Start)?;
    Ok(end)
}

/// The prober must not wait for what it measures. On Linux a thread has a priority of its own; without the right to raise
/// it the prober runs with the normal one, and reports probes that it sent late.
fn raise_priority() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::setpriority_process(None, -10);
}

/// All streams, on the thread that calls it.
async fn probe_here(
    users: &Arc<Users>,
    seed: u64,
    entry: SocketAddr,
    clock: Clock,
    labels: &Labels,
    sink: &mpsc::UnboundedSender<Seen>,
    stop: &CancellationToken,
) {
    let tracker = TaskTracker::new();
    let streams = streams(users);
    let stalls = Arc::new(Stalls::default());
    let origin = Instant::now();
    for stream in &streams {
        let Some(line) = Line::new(
            users,
            stream,
            streams.len(),
            seed,
            entry,
            clock,
            labels,
            sink,
            &stalls,
        ) else {
            continue;
        };
        let (line, tracker_of_line, stop) = (Arc::new(line), tracker.clone(), stop.clone());
        tracker.spawn(async move { line.run(origin, &tracker_of_line, &stop).await });
    }
    tracker.close();
    let report = |since, until| {
        let (since, until) = (clock.stamp(since), clock.stamp(until));
        let _ = sink.send(Seen::Gap { since, until });
    };
    tokio::select! {
        () = tracker.wait() => {}
        // It never ends by itself.
        () = stalls.watch(report) => {}
    }
}

/// A running stream.
struct Line {
    users: Arc<Users>,
    stream: Stream,
    journey: Arc<str>,
    timeout: Duration,
    prepared: Prepared,
    cache: Vec<OnceLock<Arc<Concrete>>>,
    identity: AnswerLabels,
    link_header: Option<http::HeaderName>,
    writes: bool,
    streams: u64,
    seed: u64,
    way: Way,
    stalls: Arc<Stalls>,
    in_flight: Arc<Semaphore>,
    clock: Clock,
    labels: Labels,
    sink: mpsc::UnboundedSender<Seen>,
}

impl Line {
    #[expect(
        clippy::too_many_arguments,
        reason = "the parts of a line, assembled in one place"
    )]
    fn new(
        users: &Arc<Users>,
        stream: &Stream,
        streams: usize,
        seed: u64,
        entry: SocketAddr,
        clock: Clock,
        labels: &Labels,
        sink: &mpsc::UnboundedSender<Seen>,
        stalls: &Arc<Stalls>,
    ) -> Option<Self> {
        let journey = users
            .system
            .journeys
            .iter()
            .find(|journey| journey.name == stream.journey)?;
        let identity = AnswerLabels::new(users.system.identity.as_ref(), journey.fallback.as_ref());
        let prepared = Prepared::new(&journey.request, &journey.answer)
            .ok()?
            .reading_body(identity.reads_body());
        let cycle = Book { users, seed }
            .cycle(prepared.templates())
            .filter(|cycle| *cycle <= CACHED);
        let link = journey
            .remember
            .as_ref()
            .and_then(|remember| remember.link_header.as_ref());
        Some(Self {
            users: Arc::clone(users),
            stream: stream.clone(),
            timeout: journey.timeout.0,
            cache: (0..cycle.unwrap_or(0)).map(|_| OnceLock::new()).collect(),
            prepared,
            identity,
            link_header: link.and_then(|name| name.parse().ok()),
            writes: journey.remember.is_some(),
            streams: streams as u64,
            seed,
            way: Way::new(entry, stream.mode),
            stalls: Arc::clone(stalls),
            in_flight: Arc::new(Semaphore::new(in_flight_limit(
                stream.rate,
                journey.timeout.0,
                stream.deadline,
            ))),
            journey: stream.journey.as_str().into(),
            clock,
            labels: labels.clone(),
            sink: sink.clone(),
        })
    }

    /// The schedule. Late wake-ups are caught up with: every probe that was due has a sample.
    async fn run(self: &Arc<Self>, origin: Instant, tracker: &TaskTracker, stop: &CancellationToken) {
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
                    let line = Arc::clone(self);
                    tracker.spawn(async move { line.one(i, due, permit).await });
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
        let ack = acknowledgement(sample.outcome, sample.status);
        if matches!(sample.outcome, Outcome::Bad(Bad::Late | Bad::Timeout))
            && self.stalls.between(exchange.sent, exchange.ended).await
        {
            sample.outcome = Outcome::Void(Void::StoodStill);
        }
        let _ = self.sink.send(Seen::Sample(sample));
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

    fn concrete(&self, n: u64) -> Result<Arc<Concrete>, Error> {
        let make = || {
            self.prepared
                .concrete(
                    &Book {
                        users: &self.users,
                        seed: self.seed,
                    },
                    n,
                    None,
                )
                .map(Arc::new)
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
                let rung = self.identity.rung(&answer.headers, &self.labels);
                let outcome = match concrete.want.judge(answer) {
                    Some(bad) => Outcome::Bad(bad),
                    None if late => Outcome::Bad(Bad::Late),
                    None if rung.is_some() => Outcome::Fallback,
                    None => Outcome::Good,
                };
                (
                    outcome,
                    answer.status.as_u16(),
                    self.identity.release(answer, &self.labels),
                    rung.unwrap_or(Label::NONE),
                )
            }
        };
        let stamp = |instant| self.clock.stamp(instant);
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
        let now = self.clock.now();
        let (stream, due) = (self.stream.id, self.clock.stamp(due));
        let (outcome, status, release, rung) = (Outcome::Void(void), 0, Label::NONE, Label::NONE);
        let sent = Micros(now.0.max(due.0));
        let _ = self.sink.send(Seen::Sample(Sample {
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
        let _ = self.sink.send(Seen::Write(Write {
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
