//! One direction of one connection: reads from one side, writes to the other.
//!
//! Without toxics it reads and writes in turns. With toxics, what it reads goes through a [`Queue`], which decides what
//! may be written and when.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::Poll;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::Direction;
use crate::active::ToxicList;
use crate::queue::{HALF_TICK, Next, Queue};

pub use crate::queue::MAX_BUFFERED_BYTES;

/// The largest read.
const CHUNK: usize = 16 << 10;

/// Why a direction stopped before its end.
#[derive(Debug)]
pub(crate) enum Stopped {
    /// A toxic closed the connection.
    ByToxic,
    /// One side failed, or the proxy was dropped.
    Broken(#[cfg_attr(not(test), expect(dead_code, reason = "shown in a debugger"))] io::Error),
}

impl From<io::Error> for Stopped {
    fn from(error: io::Error) -> Self {
        Self::Broken(error)
    }
}

/// Why [`Pump::relay`] returned.
enum Relayed {
    /// The list of toxics has changed.
    ListChanged,
    /// The stream has ended.
    Ended,
}

/// One direction of a connection.
pub(crate) struct Pump {
    list: watch::Receiver<ToxicList>,
    queue: Queue,
}

impl Pump {
    pub(crate) fn new(direction: Direction, connection: u64, list: watch::Receiver<ToxicList>) -> Self {
        let mut pump = Self {
            list,
            queue: Queue::new(direction, connection),
        };
        pump.read_list();
        pump
    }

    /// Carries all bytes from one side to the other, then passes on the end.
    pub(crate) async fn run(
        mut self,
        mut from: impl AsyncRead + Unpin,
        mut to: impl AsyncWrite + Unpin,
    ) -> Result<(), Stopped> {
        let mut buffer = BytesMut::with_capacity(CHUNK);
        loop {
            // After the last revert, what the queue still contains goes first.
            if self.queue.is_idle() {
                match self.relay(&mut from, &mut to, &mut buffer).await? {
                    Relayed::ListChanged => self.read_list(),
                    Relayed::Ended => return Ok(to.shutdown().await?),
                }
            } else if self.queued(&mut from, &mut to, &mut buffer).await? {
                return Ok(());
            }
        }
    }

    fn read_list(&mut self) {
        let list = self.list.borrow_and_update().clone();
        self.queue.set_toxics(&list);
    }

    /// Reads and writes until the list changes or the stream ends. A change only has to be checked for here, not waited
    /// for, which costs next to nothing: the connection's watch for resets wakes this task when the list changes.
    async fn relay(
        &mut self,
        from: &mut (impl AsyncRead + Unpin),
        to: &mut (impl AsyncWrite + Unpin),
        buffer: &mut BytesMut,
    ) -> io::Result<Relayed> {
        loop {
            buffer.resize(CHUNK, 0);
            let read = poll_fn(|context| {
                match self.list.has_changed() {
                    Ok(false) => {}
                    Ok(true) => return Poll::Ready(Ok(None)),
                    // The proxy was dropped. That is the end, not a change: the list would stay "changed" for good, and
                    // reading it again and again would never yield to the task that ends this connection.
                    Err(_) => return Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
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
                    return Ok(Relayed::ListChanged);
                }
                Some(0) => return Ok(Relayed::Ended),
                Some(read) => to.write_all(&buffer[..read]).await?,
            }
        }
    }

    /// Waits for the next event while toxics are active: the list changes, something is read, a chunk becomes due, or
    /// something is written. True at the end of the stream.
    async fn queued(
        &mut self,
        from: &mut (impl AsyncRead + Unpin),
        to: &mut (impl AsyncWrite + Unpin),
        buffer: &mut BytesMut,
    ) -> Result<bool, Stopped> {
        let (due, piece) = match self.queue.next(Instant::now()) {
            Next::Wait => (None, None),
            Next::At(due) => (Some(due), None),
            Next::Write(bytes) => (None, self.queue.front(bytes)),
            Next::End => {
                to.shutdown().await?;
                return Ok(true);
            }
            Next::Close => {
                to.shutdown().await?;
                return Err(Stopped::ByToxic);
            }
        };
        let has_room = self.queue.has_room();
        buffer.reserve(CHUNK);
        tokio::select! {
            // The list first: nothing is written by a list that has been replaced. Reads before writes: a chunk's
            // arrival is stamped when it arrives.
            biased;
            changed = self.list.changed() => {
                changed.map_err(|_| io::Error::from(io::ErrorKind::NotConnected))?;
                self.read_list();
            }
            read = from.read_buf(buffer), if has_room => {
                let bytes = (read? > 0).then(|| buffer.split().freeze());
                self.queue.push(bytes, Instant::now());
            }
            () = sleep_until(due), if due.is_some() => {}
            written = write(to, piece.as_deref()), if piece.is_some() => {
                self.queue.written(written?, Instant::now());
            }
        }
        Ok(false)
    }
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
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;

    /// On a thread of its own: a pump that spins never yields, so no timer of its runtime would ever fire.
    #[test]
    fn a_pump_ends_when_its_proxy_is_dropped() {
        let (done, ended) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let (list, receiver) = watch::channel::<ToxicList>(Arc::from([]));
            let pump = Pump::new(Direction::Requests, 0, receiver);
            // Open and silent: nothing but the drop can end it.
            let (from, _client) = tokio::io::duplex(64);
            let (to, _service) = tokio::io::duplex(64);
            drop(list);
            let stopped = runtime.block_on(pump.run(from, to));
            // The test may have given up.
            let _ = done.send(stopped);
        });
        let stopped = ended.recv_timeout(Duration::from_secs(20));
        let stopped = stopped.expect("the pump does not end: it spins");
        assert!(
            matches!(stopped, Err(Stopped::Broken(error)) if error.kind() == io::ErrorKind::NotConnected)
        );
    }
}
