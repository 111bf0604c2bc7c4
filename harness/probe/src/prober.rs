//! The prober: every stream at once, on a thread of its own, from the first probe to the last answer.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Seen;
use super::error::Error;
use super::observer::Observer;
use super::reach::Reach;
use super::running_stream::{Common, RunningStream};
use super::stall::Stalls;
use super::stream::with_journeys;
use crate::Users;
use firedrill_model::sample::{Clock, Labels};

/// Runs every stream until `stop`; then lets what is in flight end, which takes at most the longest timeout.
///
/// The prober has a thread of its own: its timestamps do not wait for other work of the drill, and a probe needs no
/// hand-over between threads.
///
/// # Errors
/// [`Error::Start`] when there is no thread or no event loop to be had; [`Error::Text`] for a journey of which no request
/// can be made; [`Error::NoProgram`] and [`Error::NoAddress`] where nobody can ask, or nobody can be asked.
pub async fn probe(
    users: Arc<Users>,
    seed: u64,
    reach: Reach,
    clock: Clock,
    labels: Labels,
    sink: mpsc::UnboundedSender<Seen>,
    stop: CancellationToken,
) -> Result<(), Error> {
    let stalls = Stalls::default();
    let reach = reach.observed(&Arc::new(Observer::new(sink.clone())));
    let end = on_its_own_thread(
        Common {
            users,
            seed,
            reach,
            clock,
            labels,
            sink,
            stalls,
        },
        stop,
    )?;
    end.await.map_err(|_| Error::Panicked)?
}

/// Not `async`, so that the prober is compiled, and optimised, with this crate and not with its caller.
fn on_its_own_thread(
    common: Common,
    stop: CancellationToken,
) -> Result<oneshot::Receiver<Result<(), Error>>, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Error::Start)?;
    let (ended, end) = oneshot::channel();
    let work = move || {
        raise_priority();
        let common = Arc::new(common);
        let result = runtime.block_on(probe_here(&common, &stop));
        // Before the end is reported: when it arrives, every sample is in the channel.
        drop(common);
        // Nobody waits any more: the drill was given up.
        let _ = ended.send(result);
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
async fn probe_here(common: &Arc<Common>, stop: &CancellationToken) -> Result<(), Error> {
    let streams = with_journeys(&common.users);
    let count = streams.len();
    let prepare = |(stream, journey)| RunningStream::new(common, stream, journey, count).map(Arc::new);
    // All of them before the first begins: a text that cannot be filled sends nothing.
    let streams: Vec<_> = streams.into_iter().map(prepare).collect::<Result<_, _>>()?;
    let tracker = TaskTracker::new();
    let origin = Instant::now();
    for stream in streams {
        let (probes, stop) = (tracker.clone(), stop.clone());
        tracker.spawn(async move { stream.run(origin, &probes, &stop).await });
    }
    tracker.close();
    let report = |since, until| {
        let (since, until) = (common.clock.stamp(since), common.clock.stamp(until));
        let _ = common.sink.send(Seen::Gap { since, until });
    };
    tokio::select! {
        () = tracker.wait() => {}
        // It never ends by itself.
        () = common.stalls.watch(report) => {}
    }
    Ok(())
}
