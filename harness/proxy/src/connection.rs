//! One connection over a link: dialled in its own task, carried in both directions, ended as its ends would end it.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::Instant;

use super::Speaks;
use super::active::List;
use super::http;
use super::pump::{Pump, Stopped};
use super::toxic::Way;

/// Where a link leads, and what it understands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ground {
    pub(super) upstream: SocketAddr,
    pub(super) speaks: Speaks,
}

/// A service that does not answer a connection attempt for so long is given up.
const DIAL_WITHIN: Duration = Duration::from_secs(60);

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// Both directions came to their end, or the link is gone.
    Closed,
    /// Torn down: both sides get a reset.
    Reset,
}

/// Carries a connection from its acceptance to its end.
pub(super) async fn carry(mut client: TcpStream, ground: Ground, number: u64, list: watch::Receiver<List>) {
    let mut upstream = None;
    let mut own = list.clone();
    let fate = tokio::select! {
        // The watch for resets is polled first: it also wakes this task when the list changes, which the directions
        // rely on.
        biased;
        fate = doom(&mut own, number) => fate,
        fate = both_ways(&mut client, &mut upstream, ground, number, list) => fate,
    };
    if fate == Fate::Reset {
        for stream in [Some(client), upstream].into_iter().flatten() {
            // Without it the end is an orderly one: worse cannot come of a failure here.
            let _ = stream.set_zero_linger();
        }
    }
}

/// Ends when a toxic resets this connection, or the link is dropped.
async fn doom(list: &mut watch::Receiver<List>, number: u64) -> Fate {
    let accepted = Instant::now();
    loop {
        let first = {
            let list = list.borrow_and_update();
            let due = list.iter().filter_map(|active| {
                let after = active.toxic.resets(&mut active.random(number, None, 0))?;
                Some((active.since.max(accepted) + after, active.clone()))
            });
            due.min_by_key(|(due, _)| *due)
        };
        let changed = match first {
            None => list.changed().await,
            Some((due, active)) => {
                tokio::select! {
                    biased;
                    changed = list.changed() => changed,
                    () = until(due) => {
                        active.hit_connection(number);
                        return Fate::Reset;
                    }
                }
            }
        };
        if changed.is_err() {
            return Fate::Closed;
        }
    }
}

/// What is due already does not wait for the timer's next tick: at once means before anything passes.
async fn until(due: Instant) {
    if due > Instant::now() {
        firedrill_wait::until_due(due.into_std()).await;
    }
}

async fn both_ways(
    client: &mut TcpStream,
    upstream: &mut Option<TcpStream>,
    ground: Ground,
    number: u64,
    list: watch::Receiver<List>,
) -> Fate {
    let dialled = dial(ground.upstream, number, list.clone()).await;
    let Ok(service) = dialled else {
        return Fate::Reset;
    };
    if client.set_nodelay(true).is_err() {
        return Fate::Reset;
    }
    let result = match ground.speaks {
        Speaks::Bytes => {
            let service = upstream.insert(service);
            let (from_client, to_client) = client.split();
            let (from_service, to_service) = service.split();
            pumps(from_client, to_client, from_service, to_service, number, list).await
        }
        Speaks::Http => {
            let (near, far) = tokio::io::duplex(http::BUFFER);
            let (from_client, to_client) = client.split();
            let (from_service, to_service) = tokio::io::split(near);
            let pumps = pumps(
                from_client,
                to_client,
                from_service,
                to_service,
                number,
                list.clone(),
            );
            let forward = http::forward(far, service, number, list);
            tokio::try_join!(pumps, forward).map(drop)
        }
    };
    match result {
        Ok(()) | Err(Stopped::Cut) => Fate::Closed,
        Err(Stopped::Broken(_)) => Fate::Reset,
    }
}

async fn pumps(
    from_client: impl AsyncRead + Unpin,
    to_client: impl AsyncWrite + Unpin,
    from_service: impl AsyncRead + Unpin,
    to_service: impl AsyncWrite + Unpin,
    number: u64,
    list: watch::Receiver<List>,
) -> Result<(), Stopped> {
    let up = Pump::new(Way::Up, number, list.clone());
    let down = Pump::new(Way::Down, number, list);
    tokio::try_join!(up.run(from_client, to_service), down.run(from_service, to_client)).map(drop)
}

/// Connects to the service, once nothing holds up the way to it.
async fn dial(upstream: SocketAddr, number: u64, mut list: watch::Receiver<List>) -> io::Result<TcpStream> {
    let open = list.wait_for(|list| {
        let stalling = list
            .iter()
            .filter(|active| active.toxic.stalls() && active.toxic.ways().cover(Way::Up));
        stalling.map(|active| active.hit_connection(number)).count() == 0
    });
    if open.await.is_err() {
        return Err(io::ErrorKind::NotConnected.into());
    }
    let connected = tokio::time::timeout(DIAL_WITHIN, TcpStream::connect(upstream)).await;
    let service = connected.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    service.set_nodelay(true)?;
    Ok(service)
}
