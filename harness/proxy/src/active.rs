//! The toxics that are on a link now, and what each has hit.
//!
//! The list is replaced as a whole when a toxic comes or goes; whoever carries something over the link reads it anew.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use tokio::time::Instant;

use super::toxic::{Toxic, Way};

/// A toxic's name on its link: whoever puts it on chooses it, and takes it off by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ToxicId(pub u64);

/// What a toxic has hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Hits {
    /// Connections.
    pub connections: u64,
    /// Chunks of bytes, as they were read.
    pub chunks: u64,
    /// Requests.
    pub requests: u64,
}

impl Hits {
    /// Whether nothing was hit.
    pub fn is_none(self) -> bool {
        self == Self::default()
    }

    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            connections: self.connections + other.connections,
            chunks: self.chunks + other.chunks,
            requests: self.requests + other.requests,
        }
    }
}

/// All of a link's toxics, in the order in which they came.
pub(super) type List = Arc<[Arc<Active>]>;

/// A toxic on a link.
#[derive(Debug)]
pub(super) struct Active {
    pub(super) id: ToxicId,
    pub(super) toxic: Box<dyn Toxic>,
    pub(super) since: Instant,
    seed: u64,
    hit: Mutex<Numbers>,
    chunks: AtomicU64,
    requests: AtomicU64,
    /// When what was admitted last has passed, a direction.
    busy: [Mutex<Option<Instant>>; 2],
}

/// A set of a link's connections: they are numbered from 0, so a bit for each does.
#[derive(Debug, Default)]
struct Numbers {
    bits: Vec<u64>,
    count: u64,
}

impl Numbers {
    fn add(&mut self, number: u64) {
        let Ok(word) = usize::try_from(number / 64) else {
            return;
        };
        if word >= self.bits.len() {
            self.bits.resize(word + 1, 0);
        }
        let bit = 1 << (number % 64);
        self.count += u64::from(self.bits[word] & bit == 0);
        self.bits[word] |= bit;
    }
}

/// Time lost by waking late is caught up with as far as this; more would be a burst.
const CATCH_UP: Duration = Duration::from_millis(20);

impl Active {
    pub(super) fn new(id: ToxicId, link_seed: u64, toxic: Box<dyn Toxic>) -> Self {
        Self {
            id,
            toxic,
            since: Instant::now(),
            // Streams of one generator are independent; the ids of a drill's toxics are all different.
            seed: link_seed ^ id.0.rotate_left(32),
            hit: Mutex::default(),
            chunks: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            busy: Default::default(),
        }
    }

    /// The generator for the `n`th thing of a connection: the same for the same, whatever was drawn before.
    pub(super) fn random(&self, connection: u64, way: Option<Way>, n: u64) -> ChaCha8Rng {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        random.set_stream((connection << 2) | way.map_or(0, |way| 1 + way as u64));
        // A block of the generator is 16 words: enough for what one thing draws.
        random.set_word_pos(u128::from(n) * 16);
        random
    }

    /// How long the `n`th chunk of a connection is held.
    pub(super) fn hold(&self, connection: u64, way: Way, n: u64) -> Duration {
        self.toxic.hold(&mut self.random(connection, Some(way), n))
    }

    /// Takes the direction for so many bytes, which could have passed since `ready`: when they will have passed.
    pub(super) fn reserve(&self, way: Way, bytes: usize, rate: u64, ready: Instant, now: Instant) -> Instant {
        let mut busy = self.busy[way as usize]
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let earliest = ready.max(now.checked_sub(CATCH_UP).unwrap_or(now));
        let start = busy.map_or(earliest, |until| until.max(earliest));
        #[expect(
            clippy::cast_precision_loss,
            reason = "bytes of one chunk, and a rate below 2^53"
        )]
        let takes = Duration::from_secs_f64(bytes as f64 / rate.max(1) as f64);
        let done = start + takes;
        *busy = Some(done);
        done
    }

    pub(super) fn hit_connection(&self, connection: u64) {
        self.hit
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .add(connection);
    }

    pub(super) fn hit_chunks(&self, connection: u64, chunks: u64) {
        if chunks > 0 {
            self.hit_connection(connection);
            self.chunks.fetch_add(chunks, Ordering::Relaxed);
        }
    }

    pub(super) fn hit_request(&self, connection: u64) {
        self.hit_connection(connection);
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn hits(&self) -> Hits {
        Hits {
            connections: self.hit.lock().unwrap_or_else(PoisonError::into_inner).count,
            chunks: self.chunks.load(Ordering::Relaxed),
            requests: self.requests.load(Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::Numbers;

    proptest! {
        #[test]
        fn every_connection_counts_once(numbers in prop::collection::vec(0u64..1000, 0..200)) {
            let mut seen = Numbers::default();
            numbers.iter().for_each(|number| seen.add(*number));
            prop_assert_eq!(seen.count, numbers.iter().collect::<BTreeSet<_>>().len() as u64);
        }
    }
}
