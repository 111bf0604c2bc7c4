//! One direction of one connection.
//!
//! While no toxic is in effect: read, write, read. Otherwise chunks are stamped as they arrive and held until the list
//! says that they may pass; when they may is computed from the list each time it is asked.

use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::sync::watch;
use tokio::time::Instant;

use super::active::{Active, List, ToxicId};
use super::toxic::Way;

/// At most so many bytes are held in one direction of a connection; past that the sender is held up.
pub const HELD_BYTES: usize = 1 << 20;
/// At most so many chunks.
const HELD_CHUNKS: usize = 8192;
/// What is read at once.
const CHUNK: usize = 16 << 10;
/// Timers wake at whole milliseconds: a chunk is due when the nearest one has come, so that the error has no bias.
const HALF_TICK: Duration = Duration::from_micros(500);
/// A limit of bandwidth lets at most this much time's worth of bytes pass in one piece.
const PIECES_A_SECOND: u64 = 200;

/// Why a direction stopped before its end.
#[derive(Debug)]
pub(super) enum Stopped {
    /// A toxic closed the connection.
    Cut,
    /// One of the sides broke, or the link is gone.
    Broken(#[expect(dead_code, reason = "shown in a debugger and by tests")] io::Error),
}

impl From<io::Error> for Stopped {
    fn from(error: io::Error) -> Self {
        Self::Broken(error)
    }
}

/// What was read at once, or the end.
struct Chunk {
    arrived: Instant,
    n: u64,
    /// What is left of it; `None` is the end of the stream.
    bytes: Option<Bytes>,
    /// Nothing of it has passed yet.
    whole: bool,
}

/// What can be done now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// Nothing before something changes.
    Wait,
    /// Nothing before then.
    At(Instant),
    /// So many bytes of the first chunk may pass.
    Pass(usize),
    /// The end may pass.
    End,
    /// The connection is to be closed.
    Cut,
}

/// One direction.
pub(super) struct Pump {
    way: Way,
    connection: u64,
    list: watch::Receiver<List>,
    /// The toxics in effect in this direction.
    active: Vec<Arc<Active>>,
    held: VecDeque<Chunk>,
    held_bytes: usize,
    read: u64,
    ended: bool,
    /// Bytes of the first chunk that are through all checks, and when they may pass.
    admitted: Option<(usize, Instant)>,
    /// A slicing gap ends then.
    gap_until: Option<Instant>,
    /// Bytes passed since a limit and this connection were both there.
    passed: HashMap<ToxicId, u64>,
}

impl Pump {
    pub(super) fn new(way: Way, connection: u64, list: watch::Receiver<List>) -> Self {
        let mut pump = Self {
            way,
            connection,
            list,
            active: Vec::new(),
            held: VecDeque::new(),
            held_bytes: 0,
            read: 0,
            ended: false,
            admitted: None,
            gap_until: None,
            passed: HashMap::new(),
        };
        pump.look();
        pump
    }

    /// Carries everything from one side to the other, then passes on the end.
    pub(super) async fn run(
        mut self,
        mut from: impl AsyncRead + Unpin,
        mut to: impl AsyncWrite + Unpin,
    ) -> Result<(), Stopped> {
        let mut buffer = BytesMut::with_capacity(CHUNK);
        loop {
            if self.is_clear() {
                match self.relay(&mut from, &mut to, &mut buffer).await? {
                    Relayed::Changed => self.look(),
                    Relayed::Ended => return Ok(to.shutdown().await?),
                }
            } else if self.disturbed(&mut from, &mut to, &mut buffer).await? {
                return Ok(());
            }
        }
    }

    /// Whether this is a plain relay now.
    fn is_clear(&self) -> bool {
        self.active.is_empty() && self.held.is_empty()
    }

    /// Reads the list anew. Toxics that have come hit what is held already.
    fn look(&mut self) {
        let list = self.list.borrow_and_update().clone();
        let active: Vec<_> = list
            .iter()
            .filter(|active| active.toxic.ways().cover(self.way))
            .cloned()
            .collect();
        for new in active
            .iter()
            .filter(|new| !self.active.iter().any(|old| old.id == new.id))
        {
            let felt = self.held.iter().filter(|chunk| feels(chunk, new)).count();
            new.hit_chunks(self.connection, felt as u64);
        }
        self.active = active;
        self.admitted = None;
    }

    /// Reads and writes until the list changes or the end comes. The connection's own watch for resets wakes this task
    /// when the list changes, so that looking at the list costs next to nothing here.
    async fn relay(
        &mut self,
        from: &mut (impl AsyncRead + Unpin),
        to: &mut (impl AsyncWrite + Unpin),
        buffer: &mut BytesMut,
    ) -> io::Result<Relayed> {
        loop {
            buffer.resize(CHUNK, 0);
            let read = poll_fn(|context| {
                if self.list.has_changed().unwrap_or(true) {
                    return Poll::Ready(Ok(None));
                }
                let mut space = ReadBuf::new(buffer);
                Pin::new(&mut *from)
                    .poll_read(context, &mut space)
                    .map_ok(|()| Some(space.filled().len()))
            })
            .await;
            match read? {
                None => {
                    buffer.clear();
                    return Ok(Relayed::Changed);
                }
                Some(0) => return Ok(Relayed::Ended),
                Some(read) => to.write_all(&buffer[..read]).await?,
            }
        }
    }

    /// One thing that happens while toxics are in effect. True at the end of the stream.
    async fn disturbed(
        &mut self,
        from: &mut (impl AsyncRead + Unpin),
        to: &mut (impl AsyncWrite + Unpin),
        buffer: &mut BytesMut,
    ) -> Result<bool, Stopped> {
        let next = self.next(Instant::now());
        let (sleep, pass) = match next {
            Next::Wait => (None, None),
            Next::At(due) => (Some(due), None),
            Next::Pass(bytes) => (None, Some(bytes)),
            Next::End => {
                to.shutdown().await?;
                return Ok(true);
            }
            Next::Cut => {
                to.shutdown().await?;
                return Err(Stopped::Cut);
            }
        };
        let piece = pass.and_then(|bytes| Some(self.held.front()?.bytes.as_ref()?.slice(..bytes)));
        let room = !self.ended && self.held_bytes < HELD_BYTES && self.held.len() < HELD_CHUNKS;
        buffer.reserve(CHUNK);
        tokio::select! {
            biased;
            changed = self.list.changed() => {
                changed.map_err(|_| io::Error::from(io::ErrorKind::NotConnected))?;
                self.look();
            }
            read = from.read_buf(buffer), if room => {
                let bytes = (read? > 0).then(|| buffer.split().freeze());
                self.arrived(bytes, Instant::now());
            }
            () = sleep_until(sleep), if sleep.is_some() => {}
            written = write(to, piece.as_deref()), if piece.is_some() => self.wrote(written?),
        }
        Ok(false)
    }

    fn arrived(&mut self, bytes: Option<Bytes>, now: Instant) {
        self.ended = bytes.is_none();
        self.held_bytes += bytes.as_ref().map_or(0, Bytes::len);
        let chunk = Chunk {
            arrived: now,
            n: self.read,
            bytes,
            whole: true,
        };
        self.read += 1;
        for active in self.active.iter().filter(|active| feels(&chunk, active)) {
            active.hit_chunks(self.connection, 1);
        }
        self.held.push_back(chunk);
    }

    /// What the list says of the first chunk.
    fn next(&mut self, now: Instant) -> Next {
        let Some(first) = self.held.front() else {
            return Next::Wait;
        };
        if self.active.iter().any(|active| active.toxic.stalls()) {
            return Next::Wait;
        }
        if let Some((bytes, at)) = self.admitted {
            return if is_due(at, now) {
                Next::Pass(bytes)
            } else {
                Next::At(at)
            };
        }
        let due = due(first, &self.active, self.connection, self.way);
        let due = due.max(self.gap_until.unwrap_or(due));
        if !is_due(due, now) {
            return Next::At(due);
        }
        match first.bytes.as_ref().map(Bytes::len) {
            None => Next::End,
            Some(length) => self.admit(length, (first.n, first.whole), due, now),
        }
    }

    /// How much of the first chunk, which could have passed since `ready`, may pass, and when.
    fn admit(&mut self, length: usize, (n, is_whole): (u64, bool), ready: Instant, now: Instant) -> Next {
        let mut bytes = length;
        for active in &self.active {
            let toxic = &active.toxic;
            let mut random = active.random(self.connection, Some(self.way), n);
            let slice = toxic.slice(&mut random).map(|slice| slice.size);
            if is_whole && slice.is_some_and(|size| size < length) {
                active.hit_chunks(self.connection, 1);
            }
            let paced = toxic.rate().map(|rate| whole(rate / PIECES_A_SECOND));
            let most = [slice, paced].into_iter().flatten().min().unwrap_or(bytes);
            bytes = bytes.min(most.max(1));
            if let Some(limit) = toxic.limit() {
                let left = limit.saturating_sub(*self.passed.entry(active.id).or_default());
                if left == 0 {
                    active.hit_chunks(self.connection, 1);
                    return Next::Cut;
                }
                bytes = bytes.min(whole(left));
            }
        }
        let slots = self.active.iter().filter_map(|active| {
            let rate = active.toxic.rate()?;
            Some(active.reserve(self.way, bytes, rate, ready, now))
        });
        let at = slots.max().unwrap_or(now);
        self.admitted = Some((bytes, at));
        if is_due(at, now) {
            Next::Pass(bytes)
        } else {
            Next::At(at)
        }
    }

    /// So many bytes of the first chunk have passed.
    fn wrote(&mut self, bytes: usize) {
        self.held_bytes -= bytes;
        for active in self.active.iter().filter(|active| active.toxic.limit().is_some()) {
            *self.passed.entry(active.id).or_default() += bytes as u64;
        }
        self.admitted = self
            .admitted
            .and_then(|(admitted, at)| (admitted > bytes).then(|| (admitted - bytes, at)));
        let Some(first) = self.held.front_mut() else {
            return;
        };
        let n = first.n;
        first.whole = false;
        let left = first.bytes.as_mut().map_or(0, |chunk| {
            chunk.advance(bytes);
            chunk.len()
        });
        if left == 0 {
            self.held.pop_front();
            self.gap_until = None;
        } else if self.admitted.is_none() {
            let gaps = self.active.iter().filter_map(|active| {
                let mut random = active.random(self.connection, Some(self.way), n);
                Some(active.toxic.slice(&mut random)?.gap)
            });
            let gap: Duration = gaps.sum();
            // Without a gap, time lost by waking late must not be lost to a limit of bandwidth.
            self.gap_until = (!gap.is_zero()).then(|| Instant::now() + gap);
        }
    }
}

/// How an undisturbed stretch ended.
enum Relayed {
    Changed,
    Ended,
}

/// Whether a chunk feels a toxic.
fn feels(chunk: &Chunk, active: &Active) -> bool {
    match &chunk.bytes {
        Some(bytes) => active.toxic.touches(bytes.len()),
        None => !active.toxic.hold_end().is_zero(),
    }
}

/// When a chunk, or the end, may pass as far as delays go.
fn due(chunk: &Chunk, active: &[Arc<Active>], connection: u64, way: Way) -> Instant {
    let holds = active.iter().map(|active| {
        let end = if chunk.bytes.is_none() {
            active.toxic.hold_end()
        } else {
            Duration::ZERO
        };
        active.hold(connection, way, chunk.n) + end
    });
    chunk.arrived + holds.sum()
}

fn is_due(at: Instant, now: Instant) -> bool {
    now + HALF_TICK >= at
}

/// A number of bytes in memory.
fn whole(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

async fn sleep_until(due: Option<Instant>) {
    if let Some(due) = due {
        firedrill_wait::until_due((due - HALF_TICK).into_std()).await;
    }
}

async fn write(to: &mut (impl AsyncWrite + Unpin), piece: Option<&[u8]>) -> io::Result<usize> {
    match to.write(piece.unwrap_or_default()).await? {
        0 => Err(io::ErrorKind::WriteZero.into()),
        written => Ok(written),
    }
}

#[cfg(test)]
mod tests {
    use super::super::toxics::{Bandwidth, Distribution, Latency, Slicing};
    use super::super::{Toxic, Ways};
    use super::*;

    const DELAY: Duration = Duration::from_millis(50);

    /// A direction with these toxics: what to write to, what to read from, and the list.
    fn pump(
        toxics: Vec<Box<dyn Toxic>>,
    ) -> (
        tokio::io::DuplexStream,
        tokio::io::DuplexStream,
        watch::Sender<List>,
    ) {
        let ids = (0..).map(ToxicId);
        let list = ids
            .zip(toxics)
            .map(|(id, toxic)| Arc::new(Active::new(id, 7, toxic)));
        let (sender, list) = watch::channel(list.collect());
        let (near, from) = tokio::io::duplex(1 << 20);
        let (to, far) = tokio::io::duplex(1 << 20);
        tokio::spawn(Pump::new(Way::Down, 0, list).run(from, to));
        (near, far, sender)
    }

    #[tokio::test(start_paused = true)]
    async fn chunks_that_follow_each_other_are_held_together_not_one_after_the_other() {
        let (mut near, mut far, _list) = pump(vec![Box::new(Latency::of(DELAY))]);
        let began = Instant::now();
        let writes = async {
            for n in 0..100u8 {
                near.write_all(&[n]).await.unwrap();
                firedrill_wait::until_due((began + Duration::from_millis(u64::from(n) + 1)).into_std()).await;
            }
        };
        let reads = async {
            for n in 0..100u8 {
                assert_eq!(far.read_u8().await.unwrap(), n);
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
        let jitter = Latency::of(DELAY).jitter(DELAY, Distribution::LongTail);
        let (mut near, mut far, _list) = pump(vec![Box::new(jitter)]);
        for n in 0..200u8 {
            near.write_all(&[n]).await.unwrap();
            tokio::task::yield_now().await;
        }
        drop(near);
        let mut all = Vec::new();
        far.read_to_end(&mut all).await.unwrap();
        assert!(all.iter().copied().eq(0..200));
    }

    #[tokio::test(start_paused = true)]
    async fn gaps_lie_between_the_pieces_of_a_chunk() {
        let slicing = Slicing::of(10, Duration::from_millis(20));
        let (mut near, mut far, _list) = pump(vec![Box::new(slicing)]);
        let began = Instant::now();
        near.write_all(&[1; 35]).await.unwrap();
        let mut all = [0; 35];
        far.read_exact(&mut all).await.unwrap();
        let took = began.elapsed().as_millis();
        assert!((59..=64).contains(&took), "{took} ms");
    }

    #[tokio::test(start_paused = true)]
    async fn waking_late_costs_no_bandwidth() {
        // A piece every 5 ms, and timers that are looked at every 7 ms only.
        let (bytes, late) = (50_000, Duration::from_millis(7));
        let (mut near, mut far, _list) = pump(vec![Box::new(Bandwidth::of(2 * bytes))]);
        near.write_all(&vec![1; whole(bytes)]).await.unwrap();
        let began = Instant::now();
        let reads = tokio::spawn(async move { far.read_exact(&mut vec![0; whole(bytes)]).await.map(drop) });
        while !reads.is_finished() {
            tokio::time::advance(late).await;
            // Everybody who can goes on, before the clock does.
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
        }
        let took = began.elapsed();
        let exact = Duration::from_millis(500);
        assert!(took >= exact - late && took <= exact + 2 * late, "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_toxic_of_the_other_direction_does_nothing() {
        let requests = Latency::of(DELAY).on(Ways::Requests);
        let (mut near, mut far, _list) = pump(vec![Box::new(requests)]);
        let began = Instant::now();
        near.write_all(b"!").await.unwrap();
        far.read_u8().await.unwrap();
        assert_eq!(began.elapsed(), Duration::ZERO);
    }
}
