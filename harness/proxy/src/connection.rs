//! One connection through a proxy: dialled in its own task, relayed in both directions, ended as its ends would end it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::active::{ActiveToxic, ToxicList};
use crate::http;
use crate::pump::{Pump, Stopped};
use crate::{Direction, Protocol};

/// The service behind a proxy.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    pub(crate) protocol: Protocol,
}

/// A service that does not answer a connection attempt for this long is given up.
const DIAL_WITHIN: Duration = Duration::from_secs(60);

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// Both directions came to their end, or the proxy was dropped.
    Closed,
    /// Both sides get a reset.
    Reset,
}

/// Relays a connection from its acceptance to its end.
pub(crate) async fn relay(
    mut client: TcpStream,
    upstream: Upstream,
    number: u64,
    list: watch::Receiver<ToxicList>,
) {
    let mut service = None;
    let mut resets = list.clone();
    let end = tokio::select! {
        // The watch for resets is polled first. It also wakes this task when the list changes: pumps that relay
        // without toxics rely on that.
        biased;
        end = until_reset(&mut resets, number) => end,
        end = both_directions(&mut client, &mut service, upstream, number, list) => end,
    };
    if end == End::Reset {
        for stream in [Some(client), service].into_iter().flatten() {
            // If this fails, the connection ends with an orderly close instead of a reset.
            let _ = stream.set_zero_linger();
        }
    }
}

/// Ends when a toxic resets this connection, or the proxy is dropped.
async fn until_reset(list: &mut watch::Receiver<ToxicList>, number: u64) -> End {
    let accepted = Instant::now();
    loop {
        let first = first_reset(&list.borrow_and_update(), number, accepted);
        let changed = match first {
            None => list.changed().await,
            Some((due, active)) => {
                tokio::select! {
                    // A reset that is reverted in the last moment does not happen.
                    biased;
                    changed = list.changed() => changed,
                    () = until(due) => {
                        active.hit_connection(number);
                        return End::Reset;
                    }
                }
            }
        };
        if changed.is_err() {
            return End::Closed;
        }
    }
}

/// The first toxic that will reset this connection, and when.
fn first_reset(list: &ToxicList, number: u64, accepted: Instant) -> Option<(Instant, Arc<ActiveToxic>)> {
    let due = list.iter().filter_map(|active| {
        let after = active.toxic.reset_after(&mut active.random(number, None, 0))?;
        // From the injection for connections that were open then, from the accept for later ones.
        Some((active.since.max(accepted) + after, Arc::clone(active)))
    });
    due.min_by_key(|(due, _)| *due)
}

/// Waits until an instant. One that has passed does not wait for the timer's next tick: a reset "at once" comes before
/// any byte passes.
async fn until(due: Instant) {
    if due > Instant::now() {
        firedrill_wait::until_due(due.into_std()).await;
    }
}

/// Dials the service and relays both directions until they end.
async fn both_directions(
    client: &mut TcpStream,
    service: &mut Option<TcpStream>,
    upstream: Upstream,
    number: u64,
    list: watch::Receiver<ToxicList>,
) -> End {
    // Clients see a service that cannot be reached as one that resets.
    let Ok(dialled) = dial(upstream.address, number, list.clone()).await else {
        return End::Reset;
    };
    if client.set_nodelay(true).is_err() {
        return End::Reset;
    }
    let result = match upstream.protocol {
        Protocol::Tcp => {
            // The caller owns the stream, so that it can reset it.
            let (from_service, to_service) = service.insert(dialled).split();
            let (from_client, to_client) = client.split();
            pumps(from_client, to_client, from_service, to_service, number, list).await
        }
        Protocol::Http => {
            // The pumps sit between the client and the HTTP part, which speaks with the service: toxics on bytes act
            // on what the client sees.
            let (near, far) = tokio::io::duplex(http::BUFFER);
            let (from_client, to_client) = client.split();
            let (from_http, to_http) = tokio::io::split(near);
            let pumps = pumps(from_client, to_client, from_http, to_http, number, list.clone());
            let forward = http::forward(far, dialled, number, list);
            tokio::try_join!(pumps, forward).map(drop)
        }
    };
    match result {
        Ok(()) | Err(Stopped::ByToxic) => End::Closed,
        Err(Stopped::Broken(_)) => End::Reset,
    }
}

/// Both directions, until both have ended or one is broken.
async fn pumps(
    from_client: impl AsyncRead + Unpin,
    to_client: impl AsyncWrite + Unpin,
    from_service: impl AsyncRead + Unpin,
    to_service: impl AsyncWrite + Unpin,
    number: u64,
    list: watch::Receiver<ToxicList>,
) -> Result<(), Stopped> {
    let requests = Pump::new(Direction::Requests, number, list.clone());
    let answers = Pump::new(Direction::Answers, number, list);
    tokio::try_join!(
        requests.run(from_client, to_service),
        answers.run(from_service, to_client)
    )
    .map(drop)
}

/// Connects to the service. A blackhole on requests swallows the attempt: it is made when the last one is reverted.
async fn dial(
    address: SocketAddr,
    number: u64,
    mut list: watch::Receiver<ToxicList>,
) -> io::Result<TcpStream> {
    let blocks = |active: &&Arc<ActiveToxic>| {
        active.toxic.blocks() && active.toxic.directions().contains(Direction::Requests)
    };
    let open = list.wait_for(|list| {
        // Every blackhole counts its hit, so the count goes through all of them.
        let blocking = list.iter().filter(blocks);
        blocking.map(|active| active.hit_connection(number)).count() == 0
    });
    if open.await.is_err() {
        return Err(io::ErrorKind::NotConnected.into());
    }
    let connected = tokio::time::timeout(DIAL_WITHIN, TcpStream::connect(address)).await;
    let service = connected.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    service.set_nodelay(true)?;
    Ok(service)
}
