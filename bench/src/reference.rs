//! A server of one page that goes dark when told, and knows when it did.
//!
//! It does as little as a server can, on one thread, so that what is measured is the prober and not the server.

use std::cell::Cell;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use firedrill::sample::{Clock, Micros};
use firedrill::wait;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::{JoinHandle, LocalSet, spawn_local};

/// How the server behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It answers.
    Up,
    /// It listens no more and has cut its connections.
    Refuse,
    /// It answers 500.
    Broken,
    /// It takes requests and never answers them.
    Stall,
    /// It takes requests and answers them when it goes on.
    Pause,
}

/// A time of darkness: when it began and when it ended, each between two stamps.
#[derive(Debug, Clone, Copy)]
pub struct Dark {
    /// It was up until after the first and dark from before the second.
    pub from: (Micros, Micros),
    /// It was dark until after the first and up from before the second.
    pub until: (Micros, Micros),
}

impl Dark {
    /// The shortest and the longest that it can have been.
    pub fn length(&self) -> (Duration, Duration) {
        (self.until.0.since(self.from.1), self.until.1.since(self.from.0))
    }
}

/// An address on this machine outside of the range from which connections take theirs: nothing else gets it while the
/// server is away.
///
/// # Errors
/// When there is none.
pub fn free_address() -> std::io::Result<SocketAddr> {
    static TAKEN: AtomicU16 = AtomicU16::new(0);
    // Processes that start together have neighbouring numbers: their ports must not be neighbours.
    let start = 15_000 + u16::try_from(std::process::id().wrapping_mul(97) % 10_000).unwrap_or(0);
    let ports = std::iter::repeat_with(|| start + TAKEN.fetch_add(1, Ordering::Relaxed)).take(5_000);
    let mut last = std::io::Error::from(std::io::ErrorKind::AddrInUse);
    for port in ports {
        match std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Ok(listener) => return listener.local_addr(),
            Err(error) => last = error,
        }
    }
    Err(last)
}

struct Server {
    address: SocketAddr,
    state: Cell<State>,
    changed: Notify,
}

impl Server {
    /// Takes connections on a listener.
    fn listen(self: &Rc<Self>, listener: TcpListener) -> JoinHandle<()> {
        let this = Rc::clone(self);
        spawn_local(async move {
            while let Ok((stream, _)) = listener.accept().await {
                spawn_local(Rc::clone(&this).connection(stream));
            }
        })
    }

    async fn connection(self: Rc<Self>, stream: TcpStream) {
        tokio::select! {
            // A connection that breaks is the other side's affair.
            _ = self.serve(stream) => {}
            () = self.cut() => {}
        }
    }

    /// Waits until connections are to be cut.
    async fn cut(&self) {
        while self.state.get() != State::Refuse {
            self.changed.notified().await;
        }
    }

    async fn serve(&self, mut stream: TcpStream) -> std::io::Result<()> {
        stream.set_nodelay(true)?;
        let mut request = Vec::new();
        loop {
            request.clear();
            while !request.ends_with(b"\r\n\r\n") {
                if stream.read_buf(&mut request).await? == 0 {
                    return Ok(());
                }
            }
            while self.state.get() == State::Pause {
                self.changed.notified().await;
            }
            let answer: &[u8] = match self.state.get() {
                State::Up | State::Pause => {
                    b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx-release: one\r\n\r\nok"
                }
                State::Broken => b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 2\r\n\r\nno",
                State::Refuse => return Ok(()),
                // Until the other side gives up: thousands of them must not use up the descriptors.
                State::Stall => {
                    while stream.read_buf(&mut request).await? > 0 {}
                    return Ok(());
                }
            };
            stream.write_all(answer).await?;
            let text = String::from_utf8_lossy(&request).to_ascii_lowercase();
            if text.contains("connection: close") {
                return Ok(());
            }
        }
    }

    fn go(&self, state: State) {
        self.state.set(state);
        self.changed.notify_waiters();
    }
}

/// Serves on one thread and goes dark in turn: up for the first length, dark for the second, and so on; then up for two
/// seconds more. `ready` hears when it listens for the first time.
///
/// # Errors
/// When it cannot listen.
pub fn go_dark(
    address: SocketAddr,
    how: State,
    lengths: &[(Duration, Duration)],
    clock: Clock,
    ready: impl FnOnce(),
) -> std::io::Result<Vec<Dark>> {
    on_one_thread(async {
        let server = Rc::new(Server {
            address,
            state: Cell::new(State::Up),
            changed: Notify::new(),
        });
        let mut listening = server.listen(TcpListener::bind(address).await?);
        ready();
        let mut darks = Vec::new();
        for (up, dark) in lengths {
            wait::until_due(Instant::now() + *up).await;
            let from = clock.now();
            server.go(how);
            if how == State::Refuse {
                listening.abort();
                let _ = (&mut listening).await;
            }
            let from = (from, clock.now());
            wait::until_due(Instant::now() + *dark).await;
            let until = clock.now();
            if how == State::Refuse {
                let listener = TcpListener::bind(server.address).await?;
                server.go(State::Up);
                listening = server.listen(listener);
            }
            server.go(State::Up);
            let until = (until, clock.now());
            darks.push(Dark { from, until });
        }
        wait::until_due(Instant::now() + Duration::from_secs(2)).await;
        Ok(darks)
    })
}

/// Serves until the process ends; `ready` hears when it listens.
///
/// # Errors
/// When it cannot listen.
pub fn serve(address: SocketAddr, ready: impl FnOnce()) -> std::io::Result<()> {
    on_one_thread(async {
        let server = Rc::new(Server {
            address,
            state: Cell::new(State::Up),
            changed: Notify::new(),
        });
        let listening = server.listen(TcpListener::bind(address).await?);
        ready();
        listening.await.map_err(std::io::Error::other)
    })
}

fn on_one_thread<T>(work: impl Future<Output = std::io::Result<T>>) -> std::io::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    LocalSet::new().block_on(&runtime, work)
}
