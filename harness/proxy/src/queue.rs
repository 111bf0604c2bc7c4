//! The bytes that one direction of a connection delays: what may be written, and when.
//!
//! Takes the active toxics, the chunks that were read, and the time; gives the next thing to do. It neither reads,
//! writes nor sleeps. Due times are computed from the list of toxics each time they are asked for, so an injection or a
//! revert also affects the chunks that wait already.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes};
use tokio::time::Instant;

use crate::Direction;
use crate::active::{ActiveToxic, ToxicId, ToxicList};

/// The most bytes that a proxy buffers per direction of a connection. Beyond that it stops reading.
pub const MAX_BUFFERED_BYTES: usize = 1 << 20;
/// The most chunks: tiny ones must not cost more memory than their bytes suggest.
const MAX_BUFFERED_CHUNKS: usize = 8192;
/// Timers wake at whole milliseconds. A chunk is due when the nearest one has come, so that the error has no bias.
pub(crate) const HALF_TICK: Duration = Duration::from_micros(500);
/// A bandwidth limit writes pieces of 1/200 s: 5 ms of traffic at a time.
const PIECES_PER_SECOND: u64 = 200;

/// The bytes of one read, or the end of the stream.
struct Chunk {
    arrived: Instant,
    /// Its number in this direction, for the random choices.
    n: u64,
    /// What is not written yet; `None` is the end of the stream.
    bytes: Option<Bytes>,
    /// Whether no byte of it has been written yet.
    is_whole: bool,
}

/// What can be done now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// Nothing until something is read or the list changes.
    Wait,
    /// Nothing until this instant.
    At(Instant),
    /// Write so many bytes of the first chunk.
    Write(usize),
    /// Pass on the end of the stream.
    End,
    /// Close the connection.
    Close,
}

/// The chunks that wait in one direction of a connection.
pub(crate) struct Queue {
    direction: Direction,
    connection: u64,
    /// The toxics that affect this direction.
    active: Vec<Arc<ActiveToxic>>,
    chunks: VecDeque<Chunk>,
    /// Bytes in `chunks`.
    buffered: usize,
    /// Chunks that were ever pushed.
    pushed: u64,
    has_ended: bool,
    /// Bytes of the first chunk that passed every limit, and when they may be written. Bandwidth is reserved for them:
    /// asking again must not reserve it twice.
    admitted: Option<(usize, Instant)>,
    /// The end of the pause between two pieces.
    gap_until: Option<Instant>,
    /// Bytes written since a byte limit and this connection were both there.
    written: HashMap<ToxicId, u64>,
}

impl Queue {
    pub(crate) fn new(direction: Direction, connection: u64) -> Self {
        Self {
            direction,
            connection,
            active: Vec::new(),
            chunks: VecDeque::new(),
            buffered: 0,
            pushed: 0,
            has_ended: false,
            admitted: None,
            gap_until: None,
            written: HashMap::new(),
        }
    }

    /// Replaces the list of toxics. New ones hit the chunks that wait already.
    pub(crate) fn set_toxics(&mut self, list: &ToxicList) {
        let of_direction = list
            .iter()
            .filter(|active| active.toxic.directions().contains(self.direction));
        let active: Vec<_> = of_direction.cloned().collect();
        let is_new = |active: &&Arc<ActiveToxic>| self.active.iter().all(|old| old.id != active.id);
        for new in active.iter().filter(is_new) {
            let affected = self.chunks.iter().filter(|chunk| is_affected(chunk, new)).count();
            new.hit_chunks(self.connection, affected as u64);
        }
        self.active = active;
        // Admitted under the old list.
        self.admitted = None;
    }

    /// Whether no toxic is active and nothing waits.
    pub(crate) fn is_idle(&self) -> bool {
        self.active.is_empty() && self.chunks.is_empty()
    }

    /// Whether more may be read.
    pub(crate) fn has_room(&self) -> bool {
        !self.has_ended && self.buffered < MAX_BUFFERED_BYTES && self.chunks.len() < MAX_BUFFERED_CHUNKS
    }

    /// Adds what was read; `None` is the end of the stream.
    pub(crate) fn push(&mut self, bytes: Option<Bytes>, now: Instant) {
        self.has_ended = bytes.is_none();
        self.buffered += bytes.as_ref().map_or(0, Bytes::len);
        let chunk = Chunk {
            arrived: now,
            n: self.pushed,
            bytes,
            is_whole: true,
        };
        self.pushed += 1;
        for active in self.active.iter().filter(|active| is_affected(&chunk, active)) {
            active.hit_chunks(self.connection, 1);
        }
        self.chunks.push_back(chunk);
    }

    /// What can be done now.
    pub(crate) fn next(&mut self, now: Instant) -> Next {
        let Some(first) = self.chunks.front() else {
            return Next::Wait;
        };
        if self.active.iter().any(|active| active.toxic.blocks()) {
            return Next::Wait;
        }
        if let Some((bytes, at)) = self.admitted {
            return write_at(bytes, at, now);
        }
        let due = self.due(first);
        if !is_due(due, now) {
            return Next::At(due);
        }
        match &first.bytes {
            None => Next::End,
            Some(_) => self.admit(due, now),
        }
    }

    /// When delays and the gap between pieces let a chunk pass.
    fn due(&self, chunk: &Chunk) -> Instant {
        let delays = self.active.iter().map(|active| {
            let mut random = active.random(self.connection, Some(self.direction), chunk.n);
            let of_end = if chunk.bytes.is_none() {
                active.toxic.end_delay()
            } else {
                Duration::ZERO
            };
            active.toxic.delay(&mut random) + of_end
        });
        let due = chunk.arrived + delays.sum();
        self.gap_until.map_or(due, |gap_until| gap_until.max(due))
    }

    /// Admits as much of the first chunk as every limit allows. It has been `ready` to pass since then.
    fn admit(&mut self, ready: Instant, now: Instant) -> Next {
        let Some(bytes) = self.allowed_bytes() else {
            return Next::Close;
        };
        // Every bandwidth limit is a line to wait in; the slowest one decides.
        let reserved = self.active.iter().filter_map(|active| {
            let rate = active.toxic.rate()?;
            Some(active.reserve(self.direction, bytes, rate, ready, now))
        });
        let at = reserved.max().unwrap_or(now);
        self.admitted = Some((bytes, at));
        write_at(bytes, at, now)
    }

    /// How many bytes of the first chunk may be written in one piece. `None`: a byte limit is used up.
    fn allowed_bytes(&mut self) -> Option<usize> {
        let first = self.chunks.front()?;
        let length = first.bytes.as_ref()?.len();
        let mut allowed = length;
        for active in &self.active {
            let toxic = &active.toxic;
            let mut random = active.random(self.connection, Some(self.direction), first.n);
            let slice = toxic.slice(&mut random).map(|slice| slice.size);
            // A chunk is hit once, by its first cut.
            if first.is_whole && slice.is_some_and(|size| size < length) {
                active.hit_chunks(self.connection, 1);
            }
            let paced = toxic.rate().map(|rate| in_memory(rate / PIECES_PER_SECOND));
            let most = [slice, paced].into_iter().flatten().min().unwrap_or(allowed);
            allowed = allowed.min(most.max(1));
            if let Some(limit) = toxic.byte_limit() {
                let left = limit.saturating_sub(*self.written.entry(active.id).or_default());
                if left == 0 {
                    active.hit_chunks(self.connection, 1);
                    return None;
                }
                allowed = allowed.min(in_memory(left));
            }
        }
        Some(allowed)
    }

    /// The first bytes of the first chunk, to be written.
    pub(crate) fn front(&self, bytes: usize) -> Option<Bytes> {
        Some(self.chunks.front()?.bytes.as_ref()?.slice(..bytes))
    }

    /// Removes bytes of the first chunk, which have been written.
    pub(crate) fn written(&mut self, bytes: usize, now: Instant) {
        self.buffered -= bytes;
        for active in &self.active {
            if active.toxic.byte_limit().is_some() {
                *self.written.entry(active.id).or_default() += bytes as u64;
            }
        }
        // A write may take less than was admitted; the rest stays admitted.
        let left_of_admitted = |(admitted, at)| (admitted > bytes).then(|| (admitted - bytes, at));
        self.admitted = self.admitted.and_then(left_of_admitted);
        let Some(first) = self.chunks.front_mut() else {
            return;
        };
        first.is_whole = false;
        let left = first.bytes.as_mut().map_or(0, |chunk| {
            chunk.advance(bytes);
            chunk.len()
        });
        if left == 0 {
            self.chunks.pop_front();
            self.gap_until = None;
        } else if self.admitted.is_none() {
            self.gap_until = self.gap_after_piece(now);
        }
    }

    /// The end of the pause after a piece of the first chunk; `None` without a pause. That is not the same as a pause
    /// that ends now: bandwidth that was lost by waking late is made up for only if the rest was ready before.
    fn gap_after_piece(&self, now: Instant) -> Option<Instant> {
        let first = self.chunks.front()?;
        let gaps = self.active.iter().filter_map(|active| {
            let mut random = active.random(self.connection, Some(self.direction), first.n);
            Some(active.toxic.slice(&mut random)?.gap)
        });
        let gap: Duration = gaps.sum();
        (!gap.is_zero()).then(|| now + gap)
    }
}

/// Whether a toxic affects a chunk, for the count of hits.
fn is_affected(chunk: &Chunk, active: &ActiveToxic) -> bool {
    match &chunk.bytes {
        Some(bytes) => active.toxic.affects_chunk(bytes.len()),
        None => !active.toxic.end_delay().is_zero(),
    }
}

fn write_at(bytes: usize, at: Instant, now: Instant) -> Next {
    if is_due(at, now) {
        Next::Write(bytes)
    } else {
        Next::At(at)
    }
}

fn is_due(at: Instant, now: Instant) -> bool {
    now + HALF_TICK >= at
}

/// A number of bytes as a size in memory.
fn in_memory(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::watch;

    use super::*;
    use crate::pump::Pump;
    use crate::{Bandwidth, Directions, Distribution, Latency, Slicing, Toxic};

    const DELAY: Duration = Duration::from_millis(50);

    /// One direction with these toxics: its input, its output, and the list, which ends the direction when dropped.
    fn pump(
        toxics: Vec<Box<dyn Toxic>>,
    ) -> (
        tokio::io::DuplexStream,
        tokio::io::DuplexStream,
        watch::Sender<ToxicList>,
    ) {
        let ids = (0..).map(ToxicId);
        let list = ids
            .zip(toxics)
            .map(|(id, toxic)| Arc::new(ActiveToxic::new(id, 7, toxic)));
        let (sender, list) = watch::channel(list.collect());
        let (input, from) = tokio::io::duplex(1 << 20);
        let (to, output) = tokio::io::duplex(1 << 20);
        tokio::spawn(Pump::new(Direction::Answers, 0, list).run(from, to));
        (input, output, sender)
    }

    #[tokio::test(start_paused = true)]
    async fn chunks_are_delayed_side_by_side_not_one_after_the_other() {
        let (mut input, mut output, _list) = pump(vec![Box::new(Latency::new(DELAY))]);
        let began = Instant::now();
        let writes = async {
            for n in 0..100u8 {
                input.write_all(&[n]).await.unwrap();
                firedrill_wait::until_due((began + Duration::from_millis(u64::from(n) + 1)).into_std()).await;
            }
        };
        let reads = async {
            for n in 0..100u8 {
                assert_eq!(output.read_u8().await.unwrap(), n);
                let late = began.elapsed().saturating_sub(Duration::from_millis(n.into()));
                assert!(
                    late >= DELAY && late <= DELAY + Duration::from_millis(2),
                    "{n}: {late:?}"
                );
            }
        };
        tokio::join!(writes, reads);
    }

    #[tokio::test(start_paused = true)]
    async fn jitter_never_changes_the_order() {
        let jitter = Latency::new(DELAY).jitter(DELAY, Distribution::LongTail);
        let (mut input, mut output, _list) = pump(vec![Box::new(jitter)]);
        for n in 0..200u8 {
            input.write_all(&[n]).await.unwrap();
            tokio::task::yield_now().await;
        }
        drop(input);
        let mut all = Vec::new();
        output.read_to_end(&mut all).await.unwrap();
        assert!(all.iter().copied().eq(0..200));
    }

    #[tokio::test(start_paused = true)]
    async fn gaps_lie_between_the_pieces_of_a_chunk() {
        let slicing = Slicing::new(10, Duration::from_millis(20));
        let (mut input, mut output, _list) = pump(vec![Box::new(slicing)]);
        let began = Instant::now();
        input.write_all(&[1; 35]).await.unwrap();
        let mut all = [0; 35];
        output.read_exact(&mut all).await.unwrap();
        let took = began.elapsed().as_millis();
        assert!((59..=64).contains(&took), "{took} ms");
    }

    #[tokio::test(start_paused = true)]
    async fn waking_late_costs_no_bandwidth() {
        // A piece every 5 ms, and timers that are looked at every 7 ms only.
        let (bytes, late) = (50_000, Duration::from_millis(7));
        let (mut input, mut output, _list) = pump(vec![Box::new(Bandwidth::new(2 * bytes))]);
        input.write_all(&vec![1; in_memory(bytes)]).await.unwrap();
        let began = Instant::now();
        let reads =
            tokio::spawn(async move { output.read_exact(&mut vec![0; in_memory(bytes)]).await.map(drop) });
        while !reads.is_finished() {
            tokio::time::advance(late).await;
            // Every task that can go on does, before the clock does.
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
        }
        let took = began.elapsed();
        let exact = Duration::from_millis(500);
        assert!(took >= exact - late && took <= exact + 2 * late, "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_toxic_of_the_other_direction_has_no_effect() {
        let requests = Latency::new(DELAY).on(Directions::Requests);
        let (mut input, mut output, _list) = pump(vec![Box::new(requests)]);
        let began = Instant::now();
        input.write_all(b"!").await.unwrap();
        output.read_u8().await.unwrap();
        assert_eq!(began.elapsed(), Duration::ZERO);
    }
}
