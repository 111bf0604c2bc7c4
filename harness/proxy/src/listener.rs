//! The listener of a proxy: accepts connections, and is closed while a toxic refuses them.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

use crate::active::ToxicList;
use crate::connection::{self, Upstream};
use firedrill_wait::Poll;

/// What the listener is doing.
#[derive(Debug)]
pub(crate) enum State {
    /// It accepts connections.
    Open,
    /// It is closed: the operating system refuses connections.
    Closed,
    /// It was closed and could not be opened again.
    Failed(Arc<io::Error>),
}

/// Connections that may wait to be accepted: more than any load test opens at once.
const BACKLOG: u32 = 4096;
/// The pause after a failed accept. The usual cause, no file descriptor left, does not go away by retrying at once.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(20);
/// How long to retry opening the listener again: somebody may use the port as an outgoing one meanwhile.
const REOPEN_WITHIN: Duration = Duration::from_secs(5);

/// Opens a listener.
pub(crate) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    // Connections in TIME_WAIT must not keep the port from being opened again.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// The task that accepts a proxy's connections.
pub(crate) struct Acceptor {
    pub(crate) address: SocketAddr,
    pub(crate) upstream: Upstream,
    pub(crate) list: watch::Receiver<ToxicList>,
    pub(crate) state: watch::Sender<State>,
    pub(crate) connections: TaskTracker,
}

impl Acceptor {
    /// Accepts connections until the proxy is dropped. Dialling the service happens in each connection's own task: a
    /// dead service must not keep other clients waiting.
    pub(crate) async fn run(mut self, listener: TcpListener) {
        let mut listener = Some(listener);
        // Connections are numbered from 0, for the random choices and the counts of hits.
        for number in 0u64.. {
            let accepted = loop {
                self.open_or_close(&mut listener).await;
                tokio::select! {
                    // The list first: no connection is accepted after a toxic that refuses it.
                    biased;
                    changed = self.list.changed() => if changed.is_err() { return },
                    accepted = accept(listener.as_ref()) => break accepted,
                }
            };
            match accepted {
                Ok(client) => {
                    let relay = connection::relay(client, self.upstream, number, self.list.clone());
                    self.connections.spawn(relay);
                }
                Err(_) => firedrill_wait::until_due(Instant::now() + ACCEPT_BACKOFF).await,
            }
        }
    }

    /// Brings the listener to what the list of toxics requires, and reports its state.
    async fn open_or_close(&mut self, listener: &mut Option<TcpListener>) {
        let list = self.list.borrow_and_update().clone();
        let refuses = list.iter().any(|active| active.toxic.refuses());
        match (refuses, listener.is_some()) {
            (true, true) => {
                *listener = None;
                self.state.send_replace(State::Closed);
            }
            (false, false) => {
                let state = match reopen(self.address).await {
                    Ok(opened) => {
                        *listener = Some(opened);
                        State::Open
                    }
                    Err(error) => State::Failed(Arc::new(error)),
                };
                self.state.send_replace(state);
            }
            (true, false) | (false, true) => {}
        }
    }
}

/// The next connection. Never, while the listener is closed.
async fn accept(listener: Option<&TcpListener>) -> io::Result<TcpStream> {
    match listener {
        Some(listener) => listener.accept().await.map(|(client, _)| client),
        None => std::future::pending().await,
    }
}

async fn reopen(address: SocketAddr) -> io::Result<TcpListener> {
    let mut last = None;
    let opened = firedrill_wait::until::<_, std::convert::Infallible, _>("the port", REOPEN_WITHIN, || {
        std::future::ready(match bind(address) {
            Ok(listener) => Poll::Done(listener),
            Err(error) => {
                let seen = error.to_string();
                last = Some(error);
                Poll::NotYet(seen)
            }
        })
    })
    .await;
    // The system's own error, with its kind, rather than the text of the wait.
    opened.map_err(|_| last.unwrap_or_else(|| io::ErrorKind::AddrInUse.into()))
}
