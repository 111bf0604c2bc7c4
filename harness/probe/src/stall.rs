//! Stalls: times in which the prober itself did not run. That time is unknown, and an answer that was late in it says
//! nothing of the service.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A stall is reported from this length on.
const GAP: Duration = Duration::from_millis(100);
/// How often the prober checks for a stall.
const TICK: Duration = Duration::from_millis(20);

/// The prober's stalls so far.
#[derive(Debug, Default)]
pub(super) struct Stalls {
    known: Mutex<Vec<(Instant, Instant)>>,
}

impl Stalls {
    /// Watches until it is dropped; calls `report` with every stall.
    pub(super) async fn watch(&self, report: impl Fn(Instant, Instant)) {
        let mut last = Instant::now();
        loop {
            firedrill_wait::until_due(last + TICK).await;
            let now = Instant::now();
            if now - last > GAP {
                self.add(last, now);
                report(last, now);
            }
            last = now;
        }
    }

    fn add(&self, from: Instant, until: Instant) {
        self.known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push((from, until));
    }

    /// Whether the prober stalled between these instants. Waits until that is known.
    pub(super) async fn between(&self, from: Instant, until: Instant) -> bool {
        firedrill_wait::until_due(Instant::now() + 2 * TICK).await;
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known
            .iter()
            .rev()
            .any(|(start, end)| from < *end && *start < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stall_affects_whatever_was_under_way_in_it() {
        let stalls = Stalls::default();
        let now = Instant::now();
        let ms = Duration::from_millis;
        stalls.add(now + ms(100), now + ms(300));
        assert!(stalls.between(now, now + ms(101)).await);
        assert!(stalls.between(now + ms(299), now + ms(400)).await);
        assert!(!stalls.between(now, now + ms(100)).await, "ended before");
        assert!(!stalls.between(now + ms(300), now + ms(400)).await, "sent after");
    }
}
