//! A running stream of a journey that is no HTTP: each probe is a [`Visit`] by a command or over TCP.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Seen;
use super::command::CommandClient;
use super::error::Error;
use super::records::Book;
use super::running_stream::Common;
use super::schedule::{Probes, in_flight_limit};
use super::stream::Stream;
use super::tcp::TcpClient;
use firedrill_model::sample::{Bad, Label, Outcome, Sample, Void};
use firedrill_model::scenario::{Action, Journey};

/// What one probe came to, and when.
#[derive(Debug)]
pub(super) struct Visit {
    pub(super) sent: Instant,
    pub(super) first: Option<Instant>,
    pub(super) ended: Instant,
    /// The exit code of a command.
    pub(super) status: u16,
    /// Whether the answer was right, however late.
    pub(super) result: Result<(), Outcome>,
    /// What a client said of a failure.
    pub(super) complaint: Option<String>,
}

/// Who asks.
enum Client {
    Command(CommandClient),
    Tcp(TcpClient),
}

/// A stream with all that its probes need.
pub(super) struct ClientStream {
    common: Arc<Common>,
    stream: Stream,
    journey: Arc<str>,
    timeout: Duration,
    client: Client,
    /// Whether the same records come again.
    cycles: bool,
    /// How many streams there are.
    streams: u64,
    /// A complaint was reported: the first one says what is wrong, and all of them would fill the history.
    complained: AtomicBool,
    in_flight: Arc<Semaphore>,
}

impl ClientStream {
    /// Prepares a stream of a journey, one of so many streams.
    pub(super) fn new(
        common: &Arc<Common>,
        stream: Stream,
        journey: &Journey,
        streams: usize,
    ) -> Result<Self, Error> {
        let client = match journey.action() {
            Some(Action::Command(command)) => {
                Client::Command(CommandClient::new(&journey.name, command, &common.reach)?)
            }
            Some(Action::Tcp(tcp)) => {
                let address = common.reach.asked(&common.users.system, journey)?.address;
                Client::Tcp(TcpClient::new(address, stream.mode, tcp)?)
            }
            Some(Action::Http) | None => {
                return Err(Error::NoAction {
                    journey: journey.name.clone(),
                });
            }
        };
        let book = common.book();
        let cycles = match &client {
            Client::Command(command) => book.cycle(command.templates()),
            Client::Tcp(tcp) => book.cycle(tcp.templates()),
        };
        let in_flight = in_flight_limit(stream.rate, journey.timeout.0, stream.deadline);
        Ok(Self {
            common: Arc::clone(common),
            timeout: journey.timeout.0,
            client,
            cycles: cycles.is_some(),
            streams: streams as u64,
            complained: AtomicBool::new(false),
            in_flight: Arc::new(Semaphore::new(in_flight)),
            journey: stream.journey.as_str().into(),
            stream,
        })
    }

    /// Counted records are used in turn, by each stream from another one on. Others are new for every probe of every stream.
    fn record_number(&self, i: u64) -> u64 {
        let stream = u64::from(self.stream.id.0);
        match self.cycles {
            true => i + stream,
            false => i * self.streams + stream,
        }
    }

    async fn visit(&self, n: u64) -> Result<Visit, Error> {
        let book = self.common.book();
        match &self.client {
            Client::Command(command) => command.visit(&book, n, self.timeout).await,
            Client::Tcp(tcp) => tcp.visit(&book, n, self.timeout).await,
        }
    }

    fn sample(&self, due: Instant, visit: &Visit) -> Sample {
        // Counted from the sending, as the evidence interval is; latency counts from the due time.
        let late = visit.ended.saturating_duration_since(visit.sent) > self.stream.deadline;
        let outcome = match visit.result {
            Err(outcome) => outcome,
            Ok(()) if late => Outcome::Bad(Bad::Late),
            Ok(()) => Outcome::Good,
        };
        let stamp = |instant| self.common.clock.stamp(instant);
        Sample {
            stream: self.stream.id,
            due: stamp(due),
            sent: stamp(visit.sent),
            first: stamp(visit.first.unwrap_or(visit.ended)),
            ended: stamp(visit.ended),
            outcome,
            status: visit.status,
            release: Label::NONE,
            rung: Label::NONE,
            reconnected: false,
        }
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

impl Probes for ClientStream {
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
        let Ok(visit) = self.visit(self.record_number(i)).await else {
            return self.void(i, due, Void::Unsendable);
        };
        // Before the wait for the stall detector, during which nothing is in flight.
        drop(permit);
        let mut sample = self.sample(due, &visit);
        if matches!(sample.outcome, Outcome::Bad(Bad::Late | Bad::Timeout))
            && self.common.stalls.between(visit.sent, visit.ended).await
        {
            sample.outcome = Outcome::Void(Void::StoodStill);
        }
        let _ = self.common.sink.send(Seen::Sample(sample));
        self.complain(visit.complaint);
    }

    fn void(&self, _: u64, due: Instant, void: Void) {
        self.common.void(self.stream.id, due, void);
    }
}

/// The text of record number `n`.
pub(super) fn render(
    template: &firedrill_model::scenario::Template,
    book: &Book<'_>,
    n: u64,
) -> Result<String, Error> {
    let rendered = template.render(|placeholder| book.field(placeholder, n));
    rendered.map_err(|source| Error::template("probe", source))
}
