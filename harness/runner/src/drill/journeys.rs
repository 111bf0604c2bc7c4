//! The running journeys of a drill: a prober, and a task that records what it sees.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::Error;
use super::record::Recorder;
use super::steady_state::SteadyState;
use firedrill_model::format;
use firedrill_model::history::Event;
use firedrill_model::sample::{Clock, Labels, Mode, Outcome};
use firedrill_probe::{self as probe, Protocol, Reach, Seen, Users};

/// The running journeys: their writes so far, how they are now, and how to end them.
pub(super) struct Journeys {
    steady_state: Arc<Mutex<SteadyState>>,
    writes: Arc<Mutex<Vec<probe::Write>>>,
    connections: Arc<Mutex<Connections>>,
    names: Vec<String>,
    stop: DropGuard,
    prober: JoinHandle<Result<(), probe::Error>>,
    pump: JoinHandle<Result<(), Error>>,
}

/// What their connections came to.
#[derive(Default)]
struct Connections {
    /// How they speak.
    protocols: BTreeSet<Protocol>,
    /// Why the last one failed that could not be made safe.
    failed: Option<String>,
}

impl Journeys {
    /// Starts the journeys of a plan.
    pub(super) fn start(
        users: &Arc<Users>,
        seed: u64,
        reach: Reach,
        clock: Clock,
        labels: &Labels,
        recorder: &Recorder,
    ) -> Result<Self, Error> {
        let streams = probe::streams(users);
        for stream in &streams {
            let (journey, mode, rate) = (stream.journey.clone(), stream.mode, stream.rate);
            recorder.event(Event::Stream {
                stream: stream.id,
                journey,
                mode,
                rate,
            })?;
        }
        let streaks = streams
            .iter()
            .map(|stream| (Duration::from_secs_f64(1.0 / stream.rate), stream.deadline));
        let steady_state = Arc::new(Mutex::new(SteadyState::new(streaks)));
        let writes = Arc::new(Mutex::new(Vec::new()));
        let connections = Arc::new(Mutex::new(Connections::default()));
        let (sink, seen) = mpsc::unbounded_channel();
        let stop = CancellationToken::new();
        let prober = probe::probe(
            Arc::clone(users),
            seed,
            reach,
            clock,
            labels.clone(),
            sink,
            stop.clone(),
        );
        let pump = pump(
            seen,
            (recorder.clone(), Arc::clone(users)),
            Arc::clone(&steady_state),
            Arc::clone(&writes),
            Arc::clone(&connections),
        );
        Ok(Self {
            steady_state,
            writes,
            connections,
            names: streams
                .iter()
                .map(|s| format!("{} ({})", s.journey, how(s.mode)))
                .collect(),
            stop: stop.drop_guard(),
            prober: tokio::spawn(prober),
            pump: tokio::spawn(pump),
        })
    }

    /// Since when all of them have been good without a break.
    pub(super) fn good_for(&self, clock: &Clock) -> Duration {
        self.steady_state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .good_for(clock.now())
    }

    /// The streams that are not good, and what they last saw.
    pub(super) fn complaint(&self, clock: &Clock) -> String {
        let not_good = self
            .steady_state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .not_good(clock.now());
        let complaints = not_good.iter().map(|(stream, last)| {
            let name = self.names.get(*stream).map_or("?", String::as_str);
            match last {
                Some(Outcome::Bad(bad)) => format!("{name}: {bad}"),
                Some(Outcome::Void(void)) => format!("{name}: {void}"),
                _ => format!("{name}: too few good answers"),
            }
        });
        let complaints = complaints.collect::<Vec<_>>().join(", ");
        let connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        match &connections.failed {
            Some(cause) => format!("{complaints}; {cause}"),
            None => complaints,
        }
    }

    /// How their connections speak, where that is more than plain HTTP/1.1.
    pub(super) fn protocols(&self) -> Option<String> {
        let connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        let protocols = &connections.protocols;
        let plain = |protocol: &Protocol| !protocol.http2 && protocol.tls.is_none();
        (!protocols.iter().all(plain)).then(|| format::list(protocols.iter().map(Protocol::to_string)))
    }

    /// Ends the probing; returns every write, to be read back.
    pub(super) async fn end(self) -> Result<Vec<probe::Write>, Error> {
        // In this order: the prober ends its requests and closes the channel, which ends the recording.
        drop(self.stop);
        self.prober.await?.map_err(Error::Probe)?;
        self.pump.await??;
        Ok(std::mem::take(
            &mut *self.writes.lock().unwrap_or_else(PoisonError::into_inner),
        ))
    }
}

/// How often samples are recorded: a wake-up and a write to the disk for each probe would cost more than the probe.
const BATCH: Duration = Duration::from_millis(40);

/// How a stream connects, for a reader.
fn how(mode: Mode) -> &'static str {
    match mode {
        Mode::New => "new connections",
        Mode::Reused => "reused connections",
    }
}

/// A write as it is recorded: in memory it keeps the sessions and tokens that reading it back needs.
fn written(users: &Users, write: &probe::Write) -> Event {
    let mut journeys = users.system.journeys.iter();
    let journey = journeys.find(|journey| *journey.name == *write.journey);
    let captures = journey.map(|journey| journey.storable(write.captures.clone()));
    Event::Write {
        stream: write.stream,
        n: write.n,
        ack: write.ack,
        link: write.link.clone(),
        captures: captures.unwrap_or_default(),
    }
}

/// Records what the prober sees, in batches, and updates the steady state.
async fn pump(
    mut seen: mpsc::UnboundedReceiver<Seen>,
    (recorder, users): (Recorder, Arc<Users>),
    steady_state: Arc<Mutex<SteadyState>>,
    writes: Arc<Mutex<Vec<probe::Write>>>,
    connections: Arc<Mutex<Connections>>,
) -> Result<(), Error> {
    let mut batch = Vec::new();
    while seen.recv_many(&mut batch, 4096).await > 0 {
        let samples = || batch.iter().filter_map(Seen::sample);
        recorder.samples(samples())?;
        {
            // A short lock: the phases look at this while the events below wait for the disk.
            let mut steady_state = steady_state.lock().unwrap_or_else(PoisonError::into_inner);
            samples().for_each(|sample| steady_state.add(&sample));
        }
        for seen in batch.drain(..) {
            match seen {
                Seen::Write(write) => {
                    recorder.event(written(&users, &write))?;
                    writes.lock().unwrap_or_else(PoisonError::into_inner).push(write);
                }
                Seen::Complaint { journey, text } => recorder.event(Event::Note {
                    text: format!("first failure of {journey}: {text}"),
                })?,
                Seen::Gap { since, until } => recorder.event(Event::Gap { since, until })?,
                Seen::Connected(protocol) => {
                    let mut connections = connections.lock().unwrap_or_else(PoisonError::into_inner);
                    connections.protocols.insert(protocol);
                }
                Seen::ConnectionFailed(cause) => {
                    let mut connections = connections.lock().unwrap_or_else(PoisonError::into_inner);
                    connections.failed = Some(cause.clone());
                    drop(connections);
                    recorder.event(Event::ConnectionFailed { cause })?;
                }
                Seen::Sample(_) => {}
            }
        }
        firedrill_wait::until_due(std::time::Instant::now() + BATCH).await;
    }
    Ok(())
}
