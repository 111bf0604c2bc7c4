//! The listener of a link: takes connections, and is really closed while a toxic refuses them.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

use super::active::List;
use super::connection::{Ground, carry};
use firedrill_wait::Poll;

/// What the listener is doing.
#[derive(Debug)]
pub(super) enum Door {
    /// Connections are taken.
    Open,
    /// They are refused.
    Closed,
    /// It could not be opened again.
    Broken(Arc<io::Error>),
}

/// Connections that may wait to be taken.
const BACKLOG: u32 = 4096;
/// After a failed accept (out of descriptors, mostly).
const REST: Duration = Duration::from_millis(20);
/// Opening again where it was open before.
const OPEN_WITHIN: Duration = Duration::from_secs(5);

pub(super) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Takes connections until the link is dropped. Whatever may take long happens in the connection's own task.
pub(super) async fn keep(
    listener: TcpListener,
    address: SocketAddr,
    ground: Ground,
    mut list: watch::Receiver<List>,
    state: watch::Sender<Door>,
    connections: TaskTracker,
) {
    let mut listener = Some(listener);
    for number in 0u64.. {
        let accepted = loop {
            let refuses = list
                .borrow_and_update()
                .iter()
                .any(|active| active.toxic.refuses());
            match (refuses, listener.is_some()) {
                (true, true) => {
                    listener = None;
                    state.send_replace(Door::Closed);
                }
                (false, false) => match open_again(address).await {
                    Ok(again) => {
                        listener = Some(again);
                        state.send_replace(Door::Open);
                    }
                    Err(error) => drop(state.send_replace(Door::Broken(Arc::new(error)))),
                },
                _ => {}
            }
            tokio::select! {
                biased;
                changed = list.changed() => if changed.is_err() { return },
                accepted = accept(listener.as_ref()) => break accepted,
            }
        };
        match accepted {
            Ok(client) => drop(connections.spawn(carry(client, ground, number, list.clone()))),
            Err(_) => firedrill_wait::until_due(Instant::now() + REST).await,
        }
    }
}

async fn accept(listener: Option<&TcpListener>) -> io::Result<tokio::net::TcpStream> {
    match listener {
        Some(listener) => listener.accept().await.map(|(client, _)| client),
        None => std::future::pending().await,
    }
}

async fn open_again(address: SocketAddr) -> io::Result<TcpListener> {
    let mut last = None;
    let opened = firedrill_wait::until::<_, std::convert::Infallible, _>("the port", OPEN_WITHIN, || {
        std::future::ready(match listen(address) {
            Ok(listener) => Poll::Done(listener),
            Err(error) => {
                let seen = error.to_string();
                last = Some(error);
                Poll::NotYet(seen)
            }
        })
    })
    .await;
    opened.map_err(|_| last.unwrap_or_else(|| io::ErrorKind::AddrInUse.into()))
}
