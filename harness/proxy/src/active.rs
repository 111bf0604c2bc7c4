//! An active toxic: its parameters, its random choices, and counts of the traffic that it hit.
//!
//! The list of active toxics is immutable and replaced as a whole when one is injected or reverted. Relays read the
//! current list.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use tokio::time::Instant;

use crate::{Direction, Toxic};

/// Identifies a toxic on its proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ToxicId(pub u64);

impl ToxicId {
    /// Ids that a proxy assigns start here; a caller's stay below.
    pub(crate) const FIRST_AUTOMATIC: u64 = 1 << 63;
}

/// The traffic that a toxic affected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Hits {
    /// Connections.
    pub connections: u64,
    /// Chunks of bytes: what one read returned.
    pub chunks: u64,
    /// HTTP requests.
    pub requests: u64,
}

impl Hits {
    /// Whether nothing was hit.
    pub fn is_empty(self) -> bool {
        self == Self::default()
    }

    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            connections: self.connections + other.connections,
            chunks: self.chunks + other.chunks,
            requests: self.requests + other.requests,
        }
    }
}

/// The active toxics of a proxy, in the order of their injection.
pub(crate) type ToxicList = Arc<[Arc<ActiveToxic>]>;

/// A toxic that has been injected.
#[derive(Debug)]
pub(crate) struct ActiveToxic {
    pub(crate) id: ToxicId,
    pub(crate) toxic: Box<dyn Toxic>,
    pub(crate) since: Instant,
    seed: u64,
    connections: Mutex<ConnectionSet>,
    chunks: AtomicU64,
    requests: AtomicU64,
    /// For each direction: until when the bandwidth is used up.
    busy_until: [Mutex<Option<Instant>>; 2],
}

/// A set of connection numbers. They count from 0, so one bit each is enough.
#[derive(Debug, Default)]
struct ConnectionSet {
    words: Vec<u64>,
    count: u64,
}

impl ConnectionSet {
    fn insert(&mut self, number: u64) {
        let Ok(word) = usize::try_from(number / 64) else {
            return;
        };
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        let bit = 1 << (number % 64);
        self.count += u64::from(self.words[word] & bit == 0);
        self.words[word] |= bit;
    }
}

/// A timer that wakes late loses bandwidth; up to this much is made up for. More would be a burst.
const CATCH_UP: Duration = Duration::from_millis(20);

impl ActiveToxic {
    pub(crate) fn new(id: ToxicId, proxy_seed: u64, toxic: Box<dyn Toxic>) -> Self {
        Self {
            id,
            toxic,
            since: Instant::now(),
            // Two toxics of one proxy must draw differently. Ids are small numbers: the rotation moves them away from
            // the low bits, in which the seeds of neighbouring proxies differ.
            seed: proxy_seed ^ id.0.rotate_left(32),
            connections: Mutex::default(),
            chunks: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            busy_until: Default::default(),
        }
    }

    /// The generator for item `n` of a connection: a chunk of a direction, or without one a request. It depends on
    /// nothing else, so it does not matter what was drawn before.
    pub(crate) fn random(&self, connection: u64, direction: Option<Direction>, n: u64) -> ChaCha8Rng {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        // A stream per connection and direction, and in it a block of 16 words per item: enough for what one draws.
        random.set_stream((connection << 2) | direction.map_or(0, |direction| 1 + direction as u64));
        random.set_word_pos(u128::from(n) * 16);
        random
    }

    /// Reserves bandwidth of `rate` bytes per second for `bytes` that are `ready` to pass; returns when they will have
    /// passed. Connections share one reservation per direction, and so the rate.
    pub(crate) fn reserve(
        &self,
        direction: Direction,
        bytes: usize,
        rate: u64,
        ready: Instant,
        now: Instant,
    ) -> Instant {
        let mut busy_until = self.busy_until[direction as usize]
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let earliest = ready.max(now.checked_sub(CATCH_UP).unwrap_or(now));
        let start = busy_until.map_or(earliest, |until| until.max(earliest));
        #[expect(
            clippy::cast_precision_loss,
            reason = "bytes of one chunk, and a rate below 2^53"
        )]
        let takes = Duration::from_secs_f64(bytes as f64 / rate.max(1) as f64);
        let done = start + takes;
        *busy_until = Some(done);
        done
    }

    pub(crate) fn hit_connection(&self, connection: u64) {
        self.connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(connection);
    }

    pub(crate) fn hit_chunks(&self, connection: u64, chunks: u64) {
        if chunks > 0 {
            self.hit_connection(connection);
            self.chunks.fetch_add(chunks, Ordering::Relaxed);
        }
    }

    pub(crate) fn hit_request(&self, connection: u64) {
        self.hit_connection(connection);
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn hits(&self) -> Hits {
        let connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        Hits {
            connections: connections.count,
            chunks: self.chunks.load(Ordering::Relaxed),
            requests: self.requests.load(Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::ConnectionSet;

    proptest! {
        #[test]
        fn every_connection_counts_once(numbers in prop::collection::vec(0u64..1000, 0..200)) {
            let mut set = ConnectionSet::default();
            numbers.iter().for_each(|number| set.insert(*number));
            prop_assert_eq!(set.count, numbers.iter().collect::<BTreeSet<_>>().len() as u64);
        }
    }
}
