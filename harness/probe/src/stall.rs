//! Whether the prober itself stood stalls: nothing is known of that time, and what came too late in it says nothing.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A standstill is reported from this length on.
const GAP: Duration = Duration::from_millis(100);
/// How often the prober looks whether it stood stalls.
const TICK: Duration = Duration::from_millis(20);

/// The prober's standstills so far.
#[derive(Debug, Default)]
pub(super) struct Stalls {
    known: Mutex<Vec<(Instant, Instant)>>,
}

impl Stalls {
    /// Looks until it is dropped; `tell` hears of every standstalls.
    pub(super) async fn watch(&self, tell: impl Fn(Instant, Instant)) {
        let mut last = Instant::now();
        loop {
            firedrill_wait::until_due(last + TICK).await;
            let now = Instant::now();
            if now - last > GAP {
                self.add(last, now);
                tell(last, now);
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

    /// Whether the prober stood still at some time between these instants. Waits until that is known.
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
    async fn a_standstill_is_known_to_whatever_was_under_way_in_it() {
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
