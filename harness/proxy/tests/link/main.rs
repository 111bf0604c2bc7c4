//! Links over real sockets: what each toxic disturbs, that taking it off restores, and that nothing is left behind.
//!
//! Times are asserted as an order or with generous bounds; how exact they are is measured elsewhere.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

mod bytes;
mod http;
mod leaks;
mod overlapping;
mod peers;

use std::time::Duration;

use firedrill_proxy::{Hits, Link, Speaks, Toxic, ToxicId};

/// Long enough that a busy machine does not blur it.
const LONG: Duration = Duration::from_millis(400);
/// Far shorter than [`LONG`].
const SHORT: Duration = Duration::from_millis(250);
/// Nothing that works takes longer.
const AT_MOST: Duration = Duration::from_secs(20);

async fn link_to(upstream: std::net::SocketAddr) -> Link {
    Link::open(([127, 0, 0, 1], 0).into(), upstream, Speaks::Bytes, 7)
        .await
        .unwrap()
}

/// Puts a toxic on under its number.
async fn inject(link: &Link, id: u64, toxic: impl Toxic + 'static) {
    assert_eq!(toxic.flaw(), None);
    tokio::time::timeout(AT_MOST, link.inject(ToxicId(id), Box::new(toxic)))
        .await
        .unwrap()
        .unwrap();
}

async fn revert(link: &Link, id: u64) -> Hits {
    tokio::time::timeout(AT_MOST, link.revert(ToxicId(id)))
        .await
        .unwrap()
        .unwrap();
    link.hits(ToxicId(id))
}

/// A port that nobody uses.
fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap().port()
}
