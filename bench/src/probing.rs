//! The library's own prober at work, with its samples written down as a drill writes them.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use firedrill::Plan;
use firedrill::history::{Event, FORMAT, History, Phase, Stamped, Start, Writer};
use firedrill::probe::{self, Endpoint, Reach, Seen, Users};
use firedrill::sample::{Clock, Labels, Micros, Sample};
use firedrill::wait;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Probes by a plan until told to stop, and gives the history of it.
///
/// # Errors
/// When the prober cannot run.
pub async fn remembered(
    plan: Plan,
    entry: impl Into<Endpoint>,
    clock: Clock,
    stop: CancellationToken,
) -> Result<History, probe::Error> {
    let users = Arc::new(Users::from(&plan));
    let labels = Labels::default();
    let (sink, mut seen) = mpsc::unbounded_channel();
    let prober = probe::probe(
        Arc::clone(&users),
        1,
        Reach::from(entry.into()),
        clock,
        labels.clone(),
        sink,
        stop,
    );
    let collect = async {
        let (mut samples, mut gaps) = (Vec::new(), Vec::new());
        let mut batch = Vec::new();
        while seen.recv_many(&mut batch, 4096).await > 0 {
            for seen in batch.drain(..) {
                match seen {
                    Seen::Sample(sample) => samples.push(sample),
                    Seen::Gap { since, until } => gaps.push(Stamped {
                        at: until,
                        event: Event::Gap { since, until },
                    }),
                    Seen::Write(_)
                    | Seen::Complaint { .. }
                    | Seen::Connected(_)
                    | Seen::ConnectionFailed(_) => {}
                }
            }
            wait::until_due(Instant::now() + Duration::from_millis(40)).await;
        }
        (samples, gaps)
    };
    let (ended, (samples, gaps)) = tokio::join!(prober, collect);
    ended?;
    Ok(history(&plan, samples, gaps, &labels))
}

/// What ended a measurement early.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Probes by a plan for so long and writes the samples to a run folder, as a drill does; gives how late each probe was
/// sent, in microseconds.
///
/// # Errors
/// When the prober cannot run or the disk does not take it.
pub async fn written(
    plan: Plan,
    entry: impl Into<Endpoint>,
    folder: &Path,
    length: Duration,
) -> Result<Vec<u64>, Failure> {
    let (clock, labels, stop) = (Clock::start(), Labels::default(), CancellationToken::new());
    let mut writer = Writer::create(folder, clock, labels.clone())?;
    let (sink, mut seen) = mpsc::unbounded_channel();
    let prober = probe::probe(
        Arc::new(Users::from(&plan)),
        1,
        Reach::from(entry.into()),
        clock,
        labels,
        sink,
        stop.clone(),
    );
    let end = async {
        wait::until_due(Instant::now() + length).await;
        stop.cancel();
    };
    let write = async {
        let mut late = Vec::new();
        let mut batch = Vec::new();
        while seen.recv_many(&mut batch, 4096).await > 0 {
            for sample in batch.drain(..).filter_map(|seen| seen.sample()) {
                late.push(sample.sent.0.saturating_sub(sample.due.0));
                writer.sample(&sample)?;
            }
            writer.flush()?;
            wait::until_due(Instant::now() + Duration::from_millis(40)).await;
        }
        Ok::<_, Failure>(late)
    };
    let (ended, late, ()) = tokio::join!(prober, write, end);
    ended?;
    late
}

/// A history of these samples whose judged time is all of it.
fn history(plan: &Plan, samples: Vec<Sample>, gaps: Vec<Stamped>, labels: &Labels) -> History {
    let start = Start {
        format: FORMAT,
        version: env!("CARGO_PKG_VERSION").into(),
        run: "bench".into(),
        wall: "2026-01-01T00:00:00Z".into(),
        seed: 1,
        backend: "process".into(),
        place: "here".into(),
        repeat: (1, 1),
        plan: plan.into(),
    };
    let at = |at, event| Stamped { at, event };
    let mut events = vec![at(Micros(0), Event::Start(Box::new(start.clone())))];
    for stream in probe::streams(&Users::from(plan)) {
        let (journey, mode, rate) = (stream.journey.clone(), stream.mode, stream.rate);
        events.push(at(
            Micros(0),
            Event::Stream {
                stream: stream.id,
                journey,
                mode,
                rate,
            },
        ));
    }
    events.push(at(Micros(0), Event::Phase { phase: Phase::Steps }));
    events.extend(gaps);
    let end = samples
        .iter()
        .map(|sample| sample.ended)
        .max()
        .unwrap_or_default();
    events.push(at(
        end,
        Event::Phase {
            phase: Phase::ReadBack,
        },
    ));
    events.push(at(
        end,
        Event::End {
            interrupted: false,
            error: None,
        },
    ));
    let texts = std::iter::once(String::new()).chain(labels.after(0)).collect();
    History {
        start,
        events,
        samples,
        load: Vec::new(),
        labels: texts,
        torn: Vec::new(),
    }
}
