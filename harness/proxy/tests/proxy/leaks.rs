//! Resources that must not grow, and clients that must not wait for others.

use std::net::SocketAddr;
use std::time::Duration;

use firedrill_proxy::{Latency, Reset};
use futures::{StreamExt, stream};
use socket2::{Domain, Socket, Type};

use crate::peers::{Client, echo, within};
use crate::{SHORT, inject, proxy_to};

/// A listener whose backlog is full: further connection attempts are dropped, as by a dead host.
async fn dead() -> (SocketAddr, Socket, Vec<tokio::net::TcpStream>) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket
        .bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())
        .unwrap();
    socket.listen(0).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let mut filling = Vec::new();
    while let Ok(stream) = tokio::time::timeout(SHORT, tokio::net::TcpStream::connect(address)).await {
        filling.push(stream.unwrap());
        assert!(filling.len() < 100, "the backlog never fills");
    }
    (address, socket, filling)
}

#[tokio::test]
async fn a_dead_service_delays_neither_another_proxy_nor_its_next_client() {
    let (address, _listener, _filling) = dead().await;
    let (dead, alive) = (proxy_to(address).await, proxy_to(echo().await).await);
    let mut waiting = Vec::new();
    // A dial of the dead service takes a minute: a client that had to wait for it would miss `within`'s limit.
    for _ in 0..20 {
        waiting.push(Client::connect(&dead).await);
        Client::connect(&alive).await.round_trip().await.unwrap();
    }
    assert!(waiting[0].hears_nothing_for(Duration::from_millis(50)).await);
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Resident memory, in KiB.
fn memory() -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn ten_thousand_connections_leave_neither_descriptors_nor_memory_behind() {
    let proxy = proxy_to(echo().await).await;
    let connect = async |count: usize| {
        stream::iter(0..count)
            .for_each_concurrent(32, async |_| {
                // With a reset some of them fail; they must be forgotten as well.
                let _ = Client::attempt(&proxy).await;
            })
            .await;
        let closed = async {
            while proxy.open_connections() > 0 {
                tokio::task::yield_now().await;
            }
        };
        within(closed).await;
    };
    connect(1_000).await;
    let (descriptors_before, memory_before) = (descriptors(), memory());
    connect(4_000).await;
    inject(&proxy, 1, Latency::new(Duration::from_millis(1))).await;
    connect(3_000).await;
    inject(&proxy, 2, Reset::new(Duration::ZERO).share(0.5)).await;
    connect(2_000).await;
    // The service's own ends may still be closing.
    let settled = async {
        while descriptors() > descriptors_before + 2 {
            tokio::task::yield_now().await;
        }
    };
    within(settled).await;
    let grown = memory() - memory_before;
    assert!(grown < 8 << 10, "{grown} KiB more");
}
