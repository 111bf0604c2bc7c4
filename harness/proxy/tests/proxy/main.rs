//! Proxies over real sockets: what each toxic breaks, that a revert restores it, and that no resources leak.
//!
//! Times are asserted from below only, or by what arrives at all; `bench/proxy` measures how exact they are.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

mod bytes;
mod http;
mod leaks;
mod overlapping;
mod peers;

use std::net::SocketAddr;
use std::time::Duration;

use firedrill_proxy::{Hits, Proxy, Toxic, ToxicId};
use peers::within;

/// Long enough that a busy machine does not blur it.
const LONG: Duration = Duration::from_millis(400);
/// Far shorter than [`LONG`].
const SHORT: Duration = Duration::from_millis(250);
/// Longer than [`AT_MOST`]: whatever waits for it fails its test.
const FOREVER: Duration = Duration::from_secs(60);
/// The time limit of everything that is to happen. Generous: a busy machine must not fail a test.
const AT_MOST: Duration = Duration::from_secs(20);

async fn proxy_to(upstream: SocketAddr) -> Proxy {
    Proxy::builder(upstream).seed(7).start().await.unwrap()
}

async fn proxy_at(listen: SocketAddr, upstream: SocketAddr) -> Proxy {
    let proxy = Proxy::builder(upstream).listen(listen).seed(7);
    proxy.start().await.unwrap()
}

/// Injects a toxic under this id.
async fn inject(proxy: &Proxy, id: u64, toxic: impl Toxic + 'static) {
    within(proxy.inject_with_id(ToxicId(id), Box::new(toxic)))
        .await
        .unwrap();
}

/// Reverts a toxic and returns what it hit.
async fn revert(proxy: &Proxy, id: u64) -> Hits {
    within(proxy.revert(ToxicId(id))).await.unwrap();
    proxy.hits(ToxicId(id))
}

/// A port that nobody uses.
fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap().port()
}
