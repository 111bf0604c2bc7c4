//! The schedule of a stream: probe *i* is due at `t0 + i/rate`, whatever became of earlier ones.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::stream::Stream;
use firedrill_model::sample::Void;

/// What is sent on a schedule.
pub(super) trait Probes: Send + Sync + 'static {
    /// Whose probes they are.
    fn stream(&self) -> &Stream;

    /// How many of them may be in flight.
    fn in_flight(&self) -> &Arc<Semaphore>;

    /// One probe, from its sending to its sample.
    fn one(
        self: Arc<Self>,
        i: u64,
        due: Instant,
        permit: OwnedSemaphorePermit,
    ) -> impl Future<Output = ()> + Send;

    /// A probe that is not sent.
    fn void(&self, i: u64, due: Instant, void: Void);
}

/// Sends every probe when it is due, until `stop`. Late wake-ups are caught up with: every probe that was due has a sample.
pub(super) async fn run<P: Probes>(
    probes: &Arc<P>,
    origin: Instant,
    tracker: &TaskTracker,
    stop: &CancellationToken,
) {
    let stream = probes.stream();
    let due = |i| origin + stream.offset + nth(i, stream.rate);
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
        match Arc::clone(probes.in_flight()).try_acquire_owned() {
            Err(_) => probes.void(i, due, Void::InFlight),
            Ok(permit) => drop(tracker.spawn(Arc::clone(probes).one(i, due, permit))),
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
pub(super) fn in_flight_limit(rate: f64, timeout: Duration, deadline: Duration) -> usize {
    // As many probes as can be unanswered at once: sent late by half a deadline at most, answered within the timeout.
    ((rate * (timeout + deadline / 2).as_secs_f64()).ceil() as usize).clamp(1, 1 << 20)
}
